"""Read the clauses of a query from its tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from hashlens.sql.tokens import tokenize

_COUNTING = ("count", "distinct", "and", "or", "not", "asc", "desc")
_DOUBLE = ("<=", ">=", "==", "<>", "!=", "||")

Tokens = Sequence[str]


def _gathers(clauses: Mapping[str, Any], aggregates: Collection[str]) -> bool:
    """Tell whether a row of the answer may be made of many rows."""
    if clauses.get("groupby") or clauses.get("having"):
        return True
    select = _tokens(clauses.get("select"))
    names = [token.lower().strip('"`') for token in select]
    calls = (name for name, sign in pairwise(names) if sign == "(")
    return _has(select, "distinct", "over") or any(name in aggregates for name in calls)


def _counts(clauses: Mapping[str, Any]) -> bool:
    """Tell whether a query only counts rows, by groups perhaps.

    Of other gathered rows it may matter in which order they are gathered.
    """
    groups = list(_split(_tokens(clauses.get("groupby")), ","))
    known = {*_COUNTING, *(token.lower() for group in groups for token in group)}
    for item in _split(_tokens(clauses.get("select")), ","):
        counted = item[: _end_of_call(item)] if item[0].lower() == "count" else []
        whole = next((part for part in (counted, *groups) if part and _is_named(item, part)), None)
        if whole is None:
            return False
        known.update(token.strip("\"'").lower() for token in item[len(whole) :])
    rest = _tokens(clauses.get("having")) + _tokens(clauses.get("orderby"))
    words = (token.strip('"').lower() for token in rest if token[0].isalpha() or token[0] in '"_')
    return known.issuperset(words)


def _is_named(item: Tokens, part: Tokens) -> bool:
    """Tell whether an item of a SELECT is a part, with a name perhaps."""
    rest = item[len(part) :]
    name = rest[1:] if rest and rest[0].lower() == "as" else rest
    fits = not rest or (len(name) == 1 and bool(_name(name) or _quoted(name[0])))
    return fits and item[: len(part)] == part


def _end_of_call(tokens: Tokens) -> int:
    """Return where the brackets end that the second token begins."""
    depth = 0
    for place, token in enumerate(tokens[1:], 2):
        depth += (token == "(") - (token == ")")
        if not depth:
            return place
    return len(tokens)


def _has(tokens: Tokens, *words: str) -> bool:
    return any(token.lower() in words for token in tokens)


@lru_cache(maxsize=512)  # the same queries come again and again, with other parameters
def _tokens(clause: str | None) -> tuple[str, ...]:
    """Cut a clause into tokens; signs of two characters are one token."""
    tokens: list[str] = []
    for token in tokenize(clause or ""):
        if tokens and tokens[-1] + token in _DOUBLE:
            tokens[-1] += token
        else:
            tokens.append(token)
    return tuple(tokens)


def _split(tokens: Tokens, separator: str) -> Iterator[list[str]]:
    """Split at a separator that is in no brackets; nothing where there are no tokens."""
    part: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if token.lower() == separator and not depth:
            yield part
            part = []
        else:
            part.append(token)
    if tokens:
        yield part


def _conjuncts(tokens: Tokens) -> Iterator[list[str]]:
    """Split a condition at its outermost `and`s; a condition with `or` there is one piece."""
    tokens = _bare(tokens)
    parts = list(_split(tokens, "and"))
    if len(list(_split(tokens, "or"))) > 1 or len(parts) < 2:
        if tokens:
            yield list(tokens)
        return
    position = 0
    while position < len(parts):
        part = parts[position]
        if len(list(_split(part, "between"))) > 1 and position + 1 < len(parts):
            position += 1
            yield [*part, "and", *parts[position]]  # the `and` was that of `between`
        else:
            yield from _conjuncts(part)
        position += 1


def _bare(tokens: Tokens) -> Tokens:
    """Return tokens without brackets around the whole of them."""
    while len(tokens) > 2 and tokens[0] == "(" and tokens[-1] == ")":
        depth = 0
        for token in tokens[:-1]:
            depth += (token == "(") - (token == ")")
            if not depth:
                return tokens
        tokens = tokens[1:-1]
    return tokens


def _ascending(tokens: Tokens) -> Tokens | None:
    """Return what one part of an order is by; None where it is not plainly ascending."""
    if tokens and tokens[-1].lower() == "asc":
        tokens = tokens[:-1]
    return None if tokens and tokens[-1].lower() == "desc" else _bare(tokens)


def _quoted(token: str) -> str | None:
    """Return the name that a text in single quotes is, as txtai takes it for one."""
    return token[1:-1].lower() if token[0] == token[-1] == "'" and len(token) > 1 else None


def _name(tokens: Tokens) -> str | None:
    """Return the name that tokens are, without quotes and in lower case."""
    if len(tokens) != 1:
        return None
    token = tokens[0]
    if token[0] == '"' and token[-1] == '"':
        return token[1:-1].lower()
    return token.lower() if token[0].isalpha() or token[0] == "_" else None
