"""Read the pictures that a person decides on: their digests, and whether they are sound."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

from hashlens.errors import ImageError, ParameterError
from hashlens.images import decode, digests, jpeg_draft
from hashlens.images.damage import damage
from hashlens.names import text_of

DIGEST = re.compile("[0-9a-f]{64}")


def pictures_of(files: Sequence[str]) -> list[tuple[str, str, tuple[int, int], str]]:
    """Return pixel digest, path, size and file digest of one image or two, sorted."""
    paths = [os.path.abspath(path) for path in files]
    if len(set(paths)) < len(paths):
        msg = f"a decision is on two images, and both are {paths[0]}"
        raise ParameterError(msg)
    read = []
    for path in paths:
        data = decode.read(path)
        size = decode.decode(data, name=path).size
        read.append((digests.pixel_digest(data), text_of(path), size, digests.file_digest(data)))
    return sorted(read)


def require_sound(path: str) -> None:
    """Raise ParameterError for a file that is damaged, as the index tells."""
    jpeg_draft.use_simplejpeg()  # only with it, damage of a JPEG is seen
    data = decode.read(path)
    wrong = damage(data, decode.decode(data, name=path).format)
    if wrong:
        msg = (
            f"{os.path.abspath(path)} is damaged ({wrong}), so it is not decided as keeper: decide "
            "on a sound copy, or decide of the two, by keep-both, that both stay"
        )
        raise ParameterError(msg)


def picture_digest(image: str | os.PathLike[str]) -> str:
    """Return the digest of the pixels of a file, or a digest as it is if no file has its name."""
    name = os.fspath(image)
    is_digest = DIGEST.fullmatch(name) and not os.path.exists(name)
    return name if is_digest else digests.pixel_digest(name)


def read_digest(item: tuple[str, Sequence[str]]) -> str | None:
    """Return the pixel digest of a file, given its file digest and its paths when indexed.

    None if no path leads to the file any more, or if it cannot be decoded.
    """
    file, paths = item
    for path in paths:
        with suppress(ImageError):
            data = decode.read(path)
            if digests.file_digest(data) == file:
                return digests.pixel_digest(data)
    return None
