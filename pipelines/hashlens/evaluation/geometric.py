"""Geometric changes: the whole picture, mirrored or rotated."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin

from PIL import Image

from hashlens.evaluation.changes import Change, Changed, affine
from hashlens.evaluation.drawings import Random


def flip_h(image: Image.Image, _: Random) -> Changed:
    """Mirror left and right."""
    return _transposed(image, Image.Transpose.FLIP_LEFT_RIGHT, (-1, 0, image.width, 0, 1, 0))


def flip_v(image: Image.Image, _: Random) -> Changed:
    """Mirror top and bottom."""
    return _transposed(image, Image.Transpose.FLIP_TOP_BOTTOM, (1, 0, 0, 0, -1, image.height))


def rotate_90(image: Image.Image, _: Random) -> Changed:
    """Rotate by 90 degrees, counterclockwise."""
    return _transposed(image, Image.Transpose.ROTATE_90, (0, -1, image.width, 1, 0, 0))


def rotate_180(image: Image.Image, _: Random) -> Changed:
    """Rotate by 180 degrees."""
    numbers = (-1, 0, image.width, 0, -1, image.height)
    return _transposed(image, Image.Transpose.ROTATE_180, numbers)


def rotate_270(image: Image.Image, _: Random) -> Changed:
    """Rotate by 270 degrees, counterclockwise."""
    return _transposed(image, Image.Transpose.ROTATE_270, (0, 1, 0, -1, 0, image.height))


def rotate(degrees: float) -> Change:
    """Rotate to a random side within the frame: corners are cut off, and black corners appear.

    Most editors do so. A frame that grows with the picture is much harder for whole-image hashes.
    """

    def change(image: Image.Image, random: Random) -> Changed:
        angle = radians(degrees * random.choice((-1, 1)))
        c, s = cos(angle), sin(angle)
        x, y = image.width / 2, image.height / 2  # the centre, which does not move
        transform = affine(c, -s, x - c * x + s * y, s, c, y - s * x - c * y)
        numbers = transform.ravel().tolist()
        rotated = image.transform(
            image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BICUBIC
        )
        return Changed(rotated, transform, (0, 0, *image.size))

    return change


def _transposed(image: Image.Image, how: Image.Transpose, numbers: Sequence[float]) -> Changed:
    return Changed(image.transpose(how), affine(*numbers), (0, 0, *image.size))
