"""Distances of fingerprints under any metric: of rows, of all pairs, the largest of a group."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.collection import Collection
from hashlens.grouping.linkage import Bonds
from hashlens.grouping.turned import Turned
from hashlens.hashing.metrics import distance
from hashlens.neighbors import pack
from hashlens.neighbors.codes import Codes, Ints
from hashlens.neighbors.scan import MOST_DIGITS, levenshtein, positions

Distances = NDArray[np.float64]
Measure = Callable[[int], Distances]  # the distances of one fingerprint from all after it
MANY = 64  # fingerprints from which on numpy is faster than Python


def row_distances(collection: Collection, a: Ints, b: Ints, metric: str) -> list[float]:
    """Return the distance of each row of `a` from the row of `b` beside it."""
    if collection.turned:
        turned: list[float] = collection.turned.distances(a, b).tolist()
        return turned
    if metric == "hamming":
        bits: list[float] = _bits(collection.codes[a], collection.codes[b]).tolist()
        return bits
    texts = zip(collection.fingerprints(a), collection.fingerprints(b), strict=True)
    return [0 if one == other else distance(one, other, metric) for one, other in texts]


def diameters(collection: Collection, rows: Ints, sizes: Ints, metric: str) -> list[float]:
    """Return the largest distance between two rows of each group; the groups follow each other."""
    starts = np.cumsum(sizes) - sizes
    if collection.turned:
        return _widest_turned(collection.turned, rows, starts, sizes)
    if metric != "hamming":
        ends = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        return [_widest(collection.fingerprints(rows[start:end]), metric) for start, end in ends]
    codes = collection.codes[rows]
    found: Ints = np.zeros(len(sizes), np.int64)
    for size in np.unique(sizes).tolist():
        groups = np.flatnonzero(sizes == size)
        for some in np.array_split(groups, len(groups) if size > MANY else 1):
            each = codes[starts[some, None] + np.arange(size)]
            if size > MANY:  # of many images, some are equal
                each = np.unique(each[0], axis=0)[None]
            for first in range(each.shape[1] - 1):
                bits = _bits(each[:, first : first + 1], each[:, first + 1 :])
                found[some] = np.maximum(found[some], bits.max(axis=1))
    widest: list[float] = found.tolist()
    return widest


def _widest_turned(turned: Turned, rows: Ints, starts: Ints, sizes: Ints) -> list[float]:
    """Return the largest turned distance between two rows of each group."""
    found: Ints = np.zeros(len(sizes), np.int64)
    for size in np.unique(sizes).tolist():
        groups = np.flatnonzero(sizes == size)
        for some in np.array_split(groups, len(groups) if size > MANY else 1):
            each = rows[starts[some, None] + np.arange(size)]
            if size > MANY:  # of many images, some are equal
                codes = turned.codes[each[0]]
                each = each[:, np.unique(codes, axis=0, return_index=True)[1]]
            for first in range(each.shape[1] - 1):
                others = each[:, first + 1 :]
                ones = np.repeat(each[:, first], others.shape[1])
                bits = turned.distances(ones, others.ravel()).reshape(others.shape)
                found[some] = np.maximum(found[some], bits.max(axis=1))
    widest: list[float] = found.tolist()
    return widest


def bonds(fingerprints: list[str], metric: str, max_distance: float) -> Bonds:
    """Return all pairs within a bound, in the order (distance, a, b).

    All are compared with all: 10,000 take a second or two under Levenshtein and the metrics of hex
    digits, and minutes under the metrics of textdistance.
    """
    measure = _measure(fingerprints, metric)
    ones, others, found = [], [], []
    for number in range(len(fingerprints) - 1):
        away = measure(number)
        near = np.flatnonzero(away <= max_distance)
        ones.append(np.full(len(near), number))
        others.append(near + number + 1)
        found.append(away[near])
    if not found:
        return Bonds(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    a, b, distances = (np.concatenate(parts) for parts in (ones, others, found))
    order = np.lexsort((b, a, distances))
    return Bonds(a[order], b[order], distances[order])


def _bits(a: Codes, b: Codes) -> Ints:
    counts: Ints = np.bitwise_count(a ^ b).sum(axis=-1)
    return counts


def _widest(texts: list[str], metric: str) -> float:
    """Return the largest distance between two fingerprints; 0 if all are equal."""
    fingerprints = list(dict.fromkeys(texts))
    if len(fingerprints) < 2:
        return 0
    if len(fingerprints) < MANY:
        return max(distance(a, b, metric) for a, b in combinations(fingerprints, 2))
    measure = _measure(fingerprints, metric)
    return max(float(measure(number).max()) for number in range(len(fingerprints) - 1))


def _measure(fingerprints: list[str], metric: str) -> Measure:
    if fingerprints and metric in _OF_DIGITS:
        return _by_digits(fingerprints, metric)
    if fingerprints and metric == "levenshtein" and len(fingerprints[0]) <= MOST_DIGITS:
        return _by_edits(fingerprints)
    return lambda number: np.array(
        [distance(fingerprints[number], text, metric) for text in fingerprints[number + 1 :]]
    )


def _by_digits(fingerprints: list[str], metric: str) -> Measure:
    raw = np.frombuffer("".join(fingerprints).encode(), np.uint8).reshape(len(fingerprints), -1)
    digits = (np.where(raw >= ord("a"), raw - ord("a") + 10, raw - ord("0"))).astype(np.int16)
    gather = _OF_DIGITS[metric]
    return lambda number: gather(np.abs(digits[number + 1 :] - digits[number]))


def _by_edits(fingerprints: list[str]) -> Measure:
    table = positions(pack(fingerprints), len(fingerprints[0]))
    return lambda number: levenshtein(
        np.ascontiguousarray(table[:, number + 1 :]), len(fingerprints[0]), fingerprints[number]
    ).astype(np.float64)


_OF_DIGITS: dict[str, Callable[[NDArray[np.int16]], Distances]] = {
    "manhattan": lambda steps: steps.sum(axis=1, dtype=np.float64),
    "euclidean": lambda steps: np.sqrt((steps.astype(np.float64) ** 2).sum(axis=1)),
    "chebyshev": lambda steps: steps.max(axis=1, initial=0).astype(np.float64),
}
