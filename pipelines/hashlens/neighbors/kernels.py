"""What is compiled: scans, and the bucket join, which compares far from all pairs of codes.

Codes that differ in few bits agree, or nearly so, in one of several disjoint bands of their bits
(multi-index hashing: Norouzi, Punjani, Fleet 2012). A band may have a radius of its own: if the
radii and one for each band sum up to the distance and one, no pair is missed (the general
pigeonhole principle: Qin et al., GPH, 2018). So each band's key leads to few buckets of codes, and
all that meet there are compared. One band of no bits at all has one bucket: that is brute force.

Importing this module imports numba, which takes as long as joining some ten thousand codes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from hashlens.neighbors.bands import Band, JoinPlan, _keys, _sizes, _within
from hashlens.neighbors.codes import Codes, Hits, Ints, fold
from hashlens.parallel.process import processors

TASK = 10_000_000  # comparisons in one task of a thread: some milliseconds
RUN = 64  # codes of one bucket that are compared with a
TILE = 1024  # part of another bucket, which stays in the nearest cache
STRIPE = 2048  # rows whose state of edits stays in the nearest cache
ROOM = 2 * RUN * TILE  # pairs that a task finds before it hands them over


class Side(NamedTuple):
    """Codes in the order of their keys in a band.

    `screen` are their folds, `order` tells the number of each, `starts` where those of a key start.
    `left` marks for each code the bands where its bucket is left out; it is empty without a cap.
    """

    screen: Codes
    codes: Codes
    order: Ints
    keys: npt.NDArray[np.uint32]
    starts: Ints
    left: Codes


def close_pairs(
    first: Codes,
    second: Codes | None,
    max_distance: int,
    plan: JoinPlan,
    max_bucket: int | None = None,
) -> Iterator[Hits]:
    """Yield blocks of all pairs of codes within a distance: numbers of both, and the distance."""
    prepare = partial(_prepared, first, second, plan.bands, max_bucket)
    pool = ThreadPoolExecutor(processors())
    try:
        ready = pool.submit(prepare, 0)
        for number, band in enumerate(plan.bands):
            sides = ready.result()
            if number + 1 < len(plan.bands):
                ready = pool.submit(prepare, number + 1)
            task = partial(
                _task,
                *sides,
                second is None,
                _within(band.width, band.radius),
                max_distance,
                np.array(plan.bands[:number], np.int64).reshape(number, 4),
            )
            yield from _done(pool, task, _parts(sides[0], sides[1], band))
    finally:
        pool.shutdown(cancel_futures=True)


def _done(
    pool: ThreadPoolExecutor, task: Callable[..., Any], parts: Sequence[int]
) -> Iterator[Hits]:
    """Yield what tasks find, one for each part; a task whose room is full goes on as another."""
    todo = deque((start, 0, -1, end) for start, end in pairwise(parts))
    running: deque[Future[Any]] = deque()
    while todo or running:
        while todo and len(running) < 2 * processors():
            running.append(pool.submit(task, *todo.popleft()))
        hits, rest = running.popleft().result()
        if rest:
            todo.appendleft(rest)
        if len(hits[0]):
            yield hits


def _task(
    first: Side,
    second: Side,
    same: bool,
    masks: Ints,
    limit: int,
    earlier: Ints,
    position: int,
    mask: int,
    start: int,
    end: int,
) -> tuple[Hits, tuple[int, int, int, int] | None]:
    """Scan from a position to an end; return pairs, and from where to go on, if not at the end."""
    a, b = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    distance = np.empty(ROOM, np.uint16)
    found, *place = _scan(
        first, second, same, masks, limit, earlier, position, mask, start, end, a, b, distance
    )
    hits = a[:found].copy(), b[:found].copy(), distance[:found].copy()
    return hits, (*place, end) if place[0] < end else None


def _prepared(
    first: Codes,
    second: Codes | None,
    bands: Sequence[Band],
    max_bucket: int | None,
    number: int,
) -> tuple[Side, Side]:
    """Return both sides in the order of a band."""
    one = _side(first, bands, max_bucket, number)
    return one, one if second is None else _side(second, bands, max_bucket, number)


def _side(codes: Codes, bands: Sequence[Band], max_bucket: int | None, number: int) -> Side:
    band = bands[number]
    left = np.empty(0, np.uint64)
    order, starts = _sorted(_keys(codes, band), 1 << band.width)
    if max_bucket is not None and band.width:
        left = _left_out(codes, bands, max_bucket)
        kept = np.flatnonzero(left >> np.uint64(number) & np.uint64(1) == 0)
        order, starts = _sorted(_keys(codes[:, kept], band), 1 << band.width)
        order = kept[order]
        left = left[order]
    codes = codes.take(order, axis=1)
    return Side(fold(codes), codes, order, _keys(codes, band), starts, left)


def _left_out(codes: Codes, bands: Sequence[Band], max_bucket: int) -> Codes:
    """Return for each code a bit for each band: whether the code's bucket there is too full."""
    left = np.zeros(codes.shape[1], np.uint64)
    for number, band in enumerate(bands):
        full = _sizes(codes, band) > max_bucket
        left |= full[_keys(codes, band)].astype(np.uint64) << np.uint64(number)
    return left


def _parts(first: Side, second: Side, band: Band) -> Sequence[int]:
    """Return where to part the codes for tasks of about the same length."""
    count = len(first.order)
    compared = count * len(second.order) * len(_within(band.width, band.radius)) / 2**band.width
    tasks = max(1, min(count // RUN, int(compared / TASK) + 4 * processors()))
    return [count * number // tasks for number in range(tasks + 1)]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, once for all processes where a file can be kept."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither here nor in the user's cache can files be written
        return njit(nogil=True)(function)


def _count_ones(_context: Any, _bits: Any) -> Any:
    """Count the ones of 64 bits in one instruction, which can work on several words at once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


ones: Any = intrinsic(_count_ones)


def hamming(codes: Codes, query: Codes, out: npt.NDArray[Any]) -> None:
    """Write the Hamming distances of codes (n, words) from one code, as `scan` does."""
    for word in range(codes.shape[1]):
        step = _add_distances if word else _put_distances
        step(codes[:, word], query[word], out)


@compiled
def _put_distances(words: Any, word: Any, out: Any) -> None:
    for row in range(len(words)):
        out[row] = ones(words[row] ^ word)


@compiled
def _add_distances(words: Any, word: Any, out: Any) -> None:
    for row in range(len(words)):
        out[row] += ones(words[row] ^ word)


def levenshtein(table: npt.NDArray[Any], last: Any, values: Sequence[int], out: Any) -> None:
    """Write the Levenshtein distances of all rows of `positions` from a text, as `scan` does.

    `last` has a bit for each digit of a fingerprint, and `values` those of the text's digits, -1
    for what is none.
    """
    _put_edits(table, last, np.array(values, np.int64), out)


@compiled
def _put_edits(table: Any, last: Any, values: Any, out: Any) -> None:
    rows = table.shape[1]
    rises, falls = np.empty(STRIPE, table.dtype), np.empty(STRIPE, table.dtype)
    nowhere = np.zeros(STRIPE, table.dtype)
    for start in range(0, rows, STRIPE):
        size = min(STRIPE, rows - start)
        rises[:] = last
        falls[:] = 0
        for value in values:
            equal = nowhere[:size] if value < 0 else table[value, start : start + size]
            _advance(equal, rises[:size], falls[:size])
        for row in range(size):
            more = ones(np.uint64(rises[row] & last)) + np.uint64(len(values))
            out[start + row] = more - ones(np.uint64(falls[row] & last))


@compiled
def _advance(equal: Any, rises: Any, falls: Any) -> None:
    for row in range(len(equal)):
        here, rise, fall = equal[row], rises[row], falls[row]
        diagonal = (((here & rise) + rise) ^ rise) | here | fall
        up = ((fall | ~(diagonal | rise)) << 1) | 1
        down = (rise & diagonal) << 1
        rises[row] = down | ~(diagonal | up)
        falls[row] = diagonal & up


@compiled
def _sorted(keys: Any, buckets: int) -> tuple[Any, Any]:
    """Sort by counting: return the order, and where each key starts in it."""
    starts = np.zeros(buckets + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for key in range(buckets):
        starts[key + 1] += starts[key]
    places = starts.copy()
    order = np.empty(len(keys), np.int64)
    for row in range(len(keys)):
        order[places[keys[row]]] = row
        places[keys[row]] += 1
    return order, starts


@compiled
def _distance(first: Any, second: Any, x: int, y: int) -> Any:
    distance = np.uint64(0)
    for word in range(len(first.codes)):
        distance += ones(first.codes[word, x] ^ second.codes[word, y])
    return distance


@compiled
def _met_before(first: Any, second: Any, x: int, y: int, earlier: Any) -> bool:
    """Tell whether a pair has met in an earlier band."""
    left = np.uint64(0)
    if len(first.left):
        left = first.left[x] | second.left[y]
    for number in range(len(earlier)):
        word, shift, width, radius = earlier[number]
        differences = (first.codes[word, x] ^ second.codes[word, y]) >> np.uint64(shift)
        differences &= (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        if not left >> np.uint64(number) & np.uint64(1) and ones(differences) <= np.uint64(radius):
            return True
    return False


@compiled
def _write(
    first: Any,
    second: Any,
    x: int,
    y0: int,
    y1: int,
    limit: Any,
    earlier: Any,
    found: int,
    a: Any,
    b: Any,
    distances: Any,
) -> int:
    """Write the pairs of one code with some others; return how many have been found by then."""
    for y in range(y0, y1):
        if ones(second.screen[y] ^ first.screen[x]) > limit:
            continue
        distance = _distance(first, second, x, y)
        if distance <= limit and not _met_before(first, second, x, y, earlier):
            a[found] = first.order[x]
            b[found] = second.order[y]
            distances[found] = distance
            found += 1
    return found


@compiled
def _scan(
    first: Any,
    second: Any,
    same: bool,
    masks: Any,
    max_distance: int,
    earlier: Any,
    x0: int,
    mask: int,
    y0: int,
    end: int,
    a: Any,
    b: Any,
    distances: Any,
) -> tuple[int, int, int, int]:
    """Compare the codes at positions from `x0` to `end` with those in all buckets they lead to.

    Writes pairs within the distance to the last three. Returns how many, and the `x0`, `mask` and
    `y0` (-1: the start of a bucket) from where to go on when these might become too full.
    """
    limit = np.uint64(max_distance)
    found = 0
    while x0 < end:
        key = np.int64(first.keys[x0])
        x1 = min(end, first.starts[key + 1], x0 + RUN)
        while mask < len(masks):
            other = key ^ masks[mask]
            if same and other < key:  # they meet from the other one
                mask += 1
                continue
            if y0 < 0:
                y0 = second.starts[other]
            while y0 < second.starts[other + 1]:
                y1 = min(second.starts[other + 1], y0 + TILE)
                if found + (x1 - x0) * (y1 - y0) > len(a):
                    return found, x0, mask, y0
                for x in range(x0, x1):
                    # Hardly ever is one near enough: so first without a branch, several at a time.
                    start = max(y0, x + 1) if same and other == key else y0
                    code = first.screen[x]
                    least = np.uint64(64)
                    for y in range(start, y1):
                        least = min(least, ones(second.screen[y] ^ code))
                    if least <= limit:
                        found = _write(
                            first, second, x, start, y1, limit, earlier, found, a, b, distances
                        )
                y0 = y1
            y0 = -1
            mask += 1
        mask = 0
        x0 = x1
    return found, x0, 0, -1
