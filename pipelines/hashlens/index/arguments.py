"""Check the arguments of an index."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from hashlens.errors import ParameterError, paths_of
from hashlens.images.folders import existing
from hashlens.rows.settings import Settings, crop_index

MAX_ROWS = 2**62  # databases count in 64 bits
Paths: TypeAlias = "Iterable[str | os.PathLike[str]]"


def at_least_one(limit: int) -> int:
    """Return a number of rows; raises ParameterError if it is not a whole number from 1 on."""
    if not isinstance(limit, int) or not 1 <= limit <= MAX_ROWS:
        msg = f"limit must be a whole number 1 to {MAX_ROWS:,}, not {limit!r}"
        raise ParameterError(msg)
    return limit


def index_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an index; raises ParameterError if `path` is not a path."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        msg = f"an index is in a directory, and {path!r} is not a path"
        raise ParameterError(msg)
    return Path(os.path.abspath(os.path.expanduser(path)))


def listed(items: Any) -> list[Any]:
    """Return paths or ids, one or several, as a list; raises ParameterError for other items."""
    is_single = isinstance(items, (str, os.PathLike)) or not isinstance(items, Iterable)
    found = [items] if is_single else list(items)
    for item in found:
        if not isinstance(item, (str, os.PathLike)) or not os.fspath(item):
            msg = f"expected paths or ids, not {item!r}"
            raise ParameterError(msg)
    return found


def two_folders(folders: Any) -> tuple[str, str] | None:
    """Return two folders as given, or None; raises ParameterError if they are not two folders."""
    if folders is None:
        return None
    found = paths_of("between", folders)
    if len(found) != 2:
        msg = f"between takes two folders, not {len(found)}"
        raise ParameterError(msg)
    return existing(found[0], "between"), existing(found[1], "between")


def distance_bound(max_distance: float | None) -> float | None:
    """Return a bound of distances, or None; raises ParameterError if it is not a number >= 0."""
    is_number = isinstance(max_distance, (int, float)) and max_distance >= 0  # False for NaN
    if max_distance is not None and not is_number:
        msg = f"max_distance must be a number >= 0 or 'auto', not {max_distance!r}"
        raise ParameterError(msg)
    return max_distance


def hash_position(settings: Settings, column: str) -> int:
    """Return the position of a column among the hashes of the settings.

    Raises ParameterError if the column does not hold fingerprints.
    """
    columns = list(settings.digits)
    if column not in columns:
        msg = f"the index has fingerprints in {', '.join(columns)}, not in {column!r}"
        raise ParameterError(msg)
    return columns.index(column)


def fixed_digits(settings: Settings) -> int:
    """Return the number of hex digits of a fingerprint; raises ParameterError if it varies."""
    digits = settings.hash.digits
    if digits is None:
        msg = f"{settings.hash!r} has fingerprints of any length; groups and maps need one length"
        raise ParameterError(msg)
    return digits


def require_crops(path: Path, config: Mapping[str, Any]) -> None:
    """Raise ParameterError if an index of this configuration has no crop index."""
    if not crop_index(config):
        msg = f"{path} has no crop index; make one with keypoints=200 (index --crops)"
        raise ParameterError(msg)
