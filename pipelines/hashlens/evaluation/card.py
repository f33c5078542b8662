"""The accuracy card: what an evaluation found, as Markdown, JSON and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hashlens.evaluation.markdown import card_text
from hashlens.evaluation.plot import save_plot
from hashlens.evaluation.values import (
    Absence,
    AttackOf,
    FalseMatch,
    Method,
    Protocol,
    Rate,
    Score,
    group_rates,
    measured,
    score_of,
)


@dataclass(frozen=True, slots=True)
class Card:
    """What an evaluation found.

    protocol: how it was done
    attacks: the attacks on the pictures
    methods: the methods, ours first, and those that were not measured
    scores: how each method did on each attack
    absences: how often each method had a match for pictures that are not in the database
    false_matches: the wrong matches of ours
    """

    protocol: Protocol
    attacks: tuple[AttackOf, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    absences: tuple[Absence, ...]
    false_matches: tuple[FalseMatch, ...]

    def score(self, method: str, attack: str) -> Score:
        """Return the score of a method on an attack; raises KeyError if there is none."""
        return score_of(self.scores, method, attack)

    def groups(self, method: str, what: str = "accepted") -> dict[str, Rate]:
        """Return a rate of a method (first, accepted or wrong) for each group of attacks."""
        return group_rates(self.attacks, self.scores, method, what)

    def measured(self) -> list[Method]:
        """Return the methods that were measured, ours first."""
        return measured(self.methods)

    def to_json(self) -> str:
        """Return the card as JSON; each rate also has its share and interval."""
        return json.dumps(_plain(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Return the card that `to_json` made this text of."""
        data = json.loads(text)
        protocol = data["protocol"]
        for name in ("distractors", "absent"):
            protocol[name] = tuple(protocol[name])
        return cls(
            Protocol(**protocol),
            tuple(AttackOf(**item) for item in data["attacks"]),
            tuple(Method(**item) for item in data["methods"]),
            tuple(Score(**_with_rates(item)) for item in data["scores"]),
            tuple(Absence(**_with_rates(item)) for item in data["absences"]),
            tuple(FalseMatch(**item) for item in data["false_matches"]),
        )

    def to_markdown(self, *, picture: str = "") -> str:
        """Return the card as Markdown; `picture` is the file of the plot, if it is to be shown."""
        return card_text(
            self.protocol, self.attacks, self.methods, self.scores, self.absences, picture=picture
        )

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw methods by groups of attacks, as an image file.

        Raises ParameterError if matplotlib is not installed.
        """
        save_plot(path, self.attacks, self.measured(), self.scores)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write accuracy.md, accuracy.json and accuracy.png to a directory; make it if needed.

        Raises ParameterError if matplotlib is not installed.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "accuracy.json").write_text(self.to_json(), encoding="utf-8")
        self.plot(folder / "accuracy.png")
        text = self.to_markdown(picture="accuracy.png")
        (folder / "accuracy.md").write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return a value in types of JSON; each rate gets its share and interval."""
    if isinstance(value, Rate):
        low, high = value.interval
        return {**asdict(value), "share": value.share, "low": low, "high": high}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _with_rates(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of JSON in which each mapping has become a `Rate`."""
    return {
        name: Rate(value["hits"], value["of"]) if isinstance(value, dict) else value
        for name, value in record.items()
    }
