"""Folders that a person has named: what lies in them, whatever name leads there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache

from hashlens.errors import ParameterError

Holds = Callable[[Iterable[str]], list[bool]]


def existing(given: str | os.PathLike[str], option: str) -> str:
    """Return the absolute path of a folder; raises ParameterError, by the option, if it is none."""
    path = os.path.abspath(os.path.expanduser(given))
    if not os.fspath(given) or not os.path.isdir(path):
        msg = f"{option}: there is no folder {os.fspath(given)!r}; give one that is there"
        raise ParameterError(msg)
    return path


def inside(folder: str) -> Holds:
    """Return a function that says of paths whether each lies in a folder, or below.

    The folder, and the folders of the paths, count by their names and with links resolved.
    """
    path = os.path.expanduser(folder)
    starts = tuple(
        os.path.join(each, "") for each in (os.path.abspath(path), os.path.realpath(path))
    )

    @cache
    def holds(parent: str) -> bool:
        real = os.path.realpath(parent) if parent else parent
        return any(os.path.join(each, "").startswith(starts) for each in (parent, real))

    return lambda paths: [holds(path.rpartition(os.sep)[0]) for path in paths]
