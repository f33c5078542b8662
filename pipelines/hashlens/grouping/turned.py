"""The images of a collection in all orientations, for groups that take turned copies.

A file of several frames is compared as it is, frame by frame; its turned copies are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.hashing.metrics import is_hex
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.hashing.turns import actions
from hashlens.model import TURN_WORDS
from hashlens.neighbors import pack
from hashlens.neighbors.codes import Codes, Ints
from hashlens.neighbors.join import Pairs
from hashlens.neighbors.turned import turned_pairs
from hashlens.neighbors.turns import TurnedCodes, Turns

LEAST_CLEAR = 1 / 16  # share of the bits by which a turned picture must be nearer, to be sure


@dataclass(frozen=True, eq=False)
class Turned:
    """Images in all orientations.

    codes: what turns act on: fingerprints or turn hashes, or both in a row; shape (n, words).
    turns: how turns act on codes.
    is_whole: whether each file has a single frame; others are only compared as they are.
    """

    codes: Codes
    turns: Turns
    is_whole: NDArray[np.bool_]

    @cached_property
    def measured(self) -> TurnedCodes:
        """Return the codes to measure distances; files of several frames have no turns."""
        variants = self.turns.variants(self.codes)
        several = np.flatnonzero(~self.is_whole)
        variants[several] = variants[several, :1]
        return TurnedCodes(variants, self.turns.is_crosswise)

    def nearest(self, a: Ints, b: Ints) -> tuple[Ints, list[str]]:
        """Return distances, and the turn in words that brings each row of `b` nearest to `a`."""
        found, numbers = self._nearest(a, b)
        return found, list(map(TURN_WORDS.__getitem__, numbers.tolist()))

    def orientations(self, a: Ints, b: Ints) -> Ints:
        """Return the EXIF orientation that brings each row of `b` nearest to that of `a`."""
        return self._nearest(a, b)[1]

    def ways(self, a: Ints, b: Ints) -> Ints:
        """Return how rows of `b` are turned against rows of `a`, as `orientations`, where sure.

        Unsure is a picture that is nearly as near when it is not turned, as one that is nearly its
        own mirror image; its orientation is 1.
        """
        found, numbers = self._nearest(a, b)
        clear = self._upright(a, b) - found > self.turns.bits * LEAST_CLEAR
        return np.where(clear, numbers, 1)

    def _nearest(self, a: Ints, b: Ints) -> tuple[Ints, Ints]:
        either = np.flatnonzero(~(self.is_whole[a] & self.is_whole[b]))
        found, numbers = self.measured.nearest(a, b)
        found[either], numbers[either] = self._upright(a[either], b[either]), 1
        return found, numbers

    def distances(self, a: Ints, b: Ints) -> Ints:
        """Return the distances of the rows of `a` from the rows of `b` beside them."""
        return self.nearest(a, b)[0]

    def pairs(self, rows: Ints, limit: int) -> Iterator[Pairs]:
        """Yield all pairs of some rows within a distance, by their numbers among these."""
        for a, b, distance in turned_pairs(self.codes[rows], self.turns, limit):
            either = ~(self.is_whole[rows[a]] & self.is_whole[rows[b]])
            if not either.any():
                yield Pairs(a, b, distance)
                continue
            upright = self._upright(rows[a], rows[b])
            distance = np.where(either, upright, distance).astype(np.uint16)
            close = distance <= limit
            yield Pairs(a[close], b[close], distance[close])

    def _upright(self, a: Ints, b: Ints) -> Ints:
        words = self.turns.words
        bits: Ints = np.bitwise_count(self.codes[a, :words] ^ self.codes[b, :words]).sum(
            axis=-1, dtype=np.int64
        )
        return bits


def turned_of(
    item: PerceptualHash, codes: Codes, turn_hashes: Sequence[str], frames: Ints
) -> Turned:
    """Return images in all orientations, by the fingerprints and turn hashes of their rows.

    Raises ParameterError for a hash whose fingerprints cannot be turned, and for rows without a
    turn hash if the hash needs it.
    """
    turns = Turns(*actions(item), item.bits or 0)
    if item.turn_hash:
        missing = sum(len(text) != item.digits or not is_hex(text) for text in turn_hashes)
        if missing:
            msg = (
                f"turned copies are found by the column turn_hash, which {missing:,} of "
                f"{len(turn_hashes):,} rows do not have: index their files again"
            )
            raise ParameterError(msg)
        other = pack(list(turn_hashes)) if len(turn_hashes) else codes
        codes = np.concatenate([codes, other], axis=1) if turns.is_crosswise else other
    return Turned(codes, turns, frames <= 1)
