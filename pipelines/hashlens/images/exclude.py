"""What is left out below a folder: patterns in the syntax of .gitignore.

>>> excludes = Excludes(["*.gif", "!.thumbnails/"])
>>> excludes.pattern_for("a/b.gif"), excludes.pattern_for("@eaDir/"), excludes.pattern_for("c.jpg")
('*.gif', '@eaDir/', None)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from hashlens.errors import ParameterError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# Folders of what was thrown away, of what machines make, and of old states; attributes of macOS.
DEFAULTS = (
    *(".Trash*/", "$RECYCLE.BIN/", "$Recycle.Bin/", "RECYCLER/", "Recycled/"),
    *(r"\#recycle/", "@Recycle/", ".Recycle.Bin/", ".recycle/", ".dtrash/", ".trashed-*"),
    *("@eaDir/", ".@__thumb/", ".thumbnails/", ".AppleDouble/", "lost+found/"),
    *(".stversions/", ".zfs/", ".snapshot/", ".snapshots/", r"\#snapshot/"),
    *("@Recently-Snapshot/", "._*"),
)
_BEGINNINGS = frozenset(pattern.lstrip("\\")[0] for pattern in DEFAULTS)


class Excludes:
    """Patterns of files and folders that are left out, besides the defaults.

    As in .gitignore, the last pattern that fits decides, and `!` before a pattern takes in again
    what an earlier one leaves out. Raises ParameterError for what is no pattern.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(patterns)
        for pattern in self.patterns:
            if not isinstance(pattern, str) or not pattern.strip() or "\n" in pattern:
                msg = f"a pattern of what to leave out is a text as in .gitignore, not {pattern!r}"
                raise ParameterError(msg)
        if self.patterns:
            _ = self._spec  # raises for what is no pattern

    def pattern_for(self, path: str) -> str | None:
        """Return the pattern that leaves out a path; None if there is none.

        `path` is relative to the folder that was given; that of a folder ends in a slash.
        """
        if not self.patterns:
            name = os.path.basename(path.rstrip("/"))
            if name[0] not in _BEGINNINGS:
                return None
        found = self._spec.check_file(path)
        return self._lines[found.index] if found.include and found.index is not None else None

    @property
    def _lines(self) -> tuple[str, ...]:
        return (*DEFAULTS, *self.patterns)

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec  # noqa: PLC0415  most folders need none

        try:
            return GitIgnoreSpec.from_lines(self._lines)
        except ValueError as error:
            msg = f"no pattern as in .gitignore: {error}"
            raise ParameterError(msg) from error
