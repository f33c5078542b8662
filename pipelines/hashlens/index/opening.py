"""Open or build the directory of an index."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hashlens.disk import sync
from hashlens.errors import IndexingError
from hashlens.index.commit import COMMITTING
from hashlens.index.directory import (
    BUILDING,
    CONFIG,
    DOCUMENTS,
    INDEXES,
    commit_stamp,
    config_of,
    write_config,
)
from hashlens.index.host import Host
from hashlens.schema import KEY

TRIES = 200  # to load an index while another process commits


def _require_like(found: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Raise IndexingError where another process has made an index of another kind meanwhile."""
    if any(found.get(key) != wanted.get(key) for key in (KEY, "content")):
        msg = f"another process has made an index with other settings at {path}; open that one"
        raise IndexingError(msg)


def _load_whole(path: Path, copy: Host) -> tuple[Any, tuple[int, int]]:
    """Load an index, and its stamp; again, where another process is putting parts in place."""
    for _ in range(TRIES):
        seen = commit_stamp(path)
        try:
            loaded = _load(path, copy)
        except IndexingError:
            if commit_stamp(path) == seen and COMMITTING not in config_of(path):
                raise
            time.sleep(0.01)
            continue
        if commit_stamp(path) == seen:
            return loaded, seen
        loaded.close()
    msg = f"the index at {path} cannot be opened: another process keeps writing to it"
    raise IndexingError(msg)


def _load(path: Path, copy: Host) -> Any:
    embeddings = copy.embeddings()
    try:
        with copy.active():
            embeddings.load(str(path))
        cursor = embeddings.database.cursor
        highest = cursor.execute("SELECT max(indexid) FROM sections").fetchone()[0]
    except Exception as error:
        msg = f"the index at {path} cannot be opened: {error}"
        raise IndexingError(msg) from error
    following = 0 if highest is None else highest + 1
    embeddings.config["offset"] = max(embeddings.config["offset"], following)
    return embeddings


def _build(path: Path, copy: Host, config: Mapping[str, Any]) -> None:
    """Build an empty index aside and put it in place, the configuration last."""
    staging = path / BUILDING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    # txtai cannot build sub-indexes of nothing; it makes them when the first rows come.
    empty = {key: value for key, value in config.items() if key != INDEXES}
    embeddings = copy.embeddings(empty)
    with copy.active():
        embeddings.index([])
        embeddings.save(str(staging))
    write_config(staging, {**config, "offset": 0})
    embeddings.close()
    os.replace(staging / DOCUMENTS, path / DOCUMENTS)
    os.replace(staging / CONFIG, path / CONFIG)
    shutil.rmtree(staging)
    sync(path)
