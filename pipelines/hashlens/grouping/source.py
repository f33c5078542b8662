"""The rule that a JPEG is kept before pictures that were made from its pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ImageError
from hashlens.grouping.rule import JPEG, Facts, Rule, starts_of
from hashlens.neighbors.codes import Ints

SOURCES = 64  # that are held in memory: half a megabyte each
PALETTES = ("PNG", "GIF")  # formats of pictures that may have few colours


def _is_source(images: Facts) -> NDArray[np.bool_]:
    """Return which images were not made from a JPEG of their group, as far as is known."""
    found = np.ones(len(images.rows), bool)
    is_jpeg = images.has_format(JPEG)
    # JPEGs that were saved again are looked for among the pictures of cameras only: elsewhere,
    # all pictures would have to be decoded.
    asked = ~is_jpeg | images.known("camera")
    paths, may_be_reduced = images["path"], images.has_format(PALETTES)
    groups = list(_groups(images, is_jpeg, asked))
    done, total = 0, sum(map(len, groups))
    for group in groups:
        files = [paths[place] for place in group]
        made = _made_from_others(files, is_jpeg[group], asked[group], may_be_reduced[group])
        found[group[made]] = False
        done += len(group)
        images.tell(done, total, files[-1])
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
    paths: list[str],
    is_jpeg: NDArray[np.bool_],
    asked: NDArray[np.bool_],
    may_be_reduced: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return which files were made of a JPEG among the others; none that cannot be read.

    They have its pixels, or these with other tones or sharper, or are a photo in the colours of a
    palette: no JPEG of a photo was made from these.
    """
    from hashlens.images.jpeg_grid import Brightness, Grid, read_grid  # noqa: PLC0415  loads Pillow
    from hashlens.images.jpeg_source import JpegSource  # noqa: PLC0415
    from hashlens.images.palette import is_reduced_photo  # noqa: PLC0415

    made = np.zeros(len(paths), bool)
    source = lru_cache(SOURCES)(lambda place: JpegSource(paths[place]))
    grids: dict[int, Grid] = {}
    for place in np.flatnonzero(is_jpeg).tolist():
        try:
            grid = read_grid(paths[place])
        except ImageError:
            continue
        if grid:
            grids[place] = grid
    for place in np.flatnonzero(asked).tolist():
        own = grids.get(place)
        others = [other for other in grids if other != place]
        may = [other for other in others if grids[other].may_have_made(own)]
        if not may and not (others and may_be_reduced[place]):
            continue
        try:
            picture = Brightness(paths[place])
            # Without a palette in the file, few colours are looked for in what is decoded anyway.
            if may_be_reduced[place] and (may or picture.has_palette):
                made[place] = is_reduced_photo(picture.pixels)
            made[place] |= any(
                picture.comes_from(grids[other]) or source(other).is_edited_in(picture.pixels, own)
                for other in may
            )
        except ImageError:
            continue
    return made


SOURCE = Rule(
    "source",
    "not made from another JPEG (as the {1} was)",
    _is_source,
    lambda images: [name or "other" for name in images["format"]],
    reads=True,
)
