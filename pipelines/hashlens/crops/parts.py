"""Find pictures of a collection that show a part of another: each is looked for in all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashlens.crops import extract
from hashlens.crops.find import CropQuery, find_matches, place_of
from hashlens.crops.keypoints import QUERY_SIDE, SIDE
from hashlens.crops.table import Table
from hashlens.errors import ImageError
from hashlens.images.decode import decode
from hashlens.model import Place, Progress
from hashlens.parallel.pool import schedule

MAX_MATCHES = 100  # pictures in which a picture is found
LEAST_COVERED = 0.8  # share of a part's area that lies in the whole


class Part(NamedTuple):
    """A picture that shows a part of another.

    part, whole: rows of the two pictures
    place: where the part lies in the whole
    """

    part: int
    whole: int
    place: Place


def find_parts(
    table: Table,
    paths: Mapping[int, str],
    *,
    upright: bool = True,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Part]:
    """Look for the picture of each row in all other pictures of a crop index.

    `paths` has the file of each row; a file that cannot be read is passed over. Of two pictures
    that overlap, the part is the picture that is covered more, by 80 % of its area at least. A
    picture takes a few hundredths of a second.
    """
    best: dict[tuple[int, int], Part] = {}
    for number, (path, found) in enumerate(_searches(table, paths, upright, workers), 1):
        for item in found:
            pair = min(item.part, item.whole), max(item.part, item.whole)
            if pair not in best or _rank(item) > _rank(best[pair]):
                best[pair] = item
        if progress:
            progress(Progress(number, len(paths), path))
    return [best[pair] for pair in sorted(best)]


def _searches(
    table: Table, paths: Mapping[int, str], upright: bool, workers: int | None
) -> Iterator[tuple[str, list[Part]]]:
    """Yield path and parts of each picture, found by threads: OpenCV and numpy release the lock."""

    def look(item: tuple[int, str]) -> tuple[str, list[Part]]:
        return item[1], _parts(table, *item, upright)

    with ThreadPoolExecutor(schedule(max(1, len(paths)), workers).workers) as pool:
        yield from pool.map(look, paths.items())


def _parts(table: Table, row: int, path: str, upright: bool) -> list[Part]:
    try:
        pixels = decode(path, draft=("L", SIDE), upright=upright)
    except ImageError:
        return []
    query = CropQuery(extract.frame(pixels.image, pixels.box, QUERY_SIDE), pixels.size)
    others = table.minus(table.positions([row]))
    related = (
        _related(row, query.size, match.row, match.place)
        for match in find_matches(others, query, MAX_MATCHES)
    )
    return [part for part in related if part]


def _related(row: int, size: tuple[int, int], other: int, place: Place) -> Part | None:
    """Return which of two pictures is a part of the other; None if they only overlap."""
    of_query, of_picture = shares(place)
    if max(of_query, of_picture) < LEAST_COVERED:
        return None
    if of_query >= of_picture:
        return Part(row, other, place)
    aim = _size_of(place)
    back: Any = cv2.invertAffineTransform(np.array(place.transform, np.float64))
    return Part(other, row, place_of(back, aim, size, place))


def shares(place: Place) -> tuple[float, float]:
    """Return the shares that two pictures have in common: of the one that lies there, and whole."""
    aim = _size_of(place)
    outline = np.array(place.outline, np.float32)
    corners = np.array([(0, 0), (aim[0], 0), aim, (0, aim[1])], np.float32)
    shared = float(cv2.intersectConvexConvex(_clockwise(outline), corners)[0])
    return shared / float(cv2.contourArea(outline)), shared / float(cv2.contourArea(corners))


def _size_of(place: Place) -> tuple[int, int]:
    """Return the size of the picture that a place is in."""
    across, down = place.box[2] / place.fractions[2], place.box[3] / place.fractions[3]
    return round(across), round(down)


def _clockwise(outline: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return corners in the order that OpenCV needs: a mirrored outline is reversed."""
    return np.ascontiguousarray(outline[::-1]) if _turns_back(outline) else outline


def _turns_back(outline: NDArray[np.float32]) -> bool:
    return bool(cv2.contourArea(outline, oriented=True) < 0)


def _rank(item: Part) -> tuple[float, int]:
    return item.place.correlation, item.place.inliers
