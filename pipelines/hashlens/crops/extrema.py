"""The extrema of a scale space: the peaks and pits of its differences of Gaussians D.

After D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004, sections 3.1
(detection) and 4 (localization); the offset comes from M. Brown and D. G. Lowe, "Invariant features
from interest point groups", 2002. Unlike there, an extremum is not moved to the next pixel if its
offset is large: the offset is clipped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.pyramid import SCALES, SIGMA, UNITS, Octave

BORDER = 4  # pixels at the border of a level, which have no keypoints
CANDIDATE_CONTRAST_THRESHOLD = 0.3  # grey levels: |D| at the pixel
CONTRAST_THRESHOLD = 0.425  # grey levels: |D| at the offset
EDGE_RATIO = 15.0  # r: ratio of the principal curvatures from which on it is an edge
MAX_OFFSET = 0.6  # pixels, and levels

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Extrema(NamedTuple):
    """Extrema of all octaves, a row each.

    x, y: place, in pixels of a level of the octave
    sigma: scale, likewise
    strength: |D|, in grey levels
    level: number of the level in its octave, from 0
    octave: number of the octave, from 0
    """

    x: Floats
    y: Floats
    sigma: Floats
    strength: Floats
    level: Rows
    octave: Rows

    def take(self, rows: Rows) -> Extrema:
        """Return the extrema of some rows."""
        x, y, sigma, strength = self.x[rows], self.y[rows], self.sigma[rows], self.strength[rows]
        return Extrema(x, y, sigma, strength, self.level[rows], self.octave[rows])


class Vector(NamedTuple):
    """For each candidate, a vector over x, y (pixels) and s (levels)."""

    x: Floats
    y: Floats
    s: Floats


class Matrix(NamedTuple):
    """For each candidate, a symmetric 3 x 3 matrix over x, y and s."""

    xx: Floats
    yy: Floats
    ss: Floats
    xy: Floats
    xs: Floats
    ys: Floats


def find_extrema(octaves: list[Octave]) -> Extrema:
    """Find the extrema of all octaves that are neither faint nor on an edge."""
    found = [
        _localized(octave, number, _candidates(octave)) for number, octave in enumerate(octaves)
    ]
    if not found:
        none = np.empty(0)
        return Extrema(none, none, none, none, np.empty(0, np.int64), np.empty(0, np.int64))
    return Extrema(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _candidates(octave: Octave) -> Rows:
    """Find the pixels that none of their 26 neighbours exceeds (Lowe 2004, section 3.1).

    Returns their positions in the flat differences.
    """
    import cv2  # noqa: PLC0415

    height, width = octave.shape
    finer, here, coarser = (
        octave.differences[n * height : (n + SCALES) * height] for n in range(3)
    )
    square = np.ones((3, 3), np.uint8)
    threshold = CANDIDATE_CONTRAST_THRESHOLD * UNITS
    # The largest of three levels comes first, then of the square around: this is faster than to
    # search each level. At its border a level is mixed with the next, but has no keypoints.
    highest = cv2.max(finer, coarser)
    cv2.max(highest, here, dst=highest)
    highest = cv2.dilate(highest, square)
    np.maximum(highest, np.int16(threshold), out=highest)
    lowest = cv2.min(finer, coarser)
    cv2.min(lowest, here, dst=lowest)
    lowest = cv2.erode(lowest, square)
    np.minimum(lowest, np.int16(-threshold), out=lowest)
    found = ((here >= highest) | (here <= lowest)).reshape(SCALES, height, width)
    border = min(BORDER, (min(height, width) - 1) // 2)
    found[:, :border] = found[:, -border:] = False
    found[:, :, :border] = found[:, :, -border:] = False
    return np.flatnonzero(found) + height * width


def _localized(octave: Octave, number: int, candidates: Rows) -> Extrema:
    """Place candidates between pixels and levels; leave out those that are faint or on an edge."""
    height, width = octave.shape
    cube = _cubes(octave, candidates)
    gradient, hessian = _gradient(cube), _hessian(cube)
    offset = _offset(gradient, hessian)
    strength = _contrast(cube, gradient, offset)
    kept = np.flatnonzero(_passes_edge_test(hessian) & (strength >= CONTRAST_THRESHOLD))
    level, place = np.divmod(candidates[kept], height * width)
    row, column = np.divmod(place, width)
    return Extrema(
        column + offset.x[kept],
        row + offset.y[kept],
        SIGMA * 2.0 ** ((level + offset.s[kept]) / SCALES),
        strength[kept],
        level - 1,
        np.full(len(kept), number),
    )


def _cubes(octave: Octave, candidates: Rows) -> Floats:
    """Return D at each candidate and at its 26 neighbours: shape (3, 3, 3, n), by s, y and x."""
    height, width = octave.shape
    step = np.arange(-1, 2)
    steps = (step[:, None, None] * height + step[:, None]) * width + step
    return octave.differences.ravel().take(candidates + steps[..., None]).astype(np.float64)


def _gradient(cube: Floats) -> Vector:
    """Return the first derivatives of D at the middle of each cube, by central differences."""
    return Vector(
        x=(cube[1, 1, 2] - cube[1, 1, 0]) / 2,
        y=(cube[1, 2, 1] - cube[1, 0, 1]) / 2,
        s=(cube[2, 1, 1] - cube[0, 1, 1]) / 2,
    )


def _hessian(cube: Floats) -> Matrix:
    """Return the second derivatives of D at the middle of each cube, by differences."""
    twice = 2 * cube[1, 1, 1]
    return Matrix(
        xx=cube[1, 1, 2] + cube[1, 1, 0] - twice,
        yy=cube[1, 2, 1] + cube[1, 0, 1] - twice,
        ss=cube[2, 1, 1] + cube[0, 1, 1] - twice,
        xy=(cube[1, 2, 2] - cube[1, 2, 0] - cube[1, 0, 2] + cube[1, 0, 0]) / 4,
        xs=(cube[2, 1, 2] - cube[2, 1, 0] - cube[0, 1, 2] + cube[0, 1, 0]) / 4,
        ys=(cube[2, 2, 1] - cube[2, 0, 1] - cube[0, 2, 1] + cube[0, 0, 1]) / 4,
    )


def _offset(g: Vector, h: Matrix) -> Vector:
    """Return the offsets of the extrema: `-H^-1 g` (Lowe 2004, equation 3), in pixels and levels.

    An offset is clipped to MAX_OFFSET; it is 0 if H is singular.
    """
    c = _cofactors(h)
    determinant = h.xx * c.xx + h.xy * c.xy + h.xs * c.xs
    factor = np.divide(-1.0, determinant, out=np.zeros_like(determinant), where=determinant != 0)
    return Vector(
        x=np.clip(factor * (c.xx * g.x + c.xy * g.y + c.xs * g.s), -MAX_OFFSET, MAX_OFFSET),
        y=np.clip(factor * (c.xy * g.x + c.yy * g.y + c.ys * g.s), -MAX_OFFSET, MAX_OFFSET),
        s=np.clip(factor * (c.xs * g.x + c.ys * g.y + c.ss * g.s), -MAX_OFFSET, MAX_OFFSET),
    )


def _cofactors(h: Matrix) -> Matrix:
    """Return the cofactors of H: divided by the determinant of H, they are its inverse."""
    return Matrix(
        xx=h.yy * h.ss - h.ys * h.ys,
        yy=h.xx * h.ss - h.xs * h.xs,
        ss=h.xx * h.yy - h.xy * h.xy,
        xy=h.xs * h.ys - h.xy * h.ss,
        xs=h.xy * h.ys - h.xs * h.yy,
        ys=h.xy * h.xs - h.xx * h.ys,
    )


def _contrast(cube: Floats, g: Vector, offset: Vector) -> Floats:
    """Return |D| at the offset, in grey levels: `D + g^T offset / 2` (Lowe 2004, section 4)."""
    correction = (g.x * offset.x + g.y * offset.y + g.s * offset.s) / 2
    strength: Floats = np.abs(cube[1, 1, 1] + correction) / UNITS
    return strength


def _passes_edge_test(h: Matrix) -> Mask:
    """Return which candidates are not on an edge: `Tr^2 / Det < (r + 1)^2 / r` (Lowe 2004, 4.1).

    Tr and Det are trace and determinant of the 2 x 2 Hessian in x and y, and r is EDGE_RATIO.
    """
    trace, determinant = h.xx + h.yy, h.xx * h.yy - h.xy * h.xy
    bent: Mask = trace**2 * EDGE_RATIO < (EDGE_RATIO + 1) ** 2 * determinant
    return bent
