"""How much a picture holds by its size, and the rule that the picture with the most is kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.rule import Facts, Rule, area_of, starts_of
from hashlens.neighbors.codes import Ints

SAME = 0.975  # of the most pixels: with no fewer, a picture counts as large as the largest
CUT = 0.06  # by which shapes differ at most if edges were cut; otherwise a picture was stretched
CAMERAS = (3 / 2, 4 / 3, 16 / 9)  # shapes: the longer side by the shorter
OFF = 0.01  # by which cameras are off these
CAMERA, OTHER, SQUARE = 2, 1, 0  # shapes, the least likely to come from stretching first


def sizes(images: Facts) -> Iterator[str]:
    """Return width and height of each image in words."""
    return map("{}x{}".format, images["width"].tolist(), images["height"].tolist())


def held(images: Facts) -> NDArray[np.float64]:
    """Return the pixels that each image holds.

    A picture that was stretched in one direction holds no more than it did before. So where shapes
    differ, that of a camera is taken for the true one, or that of the largest picture; of a picture
    of another shape counts the largest part that has the true shape.
    """
    area, (longer, shorter) = area_of(images), _sides(images)
    true = _truest(images)
    scale = np.minimum(longer / longer[true], shorter / shorter[true])
    is_stretched = _differ(longer / shorter, (longer / shorter)[true])
    found: NDArray[np.float64] = np.where(is_stretched, scale**2 * area[true], area)
    return found


def _sides(images: Facts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the longer and the shorter side of each image, turned or not."""
    width, height = (np.maximum(images[name].astype(float), 1) for name in ("width", "height"))
    return np.maximum(width, height), np.minimum(width, height)


def _differ(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    larger, smaller = np.maximum(first, second), np.minimum(first, second)
    found: NDArray[np.bool_] = larger > (1 + CUT) * smaller
    return found


def _kinds(images: Facts) -> Ints:
    """Return which kind of shape each image has."""
    longer, shorter = _sides(images)
    shape = longer / shorter
    is_camera = np.any([np.abs(shape / each - 1) <= OFF for each in CAMERAS], axis=0)
    is_square = shape <= 1 + OFF
    found: Ints = np.where(is_camera, CAMERA, np.where(is_square, SQUARE, OTHER))
    return found


def _truest(images: Facts) -> Ints:
    """Return for each image the place of that of its group whose shape is taken for the true one.

    Of several, it is the largest; of these, the longest.
    """
    starts = starts_of(images.groups)
    order = np.lexsort([_sides(images)[0], area_of(images), _kinds(images), images.groups])
    ends = np.append(starts[1:], len(order)) - 1
    found: Ints = np.repeat(order[ends], np.diff(starts, append=len(order)))
    return found


def _most(images: Facts) -> NDArray[np.float64]:
    """Return the pixels that each image holds; a gain of some pixels at the edges is none."""
    pixels = held(images)
    most = images.largest(pixels)
    found: NDArray[np.float64] = np.where(pixels >= SAME * most, most, pixels)
    return found


def _shapes(images: Facts) -> Ints:
    """Return which kind of shape each image has, or one kind for all of a group of like shapes."""
    longer, shorter = _sides(images)
    shape = longer / shorter
    is_stretched = images.largest(_differ(shape, shape[_truest(images)]))
    found: Ints = np.where(is_stretched, _kinds(images), CAMERA)
    return found


PIXELS = Rule(
    "pixels",
    "",
    parts=(
        Rule("size", "most pixels ({} over {})", _most, sizes),
        Rule("shape", "in the shape of a camera's picture ({} over {})", _shapes, sizes),
    ),
)
