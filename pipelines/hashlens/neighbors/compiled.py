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
from functools import lru_cache, partial
from itertools import pairwise
from math import comb, inf, log2
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from hashlens.neighbors.codes import Codes, Hits, Ints, fold
from hashlens.parallel.process import processors

WIDTHS = (8, 10, 12, 16, 21)  # bits of a band: these waste few of a word
MOST_BANDS = 64  # as many as a code has marks for buckets that are left out
VISIT = 12  # comparisons that take as long as going to a bucket
SORTING = 40  # comparisons that take as long as sorting a code into a band
TASK = 10_000_000  # comparisons in one task of a thread: some milliseconds
RUN = 64  # codes of one bucket that are compared with a
TILE = 1024  # part of another bucket, which stays in the nearest cache
STRIPE = 2048  # rows whose state of edits stays in the nearest cache
ROOM = 2 * RUN * TILE  # pairs that a task finds before it hands them over


class Band(NamedTuple):
    """Some bits of a word: keys that differ in `radius` bits at most lead to each other."""

    word: int
    shift: int
    width: int
    radius: int


class Plan(NamedTuple):
    """The bands to join by, the comparisons that this costs, and the sizes left out by a cap."""

    bands: tuple[Band, ...]
    cost: float
    overfull: tuple[int, ...]


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


def brute_force() -> Plan:
    """Return the plan that compares all with all."""
    return Plan((Band(0, 0, 0, 0),), inf, ())


def plan(
    first: Codes, second: Codes | None, max_distance: int, max_bucket: int | None = None
) -> Plan:
    """Choose the bands that cost least, or brute force.

    The codes are distinct, with one word of all in a row: (words, codes). `second` is None for a
    join of `first` with itself.
    """
    most = max(codes.shape[1] for codes in _sides(first, second))
    # Buckets of about sixteen are best: small enough to leave most out, long enough to be quick.
    widths = sorted(WIDTHS, key=lambda width: abs(width + 4 - log2(most)))
    plans = [banded(first, second, max_distance, max_bucket, width) for width in widths[:2]]
    best = min(plans, key=lambda each: each.cost)
    count = first.shape[1]
    everything = count * (count / 2 if second is None else second.shape[1])
    return best if best.cost < everything else brute_force()


def _sides(first: Codes, second: Codes | None) -> Sequence[Codes]:
    return (first,) if second is None else (first, second)


def banded(
    first: Codes, second: Codes | None, max_distance: int, max_bucket: int | None, width: int
) -> Plan:
    """Return the best plan with bands of some width: its cost is infinite if there is none.

    What is compared is known exactly, from the sizes of the buckets; so each band gets the radius
    that suits it: the distance is dealt out bit by bit, where it costs least. A band that gets
    none is not used.
    """
    bands = [
        Band(word, shift, width, -1)
        for word in range(len(first))
        for shift in range(0, 65 - width, width)
    ][:MOST_BANDS]
    sides = _sides(first, second)
    sizes = [[_sizes(codes, band) for codes in sides] for band in bands]
    cap = inf if max_bucket is None else max_bucket
    prices = [_prices([np.where(size > cap, 0, size) for size in each]) for each in sizes]
    radii = [-1] * len(bands)
    cost = 0.0
    for _ in range(max_distance + 1):
        steps = [price[radius + 1] for price, radius in zip(prices, radii, strict=True)]
        cheapest = int(np.argmin(steps))
        cost += steps[cheapest]
        radii[cheapest] += 1
        if cost == inf:
            break
    used = [number for number, radius in enumerate(radii) if radius >= 0]
    over = [size[size > cap] for number in used for size in sizes[number]]
    chosen = tuple(bands[number]._replace(radius=radii[number]) for number in used)
    return Plan(chosen, cost, tuple(np.concatenate(over).tolist()))


def close_pairs(
    first: Codes,
    second: Codes | None,
    max_distance: int,
    plan: Plan,
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


def _keys(codes: Codes, band: Band) -> npt.NDArray[np.uint32]:
    keys = codes[band.word] >> np.uint64(band.shift) & np.uint64((1 << band.width) - 1)
    narrow: npt.NDArray[np.uint32] = keys.astype(np.uint32)
    return narrow


def _sizes(codes: Codes, band: Band) -> Ints:
    return np.bincount(_keys(codes, band), minlength=1 << band.width)


def _within(width: int, radius: int) -> Ints:
    """Return the differences of keys that are within a radius."""
    masks = np.arange(1 << width, dtype=np.int64)
    return masks[np.bitwise_count(masks) <= radius]


def _prices(sizes: Sequence[Ints]) -> list[float]:
    """Return what each next radius of a band costs, from 0, in comparisons.

    `sizes` are those of the buckets, of one side, or of both.
    """
    width = len(sizes[0]).bit_length() - 1
    meetings = _meetings(sizes[0], sizes[-1])
    masks = np.array([comb(width, radius) for radius in range(width + 1)])
    count, other = int(sizes[0].sum()), int(sizes[-1].sum())
    prices = meetings + VISIT * float(count) * masks
    if len(sizes) == 1:  # a pair meets from either of its codes, and each code meets itself
        prices[0] -= count
        prices /= 2
        other = 0
    prices[0] += SORTING * (count + other)
    return [*np.maximum(prices, 0).tolist(), inf]


def _meetings(first: Ints, second: Ints) -> npt.NDArray[np.float64]:
    """Return in how many pairs the keys differ in 0, 1, ... bits, from the sizes of buckets.

    The Walsh-Hadamard transform turns the sum over pairs of buckets into a product, and the
    Krawtchouk polynomials turn the sums over the bits of its index back (MacWilliams 1963).
    """
    width = len(first).bit_length() - 1
    spectrum = _walsh(first, width)
    power = spectrum * (spectrum if second is first else _walsh(second, width))
    by_weight = np.bincount(np.bitwise_count(np.arange(1 << width)), weights=power.ravel())
    return _krawtchouk(width) @ by_weight / (1 << width)


def _walsh(sizes: Ints, width: int) -> npt.NDArray[np.float64]:
    """Return the Walsh-Hadamard transform: the one of high bits and that of low bits by turns."""
    high, low = _hadamard(width - width // 2), _hadamard(width // 2)
    spectrum: npt.NDArray[np.float64] = high @ sizes.reshape(len(high), len(low)) @ low
    return spectrum


def _hadamard(bits: int) -> npt.NDArray[np.float64]:
    index = np.arange(1 << bits)
    signs: npt.NDArray[np.float64] = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) & 1)
    return signs


@lru_cache
def _krawtchouk(width: int) -> npt.NDArray[np.float64]:
    def entry(k: int, j: int) -> float:
        return float(sum((-1) ** i * comb(j, i) * comb(width - j, k - i) for i in range(k + 1)))

    return np.array([[entry(k, j) for j in range(width + 1)] for k in range(width + 1)])


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
