"""Content databases for txtai that know `distance` and `similarity`.

An index names one as its content, by class path:

    Embeddings(content="hashlens.database.SQLite", keyword=False, defaults=False)

They are txtai's own SQLite and DuckDB. The functions come with the class, not through the
configuration: so nothing but a name is written into a saved index, and it opens in stock txtai.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property, partial
from io import BytesIO
from itertools import count
from types import SimpleNamespace
from typing import Any

from PIL import Image
from txtai.database.duckdb import DuckDB as TxtaiDuckDB
from txtai.database.encoder import Encoder
from txtai.database.sqlite import SQLite as TxtaiSQLite

from hashlens import sql
from hashlens.crops import evidence
from hashlens.planner import in_order
from hashlens.pushdown import Pushdown
from hashlens.readers import Readers
from hashlens.schema import CROPS, KEY, NUMBERS

# Columns of what a search for crops found, and their types; NULL without `similar(…)` of a crop
# index.
PLACE_COLUMNS = {
    "box": "VARCHAR",
    "fractions": "VARCHAR",
    "outline": "VARCHAR",
    "transform": "VARCHAR",
    "inliers": "BIGINT",
    "correlation": "DOUBLE",
    "agreement": "DOUBLE",
    "mirrored": "BIGINT",
}
PLACE = "hashlens_place"

_numbers = count()


class Thumbnails(Encoder):  # type: ignore[misc]  # txtai is untyped
    """Store pictures as the JPEG bytes they come as; `select object` gives PIL images."""

    def encode(self, obj: bytes | Image.Image) -> bytes:
        """Return the bytes to store; a PIL image is written as JPEG."""
        if isinstance(obj, bytes):
            return obj
        output = BytesIO()
        obj.convert("RGB").save(output, "JPEG", quality=80)
        return output.getvalue()

    def decode(self, data: bytes | None) -> Image.Image | None:
        """Return the stored picture, or None where there is none."""
        return Image.open(BytesIO(data)) if data else None


class HashContent:
    """Mixed into a txtai database: our SQL functions, and rows without a fingerprint."""

    config: dict[str, Any]
    connection: Any
    functions: list[tuple[str, int, Any, bool | None]] | None
    path: str | None
    pending = False  # rows were written that are not committed
    skipped: frozenset[Any] = frozenset()

    def __init__(self, config: dict[str, Any]) -> None:
        self.found = self.holder()
        super().__init__(config)  # type: ignore[call-arg]

    @staticmethod
    def holder() -> Any:
        """Return what holds the places of a search, of each thread its own."""
        return threading.local()

    def registerfunctions(self, config: dict[str, Any]) -> None:
        """Add our functions to those of the configuration, which come first."""
        super().registerfunctions(config)  # type: ignore[misc]
        self.metric = (config.get(KEY) or {}).get("metric", "hamming")
        taken = {name for name, *_ in self.functions or []}
        self.ours = {
            name: function
            for name, function in sql.functions(self.metric).items()
            if name not in taken
        }

    def search(self, query: Any, similarity: Any = None, *args: Any, **options: Any) -> Any:
        """Run a query, which may ask for the places that its search for crops found."""
        self.found.places = evidence.places(similarity) if similarity else {}
        return super().search(query, similarity, *args, **options)  # type: ignore[misc]

    def jsoncolumn(self, name: str) -> str:
        """Return the expression of a column that is none of txtai's own."""
        if name in PLACE_COLUMNS:
            return f"{PLACE}(s.indexid, '{name}')"
        column: str = super().jsoncolumn(name)  # type: ignore[misc]
        return column

    def columns(self, *names: str, by_id: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield the id and some columns of every row, sorted by id, or sooner as they lie."""
        picked = ", ".join(self.jsoncolumn(name) for name in names)
        cursor = self.connection.cursor()
        cursor.execute(f"SELECT id, {picked} FROM documents {'ORDER BY id' if by_id else ''}")
        while rows := cursor.fetchmany(1000):
            yield from rows
        cursor.close()

    def insert(self, documents: Iterable[tuple[Any, Any, Any]], index: int = 0) -> None:
        """Insert rows; the text of a skipped file is NULL, where txtai puts the row's id."""
        self.pending = True
        documents = list(documents)
        self.skipped = frozenset(
            uid for uid, row, _ in documents if isinstance(row, dict) and row.get("skipped")
        )
        stored = [(uid, _stored(row), tags) for uid, row, tags in documents]
        super().insert(stored, index)  # type: ignore[misc]

    def insertsection(self, index: int, uid: Any, text: str | None, tags: Any, entry: Any) -> None:
        """Insert the text of a row."""
        missing = uid in self.skipped and text == str(uid)
        super().insertsection(  # type: ignore[misc]
            index, uid, None if missing else text, tags, entry
        )

    def delete(self, ids: list[Any]) -> None:
        """Delete rows."""
        self.pending = True
        super().delete(ids)  # type: ignore[misc]

    def save(self, path: str) -> None:
        """Commit, or copy to another path."""
        commits = self.path in (None, path)
        super().save(path)  # type: ignore[misc]
        if commits:
            self.pending = False


class SQLite(Pushdown, Readers, HashContent, TxtaiSQLite):  # type: ignore[misc]
    """txtai's SQLite with our functions, for many threads, in which distances are quick."""

    def addfunctions(self) -> None:
        """Register the functions of the configuration, then ours."""
        super().addfunctions()
        for name, function in self.ours.items():
            self.connection.create_function(name, -1, function, deterministic=True)
        self.connection.create_function(PLACE, 2, partial(_value, self.found))


def _in_turn(name: str) -> Callable[..., Any]:
    def method(self: InTurns, *args: Any, **options: Any) -> Any:
        with self.mutex:
            return getattr(super(InTurns, self), name)(*args, **options)

    return method


class InTurns:
    """Mixed into a txtai database with one connection: its threads take turns."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.mutex = threading.RLock()
        super().__init__(config)  # type: ignore[call-arg]

    search, count, ids = map(_in_turn, ("search", "count", "ids"))
    insert, delete, close = map(_in_turn, ("insert", "delete", "close"))


class DuckDB(InTurns, HashContent, TxtaiDuckDB):  # type: ignore[misc]
    """txtai's DuckDB with our functions, typed and total.

    As txtai registers them, functions would give text, which sorts 10 before 2, and NULL for
    NULL; and one failed query would abort the transaction that all later ones run in.
    """

    def loadfunctions(self, connection: Any) -> None:
        """Register the functions of the configuration as txtai does, and ours behind macros.

        A DuckDB function has one result type; distances of the named metrics may be fractions,
        those of the two-argument form are whole under Hamming and Levenshtein.
        """
        super().loadfunctions(connection)
        whole = int if self.metric in ("hamming", "levenshtein") else float
        # Macros belong to a connection; a function is seen by all connections to its database,
        # but dies with the one that made it. So each has functions of its own.
        number = next(_numbers)
        for name, function in self.ours.items():
            two, three = f"hashlens_{name}_{number}", f"hashlens_{name}_by_{number}"
            _create(connection, two, function, whole if name == "distance" else float)
            _create(connection, three, function, float)
            connection.execute(
                f"CREATE OR REPLACE TEMP MACRO {name}(a, b) AS {two}(a, b), "
                f"(a, b, m) AS {three}(a, b, m)"
            )
        place = f"{PLACE}_{number}"
        _create(connection, place, partial(_text, self.found), str)
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {PLACE}(a, b) AS {place}(a, b)")

    @staticmethod
    def holder() -> Any:
        """Return what holds the places of a search: DuckDB calls functions in its own threads."""
        return SimpleNamespace()

    def jsoncolumn(self, name: str) -> str:
        """Read a column out of a row's JSON; DuckDB gives text, our numbers become numbers.

        What others wrote there and is no number is NULL.
        """
        kind = NUMBERS.get(name) or PLACE_COLUMNS.get(name)
        text: str = super().jsoncolumn(name)
        return f"TRY_CAST({text} AS {kind})" if kind else text

    def session(self, path: str | None = None, connection: Any = None) -> None:
        """Open a session whose temporary tables and functions outlive a rollback.

        As in SQLite, NULL sorts before everything, and whole numbers divide to whole ones.
        """
        super().session(path, connection)
        self.connection.execute("SET default_null_order = 'nulls_first_on_asc_last_on_desc'")
        self.connection.execute("SET integer_division = true")
        self._begin_anew()

    def save(self, path: str) -> None:
        """Commit, or copy to a new path, and begin the next transaction."""
        with self.mutex:
            super().save(path)
            self._begin_anew()

    @cached_property
    def aggregates(self) -> frozenset[str]:
        """Return the functions that make one row of many."""
        found = self.connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
        )
        return frozenset(name for (name,) in found.fetchall())

    def query(self, query: Any, *args: Any) -> Any:
        """Run a query, on what is committed by now, and give the types that SQLite gives.

        Where it fails, the transaction that it aborted is begun anew.
        """
        if not (self.pending and self.path):
            self._begin_anew()  # rows of a temporary database may as well be kept: no one sees it
            self.pending = False
        try:
            clauses = in_order(query, self.aggregates)
            if clauses.get("similar") and not clauses.get("orderby"):
                clauses["orderby"] = "1"  # txtai's own, by score, would have to be grouped by
            return _plain(super().query(clauses, *args))
        except Exception:
            if not self.pending:
                self.connection.rollback()
                self.connection.begin()
            raise

    def _begin_anew(self) -> None:
        self.connection.commit()
        self.connection.begin()


def _value(found: Any, row: int, name: str) -> Any:
    """Return what a search found of the place of the query in the picture of a row."""
    # Not a method: a function that holds its database would keep it from being freed.
    value = getattr(getattr(found, "places", {}).get(row), name, None)
    return json.dumps(value) if isinstance(value, tuple) else value


def _text(found: Any, row: int, name: str) -> str | None:
    value = _value(found, row, name)
    return None if value is None else str(int(value) if isinstance(value, bool) else value)


def _stored(row: Any) -> Any:
    """Return what is stored of a row: without what was handed on to the crop index."""
    if isinstance(row, dict) and CROPS in row:
        return {name: value for name, value in row.items() if name != CROPS}
    return row


def _plain(rows: Any) -> Any:
    """Return rows with floats for decimals and text for times; pairs of a search as they are."""
    if not (rows and isinstance(rows[0], dict)):
        return rows
    return [{name: _plain_value(value) for name, value in row.items()} for row in rows]


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, date) else value


def _create(connection: Any, name: str, function: Callable[..., Any], result: type) -> None:
    # DuckDB reads the number of arguments from the signature; a partial has none that it likes.
    def call(*values: Any) -> Any:
        return function(*values)

    connection.create_function(
        name, call, return_type=result, null_handling="special", side_effects=False
    )
