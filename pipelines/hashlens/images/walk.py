"""Find the files below some paths; a directory that cannot be read is a `Skipped`.

Paths are plain strings here: a million of them take little memory.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator

from hashlens.errors import ParameterError
from hashlens.images.formats import EXTENSIONS
from hashlens.model import Skipped

UNREADABLE = "directory cannot be read"
# A folder with a file of this name is passed over, unless the folder itself was given: duplicates
# that were put aside must not be found again.
IGNORE = ".hashlensignore"


def find_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    extensions: frozenset[str] = EXTENSIONS,
    exclude: str | os.PathLike[str] | None = None,
) -> Iterator[str | Skipped | None]:
    """Find the images below some paths; yield None for a file with another extension.

    A file that was given itself is found whatever its extension. Files below the directory
    `exclude`, such as the index's own, are passed over.
    """
    roots = [os.path.abspath(path) for path in _checked(paths)]
    given_files = {root for root in roots if not os.path.isdir(root)}
    excluded = os.path.join(exclude, "") if exclude else None
    for found in walk(roots):
        if isinstance(found, Skipped):
            yield found
        elif not (excluded and found.startswith(excluded)):
            yield found if has_extension(found, extensions) or found in given_files else None


def walk(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str | Skipped]:
    """Find the files below some paths, sorted, each once, whatever their extension.

    Links to directories are followed, after the real directories. A directory that cannot be read,
    or was visited under another name, is a `Skipped`. Raises ParameterError for a path that does
    not exist, before the first file is found.
    """
    roots = [os.path.abspath(path) for path in _checked(paths)]
    for root in roots:
        if not os.path.lexists(root):
            msg = f"no such file or directory: {root}"
            raise ParameterError(msg)
    return _walk(roots)


def _checked(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return paths as text; raises ParameterError for an empty one."""
    given = [os.fspath(path) for path in paths]
    if "" in given:
        msg = "an empty path names no file or directory"
        raise ParameterError(msg)
    return given


def _walk(roots: list[str]) -> Iterator[str | Skipped]:
    visited: dict[tuple[int, int], str] = {}
    pending = list(roots)
    given = frozenset(roots)
    # A directory is entered once, so only a given file, or a Skipped, could be yielded twice.
    given_files: set[str | Skipped] = {root for root in roots if not os.path.isdir(root)}
    yielded: set[str | Skipped] = set()
    for root in pending:  # grows by each link to a directory that is met
        for entry in _descend(root, given, visited, pending) if os.path.isdir(root) else [root]:
            if entry in given_files or isinstance(entry, Skipped):
                if entry in yielded:
                    continue
                yielded.add(entry)
            yield entry


def _descend(
    root: str, given: Container[str], visited: dict[tuple[int, int], str], links: list[str]
) -> Iterator[str | Skipped]:
    """Find the files of a folder and its subfolders; append links to folders to `links`.

    given: folders that are entered even if they hold an IGNORE file.
    visited: the path under which each folder was entered, by device and inode.
    """
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
            continue  # not noted as visited: a later root may be this folder
        visited[status.st_dev, status.st_ino] = folder
        subfolders = []
        for entry in entries:
            kind = _kind(entry)
            if kind == "folder":
                subfolders.append(entry.path)
            elif kind == "link to folder":
                links.append(entry.path)
            elif kind == "file":
                yield entry.path
        pending += reversed(subfolders)


def _kind(entry: os.DirEntry[str]) -> str:
    """Return "folder", "link to folder" or "file"; "" for pipes, devices and the like.

    A link that leads nowhere, in circles or to a forbidden place is a "file": reading it gives the
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
    """Return whether this is a directory that could not be read, so its files are unknown."""
    return skipped.reason.startswith(UNREADABLE)


def printable(path: str) -> str:
    """Return a path as valid text, with escapes for bytes that are not UTF-8."""
    return path.encode(errors="backslashreplace").decode()


def has_extension(path: str, extensions: frozenset[str] = EXTENSIONS) -> bool:
    """Return whether a file's extension is one of `extensions`, in upper or lower case."""
    return os.path.splitext(path)[1].lower() in extensions
