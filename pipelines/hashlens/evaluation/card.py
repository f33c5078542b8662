"""The accuracy card: what an evaluation found, as Markdown, JSON and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hashlens.errors import ParameterError
from hashlens.evaluation.markdown import _absent, _asked, _by_group, _costs, _head, _ours
from hashlens.evaluation.values import (
    OURS,
    Absence,
    AttackOf,
    FalseMatch,
    Method,
    Protocol,
    Rate,
    Score,
)


@dataclass(frozen=True, slots=True)
class Card:
    """What an evaluation found."""

    protocol: Protocol
    attacks: tuple[AttackOf, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    absences: tuple[Absence, ...]
    false_matches: tuple[FalseMatch, ...]

    def score(self, method: str, attack: str) -> Score:
        """Return how a method did on an attack; raises KeyError where it was not asked."""
        for item in self.scores:
            if (item.method, item.attack) == (method, attack):
                return item
        raise KeyError((method, attack))

    def groups(self, method: str, what: str = "accepted") -> dict[str, Rate]:
        """Return a rate of a method (first, accepted or wrong) for each group of attacks."""
        rates: dict[str, Rate] = {}
        for item in self.attacks:
            rate: Rate = getattr(self.score(method, item.name), what)
            rates[item.group] = rates.get(item.group, Rate(0, 0)) + rate
        return rates

    def measured(self) -> list[Method]:
        """Return the methods that were there, ours first."""
        return [method for method in self.methods if not method.missing]

    def to_json(self) -> str:
        """Return all of it as JSON; rates have their share and its interval as well."""
        return json.dumps(_plain(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Return the card of a text of `to_json`."""
        data = json.loads(text)
        protocol = data["protocol"]
        for name in ("distractors", "absent"):
            protocol[name] = tuple(protocol[name])
        return cls(
            Protocol(**protocol),
            tuple(AttackOf(**item) for item in data["attacks"]),
            tuple(Method(**item) for item in data["methods"]),
            tuple(Score(**_rates(item)) for item in data["scores"]),
            tuple(Absence(**_rates(item)) for item in data["absences"]),
            tuple(FalseMatch(**item) for item in data["false_matches"]),
        )

    def to_markdown(self, *, picture: str = "") -> str:
        """Return it for readers; `picture` is the file of the plot, to be shown."""
        parts = [
            "# Accuracy card",
            _head(self.protocol),
            f"![Methods by attacks]({picture})" if picture else "",
            "## What was asked",
            _asked(self),
            "## Ours, by attack",
            _ours(self),
            "## All methods, in per cent",
            "Accepted and right, at each method's own threshold:",
            _by_group(self, "accepted"),
            "Nearest is right (recall@1), whatever its distance:",
            _by_group(self, "first"),
            "## False matches for 1,000 absent queries",
            _absent(self),
            "## Cost",
            _costs(self),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw methods by groups of attacks, as a picture file.

        Raises ParameterError where matplotlib is not installed.
        """
        figure_of = require_matplotlib()
        methods = [method.name for method in self.measured()]
        panels = (("accepted", "accepted and right, %"), ("first", "nearest is right, %"))
        groups = list(self.groups(OURS))
        size = (3 + 0.55 * len(groups), 2.4 + 0.62 * len(methods))
        figure = figure_of(figsize=size, layout="constrained")
        for axes, (what, title) in zip(figure.subplots(2, 1), panels, strict=True):
            shares = [
                [100 * rate.share for rate in self.groups(name, what).values()] for name in methods
            ]
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=125, aspect="auto")
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_xticks(range(len(groups)), groups, rotation=40, ha="right", fontsize=8)
            axes.set_yticks(range(len(methods)), methods, fontsize=8)
            axes.get_yticklabels()[methods.index(OURS)].set_fontweight("bold")
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            for row, values in enumerate(shares):
                for column, value in enumerate(values):
                    shade = "white" if value > 75 else "black"
                    where = {"ha": "center", "va": "center", "fontsize": 7}
                    axes.text(column, row, f"{value:.0f}", color=shade, **where)
        figure.savefig(path, dpi=120)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write accuracy.md, accuracy.json and accuracy.png to a directory, made if need be."""
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        (place / "accuracy.json").write_text(self.to_json(), encoding="utf-8")
        self.plot(place / "accuracy.png")
        text = self.to_markdown(picture="accuracy.png")
        (place / "accuracy.md").write_text(text, encoding="utf-8")


def require_matplotlib() -> Any:
    """Return matplotlib's class of figures; raises ParameterError where it is not installed."""
    try:
        return import_module("matplotlib.figure").Figure
    except ImportError as error:
        msg = "a plot needs matplotlib, which is not installed: pip install 'hashlens[evaluate]'"
        raise ParameterError(msg) from error


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what a rate comes to is added."""
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


def _rates(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its rates as such."""
    return {
        name: Rate(value["hits"], value["of"]) if isinstance(value, dict) else value
        for name, value in item.items()
    }
