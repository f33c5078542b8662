"""Find the files below some paths. A directory that cannot be read is a value, not a crash.

Paths are plain strings here: a million of them fit into little memory.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator

from hashlens.errors import ParameterError
from hashlens.images.formats import EXTENSIONS
from hashlens.model import Skipped

UNREADABLE = "directory cannot be read"
# A folder with a file of this name is passed over, unless it is named itself: what was put aside is
# not to be found again.
IGNORE = ".hashlensignore"


def find_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    extensions: frozenset[str] = EXTENSIONS,
    apart_from: str | os.PathLike[str] | None = None,
) -> Iterator[str | Skipped | None]:
    """Find the images below some paths; None stands for a file with another extension.

    A file that is named itself is taken whatever its extension. What lies in the directory
    `apart_from`, the index's own, is passed over.
    """
    roots = [os.path.abspath(path) for path in _given(paths)]
    named = {root for root in roots if not os.path.isdir(root)}
    own = os.path.join(apart_from, "") if apart_from else None
    for found in walk(roots):
        if isinstance(found, Skipped):
            yield found
        elif not (own and found.startswith(own)):
            yield found if has_extension(found, extensions) or found in named else None


def walk(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str | Skipped]:
    """Find the files below some paths, sorted, each once; directories that cannot be read skip.

    A file given by name is found whatever its extension; in a directory every file is, so that
    the caller can count what it leaves out. Links to directories are followed, after the real
    ones, and a directory that was visited already is skipped. Raises ParameterError for a path
    that does not exist, before anything is found.
    """
    roots = [os.path.abspath(path) for path in _given(paths)]
    for root in roots:
        if not os.path.lexists(root):
            msg = f"no such file or directory: {root}"
            raise ParameterError(msg)
    return _walk(roots)


def _given(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    given = [os.fspath(path) for path in paths]
    if "" in given:
        msg = "an empty path names no file or directory"
        raise ParameterError(msg)
    return given


def _walk(roots: list[str]) -> Iterator[str | Skipped]:
    visited: dict[tuple[int, int], str] = {}
    pending = list(roots)
    given = frozenset(roots)
    # A directory is entered once, so only what is named, or skipped, could be told of twice.
    named: set[str | Skipped] = {root for root in roots if not os.path.isdir(root)}
    told: set[str | Skipped] = set()
    for root in pending:  # grows by the links to directories that are met
        for entry in _descend(root, given, visited, pending) if os.path.isdir(root) else [root]:
            if entry in named or isinstance(entry, Skipped):
                if entry in told:
                    continue
                told.add(entry)
            yield entry


def _descend(
    root: str, given: Container[str], visited: dict[tuple[int, int], str], links: list[str]
) -> Iterator[str | Skipped]:
    """Find the files of a folder, then those of the folders in it; note links to folders."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = os.stat(folder)
            first = visited.get((status.st_dev, status.st_ino))
            if first:
                if first != folder:
                    yield Skipped(folder, f"directory was visited already, as {first}")
                continue
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(folder, f"{UNREADABLE}: {error.strerror or error}")
            continue
        if folder not in given and any(entry.name == IGNORE for entry in entries):
            continue  # it is not visited: it may be named later
        visited[status.st_dev, status.st_ino] = folder
        below = []
        for entry in entries:
            kind = _kind(entry)
            if kind == "folder":
                below.append(entry.path)
            elif kind == "link to folder":
                links.append(entry.path)
            elif kind == "file":
                yield entry.path
        pending += reversed(below)


def _kind(entry: os.DirEntry[str]) -> str:
    """Tell folders, links to folders and files; pipes and the like are none, and not read.

    A link that leads nowhere, in circles or where one may not go is a file: reading it gives the
    reason.
    """
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if not entry.is_symlink():
            return "file" if entry.is_file() else ""
        if entry.is_dir():
            return "link to folder"
        return "file" if entry.is_file() or not os.path.exists(entry.path) else ""
    except OSError:
        return "file"


def is_unreadable(skipped: Skipped) -> bool:
    """Tell whether this is a directory of which nobody knows what it holds."""
    return skipped.reason.startswith(UNREADABLE)


def has_extension(path: str, extensions: frozenset[str] = EXTENSIONS) -> bool:
    """Tell whether a file's extension is one of those, in whatever case."""
    return os.path.splitext(path)[1].lower() in extensions
