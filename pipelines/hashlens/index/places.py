"""Rows whose files are in another place now, or gone for good."""

from __future__ import annotations

import os

from hashlens.errors import ParameterError
from hashlens.index.store import Store
from hashlens.names import name_of, text_of
from hashlens.rows.maker import Row, stamp_of

Path = str | os.PathLike[str]


def relocate(store: Store, old: Path, new: Path) -> int:
    """Give the rows of files below a folder, or of a file, the paths that they have now.

    No file is read. A row stays as it is if its file is not in the new place. Return how many rows
    have new paths. Raises ParameterError if there are no rows below `old`, or if no file of them is
    below `new`.
    """
    before, after = text_of(os.path.abspath(old)), text_of(os.path.abspath(new))
    with store.writing():
        known = {row.id for row in store.known()}
        rows = _below(known, before)
        changes: dict[str, tuple[str, Row]] = {}
        for uid in rows:
            path = after + uid[len(before) :]
            stamp = stamp_of(name_of(path))
            if stamp:
                changes[path] = uid, {"id": path, "path": path}
        if not changes:
            msg = f"no file of the {len(rows)} rows below {before} is below {after}"
            raise ParameterError(msg)
        there = [uid for path, (uid, _) in changes.items() if path in known]
        renamed = {path: change for path, change in changes.items() if path not in known}
        if renamed:
            store.rename(renamed)
        if there:
            store.write([], there)  # their files have rows of their own
    return len(changes)


def forget(store: Store, path: Path) -> int:
    """Delete the rows of a file, or of all files below a folder; return how many.

    No file is touched. Raises ParameterError if there are no such rows.
    """
    folder = text_of(os.path.abspath(path))
    with store.writing():
        rows = _below({row.id for row in store.known()}, folder)
        store.write([], rows)
    return len(rows)


def _below(known: set[str], folder: str) -> list[str]:
    """Return the ids of a file, or of files below a folder; raises ParameterError if none is."""
    inside = os.path.join(folder, "")
    found = sorted(uid for uid in known if uid == folder or uid.startswith(inside))
    if not found:
        msg = f"the index has no rows of {folder}, or of files below it"
        raise ParameterError(msg)
    return found
