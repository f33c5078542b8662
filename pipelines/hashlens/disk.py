"""Files that are written whole or not at all, and locks."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from hashlens.errors import IndexingError

# What os.fsync says of folders on some network file systems, which keep no names back.
NO_SYNC = frozenset((errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS))


@contextmanager
def saved(
    path: str | os.PathLike[str], *, newline: str | None = None, errors: str = "strict"
) -> Iterator[TextIO]:
    """Open a text file beside another, and put it in its place when all is written, to last.

    After an exception, the old file is as it was, and nothing else is left.
    """
    name = os.fspath(path)
    temporary = f"{name}.{os.getpid()}.new"
    try:
        with open(temporary, "w", encoding="utf-8", newline=newline, errors=errors) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name)
        sync(os.path.dirname(os.path.abspath(name)))
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def sync(folder: str | os.PathLike[str]) -> None:
    """Make the names in a folder last, whatever happens to the machine."""
    if os.name == "nt":
        return  # folders cannot be opened there, and need not be
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


LOCK = ".lock"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of all writers; raises IndexingError where that cannot be had."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  only writers need it

    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        msg = f"another process or thread is writing to {path}; try again when it is done"
        raise IndexingError(msg) from error
    except OSError as error:
        msg = f"nothing can be written to {path}: {error.strerror or error}"
        raise IndexingError(msg) from error
    try:
        yield
    finally:
        lock.release()


def replace_directory(new: Path, old: Path) -> None:
    """Put a directory in the place of another: move that away, then delete it."""
    aside = old.with_name(f".old-{old.name}")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    os.replace(new, old)
    shutil.rmtree(aside, ignore_errors=True)
