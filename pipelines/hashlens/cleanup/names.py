"""Names that no file has yet, and that are not too long."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Sequence

from hashlens.images.partners import renamed

LONGEST_NAME = 255  # bytes, if the file system does not say


def free(wanted: str, path: str, partners: Sequence[str], taken: Collection[str]) -> Iterator[str]:
    """Yield names for the file at a path, the wanted one first, all free for its partners, too.

    No name is one of those `taken`, which other files will get.
    """
    spare = max((_length(partner) - _length(path) for partner in partners), default=0)
    for name in numbered(wanted, spare=max(spare, 0)):
        names = (name, *(renamed(partner, path, name) for partner in partners))
        if not any(name in taken or os.path.lexists(name) for name in names):
            yield name


def numbered(path: str, *, spare: int = 0) -> Iterator[str]:
    """Yield a path, then the path with a number before its extension: a.jpg, a-2.jpg, a-3.jpg.

    A name that is too long for its file system, with `spare` bytes more, is cut before the number.
    """
    folder, name = os.path.split(path)
    most = _longest_name(folder) - spare
    start, ending = os.path.splitext(name)
    if len(os.fsencode(ending)) > most // 2:
        start, ending = name, ""
    for number in itertools.count(1):
        tail = ending if number == 1 else f"-{number}{ending}"
        yield os.path.join(folder, _cut(start, most - len(os.fsencode(tail))) + tail)


def _longest_name(folder: str) -> int:
    """Return how many bytes a name in this folder, or in the one it will be made in, may have."""
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # AttributeError: on Windows
        return LONGEST_NAME


def _cut(text: str, most: int) -> str:
    """Return the longest beginning of a text that has at most this many bytes as a file name."""
    encoded = os.fsencode(text)
    return text if len(encoded) <= most else encoded[:most].decode(errors="ignore")


def _length(path: str) -> int:
    return len(os.fsencode(os.path.basename(path)))
