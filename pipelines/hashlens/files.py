"""From files to pixels: open images, digest them, turn them as a person sees them."""

from __future__ import annotations

import hashlib
import os
import warnings
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from hashlens.model import ImageError

if TYPE_CHECKING:
    import numpy as np

    Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image

# Twice Pillow's own limit, where it stops warning and refuses: about 179 megapixels.
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
THUMBNAIL_SIDE = 160
WIDE_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def open_image(source: Source, *, name: str | None = None) -> Image.Image:
    """Open a path, bytes, file object, numpy array or PIL image, and load all its pixels.

    The first frame of an animation is taken. Raises ImageError, with the name and the reason,
    for what is missing, empty, truncated, too large or no image.
    """
    if isinstance(source, Image.Image):
        name, opened = name or f"{source.mode} image", source
    elif isinstance(source, (str, os.PathLike)):
        return open_image(read(source), name=name or os.fspath(source))
    else:
        name = name or f"{type(source).__name__} object"
        opened = _identify(source, name)
    if not 0 < opened.width * opened.height <= MAX_PIXELS:
        size = f"{opened.width} x {opened.height}"
        raise ImageError(name, f"its size is {size}: 1 to {MAX_PIXELS:,} pixels can be read")
    try:
        opened.load()
    except Exception as error:
        # Decoders meet hostile bytes: besides OSError they raise SyntaxError, ValueError,
        # struct.error, zlib.error and more, and one bad file must never end a run.
        raise ImageError(name, f"cannot be decoded: {_cause(error)}") from error
    return opened


def read(path: str | os.PathLike[str]) -> bytes:
    """Read a file whole; raises ImageError where that fails or it is empty."""
    if not os.fspath(path):
        raise ImageError(repr(path), "an empty path names no file")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(os.fspath(path), _cause(error)) from error
    if not data:
        raise ImageError(os.fspath(path), "empty file")
    return data


def _identify(source: bytes | IO[bytes] | np.ndarray, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Between one and two times Pillow's limit it warns; our bound is the upper one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if isinstance(source, (bytes, bytearray, memoryview)):
                if not len(source):
                    raise ImageError(name, "empty")
                return Image.open(BytesIO(source))
            if hasattr(source, "read"):
                return Image.open(cast("IO[bytes]", source))
            return _from_array(source)
    except UnidentifiedImageError as error:
        raise ImageError(name, "not an image in a format that Pillow can read") from error
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(name, f"too many pixels: {_cause(error)}") from error
    except Exception as error:
        raise ImageError(name, f"cannot be read as an image: {_cause(error)}") from error


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


def upright(image: Image.Image) -> Image.Image:
    """Return what a person sees: turned as EXIF says, on white, in 8 bits.

    16-bit and float pixels are scaled to 8 bits (Pillow's own conversion clips them), and
    transparency is composited on white. An image that needs none of this is returned as it is.
    """
    image = _turned(image)
    if image.mode in WIDE_BIT_MODES:
        return _eight_bit(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image


def _turned(image: Image.Image) -> Image.Image:
    try:
        if image.getexif().get(Base.Orientation, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  damaged EXIF is no reason to lose the pixels
        return image


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


def file_digest(source: str | os.PathLike[str] | bytes) -> str:
    """Return the SHA-256 of a file, or of its bytes, in hex: equal for exact copies.

    Raises ImageError for a file that cannot be read or is empty.
    """
    return hashlib.sha256(source if isinstance(source, bytes) else read(source)).hexdigest()


def pixel_digest(source: Source) -> str:
    """Return the SHA-256 of the decoded pixels, in hex: equal where only metadata differs.

    Pixels are turned as EXIF says; grey, palette and other 8-bit modes count as RGB, a channel
    of transparency only where something shows through. The size is part of the digest. Raises
    ImageError for what is no image.
    """
    image = _turned(open_image(source))
    if image.mode not in (*WIDE_BIT_MODES, "RGB"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a small JPEG of an upright image, its longer side at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    output = BytesIO()
    small.save(output, "JPEG", quality=80)
    return output.getvalue()
