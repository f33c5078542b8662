"""Look a second time at the images of groups, and split those that only hash alike.

Each duplicate is compared with the keeper of its group (see `hashlens.images.second_look`). Those
that do not show the same picture leave. Copies among them still meet each other: each of them is
compared with those whose fingerprints are nearest, and then with new keepers as long as these find
copies. To compare all with all would take hours, in hundreds of pages of one template.
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
from hashlens.grouping.linkage import Bonds, link_bonds
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.hashing.looking import differences
from hashlens.model import Doubt, Progress
from hashlens.neighbors.codes import Ints

NEAREST = 3  # of those that left a group, with which each of them is compared

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
        left, alike = self._round(collection, terms, found.groups, found.chosen, doubts)
        pending = self._met(collection, terms, [rows for rows in left if len(rows) > 1])
        groups += alike
        while pending:
            left, alike = self._round(collection, terms, pending, found.chosen, doubts)
            groups += alike
            each = zip(left, alike, strict=True)
            pending = [rows for rows, stays in each if len(rows) > 1 and len(stays) > 1]
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
        terms: Terms,
        groups: list[Ints],
        chosen: Ints,
        doubts: dict[int, tuple[int, str]],
    ) -> tuple[list[Ints], list[Ints]]:
        """Return for each group what left it, and what stayed with its keeper."""
        if not groups:
            return [], []
        keepers = _keepers(collection, terms, groups, chosen)
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

    def _met(self, collection: Collection, terms: Terms, groups: list[Ints]) -> list[Ints]:
        """Split groups into those of rows that meet a copy among their nearest, and the others."""
        pairs = [_nearest(collection, terms.metric, rows) for rows in groups]
        a, b = np.concatenate([np.empty((0, 2), np.int64), *pairs]).T
        same = ~_unsure(collection, a, b)
        same[~same] = [not reason for reason in self._reasons(collection, a[~same], b[~same])]
        met = Bonds(a[same], b[same], np.zeros(int(same.sum())))
        labels = link_bonds(len(collection), met, complete=False)
        found = []
        for rows in groups:
            order = rows[np.argsort(labels[rows], kind="stable")]
            parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
            found += [part for part in parts if len(part) > 1]
            rest = [part for part in parts if len(part) == 1]
            found += [np.concatenate(rest)] if len(rest) > 1 else []
        return found

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
            key: Key = digests[keeper] or keeper, digests[row] or row, turn
            if turn == 1 and (back := (key[1], key[0], 1)) in self.seen:
                key = back
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


def _nearest(collection: Collection, metric: str, rows: Ints) -> Ints:
    """Return the pairs of some rows and those nearest to each by the fingerprint; shape (k, 2).

    Of those equally near, the ones that follow it in the order of rows count.
    """
    count = len(rows)
    pairs = set()
    for place in range(count):
        others = (place + np.arange(1, count)) % count
        distances, _ = measured(collection, np.full(count - 1, rows[place]), rows[others], metric)
        nearest = others[np.argsort(distances, kind="stable")[:NEAREST]]
        pairs |= {(min(place, other), max(place, other)) for other in nearest.tolist()}
    return rows[np.array(sorted(pairs), np.int64).reshape(-1, 2)]


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
