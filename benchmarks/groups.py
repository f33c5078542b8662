"""Measure groups: from a saved index to keepers with reasons, and beside imagededup.

    python benchmarks/groups.py FOLDER [--rows N …] [--rounds N] [--only PART …] [--dry]

FOLDER holds photos: the hashes called *real* are those of seeded edits of them. Each measurement is
a process of its own, and those that are compared take turns. imagededup has an environment of its
own, made if need be. With `--scratch`, hashes and indexes are kept there, and taken from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it

import numpy as np
from peers import PEERS, python_of
from results import printed, record
from search import HASHLENS, HOME, PYTHON, Codes, Real, any_codes, flipped

from hashlens import ImageIndex
from hashlens.grouping.linkage import link
from hashlens.index.directory import DOCUMENTS
from hashlens.model import LOW_INFORMATION
from hashlens.neighbors import connected, pairs, unpack
from hashlens.parallel.process import processors

COMMAND = "python benchmarks/groups.py FOLDER"
LIMIT = 8
LINKAGES = ("complete", "connected")
MOST_SECONDS, MOST_BYTES, LEAST_RATIO = 15.0, 1.5e9, 20.0  # what is aimed at
MILLION = 1_000_000
FLAT = 500  # one row of so many is a flat picture
BATCH = 100_000  # rows that are written at once
WHOLE = 600.0  # seconds: what takes longer is not run with all queries
TURN = 100 * processors()  # queries that imagededup hands to its processes at a time
METHODS = ("brute_force_cython", "bktree", "brute_force")
SMALL = 10_000  # rows for which imagededup is run again and again
MOST_OF_PEER = 100_000
MOST_CHECKED = 2_000  # groups of which all pairs are measured

# Starts a program from a small process: the peak of a child counts what it was forked from.
LAUNCH = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as out:
    began = time.perf_counter()
    code = subprocess.run(sys.argv[2:], stdout=out).returncode
    seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
most = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([code, seconds, used.ru_utime + used.ru_stime, most]))
"""

# Opens an index, groups, and goes through all groups; with a number, so many groups are checked.
GROUPS = """
import json, sys, time
began = time.perf_counter()
from hashlens import ImageIndex
times = [time.perf_counter()]
with ImageIndex.open(sys.argv[1], create=False) as index:
    times.append(time.perf_counter())
    found = index.groups(int(sys.argv[2]), linkage=sys.argv[3])
    times.append(time.perf_counter())
    count = len(found)
    times.append(time.perf_counter())
    reasons = members = 0
    for group in found:
        reasons += bool(group.keeper.path and group.reason)
        members += len(group.members)
    times.append(time.perf_counter())
steps = [after - before for before, after in zip([began, *times], times)]
told = {"groups": count, "members": members, "reasons": reasons, "steps": steps}
if checked := int(sys.argv[4]):
    every = [[int(member.fingerprint, 16) for member in group.members] for group in found]
    small = [codes for codes in every if len(codes) <= 100][:: max(1, count // checked)]
    widest = max((a ^ b).bit_count() for codes in small for a in codes for b in codes)
    told["widest"] = max(widest, *(group.diameter for group in found))
print(json.dumps(told))
"""

# The first call of a process, with all that it imports.
LINKING = """
import json, sys, time
import numpy as np
codes = np.load(sys.argv[1])
began = time.perf_counter()
from hashlens.grouping.linkage import link
labels = link(codes, int(sys.argv[2]))
print(json.dumps(time.perf_counter() - began))
"""

# imagededup's own search; with a number, only so many of the queries are asked. Pairs go to a file.
DUPLICATES = """
import json, logging, random, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.INFO)
import numpy as np
from imagededup.handlers.search.retrieval import HashEval
from imagededup.methods import PHash
source, target, method, limit, asked = *sys.argv[1:4], *map(int, sys.argv[4:6])
texts = json.load(open(source))
hashes = {str(row): text for row, text in enumerate(texts)}
chosen = sorted(random.Random(0).sample(range(len(texts)), asked or len(texts)))
hasher = PHash(verbose=False)
began = time.perf_counter()
if asked:
    some = {str(row): texts[row] for row in chosen}
    found = HashEval(hashes, some, hasher.hamming_distance, False, limit, method)
    found = found.retrieve_results(scores=True)
else:
    found = hasher.find_duplicates(
        encoding_map=hashes, max_distance_threshold=limit, scores=True, search_method=method
    )
seconds = time.perf_counter() - began
listed = [(int(row), int(other), away) for row, near in found.items() for other, away in near]
np.save(target, np.array(listed, np.int64).reshape(-1, 3))
print(json.dumps([seconds, chosen]))
"""


# Hashes and indexes


@dataclass(frozen=True)
class Families:
    """Unrelated hashes, and near copies of some of them."""

    name = "families"
    about = (
        "*Families*: 60 % of the hashes are random, and 40 % were made of a third of those by "
        "flipping 0 to 5 bits."
    )

    def codes(self, count: int) -> Codes:
        """Return so many hashes."""
        rng = np.random.default_rng(count)
        unrelated = any_codes(count * 6 // 10, rng)
        parents = rng.choice(unrelated[: count // 5], count - len(unrelated))
        return rng.permutation(np.concatenate([unrelated, flipped(parents, 5, rng)]))


@dataclass
class Run:
    """What was asked for, and what several parts share."""

    folder: Path
    rows: list[int]
    rounds: int
    images: int
    scratch: Path
    home: Path
    publish: Callable[[str, str, str], None]

    @cached_property
    def real(self) -> Real:
        """Return the real hashes."""
        return Real.of(self.folder, self.images, processors())

    @property
    def kinds(self) -> tuple[Families, Real]:
        """Return the kinds of hashes."""
        return Families(), self.real

    @property
    def about(self) -> str:
        """Say what they are."""
        return " ".join(kind.about.partition(" The queries")[0] for kind in self.kinds)

    def codes(self, kind: Families | Real, count: int) -> Path:
        """Return a file of so many hashes, written if need be."""
        path = self.scratch / f"{kind.name}-{count}.npy"
        if not path.exists():
            np.save(path, kind.codes(count))
        return path

    def index(self, kind: Families | Real, count: int) -> Path:
        """Return an index with such hashes, written if need be; its file is read, to be cached."""
        codes = self.codes(kind, count)
        path = codes.with_suffix("")
        if not path.exists():
            write(path, np.load(codes))
        with open(path / DOCUMENTS, "rb") as source, open(os.devnull, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 22)
        return path


def write(path: Path, codes: Codes) -> None:
    """Write an index whose rows have all that those of photos have."""
    new = path.with_name(f"{path.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    texts = unpack(codes, 16)
    with ImageIndex.open(new) as index:
        store, policy = index._store, index._make.policy
        with store.writing():
            for start in range(0, len(texts), BATCH):
                batch = texts[start : start + BATCH]
                store.write(list(documents(batch, start, policy)))
    new.rename(path)


def documents(texts: Sequence[str], first: int, policy: str) -> Iterator[tuple[str, Any, None]]:
    """Yield rows as the indexer writes them."""
    for number, text in enumerate(texts, first):
        path = f"/home/someone/Pictures/{number % 977:04}/IMG_{number:07}.jpg"
        width, height = ((4000, 3000), (1600, 1200), (800, 600))[number % 3]
        row = {
            "id": path,
            "path": path,
            "text": text,
            "bytes": 200_000 + number * 7 % 900_000,
            "mtime": 1.7e9 + number,
            "mtime_ns": 10**9 * (1_700_000_000 + number),
            "width": width,
            "height": height,
            "format": "JPEG",
            "file_digest": hashlib.sha256(path.encode()).hexdigest(),
            "information": 20.25 + number % 7 if number % FLAT else LOW_INFORMATION / 2,
            "policy": policy,
        }
        yield path, row, None


# Measuring


@dataclass(frozen=True)
class Ran:
    """A process that ended well: its seconds, the most memory that it had, and what it told.

    `cpu` are seconds of processors, which say more where the machine is shared.
    """

    seconds: float
    cpu: float
    most: int
    told: Any


def run_process(*program: Any) -> Ran:
    """Run a program that writes JSON; raises where it fails."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "out"
        launched = [PYTHON, "-c", LAUNCH, str(out), *map(str, program)]
        done = subprocess.run(launched, check=True, stdout=subprocess.PIPE, text=True)
        code, seconds, cpu, most = json.loads(done.stdout)
        if code:
            msg = f"{program[0]} ended with {code}"
            raise RuntimeError(msg)
        return Ran(seconds, cpu, most, json.loads(out.read_bytes()))


def grouped(index: Path, linkage: str = "complete", checked: int = 0) -> Ran:
    """Group the images of an index in a process of its own, and check some groups."""
    return run_process(PYTHON, "-c", GROUPS, index, LIMIT, linkage, checked)


def by_command(index: Path, linkage: str) -> Ran:
    """Group by the command line; tells how many groups there are."""
    options = ("--max-distance", LIMIT, "--linkage", linkage, "--format", "json")
    ran = run_process(HASHLENS, "groups", "--index", index, *options)
    return replace(ran, told=len(ran.told["groups"]))


def load() -> str:
    """Return how loaded the machine is."""
    return f"{os.getloadavg()[0]:.1f}"


def middle(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def verdict(holds: bool) -> str:
    """Say whether a target was met."""
    return "met" if holds else "**missed**"


# From a saved index


@dataclass
class Turns:
    """What processes took that grouped the same images in the same way."""

    load: str
    own: list[Ran] = field(default_factory=list)
    command: list[Ran] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Return the median seconds of a process."""
        return middle(ran.seconds for ran in self.own)

    @property
    def most(self) -> int:
        """Return the most memory of any."""
        return max(ran.most for ran in self.own)

    def told(self) -> str:
        """Return the cells of a row."""
        first = self.own[0].told
        steps = zip(*(ran.told["steps"] for ran in self.own), strict=True)
        imports, opened, *rest = map(middle, steps)
        cpu = middle(ran.cpu for ran in self.own)
        times = (self.seconds, cpu, imports + opened, *rest)
        command = middle(ran.seconds for ran in self.command)
        most = max(ran.most for ran in self.command)
        return (
            f"{first['groups']:,} | {first['members']:,} | "
            + " | ".join(f"{each:.3g}" for each in times)
            + f" | {self.most / 1e6:,.0f} | {command:.3g} | {most / 1e6:,.0f} | {self.load}"
        )


def checked(index: Path, codes: Codes, linkage: str) -> dict[str, Any]:
    """Raise where groups are not what they have to be; returns what was told of them."""
    told: dict[str, Any] = grouped(index, linkage, MOST_CHECKED).told
    assert told["reasons"] == told["groups"], told
    if linkage == "complete":
        assert told["widest"] <= LIMIT, told
    else:
        telling = codes[np.arange(len(codes)) % FLAT > 0]
        sizes = np.bincount(connected(telling, LIMIT).labels)
        assert (sizes > 1).sum() == told["groups"], told
        assert sizes[sizes > 1].sum() == told["members"], told
    return told


def whole(run: Run) -> None:
    """Measure groups from a saved index."""
    lines = [
        f"{run.about} Rows have all columns of a photo; one of {FLAT} is flat, and in no group. "
        "Fresh processes open the saved index (SQLite, file cache warm), call "
        f"`index.groups({LIMIT})` and go through all groups with keepers and reasons: "
        f"{run.rounds} of each, in turn, medians. *Process* is all of it, start included, *CPU* "
        "the seconds of all cores; of it *open* is imports and opening, *table* reading the rows, "
        "*link* linking, *make* making groups. MB: the most that a process had. *CLI* is `hashlens "
        f"groups --max-distance {LIMIT} --format json` as a process. Checked: all groups have a "
        "keeper with a reason, the CLI has as many; the images of a group are at most so many bits "
        f"apart (complete: all pairs of {MOST_CHECKED:,} groups measured), or groups are the "
        "components (connected). Load: that of the machine, before.",
        "",
        "| hashes | rows | linkage | groups | images in them | process s | CPU s | open | table "
        "| link | make | MB | CLI s | CLI MB | load |",
        "|---" * 15 + "|",
    ]
    for kind in run.kinds:
        for count in run.rows:
            for linkage, turns in in_turn(run, kind, count).items():
                lines.append(f"| {kind.name} | {count:,} | {linkage} | {turns.told()} |")
                print(lines[-1], flush=True)
                if (kind, count, linkage) == (Families(), MILLION, "complete"):
                    lines[0] = f"{aimed(turns)}\n\n{lines[0]}"
    run.publish("Groups: from a saved index", COMMAND, "\n".join(lines))


def in_turn(run: Run, kind: Families | Real, count: int) -> dict[str, Turns]:
    """Group the same images in all ways, again and again."""
    index, codes = run.index(kind, count), np.load(run.codes(kind, count))
    known = {linkage: checked(index, codes, linkage) for linkage in LINKAGES}
    found = {linkage: Turns(load()) for linkage in LINKAGES}
    for _ in range(run.rounds):
        for linkage, turns in found.items():
            turns.own.append(grouped(index, linkage))
            turns.command.append(by_command(index, linkage))
            assert turns.command[-1].told == known[linkage]["groups"], known[linkage]
    return found


def aimed(turns: Turns) -> str:
    """Say whether the target was met."""
    seconds, most = turns.seconds, turns.most
    cpu = middle(ran.cpu for ran in turns.own)
    return (
        f"Target, {MILLION:,} hashes of families, complete linkage, the whole process: at most "
        f"{MOST_SECONDS:.0f} s, {verdict(seconds <= MOST_SECONDS)} with {seconds:.1f} s "
        f"({seconds / MOST_SECONDS:.2f} of it; {cpu:.1f} s of processors); at most "
        f"{MOST_BYTES / 1e9} GB, {verdict(most <= MOST_BYTES)} with {most / 1e9:.2f} GB "
        f"({most / MOST_BYTES:.2f} of it)."
    )


# Beside imagededup


@dataclass(frozen=True)
class Rival:
    """imagededup and some hashes: `python` is that of its environment."""

    python: Path
    codes: Codes
    scratch: Path

    @cached_property
    def expected(self) -> Codes:
        """Return what there is to be found, both ways, by `hashlens.neighbors.pairs`: sorted."""
        blocks = [np.stack(block, axis=1) for block in pairs(self.codes, LIMIT)]
        one_way = np.concatenate([np.empty((0, 3), np.int64), *blocks])
        return ordered(np.concatenate([one_way, one_way[:, [1, 0, 2]]]))

    def find(self, method: str, asked: int = 0) -> float:
        """Return the seconds of a search; raises where it did not find what there is.

        With `asked`, only so many of the queries are asked.
        """
        source, target = self.scratch / "codes.json", self.scratch / "found.npy"
        source.write_text(json.dumps(unpack(self.codes, 16)))
        ran = run_process(self.python, "-c", DUPLICATES, source, target, method, LIMIT, asked)
        seconds, chosen = ran.told
        expected = self.expected
        if asked:
            expected = expected[np.isin(expected[:, 0], chosen)]
        found = ordered(np.load(target))
        assert np.array_equal(found, expected), (method, len(found), len(expected))
        return float(seconds)

    def estimate(self, method: str) -> float:
        """Return how long a method would take for all, from two samples."""
        once, twice = self.find(method, TURN), self.find(method, 2 * TURN)
        return once + (len(self.codes) / TURN - 1) * max(0.0, twice - once)


def ordered(found: Codes) -> Codes:
    """Sort rows of numbers."""
    return found[np.lexsort(found.T[::-1])]


@dataclass(frozen=True)
class Ours:
    """How long hashlens takes for the same hashes, in the ways that are measured."""

    codes: Path
    index: Path

    def __call__(self) -> dict[str, float]:
        """Return the seconds of each way."""
        codes = np.load(self.codes)
        first = grouped(self.index).told["steps"]
        return {
            "`link`": timed(lambda: link(codes, LIMIT)),
            "`link`, first call": run_process(PYTHON, "-c", LINKING, self.codes, LIMIT).told,
            "`index.groups`": self.groups(),
            "`index.groups`, first call": sum(first[2:]),
        }

    def groups(self) -> float:
        """Return the seconds of a call in a warm process, to the last group."""
        with ImageIndex.open(self.index, create=False) as index:
            return timed(lambda: list(index.groups(LIMIT)))


def timed(way: Callable[[], Any]) -> float:
    """Return the median seconds of some calls, after one that is not counted."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        way()
        times.append(time.perf_counter() - began)
    return middle(times[1:])


@dataclass
class Beside:
    """The seconds of imagededup and those of hashlens, turn by turn."""

    seconds: list[float] = field(default_factory=list)
    own: list[dict[str, float]] = field(default_factory=list)

    def ratios(self) -> dict[str, float]:
        """Return for each way of hashlens how many times as long imagededup takes: medians."""
        return {
            way: middle(
                seconds / own[way] for seconds, own in zip(self.seconds, self.own, strict=True)
            )
            for way in self.own[0]
        }


def peers(run: Run) -> None:
    """Measure groups beside the duplicates that imagededup finds."""
    peer = next(peer for peer in PEERS if peer.name == "imagededup")
    python, reason = python_of(peer, run.home)
    if python is None:
        run.publish(PEERS_TITLE, COMMAND, f"imagededup {reason}.")
        return
    lines = [
        f"imagededup's `find_duplicates(encoding_map=…, max_distance_threshold={LIMIT}, "
        "scores=True, search_method=…)` by the method that is the fastest at a size, on all "
        "cores; its imports and the start of its process are not counted. *~*: estimated from "
        f"{TURN:,} and {2 * TURN:,} of the queries, as those in brackets. Of hashlens: `link` of "
        "packed codes, and `index.groups`, reading the rows from SQLite, to the last group with "
        "keeper and reason; in a warm process, and as the *first call* of one (for `link` with all "
        "imports). "
        f"{run.rounds} turns at {SMALL:,} hashes, one at more; medians, and medians of the ratios. "
        "*x*: times as long as hashlens takes. Pairs: what imagededup found, with distances, is "
        "what `hashlens.neighbors.pairs` finds. Load: that of the machine, before.",
        "",
        "| hashes | rows | imagededup | s | pairs | hashlens | s | x | load |",
        "|---" * 9 + "|",
    ]
    least: list[float] = []
    for kind in run.kinds:
        for count in (rows for rows in run.rows if rows <= MOST_OF_PEER):
            for line, ratio in beside(run, python, kind, count):
                lines.append(line)
                least.append(ratio)
                print(line, flush=True)
    lines[0] = (
        f"Target: imagededup takes at least {LEAST_RATIO:.0f} times as long as any way of "
        f"hashlens. {verdict(min(least) >= LEAST_RATIO)}: {min(least):,.1f} times at least. "
    ) + lines[0]
    run.publish(PEERS_TITLE, COMMAND, "\n".join(lines))


def beside(
    run: Run, python: Path, kind: Families | Real, count: int
) -> Iterator[tuple[str, float]]:
    """Yield a line of the table for each way of hashlens, and the ratio in it."""
    peer = Rival(python, np.load(run.codes(kind, count)), run.scratch)
    ours = Ours(run.codes(kind, count), run.index(kind, count))
    before = load()
    took = {each: peer.estimate(each) for each in METHODS}
    print(kind.name, count, took, flush=True)
    method = min(took, key=lambda each: took[each])
    runs_whole = took[method] < WHOLE
    found = Beside()
    for _ in range(run.rounds if count <= SMALL else 1):
        found.own.append(ours())
        found.seconds.append(peer.find(method) if runs_whole else took[method])
    mark = "" if runs_whole else "~"
    others = ", ".join(f"{each} ~{took[each]:,.0f}" for each in METHODS if each != method)
    pairs_found = len(peer.expected) // 2
    start = f"| {kind.name} | {count:,} | {method} ({others} s) "
    start += f"| {mark}{middle(found.seconds):,.1f} | {pairs_found:,} "
    for way, ratio in found.ratios().items():
        seconds = middle(own[way] for own in found.own)
        yield f"{start}| {way} | {seconds:.3g} | {mark}{ratio:,.0f} x | {before} |", ratio


PEERS_TITLE = "Groups: beside imagededup"
PARTS = {part.__name__: part for part in (whole, peers)}


def main() -> None:
    """Run all parts, or some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, MILLION])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=20_000, help="edits of the photos to hash")
    parser.add_argument("--scratch", type=Path, help="a folder that keeps hashes and indexes")
    parser.add_argument("--home", type=Path, default=HOME, help="environments of peers")
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = asked.scratch or Path(name)
        scratch.mkdir(parents=True, exist_ok=True)
        run = Run(
            asked.folder,
            sorted(asked.rows),
            asked.rounds,
            asked.images,
            scratch,
            asked.home,
            printed if asked.dry else record,
        )
        run.real  # noqa: B018  by workers, which are forked before there are threads
        for part in asked.only:
            PARTS[part](run)


if __name__ == "__main__":
    main()
