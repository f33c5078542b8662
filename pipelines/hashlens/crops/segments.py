"""A segment of the crop table: arrays in files that are mapped into memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import PLACE, Keypoints
from hashlens.crops.lookup import Codes, Lookup, Near, Rows, scan

# Of a picture: its place in the index, the number of its row in the content database, its pixels,
# and how many keypoints and bytes of thumbnail it has.
PICTURE = np.dtype(
    [
        ("position", "<i8"),
        ("row", "<i8"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("keypoints", "<u2"),
        ("bytes", "<u2"),
    ]
)
LARGE = 2**18  # codes, from which on
SCANS = 8  # searches go through all before tables are made: that takes as long as ten of them

Bytes = NDArray[np.uint8]
Identity = tuple[int, ...]

# An index that is opened anew has most of its segments still: their tables need not be made again.
_tables: WeakValueDictionary[Identity, Lookup] = WeakValueDictionary()


class Segment:
    """Some pictures, in the order of their positions."""

    def __init__(
        self, codes: Codes, places: NDArray[Any], pictures: NDArray[Any], thumbnails: Bytes
    ) -> None:
        self.codes = codes
        self.places = places
        self.pictures = pictures
        self.thumbnails = thumbnails
        self.folder: Path | None = None
        self._files: dict[str, Identity] = {}  # of the arrays, whatever their names are by now
        self._tables: Lookup | None = None
        self._scans = 0
        self._mutex = threading.Lock()

    @classmethod
    def of(cls, records: Sequence[tuple[int, int, Keypoints]]) -> Segment:
        """Make a segment of pictures: the position, the row and the keypoints of each."""
        found = [keypoints for *_, keypoints in records]
        pictures = np.array(
            [
                (position, row, *item.size, len(item.codes), len(item.thumbnail))
                for position, row, item in records
            ],
            PICTURE,
        )
        return cls(
            np.concatenate([np.empty(0, np.uint64), *(item.codes for item in found)]),
            np.concatenate([np.empty(0, PLACE), *(item.places for item in found)]),
            pictures,
            np.frombuffer(b"".join(item.thumbnail for item in found), np.uint8),
        )

    @classmethod
    def read(cls, folder: Path) -> Segment:
        """Map a saved segment into memory."""
        made = cls(*(_mapped(folder / f"{name}.npy") for name in _ARRAYS))
        made.pictures = np.array(made.pictures)  # small, and needed by each query
        made.folder = folder
        made._files = {name: _identity(folder / f"{name}.npy") for name in _ARRAYS}
        made._tables = _tables.get(made._files["codes"])
        return made

    def write(self, folder: Path) -> Segment:
        """Save the segment, and return it as saved; what is on disk already is linked."""
        folder.mkdir()
        for name in _ARRAYS:
            target = folder / f"{name}.npy"
            if not (self.folder and _linked(self.folder / target.name, target, self._files[name])):
                with open(target, "wb") as file:
                    np.save(file, getattr(self, name))
                    file.flush()
                    os.fsync(file.fileno())
        return self if self.folder else Segment.read(folder)

    @cached_property
    def starts(self) -> Rows:
        """Return where the keypoints of each picture begin, and the end of the last."""
        return _starts(self.pictures["keypoints"])

    @cached_property
    def _thumbnail_starts(self) -> Rows:
        return _starts(self.pictures["bytes"])

    def near(self, queries: Codes, doubtful: Codes | None = None) -> Near:
        """Find codes that are near to a query's; the first times without tables of all."""
        with self._mutex:
            self._scans += 1
            scans = self._tables is None and self._scans <= SCANS and len(self.codes) >= LARGE
        if scans:
            return scan(np.asarray(self.codes), queries, doubtful)
        return self.lookup.near(queries, doubtful)

    @property
    def lookup(self) -> Lookup:
        """Return the tables of the codes, made when they are first asked for."""
        with self._mutex:
            if self._tables is None:
                self._tables = Lookup(np.array(self.codes))
                if self._files:
                    _tables[self._files["codes"]] = self._tables
            return self._tables

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.pictures)

    def keypoints(self, number: int) -> Keypoints:
        """Return the keypoints of a picture."""
        part = slice(self.starts[number], self.starts[number + 1])
        thumbnail = slice(self._thumbnail_starts[number], self._thumbnail_starts[number + 1])
        picture = self.pictures[number]
        return Keypoints(
            np.array(self.codes[part]),
            np.array(self.places[part]),
            (int(picture["width"]), int(picture["height"])),
            self.thumbnails[thumbnail].tobytes(),
        )


def _join(parts: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> Segment:
    """Put segments together, without their dead pictures."""
    arrays = []
    for name, counted in zip(_ARRAYS, ("keypoints", "keypoints", None, "bytes"), strict=True):
        alive = [
            ~dead if counted is None else np.repeat(~dead, part.pictures[counted])
            for part, dead in parts
        ]
        arrays.append(
            np.concatenate(
                [getattr(part, name)[kept] for (part, _), kept in zip(parts, alive, strict=True)]
            )
        )
    return Segment(*arrays)


_ARRAYS = ("codes", "places", "pictures", "thumbnails")


def _starts(counts: NDArray[Any]) -> Rows:
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def _mapped(path: Path) -> NDArray[Any]:
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:  # nothing can be mapped of an empty array
        return np.asanyarray(np.load(path, allow_pickle=False))


def _linked(source: Path, target: Path, expected: Identity) -> bool:
    """Link a file, if it is still the one that was read; tell whether that was done."""
    try:
        os.link(source, target)
        if _identity(target) == expected:
            return True
        target.unlink()
    except OSError:  # on another disk, or gone: what is mapped is still there
        pass
    return False


def _identity(path: Path) -> Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
