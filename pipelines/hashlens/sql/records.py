"""SQL over records, such as the steps of a plan: `select action, path from plan order by path`."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from types import MappingProxyType
from typing import Any

from hashlens.errors import ParameterError, QueryError
from hashlens.sql.clauses import column_name
from hashlens.sql.functions import functions
from hashlens.sql.tokens import quote, tokenize

Record = Mapping[str, Any]

# What SQLite raises for a table, a query or a value that it does not take.
_REFUSED = (sqlite3.Error, OverflowError, UnicodeEncodeError)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def sources(query: str) -> set[str]:
    """Return the names of the tables that a query reads, in lower case."""
    tokens = list(tokenize(query))
    found = set()
    for place, token in enumerate(tokens, 1):
        if token.lower() in ("from", "join"):
            is_bracketed = tokens[place : place + 1] in (["`"], ["["])
            found.add(column_name(tokens[place + is_bracketed :][:1]))
    return {name for name in found if name}


def query_tables(
    query: str,
    tables: Mapping[str, Iterable[Record]],
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int | None = None,
    columns: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Run a query over tables of records, in SQLite and in memory, with our SQL functions.

    `columns` gives the columns of tables that may be empty; other tables have the columns
    of their records.

    Raises QueryError, which names the tables, for a query that cannot run, and ParameterError for a
    table that cannot be made.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        msg = f"limit must be a whole number >= 1, not {limit!r}"
        raise ParameterError(msg)
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, function in functions().items():
            connection.create_function(name, -1, function, deterministic=True)
        for name, records in tables.items():
            _fill(connection, name, list(records), columns.get(name, ()))
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_allowed)
        try:
            cursor = connection.execute(query, dict(parameters or {}))
            rows = list(islice(cursor, limit))
        except (*_REFUSED, sqlite3.Warning) as error:
            msg = f"the query failed: {error}; tables are {', '.join(tables)}; it was {query!r}"
            raise QueryError(msg) from error
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]


def _allowed(action: int, *_: object) -> int:
    """Refuse to attach files: SQLite would create them."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def read_records(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read records from a file: CSV by its extension, else JSON Lines; raises ParameterError."""
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:  # of Excel's, too
            if name.lower().endswith(".csv"):
                return _typed(list(_rows(file)))
            read = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        msg = f"no records can be read from {name}: {error}"
        raise ParameterError(msg) from error
    if not all(isinstance(record, dict) for record in read):
        msg = f"{name} is not JSON Lines: each line must be an object"
        raise ParameterError(msg)
    return read


def _rows(file: Any) -> Iterable[dict[str, str]]:
    for number, row in enumerate(csv.DictReader(file), 2):
        if None in row or None in row.values():
            msg = f"line {number} has another number of cells than the first"
            raise ValueError(msg)
        yield row


def _typed(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Turn columns that hold numbers only into numbers; one fingerprint alone may look like one."""
    numeric = {
        name
        for name in (rows[0] if rows else ())
        if all(_NUMBER.fullmatch(row[name]) for row in rows if row[name])
    }
    return [
        {name: json.loads(text) if name in numeric and text else text for name, text in row.items()}
        for row in rows
    ]


def _fill(
    connection: sqlite3.Connection, name: str, records: list[Record], known: Sequence[str]
) -> None:
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        msg = f"a table has a name of letters, digits and _, not {name!r}"
        raise ParameterError(msg)
    met = (column for record in records for column in record)
    columns = list(dict.fromkeys((*known, *met))) or ["empty"]
    quoted = ", ".join(map(quote, columns))
    rows = ([_stored(record.get(column)) for column in columns] for record in records)
    marks = ", ".join("?" * len(columns))
    try:
        connection.execute(f"CREATE TABLE {quote(name)} ({quoted})")
        connection.executemany(f"INSERT INTO {quote(name)} VALUES ({marks})", rows)
    except _REFUSED as error:
        msg = f"no table {name} can be made: {error}"
        raise ParameterError(msg) from error


def _stored(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, str, bytes)):
        return value
    return json.dumps(value, default=str)
