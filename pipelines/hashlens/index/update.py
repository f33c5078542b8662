"""Bring the rows of an index up to date with files: what is new, what changed, what vanished."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from hashlens.errors import ImageError
from hashlens.images.digests import file_digest
from hashlens.images.formats import extensions as chosen_extensions
from hashlens.images.walk import find_images, has_extension, is_unreadable
from hashlens.index.store import Known, Store, commits_at_once
from hashlens.model import Progress, Report, Skipped
from hashlens.rows.maker import Row, RowMaker, file_stamp
from hashlens.rows.stream import RowStream

BATCH_ROWS = 1024
BATCH_SECONDS = 1.0


def update(
    store: Store,
    make: RowMaker,
    paths: Sequence[str | os.PathLike[str]],
    *,
    force: bool = False,
    moved: bool = False,
    extensions: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Make the rows of the files below some paths, and drop those of vanished ones.

    With `force`, every file is read again and no row is dropped. With `moved`, a new file that is
    byte for byte the file of a row that is gone takes over that row.
    """
    endings = chosen_extensions(extensions)
    found = list(find_images(paths, extensions=endings, exclude=store.path))
    images = [item for item in found if item is not None]
    ignored = len(found) - len(images)
    del found
    with ExitStack() as stack:
        if store.is_new:
            # Nothing to compare with: hashing begins while txtai is imported and the index made.
            changes = Changes(images)
            rows = stack.enter_context(RowStream(make, images, workers))
            stack.enter_context(store.writing())
            if store.count():  # another process has made the index meanwhile
                changes = compare(images, store.known(), make.policy, force=True)
        else:
            stack.enter_context(store.writing())
            changes = compare(images, store.known(), make.policy, force=force)
            if moved and not force:
                changes.move(store)
            rows = stack.enter_context(RowStream(make, changes.todo, workers))
        done = len(images) - len(changes.todo)
        told = _told(rows, done, len(images), progress)
        for batch in batches(map(changes.note, told), at_once=commits_at_once(store.config)):
            store.write([(row["id"], row, None) for row in batch])
        vanished = [] if force else list(changes.vanished(paths, endings))
        if vanished:
            store.write([], vanished)
    return Report(
        changes.hashed,
        changes.unchanged,
        changes.moved,
        len(vanished),
        ignored,
        tuple(changes.skipped),
        tuple(changes.uncroppable),
    )


def _told(
    rows: Iterable[Row], done: int, total: int, progress: Callable[[Progress], None] | None
) -> Iterator[Row]:
    """Yield rows, and tell of each."""
    for number, row in enumerate(rows, done + 1):
        if progress:
            progress(Progress(number, total, row["path"]))
        yield row


def compare(
    images: Sequence[str | Skipped], known: Iterable[Known], policy: str, *, force: bool
) -> Changes:
    """Compare files with rows, which come sorted by id: one pass, whatever their number."""
    paths = sorted(item if isinstance(item, str) else item.path for item in images)
    changes = Changes()
    same: set[str] = set()
    position = 0
    for row in known:
        while position < len(paths) and paths[position] < row.id:
            position += 1
        if row.skipped is not None:
            changes.tried[row.id] = row
        if position == len(paths) or paths[position] != row.id:
            changes.absent.append(row)
        elif row.skipped is not None:
            continue  # tried again
        elif not force and _is_unchanged(row, policy):
            same.add(row.id)
        else:
            changes.outdated.add(row.id)
    changes.unchanged = len(same)
    changes.todo = [item for item in images if isinstance(item, Skipped) or item not in same]
    return changes


def _is_unchanged(row: Known, policy: str) -> bool:
    try:
        status = os.stat(row.id)
    except OSError:
        return False
    now = (status.st_size, status.st_mtime_ns, policy)
    return now == (row.bytes, row.mtime_ns, row.policy)


@dataclass
class Changes:
    """What an update has to do, and what it has done."""

    todo: list[str | Skipped] = field(default_factory=list)
    absent: list[Known] = field(default_factory=list)  # rows without a file
    tried: dict[str, Known] = field(default_factory=dict)  # rows of files that were skipped
    outdated: set[str] = field(default_factory=set)  # other rows whose files are read again
    hashed: int = 0
    unchanged: int = 0
    moved: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    uncroppable: list[str] = field(default_factory=list)

    def note(self, row: Row) -> Row | None:
        """Count a new row, and return it unless it says of a skipped file what is known."""
        if "skipped" not in row:
            self.hashed += 1
            if row.get("keypoints") == 0:
                self.uncroppable.append(row["path"])
            return row
        self.skipped.append(Skipped(row["path"], row["skipped"]))
        before = self.tried.get(row["id"])
        now = (row["skipped"], row.get("bytes"), row.get("mtime_ns"))
        same = before and now == (before.skipped, before.bytes, before.mtime_ns)
        return None if same else row

    def move(self, store: Store) -> None:
        """Let new files take over the rows of files that are gone, where all bytes are equal."""
        gone: dict[int, list[Known]] = {}
        for row in self.absent:
            if row.file_digest and not os.path.lexists(row.id):
                gone.setdefault(row.bytes or 0, []).append(row)
        taken: dict[str, tuple[str, Row]] = {}  # by new path: old id, and what the row gets
        for item in self.todo if gone else ():
            if isinstance(item, str) and item not in self.tried and item not in self.outdated:
                found = _taken_over(item, gone)
                if found:
                    taken[item] = found
        if taken:
            store.rename(taken)
            left = {old for old, _ in taken.values()}
            self.absent = [row for row in self.absent if row.id not in left]
            self.todo = [item for item in self.todo if item not in taken]
            self.moved = len(taken)

    def vanished(
        self, paths: Sequence[str | os.PathLike[str]], endings: frozenset[str]
    ) -> Iterator[str]:
        """Yield ids below the folders without a file, but for folders that were unreadable.

        A file that was passed over for its extension is still there.
        """
        roots = tuple(os.path.join(os.path.abspath(path), "") for path in paths)
        unknown = tuple(os.path.join(item.path, "") for item in self.skipped if is_unreadable(item))
        told = {item.path for item in self.skipped}  # of a name that is no valid text, printable
        for row in self.absent:
            below = os.path.join(row.id, "")
            if row.id in told or below.startswith(unknown):
                continue
            is_inside = below.startswith(roots)
            is_wanted = has_extension(row.id, endings) or os.path.isdir(row.id)
            is_gone = (is_inside or row.skipped) and not os.path.lexists(row.id)
            if is_gone or (is_inside and is_wanted):
                yield row.id


def _taken_over(path: str, gone: dict[int, list[Known]]) -> tuple[str, Row] | None:
    """Return the id of the row that a new file takes over, and the file's stamp; strike it off."""
    try:
        status = os.stat(path)
        rows = gone.get(status.st_size, [])
        digest = file_digest(path) if rows else None
        path.encode()
    except (OSError, ImageError, UnicodeEncodeError):
        return None  # the row that is made of it will say why
    for row in rows:
        if row.file_digest == digest:
            rows.remove(row)
            return row.id, {"id": path, "path": path, **file_stamp(status)}
    return None


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
