"""Measure queries by distance, beside peers and beside brute force.

    python benchmarks/search.py FOLDER [--rows N …] [--rounds N] [--only PART …] [--dry]

FOLDER holds photos: the hashes called *real* are those of seeded edits of them. Methods take turns;
times are medians of the rounds' medians, in a warm process. What a method builds beforehand is not
counted. Every answer is compared with brute force. Peers that are not installed are left out:
`pip install --group bench` installs them. DuckDB uses all cores, all others one for a query.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from codes import QUERIES, K, Kind, Rows, Skewed, Table, Uniform
from method import LONG, Method, compared, query_seconds, worst
from results import Page, milliseconds, ratio, table
from runs import Run, hash_options
from search_further import further
from searchers import (
    ARTICLE,
    BASE,
    FLOOR,
    METHODS,
    MOST_ROWS,
    OURS,
    OURS_LEVENSHTEIN,
    STOCK,
    XOR,
    asking,
    bits_of,
    faiss_flat,
    index_of,
    opened,
    ours,
)
from timing import in_turns, medians, once

from hashlens.neighbors import nearest

COMMAND = "python benchmarks/search.py FOLDER"
READERS = (1, 2, 4, 16)  # threads
READ_SECONDS = 2.0  # of a measurement of threads

Times = dict[int, dict[str, float]]  # seconds of a query by number of rows and method


# One query


def queries(run: Run) -> None:
    """Measure one query for the ten nearest."""
    for kind in (Uniform(), Skewed(8), run.real):
        query(run, kind)


def query(run: Run, kind: Kind) -> None:
    """Measure one query for the ten nearest of a kind of hashes."""
    times: Times = {}
    grades: dict[str, list[str]] = {}
    for count in run.rows:
        times[count], found = measured(run.table(kind, count), run.place("queries"), run.rounds)
        for name, each in found.items():
            grades.setdefault(name, []).append(each)
    extrapolated = extrapolate(times)
    head = ["", *(title for count in run.rows for title in (f"{count:,} rows, ms", "x")), "top 10"]
    rows = []
    for name in METHODS:
        cells = [cell for count in run.rows for cell in both(times, count, name, extrapolated)]
        rows.append([name, *cells, worst(grades.get(name, [""]))])
    parts = [
        f"{kind.about} Milliseconds of one query for the 10 nearest; x: times as long as "
        "hashlens takes under the same metric. *Top 10*, at all sizes, beside brute force: the "
        "same rows in the order (distance, row), or the same distances (rows that tie differ), "
        "or the lowest recall of a query.",
        table(head, rows),
    ]
    beside_faiss = [
        f"{each[BASE['hamming']] / each[FLOOR]:.2f} x as long as faiss at {count:,} rows"
        for count, each in times.items()
        if FLOOR in each
    ]
    if beside_faiss:
        parts.append(f"hashlens takes {', '.join(beside_faiss)}.")
    if extrapolated:
        parts.append("~: extrapolated in proportion to the rows, from the size before.")
    parts.append(
        "The article's metric is Levenshtein, in hex digits and not in bits: beside Hamming it "
        "is another question. `similar()` leaves out rows of which no bit agrees."
    )
    run.page.publish(f"One query, {kind.name}", "\n\n".join(parts), in_short(times, extrapolated))


def measured(rows: Table, home: Path, rounds: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return the seconds and the grade of each method on a table."""
    methods, times, grades = {}, {}, {}
    for name, make in METHODS.items():
        if len(rows.codes) > MOST_ROWS.get(name, len(rows.codes)):
            continue
        try:
            method = make(rows, home)
        except ImportError as error:
            grades[name] = f"not installed: {error.name}"
            continue
        seconds, grades[name] = compared(method, rows)
        if seconds > LONG:
            times[name] = seconds
        else:
            methods[name] = method
    # All methods are in memory by now; the turns begin with ours.
    times |= query_seconds({name: method.ask for name, method in methods.items()}, rounds)
    for method in methods.values():
        method.close()
    STOCK.close()
    return times, grades


def extrapolate(times: Times) -> frozenset[str]:
    """Add the methods that the largest table was too large for; return their names."""
    *smaller, largest = sorted(times)
    added = set()
    for name in MOST_ROWS:
        if name not in times[largest] and smaller and name in times[smaller[-1]]:
            times[largest][name] = times[smaller[-1]][name] * largest / smaller[-1]
            added.add(name)
    return frozenset(added)


def both(times: Times, count: int, name: str, extrapolated: frozenset[str]) -> tuple[str, str]:
    """Return the time of a method and its ratio."""
    if name not in times[count]:
        return "", ""
    mark = "~" if name in extrapolated and count == max(times) else ""
    metric = "levenshtein" if "Levenshtein" in name else "hamming"
    seconds = times[count][name]
    return milliseconds(seconds, mark), mark + ratio(seconds, times[count][BASE[metric]])


def in_short(times: Times, extrapolated: frozenset[str]) -> str:
    """Return the ratios at the largest table."""
    count = max(times)
    found = [
        f"{name} {both(times, count, name, extrapolated)[1]}"
        for name in (FLOOR, XOR, ARTICLE)
        if name in times[count]
    ]
    ours_ms = milliseconds(times[count][BASE["hamming"]])
    return f"{count:,} rows, hashlens {ours_ms} ms: {'; '.join(found)}"


# Growth


def growth(run: Run) -> None:
    """Measure how the time grows with the rows."""
    sizes = [*run.rows, 10 * max(run.rows)]
    titles = {
        "txtai": "hashlens, txtai SQL",
        "nearest": "`hashlens.neighbors.nearest`",
        "faiss": FLOOR,
    }
    times = {count: grown(run, count) for count in sizes}
    rows = []
    for before, count in zip([0, *sizes], sizes, strict=False):
        line = [f"{count:,}"]
        for name in titles:
            now, then = times[count].get(name), times.get(before, {}).get(name)
            line.append(milliseconds(now) + (f" ({now / then:.1f} x)" if now and then else ""))
        theirs = times[count].get("faiss")
        rows.append([*line, ratio(theirs, times[count]["nearest"]) if theirs else ""])
    text = (
        f"{Uniform.about} Milliseconds of one query for the 10 nearest, all in one thread; in "
        "brackets, times as long as at the size before."
    )
    nearest_ms = milliseconds(times[sizes[-1]]["nearest"])
    short = f"{sizes[-1]:,} rows: `nearest` {nearest_ms} ms, faiss {rows[-1][-1] or '-'}"
    page_text = f"{text}\n\n{table(['rows', *titles.values(), 'faiss / nearest'], rows)}"
    run.page.publish("Growth", page_text, short)


def grown(run: Run, count: int) -> dict[str, float]:
    """Return the seconds of a query in a table; txtai is asked in the tables of `run.rows`."""
    rows = run.table(Uniform(), count)
    methods = {"nearest": Method(asking_codes(rows), found_of)}
    try:
        methods["faiss"] = faiss_flat(rows)
    except ImportError as error:
        print(f"not installed: {error.name}")
    if count in run.rows:
        methods["txtai"] = ours(rows, run.place("growth"))
    for method in methods.values():
        assert compared(method, rows)[1] in ("same rows", "same distances")
    times = query_seconds({name: each.ask for name, each in methods.items()}, run.rounds)
    for method in methods.values():
        method.close()
    return times


def asking_codes(rows: Table) -> Callable[[int], Any]:
    """Return a way to ask for the nearest of codes, without txtai."""
    return lambda number: nearest(rows.codes, rows.queries[number : number + 1], K)


def found_of(found: Any) -> Rows:
    """Read an answer of `nearest`."""
    return list(zip(found.rows.tolist(), found.distances.tolist(), strict=True))


# Threads


def threads(run: Run) -> None:
    """Measure queries per second of several threads that read one index."""
    cases: list[tuple[str, Table, str, str]] = [
        (f"{count:,}", run.table(Uniform(), count), OURS, "hamming") for count in run.rows[-2:]
    ]
    largest, rows = cases[-1][:2]
    cases.append((f"{largest}, Levenshtein", rows, OURS_LEVENSHTEIN, "levenshtein"))
    cases.append((f"{largest}, 256 bits", Table.of_256_bits(max(run.rows)), OURS, "hamming"))
    lines = []
    short = []
    for label, rows, text, metric in cases:
        if rows.answer(metric, 0) is None:
            continue
        rates = rates_of(index_of(rows, run.place("threads")), rows, text, metric, run.rounds)
        one = rates[READERS[0]]
        lines.append(
            [
                label,
                *(cell for each in rates.values() for cell in (f"{each:,.0f}", ratio(each, one))),
            ]
        )
        short.append(f"{label} {ratio(rates[4], one)}")
    head = ["rows", *(title for number in READERS for title in (f"{number} threads", "x"))]
    about = (
        f"{Uniform.about} Queries a second of some threads for the 10 nearest, through "
        "`Embeddings.search` of one saved index; every answer was checked. x: of one thread's."
    )
    run.page.publish(
        "Threads",
        f"{about}\n\n{table(head, lines)}",
        f"queries a second of 4 threads beside one thread, by rows: {'; '.join(short)}",
    )


def rates_of(path: Path, rows: Table, text: str, metric: str, rounds: int) -> dict[int, float]:
    """Return the queries per second by the number of threads that read an index."""
    embeddings = opened(path)
    expected = [rows.answer(metric, number) for number in range(QUERIES)]
    ask = asking(embeddings, text, rows)
    ways = {str(number): once(partial(throughput, ask, expected, number)) for number in READERS}
    # The first round reads the column and opens connections.
    rates = medians(in_turns(ways, rounds, warm_up=1))
    embeddings.close()
    return {number: rates[str(number)] for number in READERS}


def throughput(ask: Callable[[int], Any], expected: list[Rows | None], number: int) -> float:
    """Return the queries per second of `number` threads; raises if an answer is wrong."""
    ready, counts, failures = threading.Barrier(number + 1), [0] * number, []
    until = 0.0

    def read(which: int) -> None:
        ready.wait()
        try:
            while time.perf_counter() < until:
                at = (counts[which] * 3 + which) % QUERIES
                found = bits_of(ask(at))
                assert found == expected[at], (at, found)
                counts[which] += 1
        except Exception as error:  # noqa: BLE001  raised below, in the main thread
            failures.append(error)

    readers = [threading.Thread(target=read, args=(which,)) for which in range(number)]
    for reader in readers:
        reader.start()
    until = time.perf_counter() + READ_SECONDS
    began = time.perf_counter()
    ready.wait()
    for reader in readers:
        reader.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - began)


PARTS = {"queries": queries, "further": further, "growth": growth, "threads": threads}


def main() -> None:
    """Run all parts, or some."""
    parser = hash_options(__doc__, rounds=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = Run.of(asked, Path(name), Page("search", COMMAND, asked.dry))
        if "queries" in asked.only:
            run.real  # noqa: B018  hashed by processes, which are forked before threads start
        for part in asked.only:
            PARTS[part](run)


if __name__ == "__main__":
    main()
