"""What can be asked of an index: matches, groups, answers in SQL, facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hashlens.grouping.decisions import Decisions
from hashlens.index import calibrate, queries
from hashlens.index.search import search
from hashlens.index.store import Store
from hashlens.model import Explanation, Match, Progress, Skipped
from hashlens.rows.compare import Duplicates
from hashlens.rows.settings import settings_of

if TYPE_CHECKING:
    from hashlens.grouping.groups import Groups
    from hashlens.images.pixels import Source
    from hashlens.neighbors.calibration import Calibration


class Reader:
    """An open index, as one who asks sees it; `ImageIndex` also writes to it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.settings = settings_of(store.config, str(store.path))
        self.decisions = Decisions(store.path, store.root)
        self._make = self.settings.maker()
        self._auto = calibrate.AutoDistance(store, self.settings)

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
        keep: Iterable[str] | str = (),
        keep_only: Iterable[str] | str | None = None,
        only: Literal["exact"] | None = None,
        verify: bool = False,
        turned: bool = False,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Groups:
        """Group the images whose fingerprints are within a distance, and choose which to keep.

        - `max_distance`: the largest distance, inclusive; `auto` is the distance that `calibrate`
          recommends for groups, its `max_group_distance`: at most 0.1 false pairs are expected in
          the whole collection, and it is never above what copies need. With `verify`, it is the
          `max_verified_distance`, which is larger. With fewer than 50 images, too few to measure,
          it is a sixteenth of the bits
        - `linkage`: `complete`: all images of a group are within `max_distance` of each other;
          `connected`: each image is within it of one other, so that chains are groups
        - `metric`: the metric of the distance (default: that of the index)
        - `between`: two folders; only images in one of them take part, and only pairs of an image
          in one and an image in the other count. Images elsewhere, and decisions on them, change
          nothing
        - `not_same_folder`: only pairs of images in different folders count
        - `crops`: also find pictures that show a part of one another; they become links. This
          takes a few hundredths of a second a picture
        - `keep`: rules that choose the keeper before the default rules, the first rule first (see
          `hashlens.grouping.keepers.rules`); a folder must be there
        - `keep_only`: rules in place of the default rules
        - `only`: `exact` for groups of files with equal bytes or equal pixels
        - `verify`: read the files of groups, and compare each duplicate with its keeper in colour
          and in detail (see `Groups.verified`)
        - `turned`: also copies that were turned by right angles or mirrored; `Member.turn` says
          how. The distance of two images is then the least over the eight orientations. Files of
          several frames are compared as they are
        - `workers`, `progress`: as for `index`; used with `crops`, `only` and `verify`

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
            keep_only=keep_only,
            only=only,
            verify=verify,
            turned=turned,
            workers=workers,
            progress=progress,
        )

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
