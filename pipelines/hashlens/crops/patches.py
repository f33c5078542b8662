"""From keypoints to their codes: orientation, patch, signs of its lowest frequencies."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import Codes
from hashlens.crops.pyramid import Floats, Levels, _Octave, _Points

if TYPE_CHECKING:
    pass


# Angles and codes, from patches in units of the keypoint's sigma.
SAMPLES = 12  # across and down
WIDTH = 12.0  # of the patch that is hashed
ANGLE_SAMPLES = 10  # across and down the patch whose gradients tell the angle
ANGLE_WIDTH = 7.0  # of that patch
ANGLE_SIGMA = 1.5  # of their weights
DIRECTIONS = 36  # bins of the angle
BITS = 64
BANDS = 4  # of 16 bits, each of which has one doubtful bit
BASIS = 32  # units of the cosines
SAMPLE_UNITS = 16  # of the levels in one of a sample, so that sums are whole in 24 bits
_Grid = tuple[NDArray[np.float32], NDArray[np.float32]]


def _patches(
    atlas: Levels, octaves: list[_Octave], points: _Points, angles: Floats, grid: _Grid
) -> Levels:
    """Sample the square of a grid around each point, turned by an angle.

    Returns a row for each point.
    """
    import cv2  # noqa: PLC0415

    heights = np.array([octave.shape[0] for octave in octaves])[points.octave]
    widths = np.array([octave.shape[1] for octave in octaves])[points.octave]
    rows = np.array([octave.row for octave in octaves])[points.octave] + points.level * heights
    across, down = grid
    cosine = (np.cos(angles) * points.sigma).astype(np.float32)[:, None]
    sine = (np.sin(angles) * points.sigma).astype(np.float32)[:, None]
    x = cosine * across
    x -= sine * down
    x += points.x.astype(np.float32)[:, None]
    y = sine * across
    y += cosine * down
    y += points.y.astype(np.float32)[:, None]
    # Beyond its border a level is as it is there; in the atlas other levels begin.
    np.clip(x, 0, (widths - 1).astype(np.float32)[:, None], out=x)
    np.clip(y, 0, (heights - 1).astype(np.float32)[:, None], out=y)
    y += rows.astype(np.float32)[:, None]
    return cast("Levels", cv2.remap(atlas, x, y, cv2.INTER_LINEAR))


@lru_cache(4)
def _grid(samples: int, width: float) -> _Grid:
    """Return the places of so many samples across and down a square, in sigmas."""
    steps = (((np.arange(samples) + 0.5) / samples - 0.5) * width).astype(np.float32)
    return np.tile(steps, samples), np.repeat(steps, samples)


def _angles(atlas: Levels, octaves: list[_Octave], points: _Points) -> Floats:
    """Find the direction of most gradients around each point, in radians."""
    import cv2  # noqa: PLC0415

    count = len(points.x)
    grid = _grid(ANGLE_SAMPLES, ANGLE_WIDTH)
    patches = _patches(atlas, octaves, points, np.zeros(count), grid)
    square = patches.reshape(count, ANGLE_SAMPLES, ANGLE_SAMPLES).astype(np.float32)
    inner = slice(1, -1)
    across = (square[:, inner, 2:] - square[:, inner, :-2]).reshape(count, -1)
    down = (square[:, 2:, inner] - square[:, :-2, inner]).reshape(count, -1)
    steep, turned = cv2.cartToPolar(across, down)
    steep *= _weights()
    turned *= DIRECTIONS / (2 * np.pi)
    lower = turned.astype(np.int32)
    share = turned
    share -= lower
    share *= steep
    steep -= share
    # A direction belongs to two bins, the nearer the more; two more bins in each row take what is
    # over the last one.
    lower += (np.arange(count, dtype=np.int32) * (DIRECTIONS + 2))[:, None]
    total = count * (DIRECTIONS + 2)
    sums: Floats = np.bincount(lower.ravel(), steep.ravel(), total).astype(np.float64, copy=False)
    sums[1:] += np.bincount(lower.ravel(), share.ravel(), total)[:-1]
    return _peaks(sums.reshape(count, -1))


def _peaks(sums: Floats) -> Floats:
    """Find the direction that has most, in bins of which the last two are the first again."""
    sums[:, :2] += sums[:, DIRECTIONS:]
    around = np.arange(-2, DIRECTIONS + 2) % DIRECTIONS
    wide = sums[:, around]
    smooth = 6 * wide[:, 2:-2] + 4 * (wide[:, 1:-3] + wide[:, 3:-1]) + wide[:, :-4] + wide[:, 4:]
    best = smooth.argmax(axis=1)
    every = np.arange(len(sums))
    before, here, after = (smooth[every, (best + n) % DIRECTIONS] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.divide(before - after, 2 * bend, out=np.zeros(len(sums)), where=bend < 0)
    angles: Floats = (best + offset) * (2 * np.pi / DIRECTIONS)
    return angles


@lru_cache(1)
def _weights() -> NDArray[np.float32]:
    across, down = _grid(ANGLE_SAMPLES, ANGLE_WIDTH)
    weights = np.exp(-(across**2 + down**2) / (2 * ANGLE_SIGMA**2)).astype(np.float32)
    inner: NDArray[np.float32] = weights.reshape(ANGLE_SAMPLES, ANGLE_SAMPLES)[1:-1, 1:-1].ravel()
    return inner


def _codes(patches: Levels) -> tuple[Codes, Codes]:
    """Hash patches: a bit is the sign of a frequency. Returns codes and their doubtful bits."""
    samples = patches.astype(np.float32) * np.float32(1 / SAMPLE_UNITS)
    samples -= np.rint(samples.mean(axis=1, dtype=np.float64, keepdims=True)).astype(np.float32)
    np.rint(samples, out=samples)
    # All of them and all their sums are whole numbers that fit: no order of adding matters.
    frequencies = samples @ _basis()
    bits = np.packbits(frequencies > 0, axis=1, bitorder="little")
    codes = bits.view("<u8")[:, 0].astype(np.uint64)
    least = np.abs(frequencies).reshape(-1, BANDS, BITS // BANDS).argmin(axis=2)
    places = (least + np.arange(BANDS) * (BITS // BANDS)).astype(np.uint64)
    return codes, np.bitwise_or.reduce(np.uint64(1) << places, axis=1)


@lru_cache(1)
def _basis() -> NDArray[np.float32]:
    """Return the patterns of the 64 lowest frequencies but two, in whole numbers.

    The mean is none of a patch's own, and half a wave across is much the same in all: it is by
    that slope that they are turned.
    """
    both = ((down, across) for down in range(SAMPLES) for across in range(SAMPLES))
    lowest = sorted(both, key=lambda pair: (sum(pair), pair))[2 : BITS + 2]
    steps = (np.arange(SAMPLES) + 0.5) * (np.pi / SAMPLES)
    waves = [np.outer(np.cos(down * steps), np.cos(across * steps)) for down, across in lowest]
    basis = np.stack([wave.ravel() for wave in waves], axis=1)
    whole: NDArray[np.float32] = np.rint(basis * BASIS).astype(np.float32)
    return whole
