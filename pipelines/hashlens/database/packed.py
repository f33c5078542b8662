"""The packed columns of a database, kept up with the rows that are written to it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np

from hashlens.database.columns import Column
from hashlens.database.engine import Engine, Version
from hashlens.neighbors.scan import Rows


class PackedColumns:
    """The packed columns of a database, for many threads.

    Each write of this process is a step. Deleted rows are dropped from a column; new rows are
    appended to it. After a commit of another process, a column is read again. The database counts
    its commits; that count is its version.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[str, tuple[int, Column]] = {}  # by name: number of steps, column
        self._steps: list[Rows | None] = []  # rows that each step removed; None: unknown
        self._known: dict[Version, int] = {}  # number of steps that led to a version

    def begin(self, version: Version) -> None:
        """Note the version from which a transaction of this process begins."""
        with self._lock:
            self._step_of(version)

    def step(self, gone: Iterable[int] | None = ()) -> None:
        """Note that rows were removed or appended; None if any row may have changed."""
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
        """Note that a version has changed: another program wrote and did not count its commit."""
        with self._lock:
            self._known.pop(version, None)

    def latest(self, name: str) -> tuple[Column | None, int]:
        """Return a column as it was last used, and the state that it shows."""
        step, column = self._columns.get(name, (0, None))
        return column, step

    def is_now(self, state: int, version: Version | None) -> bool:
        """Return whether a state shows a version."""
        with self._lock:
            return state == (len(self._steps) if version is None else self._known.get(version))

    def column(self, engine: Engine, name: str, version: Version | None) -> Column:
        """Return a column as the engine's transaction sees it, which shows `version`.

        None stands for the uncommitted version that this process is writing.
        """
        with self._lock:
            now = len(self._steps) if version is None else self._step_of(version)
            then, column = self._columns.get(name, (now, None))
            gone = self._steps[then:now]
            if column is None or then > now or any(rows is None for rows in gone):
                column = engine.read_column(name)
            elif then < now:
                column = _renewed(engine, name, column, [rows for rows in gone if rows is not None])
            self._columns[name] = (now, column)
            return column

    def _step_of(self, version: Version) -> int:
        if version not in self._known:
            self._steps.append(None)
            self._known[version] = len(self._steps)
        return self._known[version]


def _renewed(engine: Engine, name: str, column: Column, gone: Sequence[Rows]) -> Column:
    """Return a column after some steps of this process."""
    if not column.is_whole:
        return engine.read_column(name)
    if any(rows.size for rows in gone):
        column = column.without(np.unique(np.concatenate(gone)))
    if name != "text" and engine.is_replaced(column.highest):
        return engine.read_column(name)
    return column.followed_by(engine.read_column(name, column.digits, column.highest))
