"""txtai's DuckDB with our functions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cached_property, partial
from itertools import count
from types import SimpleNamespace
from typing import Any

from txtai.database.duckdb import DuckDB as TxtaiDuckDB

from hashlens.database.content import PLACE, HashContent, _value
from hashlens.schema import NUMBERS, PLACE_TYPES
from hashlens.sql.planner import in_order

_numbers = count()


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
        kind = NUMBERS.get(name) or PLACE_TYPES.get(name)
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


def _text(found: Any, row: int, name: str) -> str | None:
    value = _value(found, row, name)
    return None if value is None else str(int(value) if isinstance(value, bool) else value)


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
