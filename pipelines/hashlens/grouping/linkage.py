"""Put codes that match into groups by a greedy rule; the order of the input makes no difference.

>>> codes = np.array([0b0000, 0b0001, 0b0111], np.uint64)
>>> link(codes, 2).tolist(), link(codes, 2, complete=False).tolist()
([0, 0, 2], [0, 0, 0])

Each code begins as a group of its own. The pairs within the bound are visited, the nearest first,
at equal distance in the order of the codes. With complete linkage, the groups of a pair are merged
if all codes of the first are within the bound of all codes of the second. So no chain of small
steps leads to a group of unlike pictures. Connected linkage merges without this test. (The best
groups by any global measure would take exponential time: clique partitioning is NP-hard.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.neighbors import connected, pairs
from hashlens.neighbors.codes import Codes, Ints, as_codes, whole
from hashlens.neighbors.turned import turned_pairs
from hashlens.neighbors.turns import Turns

Admits = Callable[[Ints, Ints], NDArray[np.bool_]]

# Two numbers and a distance fit into a key of 63 bits.
MOST_CODES = 1 << 26
MOST_DISTANCE = (1 << 11) - 1
MOST_KEYS = 1 << 25  # pairs in memory at a time: 256 MB, and as much to sort them
BATCH = 1 << 22  # pairs asked about at a time, by `admits`
FEW_PAIRS = 100_000  # pairs that Python goes through before numba is loaded
REFUSED = 1 << 16  # pairs of groups remembered as not mergeable
SLOTS = 4096  # parts of the pairs at one distance: parts are sorted one after the other


class Bonds(NamedTuple):
    """All pairs within a bound, nearest first, under any metric.

    `a`, `b`: numbers of the two items, a < b. `distance`: between them.
    """

    a: Ints
    b: Ints
    distance: NDArray[np.float64]


def link(
    codes: Codes,
    max_distance: int,
    *,
    complete: bool = True,
    admits: Admits | None = None,
    apart: Ints | None = None,
    turns: Turns | None = None,
) -> Ints:
    """Return for each code the first code of its group, by Hamming distance; shape (n,).

    `codes`, shape (n,) or (n, words): their order decides among pairs at equal distance, so sort
    them for groups that do not depend on the order of the input. `admits`: returns for two arrays
    of numbers of codes whether each pair may merge two groups; None admits all. `apart`, shape
    (k, 2): pairs that are never in one group. With `turns`, distances are those of
    `hashlens.neighbors.turned`. Raises ParameterError for arguments that cannot work.
    """
    packed = as_codes(codes)
    limit = min(whole("max_distance", max_distance, 0), 64 * packed.shape[1])
    if len(packed) > MOST_CODES:
        msg = f"at most {MOST_CODES:,} fingerprints can be grouped at once, not {len(packed):,}"
        raise ParameterError(msg)
    if limit > MOST_DISTANCE:
        msg = f"max_distance must be at most {MOST_DISTANCE:,} bits, not {limit:,}"
        raise ParameterError(msg)
    barred = np.empty((0, 2), np.int64) if apart is None else np.sort(apart, axis=1)
    if not (complete or admits or len(barred) or turns):
        return connected(packed, limit).labels
    merging: _Merging | None = None
    begin, end = 0, (limit + 1) * SLOTS
    while begin < end:
        keys, begin = _nearest(packed, limit, begin, merging, turns)
        if begin == end and merging is None and len(keys) <= FEW_PAIRS:
            return link_bonds(
                len(packed), _bonds(keys), complete=complete, admits=admits, apart=barred
            )
        merging = merging or _Merging(packed, limit, complete, barred, turns)
        merging.go_through(keys, admits)
    return merging.labels() if merging else np.arange(len(packed))


def link_bonds(
    count: int,
    bonds: Bonds,
    *,
    complete: bool = True,
    admits: Admits | None = None,
    apart: Ints | None = None,
) -> Ints:
    """Group `count` items by all pairs within a bound, nearest first, as `link` does."""
    near: dict[int, set[int]] = {}
    listed = list(zip(bonds.a.tolist(), bonds.b.tolist(), strict=True))
    for a, b in listed:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    barred: dict[int, set[int]] = {}
    for a, b in () if apart is None else apart.tolist():
        barred.setdefault(a, set()).add(b)
        barred.setdefault(b, set()).add(a)
    admitted = [True] * len(listed) if admits is None else admits(bonds.a, bonds.b).tolist()
    groups: dict[int, list[int]] = {}
    for (a, b), is_admitted in zip(listed, admitted, strict=True):
        few, many = sorted((groups.setdefault(a, [a]), groups.setdefault(b, [b])), key=len)
        if few is many or not is_admitted:
            continue
        if (complete and not all(near[item].issuperset(many) for item in few)) or any(
            not barred[item].isdisjoint(many) for item in few if item in barred
        ):
            continue
        many += few
        groups.update(dict.fromkeys(few, many))
    labels = np.arange(count)
    for members in {id(members): members for members in groups.values()}.values():
        labels[members] = min(members)
    return labels


def _nearest(
    codes: Codes, limit: int, begin: int, merging: _Merging | None, turns: Turns | None
) -> tuple[Ints, int]:
    """Return the nearest pairs from slot `begin` on that fit into memory, and the slot after them.

    Pairs are sorted keys of (distance, a, b). Pairs that can no longer merge two groups are
    dropped; after the nearest pairs, that is most of them.
    """
    held: list[Ints] = []
    end = (limit + 1) * SLOTS
    sizes = np.zeros(end, np.int64)
    for every in _keys(codes, limit, turns):
        slots = _slots(every, len(codes))
        keys = every[(slots >= begin) & (slots < end)]
        if merging:
            keys = keys[merging.is_open(keys)]
        held.append(keys)
        sizes += np.bincount(_slots(keys, len(codes)), minlength=len(sizes))
        if sizes[:end].sum() > MOST_KEYS:
            fitting = np.searchsorted(np.cumsum(sizes[:end]), MOST_KEYS // 2, side="right")
            end = max(begin + 1, int(fitting))
            held = [keys[_slots(keys, len(codes)) < end] for keys in held]
    return _sorted(held), end


def _keys(codes: Codes, limit: int, turns: Turns | None) -> Iterator[Ints]:
    for a, b, distance in turned_pairs(codes, turns, limit) if turns else pairs(codes, limit):
        yield distance.astype(np.int64) << 52 | a << 26 | b


def _bonds(keys: Ints) -> Bonds:
    a, b = _numbers(keys)
    return Bonds(a, b, (keys >> 52).astype(np.float64))


def _numbers(keys: Ints) -> tuple[Ints, Ints]:
    return keys >> 26 & MOST_CODES - 1, keys & MOST_CODES - 1


def _slots(keys: Ints, count: int) -> Ints:
    """Return the slot of each key; slots have the order of keys."""
    return (keys >> 52) * SLOTS + (keys >> 26 & MOST_CODES - 1) * SLOTS // count


def _sorted(blocks: list[Ints]) -> Ints:
    keys = np.concatenate([np.empty(0, np.int64), *blocks])
    keys.sort()
    return keys


class _Merging:
    """The groups so far, as arrays for compiled code, which measures distances as needed."""

    def __init__(
        self, codes: Codes, limit: int, complete: bool, barred: Ints, turns: Turns | None
    ) -> None:
        # Imported here: loading numba takes longer than grouping a small collection.
        from hashlens.grouping import merging  # noqa: PLC0415

        count = len(codes)
        flags = np.zeros(count, np.bool_)
        flags[barred.ravel()] = True
        self._compiled = merging
        self._rule = merging.Rule(
            # The orientations of each code: without turns, one.
            codes=turns.variants(codes) if turns else np.ascontiguousarray(codes)[:, None],
            both_ways=bool(turns and turns.is_crosswise),
            limit=limit if complete else -1,
            flags=flags,
            barred=np.sort(barred[:, 0] << 26 | barred[:, 1]),
            refused=np.zeros(REFUSED, np.int64),
        )
        self._chains = merging.Chains(
            group=np.arange(count),
            following=np.full(count, -1),
            last=np.arange(count),
            sizes=np.ones(count, np.int64),
        )

    def go_through(self, keys: Ints, admits: Admits | None) -> None:
        """Merge the groups of pairs, in the order of their keys."""
        for start in range(0, len(keys), BATCH):
            a, b = _numbers(keys[start : start + BATCH])
            if admits:
                admitted = admits(a, b)
                a, b = a[admitted], b[admitted]
            self._compiled.merge(a, b, self._rule, self._chains)

    def is_open(self, keys: Ints) -> NDArray[np.bool_]:
        """Return for each pair whether it may still merge two groups; if not, it never will."""
        is_open: NDArray[np.bool_] = self._compiled.are_open(
            *_numbers(keys), self._rule, self._chains
        )
        return is_open

    def labels(self) -> Ints:
        """Return for each code the first of its group."""
        group: Ints = self._chains.group
        first = np.full(len(group), len(group))
        np.minimum.at(first, group, np.arange(len(group)))
        return first[group]
