"""The other names of a file, so that undo makes one file of them again, and not a copy of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from hashlens.cleanup import files
from hashlens.cleanup.actions import Step
from hashlens.cleanup.files import Looks
from hashlens.cleanup.journal import Begun


@dataclass(frozen=True)
class HardLinks:
    """The hard links among the files of a plan."""

    planned: Sequence[Step]

    def twin(self, path: str, status: os.stat_result) -> str:
        """Return another name of the file at a path that is there now; "" if none is known."""
        known = self._names.get((status.st_dev, status.st_ino), []) if status.st_nlink > 1 else []
        for name in known:
            now = files.status_of(name)
            is_there = now is not None and os.path.samestat(now, status)
            if is_there and files.real_name(name) != files.real_name(path):
                return name
        return ""

    @cached_property
    def _names(self) -> dict[tuple[int, int], list[str]]:
        """Return the names of each file that has several, in the order in which they go."""
        found: dict[tuple[int, int], list[str]] = {}
        paths = (name for step in self.planned for name in (step.path, step.keeper))
        for path in dict.fromkeys(paths):
            with suppress(OSError):
                status = os.lstat(path)
                if status.st_nlink > 1:
                    found.setdefault((status.st_dev, status.st_ino), []).append(path)
        return found


def link_twin(begun: Begun, temporary: str) -> bool:
    """Stage the file of a step by a link to its other name, if that is there as it was.

    Return whether it is staged.
    """
    status = files.status_of(begun.twin) if begun.twin else None
    if status is None or Looks.of(status) != begun.looks:
        return False
    found = files.status_of(begun.step.path)
    is_in_place = found is not None and os.path.samestat(found, status)
    if is_in_place or not files.holds(begun.twin, begun.step.digest):
        return False
    try:
        os.link(begun.twin, temporary, follow_symlinks=False)
    except OSError as error:
        if error.errno not in files.NO_LINK:
            raise
        return False
    return True
