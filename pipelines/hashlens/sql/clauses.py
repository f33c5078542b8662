"""Read the clauses of a query, which are expressions of SQL, from their tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from hashlens.sql.tokens import is_text, tokenize, unquote

ROUND = ("()",)
ROUND_OR_SQUARE = ("()", "[]")
_COUNTING = ("count", "distinct", "and", "or", "not", "asc", "desc")
_DOUBLE_SIGNS = ("<=", ">=", "==", "<>", "!=", "||")

Tokens = Sequence[str]


def gathers(clauses: Mapping[str, Any], aggregates: Collection[str]) -> bool:
    """Return whether a row of the answer may be made of many rows."""
    if clauses.get("groupby") or clauses.get("having"):
        return True
    select = clause_tokens(clauses.get("select"))
    names = [token.lower().strip('"`') for token in select]
    calls = (name for name, sign in pairwise(names) if sign == "(")
    return has_word(select, "distinct", "over") or any(name in aggregates for name in calls)


def only_counts(clauses: Mapping[str, Any]) -> bool:
    """Return whether a query only counts rows, perhaps by groups.

    For other aggregates, the order in which rows are gathered may matter.
    """
    groups = list(split(clause_tokens(clauses.get("groupby")), ","))
    known = {*_COUNTING, *(token.lower() for group in groups for token in group)}
    for item in split(clause_tokens(clauses.get("select")), ","):
        counted = item[: closing(item, 1) + 1] if item[0].lower() == "count" else []
        whole = next((part for part in (counted, *groups) if part and _is_named(item, part)), None)
        if whole is None:
            return False
        known.update(token.strip("\"'").lower() for token in item[len(whole) :])
    rest = clause_tokens(clauses.get("having")) + clause_tokens(clauses.get("orderby"))
    words = (token.strip('"').lower() for token in rest if token[0].isalpha() or token[0] in '"_')
    return known.issuperset(words)


def _is_named(item: Tokens, part: Tokens) -> bool:
    """Return whether an item of a SELECT is a part, perhaps with a name."""
    rest = item[len(part) :]
    name = rest[1:] if rest and rest[0].lower() == "as" else rest
    fits = not rest or (len(name) == 1 and bool(given_name(name)))
    return fits and item[: len(part)] == part


def closing(tokens: Tokens, start: int) -> int:
    """Return the place of the bracket that closes the one at `start`; the end if none does."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += (tokens[place] == "(") - (tokens[place] == ")")
        if not depth:
            return place
    return len(tokens)


def has_word(tokens: Tokens, *words: str) -> bool:
    """Return whether one of some lower-case words is among tokens."""
    return any(token.lower() in words for token in tokens)


@lru_cache(maxsize=512)  # the same queries come again and again, with other parameters
def clause_tokens(clause: str | None) -> tuple[str, ...]:
    """Cut a clause into tokens; signs of two characters are one token."""
    tokens: list[str] = []
    for token in tokenize(clause or ""):
        if tokens and tokens[-1] + token in _DOUBLE_SIGNS:
            tokens[-1] += token
        else:
            tokens.append(token)
    return tuple(tokens)


def split(tokens: Tokens, separator: str) -> Iterator[list[str]]:
    """Split at a separator outside brackets; yield nothing if there are no tokens."""
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


def conjuncts(tokens: Tokens) -> Iterator[list[str]]:
    """Split a condition at its outermost `and`s; an outermost `or` keeps it in one piece."""
    tokens = bare(tokens)
    parts = list(split(tokens, "and"))
    if len(list(split(tokens, "or"))) > 1 or len(parts) < 2:
        if tokens:
            yield list(tokens)
        return
    position = 0
    while position < len(parts):
        part = parts[position]
        if len(list(split(part, "between"))) > 1 and position + 1 < len(parts):
            position += 1
            yield [*part, "and", *parts[position]]  # the `and` belonged to `between`
        else:
            yield from conjuncts(part)
        position += 1


def bare(tokens: Tokens, pairs: Sequence[str] = ROUND) -> Tokens:
    """Return tokens without brackets around the whole of them."""
    while len(tokens) > 2 and tokens[0] + tokens[-1] in pairs:
        opening, closing = tokens[0], tokens[-1]
        depth = 0
        for token in tokens[:-1]:
            depth += (token == opening) - (token == closing)
            if not depth:
                return tokens
        tokens = tokens[1:-1]
    return tokens


def single(tokens: Tokens, pairs: Sequence[str] = ROUND) -> str:
    """Return the one token of an expression, out of its brackets; "" if it has more."""
    tokens = bare(tokens, pairs)
    return tokens[0] if len(tokens) == 1 else ""


def ascending(tokens: Tokens) -> Tokens | None:
    """Return what one part of an ORDER BY sorts by; None if it is not plainly ascending."""
    if tokens and tokens[-1].lower() == "asc":
        tokens = tokens[:-1]
    return None if tokens and tokens[-1].lower() == "desc" else bare(tokens)


def column_name(tokens: Tokens) -> str | None:
    """Return the name that tokens are, without quotes and in lower case; None if they are not."""
    if len(tokens) != 1:
        return None
    token = tokens[0]
    if token[0] == token[-1] == '"' or token[0].isalpha() or token[0] == "_":
        return unquote(token).lower()
    return None


def given_name(tokens: Tokens) -> str | None:
    """Return the name that an item of a SELECT is given; txtai takes a text for one as well."""
    text = len(tokens) == 1 and is_text(tokens[0])
    return column_name(tokens) or (unquote(tokens[0]).lower() if text else None)


def items(tokens: Tokens) -> Iterator[tuple[Tokens, str | None]]:
    """Yield the items of a SELECT, and the name that each is given."""
    for item in split(tokens, ","):
        name = given_name(item[-1:]) if len(item) > 1 else None
        end = (-2 if item[-2].lower() == "as" else -1) if name else len(item)
        yield item[:end], name
