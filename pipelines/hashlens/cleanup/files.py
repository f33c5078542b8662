"""Files on disk: look at them, give them a place without overwriting anything, take them away."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from hashlens.disk import sync

CHUNK = 1 << 20  # bytes
CHANGED = "changed in the meantime"
# What os.link says across devices, of file systems without hard links, and of too many of them.
NO_LINK = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
)
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


class RefusedError(Exception):
    """A file is not as it must be for a step; the text is the reason."""


class TakenError(RefusedError):
    """There is something already where a file was to go."""


class Looks(NamedTuple):
    """What a copy of a file gets besides the bytes: the permissions, and when it was modified."""

    mode: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Looks:
        """Return those of a file."""
        return cls(stat.S_IMODE(status.st_mode), status.st_mtime_ns)


def status_of(path: str) -> os.stat_result | None:
    """Return what there is under a name, which may be a link; None where there is nothing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether this is one file, unchanged as far as its size and time tell."""
    times = one.st_size == other.st_size and one.st_mtime_ns == other.st_mtime_ns
    return os.path.samestat(one, other) and times


def examine(path: str, digest: str, *, follow: bool = False) -> os.stat_result:
    """Return the status of a regular file whose bytes have a SHA-256; raises RefusedError.

    With `follow`, the name may be a symbolic link to such a file.
    """
    try:
        status = os.stat(path, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = "gone"
        raise RefusedError(msg) from error
    if not stat.S_ISREG(status.st_mode):
        msg = "no regular file"
        raise RefusedError(msg)
    if follow:
        path = os.path.realpath(path)
    # Not to wait for a writer, should it be a pipe by now.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        found = _digest(descriptor)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if found != digest or not is_same(status, after):
        msg = "has other bytes than it had"
        raise RefusedError(msg)
    return status


def holds(path: str, digest: str) -> bool:
    """Tell whether there is a regular file, no link, with these bytes."""
    try:
        examine(path, digest)
    except RefusedError:
        return False
    return True


def is_apart(path: str, other: str) -> bool:
    """Tell whether a file remains under its other name when one name is taken away.

    Two names may be one: through a linked folder, in other case, by a second mount.
    """
    one, two = os.lstat(path), os.stat(other)
    if not os.path.samestat(one, two):
        return True
    parent, name = os.path.split(path)
    real = os.path.join(os.path.realpath(parent), name)
    return one.st_nlink > 1 and real != os.path.realpath(other)


def numbered(path: str) -> Iterator[str]:
    """Yield a name, then the same with a number before its extension: a.jpg, a-2.jpg, a-3.jpg."""
    yield path
    start, ending = os.path.splitext(path)
    for number in itertools.count(2):
        yield f"{start}-{number}{ending}"


def missing_folders(path: str) -> list[str]:
    """Return the folders that must be made for there to be this one, the outermost first."""
    missing: list[str] = []
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return missing


def make_folder(path: str) -> None:
    """Make a folder, unless there is one, in a way that lasts."""
    with suppress(FileExistsError):
        os.mkdir(path)
        sync(os.path.dirname(path))


def make_empty(path: str) -> None:
    """Make an empty file; raises FileExistsError where there is anything."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def copy(source: str, target: str, digest: str, looks: Looks) -> None:
    """Copy a file to a new name: bytes, which are read again, permissions, times, attributes.

    Raises RefusedError where the copy has not that digest; what was made must be removed then.
    """
    reader = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        writer = os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            while chunk := os.read(reader, CHUNK):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(writer, view) :]
            _dress(reader, target, looks)
            os.fsync(writer)
            os.lseek(writer, 0, os.SEEK_SET)
            if _digest(writer) != digest:
                raise RefusedError(CHANGED)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def stage(source: str, status: os.stat_result, temporary: str, digest: str, looks: Looks) -> None:
    """Give a file a second, temporary name; where that cannot be, copy it whole.

    Raises RefusedError where it is not the file of that status any more.
    """
    try:
        os.link(source, temporary, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        copy(source, temporary, digest, looks)
    else:
        _require_same(temporary, status)


def publish(temporary: str, target: str) -> None:
    """Give a temporary file its final name; raises TakenError where there is anything."""
    try:
        try:
            os.link(temporary, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            make_empty(target)  # no other can take the name now
            os.replace(temporary, target)
        else:
            os.unlink(temporary)
    except FileExistsError as error:
        msg = f"there is something at {target} already"
        raise TakenError(msg) from error
    sync(os.path.dirname(target))


def replace(temporary: str, path: str, status: os.stat_result) -> None:
    """Put a temporary file in the place of one that is still as it was; raises RefusedError."""
    _require_same(path, status)
    os.replace(temporary, path)
    sync(os.path.dirname(path))


def remove(path: str, status: os.stat_result) -> None:
    """Take away a name of a file that is still as it was; raises RefusedError."""
    _require_same(path, status)
    os.unlink(path)
    sync(os.path.dirname(path))


def discard(path: str) -> None:
    """Remove a temporary file, if there is one."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def _require_same(path: str, status: os.stat_result) -> None:
    now = status_of(path)
    if now is None or not is_same(now, status):
        raise RefusedError(CHANGED)


def _digest(descriptor: int) -> str:
    found = hashlib.sha256()
    while chunk := os.read(descriptor, CHUNK):
        found.update(chunk)
    return found.hexdigest()


def _dress(reader: int, target: str, looks: Looks) -> None:
    """Give a copy what the file system, and the rights of the user, let it have."""
    owner, own = os.fstat(reader), os.stat(target)
    if (owner.st_uid, owner.st_gid) != (own.st_uid, own.st_gid):
        with suppress(OSError):
            os.chown(target, owner.st_uid, owner.st_gid)
    for name in _attributes(reader):
        with suppress(OSError):
            os.setxattr(target, name, os.getxattr(reader, name))
    with suppress(OSError):
        os.chmod(target, looks.mode)
    with suppress(OSError):
        os.utime(target, ns=(owner.st_atime_ns, looks.mtime_ns))


def _attributes(reader: int) -> list[str]:
    if hasattr(os, "listxattr"):  # on Linux
        with suppress(OSError):
            return os.listxattr(reader)
    return []
