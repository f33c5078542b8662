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
from PIL import Image

from hashlens.errors import ImageError
from hashlens.images.decode import decode
from hashlens.images.jpeg_draft import use_simplejpeg
from hashlens.images.upright import TURNS

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Floats = NDArray[Any]  # of float32
Bytes = NDArray[Any]  # of uint8

SMALL, LARGE = 192, 1000  # pixels of the longer side, in the first and in the closer comparison
DRAFT_SHARE = 0.75  # of the longer side that the shorter side of a draft has at least
LEAST_SIDE = 16  # pixels: smaller pictures have nothing to compare
MOST_STRETCH = 0.03  # by which the shapes of two copies may differ, beside one pixel of rounding
FLAT_SHARE = 0.25  # of flat ground, from which on a picture is looked at more closely
TONE_WIDTH = 8  # grey levels whose tones are averaged
WINDOW = 9  # pixels of a window in which details are compared
TEXTURE = 10.0  # grey levels: the deviation from which on a window has something in it
AGREES = 0.5  # the correlation of windows that show the same
ALIKE = 46.0  # mean square off from which on a window with something in it can agree less
MOST_PATCH = 40  # pixels: the largest connected patch of windows that may disagree in a copy
# Grey levels that may differ, blurred. Copies of pages: up to 17; one other digit: from 30.
MOST_LEFT = 28.0
MOST_LEFT_IN_PHOTOS = 36.0  # with less flat ground: edges of photos are coded with more error
PAGE_SHARE = 0.5  # of flat ground, from which on a picture is a page
RIM = 4  # pixels along the edges in which differences do not count
REDUCED = 4  # pixels that are averaged, each way, where tones and colours are compared
BLOCKS = 16  # blocks of the longer side in which colours are compared
MOST_COLOR = 20.0  # grey levels by which the colour of a block may differ
FEW_TONES = 3  # of a drawing, which it has in nearly all of its pixels; two shades are two drawings
TONES_SHARE = 0.85  # of the pixels, that have these tones
QUIET_SHARE = 0.75  # of the pixels, that have no texture beside them; photos: up to 0.70
SHAPES = "shapes differ"  # the reason
MOST_SHADE = 8.0  # grey levels by which flat colours may differ where the ground is the same
OTHER_COLORS, OTHER_BLOCKS = "colours differ", "blocks differ"


class Look:
    """A file that is decoded when it is looked at, each size once."""

    def __init__(self, source: Source, orientation: int = 1) -> None:
        self.source, self.orientation = source, orientation
        self._decoded: dict[int, Bytes] = {}
        self.size = (0, 0)

    def pixels(self, side: int) -> Bytes:
        """Return the picture in RGB, at least `side` pixels long if it has them.

        Raises ImageError for a file that cannot be read.
        """
        if side not in self._decoded:
            use_simplejpeg()
            decoded = decode(self.source, draft=("RGB", int(side * DRAFT_SHARE)))
            self.size, image = decoded.size, decoded.image
            pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
            if decoded.box:
                left, top, right, bottom = decoded.box
                pixels = pixels[int(top) : round(bottom), int(left) : round(right)]
            if self.orientation != 1:
                pixels = np.asarray(Image.fromarray(pixels).transpose(TURNS[self.orientation]))
                self.size = self.size[::-1] if self.orientation >= 5 else self.size
            self._decoded[side] = pixels
        return self._decoded[side]


def difference(first: Look, second: Look) -> str:
    """Return in words why two files do not show the same picture; "" if they do."""
    try:
        for look in (first, second):
            look.pixels(SMALL)
        if _is_stretched(first.size, second.size):
            return SHAPES
        found = _compared(first, second, SMALL, is_quick=True)
        if found in (OTHER_COLORS, OTHER_BLOCKS):
            return str(found)
        if not isinstance(found, str) and found < FLAT_SHARE:
            return ""
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


def _compared(first: Look, second: Look, side: int, *, is_quick: bool = False) -> str | float:
    """Return why two pictures differ; if they do not, the share of flat ground in both.

    Quick ones are resized in a quarter of the time, and lose fine lines: what they say of details
    and of drawings has to be asked again.
    """
    import cv2  # noqa: PLC0415  a tenth of a second

    pictures = [look.pixels(side) for look in (first, second)]
    height, width = min((picture.shape[:2] for picture in pictures), key=max)
    scale = min(1.0, side / max(height, width))
    # Whole multiples are reduced quickly.
    size = int(width * scale) // REDUCED * REDUCED, int(height * scale) // REDUCED * REDUCED
    if min(size) < LEAST_SIDE:
        return "too small to compare"
    a, b = (_resized(picture, size, is_quick=is_quick) for picture in pictures)
    reduced = size[0] // REDUCED, size[1] // REDUCED
    small, other = (cv2.resize(each, reduced, interpolation=cv2.INTER_AREA) for each in (a, b))
    curve = _curve(small, other)
    reason = _color_difference(cv2.LUT(small, curve), other)
    if reason:
        return reason
    grey, found = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (a, b))
    flat = min(_flat_share(grey), _flat_share(found))
    if flat >= FLAT_SHARE:
        if is_quick:
            return flat
        is_drawn = _has_few_tones(grey) or _has_few_tones(found)
        if is_drawn and _shades_differ(small, other):
            return "shades of a colour differ"
    toned = cv2.cvtColor(cv2.LUT(a, curve), cv2.COLOR_RGB2GRAY)
    off = cv2.subtract(toned, found, dtype=cv2.CV_32F)
    differs = _disagree(toned, found, off)
    reason = _patch(differs, MOST_PATCH, size, first.size)
    if not reason and flat >= FLAT_SHARE:
        off = cv2.GaussianBlur(off, (0, 0), 1)
        most = MOST_LEFT if flat >= PAGE_SHARE else MOST_LEFT_IN_PHOTOS
        reason = _patch(np.abs(off) > most, 0, size, first.size)
    return reason or flat


def _resized(picture: Bytes, size: tuple[int, int], *, is_quick: bool) -> Bytes:
    """Return a picture, a little blurred, in a size that is not larger."""
    import cv2  # noqa: PLC0415

    height, width = picture.shape[:2]
    share = min(width // size[0], height // size[1])
    if is_quick and share > 1:
        picture = cv2.resize(
            picture, (width // share, height // share), interpolation=cv2.INTER_AREA
        )
    if is_quick:
        picture = cv2.GaussianBlur(picture, (3, 3), 0.8)
        return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(picture, (3, 3), 0.8)


def _curve(first: Bytes, second: Bytes) -> Bytes:
    """Return the tone of the second picture for each tone of the first; shape (256,).

    The curve rises, and is that of all three channels: brightness, contrast, gamma, but no hue.
    """
    a, b = first.ravel(), second.ravel()
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


def _color_difference(first: Bytes, second: Bytes) -> str:
    """Return whether colours or blocks of two pictures differ, in words; "" if neither does."""
    import cv2  # noqa: PLC0415

    off = cv2.subtract(first, second, dtype=cv2.CV_32F)
    block = max(1, max(off.shape) / BLOCKS)
    grid = [max(2, round(length / block)) for length in off.shape[1::-1]]
    off = cv2.resize(off, grid, interpolation=cv2.INTER_AREA)
    grey = off.mean(axis=2, keepdims=True)
    if np.abs(off - grey).max() > MOST_COLOR:
        return OTHER_COLORS
    return OTHER_BLOCKS if np.abs(grey).max() > MOST_COLOR else ""


def _has_few_tones(grey: Bytes) -> bool:
    """Return whether a picture is drawn in a few flat tones."""
    import cv2  # noqa: PLC0415

    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    share = 0.0
    for _ in range(FEW_TONES):
        near = np.convolve(counts, np.ones(7), "same")
        peak = int(near.argmax())
        share += near[peak] / grey.size
        counts[max(0, peak - 3) : peak + 4] = 0
    if share < TONES_SHARE:
        return False
    return bool(_is_quiet(grey, 4).mean() >= QUIET_SHARE)


def _shades_differ(first: Bytes, second: Bytes) -> bool:
    """Return whether some colours are as they were and others are not, edges left out."""
    quiet = _is_quiet(first, 8) & _is_quiet(second, 8)
    off = np.abs(first.astype(np.int16) - second)[quiet]
    return bool(
        off.size
        and (off.max(axis=1) < 3).mean() >= 0.1
        and (off.max(axis=1) > MOST_SHADE).mean() >= 0.02
    )


def _is_quiet(picture: Bytes, most: int) -> NDArray[np.bool_]:
    """Return around which pixels no channel varies by more than some levels."""
    import cv2  # noqa: PLC0415

    beside = np.ones((3, 3), np.uint8)
    varies = cv2.subtract(cv2.dilate(picture, beside), cv2.erode(picture, beside)) <= most
    return np.asarray(np.atleast_3d(varies).all(axis=2), bool)


def _disagree(first: Bytes, second: Bytes, off: Floats) -> NDArray[np.bool_]:
    """Return around which pixels two grey pictures, `off` apart, show other details."""
    import cv2  # noqa: PLC0415

    def mean(values: Floats) -> Floats:
        window = (WINDOW, WINDOW)
        return cv2.boxFilter(values, cv2.CV_32F, window, borderType=cv2.BORDER_REFLECT)

    apart: NDArray[np.bool_] = mean(off * off) > ALIKE
    if np.count_nonzero(apart) <= MOST_PATCH:
        return np.zeros(off.shape, bool)
    a, b = first.astype(np.float32), second.astype(np.float32)
    middle, other = mean(a), mean(b)
    variance, varies = mean(a * a) - middle * middle, mean(b * b) - other * other
    textured = np.maximum(variance, varies) > TEXTURE**2
    together = mean(a * b) - middle * other
    agreement = together / (np.sqrt(np.maximum(variance * varies, 0)) + 4)
    differs: NDArray[np.bool_] = apart & textured & (agreement < AGREES)
    return differs


def _flat_share(grey: Bytes) -> float:
    """Return the share of the pixels in the five grey levels that most have."""
    import cv2  # noqa: PLC0415

    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    return float(np.convolve(counts, np.ones(5)).max() / grey.size)


def _patch(
    differs: NDArray[np.bool_], most: int, size: tuple[int, int], full: tuple[int, int]
) -> str:
    """Return where the largest connected patch of differing pixels lies; "" if it is small.

    A narrow rim does not count: turns and reduced decoding move the last rows of a picture.
    """
    import cv2  # noqa: PLC0415

    inner = np.zeros_like(differs)
    down, across = (min(RIM, side // 48) for side in differs.shape)
    middle = np.s_[down : differs.shape[0] - down, across : differs.shape[1] - across]
    inner[middle] = differs[middle]
    differs = inner
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
