"""Bring the rows of an index up to date with files: what is new, what changed, what vanished."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hashlens.model import Progress, Report, Skipped
from hashlens.rows import Row, RowMaker, skipped_row
from hashlens.store import Store, commits_at_once
from hashlens.walk import find_images, is_unreadable

BATCH_ROWS = 128
BATCH_SECONDS = 1.0


def update(
    store: Store,
    make: RowMaker,
    paths: Sequence[str | os.PathLike[str]],
    *,
    progress: Callable[[Progress], None] | None = None,
    force: bool = False,
) -> Report:
    """Make the rows of the files below some paths, and drop those of vanished ones.

    With `force`, every file is read again and no row is dropped.
    """
    found = list(find_images(paths, apart_from=store.path))
    images = [item for item in found if item is not None]
    with store.writing():
        known = store.query("select id, bytes, mtime, skipped from txtai")
        changes = Changes({row["id"]: row for row in known}, force=force)
        rows = changes.rows(images, make, progress)
        for batch in batches(rows, at_once=commits_at_once(store.config)):
            store.write([(row["id"], row, None) for row in batch])
        vanished = [] if force else list(changes.vanished(paths))
        if vanished:
            store.write([], vanished)
    return Report(
        changes.hashed,
        changes.unchanged,
        len(vanished),
        found.count(None),
        tuple(changes.skipped),
    )


class Changes:
    """The files of an update, compared one by one with the rows that are known."""

    def __init__(self, known: Mapping[str, Row], *, force: bool) -> None:
        self.known = known
        self.force = force
        self.seen: set[str] = set()
        self.hashed = 0
        self.unchanged = 0
        self.skipped: list[Skipped] = []

    def rows(
        self,
        images: Sequence[Path | Skipped],
        make: RowMaker,
        progress: Callable[[Progress], None] | None,
    ) -> Iterator[Row | None]:
        """Yield the row to write for each image, or None where there is nothing to write."""
        for done, item in enumerate(images):
            if progress:
                progress(Progress(done, len(images), str(item)))
            if isinstance(item, Skipped):
                yield self.note(skipped_row(item))
            else:
                yield None if self.is_unchanged(item) else self.note(make(item))

    def is_unchanged(self, path: Path) -> bool:
        """Tell whether a file has its row already; files that were skipped are tried again."""
        name = str(path)
        row = self.known.get(name)
        if row is None or self.force or row["skipped"]:
            return False
        try:
            status = os.stat(path)
        except OSError:
            return False
        same = (row["bytes"], row["mtime"]) == (status.st_size, status.st_mtime)
        if same:
            self.seen.add(name)
            self.unchanged += 1
        return same

    def note(self, row: Row) -> Row | None:
        """Count a new row, and return it unless it says of a skipped file what is known."""
        self.seen.add(row["id"])
        if "skipped" not in row:
            self.hashed += 1
            return row
        self.skipped.append(Skipped(row["path"], row["skipped"]))
        before = self.known.get(row["id"], {})
        same = all(before.get(key) == row.get(key) for key in ("skipped", "bytes", "mtime"))
        return None if same and before else row

    def vanished(self, paths: Sequence[str | os.PathLike[str]]) -> Iterator[str]:
        """Yield ids below the folders that were not seen, but for folders that were unreadable."""
        roots = tuple(os.path.join(os.path.abspath(path), "") for path in paths)
        unknown = tuple(os.path.join(item.path, "") for item in self.skipped if is_unreadable(item))
        for uid, row in self.known.items():
            below = os.path.join(uid, "")
            inside = below.startswith(roots) or (row["skipped"] and not os.path.lexists(uid))
            if uid not in self.seen and inside and not below.startswith(unknown):
                yield uid


def batches(rows: Iterable[Row | None], *, at_once: bool) -> Iterator[list[Row]]:
    """Cut rows into what is committed together: seconds of work, or all where saving is dear."""
    batch: list[Row] = []
    began = time.monotonic()
    for row in rows:
        if row is not None:
            batch.append(row)
        full = len(batch) >= BATCH_ROWS or time.monotonic() - began > BATCH_SECONDS
        if batch and full and at_once:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
