"""Commit what was written, so that a crash at any moment loses nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hashlens.rows.maker import Row
from hashlens.schema import CROPS

COMMITTING = "committing"  # in the configuration: sub-indexes may lack what the rows have

# What txtai stores of a row: its columns as JSON, its picture, and its number.
_STORED = (
    "SELECT d.data, o.object, s.indexid FROM documents d LEFT JOIN objects o ON d.id = o.id "
    "LEFT JOIN sections s ON d.id = s.id"
)


def _row(stored: tuple[str, bytes | None, int], crops: Mapping[int, str]) -> Row:
    """Return a row as it was given to txtai: with its picture, and what the crop index has."""
    data, picture, number = stored
    row: Row = json.loads(data)
    extra = {"object": picture, CROPS: crops.get(number)}
    return row | {name: value for name, value in extra.items() if value}
