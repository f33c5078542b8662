"""Commit what was written, so that a crash at any moment loses nothing.

The configuration is written first, then the database is committed. Sub-indexes are staged before
both and put in place after both; until then the configuration says that a commit is under way, and
how many commits the database had counted before.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hashlens.disk import replace_directory
from hashlens.index.directory import DOCUMENTS, INDEXES, STAGED, write_config
from hashlens.index.stored import all_rows, note_place
from hashlens.rows.maker import Row

COMMITTING = "committing"  # the key in the configuration: sub-indexes may lack rows


def commit(path: Path, embeddings: Any) -> None:
    """Commit the rows of an `Embeddings`, and its sub-indexes, to the index directory `path`."""
    if embeddings.indexes:
        _stage(path, embeddings)
        _save_rows(path, embeddings)
        _swap(path, embeddings.config)
        note_place(embeddings, path)
    else:
        write_config(path, embeddings.config)
        _save_rows(path, embeddings)


def recover(path: Path, embeddings: Any) -> list[Row] | None:
    """Finish a commit that another process began, or take it back; the index is to be reloaded.

    Before the database was committed, the sub-indexes in place are right; after that, the staged
    ones are. A database that does not count its commits leaves the question open. Then sub-indexes
    are deleted, and all rows are returned: they must be written again.
    """
    before = embeddings.config[COMMITTING]
    if type(before) is not int:
        rows = all_rows(embeddings)
        shutil.rmtree(path / INDEXES, ignore_errors=True)
        return rows
    config = {key: value for key, value in embeddings.config.items() if key != COMMITTING}
    if _commits(embeddings) == before:
        shutil.rmtree(path / STAGED, ignore_errors=True)
        write_config(path, config)
    elif (path / STAGED).exists():
        _swap(path, config)
    else:
        write_config(path, config)
    return None


def _stage(path: Path, embeddings: Any) -> None:
    """Save sub-indexes beside those in place, and note that a commit is under way."""
    staged = path / STAGED
    shutil.rmtree(staged, ignore_errors=True)
    embeddings.indexes.save(str(staged))
    write_config(path, {**embeddings.config, COMMITTING: _commits(embeddings)})


def _save_rows(path: Path, embeddings: Any) -> None:
    embeddings.database.save(str(path / DOCUMENTS))


def _swap(path: Path, config: dict[str, Any]) -> None:
    """Put staged sub-indexes in place: the end of a commit."""
    replace_directory(path / STAGED, path / INDEXES)
    write_config(path, config)


def _commits(embeddings: Any) -> int | None:
    """Return how many commits the database has counted; None if it does not count."""
    return getattr(embeddings.database, "commits", None)
