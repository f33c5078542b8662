"""The rows of a database in blocks of columns, for those who read all rows.

A JSON function of SQL takes several times as long as to fetch the JSON and to decode it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, TypeAlias

from hashlens.schema import COLUMNS

Block: TypeAlias = "list[Sequence[Any]]"  # the ids of some rows, and a list for each column
SIZE = 4_000  # rows of a block: some megabytes
LONG = 8_192  # bytes: a block with a longer text is not joined, as it might fill the memory

# The rows after a row number, in storage order.
_NEXT = "FROM documents WHERE rowid > ? ORDER BY rowid LIMIT ?"
# A text that begins with "{" and is not long; other JSON is no row of ours.
_OBJECT = f"data >= '{{' AND data < '|' AND length(CAST(data AS BLOB)) <= {LONG}"
# `group_concat` takes the rows in their order. To join many texts is quicker than to fetch each.
_JOINED = (
    "SELECT max(number), count(*), sum(typeof(id) = 'text') + count(object), "
    "CAST(group_concat(id, char(0)) AS BLOB), CAST(group_concat(object, char(10)) AS BLOB) "
    f"FROM (SELECT rowid AS number, id, CASE WHEN {_OBJECT} THEN data END AS object {_NEXT})"
)


def in_blocks(rows: Iterable[tuple[Any, ...]]) -> Iterator[Block]:
    """Yield rows in blocks of columns."""
    stream = iter(rows)
    while some := list(islice(stream, SIZE)):
        yield list(zip(*some, strict=True))


def read_blocks(
    connection: Any, names: Sequence[str], expression: Callable[[str], str]
) -> Iterator[Block]:
    """Yield the ids and some columns of all rows of an SQLite database, in storage order.

    The JSON of a block is decoded here if all its rows have the types of the schema, as rows of
    hashlens do. Any other block is read by `expression`, which returns the SQL of a column.
    """
    by_sql = f"SELECT id, {', '.join(map(expression, names))} {_NEXT}"
    after = -(1 << 63)
    with ThreadPoolExecutor(1) as sqlite:  # while SQLite joins texts, Python is free to decode
        fetched = sqlite.submit(_fetch, connection, _JOINED, after, SIZE)
        while (joined := fetched.result()[0])[1]:
            last, count, texts, ids, data = joined
            fetched = sqlite.submit(_fetch, connection, _JOINED, last, SIZE)
            block = _decoded(names, count, ids, data) if texts == 2 * count else None
            if block is None:
                rows = sqlite.submit(_fetch, connection, by_sql, after, count).result()
                block = list(zip(*rows, strict=True))
            yield block
            after = last


def _fetch(connection: Any, query: str, after: int, count: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(query, [after, count]).fetchall()
    return found


def _decoded(names: Sequence[str], count: int, ids: bytes, data: bytes) -> Block | None:
    """Return a block from joined texts; None if it has to be read by SQL."""
    if b"\\" in data and b"\\u0000" in data:
        return None  # at a NUL, SQLite may cut a text
    line = data[:LONG].partition(b"\n")[0]
    in_order = sorted(names, key=lambda name: line.find(f'"{name}":'.encode()) % len(line))
    decode, error = _decoder(tuple(in_order))  # in the order of the row, fields are found sooner
    try:
        rows, uids = decode(data), ids.decode().split("\0")
    except (error, UnicodeDecodeError):
        return None
    if not len(rows) == len(uids) == count:  # each JSON begins an object: none gave no row
        return None  # a text was two: a separator is a part of it
    return [uids, *(list(map(attrgetter(name), rows)) for name in names)]


@lru_cache(16)
def _decoder(names: tuple[str, ...]) -> tuple[Callable[[bytes], list[Any]], type[Exception]]:
    """Return a function that decodes lines of JSON to objects with some columns, and its error.

    It takes the JSON that `json.dumps` writes: keys without escapes, and each only once.
    """
    import msgspec  # noqa: PLC0415  for groups only

    number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
    types: dict[str, Any] = {"BIGINT": number, "DOUBLE": float, "VARCHAR": str}
    kinds = {column.name: types[column.type] for column in COLUMNS if column.name in names}
    fields = [(name, kinds[name] | None, None) for name in names]
    row = msgspec.defstruct("Row", fields, gc=False)
    return msgspec.json.Decoder(row).decode_lines, msgspec.MsgspecError
