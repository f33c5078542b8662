"""Plan a bucket join: how many bands, how wide, and with which radius.

A band is some neighbouring bits of the codes, and the key of a code is its bits there. All codes
with the same key are a bucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb, inf, log2
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hashlens.neighbors.codes import Codes, Ints

WIDTHS = (8, 10, 12, 16, 21)  # bits of a band: widths that leave few bits of a word over
MOST_BANDS = 64  # a code has one bit for each band that leaves its bucket out
VISIT = 12  # comparisons: the time to go to a bucket
SORTING = 40  # comparisons: the time to sort a code into a band


class Band(NamedTuple):
    """Neighbouring bits of a word.

    word: number of the word
    shift: number of the lowest bit
    width: number of bits
    radius: bits in which keys may differ for their codes to be compared
    """

    word: int
    shift: int
    width: int
    radius: int


class JoinPlan(NamedTuple):
    """The bands to join by.

    bands: in the order of use
    cost: time of the join, in comparisons
    overfull: sizes of the buckets that a cap leaves out
    """

    bands: tuple[Band, ...]
    cost: float
    overfull: tuple[int, ...]


def brute_force() -> JoinPlan:
    """Return the plan that compares all codes with all."""
    return JoinPlan((Band(0, 0, 0, 0),), inf, ())


def plan(
    first: Codes, second: Codes | None, max_distance: int, max_bucket: int | None = None
) -> JoinPlan:
    """Choose the bands that cost least, or brute force.

    The codes are distinct: shape (words, codes). `second` is None for a join of `first` with
    itself. Buckets of more than `max_bucket` codes are left out.
    """
    largest = max(codes.shape[1] for codes in _sides(first, second))
    # Buckets of about sixteen codes are best: few comparisons, and yet many at a time.
    widths = sorted(WIDTHS, key=lambda width: abs(width + 4 - log2(largest)))
    plans = [banded(first, second, max_distance, max_bucket, width) for width in widths[:2]]
    best = min(plans, key=lambda each: each.cost)
    count = first.shape[1]
    everything = count * (count / 2 if second is None else second.shape[1])
    return best if best.cost < everything else brute_force()


def _sides(first: Codes, second: Codes | None) -> Sequence[Codes]:
    return (first,) if second is None else (first, second)


def banded(
    first: Codes, second: Codes | None, max_distance: int, max_bucket: int | None, width: int
) -> JoinPlan:
    """Return the best plan with bands of a width; its cost is infinite if such bands are too few.

    The sizes of the buckets give the exact number of comparisons. So radii are dealt out one by
    one, each to the band in which it costs least, until no pair within the distance is missed. A
    band without a radius is not used.
    """
    bands = [
        Band(word, shift, width, -1)
        for word in range(len(first))
        for shift in range(0, 65 - width, width)
    ][:MOST_BANDS]
    sides = _sides(first, second)
    sizes = [[bucket_sizes(codes, band) for codes in sides] for band in bands]
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
    return JoinPlan(chosen, cost, tuple(np.concatenate(over).tolist()))


def keys(codes: Codes, band: Band) -> npt.NDArray[np.uint32]:
    """Return the bits of each code in a band: the number of its bucket."""
    wide = codes[band.word] >> np.uint64(band.shift) & np.uint64((1 << band.width) - 1)
    narrow: npt.NDArray[np.uint32] = wide.astype(np.uint32)
    return narrow


def bucket_sizes(codes: Codes, band: Band) -> Ints:
    """Return how many codes each bucket of a band has."""
    return np.bincount(keys(codes, band), minlength=1 << band.width)


def masks_within(width: int, radius: int) -> Ints:
    """Return the numbers of `width` bits with at most `radius` ones: how near keys may differ."""
    masks = np.arange(1 << width, dtype=np.int64)
    return masks[np.bitwise_count(masks) <= radius]


def _prices(sizes: Sequence[Ints]) -> list[float]:
    """Return the cost of each next radius of a band, from radius 0, in comparisons.

    `sizes` has the bucket sizes of one side for a self-join, or else of both sides.
    """
    width = len(sizes[0]).bit_length() - 1
    meetings = _meetings(sizes[0], sizes[-1])
    masks = np.array([comb(width, radius) for radius in range(width + 1)])
    count, other = int(sizes[0].sum()), int(sizes[-1].sum())
    prices = meetings + VISIT * float(count) * masks
    if len(sizes) == 1:  # a pair is met from both of its codes, and each code meets itself
        prices[0] -= count
        prices /= 2
        other = 0
    prices[0] += SORTING * (count + other)
    return [*np.maximum(prices, 0).tolist(), inf]


def _meetings(first: Ints, second: Ints) -> npt.NDArray[np.float64]:
    """Return how many pairs of codes have keys that differ in 0, 1, ... bits, from bucket sizes.

    The Walsh-Hadamard transform turns the sum over pairs of buckets into a product; Krawtchouk
    polynomials turn the sums by weight of its index back (MacWilliams 1963).
    """
    width = len(first).bit_length() - 1
    spectrum = _walsh(first, width)
    power = spectrum * (spectrum if second is first else _walsh(second, width))
    by_weight = np.bincount(np.bitwise_count(np.arange(1 << width)), weights=power.ravel())
    return _krawtchouk(width) @ by_weight / (1 << width)


def _walsh(sizes: Ints, width: int) -> npt.NDArray[np.float64]:
    """Return the Walsh-Hadamard transform, computed over the high bits, then over the low bits."""
    high, low = _hadamard(width - width // 2), _hadamard(width // 2)
    spectrum: npt.NDArray[np.float64] = high @ sizes.reshape(len(high), len(low)) @ low
    return spectrum


def _hadamard(bits: int) -> npt.NDArray[np.float64]:
    """Return the Hadamard matrix of side `2 ** bits`."""
    index = np.arange(1 << bits)
    signs: npt.NDArray[np.float64] = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) & 1)
    return signs


@lru_cache
def _krawtchouk(width: int) -> npt.NDArray[np.float64]:
    """Return the values of the Krawtchouk polynomials: degree k in row k, at j in column j."""

    def entry(k: int, j: int) -> float:
        return float(sum((-1) ** i * comb(j, i) * comb(width - j, k - i) for i in range(k + 1)))

    return np.array([[entry(k, j) for j in range(width + 1)] for k in range(width + 1)])
