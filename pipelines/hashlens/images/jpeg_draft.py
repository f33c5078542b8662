"""Decode JPEG drafts with simplejpeg, if it is installed: the pixels are Pillow's, a tenth sooner.

simplejpeg imports numpy. So it is used only after `use_simplejpeg` was called: a process with few
files is done sooner without numpy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from PIL import Image

from hashlens.images.pixels import MAX_PIXELS, Draft, Pixels

JPEG_START = b"\xff\xd8\xff"

_simplejpeg: Any = None  # the module; None: not asked for, False: asked for and not installed


def use_simplejpeg() -> bool:
    """Decode drafts with simplejpeg from now on; return whether it is installed."""
    global _simplejpeg
    if _simplejpeg is None:
        try:
            import simplejpeg  # noqa: PLC0415  an extra, which imports numpy
        except ImportError:
            simplejpeg = False
        _simplejpeg = simplejpeg
    return bool(_simplejpeg)


class Drawn(NamedTuple):
    """A draft as an array.

    pixels: of shape (height, width, 3), or (height, width) of a grey JPEG.
    size: width and height at full size.
    scale: by which both were reduced, and rounded up.
    """

    pixels: Any
    size: tuple[int, int]
    scale: int


def draw_draft(data: bytes, draft: Draft) -> Drawn | None:
    """Decode the draft of a JPEG as it is in the file: not turned as its metadata say.

    Return None for all that Pillow has to decode or refuse.
    """
    if not _simplejpeg:
        return None
    try:
        height, width, space, _ = _simplejpeg.decode_jpeg_header(data)
        mode = {"Gray": "L", "YCbCr": draft[0]}.get(space)
        if mode is None or width * height > MAX_PIXELS:
            return None
        reduction = min(width, height) // draft[1]
        scale = next((scale for scale in (8, 4, 2) if reduction >= scale), 1)
        size = -(-height // scale), -(-width // scale)
        pixels = _simplejpeg.decode_jpeg(data, "GRAY" if mode == "L" else mode, False, False, *size)
    except ValueError:
        return None  # simplejpeg is strict: a warning of the decoder is an error
    if pixels.shape[:2] != size:
        return None
    return Drawn(pixels[:, :, 0] if mode == "L" else pixels, (width, height), scale)


def decode_draft(data: bytes, draft: Draft) -> Pixels | None:
    """Decode the draft of a JPEG as `draw_draft` does, to an image."""
    drawn = draw_draft(data, draft)
    if drawn is None:
        return None
    width, height = drawn.size
    box = (0, 0, width / drawn.scale, height / drawn.scale)
    return Pixels(Image.fromarray(drawn.pixels), box, drawn.size, "JPEG", is_sound=True)


def warning(data: bytes) -> str:
    """Return what libjpeg says of a JPEG whose bytes are wrong; "" without simplejpeg."""
    if not _simplejpeg:
        return ""
    try:
        height, width, *_ = _simplejpeg.decode_jpeg_header(data)
        size = -(-height // 8), -(-width // 8)
        _simplejpeg.decode_jpeg(data, "GRAY", False, False, *size)
    except ValueError as error:
        text = str(error)
        return text if text.startswith(("Corrupt", "Premature")) else ""
    return ""


def start_of_pixels(data: bytes) -> int:
    """Return where the pixels of a JPEG begin, after its headers."""
    position = 2
    while data[position : position + 1] == b"\xff":
        if data[position + 1 : position + 2] == b"\xda":
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position


def may_have_metadata(data: bytes) -> bool:
    """Return whether a JPEG may have EXIF or XMP, and so an orientation, or further pictures."""
    position = 2
    while data[position : position + 1] == b"\xff":
        marker = data[position + 1 : position + 2]
        if marker == b"\xda":  # the pixels begin
            return False
        if marker == b"\xe1" or data[position + 4 : position + 8] == b"MPF\0":
            return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return True
