"""All pairs of codes within a Hamming distance: exact, in bounded memory.

>>> codes = np.array([0b0000, 0b0111, 0b0001, 0b0111], np.uint64)
>>> [list(zip(block.a.tolist(), block.b.tolist())) for block in pairs(codes, 0)]
[[(1, 3)]]
>>> connected(codes, 1)
Components(labels=array([0, 1, 0, 1]), pairs=2, overfull=())

Equal codes are collapsed first. All pictures of one colour have the same code: a million of them
have 5e11 pairs, which are counted without being compared. Few codes are compared all with all, by
numpy; more codes go to the bucket join of `hashlens.neighbors.buckets`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.neighbors.codes import Codes, Hits, Ints, as_codes, fold, whole

SMALL = 450_000_000  # comparisons: numpy does as many while numba is imported
BLOCK = 1 << 18  # pairs in a block
ODD = np.uint64(0x9E3779B97F4A7C15)  # multiplied by it, a bit changes half of all higher bits
TILE = 1 << 17  # comparisons that numpy does at a time


class Pairs(NamedTuple):
    """A block of pairs.

    a, b: rows, int64
    distance: bits, uint16
    """

    a: Ints
    b: Ints
    distance: NDArray[np.uint16]


class Overfull(NamedTuple):
    """Buckets that a cap left out.

    size: number of distinct codes in each
    number: number of buckets of this size
    """

    size: int
    number: int


@dataclass(frozen=True, slots=True)
class Components:
    """The components of the graph whose edges are the pairs within a distance.

    labels: for each row the smallest row of its component, int64
    pairs: exact number of pairs
    overfull: buckets that a cap left out, the fullest first
    """

    labels: Ints
    pairs: int
    overfull: tuple[Overfull, ...] = ()


class _Distinct(NamedTuple):
    """Distinct codes; the rows with code k are `rows[starts[k] : starts[k + 1]]`, ascending."""

    codes: Codes
    rows: Ints
    starts: Ints


class _Join(NamedTuple):
    """A join of distinct codes.

    hits: all pairs within the distance, in blocks
    overfull: sizes of the buckets that a cap left out
    """

    hits: Iterator[Hits]
    overfull: tuple[int, ...]


def pairs(codes: Codes, max_distance: int, *, max_bucket: int | None = None) -> Iterator[Pairs]:
    """Yield all pairs of rows a < b at most `max_distance` bits apart, in blocks.

    `codes` is a uint64 array (n,) or (n, words). Each pair comes once, in any order. `max_bucket`
    is for codes so alike that the join would take too long: buckets of more distinct codes are
    left out, and so are pairs that share no other bucket. If all codes are compared with all, there
    are no buckets. Raises ParameterError for a wrong argument.
    """
    columns, limit = _columns(codes), _limit(max_distance)
    cap = _cap(max_bucket)
    return _pairs(_distinct(columns), limit, cap)


def pairs_between(first: Codes, second: Codes, max_distance: int) -> Iterator[Pairs]:
    """Yield all pairs of a row of `first` and a row of `second` within a distance, as `pairs`.

    Raises ParameterError also for codes of different numbers of words.
    """
    ours, theirs, limit = _columns(first), _columns(second), _limit(max_distance)
    if len(ours) != len(theirs):
        msg = f"codes of {len(ours)} words cannot be joined with codes of {len(theirs)}"
        raise ParameterError(msg)
    return _pairs_between(_distinct(ours), _distinct(theirs), limit)


def count_pairs(codes: Codes, max_distance: int) -> int:
    """Count the pairs of rows at most `max_distance` bits apart; raises as `pairs`."""
    columns, limit = _columns(codes), _limit(max_distance)
    distinct = _distinct(columns)
    sizes = np.diff(distinct.starts)
    found = _join(distinct.codes, None, limit).hits
    return _equal(sizes) + sum(_products(sizes, a, b) for a, b, _ in found)


def connected(codes: Codes, max_distance: int, *, max_bucket: int | None = None) -> Components:
    """Find the components of all pairs at most `max_distance` bits apart, without keeping pairs.

    Takes and raises the same as `pairs`.
    """
    columns, limit = _columns(codes), _limit(max_distance)
    distinct = _distinct(columns)
    join = _join(distinct.codes, None, limit, _cap(max_bucket))
    sizes = np.diff(distinct.starts)
    total = _equal(sizes)
    parents = np.arange(len(sizes))
    for a, b, _ in _gathered(join.hits, len(sizes) // 2):
        total += _products(sizes, a, b)
        _unite(parents, a, b)
    smallest = np.full(len(sizes), columns.shape[1])
    np.minimum.at(smallest, parents, distinct.rows[distinct.starts[:-1]])
    labels = np.empty(columns.shape[1], np.int64)
    labels[distinct.rows] = np.repeat(smallest[parents], sizes)
    overfull = sorted(Counter(join.overfull).items(), reverse=True)
    return Components(labels, total, tuple(Overfull(*each) for each in overfull))


def _columns(codes: Any) -> Codes:
    """Return codes in shape (words, codes), as all functions below take them."""
    if isinstance(codes, np.ndarray) and codes.ndim == 1:
        codes = codes[:, None]
    rows = as_codes(codes)
    if not rows.shape[1]:
        msg = f"codes have at least one word, not shape {rows.shape}"
        raise ParameterError(msg)
    return np.ascontiguousarray(rows.T)


def _limit(max_distance: Any) -> int:
    return whole("max_distance", max_distance, 0)


def _cap(max_bucket: Any) -> int | None:
    return None if max_bucket is None else whole("max_bucket", max_bucket, 1)


def _distinct(codes: Codes) -> _Distinct:
    """Collapse equal codes."""
    count = codes.shape[1]
    mixed = codes[0]
    for word in codes[1:]:
        mixed = (mixed ^ mixed >> np.uint64(32)) * ODD ^ word
    order = np.argsort(mixed)
    ordered, new = _firsts(codes, order)
    mixed = mixed[order]
    if (new[1:] & (mixed[1:] == mixed[:-1])).any():  # equal codes may not be neighbours
        order = np.lexsort(codes)
        ordered, new = _firsts(codes, order)
    starts = np.append(np.flatnonzero(new), count)
    if len(starts) <= count:  # some are equal: sort their rows
        shared = np.flatnonzero(~(new & np.append(new[1:], True)))
        order[shared] = np.sort(np.cumsum(new[shared]) * count + order[shared]) % count
        ordered = ordered[:, new]
    return _Distinct(ordered, order, starts)


def _firsts(codes: Codes, order: Ints) -> tuple[Codes, NDArray[np.bool_]]:
    """Return codes in some order, and whether each differs from the code before it."""
    ordered = codes.take(order, axis=1)
    new = np.ones(len(order), bool)
    np.any(ordered[:, 1:] != ordered[:, :-1], axis=0, out=new[1:])
    return ordered, new


def _pairs(distinct: _Distinct, limit: int, cap: int | None) -> Iterator[Pairs]:
    for a, b in _equal_pairs(distinct):
        yield Pairs(a, b, np.zeros(len(a), np.uint16))
    hits = _join(distinct.codes, None, limit, cap).hits
    for a, b, distance in _expanded(distinct, distinct, hits):
        yield Pairs(np.minimum(a, b), np.maximum(a, b), distance)


def _pairs_between(first: _Distinct, second: _Distinct, limit: int) -> Iterator[Pairs]:
    hits = _join(first.codes, second.codes, limit).hits
    yield from map(Pairs._make, _expanded(first, second, hits))


def _equal_pairs(distinct: _Distinct) -> Iterator[tuple[Ints, Ints]]:
    """Yield the pairs of rows with equal codes: each row with all rows after it in its group."""
    rows = distinct.rows
    ends = np.repeat(distinct.starts[1:], np.diff(distinct.starts))
    for place, following in _counted(ends - np.arange(1, len(rows) + 1)):
        yield rows[place], rows[place + 1 + following]


def _expanded(first: _Distinct, second: _Distinct, found: Iterator[Hits]) -> Iterator[Hits]:
    """Yield the pairs of rows that have pairs of distinct codes, in blocks of bounded size."""
    if all(each.codes.shape[1] == len(each.rows) for each in (first, second)):
        for a, b, distance in found:
            yield first.rows[a], second.rows[b], distance
        return
    sizes, others = np.diff(first.starts), np.diff(second.starts)
    for a, b, distance in found:
        for pair, number in _counted(sizes[a] * others[b]):
            one, other = np.divmod(number, others[b[pair]])
            yield (
                first.rows[first.starts[a[pair]] + one],
                second.rows[second.starts[b[pair]] + other],
                distance[pair],
            )


def _counted(sizes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield (i, 0), (i, 1), ... (i, sizes[i] - 1) for each i, in blocks of two arrays."""
    ends = np.cumsum(sizes)
    for start in range(0, int(ends[-1]) if len(ends) else 0, BLOCK):
        flat = np.arange(start, min(start + BLOCK, int(ends[-1])))
        which = np.searchsorted(ends, flat, side="right")
        yield which, flat - (ends - sizes)[which]


def _equal(sizes: Ints) -> int:
    """Count the pairs of rows with equal codes."""
    return int((sizes * (sizes - 1) // 2).sum())


def _products(sizes: Ints, a: Ints, b: Ints) -> int:
    """Count the pairs of rows that have pairs of distinct codes."""
    return int((sizes[a] * sizes[b]).sum())


def _gathered(hits: Iterator[Hits], least: int) -> Iterator[Hits]:
    """Join small blocks to blocks of more than `least` pairs: fewer blocks take less time."""
    held: list[Hits] = []
    count = 0
    for block in hits:
        held.append(block)
        count += len(block[0])
        if count > least:
            yield _together(held)
            held, count = [], 0
    if held:
        yield _together(held)


def _together(blocks: list[Hits]) -> Hits:
    a, b, distance = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return a, b, distance


def _unite(parents: Ints, a: Ints, b: Ints) -> None:
    """Unite the sets of pairs; in `parents` each number has its set's, before and after."""
    while True:
        a, b = parents[a], parents[b]
        differ = a != b
        if not differ.any():
            return
        a, b = a[differ], b[differ]
        # Each set becomes a child of the smallest set that it is united with.
        np.minimum.at(parents, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(above := parents[parents], parents):
            parents[:] = above


def _join(first: Codes, second: Codes | None, limit: int, cap: int | None = None) -> _Join:
    """Find all pairs of distinct codes within a distance; `second` is None for a self-join.

    `cap` leaves out the buckets with more codes; a comparison of all with all has no buckets.
    """
    limit = min(limit, 64 * len(first))
    count = first.shape[1]
    comparisons = count * (count // 2 if second is None else second.shape[1])
    if comparisons <= SMALL:
        return _Join(_compared(first, second, limit), ())
    # Imported here: importing numba takes as long as SMALL comparisons.
    from hashlens.neighbors import bands, buckets  # noqa: PLC0415

    plan = bands.plan(first, second, limit, cap)
    return _Join(buckets.close_pairs(first, second, limit, plan, cap), plan.overfull)


def _compared(first: Codes, second: Codes | None, limit: int) -> Iterator[Hits]:
    """Compare all codes with all, in numpy; the pairs of a self-join have a < b."""
    others = first if second is None else second
    ones, screen = fold(first), fold(others)
    step = max(1, TILE // max(1, others.shape[1]))
    for start in range(0, first.shape[1], step):
        low = start if second is None else 0
        near = np.bitwise_count(ones[start : start + step, None] ^ screen[low:]) <= limit
        found = np.flatnonzero(near)
        a, b = np.divmod(found, len(screen) - low)
        if second is None:
            a, b = a[a < b], b[a < b]
        a, b = a + start, b + low
        distance = np.bitwise_count(first[:, a] ^ others[:, b]).sum(axis=0, dtype=np.uint16)
        close = distance <= limit
        if close.any():
            yield a[close], b[close], distance[close]
