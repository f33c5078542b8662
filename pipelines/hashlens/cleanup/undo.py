"""Undo what was applied of a plan, the last step first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from hashlens.cleanup import files, steps
from hashlens.cleanup.files import RefusedError
from hashlens.cleanup.journal import Begun, Journal, opened
from hashlens.errors import PlanError
from hashlens.model import Outcome, Progress, Skipped


def undo(
    journal_path: str | os.PathLike[str],
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Undo what a journal says was applied, or go on with an undo that was cut short.

    Files get back their names, bytes, permissions and times; copies, folders and markers that were
    made go, where they are unchanged or empty. A file is skipped, with the reason, and tried again
    by another undo, where it was deleted for good, where something else is at its old place by
    now, or where its bytes are not what they were: nothing is overwritten.

    Raises PlanError where the journal cannot be read, and where no space is left, after which undo
    can be called again.
    """
    path = os.path.abspath(journal_path)
    with opened(path, create=False) as log:
        if log.begun and not log.is_undoing:
            log.turn()
        done = 0
        skipped: list[Skipped] = []
        begun = log.standing[::-1]
        earlier = sum(state == "undone" for state in log.states.values())
        for count, item in enumerate(begun, 1):
            reason = _reason_not_to(log, item)
            if reason:
                skipped.append(Skipped(item.step.path, reason))
            else:
                done += 1
            if progress:
                progress(Progress(count, len(begun), item.step.path))
        steps.clean(log.folders, log.markers)
        return Outcome(done, earlier, 0, tuple(skipped), log.path)


def _reason_not_to(log: Journal, begun: Begun) -> str:
    """Undo a step; return why not, where that cannot be."""
    full = False
    try:
        steps.revert(begun, finished=log.states[begun.number] != "begin")
    except RefusedError as error:
        reason = str(error)
    except OSError as error:
        full = error.errno in files.FULL
        reason = error.strerror or str(error)
    else:
        log.end(begun.number, "undone")
        return ""
    with suppress(OSError):
        steps.clear(begun)
    if full:
        msg = f"{begun.step.path}: {reason}; make room, then undo again"
        raise PlanError(msg)
    log.end(begun.number, "left", reason)
    return reason
