"""Codes under turns: all eight orientations of each code, and distances that allow for turns.

The turned distance of two codes is the least Hamming distance of the first from any orientation of
the second. Orientations have EXIF's numbers, 1 to 8; places in arrays begin at 0.

With crosswise codes, the turned distance is the lesser of both directions: a quarter turn of one
code is only nearly the opposite turn of the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.neighbors.codes import Codes, Ints
from hashlens.parallel.process import processors

ROWS = 1 << 15  # codes turned at a time: they stay in the cache
# The place of the turn that undoes each turn, and of the turn that two make, one after the other.
_SQUARE = np.arange(9).reshape(3, 3)
_TURNS: tuple[Callable[[NDArray[Any]], NDArray[Any]], ...] = (
    lambda a: a,
    lambda a: a[:, ::-1],
    lambda a: a[::-1, ::-1],
    lambda a: a[::-1],
    lambda a: a.T,
    lambda a: a.T[:, ::-1],
    lambda a: a.T[::-1, ::-1],
    lambda a: a.T[::-1],
)
_SEEN = [turn(_SQUARE).tobytes() for turn in _TURNS]
PRODUCT = np.array(  # PRODUCT[g, h]: first h, then g
    [[_SEEN.index(g(h(_SQUARE)).tobytes()) for h in _TURNS] for g in _TURNS]
)
INVERSE = np.argmin(PRODUCT, axis=1)


@dataclass(frozen=True, eq=False)
class Turns:
    """How turns act on codes.

    sources, inverted: shape (8, bits): where each bit of a turned code comes from, the most
        significant bit first, and whether it is inverted.
    bits: of a fingerprint; a code with a crosswise part has twice as many.
    known: what was computed of some bits, for `hashlens.neighbors.turned`.
    """

    sources: Ints
    inverted: NDArray[np.bool_]
    bits: int
    known: dict[tuple[int, ...], Any] = field(default_factory=dict, repr=False)

    @property
    def is_crosswise(self) -> bool:
        """Return whether codes have a second part, of the crosswise hash."""
        return int(self.sources.shape[1]) > self.bits

    @property
    def words(self) -> int:
        """Return the number of words of a fingerprint."""
        return -(-self.bits // 64)

    @cached_property
    def places(self) -> Ints:
        """Return the place of each bit in the words of a code, counted from the first word."""
        spare = 64 * self.words - self.bits
        parts = range(self.sources.shape[1] // self.bits)
        return np.concatenate(
            [spare + 64 * self.words * part + np.arange(self.bits) for part in parts]
        )

    def variants(self, codes: Codes) -> Codes:
        """Return the eight orientations of the fingerprint of each code; shape (n, 8, words)."""
        found = np.empty((len(codes), 8, self.words), np.uint64)
        tables = self._tables

        def turn(start: int) -> None:
            some = slice(start, start + ROWS)
            bytes_ = as_bytes(codes[some])
            for place, (table, fixed) in enumerate(tables):
                found[some, place] = mapped(bytes_, table) ^ fixed

        with ThreadPoolExecutor(processors()) as pool:
            deque(pool.map(turn, range(0, len(codes), ROWS)), maxlen=0)
        return found

    @cached_property
    def _tables(self) -> list[tuple[Any, Codes]]:
        """Return for each turn a table as `mapped` takes it, and the bits that are inverted."""
        found = []
        for sources, inverted in zip(self.sources, self.inverted, strict=True):
            whole = 64 * self.words * (self.sources.shape[1] // self.bits)
            ends = self.places[: self.bits]
            matrix = np.zeros((whole, 64 * self.words), np.uint8)
            matrix[self.places[sources[: self.bits]], ends] = 1
            fixed = np.zeros(64 * self.words, np.uint8)
            fixed[ends] = inverted[: self.bits]
            packed = np.packbits(matrix, axis=1).view(">u8").astype(np.uint64)
            found.append((byte_table(packed), np.packbits(fixed).view(">u8").astype(np.uint64)))
        return found


def as_bytes(codes: Codes) -> NDArray[np.uint8]:
    """Return the bytes of codes, the most significant first; shape (bytes, n)."""
    rows = np.ascontiguousarray(codes).astype(">u8").view(np.uint8)
    return np.ascontiguousarray(rows.reshape(len(codes), -1).T)


def byte_table(images: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
    """Return what each value of each byte adds to the image of a code under a linear map.

    `images`: of each bit, most significant first; shape (bits, ...). Bytes without any image are
    left out.
    """
    found = []
    for number in range(len(images) // 8):
        eight = images[8 * number : 8 * number + 8]
        if not eight.any():
            continue
        table = np.zeros((256, *images.shape[1:]), images.dtype)
        for bit in range(8):
            table[1 << bit : 2 << bit] = table[: 1 << bit] ^ eight[7 - bit]
        found.append((number, table))
    return found


def mapped(bytes_: NDArray[np.uint8], table: list[tuple[int, NDArray[Any]]]) -> NDArray[Any]:
    """Return the images of codes, given as bytes, under a linear map."""
    (number, first), *rest = table
    found: NDArray[Any] = first[bytes_[number]]
    for number, values in rest:
        found ^= values[bytes_[number]]
    return found


@dataclass(frozen=True, eq=False)
class TurnedCodes:
    """The orientations of codes, to measure turned distances.

    variants: shape (n, 8, words).
    is_crosswise: whether both directions are measured.
    """

    variants: Codes
    is_crosswise: bool

    def nearest(self, a: Ints, b: Ints) -> tuple[Ints, Ints]:
        """Return turned distances, and the number of the turn that brings each b nearest to a.

        Of turns that are equally near, the lowest number counts.
        """
        found = np.empty(len(a), np.int64)
        numbers = np.empty(len(a), np.int64)
        for start in range(0, len(a), ROWS):
            some = slice(start, start + ROWS)
            bits = self._by_turn(a[some], b[some])
            place = bits.argmin(axis=1)
            found[some] = bits[np.arange(len(place)), place]
            numbers[some] = place + 1
        return found, numbers

    def _by_turn(self, a: Ints, b: Ints) -> Ints:
        bits: Ints = _bits(self.variants[a, :1] ^ self.variants[b])
        if self.is_crosswise:
            bits = np.minimum(bits, _bits(self.variants[b, :1] ^ self.variants[a])[:, INVERSE])
        return bits


def _bits(differences: Codes) -> Ints:
    bits: Ints = np.bitwise_count(differences).sum(axis=-1, dtype=np.int64)
    return bits
