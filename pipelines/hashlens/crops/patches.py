"""The patches around keypoints, and their codes: the signs of each patch's lowest frequencies."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.extrema import Extrema, Floats
from hashlens.crops.keypoints import Codes
from hashlens.crops.pyramid import Levels, ScaleSpace

PATCH_SAMPLES = 12  # across, and down
PATCH_WIDTH = 12.0  # sigmas of the keypoint
BITS = 64  # of a code
BANDS = 4  # of a code: each has 16 bits, one of them doubtful
BASIS_UNITS = 32  # of an amplitude of 1
SAMPLE_UNITS = 16  # units of a level in one of a sample: sums are then whole in 24 bits

LOWEST = sorted(  # frequencies down and across a patch, one for each bit
    ((down, across) for down in range(PATCH_SAMPLES) for across in range(PATCH_SAMPLES)),
    key=lambda pair: (sum(pair), pair),
)[2 : BITS + 2]
# A mirror turns a patch upside down, since patches are turned to their gradient: the frequencies
# that are odd downwards change their signs.
MIRRORED_BITS = sum(1 << bit for bit, (down, _) in enumerate(LOWEST) if down % 2)

Grid = tuple[NDArray[np.float32], NDArray[np.float32]]


@lru_cache(4)
def grid(samples: int, width: float) -> Grid:
    """Return x and y, in sigmas, of the samples of a square: `samples` across and down."""
    steps = (((np.arange(samples) + 0.5) / samples - 0.5) * width).astype(np.float32)
    return np.tile(steps, samples), np.repeat(steps, samples)


def sample_patches(space: ScaleSpace, extrema: Extrema, angles: Floats, places: Grid) -> Levels:
    """Sample the level of each extremum at the places of a grid, turned by the extremum's angle.

    The angles are in radians. Returns shape (extrema, samples).
    """
    import cv2  # noqa: PLC0415

    heights = np.array([octave.shape[0] for octave in space.octaves])[extrema.octave]
    widths = np.array([octave.shape[1] for octave in space.octaves])[extrema.octave]
    rows = np.array([octave.row for octave in space.octaves])[extrema.octave]
    rows = rows + extrema.level * heights
    across, down = places
    cosine = (np.cos(angles) * extrema.sigma).astype(np.float32)[:, None]
    sine = (np.sin(angles) * extrema.sigma).astype(np.float32)[:, None]
    x = cosine * across
    x -= sine * down
    x += extrema.x.astype(np.float32)[:, None]
    y = sine * across
    y += cosine * down
    y += extrema.y.astype(np.float32)[:, None]
    # Beyond its border a level has the values of the border; the atlas has other levels there.
    np.clip(x, 0, (widths - 1).astype(np.float32)[:, None], out=x)
    np.clip(y, 0, (heights - 1).astype(np.float32)[:, None], out=y)
    y += rows.astype(np.float32)[:, None]
    return cast("Levels", cv2.remap(space.atlas, x, y, cv2.INTER_LINEAR))


def hash_patches(space: ScaleSpace, extrema: Extrema, angles: Floats) -> tuple[Codes, Codes]:
    """Return the code of each extremum's patch, and a mask of the code's doubtful bits.

    A bit is the sign of a frequency; in each band the frequency nearest to 0 is doubtful.
    """
    patches = sample_patches(space, extrema, angles, grid(PATCH_SAMPLES, PATCH_WIDTH))
    samples = patches.astype(np.float32) * np.float32(1 / SAMPLE_UNITS)
    samples -= np.rint(samples.mean(axis=1, dtype=np.float64, keepdims=True)).astype(np.float32)
    np.rint(samples, out=samples)
    # All samples and all sums are whole numbers that fit: the order of adding does not matter.
    frequencies = samples @ _basis()
    bits = np.packbits(frequencies > 0, axis=1, bitorder="little")
    codes = bits.view("<u8")[:, 0].astype(np.uint64)
    least = np.abs(frequencies).reshape(-1, BANDS, BITS // BANDS).argmin(axis=2)
    doubtful = (least + np.arange(BANDS) * (BITS // BANDS)).astype(np.uint64)
    return codes, np.bitwise_or.reduce(np.uint64(1) << doubtful, axis=1)


@lru_cache(1)
def _basis() -> NDArray[np.float32]:
    """Return the 64 lowest frequencies of the cosine transform in whole numbers, a column each.

    Two frequencies are left out: the mean, which carries no information, and the lowest one in x,
    which is nearly constant because patches are rotated to their gradient.
    """
    steps = (np.arange(PATCH_SAMPLES) + 0.5) * (np.pi / PATCH_SAMPLES)
    waves = [np.outer(np.cos(down * steps), np.cos(across * steps)) for down, across in LOWEST]
    basis = np.stack([wave.ravel() for wave in waves], axis=1)
    whole: NDArray[np.float32] = np.rint(basis * BASIS_UNITS).astype(np.float32)
    return whole
