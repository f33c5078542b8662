"""From files to pixels: open images, digest them, turn them as a person sees them."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import jpeg_factory

from hashlens.errors import ImageError
from hashlens.images.formats import add_reader
from hashlens.images.pixels import MAX_PIXELS, Box, Draft, Pixels
from hashlens.images.upright import TURNS, orientation_of, turned_box, without_alpha

if TYPE_CHECKING:
    import numpy as np

    from hashlens.images.pixels import Source

THUMBNAIL_SIDE = 160
JPEG_START = b"\xff\xd8\xff"


def decode(
    source: Source, *, name: str | None = None, draft: Draft | None = None, seen: bool = True
) -> Pixels:
    """Decode a path, bytes, file object, numpy array or PIL image.

    With a draft, a JPEG is decoded in the mode and at an eighth, a quarter or half of its size,
    the smallest that the draft allows: Huffman decoding is then nearly all of the work. With
    `seen`, the pixels are those that a person sees (see `upright`). Raises ImageError, with the
    name and the reason, for what is missing, empty, truncated, too large or no image.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or os.fspath(source)
        source = read(source)
    if draft and _simplejpeg and isinstance(source, bytes):
        pixels = _quick(source, draft)
        if pixels:
            return pixels
    image, name = _opened(source, name)
    size, kind = image.size, image.format
    # A draft would change the caller's image; other formats than JPEG know of none.
    reduced = image.draft(draft[0], (draft[1], draft[1])) if draft and image is not source else None
    box: Box | None = reduced[1] if reduced else None
    image = _loaded(image, name)
    turn = orientation_of(image) if seen else 1
    if turn != 1:
        box = turned_box(turn, image.size, box)
        image = image.transpose(TURNS[turn])
        size = size if turn < 5 else (size[1], size[0])
    return Pixels(without_alpha(image) if seen else image, box, size, kind)


def open_image(source: Source, *, name: str | None = None) -> Image.Image:
    """Open an image and load all its pixels, as they are in the file.

    Takes what `decode` takes, and raises as that does. The first frame of an animation is taken.
    """
    return _loaded(*_opened(source, name))


def read(path: str | os.PathLike[str]) -> bytes:
    """Read a file whole; raises ImageError where that fails or it is empty."""
    if not os.fspath(path):
        raise ImageError(repr(path), "an empty path names no file")
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.readall()
    except OSError as error:
        raise ImageError(os.fspath(path), _cause(error)) from error
    if not data:
        raise ImageError(os.fspath(path), "empty file")
    return data


def use_simplejpeg() -> bool:
    """Decode JPEG drafts with simplejpeg from now on, if it is installed; tell whether it is.

    It gives Pillow's pixels a tenth sooner, and brings numpy in.
    """
    global _simplejpeg
    if _simplejpeg is None:
        try:
            import simplejpeg  # noqa: PLC0415
        except ImportError:
            simplejpeg = False
        _simplejpeg = simplejpeg
    return bool(_simplejpeg)


_simplejpeg: Any = None  # not asked for; False: not installed, which is not tried for every file


def _opened(source: Source, name: str | None) -> tuple[Image.Image, str]:
    """Read the header of an image; return it with its name."""
    if isinstance(source, (str, os.PathLike)):
        return _opened(read(source), name or os.fspath(source))
    if isinstance(source, Image.Image):
        image, name = source, name or f"{source.mode} image"
    else:
        name = name or f"{type(source).__name__} object"
        image = _identify(source, name)
    if not 0 < image.width * image.height <= MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ImageError(name, f"its size is {size}: 1 to {MAX_PIXELS:,} pixels can be read")
    return image, name


def _loaded(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
    except Exception as error:
        # Decoders meet hostile bytes: besides OSError they raise SyntaxError, ValueError,
        # struct.error, zlib.error and more, and one bad file must never end a run.
        raise ImageError(name, f"cannot be decoded: {_cause(error)}") from error
    return image


def _quick(data: bytes, draft: Draft) -> Pixels | None:
    """Decode the draft of a plain JPEG with simplejpeg; Pillow decodes, or refuses, all others."""
    if not data.startswith(JPEG_START) or _has_metadata(data):
        return None
    try:
        height, width, space, _ = _simplejpeg.decode_jpeg_header(data)
        mode = {"Gray": "L", "YCbCr": draft[0]}.get(space)
        if mode is None or width * height > MAX_PIXELS:
            return None
        reduced = min(width, height) // draft[1]
        scale = next((scale for scale in (8, 4, 2) if reduced >= scale), 1)
        size = -(-height // scale), -(-width // scale)
        pixels = _simplejpeg.decode_jpeg(data, "GRAY" if mode == "L" else mode, False, False, *size)
    except ValueError:
        return None  # it is strict: a warning of the decoder is an error
    if pixels.shape[:2] != size:
        return None
    image = Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels)
    return Pixels(image, (0, 0, width / scale, height / scale), (width, height), "JPEG")


def _has_metadata(data: bytes) -> bool:
    """Tell whether a JPEG may have EXIF or XMP, and so an orientation, or further pictures."""
    position = 2
    while data[position : position + 1] == b"\xff":
        marker = data[position + 1 : position + 2]
        if marker == b"\xda":  # the pixels
            return False
        if marker == b"\xe1" or data[position + 4 : position + 8] == b"MPF\0":
            return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return True


def _identify(source: bytes | IO[bytes] | np.ndarray, name: str) -> Image.Image:
    try:
        if isinstance(source, bytes) and source.startswith(JPEG_START):
            # What Image.open would come to, when it has imported the other common formats.
            image = jpeg_factory(BytesIO(source))
            image.decodermaxblock = len(source)  # in one piece, as it is in memory already
            return image
        with warnings.catch_warnings():
            # Between one and two times Pillow's limit it warns; our bound is the upper one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if isinstance(source, (bytearray, memoryview)):
                source = bytes(source)
            if isinstance(source, bytes):
                if not source:
                    raise ImageError(name, "empty")
                return _open(BytesIO(source), name)
            if hasattr(source, "read"):
                return _open(cast("IO[bytes]", source), name)
            return _from_array(source)
    except ImageError:
        raise
    except SyntaxError as error:  # what Pillow's readers say of a header
        raise ImageError(name, "cannot be read as an image: its header is damaged") from error
    except Image.DecompressionBombError as error:
        raise ImageError(name, f"too many pixels: {_cause(error)}") from error
    except Exception as error:
        raise ImageError(name, f"cannot be read as an image: {_cause(error)}") from error


def _open(file: IO[bytes], name: str) -> Image.Image:
    try:
        return Image.open(file)
    except UnidentifiedImageError as error:
        file.seek(0)
        missing = add_reader(file.read(16))
        file.seek(0)
        if missing is None:
            return Image.open(file)
        reason = missing or "not an image in a format that Pillow can read"
        raise ImageError(name, reason) from error


def _from_array(source: Any) -> Image.Image:
    shape, kind = getattr(source, "shape", None), str(getattr(source, "dtype", ""))
    if shape is None:
        msg = "expected a path, bytes, a file object, an array or a PIL image"
        raise ValueError(msg)
    if len(shape) == 3 and shape[2] == 1:
        source = source[:, :, 0]
    if kind not in ("uint8", "bool") or not (len(source.shape) == 2 or shape[2] in (3, 4)):
        # Pillow would clip the values of other kinds, and the hash would mean nothing.
        msg = f"expected an array of uint8, (h, w), (h, w, 3) or (h, w, 4), not {kind} {shape}"
        raise ValueError(msg)
    return Image.fromarray(source)


def _cause(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).rstrip(".")


def thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a small JPEG of an upright image, its longer side at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    output = BytesIO()
    small.save(output, "JPEG", quality=80)
    return output.getvalue()


def versions() -> dict[str, str]:
    """Return the versions of what decodes: Pillow, and libjpeg or libjpeg-turbo in it."""
    from PIL import __version__, features  # noqa: PLC0415

    turbo = features.version_feature("libjpeg_turbo")
    jpeg = f"turbo-{turbo}" if turbo else str(features.version_codec("jpg"))
    return {"pillow": __version__, "libjpeg": jpeg}
