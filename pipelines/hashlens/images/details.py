"""Where two grey pictures of one size show other details, window by window."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashlens.images.tones import Contrast

Bytes = NDArray[Any]  # of uint8
Floats = NDArray[Any]  # of float32

TEXTURE = 10.0  # grey levels: the deviation from which on a window has something in it
AROUND, NEAR = 13, 0.02  # pixels, and the share of its brightness by which ground may be darker
FLAT_SHARE = 0.25  # of flat ground, from which on a picture is looked at more closely
SHADED_SHARE = 0.74  # of ground with shade on it, from which on a picture is a page; photos: 1 %
RIM = 4  # pixels along the edges in which differences do not count


class Windows(NamedTuple):
    """How windows are compared.

    side: their pixels, each way.
    agrees: the correlation of windows that show the same.
    alike: the mean square off from which on a window with something in it can agree less.
    most: the largest connected patch of pixels, around which windows disagree, in a copy.
    """

    side: int
    agrees: float
    alike: float
    most: int


# In a small picture, letters are seen in small windows. Of 450 copies of photos, one has a patch,
# but of turned ones every third, since drafts are reduced from the other end.
FINE = Windows(5, 0.7, 100.0, 2)
# A small patch is looked at again with many pixels. In copies it then has one or none, in photos
# with other captions 150 or more.
MOST_DOUBTFUL = 60
CLOSE = FINE._replace(most=20)
COARSE = Windows(9, 0.5, 46.0, 40)  # of flat pictures, with many pixels; they have other tests, too


def may_disagree(first: Bytes, second: Bytes) -> NDArray[np.bool_]:
    """Return around which pixels two grey pictures may disagree: at least those of `disagree`.

    It takes the deviations of the sum and of the difference instead of those of both and of their
    product, which is half of the work. Where the sum deviates enough, the two correlate.
    """
    side, agrees, alike, most = FINE
    window: Any = {"ksize": (side, side), "borderType": cv2.BORDER_REFLECT}
    apart = cv2.sqrBoxFilter(cv2.absdiff(first, second), cv2.CV_32F, **window)
    if np.count_nonzero(apart > alike) <= most:
        return np.zeros(first.shape, bool)
    both = cv2.add(first, second, dtype=cv2.CV_32F)
    middle = cv2.boxFilter(both, cv2.CV_32F, **window)
    varies = cv2.sqrBoxFilter(both, cv2.CV_32F, **window) - middle * middle
    textured = varies + apart > 2 * TEXTURE**2
    uncertain = (1 - agrees) * varies < (1 + agrees) * apart + 16 * agrees
    return (apart > alike) & textured & uncertain


def disagree(first: Bytes, second: Bytes, off: Floats, windows: Windows) -> NDArray[np.bool_]:
    """Return around which pixels two grey pictures, `off` apart, show other details."""
    side, agrees, alike, most = windows

    def mean(values: Floats) -> Floats:
        return cv2.boxFilter(values, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)

    apart: NDArray[np.bool_] = mean(off * off) > alike
    if np.count_nonzero(apart) <= most:
        return np.zeros(off.shape, bool)
    a, b = first.astype(np.float32), second.astype(np.float32)
    middle, other = mean(a), mean(b)
    variance, varies = mean(a * a) - middle * middle, mean(b * b) - other * other
    textured = np.maximum(variance, varies) > TEXTURE**2
    together = mean(a * b) - middle * other
    agreement = together / (np.sqrt(np.maximum(variance * varies, 0)) + 4)
    differs: NDArray[np.bool_] = apart & textured & (agreement < agrees)
    return differs


def ground_share(grey: Bytes) -> float:
    """Return the share of the pixels that are ground: about as light as the lightest around them.

    So a page is told by its ground where there is shade on it, or a gradient.
    """
    light = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((AROUND, AROUND), np.uint8))
    least = cv2.convertScaleAbs(light, alpha=1 - NEAR)
    return float(np.count_nonzero(cv2.compare(grey, least, cv2.CMP_GE)) / grey.size)


def is_flat(picture: Bytes) -> bool:
    """Return whether a picture in RGB has much flat ground, or is a page with shade on it."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return Contrast(grey).flat_share >= FLAT_SHARE or ground_share(grey) >= SHADED_SHARE


class Patch(NamedTuple):
    """The largest connected patch of differing pixels, and where it lies; area 0: none."""

    area: int = 0
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0

    def words(self, scale: float) -> str:
        """Return in words where it lies, in a picture that is larger by a factor."""
        left, top, width, height = (round(value * scale) for value in self[1:])
        return f"differs in detail at {left},{top} ({width}x{height})"


def largest_patch(differs: NDArray[np.bool_]) -> Patch:
    """Return the largest connected patch of differing pixels.

    A narrow rim does not count: turns and reduced decoding move the last rows of a picture.
    """
    inner = np.zeros(differs.shape, np.uint8)
    down, across = (min(RIM, side // 48) for side in differs.shape)
    middle = np.s_[down : differs.shape[0] - down, across : differs.shape[1] - across]
    inner[middle] = differs[middle]
    if not inner.any():
        return Patch()
    _, _, facts, _ = cv2.connectedComponentsWithStats(inner, connectivity=8)
    left, top, width, height, area = facts[1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    return Patch(area, left, top, width, height)
