"""The errors that hashlens raises for its users, and checks of values that raise them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class HashlensError(Exception):
    """Base class of all errors that hashlens raises for its users."""


class ParameterError(HashlensError, ValueError):
    """A parameter has an unusable value; the message names both and the constraint."""


class ImageError(HashlensError):
    """An image cannot be read.

    name: the file, or a description of the object.
    reason: why it cannot be read, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class FingerprintError(HashlensError, ValueError):
    """Two fingerprints cannot be compared; the message names both."""


class IndexingError(HashlensError):
    """An index directory cannot be opened, made or written."""


class QueryError(HashlensError, ValueError):
    """A query cannot run; the message names the query or value and what was expected."""


class PlanError(HashlensError):
    """A plan or its journal cannot be read, made or carried out; the message names the file."""


def require_flags(**flags: Any) -> None:
    """Raise ParameterError, with its name, for a value that is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            msg = f"{name} must be True or False, not {shown(value)}"
            raise ParameterError(msg)


def require_path(name: str, value: Any) -> None:
    """Raise ParameterError for a value that is no path, or an empty one."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        msg = f"{name} must be a path, not {shown(value)}"
        raise ParameterError(msg)


def paths_of(name: str, value: Any) -> list[str | os.PathLike[str]]:
    """Return paths, one or several, as a list; raises ParameterError for other values."""
    if isinstance(value, (str, os.PathLike)):
        value = [value]
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Iterable):
        msg = f"{name} must be a path or a list of paths, not {shown(value)}"
        raise ParameterError(msg)
    found = list(value)
    for item in found:
        require_path(f"each of {name}", item)
    return found


def require_known(place: str, given: Iterable[Any], known: Iterable[str]) -> None:
    """Raise ParameterError for names that are not known, with those that are.

    `place`: what has the names, in words. Names that are nearly like a known one are put right.
    """
    names = sorted(known)
    unknown = sorted(map(str, set(given) - set(names)))
    if not unknown:
        return
    meant = [near[0] for name in unknown if (near := get_close_matches(name, names, 1))]
    hint = f": did you mean {', '.join(meant)}?" if meant else ";"
    msg = f"{place} has no {', '.join(unknown)}{hint} known are {', '.join(names)}"
    raise ParameterError(msg)


def shown(value: Any) -> str:
    """Return a value as users write it: a list as its items, and not as a list of Python."""
    if isinstance(value, (list, tuple)) and value:
        return ", ".join(map(shown, value))
    return repr(value)
