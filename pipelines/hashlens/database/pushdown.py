"""Queries by distance, answered from packed codes: the same rows in the same order, sooner.

Which rows can be in the answer of a query is told from its clauses (`hashlens.sql.planner`) and the
packed column; then the query, as it is, runs over these candidates and not over all rows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from hashlens.database.columns import Column, Measured
from hashlens.database.packed import Packed, Version
from hashlens.model import Explanation
from hashlens.neighbors.scan import Found, Rows
from hashlens.sql.planner import Grammar, NoPlanError, QueryPlan, in_order, plans, unfit

FEW = 1_000  # candidates that are never too many
SHARE = 8  # nor is one of so many rows; beyond, a scan is as quick as picking rows
WIDER = (8, 128)  # times the rows asked for, where a query has more conditions
PARAMETER = "hashlens_rows"
CANDIDATES = f"s.indexid IN (SELECT value FROM json_each(:{PARAMETER}))"

Answer = list[Any]


class Pushdown:
    """Mixed into txtai's SQLite, over its `query`."""

    cursor: Any
    metric: str
    ours: Mapping[str, Any]
    packed: Packed
    version: Callable[[], Version | None]
    transaction: Callable[[], AbstractContextManager[None]]
    in_turn: Callable[[Callable[[], Any]], Any]

    def __init__(self, config: dict[str, Any]) -> None:
        self._last = threading.local()
        super().__init__(config)  # type: ignore[call-arg]

    def configure(self, config: dict[str, Any]) -> None:
        """Take a configuration; queries are parsed anew."""
        super().configure(config)  # type: ignore[misc]
        self._parsed = lru_cache(maxsize=256)(super().parse)  # type: ignore[misc]

    def parse(self, query: str) -> dict[str, Any]:
        """Return the clauses of a query; the same ones come again, with other parameters."""
        return dict(self._parsed(query))

    @cached_property
    def aggregates(self) -> frozenset[str]:
        """Return the functions that make one row of many."""
        found = self.cursor.execute("SELECT name FROM pragma_function_list WHERE type IN ('a','w')")
        return frozenset(name for (name,) in found)

    @property
    def explanation(self) -> Explanation:
        """Return which way this thread's last query went."""
        found: Explanation = self._last.explanation
        return found

    def explain(self, query: str, parameters: Any = None, limit: int = 3) -> Explanation:
        """Run a query, and tell which way it went. txtai's default limit is 3."""
        self.search(self.parse(query), None, limit, parameters)  # type: ignore[attr-defined]
        return self.explanation

    def query(
        self, query: Mapping[str, Any], limit: int | None, parameters: Any, indexids: bool
    ) -> Answer:
        """Run a parsed query over the rows that can be in its answer, or over all of them."""
        clauses = in_order(query, self.aggregates)
        scan = super().query  # type: ignore[misc]
        run = _Run(scan, clauses, limit, parameters or {}, indexids)
        try:
            return self._answer(clauses, limit, parameters or {}, run)
        except NoPlanError as reason:
            self._last.explanation = Explanation("full scan", reason=str(reason))
            found: Answer = scan(clauses, limit, parameters, indexids)
            return found

    def _answer(
        self, clauses: Mapping[str, Any], limit: int | None, parameters: Any, run: _Run
    ) -> Answer:
        """Answer a query by the first of its plans that can; raises NoPlanError."""
        if "distance" not in self.ours:
            msg = "distance is a function of the configuration"
            raise NoPlanError(msg)
        if type(parameters) is not dict or PARAMETER in parameters:
            msg = "its parameters are no plain dict, or one has a name that is needed here"
            raise NoPlanError(msg)
        columns = self.jsoncolumn("*")  # type: ignore[attr-defined]
        grammar = Grammar(parameters, self.metric, columns, self.aggregates)
        refused = NoPlanError("")
        for plan in plans(clauses, limit, grammar):
            try:
                answer = self._follow(plan, run)
            except NoPlanError as reason:
                refused = reason
                continue
            self._last.explanation = Explanation(
                "packed codes",
                column=plan.term.column,
                constant=plan.term.constant,
                metric=plan.term.metric,
                rows=run.rows,
                candidates=run.candidates,
            )
            return answer
        raise refused

    def _follow(self, plan: QueryPlan, run: _Run) -> Answer:
        """Return the answer that a plan gives, from the column as it is in the database.

        Mostly that is the one at hand, the scan of which needs no connection; the transaction that
        follows tells.
        """
        column, state = self.packed.latest(plan.term.column)
        if column is not None:
            with suppress(_OutdatedError):
                return self._follow_at_hand(plan, run, column, state)
        with self.transaction():
            try:
                column = self.packed.column(self.cursor, plan.term.column, self.version())
            except sqlite3.OperationalError as error:  # text that is no Unicode
                raise NoPlanError(str(error)) from error
            measured = _measured(plan, column, run)
            answer = _shortly(plan, measured, run)
            return _at_length(plan, column, run) if answer is None else answer

    def _follow_at_hand(self, plan: QueryPlan, run: _Run, column: Column, state: int) -> Answer:
        """Return the answer from a column of some state; raises _OutdatedError."""

        def check() -> None:
            if not self.packed.is_now(state, self.version()):
                raise _OutdatedError

        def shortly() -> Answer | None:
            with self.transaction():
                check()
                return _shortly(plan, measured, run)

        try:
            measured = _measured(plan, column, run)
        except NoPlanError:
            with self.transaction():
                check()
            raise
        answer: Answer | None = self.in_turn(shortly)
        if answer is None:
            with self.transaction():
                check()
                return _at_length(plan, column, run)
        return answer


class _OutdatedError(Exception):
    """The column at hand is of another state than the database."""


@dataclass
class _Run:
    """Runs a query over some of the rows."""

    scan: Callable[..., Answer]
    clauses: Mapping[str, Any]
    limit: int | None
    parameters: Mapping[str, Any]
    indexids: bool
    rows: int = 0
    candidates: int = 0

    def over(self, rows: Rows) -> Answer:
        """Return the answer of the query over some rows."""
        self.candidates = len(rows)
        where = self.clauses.get("where")
        narrowed = f"({where}) AND {CANDIDATES}" if where else CANDIDATES
        given = {**self.parameters, PARAMETER: str(rows.tolist())}
        return self.scan({**self.clauses, "where": narrowed}, self.limit, given, self.indexids)

    def meeting_conditions(self) -> Rows:
        """Return the rows that meet the conditions of the query, ascending."""
        kept = {name: self.clauses.get(name) for name in ("where", "similar")}
        wanted = {**kept, "select": "s.indexid", "orderby": "s.indexid"}
        rows = self.scan(wanted, None, self.parameters or None, False)
        return np.fromiter((row["indexid"] for row in rows), np.int64, len(rows))


def _measured(plan: QueryPlan, column: Column, run: _Run) -> Measured:
    """Measure the distances of a column; raises NoPlanError where it cannot answer."""
    reason = column.unfit(plan.term.metric) or unfit(plan.term, column.digits)
    if reason:
        raise NoPlanError(reason)
    run.rows = len(column)
    _refuse(min(plan.first or 0, run.rows), run.rows, f"of {run.rows:,} rows are asked for")
    return column.measured(plan.term.constant, plan.term.metric)


def _shortly(plan: QueryPlan, measured: Measured, run: _Run) -> Answer | None:
    """Return the answer, or None where few rows meet its conditions; raises NoPlanError."""
    if plan.first is None:
        found = measured.find(None, plan.bound)
        _refuse(len(found.rows), run.rows, f"rows are within {plan.bound}")
        return run.over(found.rows)
    if plan.filtered:
        return _among_more(plan, measured, run)
    return _nearest_only(plan, measured, run)


def _at_length(plan: QueryPlan, column: Column, run: _Run) -> Answer:
    """Return the answer from the rows that meet the conditions, all of which SQLite finds."""
    if not plan.bare:
        msg = "few rows meet its conditions, which use a name that it gives"
        raise NoPlanError(msg)
    few = column.only(run.meeting_conditions())
    return _nearest_only(plan, few.measured(plan.term.constant, plan.term.metric), run)


def _nearest_only(plan: QueryPlan, measured: Measured, run: _Run) -> Answer:
    found = _nearest(plan, measured, plan.first or 0)
    _refuse(len(found.rows), run.rows, "rows tie with the last that is asked for")
    return run.over(found.rows)


def _among_more(plan: QueryPlan, measured: Measured, run: _Run) -> Answer | None:
    """Return the answer from more rows than are asked for, if enough meet the conditions."""
    for wider in WIDER:
        k = wider * max(plan.first or 0, FEW // WIDER[0])
        found = _nearest(plan, measured, k)
        if _is_too_many(len(found.rows), run.rows):
            break
        answer = run.over(found.rows)
        if len(answer) >= plan.limit or len(found.rows) < k:
            return answer
    return None


def _nearest(plan: QueryPlan, measured: Measured, k: int) -> Found:
    """Return the k nearest rows; where ties count, all that tie with the last as well."""
    found = measured.find(k, plan.bound)
    if plan.ties and k and len(found.rows) == k:
        return measured.find(None, int(found.distances[-1]))
    return found


def _is_too_many(candidates: int, rows: int) -> bool:
    return candidates > max(FEW, rows // SHARE)


def _refuse(candidates: int, rows: int, what: str) -> None:
    if _is_too_many(candidates, rows):
        msg = f"{candidates:,} {what}"
        raise NoPlanError(msg)
