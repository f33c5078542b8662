"""Distances from a query to all codes, and the nearest codes: exact, at the speed of memory.

There is no index: a scan of a million 64-bit codes takes half a millisecond, no longer than an
approximate index of equal recall.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.neighbors.codes import DIGITS_PER_WORD, Codes, as_codes, pack, whole

Rows = NDArray[np.int64]
Distances = NDArray[Any]  # small unsigned integers

BLOCK = 65_536  # rows scanned at a time: half a megabyte of words stays in the cache
GROUP = 64  # rows whose least distance is taken
HEX = "0123456789abcdef"
MOST_DIGITS = 64  # of a fingerprint under Levenshtein: a word has a bit for each
WORTH = (3, 4_000_000)  # scans, and rows in all of them: then compiled code is worth loading


class Found(NamedTuple):
    """Rows and their distances, nearest first, then the lower row."""

    rows: Rows
    distances: Distances


def nearest(codes: Codes, query: str | Codes, k: int, *, max_distance: int | None = None) -> Found:
    """Find the `k` codes nearest to a query in Hamming bits, at most `max_distance` away.

    `query` is a fingerprint in hex, or a code. At equal distance the lower row comes first.
    Raises ParameterError for a query of another number of words, and for numbers that are negative
    or not whole.
    """
    limit = None if max_distance is None else whole("max_distance", max_distance, 0)
    return select(hamming(*_fitting(codes, query)), whole("k", k, 0), limit)


def within(codes: Codes, query: str | Codes, max_distance: int) -> Found:
    """Find all codes at most `max_distance` Hamming bits from a query, as `nearest` does."""
    return select(hamming(*_fitting(codes, query)), None, whole("max_distance", max_distance, 0))


def select(distances: Distances, k: int | None = None, max_distance: int | None = None) -> Found:
    """Select the `k` nearest (None: all) at most `max_distance` away, in order (distance, row)."""
    far = int(np.iinfo(distances.dtype).max)
    # A Python int: to compare an array with a wider numpy number, numpy would widen the array.
    bound = far if max_distance is None else min(int(max_distance), far)
    group = GROUP if k is None else min(GROUP, len(distances) // (4 * k + 1))
    if k == 0 or bound < 0:
        rows: Any = np.empty(0, np.int64)
    elif group < 2:
        rows = (distances <= bound).nonzero()[0]
    else:
        rows = _near(distances, group, bound, k)
    found = distances[rows]
    order = np.argsort(found, kind="stable")[:k]  # a radix sort, since these are small integers
    return Found(rows[order], found[order])


def _near(distances: Distances, group: int, bound: int, k: int | None) -> Rows:
    """Return rows within a bound, in ascending order: all, or with k at least the k nearest.

    The rows are dealt out to groups of `group` rows, and the least distance of each group is taken.
    If k groups have a row within a smaller bound, k rows are within it; only these groups are then
    searched.
    """
    groups = len(distances) // group
    dealt = distances[: group * groups].reshape(group, groups)
    least = dealt.min(axis=0)
    if k is not None:
        bound = min(bound, int(np.bincount(least).cumsum().searchsorted(k)))
    which = (least <= bound).nonzero()[0]
    layer, place = (dealt[:, which] <= bound).nonzero()
    rest = (distances[group * groups :] <= bound).nonzero()[0] + group * groups
    return np.concatenate([layer * groups + which[place], rest])


def hamming(codes: Codes, query: Codes, out: Distances | None = None) -> Distances:
    """Return the Hamming distances of codes from a code, in bits: shape (n,)."""
    rows, words = codes.shape
    out = np.empty(rows, distance_type(words)) if out is None else out
    kernels = _kernels.get(rows)
    if kernels:
        kernels.hamming(codes, query, out)
        return out
    different = np.empty(min(rows, BLOCK), np.uint64)
    counts = np.empty(min(rows, BLOCK), np.uint8)
    for start, stop in _spans(rows):
        xor, more, total = different[: stop - start], counts[: stop - start], out[start:stop]
        for word in range(words):
            np.bitwise_xor(codes[start:stop, word], query[word], out=xor)
            if word:
                np.bitwise_count(xor, out=more)
                np.add(total, more, out=total)
            else:
                np.bitwise_count(xor, out=total)
    return out


def distance_type(words: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest type that holds the Hamming distances of codes with some words."""
    return np.uint8 if words <= 3 else np.uint16


def positions(codes: Codes, digits: int) -> NDArray[Any]:
    """Return the positions of each hex digit in each fingerprint, for `levenshtein`.

    Shape (16, n): bit p of `positions[v, row]` is set if character p of the row's fingerprint is
    the hex digit v. Raises ParameterError for more than MOST_DIGITS digits.
    """
    if not 1 <= digits <= MOST_DIGITS:
        msg = f"Levenshtein takes fingerprints of 1 to {MOST_DIGITS} hex digits, not {digits}"
        raise ParameterError(msg)
    rows, words = codes.shape
    kind = np.min_scalar_type(2**digits - 1).type
    table = np.zeros((16, rows), kind)
    padding = words * DIGITS_PER_WORD - digits
    for start, stop in _spans(rows):
        for place in range(digits):
            word, nibble = divmod(place + padding, DIGITS_PER_WORD)
            digit = (codes[start:stop, word] >> np.uint64(60 - 4 * nibble)).astype(np.uint8) & 15
            for value in range(16):
                table[value, start:stop] |= (digit == value).astype(kind) << kind(place)
    return table


def levenshtein(
    table: NDArray[Any], digits: int, query: str, out: Distances | None = None
) -> Distances:
    """Return the Levenshtein distances of all fingerprints in `positions` from a text: shape (n,).

    Bit-parallel over the characters of a fingerprint (Myers 1999, in the form of Hyyrö 2003), and
    over the rows of a block. The query may be any text.
    """
    kind = table.dtype.type
    rows = table.shape[1]
    last = kind((1 << digits) - 1)
    out = np.empty(rows, np.uint32) if out is None else out
    values = [HEX.find(character) for character in query]
    kernels = _kernels.get(rows)
    if kernels:
        kernels.levenshtein(table, last, values, out)
        return out
    scratch = np.empty((5, min(rows, BLOCK)), kind)
    scratch[4] = 0
    for start, stop in _spans(rows):
        rises, falls, diagonal, up, nowhere = scratch[:, : stop - start]
        rises.fill(last)
        falls.fill(0)
        for value in values:
            equal = table[value, start:stop] if value >= 0 else nowhere
            _step(equal, rises, falls, diagonal, up)
        # The sum of the vertical differences in the last column.
        total = out[start:stop]
        np.add(np.bitwise_count(rises & last), len(query), out=total, dtype=out.dtype)
        np.subtract(total, np.bitwise_count(falls & last), out=total, dtype=out.dtype)
    return out


def _step(equal: Any, rises: Any, falls: Any, diagonal: Any, up: Any) -> None:
    """Advance one character of the query; `rises` and `falls` are the state, the rest scratch."""
    np.bitwise_and(equal, rises, out=diagonal)
    np.add(diagonal, rises, out=diagonal)  # a carry past the highest bit is lost
    np.bitwise_xor(diagonal, rises, out=diagonal)
    np.bitwise_or(diagonal, equal, out=diagonal)
    np.bitwise_or(diagonal, falls, out=diagonal)
    np.bitwise_or(diagonal, rises, out=up)
    np.invert(up, out=up)
    np.bitwise_or(up, falls, out=up)
    np.bitwise_and(rises, diagonal, out=falls)
    np.left_shift(up, 1, out=up)
    np.bitwise_or(up, 1, out=up)
    np.left_shift(falls, 1, out=falls)
    np.bitwise_or(diagonal, up, out=rises)
    np.invert(rises, out=rises)
    np.bitwise_or(rises, falls, out=rises)
    np.bitwise_and(diagonal, up, out=falls)


class _Kernels:
    """The compiled scans: several times as fast, and without the interpreter's lock.

    Loading them takes as long as some hundred scans; compiling them, once, as some thousand. So
    they are loaded in the background of a process that keeps scanning.
    """

    def __init__(self) -> None:
        self.compiled: Any = None
        self._scans = self._rows = 0
        self._lock = threading.Lock()

    def get(self, rows: int) -> Any:
        """Return `hashlens.neighbors.kernels`, if loaded, for a scan of some rows."""
        if self.compiled is None:
            self._scans, self._rows = self._scans + 1, self._rows + rows
            enough = self._scans >= WORTH[0] and self._rows >= WORTH[1]
            if enough and self._lock.acquire(blocking=False):  # never released: loaded only once
                threading.Thread(target=self.load, name="hashlens-kernels").start()
        return self.compiled

    def load(self) -> None:
        """Load the compiled scans, and compile them for fingerprints of a word."""
        with suppress(ImportError):
            # Imported here: it takes a fifth of a second, which most processes should not pay.
            from hashlens.neighbors import kernels  # noqa: PLC0415

            kernels.hamming(np.zeros((1, 1), np.uint64), np.zeros(1, np.uint64), _BYTE)
            self.compiled = kernels


_BYTE = np.zeros(1, np.uint8)
_kernels = _Kernels()


def _spans(rows: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def _fitting(codes: Codes, query: str | Codes) -> tuple[Codes, Codes]:
    rows = as_codes(codes)
    code = pack([query])[0] if isinstance(query, str) else np.atleast_1d(np.asarray(query))
    if code.dtype != np.uint64 or code.shape != rows.shape[1:]:
        msg = f"a query of {code.dtype} {code.shape} does not fit codes of {rows.shape[1]} words"
        raise ParameterError(msg)
    return rows, code
