"""Measure queries by distance and joins of hashes, beside peers and beside brute force.

    python benchmarks/search.py FOLDER [--rows N …] [--rounds N] [--only PART …]

FOLDER holds photos: the hashes called *real* are those of seeded edits of them. Methods take turns;
times are medians of the rounds' medians, in a warm process, and what a method builds beforehand is
not counted. Every answer is compared with brute force. Peers that are not installed are left out:
`pip install --group bench` has them. DuckDB uses all cores, all others one for a query.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it

import numpy as np
from peers import IMAGEDEDUP_JOIN, PEERS, python_of
from PIL import Image, ImageEnhance, ImageFilter
from results import printed, record

from hashlens import PerceptualHash
from hashlens.neighbors import connected, nearest, pack, pairs, unpack
from hashlens.parallel.process import processors
from hashlens.rows.settings import Settings

PYTHON = sys.executable
HASHLENS = str(Path(PYTHON).with_name("hashlens"))
HOME = Path(__file__).parent.parent / ".venv-peers"
COMMAND = "python benchmarks/search.py FOLDER"
K = 10
QUERIES = 40  # different ones, half of them near a row
LONG = 3.0  # seconds: what takes longer is asked once
SPENT = 0.4  # seconds of a round for each method, at least three queries
CHUNK = 100_000
WIDTHS = 1_000  # the column `width` of the tables has the numbers 1 … 1,000, one after another

TOP = "select indexid, {} bits from txtai order by bits limit 10"
OURS = TOP.format("distance(text, :q)")
OURS_LEVENSHTEIN = TOP.format("distance(text, :q, 'levenshtein')")

Codes = np.ndarray[Any, Any]
Rows = list[tuple[int, int]]  # row and distance


# Hashes


def flipped(codes: Codes, most: int, rng: np.random.Generator) -> Codes:
    """Flip 0 to `most` different bits of each code."""
    parts = []
    for start in range(0, len(codes), CHUNK):
        part = codes[start : start + CHUNK]
        bits = rng.random((len(part), 64)).argsort(axis=1)[:, :most].astype(np.uint64)
        used = np.arange(most) < rng.integers(0, most + 1, len(part))[:, None]
        marks = np.where(used, np.uint64(1) << bits, np.uint64(0))
        parts.append(part ^ np.bitwise_or.reduce(marks, axis=1))
    return np.concatenate(parts)


def any_codes(count: int, rng: np.random.Generator) -> Codes:
    """Draw codes of which each is as likely as any other."""
    return rng.integers(0, 2**64, count, dtype=np.uint64)


@dataclass(frozen=True)
class Uniform:
    """Uniform hashes, of which a fifth was planted near others."""

    name = "uniform"
    about = (
        "Uniform: random 64-bit hashes, of which 20 % were made of others by flipping 0 to 12 "
        "bits; half of the queries are 0 to 12 bits from a row, half random."
    )

    def codes(self, count: int) -> Codes:
        """Return so many hashes."""
        rng = np.random.default_rng(count)
        first = any_codes(count - count // 5, rng)
        planted = flipped(rng.choice(first, count // 5), 12, rng)
        return rng.permutation(np.concatenate([first, planted]))

    def queries(self, codes: Codes) -> Codes:
        """Return what to look for among these hashes."""
        rng = np.random.default_rng(1)
        near = flipped(rng.choice(codes, QUERIES // 2), 12, rng)
        return np.stack([near, any_codes(QUERIES // 2, rng)], axis=1).ravel()


@dataclass(frozen=True)
class Skewed:
    """Hashes whose bits hang together: the signs of few gaussian factors, mixed, and of noise."""

    rank: int

    @property
    def name(self) -> str:
        """Return the name."""
        return f"rank {self.rank}"

    @property
    def about(self) -> str:
        """Say what they are."""
        return (
            f"Rank {self.rank}: the signs of a gaussian vector of {self.rank} numbers projected to "
            "64 (each of variance 1), plus gaussian noise of deviation 0.3; half of the queries "
            "are 0 to 12 bits from a row, half drawn as the rows are."
        )

    def drawn(self, count: int, rng: np.random.Generator) -> Codes:
        """Draw so many hashes."""
        mix = np.random.default_rng(self.rank).normal(size=(self.rank, 64)) / self.rank**0.5
        parts = []
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            values = rng.normal(size=(size, self.rank)) @ mix + rng.normal(0, 0.3, (size, 64))
            parts.append(np.packbits(values > 0, axis=1).view(np.uint64).ravel())
        return np.concatenate(parts)

    def codes(self, count: int) -> Codes:
        """Return so many hashes."""
        return self.drawn(count, np.random.default_rng(count))

    def queries(self, codes: Codes) -> Codes:
        """Return what to look for among these hashes."""
        rng = np.random.default_rng(1)
        near = flipped(rng.choice(codes, QUERIES // 2), 12, rng)
        return np.stack([near, self.drawn(QUERIES // 2, rng)], axis=1).ravel()


@dataclass(frozen=True)
class Real:
    """The hashes of edited photos."""

    photos: int
    hashed: Codes
    asked: Codes
    name = "real"

    @property
    def about(self) -> str:
        """Say what they are, and of which sizes they are drawn."""
        return (
            f"Real: perceptual hashes of {len(self.hashed):,} images, all made of {self.photos} "
            "photos by one or two seeded edits each (brightness, contrast, gamma, JPEG, resizing, "
            f"crops, small rotations, blur). Up to {len(self.hashed):,} rows are such hashes, as "
            "they are; larger tables are drawn from them, with 0 to 3 bits of each drawn one "
            "flipped. The queries are hashes of further edits, which are not among the rows."
        )

    @classmethod
    def of(cls, folder: Path, images: int, workers: int) -> Real:
        """Hash edits of the photos in a folder."""
        photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".jpg")
        each = -(-(images + QUERIES) // len(photos))
        began = time.perf_counter()
        with multiprocessing.Pool(workers) as pool:
            jobs = [(path, number, each) for number, path in enumerate(photos)]
            found = pool.starmap(edits_hashed, jobs, chunksize=4)
        print(f"hashed {each * len(photos):,} edits in {time.perf_counter() - began:.0f} s")
        # The first edit of every photo, then the second of every one, and so on.
        codes = pack(list(chain.from_iterable(zip(*found, strict=True))))[:, 0]
        return cls(len(photos), codes[:images], codes[images : images + QUERIES])

    def codes(self, count: int) -> Codes:
        """Return so many hashes."""
        if count <= len(self.hashed):
            return self.hashed[:count]
        rng = np.random.default_rng(count)
        return flipped(rng.choice(self.hashed, count), 3, rng)

    def queries(self, codes: Codes) -> Codes:  # noqa: ARG002  as the others
        """Return what to look for among these hashes."""
        return self.asked


Kind = Uniform | Skewed | Real


def edits_hashed(path: Path, number: int, count: int) -> list[str]:
    """Return the hashes of so many edits of a photo, each edit with a seed of its own."""
    photo = Image.open(path).convert("RGB")
    hasher = PerceptualHash()
    return hasher.fingerprints(
        [hasher.sample(edited(photo, random.Random(f"{number} {edit}"))) for edit in range(count)]
    )


def edited(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Edit a photo in one or two ways."""
    for edit in rng.sample(EDITS, rng.randint(1, 2)):
        photo = edit(photo, rng)
    return photo


def gamma(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Bend the tones."""
    power = rng.uniform(0.6, 1.6)
    return photo.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


def compressed(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Save as JPEG and read again."""
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=rng.randint(20, 90))
    return Image.open(data).convert("RGB")


def resized(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Make smaller or larger."""
    factor = rng.uniform(0.3, 1.3)
    return photo.resize([max(8, round(side * factor)) for side in photo.size])


def cropped(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Cut something off each side, up to a tenth."""
    (width, height), cut = photo.size, [rng.uniform(0, 0.1) for _ in range(4)]
    return photo.crop(
        (cut[0] * width, cut[1] * height, (1 - cut[2]) * width, (1 - cut[3]) * height)
    )


def turned(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Rotate a little."""
    return photo.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR)


def blurred(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Take the sharpness away."""
    return photo.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 3)))


EDITS: list[Callable[[Image.Image, random.Random], Image.Image]] = [
    lambda photo, rng: ImageEnhance.Brightness(photo).enhance(rng.uniform(0.6, 1.5)),
    lambda photo, rng: ImageEnhance.Contrast(photo).enhance(rng.uniform(0.6, 1.5)),
    gamma,
    compressed,
    resized,
    cropped,
    turned,
    blurred,
]


# Tables and brute force


@dataclass
class Table:
    """Hashes and queries; and the answers that brute force gives."""

    codes: Codes
    queries: Codes
    known: dict[tuple[str, int], Rows | None] = field(default_factory=dict)

    @cached_property
    def texts(self) -> list[str]:
        """Return the hashes in hex."""
        return unpack(self.codes, 16)

    @cached_property
    def asked(self) -> list[str]:
        """Return the queries in hex."""
        return unpack(self.queries, 16)

    def documents(self) -> Iterator[tuple[int, dict[str, Any], None]]:
        """Yield the rows as txtai takes them."""
        for row, text in enumerate(self.texts):
            yield row, {"text": text, "width": 1 + row % WIDTHS}, None

    def distances(self, metric: str, number: int) -> Codes | None:
        """Return the distances of all rows from a query, without hashlens; None if unknown."""
        if metric == "hamming":
            return np.bitwise_count(self.codes ^ self.queries[number])
        try:
            from rapidfuzz import process
            from rapidfuzz.distance import Levenshtein
        except ImportError:
            return None
        return process.cdist(
            [self.asked[number]], self.texts, scorer=Levenshtein.distance, dtype=np.uint8
        )[0]

    def answer(self, metric: str, number: int) -> Rows | None:
        """Return the first rows of a query, in the order (distance, row); None if unknown."""
        if (metric, number) not in self.known:
            found = self.distances(metric, number)
            self.known[metric, number] = None if found is None else first(found)
        return self.known[metric, number]


def first(distances: Codes, rows: Codes | None = None) -> Rows:
    """Return the nearest, in the order (distance, row)."""
    order = np.argsort(distances, kind="stable")[:K]
    numbers = order if rows is None else rows[order]
    return list(zip(numbers.tolist(), distances[order].tolist(), strict=True))


@dataclass
class Method:
    """A way to ask for the nearest rows: `ask` is timed, `rows` reads its answer."""

    ask: Callable[[int], Any]
    rows: Callable[[Any], Rows]
    metric: str = "hamming"
    close: Callable[[], None] = lambda: None


def compared(method: Method, table: Table) -> tuple[float, str]:
    """Return the seconds of a query, and how its answers compare with brute force."""
    spent, times, grades = 0.0, [], []
    for number in range(len(table.queries)):
        began = time.perf_counter()
        answer = method.ask(number)
        times.append(time.perf_counter() - began)
        spent += times[-1]
        grades.append(grade(method.rows(answer), table.answer(method.metric, number)))
        if spent > LONG:
            break
    # The first query of all may read a column, or the like.
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
    """Return the worst of some grades: of recalls the lowest."""
    return min(grades, key=lambda each: (not each.startswith("recall"), each))


# Methods


def ours(table: Table, home: Path, query: str = OURS, metric: str = "hamming") -> Method:
    """Ask hashlens through txtai."""
    embeddings = opened(index_of(table, home))

    def ask(number: int) -> Any:
        return embeddings.search(query, parameters={"q": table.asked[number]})

    ask(0)
    explanation = embeddings.database.explanation
    assert explanation.way == "packed codes", explanation.reason
    return Method(ask, bits_of, metric, embeddings.close)


def index_of(table: Table, home: Path) -> Path:
    """Return the index of a table, written if need be, with the configuration of hashlens."""
    from txtai import Embeddings

    path = home / "ours"
    if not path.exists():
        embeddings = Embeddings(Settings.of({}).config())
        embeddings.index(table.documents())
        embeddings.save(str(path))
        embeddings.close()
    return path


def opened(path: Path) -> Any:
    """Open an index in txtai."""
    from txtai import Embeddings

    embeddings = Embeddings()
    embeddings.load(str(path))
    return embeddings


def bits_of(rows: Any) -> Rows:
    """Read what txtai answers."""
    return [(row["indexid"], row["bits"]) for row in rows]


def xor_bits(a: str, b: str) -> int:
    """Count the bits in which two hashes differ."""
    return (int(a, 16) ^ int(b, 16)).bit_count()


def signs(texts: list[str]) -> Codes:
    """Return a vector of -1 and 1 for each hash; txtai's binary index tells no 0 from 1."""
    bits = np.unpackbits(pack(list(texts)).astype(">u8").view(np.uint8), axis=1)
    return bits.astype(np.float32) * 2 - 1


class Stock:
    """Stock txtai, with Python functions in its SQL and a binary faiss index for similar()."""

    def __init__(self) -> None:
        self.table: Table | None = None
        self.embeddings: Any = None

    def open(self, table: Table) -> Any:
        """Return an index of a table, made if it is another than before."""
        from txtai import Embeddings

        if self.table is not table:
            self.close()
            functions = {"xor_bits": xor_bits, **levenshteins()}
            self.embeddings = Embeddings(
                method="external",
                transform=signs,
                quantize=1,
                faiss={"components": "BFlat"},  # the default is approximate
                content=True,
                keyword=False,
                functions=[{"name": name, "function": each} for name, each in functions.items()],
            )
            self.embeddings.index(table.documents())
            self.table = table
        return self.embeddings

    def close(self) -> None:
        """Close the index."""
        if self.embeddings:
            self.embeddings.close()
        self.table = self.embeddings = None


STOCK = Stock()


def levenshteins() -> dict[str, Callable[[str, str], int]]:
    """Return functions of Levenshtein distance: the article's, and rapidfuzz's if installed."""
    import textdistance

    pure = textdistance.Levenshtein(external=False)  # as it is where only textdistance is installed
    found = {"article": lambda a, b: int(pure(a, b))}
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        return found
    return {**found, "rapidfuzz": lambda a, b: Levenshtein.distance(a, b)}


def function(name: str, metric: str) -> Callable[[Table, Path], Method]:
    """Return what asks stock txtai by a Python function."""

    def made(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
        if name == "rapidfuzz":
            import rapidfuzz  # noqa: F401  to tell that it is missing
        embeddings = STOCK.open(table)
        query = TOP.format(f"{name}(text, :q)")

        def ask(number: int) -> Any:
            return embeddings.search(query, parameters={"q": table.asked[number]})

        return Method(ask, bits_of, metric)

    return made


def similar(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
    """Ask stock txtai by similarity."""
    one_thread()
    embeddings = STOCK.open(table)
    query = "select indexid, score from txtai where similar(:q) limit 10"

    def ask(number: int) -> Any:
        return embeddings.search(query, parameters={"q": table.asked[number]})

    return Method(
        ask, lambda rows: [(row["indexid"], round(64 * (1 - row["score"]))) for row in rows]
    )


def one_thread() -> None:
    """Let faiss use one thread: for one query it is quicker than several."""
    import faiss

    faiss.omp_set_num_threads(1)


def as_bytes(codes: Codes) -> Codes:
    """Return codes as rows of bytes."""
    return np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), -1)


def faiss_flat(table: Table, home: Path | None = None) -> Method:  # noqa: ARG001  as the others
    """Ask faiss alone."""
    import faiss

    one_thread()
    rows = as_bytes(table.codes)
    index = faiss.IndexBinaryFlat(8 * rows.shape[1])
    index.add(rows)
    queries = as_bytes(table.queries)

    def ask(number: int) -> Any:
        return index.search(queries[number : number + 1], K)

    return Method(
        ask, lambda found: list(zip(found[1][0].tolist(), found[0][0].tolist(), strict=True))
    )


def duckdb_raw(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
    """Ask DuckDB alone, on a column of whole numbers."""
    import duckdb

    connection = duckdb.connect()
    columns = {"id": np.arange(len(table.codes)), "code": table.codes}
    connection.register("columns_", columns)
    connection.execute("create table codes as select * from columns_")
    query = "select id, bit_count(xor(code, ?::ubigint)) bits from codes order by bits, id limit 10"
    queries = table.queries.tolist()

    def ask(number: int) -> Any:
        return connection.execute(query, [queries[number]]).fetchall()

    return Method(ask, list, close=connection.close)


def duckdb_ours(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
    """Ask hashlens.database.DuckDB through txtai."""
    import duckdb  # noqa: F401  to tell that it is missing
    from txtai import Embeddings

    embeddings = Embeddings(content="hashlens.database.DuckDB", keyword=False, defaults=False)
    embeddings.index([(0, {"text": table.texts[0]}, None)])
    # txtai would fill it row by row, which takes minutes for a million.
    columns = {"id": np.arange(1, len(table.codes)), "text": np.array(table.texts[1:], object)}
    connection = embeddings.database.connection
    connection.register("columns_", columns)
    connection.execute("insert into sections select id, id::text, text, null, null from columns_")
    query = TOP.format("distance(text, :q)").replace("by bits", "by bits, indexid")

    def ask(number: int) -> Any:
        return embeddings.search(query, parameters={"q": table.asked[number]})

    return Method(ask, bits_of, close=embeddings.close)


def sqlite_vec(query: str, create: str, value: str) -> Callable[[Table, Path], Method]:
    """Return what asks sqlite-vec, through apsw: not every Python's sqlite3 loads extensions."""

    def made(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
        import apsw
        import sqlite_vec

        connection = apsw.Connection(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.execute(create)
        blobs = enumerate(map(bytes, as_bytes(table.codes)))
        with connection:
            connection.executemany(f"insert into codes(rowid, code) values (?, {value})", blobs)
        queries = list(map(bytes, as_bytes(table.queries)))

        def ask(number: int) -> Any:
            return connection.execute(query, (queries[number],)).fetchall()

        return Method(
            ask, lambda rows: [(row, int(bits)) for row, bits in rows], close=connection.close
        )

    return made


def usearch_exact(table: Table, home: Path) -> Method:  # noqa: ARG001  as the others
    """Ask usearch for exact search."""
    from usearch.index import MetricKind, search

    rows, queries = as_bytes(table.codes), as_bytes(table.queries)

    def ask(number: int) -> Any:
        return search(rows, queries[number], K, MetricKind.Hamming, exact=True, threads=1)

    def read(found: Any) -> Rows:
        return list(zip(found.keys.tolist(), map(int, found.distances), strict=True))

    return Method(ask, read)


FLOOR = "faiss IndexBinaryFlat, no SQL"
BASE = {"hamming": "hashlens, txtai SQL", "levenshtein": "hashlens, txtai SQL, Levenshtein"}
ARTICLE = "the article's function in stock txtai, Levenshtein"
METHODS: dict[str, Callable[[Table, Path], Method]] = {
    BASE["hamming"]: ours,
    FLOOR: faiss_flat,
    "`similar()` in stock txtai, ±1 vectors": similar,
    "int-xor function in stock txtai": function("xor_bits", "hamming"),
    "DuckDB `bit_count(xor())`, UBIGINT, no txtai": duckdb_raw,
    "hashlens.database.DuckDB, txtai SQL": duckdb_ours,
    "sqlite-vec `vec_distance_hamming`, no txtai": sqlite_vec(
        "select rowid, vec_distance_hamming(vec_bit(code), vec_bit(?)) bits from codes "
        "order by bits limit 10",
        "create table codes(code blob)",
        "?",
    ),
    "sqlite-vec `vec0`, no txtai": sqlite_vec(
        "select rowid, distance from codes where code match vec_bit(?) and k = 10 "
        "order by distance",
        "create virtual table codes using vec0(code bit[64])",
        "vec_bit(?)",
    ),
    "usearch exact, no SQL": usearch_exact,
    BASE["levenshtein"]: lambda table, home: ours(table, home, OURS_LEVENSHTEIN, "levenshtein"),
    "rapidfuzz function in stock txtai, Levenshtein": function("rapidfuzz", "levenshtein"),
    ARTICLE: function("article", "levenshtein"),
}
MOST_ROWS = {ARTICLE: 100_000}


# Time


def in_turns(ways: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each way, in rounds in which they take turns.

    A way is a function of the number of a query. In a round it is called for some tenths of a
    second, but three times at least; the first call of a round, with cold caches, is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, way in ways.items():
            times: list[float] = []
            while sum(times) < SPENT or len(times) < 4:
                number = (turn * 7 + len(times)) % QUERIES
                began = time.perf_counter()
                way(number)
                times.append(time.perf_counter() - began)
                if len(times) > 1 and sum(times) > LONG:
                    break
                if len(times) == QUERIES:
                    break
            seconds[name].append(statistics.median(times[1:]))
    return {name: statistics.median(found) for name, found in seconds.items()}


def shown(seconds: float | None, mark: str = "") -> str:
    """Return milliseconds in three figures."""
    if seconds is None:
        return "-"
    value = seconds * 1000
    return f"{mark}{value:,.0f}" if value >= 100 else f"{mark}{value:.3g}"


@dataclass
class Run:
    """What was asked for, and what several parts share."""

    folder: Path
    rows: list[int]
    rounds: int
    images: int
    workers: int
    slow: bool
    scratch: Path
    publish: Callable[[str, str, str], None]

    @cached_property
    def real(self) -> Real:
        """Return the real hashes."""
        return Real.of(self.folder, self.images, self.workers)

    def table(self, kind: Kind, count: int) -> Table:
        """Return a table of so many hashes."""
        codes = kind.codes(count)
        return Table(codes, kind.queries(codes))

    def place(self, name: str) -> Path:
        """Return an empty folder."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path


# The parts


def queries(run: Run) -> None:
    """Measure one query for the ten nearest."""
    for kind in (Uniform(), Skewed(8), run.real):
        times: dict[int, dict[str, float]] = {}
        grades: dict[str, list[str]] = {}
        for count in run.rows:
            times[count], found = asked(run.table(kind, count), run.place("queries"), run.rounds)
            for name, each in found.items():
                grades.setdefault(name, []).append(each)
        largest = max(run.rows)
        extrapolated = extrapolate(times, largest)
        lines = [
            f"{kind.about} Milliseconds of one query for the 10 nearest; x: times as long as "
            "hashlens takes under the same metric. *Top 10*, at all sizes, beside brute force: the "
            "same rows in the order (distance, row), or the same distances (rows that tie differ), "
            "or the lowest recall of a query.",
            "",
            "| " + "".join(f"| {count:,} rows, ms | x " for count in run.rows) + "| top 10 |",
            "|---" * (2 * len(run.rows) + 2) + "|",
        ]
        for name in METHODS:
            line = [name]
            for count in run.rows:
                line += cells(times[count], name, count == largest and extrapolated)
            lines.append("| " + " | ".join([*line, worst(grades.get(name, [""]))]) + " |")
        beside_faiss = [
            f"{each[BASE['hamming']] / each[FLOOR]:.2f} x as long as faiss at {count:,} rows"
            for count, each in times.items()
            if FLOOR in each
        ]
        if beside_faiss:
            lines += ["", f"hashlens takes {', '.join(beside_faiss)}."]
        if extrapolated:
            lines += ["", "~: extrapolated in proportion to the rows, from the size before."]
        lines += [
            "",
            "The article's metric is Levenshtein, in hex digits and not in bits: beside Hamming it "
            "is another question. `similar()` leaves out rows of which no bit agrees.",
        ]
        run.publish(f"Search: one query, {kind.name}", COMMAND, "\n".join(lines))


def asked(table: Table, home: Path, rounds: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return the seconds and the grade of all methods on a table."""
    methods, times, grades = {}, {}, {}
    for name, make in METHODS.items():
        if len(table.codes) > MOST_ROWS.get(name, len(table.codes)):
            continue
        try:
            method = make(table, home)
        except ImportError as error:
            grades[name] = f"not installed: {error.name}"
            continue
        seconds, grades[name] = compared(method, table)
        if seconds > LONG:
            times[name] = seconds
        else:
            methods[name] = method
    # Ours first again: what the others have in memory is there by now.
    times |= in_turns({name: method.ask for name, method in methods.items()}, rounds)
    for method in methods.values():
        method.close()
    STOCK.close()
    return times, grades


def extrapolate(times: dict[int, dict[str, float]], largest: int) -> bool:
    """Add to the largest table what is not measured there; tell whether something was."""
    missing = [name for name in MOST_ROWS if name not in times[largest]]
    before = [count for count in sorted(times) if count < largest]
    for name in missing:
        if before and name in times[before[-1]]:
            times[largest][name] = times[before[-1]][name] * largest / before[-1]
            return True
    return False


def cells(times: dict[str, float], name: str, extrapolated: bool) -> list[str]:
    """Return the time of a method and its ratio."""
    if name not in times:
        return ["", ""]
    mark = "~" if extrapolated and name in MOST_ROWS else ""
    metric = "levenshtein" if "Levenshtein" in name else "hamming"
    return [shown(times[name], mark), f"{mark}{ratio(times[name], times[BASE[metric]])}"]


def ratio(theirs: float, mine: float) -> str:
    """Return how many times as long something takes."""
    times = theirs / mine
    return f"{times:,.0f} x" if times >= 100 else f"{times:.2f} x"


def more(run: Run) -> None:
    """Measure further queries of the largest table."""
    table = run.table(Uniform(), max(run.rows))
    home = run.place("more")
    path = index_of(table, home)
    lines = [
        f"{len(table.codes):,} rows. {Uniform.about} Milliseconds of one query; every answer was "
        "checked against brute force, rows and order, if not said otherwise.",
        "",
        "| query | hashlens, ms | beside | ms | x |",
        "|---|---|---|---|---|",
        *conditions(table, path, run.rounds),
        *wide(run),
        *written(table, path, run.rounds),
        "",
        *fresh(table, path, run.rounds),
    ]
    run.publish(f"Search: further queries, {len(table.codes):,} rows", COMMAND, "\n".join(lines))
    shutil.rmtree(home)


RADIUS = (
    "select indexid, {0} bits from txtai where {0} <= 8 and width > 1 order by bits, indexid "
    "limit 1000"
)
SELECTIVE = "select indexid, {} bits from txtai where width <= 10 order by bits, indexid limit 10"


def conditions(table: Table, path: Path, rounds: int) -> Iterator[str]:
    """Yield the rows of queries with conditions, and with Levenshtein."""
    mine, stock = opened(path), STOCK.open(table)
    distance = "distance(text, :q)"
    shapes: list[tuple[str, str, str, str, str, Callable[[int], Rows | None]]] = [
        (
            "the 10 nearest",
            OURS,
            "int-xor function in stock txtai",
            TOP.format("xor_bits(text, :q)"),
            "hamming",
            lambda number: table.answer("hamming", number),
        ),
        (
            "within 8 bits `and width > 1` (true of 99.9 %)",
            RADIUS.format(distance),
            "int-xor function in stock txtai",
            RADIUS.format("xor_bits(text, :q)"),
            "hamming",
            lambda number: kept(table, number, lambda width: width > 1, 8),
        ),
        (
            "the 10 nearest `where width <= 10` (true of 1 %)",
            SELECTIVE.format(distance),
            "int-xor function in stock txtai",
            SELECTIVE.format("xor_bits(text, :q)"),
            "hamming",
            lambda number: kept(table, number, lambda width: width <= 10, 64)[:K],
        ),
        (
            "the 10 nearest, Levenshtein",
            OURS_LEVENSHTEIN,
            "rapidfuzz function in stock txtai",
            TOP.format("rapidfuzz(text, :q)"),
            "levenshtein",
            lambda number: table.answer("levenshtein", number),
        ),
    ]
    for title, query, peer, theirs, metric, expected in shapes:
        ways = {"ours": asking(mine, query, table)}
        if metric == "hamming" or "rapidfuzz" in levenshteins():
            ways["theirs"] = asking(stock, theirs, table)
        for number in range(6):
            told = expected(number)
            for way in ways.values():
                found = bits_of(way(number))
                assert told is None or [b for _, b in found] == [b for _, b in told], title
            assert told is None or bits_of(ways["ours"](number)) == told, title
        assert mine.database.explanation.way == "packed codes", mine.database.explanation
        times = in_turns(ways, rounds)
        yield beside(title, times["ours"], peer, times.get("theirs"))
    mine.close()
    STOCK.close()


def asking(embeddings: Any, query: str, table: Table) -> Callable[[int], Any]:
    """Return a way to ask an index by the number of a query."""
    return lambda number: embeddings.search(query, parameters={"q": table.asked[number]})


def kept(table: Table, number: int, holds: Callable[[Codes], Codes], most: int) -> Rows:
    """Return the rows within a distance that meet a condition, by brute force."""
    distances = table.distances("hamming", number)
    assert distances is not None
    rows = np.flatnonzero(holds(1 + np.arange(len(distances)) % WIDTHS) & (distances <= most))
    order = np.argsort(distances[rows], kind="stable")
    return list(zip(rows[order].tolist(), distances[rows][order].tolist(), strict=True))


def beside(title: str, mine: float, peer: str = "", theirs: float | None = None) -> str:
    """Return a row of the table."""
    told = f"{peer} | {shown(theirs)} | {ratio(theirs, mine)}" if theirs else f"{peer} | - | "
    return f"| {title} | {shown(mine)} | {told} |"


def wide_table(run: Run) -> Table:
    """Return a table of random hashes of 256 bits."""
    rng = np.random.default_rng(256)
    codes = any_codes(4 * max(run.rows), rng).reshape(-1, 4)
    table = Table(codes, codes[rng.integers(0, len(codes), QUERIES)])
    table.queries[:, 1:3] ^= any_codes(2 * QUERIES, rng).reshape(-1, 2) & np.uint64(0x1111)
    table.__dict__["texts"] = unpack(np.asfortranarray(codes), 64)
    table.__dict__["asked"] = unpack(np.asfortranarray(table.queries), 64)
    for number in range(QUERIES):
        distances = np.bitwise_count(codes ^ table.queries[number]).sum(axis=1, dtype=np.uint16)
        table.known["hamming", number] = first(distances)
    return table


def wide(run: Run) -> Iterator[str]:
    """Yield the row of hashes of 256 bits, beside faiss."""
    table = wide_table(run)
    home = run.place("wide")
    mine = ours(table, home)
    ways = {"hashlens": mine.ask}
    methods = {"hashlens": mine}
    try:
        methods["faiss"] = faiss_flat(table)
        ways["faiss"] = methods["faiss"].ask
    except ImportError:
        pass
    for number in range(6):
        expected = table.known["hamming", number]
        assert expected is not None
        assert mine.rows(mine.ask(number)) == expected
        for method in methods.values():
            found = method.rows(method.ask(number))
            assert [bits for _, bits in found] == [bits for _, bits in expected]
    times = in_turns(ways, run.rounds)
    mine.close()
    shutil.rmtree(home)
    yield beside(
        "the 10 nearest of 256 bits", times["hashlens"], "faiss, no SQL", times.get("faiss")
    )


def written(table: Table, path: Path, rounds: int) -> Iterator[str]:
    """Yield the rows of the first query after rows were written."""
    embeddings = opened(path)
    ask = asking(embeddings, OURS, table)
    ask(0)
    new = len(table.codes)
    for size in (1, 1_000):
        times: dict[str, list[float]] = {"upsert": [], "delete": [], "save": []}
        for turn in range(3 * rounds):
            number, ids = turn % QUERIES, range(new, new + size)
            expected = table.answer("hamming", number)
            assert expected
            embeddings.upsert(
                (each, {"text": table.asked[number], "width": 1}, None) for each in ids
            )
            seconds, found = timed(ask, number)
            times["upsert"].append(seconds)
            # A row that equals the query is there now, behind those that do so already.
            assert found[0]["bits"] == 0, found
            assert {row["indexid"] for row in found} - {row for row, _ in expected}
            embeddings.delete([str(each) for each in ids])
            seconds, found = timed(ask, number)
            times["delete"].append(seconds)
            assert bits_of(found) == expected
            if turn % 3 == 0:
                embeddings.save(str(path))
                seconds, found = timed(ask, number)
                times["save"].append(seconds)
                assert bits_of(found) == expected
            new += size
        for what, found in times.items():
            rows = "one row" if size == 1 else f"{size:,} rows"
            title = {
                "upsert": f"the first after an upsert of {rows}",
                "delete": f"the first after a delete of {rows}",
                "save": f"the first after both, and a save ({rows})",
            }[what]
            yield beside(title, statistics.median(found))
    embeddings.close()


def timed(way: Callable[[int], Any], number: int) -> tuple[float, Any]:
    """Return the seconds of a call, and what it gives."""
    began = time.perf_counter()
    found = way(number)
    return time.perf_counter() - began, found


FRESH = """
import sys, time, json
import hashlens.database
from txtai import Embeddings
path, query, value = sys.argv[1:]
times = [time.perf_counter()]
embeddings = Embeddings()
embeddings.load(path)
times.append(time.perf_counter())
for _ in range(2):
    rows = embeddings.search(query, parameters={"q": value})
    times.append(time.perf_counter())
print(json.dumps([*(b - a for a, b in zip(times, times[1:])), embeddings.database.explanation.way]))
"""


def fresh(table: Table, path: Path, rounds: int) -> Iterator[str]:
    """Yield the times of the first query of a process, and of the command line."""
    command = [HASHLENS, "sql", OURS, "--index", str(path), "--param", f"q={table.asked[0]}"]
    start = [HASHLENS, "sql", "select id from txtai limit 1", "--index", str(path)]
    inside, whole, least = [], [], []
    for _ in range(rounds):
        program = [PYTHON, "-c", FRESH, str(path), OURS, table.asked[0]]
        done = subprocess.run(program, check=True, capture_output=True, text=True)
        *times, way = json.loads(done.stdout.splitlines()[-1])
        assert way == "packed codes"
        inside.append(times)
        for line, times in ((command, whole), (start, least)):
            began = time.perf_counter()
            done = subprocess.run(line, check=True, capture_output=True, text=True)
            times.append(time.perf_counter() - began)
    load, query, again = map(statistics.median, zip(*inside, strict=True))
    yield (
        f"A fresh process, the files in the system's cache: after its imports, loading takes "
        f"{shown(load)} ms, the first query {shown(query)} ms, in which it reads and packs the "
        f"column, and the same again {shown(again)} ms. `hashlens sql` for the 10 nearest takes "
        f"{statistics.median(whole):.2f} s as a whole process; for any one row, with no distance "
        f"asked for, {statistics.median(least):.2f} s."
    )


def growth(run: Run) -> None:
    """Measure how the time grows with the rows."""
    sizes = [*run.rows, 10 * max(run.rows)]
    times: dict[int, dict[str, float]] = {}
    for count in sizes:
        table = run.table(Uniform(), count)
        methods = {"nearest": Method(asking_codes(table), found_of)}
        try:
            methods["faiss"] = faiss_flat(table)
        except ImportError as error:
            print(f"not installed: {error.name}")
        if count in run.rows:
            methods["txtai"] = ours(table, run.place("growth"))
        for method in methods.values():
            assert compared(method, table)[1] in ("same rows", "same distances")
        times[count] = in_turns({name: each.ask for name, each in methods.items()}, run.rounds)
        for method in methods.values():
            method.close()
    titles = {
        "txtai": "hashlens, txtai SQL",
        "nearest": "`hashlens.neighbors.nearest`",
        "faiss": FLOOR,
    }
    lines = [
        f"{Uniform.about} Milliseconds of one query for the 10 nearest, all in one thread; in "
        "brackets, times that of the size before.",
        "",
        "| rows | " + " | ".join(titles.values()) + " | faiss / nearest |",
        "|---" * (len(titles) + 2) + "|",
    ]
    for before, count in zip([0, *sizes], sizes, strict=False):
        line = [f"{count:,}"]
        for name in titles:
            now, then = times[count].get(name), times.get(before, {}).get(name)
            line.append(shown(now) + (f" ({now / then:.1f} x)" if now and then else ""))
        theirs = times[count].get("faiss")
        line.append(ratio(theirs, times[count]["nearest"]) if theirs else "")
        lines.append("| " + " | ".join(line) + " |")
    run.publish("Search: growth", COMMAND, "\n".join(lines))


def asking_codes(table: Table) -> Callable[[int], Any]:
    """Return a way to ask for the nearest of codes, without txtai."""
    return lambda number: nearest(table.codes, table.queries[number : number + 1], K)


def found_of(found: Any) -> Rows:
    """Read what `nearest` answers."""
    return list(zip(found.rows.tolist(), found.distances.tolist(), strict=True))


def threads(run: Run) -> None:
    """Measure queries per second of several threads that read one index."""
    numbers = (1, 2, 4, 16)
    lines = [
        f"{Uniform.about} Queries a second of so many threads for the 10 nearest, through "
        "`Embeddings.search` of one saved index; every answer was checked. x: of one thread's.",
        "",
        "| rows | " + " | ".join(f"{number} threads | x" for number in numbers) + " |",
        "|---" * (2 * len(numbers) + 1) + "|",
    ]
    cases: list[tuple[str, Table, str, str]] = [
        (f"{count:,}", run.table(Uniform(), count), OURS, "hamming") for count in run.rows[-2:]
    ]
    largest, table = cases[-1][:2]
    cases.append((f"{largest}, Levenshtein", table, OURS_LEVENSHTEIN, "levenshtein"))
    cases.append((f"{largest}, 256 bits", wide_table(run), OURS, "hamming"))
    for label, table, query, metric in cases:
        if table.answer(metric, 0) is None:
            continue
        embeddings = opened(index_of(table, run.place("threads")))
        for number in range(QUERIES):
            table.answer(metric, number)
        rates: dict[int, list[float]] = {number: [] for number in numbers}
        for turn in range(run.rounds + 1):
            for number in numbers:
                rate = throughput(embeddings, table, query, metric, number)
                if turn:  # the first reads the column and opens connections
                    rates[number].append(rate)
        embeddings.close()
        median = {number: statistics.median(found) for number, found in rates.items()}
        told = [f"{rate:,.0f} | {rate / median[1]:.2f} x" for rate in median.values()]
        lines.append(f"| {label} | " + " | ".join(told) + " |")
    run.publish("Search: threads", COMMAND, "\n".join(lines))


def throughput(
    embeddings: Any, table: Table, query: str, metric: str, number: int, seconds: float = 2.0
) -> float:
    """Return the queries per second of some threads; raises where an answer is wrong."""
    ask = asking(embeddings, query, table)
    ready, counts, failures = threading.Barrier(number + 1), [0] * number, []
    until = 0.0

    def read(which: int) -> None:
        ready.wait()
        try:
            while time.perf_counter() < until:
                at = (counts[which] * 3 + which) % QUERIES
                found = bits_of(ask(at))
                assert found == table.known[metric, at], (at, found)
                counts[which] += 1
        except Exception as error:  # noqa: BLE001  raised below, in the main thread
            failures.append(error)

    readers = [threading.Thread(target=read, args=(which,)) for which in range(number)]
    for reader in readers:
        reader.start()
    until = time.perf_counter() + seconds
    began = time.perf_counter()
    ready.wait()
    for reader in readers:
        reader.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - began)


# Joins


@dataclass
class Joined:
    """How long a join took, how many pairs it found, and a word on that."""

    seconds: float
    pairs: int | None
    note: str = ""


Join = Callable[[Codes, int], Joined]

# In a process of its own: the first call, further ones, and the memory on top of the codes.
PROBE = """
import json, os, sys, time
import numpy as np
path, limit, calls, cores, warm = sys.argv[1], *map(int, sys.argv[2:6])
if cores:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from hashlens.neighbors.join import connected
codes = np.load(path)
if warm:  # what numba itself takes does not belong to the codes
    connected(codes[:warm].copy(), limit)
def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
if warm:
    open("/proc/self/clear_refs", "w").write("5")  # the peak is to count from here
before, times = memory("VmRSS") if warm else 0, []
for _ in range(calls):
    began = time.perf_counter()
    found = connected(codes, limit).pairs
    times.append(time.perf_counter() - began)
most = memory("VmHWM") - before if warm else 0
print(json.dumps({"times": times, "pairs": found, "memory": most}))
"""


def probed(
    codes: Codes, limit: int, *, calls: int = 1, cores: int = 0, warm: int = 0, **more: str
) -> dict[str, Any]:
    """Join in a process of its own, on some cores (0: all); `more` goes to its environment."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "codes.npy"
        np.save(path, codes)
        numbers = map(str, (limit, calls, cores, warm))
        program = [PYTHON, "-c", PROBE, str(path), *numbers]
        done = subprocess.run(
            program, check=True, capture_output=True, text=True, env={**os.environ, **more}
        )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def by_components(codes: Codes, limit: int) -> Joined:
    """Join by hashlens, for what hangs together."""
    return repeated(lambda: connected(codes, limit).pairs)


def by_pairs(codes: Codes, limit: int) -> Joined:
    """Join by hashlens, for all pairs; they are counted, not kept."""
    return repeated(lambda: sum(len(block.a) for block in pairs(codes, limit)))


def on_one_core(codes: Codes, limit: int) -> Joined:
    """Join by hashlens on one core."""
    told = probed(codes, limit, calls=3, cores=1)
    return Joined(statistics.median(told["times"][1:]), told["pairs"])


def repeated(way: Callable[[], int]) -> Joined:
    """Return the median of three calls after a first one, or of one that takes long."""
    times: list[float] = []
    while len(times) < 4 and sum(times) < 4 * LONG:
        began = time.perf_counter()
        found = way()
        times.append(time.perf_counter() - began)
    return Joined(statistics.median(times[1:] or times), found)


def by_faiss(cores: int) -> Join:
    """Return what joins by faiss: one range search of all codes."""

    def joined(codes: Codes, limit: int) -> Joined:
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

    return joined


def by_pybktree(codes: Codes, limit: int) -> Joined:
    """Join by a BK-tree, that of pybktree."""
    import pybktree

    numbers = codes.tolist()
    tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), numbers)
    began = time.perf_counter()
    found = sum(len(tree.find(number, limit)) for number in numbers)
    return Joined(time.perf_counter() - began, (found - len(numbers)) // 2)


def by_tree(codes: Codes, limit: int) -> Joined:
    """Join by scipy's k-d tree, on bits."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.unpackbits(as_bytes(codes), axis=1))
    return repeated(lambda: len(tree.query_pairs(limit + 0.5, p=1, output_type="ndarray")))


def by_imagededup(method: str) -> Join:
    """Return what joins by a search of imagededup's own, in its own environment."""

    def joined(codes: Codes, limit: int) -> Joined:
        peer = next(peer for peer in PEERS if peer.name == "imagededup")
        python, reason = python_of(peer, HOME)
        if python is None:
            raise ImportError(reason, name=peer.name)
        # A sample: all would take minutes.
        sample = np.random.default_rng(0).choice(len(codes), min(500, len(codes)), replace=False)
        with tempfile.TemporaryDirectory() as home:
            path = Path(home) / "codes.json"
            path.write_text(json.dumps([unpack(codes, 16), sample.tolist()]))
            program = [python, "-c", IMAGEDEDUP_JOIN, path, method, str(limit)]
            done = subprocess.run(program, capture_output=True, text=True)
        if done.returncode:
            return Joined(0, None, f"fails: {done.stderr.strip().splitlines()[-1]}")
        seconds, found = json.loads(done.stdout.splitlines()[-1])
        expected = sum(int((np.bitwise_count(codes ^ codes[row]) <= limit).sum()) for row in sample)
        share = len(codes) / len(sample)
        verdict = "as many as by brute force" if found == expected else f"brute force: {expected:,}"
        return Joined(
            seconds * share, None, f"{len(sample):,} of the queries, {found:,} hits, {verdict}"
        )

    return joined


# Each with the most rows that it joins here.
JOINS: dict[str, tuple[Join, int]] = {
    "hashlens `connected`": (by_components, 1_000_000),
    "hashlens `pairs`, counted": (by_pairs, 1_000_000),
    "hashlens `connected`, one core": (on_one_core, 1_000_000),
    "faiss range_search, one thread": (by_faiss(1), 100_000),
    "faiss range_search, all cores": (by_faiss(processors()), 100_000),
    "scipy cKDTree.query_pairs, bits": (by_tree, 10_000),
    "pybktree": (by_pybktree, 10_000),
    "imagededup BKTree": (by_imagededup("BKTree"), 10_000),
    "imagededup BruteForceCython": (by_imagededup("BruteForceCython"), 10_000),
}
MINE, MINE_ALONE = "hashlens `connected`", "hashlens `connected`, one core"
FAISS_ALL = "faiss range_search, all cores"
LIMITS = (4, 8)


def joins(run: Run) -> None:
    """Measure joins of hashes with themselves."""
    for kind in (Uniform(), Skewed(32), run.real):
        lines = [
            f"{kind.about} Seconds to find all pairs at most t bits apart, {processors()} cores; "
            "trees and indexes were built before. x: times as long as `connected` takes: on all "
            "cores beside what uses all, else on one. Where a number of pairs is given, it was "
            "counted by the method itself; besides, the neighbours of 200 rows in `pairs` are as "
            "many as by brute force. ~: extrapolated, in proportion to the queries, or to "
            "the square of the rows.",
            "",
            "| rows | t | | s | x | pairs |",
            "|---|---|---|---|---|---|",
        ]
        for count in run.rows:
            codes = kind.codes(count)
            for limit in LIMITS:
                lines += joined(codes, limit, run.slow)
        run.publish(f"Joins: {kind.name}", COMMAND, "\n".join(lines))
    run.publish("Joins: first call, memory, 10 times as many", COMMAND, first_joins(run))


def joined(codes: Codes, limit: int, slow: bool) -> Iterator[str]:
    """Yield the rows of all joins of some codes within a distance."""
    done: dict[str, Joined] = {}
    for name, (join, most) in JOINS.items():
        extended = slow and name == FAISS_ALL
        if len(codes) > most and not extended:
            continue
        try:
            done[name] = join(codes, limit)
        except ImportError as error:
            done[name] = Joined(0, None, f"not installed: {error.name}")
    if FAISS_ALL not in done:
        try:
            some = by_faiss(processors())(codes[:100_000], limit)
            factor = (len(codes) / 100_000) ** 2
            note = "from the first 100,000 rows"
            done[FAISS_ALL] = Joined(some.seconds * factor, None, note)
        except ImportError:
            pass
    check_sample(codes, limit)
    counts = {each.pairs for each in done.values() if each.pairs is not None}
    for name, each in done.items():
        base = done[MINE if name.startswith("hashlens") or "all cores" in name else MINE_ALONE]
        mark = "~" if each.note and each.seconds else ""
        told = f"{each.pairs:,}" if each.pairs is not None else each.note
        told += " **differs**" if each.pairs is not None and len(counts) > 1 else ""
        time_, times = (
            (f"{mark}{each.seconds:.3g}", mark + ratio(each.seconds, base.seconds))
            if each.seconds
            else ("", "")
        )
        yield f"| {len(codes):,} | {limit} | {name} | {time_} | {times} | {told} |"


def check_sample(codes: Codes, limit: int, size: int = 200) -> None:
    """Raise where hashlens finds not just those neighbours of some rows that brute force finds."""
    sample = np.random.default_rng(0).choice(len(codes), min(size, len(codes)), replace=False)
    degrees = np.zeros(len(codes), np.int64)
    chosen = np.zeros(len(codes), bool)
    chosen[sample] = True
    for block in pairs(codes, limit):
        for rows in (block.a, block.b):
            np.add.at(degrees, rows[chosen[rows]], 1)
    for row in sample:
        near = np.bitwise_count(codes ^ codes[row]) <= limit
        assert degrees[row] == near.sum() - 1, (row, degrees[row], near.sum() - 1)


def first_joins(run: Run) -> str:
    """Return the times of first calls and the memory of a join, each in a fresh process."""
    count = max(run.rows)
    lines = [
        "Fresh processes, uniform hashes, `connected`. *Compiled anew*: with an empty cache of "
        "numba's; *compiled before*: the first call of a process, numba imported in it. Memory: "
        "the most on top of the codes and of numba, which a join of 40,000 had loaded before.",
        "",
        "| rows | t | compiled anew, s | compiled before, s | warm, s | memory, MB | pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, limits in ((count, LIMITS), (10 * count, LIMITS[:1])):
        codes = Uniform().codes(size)
        for limit in limits:
            with tempfile.TemporaryDirectory() as cache:
                anew = probed(codes, limit, NUMBA_CACHE_DIR=cache)
            # A part that is compiled all the same, so that numba is there before; and in the cache.
            memory = probed(codes, limit, warm=40_000)
            again = probed(codes, limit, calls=3)
            assert anew["pairs"] == again["pairs"] == memory["pairs"]
            cold, *warm = again["times"]
            lines.append(
                f"| {size:,} | {limit} | {anew['times'][0]:.2f} | {cold:.2f} "
                f"| {statistics.median(warm):.2f} | {memory['memory'] / 1e6:,.0f} "
                f"| {again['pairs']:,} |"
            )
    return "\n".join(lines)


PARTS = {part.__name__: part for part in (queries, more, growth, threads, joins)}


def main() -> None:
    """Run all parts, or some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20_000, help="edits of the photos to hash")
    parser.add_argument("--workers", type=int, default=processors())
    parser.add_argument("--slow", action="store_true", help="join all rows by faiss as well")
    parser.add_argument("--no-record", action="store_true", help="print only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = Run(
            asked.folder,
            sorted(asked.rows),
            asked.rounds,
            asked.images,
            asked.workers,
            asked.slow,
            Path(name),
            printed if asked.no_record else record,
        )
        if {"queries", "joins"} & set(asked.only):
            run.real  # noqa: B018  by workers, which are forked before there are threads
        for part in asked.only:
            PARTS[part](run)


if __name__ == "__main__":
    main()
