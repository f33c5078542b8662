"""Decode files to arrays of pixels, small, upright and in RGB, without an image in between."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hashlens.images.decode import decode, opened, read
from hashlens.images.jpeg_draft import JPEG_START, draw_draft, may_have_metadata, use_simplejpeg
from hashlens.images.upright import orientation_of

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Bytes = NDArray[Any]  # of uint8

# What each orientation does with rows and columns, before they change places from 5 on.
FLIPS = {
    **dict.fromkeys((1, 5), np.s_[:, :]),
    **dict.fromkeys((4, 6), np.s_[::-1, :]),
    **dict.fromkeys((3, 7), np.s_[::-1, ::-1]),
    **dict.fromkeys((2, 8), np.s_[:, ::-1]),
}


def decode_array(source: Source, side: int) -> tuple[Bytes, tuple[int, int]]:
    """Return a picture in RGB, and its width and height at full size.

    The shorter side has at least `side` pixels, if the picture has them. Raises ImageError for a
    file that cannot be read.
    """
    use_simplejpeg()
    if isinstance(source, (str, os.PathLike)):
        name, source = os.fspath(source), read(source)
    else:
        name = None
    if isinstance(source, bytes) and source.startswith(JPEG_START):
        found = _decode_jpeg(source, side, name)
        if found:
            return found
    decoded = decode(source, name=name, draft=("RGB", side))
    image = decoded.image
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if decoded.box:
        left, top, right, bottom = decoded.box
        pixels = pixels[int(top) : round(bottom), int(left) : round(right)]
    return pixels, decoded.size


def turned_array(pixels: Bytes, orientation: int) -> Bytes:
    """Return pixels turned as an EXIF orientation asks for."""
    if orientation == 1:
        return pixels
    flipped = pixels[FLIPS[orientation]]
    return np.ascontiguousarray(flipped.swapaxes(0, 1) if orientation >= 5 else flipped)


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return a width and a height as they are after a turn."""
    return size[::-1] if orientation >= 5 else size


def _decode_jpeg(data: bytes, side: int, name: str | None) -> tuple[Bytes, tuple[int, int]] | None:
    """Decode a JPEG; None for one that Pillow has to decode or refuse."""
    drawn = draw_draft(data, ("RGB", side))
    if drawn is None:
        return None
    orientation = 1
    if may_have_metadata(data):
        image, _ = opened(data, name)
        if image.size != drawn.size:
            return None
        orientation = orientation_of(image)
    pixels = drawn.pixels if drawn.pixels.ndim == 3 else np.dstack([drawn.pixels] * 3)
    width, height = (max(1, round(length / drawn.scale)) for length in drawn.size)
    pixels = turned_array(pixels[:height, :width], orientation)
    return pixels, turned_size(drawn.size, orientation)
