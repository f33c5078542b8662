"""Time calls, commands and programs, in turns, so that all meet the same load of the machine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

PYTHON = sys.executable
HASHLENS = str(Path(PYTHON).with_name("hashlens"))
PROGRAMS = Path(__file__).with_name("programs")

Value = TypeVar("Value")
Command = list[str | Path]


def timed(call: Callable[[], Value]) -> tuple[float, Value]:
    """Call once; return the seconds and the result."""
    began = time.perf_counter()
    value = call()
    return time.perf_counter() - began, value


def in_turns(
    ways: Mapping[str, Callable[[int], Value]], rounds: int, *, warm_up: int = 0
) -> dict[str, list[Value]]:
    """Call each way once in each round; return its results, round by round.

    A way takes the number of the round and returns what it measured, mostly seconds. Every other
    round goes through the ways backwards, so that none always follows the same one. The results of
    the first `warm_up` rounds, which come before `rounds`, are dropped.
    """
    found: dict[str, list[Value]] = {name: [] for name in ways}
    for turn in range(warm_up + rounds):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            value = ways[name](turn)
            if turn >= warm_up:
                found[name].append(value)
    return found


def once(call: Callable[[], Value]) -> Callable[[int], Value]:
    """Return a way for `in_turns`: the result of a call."""
    return lambda _turn: call()


def seconds_of(call: Callable[[], object]) -> Callable[[int], float]:
    """Return a way for `in_turns`: the seconds of a call."""
    return lambda _turn: timed(call)[0]


def medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each way."""
    return {name: statistics.median(values) for name, values in found.items()}


def program(name: str, *arguments: object, python: str | Path = PYTHON) -> Command:
    """Return the command that runs a file of programs/."""
    return [python, PROGRAMS / f"{name}.py", *map(str, arguments)]


def output(command: Command, environment: dict[str, str] | None = None) -> str:
    """Run a command; return what it printed. Raises CalledProcessError if it fails."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout


def last_json(printed: str) -> Any:
    """Return the value of the last line that a program printed."""
    return json.loads(printed.splitlines()[-1])


@dataclass(frozen=True)
class Usage:
    """What a process used, and what it answered.

    seconds: wall time, start included
    cpu: processor time of all cores, seconds; less noisy on a shared machine
    memory: peak resident memory, bytes
    answer: the JSON that it printed
    """

    seconds: float
    cpu: float
    memory: int
    answer: Any


def usage(command: Command) -> Usage:
    """Run a command that prints JSON; raises RuntimeError if it fails."""
    with tempfile.TemporaryDirectory() as home:
        target = Path(home) / "output"
        launched = [*program("launch", target), *map(str, command)]
        done = subprocess.run(launched, check=True, stdout=subprocess.PIPE, text=True)
        code, seconds, cpu, memory = json.loads(done.stdout)
        if code:
            msg = f"{' '.join(map(str, command))} ended with {code}"
            raise RuntimeError(msg)
        return Usage(seconds, cpu, memory, json.loads(target.read_bytes()))
