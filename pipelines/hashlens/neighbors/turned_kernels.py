"""The comparison of codes whose keys are in classes of turns, compiled: this imports numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hashlens.neighbors.codes import Codes, Ints
from hashlens.neighbors.kernels import RUN, TILE, compiled, ones


class Oriented(NamedTuple):
    """Items in the order of their classes in a band.

    screen: folds of the items, each in the orientation in which its key is the first of its class
    folded: folds of all orientations, shape (items, turns)
    order: the number of each item
    poses: the turn that brings each item to the orientation of the screen
    classes: the class of each item
    starts: position of the first item of each class
    number, ways, first: as in `turned.Classes`
    """

    screen: Codes
    folded: Codes
    order: Ints
    poses: Any
    classes: Ints
    starts: Ints
    number: Any
    ways: Any
    first: Ints


@compiled
def first_ways(ways: Any) -> Any:
    """Return the lowest turn of each set."""
    found = np.empty(len(ways), np.uint8)
    for row in range(len(ways)):
        turn = 0
        while not ways[row] >> turn & 1:
            turn += 1
        found[row] = turn
    return found


@compiled
def _differences(variants: Any, i: int, j: int, turn: int, mask: Any) -> Any:
    """Count the bits of a mask in which an item differs from an orientation of another."""
    found = np.uint64(0)
    for word in range(variants.shape[2]):
        found += ones((variants[i, 0, word] ^ variants[j, turn, word]) & mask[word])
    return found


@compiled
def _least(
    variants: Any, i: int, j: int, turn: int, limit: Any, bands: Any, radii: Any, every: Any
) -> int:
    """Return the turned distance of a pair that was met by a turn; -1 unless it is new.

    It is new if this turn is within the limit, and no turn within the limit has brought the pair
    together in an earlier band, nor a lower turn in this band, the last one.
    """
    if _differences(variants, i, j, turn, every) > limit:
        return -1
    least = limit
    last = len(radii) - 1
    for other in range(variants.shape[1]):
        distance = _differences(variants, i, j, other, every)
        if distance > limit:
            continue
        for band in range(last + (other < turn)):
            if _differences(variants, i, j, other, bands[band]) <= np.uint64(radii[band]):
                return -1
        least = min(least, distance)
    return int(least)


@compiled
def scan_classes(  # noqa: C901  a compiled loop, with a state that it can go on from
    side: Any,
    masks: Any,
    max_distance: int,
    variants: Any,
    bands: Any,
    radii: Any,
    product: Any,
    inverse: Any,
    x0: int,
    step: int,
    y0: int,
    end: int,
    a: Any,
    b: Any,
    distances: Any,
) -> tuple[int, int, int, int]:
    """Compare the items from `x0` to `end` with the items of all classes that their keys lead to.

    Works as `kernels.scan_buckets`; a step is a mask and a turn.
    """
    limit = np.uint64(max_distance)
    every = np.full(variants.shape[2], ~np.uint64(0))
    turns = variants.shape[1]
    found = 0
    while x0 < end:
        own = side.classes[x0]
        x1 = min(end, side.starts[own + 1], x0 + RUN)
        while step < len(masks) * turns:
            key = side.first[own] ^ masks[step // turns]
            other = side.number[key]
            turn = step % turns
            rest = side.ways[key] >> turn
            # A class before is compared when it is `own`.
            if other < own or not rest or side.starts[other] == side.starts[other + 1]:
                step += turns - turn
                continue
            while not rest & 1:
                rest >>= 1
                turn += 1
                step += 1
            if y0 < 0:
                y0 = side.starts[other]
            while y0 < side.starts[other + 1]:
                y1 = min(side.starts[other + 1], y0 + TILE)
                if found + (x1 - x0) * (y1 - y0) > len(a):
                    return found, x0, step, y0
                for x in range(x0, x1):
                    start = max(y0, x + 1) if other == own else y0
                    pose = product[turn, side.poses[x]]
                    code = side.folded[x, pose]
                    least = np.uint64(64)
                    for y in range(start, y1):
                        least = min(least, ones(side.screen[y] ^ code))
                    if least > limit:
                        continue
                    for y in range(start, y1):
                        if ones(side.screen[y] ^ code) > limit:
                            continue
                        i, j = side.order[x], side.order[y]
                        met = product[inverse[pose], side.poses[y]]
                        distance = _least(variants, i, j, met, limit, bands, radii, every)
                        if distance >= 0:
                            a[found] = i
                            b[found] = j
                            distances[found] = distance
                            found += 1
                y0 = y1
            y0 = -1
            step += 1
        step = 0
        x0 = x1
    return found, x0, 0, -1
