"""Tell a photo that was reduced to a palette from a drawing that has few colours of its own.

Programs that make PNGs smaller, and GIF, take a photo down to 256 colours or fewer. They choose
these so that each stands for about as many pixels. A drawing has a ground and some flat colours
for nearly all of its pixels; most of its colours are shades along edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLORS = 256  # of a palette, at most
LEAST_COLORS = 32  # with fewer, photos are no longer like photos
MOST_PIXELS = 0.9  # the share of the pixels that is looked at
LEAST_SHARE = 0.35  # of the colours, that take so many pixels. Drawings: up to 0.23, photos: 0.49
MOST_EQUAL = 0.8  # of neighbours, in a row or a column; more is a drawing. Photos: up to 0.7
SAMPLE = 4_096  # pixels; with more colours than a palette's, the picture has none


def is_reduced_photo(pixels: NDArray[np.uint8]) -> bool:
    """Return whether pixels in RGB are those of a photo that was reduced to a palette.

    A picture in grey is none: it has all of its shades.
    """
    numbers = (pixels.astype(np.uint32) * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(axis=2)
    sample = numbers.ravel()[:: max(1, numbers.size // SAMPLE)]
    if min(numbers.shape) < 2 or len(np.unique(sample)) > COLORS:
        return False
    colors, counts = np.unique(numbers, return_counts=True)
    if not LEAST_COLORS <= len(colors) <= COLORS or _are_grey(colors):
        return False
    taken = np.cumsum(np.sort(counts)[::-1]) / numbers.size
    if np.searchsorted(taken, MOST_PIXELS) + 1 < LEAST_SHARE * len(colors):
        return False
    along, down = numbers[:, 1:] == numbers[:, :-1], numbers[1:] == numbers[:-1]
    return bool(max(along.mean(), down.mean()) <= MOST_EQUAL)


def _are_grey(colors: NDArray[np.uint32]) -> bool:
    red, green, blue = colors >> 16, colors >> 8 & 255, colors & 255
    return bool(((red == green) & (green == blue)).all())
