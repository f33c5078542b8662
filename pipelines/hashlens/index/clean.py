"""Carry out a plan or undo it, and bring the rows of an index up to date with what moved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hashlens.cleanup.actions import Outcome, Step
from hashlens.cleanup.apply import apply
from hashlens.cleanup.journal import open_journal
from hashlens.cleanup.plan import journal_of
from hashlens.cleanup.undo import undo
from hashlens.errors import HashlensError, IndexingError
from hashlens.images.formats import EXTENSIONS
from hashlens.images.kinds import holds_picture
from hashlens.images.walk import has_extension
from hashlens.index.store import Store
from hashlens.index.update import delete, update
from hashlens.model import Progress
from hashlens.rows.maker import RowMaker

Path = str | os.PathLike[str]
Advance = Callable[[Progress], None] | None


def apply_plan(
    store: Store,
    make: RowMaker,
    plan: Path,
    journal: Path | None,
    progress: Advance,
    *,
    remove_empty: bool,
) -> Outcome:
    """Carry out a plan; see `ImageIndex.apply`."""
    path = os.path.abspath(journal) if journal else journal_of(os.path.abspath(plan))
    with _followed(store, make, path):
        return apply(plan, journal, remove_empty=remove_empty, progress=progress)


def undo_plan(store: Store, make: RowMaker, journal: Path, progress: Advance) -> Outcome:
    """Undo a plan; see `ImageIndex.undo`."""
    with _followed(store, make, os.path.abspath(journal)):
        return undo(journal, progress=progress)


@contextmanager
def _followed(store: Store, make: RowMaker, journal: str) -> Iterator[None]:
    """Bring rows up to date when `with` ends, with an error, too: some steps may be done."""
    try:
        yield
    finally:
        if os.path.isfile(journal):
            with open_journal(journal, create=False) as opened:
                steps = [begun.step for begun in opened.begun.values()]
            try:
                _follow(store, make, steps)
            except HashlensError as error:
                msg = f"the files are as the plan says, but not yet the rows: {error}; index again"
                raise IndexingError(msg) from error


def _follow(store: Store, make: RowMaker, steps: list[Step]) -> None:
    """Drop the rows of files that are gone, and read files that are new or changed.

    A new file is read if the index has the picture that was kept for it: then the file was in the
    index before.
    """
    known = {row.path: row for row in store.known()}
    gone, todo = [], []
    for step in steps:
        try:
            status = os.stat(step.path)
        except OSError:
            gone += [known[step.path].id] if step.path in known else []
            continue
        row = known.get(step.path)
        if row is None:
            # The partners of a picture are acted on as it is, and have no rows.
            is_new = step.keeper in known and step.action != "copy" and _is_picture(step.path)
        else:
            is_new = (row.bytes, row.mtime_ns) != (status.st_size, status.st_mtime_ns)
        if is_new:
            todo.append(step.path)
    if gone:
        delete(store, gone)
    if todo:
        update(store, make, todo, None, None, None, force=True)


def _is_picture(path: str) -> bool:
    """Return whether an index takes a file as a picture, by its extension or its first bytes."""
    return has_extension(path) or holds_picture(path, EXTENSIONS)
