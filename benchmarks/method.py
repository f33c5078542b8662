"""A way to ask for the nearest rows: how well it answers, and how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from codes import QUERIES, Rows, Table
from timing import in_turns, medians, timed

LONG = 3.0  # seconds: a way that takes longer is asked once
SPENT = 0.4  # seconds of a burst, which has three counted queries at least


@dataclass
class Method:
    """A way to ask for the nearest rows.

    ask: answers the query of a number; this is timed
    rows: reads the answer
    metric: hamming or levenshtein
    close: ends the way
    """

    ask: Callable[[int], Any]
    rows: Callable[[Any], Rows]
    metric: str = "hamming"
    close: Callable[[], None] = lambda: None


def compared(method: Method, table: Table) -> tuple[float, str]:
    """Return the seconds of a query, and how its answers compare with brute force."""
    times: list[float] = []
    grades = []
    for number in range(len(table.queries)):
        seconds, answer = timed(partial(method.ask, number))
        times.append(seconds)
        grades.append(grade(method.rows(answer), table.answer(method.metric, number)))
        if sum(times) > LONG:
            break
    # The first query may read a column, or load a library.
    return statistics.median(times[1:] or times), worst(grades)


def grade(found: Rows, expected: Rows | None) -> str:
    """Say how an answer compares with brute force."""
    if expected is None:
        return "not checked"
    if found == expected:
        return "same rows"
    distances = [distance for _, distance in expected]
    if [distance for _, distance in found] == distances:
        return "same distances"
    near = sum(distance <= distances[-1] for _, distance in found)
    return f"recall {near / len(expected):.2f}"


def worst(grades: Iterable[str]) -> str:
    """Return the worst of some grades; of recalls, the lowest."""
    return min(grades, key=lambda each: (not each.startswith("recall"), each))


def query_seconds(ways: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of a query, for ways that take turns in bursts."""
    return medians(in_turns({name: burst(way) for name, way in ways.items()}, rounds))


def burst(way: Callable[[int], Any]) -> Callable[[int], float]:
    """Return a way for `in_turns`: the median seconds of a query in a burst of queries.

    The first query of a burst meets cold caches and is not counted.
    """

    def measured(turn: int) -> float:
        times: list[float] = []
        while sum(times) < SPENT or len(times) < 4:
            number = (turn * 7 + len(times)) % QUERIES
            times.append(timed(partial(way, number))[0])
            if len(times) == QUERIES or (len(times) > 1 and sum(times) > LONG):
                break
        return statistics.median(times[1:])

    return measured
