"""Compiled kernels: scans of all codes, and the comparison of codes that share a bucket.

Importing this module imports numba, which takes as long as joining some ten thousand codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from hashlens.neighbors.codes import Codes, Ints

RUN = 64  # codes of a bucket that are compared with a TILE at a time
TILE = 1024  # codes of the other bucket, which stay in the nearest cache
STRIPE = 2048  # rows whose state of edits stays in the nearest cache


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; the code is kept in a file for other processes."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no file can be written, here or in the user's cache
        return njit(nogil=True)(function)


def _count_ones(_context: Any, _bits: Any) -> Any:
    """Count the ones of 64 bits: a single instruction, which can also work on several words."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


ones: Any = intrinsic(_count_ones)


def hamming(codes: Codes, query: Codes, out: npt.NDArray[Any]) -> None:
    """Write the Hamming distances of codes from a code, as `scan.hamming` does."""
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
    """Write the Levenshtein distances of fingerprints from a text, as `scan.levenshtein` does.

    `table` comes from `scan.positions`; `last` has a bit for each digit of a fingerprint; `values`
    has the text's digits, -1 for a character that is not a digit.
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


class Side(NamedTuple):
    """Codes in the order of their keys in a band.

    screen: their folds
    codes: shape (words, codes)
    order: the number of each code
    keys: the key of each code
    starts: position of the first code of each key
    left: a mask for each code, of the bands that leave its bucket out; empty if there is no cap
    """

    screen: Codes
    codes: Codes
    order: Ints
    keys: npt.NDArray[np.uint32]
    starts: Ints
    left: Codes


@compiled
def counting_sort(keys: Any, buckets: int) -> tuple[Any, Any]:
    """Sort by counting; return the order, and the position in it at which each key starts."""
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
    """Return whether a pair has been compared in an earlier band."""
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
    """Write the near pairs of a code with codes `y0` to `y1`; return how many pairs there are."""
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
def scan_buckets(
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
    """Compare the codes from `x0` to `end` with the codes in all buckets that their keys lead to.

    Writes pairs within the distance to `a`, `b` and `distances`, and returns how many. If these
    might overflow, it stops before `end`; it also returns the `x0`, `mask` and `y0` from which to
    go on. A `y0` of -1 is the start of a bucket.
    """
    limit = np.uint64(max_distance)
    found = 0
    while x0 < end:
        key = np.int64(first.keys[x0])
        x1 = min(end, first.starts[key + 1], x0 + RUN)
        while mask < len(masks):
            other = key ^ masks[mask]
            if same and other < key:  # compared when `other` is the key
                mask += 1
                continue
            if y0 < 0:
                y0 = second.starts[other]
            while y0 < second.starts[other + 1]:
                y1 = min(second.starts[other + 1], y0 + TILE)
                if found + (x1 - x0) * (y1 - y0) > len(a):
                    return found, x0, mask, y0
                for x in range(x0, x1):
                    # Near codes are rare: look first for any, without a branch, several at a time.
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
