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
from typing import TYPE_CHECKING, Any, Literal

from hashlens.grouping.decisions import Decisions
from hashlens.grouping.keepers import DEFAULT_RULES
from hashlens.index import calibrate, queries
from hashlens.index.arguments import Paths, index_path, listed
from hashlens.index.directory import excluded, write_excluded
from hashlens.index.places import forget, relocate
from hashlens.index.search import search
from hashlens.index.store import Store, open_store
from hashlens.index.update import delete, update
from hashlens.model import (
    Decision,
    Duplicates,
    Explanation,
    Match,
    Outcome,
    Progress,
    Report,
    Skipped,
)
from hashlens.rows.settings import settings_of

if TYPE_CHECKING:
    from hashlens.grouping.groups import Groups
    from hashlens.images.pixels import Source
    from hashlens.neighbors.calibration import Calibration


DEFAULT_PATH = ".hashlens"


class ImageIndex:
    """An index of images, open on its directory. Use `ImageIndex.open`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.settings = settings_of(store.config, str(store.path))
        self.decisions = Decisions(store.path, store.root)
        self._make = self.settings.maker()
        self._auto = calibrate.AutoDistance(store, self.settings)

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

        A new index takes `content`, the content database: sqlite (default) or duckdb; and `config`,
        which is merged into its txtai configuration, for instance `{"indexes": …}`. With `eager`
        False, it is made when it is first used or closed, and hashing begins meanwhile.

        The `settings` are:

        - `algorithm`: the perceptual hash (default perceptual), and its parameters by their names
        - `also`: a list of further hashes, each with a column of its own
        - `grade`: fast (default) or exact; see `hashlens.hashing.hasher.Hasher`
        - `upright`: apply EXIF orientation and put transparency on white (default True)
        - `metric`: the metric of `distance` with two arguments (default hamming)
        - `thumbnails`, `pixel_digests`: whether rows hold them (default False)
        - `keypoints`: the most that the crop index stores of a picture (200 is a good number);
          with 0 (default), there is no crop index
        - `relative`: store paths relative to the folder that holds the index directory, so that
          index and files can move together (default False)

        Raises ParameterError for settings that cannot work. Raises IndexingError if an existing
        index has other settings, or if there is none and `create` is False.
        """
        return cls(
            open_store(
                index_path(path),
                settings,
                create=create,
                eager=eager,
                content=content,
                config=config,
            )
        )

    def __enter__(self) -> ImageIndex:
        """Return the index itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the index; after an error, an index that was never used is not made."""
        self._store.close(make=kind is None)

    def index(
        self,
        paths: Paths,
        *,
        moved: bool = False,
        prune: bool = False,
        exclude: str | Iterable[str] | None = None,
        extensions: Iterable[str] | None = None,
        any_name: bool = False,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Bring the index up to date with some folders and files.

        Files are read if they are new, if their size or modification time has changed, or if other
        versions of the decoders hashed them. Rows of files that have vanished from the folders are
        deleted, and all other rows stay. Rows of folders that are gone or empty stay, too, unless
        `prune` is set: a disk may not be mounted (`Report.away`). With `moved`, a new file takes
        over the row of a file that is gone, if both have the same bytes. Of files that moved
        together, with the same names, sizes and times, only the first is read. Without `moved`, a
        warning says if most new files look moved.

        `exclude` has patterns of what to leave out, as in .gitignore. The index remembers them, in
        its file `exclude`, until others are given. Trash, thumbnails and snapshots of systems are
        left out in any case, unless they are named, or a pattern with `!` takes them in.

        `extensions` are those of the files to take from folders (default: all image formats). With
        `any_name`, other files are taken, too, if they are pictures by their first bytes: files
        without an extension, `photo.jpg.1`, `photo.jpg~`. Their rows stay while the files are
        there, also if a later call does without.

        `workers` files are hashed at a time (default: one for each processor). `progress` is called
        after each file.

        Rows are committed about every second; with sub-indexes other than the crop index, all at
        the end. Raises ParameterError for a path that does not exist, or that is outside of the
        folder of a relative index.
        """
        patterns = [exclude] if isinstance(exclude, str) else exclude
        how: Any = {"any_name": any_name, "exclude": patterns, "moved": moved, "prune": prune}
        return update(self._store, self._make, listed(paths), extensions, workers, progress, **how)

    def upsert(
        self,
        paths: Paths,
        *,
        extensions: Iterable[str] | None = None,
        any_name: bool = False,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Read some files and folders, changed or not, and insert or replace their rows.

        The parameters are those of `index`. No row is deleted.
        """
        how: Any = {"any_name": any_name, "force": True}
        return update(self._store, self._make, listed(paths), extensions, workers, progress, **how)

    def delete(self, ids: str | Iterable[str]) -> list[str]:
        """Delete rows by id; returns the ids that were there. No file is touched.

        In a relative index, an id is given as it is stored, or as an absolute path.
        """
        return delete(self._store, listed(ids))

    def relocate(self, old: str | os.PathLike[str], new: str | os.PathLike[str]) -> int:
        """Adopt files that moved from one folder to another; return how many rows have new paths.

        No file is read. If a file has a row in the new place already, the row of the old place is
        deleted. Raises ParameterError if there are no rows below `old`, or if no file of them is
        below `new`.
        """
        return relocate(self._store, old, new)

    def forget(self, path: str | os.PathLike[str]) -> int:
        """Delete the rows of a file, or of all files below a folder; return how many.

        No file is touched. Raises ParameterError if there are no such rows.
        """
        return forget(self._store, path)

    def fingerprint(self, source: Source, column: str = "text") -> str:
        """Return the fingerprint of an image, as the index makes the fingerprints of its rows.

        `column` is `text`, or the algorithm of a further hash. Raises ParameterError if the index
        has no such column, and ImageError for an image that cannot be read.
        """
        return queries.fingerprint(self.settings, source, column)

    def calibrate(self, column: str = "text", *, seed: int = 0) -> Calibration:
        """Estimate how many false matches each distance gives among the pictures of the index.

        `column` is that of `fingerprint`; `seed` picks the sample of a large collection. Flat
        pictures (see `duplicates`) are left out, since their distances say nothing. Raises
        ParameterError for a metric other than Hamming, and for too few pictures.
        """
        return calibrate.calibrate(self._store, self.settings, column, seed=seed)

    def search(
        self,
        query: Source,
        *,
        limit: int = 10,
        max_distance: float | Literal["auto"] | None = None,
        crops: bool | None = None,
    ) -> list[Match]:
        """Find the rows that match an image or a fingerprint; each match says why.

        `query` is a path, bytes, a file object, an array, a PIL image, or a fingerprint in hex.
        `max_distance` is inclusive; `auto` is the distance that `calibrate` recommends.

        At most `limit` matches are returned, in this order:

        1. Rows of files with the same bytes.
        2. Rows whose fingerprint is within `max_distance` (if it is None: equal), nearest first.
        3. Pictures that the query shows a part of, or that are a part of the query, by
           correlation, the highest first.
        4. If `max_distance` is None: the nearest of all other rows.

        At equal distance the oldest row comes first. `crops` is whether to look for parts of
        pictures, which takes an image and an index with `keypoints`; None: if both are there.

        Raises ParameterError if `crops` is True and the index has no crop index, QueryError for a
        text that is neither a file nor a fingerprint of this index, and ImageError for an image
        that cannot be read.
        """
        return search(
            self._store,
            self.settings,
            self._auto,
            query,
            limit=limit,
            max_distance=max_distance,
            crops=crops,
        )

    def sql(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run a query on the index: `select … from txtai …`. Returns all rows, or at most `limit`.

        A bind parameter that is a Path or a PIL image is replaced by its fingerprint, with the
        hash of the column that it is compared with. `select … from decisions` reads the decisions.
        The columns `id` and `path` are as they are stored: in a relative index, relative. Raises
        QueryError for a query that cannot run, or that has a hash which does not fit its
        column.
        """
        return queries.run_sql(self._store, self.settings, self.decisions, query, parameters, limit)

    def explain(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> Explanation:
        """Run a query as `sql` does, and return which way it went: packed codes or full scan."""
        return queries.explain_sql(self._store, self.settings, query, parameters, limit)

    def duplicates(self) -> list[Duplicates]:
        """Return the groups of images with equal fingerprints, sorted by path.

        Flat pictures all have nearly the same fingerprint. Pictures with an information score
        below `LOW_INFORMATION` are grouped only if their files have the same bytes.
        """
        return queries.duplicates(self._store)

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
        only: Literal["exact"] | None = None,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Groups:
        """Group the images whose fingerprints are within a distance, and choose which to keep.

        - `max_distance`: the largest distance, inclusive; `auto` is the distance that `calibrate`
          recommends. With fewer than 50 images, too few to measure, it is a sixteenth of the bits
        - `linkage`: `complete`: all images of a group are within `max_distance` of each other;
          `connected`: each image is within it of one other, so that chains are groups
        - `metric`: the metric of the distance (default: that of the index)
        - `between`: two folders; only images in one of them take part, and only pairs of an image
          in one and an image in the other count. Images elsewhere, and decisions on them, change
          nothing
        - `not_same_folder`: only pairs of images in different folders count
        - `crops`: also find pictures that show a part of one another; they become links. This
          takes a few hundredths of a second a picture
        - `keep`: the rules that choose the keeper, the first rule first (see
          `hashlens.grouping.keepers.rules`)
        - `only`: `exact` for groups of files with equal bytes or equal pixels
        - `workers`, `progress`: as for `index`; used with `crops` and `only`

        The nearest pairs are joined first; the order in which images were indexed has no effect.
        Flat pictures are grouped only if their files have the same bytes. Two images with a
        decision (see `decide`) are never in one group. Raises ParameterError for arguments that
        cannot work.
        """
        from hashlens.index.groups import find_groups  # noqa: PLC0415  loads numpy

        return find_groups(
            self._store,
            self.settings,
            self.decisions,
            self._auto,
            max_distance,
            linkage=linkage,
            metric=metric,
            between=between,
            not_same_folder=not_same_folder,
            crops=crops,
            keep=keep,
            only=only,
            workers=workers,
            progress=progress,
        )

    def decide(self, first: str, second: str, verdict: str) -> Decision:
        """Remember a decision on two image files: `not-duplicate` or `keep-both`.

        The files are known by their pixels: `groups` never puts them, or copies of them, into one
        group again. Raises ParameterError for another verdict or for one file given twice, and
        ImageError for a file that cannot be read.
        """
        return self.decisions.add(first, second, verdict)

    def apply(
        self,
        plan: str | os.PathLike[str],
        journal: str | os.PathLike[str] | None = None,
        *,
        remove_empty: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Outcome:
        """Carry out a plan as `hashlens.apply` does, and bring the rows up to date with it.

        Rows of files that are gone from their places are deleted; changed files are read again.
        """
        from hashlens.index.clean import apply_plan  # noqa: PLC0415  for plans only

        make, store = self._make, self._store
        return apply_plan(store, make, plan, journal, progress, remove_empty=remove_empty)

    def undo(
        self,
        journal: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> Outcome:
        """Undo a plan as `hashlens.undo` does; the files that come back get their rows again."""
        from hashlens.index.clean import undo_plan  # noqa: PLC0415  for plans only

        return undo_plan(self._store, self._make, journal, progress)

    def map(
        self,
        path: str | os.PathLike[str],
        *,
        csv: str | os.PathLike[str] | None = None,
        seed: int = 0,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Skipped]:
        """Draw all images on one sheet, so that images that look alike are near each other.

        Writes a picture in the format of its extension and, if `csv` is given, the positions as
        CSV. Returns the files that cannot be read. The same `seed` gives the same map. `workers`
        and `progress` are those of `index`.
        """
        return queries.draw_map(self._store, self.settings, path, csv, workers, progress, seed=seed)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the records that can be queried beside `txtai`, by table: those of `decisions`."""
        return queries.tables(self.decisions)

    def skipped(self) -> list[Skipped]:
        """Return the files without a fingerprint, each with its reason, sorted by path."""
        return queries.skipped(self._store)

    def info(self) -> dict[str, Any]:
        """Return what the index is: path, rows, settings, content database, bytes on disk."""
        return queries.info(self._store, self.settings, self._make.policy)

    @property
    def path(self) -> Path:
        """Return the directory of the index."""
        return self._store.path

    def count(self) -> int:
        """Count the rows, those of skipped files included."""
        return self._store.count()

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Save a copy to a new or empty directory. The index itself is saved with each write.

        The copy of a relative index is for a copy of the files: its paths start from the folder
        that holds the copy.
        """
        if path is not None and index_path(path) != self.path:
            self._store.copy(index_path(path))
            self.decisions.copy(index_path(path))
            if patterns := excluded(self.path):
                write_excluded(index_path(path), patterns)

    def close(self) -> None:
        """Close the index."""
        self._store.close()
