"""Load the index in a directory, or build an empty one there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashlens.disk import sync
from hashlens.errors import IndexingError
from hashlens.index.commit import COMMITTING
from hashlens.index.directory import (
    BUILDING,
    CONFIG,
    DOCUMENTS,
    commit_stamp,
    config_of,
    exists,
    require_empty,
    write_config,
    write_lock,
)
from hashlens.index.host import Host
from hashlens.index.txtai_quirks import correct_offset, delete_in_one_pass, without_indexes
from hashlens.schema import KEY

TRIES = 200  # to load an index while another process commits


def load(path: Path, copy: Host) -> tuple[Any, tuple[int, int]]:
    """Load an index; returns txtai's `Embeddings`, and the commit stamp of what was loaded.

    Tries again while another process is putting parts in place. Raises IndexingError if no index
    can be opened.
    """
    for _ in range(TRIES):
        stamp = commit_stamp(path)
        try:
            embeddings = _load_once(path, copy)
        except IndexingError:
            if commit_stamp(path) == stamp and COMMITTING not in config_of(path):
                raise
            time.sleep(0.01)
            continue
        if commit_stamp(path) == stamp:
            delete_in_one_pass(embeddings)
            return embeddings, stamp
        embeddings.close()
    msg = f"the index at {path} cannot be opened: another process keeps writing to it"
    raise IndexingError(msg)


def _load_once(path: Path, copy: Host) -> Any:
    embeddings = copy.embeddings()
    try:
        with copy.active():
            embeddings.load(str(path))
        correct_offset(embeddings)
    except Exception as error:
        msg = f"the index at {path} cannot be opened: {error}"
        raise IndexingError(msg) from error
    return embeddings


def claim(path: Path) -> None:
    """Make the directory of a new index; raises IndexingError if no index can be made there."""
    require_empty(path, leftovers=True)
    with _making(path):
        pass


def build(path: Path, config: Mapping[str, Any], copy: Host) -> None:
    """Build an empty index in a directory, unless another process has built one meanwhile.

    Raises IndexingError if the other index has other settings, and if no index can be made.
    """
    with _making(path):
        if not exists(path):
            _build(path, config, copy)
        elif any(config_of(path).get(key) != config.get(key) for key in (KEY, "content")):
            msg = f"another process has made an index with other settings at {path}; open that one"
            raise IndexingError(msg)


@contextmanager
def _making(path: Path) -> Iterator[None]:
    """Make a directory, and be its one writer."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with write_lock(path):
            yield
    except OSError as error:
        msg = f"no index can be made at {path}: {error.strerror or error}"
        raise IndexingError(msg) from error


def _build(path: Path, config: Mapping[str, Any], copy: Host) -> None:
    """Build an empty index aside, and put its files in place, the configuration last."""
    staging = path / BUILDING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    embeddings = copy.embeddings(without_indexes(config))
    with copy.active():
        embeddings.index([])
        embeddings.save(str(staging))
    write_config(staging, {**config, "offset": 0})
    embeddings.close()
    os.replace(staging / DOCUMENTS, path / DOCUMENTS)
    os.replace(staging / CONFIG, path / CONFIG)
    shutil.rmtree(staging)
    sync(path)
