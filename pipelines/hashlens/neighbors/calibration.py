"""How far apart unrelated pictures of a collection are, and so which distance is a match.

>>> import numpy as np
>>> codes = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
>>> calibrate(codes, 64).max_distance
14

What is wanted is the chance of two unrelated pictures to be within a distance. Nobody has told
which pictures of a collection are unrelated, and near its low end a histogram of distances shows
the near-duplicates that are looked for. Three things tell them apart:

- A picture has few near-duplicates. Where more rows are around one than such a family has, they
  are pictures that only look alike, and count.
- Some kinds of pictures are nearer to each other than others, as pages of text are: chances differ
  from row to row, and the few crowded rows make most false matches. So rows are put into groups
  that are equally crowded, and each group has a chance of its own.
- Within a group, the logarithm of the chance falls ever more steeply towards distance 0, as it
  does for sums of many bits: it lies below each of its tangents. Near-duplicates can only raise a
  tangent and make it flatter. So the least of the tangents is an estimate on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.neighbors.codes import Codes, Ints, as_codes, whole

PAIRS = 12_500_000  # that are measured: those of 5,000 rows, in 0.05 seconds (0.15 at 256 bits)
FEWEST = 10  # images: among fewer there is nothing to measure
ENOUGH = 50  # images from which on the result is more than a hint
# At most so many wrong rows for one query: one query in a hundred meets a stranger, while nearly
# all copies of a picture are far within the distance that this leaves.
FALSE_MATCHES = 0.01

FAMILY = 20  # rows, or one in 200, that may be near-duplicates of each other
KIND = 4  # such families are so many rows that they must be a kind of pictures that look alike
GROUP = 64  # rows at least that have a chance in common
EVIDENCE = 50  # pairs at least that a tangent rests on
FOLD = 4  # times as many pairs lie within the upper end of a tangent as within its lower end
UNSEEN = 2  # pairs more than were seen may as well have been there

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The distances between the pictures of a collection.

    `rows` is the number of its images and `bits` that of their codes. `pairs` were measured, all
    there are if `exact`; `counts` has how many of them are at each distance, near-duplicates
    included, and `chances` the estimated chance of two unrelated pictures to be within it.
    """

    rows: int
    bits: int
    pairs: int
    exact: bool
    counts: tuple[int, ...]
    chances: tuple[float, ...]

    @property
    def is_weak(self) -> bool:
        """Tell whether there are too few images for more than a hint."""
        return self.rows < ENOUGH

    @property
    def max_distance(self) -> int | None:
        """Return the largest distance with at most FALSE_MATCHES false matches for a query.

        None where there is none: even equal codes are no evidence, as among flat pictures.
        """
        fitting = sum(self.rows * chance <= FALSE_MATCHES for chance in self.chances)
        return fitting - 1 if fitting else None

    def chance(self, distance: int) -> float:
        """Return the chance of two unrelated pictures to be within a distance."""
        return self.chances[min(whole("distance", distance, 0), self.bits)]

    def false_matches(self, distance: int) -> float:
        """Return how many wrong rows a query is expected to find within a distance."""
        return self.rows * self.chance(distance)

    def false_pairs(self, distance: int) -> float:
        """Return how many wrong pairs are expected within a distance in the whole collection."""
        return self.rows * (self.rows - 1) / 2 * self.chance(distance)

    def table(self) -> list[dict[str, float]]:
        """Return a row for each distance; `pairs_seen` are those measured within it."""
        seen = np.cumsum(self.counts).tolist()
        return [
            {
                "max_distance": distance,
                "chance": self.chance(distance),
                "false_matches": self.false_matches(distance),
                "false_pairs": self.false_pairs(distance),
                "pairs_seen": seen[distance],
            }
            for distance in range(self.bits + 1)
        ]


def calibrate(codes: Codes, bits: int, *, seed: int = 0, pairs: int = PAIRS) -> Calibration:
    """Measure the distances between the codes of a collection, of so many bits.

    Of more codes than have so many `pairs`, as many as have them are picked at random, by the
    `seed`. Raises ParameterError for fewer than FEWEST codes, and for an argument that cannot work.
    """
    packed = as_codes(codes)
    rows, most = len(packed), _rows_of(whole("pairs", pairs, 1))
    if rows < FEWEST:
        msg = f"calibration takes {FEWEST} images or more, and has {rows}"
        raise ParameterError(msg)
    bits = _fitting(packed, bits)
    chosen = np.random.default_rng(whole("seed", seed, 0)).choice(rows, min(rows, most), False)
    found = _by_row(packed if rows <= most else packed[np.sort(chosen)], bits)
    counts = found.sum(axis=0) // 2  # each pair was met from both sides
    return Calibration(
        rows,
        bits,
        int(counts.sum()),
        rows <= most,
        tuple(counts.tolist()),
        tuple(_chances(found, counts).tolist()),
    )


def _fitting(codes: Codes, bits: Any) -> int:
    """Return the number of bits; raises ParameterError where the codes cannot have so many."""
    number = whole("bits", bits, 1)
    spare = 64 * codes.shape[1] - number
    if not 0 <= spare < 64 or (spare and (codes[:, 0] >> np.uint64(64 - spare)).any()):
        msg = f"codes of {codes.shape[1]} words are not of {number} bits"
        raise ParameterError(msg)
    return number


def _rows_of(pairs: int) -> int:
    """Return how many rows have so many pairs."""
    return max(FEWEST, (1 + isqrt(1 + 8 * pairs)) // 2)


def _by_row(codes: Codes, bits: int) -> Ints:
    """Count, for each code, the others at each distance; shape (n, bits + 1)."""
    counts = np.empty((len(codes), bits + 1), np.int64)
    for row, code in enumerate(codes):
        distances = np.bitwise_count(codes[:, 0] ^ code[0])
        if len(code) > 1:
            distances = distances.astype(np.uint16)
            for word in range(1, len(code)):
                distances += np.bitwise_count(codes[:, word] ^ code[word])
        counts[row] = np.bincount(distances, minlength=bits + 1)
    counts[:, 0] -= 1  # itself
    return counts


def _chances(found: Ints, counts: Ints) -> Floats:
    """Estimate the chance of two unrelated rows to be within each distance."""
    rows = len(found)
    family = min(max(FAMILY, rows // 200), (rows - 1) // 2)
    crowded = (found.cumsum(axis=1) >= family).argmax(axis=1)
    shares = [
        len(group) / rows * _tail(found[group].sum(axis=0), family / (rows - 1))
        for group in _groups(crowded)
    ]
    seen = (counts.cumsum() + UNSEEN) / counts.sum()
    return _rising(np.minimum(np.sum(shares, axis=0), seen))


def _groups(crowded: Ints) -> list[Ints]:
    """Put rows together that are equally crowded, or nearly so, GROUP at least."""
    order = np.argsort(crowded, kind="stable")
    cuts = [0]
    for cut in (np.flatnonzero(np.diff(crowded[order])) + 1).tolist():
        if min(cut - cuts[-1], len(order) - cut) >= GROUP:
            cuts.append(cut)
    return np.split(order, cuts[1:])


def _tail(counts: Ints, family: float) -> Floats:
    """Return the chance to be within each distance for the pairs of some rows.

    Up to the share of rows that makes a kind, it is the least of the tangents.
    """
    within = _smooth(counts).cumsum()
    total = within[-1]
    least = min(EVIDENCE, total / 16)
    ends = np.flatnonzero((within >= least) & (within <= min(KIND * family, 0.5) * total))
    if not len(ends):
        ends = np.flatnonzero(within >= least)[:1]
    uppers = np.searchsorted(within, np.minimum(FOLD * within[ends], total))
    logs = np.log(within[ends] / total)
    slopes = (np.log(within[uppers] / total) - logs) / (uppers - ends)
    distances = np.arange(ends[-1])
    below = ends[:, None] - distances
    lines = np.where(below < 0, np.inf, logs[:, None] - slopes[:, None] * below)
    chances: Floats = counts.cumsum() / total
    chances[distances] = np.exp(lines.min(axis=0))
    return chances


def _smooth(counts: Ints) -> Floats:
    """Spread counts over their neighbours: some hashes have even distances only, or nearly so."""
    padded = np.pad(counts, 1, mode="edge")
    smooth: Floats = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth


def _rising(chances: Floats) -> Floats:
    """Return chances that fall nowhere."""
    rising: Floats = np.minimum.accumulate(chances[::-1])[::-1]
    return np.minimum(rising, 1.0)
