"""The sessions of a SQLite database alone, without txtai."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hashlens.database import connections as module
from hashlens.database.connections import Connections
from hashlens.database.packed import PackedColumns


class Database:
    """A table of numbers, with the connections of a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.opened = 0
        self.connections = Connections(PackedColumns(), self.open)
        self.open(self.path)
        self.session.cursor.execute("CREATE TABLE IF NOT EXISTS t (x)")
        self.session.connection.commit()
        self.connections.is_at(self.path)

    @property
    def session(self) -> Any:
        return self.connections.session

    def open(self, file: str) -> None:
        self.opened += 1
        self.session.connection = sqlite3.connect(file, check_same_thread=False)
        self.session.cursor = self.session.connection.cursor()

    def count(self) -> int:
        return int(self.session.cursor.execute("SELECT count(*) FROM t").fetchone()[0])

    def read(self) -> int:
        return self.connections.read(self.count)

    def write(self) -> None:
        with self.connections.writing():
            self.session.cursor.execute("INSERT INTO t VALUES (1)")

    def commit(self) -> None:
        with self.connections.committing(self.path):
            self.session.connection.commit()

    def close(self) -> None:
        with self.connections.closing():
            self.session.connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "numbers")
    yield made
    made.close()


@pytest.fixture
def elsewhere() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Call a function in another thread, always the same."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda work: pool.submit(work).result()


def test_only_the_writing_thread_sees_uncommitted_rows(database, elsewhere):
    database.write()
    assert (database.read(), elsewhere(database.read)) == (1, 0)
    database.commit()
    assert (database.read(), elsewhere(database.read)) == (1, 1)


def test_readers_see_committed_rows_and_borrow_the_same_session_one_after_the_other(
    database, elsewhere
):
    for expected in (0, 1, 2):
        with database.connections.reading(), database.connections.transaction():
            assert database.count() == expected
            elsewhere(database.write)
            assert database.count() == expected
            assert database.session.connection.in_transaction
        elsewhere(database.commit)
    assert database.opened == 2


def test_each_commit_with_new_rows_is_counted(database, elsewhere):
    versions = [elsewhere(lambda: database.connections.read(database.connections.version))]
    database.write()
    assert database.connections.version() is None
    database.commit()
    database.commit()
    versions.append(elsewhere(lambda: database.connections.read(database.connections.version)))
    (inode, before), (same, after) = versions
    assert (same, after) == (inode, before + 1)


def test_no_more_sessions_are_kept_than_are_useful(database, monkeypatch):
    monkeypatch.setattr(module, "MAX_IDLE", 1)
    with ThreadPoolExecutor(1) as pool, database.connections.reading():
        pool.submit(database.read).result()
    assert database.opened == 3
    database.read()
    assert database.opened == 3


def test_a_session_of_a_file_that_was_replaced_is_not_used_again(database, tmp_path):
    assert database.read() == 0
    other = Database(tmp_path / "other")
    other.write()
    other.commit()
    other.close()
    (tmp_path / "other").rename(tmp_path / "numbers")
    assert database.read() == 1


def test_a_session_that_cannot_be_opened_is_not_kept(database, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            database.read()
    assert database.read() == 0
