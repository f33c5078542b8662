"""Queries by distance, answered from packed codes: the same rows in the same order, sooner.

The clauses of a query (`hashlens.sql.planner`) and the packed column tell which rows can be in its
answer. Then the query itself runs over these candidates, not over all rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashlens.database.columns import Column, Measured
from hashlens.database.engine import PARAMETER, Answer, Clauses, Engine
from hashlens.database.packed import PackedColumns
from hashlens.model import Explanation
from hashlens.neighbors.scan import Found, Rows
from hashlens.sql.planner import Grammar, NoPlanError, QueryPlan, in_order, plans, unfit

FEW = 1_000  # candidates that are never too many
SHARE = 8  # up to an eighth of the rows is not too many; beyond, a scan is as quick
WIDER = (8, 128)  # times the rows asked for, if a query has more conditions

# Runs a parsed query over all rows: clauses, limit, parameters, indexids.
Scan = Callable[[Clauses, int | None, Any, bool], Answer]


class Pushdown:
    """Answers queries by distance from the packed columns of an engine, all others by a scan.

    `metric`: the metric of `distance(a, b)`; None if `distance` is not our function.
    `json_column`: the SQL expression of a column "*" of a row's JSON.
    """

    def __init__(
        self, engine: Engine, packed: PackedColumns, metric: str | None, json_column: str
    ) -> None:
        self._engine = engine
        self._packed = packed
        self._metric = metric
        self._json_column = json_column
        self._last = threading.local()

    @property
    def explanation(self) -> Explanation:
        """Return which way this thread's last query went."""
        found: Explanation = self._last.explanation
        return found

    def query(
        self, scan: Scan, query: Clauses, limit: int | None, parameters: Any, indexids: bool
    ) -> Answer:
        """Run a parsed query over the rows that can be in its answer, or over all of them."""
        clauses = in_order(query, self._engine.aggregates)
        run = _Run(self._engine, scan, clauses, limit, parameters or {}, indexids)
        try:
            return self._answer(run)
        except NoPlanError as reason:
            self._last.explanation = Explanation("full scan", reason=str(reason))
            return scan(clauses, limit, parameters, indexids)

    def _answer(self, run: _Run) -> Answer:
        """Answer a query by the first of its plans that can; raises NoPlanError."""
        if self._metric is None:
            msg = "distance is a function of the configuration"
            raise NoPlanError(msg)
        if type(run.parameters) is not dict or PARAMETER in run.parameters:
            msg = "its parameters are not a plain dict, or use a name that is needed here"
            raise NoPlanError(msg)
        grammar = Grammar(run.parameters, self._metric, self._json_column, self._engine.aggregates)
        refused = NoPlanError("")
        for plan in plans(run.clauses, run.limit, grammar):
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

        Mostly the latest column still shows the database. To scan it takes no connection; the
        transaction that follows checks the version.
        """
        column, state = self._packed.latest(plan.term.column)
        if column is not None:
            with suppress(_OutdatedError):
                return self._follow_latest(plan, run, column, state)
        with self._engine.transaction():
            try:
                column = self._packed.column(self._engine, plan.term.column, self._engine.version())
            except self._engine.read_error as error:  # text that is not Unicode
                raise NoPlanError(str(error)) from error
            measured = _measured(plan, column, run)
            answer = _narrowed(plan, measured, run)
            return _among_meeting(plan, column, run) if answer is None else answer

    def _follow_latest(self, plan: QueryPlan, run: _Run, column: Column, state: int) -> Answer:
        """Return the answer from a column of some state; raises _OutdatedError."""

        def check() -> None:
            if not self._packed.is_now(state, self._engine.version()):
                raise _OutdatedError

        def narrowed() -> Answer | None:
            with self._engine.transaction():
                check()
                return _narrowed(plan, measured, run)

        try:
            measured = _measured(plan, column, run)
        except NoPlanError:
            with self._engine.transaction():
                check()
            raise
        answer = self._engine.in_turn(narrowed)
        if answer is None:
            with self._engine.transaction():
                check()
                return _among_meeting(plan, column, run)
        return answer


class _OutdatedError(Exception):
    """The latest column shows another state than the database is in."""


@dataclass
class _Run:
    """Runs a query over some of the rows."""

    engine: Engine
    scan: Scan
    clauses: Clauses
    limit: int | None
    parameters: Mapping[str, Any]
    indexids: bool
    rows: int = 0  # rows of the column
    candidates: int = 0  # rows that the query ran over

    def over(self, rows: Rows) -> Answer:
        """Return the answer of the query over some rows."""
        self.candidates = len(rows)
        where = self.clauses.get("where")
        condition, value = self.engine.rows_among(rows)
        narrowed = f"({where}) AND {condition}" if where else condition
        given = {**self.parameters, PARAMETER: value}
        return self.scan({**self.clauses, "where": narrowed}, self.limit, given, self.indexids)

    def meeting_conditions(self) -> Rows:
        """Return the numbers of the rows that meet the conditions of the query, ascending."""
        kept = {name: self.clauses.get(name) for name in ("where", "similar")}
        wanted = {**kept, "select": "s.indexid", "orderby": "s.indexid"}
        rows = self.scan(wanted, None, self.parameters or None, False)
        return np.fromiter((row["indexid"] for row in rows), np.int64, len(rows))


def _measured(plan: QueryPlan, column: Column, run: _Run) -> Measured:
    """Measure the distances of a column; raises NoPlanError if the column cannot answer."""
    reason = column.unfit(plan.term.metric) or unfit(plan.term, column.digits)
    if reason:
        raise NoPlanError(reason)
    run.rows = len(column)
    _refuse(min(plan.first or 0, run.rows), run.rows, f"of {run.rows:,} rows are asked for")
    return column.measured(plan.term.constant, plan.term.metric)


def _narrowed(plan: QueryPlan, measured: Measured, run: _Run) -> Answer | None:
    """Return the answer from near rows; None if too few of them meet its conditions.

    Raises NoPlanError.
    """
    if plan.first is None:
        found = measured.find(None, plan.bound)
        _refuse(len(found.rows), run.rows, f"rows are within {plan.bound}")
        return run.over(found.rows)
    if plan.has_other_conditions:
        return _among_more(plan, measured, run)
    return _nearest_only(plan, measured, run)


def _among_meeting(plan: QueryPlan, column: Column, run: _Run) -> Answer:
    """Return the answer from all rows that meet the conditions, which the engine finds."""
    if plan.where_uses_alias:
        msg = "few rows meet its conditions, which use a name that it gives"
        raise NoPlanError(msg)
    few = column.only(run.meeting_conditions())
    return _nearest_only(plan, few.measured(plan.term.constant, plan.term.metric), run)


def _nearest_only(plan: QueryPlan, measured: Measured, run: _Run) -> Answer:
    found = _nearest(plan, measured, plan.first or 0)
    _refuse(len(found.rows), run.rows, "rows tie with the last row that is asked for")
    return run.over(found.rows)


def _among_more(plan: QueryPlan, measured: Measured, run: _Run) -> Answer | None:
    """Return the answer from more rows than are asked for; None if too few meet the conditions."""
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
    """Return the k nearest rows, and the rows that tie with the last if the plan needs them."""
    found = measured.find(k, plan.bound)
    if plan.needs_ties and k and len(found.rows) == k:
        return measured.find(None, int(found.distances[-1]))
    return found


def _is_too_many(candidates: int, rows: int) -> bool:
    return candidates > max(FEW, rows // SHARE)


def _refuse(candidates: int, rows: int, what: str) -> None:
    if _is_too_many(candidates, rows):
        msg = f"{candidates:,} {what}"
        raise NoPlanError(msg)
