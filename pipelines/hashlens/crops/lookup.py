"""Find the pictures with codes near to codes of a query: lookup by bands, then votes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import TURN

BANDS = 4
BAND_BITS = 16
MOST_BITS = 14  # in which a code may differ from a code of the query that votes for it
# Templates, logos and page furniture fill buckets. Only the oldest codes of a bucket are compared:
# the first copies of a picture are found, however many copies there are.
MOST_IN_BUCKET = 1024  # codes, and in a large index also
MOST_OVER_MEAN = 32  # times as many as a bucket has on average
BLOCK = 2**16  # codes that `scan` goes through at once

ANGLE_BINS = 16
SCALE_BINS = 8
SCALE_STEP = 26  # steps of scale in a bin: about an octave

Codes = NDArray[np.uint64]
Steps = NDArray[np.int64]
Rows = NDArray[np.int64]
_LOW = np.uint64(2**BAND_BITS - 1)


class Near(NamedTuple):
    """Pairs of near codes.

    queries: number of the query's code
    rows: number of the index's code
    bits: their Hamming distance
    """

    queries: Rows
    rows: Rows
    bits: NDArray[np.uint8]


class Lookup:
    """Tables of codes, one for each band.

    `among` is the number of codes in the whole index, if only some are in the tables.
    """

    def __init__(self, codes: Codes, among: int | None = None) -> None:
        self.codes = codes
        among = len(codes) if among is None else among
        self.max_bucket = MOST_IN_BUCKET + MOST_OVER_MEAN * among // 2**BAND_BITS
        self._tables = [self._table(band) for band in range(BANDS)]

    def _table(self, band: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        keys = _band(self.codes, band)
        starts = np.zeros(2**BAND_BITS + 1, np.int32)
        np.cumsum(np.bincount(keys, minlength=2**BAND_BITS), out=starts[1:])
        return np.argsort(keys, kind="stable").astype(np.int32), starts  # by radix

    def near(self, queries: Codes, doubtful: Codes | None = None) -> Near:
        """Find the codes that equal a code of the query in a band and are near to it in all bits.

        With `doubtful`, a band may also differ in its doubtful bit, and in no other.
        """
        doubled = [queries] if doubtful is None else [queries, queries ^ doubtful]
        probes, asked = np.concatenate(doubled), np.tile(queries, len(doubled))
        found: list[NDArray[np.int64]] = []
        for band, (order, starts) in enumerate(self._tables):
            keys = _band(probes, band).astype(np.int64)
            first = starts[keys]
            counts = np.minimum(starts[keys + 1] - first, self.max_bucket)
            ends = np.cumsum(counts)
            # There may be millions: 32-bit numbers, and as few passes as possible.
            positions = np.repeat((first - ends + counts).astype(np.int32), counts)
            positions += np.arange(len(positions), dtype=np.int32)
            rows = order.take(positions)
            differing = self.codes.take(rows)
            differing ^= np.repeat(asked, counts)
            kept = np.flatnonzero(np.bitwise_count(differing) <= MOST_BITS)
            owner = np.searchsorted(ends, kept, side="right") % max(1, len(queries))
            found.append(owner * np.int64(2**40) + rows[kept])
        both = np.sort(np.concatenate(found))
        both = both[np.diff(both, prepend=-1) > 0]
        owners, numbers = both >> 40, both & (2**40 - 1)
        return Near(owners, numbers, np.bitwise_count(self.codes[numbers] ^ queries[owners]))


def scan(codes: Codes, queries: Codes, doubtful: Codes | None = None) -> Near:
    """Find what a `Lookup` of the codes finds, without tables of all codes.

    Only the codes that share a band with the query get tables. A scan takes as long as several
    queries with tables, but less time than making the tables.
    """
    probes = queries if doubtful is None else np.concatenate([queries, queries ^ doubtful])
    wanted = np.zeros((BANDS, 2**BAND_BITS), bool)
    for band in range(BANDS):
        wanted[band, _band(probes, band)] = True
    found = [np.empty(0, np.int64)]
    for start in range(0, len(codes), BLOCK):
        block = codes[start : start + BLOCK]
        shared = [wanted[band].take(_band(block, band)) for band in range(BANDS)]
        found.append(np.flatnonzero(np.logical_or.reduce(shared)) + start)
    rows = np.concatenate(found)
    near = Lookup(codes[rows], among=len(codes)).near(queries, doubtful)
    return near._replace(rows=rows[near.rows])


def _band(codes: Codes, band: int) -> NDArray[np.uint16]:
    return ((codes >> np.uint64(BAND_BITS * band)) & _LOW).astype(np.uint16)


def votes(
    near: Near, pictures: Rows, scaling: Steps, turning: Steps
) -> tuple[Rows, NDArray[np.float64]]:
    """Count the votes for pictures.

    near: pairs of near codes
    pictures: the picture of each pair
    scaling, turning: how far scale and angle of each pair differ, in the steps of `Keypoints`

    Each code of the query has one vote for a picture, by the nearest code there. A vote weighs less
    the farther that code is, and the more pictures the query's code votes for. Votes add up only if
    they agree on scale and angle: the votes of a true match agree, others are scattered (Jégou et
    al., "Hamming embedding and weak geometric consistency", doi:10.1007/978-3-540-88682-2_24).
    Returns the pictures in ascending order, and their votes.
    """
    if not len(pictures):
        return np.empty(0, np.int64), np.empty(0)
    pairs = near.queries * (pictures.max() + 1) + pictures
    order = np.argsort(pairs * (MOST_BITS + 1) + near.bits, kind="stable")
    first = np.diff(pairs[order], prepend=-1) > 0
    order = order[first]
    queries, named = near.queries[order], pictures[order]
    weights = (MOST_BITS + 1.0 - near.bits[order]) ** 2 / np.bincount(queries)[queries]
    found, which = np.unique(named, return_inverse=True)
    counts: NDArray[np.float64] = np.bincount(which, weights).astype(np.float64)
    # A single vote needs no bins: most pictures of a large index have only one.
    several = np.bincount(which) > 1
    picked = several[which]
    order, weights = order[picked], weights[picked]
    numbers = (np.cumsum(several) - 1)[which[picked]]
    angles = (turning[order] % TURN) * ANGLE_BINS // TURN
    scales = np.clip(scaling[order] // SCALE_STEP + SCALE_BINS // 2, 0, SCALE_BINS - 1)
    bins = (numbers * SCALE_BINS + scales) * ANGLE_BINS + angles
    shape = (int(several.sum()), SCALE_BINS, ANGLE_BINS)
    sums = np.bincount(bins, weights, minlength=np.prod(shape)).reshape(shape)
    # Two neighbouring bins count as one, so that votes at the edge of a bin are not separated.
    sums += np.roll(sums, 1, axis=2)
    sums[:, 1:] += sums[:, :-1].copy()
    counts[several] = sums.max(axis=(1, 2), initial=0)
    return found, counts
