"""A txtai index directory that a crash cannot break.

txtai saves an index in several steps. Here each write is one: the configuration first, with row
numbers that are never used again, then the sub-indexes, then the commit of the content database.
A process that is killed in between leaves the rows of the last commit, and an index that opens.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashlens.host import Host, host, needs_models
from hashlens.model import IndexingError, QueryError

Document = tuple[str, dict[str, Any], None]

BUILDING = ".building"  # a whole index, until its parts are in place
STAGED = ".indexes"  # new sub-indexes, complete once `indexes` is moved away
LOCK = ".lock"


class Store:
    """The one holder of a txtai `Embeddings`, open on a directory."""

    def __init__(self, path: Path, host: Host, embeddings: Any) -> None:
        self.path = path
        self._host = host
        self._embeddings = embeddings

    @staticmethod
    def exists(path: Path) -> bool:
        """Tell whether a directory holds a txtai index."""
        return (path / "config.json").is_file()

    @staticmethod
    def config_of(path: Path) -> dict[str, Any]:
        """Read the configuration of an index; raises IndexingError where there is none."""
        try:
            config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"no index can be opened at {path}: {error}"
            raise IndexingError(msg) from error
        if not isinstance(config, dict) or "offset" not in config:
            msg = f"no index can be opened at {path}: its config.json is not that of a txtai index"
            raise IndexingError(msg)
        return config

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any]) -> Store:
        """Make an empty index in a directory, which appears when it is complete."""
        if path.exists() and not path.is_dir():
            msg = f"an index is a directory, and {path} is a file"
            raise IndexingError(msg)
        copy = host(config)
        try:
            _build(path, copy, config)
        except OSError as error:
            msg = f"no index can be made at {path}: {error.strerror or error}"
            raise IndexingError(msg) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an index; raises IndexingError where there is none that can be opened."""
        copy = host(cls.config_of(path))
        return cls(path, copy, _load(path, copy))

    @property
    def config(self) -> dict[str, Any]:
        """Return the configuration of the index."""
        config: dict[str, Any] = self._embeddings.config
        return config

    def count(self) -> int:
        """Count the rows, skipped files included."""
        return int(self._embeddings.database.count())

    def query(
        self, query: str, parameters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query; all rows unless it or `limit` says less. Raises QueryError.

        txtai's own default is 3 rows.
        """
        limit = max(self.count(), 1) if limit is None else limit
        try:
            with self._host.active():
                rows: list[dict[str, Any]] = self._embeddings.search(
                    query, limit, parameters=dict(parameters or {}) or None
                )
        except Exception as error:
            msg = f"the query failed: {error}; it was {query!r}"
            raise QueryError(msg) from error
        return rows

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, of all processes, and see what earlier ones wrote.

        Raises IndexingError where another process is writing.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415  only writers need it

        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            msg = f"another process is writing to {self.path}; try again when it is done"
            raise IndexingError(msg) from error
        try:
            if self.config_of(self.path)["offset"] != self.config["offset"]:
                self._reload()
            yield
        finally:
            lock.release()

    def write(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        """Insert or replace rows and delete others, all of it or nothing, within `writing`."""
        documents, deletes = list(documents), list(deletes)
        try:
            with self._host.active():
                if documents:
                    self._upsert(documents)
                if deletes:
                    self._embeddings.delete(deletes)
                self._commit()
        except BaseException:
            self._reload()
            raise

    def copy(self, path: Path) -> None:
        """Save a copy of the index to another directory."""
        with self._host.active():
            self._embeddings.save(str(path))

    def close(self) -> None:
        """Close the index; what was written is committed already."""
        self._embeddings.close()

    def _upsert(self, documents: list[Document]) -> None:
        # txtai begins a new database, elsewhere, for an index that has no rows; ours has its
        # place on disk, and may be open in other processes.
        self._embeddings.count = lambda: 1
        try:
            self._embeddings.upsert(documents)
        finally:
            del self._embeddings.count

    def _commit(self) -> None:
        _write_config(self.path, self.config)
        if self._embeddings.indexes:
            staged = self.path / STAGED
            shutil.rmtree(staged, ignore_errors=True)
            self._embeddings.indexes.save(str(staged))
            _replace(staged, self.path / "indexes")
        self._embeddings.database.save(str(self.path / "documents"))

    def _reload(self) -> None:
        # Close rolls back what was not committed.
        self._embeddings.close()
        self._embeddings = _load(self.path, self._host)


def commits_at_once(config: Mapping[str, Any]) -> bool:
    """Tell whether a commit is cheap: the index has content only, no vectors to save with it."""
    return not needs_models(config)


def _load(path: Path, copy: Host) -> Any:
    staged, indexes = path / STAGED, path / "indexes"
    if staged.is_dir() and not indexes.exists():
        os.replace(staged, indexes)  # killed between the two renames of `_replace`
    embeddings = copy.embeddings()
    try:
        with copy.active():
            embeddings.load(str(path))
        cursor = embeddings.database.cursor
        highest = cursor.execute("SELECT max(indexid) FROM sections").fetchone()[0]
    except Exception as error:
        msg = f"the index at {path} cannot be opened: {error}"
        raise IndexingError(msg) from error
    embeddings.config["offset"] = max(embeddings.config["offset"], (highest or 0) + 1)
    return embeddings


def _build(path: Path, copy: Host, config: Mapping[str, Any]) -> None:
    """Build an empty index aside and put it in place, the configuration last."""
    staging = path / BUILDING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    # txtai cannot build sub-indexes of nothing; it makes them when the first rows come.
    empty = {key: value for key, value in config.items() if key != "indexes"}
    embeddings = copy.embeddings(empty)
    with copy.active():
        embeddings.index([])
        embeddings.save(str(staging))
    _write_config(staging, {**config, "offset": 0})
    embeddings.close()
    os.replace(staging / "documents", path / "documents")
    os.replace(staging / "config.json", path / "config.json")
    shutil.rmtree(staging)
    _sync(path)


def _write_config(path: Path, config: Mapping[str, Any]) -> None:
    temporary = path / "config.json.new"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(config, file, default=str, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path / "config.json")
    _sync(path)


def _replace(new: Path, old: Path) -> None:
    """Put a directory in the place of another: move that away, then delete it."""
    aside = old.with_name(f".old-{old.name}")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    os.replace(new, old)
    shutil.rmtree(aside, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
