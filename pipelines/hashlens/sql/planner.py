"""Plan a query: find out from its clauses which rows packed codes can leave out.

txtai parses a query into clauses and resolves the names of columns. A plan is read from the
clauses. Rows farther than a bound cannot be in the answer; if rows are ordered by distance, only
the nearest can. So the query need only run over these candidates. A clause that is not recognised
beyond doubt makes no plan, and the query runs over all rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hashlens.hashing.metrics import is_hex
from hashlens.schema import TXTAI_COLUMNS
from hashlens.sql.clauses import (
    Tokens,
    ascending,
    bare,
    clause_tokens,
    column_name,
    conjuncts,
    gathers,
    has_word,
    items,
    only_counts,
    single,
    split,
)
from hashlens.sql.tokens import constant, is_number, is_text, parameter

PACKED_METRICS = ("hamming", "levenshtein")
ORDER = "s.indexid"  # the order of rows that a query leaves open
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Term:
    """`distance(column, constant)` under a metric; `column` is a SQL expression of a row."""

    column: str
    constant: str
    metric: str


class Bound(NamedTuple):
    """A condition that bounds a distance."""

    term: Term
    max_distance: int  # the largest distance that meets the condition
    is_exact: bool  # whether each smaller distance meets the condition too


@dataclass(frozen=True)
class QueryPlan:
    """Which rows can be in the answer of a query."""

    # The distance that the query bounds, orders by, or both.
    term: Term
    # Only rows with distance <= bound can be in the answer; None: rows at any distance can.
    bound: int | None = None
    # If rows are ordered by distance, then row number, only the nearest `first` can be in the
    # answer; None: rows are not ordered by this distance.
    first: int | None = None
    # Rows of the answer: `first` without those that OFFSET passes over.
    limit: int = 0
    # Rows of equal distance are ordered by more than row number: all ties of the last are needed.
    needs_ties: bool = False
    # WHERE holds more than the bound, so rows beyond the first may be needed.
    has_other_conditions: bool = False
    # WHERE uses an alias of the SELECT list, or may, so it cannot run alone.
    where_uses_alias: bool = False


class NoPlanError(Exception):
    """Why a query runs over all rows."""


@dataclass(frozen=True)
class Grammar:
    """What a plan depends on, beside the query."""

    parameters: Mapping[str, Any]
    metric: str  # of the two-argument form of `distance`
    json_column: str  # the expression that txtai makes of a column "*" of a row's JSON
    aggregates: Collection[str]  # functions that make one row of many

    @property
    def json_prefix(self) -> str:
        """Return how a column of JSON begins: a condition on it leaves out rows without JSON."""
        return self.json_column.partition(",")[0]


def plans(clauses: Mapping[str, Any], limit: int | None, grammar: Grammar) -> list[QueryPlan]:
    """Return the plans of a query, the best first; raises NoPlanError if there is none."""
    if "select" not in clauses:
        msg = "it is not a SQL query"
        raise NoPlanError(msg)
    gathered = gathers(clauses, grammar.aggregates)
    if gathered and not only_counts(clauses):
        msg = "it groups or aggregates rows"
        raise NoPlanError(msg)
    reader = _Reader(grammar, clauses)
    where = clause_tokens(clauses.get("where"))
    conditions = [where] if has_word(where, "case") else list(conjuncts(where))
    bounds = sorted(filter(None, map(reader.bound, conditions)), key=lambda b: b.max_distance)
    term, needs_ties = reader.order(clause_tokens(clauses.get("orderby")))
    window = None if gathered or term is None else reader.window(limit)
    found = [
        QueryPlan(bound.term, bound.max_distance)
        for bound in bounds[:1]
        if bound.term != term or window is None
    ]
    if term and window:
        own = [bound for bound in bounds if bound.term == term]
        found.append(
            QueryPlan(
                term,
                min((bound.max_distance for bound in own), default=None),
                *window,
                needs_ties,
                has_other_conditions=sum(bound.is_exact for bound in own) < len(conditions)
                or grammar.json_prefix in (clauses.get("where") or ""),
                where_uses_alias=reader.may_use_alias(where),
            )
        )
    if found:
        return found
    if term is None:
        msg = "it neither orders by distance(column, constant) nor bounds it"
    elif gathered:
        msg = "it groups or aggregates rows"
    else:
        msg = "its limit is not a whole number"
    raise NoPlanError(msg)


def in_order(clauses: Mapping[str, Any], aggregates: Collection[str]) -> dict[str, Any]:
    """Return the clauses with an order that leaves nothing open: the query's own, then indexid.

    A query that gathers rows has no such order, and stays as it is.
    """
    if gathers(clauses, aggregates):
        return dict(clauses)
    given = clauses.get("orderby") or ("score DESC" if clauses.get("similar") else None)
    return {**clauses, "orderby": f"{given}, {ORDER}" if given else ORDER}


class _Reader:
    """Reads terms, bounds and orders of one query from tokens."""

    def __init__(self, grammar: Grammar, clauses: Mapping[str, Any]) -> None:
        self._grammar = grammar
        self._offset, self._limit = clauses.get("offset"), clauses.get("limit")
        select = items(clause_tokens(clauses.get("select")))
        named = [(name, self.term(item)) for item, name in select if name]
        counted = Counter(name for name, _ in named)
        self._names = frozenset(counted)
        self._aliases = {name: term for name, term in named if term and counted[name] == 1}

    def term(self, tokens: Tokens) -> Term | None:
        """Return `distance(column, constant[, metric])`, the first two in either order."""
        if len(tokens) < 4 or tokens[0].lower() != "distance" or tokens[1] != "(":
            return None
        if tokens[-1] != ")":
            return None
        arguments = list(split(tokens[2:-1], ","))
        if len(arguments) not in (2, 3):
            return None
        a, b = arguments[:2]
        metric = self._text(arguments[2]) if len(arguments) == 3 else self._grammar.metric
        for column, other in ((a, b), (b, a)):
            name, value = self._column(column), self._text(other)
            if name and value and metric in PACKED_METRICS:
                return Term(name, value.lower() if metric == "hamming" else value, metric)
        return None

    def bound(self, tokens: Tokens) -> Bound | None:
        """Return the bound that a condition sets; None if it sets none."""
        tokens = bare(tokens)
        signs = [i for i, token in enumerate(tokens) if token in ("<", "<=", ">", ">=", "=", "==")]
        if len(signs) == 1:
            return self._comparison(tokens, signs[0])
        return None if signs else self._between(tokens)

    def order(self, tokens: Tokens) -> tuple[Term | None, bool]:
        """Return the term that rows are ordered by first, and whether more follows than indexid."""
        parts = [ascending(part) for part in split(tokens, ",")]
        if not parts or parts[0] is None:
            return None, False
        name = column_name(parts[0])
        term = self._aliases.get(name) if name else self.term(parts[0])
        rest = [part and [token.lower() for token in part] for part in parts[1:]]
        return term, bool(rest) and rest != [[ORDER]]

    def window(self, limit: int | None) -> tuple[int, int] | None:
        """Return how many first rows the answer needs, and how many it returns.

        Return None if LIMIT or OFFSET is not a whole number.
        """
        given = limit if isinstance(limit, int) and limit > 0 else None  # as txtai takes it
        count = given if self._limit is None else self._count(self._limit)
        offset = 0 if self._offset is None else self._count(self._offset)
        return None if count is None or offset is None else (count + offset, count)

    def may_use_alias(self, tokens: Tokens) -> bool:
        """Return whether a condition uses a name that the query gives, or a name in quotes."""
        return any(token[0] == '"' or token.lower() in self._names for token in tokens)

    def _comparison(self, tokens: Tokens, place: int) -> Bound | None:
        """Return the bound that a comparison sets by the sign at a place."""
        left, sign, right = tokens[:place], tokens[place], tokens[place + 1 :]
        term, number = self._term_or_alias(left), self._number(right)
        if term is None or number is None:
            term, number = self._term_or_alias(right), self._number(left)
            sign = MIRRORED.get(sign, sign)
        if term is None or number is None or sign in (">", ">="):
            return None
        largest = math.ceil(number) - 1 if sign == "<" else math.floor(number)
        return Bound(term, largest, sign in ("<", "<="))

    def _between(self, tokens: Tokens) -> Bound | None:
        """Return the bound that `term between a and b` sets."""
        words = [token.lower() for token in tokens]
        if "between" not in words:
            return None
        place = words.index("between")
        term = self._term_or_alias(tokens[:place])
        ends = [self._number(end) for end in split(tokens[place + 1 :], "and")]
        if term is None or len(ends) != 2 or ends[0] is None or ends[1] is None:
            return None
        return Bound(term, math.floor(ends[1]), is_exact=False)

    def _term_or_alias(self, tokens: Tokens) -> Term | None:
        """Return a term that is written out, or named by an alias that is not a column."""
        tokens = bare(tokens)
        name = column_name(tokens)
        if name:
            return None if name in TXTAI_COLUMNS else self._aliases.get(name)
        return self.term(tokens)

    def _column(self, tokens: Tokens) -> str | None:
        """Return the expression of a column of fingerprints: the text, or a column of JSON."""
        tokens = bare(tokens)
        if len(tokens) == 1 and tokens[0].lower() in ("text", "s.text"):
            return "text"
        before, _, after = self._grammar.json_column.partition("*")
        joined = "".join(tokens).replace(",", ", ")
        name = joined[len(before) : len(joined) - len(after)]
        written = joined.startswith(before) and joined.endswith(after) and name
        return joined if written and name.replace("_", "a").isalnum() else None

    def _text(self, tokens: Tokens) -> str | None:
        token = single(tokens)
        is_constant = is_text(token) or parameter(token) is not None
        value = constant(token, self._grammar.parameters) if is_constant else None
        return value if isinstance(value, str) else None

    def _number(self, tokens: Tokens) -> float | None:
        token = single(tokens)
        if is_number(token):
            return float(token)
        value = constant(token, self._grammar.parameters) if parameter(token) is not None else None
        known = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        return value if known else None

    def _count(self, clause: str) -> int | None:
        value = self._number(clause_tokens(clause))
        return int(value) if value is not None and value >= 0 and value == int(value) else None


def unfit(term: Term, digits: int) -> str | None:
    """Return why codes of `digits` hex digits cannot answer a term; None if they can."""
    if term.metric == "hamming" and not (is_hex(term.constant) and len(term.constant) == digits):
        return f"{term.constant!r} is not a hash of {digits} hex digits, as the column holds"
    return None
