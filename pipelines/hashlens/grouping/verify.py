"""Look a second time at the images of groups, and split those that only hash alike.

Each duplicate is compared with the keeper of its group (see `hashlens.images.second_look`). Those
that do not show the same picture leave, and are grouped anew among themselves: copies of one of
them still meet each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.assign import Assignment
from hashlens.grouping.build import measured, rules_and_facts
from hashlens.grouping.collection import Collection
from hashlens.grouping.keepers import choose_keepers
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.hashing.looking import differences
from hashlens.model import Doubt, Progress
from hashlens.neighbors.codes import Ints

# New keepers of what left one group, one after the other, that find no copy among it; then what is
# left of it is in no group.
MOST_ALONE = 32

Key = tuple[object, object, int]  # of two files, and the turn of the second


@dataclass(frozen=True)
class Verifier:
    """Looks at groups, and remembers what it saw.

    workers: files that are looked at at a time.
    progress: called for each file.
    upright: whether pictures are turned by EXIF, as those of the index are.
    seen: why two files do not show the same picture, "" if they do, by the keys of the files.
    """

    workers: int | None = None
    progress: Callable[[Progress], None] | None = None
    upright: bool = True
    seen: dict[Key, str] = field(default_factory=dict)

    def verify(
        self, collection: Collection, terms: Terms, found: Assignment
    ) -> tuple[Assignment, tuple[Doubt, ...]]:
        """Return groups of images that show the same picture, and the pairs that do not.

        The pairs are of a keeper and an image that left its group, sorted by path. Files with equal
        bytes or equal pixels need no look.
        """
        if terms.only == EXACT:
            return found, ()
        labels = found.labels.copy()
        groups: list[Ints] = []
        doubts: dict[int, tuple[int, str]] = {}  # by row, the keeper whose group it left first
        pending, alone = found.groups, [0] * len(found.groups)
        while pending:
            keepers = _keepers(collection, terms, pending, found.chosen)
            left, alike = self._round(collection, pending, keepers, doubts)
            groups += alike
            counts = [
                count + 1 if len(stays) == 1 else 0
                for count, stays in zip(alone, alike, strict=True)
            ]
            going = [
                (rows, count)
                for rows, count in zip(left, counts, strict=True)
                if len(rows) > 1 and count < MOST_ALONE
            ]
            pending, alone = [rows for rows, _ in going], [count for _, count in going]
        for rows in found.groups:
            labels[rows] = rows
        scope = Scope(collection, terms)
        kept = [rows for rows in groups if len(rows) > 1 and scope.has(rows)]
        for rows in kept:
            labels[rows] = rows[0]
        kept.sort(key=lambda rows: int(rows[0]))
        seen = Assignment(labels, kept, found.gone, found.chosen)
        return seen, _doubts(collection, terms, doubts)

    def _round(
        self,
        collection: Collection,
        groups: list[Ints],
        keepers: Ints,
        doubts: dict[int, tuple[int, str]],
    ) -> tuple[list[Ints], list[Ints]]:
        """Return for each group what left it, and what stayed with its keeper."""
        rows = np.concatenate(groups)
        sizes = np.fromiter(map(len, groups), np.int64, len(groups))
        kept = np.repeat(keepers, sizes)
        unsure = np.flatnonzero(_unsure(collection, rows, kept))
        same = np.ones(len(rows), bool)
        reasons = self._reasons(collection, kept[unsure], rows[unsure])
        for place, reason in zip(unsure.tolist(), reasons, strict=True):
            if reason:
                same[place] = False
                doubts.setdefault(int(rows[place]), (int(kept[place]), reason))
        left, stayed = [], []
        parts = np.split(same, np.cumsum(sizes)[:-1])
        for group, stays in zip(groups, parts, strict=True):
            stayed.append(group[stays])
            left.append(group[~stays])
        return left, stayed

    def _reasons(self, collection: Collection, kept: Ints, rows: Ints) -> list[str]:
        """Return why rows do not show the pictures of their keepers; "" if they do."""
        if collection.turned:
            turns = collection.turned.orientations(kept, rows).tolist()
        else:
            turns = [1] * len(rows)
        digests, paths = collection.file_digests, collection.paths
        keys: list[Key] = []
        asked: dict[Key, tuple[str, str]] = {}
        for keeper, row, turn in zip(kept.tolist(), rows.tolist(), turns, strict=True):
            key = digests[keeper] or keeper, digests[row] or row, turn
            keys.append(key)
            if key not in self.seen:
                asked[key] = paths[keeper], paths[row]
        orientations = [turn for _, _, turn in asked]
        how = self.workers, self.progress, orientations
        found = differences(asked.values(), *how, upright=self.upright)
        self.seen.update(zip(asked, found, strict=True))
        return [self.seen[key] for key in keys]


def _keepers(collection: Collection, terms: Terms, groups: list[Ints], chosen: Ints) -> Ints:
    """Return the row to keep of each group."""
    numbers = np.repeat(np.arange(len(groups)), [len(rows) for rows in groups])
    rows = np.concatenate(groups)
    order, facts = rules_and_facts(collection, terms, chosen)
    return choose_keepers(facts, rows, numbers, order)[0]


def _unsure(collection: Collection, rows: Ints, keepers: Ints) -> NDArray[np.bool_]:
    """Return which rows are not known to have the bytes or the pixels of their keepers."""
    unsure: NDArray[np.bool_] = rows != keepers
    for digests in (collection.file_digests, collection.pixel_digests):
        unsure &= (digests[rows] != digests[keepers]) | (digests[rows] == b"")
    return unsure


def _doubts(
    collection: Collection, terms: Terms, found: dict[int, tuple[int, str]]
) -> tuple[Doubt, ...]:
    rows = np.array(list(found), np.int64)
    keepers = np.array([keeper for keeper, _ in found.values()], np.int64)
    if not len(rows):
        return ()
    distances, _ = measured(collection, keepers, rows, terms.metric)
    paths = collection.paths
    doubts = [
        Doubt(paths[keeper], paths[row], distance, reason)
        for (row, (keeper, reason)), distance in zip(found.items(), distances, strict=True)
    ]
    return tuple(sorted(doubts, key=lambda doubt: (doubt.first, doubt.second)))
