"""Pairs of images by their distance: all within a bound, those nearest it, all there are."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.grouping.collection import Collection
from hashlens.grouping.measure import bonds
from hashlens.grouping.scope import Scope, Terms
from hashlens.model import LOW_INFORMATION, Pair
from hashlens.neighbors import pairs
from hashlens.neighbors.codes import Ints
from hashlens.neighbors.join import BLOCK

MOST_OF_MATRIX = 5_000  # images: 200 MB
MARGIN = 2  # bits beyond the bound in which borderline pairs are looked for

Near = tuple[Ints, Ints, NDArray[Any]]  # pairs of rows, and their distances


def near(collection: Collection, terms: Terms, bound: float) -> Iterator[Near]:
    """Yield the pairs within a bound that count, in blocks; flat pictures if files are equal."""
    every = np.arange(len(collection))
    admits = Scope(collection, terms).admits(every, every)
    for a, b, distances in _near(collection, terms.metric, bound):
        counted = slice(None) if admits is None else admits(a, b)
        yield a[counted], b[counted], distances[counted]


def pairs_of(collection: Collection, labels: Ints, block: Near) -> Iterator[Pair]:
    """Yield a block of pairs by their paths; `labels` are the groups of the rows."""
    paths = collection.paths
    for a, b, distance in zip(*(column.tolist() for column in block), strict=True):
        first, second = sorted((paths[a], paths[b]))
        yield Pair(first, second, distance, bool(labels[a] == labels[b]))


def borderline(collection: Collection, terms: Terms, labels: Ints, count: int) -> list[Pair]:
    """Return the pairs nearest the bound, on either side of it; equally near ones by path."""
    middle = terms.max_distance + 0.5
    order = sorted(range(len(collection)), key=collection.paths.__getitem__)
    paths = [collection.paths[row] for row in order]
    rank = np.argsort(order)
    found: list[Pair] = []
    last = math.inf, len(paths)
    for a, b, distances in near(collection, terms, terms.max_distance + MARGIN):
        # Of the pairs of many equal images, all but a few are passed over here.
        off, first = np.abs(distances - middle), np.minimum(rank[a], rank[b])
        nearer = (off < last[0]) | (off == last[0]) & (first < last[1])
        block = a[nearer], b[nearer], distances[nearer]
        found = heapq.nsmallest(
            count,
            [*found, *pairs_of(collection, labels, block)],
            key=lambda pair: (abs(pair.distance - middle), pair.first, pair.second),
        )
        if len(found) == count:
            last = abs(found[-1].distance - middle), bisect_right(paths, found[-1].first)
    return found


def all_distances(collection: Collection, metric: str) -> NDArray[Any]:
    """Return the distances of all images from all others; shape (n, n).

    Raises ParameterError for more than 5,000 images.
    """
    count = len(collection)
    if count > MOST_OF_MATRIX:
        msg = (
            f"a matrix of {count:,} images is too large; up to "
            f"{MOST_OF_MATRIX:,} fit, and pairs() gives the near ones of any number"
        )
        raise ParameterError(msg)
    if collection.turned:
        every = np.arange(count)
        return np.stack(
            [collection.turned.distances(np.full(count, row), every) for row in range(count)]
        )
    if metric == "hamming":
        bits = np.zeros((count, count), np.int64)
        for word in collection.codes.T:
            bits += np.bitwise_count(word[:, None] ^ word)
        return bits
    distances = np.zeros((count, count))
    a, b, found = bonds(collection.fingerprints(), metric, math.inf)
    distances[a, b] = distances[b, a] = found
    return distances


def _near(collection: Collection, metric: str, bound: float) -> Iterator[Near]:
    rows = np.flatnonzero(collection.information >= LOW_INFORMATION)
    if collection.turned:
        for a, b, distances in collection.turned.pairs(rows, int(bound)):
            yield rows[a], rows[b], distances
    elif metric == "hamming":
        max_bits = int(min(bound, 64 * collection.codes.shape[1]))
        for a, b, distances in pairs(collection.codes[rows], max_bits):
            yield rows[a], rows[b], distances
    else:
        close = bonds(collection.fingerprints(rows), metric, bound)
        for start in range(0, len(close.a), BLOCK):
            some = slice(start, start + BLOCK)
            yield rows[close.a[some]], rows[close.b[some]], close.distance[some]
    flat, files = collection.flat_files(np.ones(len(collection), bool))
    for a, b, distances in pairs(files.astype(np.uint64), 0):
        yield flat[a], flat[b], distances
