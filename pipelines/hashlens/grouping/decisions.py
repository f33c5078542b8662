"""Decisions of a person on one picture or two, so that nothing asks again.

Pictures are known by the digest of their pixels: a decision holds after moves, renames and a new
index, for all copies with the same pixels. Decisions are stored in a SQLite file beside the rows of
an index, and can be exported to JSON Lines.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, astuple, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashlens.disk import saved
from hashlens.errors import HashlensError, ParameterError
from hashlens.grouping.pictures import (
    DIGEST,
    picture_digest,
    pictures_of,
    read_digest,
    require_sound,
)
from hashlens.images.root import Root
from hashlens.model import Decision, Progress
from hashlens.parallel.pool import Crashed, Results, schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashlens.grouping.collection import Collection

FILE = "decisions.db"
KEEPER = "keeper"  # on one picture: it is kept before all rules
PAIR_VERDICTS = ("not-duplicate", "keep-both")
VERDICTS = (*PAIR_VERDICTS, KEEPER)
_SIDES = ("width", "height")
COLUMNS = tuple(field.name for field in fields(Decision))
# `pixels`: the digest of pixels of each file that was read, by the digest of its bytes. `sizes`: of
# decided pictures, so that only files of these sizes are read.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS decisions ({" TEXT, ".join(COLUMNS)} TEXT, PRIMARY KEY (first, second));
CREATE TABLE IF NOT EXISTS sizes (pixels TEXT PRIMARY KEY, width INTEGER, height INTEGER);
CREATE TABLE IF NOT EXISTS pixels (file TEXT PRIMARY KEY, pixels TEXT);
"""


class Decisions:
    """The decisions of an index, in a file of its folder, which the first decision creates."""

    def __init__(self, folder: Path, root: Root | None = None) -> None:
        self.path = folder / FILE
        self._root = root or Root()

    def __iter__(self) -> Iterator[Decision]:
        """Yield all decisions, sorted by the paths they were made on."""
        rows = self._read(
            f"SELECT {', '.join(COLUMNS)} FROM decisions ORDER BY first_path, second_path, first"
        )
        absolute = self._root.absolute
        return (_with_paths(Decision(*row), lambda path: absolute(path) or path) for row in rows)

    def add(self, first: str, second: str | None, verdict: str) -> Decision:
        """Store a decision on image files; it replaces an earlier decision on them.

        `verdict` is `not-duplicate` or `keep-both` for two files, `keeper` for one. Raises
        ParameterError for any other verdict, for a file too many or too few, for twice the same
        file or for a damaged file as keeper, and ImageError for a file that cannot be read.
        """
        if verdict not in VERDICTS:
            msg = f"a decision is one of {', '.join(VERDICTS)}, not {verdict!r}"
            raise ParameterError(msg)
        if (second is None) != (verdict == KEEPER):
            msg = (
                f"{verdict} is decided of {'one picture' if verdict == KEEPER else 'two pictures'}"
            )
            raise ParameterError(msg)
        pictures = pictures_of([first] if second is None else [first, second])
        if verdict == KEEPER:
            require_sound(first)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        digests, paths = [[item[0] for item in pictures], [item[1] for item in pictures]]
        if second is None:
            digests, paths = [*digests, ""], [*paths, ""]
        made = Decision(digests[0], digests[1], verdict, paths[0], paths[1], now)
        with self._writing() as connection:
            self._insert(connection, [made])
            for pixels, _, size, file in pictures:
                connection.execute("INSERT OR REPLACE INTO sizes VALUES (?, ?, ?)", (pixels, *size))
                connection.execute("INSERT OR REPLACE INTO pixels VALUES (?, ?)", (file, pixels))
        return made

    def forget(self, first: str, second: str | None = None) -> bool:
        """Forget the decision on two images, or that one is the keeper; return whether it was.

        Each is a file or, if the file is gone, the digest in the decision. Raises ImageError.
        """
        digests = (
            sorted(map(picture_digest, (first, second))) if second else [picture_digest(first), ""]
        )
        with self._writing() as connection:
            found = connection.execute(
                "DELETE FROM decisions WHERE first = ? AND second = ?", digests
            )
            return found.rowcount > 0

    def save(self, path: str | os.PathLike[str]) -> int:
        """Export all decisions to JSON Lines, with the sizes of the pictures; return how many."""
        sizes = {pixels: size for pixels, *size in self._read("SELECT * FROM sizes")}
        lines = [
            json.dumps(
                {
                    **asdict(item),
                    "sizes": [sizes.get(digest) for digest in _digests(item)],
                },
                ensure_ascii=False,
            )
            for item in self
        ]
        try:
            with saved(path) as file:
                file.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            msg = f"decisions cannot be written to {os.fspath(path)}: {error.strerror or error}"
            raise ParameterError(msg) from error
        return len(lines)

    def load(self, path: str | os.PathLike[str]) -> int:
        """Import decisions from JSON Lines, all or none of them; return how many.

        Of two decisions on the same pictures, the later stays. Raises ParameterError, which names
        file and line.
        """
        try:
            with open(path, encoding="utf-8") as file:
                lines = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            msg = f"decisions cannot be read from {os.fspath(path)}: {error}"
            raise ParameterError(msg) from error
        read = [_decision(line, f"{os.fspath(path)}:{number}") for number, line in lines]
        known = {(item.first, item.second): item.decided for item in self}
        new = [item for item, _ in read if item.decided >= known.get((item.first, item.second), "")]
        with self._writing() as connection:
            self._insert(connection, sorted(new, key=lambda item: item.decided))
            for item, sizes in read:
                for pixels, size in zip(_digests(item), sizes, strict=True):
                    connection.execute(
                        "INSERT OR REPLACE INTO sizes VALUES (?, ?, ?)", (pixels, *size)
                    )
        return len(read)

    def copy(self, folder: Path) -> None:
        """Copy all decisions to another folder without decisions."""
        if self.path.exists():
            other = Decisions(folder)
            with self._connected() as connection, other._connected() as target:
                connection.backup(target)

    def apart(
        self,
        collection: Collection,
        rows: NDArray[Any],
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> NDArray[Any]:
        """Return the pairs among some rows on which there is a decision; shape (k, 2).

        If rows have no digests of pixels, files of the same size as a decided picture are read,
        once. Copies of a decided picture count as that picture.
        """
        import numpy as np  # noqa: PLC0415  listing decisions does without

        decided = [(item.first, item.second) for item in self if item.verdict != KEEPER]
        found = [np.empty((0, 2), np.int64)]
        if decided:
            holders = self._holders(collection, rows, workers, progress)
            for first, second in decided:
                ones, others = (
                    np.array(holders.get(item, ()), np.int64) for item in (first, second)
                )
                if first == second:
                    a, b = np.triu_indices(len(ones), 1)
                else:
                    a, b = (each.ravel() for each in np.indices((len(ones), len(others))))
                found.append(np.stack([ones[a], others[b]], axis=1))
        return np.concatenate(found)

    def chosen(
        self,
        collection: Collection,
        rows: NDArray[Any],
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> dict[int, str]:
        """Return, of some rows, those whose picture was decided to be kept, with its digest.

        Files are read as for `apart`.
        """
        decided = [item.first for item in self if item.verdict == KEEPER]
        if not decided:
            return {}
        holders = self._holders(collection, rows, workers, progress)
        return {row: digest for digest in decided for row in holders.get(digest, ())}

    def _holders(
        self,
        collection: Collection,
        rows: NDArray[Any],
        workers: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> dict[str, list[int]]:
        """Return the rows of each digest of pixels, of those as large as a decided picture."""
        import numpy as np  # noqa: PLC0415  as above

        # Sides in any order: an index may take pictures as they are, without a turn.
        known = {tuple(sorted(size)) for (*size,) in self._read("SELECT width, height FROM sizes")}
        sides = np.sort([collection.numbers[name][rows] for name in _SIDES], axis=0).T
        fits = np.array([tuple(size) in known for size in sides.tolist()], bool)
        pixels = self.pixels(collection, rows[fits], workers=workers, progress=progress)
        holders: dict[str, list[int]] = {}
        for row, digest in sorted(pixels.items()):
            holders.setdefault(digest, []).append(row)
        return holders

    def pixels(
        self,
        collection: Collection,
        rows: NDArray[Any],
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> dict[int, str]:
        """Return the digests of the pixels of some rows; a file without one is read, once."""
        cached = dict(self._read("SELECT file, pixels FROM pixels"))
        several = collection.numbers["frames"] > 1
        known: dict[int, str] = {}
        unread: dict[str, list[int]] = {}
        for row in rows.tolist():
            file = collection.file_digests[row].decode()
            # Earlier versions have stored digests of the first frame alone, by the file's digest.
            key = f"{file} frames" if several[row] else file
            digest = collection.pixel_digests[row].decode() or cached.get(key, "")
            if digest:
                known[row] = digest
            elif file:
                unread.setdefault(key, []).append(row)
        items = [
            (key.partition(" ")[0], [collection.paths[row] for row in same])
            for key, same in unread.items()
        ]
        learnt: list[tuple[str, str]] = []
        with Results(read_digest, items, schedule(len(items), workers)) as results:
            for number, (digest, key) in enumerate(zip(results, unread, strict=True), 1):
                if digest and not isinstance(digest, Crashed):
                    learnt.append((key, digest))
                    known.update(dict.fromkeys(unread[key], digest))
                if progress:
                    progress(Progress(number, len(items), items[number - 1][1][0]))
        if learnt:
            with (
                suppress(HashlensError),
                self._writing() as connection,
            ):  # a failure costs a second reading
                connection.executemany("INSERT OR REPLACE INTO pixels VALUES (?, ?)", learnt)
        return known

    def _insert(self, connection: sqlite3.Connection, items: Iterable[Decision]) -> None:
        marks = ", ".join("?" * len(COLUMNS))
        rows = [astuple(_with_paths(item, self._root.stored)) for item in items]
        connection.executemany(f"INSERT OR REPLACE INTO decisions VALUES ({marks})", rows)

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._connected() as connection:
            return connection.execute(query).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.executescript(_TABLES)
            with connection:
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection:
                yield connection
        except sqlite3.Error as error:
            msg = f"the decisions in {self.path} cannot be used: {error}"
            raise HashlensError(msg) from error


def _digests(item: Decision) -> list[str]:
    """Return the digests of the pictures of a decision: two, or one of a keeper."""
    return [item.first, item.second] if item.second else [item.first]


def _with_paths(item: Decision, change: Callable[[str], str]) -> Decision:
    first, second = (path and change(path) for path in (item.first_path, item.second_path))
    return replace(item, first_path=first, second_path=second)


def _decision(line: str, name: str) -> tuple[Decision, list[tuple[int, int]]]:
    """Read a line of an export; raises ParameterError."""
    try:
        values = json.loads(line)
        sizes = [(int(width), int(height)) for width, height in values.pop("sizes")]
        item = Decision(**values)
        "".join(values.values()).encode()  # raises if a value is not text
        fits = (
            len(sizes) == len(_digests(item))
            and item.verdict in VERDICTS
            and (item.verdict == KEEPER) == (not item.second)
            and all(DIGEST.fullmatch(digest) for digest in _digests(item))
            and (not item.second or item.first <= item.second)
            and all(0 < side < 2**31 for size in sizes for side in size)
        )
        if fits:
            return item, sizes
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        pass  # refused below, as other values that do not fit
    msg = f"{name} is no decision as hashlens exports them: {line.strip()[:120]!r}"
    raise ParameterError(msg)
