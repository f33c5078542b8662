"""Queries by distance, answered from packed codes: the same rows in the same order, sooner.

Which rows can be in the answer of a query is told from its clauses (`hashlens.planner`) and the
packed column; then the query, as it is, runs over these candidates and not over all rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from hashlens.columns import Column
from hashlens.model import Explanation
from hashlens.neighbors.scan import Found, Rows
from hashlens.packed import Packed
from hashlens.planner import Grammar, NoPlanError, Plan, in_order, plans, unfit

FEW = 1_000  # candidates that are never too many
SHARE = 8  # nor is one of so many rows; beyond, a scan is as quick as picking rows
WIDER = (8, 128)  # times the rows asked for, where a query has more conditions
PARAMETER = "hashlens_rows"
CANDIDATES = f"s.indexid IN (SELECT value FROM json_each(:{PARAMETER}))"

Answer = list[Any]
Run = Callable[[Rows], Answer]


class Pushdown:
    """Mixed into txtai's SQLite, over its `query`."""

    cursor: Any
    metric: str
    ours: Mapping[str, Any]
    packed: Packed
    version: int | None

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

        def run(rows: Rows) -> Answer:
            where = clauses.get("where")
            narrowed = f"({where}) AND {CANDIDATES}" if where else CANDIDATES
            given = {**(parameters or {}), PARAMETER: str(rows.tolist())}
            found: Answer = scan({**clauses, "where": narrowed}, limit, given, indexids)
            return found

        try:
            return self._answer(clauses, limit, parameters or {}, run)
        except NoPlanError as reason:
            self._last.explanation = Explanation("full scan", reason=str(reason))
            found: Answer = scan(clauses, limit, parameters, indexids)
            return found

    def _answer(
        self, clauses: Mapping[str, Any], limit: int | None, parameters: Any, run: Run
    ) -> Answer:
        """Answer a query by the first of its plans that can; raises NoPlanError."""
        if "distance" not in self.ours:
            msg = "distance is a function of the configuration"
            raise NoPlanError(msg)
        if not isinstance(parameters, Mapping):
            msg = "its parameters have no names"
            raise NoPlanError(msg)
        columns = self.jsoncolumn("*")  # type: ignore[attr-defined]
        grammar = Grammar(parameters, self.metric, columns, self.aggregates)
        refused = NoPlanError("")
        for plan in plans(clauses, limit, grammar):
            try:
                column = self._column(plan)
                answer, candidates = self._follow(plan, column, clauses, parameters, run)
            except NoPlanError as reason:
                refused = reason
                continue
            term, rows = plan.term, len(column)
            self._last.explanation = Explanation(
                "packed codes", "", term.column, term.constant, term.metric, rows, candidates
            )
            return answer
        raise refused

    def _column(self, plan: Plan) -> Column:
        term = plan.term
        column = self.packed.column(self.cursor, term.column, self.version)
        reason = column.unfit(term.metric) or unfit(term, column.digits)
        if reason:
            raise NoPlanError(reason)
        return column

    def _follow(
        self, plan: Plan, column: Column, clauses: Mapping[str, Any], parameters: Any, run: Run
    ) -> tuple[Answer, int]:
        """Return the answer that a plan gives, and over how many candidates."""
        most = max(FEW, len(column) // SHARE)
        if plan.first is None:
            found = column.find(plan.term.constant, plan.term.metric, None, plan.bound)
            if len(found.rows) > most:
                msg = f"{len(found.rows):,} rows are within {plan.bound}"
                raise NoPlanError(msg)
            return run(found.rows), len(found.rows)
        if plan.first > most:
            msg = f"it asks for {plan.first:,} of {len(column):,} rows"
            raise NoPlanError(msg)
        for wider in WIDER if plan.filtered else ():
            k = wider * max(plan.first, FEW // WIDER[0])
            found = _nearest(column, plan, k)
            if len(found.rows) > most:
                break
            answer = run(found.rows)
            if len(answer) >= plan.limit or len(found.rows) < k:
                return answer, len(found.rows)
        if plan.filtered:
            if not plan.bare:
                msg = "few rows meet its conditions, which use a name that it gives"
                raise NoPlanError(msg)
            column = column.only(self._rows(clauses, parameters))
        found = _nearest(column, plan, plan.first)
        if len(found.rows) > most:
            msg = f"{len(found.rows):,} rows tie with the last that it asks for"
            raise NoPlanError(msg)
        return run(found.rows), len(found.rows)

    def _rows(self, clauses: Mapping[str, Any], parameters: Any) -> Rows:
        """Return the rows that meet the conditions of a query, ascending."""
        kept = {name: clauses.get(name) for name in ("where", "similar")}
        wanted = {**kept, "select": "s.indexid", "orderby": "s.indexid"}
        rows = super().query(wanted, None, parameters or None, False)  # type: ignore[misc]
        return np.fromiter((row["indexid"] for row in rows), np.int64, len(rows))


def _nearest(column: Column, plan: Plan, k: int) -> Found:
    """Return the k nearest rows; where ties count, all that tie with the last as well."""
    find = column.find
    found = find(plan.term.constant, plan.term.metric, k, plan.bound)
    if plan.ties and k and len(found.rows) == k:
        return find(plan.term.constant, plan.term.metric, None, int(found.distances[-1]))
    return found
