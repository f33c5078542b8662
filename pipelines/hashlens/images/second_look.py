"""Look at two files a second time: whether they show the same picture, by more than a hash.

Both are decoded small, brought to one size, and compared in grey and in colour. A copy may be
brighter, darker or of another contrast (see `hashlens.images.tones`). What is left must be small
everywhere. Drawings, pages and other pictures with much flat ground are compared once more with
more pixels, since what tells them apart is small; so are pictures of which a few pixels disagree.
Of animations and documents, several frames are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hashlens.errors import ImageError
from hashlens.images.arrays import Bytes
from hashlens.images.frames import sampled
from hashlens.images.look import LARGE, SMALL, Look, scale

if TYPE_CHECKING:
    from hashlens.images.details import Windows

LEAST_SIDE = 16  # pixels: smaller pictures have nothing to compare
MOST_STRETCH = 0.03  # by which the shapes of two copies may differ, beside one pixel of rounding
PAGE_SHARE = 0.5  # of flat ground, from which on a picture is a page
MOST_LEFT = 36.0  # grey levels that may differ, blurred, where there is less flat ground
MOST_EDIT = 8  # pixels of a page that may count as edited: noise, or a speck
BLUR, BLUR_DEVIATION = (3, 3), 0.8  # pixels
MOST_OPACITY = 64  # of 255, by which a part may be more opaque in a copy
SHAPES, TOO_FLAT = "shapes differ", "too little contrast to compare"  # reasons


class Both(NamedTuple):
    """Two pictures of one size, the flatter one first.

    first, second: in RGB, reduced for tones and colours, stretched if both have little contrast.
    grey, found: in grey, and not reduced.
    gain: by how much the errors of the first one grow where it is brought to the second.
    ground: the share of flat or shaded ground that both have at least.
    reason: why they cannot be compared, or "".
    """

    first: Bytes
    second: Bytes
    grey: Bytes
    found: Bytes
    gain: float
    ground: float
    reason: str


class Compared(NamedTuple):
    """Why two pictures differ, or "", and by how many connected pixels if it is a detail."""

    reason: str
    area: int = 0


def difference(first: Look, second: Look) -> str:
    """Return in words why two files do not show the same picture; "" if they do."""
    try:
        reason = _pictures(first, second)
        if not reason and first.frames != second.frames:
            return "numbers of frames differ"
        if reason or first.frames == 1:
            return reason
        for number in sampled(first.frames)[1:]:
            reason = _pictures(first.frame(number), second.frame(number), alone=False)
            if reason:
                return f"frame {number + 1}: {reason}"
    except ImageError as error:
        return f"cannot be read: {error}"
    return ""


def _pictures(first: Look, second: Look, *, alone: bool = True) -> str:
    """Return why two pictures, `alone` or one of several frames, differ; "" if they do not."""
    from hashlens.images.details import CLOSE, COARSE, FINE, MOST_DOUBTFUL  # noqa: PLC0415

    opacities = first.opacity(), second.opacity()
    if _is_stretched(first.size, second.size):
        return SHAPES
    if _show_through(*opacities):
        return "transparency differs"
    is_same = _is_plainly_same(first.pixels(SMALL), second.pixels(SMALL))
    if is_same:
        return ""
    if is_same is None:
        return _compared(first, second, LARGE, COARSE, alone=alone).reason
    found = _compared(first, second, SMALL, FINE, alone=alone)
    if 0 < found.area <= MOST_DOUBTFUL:
        found = _compared(first, second, LARGE, CLOSE, alone=alone)
    return found.reason


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether two sizes are not of one shape, but for rounding to whole pixels."""
    (a, b), (c, d) = first, second
    rounding = 1.5 / min(a, b) + 1.5 / min(c, d)
    return abs(a * d - b * c) > (MOST_STRETCH + rounding) * max(a * d, b * c)


def _show_through(first: Bytes | None, second: Bytes | None) -> bool:
    """Return whether more than a trace shows through in one picture and not in the other."""
    if first is None and second is None:
        return False
    a, b = (np.int16(255) if each is None else each.astype(np.int16) for each in (first, second))
    return bool(np.abs(a - b).max() > MOST_OPACITY)


def _both(first: Bytes, second: Bytes, *, shaded: bool) -> Both:
    """Return two pictures as they are compared; `shaded`: look for ground with shade on it."""
    import cv2  # noqa: PLC0415  a tenth of a second

    from hashlens.images.details import FLAT_SHARE, SHADED_SHARE, ground_share  # noqa: PLC0415  loads OpenCV
    from hashlens.images.tones import (  # noqa: PLC0415  likewise
        LEAST_CONTRAST,
        Contrast,
        comes_first,
        reduced,
        stretching,
    )

    grey, found = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (first, second))
    small, other = reduced(first), reduced(second)
    ours, theirs = Contrast(grey), Contrast(found)
    ground = min(ours.flat_share, theirs.flat_share)
    if ground < FLAT_SHARE and shaded:
        ground = min(ground_share(grey), ground_share(found))
        ground = ground if ground >= SHADED_SHARE else 0.0
    table = stretching(ours, theirs)
    if table is not None:
        small, other, grey, found = (cv2.LUT(each, table) for each in (small, other, grey, found))
    reason = TOO_FLAT if min(len(ours), len(theirs)) < LEAST_CONTRAST else ""
    gain = len(theirs) / max(1, len(ours))
    if comes_first(ours, theirs, small, other):
        return Both(small, other, grey, found, max(1.0, gain), ground, reason)
    return Both(other, small, found, grey, max(1.0, 1 / max(gain, 0.01)), ground, reason)


def _is_plainly_same(first: Bytes, second: Bytes) -> bool | None:
    """Return whether two photos agree; None for pictures with much flat ground.

    False means nothing. Bounds are not wider than those of `_compared`, but pictures are resized in
    a quarter of the time, and the tone curve is that of grey.
    """
    import cv2  # noqa: PLC0415  a tenth of a second

    from hashlens.images.details import FINE, FLAT_SHARE, disagree, largest_patch, may_disagree  # noqa: PLC0415  loads OpenCV
    from hashlens.images.tones import color_difference, tone_curve  # noqa: PLC0415

    height, width = min(first.shape[:2], second.shape[:2], key=max)
    factor = scale((width, height), SMALL)
    size = int(width * factor), int(height * factor)
    if min(size) < LEAST_SIDE:
        return False
    both = _both(*(_quickly_resized(each, size) for each in (first, second)), shaded=True)
    if both.reason:
        return False
    if both.ground >= FLAT_SHARE:
        return None
    curve = tone_curve(both.first, both.second)
    if color_difference(both.first, both.second, curve, quick=True):
        return False
    toned = cv2.LUT(both.grey, curve)
    if np.count_nonzero(may_disagree(toned, both.found)) <= FINE.most:
        return True
    off = cv2.subtract(toned, both.found, dtype=cv2.CV_32F)
    return largest_patch(disagree(toned, both.found, off, FINE)).area < FINE.most


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


def _compared(
    first: Look, second: Look, side: int, windows: Windows, *, alone: bool = True
) -> Compared:
    """Compare two pictures with up to `side` pixels; "" is the reason if they do not differ."""
    import cv2  # noqa: PLC0415

    from hashlens.images.details import COARSE, FLAT_SHARE, disagree, largest_patch  # noqa: PLC0415
    from hashlens.images.tones import color_difference, shades_differ, tone_curve  # noqa: PLC0415

    pictures = [look.pixels(side) for look in (first, second)]
    height, width = min((picture.shape[:2] for picture in pictures), key=max)
    factor = scale((width, height), side)
    size = round(width * factor), round(height * factor)
    if min(size) < LEAST_SIDE:
        return Compared("too small to compare")
    is_flat = windows == COARSE
    both = _both(*(_resized(each, size) for each in pictures), shaded=is_flat)
    if both.reason and alone:
        return Compared(both.reason)
    curve = tone_curve(both.first, both.second)
    reason = color_difference(both.first, both.second, curve)
    if reason:
        return Compared(reason)
    if is_flat and shades_differ(both.first, both.second):
        return Compared("shades of a colour differ")
    toned = cv2.LUT(both.grey, curve)
    blurred, found = (cv2.GaussianBlur(each, BLUR, BLUR_DEVIATION) for each in (toned, both.found))
    off = cv2.subtract(blurred, found, dtype=cv2.CV_32F)
    patch, most = largest_patch(disagree(blurred, found, off, windows)), windows.most
    if patch.area <= most and is_flat and both.ground >= FLAT_SHARE:
        if both.ground >= PAGE_SHARE:
            from hashlens.images.page_edits import edits  # noqa: PLC0415  loads OpenCV

            flatter = (
                cv2.convertScaleAbs(each, alpha=1 / both.gain) for each in (toned, both.found)
            )
            patch, most = largest_patch(edits(*flatter)), MOST_EDIT
        else:
            left = np.abs(cv2.GaussianBlur(off, (0, 0), 1))
            patch, most = largest_patch(left > MOST_LEFT * both.gain), 0
    if patch.area <= most:
        return Compared("")
    return Compared(patch.words(first.size[0] / size[0]), patch.area)


def _resized(picture: Bytes, size: tuple[int, int]) -> Bytes:
    import cv2  # noqa: PLC0415

    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
