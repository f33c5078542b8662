"""The orientation of a keypoint: the direction of most gradients around it.

After D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004, section 5. Only
the highest peak of a histogram gives an orientation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.extrema import Extrema, Floats
from hashlens.crops.patches import grid, sample_patches
from hashlens.crops.pyramid import Levels, ScaleSpace

SAMPLES = 10  # across, and down the patch whose gradients are taken
WIDTH = 7.0  # sigmas of the keypoint: of that patch
WEIGHT_SIGMA = 1.5  # sigmas of the keypoint: of the Gaussian that weights gradients
BINS = 36  # of a histogram of orientations

Singles = NDArray[np.float32]


def orientations(space: ScaleSpace, extrema: Extrema) -> Floats:
    """Return the orientation of each extremum, in radians."""
    level = np.zeros(len(extrema.x))
    patches = sample_patches(space, extrema, level, grid(SAMPLES, WIDTH))
    magnitudes, angles = _gradients(patches)
    magnitudes *= _weights()
    return _peaks(_smoothed(_histograms(magnitudes, angles)))


def _gradients(patches: Levels) -> tuple[Singles, Singles]:
    """Return magnitudes and angles, in radians, of the inner samples' gradients, a row a patch."""
    import cv2  # noqa: PLC0415

    count = len(patches)
    square = patches.reshape(count, SAMPLES, SAMPLES).astype(np.float32)
    inner = slice(1, -1)
    across = (square[:, inner, 2:] - square[:, inner, :-2]).reshape(count, -1)
    down = (square[:, 2:, inner] - square[:, :-2, inner]).reshape(count, -1)
    magnitudes, angles = cv2.cartToPolar(across, down)
    return np.asarray(magnitudes, np.float32), np.asarray(angles, np.float32)


@lru_cache(1)
def _weights() -> Singles:
    """Return the Gaussian weights of the inner samples."""
    across, down = grid(SAMPLES, WIDTH)
    weights = np.exp(-(across**2 + down**2) / (2 * WEIGHT_SIGMA**2)).astype(np.float32)
    inner: Singles = weights.reshape(SAMPLES, SAMPLES)[1:-1, 1:-1].ravel()
    return inner


def _histograms(magnitudes: Singles, angles: Singles) -> Floats:
    """Add up magnitudes by angle: shape (extrema, BINS). The arguments are overwritten.

    A gradient is shared by two bins: the nearer gets more.
    """
    count = len(magnitudes)
    angles *= BINS / (2 * np.pi)
    lower = angles.astype(np.int32)
    upper_share = angles
    upper_share -= lower
    upper_share *= magnitudes
    magnitudes -= upper_share
    # Rounding and sharing may reach two bins beyond the last; these are the first two again.
    row = BINS + 2
    lower += (np.arange(count, dtype=np.int32) * row)[:, None]
    sums: Floats = np.bincount(lower.ravel(), magnitudes.ravel(), count * row).astype(np.float64)
    sums[1:] += np.bincount(lower.ravel(), upper_share.ravel(), count * row)[:-1]
    sums = sums.reshape(count, row)
    sums[:, :2] += sums[:, BINS:]
    return sums[:, :BINS]


def _smoothed(histograms: Floats) -> Floats:
    """Smooth histograms, around the turn, by the binomial weights 1, 4, 6, 4, 1."""
    around = np.arange(-2, BINS + 2) % BINS
    wide = histograms[:, around]
    smooth: Floats = (
        6 * wide[:, 2:-2] + 4 * (wide[:, 1:-3] + wide[:, 3:-1]) + wide[:, :-4] + wide[:, 4:]
    )
    return smooth


def _peaks(histograms: Floats) -> Floats:
    """Return the angle of each histogram's highest peak: of the parabola through three bins."""
    best = histograms.argmax(axis=1)
    every = np.arange(len(histograms))
    before, here, after = (histograms[every, (best + n) % BINS] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.divide(before - after, 2 * bend, out=np.zeros(len(every)), where=bend < 0)
    angles: Floats = (best + offset) * (2 * np.pi / BINS)
    return angles
