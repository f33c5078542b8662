"""The step of the rule `original` by which an enlarged copy is not kept against its source."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ImageError
from hashlens.grouping.rule import SMALLER, Facts, Rule, area_of, starts_of
from hashlens.grouping.source import JPEG
from hashlens.images.enlarged import Smaller, upright_pixels
from hashlens.neighbors.codes import Ints
from hashlens.parallel.process import processors

LEAST, MOST = 1.2, 20.0  # times the pixels of the source that an enlarged picture has
SAME_SHAPE = 0.02  # share by which the sides of two pictures may differ after scaling
SOURCES = 8  # that are tried for a picture, the largest first


def _is_not_enlarged(images: Facts) -> NDArray[np.bool_]:
    """Return which images were not enlarged from a JPEG of their group, as far as is known.

    Asked of are the largest images of groups without EXIF; elsewhere, the size that was taken tells
    which one is whole. If one was enlarged, the largest of the others are asked of.
    """
    found = np.ones(len(images.rows), bool)
    starts = starts_of(images.groups)
    areas = area_of(images)
    lowest, highest = np.minimum.reduceat(areas, starts), np.maximum.reduceat(areas, starts)
    asked = (lowest > 0) & (highest >= LEAST * lowest)
    if asked.any():
        with_exif = images.known("camera") | images.known("taken")
        asked &= ~np.logical_or.reduceat(with_exif, starts)
    if not asked.any():
        return found
    is_jpeg = np.fromiter((name in JPEG for name in images["format"]), bool, len(areas))
    paths, digests = images["path"], images["file_digest"].tolist()
    sides = np.stack([images["width"], images["height"]], axis=1).astype(float)
    ends = np.append(starts[1:], len(areas))

    def ask(start: int, end: int) -> None:
        group = np.arange(start, end)
        looks = _Looks(paths, digests)
        for place in _largest(group, areas, found):
            sources = group[is_jpeg[group]]
            sources = sources[_is_like(sides[sources], sides[place])]
            sources = sources[np.argsort(-areas[sources], kind="stable")][:SOURCES]
            found[place] = not any(looks.is_enlarged(place, each) for each in sources.tolist())

    with ThreadPoolExecutor(processors()) as pool:  # decoders work beside each other
        for _ in pool.map(ask, starts[asked].tolist(), ends[asked].tolist()):
            pass
    return found


def _largest(group: Ints, areas: NDArray[np.float64], found: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the images to ask of that are no smaller copies of those that are still found."""
    for place in group[np.argsort(-areas[group], kind="stable")].tolist():
        largest = areas[group[found[group]]].max()
        if areas[place] < SMALLER * largest:
            return
        yield place


def _is_like(sides: NDArray[np.float64], larger: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pictures, by their sides, a larger one may be an enlarged copy of."""
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
    smaller: dict[int, Smaller | None] = field(default_factory=dict)
    last: tuple[int, NDArray[np.uint8] | None] = (-1, None)

    def is_enlarged(self, place: int, source: int) -> bool:
        """Return whether an image was enlarged from another."""
        key = self.digests[place], self.digests[source]
        if all(key) and key in _SEEN:
            return _SEEN[key]
        if source not in self.smaller:
            try:
                self.smaller[source] = Smaller(self.paths[source])
            except ImageError:
                self.smaller[source] = None
        if self.last[0] != place:
            try:
                self.last = place, upright_pixels(self.paths[place])
            except ImageError:
                self.last = place, None
        of, pixels = self.smaller[source], self.last[1]
        if of is None or pixels is None:
            return False  # not remembered: an equal file may be readable
        found = of.is_enlarged_in(pixels)
        if all(key):
            _SEEN[key] = found
        return found


_SEEN: dict[tuple[bytes, bytes], bool] = {}  # by the digests of two files: looked at once

ENLARGED = Rule(
    "enlarged",
    "not enlarged (as that of {1} was)",
    _is_not_enlarged,
    lambda images: map("{}x{}".format, images["width"].tolist(), images["height"].tolist()),
    reads=True,
)
