"""A txtai index directory that a crash cannot break.

txtai saves an index in several steps. Here each write is one: first the configuration, with row
numbers that are never used again, then the commit of the content database. A process that is
killed in between leaves the rows of the last commit, and an index that opens. An index with
sub-indexes says in its configuration that a commit is under way until they are in place as well;
the next writer then finishes the commit or takes it back (see `hashlens.index.commit`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from hashlens.errors import HashlensError, IndexingError, QueryError
from hashlens.images.root import PATHS, Root
from hashlens.index.commit import COMMITTING, commit, recover
from hashlens.index.directory import commit_stamp, config_of, exists, require_empty, write_lock
from hashlens.index.host import Host, host
from hashlens.index.opening import build, claim, load
from hashlens.index.stored import note_place, rows_by_id
from hashlens.index.txtai_quirks import crop_index_of, row_limit, upsert
from hashlens.model import Explanation
from hashlens.names import name_of
from hashlens.rows.maker import Document, Row
from hashlens.rows.settings import (
    CONTENTS,
    Settings,
    is_relative,
    require_engine,
    require_same,
    settings_of,
)
from hashlens.schema import KNOWN

INTERRUPTED = "Query interrupted"  # in the error that DuckDB raises after Ctrl-C


class Known(NamedTuple):
    """What an index knows of a file, to find out whether the file has changed."""

    id: str
    bytes: int | None
    mtime_ns: int | None
    policy: str | None
    skipped: str | None
    file_digest: str | None

    @property
    def path(self) -> str:
        """Return the path of the file."""
        return name_of(self.id)


class Store:
    """The one holder of a txtai `Embeddings`, open on a directory; for many threads.

    Paths and ids are absolute on this side of it. What `query` returns is as it is stored.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        self.config = dict(config)
        self.root = Root(path.parent if is_relative(config) else None)
        self._mutex = threading.RLock()
        self._embeddings: Any = None
        self._stamp = (0, 0)
        self._is_closed = False

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any]) -> Store:
        """Make an empty index in a directory, when it is first used or closed.

        Until then txtai is not imported, and there is time to begin with other work. Raises
        IndexingError if no index can be made.
        """
        claim(path)
        return cls(path, config)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an index; raises IndexingError if there is none that can be opened."""
        store = cls(path, config_of(path))
        store._load()
        return store

    @property
    def is_new(self) -> bool:
        """Return whether the index is still to be made."""
        return self._embeddings is None and not self._is_closed

    def count(self) -> int:
        """Count the rows, those of skipped files included."""
        with self._mutex:
            return int(self._loaded().database.count())

    def known(self) -> Iterator[Known]:
        """Yield what the index knows of each file, sorted by id."""
        with self._mutex:
            rows = self._loaded().database.columns(*KNOWN[1:])
            yield from map(Known._make, self._placed(rows, [0]))

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and some columns of every committed row, sorted by id."""
        with self._mutex:
            database = self._loaded().database
        yield from self._placed(database.columns(*names), _places(names))

    def blocks(self, *names: str) -> Iterator[list[Sequence[Any]]]:
        """Yield the ids and some columns of all committed rows, in blocks of columns.

        Rows come in storage order, several times as fast as from `columns`.
        """
        with self._mutex:
            database = self._loaded().database
        for block in database.blocks(*names):
            if self.root.folder is None:
                yield block
            elif rows := list(self._placed(zip(*block, strict=True), _places(names))):
                yield list(zip(*rows, strict=True))

    def pictures(self) -> Any:
        """Return the keypoints of all pictures (`hashlens.crops.table.Table`), None without."""
        with self._mutex:
            crops = crop_index_of(self._loaded())
            return crops.ann.table if crops and crops.ann else None

    def query(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query; returns all rows, as stored, unless the query or `limit` says fewer.

        Raises QueryError if the query fails.
        """
        return self._search(query, parameters, limit)[0]

    def rows(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query, and return its rows with absolute paths and ids."""
        found = self.query(query, parameters, limit)
        if self.root.folder is None:
            return found
        return [row for row in found if self.root.place(row, [n for n in PATHS if n in row])]

    def explain(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> Explanation:
        """Run a query and return which way it went; raises QueryError if it fails."""
        database = self._search(query, parameters, limit)[1]
        other = Explanation("full scan", reason="this content database has no packed codes")
        return getattr(database, "explanation", other)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, of all threads and processes, and see what earlier ones wrote.

        Other threads may query between two writes. Raises IndexingError if there is a writer.
        """
        with self._mutex:
            self._loaded()
        with write_lock(self.path):
            with self._mutex:
                if commit_stamp(self.path) != self._stamp:
                    self._load()
                if COMMITTING in self.config:
                    rows = recover(self.path, self._embeddings)
                    self._load()
                    if rows is not None:
                        del self.config[COMMITTING]  # on disk it stays until the rows are there
                        self.write((row["id"], row, None) for row in rows)
            yield

    def write(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        """Insert or replace rows and delete others, all or nothing; call it within `writing`.

        Raises IndexingError if the disk or the database refuses.
        """
        with self._mutex:
            embeddings = self._loaded()
            try:
                rows = [
                    (self.root.stored(uid), self.root.stored_row(row), tags)
                    for uid, row, tags in documents
                ]
                ids = list(map(self.root.stored, deletes))
                if rows:
                    upsert(embeddings, rows, self._host)
                if ids:
                    embeddings.delete(ids)
                commit(self.path, embeddings)
                self._stamp = commit_stamp(self.path)
            except BaseException as error:
                self._load()  # what was not committed is gone with the old `Embeddings`
                if INTERRUPTED in str(error):
                    raise KeyboardInterrupt from error
                if isinstance(error, Exception) and not isinstance(error, HashlensError):
                    msg = f"nothing was written to {self.path}: {error}"
                    raise IndexingError(msg) from error
                raise

    def rename(self, changes: Mapping[str, tuple[str, Row]]) -> None:
        """Give rows other ids: `changes` has, by new id, the old id and the columns that change."""
        with self._mutex:
            stored = {old: self.root.stored(old) for old, _ in changes.values()}
            rows = rows_by_id(self._loaded(), stored.values())
            self.write(
                [
                    (new, rows[stored[old]] | changed, None)
                    for new, (old, changed) in changes.items()
                ],
                stored.keys() - changes.keys(),  # an old id may be the new id of another row
            )

    def copy(self, path: Path) -> None:
        """Save a copy to a new or empty directory; raises IndexingError if that cannot be done."""
        with self._mutex:
            embeddings = self._loaded()
            require_empty(path)
            try:
                embeddings.save(str(path))
            except OSError as error:
                msg = f"nothing can be saved to {path}: {error.strerror or error}"
                raise IndexingError(msg) from error
            finally:
                note_place(embeddings, self.path)

    def close(self, *, make: bool = True) -> None:
        """Close the index. What was written is committed already.

        An index that is still to be made is made now, unless `make` is False.
        """
        with self._mutex:
            if self.is_new and make:
                self._loaded()
            self._is_closed = True
            if self._embeddings is not None:
                self._embeddings.close()

    def _placed(
        self, rows: Iterable[tuple[Any, ...]], paths: Sequence[int]
    ) -> Iterable[tuple[Any, ...]]:
        """Return rows with absolute paths at some positions."""
        if self.root.folder is None:
            return rows
        return (tuple(row) for row in map(list, rows) if self.root.place(row, paths))

    def _search(
        self, query: str, parameters: Mapping[str, Any] | None, limit: int | None
    ) -> tuple[list[dict[str, Any]], Any]:
        """Return the rows of a query, and the database that gave them.

        The mutex is not held meanwhile. If another thread loads the index again, or closes it, the
        answer is not to be trusted: the query runs again.
        """
        while True:
            embeddings = self._embeddings
            if embeddings is None or self._is_closed:
                with self._mutex:
                    embeddings = self._loaded()
            try:
                if embeddings.indexes and commit_stamp(self.path) != self._stamp:
                    with self._mutex:
                        is_current = embeddings is self._embeddings and not self._is_closed
                        if is_current and commit_stamp(self.path) != self._stamp:
                            self._load()  # another process wrote, and sub-indexes are in memory
                    continue
                database = embeddings.database
                rows: list[dict[str, Any]] = embeddings.search(
                    query, row_limit(embeddings, limit), parameters=dict(parameters or {}) or None
                )
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

    def _loaded(self) -> Any:
        """Return the `Embeddings`; if the index is still to be made, make it. Hold the mutex."""
        if self._is_closed:
            msg = f"the index at {self.path} is closed"
            raise IndexingError(msg)
        if self._embeddings is None:
            build(self.path, self.config, self._host)
            self._load()
        return self._embeddings

    @cached_property
    def _host(self) -> Host:
        """Return the copy of txtai for this index; imports it."""
        return host(self.config)

    def _load(self) -> None:
        """Load what is committed, and close what was loaded before. Hold the mutex."""
        before = self._embeddings
        self._embeddings, self._stamp = load(self.path, self._host)
        self.config = self._embeddings.config
        if before is not None:
            before.close()


def _places(names: Sequence[str]) -> list[int]:
    """Return the positions of ids and paths in a row of the id and some columns."""
    return [0] + [place for place, name in enumerate(names, 1) if name in PATHS]


def open_store(
    path: Path,
    settings: Mapping[str, Any],
    *,
    create: bool,
    eager: bool,
    content: str | None,
    config: Mapping[str, Any] | None,
) -> Store:
    """Open the index in a directory, or create one there; see `ImageIndex.open`."""
    if exists(path):
        stored = config_of(path)
        require_same(settings_of(stored, str(path)), settings, str(path))
        if content and stored["content"] != CONTENTS.get(content, content):
            msg = f"{path} was made with content {stored['content']!r}, not {content!r}"
            raise IndexingError(msg)
        require_engine(stored["content"])
        return Store.open(path)
    if not create:
        msg = f"there is no index at {path}; make one with: hashlens index PATH…"
        raise IndexingError(msg)
    wanted = Settings.of(settings)
    wanted.maker()  # raises ParameterError for settings that cannot work together
    store = Store.create(path, wanted.config(content or "sqlite", **(config or {})))
    if eager:
        store.count()
    return store
