"""Which images of a table are in one group, and which pairs of them are near."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.collection import Collection
from hashlens.grouping.linkage import link, link_bonds
from hashlens.grouping.measure import bonds
from hashlens.grouping.scope import Scope, Terms
from hashlens.model import LOW_INFORMATION
from hashlens.neighbors import pairs, unpack
from hashlens.neighbors.codes import Codes, Ints
from hashlens.neighbors.join import BLOCK

# Which pairs of some rows of a table are no duplicates, by the word of a person; shape (k, 2).
Apart = Callable[[Collection, Ints], Ints]
Near = tuple[Ints, Ints, NDArray[Any]]  # pairs of rows, and their distances


def assign(table: Collection, terms: Terms, apart: Apart) -> Ints:
    """Return for each image the first row of its group; shape (n,).

    Images with one fingerprint are one unit to begin with, unless something is said of them in
    `apart`; units are put together by `hashlens.grouping.linkage`. Flat pictures are only put
    together where their files are equal.
    """
    scope = Scope(table, terms)
    barred = np.empty((0, 2), np.int64)
    while True:
        labels = _assigned(table, terms, scope, barred)
        # What is apart is asked of images in groups only; others may come into some by that.
        grouped = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] > 1)
        known = _united(barred, apart(table, grouped))
        if len(known) == len(barred):
            return labels
        barred = known


def members(table: Collection, terms: Terms, labels: Ints) -> list[Ints]:
    """Return the rows of each group that counts, in the order of their first rows."""
    scope = Scope(table, terms)
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    found = zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True)
    groups = (order[start : start + size] for start, size in found)
    return [rows for rows in groups if scope.has(rows)]


def near(table: Collection, terms: Terms, bound: float) -> Iterator[Near]:
    """Yield blocks of the pairs that count within a bound: of telling hashes, of equal files."""
    every = np.arange(len(table))
    admits = Scope(table, terms).admits(every, every)
    for a, b, away in _near(table, terms.metric, bound):
        counted = slice(None) if admits is None else admits(a, b)
        yield a[counted], b[counted], away[counted]


def _near(table: Collection, metric: str, bound: float) -> Iterator[Near]:
    rows = np.flatnonzero(table.information >= LOW_INFORMATION)
    if metric == "hamming":
        most = int(min(bound, 64 * table.codes.shape[1]))
        for a, b, away in pairs(table.codes[rows], most):
            yield rows[a], rows[b], away
    else:
        a, b, far = bonds(table.fingerprints(rows), metric, bound)
        for start in range(0, len(a), BLOCK):
            some = slice(start, start + BLOCK)
            yield rows[a[some]], rows[b[some]], far[some]
    flat, files = _flat(table, np.ones(len(table), bool))
    for a, b, away in pairs(files.astype(np.uint64), 0):
        yield flat[a], flat[b], away


def _assigned(table: Collection, terms: Terms, scope: Scope, barred: Ints) -> Ints:
    """Group the images, those of some pairs apart."""
    counted = scope.images
    marks = np.zeros(len(table), np.int64)
    marks[barred.ravel()] = barred.ravel() + 1
    rows = np.flatnonzero((table.information >= LOW_INFORMATION) & counted)
    units, firsts = _units(table.codes[rows], marks[rows])
    number = np.full(len(table), -1)
    number[rows] = units
    apart = number[barred]
    apart = apart[(apart >= 0).all(axis=1)]
    complete = terms.linkage == "complete"
    admits = scope.admits(units, rows)
    codes = table.codes[rows[firsts]]
    if terms.metric == "hamming":
        most = int(min(terms.max_distance, 64 * codes.shape[1]))
        linked = link(codes, most, complete=complete, admits=admits, apart=apart)
    else:
        close = bonds(unpack(codes, table.digits), terms.metric, terms.max_distance)
        linked = link_bonds(len(codes), close, complete=complete, admits=admits, apart=apart)
    labels = np.arange(len(table))
    labels[rows] = rows[firsts[linked]][units]
    flat, files = _flat(table, counted)
    firsts = np.unique(files, return_index=True)[1]
    labels[flat] = flat[firsts[files]]
    split = barred[labels[barred[:, 0]] == labels[barred[:, 1]]]  # flat: `link` saw to the others
    labels[split] = split
    smallest = np.full(len(table), len(table))
    np.minimum.at(smallest, labels, np.arange(len(table)))
    return smallest[labels]


def _united(first: Ints, second: Ints) -> Ints:
    """Return the pairs of two lists, each once."""
    keys = np.concatenate([pairs[:, 0] << 32 | pairs[:, 1] for pairs in (first, second)])
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique would hash them, and these collide
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


def _units(codes: Codes, marks: Ints) -> tuple[Ints, Ints]:
    """Return the number of each image's fingerprint in their order, and the first image of each.

    Images with a mark have numbers of their own.
    """
    order = np.lexsort((marks, *codes.T[::-1]))
    ordered = codes[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1) | (np.diff(marks[order]) != 0)
    units = np.empty(len(order), np.int64)
    units[order] = np.cumsum(new) - 1
    return units, order[new]


def _flat(table: Collection, counted: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the flat pictures that count, and the number of each one's file: equal ones share it.

    Those whose files are not known are left out.
    """
    digests = table.file_digests
    rows = np.flatnonzero((table.information < LOW_INFORMATION) & counted & (digests != b""))
    return rows, np.unique(digests[rows], return_inverse=True)[1]
