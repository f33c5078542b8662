"""Find the files below some paths. A directory that cannot be read is a value, not a crash."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hashlens.model import ParameterError, Skipped

# What cameras, phones, scanners and the web write. Files with these names are opened; one that
# this installation of Pillow cannot read is skipped with that reason, never passed over.
EXTENSIONS = frozenset(
    [
        ".apng",
        ".avif",
        ".avifs",
        ".bmp",
        ".dds",
        ".dib",
        ".gif",
        ".heic",
        ".heif",
        ".ico",
        ".j2c",
        ".j2k",
        ".jfif",
        ".jp2",
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpf",
        ".jpg",
        ".jpx",
        ".jxl",
        ".mpo",
        ".pbm",
        ".pcx",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".psd",
        ".qoi",
        ".ras",
        ".rgb",
        ".sgi",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
UNREADABLE = "directory cannot be read"


def find_images(
    paths: Iterable[str | os.PathLike[str]], *, apart_from: Path | None = None
) -> Iterator[Path | Skipped | None]:
    """Find the images below some paths; None stands for a file whose name is no image's.

    A file that is named itself is taken whatever its extension. What lies in the directory
    `apart_from`, the index's own, is passed over.
    """
    roots = [os.path.abspath(path) for path in paths]
    named = {Path(root) for root in roots if not os.path.isdir(root)}
    for found in walk(roots):
        if apart_from and isinstance(found, Path) and apart_from in found.parents:
            continue
        known = isinstance(found, Skipped) or found in named or is_image_name(found)
        yield found if known else None


def walk(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path | Skipped]:
    """Find the files below some paths, sorted, each once; directories that cannot be read skip.

    A file given by name is found whatever its extension; in a directory every file is, so that
    the caller can count what it leaves out. Links to directories are followed, after the real
    ones, and a directory that was visited already is skipped. Raises ParameterError for a path
    that does not exist, before anything is found.
    """
    given = list(paths)
    if "" in given:
        msg = "an empty path names no file or directory"
        raise ParameterError(msg)
    roots = [Path(os.path.abspath(path)) for path in given]
    for root in roots:
        if not os.path.lexists(root):
            msg = f"no such file or directory: {root}"
            raise ParameterError(msg)
    return _walk(roots)


def _walk(roots: list[Path]) -> Iterator[Path | Skipped]:
    found: set[Path | Skipped] = set()
    visited: dict[tuple[int, int], Path] = {}
    pending = list(roots)
    for root in pending:  # grows by the links to directories that are met
        for entry in _descend(root, visited, pending) if root.is_dir() else [root]:
            if entry not in found:
                found.add(entry)
                yield entry


def _descend(
    root: Path, visited: dict[tuple[int, int], Path], links: list[Path]
) -> Iterator[Path | Skipped]:
    """Find the files of a folder, then those of the folders in it; note links to folders."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(str(folder), f"{UNREADABLE}: {error.strerror or error}")
            continue
        first = visited.setdefault((status.st_dev, status.st_ino), folder)
        if first != folder:
            yield Skipped(str(folder), f"directory was visited already, as {first}")
            continue
        below = []
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                below.append(path)
            elif entry.is_dir():
                links.append(path)
            elif entry.is_file() or not path.exists():  # a dead link is told of, a pipe not read
                yield path
        pending += reversed(below)


def is_unreadable(skipped: Skipped) -> bool:
    """Tell whether this is a directory of which nobody knows what it holds."""
    return skipped.reason.startswith(UNREADABLE)


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file's extension is one that images have."""
    return os.path.splitext(path)[1].lower() in EXTENSIONS
