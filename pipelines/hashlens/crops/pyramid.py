"""The scale space of a frame: levels of growing blur, and the differences between them.

After D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004, section 3. With
I for the frame and G for a Gaussian, a level is `L(sigma) = G(sigma) * I`, and a difference of
Gaussians is `D(sigma) = L(k sigma) - L(sigma)` (equation 1), with `k = 2 ** (1 / s)`. An octave
doubles sigma in s steps; the next octave has half the pixels. All levels are whole numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import Frame

UNITS = 256  # of a grey level: with MID_GREY as 0, levels fill 16 bits
MID_GREY = 128  # grey level
SCALES = 3  # s: levels with keypoints in an octave
SIGMA = 1.6  # pixels: blur of the first level of each octave
SIGMA_IN = 0.5  # pixels: blur that a picture is assumed to have
KERNEL_RADIUS = 3.0  # sigmas
MIN_SIDE = 17  # pixels: a smaller level has no octave

LEVELS = SCALES + 3  # of an octave: its SCALES + 2 differences have one level more
Levels = NDArray[np.int16]


class Octave(NamedTuple):
    """The differences of Gaussians in one doubling of sigma.

    differences: the SCALES + 2 levels of D, one below the other
    shape: height and width of one level, in pixels
    row: the row of the atlas in which the first level with keypoints begins
    """

    differences: Levels
    shape: tuple[int, int]
    row: int


class ScaleSpace(NamedTuple):
    """The octaves of a frame, finest first.

    atlas: L, one image with all levels that have keypoints, one below the other
    """

    octaves: list[Octave]
    atlas: Levels


def scale_space(frame: Frame, *, doubled: bool) -> ScaleSpace:
    """Build the scale space of a frame, or of the frame at twice its size.

    A frame smaller than MIN_SIDE has no octaves.
    """
    import cv2  # noqa: PLC0415

    if doubled:
        frame = _doubled(frame)
    shapes = _octave_shapes(frame.shape)
    if not shapes:
        return ScaleSpace([], np.empty((0, 0), np.int16))
    height, width = shapes[0]
    second = LEVELS * height  # the row in which the second octave begins
    atlas = np.empty((second + SCALES * sum(h for h, _ in shapes[1:]), width), np.int16)
    row = height
    octaves: list[Octave] = []
    first = _first_level(frame, doubled)
    for height, width in shapes:
        # The levels of the first octave are as wide as the atlas: they are made there.
        levels = np.empty((LEVELS * height, width), np.int16) if octaves else atlas[:second]
        _fill_octave(levels, first)
        if octaves:
            atlas[row : row + SCALES * height, :width] = levels[height : (SCALES + 1) * height]
        differences = cast("Levels", cv2.subtract(levels[height:], levels[:-height]))
        octaves.append(Octave(differences, (height, width), row))
        row = row + SCALES * height if row >= second else second
        first = levels[SCALES * height : (SCALES + 1) * height : 2, ::2]
    return ScaleSpace(octaves, atlas)


def _doubled(frame: Frame) -> Frame:
    import cv2  # noqa: PLC0415

    height, width = frame.shape
    size = 2 * width, 2 * height
    return cast("Frame", cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR))


def _octave_shapes(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return height and width of the levels of each octave; none for a frame that is too small."""
    height, width = shape
    if min(height, width) < MIN_SIDE:
        return []
    shapes = [(height, width)]
    while min(height, width) >= 2 * MIN_SIDE:
        height, width = -(-height // 2), -(-width // 2)
        shapes.append((height, width))
    return shapes


def _first_level(frame: Frame, doubled: bool) -> Levels:
    """Blur a frame from the sigma that it is assumed to have to SIGMA."""
    level = frame.astype(np.int16)
    level -= MID_GREY
    level *= UNITS
    return _blurred(level, np.sqrt(SIGMA**2 - (SIGMA_IN * (1 + doubled)) ** 2))


def _fill_octave(levels: Levels, first: Levels) -> None:
    """Write the levels of an octave: the first, then each blurred from the one above it."""
    height = len(levels) // LEVELS
    levels[:height] = first
    for n in range(LEVELS - 1):
        finer = levels[n * height : (n + 1) * height]
        coarser = levels[(n + 1) * height : (n + 2) * height]
        _blurred(finer, _added_sigma(n), coarser)


def _added_sigma(level: int) -> float:
    """Return the blur that leads from a level, of `SIGMA k ** level`, to the next.

    Variances add up: `(k sigma) ** 2 - sigma ** 2 = sigma ** 2 (k ** 2 - 1)`.
    """
    return float(SIGMA * 2 ** (level / SCALES) * np.sqrt(2 ** (2 / SCALES) - 1))


def _blurred(level: Levels, sigma: float, target: Levels | None = None) -> Levels:
    """Blur a level, into a target if one is given."""
    import cv2  # noqa: PLC0415

    kernel = _gaussian(float(sigma))
    blurred = cv2.sepFilter2D(level, cv2.CV_16S, kernel, kernel, dst=target)
    return cast("Levels", blurred)


@lru_cache(64)
def _gaussian(sigma: float) -> NDArray[np.float32]:
    """Return G(sigma) in one dimension, cut off at KERNEL_RADIUS."""
    radius = int(np.ceil(KERNEL_RADIUS * sigma))
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-(steps**2) / (2 * sigma**2))
    scaled: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return scaled
