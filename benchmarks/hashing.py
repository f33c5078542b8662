"""Measure the hashing of folders, beside peers and beside the decoding of the JPEGs alone.

    python benchmarks/hashing.py FOLDER [--rounds N] [--only PART …] [--dry]

FOLDER holds photos. They are made into 1,000 small files (each photo under several names) and 60
photos of 12 megapixels (mosaics, and enlargements with grain). Peers get virtual environments in
.venv-peers. Commands take turns; seconds are medians.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
from hashing_files import linked, million, small, twelve_megapixels
from peers import HOME, IMGDD, PEERS, python_of
from results import Page, ratio, table
from runs import options
from timing import (
    HASHLENS,
    PYTHON,
    Command,
    in_turns,
    last_json,
    medians,
    output,
    program,
    seconds_of,
)

COMMAND = "python benchmarks/hashing.py FOLDER"
OURS = "hashlens"
QUICK = (OURS, IMGDD.name)  # short commands have three turns in a round: they are noisier
# As everyone runs it: compiled modules are kept, output is buffered.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "OPENBLAS_NUM_THREADS")
}


def run(command: Command) -> str:
    """Run a command in the environment of a user; return its output."""
    return output(command, ENVIRONMENT)


def hashing(key: str, folder: Path, python: str | Path = PYTHON) -> Callable[[int], Command]:
    """Return the command of a package by the number of passes."""
    return lambda passes: program("hash_folder", key, folder, passes, python=python)


# Beside peers


def peers_of(
    folder: Path, home: Path
) -> tuple[dict[str, Callable[[int], Command]], dict[str, str]]:
    """Return the commands of the peers that hash the folder, and why the others do not."""
    commands: dict[str, Callable[[int], Command]] = {}
    failures: dict[str, str] = {}
    for peer in PEERS:
        python, reason = python_of(peer, home)
        if python is not None:
            command = hashing(peer.key, folder, python)
            reason = failure(command, folder)
            if not reason:
                commands[peer.name] = command
        if reason:
            failures[peer.name] = reason
    return commands, failures


def failure(command: Callable[[int], Command], folder: Path) -> str:
    """Return why a command does not hash all files of a folder, or nothing."""
    try:
        images = last_json(run(command(1)))["images"]
    except subprocess.CalledProcessError as error:
        return f"fails: {error.stderr.strip().splitlines()[-1]}"
    expected = count_files(folder)
    return "" if images == expected else f"hashed {images} of {expected}"


def count_files(folder: Path) -> int:
    """Return the number of files in a folder."""
    return sum(path.is_file() for path in folder.rglob("*"))


def side_by_side(folder: Path, what: str, home: Path, page: Page, rounds: int) -> None:
    """Measure whole processes, and passes within one process, of all peers and ours."""
    commands, failures = peers_of(folder, home)
    commands = {OURS: hashing(OURS, folder), **commands}
    whole: dict[str, list[float]] = {name: [] for name in commands}
    warm: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds):
        for name, command in commands.items():
            quick = name in QUICK
            hash_once: Command = [HASHLENS, "hash", folder] if name == OURS else command(1)
            times = in_turns({name: seconds_of(partial(run, hash_once))}, 3 if quick else 1)
            whole[name] += times[name]
            if quick or not turn:
                warm[name] += last_json(run(command(4 if quick else 2)))["seconds"][1:]
    count = count_files(folder)
    cold, hot = medians(whole), medians(warm)
    rows = [
        (
            *(name, f"{cold[name]:.3f}", f"{count / cold[name]:,.0f}"),
            *(ratio(cold[name], cold[OURS]), f"{hot[name]:.3f}", ratio(hot[name], hot[OURS])),
        )
        for name in sorted(cold, key=lambda name: cold[name])
    ]
    rows += [(name, reason, "", "", "", "") for name, reason in failures.items()]
    text = (
        f"{what}; {rounds} rounds, all cores. `hashlens hash` and each peer print path and hash. "
        "*Warm*: once more in the same process (undouble does not decode the files again then)."
    )
    head = (
        *("", "whole process, s", "images/s", "hashlens is sooner"),
        *("warm, s", "hashlens is sooner"),
    )
    peers = [f"{row[0]} {row[3]}" for row in rows if row[3] and row[0] != OURS]
    page.publish(what, f"{text}\n\n{table(head, rows)}", f"whole processes: {', '.join(peers)}")


# Into an index


def indexing(folder: Path, scratch: Path, home: Path, page: Page, rounds: int) -> None:
    """Measure `hashlens index`, with the index written, beside imgdd that hashes only."""
    title = "10,000 photos into an index"
    python, reason = python_of(IMGDD, home)
    if python is None:
        page.publish(title, f"imgdd {reason}.")
        return
    index = scratch / "index"
    theirs = "imgdd, hashes only"
    commands: dict[str, Command] = {
        theirs: hashing(IMGDD.key, folder, python)(1),
        "`hashlens hash`": [HASHLENS, "hash", folder],
        "`hashlens index`": [HASHLENS, "index", folder, "--index", index],
        "`hashlens index`, nothing new": [HASHLENS, "index", folder, "--index", index],
    }
    calls = {name: seconds_of(partial(run, command)) for name, command in commands.items()}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        shutil.rmtree(index, ignore_errors=True)
        for name, seconds in in_turns(calls, 1).items():
            times[name] += seconds
    found = medians(times)
    rows = [
        (name, f"{seconds:.3f}", f"{ratio(found[theirs], seconds)} as long")
        for name, seconds in found.items()
    ]
    page.publish(
        title,
        "10,000 small photos, whole processes, all cores.\n\n"
        + table(("", "s", "imgdd takes"), rows),
        f"{theirs} {ratio(found[theirs], found['`hashlens index`'])} as long as `hashlens index`",
    )


def scanning(photos: list[Path], scratch: Path, page: Page) -> None:
    """Measure the second run over 100,000 files that have not changed."""
    index = scratch / "many-index"
    command: Command = [HASHLENS, "index", linked(photos, scratch, 100_000), "--index", index]
    first = seconds_of(partial(run, command))(0)
    info: Command = [HASHLENS, "info", "--index", index]
    calls = {"again": seconds_of(partial(run, command)), "start": seconds_of(partial(run, info))}
    times = medians(in_turns(calls, 5))
    page.publish(
        "100,000 files that have not changed",
        f"The first `hashlens index` took {first:.1f} s, the second {times['again']:.2f} s as a "
        f"whole process, of which about {times['start']:.2f} s are the start (`hashlens info`).",
        f"the second `hashlens index` {times['again']:.2f} s, the first {first:.1f} s",
    )


# Memory


def memory(folders: dict[str, Path], scratch: Path, page: Page) -> None:
    """Measure the most memory that a command and its workers hold at once."""
    rows: list[tuple[str, str, str]] = []
    for what, folder in folders.items():
        index = scratch / f"memory-{len(rows)}"
        commands: dict[str, Command] = {
            "`hashlens hash`": [HASHLENS, "hash", folder],
            "`hashlens index`": [HASHLENS, "index", folder, "--index", index],
            "`hashlens index`, nothing new": [HASHLENS, "index", folder, "--index", index],
        }
        for name, command in commands.items():
            rows.append((name, what, f"{peak_memory(command) / 1e6:.0f}"))
    text = "Sum of the proportional set sizes (PSS) of all processes of a command, every 20 ms."
    page.publish(
        "Memory",
        f"{text}\n\n{table(('command', 'files', 'most MB'), rows)}",
        f"{rows[-2][0]} of {rows[-2][1]}: {rows[-2][2]} MB",
    )


def pss(process: psutil.Process) -> int:
    """Return the proportional set size of a process, bytes; 0 if it has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def peak_memory(command: Command) -> int:
    """Return the largest sum of memory that a command and its children held, bytes."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        group: set[psutil.Process] = {process}
        while not done.is_set():
            with suppress(psutil.NoSuchProcess):  # it may end at any time
                group |= set(process.children(recursive=True))
            most = max(most, sum(map(pss, group)))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    done.set()
    watcher.join()
    return most


PARTS = ("small", "large", "index", "scan", "memory", "core")


def main() -> None:
    """Run all parts, or some."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each command")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--home", type=Path, default=HOME, help="the environments of peers")
    asked = parser.parse_args()
    page, home, rounds = Page("hashing", COMMAND, asked.dry), asked.home, asked.rounds
    photos = sorted(asked.folder.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if {"small", "core"} & set(asked.only):
            thousand = small(photos, scratch / "small", 1_000)
        if {"large", "memory", "core"} & set(asked.only):
            large = twelve_megapixels(photos, scratch / "large")
        if {"index", "memory"} & set(asked.only):
            ten_thousand = small(photos, scratch / "ten-thousand", 10_000)
        if "small" in asked.only:
            side_by_side(thousand, "1,000 small photos", home, page, rounds)
        if "large" in asked.only:
            few = max(1, rounds // 2)
            side_by_side(large, "60 photos of 12 megapixels", home, page, few)
        if "index" in asked.only:
            indexing(ten_thousand, scratch, home, page, rounds)
        if "memory" in asked.only:
            many = million(photos, scratch / "million")
            folders = {"10,000 small": ten_thousand, "60 of 12 megapixels": large}
            memory({**folders, "1,000,000 of 64 x 48 pixels": many}, scratch, page)
        if "scan" in asked.only:
            scanning(photos, scratch, page)
        if "core" in asked.only:  # at last: this process stays on one core
            from hashing_core import one_core  # it needs simplejpeg

            one_core({"1,000 small": thousand, "60 of 12 megapixels": large}, page, rounds)


if __name__ == "__main__":
    main()
