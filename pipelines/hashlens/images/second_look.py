"""Look at two files a second time: whether they show the same picture, by more than a hash.

Both are decoded small, brought to one size, and compared in grey and in colour. A copy may be
brighter, darker or of another contrast: one tone curve, the same for red, green and blue, has to
explain that. What is left must be small everywhere. Drawings, pages and other pictures with much
flat ground are compared once more with more pixels, since what tells them apart is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ImageError
from hashlens.images.decode import decode
from hashlens.images.jpeg_draft import use_simplejpeg
from hashlens.images.upright import TURNS

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.images.pixels import Source

Floats = NDArray[Any]  # of float32
Bytes = NDArray[Any]  # of uint8

SMALL, LARGE = 240, 1000  # pixels of the longer side, in the first and in the closer comparison
DRAFT_SHARE = 0.6  # of the longer side that the shorter side of a draft has at least
LEAST_SIDE = 16  # pixels: smaller pictures have nothing to compare
MOST_STRETCH = 0.03  # by which the shapes of two copies may differ, beside one pixel of rounding
FLAT_SHARE = 0.25  # of flat ground, from which on a picture is looked at more closely
TONE_WIDTH = 8  # grey levels whose tones are averaged
WINDOW = 9  # pixels of a window in which details are compared
TEXTURE = 10.0  # grey levels: the deviation from which on a window has something in it
AGREES = 0.5  # the correlation of windows that show the same
MOST_PATCH = 40  # pixels: the largest connected patch of windows that may disagree in a copy
MOST_LEFT = 28.0  # grey levels that may differ, blurred; copies: up to 17, one digit: from 42
BLOCKS = 16  # blocks of the longer side in which colours are compared
MOST_COLOR = 20.0  # grey levels by which the colour of a block may differ
SHAPES = "shapes differ"  # the reason
SHADE_SHARE = 0.35  # of flat ground, from which on its colours must be the same
MOST_SHADE = 8.0  # grey levels by which flat colours may differ where the ground is the same


class Look:
    """A file that is decoded when it is looked at, each size once."""

    def __init__(self, source: Source, orientation: int = 1) -> None:
        self.source, self.orientation = source, orientation
        self._decoded: dict[int, Image.Image] = {}
        self.size = (0, 0)

    def pixels(self, side: int) -> Image.Image:
        """Return the picture in RGB, at least `side` pixels long if it has them.

        Raises ImageError for a file that cannot be read.
        """
        if side not in self._decoded:
            use_simplejpeg()
            decoded = decode(self.source, draft=("RGB", int(side * DRAFT_SHARE)))
            image, self.size = decoded.image.convert("RGB"), decoded.size
            if decoded.box:
                left, top, right, bottom = decoded.box
                image = image.crop((int(left), int(top), round(right), round(bottom)))
            if self.orientation != 1:
                image = image.transpose(TURNS[self.orientation])
                self.size = self.size[::-1] if self.orientation >= 5 else self.size
            self._decoded[side] = image
        return self._decoded[side]


def difference(first: Look, second: Look) -> str:
    """Return in words why two files do not show the same picture; "" if they do."""
    try:
        for look in (first, second):
            look.pixels(SMALL)
        if _is_stretched(first.size, second.size):
            return SHAPES
        found = _compared(first, second, SMALL)
        if isinstance(found, str):
            return found
        larger = min(max(first.size), max(second.size)) > SMALL
        if found >= FLAT_SHARE and larger:
            closer = _compared(first, second, LARGE)
            return closer if isinstance(closer, str) else ""
    except ImageError as error:
        return f"cannot be read: {error}"
    return ""


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether two sizes are not of one shape, but for rounding to whole pixels."""
    (a, b), (c, d) = first, second
    rounding = 1.5 / min(a, b) + 1.5 / min(c, d)
    return abs(a * d - b * c) > (MOST_STRETCH + rounding) * max(a * d, b * c)


def _compared(first: Look, second: Look, side: int) -> str | float:
    """Return why two pictures differ; if they do not, the share of flat ground in both."""
    import cv2  # noqa: PLC0415  a tenth of a second

    pictures = [look.pixels(side) for look in (first, second)]
    smaller = min(pictures, key=lambda picture: max(picture.size))
    scale = min(1.0, side / max(smaller.size))
    size = max(1, round(smaller.width * scale)), max(1, round(smaller.height * scale))
    if min(size) < LEAST_SIDE:
        return "too small to compare"
    area = cv2.INTER_AREA
    a, b = (cv2.resize(np.asarray(picture), size, interpolation=area) for picture in pictures)
    a, b = (cv2.GaussianBlur(picture, (3, 3), 0.8) for picture in (a, b))
    block = max(1, -(-max(size) // BLOCKS))
    grid = tuple(max(2, round(length / block)) for length in size)
    toned = cv2.LUT(a, _curve(a, b))
    reached, plain, found = (
        cv2.resize(picture, grid, interpolation=area).astype(np.float32)
        for picture in (toned, a, b)
    )
    reason = _color_difference(reached, found)
    if reason:
        return reason
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (a, toned, b)]
    flat = min(_flat_share(grey) for grey in greys[::2])
    if flat >= SHADE_SHARE and _shades_differ(plain, found):
        return "shades of a colour differ"
    deviations, agreement = _correlated(*(grey.astype(np.float32) for grey in greys[1:]))
    textured = np.maximum(*deviations) > TEXTURE
    differs = textured & (agreement < AGREES)
    reason = _patch(differs, MOST_PATCH, size, first.size)
    if not reason and flat >= FLAT_SHARE:
        off = cv2.GaussianBlur(greys[1].astype(np.float32) - greys[2], (0, 0), 1)
        reason = _patch(np.abs(off) > MOST_LEFT, 0, size, first.size)
    return reason or flat


def _curve(first: Bytes, second: Bytes) -> Bytes:
    """Return the tone of the second picture for each tone of the first; shape (256,).

    The curve rises, and is that of all three channels: brightness, contrast, gamma, but no hue.
    """
    import cv2  # noqa: PLC0415

    height, width = first.shape[:2]
    size = max(1, width // 3), max(1, height // 3)
    a, b = (
        cv2.resize(each, size, interpolation=cv2.INTER_AREA).ravel() for each in (first, second)
    )
    bins = a // TONE_WIDTH
    counts = np.bincount(bins)
    seen = counts > 0
    darks, lights = (np.bincount(bins, values)[seen] / counts[seen] for values in (a, b))
    rising = (np.maximum.accumulate(lights) + np.minimum.accumulate(lights[::-1])[::-1]) / 2
    # Beyond the ends of its tones, the curve goes on as it does between them.
    slope = (rising[-1] - rising[0]) / max(darks[-1] - darks[0], 1.0)
    levels = np.arange(256)
    curve = np.interp(levels, darks, rising)
    curve += slope * (np.minimum(levels - darks[0], 0) + np.maximum(levels - darks[-1], 0))
    return np.clip(np.rint(curve), 0, 255).astype(np.uint8)


def _color_difference(first: Floats, second: Floats) -> str:
    """Return whether colours or blocks of two grids differ, in words; "" if neither does."""
    off = first - second
    grey = off.mean(axis=2, keepdims=True)
    if np.abs(off - grey).max() > MOST_COLOR:
        return "colours differ"
    return "blocks differ" if np.abs(grey).max() > MOST_COLOR else ""


def _shades_differ(first: Floats, second: Floats) -> bool:
    """Return whether some colours are as they were and others are not: no edit of tones does it."""
    off = np.abs(first - second).max(axis=2)
    return bool((off < 3).mean() >= 0.1 and (off > MOST_SHADE).mean() >= 0.02)


def _correlated(first: Floats, second: Floats) -> tuple[list[Floats], Floats]:
    """Return the deviations of both, and the correlation, of the windows around each pixel."""
    import cv2  # noqa: PLC0415

    def mean(values: Floats) -> Floats:
        return cv2.boxFilter(values, cv2.CV_32F, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)

    means = mean(first), mean(second)
    variances = [
        np.maximum(mean(each * each) - middle * middle, 0)
        for each, middle in zip((first, second), means, strict=True)
    ]
    together = mean(first * second) - means[0] * means[1]
    agreement = together / (np.sqrt(variances[0] * variances[1]) + 4)
    return [np.sqrt(each) for each in variances], agreement


def _flat_share(grey: Bytes) -> float:
    """Return the share of the pixels in the five grey levels that most have."""
    counts = np.bincount(grey.ravel(), minlength=256)
    return float(np.convolve(counts, np.ones(5)).max() / grey.size)


def _patch(
    differs: NDArray[np.bool_], most: int, size: tuple[int, int], full: tuple[int, int]
) -> str:
    """Return where the largest connected patch of differing pixels lies; "" if it is small."""
    import cv2  # noqa: PLC0415

    if np.count_nonzero(differs) <= most:
        return ""
    count, _, facts, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8), connectivity=8)
    if count < 2:
        return ""
    largest = facts[1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())]
    if largest[cv2.CC_STAT_AREA] <= most:
        return ""
    scale = full[0] / size[0]
    left, top, width, height = (round(int(value) * scale) for value in largest[:4])
    return f"differs in detail at {left},{top} ({width}x{height})"
