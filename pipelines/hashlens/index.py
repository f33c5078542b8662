"""`ImageIndex`: pictures in, answers out. A normal txtai index directory, with verbs for images.

::

    with ImageIndex.open("photos.index") as index:
        index.index(["photos"])
        for match in index.search("copy.jpg", limit=5):
            print(match.distance, match.path)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from PIL import Image

from hashlens.directory import config_of, exists
from hashlens.metrics import total_similarity
from hashlens.model import (
    Duplicates,
    Explanation,
    IndexingError,
    Match,
    ParameterError,
    Progress,
    QueryError,
    Report,
    Skipped,
)
from hashlens.rows import LOW_INFORMATION
from hashlens.settings import CONTENTS, Settings, require_engine, require_same, settings_of
from hashlens.sql import check_fingerprint, check_query, hash_parameters, normalize
from hashlens.store import MOST_ROWS, Store
from hashlens.update import update

if TYPE_CHECKING:
    from hashlens.files import Source

Paths = Iterable["str | os.PathLike[str]"]

DEFAULT_PATH = ".hashlens"
_MATCH_COLUMNS = "id, path, width, height, bytes, mtime, format, information, file_digest"


class ImageIndex:
    """An index of images, open on its directory. Use `ImageIndex.open`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.settings = settings_of(store.config, str(store.path))
        self._make = self.settings.maker()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] = DEFAULT_PATH,
        *,
        create: bool = True,
        eager: bool = True,
        content: str | None = None,
        config: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> ImageIndex:
        """Open the index in a directory, or make an empty one there.

        `settings` are those of the hash: the algorithm (default perceptual) and its parameters,
        `also` (a list of further algorithms, each a column of its own), `grade` (default fast) and
        `upright` (default True; see `hashlens.hashing.hasher.Hasher`); `metric`, of the
        two-argument `distance` (default hamming); and `thumbnails` and `pixel_digests`, whether
        rows hold these (default False). `content` is sqlite (the default) or duckdb; `config` is
        merged into a new index's txtai configuration, for instance `{"indexes": …}`. With `eager`
        False, a new index is made when it is first used or closed: hashing begins meanwhile.

        Raises ParameterError for settings that cannot work, and IndexingError where an existing
        index has other ones, or where there is none and `create` is False.
        """
        place = _place(path)
        if not exists(place):
            if not create:
                msg = f"there is no index at {place}; make one with: hashlens index PATH…"
                raise IndexingError(msg)
            made = Settings.of(settings)
            made.maker()
            store = Store.create(place, made.config(content or "sqlite", **(config or {})))
            if eager:
                store.count()
            return cls(store)
        stored = config_of(place)
        require_same(settings_of(stored, str(place)), settings, str(place))
        if content and stored["content"] != CONTENTS.get(content, content):
            msg = f"{place} was made with content {stored['content']!r}, not {content!r}"
            raise IndexingError(msg)
        require_engine(stored["content"])
        return cls(Store.open(place))

    def __enter__(self) -> ImageIndex:
        """Return the index itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the index; a new one is not made where there was an error before its first use."""
        self._store.close(make=kind is None)

    def index(
        self,
        paths: Paths,
        *,
        moved: bool = False,
        extensions: Iterable[str] | None = None,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Bring the index up to date with some folders and files.

        Reads what is new or changed (by size and modification time) or was hashed by other
        versions of the decoders, drops the rows of files that have vanished from the folders, and
        leaves all other rows alone. With `moved`, a new file that is byte for byte the file of a
        row that is gone takes over that row. In folders, files with other than these `extensions`
        (default: all that images have) are passed over. `workers` files are hashed at a time
        (default: one for each processor).

        Rows are committed every second or so, where there are no sub-indexes. Raises
        ParameterError for a path that does not exist.
        """
        return update(
            self._store,
            self._make,
            _listed(paths),
            moved=moved,
            extensions=extensions,
            workers=workers,
            progress=progress,
        )

    def upsert(
        self,
        paths: Paths,
        *,
        extensions: Iterable[str] | None = None,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Read some files and folders, changed or not, and insert or replace their rows.

        Parameters are those of `index`.
        """
        return update(
            self._store,
            self._make,
            _listed(paths),
            force=True,
            extensions=extensions,
            workers=workers,
            progress=progress,
        )

    def delete(self, ids: str | Iterable[str]) -> list[str]:
        """Delete rows by id; returns the ids that were there. No file is touched."""
        wanted = _listed(ids)
        with self._store.writing():
            known = {row["id"] for row in self._store.query("select id from txtai")}
            present = [str(uid) for uid in wanted if uid in known]
            self._store.write([], present)
        return present

    def fingerprint(self, source: Source, column: str = "text") -> str:
        """Return the fingerprint of an image, made as the index makes those of its rows.

        `column` is `text`, or the algorithm of a further hash. Raises ParameterError where the
        index has no such column.
        """
        columns = list(self.settings.digits)
        if column not in columns:
            msg = f"the index has fingerprints in {', '.join(columns)}, not in {column!r}"
            raise ParameterError(msg)
        return self.settings.hasher(source)[columns.index(column)]

    def search(
        self, query: Source, *, limit: int = 10, max_distance: float | None = None
    ) -> list[Match]:
        """Find the rows nearest to an image or a fingerprint, nearest first, then oldest row.

        `query` is a path, bytes, a file object, an array, a PIL image or a fingerprint in hex;
        `max_distance` is inclusive. Raises QueryError for a text that is neither a file nor a
        fingerprint of this index, and ImageError for an image that cannot be read.
        """
        is_number = isinstance(max_distance, (int, float)) and max_distance >= 0  # nor NaN
        if max_distance is not None and not is_number:
            msg = f"max_distance must be a number >= 0, not {max_distance!r}"
            raise ParameterError(msg)
        wanted = self._wanted(query)
        bound = "" if max_distance is None else "and distance(text, :q) <= :most"
        found = self._store.query(
            f"select {_MATCH_COLUMNS}, text, distance(text, :q) d from txtai "
            f"where text is not null {bound} order by d, indexid",
            {"q": wanted} if max_distance is None else {"q": wanted, "most": max_distance},
            _at_least_one(limit),
        )
        return [self._match(row, wanted) for row in found]

    def sql(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query on the index: `select … from txtai …`; all rows unless limited.

        A bind parameter that is a Path or a PIL image is replaced by its fingerprint, with the
        hash of the column that it is compared with. Raises QueryError for a query that cannot run,
        or a hash in it that does not fit the column.
        """
        line, bound = self._checked(query, parameters)
        return self._store.query(line, bound, None if limit is None else _at_least_one(limit))

    def explain(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> Explanation:
        """Run a query as `sql` does, and tell which way it went: packed codes or full scan."""
        line, bound = self._checked(query, parameters)
        return self._store.explain(line, bound, None if limit is None else _at_least_one(limit))

    def duplicates(self) -> list[Duplicates]:
        """Return the groups of images with one and the same fingerprint, sorted by path.

        Flat pictures all have nearly the same fingerprint: those with an information score below
        `LOW_INFORMATION` are only grouped where their files are equal to the byte.
        """
        rows = self._store.query(
            "select text, path, information, file_digest from txtai where text is not null "
            "order by text, path"
        )
        groups: dict[tuple[str, str | None], list[str]] = {}
        for row in rows:
            says_much = (row["information"] or 0) >= LOW_INFORMATION
            key = (row["text"], None if says_much else row["file_digest"])
            groups.setdefault(key, []).append(row["path"])
        found = (Duplicates(text, tuple(paths)) for (text, _), paths in groups.items())
        return sorted((g for g in found if len(g.paths) > 1), key=lambda g: g.paths)

    def skipped(self) -> list[Skipped]:
        """Return the files that have no fingerprint, each with its reason."""
        rows = self._store.query(
            "select path, skipped from txtai where skipped is not null order by path"
        )
        return [Skipped(row["path"], row["skipped"]) for row in rows]

    def info(self) -> dict[str, Any]:
        """Return what the index is: place, rows, hash, metric, content, bytes on disk."""
        skipped, rows = len(self.skipped()), self.count()
        files = (file for file in self.path.rglob("*") if file.is_file())
        return {
            "path": str(self.path),
            "images": rows - skipped,
            "skipped": skipped,
            **self.settings.values(),
            "bits": self.settings.hash.bits,
            "policy": self.settings.hasher.policy,
            "content": self._store.config["content"],
            "bytes": sum(file.stat().st_size for file in files),
        }

    @property
    def path(self) -> Path:
        """Return the directory of the index."""
        return self._store.path

    def count(self) -> int:
        """Count the rows, those of skipped files included."""
        return self._store.count()

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Save a copy to a new or empty directory. The index itself is saved with each write."""
        if path is not None and _place(path) != self.path:
            self._store.copy(_place(path))

    def close(self) -> None:
        """Close the index."""
        self._store.close()

    def _wanted(self, query: Source) -> str:
        if isinstance(query, str) and not os.path.exists(query):
            try:
                fits = self.settings.hash.digits if self.settings.metric == "hamming" else None
                return check_fingerprint(query, fits)
            except QueryError as error:
                msg = f"{query!r} is neither an existing file nor a fingerprint: {error}"
                raise QueryError(msg) from error
        return self.fingerprint(query)

    def _checked(
        self, query: str, parameters: Mapping[str, Any] | None
    ) -> tuple[str, dict[str, Any]]:
        """Return a query on one line and its parameters, fingerprints for pictures."""
        if not isinstance(parameters, Mapping | None):
            msg = f"parameters are given by name, in a dict, not as {parameters!r}"
            raise QueryError(msg)
        line = normalize(query)
        digits = self.settings.digits
        columns = hash_parameters(line, digits)
        bound = {
            name: self.fingerprint(value, columns.get(name, "text"))
            if isinstance(value, (Path, Image.Image))
            else value
            for name, value in (parameters or {}).items()
        }
        check_query(line, bound, digits=digits, metric=self.settings.metric)
        return line, bound

    def _match(self, row: dict[str, Any], wanted: str) -> Match:
        alike = total_similarity(wanted, row["text"], self.settings.metric)
        rest = {key: row[key] for key in row if key not in ("id", "path", "d")}
        return Match(row["id"], row["path"], row["d"], alike, rest)


def _at_least_one(limit: int) -> int:
    if not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS:
        msg = f"limit must be a whole number 1 to {MOST_ROWS:,}, not {limit!r}"
        raise ParameterError(msg)
    return limit


def _place(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        msg = f"an index is in a directory, and {path!r} is no path"
        raise ParameterError(msg)
    return Path(os.path.abspath(os.path.expanduser(path)))


def _listed(items: Any) -> list[Any]:
    single = isinstance(items, (str, os.PathLike)) or not isinstance(items, Iterable)
    listed = [items] if single else list(items)
    for item in listed:
        if not isinstance(item, (str, os.PathLike)) or not os.fspath(item):
            msg = f"expected paths or ids, not {item!r}"
            raise ParameterError(msg)
    return listed
