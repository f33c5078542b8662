"""The scale space of a frame, and the keypoints in it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import Frame

if TYPE_CHECKING:
    pass


# Places and scales, after Lowe.
GREY = 256  # units of a grey level: so that levels, with the middle grey as 0, fill 16 bits
MIDDLE = 128  # grey level
LEVELS = 3  # of scale in a doubling
SIGMA = 1.6  # pixels: of the blur of the first level
TAKEN_SIGMA = 0.5  # pixels: of the blur that a picture is taken to have already
KERNEL_SIGMAS = 3.0  # half the width of a kernel of that
LEAST_SIDE = 17  # pixels, of the levels of an octave
MARGIN = 4  # pixels at the border of a level in which there are no keypoints
LEAST_CONTRAST = 0.425  # grey levels, of the difference of two levels, refined
LEAST_SEEN = 0.3  # grey levels, likewise, before it is refined
MOST_CURVATURE = 15.0  # times as much one way as the other: above, it is an edge
MOST_OFFSET = 0.6  # pixels and levels, from an extremum among them to that between them
Floats = NDArray[np.float64]
Levels = NDArray[np.int16]
Rows = NDArray[np.int64]


class _Octave(NamedTuple):
    """A doubling of scale: differences of its levels, one below the other, and its place."""

    differences: Levels  # of LEVELS + 2
    shape: tuple[int, int]  # of one level
    row: int  # of the atlas, in which the first of its LEVELS levels of keypoints begins


class _Points(NamedTuple):
    """Extrema, in pixels of the levels of their octave."""

    x: Floats
    y: Floats
    sigma: Floats
    strength: Floats
    level: Rows  # from 0
    octave: Rows

    def take(self, rows: Rows) -> _Points:
        """Return some of them."""
        x, y, sigma, strength = self.x[rows], self.y[rows], self.sigma[rows], self.strength[rows]
        return _Points(x, y, sigma, strength, self.level[rows], self.octave[rows])


def _octaves(frame: Frame, doubled: bool) -> tuple[list[_Octave], Levels]:
    """Blur a frame more and more, and halve it with each doubling of the blur.

    Returns the octaves and the levels that have keypoints, below each other in one image.
    """
    import cv2  # noqa: PLC0415

    if doubled:
        height, width = frame.shape
        size = 2 * width, 2 * height
        frame = cast("Frame", cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR))
    shapes = [frame.shape]
    while min(shapes[-1]) >= 2 * LEAST_SIDE:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    if min(shapes[0]) < LEAST_SIDE:
        return [], np.empty((0, 0), np.int16)
    first = (LEVELS + 3) * shapes[0][0]
    atlas = np.empty((first + LEVELS * sum(h for h, _ in shapes[1:]), shapes[0][1]), np.int16)
    row = shapes[0][0]
    octaves: list[_Octave] = []
    start = frame.astype(np.int16)
    start -= MIDDLE
    start *= GREY
    start = _blurred(start, np.sqrt(SIGMA**2 - (TAKEN_SIGMA * (1 + doubled)) ** 2), None)
    for height, width in shapes:
        # Those of the first octave need not be copied, they are as wide as the atlas.
        levels = np.empty(((LEVELS + 3) * height, width), np.int16) if octaves else atlas[:first]
        levels[:height] = start
        for n in range(LEVELS + 2):
            above = levels[n * height : (n + 1) * height]
            below = levels[(n + 1) * height : (n + 2) * height]
            _blurred(above, SIGMA * 2 ** (n / LEVELS) * np.sqrt(2 ** (2 / LEVELS) - 1), below)
        if octaves:
            atlas[row : row + LEVELS * height, :width] = levels[height : (LEVELS + 1) * height]
        differences = cast("Levels", cv2.subtract(levels[height:], levels[:-height]))
        octaves.append(_Octave(differences, (height, width), row))
        row = row + LEVELS * height if row >= first else first
        start = levels[LEVELS * height : (LEVELS + 1) * height : 2, ::2]
    return octaves, atlas


def _blurred(level: Levels, sigma: float, target: Levels | None) -> Levels:
    """Blur a level, into a target if there is one."""
    import cv2  # noqa: PLC0415

    kernel = _kernel(float(sigma))
    blurred = cv2.sepFilter2D(level, cv2.CV_16S, kernel, kernel, dst=target)
    return cast("Levels", blurred)


@lru_cache(64)
def _kernel(sigma: float) -> NDArray[np.float32]:
    half = int(np.ceil(KERNEL_SIGMAS * sigma))
    steps = np.arange(-half, half + 1)
    kernel = np.exp(-(steps**2) / (2 * sigma**2))
    scaled: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return scaled


def _points(octaves: list[_Octave]) -> _Points:
    """Find the extrema of all octaves."""
    found = [_refined(octave, number, _extrema(octave)) for number, octave in enumerate(octaves)]
    if not found:
        none = np.empty(0)
        return _Points(none, none, none, none, np.empty(0, np.int64), np.empty(0, np.int64))
    return _Points(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _extrema(octave: _Octave) -> Rows:
    """Find what is not exceeded by its 26 neighbours, by its place among the differences."""
    import cv2  # noqa: PLC0415

    height, width = octave.shape
    differences = octave.differences
    middle = slice(height, (LEVELS + 1) * height)
    square = np.ones((3, 3), np.uint8)
    # Of three levels first, which is less to do than to look around in each. Where this mixes one
    # with the next, at the border, there are no keypoints.
    highest = cv2.max(differences[: -2 * height], differences[2 * height :])
    cv2.max(highest, differences[middle], dst=highest)
    highest = cv2.dilate(highest, square)
    np.maximum(highest, np.int16(LEAST_SEEN * GREY), out=highest)
    lowest = cv2.min(differences[: -2 * height], differences[2 * height :])
    cv2.min(lowest, differences[middle], dst=lowest)
    lowest = cv2.erode(lowest, square)
    np.minimum(lowest, np.int16(-LEAST_SEEN * GREY), out=lowest)
    here = differences[middle]
    found = ((here >= highest) | (here <= lowest)).reshape(LEVELS, height, width)
    margin = min(MARGIN, (min(height, width) - 1) // 2)
    found[:, :margin] = found[:, -margin:] = False
    found[:, :, :margin] = found[:, :, -margin:] = False
    return np.flatnonzero(found) + height * width


def _refined(octave: _Octave, number: int, at: Rows) -> _Points:
    """Find extrema between pixels and levels, and leave out those that are faint or on edges."""
    height, width = octave.shape
    flat = octave.differences.ravel()

    def near(level: int, down: int, across: int) -> Floats:
        return flat[at + ((level * height + down) * width + across)].astype(np.float64)

    value = near(0, 0, 0)
    right, left, below, above = near(0, 0, 1), near(0, 0, -1), near(0, 1, 0), near(0, -1, 0)
    coarser, finer = near(1, 0, 0), near(-1, 0, 0)
    dx, dy, ds = (right - left) / 2, (below - above) / 2, (coarser - finer) / 2
    xx, yy, ss = right + left - 2 * value, below + above - 2 * value, coarser + finer - 2 * value
    xy = (near(0, 1, 1) - near(0, 1, -1) - near(0, -1, 1) + near(0, -1, -1)) / 4
    xs = (near(1, 0, 1) - near(1, 0, -1) - near(-1, 0, 1) + near(-1, 0, -1)) / 4
    ys = (near(1, 1, 0) - near(1, -1, 0) - near(-1, 1, 0) + near(-1, -1, 0)) / 4
    # The gradient is solved for by the cofactors of the symmetric matrix of second derivatives.
    a, b, c = yy * ss - ys * ys, xs * ys - xy * ss, xy * ys - xs * yy
    d, e, flatness = xx * ss - xs * xs, xy * xs - xx * ys, xx * yy - xy * xy
    whole = xx * a + xy * b + xs * c
    factor = np.divide(-1.0, whole, out=np.zeros_like(whole), where=whole != 0)
    x = np.clip(factor * (a * dx + b * dy + c * ds), -MOST_OFFSET, MOST_OFFSET)
    y = np.clip(factor * (b * dx + d * dy + e * ds), -MOST_OFFSET, MOST_OFFSET)
    s = np.clip(factor * (c * dx + e * dy + flatness * ds), -MOST_OFFSET, MOST_OFFSET)
    strength = np.abs(value + (dx * x + dy * y + ds * s) / 2) / GREY
    bent = (xx + yy) ** 2 * MOST_CURVATURE < (MOST_CURVATURE + 1) ** 2 * flatness
    kept = np.flatnonzero(bent & (strength >= LEAST_CONTRAST))
    level, place = np.divmod(at[kept], height * width)
    row, column = np.divmod(place, width)
    return _Points(
        column + x[kept],
        row + y[kept],
        SIGMA * 2.0 ** ((level + s[kept]) / LEVELS),
        strength[kept],
        level - 1,
        np.full(len(kept), number),
    )
