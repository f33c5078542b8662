"""Measure further queries: with conditions, after writes, in a fresh process, of longer hashes."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from codes import QUERIES, WIDTHS, Codes, K, Rows, Table, Uniform
from method import query_seconds
from results import milliseconds, ratio, table
from runs import Run
from searchers import (
    OURS,
    OURS_LEVENSHTEIN,
    STOCK,
    TOP,
    XOR,
    asking,
    bits_of,
    faiss_flat,
    index_of,
    levenshteins,
    opened,
    ours,
)
from timing import HASHLENS, in_turns, last_json, output, program, timed

RADIUS = (
    "select indexid, {0} bits from txtai where {0} <= 8 and width > 1 order by bits, indexid "
    "limit 1000"
)
SELECTIVE = "select indexid, {} bits from txtai where width <= 10 order by bits, indexid limit 10"
CHECKED = 6  # queries whose answers are compared with brute force

Row = tuple[str, str, str, str, str]


def further(run: Run) -> None:
    """Measure further queries of the largest table."""
    largest = max(run.rows)
    rows = run.table(Uniform(), largest)
    home = run.place("further")
    path = index_of(rows, home)
    lines = [
        *conditions(rows, path, run.rounds),
        *wide(run),
        *written(rows, path, run.rounds),
    ]
    text = "\n\n".join(
        [
            f"{largest:,} rows. {Uniform.about} Milliseconds of one query; every answer was "
            "checked against brute force, rows and order, if not stated otherwise.",
            table(["query", "hashlens, ms", "beside", "ms", "x"], lines),
            fresh(rows, path, run.rounds),
        ]
    )
    short = "; ".join(f"{line[0]}: {line[2]} {line[4]}" for line in lines if line[4])
    run.page.publish(f"Further queries, {largest:,} rows", text, short)
    shutil.rmtree(home)


def row(title: str, mine: float, peer: str = "", theirs: float | None = None) -> Row:
    """Return a row of the table."""
    return (
        title,
        milliseconds(mine),
        peer,
        milliseconds(theirs),
        ratio(theirs, mine) if theirs else "",
    )


# Conditions


@dataclass(frozen=True)
class Shape:
    """A query with a placeholder for the distance, beside a peer.

    title: what it asks for
    ours: the query that hashlens answers
    peer: what the peer is called
    theirs: the query that stock txtai answers
    expected: the answer of brute force by number; None if unknown
    metric: hamming or levenshtein
    """

    title: str
    ours: str
    peer: str
    theirs: str
    expected: Callable[[int], Rows | None]
    metric: str = "hamming"


def shapes(rows: Table) -> tuple[Shape, ...]:
    """Return the queries to measure on a table."""
    mine, theirs = "distance(text, :q)", "xor_bits(text, :q)"
    return (
        Shape("the 10 nearest", OURS, XOR, TOP.format(theirs), partial(rows.answer, "hamming")),
        Shape(
            "within 8 bits `and width > 1` (true of 99.9 %)",
            RADIUS.format(mine),
            XOR,
            RADIUS.format(theirs),
            lambda number: kept(rows, number, lambda width: width > 1, 8),
        ),
        Shape(
            "the 10 nearest `where width <= 10` (true of 1 %)",
            SELECTIVE.format(mine),
            XOR,
            SELECTIVE.format(theirs),
            lambda number: kept(rows, number, lambda width: width <= 10, 64)[:K],
        ),
        Shape(
            "the 10 nearest, Levenshtein",
            OURS_LEVENSHTEIN,
            "rapidfuzz function in stock txtai",
            TOP.format("rapidfuzz(text, :q)"),
            partial(rows.answer, "levenshtein"),
            "levenshtein",
        ),
    )


def conditions(rows: Table, path: Path, rounds: int) -> Iterator[Row]:
    """Yield the rows of queries with conditions, and with Levenshtein."""
    mine, stock = opened(path), STOCK.open(rows)
    for shape in shapes(rows):
        ways = {"ours": asking(mine, shape.ours, rows)}
        if shape.metric == "hamming" or "rapidfuzz" in levenshteins():
            ways["theirs"] = asking(stock, shape.theirs, rows)
        check(shape, ways)
        assert mine.database.explanation.way == "packed codes", mine.database.explanation
        times = query_seconds(ways, rounds)
        yield row(shape.title, times["ours"], shape.peer, times.get("theirs"))
    mine.close()
    STOCK.close()


def check(shape: Shape, ways: dict[str, Callable[[int], Any]]) -> None:
    """Raise unless all ways find the distances of brute force, and hashlens its rows."""
    for number in range(CHECKED):
        expected = shape.expected(number)
        answers = {name: bits_of(way(number)) for name, way in ways.items()}
        if expected is not None:
            for found in answers.values():
                assert [bits for _, bits in found] == [bits for _, bits in expected], shape.title
            assert answers["ours"] == expected, shape.title


def kept(rows: Table, number: int, holds: Callable[[Codes], Codes], most: int) -> Rows:
    """Return the rows within a distance that meet a condition, by brute force."""
    distances = rows.distances("hamming", number)
    assert distances is not None
    found = np.flatnonzero(holds(1 + np.arange(len(distances)) % WIDTHS) & (distances <= most))
    order = np.argsort(distances[found], kind="stable")
    return list(zip(found[order].tolist(), distances[found][order].tolist(), strict=True))


# Longer hashes


def wide(run: Run) -> Iterator[Row]:
    """Yield the row of hashes of 256 bits, beside faiss."""
    rows = Table.of_256_bits(max(run.rows))
    home = run.place("wide")
    mine = ours(rows, home)
    methods = {"hashlens": mine}
    try:
        methods["faiss"] = faiss_flat(rows)
    except ImportError as error:
        print(f"not installed: {error.name}")
    for number in range(CHECKED):
        expected = rows.known["hamming", number]
        assert expected is not None
        assert mine.rows(mine.ask(number)) == expected
        for method in methods.values():
            found = method.rows(method.ask(number))
            assert [bits for _, bits in found] == [bits for _, bits in expected]
    times = query_seconds({name: method.ask for name, method in methods.items()}, run.rounds)
    mine.close()
    shutil.rmtree(home)
    yield row("the 10 nearest of 256 bits", times["hashlens"], "faiss, no SQL", times.get("faiss"))


# After writes


def written(rows: Table, path: Path, rounds: int) -> Iterator[Row]:
    """Yield the rows of the first query after rows were written."""
    embeddings = opened(path)
    ask = asking(embeddings, OURS, rows)
    ask(0)
    new = len(rows.codes)
    for size in (1, 1_000):
        times: dict[str, list[float]] = {"upsert": [], "delete": [], "save": []}
        for turn in range(3 * rounds):
            number, ids = turn % QUERIES, range(new, new + size)
            first = partial(ask, number)
            expected = rows.answer("hamming", number)
            assert expected
            embeddings.upsert(
                (each, {"text": rows.asked[number], "width": 1}, None) for each in ids
            )
            seconds, found = timed(first)
            times["upsert"].append(seconds)
            # A row that equals the query is there now, behind rows that equalled it before.
            assert found[0]["bits"] == 0, found
            assert {each["indexid"] for each in found} - {each for each, _ in expected}
            embeddings.delete([str(each) for each in ids])
            seconds, found = timed(first)
            times["delete"].append(seconds)
            assert bits_of(found) == expected
            if turn % 3 == 0:
                embeddings.save(str(path))
                seconds, found = timed(first)
                times["save"].append(seconds)
                assert bits_of(found) == expected
            new += size
        rows_of = "one row" if size == 1 else f"{size:,} rows"
        titles = {
            "upsert": f"the first after an upsert of {rows_of}",
            "delete": f"the first after a delete of {rows_of}",
            "save": f"the first after both, and a save ({rows_of})",
        }
        for what, seconds_of in times.items():
            yield row(titles[what], statistics.median(seconds_of))
    embeddings.close()


# A fresh process


def fresh(rows: Table, path: Path, rounds: int) -> str:
    """Say how long the first query of a process takes, and the command line."""
    asked = rows.asked[0]
    sql = [HASHLENS, "sql"]
    where = ["--index", str(path)]
    ways: dict[str, Callable[[int], Any]] = {
        "inside": lambda _: last_json(output(program("search_fresh", path, OURS, asked))),
        "whole": lambda _: timed(partial(output, [*sql, OURS, *where, "--param", f"q={asked}"]))[0],
        "start": lambda _: timed(partial(output, [*sql, "select id from txtai limit 1", *where]))[
            0
        ],
    }
    found = in_turns(ways, rounds)
    *inside, chosen = zip(*found["inside"], strict=True)
    assert set(chosen) == {"packed codes"}
    load, query, again = map(statistics.median, inside)
    whole, start = (statistics.median(found[name]) for name in ("whole", "start"))
    return (
        f"A fresh process, the files in the system's cache: after its imports, loading takes "
        f"{milliseconds(load)} ms, the first query {milliseconds(query)} ms, in which it reads and "
        f"packs the column, and the same again {milliseconds(again)} ms. `hashlens sql` for the 10 "
        f"nearest takes {whole:.2f} s as a whole process; for any one row, with no distance asked "
        f"for, {start:.2f} s."
    )
