"""The folders of a plan: where files go, and those that it empties and that come back."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from hashlens.cleanup.actions import MOVES, Step, top_folder
from hashlens.cleanup.files import missing_folders
from hashlens.cleanup.journal import Journal
from hashlens.images.walk import IGNORE


def destination(step: Step) -> list[str]:
    """Return the folder that a file went to, without the path that it has below it."""
    return [top_folder(step) or os.path.dirname(step.to)] if step.to else []


def marker_of(step: Step, missing: Sequence[str]) -> str:
    """Return the marker that must be made in the folder of the files put aside; "" if none."""
    top = top_folder(step)
    if top and (top in missing or not os.listdir(top)):
        return os.path.join(top, IGNORE)
    return ""


def remove_emptied(journal: Journal) -> None:
    """Remove the folders of files that were moved or deleted, if these folders are empty now.

    A folder that becomes empty by this is removed as well. Each is noted first.
    """
    taken = [
        begun.step.path
        for begun in journal.begun.values()
        if journal.states[begun.number] == "done" and begun.step.action in (*MOVES, "delete")
    ]
    for folder in sorted(set(map(os.path.dirname, taken)), key=len, reverse=True):
        while _is_empty(folder):
            journal.note_folder(folder, stat.S_IMODE(os.stat(folder).st_mode))
            try:
                os.rmdir(folder)
            except OSError:  # in use, a mount, or forbidden
                break
            folder = os.path.dirname(folder)


def make_again(journal: Journal) -> None:
    """Make the folders again that `remove_emptied` has removed."""
    for folder, mode in sorted(journal.emptied.items()):
        for missing in missing_folders(folder):
            with suppress(OSError):  # its files say so when they come back
                os.mkdir(missing)
        with suppress(OSError):
            os.chmod(folder, mode)


def _is_empty(folder: str) -> bool:
    """Return whether this is an empty folder, and not a link to one."""
    try:
        return not os.path.islink(folder) and not os.listdir(folder)
    except OSError:
        return False
