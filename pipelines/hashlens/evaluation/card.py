"""The accuracy card: what an evaluation found, as Markdown, JSON and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hashlens.errors import ParameterError

OURS = "hashlens"
LIKE = 0.8  # of the union that two boxes share, from which on they are the same place
_Z = 1.959964  # standard deviations to either side that hold 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something came about; a tie between several pictures counts in part."""

    hits: float
    of: int

    @property
    def share(self) -> float:
        """Return the rate, 0 to 1; 0 where nothing was asked."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return Wilson's interval, which holds the true rate in 95 % of cases."""
        if not self.of:
            return 0.0, 1.0
        spread = _Z**2 / self.of
        middle = (self.share + spread / 2) / (1 + spread)
        reach = _Z * ((self.share * (1 - self.share) + spread / 4) / self.of) ** 0.5 / (1 + spread)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __add__(self, other: Rate) -> Rate:
        """Return the rate of both together."""
        return Rate(self.hits + other.hits, self.of + other.of)


@dataclass(frozen=True, slots=True)
class Protocol:
    """What was asked: enough to do it again."""

    command: str
    folder: str
    distractors: tuple[str, ...]
    absent: tuple[str, ...]
    seed: int
    split: str
    images: int  # of the folder
    database: int  # with those of the distractors
    skipped: int  # files that cannot be read
    equal: int  # pictures that look like another one in the database
    tuning: int  # pictures of the folder
    scoring: int
    queries: int  # of each attack, in the scoring half
    keypoints: int
    precision: float
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AttackOf:
    """An attack: its name, kind, and the heading under which it is summed up."""

    name: str
    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find pictures, with what it costs; `missing` says why it was not measured.

    `threshold` is the largest distance that counts as a match. Milliseconds are those of one
    thread, from the file on; `images` and `queries` (of each attack) are how much it was asked.
    """

    name: str
    missing: str = ""
    threshold: float | None = None
    images: int = 0
    queries: int = 0
    query_ms: float = 0.0
    index_ms: float = 0.0
    image_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """How a method did on an attack.

    `first` is recall@1: the right picture is nearest. Of the `accepted` and `wrong` ones, the
    method says itself that they match. `boxes` are the places told of accepted crops that have an
    IoU of at least 0.8 with the true ones, `iou` is the median; None for other attacks.
    """

    method: str
    attack: str
    first: Rate
    accepted: Rate
    wrong: Rate
    boxes: Rate | None = None
    iou: float | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """How many queries without a picture in the database had a match all the same."""

    method: str
    group: str
    false: Rate


@dataclass(frozen=True, slots=True)
class FalseMatch:
    """A match of ours that is none: of which query, with which picture, and on what evidence."""

    group: str
    query: str
    attack: str
    match: str
    stage: str
    distance: float
    inliers: int | None
    correlation: float | None


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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table; all columns but the first `words` hold numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _head(protocol: Protocol) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in protocol.versions.items())
    return f"`{protocol.command}`\n\n{versions}."


def _asked(card: Card) -> str:
    protocol = card.protocol
    more = f", and those of {', '.join(protocol.distractors)}" if protocol.distractors else ""
    absent = f" and of pictures of {', '.join(protocol.absent)}" if protocol.absent else ""
    slow = [method for method in card.measured() if method.images < protocol.database]
    lines = [
        f"Database: {protocol.database:,} pictures, the {protocol.images:,} of "
        f"{protocol.folder}{more}; {protocol.skipped:,} files cannot be read. Seed "
        f"{protocol.seed}; {protocol.keypoints} keypoints a picture.",
        f"Split: {protocol.split}: {protocol.tuning:,} pictures for tuning, {protocol.scoring:,} "
        "for scoring.",
        f"Queries: {protocol.queries:,} pictures of the scoring half, each after every one of "
        f"{len(card.attacks)} attacks. All methods are given the same JPEG files.",
        f"Others' thresholds: the largest distance with {_whole(protocol.precision)} % precision "
        "on the tuning half over all attacks, where each query counts once with and once without "
        "its original in the database. Ours has no threshold to tune: its own decision counts.",
        "Recall@1 shares ties: several pictures at the same distance count in part. IoU is that of "
        "the place that an accepted crop is said to have and its true one.",
        f"Absent queries: the scoring queries with their original left out{absent}, and drawn "
        "backgrounds. From our index a fifth of the queried originals is really left out at a "
        "time.",
        f"Pictures with the same fingerprint count as the same picture ({protocol.equal:,} look "
        "like another one). Other photographs of one scene do not: where a folder has such, some "
        "false matches may be right.",
        "Drawn, not photographed: the pages of `screenshot`, the other pictures of `collage`, the "
        "text of `text`, the backgrounds. All attacks are synthetic.",
        "Intervals are Wilson's, 95 %. The queries of one picture are alike, so those of several "
        "attacks together are wider in truth.",
        *(
            f"{method.name} is slow, and was asked less: {method.queries} queries of each attack, "
            f"{method.images} pictures. That flatters it."
            for method in slow
        ),
        *(f"Not measured: {', '.join(names)}: {why}." for why, names in _missing(card).items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _missing(card: Card) -> dict[str, list[str]]:
    """Return the methods that were not there, by the reason."""
    found: dict[str, list[str]] = {}
    for method in card.methods:
        if method.missing:
            found.setdefault(method.missing, []).append(method.name)
    return found


def _ours(card: Card) -> str:
    head = ["attack", "recall@1", "accepted, right", "accepted, wrong", "IoU", f"IoU ≥ {LIKE}"]
    others = [method.name for method in card.measured() if method.name != OURS]
    rows = []
    for item in card.attacks:
        score = card.score(OURS, item.name)
        row = [
            item.name,
            _percent(score.first.share),
            _range(score.accepted),
            _range(score.wrong),
            "" if score.iou is None else f"{score.iou:.3f}",
            "" if score.boxes is None else _percent(score.boxes.share),
        ]
        if others:
            best = max(
                (card.score(name, item.name) for name in others),
                key=lambda score: (score.accepted.share, score.first.share),
            )
            name = f" ({best.method})" if best.accepted.hits else ""
            row.append(_percent(best.accepted.share) + name)
        rows.append(row)
    return _table(head + ["best other, right"] * bool(others), rows)


def _by_group(card: Card, what: str) -> str:
    names = list(card.groups(OURS))
    rows = [
        [
            method.name,
            *(_whole(rate.share) for rate in card.groups(method.name, what).values()),
        ]
        for method in card.measured()
    ]
    return _table(["method", *names], rows)


def _absent(card: Card) -> str:
    groups = list(dict.fromkeys(item.group for item in card.absences))
    found = {(item.method, item.group): item.false for item in card.absences}
    rows = [
        [method.name, *(_thousand(found.get((method.name, group))) for group in groups)]
        for method in card.measured()
    ]
    return _table(["method", *groups], rows)


def _costs(card: Card) -> str:
    rows = [
        [
            method.name,
            f"{method.query_ms:.1f}",
            f"{method.index_ms:.1f}",
            f"{method.image_bytes:,.0f}",
            _limit(method),
        ]
        for method in card.measured()
    ]
    note = (
        "One thread, from the file on; a query includes the comparison with the whole database. "
        "Bytes of ours are those of the index on disk, of others those of the code alone."
    )
    head = ["method", "ms a query", "ms an indexed picture", "bytes a picture", "threshold"]
    return f"{note}\n\n{_table(head, rows)}"


def _limit(method: Method) -> str:
    if method.name == OURS:
        return ""
    return "none" if method.threshold is None else f"{method.threshold:.4g}"


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _range(rate: Rate) -> str:
    low, high = rate.interval
    return f"{_percent(rate.share)} ({_percent(low)} to {_percent(high)})"


def _thousand(rate: Rate | None) -> str:
    if rate is None:
        return ""
    low, high = (1000 * end for end in rate.interval)
    return f"{1000 * rate.share:.1f} ({low:.1f} to {high:.1f}), {rate.hits:.0f} of {rate.of:,}"
