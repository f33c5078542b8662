"""Tell whether a picture was enlarged from a JPEG, by the steps of that JPEG's coefficients.

Pixels that were decoded from a JPEG lie near whole multiples of its steps (see `jpeg_grid`). If
they were enlarged, they still do when they are brought back to their size. A JPEG that is a smaller
copy was put on its steps afterwards: of these, the larger picture knows nothing. So this tells the
one from the other whether they are soft or sharp.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.images.decode import loaded, opened, read
from hashlens.images.jpeg_grid import MIN_STEP, coefficients, grid_of
from hashlens.images.upright import upright

FINEST = 6  # the sum of the two numbers of a coefficient, at most: finer ones do not last
MOST_MULTIPLE = 2  # of a step; of larger coefficients, a small change of size is many steps
NOISE = 1.2  # of a coefficient, from saving the larger picture
LEAST_GAIN = 0.5  # share of a coefficient that must have lasted
MIN_COEFFICIENTS = 100  # that are not zero; fewer say nothing
# How far the coefficients are nearer to multiples than by chance, in standard deviations.
LEAST_SURE = 2.5

_NUMBERS = np.add.outer(np.arange(8), np.arange(8))


class Smaller:
    """A JPEG from which a larger picture may have been made; raises ImageError."""

    def __init__(self, path: str) -> None:
        image, _ = opened(read(path), path)
        self.size = image.size
        grid = grid_of(image)
        self.steps = grid.steps if grid else np.zeros((8, 8))
        self._told = (self.steps >= MIN_STEP) & (_NUMBERS <= FINEST)
        self._told[0, 0] = False  # as in `jpeg_grid`
        self._multiples = np.empty((0, 8, 8))
        if self._told.any():
            pixels = np.asarray(loaded(image, path).convert("RGB"))
            self._multiples = np.round(coefficients(pixels) / self.steps)

    def is_enlarged_in(self, pixels: NDArray[Any]) -> bool:
        """Return whether a larger picture was made from this one, as far as is known."""
        return self.surplus(pixels) >= LEAST_SURE

    def surplus(self, pixels: NDArray[Any]) -> float:
        """Return how much nearer to multiples a larger picture is than by chance.

        In standard deviations; 0 if it cannot be told.
        """
        import cv2  # noqa: PLC0415  a tenth of a second

        if not len(self._multiples):
            return 0.0
        own = self._multiples
        back = cv2.resize(pixels, self.size, interpolation=cv2.INTER_CUBIC)
        found = coefficients(back) / np.where(self._told, self.steps, 1)
        # Enlarging makes fine coefficients smaller: how much is seen in those that are known.
        gain = (found * own).sum(axis=0) / np.maximum((own * own).sum(axis=0), 1)
        told = self._told & (gain >= LEAST_GAIN)
        found /= np.where(told, gain, 1)
        fits = np.cos(2 * math.pi * found)
        near = np.round(np.abs(found))
        ones, twos = ((told & (near == number)).sum(axis=0) for number in (1, 2))
        counted = told & (near >= 1) & (near <= MOST_MULTIPLE)
        counts = ones + twos
        if counts.sum() < MIN_COEFFICIENTS:
            return 0.0
        # By chance, the mean of the cosine is below 0, since larger coefficients are fewer: by so
        # much if they fall off exponentially, by less in noise. Half of it is safe for both.
        fall = np.log((ones + 0.5) / (twos + 0.5))
        by_chance = -counts * fall**2 / (fall**2 + 4 * math.pi**2) / 2
        # The mean of what noise leaves of a fit is its weight; the variance of a cosine is 1/2.
        weights = np.exp(-2 * (math.pi * NOISE / np.where(told, self.steps, 1)) ** 2)
        total = float((weights * ((fits * counted).sum(axis=0) - by_chance)).sum())
        return total / math.sqrt(float((weights**2 * counts).sum()) / 2)


def upright_pixels(path: str) -> NDArray[np.uint8]:
    """Return the pixels of a file, upright; raises ImageError."""
    image, _ = opened(read(path), path)
    return np.asarray(upright(loaded(image, path)).convert("RGB"))
