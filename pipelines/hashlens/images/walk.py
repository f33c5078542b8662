"""Find the files below some paths; a directory that cannot be read is a `Skipped`.

Paths are plain strings here: a million of them take little memory.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from hashlens.errors import ParameterError
from hashlens.images.exclude import Excludes
from hashlens.images.formats import EXTENSIONS
from hashlens.images.kinds import holds_picture, kind_of
from hashlens.model import Skipped

UNREADABLE = "directory cannot be read"
# A folder with a file of this name is passed over, unless the folder itself was given: duplicates
# that were put aside must not be found again.
IGNORE = ".hashlensignore"


class LeftOut(NamedTuple):
    """A file or folder that was left out, by a pattern."""

    path: str
    pattern: str


class PassedOver(NamedTuple):
    """A file with another extension, by its kind (see `hashlens.images.kinds`)."""

    kind: str


Found: TypeAlias = "str | Skipped | LeftOut"


def find_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    extensions: frozenset[str] = EXTENSIONS,
    any_name: bool = False,
    own: str | os.PathLike[str] | None = None,
    excludes: Excludes | None = None,
) -> Iterator[Found | PassedOver]:
    """Find the images below some paths; yield a `PassedOver` for a file with another extension.

    A file that was given itself is found whatever its extension. With `any_name`, so is a file that
    is a picture by its first bytes, in a format that has one of `extensions`. Files below the
    directory `own`, that of the index, are left out.
    """
    roots = [os.path.abspath(path) for path in _checked(paths)]
    given_files = {root for root in roots if not os.path.isdir(root)}
    excluded = os.path.join(own, "") if own else None
    for found in walk(roots, excludes):
        if not isinstance(found, str):
            yield found
        elif excluded and found.startswith(excluded):
            continue
        elif (
            has_extension(found, extensions)
            or found in given_files
            or (any_name and holds_picture(found, extensions))
        ):
            yield found
        else:
            yield PassedOver(kind_of(found))


def walk(
    paths: Iterable[str | os.PathLike[str]], excludes: Excludes | None = None
) -> Iterator[Found]:
    """Find the files below some paths, sorted, each once, whatever their extension.

    Links to directories are followed, after the real directories. A directory that cannot be read,
    or was visited under another name, is a `Skipped`. What a pattern of `excludes` leaves out is a
    `LeftOut`, unless it was given itself. Raises ParameterError for a path that does not exist,
    before the first file is found.
    """
    roots = [os.path.abspath(path) for path in _checked(paths)]
    for root in roots:
        if not os.path.lexists(root):
            msg = f"no such file or directory: {root}"
            raise ParameterError(msg)
    return _walk(roots, excludes or Excludes())


def _checked(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return paths as text; raises ParameterError for an empty one."""
    given = [os.fspath(path) for path in paths]
    if "" in given:
        msg = "an empty path names no file or directory"
        raise ParameterError(msg)
    return given


def _walk(roots: list[str], excludes: Excludes) -> Iterator[Found]:
    visited: dict[tuple[int, int], str] = {}
    pending = list(roots)
    given = frozenset(roots)
    # A directory is entered once, so only a given file, or a Skipped, could be yielded twice.
    given_files: set[Found] = {root for root in roots if not os.path.isdir(root)}
    yielded: set[Found] = set()
    for root in pending:  # grows by each link to a directory that is met
        is_folder = os.path.isdir(root)
        below = _descend(root, given, visited, pending, excludes) if is_folder else [root]
        for entry in below:
            if entry in given_files or not isinstance(entry, str):
                if entry in yielded:
                    continue
                yielded.add(entry)
            yield entry


def _descend(
    root: str,
    given: Container[str],
    visited: dict[tuple[int, int], str],
    links: list[str],
    excludes: Excludes,
) -> Iterator[Found]:
    """Find the files of a folder and its subfolders; append links to folders to `links`.

    given: paths that are taken in whatever patterns and IGNORE files say.
    visited: the path under which each folder was entered, by device and inode.
    """
    pending = [root]
    above = len(os.path.join(root, ""))
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
                entries = sorted(listing, key=attrgetter("name"))
        except OSError as error:
            yield Skipped(folder, f"{UNREADABLE}: {error.strerror or error}")
            continue
        if folder not in given and any(entry.name == IGNORE for entry in entries):
            continue  # not noted as visited: a later root may be this folder
        visited[status.st_dev, status.st_ino] = folder
        subfolders = []
        for entry, kind in _kinds(entries):
            is_file = kind == "file"
            may_fit = excludes.may_fit(entry.name, is_file=is_file)
            path = entry.path[above:] + "/" * (not is_file)
            if may_fit and (pattern := excludes.pattern_for(path)) is not None:
                # What was given is walked by itself.
                yield from () if entry.path in given else (LeftOut(entry.path, pattern),)
            elif kind == "folder":
                subfolders.append(entry.path)
            elif kind == "link to folder":
                links.append(entry.path)
            else:
                yield entry.path
        pending += reversed(subfolders)


def _kinds(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield the entries of a folder that can be of use, and what they are."""
    for entry in entries:
        kind = _kind(entry)
        if kind:
            yield entry, kind


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


def has_extension(path: str, extensions: frozenset[str] = EXTENSIONS) -> bool:
    """Return whether a file's extension is one of `extensions`, in upper or lower case."""
    return os.path.splitext(path)[1].lower() in extensions
