"""From the codes of a query to pictures with near ones: banded lookup, then votes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.keypoints import TURN

BANDS = 4
BAND_BITS = 16
MOST_BITS = 14  # by which a code may differ from one of the query and give it a vote
# Templates, logos and page furniture fill buckets. No more than so many codes of one are looked
# at, the oldest: so the first copies of a picture are found however many there are.
MOST_IN_BUCKET = 1024
MOST_OVER_MEAN = 32

ANGLE_BINS = 16
SCALE_BINS = 8
SCALE_STEP = 26  # an octave

Codes = NDArray[np.uint64]
Steps = NDArray[np.int64]
Rows = NDArray[np.int64]
_LOW = np.uint64(2**BAND_BITS - 1)


class Near(NamedTuple):
    """Pairs of a code of the query and a code of the index that is near to it."""

    queries: Rows
    rows: Rows
    bits: NDArray[np.uint8]


class Lookup:
    """Tables of some codes, by each of their bands."""

    def __init__(self, codes: Codes) -> None:
        self.codes = codes
        self.most = MOST_IN_BUCKET + MOST_OVER_MEAN * len(codes) // 2**BAND_BITS
        self._tables = [self._table(band) for band in range(BANDS)]

    def _table(self, band: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        keys = _band(self.codes, band)
        starts = np.zeros(2**BAND_BITS + 1, np.int32)
        np.cumsum(np.bincount(keys, minlength=2**BAND_BITS), out=starts[1:])
        return np.argsort(keys, kind="stable").astype(np.int32), starts  # by radix

    def near(self, queries: Codes, doubtful: Codes | None = None) -> Near:
        """Find codes that equal one of the query's in a band, and are near to it in all bits.

        With `doubtful`, those too that equal it in a band but for the doubtful bit.
        """
        probes = queries if doubtful is None else np.concatenate([queries, queries ^ doubtful])
        found: list[NDArray[np.int64]] = []
        for band, (order, starts) in enumerate(self._tables):
            keys = _band(probes, band)
            first = starts[keys].astype(np.int64)
            counts = np.minimum(starts[keys.astype(np.int64) + 1] - first, self.most)
            owner = np.repeat(np.arange(len(probes)) % max(1, len(queries)), counts)
            place = np.arange(int(counts.sum())) - np.repeat(
                np.cumsum(counts) - counts - first, counts
            )
            rows = order[place]
            bits = np.bitwise_count(self.codes[rows] ^ queries[owner])
            kept = bits <= MOST_BITS
            found.append(owner[kept] * np.int64(2**40) + rows[kept])
        both = np.unique(np.concatenate(found))
        owners, rows = both >> 40, both & (2**40 - 1)
        return Near(owners, rows, np.bitwise_count(self.codes[rows] ^ queries[owners]))


def _band(codes: Codes, band: int) -> NDArray[np.uint16]:
    return ((codes >> np.uint64(BAND_BITS * band)) & _LOW).astype(np.uint16)


def votes(
    near: Near, pictures: Rows, scaling: Steps, turning: Steps
) -> tuple[Rows, NDArray[np.float64]]:
    """Count votes for pictures, of which `pictures` names one for each near code.

    Each code of the query has one vote for a picture, by its nearest code there; it weighs less
    the farther that is, and the more pictures it votes for. Only votes that agree on scale and
    angle, by `scaling` and `turning` in the steps of `Keypoints`, add up: those of a true match
    do, others are scattered (after Jégou et al., "Hamming embedding and weak geometric
    consistency", doi:10.1007/978-3-540-88682-2_24). Returns pictures in ascending order, and votes.
    """
    if not len(pictures):
        return np.empty(0, np.int64), np.empty(0)
    order = np.lexsort((near.bits, pictures, near.queries))
    first = np.ones(len(order), bool)
    queries, named = near.queries[order], pictures[order]
    first[1:] = (queries[1:] != queries[:-1]) | (named[1:] != named[:-1])
    order = order[first]
    queries, named = queries[first], named[first]
    weights = (MOST_BITS + 1.0 - near.bits[order]) ** 2 / np.bincount(queries)[queries]
    found, which = np.unique(named, return_inverse=True)
    angles = (turning[order] % TURN) * ANGLE_BINS // TURN
    scales = np.clip(scaling[order] // SCALE_STEP + SCALE_BINS // 2, 0, SCALE_BINS - 1)
    bins = (which * SCALE_BINS + scales) * ANGLE_BINS + angles
    shape = (len(found), SCALE_BINS, ANGLE_BINS)
    sums = np.bincount(bins, weights, minlength=len(found) * SCALE_BINS * ANGLE_BINS).reshape(shape)
    # Two neighbouring bins of each count as one: what is near an edge is not cut off.
    sums += np.roll(sums, 1, axis=2)
    sums[:, 1:] += sums[:, :-1].copy()
    return found, sums.max(axis=(1, 2))
