"""Exact hashes of a picture: of the file's bytes, and of the decoded pixels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hashlens.images.decode import read
from hashlens.images.frames import Frames
from hashlens.images.upright import WIDE_BIT_MODES, turned

if TYPE_CHECKING:
    import hashlib

    from PIL import Image

    from hashlens.images.pixels import Source


def file_digest(source: str | os.PathLike[str] | bytes) -> str:
    """Return the SHA-256 of a file, or of its bytes, in hex: equal for exact copies.

    Raises ImageError for a file that cannot be read or is empty.
    """
    return _sha256(source if isinstance(source, bytes) else read(source)).hexdigest()


def pixel_digest(source: Source) -> str:
    """Return the SHA-256 of the decoded pixels, in hex: equal for files that differ in metadata.

    All frames count: pictures of an animation, pages, layers. Pixels are turned by their EXIF
    orientation. Grey, palette and other 8-bit modes count as RGB; a channel of transparency counts
    only if it lets something show through. The size is part of the digest. Raises ImageError for a
    source that is not an image, or has a frame that cannot be read.
    """
    frames = Frames(source)
    first = _digest(frames.load(0))
    if len(frames) == 1:
        return first.hexdigest()
    whole = _sha256(f"{len(frames)} frames\n".encode() + first.digest())
    for number in range(1, len(frames)):
        whole.update(_digest(frames.load(number)).digest())
    return whole.hexdigest()


def _digest(frame: Image.Image) -> hashlib._Hash:
    """Return the SHA-256 of the pixels of a frame."""
    image = turned(frame)
    if image.mode not in (*WIDE_BIT_MODES, "RGB"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    digest = _sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest


def _sha256(data: bytes) -> hashlib._Hash:
    import hashlib  # noqa: PLC0415  loads OpenSSL, which perceptual hashes do not need

    return hashlib.sha256(data)
