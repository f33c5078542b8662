"""Many readers of one SQLite database: each reading thread has a session of its own.

txtai has one connection and one cursor to a database, and threads that share them crash. Here both
belong to a session. A reader borrows a session and sees committed rows, in one transaction from its
first statement to its last. The thread that has uncommitted rows reads with the writer's session
and sees them too. A database that was never saved has the writer's session only; its readers take
turns.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hashlens.database.engine import T, Version
from hashlens.database.gate import Gate
from hashlens.database.packed import PackedColumns

# A scan of a large index by another process may take longer than SQLite's own five seconds.
BUSY_MILLISECONDS = 60_000
MAX_IDLE = 16  # sessions kept for the next readers


class Session:
    """A connection to a database file, and its cursor."""

    def __init__(self, file: str = "", inode: int = 0) -> None:
        self.connection: Any = None
        self.cursor: Any = None
        self.file = file
        self.inode = inode
        self.seen: tuple[int, Version] | None = None  # data_version, and the version read with it

    def pragma(self, name: str) -> int:
        """Read a number that SQLite keeps for the database or the connection."""
        return int(self.cursor.execute(f"PRAGMA {name}").fetchone()[0])


class OfSession:
    """An attribute of a database that is one of the calling thread's session."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, database: Any, owner: type | None = None) -> Any:
        return self if database is None else getattr(database.connections.session, self._name)

    def __set__(self, database: Any, value: Any) -> None:
        setattr(database.connections.session, self._name, value)


class Connections:
    """The sessions of one SQLite database: the writer's, and those that readers borrow.

    `open_session(file)` connects to a file and fills the session of the calling thread.
    """

    def __init__(self, packed: PackedColumns, open_session: Callable[[str], object]) -> None:
        self._packed = packed
        self._open_session = open_session
        self._file: str | None = None
        self._borrowed = threading.local()
        self._idle: list[Session] = []
        self._turn = threading.Lock()
        self._writer = Session()
        self._writer_lock = threading.RLock()  # held by the thread that uses the writer's session
        self._writing_thread: int | None = None  # the thread that has uncommitted rows

    @property
    def session(self) -> Session:
        """Return the session of the calling thread: the borrowed one, or the writer's."""
        return getattr(self._borrowed, "session", None) or self._writer

    def version(self) -> Version | None:
        """Read the version of the database; None for the writer's, whose rows are uncommitted."""
        session = self.session
        return None if session is self._writer else self._read_version(session)

    def is_at(self, path: str) -> None:
        """Note the file of the database, after it was opened or saved."""
        self._file = os.path.realpath(path)
        if self._writer.inode != (inode := _inode(self._file)):
            self._writer.inode, self._writer.seen = inode, None
        self._read_version(self._writer)

    def read(self, work: Callable[..., T], *args: Any) -> T:
        """Return the result of work that reads one state of the database."""
        with self.reading(), self.transaction():
            return work(*args)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Give the calling thread a session until the end."""
        file = self._file
        if getattr(self._borrowed, "session", None):  # by an outer call
            yield
        elif file is None or self._writing_thread == threading.get_ident():
            with self._writer_lock:
                try:
                    yield
                finally:
                    if self._writing_thread is None and self._writer.connection:
                        self._writer.connection.commit()
        else:
            try:
                self._borrow(file)
                yield
            finally:
                self._give_back(file)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See one state of the database until the end; only within `reading`."""
        session = self.session
        if session is self._writer or session.connection.in_transaction:
            yield
            return
        with Gate.of(session.file).passed():
            session.cursor.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):
                    session.connection.rollback()  # a failed query leaves nothing behind

    def in_turn(self, work: Callable[[], T]) -> T:
        """Return the result of short work with the database; threads take turns.

        Each statement releases the interpreter's lock and takes it again. Many threads that do so
        at once hardly do anything else. A thread that is in a transaction already does not wait:
        others may be waiting for the end of it.
        """
        session = self.session
        if session is self._writer or session.connection.in_transaction:
            return work()
        with self._turn:
            return work()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, in a transaction that lasts until `committing`."""
        with self.as_writer():
            session = self._writer
            try:
                if session.connection and not session.connection.in_transaction:
                    session.cursor.execute("BEGIN IMMEDIATE")
                    self._packed.begin(self._read_version(session))
                self._writing_thread = threading.get_ident()
                yield
            except BaseException:
                self._packed.step(None)  # some rows may have been written
                raise

    @contextmanager
    def committing(self, path: str) -> Iterator[None]:
        """Count the commit that is made within, which leaves the database at a path."""
        with self.as_writer():
            session = self._writer
            if self._writing_thread is not None and session.connection:
                before = self._read_version(session)
                session.cursor.execute(f"PRAGMA user_version = {before[1] + 1}")
                after = self._read_version(session)
                yield
                self._packed.commit(before, after)  # not before: a full disk may refuse
            else:
                yield
            self._writing_thread = None
            self.is_at(path)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close idle sessions; the caller closes the writer's, a reader its own when it is done."""
        with self.as_writer():
            self._file = None
            while self._idle:
                self._idle.pop().connection.close()
            yield

    @contextmanager
    def as_writer(self) -> Iterator[None]:
        """Use the writer's session, and no other thread beside this one."""
        with self._writer_lock:
            borrowed = getattr(self._borrowed, "session", None)
            self._borrowed.session = None
            try:
                yield
            finally:
                self._borrowed.session = borrowed

    def _read_version(self, session: Session) -> Version:
        """Read the version that a session sees; notice writes that were not counted."""
        version = session.inode, session.pragma("user_version")
        seen, session.seen = session.seen, (session.pragma("data_version"), version)
        if seen and seen[1] == version and seen[0] != session.seen[0]:
            self._packed.forget(version)
        return version

    def _borrow(self, file: str) -> None:
        """Give the calling thread an idle session, or else a new one."""
        self._borrowed.session = None
        inode = _inode(file)
        self._borrowed.session = self._take_idle(inode)
        if self._borrowed.session:
            return
        if self._writer_lock.acquire(blocking=False):  # else a writer is at work, which has looked
            try:
                self._read_version(self._writer)  # writes of others before this session began
            finally:
                self._writer_lock.release()
        self._borrowed.session = Session(file, inode)
        try:
            self._open_session(file)
        except BaseException:
            self._borrowed.session = None
            raise

    def _take_idle(self, inode: int) -> Session | None:
        while self._idle:
            with suppress(IndexError):  # another thread was quicker
                session = self._idle.pop()
                if session.inode == inode:
                    return session
                session.connection.close()  # the file has been replaced
        return None

    def _give_back(self, file: str) -> None:
        session: Session | None = self._borrowed.session
        self._borrowed.session = None
        if session and self._file == file and len(self._idle) < MAX_IDLE:
            self._idle.append(session)
        elif session:
            session.connection.close()


def _inode(file: str) -> int:
    return os.stat(file).st_ino
