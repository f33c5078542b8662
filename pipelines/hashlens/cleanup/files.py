"""Files on disk: examine, copy, publish without overwriting anything, and remove them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from typing import NamedTuple

from hashlens.cleanup.names import numbered
from hashlens.disk import sync

CHUNK = 1 << 20  # bytes
CHANGED = "changed in the meantime"
# Errors that os.link raises across devices, without hard links, and for too many of them.
NO_LINK = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
)
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))  # no space is left, for all or for this user


class RefusedError(Exception):
    """A file is not in the state that a step needs; the text is the reason."""


class TakenError(RefusedError):
    """The name that a file was to get is in use."""


class Looks(NamedTuple):
    """What a copy of a file gets besides the bytes.

    mode: the permissions.
    mtime_ns: the modification time, in nanoseconds.
    """

    mode: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Looks:
        """Return the looks of a file with this status."""
        return cls(stat.S_IMODE(status.st_mode), status.st_mtime_ns)


def status_of(path: str) -> os.stat_result | None:
    """Return the status of a file or link; None if the name is not in use, or cannot be."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Return whether two statuses are of the same file, with the same size and time."""
    unchanged = one.st_size == other.st_size and one.st_mtime_ns == other.st_mtime_ns
    return os.path.samestat(one, other) and unchanged


def examine(path: str, digest: str, *, follow: bool = False) -> os.stat_result:
    """Return the status of a regular file whose bytes have the SHA-256 `digest`.

    With `follow`, the name may be a symbolic link to such a file. Raises RefusedError for any other
    file.
    """
    try:
        status = os.stat(path, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = "gone"
        raise RefusedError(msg) from error
    if not stat.S_ISREG(status.st_mode):
        msg = "not a regular file"
        raise RefusedError(msg)
    if follow:
        path = os.path.realpath(path)
    # O_NONBLOCK: the file may have become a pipe, on which open would wait for a writer.
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


def digest_of(path: str) -> str:
    """Return the SHA-256 of a regular file; raises RefusedError for anything else."""
    if status_of(path) is None:
        msg = "gone"
        raise RefusedError(msg)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = "not a regular file"
            raise RefusedError(msg)
        return _digest(descriptor)
    finally:
        os.close(descriptor)


def holds(path: str, digest: str) -> bool:
    """Return whether `path` is a regular file, not a link, whose bytes have this SHA-256."""
    try:
        examine(path, digest)
    except RefusedError:
        return False
    return True


def survives_removal(path: str, *, of: str) -> bool:
    """Return whether the file at `path` remains when the name `of` is removed.

    Two paths may be the same name: through a linked folder, in upper and lower case, or by a second
    mount.
    """
    removed, kept = os.lstat(of), os.stat(path)
    if not os.path.samestat(removed, kept):
        return True
    return removed.st_nlink > 1 and real_name(of) != os.path.realpath(path)


def real_name(path: str) -> str:
    """Return a path without linked folders; a link itself keeps its name."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def missing_folders(path: str) -> list[str]:
    """Return the folders that must be made so that this folder exists, the outermost first."""
    missing: list[str] = []
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return missing


def make_folder(path: str) -> None:
    """Make a folder that survives a crash, unless it exists."""
    with suppress(FileExistsError):
        os.mkdir(path)
        sync(os.path.dirname(path))


def make_empty(path: str) -> None:
    """Make an empty file; raises FileExistsError if the name is in use."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def copy(source: str, target: str, digest: str, looks: Looks) -> None:
    """Copy a file to a new name: bytes, permissions, times, owner and extended attributes.

    The copy is read again: RefusedError is raised if its SHA-256 is not `digest`. The caller must
    then remove the copy.
    """
    reader = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        writer = os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            while chunk := os.read(reader, CHUNK):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(writer, view) :]
            _copy_attributes(reader, target, looks)
            os.fsync(writer)
            os.lseek(writer, 0, os.SEEK_SET)
            if _digest(writer) != digest:
                raise RefusedError(CHANGED)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def stage(source: str, status: os.stat_result, temporary: str, digest: str, looks: Looks) -> None:
    """Give a file a second, temporary name by a hard link; copy it if hard links are impossible.

    Raises RefusedError if the file does not have this status any more.
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
    """Give a temporary file its final name; raises TakenError if the name is in use."""
    try:
        try:
            os.link(temporary, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            make_empty(target)  # now no other process can take the name
            os.replace(temporary, target)
        else:
            os.unlink(temporary)
    except FileExistsError as error:
        msg = f"there is something at {target} already"
        raise TakenError(msg) from error
    sync(os.path.dirname(target))


def take(path: str, taken: str, status: os.stat_result) -> None:
    """Rename a file that still has this status to `taken`, a name that nobody knows, beside it.

    Raises RefusedError for another file; it has its name again then.
    """
    _require_same(path, status)
    os.rename(path, taken)
    try:
        _require_same(taken, status)
    except RefusedError:
        put_back(taken, path)
        raise


def require_kept(kept: str, status: os.stat_result | None, taken: str) -> None:
    """Raise RefusedError unless the file `kept` is still there now that another file is `taken`.

    One folder may be reached by two mounts, with devices and inodes that say nothing. The kept file
    is gone then, too, but its name may be cached: an overlay shows it, and even its bytes, as long
    as nobody lists the folder. Nobody has asked for the name `taken` before, so that name is in no
    cache: if it is also beside the kept file, both folders are one.
    """
    folder, name = os.path.split(taken)
    for path in {kept, os.path.realpath(kept)}:
        beside = os.path.dirname(path)
        is_other = os.path.realpath(beside) != os.path.realpath(folder)
        if is_other and os.path.lexists(os.path.join(beside, name)):
            msg = f"{folder} and {beside} are one folder by two names: index one of them only"
            raise RefusedError(msg)
    try:
        now = os.stat(kept)
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = f"the same file as {kept}"
        raise RefusedError(msg) from error
    if status is None or not is_same(now, status):
        msg = f"{kept} {CHANGED}"
        raise RefusedError(msg)


def put_back(taken: str, path: str) -> None:
    """Give a taken file its name again; raises RefusedError, with the next free name it gets."""
    names = numbered(path)
    for name in names:
        with suppress(TakenError):
            publish(taken, name)
            if name == path:
                return
            msg = f"something else has its name; the file is {name} now"
            raise RefusedError(msg)


def replace_unchanged(temporary: str, path: str, status: os.stat_result) -> None:
    """Replace a file that still has this status by a temporary file; raises RefusedError."""
    _require_same(path, status)
    os.replace(temporary, path)
    sync(os.path.dirname(path))


def remove_unchanged(path: str, status: os.stat_result) -> None:
    """Remove a file that still has this status; raises RefusedError."""
    _require_same(path, status)
    os.unlink(path)
    sync(os.path.dirname(path))


def discard(path: str) -> None:
    """Remove a temporary file, if it exists."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def _require_same(path: str, status: os.stat_result) -> None:
    """Raise RefusedError if a file does not have this status any more."""
    now = status_of(path)
    if now is None or not is_same(now, status):
        raise RefusedError(CHANGED)


def _digest(descriptor: int) -> str:
    """Return the SHA-256 of an open file, in hex."""
    found = hashlib.sha256()
    while chunk := os.read(descriptor, CHUNK):
        found.update(chunk)
    return found.hexdigest()


def _copy_attributes(reader: int, target: str, looks: Looks) -> None:
    """Copy owner, extended attributes, mode and times, as far as file system and user may."""
    source, copied = os.fstat(reader), os.stat(target)
    if (source.st_uid, source.st_gid) != (copied.st_uid, copied.st_gid):
        with suppress(OSError):
            os.chown(target, source.st_uid, source.st_gid)
    for name in _attributes(reader):
        with suppress(OSError):
            os.setxattr(target, name, os.getxattr(reader, name))
    with suppress(OSError):
        os.chmod(target, looks.mode)
    with suppress(OSError):
        os.utime(target, ns=(source.st_atime_ns, looks.mtime_ns))


def _attributes(reader: int) -> list[str]:
    """Return the names of the extended attributes of an open file."""
    if hasattr(os, "listxattr"):  # on Linux
        with suppress(OSError):
            return os.listxattr(reader)
    return []
