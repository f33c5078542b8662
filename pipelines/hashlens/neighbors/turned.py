"""All pairs of codes within a turned distance: exact, in bounded memory, by one set of buckets.

A band has bits that turns exchange only with each other, so a turn of a code is a turn of its key.
All keys that are turns of one another are one class, and each code is brought to the orientation in
which its key is the first of its class. So a bucket holds a class, and no orientation needs buckets
of its own: a key is changed in few bits, which leads to a class and to the turn that goes there.

With crosswise codes, the picture after a quarter turn is an item of its own, and items are compared
under the four turns that keep rows and columns apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import comb, inf, log2
from typing import Any, NamedTuple

import numpy as np

from hashlens.neighbors.bands import SORTING, VISIT, masks_within
from hashlens.neighbors.codes import Codes, Hits, Ints, as_codes, fold, whole
from hashlens.neighbors.join import SMALL, TILE, Pairs, _distinct, _equal_pairs, _expanded
from hashlens.neighbors.turns import INVERSE, PRODUCT, Turns, as_bytes, byte_table
from hashlens.neighbors.turns import mapped as image_of

WIDTHS = (12, 16, 20)  # bits of a band, at most
SAMPLED = 8  # one code of so many is looked at to choose bands
BRUTE = 0  # the radius of a band of no bits: all codes are compared with all

Orbits = list[list[int]]


class Band(NamedTuple):
    """Bits that turns exchange with each other only.

    members: numbers of the bits in a fingerprint
    radius: bits in which keys may differ for their codes to be compared
    """

    members: tuple[int, ...]
    radius: int


class Classes(NamedTuple):
    """The classes of a band's keys.

    number: of the class of each key, int32
    ways: of each key, the set of turns that lead to the first key of its class, as bits
    first: the first key of each class
    """

    number: Any
    ways: Any
    first: Ints


class Items(NamedTuple):
    """What is compared: the orientations of each item, under as many turns as bring no other hash.

    variants: shape (items, turns, words)
    turns: how the turns act on the bits of a fingerprint
    """

    variants: Codes
    turns: Turns


def turned_pairs(codes: Codes, turns: Turns, max_distance: int) -> Iterator[Pairs]:
    """Yield all pairs of rows within a turned distance, each once, as `join.pairs` does.

    `codes` have the words of a fingerprint, followed by those of the crosswise one, if `turns` are
    crosswise. Raises ParameterError for a distance that is none.
    """
    limit = min(whole("max_distance", max_distance, 0), turns.bits)
    return _pairs(as_codes(codes), turns, limit)


def _pairs(codes: Codes, turns: Turns, limit: int) -> Iterator[Pairs]:
    distinct = _distinct(np.ascontiguousarray(codes.T))
    for a, b in _equal_pairs(distinct):
        yield Pairs(a, b, np.zeros(len(a), np.uint16))
    hits = close_pairs(turns.variants(distinct.codes.T), turns, limit)
    for a, b, distance in _expanded(distinct, distinct, hits):
        yield Pairs(np.minimum(a, b), np.maximum(a, b), distance)


def close_pairs(variants: Codes, turns: Turns, limit: int) -> Iterator[Hits]:
    """Yield all pairs of codes within a turned distance, by their variants, each once."""
    if not turns.is_crosswise:
        yield from _joined(Items(variants, turns), limit)
        return
    count = len(variants)
    own = Turns(turns.sources[:4, : turns.bits], turns.inverted[:4, : turns.bits], turns.bits)
    items = Items(np.concatenate([variants[:, :4], variants[:, 4:]]), own)
    for one, other, _ in _joined(items, limit):
        yield from _crosswise(variants, one, other, count, limit)


def _crosswise(variants: Codes, one: Ints, other: Ints, count: int, limit: int) -> Iterator[Hits]:
    """Yield the pairs of codes that pairs of items stand for, unless another pair does, too."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    counted = (low < count) & (low != high - count)
    low, high = low[counted], high[counted]
    a, b = np.minimum(low, high % count), np.maximum(low, high % count)
    kind = np.where(high < count, 0, np.where(high - count == b, 1, 2))
    forth = np.bitwise_count(variants[a, :1] ^ variants[b]).sum(axis=-1, dtype=np.uint16)
    back = np.bitwise_count(variants[b, :1] ^ variants[a]).sum(axis=-1, dtype=np.uint16)
    kinds = np.stack(
        [part.min(axis=1) for part in (forth[:, :4], forth[:, 4:], back[:, 4:])], axis=1
    )
    is_first = (kinds <= limit).argmax(axis=1) == kind
    if is_first.any():
        yield a[is_first], b[is_first], kinds.min(axis=1)[is_first]


def _joined(items: Items, limit: int) -> Iterator[Hits]:
    """Yield all pairs of items within the least distance of any of their turns, each once."""
    count, many = items.variants.shape[:2]
    if count * (count // 2) * many <= SMALL:
        return _compared(items, limit)
    return _by_buckets(items, limit)


def _compared(items: Items, limit: int) -> Iterator[Hits]:
    """Compare all items with all, in numpy."""
    variants = items.variants
    count, many = variants.shape[:2]
    screens = np.ascontiguousarray(_folded(variants).T)
    step = max(1, TILE // max(1, count))
    for start in range(0, count, step):
        near = np.zeros((min(step, count - start), count - start), bool)
        for turn in range(many):
            away = np.bitwise_count(screens[0, start : start + step, None] ^ screens[turn, start:])
            near |= away <= limit
        a, b = np.divmod(np.flatnonzero(near), count - start)
        a, b = a[a < b] + start, b[a < b] + start
        distance = np.bitwise_count(variants[a, :1] ^ variants[b])
        least = distance.sum(axis=-1, dtype=np.uint16).min(axis=1, initial=np.uint16(65535))
        close = least <= limit
        if close.any():
            yield a[close], b[close], least[close]


def _folded(variants: Codes) -> Codes:
    return fold(np.moveaxis(variants, -1, 0))


def _by_buckets(items: Items, limit: int) -> Iterator[Hits]:
    # Imported here: importing numba takes as long as SMALL comparisons.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from hashlens.neighbors.buckets import in_parts  # noqa: PLC0415
    from hashlens.parallel.process import processors  # noqa: PLC0415

    bytes_ = as_bytes(np.ascontiguousarray(items.variants[:, 0]))
    bands = plan(items, bytes_, limit)
    masks = np.stack([_mask(items.turns, band) for band in bands])
    radii = np.array([band.radius for band in bands], np.int64)
    folded = _folded(items.variants)
    count = len(folded)
    tasks = max(1, min(count // 64, 16 * processors()))
    parts = [count * number // tasks for number in range(tasks + 1)]
    prepare = partial(_prepared, items, bytes_, folded)
    pool = ThreadPoolExecutor(processors())
    try:
        ready = pool.submit(prepare, bands[0])
        for number, band in enumerate(bands):
            side = ready.result()
            if number + 1 < len(bands):
                ready = pool.submit(prepare, bands[number + 1])
            task = partial(
                _task,
                side,
                masks_within(len(band.members), band.radius),
                limit,
                items.variants,
                masks[: number + 1],
                radii[: number + 1],
            )
            yield from in_parts(pool, task, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def _task(
    side: Any,
    masks: Ints,
    limit: int,
    variants: Codes,
    bands: Codes,
    radii: Ints,
    *place: int,
) -> tuple[Hits, tuple[int, int, int, int] | None]:
    """Scan from a place to an end; return pairs, and the rest of the task, if there is any."""
    from hashlens.neighbors.buckets import ROOM  # noqa: PLC0415
    from hashlens.neighbors.turned_kernels import scan_classes  # noqa: PLC0415

    a, b = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    distance = np.empty(ROOM, np.uint16)
    how = masks, limit, variants, bands, radii, PRODUCT, INVERSE
    found, *rest = scan_classes(side, *how, *place, a, b, distance)
    hits = a[:found].copy(), b[:found].copy(), distance[:found].copy()
    end = place[-1]
    return hits, (rest[0], rest[1], rest[2], end) if rest[0] < end else None


def _prepared(items: Items, bytes_: Any, folded: Codes, band: Band) -> Any:
    """Return items in the order of their classes in a band."""
    from hashlens.neighbors.kernels import counting_sort  # noqa: PLC0415
    from hashlens.neighbors.turned_kernels import Oriented, first_ways  # noqa: PLC0415

    classes = classes_of(items.turns, band.members)
    found = keys(items.turns, band.members, bytes_)
    numbers = classes.number[found]
    order, starts = counting_sort(numbers, len(classes.first))
    poses = first_ways(classes.ways[found[order]])
    ordered = folded[order]
    screen = ordered[np.arange(len(order)), poses]
    of_order = numbers[order].astype(np.int64)
    return Oriented(screen, ordered, order, poses, of_order, starts, *classes)


def plan(items: Items, bytes_: Any, limit: int) -> Sequence[Band]:
    """Choose bands, or brute force: one band of no bits."""
    count, many = items.variants.shape[:2]
    width = min(WIDTHS, key=lambda width: abs(width - log2(count)))
    cost, bands = _banded(items.turns, bytes_, count, limit, width)
    return bands if cost < count * count / 2 * many else [Band((), BRUTE)]


def _banded(
    turns: Turns, bytes_: Any, count: int, limit: int, width: int
) -> tuple[float, Sequence[Band]]:
    """Return the best plan with bands of a width at most, and its cost, in comparisons.

    Radii are dealt out as in `bands.banded`. How many keys differ in few bits is guessed from how
    many are equal.
    """
    members = bands_of(turns, width)
    prices = []
    for each in members:
        # A sample of one code in eight tells the sizes well enough.
        found = keys(turns, each, np.ascontiguousarray(bytes_[:, ::SAMPLED]))
        sizes = SAMPLED * np.bincount(classes_of(turns, each).number[found])
        meetings = float((sizes.astype(np.float64) ** 2).sum()) / 2
        visits = float(np.count_nonzero(sizes)) * VISIT
        price = [(meetings + visits) * comb(len(each), radius) for radius in range(len(each) + 1)]
        price[0] += 4 * SORTING * count
        prices.append([*price, inf])
    radii = [-1] * len(members)
    cost = 0.0
    for _ in range(limit + 1):
        steps = [price[radius + 1] for price, radius in zip(prices, radii, strict=True)]
        cheapest = int(np.argmin(steps))
        cost += steps[cheapest]
        if cost == inf:
            return inf, ()
        radii[cheapest] += 1
    bands = [Band(each, radius) for each, radius in zip(members, radii, strict=True)]
    return cost, [band for band in bands if band.radius >= 0]


def bands_of(turns: Turns, width: int) -> list[tuple[int, ...]]:
    """Return bands of about a width, which turns keep apart; each bit is in one band."""
    orbits: dict[int, list[int]] = {}
    for bit in range(turns.bits):
        orbits.setdefault(int(turns.sources[:, bit].min()), []).append(bit)
    bands: list[list[int]] = []
    for orbit in sorted(orbits.values(), key=len, reverse=True):
        fitting = [band for band in bands if len(band) + len(orbit) <= width]
        if fitting:
            fitting[0] += orbit
        else:
            bands.append(list(orbit))
    return [tuple(sorted(band)) for band in bands]


def keys(turns: Turns, members: Sequence[int], bytes_: Any) -> Ints:
    """Return the bits of each code in a band, as a number; the first member is the lowest bit."""
    if not members:
        return np.zeros(bytes_.shape[1], np.int64)
    images = np.zeros(64 * turns.words, np.int32)
    images[turns.places[list(members)]] = 1 << np.arange(len(members))
    return image_of(bytes_, byte_table(images))


def classes_of(turns: Turns, members: tuple[int, ...]) -> Classes:
    """Return the classes of the keys of a band; they are kept as long as the turns."""
    if members not in turns.known:
        turns.known[members] = _classes(turns, members)
    found: Classes = turns.known[members]
    return found


def _classes(turns: Turns, members: tuple[int, ...]) -> Classes:
    place = {bit: number for number, bit in enumerate(members)}
    acted = np.empty((len(turns.sources), 1 << len(members)), np.int32)
    for turn, (sources, inverted) in enumerate(zip(turns.sources, turns.inverted, strict=True)):
        images = np.zeros(len(members), np.int32)
        fixed = 0
        for end, bit in enumerate(members):
            images[place[int(sources[bit])]] |= 1 << end
            fixed |= int(inverted[bit]) << end
        acted[turn, 0] = fixed
        for bit in range(len(members)):
            acted[turn, 1 << bit : 2 << bit] = acted[turn, : 1 << bit] ^ images[bit]
    lowest = acted.min(axis=0)
    ways = np.zeros(len(lowest), np.uint8)
    for turn, keys_ in enumerate(acted):
        ways |= (keys_ == lowest).astype(np.uint8) << np.uint8(turn)
    is_first = lowest == np.arange(len(lowest), dtype=np.int32)
    number = (np.cumsum(is_first, dtype=np.int32) - 1)[lowest]
    return Classes(number.astype(np.int32), ways, np.flatnonzero(is_first))


def _mask(turns: Turns, band: Band) -> Codes:
    """Return the bits of a band in the words of a code."""
    bits = np.zeros(64 * turns.words, np.uint8)
    bits[turns.places[list(band.members)]] = 1
    return np.packbits(bits).view(">u8").astype(np.uint64)
