"""The packed columns of a SQLite database, kept up with what is written to it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hashlens.database.columns import Column, PackedRows, joined_up, sorted_out
from hashlens.neighbors.codes import pack_joined
from hashlens.neighbors.scan import Rows

Version = tuple[int, int]  # of a file, by its inode: how often it was committed to
SPAN = 65_536  # rows that are read at a time


class Packed:
    """The columns of a database, kept up with what is written to it; for many threads.

    What this process writes is known step by step: rows that are gone leave a column, new ones are
    read behind its last. After a commit of another process, it is read anew. The database counts
    its commits: that count is the version.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[str, tuple[int, Column]] = {}  # as of so many steps
        self._steps: list[Rows | None] = []  # the rows that each removed; None for what is unknown
        self._known: dict[Version, int] = {}  # a version, and the number of steps that led to it

    def begin(self, version: Version) -> None:
        """Note the version that a transaction of this process begins from."""
        with self._lock:
            self._step_of(version)

    def step(self, gone: Iterable[int] | None = ()) -> None:
        """Note that rows were removed, or appended; with None, that all are others now."""
        rows = None if gone is None else np.unique(np.fromiter(gone, np.int64))
        with self._lock:
            self._steps.append(rows)

    def commit(self, before: Version, after: Version) -> None:
        """Note that the steps since version `before` have become version `after`."""
        with self._lock:
            if before not in self._known:
                self._steps.append(None)
            self._known[after] = len(self._steps)

    def forget(self, version: Version) -> None:
        """Note that a version is not what it was: someone wrote and did not count it."""
        with self._lock:
            self._known.pop(version, None)

    def latest(self, name: str) -> tuple[Column | None, int]:
        """Return a column as it is at hand, and the state that it is of."""
        step, column = self._columns.get(name, (0, None))
        return column, step

    def is_now(self, state: int, version: Version | None) -> bool:
        """Tell whether a state is that of a version."""
        with self._lock:
            return state == (len(self._steps) if version is None else self._known.get(version))

    def column(self, cursor: Any, name: str, version: Version | None) -> Column:
        """Return a column as the cursor's transaction sees it, of that version.

        None is the version that this process is writing.
        """
        with self._lock:
            now = len(self._steps) if version is None else self._step_of(version)
            then, column = self._columns.get(name, (now, None))
            gone = self._steps[then:now]
            if column is None or then > now or any(rows is None for rows in gone):
                column = read(cursor, name)
            elif then < now:
                column = _renewed(cursor, name, column, [rows for rows in gone if rows is not None])
            self._columns[name] = (now, column)
            return column

    def _step_of(self, version: Version) -> int:
        if version not in self._known:
            self._steps.append(None)
            self._known[version] = len(self._steps)
        return self._known[version]


def _renewed(cursor: Any, name: str, column: Column, gone: Sequence[Rows]) -> Column:
    """Return a column after some steps of this process."""
    if not column.is_whole:
        return read(cursor, name)
    if any(rows.size for rows in gone):
        column = column.without(np.unique(np.concatenate(gone)))
    if name != "text" and _replaced(cursor, column.highest):
        return read(cursor, name)
    return column.followed(read(cursor, name, column.digits, column.highest))


def _replaced(cursor: Any, after: int) -> bool:
    """Tell whether a later row shares its id, and so its JSON, with one up to a number."""
    found = cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM sections a JOIN sections b ON a.id = b.id "
        "WHERE a.indexid > ? AND b.indexid <= ?)",
        [after, after],
    )
    return bool(found.fetchone()[0])


def read(cursor: Any, column: str, digits: int = 0, after: int = -1) -> Column:
    """Read a column of the rows after a number from SQLite; it stops where it is found unfit.

    The texts of a span of rows come as one text, in the order of the rows that is the order of the
    scan: to fetch a million of them one by one would take three times as long.
    """
    source = "sections s" if column == "text" else "sections s LEFT JOIN documents d ON s.id = d.id"
    span = f"FROM {source} WHERE s.indexid > ? AND s.indexid <= ?"
    as_one = (
        f"SELECT count(*), sum(typeof({column}) = 'text' AND length({column}) = ?), "
        f"group_concat({column}, '') {span}"
    )
    last = cursor.execute("SELECT max(indexid) FROM sections").fetchone()[0]
    found = Column(digits)
    parts: list[PackedRows] = []
    while after < (-1 if last is None else last) and found.is_whole:
        ends = (after, after + SPAN)
        count, good, joined = cursor.execute(as_one, [digits, *ends]).fetchone()
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
            part = sorted_out(values.fetchall(), digits)
            digits = part.digits
            parts.extend(part.segments)
            found = found.followed(Column(digits, (), part.odd))
        after += SPAN
    return Column(digits, (joined_up(parts),) if parts else (), found.odd)
