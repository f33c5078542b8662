"""Files that are written whole or not at all, and names that last."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

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
