"""One trial: the same query is given to our index and to its rivals, and the answers are judged.

Trials run in worker processes; `run` chooses the queries, and `scoring` sums up the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from hashlens.evaluation.changes import Box
from hashlens.evaluation.entrant import Entrant, Near, describe
from hashlens.evaluation.query import SCORING, TUNING, TrialQuery, read_query
from hashlens.evaluation.values import FalseMatch
from hashlens.index.image_index import ImageIndex
from hashlens.model import Match

MAX_FALSE_MATCHES = 3  # reported for a query of a picture that is not in the index


class OurAnswer(NamedTuple):
    """What our index answers to a query.

    right: whether the first row shows the right picture
    accepted: whether the first row counts as a match
    iou: IoU of the box of an accepted crop with the true box, 0 to 1; None if there is no box
    false_matches: the first row, if it is accepted and wrong
    absent_matches: accepted rows of an index that does not hold the picture
    """

    right: bool
    accepted: bool
    iou: float | None
    false_matches: tuple[FalseMatch, ...]
    absent_matches: tuple[FalseMatch, ...]


class Answer(NamedTuple):
    """What the methods answer to a query.

    ours: the answer of our index; None in tuning, where it is not asked
    rivals: the answer of each rival, by name
    """

    ours: OurAnswer | None
    rivals: dict[str, Near]


class Trial:
    """Ask all methods a query. Each worker process opens the indexes for itself.

    index: directory of our index
    parts: directories of its copies; copy `n` lacks the pictures of the queries whose rank modulo
        the number of copies is `n`
    seed: seed of the attacks
    entrants: the rivals
    """

    def __init__(
        self, index: str, parts: Sequence[str], seed: int, entrants: Sequence[Entrant]
    ) -> None:
        self._index = index
        self._parts = tuple(parts)
        self._seed = seed
        self._entrants = tuple(entrants)
        self._open: dict[str, ImageIndex] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the open indexes."""
        return Trial, (self._index, self._parts, self._seed, self._entrants)

    def __call__(self, query: TrialQuery) -> Answer:
        """Return what the methods answer."""
        data, box = query.data(self._seed)
        entrants = [entrant for entrant in self._entrants if entrant.takes(query)]
        codes = describe(read_query(data), [entrant.rival for entrant in entrants])
        rivals = {
            entrant.rival.name: entrant.near(
                codes[entrant.rival.description.name], query.right_rows
            )
            for entrant in entrants
        }
        if query.role == TUNING:
            return Answer(None, rivals)
        with one_thread():
            return Answer(self._ours(query, data, box), rivals)

    def _ours(self, query: TrialQuery, data: bytes, box: Box | None) -> OurAnswer:
        index = self._opened(self._index)
        if query.role != SCORING:
            return OurAnswer(False, False, None, (), _accepted(query, index, data))
        matches = index.search(data, limit=1)
        part = self._opened(self._parts[query.rank % len(self._parts)])
        return _judged(query, matches, box, _accepted(query, part, data))

    def _opened(self, directory: str) -> ImageIndex:
        if directory not in self._open:
            self._open[directory] = ImageIndex.open(directory, create=False)
        return self._open[directory]

    def close(self) -> None:
        """Close the indexes that were opened in this process."""
        for index in self._open.values():
            index.close()


def _judged(
    query: TrialQuery,
    matches: Sequence[Match],
    true_box: Box | None,
    absent_matches: tuple[FalseMatch, ...],
) -> OurAnswer:
    """Judge the first of the matches in an index that holds the picture."""
    match = matches[0] if matches else None
    right = match is not None and match.path in query.right_rows
    accepted = match is not None and _is_accepted(match)
    found_box = match.box if match and right and accepted else None
    return OurAnswer(
        right,
        accepted,
        None if found_box is None or true_box is None else iou(found_box, true_box),
        (_false_match(query, match),) if match and accepted and not right else (),
        absent_matches,
    )


def _accepted(query: TrialQuery, index: ImageIndex, data: bytes) -> tuple[FalseMatch, ...]:
    """Return the rows that an index accepts although it does not hold the picture."""
    matches = index.search(data, limit=MAX_FALSE_MATCHES)
    return tuple(_false_match(query, match) for match in matches if _is_accepted(match))


def _is_accepted(match: Match) -> bool:
    """Return whether our index says that this is the same picture, not only the nearest one."""
    return match.stage != "nearest"


def _false_match(query: TrialQuery, match: Match) -> FalseMatch:
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


def iou(a: Box, b: Box) -> float:
    """Return the intersection of two boxes divided by their union, in area."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0) * max(down, 0)
    total = sum((right - left) * (bottom - top) for left, top, right, bottom in (a, b)) - shared
    return shared / total if total else 0.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: other processes use the other processors, or time is measured."""
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
