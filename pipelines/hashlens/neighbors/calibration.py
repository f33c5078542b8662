"""How far apart unrelated pictures of a collection are, and so which distance is a match.

>>> import numpy as np
>>> codes = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
>>> calibrate(codes, 64).max_distance
14

We look for the chance that two unrelated pictures are within a distance. Nobody has said which
pictures of a collection are unrelated, and the low end of a histogram of distances also shows the
near-duplicates. Three facts tell them apart:

- A picture has few near-duplicates. If more rows are near a row than such a family has, they are
  pictures that only look alike, and count.
- Some kinds of pictures, such as pages of text, are nearer to each other than other kinds. So
  chances differ from row to row, and the few crowded rows make most false matches. Rows are put
  into groups that are equally crowded, and each group has its own chance.
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

PAIRS = 12_500_000  # measured by default: 5,000 rows, in 0.05 seconds (0.15 at 256 bits)
FEWEST = 10  # images: fewer are not measured
ENOUGH = 50  # images: with fewer the result is only a hint
# Wrong rows for a query: one query in a hundred meets an unrelated picture. Nearly all copies of a
# picture are far within the distance that this bound gives.
FALSE_MATCHES = 0.01
# Wrong pairs in the whole collection that groups may have: what is grouped may be removed, so this
# bound does not grow with the collection, as that of a search does.
FALSE_PAIRS = 0.1
# As many before a second look, which accepts fewer than one in a hundred unrelated pictures with
# hashes that are near (benchmarks/looks.py).
FALSE_PAIRS_TO_LOOK_AT = 10.0
FEW_IMAGES_SHARE = 16  # groups among too few images: their bound is the bits by this

FAMILY = 20  # rows, or one row in 200, that may be near-duplicates of each other
KIND = 4  # families: more near rows must be a kind of pictures that look alike
GROUP = 64  # least number of rows that share a chance
EVIDENCE = 50  # least number of pairs that a tangent rests on
FOLD = 4  # pairs within the upper end of a tangent, per pair within its lower end
UNSEEN = 2  # pairs that may be missing from a sample by chance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The distances between the pictures of a collection.

    rows: number of images
    bits: of their codes
    pairs: number of pairs that were measured
    exact: whether all pairs were measured
    counts: number of measured pairs at each distance, near-duplicates included
    chances: estimated chance that two unrelated pictures are within each distance
    reach: distance within which nearly all copies of a picture lie; None if it is not known
    """

    rows: int
    bits: int
    pairs: int
    exact: bool
    counts: tuple[int, ...]
    chances: tuple[float, ...]
    reach: int | None = None

    @property
    def is_weak(self) -> bool:
        """Return whether there are too few images for more than a hint."""
        return self.rows < ENOUGH

    @property
    def max_distance(self) -> int | None:
        """Return the largest distance with at most FALSE_MATCHES false matches for a query.

        Returns None if even distance 0 has more, as among flat pictures.
        """
        fitting = sum(self.rows * chance <= FALSE_MATCHES for chance in self.chances)
        return fitting - 1 if fitting else None

    @property
    def max_group_distance(self) -> int | None:
        """Return the bound of groups by hashes alone; see `group_distance`."""
        return self.group_distance()

    @property
    def max_verified_distance(self) -> int:
        """Return the bound of plans, and of groups with a second look; see `group_distance`."""
        return self.group_distance(verified=True) or 0

    def group_distance(
        self, orientations: int = 1, turn_bits: int = 0, *, verified: bool = False
    ) -> int | None:
        """Return the largest distance with at most FALSE_PAIRS false pairs in the collection.

        Groups that are `verified` in a second look may have FALSE_PAIRS_TO_LOOK_AT before it. The
        bound is never above the `reach` of copies. Where pictures are compared in several
        `orientations`, each has its share of the false pairs, and the reach is larger by the
        `turn_bits` that a turn costs.
        If even distance 0 has more, the bound is 0 if the groups are verified or `max_distance`
        allows it, and otherwise None. With few images it is a sixteenth of the bits.
        """
        whole("orientations", orientations, 1)
        reach = self.bits if self.reach is None else self.reach + whole("turn_bits", turn_bits, 0)
        if self.is_weak:
            return few_images_distance(self.bits, reach)
        pairs = self.rows * (self.rows - 1) / 2 * orientations
        most = FALSE_PAIRS_TO_LOOK_AT if verified else FALSE_PAIRS
        fitting = sum(pairs * chance <= most for chance in self.chances)
        if not fitting:
            return None if self.max_distance is None and not verified else 0
        return min(fitting - 1, reach)

    def chance(self, distance: int) -> float:
        """Return the chance that two unrelated pictures are within a distance."""
        return self.chances[min(whole("distance", distance, 0), self.bits)]

    def false_matches(self, distance: int) -> float:
        """Return the number of wrong rows that a query is expected to find within a distance."""
        return self.rows * self.chance(distance)

    def false_pairs(self, distance: int) -> float:
        """Return the number of wrong pairs expected within a distance in the whole collection."""
        return self.rows * (self.rows - 1) / 2 * self.chance(distance)

    def table(self) -> list[dict[str, float]]:
        """Return a row for each distance; `pairs_seen` counts the measured pairs within it."""
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


class TooFewError(ParameterError):
    """Too few codes to measure."""


def few_images_distance(bits: int, reach: int) -> int:
    """Return the bound of groups among too few images to measure: a sixteenth of the bits."""
    return min(bits // FEW_IMAGES_SHARE, reach)


def calibrate(
    codes: Codes, bits: int, *, seed: int = 0, pairs: int = PAIRS, reach: int | None = None
) -> Calibration:
    """Measure the distances between the codes of a collection, of `bits` each.

    `reach` is the distance within which nearly all copies lie, for the bound of groups. If the
    collection has more than `pairs` pairs, codes that have about as many are drawn at random, by
    the `seed`. Raises TooFewError for fewer than FEWEST codes, ParameterError for a wrong argument.
    """
    packed = as_codes(codes)
    rows, max_rows = len(packed), _rows_of(whole("pairs", pairs, 1))
    if rows < FEWEST:
        msg = f"calibration takes {FEWEST} images or more, and has {rows}"
        raise TooFewError(msg)
    bits = _fitting(packed, bits)
    chosen = np.random.default_rng(whole("seed", seed, 0)).choice(rows, min(rows, max_rows), False)
    found = _by_row(packed if rows <= max_rows else packed[np.sort(chosen)], bits)
    counts = found.sum(axis=0) // 2  # each pair was counted from both sides
    return Calibration(
        rows,
        bits,
        int(counts.sum()),
        rows <= max_rows,
        tuple(counts.tolist()),
        tuple(_chances(found, counts, reach).tolist()),
        reach,
    )


def _fitting(codes: Codes, bits: Any) -> int:
    """Return the number of bits; raises ParameterError if the codes have more, or fewer words."""
    number = whole("bits", bits, 1)
    spare = 64 * codes.shape[1] - number
    if not 0 <= spare < 64 or (spare and (codes[:, 0] >> np.uint64(64 - spare)).any()):
        msg = f"codes of {codes.shape[1]} words are not of {number} bits"
        raise ParameterError(msg)
    return number


def _rows_of(pairs: int) -> int:
    """Return the number of rows that have a number of pairs."""
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


def _chances(found: Ints, counts: Ints, reach: int | None) -> Floats:
    """Estimate the chance that two unrelated rows are within each distance.

    Rows within the reach of copies count as copies of a row, if they are few. If they counted as
    unrelated, a collection with many copies would seem to be full of pictures that look alike.
    """
    rows = len(found)
    family = min(max(FAMILY, rows // 200), (rows - 1) // 2)
    within = found.cumsum(axis=1)
    crowded = (within >= family).argmax(axis=1)
    unrelated = found
    if reach is not None:
        unrelated = found.copy()
        unrelated[within[:, min(reach, found.shape[1] - 1)] < family, : reach + 1] = 0
    shares = [
        len(group) / rows * _tail(unrelated[group].sum(axis=0), family / (rows - 1))
        for group in _groups(crowded)
    ]
    seen = (counts.cumsum() + UNSEEN) / counts.sum()
    return _rising(np.minimum(np.sum(shares, axis=0), seen))


def _groups(crowded: Ints) -> list[Ints]:
    """Group rows that are equally crowded, or nearly so: at least GROUP rows each."""
    order = np.argsort(crowded, kind="stable")
    cuts = [0]
    for cut in (np.flatnonzero(np.diff(crowded[order])) + 1).tolist():
        if min(cut - cuts[-1], len(order) - cut) >= GROUP:
            cuts.append(cut)
    return np.split(order, cuts[1:])


def _tail(counts: Ints, family: float) -> Floats:
    """Return the chance that a pair of some rows is within each distance.

    It is the least of the tangents as long as fewer rows are within the distance than make a kind.
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
    """Spread counts over their neighbours: the distances of some hashes are nearly all even."""
    padded = np.pad(counts, 1, mode="edge")
    smooth: Floats = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth


def _rising(chances: Floats) -> Floats:
    """Lower chances so that they never fall from a distance to the next."""
    rising: Floats = np.minimum.accumulate(chances[::-1])[::-1]
    return np.minimum(rising, 1.0)
