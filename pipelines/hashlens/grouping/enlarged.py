"""The step of the rule `original` by which an enlarged copy is not kept against its source."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashlens.errors import ImageError
from hashlens.grouping.rule import JPEG, SMALLER, Facts, Rule, area_of, starts_of
from hashlens.grouping.size import sizes
from hashlens.grouping.whole import is_sure
from hashlens.images.jpeg_source import JpegSource, upright_pixels
from hashlens.images.upright import TURNS
from hashlens.neighbors.codes import Ints
from hashlens.parallel.process import processors

if TYPE_CHECKING:
    from hashlens.grouping.turned import Turned

LEAST, MOST = 1.2, 20.0  # times the pixels of the source that an enlarged picture has
SAME_SHAPE = 0.02  # share by which the sides of two pictures may differ after scaling
ROWS_TO_COLUMNS = 5  # orientations from this one on exchange width and height
SOURCES = 8  # that are tried for a picture, the largest first
BATCH = 32  # groups of a task, at most: a task has a cost


def _is_not_enlarged(images: Facts) -> NDArray[np.bool_]:
    """Return which images were not enlarged from a JPEG of their group, as far as is known.

    Asked of are the largest images of groups in which EXIF does not tell which one is whole. If one
    was enlarged, the largest of the others are asked of.
    """
    found = np.ones(len(images.rows), bool)
    starts = starts_of(images.groups)
    areas = area_of(images)
    lowest, highest = np.minimum.reduceat(areas, starts), np.maximum.reduceat(areas, starts)
    asked = (lowest > 0) & (highest >= LEAST * lowest)
    if asked.any():
        asked &= ~is_sure(images)[starts]
    if not asked.any():
        return found
    is_jpeg = images.has_format(JPEG)
    paths, digests = images["path"], images["file_digest"].tolist()
    sides = np.stack([images["width"], images["height"]], axis=1).astype(float)
    ends = np.append(starts[1:], len(areas))

    def ask(group: Ints) -> None:
        looks = _Looks(paths, digests)
        sources = group[is_jpeg[group]]
        for place in _largest(group, areas, found):
            turns = _turns(images, sources, place)
            larger = np.where(turns[:, None] >= ROWS_TO_COLUMNS, sides[place, ::-1], sides[place])
            like = np.flatnonzero(_is_like(sides[sources], larger))
            like = like[np.argsort(-areas[sources[like]], kind="stable")][:SOURCES]
            pairs = zip(sources[like].tolist(), turns[like].tolist(), strict=True)
            found[place] = not any(looks.is_enlarged(place, *each) for each in pairs)

    def ask_each(bounds: list[tuple[int, int]]) -> None:
        for start, end in bounds:
            ask(np.arange(start, end))

    bounds = list(zip(starts[asked].tolist(), ends[asked].tolist(), strict=True))
    most = min(BATCH, 1 + len(bounds) // processors() // 4)
    batches = [bounds[first : first + most] for first in range(0, len(bounds), most)]
    done, total = 0, sum(end - start for start, end in bounds)
    with ThreadPoolExecutor(processors()) as pool:  # decoders work beside each other
        for batch, _ in zip(batches, pool.map(ask_each, batches), strict=True):
            done += sum(end - start for start, end in batch)
            images.tell(done, total, paths[batch[-1][1] - 1])
    return found


def _largest(group: Ints, areas: NDArray[np.float64], found: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the images to ask of that are no smaller copies of those that are still found."""
    for place in group[np.argsort(-areas[group], kind="stable")].tolist():
        largest = areas[group[found[group]]].max()
        if areas[place] < SMALLER * largest:
            return
        yield place


def _turns(images: Facts, sources: Ints, place: int) -> Ints:
    """Return the EXIF orientations that turn an image as sources are; 1 in groups without turns."""
    turned: Turned | None = images.columns.get("turned")
    if turned is None:
        return np.ones(len(sources), np.int64)
    rows = images.rows
    return turned.orientations(rows[sources], np.full(len(sources), rows[place]))


def _is_like(sides: NDArray[np.float64], larger: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pictures, by their sides, a larger one beside each may be enlarged from."""
    scales = larger / np.maximum(sides, 1)
    times = scales.prod(axis=1)
    same_shape = np.abs(scales[:, 0] / scales[:, 1] - 1) <= SAME_SHAPE
    found: NDArray[np.bool_] = same_shape & (times >= LEAST) & (times <= MOST)
    return found


@dataclass
class _Looks:
    """Looks at the files of a group, each of which is read once.

    Those that cannot be read are not enlarged.
    """

    paths: list[str]
    digests: list[bytes]
    sources: dict[int, JpegSource | None] = field(default_factory=dict)
    last: tuple[int, NDArray[np.uint8] | None] = (-1, None)

    def is_enlarged(self, place: int, source: int, turn: int) -> bool:
        """Return whether an image was enlarged from another; `turn` turns it as that is."""
        key = self.digests[place], self.digests[source], turn
        has_digests = all(key)
        known = _SEEN.get(key) if has_digests else None
        if known is not None:
            return known
        if source not in self.sources:
            try:
                self.sources[source] = JpegSource(self.paths[source])
            except ImageError:
                self.sources[source] = None
        if self.last[0] != place:
            try:
                self.last = place, upright_pixels(self.paths[place])
            except ImageError:
                self.last = place, None
        of, pixels = self.sources[source], self.last[1]
        if of is None or pixels is None:
            return False  # not remembered: an equal file may be readable
        if turn != 1:
            pixels = np.asarray(Image.fromarray(pixels).transpose(TURNS[turn]))
        found = of.is_enlarged_in(pixels)
        if has_digests:
            _remember(key, found)
        return found


MOST_SEEN = 100_000  # looks that are remembered: some 20 MB
Key = tuple[bytes, bytes, int]  # of two files, and the turn of the first
_SEEN: dict[Key, bool] = {}  # whether the first was enlarged: each pair is looked at once


def _remember(key: Key, found: bool) -> None:
    """Remember a look, and forget the oldest if they are too many; threads do so at a time."""
    _SEEN[key] = found
    while len(_SEEN) > MOST_SEEN:
        with suppress(StopIteration, RuntimeError):  # another thread was sooner
            _SEEN.pop(next(iter(_SEEN)), None)


ENLARGED = Rule(
    "enlarged",
    "not enlarged (as that of {1} was)",
    _is_not_enlarged,
    sizes,
    reads=True,
)
