"""The folder that the paths of a relative index start from.

>>> root = Root("/media/disk")
>>> root.stored("/media/disk/a/b.jpg"), root.absolute("a/b.jpg"), root.absolute("../b.jpg")
('a/b.jpg', '/media/disk/a/b.jpg', None)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hashlens.errors import ParameterError
from hashlens.names import name_of, text_of

PATHS = ("id", "path")  # the columns of a row that hold its path


class Root:
    """Turn the path of a file into what an index stores of it, and back.

    Without a folder, paths are stored as they are.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = None if folder is None else os.fspath(folder)
        self._text = "" if folder is None else text_of(os.fspath(folder))
        self._prefix = os.path.join(self._text, "")

    def inside(self, path: str | os.PathLike[str]) -> str:
        """Return the absolute path of a file that an index can hold.

        A file that is reached by another name of the folder, such as a link, gets the path below
        the folder. Raises ParameterError for a file outside of the folder, and for an empty path.
        """
        if not os.fspath(path):
            msg = "an empty path names no file or directory"
            raise ParameterError(msg)
        name = os.path.abspath(path)
        if self.folder is None or self._has(text_of(name)):
            return name
        below = os.path.relpath(os.path.realpath(name), os.path.realpath(self.folder))
        found = self.absolute(text_of(below))
        if found is None:
            msg = (
                f"{name} is outside of {self.folder}, and this index holds paths relative to that "
                f"folder, in which it lies: make another index, without relative, or in a folder "
                f"that holds both"
            )
            raise ParameterError(msg)
        return name_of(found)

    def stored(self, path: str) -> str:
        """Return what an index stores of a path; a path outside of the folder stays as it is."""
        if self.folder is None or not self._has(path):
            return path
        return path[len(self._prefix) :] or "."

    def absolute(self, stored: Any) -> str | None:
        """Return the path of a file; None for a stored path that leads out of the folder.

        Someone else may have written the index: its paths are never followed out of the folder.
        """
        if self.folder is None:
            found: str = stored
            return found
        if not isinstance(stored, str) or os.path.normpath(stored) != stored:
            return None
        if stored.startswith(("/", "../")) or stored == "..":
            return None
        return self._text if stored == "." else self._prefix + stored

    def stored_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row as an index stores it."""
        if self.folder is None:
            return row
        return row | {name: self.stored(row[name]) for name in PATHS if name in row}

    def place(self, row: Any, keys: Iterable[Any]) -> bool:
        """Make the stored paths at some keys of a row absolute.

        Return whether the row is one of ours: none of its paths leads out of the folder.
        """
        for key in keys:
            if row[key] is not None:
                row[key] = self.absolute(row[key])
                if row[key] is None:
                    return False
        return True

    def _has(self, name: str) -> bool:
        return name == self._text or name.startswith(self._prefix)
