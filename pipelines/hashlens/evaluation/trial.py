"""One query of an evaluation: the same file is given to our index and to its rivals.

What is here runs in worker processes; `hashlens.evaluation` chooses the queries and sums up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from io import BytesIO
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from hashlens.evaluation.attacks import attack
from hashlens.evaluation.changes import Box
from hashlens.evaluation.drawings import background
from hashlens.evaluation.rivals import RIVALS, Code, Distances, Matcher, Rival
from hashlens.evaluation.values import FalseMatch
from hashlens.images.decode import decode, read
from hashlens.index.image_index import ImageIndex
from hashlens.model import Match

Codes: TypeAlias = "dict[str, Code]"  # of one picture, by the name of the description

TUNING = "tuning"
SCORING = "scoring"
ABSENT = "pictures not in the database"
DRAWN = "drawn backgrounds"

ALONE = 3  # false matches of a query that are told of, at most


class Query(NamedTuple):
    """What is looked for: a file after an attack (or as it is: no attack), or a background.

    `own` are the rows that show the same picture; `rank` numbers the queries of an attack.
    """

    role: str
    name: str
    path: str
    attack: str
    own: frozenset[str]
    rank: int

    def data(self, seed: int) -> tuple[bytes, Box | None]:
        """Return the file that is looked for, and the part of the original that a crop shows.

        Where the query shows the whole, a box proves little: it cannot reach beyond the picture.
        """
        if self.role == DRAWN:
            return background(self.name, seed=seed), None
        if not self.attack:
            return read(self.path), None
        made = attack(self.attack, decoded(self.path), seed=seed, name=self.name)
        return made.data, made.box if made.kind == "crop" else None


class Near(NamedTuple):
    """What is nearest to a query under a method.

    The distances of the nearest own row and of the nearest other one, and how much of the first
    place is the own's: rows at the same distance share it.
    """

    own: float
    right: float
    other: float

    @property
    def nearest(self) -> float:
        """Return the distance of the nearest row."""
        return min(self.own, self.other)


class Found(NamedTuple):
    """What our index answers: is the first row right, is it accepted, and the IoU of its box.

    `false` is the first row where that is accepted and wrong; `alone` are accepted rows of an index
    that has no such picture.
    """

    right: bool
    accepted: bool
    iou: float | None
    false: tuple[FalseMatch, ...]
    alone: tuple[FalseMatch, ...]


class Answer(NamedTuple):
    """What the methods answer to a query; ours is not asked in tuning."""

    ours: Found | None
    rivals: dict[str, Near]


@dataclass(frozen=True)
class Entrant:
    """A rival with its database: rows, and their codes."""

    rival: Rival
    rows: tuple[str, ...]
    codes: tuple[Code, ...]

    @cached_property
    def matcher(self) -> Matcher:
        """Return what gives the distances of a code from all rows."""
        return self.rival.matcher(self.codes)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Return where each row stands."""
        return {row: position for position, row in enumerate(self.rows)}

    def takes(self, query: Query) -> bool:
        """Tell whether the method is asked this: a slow one is not asked everything."""
        return self.rival.sample is None or query.rank < self.rival.sample.queries

    def near(self, code: Code, own: Iterable[str]) -> Near:
        """Return what is nearest to a code."""
        known = [self.positions[row] for row in own if row in self.positions]
        return nearest(self.matcher(code), known)

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without the matcher, which is made again there."""
        return _entrant, (self.rival.name, self.rows, self.codes)


def _entrant(name: str, rows: tuple[str, ...], codes: tuple[Code, ...]) -> Entrant:
    return Entrant(RIVALS[name], rows, codes)


class Trial:
    """Ask all methods a query: called in worker processes, where it opens indexes for itself.

    `parts` are copies of the index, in which some pictures are left out: those of the queries
    whose rank has the part's number as remainder.
    """

    def __init__(
        self, index: str, parts: Sequence[str], seed: int, entrants: Sequence[Entrant]
    ) -> None:
        self._place = index
        self._parts = tuple(parts)
        self._seed = seed
        self._entrants = tuple(entrants)
        self._open: dict[str, ImageIndex] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without the open indexes."""
        return Trial, (self._place, self._parts, self._seed, self._entrants)

    def __call__(self, query: Query) -> Answer:
        """Return what the methods answer."""
        data, box = query.data(self._seed)
        entrants = [entrant for entrant in self._entrants if entrant.takes(query)]
        codes = _described(opened(data), [entrant.rival for entrant in entrants])
        rivals = {
            entrant.rival.name: entrant.near(codes[entrant.rival.description.name], query.own)
            for entrant in entrants
        }
        if query.role == TUNING:
            return Answer(None, rivals)
        with one_thread():
            return Answer(self._ours(query, data, box), rivals)

    def _ours(self, query: Query, data: bytes, box: Box | None) -> Found:
        if query.role != SCORING:
            return Found(False, False, None, (), _accepted(query, self._index(self._place), data))
        first = self._index(self._place).search(data, limit=1)
        part = self._parts[query.rank % len(self._parts)]
        alone = _accepted(query, self._index(part), data)
        return judge(query, first, box, alone)

    def _index(self, place: str) -> ImageIndex:
        if place not in self._open:
            self._open[place] = ImageIndex.open(place, create=False)
        return self._open[place]

    def close(self) -> None:
        """Close the indexes that were opened in this process."""
        for index in self._open.values():
            index.close()


def describe(item: tuple[str, tuple[str, ...]]) -> Codes:
    """Return the codes of a file, for the rivals of these names."""
    path, names = item
    return _described(decoded(path), [RIVALS[name] for name in names])


def _described(image: Image.Image, rivals: Iterable[Rival]) -> Codes:
    """Describe a picture in all ways that some rivals need, in each once."""
    descriptions = {rival.description.name: rival.description for rival in rivals}
    return {name: description(image) for name, description in descriptions.items()}


def decoded(path: str) -> Image.Image:
    """Return the picture of a file as a person sees it, in RGB."""
    return decode(path).image.convert("RGB")


def opened(data: bytes) -> Image.Image:
    """Return the picture of a query, in RGB."""
    return Image.open(BytesIO(data)).convert("RGB")


def judge(
    query: Query, first: Sequence[Match], box: Box | None, alone: tuple[FalseMatch, ...]
) -> Found:
    """Judge the first row that our index found, where the picture is in it."""
    match = first[0] if first else None
    right = match is not None and match.path in query.own
    accepted = match is not None and is_accepted(match)
    told = match.box if match and right and accepted else None
    return Found(
        right,
        accepted,
        None if told is None or box is None else iou(told, box),
        (_false(query, match),) if match and accepted and not right else (),
        alone,
    )


def _accepted(query: Query, index: ImageIndex, data: bytes) -> tuple[FalseMatch, ...]:
    """Return the rows that an index accepts where it has no such picture."""
    found = index.search(data, limit=ALONE)
    return tuple(_false(query, match) for match in found if is_accepted(match))


def is_accepted(match: Match) -> bool:
    """Tell whether our index says that this is the same picture, not only the nearest one."""
    return match.stage != "nearest"


def _false(query: Query, match: Match) -> FalseMatch:
    return FalseMatch(
        query.role,
        query.name,
        query.attack,
        match.path,
        match.stage,
        match.distance,
        match.inliers,
        None if match.correlation is None else round(match.correlation, 4),
    )


def nearest(distances: Distances, own: Sequence[int]) -> Near:
    """Return what is nearest, of distances of which some are those of own rows."""
    is_own = np.zeros(len(distances), bool)
    is_own[own] = True
    best = float(distances.min(initial=np.inf))
    at_best = distances == best
    right = (at_best & is_own).sum() / at_best.sum() if at_best.any() else 0.0
    mine, others = (distances[some].min(initial=np.inf) for some in (is_own, ~is_own))
    return Near(float(mine), float(right), float(others))


def iou(a: Box, b: Box) -> float:
    """Return the area that two boxes share, divided by the area that they cover together."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0) * max(down, 0)
    total = sum((right - left) * (bottom - top) for left, top, right, bottom in (a, b)) - shared
    return shared / total if total else 0.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: there is a process for each processor, or time is taken."""
    try:
        cv2 = import_module("cv2")
    except ImportError:
        yield
        return
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
