"""Undo the steps of a plan that were applied, the last one first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from hashlens.cleanup import files, steps
from hashlens.cleanup.actions import Outcome
from hashlens.cleanup.files import RefusedError
from hashlens.cleanup.folders import make_again
from hashlens.cleanup.journal import Begun, Journal, open_journal
from hashlens.errors import PlanError
from hashlens.model import Progress, Skipped


def undo(
    journal_path: str | os.PathLike[str],
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Undo the steps that a journal says were applied, or continue an undo that was interrupted.

    Files get back their paths, bytes, permissions and times. Copies, folders and markers that were
    made are removed, if they are unchanged or empty. Nothing is overwritten: a file is skipped,
    with the reason, if it was deleted for good, if something else is at its old path, or if its
    bytes have changed. Another undo tries it again.

    Raises PlanError if the journal cannot be read, or if no space is left; then undo can be called
    again.
    """
    path = os.path.abspath(journal_path)
    with open_journal(path, create=False) as journal:
        if journal.begun and not journal.is_undoing:
            journal.begin_undo()
        make_again(journal)
        done = 0
        skipped: list[Skipped] = []
        undoable = journal.undoable[::-1]
        earlier = sum(state == "undone" for state in journal.states.values())
        for count, begun in enumerate(undoable, 1):
            reason = _undo_step(journal, begun)
            if reason:
                skipped.append(Skipped(begun.step.path, reason))
            else:
                done += 1
            if progress:
                progress(Progress(count, len(undoable), begun.step.path))
        steps.remove_empty(journal.folders, journal.markers)
        return Outcome(done, earlier, 0, tuple(skipped), journal.path)


def _undo_step(journal: Journal, begun: Begun) -> str:
    """Undo a step; return "", or the reason if it cannot be undone."""
    full = False
    try:
        steps.revert(begun, finished=journal.states[begun.number] != "begin")
    except RefusedError as error:
        reason = str(error)
    except OSError as error:
        full = error.errno in files.FULL
        reason = error.strerror or str(error)
    else:
        journal.end(begun.number, "undone")
        return ""
    with suppress(OSError, RefusedError):
        steps.settle(begun)
    if full:
        msg = f"{begun.step.path}: {reason}; make room, then undo again"
        raise PlanError(msg)
    journal.end(begun.number, "left", reason)
    return reason
