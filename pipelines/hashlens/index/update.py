"""Bring the rows of an index up to date with files: new, changed and vanished ones."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hashlens.images.exclude import Excludes
from hashlens.images.formats import extensions as chosen_extensions
from hashlens.images.kinds import holds_picture
from hashlens.images.walk import LeftOut, PassedOver, find_images, has_extension, is_unreadable
from hashlens.index.directory import excluded, write_excluded
from hashlens.index.host import needs_models
from hashlens.index.places import find_moves, is_away_folder, warn_of_moves
from hashlens.index.store import Known, Store
from hashlens.model import Progress, Report, Skipped
from hashlens.names import name_of, text_of
from hashlens.rows.maker import Row, RowMaker, skipped_of
from hashlens.rows.stream import RowStream

BATCH_ROWS = 1024
BATCH_SECONDS = 1.0


def update(
    store: Store,
    make: RowMaker,
    paths: Sequence[str | os.PathLike[str]],
    extensions: Iterable[str] | None,
    workers: int | None,
    progress: Callable[[Progress], None] | None,
    *,
    any_name: bool = False,
    exclude: Iterable[str] | None = None,
    force: bool = False,
    moved: bool = False,
    prune: bool = False,
) -> Report:
    """Make the rows of the files below some paths, and delete the rows of vanished files.

    With `any_name`, files are taken that are pictures by their first bytes, whatever their names.
    `exclude` has the patterns of what is left out, from now on; None stands for those that the
    index remembers. With `force`, every file is read again and no row is deleted. With `moved`, a
    new file takes over the row of a file that is gone, if both have the same bytes. Rows of folders
    that are gone or empty stay, unless `prune` is set: a disk may not be mounted.
    """
    roots = [store.root.inside(path) for path in paths]
    endings = chosen_extensions(extensions)
    remembered = excluded(store.path)
    excludes = Excludes(remembered if exclude is None else exclude)
    there = [path for path in roots if os.path.lexists(path) or not _has_rows(store, path)]
    how: Any = {"extensions": endings, "any_name": any_name}
    images, left_out, passed_over = _sorted_out(
        find_images(there, **how, own=store.path, excludes=excludes)
    )
    with ExitStack() as stack:
        if store.is_new:
            # There are no rows yet: hash while txtai is imported and the index is made.
            changes = Changes(images)
            rows = stack.enter_context(RowStream(make, images, workers))
            stack.enter_context(store.writing())
            if store.count():  # another process has made the index meanwhile
                changes = find_changes(images, store.known(), make.policy, force=True)
        else:
            stack.enter_context(store.writing())
            changes = find_changes(images, store.known(), make.policy, force=force)
            if moved and not force:
                changes.take_over(store)
            elif not force:
                warn_of_moves(changes.absent, changes.new)
            rows = stack.enter_context(RowStream(make, changes.todo, workers))
        done = len(images) - len(changes.todo)
        reported = _reported(rows, done, len(images), progress)
        to_write = map(changes.record, reported)
        for batch in _batches(to_write, in_one=needs_models(store.config)):
            store.write([(row["id"], row, None) for row in batch])
        vanished = [] if force else list(changes.vanished(roots, endings, any_name=any_name))
        away = Counter() if prune else _away(vanished, images, roots)
        vanished = [row for row in vanished if not _is_below_any(row.path, away)]
        if vanished:
            store.write([], [row.id for row in vanished])
        if list(excludes.patterns) != remembered and store.path.exists():
            write_excluded(store.path, excludes.patterns)
    return Report(
        changes.hashed,
        changes.unchanged,
        changes.moved,
        len(vanished),
        tuple(changes.skipped),
        tuple(changes.uncroppable),
        dict(left_out),
        dict(away),
        dict(sorted(passed_over.items(), key=lambda item: (-item[1], item[0]))),
    )


def _sorted_out(
    found: Iterable[str | Skipped | LeftOut | PassedOver],
) -> tuple[list[str | Skipped], Counter[str], Counter[str]]:
    """Return images, and counts of what was left out, by pattern, and passed over, by kind."""
    images: list[str | Skipped] = []
    left_out: Counter[str] = Counter()
    passed_over: Counter[str] = Counter()
    for item in found:
        if isinstance(item, LeftOut):
            left_out[item.pattern] += 1
        elif isinstance(item, PassedOver):
            passed_over[item.kind] += 1
        else:
            images.append(item)
    return images, left_out, passed_over


def delete(store: Store, ids: Iterable[str]) -> list[str]:
    """Delete rows by id; returns the ids that were there."""
    with store.writing():
        known = {row["id"] for row in store.query("select id from txtai")}
        present = [str(uid) for uid in ids if store.root.stored(str(uid)) in known]
        store.write([], present)
    return present


def _has_rows(store: Store, path: str) -> bool:
    """Return whether an index has rows of a file, or of files below a folder."""
    if store.is_new:
        return False
    name = text_of(path)
    below = os.path.join(name, "")
    return any(row.id == name or row.id.startswith(below) for row in store.known())


def _away(
    rows: Sequence[Known], images: Iterable[str | Skipped], roots: Sequence[str]
) -> Counter[str]:
    """Return the folders of files that are gone or empty, and how many of the files they had.

    Of folders in each other, the outermost is returned. A folder that was looked through counts as
    empty if no picture was found in it: the place of a disk that is not mounted may hold a file.
    """
    found: Counter[str] = Counter()
    if not rows:
        return found
    inhabited: set[str] = set()
    for item in images:
        folder = os.path.dirname(item if isinstance(item, str) else item.path)
        while folder not in inhabited:
            inhabited.add(folder)
            folder = os.path.dirname(folder)
    folders = tuple(os.path.join(root, "") for root in roots if os.path.isdir(root))

    @cache
    def is_away(folder: str) -> bool:
        is_known = os.path.join(folder, "").startswith(folders)
        return (is_known and folder not in inhabited) or is_away_folder(folder)

    for row in rows:
        folder = os.path.dirname(row.path)
        if is_away(folder) and not os.path.lexists(row.path):
            while is_away(os.path.dirname(folder)):
                folder = os.path.dirname(folder)
            found[folder] += 1
    return found


def _is_below_any(path: str, folders: Container[str]) -> bool:
    """Return whether a path lies in one of some folders, at any depth."""
    while (folder := os.path.dirname(path)) != path:
        if folder in folders:
            return True
        path = folder
    return False


def _reported(
    rows: Iterable[Row], done: int, total: int, progress: Callable[[Progress], None] | None
) -> Iterator[Row]:
    """Yield rows, and report the progress of each."""
    for number, row in enumerate(rows, done + 1):
        if progress:
            progress(Progress(number, total, name_of(row["path"])))
        yield row


def find_changes(
    images: Sequence[str | Skipped], known: Iterable[Known], policy: str, *, force: bool
) -> Changes:
    """Compare files with the rows of an index, which come sorted by id, in one pass."""
    paths, texts = _by_text([item if isinstance(item, str) else item.path for item in images])
    changes = Changes()
    same: set[str] = set()
    position = 0
    for row in known:
        while position < len(texts) and texts[position] < row.id:
            position += 1
        if row.skipped is not None:
            changes.tried[row.id] = row
        if position == len(texts) or texts[position] != row.id:
            changes.absent.append(row)
        elif row.skipped is not None:
            continue  # the file is tried again
        elif not force and _is_unchanged(row, paths[position], policy):
            same.add(paths[position])
        else:
            changes.outdated.add(row.id)
    changes.unchanged = len(same)
    changes.todo = [item for item in images if isinstance(item, Skipped) or item not in same]
    return changes


def _by_text(paths: list[str]) -> tuple[list[str], list[str]]:
    """Return paths sorted by their texts, and the texts."""
    joined = "".join(paths)
    if text_of(joined) is joined:  # one look at all of them: each is its own text
        paths.sort()
        return paths, paths
    paths.sort(key=text_of)
    return paths, list(map(text_of, paths))


def _is_unchanged(row: Known, path: str, policy: str | None) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    now = (status.st_size, status.st_mtime_ns, policy)
    return now == (row.bytes, row.mtime_ns, row.policy)


@dataclass
class Changes:
    """What an update has to do, and what it has done.

    - `todo`: the files to read
    - `absent`: rows without a file among those that were found
    - `tried`: rows of skipped files, by id
    - `outdated`: ids of other rows whose files are read again
    - `hashed`, `unchanged`, `moved`: numbers of files
    - `skipped`: files without a fingerprint
    - `uncroppable`: paths of pictures in which no keypoint was found
    """

    todo: list[str | Skipped] = field(default_factory=list)
    absent: list[Known] = field(default_factory=list)
    tried: dict[str, Known] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)
    hashed: int = 0
    unchanged: int = 0
    moved: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    uncroppable: list[str] = field(default_factory=list)

    def record(self, row: Row) -> Row | None:
        """Count a new row, and return it; None for a skipped file with nothing new to store."""
        if "skipped" not in row:
            self.hashed += 1
            if row.get("keypoints") == 0:
                self.uncroppable.append(name_of(row["path"]))
            return row
        self.skipped.append(skipped_of(row))
        before = self.tried.get(row["id"])
        now = (row["skipped"], row.get("bytes"), row.get("mtime_ns"))
        is_known = before and now == (before.skipped, before.bytes, before.mtime_ns)
        return None if is_known else row

    @property
    def new(self) -> list[str]:
        """Return the files to read that have no row."""
        known = self.tried.keys() | self.outdated
        return [item for item in self.todo if isinstance(item, str) and text_of(item) not in known]

    def take_over(self, store: Store) -> None:
        """Let new files take over the rows of files that are gone, if their bytes are the same."""
        taken = find_moves(self.absent, self.new)
        if taken:
            store.rename(taken)
            old_ids = {old for old, _ in taken.values()}
            self.absent = [row for row in self.absent if row.id not in old_ids]
            self.todo = [
                item
                for item in self.todo
                if isinstance(item, Skipped) or text_of(item) not in taken
            ]
            self.moved = len(taken)

    def vanished(
        self, roots: Sequence[str], endings: frozenset[str], *, any_name: bool
    ) -> Iterator[Known]:
        """Yield the rows below the folders whose files have vanished.

        Rows below a folder that cannot be read stay, and so do rows of files that are there but
        were passed over for their extension.
        """
        inside = tuple(os.path.join(root, "") for root in roots)
        unreadable = tuple(
            os.path.join(item.path, "") for item in self.skipped if is_unreadable(item)
        )
        for row in self.absent:
            path = row.path
            below = os.path.join(path, "")
            if below.startswith(unreadable):
                continue
            is_inside = below.startswith(inside)
            is_gone = (is_inside or row.skipped) and not os.path.lexists(path)
            if is_gone or (is_inside and not _is_passed_over(row, endings, any_name=any_name)):
                yield row


def _is_passed_over(row: Known, endings: frozenset[str], *, any_name: bool) -> bool:
    """Return whether the file of a row, which is there, was passed over for its extension.

    If it was looked at (`any_name`) and is no picture that is wanted, it was, unless it has
    changed: then the row is of another file.
    """
    path = row.path
    if has_extension(path, endings) or os.path.isdir(path):
        return False
    if not any_name or has_extension(path):
        return True
    return not holds_picture(path, endings) and _is_unchanged(row, path, row.policy)


def _batches(rows: Iterable[Row | None], *, in_one: bool) -> Iterator[list[Row]]:
    """Yield the rows to commit together: about a second of work.

    `in_one`: all rows, for an index with vectors, which are saved whole with each commit.
    """
    batch: list[Row] = []
    began = time.monotonic()
    for row in rows:
        if row is not None:
            batch.append(row)
        is_full = len(batch) >= BATCH_ROWS or time.monotonic() - began > BATCH_SECONDS
        if batch and is_full and not in_one:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
