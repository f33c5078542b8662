"""What is left out below a folder: patterns in the syntax of .gitignore.

>>> excludes = Excludes(["*.gif", "!.thumbnails/"])
>>> excludes.pattern_for("a/b.gif"), excludes.pattern_for("@EADIR/")
('*.gif', '@eaDir/')
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hashlens.errors import ParameterError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# Folders of what was thrown away, of what machines make, and of old states; in any case of letters.
DEFAULTS = (
    *(".Trash*/", "**/.local/share/Trash/", "Trash/", r"\#trash/", "Network Trash Folder/"),
    *("**/.digikam/trash/", ".dtrash/", ".trashed-*", ".pending-*"),
    *("$RECYCLE.BIN/", "RECYCLER/", "Recycled/", r"\#recycle/", "@Recycle/", ".recycler/"),
    *(".Recycle.Bin/", ".recycle/"),
    *("@eaDir/", ".@__thumb/", "@__thumb/", ".thumbnails/", ".thumbnail/", ".thumbs/", ".thumb/"),
    *("**/.cache/thumbnails/", ".AppleDouble/", "lost+found/", "System Volume Information/"),
    *(".Spotlight-V100/", ".fseventsd/", ".DocumentRevisions-V100/", ".TemporaryItems/"),
    *(".stversions/", "**/.sync/Archive/", ".dropbox.cache/", ".tmp.drivedownload/"),
    *(".zfs/", ".snapshot/", ".snapshots/", ".snap/", ".ckpt/", "~snapshot/", r"\#snapshot/"),
    *("@Recently-Snapshot/", "**/.btrfs/snap/", "._*"),
)
_WILD = frozenset("*?[")


def _in_any_case(pattern: str) -> str:
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in pattern)


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
        self._of_files = _names(line for line in self._lines if not line.rstrip().endswith("/"))
        self._of_folders = _names(self._lines)

    def may_fit(self, name: str, *, is_file: bool) -> bool:
        """Return whether a pattern may fit a file or folder of this name.

        This look takes a fiftieth of the time of `pattern_for`, and few names need that.
        """
        names = self._of_files if is_file else self._of_folders
        return name[0] in names.beginnings or names.are_any or name.endswith(names.endings)

    def pattern_for(self, path: str) -> str | None:
        """Return the pattern that leaves out a file or folder; None if there is none.

        `path` is relative to the folder that was given; that of a folder ends in a slash.
        """
        found = self._spec.check_file(path)
        lines = *DEFAULTS, *self.patterns
        return lines[found.index] if found.include and found.index is not None else None

    @cached_property
    def _lines(self) -> list[str]:
        return [*map(_in_any_case, DEFAULTS), *self.patterns]

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec  # noqa: PLC0415  most folders need none

        try:
            return GitIgnoreSpec.from_lines(self._lines)
        except ValueError as error:
            msg = f"no pattern as in .gitignore: {error}"
            raise ParameterError(msg) from error


class _Names(NamedTuple):
    """What the last part of a path must be like so that a pattern may fit."""

    beginnings: frozenset[str]
    endings: tuple[str, ...]
    are_any: bool  # a pattern may fit any name


def _names(lines: Iterable[str]) -> _Names:
    """Return what names some patterns may fit."""
    beginnings: set[str] = set()
    endings: set[str] = set()
    are_any = False
    for line in lines:
        last = line.rstrip().removeprefix("!").rstrip("/").rpartition("/")[2]
        if last[:1] == "[" and last[1:3].isalpha() and last[3:4] == "]":  # a letter in any case
            beginnings |= set(last[1:3])
        elif last[:1] == "*" and last[1:] and not _WILD & set(last[1:]) and "\\" not in last:
            endings.add(last[1:])
        elif not last or last[0] in _WILD:
            are_any = True
        else:
            beginnings.add(last[1:2] if last[0] == "\\" else last[0])
    return _Names(frozenset(beginnings), tuple(endings), are_any)
