"""Brute force: the rules word for word, against which the fast ways are tested."""

from __future__ import annotations

import numpy as np


def brute(count, away, limit, *, complete=True, admits=None, apart=()):
    """Group by the rule, word for word; `away` tells the distance of two items."""
    near = sorted((away(a, b), a, b) for a in range(count) for b in range(a + 1, count))
    barred = {frozenset(pair) for pair in np.asarray(apart).tolist()}
    groups = [{item} for item in range(count)]
    for far, a, b in near:
        if far > limit or groups[a] is groups[b] or (admits and not admits(a, b)):
            continue
        cross = [(x, y) for x in groups[a] for y in groups[b]]
        if complete and any(away(x, y) > limit for x, y in cross):
            continue
        if any(frozenset(pair) in barred for pair in cross):
            continue
        joined = groups[a] | groups[b]
        for item in joined:
            groups[item] = joined
    return [min(group) for group in groups]
