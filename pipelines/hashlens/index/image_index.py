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
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from hashlens.errors import IndexingError, ParameterError, QueryError
from hashlens.grouping.decisions import COLUMNS, Decisions
from hashlens.grouping.keepers import DEFAULT_RULES, rule_names
from hashlens.hashing.metrics import is_hex
from hashlens.index.arguments import Paths, _at_least_one, _listed, _place, _two
from hashlens.index.directory import commit_stamp, config_of, exists
from hashlens.index.search import read_search_image, search
from hashlens.index.store import Store
from hashlens.index.update import update
from hashlens.model import (
    LOW_INFORMATION,
    Decision,
    Duplicates,
    Explanation,
    Match,
    Place,
    Progress,
    Report,
    Skipped,
)
from hashlens.rows.compare import equal_images
from hashlens.rows.settings import (
    CONTENTS,
    Settings,
    crop_index,
    require_engine,
    require_same,
    settings_of,
)
from hashlens.schema import EQUAL, GROUPED
from hashlens.sql.checks import check_query, hash_parameters, name_pictures, normalize
from hashlens.sql.records import query_tables, sources

if TYPE_CHECKING:
    from hashlens.grouping.collection import Collection
    from hashlens.grouping.groups import Groups
    from hashlens.images.pixels import Source
    from hashlens.neighbors.calibration import Calibration


DEFAULT_PATH = ".hashlens"


class ImageIndex:
    """An index of images, open on its directory. Use `ImageIndex.open`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.settings = settings_of(store.config, str(store.path))
        self._make = self.settings.maker()
        self._crops = crop_index(store.config)
        self.decisions = Decisions(store.path)
        self._calibrated: tuple[tuple[int, int] | None, Calibration] | None = None

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
        two-argument `distance` (default hamming); `thumbnails` and `pixel_digests`, whether
        rows hold these (default False); and `keypoints`, how many of them the crop index has of a
        picture (default 0: there is none; 200 is a good number). `content` is sqlite (the default)
        or duckdb; `config` is merged into a new index's txtai configuration, for instance
        `{"indexes": …}`. With `eager` False, a new index is made when it is first used or closed:
        hashing begins meanwhile.

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
        return self.settings.hasher(source)[self._position(column)]

    def calibrate(self, column: str = "text", *, seed: int = 0) -> Calibration:
        """Estimate how many false matches each distance gives among the pictures of the index.

        `column` is as for `fingerprint`; the `seed` picks the sample of a large collection. Flat
        pictures (see `duplicates`) are left out: their distances say nothing. Raises ParameterError
        for another metric than Hamming, and for too few pictures.
        """
        from hashlens.neighbors import pack  # noqa: PLC0415
        from hashlens.neighbors.calibration import calibrate  # noqa: PLC0415  loads numpy

        hashed = self.settings.hasher.hashes[self._position(column)]
        if self.settings.metric != "hamming":
            msg = f"calibration is for Hamming distances; the index has {self.settings.metric}"
            raise ParameterError(msg)
        rows = self._store.query(
            f"select {column} code from txtai where {column} is not null and information >= :least",
            {"least": LOW_INFORMATION},
        )
        texts = (row["code"] for row in rows)
        codes = [text for text in texts if len(text) == hashed.digits and is_hex(text)]
        return calibrate(pack(codes), hashed.bits or 0, seed=seed)

    def search(
        self,
        query: Source,
        *,
        limit: int = 10,
        max_distance: float | Literal["auto"] | None = None,
        crops: bool | None = None,
    ) -> list[Match]:
        """Find the rows that match an image or a fingerprint, and say why each does.

        `query` is a path, bytes, a file object, an array, a PIL image or a fingerprint in hex. In
        their order: equal files; fingerprints within `max_distance` (inclusive; equal ones where
        it is None; `auto` is what `calibrate` recommends), nearest first; pictures that the query
        shows a part of, or that it contains, the best correlation first; and, where `max_distance`
        is None, the nearest of all others. At equal distance the oldest row comes first.

        `crops` says whether to look for parts of pictures, which an image and an index with
        `keypoints` are needed for; None: where that can be done. Raises QueryError for a text that
        is neither a file nor a fingerprint of this index, and ImageError for an image that cannot
        be read.
        """
        if crops and not self._crops:
            raise ParameterError(self._without_crops())
        first, most = _at_least_one(limit), self._most(max_distance)
        wanted = read_search_image(
            query, self.settings, picture=bool(self._crops) and crops is not False
        )
        return search(self._store, wanted, self.settings.metric, limit=first, most=most)

    def sql(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query on the index: `select … from txtai …`; all rows unless limited.

        A bind parameter that is a Path or a PIL image is replaced by its fingerprint, with the
        hash of the column that it is compared with. `select … from decisions` reads what was
        decided. Raises QueryError for a query that cannot run, or a hash in it that does not fit
        the column.
        """
        if sources(query) == {"decisions"}:
            columns = {"decisions": COLUMNS}
            return query_tables(query, self.tables(), parameters, limit=limit, columns=columns)
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
        return equal_images(
            self._store.query(f"select {', '.join(EQUAL)} from txtai where text is not null")
        )

    def groups(
        self,
        max_distance: float | Literal["auto"] = "auto",
        *,
        linkage: str = "complete",
        metric: str | None = None,
        between: tuple[str, str] | None = None,
        not_same_folder: bool = False,
        crops: bool = False,
        keep: Iterable[str] | str = DEFAULT_RULES,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Groups:
        """Group the images whose fingerprints are within a distance, and choose which to keep.

        `max_distance` is inclusive; `auto` is what `calibrate` recommends, and with fewer than 50
        images, too few to measure, a sixteenth of the bits. With the linkage `complete`, all images
        of a group are within it of each other; with `connected`, chains are groups. The nearest
        pairs are put together first; groups do not depend on the order in which images were
        indexed. Flat pictures are only grouped where their files are equal. Images on which there
        is a decision (see `decide`) are never in one group. `metric` is the index's own unless
        named.

        With `between`, two folders, only pairs of an image in one and an image in the other count;
        with `not_same_folder`, only pairs from different folders. `keep` are the rules that choose
        the keeper, in their order (see `hashlens.grouping.keepers.rules`). With `crops`, pictures
        that show a part of one another are found as well and become links, which takes a few
        hundredths of a second a picture; `workers` and `progress` are for that.

        Raises ParameterError for what cannot work.
        """
        from hashlens.grouping.collection import read_collection  # noqa: PLC0415
        from hashlens.grouping.groups import Groups  # noqa: PLC0415  loads numpy
        from hashlens.grouping.scope import Terms  # noqa: PLC0415

        if crops and not self._crops:
            raise ParameterError(self._without_crops())
        metric = metric or self.settings.metric
        terms = Terms(
            self._bound(metric) if max_distance == "auto" else max_distance,
            linkage=linkage,
            metric=metric,
            between=_two(between),
            not_same_folder=not_same_folder,
            keep=rule_names(keep),
        )
        decide = partial(self.decisions.apart, workers=workers)
        table = read_collection(self._store.columns("text", *GROUPED, by_id=False), self._digits())
        found = Groups(terms, table, apart=decide)
        return found.with_links(self._parts(table, workers, progress)) if crops else found

    def decide(self, first: str, second: str, verdict: str) -> Decision:
        """Remember of two image files that they are `not-duplicate`, or to `keep-both`.

        They are known by their pixels: `groups` never puts them, or copies of them, into one group
        again. Raises ParameterError and ImageError as `hashlens.grouping.decisions.Decisions.add`.
        """
        return self.decisions.add(first, second, verdict)

    def map(
        self,
        path: str | os.PathLike[str],
        *,
        csv: str | os.PathLike[str] | None = None,
        seed: int = 0,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Skipped]:
        """Draw all images in two dimensions, those that look alike beside each other.

        Writes a picture, in the format of its extension, and, if asked for, the places as CSV.
        Returns the files that cannot be read. The same `seed` gives the same map.
        """
        from hashlens.report.layout import layout  # noqa: PLC0415  loads scikit-learn
        from hashlens.report.map import save_atlas  # noqa: PLC0415  loads scikit-learn

        digits = self._digits()
        rows = [
            row
            for row in self._store.columns("text", "path")
            if isinstance(row[1], str) and len(row[1]) == digits and is_hex(row[1])
        ]
        places = layout([text for _, text, _ in rows], seed=seed)
        paths = [name or uid for uid, _, name in rows]
        return save_atlas(path, csv, paths, places, workers=workers, progress=progress)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return what can be queried beside `txtai`, by name: the records of `decisions`."""
        return {"decisions": [asdict(item) for item in self.decisions]}

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
            "policy": self._make.policy,
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
            self.decisions.copy(_place(path))

    def close(self) -> None:
        """Close the index."""
        self._store.close()

    def _parts(
        self, table: Collection, workers: int | None, progress: Callable[[Progress], None] | None
    ) -> list[tuple[int, int, Place]]:
        """Return which rows of a table show a part of which."""
        from hashlens.crops.parts import find_parts  # noqa: PLC0415  loads OpenCV

        place = {uid: row for row, uid in enumerate(table.ids)}
        rows = {
            row["indexid"]: place[row["id"]]
            for row in self._store.query("select id, indexid from txtai where text is not null")
            if row["id"] in place
        }
        found = find_parts(
            self._store.pictures(),
            {number: table.paths[row] for number, row in rows.items()},
            upright=self.settings.hasher.upright,
            workers=workers,
            progress=progress,
        )
        return [
            (rows[item.part], rows[item.whole], item.place)
            for item in found
            if item.part in rows and item.whole in rows
        ]

    def _digits(self) -> int:
        digits = self.settings.hash.digits
        if digits is None:
            msg = f"{self.settings.hash!r} has no fixed number of digits to group by"
            raise ParameterError(msg)
        return digits

    def _without_crops(self) -> str:
        return f"{self.path} has no crop index; make one with keypoints=200 (index --crops)"

    def _most(self, max_distance: float | Literal["auto"] | None) -> float | None:
        if max_distance == "auto":
            return self._recommended()
        is_number = isinstance(max_distance, (int, float)) and max_distance >= 0  # nor NaN
        if max_distance is not None and not is_number:
            msg = f"max_distance must be a number >= 0 or 'auto', not {max_distance!r}"
            raise ParameterError(msg)
        return max_distance

    def _bound(self, metric: str) -> int:
        """Return the bound of groups that nobody has stated."""
        from hashlens.neighbors.calibration import ENOUGH  # noqa: PLC0415  loads numpy

        if metric != "hamming":
            msg = f"max_distance='auto' is for Hamming distances; give a number for {metric}"
            raise ParameterError(msg)
        if self.count() < ENOUGH:
            return (self.settings.hash.bits or 0) // 16
        return self._recommended()

    def _recommended(self) -> int:
        """Return what `calibrate` recommends; measured anew after each commit."""
        now = commit_stamp(self.path) if exists(self.path) else None
        if self._calibrated is None or self._calibrated[0] != now:
            self._calibrated = now, self.calibrate()
        found = self._calibrated[1]
        if found.max_distance is None:
            msg = (
                f"max_distance='auto' finds none: even with equal hashes only, a query has about "
                f"{found.false_matches(0):.2g} false matches here; give a number, or make an index "
                f"with a hash of more bits"
            )
            raise ParameterError(msg)
        return found.max_distance

    def _position(self, column: str) -> int:
        columns = list(self.settings.digits)
        if column not in columns:
            msg = f"the index has fingerprints in {', '.join(columns)}, not in {column!r}"
            raise ParameterError(msg)
        return columns.index(column)

    def _checked(
        self, query: str, parameters: Mapping[str, Any] | None
    ) -> tuple[str, dict[str, Any]]:
        """Return a query on one line and its parameters, fingerprints for pictures."""
        if not isinstance(parameters, Mapping | None):
            msg = f"parameters are given by name, in a dict, not as {parameters!r}"
            raise QueryError(msg)
        line, pictures = name_pictures(normalize(query))
        given = dict(parameters or {})
        digits = self.settings.digits
        columns = hash_parameters(line, digits)
        bound = {
            name: self.fingerprint(value, columns.get(name, "text"))
            if isinstance(value, (Path, Image.Image)) and name not in pictures.values()
            else value
            for name, value in given.items()
        }
        for name, old in pictures.items():
            if old not in given:
                msg = f"the query has :{old}, but no such parameter was given: {query!r}"
                raise QueryError(msg)
            value = given[old]
            bound[name] = os.fspath(value) if isinstance(value, Path) else value
            if old in columns and isinstance(value, (Path, Image.Image)):
                bound[old] = self.fingerprint(value, columns[old])
        check_query(line, bound, digits=digits, metric=self.settings.metric)
        return line, bound
