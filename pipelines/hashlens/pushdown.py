"""Queries by distance, answered from packed codes: the same rows in the same order, sooner.

Which rows can be in the answer of a query is told from its clauses (`hashlens.planner`) and the
packed column; then the query, as it is, runs over these candidates and not over all rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from hashlens.columns import Column, Measured
from hashlens.model import Explanation
from hashlens.neighbors.scan import Found, Rows
from hashlens.packed import Packed
from hashlens.planner import Grammar, NoPlanError, Plan, in_order, plans, unfit

FEW = 1_000  # candidates that are never too many
SHARE = 8  # nor is one of so many rows; beyond, a scan is as quick as picking rows
WIDER = (8, 128)  # times the rows asked for, where a query has more conditions
SECONDS_OF_TURN = 0.05  # then a thread no longer waits for its turn
PARAMETER = "hashlens_rows"
CANDIDATES = f"s.indexid IN (SELECT value FROM json_each(:{PARAMETER}))"

Answer = list[Any]


class Pushdown:
    """Mixed into txtai's SQLite, over its `query`."""

    cursor: Any
    metric: str
    ours: Mapping[str, Any]
    packed: Packed
    version: int | None
    transaction: Callable[[], AbstractContextManager[None]]

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
        if not isinstance(parameters, Mapping):
            msg = "its parameters have no names"
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
            term = plan.term
            self._last.explanation = Explanation(
                "packed codes",
                "",
                term.column,
                term.constant,
                term.metric,
                run.rows,
                run.candidates,
            )
            return answer
        raise refused

    def _follow(self, plan: Plan, run: _Run) -> Answer:
        """Return the answer that a plan gives.

        It begins with the column that is at hand: the scan of it needs no connection. Only where
        the transaction that follows finds another state, it begins again inside of that.
        """
        with ExitStack() as stack:
            column, state = self.packed.latest(plan.term.column)

            def check() -> None:
                stack.enter_context(self.transaction())
                if not self.packed.is_now(state, self.version):
                    raise _OutdatedError

            if column is not None:
                with suppress(_OutdatedError):
                    run.check = check
                    try:
                        return _follow(plan, column, run)
                    except NoPlanError:
                        check()  # there may be a plan by now
                        raise
            stack.enter_context(self.transaction())
            run.check = _nothing
            column = self.packed.column(self.cursor, plan.term.column, self.version)
            return _follow(plan, column, run)


def _nothing() -> None:
    """Check nothing."""


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
    check: Callable[[], None] = _nothing  # called before each
    rows: int = 0
    candidates: int = 0

    def over(self, rows: Rows) -> Answer:
        """Return the answer of the query over some rows."""
        self.check()
        self.candidates = len(rows)
        where = self.clauses.get("where")
        narrowed = f"({where}) AND {CANDIDATES}" if where else CANDIDATES
        given = {**self.parameters, PARAMETER: str(rows.tolist())}
        return self.scan({**self.clauses, "where": narrowed}, self.limit, given, self.indexids)

    def meeting_conditions(self) -> Rows:
        """Return the rows that meet the conditions of the query, ascending."""
        self.check()
        kept = {name: self.clauses.get(name) for name in ("where", "similar")}
        wanted = {**kept, "select": "s.indexid", "orderby": "s.indexid"}
        rows = self.scan(wanted, None, self.parameters or None, False)
        return np.fromiter((row["indexid"] for row in rows), np.int64, len(rows))


def _follow(plan: Plan, column: Column, run: _Run) -> Answer:
    """Return the answer that a plan gives from a column; raises NoPlanError."""
    reason = column.unfit(plan.term.metric) or unfit(plan.term, column.digits)
    if reason:
        raise NoPlanError(reason)
    run.rows = len(column)
    measured = column.measured(plan.term.constant, plan.term.metric)
    with _turn():
        if plan.first is None:
            found = measured.find(None, plan.bound)
            _refuse(len(found.rows), run.rows, f"rows are within {plan.bound}")
            return run.over(found.rows)
        _refuse(plan.first, run.rows, f"of {run.rows:,} rows are asked for")
        if plan.filtered:
            answer = _among_more(plan, measured, run)
            if answer is not None:
                return answer
            few = column.only(run.meeting_conditions())
            measured = few.measured(plan.term.constant, plan.term.metric)
        found = _nearest(plan, measured, plan.first)
        _refuse(len(found.rows), run.rows, "rows tie with the last that is asked for")
        return run.over(found.rows)


def _among_more(plan: Plan, measured: Measured, run: _Run) -> Answer | None:
    """Return the answer from more rows than are asked for, if enough meet the conditions."""
    for wider in WIDER:
        k = wider * max(plan.first or 0, FEW // WIDER[0])
        found = _nearest(plan, measured, k)
        if _is_too_many(len(found.rows), run.rows):
            break
        answer = run.over(found.rows)
        if len(answer) >= plan.limit or len(found.rows) < k:
            return answer
    if not plan.bare:
        msg = "few rows meet its conditions, which use a name that it gives"
        raise NoPlanError(msg)
    return None


def _nearest(plan: Plan, measured: Measured, k: int) -> Found:
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


@contextmanager
def _turn() -> Iterator[None]:
    """Let the threads of this process take turns, as long as these are short.

    All that follows a scan are short steps, each of which hands the interpreter's lock over and
    takes it back: where many threads do that at once, they do hardly anything else.
    """
    taken = _turns.acquire(timeout=SECONDS_OF_TURN)
    try:
        yield
    finally:
        if taken:
            _turns.release()


_turns = threading.Lock()
