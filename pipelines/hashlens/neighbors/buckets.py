"""The bucket join: all pairs of near codes, with far fewer comparisons than there are pairs.

Codes that differ in few bits agree, or nearly so, in one of several disjoint bands of their bits
(multi-index hashing: Norouzi, Punjani, Fleet 2012). Each band has its own radius: no pair is missed
if the sum of all (radius + 1) is the distance + 1 (general pigeonhole principle: Qin et al., GPH,
2018). So in each band a code leads to few buckets of other codes, and only these are compared. A
single band of no bits has a single bucket: that is brute force.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from hashlens.neighbors.bands import Band, JoinPlan, bucket_sizes, keys, masks_within
from hashlens.neighbors.codes import Codes, Hits, Ints, fold
from hashlens.neighbors.kernels import RUN, TILE, Side, counting_sort, scan_buckets
from hashlens.parallel.process import processors

TASK = 10_000_000  # comparisons of a task: some milliseconds of a thread
ROOM = 2 * RUN * TILE  # pairs that a task finds before it hands them over


def close_pairs(
    first: Codes,
    second: Codes | None,
    max_distance: int,
    plan: JoinPlan,
    max_bucket: int | None = None,
) -> Iterator[Hits]:
    """Yield all pairs of codes within a distance, in blocks: both numbers, and the distance.

    Takes the arguments of `bands.plan`, and its result.
    """
    prepare = partial(_prepared, first, second, plan.bands, max_bucket)
    pool = ThreadPoolExecutor(processors())
    try:
        ready = pool.submit(prepare, 0)
        for number, band in enumerate(plan.bands):
            sides = ready.result()
            if number + 1 < len(plan.bands):
                ready = pool.submit(prepare, number + 1)
            task = partial(
                _task,
                *sides,
                second is None,
                masks_within(band.width, band.radius),
                max_distance,
                np.array(plan.bands[:number], np.int64).reshape(number, 4),
            )
            yield from in_parts(pool, task, _parts(sides[0], sides[1], band))
    finally:
        pool.shutdown(cancel_futures=True)


def in_parts(
    pool: ThreadPoolExecutor, task: Callable[..., Any], parts: Sequence[int]
) -> Iterator[Hits]:
    """Yield the pairs that tasks find, a task for each part.

    A task whose room is full ends, and another task continues it.
    """
    todo = deque((start, 0, -1, end) for start, end in pairwise(parts))
    running: deque[Future[Any]] = deque()
    while todo or running:
        while todo and len(running) < 2 * processors():
            running.append(pool.submit(task, *todo.popleft()))
        hits, rest = running.popleft().result()
        if rest:
            todo.appendleft(rest)
        if len(hits[0]):
            yield hits


def _task(
    first: Side,
    second: Side,
    same: bool,
    masks: Ints,
    limit: int,
    earlier: Ints,
    position: int,
    mask: int,
    start: int,
    end: int,
) -> tuple[Hits, tuple[int, int, int, int] | None]:
    """Scan from a position to an end; return pairs, and the rest of the task, if there is any."""
    a, b = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    distance = np.empty(ROOM, np.uint16)
    found, *place = scan_buckets(
        first, second, same, masks, limit, earlier, position, mask, start, end, a, b, distance
    )
    hits = a[:found].copy(), b[:found].copy(), distance[:found].copy()
    return hits, (*place, end) if place[0] < end else None


def _prepared(
    first: Codes,
    second: Codes | None,
    bands: Sequence[Band],
    max_bucket: int | None,
    number: int,
) -> tuple[Side, Side]:
    """Return both sides in the order of a band's keys."""
    one = _side(first, bands, max_bucket, number)
    return one, one if second is None else _side(second, bands, max_bucket, number)


def _side(codes: Codes, bands: Sequence[Band], max_bucket: int | None, number: int) -> Side:
    """Return codes in the order of their keys in a band, without those in too full buckets."""
    band = bands[number]
    left = np.empty(0, np.uint64)
    order, starts = counting_sort(keys(codes, band), 1 << band.width)
    if max_bucket is not None and band.width:
        left = _left_out(codes, bands, max_bucket)
        kept = np.flatnonzero(left >> np.uint64(number) & np.uint64(1) == 0)
        order, starts = counting_sort(keys(codes[:, kept], band), 1 << band.width)
        order = kept[order]
        left = left[order]
    codes = codes.take(order, axis=1)
    return Side(fold(codes), codes, order, keys(codes, band), starts, left)


def _left_out(codes: Codes, bands: Sequence[Band], max_bucket: int) -> Codes:
    """Return a mask for each code: bit n is set if its bucket in band n is too full."""
    left = np.zeros(codes.shape[1], np.uint64)
    for number, band in enumerate(bands):
        full = bucket_sizes(codes, band) > max_bucket
        left |= full[keys(codes, band)].astype(np.uint64) << np.uint64(number)
    return left


def _parts(first: Side, second: Side, band: Band) -> Sequence[int]:
    """Return the positions that divide the codes into tasks of about the same length."""
    count = len(first.order)
    compared = (
        count * len(second.order) * len(masks_within(band.width, band.radius)) / 2**band.width
    )
    tasks = max(1, min(count // RUN, int(compared / TASK) + 4 * processors()))
    return [count * number // tasks for number in range(tasks + 1)]
