"""txtai's DuckDB with our functions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property, partial
from itertools import count
from typing import Any

from txtai.database.duckdb import DuckDB as TxtaiDuckDB

from hashlens.database.blocks import Block, in_blocks
from hashlens.database.content import (
    PLACE,
    Document,
    OurFunctions,
    Places,
    place_column,
    read_rows,
    section_text,
    skipped_ids,
    stored_documents,
)
from hashlens.schema import NUMBERS, PLACE_TYPES
from hashlens.sql.planner import in_order

_numbers = count()


class DuckDB(TxtaiDuckDB):
    """txtai's DuckDB with our functions; threads take turns with its one connection.

    As txtai registers them, functions would give text, which sorts 10 before 2, and NULL for
    NULL; and one failed query would abort the transaction that all later queries run in.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.places = Places(shared=True)  # DuckDB calls functions in threads of its own
        self.skipped: frozenset[Any] = frozenset()
        self.pending = False  # whether there are uncommitted rows
        self.turn = threading.RLock()
        super().__init__(config)

    def configure(self, config: dict[str, Any]) -> None:
        """Take a configuration."""
        super().configure(config)
        self.ours = OurFunctions.of(config, self.functions or ())

    def loadfunctions(self, connection: Any) -> None:
        """Register the functions of the configuration as txtai does, and ours behind macros.

        A DuckDB function has one result type. Distances of a named metric may be fractions;
        distances of the two-argument form are whole under Hamming and Levenshtein.
        """
        super().loadfunctions(connection)
        whole = int if self.ours.metric in ("hamming", "levenshtein") else float
        # A macro belongs to a connection. A function is seen by all connections to its database,
        # but dies with the connection that made it. So each connection has functions of its own.
        number = next(_numbers)
        for name, function in self.ours.by_name.items():
            two, three = f"hashlens_{name}_{number}", f"hashlens_{name}_by_{number}"
            _create(connection, two, function, whole if name == "distance" else float)
            _create(connection, three, function, float)
            connection.execute(
                f"CREATE OR REPLACE TEMP MACRO {name}(a, b) AS {two}(a, b), "
                f"(a, b, m) AS {three}(a, b, m)"
            )
        place = f"{PLACE}_{number}"
        _create(connection, place, partial(_place_text, self.places), str)
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {PLACE}(a, b) AS {place}(a, b)")

    def jsoncolumn(self, name: str) -> str:
        """Read a column out of a row's JSON; DuckDB gives text, our numbers become numbers.

        A value of others that is not a number is NULL.
        """
        kind = NUMBERS.get(name) or PLACE_TYPES.get(name)
        text = place_column(name) or str(super().jsoncolumn(name))
        return f"TRY_CAST({text} AS {kind})" if kind else text

    def session(self, path: str | None = None, connection: Any = None) -> None:
        """Open a session whose temporary tables and functions outlive a rollback.

        As in SQLite, NULL sorts before everything, and whole numbers divide to whole numbers.
        """
        super().session(path, connection)
        self.connection.execute("SET default_null_order = 'nulls_first_on_asc_last_on_desc'")
        self.connection.execute("SET integer_division = true")
        self._begin_next()

    @cached_property
    def aggregates(self) -> frozenset[str]:
        """Return the names of the functions that make one row of many."""
        found = self.connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
        )
        return frozenset(name for (name,) in found.fetchall())

    def search(self, query: Any, similarity: Any = None, *args: Any, **options: Any) -> Any:
        """Run a query, which may ask for the places that its search for crops found."""
        with self.turn:
            self.places.remember(similarity)
            return super().search(query, similarity, *args, **options)

    def query(self, query: Mapping[str, Any], *args: Any) -> Any:
        """Run a query on the rows committed by now, and give the types that SQLite gives.

        If the query fails, the transaction that it aborted is begun again.
        """
        if not (self.pending and self.path):
            self._begin_next()  # also commits rows of a temporary database: nobody else sees it
            self.pending = False
        try:
            clauses = in_order(query, self.aggregates)
            if clauses.get("similar") and not clauses.get("orderby"):
                clauses["orderby"] = "1"  # txtai's own, by score, would have to be grouped by
            return _plain_rows(super().query(clauses, *args))
        except Exception:
            if not self.pending:
                self.connection.rollback()
                self.connection.begin()
            raise

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and some columns of every row, sorted by id."""
        return read_rows(self.connection, map(self.jsoncolumn, names), "ORDER BY id")

    def blocks(self, *names: str) -> Iterator[Block]:
        """Yield the ids and some columns of all rows, in blocks."""
        return in_blocks(read_rows(self.connection, map(self.jsoncolumn, names)))

    def ids(self, ids: list[Any]) -> Any:
        """Return the row numbers of some ids."""
        with self.turn:
            return super().ids(ids)

    def count(self) -> int:
        """Count the rows."""
        with self.turn:
            return int(super().count())

    def insert(self, documents: Iterable[Document], index: int = 0) -> None:
        """Insert rows; the text of a skipped file is NULL."""
        with self.turn:
            self.pending = True
            documents = list(documents)
            self.skipped = skipped_ids(documents)
            super().insert(stored_documents(documents), index)

    def insertsection(self, index: int, uid: Any, text: str | None, tags: Any, entry: Any) -> None:
        """Insert the text of a row."""
        super().insertsection(index, uid, section_text(uid, text, self.skipped), tags, entry)

    def delete(self, ids: list[Any]) -> None:
        """Delete rows."""
        with self.turn:
            self.pending = True
            super().delete(ids)

    def save(self, path: str) -> None:
        """Commit, or copy to another path, and begin the next transaction."""
        with self.turn:
            commits = self.path in (None, path)
            super().save(path)
            if commits:
                self.pending = False
            self._begin_next()

    def close(self) -> None:
        """Close the connection."""
        with self.turn:
            super().close()

    def _begin_next(self) -> None:
        """Commit, and begin the next transaction."""
        self.connection.commit()
        self.connection.begin()


def _place_text(places: Places, row: int, name: str) -> str | None:
    value = places.value(row, name)
    return None if value is None else str(int(value) if isinstance(value, bool) else value)


def _plain_rows(rows: Any) -> Any:
    """Return rows with floats for decimals and text for times; pairs of a search as they are."""
    if not (rows and isinstance(rows[0], dict)):
        return rows
    return [{name: _plain_value(value) for name, value in row.items()} for row in rows]


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, date) else value


def _create(connection: Any, name: str, function: Callable[..., Any], result: type) -> None:
    # DuckDB reads the number of arguments from the signature, and takes no partial.
    def call(*values: Any) -> Any:
        return function(*values)

    connection.create_function(
        name, call, return_type=result, null_handling="special", side_effects=False
    )
