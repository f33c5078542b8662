"""Measure groups: from a saved index to keepers with reasons, and beside imagededup.

    python benchmarks/groups.py FOLDER [--rows N …] [--rounds N] [--only PART …] [--dry]

FOLDER holds photos: the hashes called *real* are those of seeded edits of them. Each measurement is
a process of its own, and ways that are compared take turns. imagededup has an environment of its
own, made if needed. With `--scratch`, hashes and indexes are kept in a folder and reused.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, Families, Real
from groups_indexes import FLAT, LIMIT, Files, grouped, grouped_by_command
from groups_looked import looked
from groups_peers import peers
from peers import HOME
from results import Page, load, table, verdict
from runs import MILLION, Run, hash_options
from timing import Usage, in_turns, once

from hashlens.neighbors import connected

COMMAND = "python benchmarks/groups.py FOLDER"
LINKAGES = ("complete", "connected")
MAX_SECONDS, MAX_TABLE, MAX_BYTES = 8.0, 2.0, 1.5e9  # the targets for a million rows
KINDS = (Families.name, Real.name)
CHECKED = 2_000  # groups whose pairs are all measured
HEAD = (
    *("hashes", "rows", "linkage", "groups", "images in them", "process s", "CPU s", "open"),
    *("table", "link", "make", "MB", "CLI s", "CLI MB", "load"),
)


@dataclass(frozen=True)
class Turns:
    """What processes used that grouped the same images in the same way.

    load: load of the machine before
    calls: processes that call `index.groups`
    command: processes of the command line
    """

    load: str
    calls: list[Usage]
    command: list[Usage]

    @property
    def seconds(self) -> float:
        """Return the median seconds of a process."""
        return statistics.median(each.seconds for each in self.calls)

    @property
    def cpu(self) -> float:
        """Return the median processor seconds."""
        return statistics.median(each.cpu for each in self.calls)

    @property
    def table(self) -> float:
        """Return the median seconds that reading the rows took."""
        return statistics.median(each.answer["steps"][2] for each in self.calls)

    @property
    def memory(self) -> int:
        """Return the peak memory of all processes, bytes."""
        return max(each.memory for each in self.calls)

    def cells(self) -> tuple[str, ...]:
        """Return the cells of a row."""
        first = self.calls[0].answer
        steps = zip(*(each.answer["steps"] for each in self.calls), strict=True)
        imports, opened, *rest = map(statistics.median, steps)
        times = (self.seconds, self.cpu, imports + opened, *rest)
        command = statistics.median(each.seconds for each in self.command)
        command_memory = max(each.memory for each in self.command)
        return (
            *(f"{first['groups']:,}", f"{first['members']:,}"),
            *(f"{each:.3g}" for each in times),
            *(f"{self.memory / 1e6:,.0f}", f"{command:.3g}"),
            *(f"{command_memory / 1e6:,.0f}", self.load),
        )

    def target(self) -> str:
        """Say whether the targets for a million rows were met."""
        return (
            f"Target, {MILLION:,} hashes of families, complete linkage, the whole process: at most "
            f"{MAX_SECONDS:.0f} s, {verdict(self.seconds <= MAX_SECONDS)} with "
            f"{self.seconds:.1f} s ({self.seconds / MAX_SECONDS:.2f} of it; {self.cpu:.1f} s of "
            f"processors); to read the rows at most {MAX_TABLE:.0f} s, "
            f"{verdict(self.table <= MAX_TABLE)} with {self.table:.1f} s; at most "
            f"{MAX_BYTES / 1e9} GB, {verdict(self.memory <= MAX_BYTES)} with "
            f"{self.memory / 1e9:.2f} GB ({self.memory / MAX_BYTES:.2f} of it)."
        )


def whole(run: Run, names: Sequence[str]) -> None:
    """Measure groups from a saved index."""
    kinds = [kind for kind in (Families(), run.real) if kind.name in names]
    about = (
        f"{' '.join(kind.about.partition(' The queries')[0] for kind in kinds)} "
        f"Rows have all columns of a photo, in the order of their paths; one of {FLAT} is flat, "
        "and in no group. One of three has EXIF, as a camera's file. Each has an empty file, which "
        "is looked for; in groups without EXIF and of several sizes, it is opened. "
        "Fresh processes open the saved index (SQLite, file cache warm), call "
        f"`index.groups({LIMIT})` and go through all groups with keepers and reasons: "
        f"{run.rounds} of each, in turn, medians. *Process* is all of it, start included, *CPU* "
        "the seconds of all cores; of it *open* is imports and opening, *table* reading the rows, "
        "*link* linking and looking for files, *make* making groups. MB: the most that a process "
        f"had. *CLI* is `hashlens groups --max-distance {LIMIT} --format json` as a process. "
        "Checked: all groups have a keeper with a reason, the CLI has as many; the images of a "
        f"group are at most so many bits apart (complete: all pairs of {CHECKED:,} groups "
        "measured), or groups are the "
        "components (connected). Load: that of the machine, before."
    )
    lines = []
    target = short = ""
    for kind in kinds:
        for count in run.rows:
            for linkage, turns in take_turns(run, kind, count).items():
                line = (kind.name, f"{count:,}", linkage, *turns.cells())
                print(*line, sep=" | ", flush=True)
                lines.append(line)
                if (kind.name, linkage) == (Families.name, "complete"):
                    short = f"{count:,} rows: {turns.seconds:.3g} s, {turns.memory / 1e9:.2f} GB"
                    if count == MILLION:
                        target = f"{turns.target()}\n\n"
    run.page.publish("From a saved index", f"{target}{about}\n\n{table(HEAD, lines)}", short)


def take_turns(run: Run, kind: Families | Real, count: int) -> dict[str, Turns]:
    """Group the same images in all ways, in turns."""
    files = Files(run.scratch, kind, count)
    index, codes = files.index, np.load(files.codes)
    known = {linkage: checked(index, codes, linkage) for linkage in LINKAGES}
    before = load()
    ways: dict[str, Callable[[int], Usage]] = {}
    for linkage in LINKAGES:
        ways[linkage] = once(partial(grouped, index, linkage))
        ways[f"{linkage}, command"] = once(partial(grouped_by_command, index, linkage))
    found = in_turns(ways, run.rounds)
    turns = {
        linkage: Turns(before, found[linkage], found[f"{linkage}, command"]) for linkage in LINKAGES
    }
    for linkage, each in turns.items():
        assert {ran.answer for ran in each.command} == {known[linkage]["groups"]}, known[linkage]
    return turns


def checked(index: Path, codes: Codes, linkage: str) -> dict[str, Any]:
    """Return what `group_index` printed; raise unless the groups are right."""
    found: dict[str, Any] = grouped(index, linkage, CHECKED).answer
    assert found["reasons"] == found["groups"], found
    if linkage == "complete":
        assert found["widest"] <= LIMIT, found
    else:
        not_flat = codes[np.arange(len(codes)) % FLAT > 0]
        sizes = np.bincount(connected(not_flat, LIMIT).labels)
        assert (sizes > 1).sum() == found["groups"], found
        assert sizes[sizes > 1].sum() == found["members"], found
    return found


PARTS = ("whole", "looked", "peers")


def main() -> None:
    """Run all parts, or some."""
    parser = hash_options(__doc__, rounds=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of hashes")
    parser.add_argument("--scratch", type=Path, help="a folder that keeps hashes and indexes")
    parser.add_argument("--home", type=Path, default=HOME, help="the environments of peers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = asked.scratch or Path(name)
        scratch.mkdir(parents=True, exist_ok=True)
        run = Run.of(asked, scratch, Page("groups", COMMAND, asked.dry))
        run.real  # noqa: B018  hashed by processes, which are forked before threads start
        if "whole" in asked.only:
            whole(run, asked.kinds)
        if "looked" in asked.only:
            looked(run)
        if "peers" in asked.only:
            peers(run, asked.home)


if __name__ == "__main__":
    main()
