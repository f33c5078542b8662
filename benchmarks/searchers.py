"""Ways to ask for the nearest rows of a table: those of hashlens, of stock txtai and of peers.

Each way is a function of a table and an empty folder. It raises ImportError if its package is not
installed. All use one thread for a query; DuckDB alone uses all cores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, K, Rows, Table, as_bytes
from method import Method

from hashlens.neighbors import pack
from hashlens.rows.settings import Settings

TOP = "select indexid, {} bits from txtai order by bits limit 10"
OURS = TOP.format("distance(text, :q)")
OURS_LEVENSHTEIN = TOP.format("distance(text, :q, 'levenshtein')")


# hashlens


def index_of(table: Table, home: Path) -> Path:
    """Return the index of a table with the configuration of hashlens; write it if needed."""
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


def asking(embeddings: Any, query: str, table: Table) -> Callable[[int], Any]:
    """Return a way to ask an index by the number of a query."""
    return lambda number: embeddings.search(query, parameters={"q": table.asked[number]})


def bits_of(rows: Any) -> Rows:
    """Read an answer of txtai."""
    return [(row["indexid"], row["bits"]) for row in rows]


def ours(table: Table, home: Path, query: str = OURS, metric: str = "hamming") -> Method:
    """Ask hashlens through txtai."""
    embeddings = opened(index_of(table, home))
    ask = asking(embeddings, query, table)
    ask(0)
    explanation = embeddings.database.explanation
    assert explanation.way == "packed codes", explanation.reason
    return Method(ask, bits_of, metric, embeddings.close)


def duckdb_ours(table: Table, _home: Path) -> Method:
    """Ask hashlens.database.DuckDB through txtai."""
    import duckdb  # noqa: F401  raises if it is missing
    from txtai import Embeddings

    embeddings = Embeddings(content="hashlens.database.DuckDB", keyword=False, defaults=False)
    embeddings.index([(0, {"text": table.texts[0]}, None)])
    # txtai would fill it row by row, which takes minutes for a million.
    columns = {"id": np.arange(1, len(table.codes)), "text": np.array(table.texts[1:], object)}
    connection = embeddings.database.connection
    connection.register("columns_", columns)
    connection.execute("insert into sections select id, id::text, text, null, null from columns_")
    query = OURS.replace("by bits", "by bits, indexid")
    return Method(asking(embeddings, query, table), bits_of, close=embeddings.close)


# Stock txtai


def xor_bits(a: str, b: str) -> int:
    """Count the bits in which two hashes differ."""
    return (int(a, 16) ^ int(b, 16)).bit_count()


def levenshteins() -> dict[str, Callable[[str, str], int]]:
    """Return functions of Levenshtein distance: the article's, and rapidfuzz's if installed."""
    import textdistance

    pure = textdistance.Levenshtein(external=False)  # as where only textdistance is installed
    found = {"article": lambda a, b: int(pure(a, b))}
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        return found
    return {**found, "rapidfuzz": lambda a, b: Levenshtein.distance(a, b)}


def signs(texts: list[str]) -> Codes:
    """Return a vector of -1 and 1 for each hash: txtai's binary index keeps only signs."""
    bits = np.unpackbits(pack(list(texts)).astype(">u8").view(np.uint8), axis=1)
    return bits.astype(np.float32) * 2 - 1


class Stock:
    """Stock txtai, with Python functions in its SQL and a binary faiss index for similar()."""

    def __init__(self) -> None:
        self.table: Table | None = None
        self.embeddings: Any = None

    def open(self, table: Table) -> Any:
        """Return an index of a table; make it unless it was the last table."""
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


def function(name: str, metric: str) -> Callable[[Table, Path], Method]:
    """Return the way that asks stock txtai by a Python function."""

    def made(table: Table, _home: Path) -> Method:
        if name == "rapidfuzz":
            import rapidfuzz  # noqa: F401  raises if it is missing
        query = TOP.format(f"{name}(text, :q)")
        return Method(asking(STOCK.open(table), query, table), bits_of, metric)

    return made


def similar(table: Table, _home: Path) -> Method:
    """Ask stock txtai by similarity."""
    one_thread()
    query = "select indexid, score from txtai where similar(:q) limit 10"
    return Method(
        asking(STOCK.open(table), query, table),
        lambda rows: [(row["indexid"], round(64 * (1 - row["score"]))) for row in rows],
    )


# Without txtai


def one_thread() -> None:
    """Limit faiss to one thread, which is quicker than several for one query."""
    import faiss

    faiss.omp_set_num_threads(1)


def faiss_flat(table: Table, _home: Path | None = None) -> Method:
    """Ask faiss."""
    import faiss

    one_thread()
    rows = as_bytes(table.codes)
    index = faiss.IndexBinaryFlat(8 * rows.shape[1])
    index.add(rows)
    queries = as_bytes(table.queries)

    def read(found: Any) -> Rows:
        return list(zip(found[1][0].tolist(), found[0][0].tolist(), strict=True))

    return Method(lambda number: index.search(queries[number : number + 1], K), read)


def duckdb_raw(table: Table, _home: Path) -> Method:
    """Ask DuckDB, on a column of whole numbers."""
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


def sqlite_vec(query: str, create: str, value: str) -> Callable[[Table, Path], Method]:
    """Return a way that asks sqlite-vec through apsw: some builds of sqlite3 load no extensions."""

    def made(table: Table, _home: Path) -> Method:
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


def usearch_exact(table: Table, _home: Path) -> Method:
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
XOR = "int-xor function in stock txtai"
METHODS: dict[str, Callable[[Table, Path], Method]] = {
    BASE["hamming"]: ours,
    FLOOR: faiss_flat,
    "`similar()` in stock txtai, ±1 vectors": similar,
    XOR: function("xor_bits", "hamming"),
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
MOST_ROWS = {ARTICLE: 100_000}  # larger tables are extrapolated
