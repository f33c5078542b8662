"""Find the pictures that a query is a part of, or that are a part of it, and where."""

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
from hashlens.crops.keypoints import KEYPOINTS, QUERY_KEYPOINTS, SIDE, Keypoints
from hashlens.crops.likeness import Likeness, compare
from hashlens.crops.lookup import Near, votes
from hashlens.crops.segments import Segment
from hashlens.crops.table import Table
from hashlens.model import Place

BATCH = 20  # candidates that are verified before it is asked whether any matched
# A match has so many inliers, and agrees in that share of its blocks at least. Where there are few
# inliers, almost all must agree: silhouettes of different things agree at their rim only. Many
# inliers that agree nowhere are two photographs of one tiger.
ACCEPTED = ((50, 0.05), (15, 0.2), (10, 0.35), (7, 0.6), (4, 0.8))

LEAST_SCORE = 0.01  # txtai drops what has none

Frame = NDArray[np.uint8]


class Query:
    """A picture that is looked for: a grey frame of it, and its size in pixels."""

    def __init__(self, frame: Frame, size: tuple[int, int]) -> None:
        self.frame = frame
        self.size = size

    @cached_property
    def keypoints(self) -> Keypoints:
        """Return its keypoints: those of the frame, and of one as large as those in an index.

        Of a large frame the strongest keypoints may all be finer than what an index has of the
        same picture, where it has texture all over.
        """
        found = extract.extract(self.frame, self.size, QUERY_KEYPOINTS)
        if max(self.frame.shape) <= SIDE:
            return found
        small = extract.frame(Image.fromarray(self.frame))
        coarse = extract.extract(small, self.size, KEYPOINTS)
        return found.plus(coarse)

    def mirrored(self) -> Query:
        """Return the picture as in a mirror."""
        return Query(np.ascontiguousarray(self.frame[:, ::-1]), self.size)


class Found(NamedTuple):
    """A match: the position of a picture in its table, its row, and the place of the query."""

    position: int
    row: int
    place: Place


def find(table: Table, query: Query, limit: int) -> list[Found]:
    """Find pictures that show what a query shows, in part or whole; at most `limit`.

    The best correlation comes first, then the lower position. Where nothing matches, the mirrored
    query is tried.
    """
    for mirrored in (False, True):
        seen = query.mirrored() if mirrored else query
        found = _matches(table, seen, limit, mirrored=mirrored)
        if found:
            found.sort(key=lambda item: (-item.place.correlation, item.position))
            return found[:limit]
    return []


def _matches(table: Table, query: Query, limit: int, *, mirrored: bool) -> list[Found]:
    """Verify candidates, in the order of their votes, as long as any of a batch match."""
    ranked = candidates(table, query.keypoints)
    points = Points.of(query.keypoints)
    found: list[Found] = []
    while batch := list(islice(ranked, BATCH)):
        before = len(found)
        for segment, number in batch:
            place = verify(query, points, segment.keypoints(number), mirrored=mirrored)
            if place:
                picture = segment.pictures[number]
                found.append(Found(int(picture["position"]), int(picture["row"]), place))
        if len(found) == before or len(found) >= limit:
            break
    return found


def candidates(table: Table, query: Keypoints) -> Iterator[tuple[Segment, int]]:
    """Yield the pictures that may match a query, those with most votes first."""
    near: list[Near] = []
    named, bases = [np.empty(0, np.int64)], [0]
    steps = [np.empty((2, 0), np.int64)]
    for segment in table.segments:
        found = segment.near(query.codes, query.doubtful)
        pictures = np.searchsorted(segment.starts, found.rows, side="right") - 1
        if len(table.gone):
            alive = ~np.isin(segment.pictures["position"][pictures], table.gone)
            found = Near(found.queries[alive], found.rows[alive], found.bits[alive])
            pictures = pictures[alive]
        near.append(found)
        named.append(pictures + bases[-1])
        steps.append(_steps(segment.places, found.rows) - _steps(query.places, found.queries))
        bases.append(bases[-1] + len(segment))
    if not near:
        return
    queries, rows, bits = (np.concatenate(values) for values in zip(*near, strict=True))
    scaling, turning = np.concatenate(steps, axis=1)
    pictures, counts = votes(Near(queries, rows, bits), np.concatenate(named), scaling, turning)
    for ranked in pictures[np.argsort(-counts, kind="stable")]:
        which = bisect_right(bases, ranked) - 1
        yield table.segments[which], int(ranked) - bases[which]


def _steps(places: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([places[name][rows] for name in ("scale", "angle")]).astype(np.int64)


def verify(query: Query, points: Points, candidate: Keypoints, *, mirrored: bool) -> Place | None:
    """Return where a query lies in a candidate; None where that is no match."""
    found = align(points, Points.of(candidate))
    if found is None:
        return None
    alike = compare(found, query.frame, _picture(candidate))
    if not any(
        found.inliers >= inliers and alike.agreement >= least for inliers, least in ACCEPTED
    ):
        return None
    return _place(found, query.size, candidate.size, alike, mirrored=mirrored)


def _picture(candidate: Keypoints) -> Frame:
    import cv2  # noqa: PLC0415  a tenth of a second that only a query needs

    data = np.frombuffer(candidate.thumbnail, np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def _place(
    found: Map, size: tuple[int, int], aim: tuple[int, int], alike: Likeness, *, mirrored: bool
) -> Place:
    """Express a map in pixels."""
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
    return place_of(
        matrix,
        size,
        aim,
        Evidence(found.inliers, max(alike.correlation, LEAST_SCORE), alike.agreement, mirrored),
    )


class Evidence(NamedTuple):
    """What speaks for a match; a `Place` has the same."""

    inliers: int
    correlation: float
    agreement: float
    mirrored: bool


def place_of(
    matrix: NDArray[np.float64], size: tuple[int, int], aim: tuple[int, int], seen: Evidence | Place
) -> Place:
    """Return where a map takes a picture of some size in another, of the size `aim`."""
    across, down = matrix @ np.array([[0, size[0], size[0], 0], [0, 0, size[1], size[1]], [1] * 4])
    left, right = _clipped(across, aim[0])
    top, bottom = _clipped(down, aim[1])
    return Place(
        box=(left, top, right, bottom),
        fractions=(left / aim[0], top / aim[1], right / aim[0], bottom / aim[1]),
        outline=tuple(zip(across.tolist(), down.tolist(), strict=True)),
        transform=(tuple(matrix[0].tolist()), tuple(matrix[1].tolist())),
        inliers=seen.inliers,
        correlation=seen.correlation,
        agreement=seen.agreement,
        mirrored=seen.mirrored,
    )


def _clipped(ends: NDArray[np.float64], most: int) -> tuple[int, int]:
    """Return the first and the last pixel edge, within a picture, a pixel apart at least."""
    first = min(max(0, round(float(ends.min()))), most - 1)
    return first, max(first + 1, min(most, round(float(ends.max()))))
