"""Segments of the crop table: arrays in files, which are mapped into memory."""

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

PICTURE = np.dtype(
    [
        ("position", "<i8"),  # in the crop index
        ("row", "<i8"),  # in the content database
        ("width", "<u4"),  # pixels
        ("height", "<u4"),
        ("keypoints", "<u2"),  # number
        ("bytes", "<u2"),  # of the thumbnail
    ]
)
LARGE = 2**18  # codes: with fewer, tables are made for the first search
SCANS = 8  # searches of a large segment without tables: making these takes as long as ten searches

Bytes = NDArray[np.uint8]
Identity = tuple[int, ...]

# An index that is opened again has most of its segments still, and reuses their tables.
_tables: WeakValueDictionary[Identity, Lookup] = WeakValueDictionary()


class Segment:
    """Pictures in the order of their positions; their arrays are never changed.

    codes, places: of all keypoints, picture after picture
    pictures: records of PICTURE
    thumbnails: the bytes of all JPEG files, one after the other
    folder: where the segment is saved, if it is
    """

    def __init__(
        self, codes: Codes, places: NDArray[Any], pictures: NDArray[Any], thumbnails: Bytes
    ) -> None:
        self.codes = codes
        self.places = places
        self.pictures = pictures
        self.thumbnails = thumbnails
        self.folder: Path | None = None
        self._files: dict[str, Identity] = {}  # the files of the arrays, wherever they were moved
        self._tables: Lookup | None = None
        self._scans = 0
        self._mutex = threading.Lock()

    @classmethod
    def of(cls, records: Sequence[tuple[int, int, Keypoints]]) -> Segment:
        """Make a segment of pictures, given as position, row and keypoints."""
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
        made.pictures = np.array(made.pictures)  # small, and read by each query
        made.folder = folder
        made._files = {name: _identity(folder / f"{name}.npy") for name in _ARRAYS}
        made._tables = _tables.get(made._files["codes"])
        return made

    def write(self, folder: Path) -> Segment:
        """Save the segment to a new folder and return it as saved; files on disk are linked."""
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
        """Return the number of each picture's first keypoint, and the number of all keypoints."""
        return _starts(self.pictures["keypoints"])

    @cached_property
    def _thumbnail_starts(self) -> Rows:
        return _starts(self.pictures["bytes"])

    def near(self, queries: Codes, doubtful: Codes | None = None) -> Near:
        """Find the codes near to codes of a query; a large segment makes its tables only later."""
        with self._mutex:
            self._scans += 1
            scans = self._tables is None and self._scans <= SCANS and len(self.codes) >= LARGE
        if scans:
            return scan(np.asarray(self.codes), queries, doubtful)
        return self.lookup.near(queries, doubtful)

    @property
    def lookup(self) -> Lookup:
        """Return the tables of the codes, which are made at the first call."""
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
        """Return the keypoints of a picture, by its number in the segment."""
        part = slice(self.starts[number], self.starts[number + 1])
        thumbnail = slice(self._thumbnail_starts[number], self._thumbnail_starts[number + 1])
        picture = self.pictures[number]
        return Keypoints(
            np.array(self.codes[part]),
            np.array(self.places[part]),
            (int(picture["width"]), int(picture["height"])),
            self.thumbnails[thumbnail].tobytes(),
        )


def joined(parts: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> Segment:
    """Join segments, without their dead pictures; each comes with a mask of its dead pictures."""
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
    except ValueError:  # an empty array cannot be mapped
        return np.asanyarray(np.load(path, allow_pickle=False))


def _linked(source: Path, target: Path, expected: Identity) -> bool:
    """Link a file if it is still the file that was read; return whether it was linked."""
    try:
        os.link(source, target)
        if _identity(target) == expected:
            return True
        target.unlink()
    except OSError:  # on another disk, or deleted: it is still mapped
        pass
    return False


def _identity(path: Path) -> Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
