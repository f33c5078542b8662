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
from hashlens.grouping.build import rules_and_facts
from hashlens.grouping.collection import Collection
from hashlens.grouping.keepers import choose_keepers
from hashlens.grouping.measure import row_distances
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.hashing.looking import differences
from hashlens.model import Doubt, Progress
from hashlens.neighbors.codes import Ints

ROUNDS = 32  # new keepers of what left one group; who still has no copy then is in no group

Key = tuple[object, object]  # of two files


@dataclass(frozen=True)
class Verifier:
    """Looks at groups, and remembers what it saw.

    workers: files that are looked at at a time.
    progress: called for each file.
    seen: why two files do not show the same picture, "" if they do, by the keys of the files.
    """

    workers: int | None = None
    progress: Callable[[Progress], None] | None = None
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
        pending = found.groups
        for _ in range(ROUNDS):
            if not pending:
                break
            keepers = _keepers(collection, terms, pending, found.chosen)
            pending, alike = self._round(collection, pending, keepers, doubts)
            groups += alike
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
        """Return what left each group and is still several, and what stayed with each keeper."""
        asked: dict[Key, tuple[str, str]] = {}
        keys: list[list[Key | None]] = []
        for rows, keeper in zip(groups, keepers.tolist(), strict=True):
            unsure = _unsure(collection, rows, keeper)
            mine: list[Key | None] = []
            for row, is_unsure in zip(rows.tolist(), unsure.tolist(), strict=True):
                key = (_key(collection, keeper), _key(collection, row)) if is_unsure else None
                mine.append(key)
                if key and key not in self.seen:
                    asked[key] = collection.paths[keeper], collection.paths[row]
            keys.append(mine)
        answers = differences(asked.values(), self.workers, self.progress)
        self.seen.update(zip(asked, answers, strict=True))
        left, stayed = [], []
        for rows, keeper, mine in zip(groups, keepers.tolist(), keys, strict=True):
            reasons = [self.seen[key] if key else "" for key in mine]
            same = np.array([not reason for reason in reasons], bool)
            stayed.append(rows[same])
            if (~same).sum() > 1:
                left.append(rows[~same])
            for row, reason in zip(rows.tolist(), reasons, strict=True):
                if reason:
                    doubts.setdefault(row, (keeper, reason))
        return left, stayed


def _keepers(collection: Collection, terms: Terms, groups: list[Ints], chosen: Ints) -> Ints:
    """Return the row to keep of each group."""
    numbers = np.repeat(np.arange(len(groups)), [len(rows) for rows in groups])
    rows = np.concatenate(groups)
    order, facts = rules_and_facts(collection, terms, chosen)
    return choose_keepers(facts, rows, numbers, order)[0]


def _unsure(collection: Collection, rows: Ints, keeper: int) -> NDArray[np.bool_]:
    """Return which rows are not known to have the bytes or the pixels of a keeper."""
    unsure: NDArray[np.bool_] = rows != keeper
    for digests in (collection.file_digests, collection.pixel_digests):
        unsure &= (digests[rows] != digests[keeper]) | (digests[rows] == b"")
    return unsure


def _key(collection: Collection, row: int) -> object:
    """Return what is equal for files with equal bytes."""
    return collection.file_digests[row] or row


def _doubts(
    collection: Collection, terms: Terms, found: dict[int, tuple[int, str]]
) -> tuple[Doubt, ...]:
    rows = np.array(list(found), np.int64)
    keepers = np.array([keeper for keeper, _ in found.values()], np.int64)
    if not len(rows):
        return ()
    distances = row_distances(collection, keepers, rows, terms.metric)
    paths = collection.paths
    doubts = [
        Doubt(paths[keeper], paths[row], distance, reason)
        for (row, (keeper, reason)), distance in zip(found.items(), distances, strict=True)
    ]
    return tuple(sorted(doubts, key=lambda doubt: (doubt.first, doubt.second)))
