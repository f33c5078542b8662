"""What an attack makes of a picture, and how the result maps to the original.

A coordinate is a position in the image plane: pixel (0, 0) covers 0 to 1 in x and in y.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashlens.evaluation.drawings import Random

Affine: TypeAlias = "NDArray[np.float64]"  # 2 x 3: from pixels of the query to the original's
Box: TypeAlias = "tuple[float, float, float, float]"  # left, top, right, bottom
Size: TypeAlias = "tuple[int, int]"  # width, height
Change: TypeAlias = "Callable[[Image.Image, Random], Image.Image | Changed]"


class Changed(NamedTuple):
    """A changed picture.

    image: the new picture
    transform: maps its pixels to pixels of the original
    box: the part of the original that it shows, pixels of the original
    """

    image: Image.Image
    transform: Affine
    box: Box


def affine(*numbers: float) -> Affine:
    """Return six numbers, row by row, as a 2 x 3 transform."""
    return np.array(numbers, np.float64).reshape(2, 3)


def scaled(size: Size, across: float, down: float | None = None) -> Size:
    """Return a size times a factor, or times one factor each for width and height; at least 1."""
    down = across if down is None else down
    return max(1, round(size[0] * across)), max(1, round(size[1] * down))


def whole(original: Image.Image, image: Image.Image) -> Changed:
    """Return the change to an image that shows the whole original at any size."""
    (width, height), (across, down) = original.size, image.size
    transform = affine(width / across, 0, 0, 0, height / down, 0)
    return Changed(image, transform, (0, 0, width, height))


def placed(original: Image.Image, image: Image.Image, box: tuple[int, int, int, int]) -> Changed:
    """Return the change to an image that shows the whole original within `box`."""
    left, top, right, bottom = box
    across, down = original.width / (right - left), original.height / (bottom - top)
    transform = affine(across, 0, -left * across, 0, down, -top * down)
    return Changed(image, transform, (0, 0, *original.size))
