"""TIFF files whose first picture is only a preview of the whole one: DNG, NEF, pyramids."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from PIL.TiffImagePlugin import (
    IMAGELENGTH,
    IMAGEWIDTH,
    SUBIFD,
    ImageFileDirectory_v2,
    TiffImageFile,
)

SUBFILE_TYPE = 254  # bit 0: a reduced picture of another one in the file (TIFF 6.0, page 36)
OLD_SUBFILE_TYPE = 255  # 2: the same (page 40)
BIG = 43  # of a BigTIFF, at byte 2
CANON = b"CR"  # at byte 8 of a CR2, which is a TIFF up to there
MOST = 16  # directories that are looked at


def preview(image: TiffImageFile) -> str:
    """Return why the first picture of a file is not the whole one; "" if nothing says so."""
    tags = image.tag_v2
    width, height = image.size
    seen = f"its first picture, {width} x {height}, is a preview"
    for across, down in _sub_pictures(image):
        if across * down > width * height:
            return f"{seen} of one of {across} x {down}, which Pillow does not read"
    is_reduced = tags.get(SUBFILE_TYPE, 0) & 1 or tags.get(OLD_SUBFILE_TYPE) == 2
    # Of a BigTIFF, Pillow does not see the directories below the first one.
    is_alone = SUBIFD not in tags and _start(image)[2] != BIG and image.n_frames == 1
    if is_reduced and not is_alone:
        return f"{seen} of another one in the file"
    if _start(image)[8:10] == CANON:
        return f"{seen} of a RAW picture, which Pillow does not read"
    return ""


def _sub_pictures(image: TiffImageFile) -> list[tuple[int, int]]:
    """Return the sizes of pictures in directories below the first one."""
    offsets = image.tag_v2.get(SUBIFD, ())
    found = []
    for offset in (offsets if isinstance(offsets, tuple) else (offsets,))[:MOST]:
        with suppress(Exception):  # of a damaged directory nothing is known
            start = _start(image)
            directory = ImageFileDirectory_v2(start if start[2] == BIG else start[:8])
            _file(image).seek(offset)
            directory.load(_file(image))
            found.append((int(directory[IMAGEWIDTH]), int(directory[IMAGELENGTH])))
    return found


def _start(image: TiffImageFile) -> bytes:
    _file(image).seek(0)
    start: bytes = _file(image).read(16)
    return start


def _file(image: Any) -> Any:
    return image._fp  # Pillow reads all its pictures from it
