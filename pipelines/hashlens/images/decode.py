"""Decode images: from a file, bytes, array or open image to pixels, or an ImageError."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import jpeg_factory

from hashlens.errors import ImageError
from hashlens.images.formats import START, add_reader
from hashlens.images.jpeg_draft import JPEG_START, decode_draft, may_have_metadata
from hashlens.images.pixels import MAX_PIXELS, Draft, Pixels
from hashlens.images.upright import TURNS, on_white, orientation_of, turned_box

if TYPE_CHECKING:
    import numpy as np
    from PIL.TiffImagePlugin import TiffImageFile

    from hashlens.images.pixels import Source

THUMBNAIL_SIDE = 160  # pixels, of the longer side


def decode(
    source: Source, *, name: str | None = None, draft: Draft | None = None, upright: bool = True
) -> Pixels:
    """Decode a path, bytes, file object, numpy array or PIL image.

    With a draft, a JPEG is decoded in the draft's mode, at the smallest of an eighth, a quarter or
    half of its size that the draft allows; nearly all of the time is then Huffman decoding. With
    `upright`, pixels are turned and put on white (see `hashlens.images.upright`). Raises
    ImageError, with the name and the reason, for a source that is missing, empty, truncated, too
    large or not an image.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or os.fspath(source)
        source = read(source)
    quick = None
    if draft and isinstance(source, bytes) and source.startswith(JPEG_START):
        quick = decode_draft(source, draft)
        if quick and not may_have_metadata(source):
            return quick
    image, name = opened(source, name)
    size, kind = image.size, image.format
    if quick and quick.size == size:
        orientation = orientation_of(image) if upright else 1
        image, box = quick.image, quick.box
    else:
        # A draft would change the caller's own image. Only JPEG has drafts; others return None.
        own = draft if image is not source else None
        reduced = image.draft(own[0], (own[1], own[1])) if own else None
        box = reduced[1] if reduced else None
        image = loaded(image, name)
        orientation = orientation_of(image) if upright else 1
    if orientation != 1:
        box = turned_box(orientation, image.size, box)
        image = image.transpose(TURNS[orientation])
        size = size if orientation < 5 else (size[1], size[0])
    shown = on_white(image) if upright else image
    # Of an MPO, the decoder has seen the first picture only.
    return Pixels(shown, box, size, kind, is_sound=quick is not None and kind == "JPEG")


def open_image(source: Source, *, name: str | None = None) -> Image.Image:
    """Open an image and load all its pixels, as they are in the file.

    Takes the sources of `decode`, and raises the same errors. Of an animation, it loads the first
    frame.
    """
    return loaded(*opened(source, name))


def read(path: str | os.PathLike[str]) -> bytes:
    """Read a whole file; raises ImageError if it is empty or cannot be read."""
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


def opened(source: Source, name: str | None) -> tuple[Image.Image, str]:
    """Read the header of an image; return the image and its name."""
    if isinstance(source, (str, os.PathLike)):
        return opened(read(source), name or os.fspath(source))
    if isinstance(source, Image.Image):
        image, name = source, name or f"{source.mode} image"
    else:
        name = name or f"{type(source).__name__} object"
        image = _identify(source, name)
    return image, name


def loaded(image: Image.Image, name: str) -> Image.Image:
    """Return the image with its pixels decoded; raises ImageError if they cannot be."""
    if not 0 < image.width * image.height <= MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ImageError(name, f"its size is {size}: 1 to {MAX_PIXELS:,} pixels can be read")
    try:
        image.load()
    except Exception as error:
        # Decoders meet hostile bytes: besides OSError they raise SyntaxError, ValueError,
        # struct.error, zlib.error and more. One bad file must never end a run.
        raise ImageError(name, f"cannot be decoded: {_cause(error)}") from error
    return image


def _identify(source: bytes | IO[bytes] | np.ndarray, name: str) -> Image.Image:
    """Find the format of an image and read its header; raises ImageError."""
    try:
        if isinstance(source, bytes) and source.startswith(JPEG_START):
            # Image.open would do the same, after importing the other common formats.
            image = jpeg_factory(BytesIO(source))
            image.decodermaxblock = len(source)  # read in one piece: it is in memory already
            return image
        with warnings.catch_warnings():
            # Pillow warns above its limit, and refuses above twice the limit; ours is the latter.
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
    except SyntaxError as error:  # Pillow's readers raise it for a damaged header
        raise ImageError(name, "cannot be read as an image: its header is damaged") from error
    except Image.DecompressionBombError as error:
        raise ImageError(name, f"too many pixels: {_cause(error)}") from error
    except Exception as error:
        raise ImageError(name, f"cannot be read as an image: {_cause(error)}") from error


def _open(file: IO[bytes], name: str) -> Image.Image:
    """Open a file with Pillow; if it knows none, register the package that reads the format."""
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        file.seek(0)
        missing = add_reader(file.read(START))
        file.seek(0)
        if missing is None:
            return Image.open(file)
        reason = missing or "not an image in a format that Pillow can read"
        raise ImageError(name, reason) from error
    if image.format == "TIFF":
        from hashlens.images.previews import preview  # noqa: PLC0415  loads Pillow's reader

        reason = preview(cast("TiffImageFile", image))
        if reason:
            raise ImageError(name, f"{reason}: index its JPEG, or the file after conversion")
    return image


def _from_array(source: Any) -> Image.Image:
    """Return the image of an array; raises ValueError for other objects, types and shapes."""
    shape, kind = getattr(source, "shape", None), str(getattr(source, "dtype", ""))
    if shape is None:
        msg = "expected a path, bytes, a file object, an array or a PIL image"
        raise ValueError(msg)
    if len(shape) == 3 and shape[2] == 1:
        source = source[:, :, 0]
    if kind not in ("uint8", "bool") or not (len(source.shape) == 2 or shape[2] in (3, 4)):
        # Pillow would clip the values of other types, and their hash would mean nothing.
        msg = f"expected an array of uint8, (h, w), (h, w, 3) or (h, w, 4), not {kind} {shape}"
        raise ValueError(msg)
    return Image.fromarray(source)


def _cause(error: Exception) -> str:
    """Return the text of an error, without the path that OSError adds."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).rstrip(".")


def thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a JPEG of an upright image whose longer side has at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    output = BytesIO()
    small.save(output, "JPEG", quality=80)
    return output.getvalue()


def versions() -> dict[str, str]:
    """Return the versions of the decoders: Pillow, and its libjpeg or libjpeg-turbo."""
    from PIL import __version__, features  # noqa: PLC0415

    turbo = features.version_feature("libjpeg_turbo")
    jpeg = f"turbo-{turbo}" if turbo else str(features.version_codec("jpg"))
    return {"pillow": __version__, "libjpeg": jpeg}
