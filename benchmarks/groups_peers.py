"""Measure groups beside the duplicates that imagededup finds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, Families, Real
from groups_indexes import LIMIT, Files, grouped
from peers import IMAGEDEDUP, python_of
from results import load, ratio, table, verdict
from runs import Run
from timing import in_turns, program, seconds_of, usage

from hashlens import ImageIndex
from hashlens.grouping.linkage import link
from hashlens.neighbors import pairs, unpack
from hashlens.parallel.process import processors

TITLE = "Beside imagededup"
MIN_RATIO = 20.0  # the target
METHODS = ("brute_force_cython", "bktree", "brute_force")
TURN = 100 * processors()  # queries that imagededup hands to its processes at a time
MAX_SECONDS = 600.0  # a method that takes longer is not run with all queries
REPEATED_ROWS = 10_000  # with more rows, imagededup has one turn
MAX_ROWS = 100_000
HEAD = ("hashes", "rows", "imagededup", "s", "pairs", "hashlens", "s", "x", "load")


@dataclass(frozen=True)
class Rival:
    """imagededup, and hashes.

    python: the interpreter of its environment
    """

    python: Path
    codes: Codes
    scratch: Path

    @cached_property
    def expected(self) -> Codes:
        """Return row, other row and distance of all pairs, both ways, sorted, by hashlens."""
        blocks = [np.stack(block, axis=1) for block in pairs(self.codes, LIMIT)]
        one_way = np.concatenate([np.empty((0, 3), np.int64), *blocks])
        return ordered(np.concatenate([one_way, one_way[:, [1, 0, 2]]]))

    def find(self, method: str, asked: int = 0) -> float:
        """Return the seconds of a search; raises unless it finds the pairs that are expected.

        asked: number of the queries, 0 for all
        """
        source, target = self.scratch / "codes.json", self.scratch / "found.npy"
        source.write_text(json.dumps(unpack(self.codes, 16)))
        arguments = (source, target, method, LIMIT, asked)
        ran = usage(program("imagededup_duplicates", *arguments, python=self.python))
        seconds, queries = ran.answer
        expected = self.expected
        if asked:
            expected = expected[np.isin(expected[:, 0], queries)]
        found = ordered(np.load(target))
        assert np.array_equal(found, expected), (method, len(found), len(expected))
        return float(seconds)

    def estimate(self, method: str) -> float:
        """Return how long a method would take for all queries, from two samples."""
        once, twice = self.find(method, TURN), self.find(method, 2 * TURN)
        return once + (len(self.codes) / TURN - 1) * max(0.0, twice - once)


def ordered(found: Codes) -> Codes:
    """Sort rows of numbers."""
    return found[np.lexsort(found.T[::-1])]


@dataclass(frozen=True)
class Ours:
    """hashlens, and the same hashes in files."""

    codes: Path
    index: Path

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each way that is measured."""
        codes = np.load(self.codes)
        first = grouped(self.index).answer["steps"]
        return {
            "`link`": warm(lambda: link(codes, LIMIT)),
            "`link`, first call": usage(program("link_codes", self.codes, LIMIT)).answer,
            "`index.groups`": self.groups(),
            "`index.groups`, first call": sum(first[2:]),
        }

    def groups(self) -> float:
        """Return the seconds of a call in a warm process, to the last group."""
        with ImageIndex.open(self.index, create=False) as index:
            return warm(lambda: list(index.groups(LIMIT)))


def warm(call: Callable[[], Any]) -> float:
    """Return the median seconds of three calls after a first call."""
    return statistics.median(in_turns({"": seconds_of(call)}, 3, warm_up=1)[""])


@dataclass
class Beside:
    """The seconds of imagededup and of hashlens, turn by turn."""

    seconds: list[float] = field(default_factory=list)
    ours: list[dict[str, float]] = field(default_factory=list)

    def ratios(self) -> dict[str, float]:
        """Return for each way of hashlens the median ratio of imagededup's seconds to its own."""
        return {
            way: statistics.median(
                seconds / ours[way] for seconds, ours in zip(self.seconds, self.ours, strict=True)
            )
            for way in self.ours[0]
        }


def peers(run: Run, home: Path) -> None:
    """Measure groups beside the duplicates of imagededup, whose environment is in `home`."""
    python, reason = python_of(IMAGEDEDUP, home)
    if python is None:
        run.page.publish(TITLE, f"imagededup {reason}.")
        return
    about = (
        f"imagededup's `find_duplicates(encoding_map=…, max_distance_threshold={LIMIT}, "
        "scores=True, search_method=…)` by the method that is the fastest at a size, on all "
        "cores; its imports and the start of its process are not counted. *~*: estimated from "
        f"{TURN:,} and {2 * TURN:,} of the queries, as those in brackets. Of hashlens: `link` of "
        "packed codes, and `index.groups`, reading the rows from SQLite, to the last group with "
        "keeper and reason; in a warm process, and as the *first call* of one (for `link` with all "
        f"imports). {run.rounds} turns at {REPEATED_ROWS:,} hashes, one at more; medians, and "
        "medians of the ratios. "
        "*x*: times as long as hashlens takes. Pairs: what imagededup found, with distances, is "
        "what `hashlens.neighbors.pairs` finds. Load: that of the machine, before."
    )
    lines = []
    lowest = float("inf")
    for kind in (Families(), run.real):
        for count in (rows for rows in run.rows if rows <= MAX_ROWS):
            for line, times in beside(run, python, kind, count):
                lines.append(line)
                lowest = min(lowest, times)
                print(*line, sep=" | ", flush=True)
    target = (
        f"Target: imagededup takes at least {MIN_RATIO:.0f} times as long as any way of "
        f"hashlens. {verdict(lowest >= MIN_RATIO)}: {lowest:,.1f} times at least."
    )
    run.page.publish(
        TITLE,
        f"{target} {about}\n\n{table(HEAD, lines)}",
        f"imagededup {lowest:,.1f} x at least",
    )


def beside(
    run: Run, python: Path, kind: Families | Real, count: int
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield a row of the table for each way of hashlens, and the ratio in it."""
    files = Files(run.scratch, kind, count)
    peer = Rival(python, np.load(files.codes), run.scratch)
    ours = Ours(files.codes, files.index)
    before = load()
    estimates = {method: peer.estimate(method) for method in METHODS}
    print(kind.name, count, estimates, flush=True)
    method = min(estimates, key=lambda each: estimates[each])
    runs_whole = estimates[method] < MAX_SECONDS
    found = Beside()
    for _ in range(run.rounds if count <= REPEATED_ROWS else 1):
        found.ours.append(ours.seconds())
        found.seconds.append(peer.find(method) if runs_whole else estimates[method])
    mark = "" if runs_whole else "~"
    others = ", ".join(f"{each} ~{estimates[each]:,.0f}" for each in METHODS if each != method)
    start = (
        *(kind.name, f"{count:,}", f"{method} ({others} s)"),
        *(f"{mark}{statistics.median(found.seconds):,.1f}", f"{len(peer.expected) // 2:,}"),
    )
    for way, times in found.ratios().items():
        seconds = statistics.median(each[way] for each in found.ours)
        yield (*start, way, f"{seconds:.3g}", f"{mark}{ratio(times, 1)}", before), times
