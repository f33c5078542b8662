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
from hashlens.images.arrays import Bytes, decode_array, turned_array, turned_size

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Floats = NDArray[Any]  # of float32

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
PAGE_SHARE = 0.5  # of flat ground, from which on a picture is a page
MOST_LEFT = 36.0  # grey levels that may differ, blurred, where there is less flat ground
MOST_EDIT = 8  # pixels of a page that may count as edited: noise, or a speck
BLUR, BLUR_DEVIATION = (3, 3), 0.8  # pixels
RIM = 4  # pixels along the edges in which differences do not count
REDUCED = 4  # pixels that are averaged, each way, where tones and colours are compared
BLOCKS = 16  # blocks of the longer side in which colours are compared
MOST_COLOR = 20.0  # grey levels by which the colour of a block may differ
QUICK_COLOR = 17.0  # the same where pictures are resized quickly, which moves it a little
FEW_TONES = 3  # of a drawing, which it has in nearly all of its pixels; two shades are two drawings
TONES_SHARE = 0.85  # of the pixels, that have these tones
QUIET_SHARE = 0.75  # of the pixels, that have no texture beside them; photos: up to 0.70
SHAPES = "shapes differ"  # the reason
MOST_SHADE = 8.0  # grey levels by which flat colours may differ where the ground is the same


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
            pixels, size = decode_array(self.source, int(side * DRAFT_SHARE))
            self._decoded[side] = turned_array(pixels, self.orientation)
            self.size = turned_size(size, self.orientation)
        return self._decoded[side]


def difference(first: Look, second: Look) -> str:
    """Return in words why two files do not show the same picture; "" if they do."""
    try:
        for look in (first, second):
            look.pixels(SMALL)
        if _is_stretched(first.size, second.size):
            return SHAPES
        is_same = _is_plainly_same(first.pixels(SMALL), second.pixels(SMALL))
        return "" if is_same else _compared(first, second, LARGE if is_same is None else SMALL)
    except ImageError as error:
        return f"cannot be read: {error}"


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether two sizes are not of one shape, but for rounding to whole pixels."""
    (a, b), (c, d) = first, second
    rounding = 1.5 / min(a, b) + 1.5 / min(c, d)
    return abs(a * d - b * c) > (MOST_STRETCH + rounding) * max(a * d, b * c)


def _is_plainly_same(first: Bytes, second: Bytes) -> bool | None:
    """Return whether two photos agree; None for pictures with much flat ground.

    False means nothing. Bounds are not wider than those of `_compared`, but pictures are resized in
    a quarter of the time, and the tone curve is that of grey.
    """
    import cv2  # noqa: PLC0415  a tenth of a second

    height, width = min(first.shape[:2], second.shape[:2], key=max)
    scale = min(1.0, SMALL / max(height, width))
    size = int(width * scale), int(height * scale)
    if min(size) < LEAST_SIDE:
        return False
    a, b = (_quickly_resized(picture, size) for picture in (first, second))
    grey, found = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (a, b))
    if _flat_share(grey) >= FLAT_SHARE and _flat_share(found) >= FLAT_SHARE:
        return None
    small, other = _reduced(a), _reduced(b)
    curve = _curve(small, other)
    if _color_difference(cv2.LUT(small, curve), other, QUICK_COLOR):
        return False
    return bool(np.count_nonzero(_may_disagree(cv2.LUT(grey, curve), found)) <= MOST_PATCH)


def _may_disagree(first: Bytes, second: Bytes) -> NDArray[np.bool_]:
    """Return around which pixels two grey pictures may disagree: at least those of `_disagree`.

    It takes the deviations of the sum and of the difference instead of those of both and of their
    product, which is half of the work. Where the sum deviates enough, the two correlate.
    """
    import cv2  # noqa: PLC0415

    window: Any = {"ksize": (WINDOW, WINDOW), "borderType": cv2.BORDER_REFLECT}
    apart = cv2.sqrBoxFilter(cv2.absdiff(first, second), cv2.CV_32F, **window)
    if np.count_nonzero(apart > ALIKE) <= MOST_PATCH:
        return np.zeros(first.shape, bool)
    both = cv2.add(first, second, dtype=cv2.CV_32F)
    middle = cv2.boxFilter(both, cv2.CV_32F, **window)
    varies = cv2.sqrBoxFilter(both, cv2.CV_32F, **window) - middle * middle
    textured = varies + apart > 2 * TEXTURE**2
    return (apart > ALIKE) & textured & (varies < 3 * apart + 16)


def _quickly_resized(picture: Bytes, size: tuple[int, int]) -> Bytes:
    """Return a picture in a size that is not larger, a little blurred; fine lines are lost."""
    import cv2  # noqa: PLC0415

    height, width = picture.shape[:2]
    share = min(width // size[0], height // size[1])
    if share > 1:
        reduced = width // share, height // share
        picture = cv2.resize(picture, reduced, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(picture, BLUR, BLUR_DEVIATION)
    return cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR)


def _reduced(picture: Bytes) -> Bytes:
    """Return a picture as its tones and colours are compared."""
    import cv2  # noqa: PLC0415

    height, width = (length // REDUCED for length in picture.shape[:2])
    whole = picture[: height * REDUCED, : width * REDUCED]  # multiples are reduced quickly
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def _compared(first: Look, second: Look, side: int) -> str:
    """Return why two pictures differ, compared with up to `side` pixels; "" if they do not."""
    import cv2  # noqa: PLC0415

    pictures = [look.pixels(side) for look in (first, second)]
    height, width = min((picture.shape[:2] for picture in pictures), key=max)
    scale = min(1.0, side / max(height, width))
    size = round(width * scale), round(height * scale)
    if min(size) < LEAST_SIDE:
        return "too small to compare"
    a, b = (
        picture
        if picture.shape[1::-1] == size
        else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        for picture in pictures
    )
    small, other = _reduced(a), _reduced(b)
    curve = _curve(small, other)
    reason = _color_difference(cv2.LUT(small, curve), other, MOST_COLOR)
    if reason:
        return reason
    grey, toned, found = (
        cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (a, cv2.LUT(a, curve), b)
    )
    flat = min(_flat_share(grey), _flat_share(found))
    is_drawn = flat >= FLAT_SHARE and (_has_few_tones(grey) or _has_few_tones(found))
    if is_drawn and _shades_differ(small, other):
        return "shades of a colour differ"
    blurred, other = (cv2.GaussianBlur(each, BLUR, BLUR_DEVIATION) for each in (toned, found))
    off = cv2.subtract(blurred, other, dtype=cv2.CV_32F)
    reason = _patch(_disagree(blurred, other, off), MOST_PATCH, size, first.size)
    if reason or flat < FLAT_SHARE:
        return reason
    if flat >= PAGE_SHARE:
        from hashlens.images.page_edits import edits  # noqa: PLC0415  loads OpenCV

        return _patch(edits(toned, found), MOST_EDIT, size, first.size)
    return _patch(np.abs(cv2.GaussianBlur(off, (0, 0), 1)) > MOST_LEFT, 0, size, first.size)


def _curve(first: Bytes, second: Bytes) -> Bytes:
    """Return the tone of the second picture for each tone of the first; shape (256,).

    The curve rises, and is that of all three channels: brightness, contrast, gamma, but no hue.
    """
    import cv2  # noqa: PLC0415

    a, b = (picture.reshape(len(picture), -1) for picture in (first, second))
    levels, bins = np.arange(256.0), 256 // TONE_WIDTH
    tones = cv2.calcHist([a], [0], None, [256], [0, 256]).reshape(bins, TONE_WIDTH)
    both = cv2.calcHist([a, b], [0, 1], None, [bins, 256], [0, 256, 0, 256])
    counts = tones.sum(axis=1)
    seen = counts > 0
    sums = (tones * levels.reshape(tones.shape)).sum(axis=1), both @ levels
    darks, lights = (each[seen] / counts[seen] for each in sums)
    rising = (np.maximum.accumulate(lights) + np.minimum.accumulate(lights[::-1])[::-1]) / 2
    # Beyond the ends of its tones, the curve goes on as it does between them.
    slope = (rising[-1] - rising[0]) / max(darks[-1] - darks[0], 1.0)
    curve = np.interp(levels, darks, rising)
    curve += slope * (np.minimum(levels - darks[0], 0) + np.maximum(levels - darks[-1], 0))
    return np.asarray(np.clip(np.rint(curve), 0, 255), np.uint8)


def _color_difference(first: Bytes, second: Bytes, most: float) -> str:
    """Return in words which differs by more than some grey levels, colours or blocks; or ""."""
    import cv2  # noqa: PLC0415

    off = cv2.subtract(first, second, dtype=cv2.CV_32F)
    block = max(1, max(off.shape) / BLOCKS)
    grid = [max(2, round(length / block)) for length in off.shape[1::-1]]
    off = cv2.resize(off, grid, interpolation=cv2.INTER_AREA)
    grey = off.mean(axis=2, keepdims=True)
    if np.abs(off - grey).max() > most:
        return "colours differ"
    return "blocks differ" if np.abs(grey).max() > most else ""


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
