"""The crop table: the keypoints of all pictures of an index, in segments.

Each append makes a segment. A save joins small segments, and writes only the new ones. Segments
are never changed, so readers go on with the segments that they have.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hashlens.crops.keypoints import Keypoints
from hashlens.crops.lookup import Rows
from hashlens.crops.segments import Segment, joined
from hashlens.disk import saved
from hashlens.errors import IndexingError

LAYOUT = 1
MANIFEST = "manifest.json"
MERGE = 2  # a segment more than this many times as large as all later ones is not joined


class Table:
    """The pictures of an index. Never changed: `plus` and `minus` return another table.

    segments: the pictures, by position
    gone: positions of deleted pictures, which the segments still have
    """

    def __init__(self, segments: Sequence[Segment] = (), gone: Rows | None = None) -> None:
        self.segments = tuple(segments)
        self.gone = np.empty(0, np.int64) if gone is None else gone

    def __len__(self) -> int:
        """Count the pictures."""
        return sum(map(len, self.segments)) - len(self.gone)

    def plus(self, records: Iterable[tuple[int, int, Keypoints]]) -> Table:
        """Return the table with further pictures, given as position, row and keypoints.

        The positions must rise, and be higher than all positions in the table.
        """
        added = list(records)
        return Table((*self.segments, Segment.of(added)), self.gone) if added else self

    def minus(self, positions: Iterable[int]) -> Table:
        """Return the table without the pictures at some positions."""
        wanted = np.unique(np.fromiter(positions, np.int64))
        known = [segment.pictures["position"] for segment in self.segments]
        there = wanted[np.isin(wanted, np.concatenate(known))] if known else wanted[:0]
        return Table(self.segments, np.union1d(self.gone, there))

    def positions(self, rows: Iterable[int]) -> list[int]:
        """Return the positions of the pictures of some rows, in ascending order."""
        wanted = np.fromiter(rows, np.int64)
        found = [np.empty(0, np.int64)]
        for segment in self.segments:
            there = segment.pictures[np.isin(segment.pictures["row"], wanted)]
            found.append(there["position"])
        both: list[int] = np.setdiff1d(np.concatenate(found), self.gone).tolist()
        return both

    def keypoints(self, rows: Collection[int]) -> Iterator[tuple[int, Keypoints]]:
        """Yield row and keypoints of the pictures of some rows."""
        wanted = np.fromiter(rows, np.int64)
        for segment in self.segments:
            alive = ~np.isin(segment.pictures["position"], self.gone)
            for number in np.flatnonzero(alive & np.isin(segment.pictures["row"], wanted)):
                yield int(segment.pictures["row"][number]), segment.keypoints(int(number))

    def save(self, folder: Path, extractor: str) -> Table:
        """Write the table to a new folder and return it as saved."""
        table = self._merged()
        folder.mkdir(parents=True)
        names = [f"{number:04}" for number in range(len(table.segments))]
        pairs = zip(table.segments, names, strict=True)
        table = Table([segment.write(folder / name) for segment, name in pairs], table.gone)
        manifest = {
            "layout": LAYOUT,
            "extractor": extractor,
            "segments": names,
            "gone": table.gone.tolist(),
        }
        with saved(folder / MANIFEST) as file:
            json.dump(manifest, file)
        return table

    def moved(self, folder: Path) -> None:
        """Note that the folder to which the table was saved has been moved."""
        for number, segment in enumerate(self.segments):
            if segment.folder:
                segment.folder = folder / f"{number:04}"

    @classmethod
    def load(cls, folder: Path) -> tuple[Table, str]:
        """Return a saved table and its extractor; raises IndexingError if it cannot be read."""
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if manifest["layout"] != LAYOUT:
                msg = f"{folder} has layout {manifest['layout']}, this version reads {LAYOUT}"
                raise IndexingError(msg)
            segments = [Segment.read(folder / name) for name in manifest["segments"]]
            return cls(segments, np.array(manifest["gone"], np.int64)), manifest["extractor"]
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            msg = f"no keypoints can be read at {folder}: {error}; index the pictures again"
            raise IndexingError(msg) from error

    def _merged(self) -> Table:
        """Return the table with small segments joined; so are segments that are mostly gone."""
        groups: list[list[Segment]] = []
        later = 0
        for segment in reversed(self.segments):
            if groups and len(segment) <= MERGE * later:
                groups[-1].insert(0, segment)
            else:
                groups.append([segment])
            later += len(segment)
        segments = []
        gone = self.gone
        for group in reversed(groups):
            dead = [np.isin(item.pictures["position"], gone) for item in group]
            if len(group) == 1 and 2 * dead[0].sum() <= len(group[0]):
                segments.append(group[0])
                continue
            merged = joined(list(zip(group, dead, strict=True)))
            gone = np.setdiff1d(gone, np.concatenate([item.pictures["position"] for item in group]))
            if len(merged):
                segments.append(merged)
        return Table(segments, gone)
