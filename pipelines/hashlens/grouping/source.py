"""The rule that a JPEG is kept before pictures that were made from its pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ImageError
from hashlens.grouping.rule import Facts, Rule, starts_of
from hashlens.neighbors.codes import Ints

JPEG = ("JPEG", "MPO")


def _is_source(images: Facts) -> NDArray[np.bool_]:
    """Return which images were not made from a JPEG of their group, as far as is known."""
    found = np.ones(len(images.rows), bool)
    formats = images["format"]
    is_jpeg = np.fromiter((name in JPEG for name in formats), bool, len(formats))
    # JPEGs that were saved again are looked for among the pictures of cameras only: elsewhere,
    # all pictures would have to be decoded.
    asked = ~is_jpeg | images.known("camera")
    paths = images["path"]
    for group in _groups(images, is_jpeg, asked):
        made = _made_from_others([paths[place] for place in group], is_jpeg[group], asked[group])
        found[group[made]] = False
    return found


def _groups(images: Facts, is_jpeg: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Iterator[Ints]:
    """Yield the places of images of one group and one size of which one may be made from another.

    Of equal files, one is taken: they stay or go together.
    """
    starts = starts_of(images.groups)
    if not len(starts) or not asked.any() or not is_jpeg.any():
        return
    may = np.logical_or.reduceat(is_jpeg, starts) & np.logical_or.reduceat(asked, starts)
    sides = np.sort(np.stack([images["width"], images["height"]]), axis=0).T
    ends = np.append(starts[1:], len(images.rows))
    for start, end in zip(starts[may].tolist(), ends[may].tolist(), strict=True):
        of_size: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for place in range(start, end):
            of_size[tuple(sides[place].tolist())].append(place)
        for places in of_size.values():
            some = np.array(places)
            if len(some) > 1 and is_jpeg[some].any() and asked[some].any():
                yield some


def _made_from_others(
    paths: list[str], is_jpeg: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which files have pixels of a JPEG among the others; none that cannot be read."""
    from hashlens.images.jpeg_grid import Brightness, Grid, read_grid  # noqa: PLC0415  loads Pillow

    made = np.zeros(len(paths), bool)
    grids: dict[int, Grid] = {}
    for place in np.flatnonzero(is_jpeg).tolist():
        try:
            grid = read_grid(paths[place])
        except ImageError:
            continue
        if grid:
            grids[place] = grid
    for place in np.flatnonzero(asked).tolist():
        others = [grid for other, grid in grids.items() if other != place]
        own = grids.get(place)
        if not any(grid.may_have_made(own) for grid in others):
            continue
        try:
            pixels = Brightness(paths[place])
        except ImageError:
            continue
        made[place] = any(map(pixels.comes_from, others))
    return made


SOURCE = Rule(
    "source",
    "not made from another JPEG (as the {1} was)",
    _is_source,
    lambda images: [name or "other" for name in images["format"]],
    reads=True,
)
