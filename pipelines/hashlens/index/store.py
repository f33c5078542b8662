"""A txtai index directory that a crash cannot break.

txtai saves an index in several steps. Here each write is one: first the configuration, with row
numbers that are never used again, then the commit of the content database. A process that is
killed in between leaves the rows of the last commit, and an index that opens. Where there are
sub-indexes, the configuration says that a commit is under way until they are in place as well; the
next writer then makes them anew from the rows.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hashlens.disk import replace_directory
from hashlens.errors import HashlensError, IndexingError, QueryError
from hashlens.index.commit import _STORED, COMMITTING, _row
from hashlens.index.directory import (
    DOCUMENTS,
    INDEXES,
    STAGED,
    commit_stamp,
    config_of,
    exists,
    require_empty,
    write_config,
    write_lock,
)
from hashlens.index.host import Host, host, needs_models
from hashlens.index.opening import _build, _load_whole, _require_like
from hashlens.model import Explanation
from hashlens.rows.maker import Document, Row
from hashlens.rows.settings import crop_index
from hashlens.schema import KNOWN

MOST_ROWS = 2**62  # databases count in 64 bits
INTERRUPTED = "Query interrupted"  # what DuckDB makes of Ctrl-C


class Known(NamedTuple):
    """What an index knows of a file, to tell whether that has changed: the columns `KNOWN`."""

    id: str
    bytes: int | None
    mtime_ns: int | None
    policy: str | None
    skipped: str | None
    file_digest: str | None


class Store:
    """The one holder of a txtai `Embeddings`, open on a directory; for many threads."""

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        self.config = dict(config)
        self._mutex = threading.RLock()
        self._host: Host | None = None
        self._embeddings: Any = None
        self._stamp = (0, 0)
        self._is_closed = False

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any]) -> Store:
        """Make an empty index in a directory, when it is first used or closed.

        Until then txtai is not imported, and there is time to begin with other work. Raises
        IndexingError where no index can be made.
        """
        require_empty(path, leftovers=True)
        store = cls(path, config)
        with store._making(), write_lock(path):
            pass
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an index; raises IndexingError where there is none that can be opened."""
        store = cls(path, config_of(path))
        store._open()
        return store

    @property
    def is_new(self) -> bool:
        """Tell whether the index is still to be made."""
        return self._embeddings is None and not self._is_closed

    def count(self) -> int:
        """Count the rows, skipped files included."""
        with self._mutex:
            return int(self._database().count())

    def known(self) -> Iterator[Known]:
        """Yield what tells whether files have changed, for each row, sorted by id."""
        with self._mutex:
            yield from map(Known._make, self._database().columns(*KNOWN[1:]))

    def columns(self, *names: str, by_id: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield the id and columns of every committed row, sorted by id, or sooner as they lie."""
        with self._mutex:
            database = self._database()
        yield from database.columns(*names, by_id=by_id)

    def pictures(self) -> Any:
        """Return the keypoints of all pictures (`hashlens.crops.table.Table`), if there are any."""
        with self._mutex:
            self._database()
            crops = self._crop_index()
            return crops.ann.table if crops and crops.ann else None

    def query(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query; all rows unless it or `limit` says less. Raises QueryError.

        txtai's own default is 3 rows.
        """
        return self._search(query, parameters, limit)[0]

    def explain(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> Explanation:
        """Run a query and tell which way it went; raises QueryError."""
        database = self._search(query, parameters, limit)[1]
        other = Explanation("full scan", reason="this content database has no packed codes")
        return getattr(database, "explanation", other)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, of all threads and processes, and see what earlier ones wrote.

        Queries of other threads come in between. Raises IndexingError where another writes.
        """
        with self._mutex:
            self._database()
        with write_lock(self.path):
            with self._mutex:
                if commit_stamp(self.path) != self._stamp:
                    self._reload()
                if COMMITTING in self.config:
                    self._recover()
            yield

    def write(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        """Insert or replace rows and delete others, all of it or nothing, within `writing`.

        Raises IndexingError where the disk or the database refuses.
        """
        with self._mutex:
            try:
                self._write(list(documents), list(deletes))
            except BaseException as error:
                self._reload()
                if INTERRUPTED in str(error):
                    raise KeyboardInterrupt from error
                if isinstance(error, Exception) and not isinstance(error, HashlensError):
                    msg = f"nothing was written to {self.path}: {error}"
                    raise IndexingError(msg) from error
                raise

    def rename(self, changes: Mapping[str, tuple[str, Row]]) -> None:
        """Put rows in the place of others: by new id, the old one and the columns that change."""
        with self._mutex:
            cursor = self._database().cursor
            stored = {
                new: cursor.execute(f"{_STORED} WHERE d.id = ?", [old]).fetchone()
                for new, (old, _) in changes.items()
            }
            crops = self._crops({number for *_, number in stored.values()})
            self.write(
                [(new, _row(stored[new], crops) | changes[new][1], None) for new in changes],
                [old for old, _ in changes.values()],
            )

    def copy(self, path: Path) -> None:
        """Save a copy of the index to a new or empty directory; raises IndexingError otherwise."""
        with self._mutex:
            self._database()
            require_empty(path)
            try:
                self._embeddings.save(str(path))
            except OSError as error:
                msg = f"nothing can be saved to {path}: {error.strerror or error}"
                raise IndexingError(msg) from error
            finally:
                self._settle()

    def close(self, *, make: bool = True) -> None:
        """Close the index; what was written is committed already.

        One that is still to be made is made now, unless told otherwise.
        """
        with self._mutex:
            if self.is_new and make:
                self._database()
            self._is_closed = True
            if self._embeddings is not None:
                self._embeddings.close()

    def _search(
        self, query: str, parameters: Mapping[str, Any] | None, limit: int | None
    ) -> tuple[list[dict[str, Any]], Any]:
        """Return the rows of a query, and the database that gave them."""
        while True:
            embeddings = self._embeddings
            if embeddings is None or self._is_closed:
                with self._mutex:
                    self._database()
                    embeddings = self._embeddings
            try:
                if embeddings.indexes and commit_stamp(self.path) != self._stamp:
                    embeddings = self._reopened(embeddings)
                # Without sub-indexes no limit costs anything; with them it is what they look for.
                most = limit
                if most is None:
                    most = (embeddings.count() or 1) if embeddings.indexes else MOST_ROWS
                bound = dict(parameters or {}) or None
                database = embeddings.database
                rows: list[dict[str, Any]] = embeddings.search(query, most, parameters=bound)
            except Exception as error:
                if embeddings is self._embeddings and not self._is_closed:
                    if INTERRUPTED in str(error):
                        raise KeyboardInterrupt from error
                    cause = " ".join(str(error).split())
                    msg = f"the query failed: {cause}; it was {query!r}"
                    raise QueryError(msg) from error
            else:
                if embeddings is self._embeddings and not self._is_closed:
                    return rows, database
            # Another thread has opened the index anew meanwhile, or closed it.

    def _reopened(self, before: Any) -> Any:
        """Open the index anew, once, where another process wrote: sub-indexes are in memory."""
        with self._mutex:
            if before is self._embeddings and commit_stamp(self.path) != self._stamp:
                self._reload()
            return self._embeddings

    def _database(self) -> Any:
        if self._is_closed:
            msg = f"the index at {self.path} is closed"
            raise IndexingError(msg)
        if self._embeddings is None:
            with self._making(), write_lock(self.path):
                if exists(self.path):
                    _require_like(config_of(self.path), self.config, self.path)
                else:
                    _build(self.path, host(self.config), self.config)
            self._open()
        return self._embeddings.database

    def _open(self) -> None:
        self._host = self._host or host(self.config)
        self._embeddings, self._stamp = _load_whole(self.path, self._host)
        self.config = self._embeddings.config
        crops = self._crop_index()
        if crops:
            crops.delete = partial(_delete, crops)

    @contextmanager
    def _making(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            msg = f"no index can be made at {self.path}: {error.strerror or error}"
            raise IndexingError(msg) from error

    def _write(self, documents: list[Document], deletes: list[str]) -> None:
        self._database()
        if documents:
            self._upsert(documents)
        if deletes:
            self._embeddings.delete(deletes)
        self._commit()

    def _upsert(self, documents: list[Document]) -> None:
        # txtai begins a new database, elsewhere, for an index that has no rows; ours has its
        # place on disk, and may be open in other processes.
        self._embeddings.count = lambda: 1
        crops = self._crop_index()
        # Where all of it may be replaced, it begins anew, for which txtai imports its class.
        begins = crops and crops.count() <= len(documents)
        try:
            with self._host.active() if self._host and begins else nullcontext():
                self._embeddings.upsert(documents)
        finally:
            del self._embeddings.count

    def _commit(self) -> None:
        indexes = self._embeddings.indexes
        if indexes:
            staged = self.path / STAGED
            shutil.rmtree(staged, ignore_errors=True)
            indexes.save(str(staged))
            write_config(self.path, {**self.config, COMMITTING: self._commits()})
            self._database().save(str(self.path / DOCUMENTS))
            self._swap()
            self._settle()
        else:
            write_config(self.path, self.config)
            self._database().save(str(self.path / DOCUMENTS))
        self._stamp = commit_stamp(self.path)

    def _crop_index(self) -> Any:
        """Return the crop index; None where there is none."""
        name = crop_index(self.config)
        return self._embeddings.indexes[name] if name else None

    def _crops(self, rows: Collection[int]) -> dict[int, str]:
        """Return what the crop index has of some rows, as rows hand it on."""
        crops = self._crop_index()
        found: dict[int, str] = crops.ann.handed_on(rows) if crops and crops.ann else {}
        return found

    def _settle(self) -> None:
        """Tell the crop index where its files are, after they were saved and moved."""
        crops = self._crop_index()
        if crops and crops.ann:
            name = crop_index(self.config)
            crops.ann.moved(self.path / INDEXES / str(name) / "embeddings")

    def _swap(self) -> None:
        """Put staged sub-indexes in place: the end of a commit."""
        replace_directory(self.path / STAGED, self.path / INDEXES)
        write_config(self.path, self.config)

    def _commits(self) -> int | None:
        """Return how many commits the database has counted; None where it counts none."""
        return getattr(self._database(), "commits", None)

    def _recover(self) -> None:
        """Finish the commit that another process began, or take it back.

        Before the database was committed, the sub-indexes in place are right; after that, those
        staged are. A database that does not count its commits leaves that open: then sub-indexes
        are made anew.
        """
        before = self.config[COMMITTING]
        if type(before) is not int:
            self._rebuild_indexes()
            return
        self.config.pop(COMMITTING)
        if self._commits() == before:
            shutil.rmtree(self.path / STAGED, ignore_errors=True)
            write_config(self.path, self.config)
        elif (self.path / STAGED).exists():
            self._swap()
        else:
            write_config(self.path, self.config)
        self._reload()

    def _rebuild_indexes(self) -> None:
        stored = self._database().cursor.execute(_STORED).fetchall()
        crops = self._crops({number for *_, number in stored})  # the files may be gone
        shutil.rmtree(self.path / INDEXES, ignore_errors=True)
        self._reload()
        self.config.pop(COMMITTING)  # on disk it stays until this is done
        rows = (_row(item, crops) for item in stored)
        self.write((row["id"], row, None) for row in rows)

    def _reload(self) -> None:
        # Close rolls back what was not committed. Queries of other threads go on with the new.
        before = self._embeddings
        self._open()
        before.close()


def _delete(index: Any, ids: Iterable[int]) -> None:
    """Delete from a crop index by row: in one pass, where txtai makes one for each row."""
    positions = index.ann.positions(ids) if index.ann else []
    for position in positions:
        index.ids[position] = None
    if positions:
        index.ann.delete(positions)


def commits_at_once(config: Mapping[str, Any]) -> bool:
    """Tell whether a commit is cheap: the index has content only, no vectors to save with it."""
    return not needs_models(config)
