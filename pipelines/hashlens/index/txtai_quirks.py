"""What txtai 9.14 does that an index of ours cannot work with, and how each case is avoided.

All changes to objects of txtai's are made here. Each function names its reason; its test in
`tests/index/test_txtai_quirks.py` shows what stock txtai does, so that it fails when a later txtai
no longer needs the function.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from hashlens.index.arguments import MAX_ROWS
from hashlens.index.host import Host
from hashlens.rows.maker import Document
from hashlens.rows.settings import crop_index


def crop_index_of(embeddings: Any) -> Any:
    """Return the crop index among the sub-indexes of an `Embeddings`; None if it has none."""
    name = crop_index(embeddings.config)
    return embeddings.indexes[name] if name else None


def upsert(embeddings: Any, documents: Collection[Document], copy: Host) -> None:
    """Insert or replace rows, also in an index without rows.

    For an index without rows, `Embeddings.upsert` calls `Embeddings.index`, which begins a new
    database in a temporary file. Our database has its place on disk, and may be open in other
    processes. So the index counts one row while it is written to.
    """
    embeddings.count = lambda: 1
    try:
        with _importing(embeddings, documents, copy):
            embeddings.upsert(documents)
    finally:
        del embeddings.count


def _importing(
    embeddings: Any, documents: Collection[Document], copy: Host
) -> AbstractContextManager[None]:
    """Make `copy` the txtai that is imported, if the crop index may be built from nothing.

    `Embeddings.index` imports the class of a sub-index by its path when it builds the sub-index.
    The class must inherit from the same copy of txtai. A crop index is built from nothing if it
    has no pictures once the rows that the documents replace are deleted.
    """
    crops = crop_index_of(embeddings)
    builds = crops is not None and crops.count() <= len(documents)
    return copy.active() if builds else nullcontext()


def delete_in_one_pass(embeddings: Any) -> None:
    """Let the crop index find the rows to delete in one pass.

    `Embeddings.delete`, of a sub-index, goes through the ids of all rows once for each row that is
    deleted: a million times a thousand.
    """
    crops = crop_index_of(embeddings)
    if crops is not None:
        crops.delete = partial(_delete, crops)


def _delete(crops: Any, rows: Iterable[int]) -> None:
    positions = crops.ann.positions(rows) if crops.ann else []
    for position in positions:
        crops.ids[position] = None
    if positions:
        crops.ann.delete(positions)


def without_indexes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with which an empty index can be built: without sub-indexes.

    `Embeddings.index` fails with a TypeError if it has sub-indexes to build and no rows.
    txtai builds the sub-indexes when the first rows come, if the configuration on disk has them.
    """
    return {key: value for key, value in config.items() if key != "indexes"}


def correct_offset(embeddings: Any) -> None:
    """Let the next row have a higher number than all rows in the database.

    `Embeddings.load` takes the next number from the configuration, which `Embeddings.save` writes
    before the database. If the configuration lags, rows get numbers that are taken, and the insert
    fails, or numbers that deleted rows had.
    """
    highest = embeddings.database.cursor.execute("SELECT max(indexid) FROM sections").fetchone()[0]
    following = 0 if highest is None else highest + 1
    embeddings.config["offset"] = max(embeddings.config["offset"], following)


def row_limit(embeddings: Any, limit: int | None) -> int:
    """Return the limit with which `Embeddings.search` gives `limit` rows, or all rows for None.

    Without a limit, it gives 3 rows. With sub-indexes, the limit is also the number of rows that
    each of them looks for, and so should not exceed the number of rows.
    """
    if limit is not None:
        return limit
    return (embeddings.count() or 1) if embeddings.indexes else MAX_ROWS
