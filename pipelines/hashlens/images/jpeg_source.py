"""Tell whether a picture was made from a JPEG, by the steps of that JPEG's coefficients.

Pixels that were decoded from a JPEG lie near whole multiples of its steps (see `jpeg_grid`). If
they were enlarged, they still do when they are brought back to their size. If their tones were
changed or they were sharpened, they lie near multiples of other steps: each coefficient has a
factor of its own. A JPEG that is a smaller copy or an export was put on its steps afterwards: of
these, the other picture knows nothing. So this tells the one from the other whether they are soft
or sharp.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashlens.images.decode import loaded, opened, read
from hashlens.images.jpeg_grid import MIN_STEP, Grid, coefficients, grid_of
from hashlens.images.upright import TURNS, orientation_of, upright

FINEST = 6  # the sum of the two numbers of a coefficient, at most: finer ones do not last
MOST_MULTIPLE = 2  # of a step; of larger coefficients, a small change of size is many steps
NOISE = 1.2  # of a coefficient, from saving the other picture
LEAST_GAIN = 0.5  # share of a coefficient that must have lasted
MIN_COEFFICIENTS = 100  # that are not zero; fewer say nothing
# How far the coefficients are nearer to multiples than by chance, in standard deviations.
LEAST_SURE = 2.5
# The same as a share of what NOISE leaves of it. The steps of a picture's own JPEG make such a
# pattern, too, unless they are FINER times as fine. Of 300 photos, with qualities and edits by
# chance, no picture was taken for an edit of its own edited copy, of another save of the same
# pixels, or of another photo. Of true edits in PNG or in finer steps, 94 to 98 % were found. (A
# picture that was decoded from a JPEG which is gone may be taken for an edit of its own export, if
# that has nearly the steps of the first.)
LEAST_SHARE = 0.3
FINER = 3

_NUMBERS = np.add.outer(np.arange(8), np.arange(8))


class _Evidence(NamedTuple):
    """How much nearer to multiples coefficients are than by chance; 0 if it cannot be told.

    sure: in standard deviations
    share: of what is expected of pixels that were made from the JPEG
    """

    sure: float
    share: float


class JpegSource:
    """A JPEG from which another picture may have been made; raises ImageError."""

    def __init__(self, path: str) -> None:
        image, _ = opened(read(path), path)
        self._size = image.size
        orientation = orientation_of(image)
        self._turn_back = TURNS.get({6: 8, 8: 6}.get(orientation, orientation))
        grid = grid_of(image)
        self._steps = grid.steps if grid else np.zeros((8, 8))
        self._told = (self._steps >= MIN_STEP) & (_NUMBERS <= FINEST)
        self._told[0, 0] = False  # as in `jpeg_grid`
        self._multiples = np.empty((0, 8, 8), np.int16)
        if self._told.any():
            pixels = np.asarray(loaded(image, path).convert("RGB"))
            multiples = np.round(coefficients(pixels) / self._steps)
            self._multiples = multiples.astype(np.int16)

    def is_enlarged_in(self, pixels: NDArray[np.uint8]) -> bool:
        """Return whether a larger picture was made from this one, as far as is known.

        `pixels` are upright.
        """
        import cv2  # noqa: PLC0415  a tenth of a second

        if not len(self._multiples):
            return False
        back = cv2.resize(self._as_in_file(pixels), self._size, interpolation=cv2.INTER_CUBIC)
        return self._evidence(back, np.zeros((8, 8))).sure >= LEAST_SURE

    def is_edited_in(self, pixels: NDArray[np.uint8], own: Grid | None) -> bool:
        """Return whether a picture of this size is an edit of this one, as far as is known.

        `pixels` are upright. `own` is the grid of their file, if it is a JPEG.
        """
        found = self._as_in_file(pixels)
        if not len(self._multiples) or found.shape[1::-1] != self._size:
            return False
        finest = FINER * np.maximum(own.steps, own.steps.T) if own else np.zeros((8, 8))
        evidence = self._evidence(found, finest)
        return evidence.sure >= LEAST_SURE and evidence.share >= LEAST_SHARE

    def _as_in_file(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return upright pixels as they stand in this file."""
        if self._turn_back is None:
            return pixels
        return np.asarray(Image.fromarray(pixels).transpose(self._turn_back))

    def _evidence(self, pixels: NDArray[Any], finest: NDArray[np.float64]) -> _Evidence:
        """Return what pixels of this size say of steps that are not finer than `finest`."""
        own, told = self._multiples.astype(float), self._told
        found = coefficients(pixels) / np.where(told, self._steps, 1)
        # Enlarging makes fine coefficients smaller, and sharpening larger; contrast changes all:
        # how much is seen in those that are known.
        gain = (found * own).sum(axis=0) / np.maximum((own * own).sum(axis=0), 1)
        told = told & (gain >= LEAST_GAIN) & (self._steps * gain >= finest)
        found /= np.where(told, gain, 1)
        fits = np.cos(2 * math.pi * found)
        near = np.round(np.abs(found))
        ones, twos = ((told & (near == number)).sum(axis=0) for number in (1, 2))
        counted = told & (near >= 1) & (near <= MOST_MULTIPLE)
        counts = ones + twos
        if counts.sum() < MIN_COEFFICIENTS:
            return _Evidence(0.0, 0.0)
        # By chance, the mean of the cosine is below 0, since larger coefficients are fewer: by so
        # much if they fall off exponentially, by less in noise. Half of it is safe for both.
        fall = np.log((ones + 0.5) / (twos + 0.5))
        by_chance = -counts * fall**2 / (fall**2 + 4 * math.pi**2) / 2
        # The mean of what noise leaves of a fit is its weight; the variance of a cosine is 1/2.
        weights = np.exp(-2 * (math.pi * NOISE / np.where(told, self._steps, 1)) ** 2)
        total = float((weights * ((fits * counted).sum(axis=0) - by_chance)).sum())
        expected = float((weights**2 * counts).sum())
        return _Evidence(total / math.sqrt(expected / 2), total / expected)


def upright_pixels(path: str) -> NDArray[np.uint8]:
    """Return the pixels of a file, upright; raises ImageError."""
    image, _ = opened(read(path), path)
    return np.asarray(upright(loaded(image, path)).convert("RGB"))
