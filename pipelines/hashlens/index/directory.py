"""The directory of an index: the names of its files, its configuration, and its lock."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hashlens.disk import locked, saved
from hashlens.errors import IndexingError
from hashlens.names import name_of, text_of

CONFIG = "config.json"
LOCK = ".lock"
DOCUMENTS = "documents"  # the content database
INDEXES = "indexes"  # the directory of the sub-indexes
BUILDING = ".building"  # the directory of a whole new index, until its files are put in place
EXCLUDE = "exclude"  # patterns of what is left out, as in .gitignore
STAGED = ".indexes"  # the directory of new sub-indexes, until they are put in place


def exists(path: Path) -> bool:
    """Return whether a directory holds a txtai index."""
    return (path / CONFIG).is_file()


def config_of(path: Path) -> dict[str, Any]:
    """Read the configuration of an index; raises IndexingError if there is none."""
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"no index can be opened at {path}: {error}"
        raise IndexingError(msg) from error
    if not isinstance(config, dict) or "offset" not in config:
        msg = f"no index can be opened at {path}: its config.json is not that of a txtai index"
        raise IndexingError(msg)
    return config


def excluded(path: Path) -> list[str]:
    """Return the patterns of what the index leaves out, without comments and empty lines."""
    try:
        lines = (path / EXCLUDE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        msg = f"the patterns in {path / EXCLUDE} cannot be read: {error}"
        raise IndexingError(msg) from error
    return [name_of(line) for line in lines if line.strip() and not line.startswith("#")]


def write_excluded(path: Path, patterns: Iterable[str]) -> None:
    """Remember the patterns of what the index leaves out."""
    with saved(path / EXCLUDE) as file:
        file.writelines(f"{text_of(pattern)}\n" for pattern in patterns)


def require_empty(path: Path, *, leftovers: bool = False) -> None:
    """Raise IndexingError if a directory has files that an index would overwrite.

    `leftovers` allows a content database without a configuration, which remains if a process is
    killed while it makes an index. Its first bytes distinguish it from other files.
    """
    if not path.exists():
        return
    if not path.is_dir():
        msg = f"an index is a directory, and {path} is a file"
        raise IndexingError(msg)
    if not leftovers and set(os.listdir(path)) - {LOCK}:
        msg = f"{path} is not empty: an index is saved to a new or empty directory"
        raise IndexingError(msg)
    documents = path / DOCUMENTS
    if documents.is_file():
        with open(documents, "rb") as file:
            head = file.read(16)
        if head and not head.startswith(b"SQLite format 3") and head[8:12] != b"DUCK":
            msg = f"{documents} is not a part of an index; choose another directory"
            raise IndexingError(msg)


def commit_stamp(path: Path) -> tuple[int, int]:
    """Return a value that changes with each commit: each writes a new configuration file."""
    status = os.stat(path / CONFIG)
    return status.st_ino, status.st_mtime_ns


def write_lock(path: Path) -> AbstractContextManager[None]:
    """Be the one writer of an index; raises IndexingError if another process or thread is."""
    return locked(path, IndexingError, lock=path / LOCK)


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration in one step: it is the old one or the new one, never a part."""
    with saved(path / CONFIG, temporary=path / f"{CONFIG}.new") as file:
        json.dump(config, file, default=str, indent=2)
