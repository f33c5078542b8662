"""Rows whose files are in another place now, or gone for good."""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import TypeAlias

from hashlens.errors import ImageError, ParameterError
from hashlens.images.digests import file_digest
from hashlens.index.store import Known, Store
from hashlens.names import name_of, text_of
from hashlens.rows.maker import Row, stamp_of

Path = str | os.PathLike[str]


def relocate(store: Store, old: Path, new: Path) -> int:
    """Give the rows of files below a folder, or of a file, the paths that they have now.

    No file is read. A row stays as it is if no file of its size is in the new place. If the file
    has a row there already, the row of the old place is deleted. Return how many rows of the old
    place are adopted or deleted. Raises ParameterError if there are no rows below `old`, or if no
    file of them is below `new`.
    """
    before, after = (text_of(store.root.inside(path)) for path in (old, new))
    with store.writing():
        sizes = {}
        known = {}
        for row in store.known():
            known[row.id], sizes[row.id] = row.skipped, row.bytes
        rows = _below(known, before)
        changes: dict[str, tuple[str, Row]] = {}
        for uid in rows:
            path = after + uid[len(before) :]
            stamp = stamp_of(name_of(path))
            if stamp and path != uid and stamp["bytes"] == sizes[uid]:
                changes[path] = uid, {"id": path, "path": path}
        if not changes:
            msg = f"no file of the {len(rows)} rows below {before} is below {after}"
            raise ParameterError(msg)
        if len(changes) < len(rows):
            msg = f"{len(rows) - len(changes)} rows stay at {before}: no such files below {after}"
            warnings.warn(msg, stacklevel=3)
        moving = {uid for uid, _ in changes.values()}
        taken = {uid for uid, skipped in known.items() if not skipped and uid not in moving}
        renamed = {path: change for path, change in changes.items() if path not in taken}
        there = [uid for path, (uid, _) in changes.items() if path in taken and uid not in renamed]
        if renamed:
            store.rename(renamed)
        if there:
            store.write([], there)  # their files have rows of their own
    return len(changes)


def forget(store: Store, path: Path) -> int:
    """Delete the rows of a file, or of all files below a folder; return how many.

    No file is touched. Raises ParameterError if there are no such rows.
    """
    folder = text_of(store.root.inside(path))
    with store.writing():
        rows = _below({row.id for row in store.known()}, folder)
        store.write([], rows)
    return len(rows)


def find_moves(absent: Iterable[Known], paths: Iterable[str]) -> dict[str, tuple[str, Row]]:
    """Find the rows of vanished files that new files take over.

    Return, by new id, the old id and the columns that change. A new file takes over a row
    if both have the same bytes. A file is not read if name, size and time are those of the row, and
    if an earlier file that moved between the same two folders had the bytes of its row. It is read
    if these three do not tell, since cameras repeat names: if they are those of rows with different
    bytes, or of more new files than rows.
    """
    gone = _Gone(absent)
    stamps = {path: stamp for path in paths if (stamp := gone.stamp(path))}
    new = Counter(_key(path, stamp) for path, stamp in stamps.items())
    are_moves: dict[tuple[str, str], bool] = {}  # by two folders: what the digests have said
    found: dict[str, tuple[str, Row]] = {}
    for path, stamp in stamps.items():
        key = _key(path, stamp)
        row = _nearest(path, gone.rows(key))
        move = _ends(row.path, path) if row else ("", "")
        if not are_moves.get(move) or not gone.tells(key, new[key]):
            try:
                digest = file_digest(path)
            except ImageError:
                continue  # the row that is made of the file will have the reason
            if row:
                are_moves[move] = are_moves.get(move, True) and row.file_digest == digest
            if row is None or row.file_digest != digest:
                row = gone.row_of(stamp["bytes"], digest)
        if row:
            gone.taken.add(row.id)
            uid = text_of(path)
            found[uid] = row.id, {"id": uid, "path": uid, **stamp}
    return found


_Key: TypeAlias = tuple[str, int, int]  # the name, size and time of a file


def _key(path: str, stamp: Row) -> _Key:
    return os.path.basename(path), stamp["bytes"], stamp["mtime_ns"]


class _Gone:
    """Rows whose files may have vanished; each is taken over once."""

    def __init__(self, absent: Iterable[Known]) -> None:
        self.taken: set[str] = set()
        self._sizes: set[int | None] = set()
        self._by_key: dict[_Key, list[Known]] = {}
        self._by_bytes: dict[tuple[int, str], deque[Known]] = {}
        self._is_gone = cache(lambda path: not os.path.lexists(path))
        for row in absent:
            if row.file_digest and row.bytes is not None:
                self._sizes.add(row.bytes)
                key = os.path.basename(row.path), row.bytes, row.mtime_ns or 0
                self._by_key.setdefault(key, []).append(row)
                self._by_bytes.setdefault((row.bytes, row.file_digest), deque()).append(row)

    def stamp(self, path: str) -> Row | None:
        """Return the stamp of a new file; None if no row can be that of the file."""
        stamp = stamp_of(path)
        return stamp if stamp.get("bytes") in self._sizes else None

    def rows(self, key: _Key) -> list[Known]:
        """Return the rows of vanished files with this key."""
        return list(filter(self._is_free, self._by_key.get(key, ())))

    def tells(self, key: _Key, new: int) -> bool:
        """Return whether the key tells the bytes of a file, of which there are `new` new ones."""
        rows = self._by_key.get(key, ())
        return len({row.file_digest for row in rows}) == 1 and new <= len(rows)

    def row_of(self, size: int, digest: str) -> Known | None:
        """Return the first row of a vanished file with these bytes."""
        rows = self._by_bytes.get((size, digest), deque())
        while rows and not self._is_free(rows[0]):
            rows.popleft()
        return rows[0] if rows else None

    def _is_free(self, row: Known) -> bool:
        return row.id not in self.taken and self._is_gone(row.path)


def warn_of_moves(absent: Iterable[Known], paths: Sequence[str]) -> None:
    """Warn if most new files have the names and sizes of files in folders that are gone or empty.

    They look as if they had been moved, and hashing them again may take hours.
    """
    names = {os.path.basename(path) for path in paths}
    rows: dict[str, list[Known]] = {}
    for row in absent if names else ():
        if row.file_digest and (name := os.path.basename(row.path)) in names:
            rows.setdefault(name, []).append(row)
    is_away = cache(is_away_folder)
    moves: Counter[tuple[str, str]] = Counter()
    for path in paths:
        namesakes = rows.get(os.path.basename(path), ())
        size = stamp_of(path).get("bytes") if namesakes else None
        alike = [row for row in namesakes if row.bytes == size]
        nearest = _nearest(path, [row for row in alike if is_away(os.path.dirname(row.path))])
        if nearest:
            moves[_ends(nearest.path, path)] += 1
    count = moves.total()
    if count and count * 2 > len(paths):
        old, new = moves.most_common(1)[0][0]
        msg = (
            f"{count} of {len(paths)} new files look moved, from {old} to {new}: their rows can be "
            f"adopted without hashing, by index --moved, or by relocate {old} {new}"
        )
        warnings.warn(msg, stacklevel=4)


def is_away_folder(folder: str) -> bool:
    """Return whether a folder is gone or empty; one that cannot be read is neither."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _nearest(path: str, rows: Sequence[Known]) -> Known | None:
    """Return the row whose path has the longest end in common with a path; None without rows."""
    return max(rows, key=lambda row: len(row.path) - len(_ends(row.path, path)[0]), default=None)


def _ends(old: str, new: str) -> tuple[str, str]:
    """Return two different paths without the names at their ends that are the same."""
    first, second = old.split(os.sep), new.split(os.sep)
    while min(len(first), len(second)) > 1 and first[-1] == second[-1]:
        del first[-1], second[-1]
    return os.sep.join(first) or os.sep, os.sep.join(second) or os.sep


def _below(known: Collection[str], folder: str) -> list[str]:
    """Return the ids of a file, or of files below a folder; raises ParameterError if none is."""
    inside = os.path.join(folder, "")
    found = sorted(uid for uid in known if uid == folder or uid.startswith(inside))
    if not found:
        msg = f"the index has no rows of {folder}, or of files below it"
        raise ParameterError(msg)
    return found
