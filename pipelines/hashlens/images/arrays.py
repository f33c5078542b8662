"""Decode files to arrays of pixels, small, upright and in RGB, without an image in between."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from hashlens.images.decode import decode, opened, read
from hashlens.images.frames import Frames
from hashlens.images.jpeg_draft import JPEG_START, draw_draft, may_have_metadata, use_simplejpeg
from hashlens.images.upright import on_white, orientation_of

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
PARTS = 32  # of each side, in which it is known how opaque a picture is


class Decoded(NamedTuple):
    """A picture as an array.

    pixels: of shape (height, width, 3).
    size: width and height at full size.
    frames: how many the file has; the pixels are those of the first.
    opacity: of PARTS x PARTS parts of the picture, 255 where nothing shows through; None if it has
        no transparency.
    is_draft: whether the pixels were reduced to those asked for, so that there may be more.
    """

    pixels: Bytes
    size: tuple[int, int]
    frames: int = 1
    opacity: Bytes | None = None
    is_draft: bool = False


def decode_array(
    source: Source, side: int, *, most: int | None = None, upright: bool = True
) -> Decoded:
    """Return the first picture of a source.

    The shorter side has at least `side` pixels, if the picture has them; JPEGs are decoded with
    few more. Others are reduced while they have at least `most` pixels. With `upright`, pixels are
    turned by EXIF. They are put on white. Raises ImageError for a file that cannot be read.
    """
    use_simplejpeg()
    if isinstance(source, (str, os.PathLike)):
        name, source = os.fspath(source), read(source)
    else:
        name = None
    if isinstance(source, bytes) and source.startswith(JPEG_START):
        return _decode_jpeg(source, side, name, upright=upright)
    frames = Frames(source, name=name)
    image = frames.load(0)
    orientation = orientation_of(image) if upright else 1
    opacity = _opacity(image)
    pixels = turned_array(_reduced(on_white(image), most), orientation)
    if opacity is not None:
        opacity = turned_array(opacity, orientation)
    return Decoded(pixels, turned_size(image.size, orientation), len(frames), opacity)


def turned_array(pixels: Bytes, orientation: int) -> Bytes:
    """Return pixels turned as an EXIF orientation asks for."""
    if orientation == 1:
        return pixels
    flipped = pixels[FLIPS[orientation]]
    return np.ascontiguousarray(flipped.swapaxes(0, 1) if orientation >= 5 else flipped)


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return a width and a height as they are after a turn."""
    return size[::-1] if orientation >= 5 else size


def _reduced(image: Image, most: int | None) -> Bytes:
    """Return the pixels of an image, reduced by a whole number while they are at least `most`."""
    image = image if image.mode == "RGB" else image.convert("RGB")
    share = int((image.width * image.height / most) ** 0.5) if most else 1
    return np.asarray(image.reduce(share) if share > 1 else image)


def _opacity(image: Image) -> Bytes | None:
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return np.asarray(alpha.resize((PARTS, PARTS), Resampling.BOX))


def _decode_jpeg(data: bytes, side: int, name: str | None, *, upright: bool) -> Decoded:
    drawn = draw_draft(data, ("RGB", side))
    frames, orientation = 1, 1
    if may_have_metadata(data):
        image, _ = opened(data, name)
        if image.format == "MPO":
            frames = len(Frames(data, name=name))
        if drawn and image.size != drawn.size:
            drawn = None
        orientation = orientation_of(image) if upright else 1
    if drawn is None:
        return _decoded_by_pillow(data, side, name, frames, upright=upright)
    pixels = drawn.pixels if drawn.pixels.ndim == 3 else np.dstack([drawn.pixels] * 3)
    width, height = (max(1, round(length / drawn.scale)) for length in drawn.size)
    pixels = turned_array(pixels[:height, :width], orientation)
    size = turned_size(drawn.size, orientation)
    return Decoded(pixels, size, frames, is_draft=drawn.scale > 1)


def _decoded_by_pillow(
    data: bytes, side: int, name: str | None, frames: int, *, upright: bool
) -> Decoded:
    decoded = decode(data, name=name, draft=("RGB", side), upright=upright)
    image = decoded.image
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if decoded.box:
        left, top, right, bottom = decoded.box
        pixels = pixels[int(top) : round(bottom), int(left) : round(right)]
    return Decoded(pixels, decoded.size, frames, is_draft=image.size != decoded.size)
