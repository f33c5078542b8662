"""SQLite as an `Engine` of packed columns and push-down."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import numpy as np

from hashlens.database.columns import Column, PackedRows, join_rows, sort_out
from hashlens.database.connections import Connections
from hashlens.database.engine import PARAMETER, T, Version
from hashlens.neighbors.codes import pack_joined
from hashlens.neighbors.scan import Rows

SPAN = 65_536  # rows read at a time


class SQLiteEngine:
    """Reads columns and counts versions by the session of the calling thread."""

    read_error: type[Exception] = sqlite3.OperationalError

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @cached_property
    def aggregates(self) -> frozenset[str]:
        """Return the names of the functions that make one row of many."""
        found = self._cursor.execute(
            "SELECT name FROM pragma_function_list WHERE type IN ('a','w')"
        )
        return frozenset(name for (name,) in found)

    def version(self) -> Version | None:
        """Read the version of the database; None if this thread has uncommitted rows."""
        return self._connections.version()

    def transaction(self) -> AbstractContextManager[None]:
        """See one state of the database until the end."""
        return self._connections.transaction()

    def in_turn(self, work: Callable[[], T]) -> T:
        """Return the result of short work with the database; threads take turns."""
        return self._connections.in_turn(work)

    def read_column(self, name: str, digits: int = 0, after: int = -1) -> Column:
        """Read a column of the rows after a row number; stop once it is found unfit."""
        return read_column(self._cursor, name, digits, after)

    def is_replaced(self, after: int) -> bool:
        """Return whether a row after a row number shares id and JSON with a row up to it."""
        found = self._cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM sections a JOIN sections b ON a.id = b.id "
            "WHERE a.indexid > ? AND b.indexid <= ?)",
            [after, after],
        )
        return bool(found.fetchone()[0])

    def rows_among(self, rows: Rows) -> tuple[str, Any]:
        """Return a condition that only these rows meet, and the value of its `PARAMETER`."""
        return f"s.indexid IN (SELECT value FROM json_each(:{PARAMETER}))", str(rows.tolist())

    @property
    def _cursor(self) -> Any:
        return self._connections.session.cursor


def read_column(cursor: Any, column: str, digits: int = 0, after: int = -1) -> Column:
    """Read a column of the rows after a row number; stop once it is found unfit.

    The texts of a span of rows are fetched as one joined text, in the order of the rows, which is
    the order of the scan. To fetch a million texts one by one takes three times as long.
    """
    source = "sections s" if column == "text" else "sections s LEFT JOIN documents d ON s.id = d.id"
    span = f"FROM {source} WHERE s.indexid > ? AND s.indexid <= ?"
    joined_text = (
        f"SELECT count(*), sum(typeof({column}) = 'text' AND length({column}) = ?), "
        f"group_concat({column}, '') {span}"
    )
    last = cursor.execute("SELECT max(indexid) FROM sections").fetchone()[0]
    found = Column(digits)
    parts: list[PackedRows] = []
    while after < (-1 if last is None else last) and found.is_whole:
        ends = (after, after + SPAN)
        count, good, joined = cursor.execute(joined_text, [digits, *ends]).fetchone()
        codes = pack_joined(joined, digits) if count and good == count else None
        if codes is not None and len(codes) == count:
            if count == SPAN:
                rows = np.arange(after + 1, after + SPAN + 1)
            else:
                numbers = cursor.execute(f"SELECT s.indexid {span} ORDER BY s.indexid", ends)
                rows = np.fromiter((row[0] for row in numbers), np.int64, count)
            parts.append(PackedRows(rows, codes, digits))
        elif count:
            values = cursor.execute(f"SELECT s.indexid, {column} {span} ORDER BY s.indexid", ends)
            part = sort_out(values.fetchall(), digits)
            digits = part.digits
            parts.extend(part.segments)
            found = found.followed_by(Column(digits, (), part.irregular))
        after += SPAN
    return Column(digits, (join_rows(parts),) if parts else (), found.irregular)
