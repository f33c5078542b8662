"""Turn decoded pixels by their EXIF orientation, and bring them to 8 bits on white."""

from __future__ import annotations

from PIL import Image, ImageOps
from PIL.ExifTags import Base

from hashlens.images.pixels import Box

# Pillow's modes of more than 8 bits a channel.
WIDE_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")

# The turn that each EXIF orientation asks for; 1 asks for none.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Return an image as a person sees it: turned by EXIF, on white, in 8 bits a channel.

    Pixels of 16 bits and floats are scaled to 8 bits; Pillow's own conversion would clip them.
    An image that needs no change is returned itself.
    """
    return on_white(turned(image))


def on_white(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel, composited on white if it has transparency."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in WIDE_BIT_MODES:
        return _eight_bit(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 if it has none."""
    if image.format in ("JPEG", "MPO") and not image.info.keys() & {"exif", "xmp"}:
        return 1  # getexif would say the same, but takes longer
    try:
        orientation = image.getexif().get(Base.Orientation, 1)
    except Exception:  # noqa: BLE001  damaged EXIF must not cost the pixels
        return 1
    return orientation if orientation in TURNS else 1


def turned(image: Image.Image) -> Image.Image:
    """Return an image turned by its EXIF orientation."""
    if orientation_of(image) == 1:
        return image
    try:
        return ImageOps.exif_transpose(image)  # it removes the orientation, too
    except Exception:  # noqa: BLE001  damaged EXIF must not cost the pixels
        return image


def turned_box(orientation: int, size: tuple[int, int], box: Box | None) -> Box | None:
    """Return where a box lies after its image has been turned.

    `size` is the size of the image before the turn; the box begins at its top left corner.
    """
    if box is None:
        return None
    (width, height), (_, _, right, bottom) = size, box
    horizontal = (width - right, width) if orientation in (2, 3, 7, 8) else (0, right)
    vertical = (height - bottom, height) if orientation in (3, 4, 6, 7) else (0, bottom)
    if orientation >= 5:  # rows become columns
        horizontal, vertical = vertical, horizontal
    return horizontal[0], vertical[0], horizontal[1], vertical[1]


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale pixels to 8 bits: floats by their own range, integers by the range of their mode."""
    import numpy as np  # noqa: PLC0415  a tenth of a second, which 8-bit images do not need

    pixels = np.asarray(image, dtype=np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pixels = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    if image.mode != "F":
        low, high = 0.0, 65535.0 if image.mode != "I" or high > 255 else 255.0
    scaled = (pixels - low) * (255.0 / ((high - low) or 1.0))
    return Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))
