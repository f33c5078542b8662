"""Check the arguments of an index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashlens.errors import ParameterError
from hashlens.index.store import MOST_ROWS

if TYPE_CHECKING:
    pass


Paths = Iterable["str | os.PathLike[str]"]


def _at_least_one(limit: int) -> int:
    if not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS:
        msg = f"limit must be a whole number 1 to {MOST_ROWS:,}, not {limit!r}"
        raise ParameterError(msg)
    return limit


def _two(folders: Any) -> tuple[str, str] | None:
    """Return two folders as given; raises ParameterError for anything but two that exist."""
    if folders is None:
        return None
    listed = [os.fspath(folder) for folder in _listed(folders)]
    for folder in listed:
        if not os.path.isdir(folder):
            msg = f"between takes two folders, and {folder} is none"
            raise ParameterError(msg)
    if len(listed) != 2:
        msg = f"between takes two folders, not {len(listed)}"
        raise ParameterError(msg)
    return listed[0], listed[1]


def _place(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        msg = f"an index is in a directory, and {path!r} is no path"
        raise ParameterError(msg)
    return Path(os.path.abspath(os.path.expanduser(path)))


def _listed(items: Any) -> list[Any]:
    single = isinstance(items, (str, os.PathLike)) or not isinstance(items, Iterable)
    listed = [items] if single else list(items)
    for item in listed:
        if not isinstance(item, (str, os.PathLike)) or not os.fspath(item):
            msg = f"expected paths or ids, not {item!r}"
            raise ParameterError(msg)
    return listed
