"""Write files whole or not at all, and let one writer in at a time."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from typing import IO, TextIO, TypeAlias

Path: TypeAlias = "str | os.PathLike[str]"

FAR = 1 << 30  # where Windows locks an open file
# Errors that os.fsync raises for directories on file systems that do not support it; ignored.
NO_SYNC = frozenset((errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS))


@contextmanager
def saved(
    path: Path,
    *,
    newline: str | None = None,
    errors: str = "strict",
    temporary: Path | None = None,
) -> Iterator[TextIO]:
    """Open a text file that replaces the file at `path`, in one step, when `with` ends.

    `newline` and `errors` are those of `open`; `temporary` is that of `saved_together`.
    """
    with saved_together([path], temporary=temporary) as (file,):
        text = TextIOWrapper(file, "utf-8", errors, newline)
        yield text
        text.detach()  # flushes


@contextmanager
def saved_together(
    paths: Iterable[Path], *, temporary: Path | None = None
) -> Iterator[list[IO[bytes]]]:
    """Open binary files that replace the files at `paths` when `with` ends.

    All are written and synced before the first is put in place. After an exception, the old files
    are as they were, and no temporary file is left. A temporary file lies beside its target and has
    the number of this process in its name. A caller that holds a lock may name the `temporary` file
    of a single path instead, so that the next run overwrites what a crash has left.
    """
    targets = {
        os.fspath(temporary or f"{os.fspath(path)}.{os.getpid()}.new"): os.fspath(path)
        for path in paths
    }
    try:
        with ExitStack() as opened:
            files = [opened.enter_context(open(name, "wb")) for name in targets]
            yield [*files]
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for name, target in targets.items():
            os.replace(name, target)
        for folder in {os.path.dirname(os.path.abspath(target)) for target in targets.values()}:
            sync(folder)
    finally:
        for name in targets:
            with suppress(OSError):
                os.unlink(name)


def sync(folder: Path) -> None:
    """Write the names in a folder to the disk, so that they survive a crash of the machine."""
    if os.name == "nt":
        return  # Windows cannot open folders, and needs no sync of them
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, error: Callable[[str], Exception], *, lock: Path) -> Iterator[None]:
    """Be the one writer of `path`, of all threads and processes, until `with` ends.

    `lock` is the file that is locked; it stays. Raises `error(message)` if another writer holds the
    lock, or if the file cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  only writers need it

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout as cause:
        raise error(_in_use(path)) from cause
    except OSError as cause:
        msg = f"{os.fspath(path)} cannot be written: {cause.strerror or cause}"
        raise error(msg) from cause
    try:
        yield
    finally:
        held.release()


def lock_open(descriptor: int, path: Path, error: Callable[[str], Exception]) -> None:
    """Be the one who has the file at `path` open, of all threads and processes, until it is closed.

    The file itself is locked, so no other file is left. Raises `error(message)` if another has
    locked it, or if the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            os.lseek(descriptor, FAR, os.SEEK_SET)  # the bytes before stay free for readers
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415  only plans need it

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as cause:
        raise error(_in_use(path)) from cause
    except OSError as cause:
        msg = f"{os.fspath(path)} cannot be locked: {cause.strerror or cause}"
        raise error(msg) from cause


def _in_use(path: Path) -> str:
    name = os.fspath(path)
    return f"another process or thread is writing to {name}; try again when it is done"


def replace_directory(new: Path, target: Path) -> None:
    """Move a directory to `target`; the one that is there is moved aside first, then deleted."""
    folder, name = os.path.split(os.path.abspath(target))
    aside = os.path.join(folder, f".old-{name}")
    shutil.rmtree(aside, ignore_errors=True)
    if os.path.exists(target):
        os.replace(target, aside)
    os.replace(new, target)
    shutil.rmtree(aside, ignore_errors=True)
