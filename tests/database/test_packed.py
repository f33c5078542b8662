"""Packed columns and push-down alone, over an engine of a few lines."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from hashlens.database.columns import Column, sort_out
from hashlens.database.engine import PARAMETER
from hashlens.database.packed import PackedColumns
from hashlens.database.pushdown import Pushdown
from hashlens.hashing.metrics import hamming
from hashlens.neighbors.scan import Rows


class Engine:
    """An engine whose rows are a dict; it tells which columns were read, and after which row."""

    read_error = ValueError
    aggregates = frozenset(["count"])

    def __init__(self, rows: dict[int, Any]) -> None:
        self.rows = rows
        self.count: int | None = 1
        self.reads: list[tuple[str, int]] = []
        self.replaced = self.is_damaged = False

    def version(self) -> tuple[int, int] | None:
        return None if self.count is None else (0, self.count)

    def transaction(self) -> Any:
        return nullcontext()

    def in_turn(self, work: Any) -> Any:
        return work()

    def read_column(self, name: str, digits: int = 0, after: int = -1) -> Column:
        if self.is_damaged:
            msg = "no text"
            raise ValueError(msg)
        self.reads.append((name, after))
        return sort_out(((row, text) for row, text in self.rows.items() if row > after), digits)

    def is_replaced(self, after: int) -> bool:
        return self.replaced

    def rows_among(self, rows: Rows) -> tuple[str, Any]:
        return f"row in :{PARAMETER}", rows.tolist()


TEXTS = {row: f"{row:04x}" for row in range(40)}


def nearest(column: Column, constant: str = "0000") -> list[int]:
    return column.measured(constant, "hamming").find().rows.tolist()


class TestPackedColumns:
    def test_are_read_once_for_a_version(self):
        engine, packed = Engine(dict(TEXTS)), PackedColumns()
        first = packed.column(engine, "text", (0, 1))
        assert packed.column(engine, "text", (0, 1)) is first
        assert engine.reads == [("text", -1)]
        column, state = packed.latest("text")
        assert column is first
        assert packed.is_now(state, (0, 1))
        assert not packed.is_now(state, (0, 2))

    def test_drop_deleted_rows_and_append_new_ones(self):
        engine, packed = Engine(dict(TEXTS)), PackedColumns()
        packed.column(engine, "text", (0, 1))
        packed.begin((0, 1))
        engine.rows = {**TEXTS, 50: "0000", 51: "odd"}
        del engine.rows[3]
        packed.step([3])
        packed.step()
        column = packed.column(engine, "text", None)
        assert engine.reads[1:] == [("text", 39)]
        assert len(column) == 41
        assert nearest(column)[:3] == [0, 50, 1]
        packed.commit((0, 1), (0, 2))
        assert packed.column(engine, "text", (0, 2)) is column

    @pytest.mark.parametrize("event", ["unknown step", "commit of others", "forgotten", "replaced"])
    def test_are_read_again_if_any_row_may_have_changed(self, event):
        engine, packed = Engine(dict(TEXTS)), PackedColumns()
        packed.column(engine, "color", (0, 1))
        version: tuple[int, int] | None = (0, 1)
        if event == "unknown step":
            packed.step(None)
            version = None
        elif event == "commit of others":
            version = (0, 2)
        elif event == "forgotten":
            packed.forget((0, 1))
        else:
            packed.step()
            engine.replaced, version = True, None
        packed.column(engine, "color", version)
        assert engine.reads == [("color", -1)] * 2


def run(engine: Engine, packed: PackedColumns, given: dict[str, Any] | None = None, **more: Any):
    """Ask for the nearest rows; return them, the rows that the query ran over, the explanation."""
    over: list[Any] = []

    def scan(clauses: Any, limit: int | None, parameters: Any, indexids: bool) -> list[int]:
        where = clauses.get("where")
        rows = parameters[PARAMETER] if where else list(engine.rows)
        over.append((where, rows))
        return sorted(rows, key=lambda row: (hamming(engine.rows[row], "0000"), row))[:limit]

    pushdown = Pushdown(engine, packed, more.pop("metric", "hamming"), "json(data, '$.*')")
    clauses = {"select": "id", "orderby": "distance(text, :q)", **more}
    answer = pushdown.query(scan, clauses, 3, given or {"q": "0000"}, False)
    return answer, over, pushdown.explanation


class TestPushdown:
    def test_runs_the_query_over_the_nearest_rows_only(self):
        engine, packed = Engine(dict(TEXTS)), PackedColumns()
        for _ in range(2):  # with a new column, and with the latest
            answer, over, explanation = run(engine, packed)
            assert answer == [0, 1, 2]
            assert over == [(f"row in :{PARAMETER}", [0, 1, 2])]
            assert (explanation.way, explanation.rows, explanation.candidates) == (
                "packed codes", 40, 3,
            )  # fmt: skip
        assert engine.reads == [("text", -1)]

    def test_follows_rows_that_are_written(self):
        engine, packed = Engine(dict(TEXTS)), PackedColumns()
        run(engine, packed)
        engine.count, engine.rows[2] = 2, "ffff"
        assert run(engine, packed)[0] == [0, 1, 4]

    @pytest.mark.parametrize(
        ("given", "more", "reason"),
        [
            ({"q": "00"}, {}, "'00' is not a hash of 4 hex digits"),
            ({"q": "0000", PARAMETER: 1}, {}, "use a name that is needed here"),
            ({"q": "0000"}, {"metric": None}, "distance is a function of the configuration"),
            ({"q": "0000"}, {"orderby": "id"}, "neither orders by"),
        ],
    )
    def test_scans_all_rows_if_it_cannot_do_better(self, given, more, reason):
        _, over, explanation = run(Engine(dict(TEXTS)), PackedColumns(), given, **more)
        assert explanation.way == "full scan"
        assert reason in explanation.reason
        assert [where for where, _ in over] == [None]

    def test_scans_all_rows_if_a_column_cannot_be_read(self):
        engine = Engine(dict(TEXTS))
        engine.is_damaged = True
        _, _, explanation = run(engine, PackedColumns())
        assert (explanation.way, explanation.reason) == ("full scan", "no text")
