"""The planner: tell from the clauses of a query what packed codes can answer of it.

txtai parses a query into clauses and resolves the names of columns. A plan is read off those:
rows that lie farther than a bound cannot be in the answer, and where the rows are ordered by
distance, only the first so many can. So the query need only run over these candidates. What is
not recognised beyond doubt is no plan, and the query runs over all rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hashlens.hashing.metrics import is_hex
from hashlens.schema import TXTAI_COLUMNS
from hashlens.sql.clauses import (
    Tokens,
    _ascending,
    _bare,
    _conjuncts,
    _counts,
    _gathers,
    _has,
    _name,
    _quoted,
    _split,
    _tokens,
)

PACKED_METRICS = ("hamming", "levenshtein")
ORDER = "s.indexid"  # the order of rows that a query leaves open


@dataclass(frozen=True)
class Term:
    """`distance(column, constant)` under a metric; `column` is a SQL expression of a row."""

    column: str
    constant: str
    metric: str


class Bound(NamedTuple):
    """The largest distance that a condition lets pass, and whether that is all it asks."""

    term: Term
    most: int
    is_all: bool


@dataclass(frozen=True)
class QueryPlan:
    """Which rows may be in the answer.

    Those at most `bound` from the constant of `term`, where there is a bound; of these the
    `first` nearest in the order (distance, indexid), where that is the order of the answer, of
    which `limit` are returned. With `ties`, the query orders rows of equal distance by more than
    that, and all that tie with the last are needed; with `filtered`, it has more conditions, and
    may need rows beyond the first. Conditions that are `bare` hold no names that the query gives.
    """

    term: Term
    bound: int | None = None
    first: int | None = None
    limit: int = 0
    ties: bool = False
    filtered: bool = False
    bare: bool = True


class NoPlanError(Exception):
    """Why a query runs over all rows."""


@dataclass(frozen=True)
class Grammar:
    """What a plan depends on beside the query: parameters, metric, and how columns are written."""

    parameters: Mapping[str, Any]
    metric: str
    json_column: str  # what txtai makes of a column "*" of a row's JSON
    aggregates: Collection[str]


def plans(clauses: Mapping[str, Any], limit: int | None, grammar: Grammar) -> list[QueryPlan]:
    """Return the plans of a query, the best first; raises NoPlanError where there is none."""
    if "select" not in clauses:
        msg = "it is no SQL query"
        raise NoPlanError(msg)
    reader = _Reader(grammar, clauses)
    where = _tokens(clauses.get("where"))
    conditions = [where] if _has(where, "case") else list(_conjuncts(where))
    bounds = sorted(filter(None, map(reader.bound, conditions)), key=lambda bound: bound.most)
    term, ties = reader.order(_tokens(clauses.get("orderby")))
    gathers = _gathers(clauses, grammar.aggregates)
    if gathers and not _counts(clauses):
        msg = "it groups or aggregates rows"
        raise NoPlanError(msg)
    count, offset = (None, None) if gathers else reader.window(limit)
    found = [QueryPlan(bound.term, bound.most) for bound in bounds[:1] if bound.term != term]
    if term and count is not None and offset is not None:
        own = [bound for bound in bounds if bound.term == term]
        most = min((bound.most for bound in own), default=None)
        # Where a condition has a column of JSON, txtai leaves out rows without any.
        joins = grammar.json_column.partition(",")[0] in (clauses.get("where") or "")
        filtered = joins or sum(bound.is_all for bound in own) < len(conditions)
        bare = not any(token[0] == '"' or token.lower() in reader.names for token in where)
        found.append(QueryPlan(term, most, count + offset, count, ties, filtered, bare))
    elif bounds and not found:
        found = [QueryPlan(bounds[0].term, bounds[0].most)]
    if found:
        return found
    if term is None:
        msg = "it neither orders by distance(column, constant) nor bounds it"
        raise NoPlanError(msg)
    raise NoPlanError("it groups or aggregates rows" if gathers else "its limit is no whole number")


def in_order(clauses: Mapping[str, Any], aggregates: Collection[str]) -> dict[str, Any]:
    """Return the clauses with an order that leaves nothing open: the query's own, then indexid.

    Queries whose rows are no rows of the index have no such order, and stay as they are.
    """
    if _gathers(clauses, aggregates):
        return dict(clauses)
    given = clauses.get("orderby") or ("score DESC" if clauses.get("similar") else None)
    return {**clauses, "orderby": f"{given}, {ORDER}" if given else ORDER}


class _Reader:
    """Reads terms, bounds and orders out of tokens; constants are those of one query."""

    def __init__(self, grammar: Grammar, clauses: Mapping[str, Any]) -> None:
        self.grammar = grammar
        self.offset, self.limit = clauses.get("offset"), clauses.get("limit")
        before, _, after = grammar.json_column.partition("*")
        self.json = (before, after)
        named = list(self._named(_tokens(clauses.get("select"))))
        self.names = {name for name, _ in named}
        counted = Counter(name for name, _ in named)
        self.aliases = {name: term for name, term in named if term and counted[name] == 1}

    def term(self, tokens: Tokens) -> Term | None:
        """Return `distance(column, constant[, metric])`, the first two either way round."""
        if len(tokens) < 4 or tokens[0].lower() != "distance" or tokens[1] != "(":
            return None
        if tokens[-1] != ")":
            return None
        arguments = list(_split(tokens[2:-1], ","))
        if len(arguments) not in (2, 3):
            return None
        a, b = arguments[:2]
        metric = self._text(arguments[2]) if len(arguments) == 3 else self.grammar.metric
        for column, constant in ((a, b), (b, a)):
            name, value = self._column(column), self._text(constant)
            if name and value and metric in PACKED_METRICS:
                return Term(name, value.lower() if metric == "hamming" else value, metric)
        return None

    def bound(self, tokens: Tokens) -> Bound | None:
        """Return the bound that a condition is, or has in it."""
        tokens = _bare(tokens)
        at = [i for i, token in enumerate(tokens) if token in ("<", "<=", ">", ">=", "=", "==")]
        lower = [token.lower() for token in tokens]
        if len(at) == 1:
            left, sign, right = tokens[: at[0]], tokens[at[0]], tokens[at[0] + 1 :]
            term, most = self._either(left), self._number(right)
            if term is None or most is None:
                term, most = self._either(right), self._number(left)
                sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
            if term is None or most is None or sign in (">", ">="):
                return None
            last = math.ceil(most) - 1 if sign == "<" else math.floor(most)
            return Bound(term, last, sign in ("<", "<="))
        if not at and "between" in lower:
            where = lower.index("between")
            ends = list(_split(tokens[where + 1 :], "and"))
            term, numbers = self._either(tokens[:where]), [self._number(end) for end in ends]
            if term and len(numbers) == 2 and None not in numbers:
                return Bound(term, math.floor(numbers[1]), is_all=False)  # type: ignore[arg-type]
        return None

    def order(self, tokens: Tokens) -> tuple[Term | None, bool]:
        """Return the term that rows are ordered by first, and whether more follows than indexid."""
        parts = [_ascending(part) for part in _split(tokens, ",")]
        if not parts or parts[0] is None:
            return None, False
        name = _name(parts[0])
        term = self.aliases.get(name) if name else self.term(parts[0])
        rest = [part and [token.lower() for token in part] for part in parts[1:]]
        return term, bool(rest) and rest != [[ORDER]]

    def window(self, limit: int | None) -> tuple[int | None, int | None]:
        """Return limit and offset; None where one is no whole number."""
        own = limit if isinstance(limit, int) and limit > 0 else None  # as txtai takes it
        return (
            own if self.limit is None else self._count(self.limit),
            0 if self.offset is None else self._count(self.offset),
        )

    def _either(self, tokens: Tokens) -> Term | None:
        """Return a term that is written out, or named by an alias that is no column."""
        tokens = _bare(tokens)
        name = _name(tokens)
        if name:
            return None if name in TXTAI_COLUMNS else self.aliases.get(name)
        return self.term(tokens)

    def _named(self, tokens: Tokens) -> Iterator[tuple[str, Term | None]]:
        """Yield the names that a SELECT gives, with the term that is named, if it is one."""
        for item in _split(tokens, ","):
            if len(item) > 1 and (name := _name(item[-1:]) or _quoted(item[-1])):
                yield name, self.term(item[: -2 if item[-2].lower() == "as" else -1])

    def _column(self, tokens: Tokens) -> str | None:
        tokens = _bare(tokens)
        if len(tokens) == 1 and tokens[0].lower() in ("text", "s.text"):
            return "text"
        before, after = self.json
        joined = "".join(tokens).replace(",", ", ")
        name = joined[len(before) : len(joined) - len(after)]
        written = joined.startswith(before) and joined.endswith(after) and name
        return joined if written and name.replace("_", "a").isalnum() else None

    def _value(self, tokens: Tokens) -> Any:
        tokens = _bare(tokens)
        if len(tokens) != 1:
            return None
        token = tokens[0]
        if token[0] == ":":
            return self.grammar.parameters.get(token[1:])
        if token[0] == "'":
            return token[1:-1] if token[-1] == "'" and len(token) > 1 else None
        return float(token) if token.replace(".", "", 1).isdecimal() and token.isascii() else None

    def _text(self, tokens: Tokens) -> str | None:
        value = self._value(tokens)
        return value if isinstance(value, str) else None

    def _number(self, tokens: Tokens) -> float | None:
        value = self._value(tokens)
        known = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        return value if known else None

    def _count(self, clause: str) -> int | None:
        value = self._number(_tokens(clause))
        return int(value) if value is not None and value >= 0 and value == int(value) else None


def unfit(term: Term, digits: int) -> str | None:
    """Tell why the codes of a column of so many hex digits cannot answer a term, if so."""
    if term.metric == "hamming" and not (is_hex(term.constant) and len(term.constant) == digits):
        return f"{term.constant!r} is no hash of {digits} hex digits, as the column holds"
    return None
