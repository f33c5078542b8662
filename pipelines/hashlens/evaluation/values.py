"""The values on the accuracy card, and how to look them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OURS = "hashlens"  # the name of our method
MIN_IOU = 0.8  # intersection over union from which two boxes count as the same place
_Z = 1.959964  # standard deviations on either side of the mean that hold 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some trials succeeded.

    hits: successes; a tie between several pictures counts in part
    of: trials
    """

    hits: float
    of: int

    @property
    def share(self) -> float:
        """Return the rate, 0 to 1; 0 if there were no trials."""
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
        """Return the rate of the trials of both."""
        return Rate(self.hits + other.hits, self.of + other.of)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the evaluation was done: enough to repeat it.

    command: the command that repeats it
    folder: name of the folder of pictures
    distractors: names of folders that are in the database as well
    absent: names of folders that are searched for and are not in the database
    seed: seed of the split and the attacks
    split: rule by which the folder is split into halves
    images: pictures of the folder
    database: pictures of the folder and of the distractors
    skipped: files that cannot be read
    equal: pictures of the database that have the same fingerprint as another one
    tuning: pictures of the folder in the tuning half
    scoring: pictures of the folder in the scoring half
    queries: queries of each attack in the scoring half
    keypoints: keypoints of a picture in our index
    precision: precision at which other methods get their threshold, 0 to 1
    versions: version of each installed package that takes part
    """

    command: str
    folder: str
    distractors: tuple[str, ...]
    absent: tuple[str, ...]
    seed: int
    split: str
    images: int
    database: int
    skipped: int
    equal: int
    tuning: int
    scoring: int
    queries: int
    keypoints: int
    precision: float
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AttackOf:
    """An attack: its name, its kind, and the heading under which tables sum it up."""

    name: str
    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find pictures, and its costs in one thread.

    name: its name
    missing: why it was not measured; empty if it was
    threshold: largest distance that counts as a match; None if it has none
    images: pictures in its database
    queries: queries of each attack that it was asked
    query_ms: time of a query, decoding included, milliseconds
    index_ms: time to index a picture, decoding included, milliseconds
    image_bytes: stored size of a picture, bytes
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

    method: name of the method
    attack: name of the attack
    first: recall@1: the nearest picture is the right one
    accepted: the nearest picture is right and counts as a match
    wrong: the nearest picture is wrong and counts as a match
    boxes: accepted crops whose box has an IoU of at least 0.8 with the true box; None if the
        attack is not a crop or the method gives no boxes
    iou: median IoU of these boxes with the true boxes, 0 to 1; None as `boxes`
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
    """How many queries for pictures that are not in the database had a match."""

    method: str
    group: str
    false: Rate


@dataclass(frozen=True, slots=True)
class FalseMatch:
    """A wrong match of ours.

    group: the queries to which its query belongs
    query: the picture that was searched for
    attack: name of the attack on it; empty if it was not attacked
    match: the picture that was found
    stage: the stage of the search that accepted it
    distance: distance of the fingerprints, bits
    inliers: keypoints that agree with the crop; None if it is not a crop
    correlation: likeness of the pixels, -1 to 1; None if they were not compared
    """

    group: str
    query: str
    attack: str
    match: str
    stage: str
    distance: float
    inliers: int | None
    correlation: float | None


def measured(methods: Iterable[Method]) -> list[Method]:
    """Return the methods that were measured, in their order."""
    return [method for method in methods if not method.missing]


def score_of(scores: Iterable[Score], method: str, attack: str) -> Score:
    """Return the score of a method on an attack; raises KeyError if there is none."""
    for score in scores:
        if (score.method, score.attack) == (method, attack):
            return score
    raise KeyError((method, attack))


def group_rates(
    attacks: Iterable[AttackOf], scores: Iterable[Score], method: str, what: str
) -> dict[str, Rate]:
    """Return a rate of a method (first, accepted or wrong) for each group of attacks."""
    rates: dict[str, Rate] = {}
    for attack in attacks:
        rate: Rate = getattr(score_of(scores, method, attack.name), what)
        rates[attack.group] = rates.get(attack.group, Rate(0, 0)) + rate
    return rates
