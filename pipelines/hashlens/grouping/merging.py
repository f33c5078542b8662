"""The greedy rule of `hashlens.grouping.linkage`, compiled: importing this imports numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hashlens.neighbors.kernels import compiled, ones


class Rule(NamedTuple):
    """What keeps two groups apart.

    codes: the orientations that count of each code, shape (n, turns, words)
    both_ways: whether the orientations of either code are compared with the other
    limit: the bound of all pairs in a group; below 0, distances are not measured
    flags: whether a code is in a barred pair
    barred: keys of pairs that are never in one group, sorted
    refused: keys of pairs of groups that may not become one, by their places
    """

    codes: Any
    both_ways: Any
    limit: Any
    flags: Any
    barred: Any
    refused: Any


class Chains(NamedTuple):
    """The groups: a group has the number of one of its codes, and is a chain that begins with it.

    group: number of the group of each code
    following: the next code of the chain, -1 at its end
    last: the last code of each group
    sizes: number of codes of each group
    """

    group: Any
    following: Any
    last: Any
    sizes: Any


@compiled
def merge(a: Any, b: Any, rule: Rule, chains: Chains) -> None:
    """Merge the groups of pairs, in their order, if they may be one group."""
    group, following, last, sizes = chains.group, chains.following, chains.last, chains.sizes
    for pair in range(len(a)):
        one, other = group[a[pair]], group[b[pair]]
        if sizes[one] < sizes[other]:
            one, other = other, one
        if not _may_join(one, other, rule, following):
            continue
        item = other
        while item >= 0:
            group[item] = one
            item = following[item]
        following[last[one]] = other
        last[one] = last[other]
        sizes[one] += sizes[other]


@compiled
def are_open(a: Any, b: Any, rule: Rule, chains: Chains) -> Any:
    """Return for each pair whether its two groups differ and may become one."""
    found = np.empty(len(a), np.bool_)
    for pair in range(len(a)):
        one, other = chains.group[a[pair]], chains.group[b[pair]]
        found[pair] = _may_join(one, other, rule, chains.following)
    return found


@compiled
def _may_join(one: Any, other: Any, rule: Rule, following: Any) -> Any:
    """Return whether two groups differ and may become one; what may not is remembered.

    Two groups that do not fit never will: groups only grow, and keep their number.
    """
    if one == other:
        return False
    key = min(one, other) << 26 | max(one, other)
    place = (key * 0x9E3779B97F4A7C1 >> 20) & (len(rule.refused) - 1)
    if rule.refused[place] == key:
        return False
    if _fit(other, one, rule, following):
        return True
    rule.refused[place] = key
    return False


@compiled
def _is_near(codes: Any, first: Any, second: Any, limit: Any) -> Any:
    """Return whether a code is within the limit of any orientation of another."""
    for turn in range(codes.shape[1]):
        distance = np.uint64(0)
        for word in range(codes.shape[2]):
            distance += ones(codes[first, 0, word] ^ codes[second, turn, word])
        if distance <= np.uint64(limit):
            return True
    return False


@compiled
def _fit(one: Any, other: Any, rule: Rule, following: Any) -> Any:
    """Return whether all codes of two groups may be in one group."""
    codes, limit, flags, barred = rule.codes, rule.limit, rule.flags, rule.barred
    first = one
    while first >= 0:
        second = other if limit >= 0 or flags[first] else -1
        while second >= 0:
            if limit >= 0:
                near = _is_near(codes, first, second, limit)
                if not near and not (rule.both_ways and _is_near(codes, second, first, limit)):
                    return False
            if flags[first] and flags[second]:
                key = min(first, second) << 26 | max(first, second)
                place = np.searchsorted(barred, key)
                if place < len(barred) and barred[place] == key:
                    return False
            second = following[second]
        first = following[first]
    return True
