"""Find the pictures that a query shows a part of, or that are a part of it, and where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashlens.crops import extract
from hashlens.crops.geometry import Map, Points, align
from hashlens.crops.keypoints import KEYPOINTS, QUERY_KEYPOINTS, SIDE, Frame, Keypoints
from hashlens.crops.likeness import Likeness, measure_likeness
from hashlens.crops.lookup import Near, votes
from hashlens.crops.patches import MIRRORED_BITS
from hashlens.crops.segments import Segment
from hashlens.crops.table import Table
from hashlens.model import Place

BATCH = 20  # candidates: if none of a batch matches, no more are verified
# Least inliers and least agreement of a match. With few inliers almost all blocks must agree:
# silhouettes of different things agree at their rim only. Many inliers without any agreement are,
# for example, two photographs of one tiger.
ACCEPTED = ((50, 0.05), (15, 0.2), (10, 0.35), (7, 0.6), (4, 0.8))

# By so much must the correlation of a mirrored query be better than that of the query as it is: a
# symmetric picture matches both ways, up to fractions of pixels.
MIRRORED_BETTER = 0.02

LEAST_SCORE = 0.01  # txtai drops rows whose score is 0


class CropQuery:
    """A picture that is looked for: its grey frame, and its size in pixels."""

    def __init__(self, frame: Frame, size: tuple[int, int]) -> None:
        self.frame = frame
        self.size = size

    @cached_property
    def keypoints(self) -> Keypoints:
        """Return the keypoints of the frame, and of a frame as large as in an index.

        If a picture has texture all over, the strongest keypoints of its large frame may all be
        finer than its keypoints in an index.
        """
        fine = extract.extract(self.frame, self.size, QUERY_KEYPOINTS)
        if max(self.frame.shape) <= SIDE:
            return fine
        small = extract.frame(Image.fromarray(self.frame))
        coarse = extract.extract(small, self.size, KEYPOINTS)
        return fine.plus(coarse)

    def mirrored(self) -> CropQuery:
        """Return the picture as in a mirror; its keypoints are these, mirrored."""
        mirrored = CropQuery(np.ascontiguousarray(self.frame[:, ::-1]), self.size)
        height, width = self.frame.shape
        mirrored.keypoints = self.keypoints.mirrored(width / max(height, width), MIRRORED_BITS)
        return mirrored


class CropMatch(NamedTuple):
    """A picture that matches a query.

    position: of the picture in its table
    row: of the picture in the index
    place: where the query lies in the picture
    """

    position: int
    row: int
    place: Place


def find_matches(table: Table, query: CropQuery, limit: int) -> list[CropMatch]:
    """Find at most `limit` pictures that a query shows a part of, or that are a part of it.

    The query is looked for as it is, and mirrored. A picture that is found both ways has the place
    of the query as it is, unless the other is clearly better. The best correlation comes first; of
    equal ones, the lower position.
    """
    best = {match.position: match for match in _matches(table, query, limit, mirrored=False)}
    for match in _matches(table, query.mirrored(), limit, mirrored=True):
        other = best.get(match.position)
        if not other or match.place.correlation > other.place.correlation + MIRRORED_BETTER:
            best[match.position] = match
    ranked = sorted(best.values(), key=lambda match: (-match.place.correlation, match.position))
    return ranked[:limit]


def _matches(table: Table, query: CropQuery, limit: int, *, mirrored: bool) -> list[CropMatch]:
    """Verify candidates in the order of their votes, until a batch has no match."""
    ranked = candidates(table, query.keypoints)
    points = Points.of(query.keypoints)
    matches: list[CropMatch] = []
    while batch := list(islice(ranked, BATCH)):
        before = len(matches)
        for segment, number in batch:
            place = verify(query, points, segment.keypoints(number), mirrored=mirrored)
            if place:
                picture = segment.pictures[number]
                matches.append(CropMatch(int(picture["position"]), int(picture["row"]), place))
        if len(matches) == before or len(matches) >= limit:
            break
    return matches


def candidates(table: Table, query: Keypoints) -> Iterator[tuple[Segment, int]]:
    """Yield the pictures that may match a query, most votes first: segment, and number in it."""
    near: list[Near] = []
    pictures, bases = [np.empty(0, np.int64)], [0]  # numbered through all segments
    differences = [np.empty((2, 0), np.int64)]
    for segment in table.segments:
        found = segment.near(query.codes, query.doubtful)
        numbers = np.searchsorted(segment.starts, found.rows, side="right") - 1
        if len(table.gone):
            alive = ~np.isin(segment.pictures["position"][numbers], table.gone)
            found = Near(found.queries[alive], found.rows[alive], found.bits[alive])
            numbers = numbers[alive]
        near.append(found)
        pictures.append(numbers + bases[-1])
        differences.append(
            _scales_and_angles(segment.places, found.rows)
            - _scales_and_angles(query.places, found.queries)
        )
        bases.append(bases[-1] + len(segment))
    if not near:
        return
    pairs = Near(*(np.concatenate(values) for values in zip(*near, strict=True)))
    scaling, turning = np.concatenate(differences, axis=1)
    voted, counts = votes(pairs, np.concatenate(pictures), scaling, turning)
    for picture in voted[np.argsort(-counts, kind="stable")]:
        which = bisect_right(bases, picture) - 1
        yield table.segments[which], int(picture) - bases[which]


def _scales_and_angles(places: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([places[name][rows] for name in ("scale", "angle")]).astype(np.int64)


def verify(
    query: CropQuery, points: Points, candidate: Keypoints, *, mirrored: bool
) -> Place | None:
    """Return where a query lies in a candidate; None if the candidate does not match.

    `points` are the query's keypoints; `mirrored` is whether the query was mirrored before.
    """
    found = align(points, Points.of(candidate))
    if found is None:
        return None
    likeness = measure_likeness(found, query.frame, _picture(candidate))
    if not any(
        found.inliers >= inliers and likeness.agreement >= agreement
        for inliers, agreement in ACCEPTED
    ):
        return None
    return _place(found, query.size, candidate.size, likeness, mirrored=mirrored)


def _picture(candidate: Keypoints) -> Frame:
    import cv2  # noqa: PLC0415  a tenth of a second that only a query needs

    data = np.frombuffer(candidate.thumbnail, np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def _place(
    found: Map, size: tuple[int, int], aim: tuple[int, int], likeness: Likeness, *, mirrored: bool
) -> Place:
    """Express a map in pixels, from a query of some size to a picture of the size `aim`."""
    scale = max(aim) / max(size)
    turn, shear, shift = found.turn * scale, found.shear * scale, found.shift * max(aim)
    matrix = np.array(
        [
            [(turn + shear).real, (shear - turn).imag, shift.real],
            [(turn + shear).imag, (turn - shear).real, shift.imag],
        ]
    )
    if mirrored:
        matrix = matrix @ np.array([[-1.0, 0.0, size[0]], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    correlation = max(likeness.correlation, LEAST_SCORE)
    evidence = Evidence(found.inliers, correlation, likeness.agreement, mirrored)
    return place_of(matrix, size, aim, evidence)


class Evidence(NamedTuple):
    """The evidence for a match; a `Place` has the same fields."""

    inliers: int
    correlation: float
    agreement: float
    mirrored: bool


def place_of(
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    aim: tuple[int, int],
    evidence: Evidence | Place,
) -> Place:
    """Return where a picture of some size lies in another picture, of the size `aim`.

    `matrix` takes pixels of the one to pixels of the other: shape (2, 3).
    """
    across, down = matrix @ np.array([[0, size[0], size[0], 0], [0, 0, size[1], size[1]], [1] * 4])
    left, right = _clipped(across, aim[0])
    top, bottom = _clipped(down, aim[1])
    return Place(
        box=(left, top, right, bottom),
        fractions=(left / aim[0], top / aim[1], right / aim[0], bottom / aim[1]),
        outline=tuple(zip(across.tolist(), down.tolist(), strict=True)),
        transform=(tuple(matrix[0].tolist()), tuple(matrix[1].tolist())),
        inliers=evidence.inliers,
        correlation=evidence.correlation,
        agreement=evidence.agreement,
        mirrored=evidence.mirrored,
    )


def _clipped(ends: NDArray[np.float64], side: int) -> tuple[int, int]:
    """Return the first and last edge between pixels, inside of a side, at least one pixel apart."""
    first = min(max(0, round(float(ends.min()))), side - 1)
    return first, max(first + 1, min(side, round(float(ends.max()))))
