"""Many readers of one SQLite index: each at work has a connection of its own.

txtai has one connection and one cursor to a database, which crash when threads share them. Here
the two belong to whoever is at work: a reader borrows a pair, and sees what is committed, in one
transaction from its first statement to its last. The thread that has written more reads with the
writer's pair and sees that too. An index that was never saved has only that pair; its readers
take turns.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from hashlens.database.gate import Gate
from hashlens.database.packed import Packed, Version
from hashlens.sql.functions import was_interrupted

# A scan of a large index by another process may take longer than SQLite's own five seconds.
BUSY_MILLISECONDS = 60_000
MOST_IDLE = 16  # connections that are kept for the next reader


class Session:
    """A connection and its cursor."""

    connection: Any = None
    cursor: Any = None
    file = ""
    inode = 0
    seen: tuple[int, Version] | None = None  # its data_version, and the version then


class Readers:
    """Mixed into txtai's SQLite, over its `connection` and `cursor`."""

    path: str | None
    pending: bool

    def __init__(self, config: dict[str, Any]) -> None:
        self.packed = Packed()
        self._own = threading.local()
        self._writers = Session()
        self._mutex = threading.RLock()  # held by whoever uses the writer's pair
        self._idle: list[Session] = []
        self._turn = threading.Lock()
        self._writer: int | None = None  # the thread with rows that are not committed
        self._file: str | None = None
        super().__init__(config)  # type: ignore[call-arg]

    @property
    def connection(self) -> Any:
        """Return the connection of whoever asks."""
        return self._pair.connection

    @connection.setter
    def connection(self, connection: Any) -> None:
        self._pair.connection = connection

    @property
    def cursor(self) -> Any:
        """Return the cursor of whoever asks."""
        return self._pair.cursor

    @cursor.setter
    def cursor(self, cursor: Any) -> None:
        self._pair.cursor = cursor

    def version(self) -> Version | None:
        """Read which version of the database this is; None for what is not committed."""
        return None if self._pair is self._writers else self._look(self._pair)

    @property
    def commits(self) -> int:
        """Return how many commits the database has counted."""
        return _pragma(self.cursor, "user_version")

    def _look(self, pair: Session) -> Version:
        """Read the version that a pair sees, and whether others wrote and did not count it."""
        version = pair.inode, _pragma(pair.cursor, "user_version")
        seen, pair.seen = pair.seen, (_pragma(pair.cursor, "data_version"), version)
        if seen and seen[1] == version and seen[0] != pair.seen[0]:
            self.packed.forget(version)
        return version

    def addfunctions(self) -> None:
        """Register functions, and wait for others where the file is locked."""
        super().addfunctions()  # type: ignore[misc]
        self.connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        # A large transaction would write pages before its end, and shut all readers out.
        self.connection.execute("PRAGMA cache_spill = OFF")

    def load(self, path: str) -> None:
        """Open a database."""
        super().load(path)  # type: ignore[misc]
        self._is_at(path)

    def search(self, query: Any, similarity: Any = None, *args: Any, **options: Any) -> Any:
        """Run a query."""
        with self._reading(), self.transaction() if similarity else nullcontext():
            return super().search(query, similarity, *args, **options)  # type: ignore[misc]

    def query(self, *args: Any) -> Any:
        """Run a parsed query."""
        try:
            with self._reading(), self.transaction():
                return super().query(*args)  # type: ignore[misc]
        except Exception:
            if was_interrupted():
                raise KeyboardInterrupt from None
            raise

    def columns(self, *names: str, by_id: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield columns of every row, of one state of the database."""
        with self._reading(), self.transaction():
            yield from super().columns(*names, by_id=by_id)  # type: ignore[misc]

    def ids(self, ids: list[Any]) -> Any:
        """Return the row numbers of some ids."""
        with self._reading(), self.transaction():
            return super().ids(ids)  # type: ignore[misc]

    def count(self) -> int:
        """Count the rows."""
        with self._reading(), self.transaction():
            return int(super().count())  # type: ignore[misc]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See one state of the database until the end, in one of this class's own reads."""
        pair = self._pair
        if pair is self._writers or pair.connection.in_transaction:
            yield
            return
        with Gate.of(pair.file).passed():
            pair.cursor.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):
                    pair.connection.rollback()  # a failed query leaves nothing behind

    def in_turn(self, work: Callable[[], Any]) -> Any:
        """Return what some short work with the database returns; threads take turns.

        Each statement hands the interpreter's lock over and takes it back: where many threads do
        that at once, they hardly do anything else. Whoever is in a transaction already does not
        wait: others may be waiting for its end.
        """
        if self._pair is self._writers or self.connection.in_transaction:
            return work()
        with self._turn:
            return work()

    def insert(self, documents: Iterable[tuple[Any, Any, Any]], index: int = 0) -> None:
        """Insert rows."""
        with self._writing():
            super().insert(documents, index)  # type: ignore[misc]
            self.packed.step()

    def delete(self, ids: list[Any]) -> None:
        """Delete rows."""
        with self._writing():
            gone = super().ids(ids) if self.connection else []  # type: ignore[misc]
            super().delete(ids)  # type: ignore[misc]
            self.packed.step(number for number, _ in gone)

    def reindex(self, config: dict[str, Any]) -> Iterator[Any]:
        """Yield all rows, with other numbers."""
        with self._writing():
            yield from super().reindex(config)  # type: ignore[misc]
            self.packed.step(None)

    def save(self, path: str) -> None:
        """Commit, or copy to another path."""
        with self._mutex:
            commits = self.path in (None, path)
            if commits and self.pending and self.connection:
                before = self._look(self._writers)
                self.cursor.execute(f"PRAGMA user_version = {before[1] + 1}")
                after = self._look(self._writers)
                super().save(path)  # type: ignore[misc]
                self.packed.commit(before, after)  # not before: a full disk may refuse
            else:
                super().save(path)  # type: ignore[misc]
            if commits:
                self._writer = None
                self._is_at(path)

    def close(self) -> None:
        """Close the connections; a reader at work closes its own when it is done."""
        with self._mutex:
            self._file = None
            while self._idle:
                self._idle.pop().connection.close()
            super().close()  # type: ignore[misc]

    def _is_at(self, path: str) -> None:
        self._file = os.path.realpath(path)
        if self._writers.inode != (inode := _inode(self._file)):
            self._writers.inode, self._writers.seen = inode, None
        self._look(self._writers)

    @property
    def _pair(self) -> Session:
        return getattr(self._own, "pair", None) or self._writers

    @contextmanager
    def _reading(self) -> Iterator[None]:
        file = self._file
        if getattr(self._own, "pair", None):  # further out already
            yield
        elif file is None or self._writer == threading.get_ident():
            with self._mutex:
                try:
                    yield
                finally:
                    if not self.pending and self.connection:
                        self.connection.commit()
        else:
            try:
                self._borrow(file)
                yield
            finally:
                pair, self._own.pair = self._own.pair, None
                if pair and self._file == file and len(self._idle) < MOST_IDLE:
                    self._idle.append(pair)
                elif pair:
                    pair.connection.close()

    def _borrow(self, file: str) -> None:
        """Make an idle pair, or a new one, that of this thread."""
        self._own.pair = None
        inode = _inode(file)
        while self._idle:
            with suppress(IndexError):  # another thread was quicker
                pair = self._idle.pop()
                if pair.inode == inode:
                    self._own.pair = pair
                    return
                pair.connection.close()  # the file has been replaced
        if self._mutex.acquire(blocking=False):  # else a writer is at work, who has looked
            try:
                self._look(self._writers)  # what others did before there was this pair
            finally:
                self._mutex.release()
        self._own.pair = pair = Session()
        pair.file, pair.inode = file, inode
        try:
            self.session(file)  # type: ignore[attr-defined]
        except BaseException:
            self._own.pair = None
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._mutex:
            pair, self._own.pair = getattr(self._own, "pair", None), None
            try:
                if self.connection and not self.connection.in_transaction:
                    self.cursor.execute("BEGIN IMMEDIATE")
                    self.packed.begin(self._look(self._writers))
                self.pending, self._writer = True, threading.get_ident()
                yield
            except BaseException:
                self.packed.step(None)  # who knows how far it came
                raise
            finally:
                self._own.pair = pair


def _inode(file: str) -> int:
    return os.stat(file).st_ino


def _pragma(cursor: Any, name: str) -> int:
    return int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
