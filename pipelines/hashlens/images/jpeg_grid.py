"""Tell whether the pixels of a file come from a JPEG, by the steps of that JPEG's coefficients.

A JPEG holds the cosine transform of each block of 8x8 pixels in whole multiples of the steps of its
quantisation table. Pixels that were decoded from it still lie near these multiples, whichever
decoder was used, also if they were saved again with finer steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from hashlens.images.decode import loaded, opened, read
from hashlens.images.upright import upright

Floats = NDArray[np.float64]
Colours = NDArray[np.uint8]  # height x width x 3

BLOCKS = 4_096  # of a picture that are looked at, at most
MIN_STEP = 3  # smaller steps are hidden by the rounding of pixels
FINER = 2  # times: the steps of a JPEG saved again must be so much finer
MIN_COEFFICIENTS = 200  # that are not zero; fewer say nothing
# Mean distance from the nearest multiple, in steps: about 0.25 for other pixels.
MAX_DISTANCE = 0.17

_N = np.arange(8)
DCT: Floats = np.cos((2 * _N + 1) * _N[:, None] * math.pi / 16) / 2
DCT[0] /= math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps of a JPEG's brightness, 8x8, and its size in pixels, as it is in the file."""

    steps: Floats
    size: tuple[int, int]

    def usable(self, own: Grid | None) -> NDArray[np.bool_]:
        """Return which steps can be told in pixels of a picture with a grid of its own, or none."""
        found: NDArray[np.bool_] = self.steps >= MIN_STEP
        if own:
            found &= self.steps >= FINER * np.maximum(own.steps, own.steps.T)
        found[0, 0] = False  # the mean of a block has no bounds to tell
        return found

    def may_have_made(self, own: Grid | None) -> bool:
        """Return whether it can be told that a picture, by its own grid, was made from this one."""
        return bool(self.usable(own).any())


def grid_of(image: Image.Image) -> Grid | None:
    """Return the grid of an open JPEG; None for other formats."""
    tables: Any = getattr(image, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    return Grid(np.array(tables[0], np.float64).reshape(8, 8), image.size)


def read_grid(path: str) -> Grid | None:
    """Return the grid of a file; raises ImageError for one that cannot be read."""
    return grid_of(opened(read(path), path)[0])


class Brightness:
    """The brightness of a file's pixels, upright, and its own grid; raises ImageError.

    The pixels are decoded when they are asked for.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._image, _ = opened(read(path), path)
        self.grid = grid_of(self._image)
        self.has_palette = self._image.mode == "P"

    @cached_property
    def pixels(self) -> Colours:
        """Return the pixels in RGB; raises ImageError."""
        return np.asarray(upright(loaded(self._image, self._path)).convert("RGB"))

    def comes_from(self, grid: Grid) -> bool:
        """Return whether the pixels lie on the grid of a JPEG of the same size, or turned.

        Raises ImageError for pixels that cannot be decoded.
        """
        return any(self._is_on(grid, pixels) for pixels in self._turned(grid.size))

    def _turned(self, size: tuple[int, int]) -> Iterator[Colours]:
        """Yield the pixels in the orientations, of all eight, that differ for a grid of a size.

        A mirror changes signs in the transform of a block, which says nothing. It matters only if
        blocks then begin elsewhere, so on a side that is no multiple of 8.
        """
        for pixels in (self.pixels, self.pixels.swapaxes(0, 1)):
            if pixels.shape[1::-1] == size:
                for down in (1, -1) if size[1] % 8 else (1,):
                    for along in (1, -1) if size[0] % 8 else (1,):
                        yield pixels[::down, ::along]

    def _is_on(self, grid: Grid, pixels: Colours) -> bool:
        usable = grid.usable(self.grid)
        if not usable.any():
            return False
        found = coefficients(pixels)[:, usable] / grid.steps[usable]
        found = found[np.abs(found) > 0.6]
        if len(found) < MIN_COEFFICIENTS:
            return False
        return bool(np.abs(found - np.round(found)).mean() <= MAX_DISTANCE)


def coefficients(pixels: NDArray[Any]) -> Floats:
    """Return the cosine transforms of the brightness of some blocks, spread over a picture."""
    rows, columns = (side // 8 for side in pixels.shape[:2])
    if not rows or not columns:
        return np.empty((0, 8, 8))
    step = 8 * max(1, math.isqrt(rows * columns // BLOCKS))
    blocks = sliding_window_view(pixels, (8, 8), axis=(0, 1))[::step, ::step]
    red, green, blue = np.moveaxis(blocks.reshape(-1, 3, 8, 8).astype(np.float64), 1, 0)
    found: Floats = DCT @ (0.299 * red + 0.587 * green + 0.114 * blue) @ DCT.T
    return found
