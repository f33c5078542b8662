"""Rows in blocks of columns: those that SQL reads, whatever is stored."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashlens.database import blocks
from hashlens.schema import COLUMNS, GROUPED
from suites import examples

NAMES = ("text", *GROUPED)
SELECTED = ", ".join(f"json_extract(data, '$.{name}')" for name in NAMES)
TEXTS = st.text(max_size=6) | st.sampled_from(["", "\0", "a\0b", "\n", "é\n", "\ud800", "😀", '"'])
NUMBERS = st.integers() | st.integers(-(2**65), 2**65) | st.floats()
VALUES = (
    st.none() | st.booleans() | TEXTS | NUMBERS | st.just([1, "x"]) | st.just({"path": "inner"})
)
OURS = {
    "path": "/a/é.jpg", "text": "0" * 16, "width": 3, "information": 2.5, "format": "JPEG",
    "file_digest": "f" * 64, "policy": "not asked for",
}  # fmt: skip
ODD = st.dictionaries(st.sampled_from(NAMES), VALUES)
STORED = st.one_of(
    st.just(json.dumps(OURS)),
    ODD.map(lambda odd: json.dumps(OURS | odd)),
    st.sampled_from(
        [None, "", "{}", "[]", "7", "null", "no JSON", b"{}", b'{"path": "\xff"}', 1.5]
    ),
    st.sampled_from(['{"path": "x"},{}', '{"path": "x"}{}', "{}\n{}", '{"path": "x",}']),
    st.sampled_from(['{"path": "\t"}', '{"width": 1e400}', '{"width": NaN}', ' {"width": 1} ']),
)
UIDS = TEXTS.filter(lambda uid: uid.isprintable() or uid in "\0\n")
IDS = st.lists(UIDS, max_size=9, unique=True)


def database(rows):
    """Return a database with ids and JSON; bytes are text that may not be Unicode."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, data JSON)")
    for uid, data in rows:
        value = "CAST(? AS TEXT)" if isinstance(data, bytes) else "?"
        connection.execute(f"INSERT INTO documents VALUES (?, {value})", [uid, data])
    return connection


TYPES = {column.name: column.type for column in COLUMNS}
DOUBLES = [place for place, name in enumerate(NAMES, 1) if TYPES[name] == "DOUBLE"]


def outcome(read, connection):
    """Return the rows that a function reads, by their types, too; or that SQLite refuses.

    In a column of DOUBLE, a whole number counts as one: JSON may have it as 0.
    """
    try:
        rows = [list(row) for row in read(connection)]
    except sqlite3.OperationalError:
        return "refused"
    for row in rows:
        for place in DOUBLES:
            if isinstance(row[place], int):
                row[place] = float(row[place])
    return [repr(row) for row in rows]


def by_sql(connection):
    return list(connection.execute(f"SELECT id, {SELECTED} FROM documents ORDER BY rowid"))


def by_blocks(connection):
    found = blocks.read_blocks(connection, NAMES, lambda name: f"json_extract(data, '$.{name}')")
    return [row for block in found for row in zip(*block, strict=True)]


class TestReadBlocks:
    @given(IDS, st.data(), st.integers(1, 4))
    @settings(max_examples=examples(300))
    def test_blocks_have_the_rows_that_sql_reads(self, ids, data, size):
        connection = database([(uid, data.draw(STORED)) for uid in ids])
        for uid in data.draw(st.lists(st.sampled_from(ids), max_size=3)) if ids else ():
            connection.execute("DELETE FROM documents WHERE id = ?", [uid])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "SIZE", size)
            assert outcome(by_blocks, connection) == outcome(by_sql, connection)

    @pytest.mark.parametrize(
        "odd",
        [
            {},
            {"path": "/ü\n"},
            {"width": None},
            {"information": -0.0, "mtime_ns": -(2**63)},
            {"information": 0},
        ],
    )
    def test_rows_with_the_types_of_the_schema_are_decoded_without_sql(self, odd):
        connection = database([(str(n), json.dumps(OURS | odd)) for n in range(5)])
        [block] = blocks.read_blocks(connection, NAMES, lambda _: "no SQL")
        rows = [repr(list(row)) for row in zip(*block, strict=True)]
        assert rows == outcome(by_sql, connection)

    def test_a_block_with_an_odd_row_is_read_by_sql_and_no_other(self, monkeypatch):
        monkeypatch.setattr(blocks, "SIZE", 2)
        odd = {2: {"width": "wide"}, 3: {"width": 2.5}}
        connection = database([(str(n), json.dumps(OURS | odd.get(n, {}))) for n in range(6)])
        found = blocks.read_blocks(connection, ("width",), lambda _: "'by SQL'")
        assert [list(block[1]) for block in found] == [[3, 3], ["by SQL", "by SQL"], [3, 3]]

    def test_long_texts_are_not_joined(self, monkeypatch):
        monkeypatch.setattr(blocks, "SIZE", 2)
        texts = {2: "ü" * blocks.LONG, 5: "x" * (blocks.LONG - len(json.dumps({"path": ""})))}
        rows = [(str(n), json.dumps({"path": texts.get(n, "short")})) for n in range(6)]
        found = blocks.read_blocks(database(rows), ("path",), lambda _: "'by SQL'")
        kinds = [len(path) for block in found for path in block[1]]
        assert kinds == [5, 5, 6, 6, 5, len(texts[5])]

    def test_an_empty_database_has_no_blocks(self):
        assert list(blocks.read_blocks(database([]), NAMES, str)) == []


def test_rows_come_in_blocks_of_columns(monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 2)
    rows = [("a", 1), ("b", 2), ("c", 3)]
    assert list(blocks.in_blocks(rows)) == [[("a", "b"), (1, 2)], [("c",), (3,)]]
    assert list(blocks.in_blocks([])) == []
