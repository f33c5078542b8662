"""The values on the accuracy card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
