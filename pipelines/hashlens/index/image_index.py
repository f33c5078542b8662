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
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hashlens.cleanup.actions import Outcome
from hashlens.index.arguments import Paths, index_path, listed
from hashlens.index.directory import excluded, write_excluded
from hashlens.index.places import forget, relocate
from hashlens.index.reader import Reader
from hashlens.index.store import open_store
from hashlens.index.update import delete, update
from hashlens.model import Decision, Progress, Report

if TYPE_CHECKING:
    pass


DEFAULT_PATH = ".hashlens"


class ImageIndex(Reader):
    """An index of images, open on its directory. Use `ImageIndex.open`."""

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

    def decide(self, first: str, second: str | None = None, verdict: str = "keeper") -> Decision:
        """Remember a decision on two image files, `not-duplicate` or `keep-both`, or on one.

        The files are known by their pixels: `groups` never puts two of them, or copies of them,
        into one group again. With one file, the verdict is `keeper`: its picture is kept before all
        others of its group, whatever the rules say; two such pictures are both kept. Raises
        ParameterError for another verdict, for one file given twice or for a damaged file as
        keeper, and ImageError for a file that cannot be read.
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
