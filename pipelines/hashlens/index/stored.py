"""Read what an index has stored of its rows, so that txtai can be given the rows again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from hashlens.index.directory import INDEXES
from hashlens.index.txtai_quirks import crop_index_of
from hashlens.rows.maker import Row
from hashlens.rows.settings import crop_index
from hashlens.schema import CROPS

# txtai stores the columns of a row as JSON, the thumbnail as an object, and the row's number.
_SELECT = (
    "SELECT d.data, o.object, s.indexid FROM documents d LEFT JOIN objects o ON d.id = o.id "
    "LEFT JOIN sections s ON d.id = s.id"
)
_Stored: TypeAlias = tuple[str, bytes | None, int]


def all_rows(embeddings: Any) -> list[Row]:
    """Return all rows as they were given to txtai, in storage order."""
    stored = embeddings.database.cursor.execute(_SELECT).fetchall()
    keypoints = _keypoints(embeddings, {number for *_, number in stored})
    return [_row(item, keypoints) for item in stored]


def rows_by_id(embeddings: Any, ids: Iterable[str]) -> dict[str, Row]:
    """Return rows as they were given to txtai, by their ids."""
    cursor = embeddings.database.cursor
    stored = {uid: cursor.execute(f"{_SELECT} WHERE d.id = ?", [uid]).fetchone() for uid in ids}
    keypoints = _keypoints(embeddings, {number for *_, number in stored.values()})
    return {uid: _row(item, keypoints) for uid, item in stored.items()}


def note_place(embeddings: Any, path: Path) -> None:
    """Tell the crop index that its files are in the index directory `path`.

    They are read when they are needed; a save or a move changes their place.
    """
    crops = crop_index_of(embeddings)
    if crops and crops.ann:
        crops.ann.moved(path / INDEXES / str(crop_index(embeddings.config)) / "embeddings")


def _keypoints(embeddings: Any, numbers: Collection[int]) -> dict[int, str]:
    """Return the keypoints of rows in the form of the column `CROPS`, by row number.

    They are read from the crop index: the files of the pictures may be gone.
    """
    crops = crop_index_of(embeddings)
    found: dict[int, str] = crops.ann.handed_on(numbers) if crops and crops.ann else {}
    return found


def _row(stored: _Stored, keypoints: Mapping[int, str]) -> Row:
    data, thumbnail, number = stored
    row: Row = json.loads(data)
    more = {"object": thumbnail, CROPS: keypoints.get(number)}
    return row | {name: value for name, value in more.items() if value}
