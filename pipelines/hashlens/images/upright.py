"""Turn decoded pixels the way a person sees them."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, TypeAlias

from PIL import Image, ImageOps
from PIL.ExifTags import Base

from hashlens.images.pixels import Box

if TYPE_CHECKING:
    import numpy as np

    Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image


WIDE_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def upright(image: Image.Image) -> Image.Image:
    """Return what a person sees: turned as EXIF says, on white, in 8 bits.

    16-bit and float pixels are scaled to 8 bits (Pillow's own conversion clips them), and
    transparency is composited on white. An image that needs none of this is returned as it is.
    """
    return without_alpha(turned(image))


def without_alpha(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel, on white where it is transparent."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in WIDE_BIT_MODES:
        return _eight_bit(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 if it has none."""
    if image.format in ("JPEG", "MPO") and not image.info.keys() & {"exif", "xmp"}:
        return 1  # what getexif would find out in more time
    try:
        turn = image.getexif().get(Base.Orientation, 1)
    except Exception:  # noqa: BLE001  damaged EXIF is no reason to lose the pixels
        return 1
    return turn if turn in TURNS else 1


def turned(image: Image.Image) -> Image.Image:
    """Return an image turned by its EXIF orientation."""
    if orientation_of(image) == 1:
        return image
    try:
        return ImageOps.exif_transpose(image)  # and no longer said to be turned
    except Exception:  # noqa: BLE001  damaged EXIF again
        return image


def turned_box(turn: int, size: tuple[int, int], box: Box | None) -> Box | None:
    """Return the box in a turned image that a box in the image of that size becomes."""
    """Return where a box from the origin lies when its image, of that size, has been turned."""
    if box is None:
        return None
    (width, height), (_, _, right, bottom) = size, box
    across = (width - right, width) if turn in (2, 3, 7, 8) else (0, right)
    down = (height - bottom, height) if turn in (3, 4, 6, 7) else (0, bottom)
    if turn >= 5:
        across, down = down, across
    return across[0], down[0], across[1], down[1]


def _eight_bit(image: Image.Image) -> Image.Image:
    import numpy as np  # noqa: PLC0415  a tenth of a second that 8-bit images need not pay

    pixels = np.asarray(image, dtype=np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pixels = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    if image.mode != "F":
        low, high = 0.0, 65535.0 if image.mode != "I" or high > 255 else 255.0
    scaled = (pixels - low) * (255.0 / ((high - low) or 1.0))
    return Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))
