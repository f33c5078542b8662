"""Measure joins: all pairs of near hashes, beside peers and beside brute force.

    python benchmarks/joins.py FOLDER [--rows N …] [--slow] [--dry]

FOLDER holds photos: the hashes called *real* are those of seeded edits of them. Trees and indexes
are built beforehand. Peers that are not installed are left out: `pip install --group bench`
installs them, and imagededup gets an environment of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, Kind, Skewed, Uniform, as_bytes
from method import LONG
from peers import IMAGEDEDUP, python_of
from results import Page, ratio, table
from runs import MILLION, Run, hash_options
from timing import last_json, output, program, timed

from hashlens.neighbors import connected, pairs, unpack
from hashlens.parallel.process import processors

COMMAND = "python benchmarks/joins.py FOLDER"
LIMITS = (4, 8)  # bits
SOME = 100_000  # rows from which faiss is extrapolated
SAMPLE = 500  # queries of imagededup, which would take minutes for all
NEIGHBOURS_CHECKED = 200  # rows whose neighbours are counted by brute force
WARM_UP = 40_000  # rows that load numba


@dataclass
class Joined:
    """What a join took and found.

    seconds: 0 if it could not be measured
    pairs: None if they were not counted
    note: why, or how it was measured
    """

    seconds: float
    pairs: int | None
    note: str = ""


Join = Callable[[Codes, int], Joined]


# Ways to join


def repeated(way: Callable[[], int]) -> Joined:
    """Return the median of three calls after a first call, or the first if it takes long."""
    times: list[float] = []
    found = 0
    while len(times) < 4 and sum(times) < 4 * LONG:
        seconds, found = timed(way)
        times.append(seconds)
    return Joined(statistics.median(times[1:] or times), found)


def by_components(codes: Codes, limit: int) -> Joined:
    """Join by hashlens, to connected components."""
    return repeated(lambda: connected(codes, limit).pairs)


def by_pairs(codes: Codes, limit: int) -> Joined:
    """Join by hashlens, to all pairs; they are counted, not kept."""
    return repeated(lambda: sum(len(block.a) for block in pairs(codes, limit)))


def on_one_core(codes: Codes, limit: int) -> Joined:
    """Join by hashlens on one core."""
    found = in_fresh_process(codes, limit, calls=3, cores=1)
    return Joined(statistics.median(found["times"][1:]), found["pairs"])


def in_fresh_process(
    codes: Codes, limit: int, *, calls: int = 1, cores: int = 0, warm_up: int = 0, **more: str
) -> dict[str, Any]:
    """Join in a process of its own, on `cores` (0: all); `more` is added to its environment."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "codes.npy"
        np.save(path, codes)
        command = program("join_codes", path, limit, calls, cores, warm_up)
        found: dict[str, Any] = last_json(output(command, {**os.environ, **more}))
    return found


def by_faiss(cores: int) -> Join:
    """Return the join by faiss: one range search of all codes."""

    def join(codes: Codes, limit: int) -> Joined:
        import faiss

        rows = as_bytes(codes)
        index = faiss.IndexBinaryFlat(64)
        index.add(rows)
        faiss.omp_set_num_threads(cores)
        try:
            # Its radius is exclusive. Each pair comes twice, and each row with itself.
            return repeated(lambda: (len(index.range_search(rows, limit + 1)[1]) - len(rows)) // 2)
        finally:
            faiss.omp_set_num_threads(1)

    return join


def by_pybktree(codes: Codes, limit: int) -> Joined:
    """Join by the BK-tree of pybktree."""
    import pybktree

    numbers = codes.tolist()
    tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), numbers)
    seconds, found = timed(lambda: sum(len(tree.find(number, limit)) for number in numbers))
    return Joined(seconds, (found - len(numbers)) // 2)


def by_tree(codes: Codes, limit: int) -> Joined:
    """Join by the k-d tree of scipy, on bits."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.unpackbits(as_bytes(codes), axis=1))
    return repeated(lambda: len(tree.query_pairs(limit + 0.5, p=1, output_type="ndarray")))


def by_imagededup(method: str) -> Join:
    """Return the join by a search of imagededup, in its own environment."""

    def join(codes: Codes, limit: int) -> Joined:
        python, reason = python_of(IMAGEDEDUP)
        if python is None:
            raise ImportError(reason, name=IMAGEDEDUP.name)
        size = min(SAMPLE, len(codes))
        sample = np.random.default_rng(0).choice(len(codes), size, replace=False)
        with tempfile.TemporaryDirectory() as home:
            path = Path(home) / "codes.json"
            path.write_text(json.dumps([unpack(codes, 16), sample.tolist()]))
            try:
                printed = output(program("imagededup_search", path, method, limit, python=python))
            except subprocess.CalledProcessError as error:
                return Joined(0, None, f"fails: {error.stderr.strip().splitlines()[-1]}")
        seconds, found = last_json(printed)
        expected = sum(int((np.bitwise_count(codes ^ codes[row]) <= limit).sum()) for row in sample)
        verdict = "as many as by brute force" if found == expected else f"brute force: {expected:,}"
        note = f"{size:,} of the queries, {found:,} hits, {verdict}"
        return Joined(seconds * len(codes) / size, None, note)

    return join


# Each with the most rows that it joins here.
JOINS: dict[str, tuple[Join, int]] = {
    "hashlens `connected`": (by_components, MILLION),
    "hashlens `pairs`, counted": (by_pairs, MILLION),
    "hashlens `connected`, one core": (on_one_core, MILLION),
    "faiss range_search, one thread": (by_faiss(1), SOME),
    "faiss range_search, all cores": (by_faiss(processors()), SOME),
    "scipy cKDTree.query_pairs, bits": (by_tree, 10_000),
    "pybktree": (by_pybktree, 10_000),
    "imagededup BKTree": (by_imagededup("BKTree"), 10_000),
    "imagededup BruteForceCython": (by_imagededup("BruteForceCython"), 10_000),
}
OURS, OURS_ONE_CORE = "hashlens `connected`", "hashlens `connected`, one core"
FAISS_ALL = "faiss range_search, all cores"


# Side by side


def joins(run: Run, kind: Kind, slow: bool) -> None:
    """Measure joins of hashes with themselves."""
    about = (
        f"{kind.about} Seconds to find all pairs at most t bits apart, {processors()} cores; "
        "trees and indexes were built before. x: times as long as `connected` takes: on all "
        "cores beside what uses all, else on one. Where a number of pairs is given, it was "
        "counted by the method itself; besides, the neighbours of 200 rows in `pairs` are as "
        "many as by brute force. ~: extrapolated, in proportion to the queries, or to "
        "the square of the rows."
    )
    lines = []
    short = ""
    for count in run.rows:
        codes = kind.codes(count)
        for limit in LIMITS:
            found = joined(codes, limit, slow)
            check_sample(codes, limit)
            lines += [[f"{count:,}", limit, *cells] for cells in described(found)]
            short = in_short(count, limit, found)
    head = ["rows", "t", "", "s", "x", "pairs"]
    run.page.publish(kind.name.capitalize(), f"{about}\n\n{table(head, lines)}", short)


def joined(codes: Codes, limit: int, slow: bool) -> dict[str, Joined]:
    """Join codes in all ways that are not too slow for them; `slow`: by faiss in any case."""
    done: dict[str, Joined] = {}
    for name, (join, most) in JOINS.items():
        if len(codes) > most and not (slow and name == FAISS_ALL):
            continue
        try:
            done[name] = join(codes, limit)
        except ImportError as error:
            done[name] = Joined(0, None, f"not installed: {error.name}")
    if FAISS_ALL not in done:
        try:
            some = JOINS[FAISS_ALL][0](codes[:SOME], limit)
        except ImportError:
            return done
        factor = (len(codes) / SOME) ** 2
        done[FAISS_ALL] = Joined(some.seconds * factor, None, f"from the first {SOME:,} rows")
    return done


def beside_ours(name: str, done: dict[str, Joined]) -> str:
    """Return the ratio of a way to ours on as many cores, or nothing if it was not measured."""
    all_cores = name.startswith("hashlens") or "all cores" in name
    base = done[OURS if all_cores else OURS_ONE_CORE]
    each = done[name]
    return mark_of(each) + ratio(each.seconds, base.seconds) if each.seconds else ""


def mark_of(each: Joined) -> str:
    """Return the mark of extrapolated seconds."""
    return "~" if each.note else ""


def described(done: dict[str, Joined]) -> Iterator[Sequence[str]]:
    """Yield name, seconds, ratio and pairs of each way; pairs are marked if the ways differ."""
    counts = {each.pairs for each in done.values() if each.pairs is not None}
    for name, each in done.items():
        found = f"{each.pairs:,}" if each.pairs is not None else each.note
        found += " **differs**" if each.pairs is not None and len(counts) > 1 else ""
        seconds = f"{mark_of(each)}{each.seconds:.3g}" if each.seconds else ""
        yield name, seconds, beside_ours(name, done), found


def in_short(count: int, limit: int, done: dict[str, Joined]) -> str:
    """Return the seconds of ours, and the ratio of faiss."""
    faiss = f"; {FAISS_ALL} {beside_ours(FAISS_ALL, done)}" if FAISS_ALL in done else ""
    return f"{count:,} rows, {limit} bits, hashlens {done[OURS].seconds:.3g} s{faiss}"


def check_sample(codes: Codes, limit: int) -> None:
    """Raise unless `pairs` finds as many neighbours of some rows as brute force."""
    size = min(NEIGHBOURS_CHECKED, len(codes))
    sample = np.random.default_rng(0).choice(len(codes), size, replace=False)
    degrees = np.zeros(len(codes), np.int64)
    chosen = np.zeros(len(codes), bool)
    chosen[sample] = True
    for block in pairs(codes, limit):
        for rows in (block.a, block.b):
            np.add.at(degrees, rows[chosen[rows]], 1)
    for row in sample:
        near = np.bitwise_count(codes ^ codes[row]) <= limit
        assert degrees[row] == near.sum() - 1, (row, degrees[row], near.sum() - 1)


# First calls


def first_joins(run: Run) -> None:
    """Measure first calls and the memory of a join, each in a fresh process."""
    count = max(run.rows)
    lines = [
        first_join(size, limit)
        for size, limits in ((count, LIMITS), (10 * count, LIMITS[:1]))
        for limit in limits
    ]
    about = (
        "Fresh processes, uniform hashes, `connected`. *Compiled anew*: with an empty cache of "
        "numba's; *compiled before*: the first call of a process, numba imported in it. Memory: "
        "the most on top of the codes and of numba, which a join of 40,000 had loaded before."
    )
    head = ["rows", "t", "compiled anew, s", "compiled before, s", "warm, s", "memory, MB", "pairs"]
    run.page.publish(
        "First call, memory, 10 times as many",
        f"{about}\n\n{table(head, lines)}",
        f"{lines[-1][0]} rows, {lines[-1][1]} bits: {lines[-1][4]} s, {lines[-1][5]} MB",
    )


def first_join(size: int, limit: int) -> Sequence[str]:
    """Return the row of a number of codes."""
    codes = Uniform().codes(size)
    join = partial(in_fresh_process, codes, limit)
    with tempfile.TemporaryDirectory() as cache:
        compiled = join(NUMBA_CACHE_DIR=cache)
    # This call fills the cache as well, for the next.
    memory = join(warm_up=WARM_UP)
    again = join(calls=3)
    assert compiled["pairs"] == again["pairs"] == memory["pairs"]
    first, *warm = again["times"]
    return (
        f"{size:,}",
        str(limit),
        f"{compiled['times'][0]:.2f}",
        f"{first:.2f}",
        f"{statistics.median(warm):.2f}",
        f"{memory['memory'] / 1e6:,.0f}",
        f"{again['pairs']:,}",
    )


def main() -> None:
    """Run all."""
    parser = hash_options(__doc__)
    parser.add_argument("--slow", action="store_true", help="join all rows by faiss as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = Run.of(asked, Path(name), Page("joins", COMMAND, asked.dry))
        run.real  # noqa: B018  hashed by processes, which are forked before threads start
        for kind in (Uniform(), Skewed(32), run.real):
            joins(run, kind, asked.slow)
        first_joins(run)


if __name__ == "__main__":
    main()
