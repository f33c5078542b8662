"""The SQL surface: the functions that queries call, and the check of a query before it runs.

`distance(a, b)`, `distance(a, b, metric)` and `similarity(...)` take any values: an exception in a
SQL function would end the whole query. The content databases of `hashlens.database` register
them; a plain txtai index can name them in its configuration as `SQL_FUNCTIONS`, whose entries are
dotted paths, so that a saved index opens again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from hashlens.metrics import check_metric, is_hex, total_distance, total_similarity
from hashlens.model import QueryError

SQL_FUNCTIONS = [
    {"name": "distance", "function": "hashlens.sql.distance", "deterministic": True},
    {"name": "similarity", "function": "hashlens.sql.similarity", "deterministic": True},
]


# Any number of arguments: DuckDB fixes it from the signature, and defaults do not count there.
# Annotated: without a return type DuckDB makes text of the result and sorts 10 before 2.
def distance(*values: Any) -> float:
    """Return `distance(a, b[, metric])` for any values, in Hamming bits unless a metric is named.

    See `hashlens.metrics.total_distance` for missing and malformed values.
    """
    return total_distance(*values)


def levenshtein(*values: Any) -> float:
    """Return `distance(a, b[, metric])`, in edits of characters unless a metric is named."""
    return _with_default(total_distance, "levenshtein", *values)


def similarity(*values: Any) -> float:
    """Return `similarity(a, b[, metric])` for any values: 1 - distance / largest possible."""
    return total_similarity(*values)


def functions(metric: str = "hamming") -> dict[str, Callable[..., float]]:
    """Return the SQL functions by name, `metric` being the one of the two-argument form."""
    check_metric(metric)
    return {
        "distance": partial(_with_default, total_distance, metric),
        "similarity": partial(_with_default, total_similarity, metric),
    }


def _with_default(function: Callable[..., float], metric: str, a: Any, b: Any, *rest: Any) -> float:
    return function(a, b, *(rest or (metric,)))


def check_query(
    query: str, parameters: Mapping[str, Any] | None, *, digits: int | None, metric: str
) -> None:
    """Raise QueryError for what is no txtai query, or holds a hash that does not fit the index.

    A hash is a literal or a bind parameter that `distance` or `similarity` compares with `text`.
    Under Hamming it must be `digits` hex digits long; None stands for any length.
    """
    tokens = list(tokenize(query))
    words = [token.lower() for token in tokens]
    if words[:1] != ["select"] or ("from", "txtai") not in pairwise(words):
        msg = f"not a query on the index: {query!r}; expected select … from txtai …"
        raise QueryError(msg)
    given = parameters or {}
    for token in tokens:
        if token.startswith(":") and token[1:] not in given:
            msg = f"the query has {token}, but no parameter {token[1:]!r} was given: {query!r}"
            raise QueryError(msg)
    for call in _calls(tokens):
        if check_metric(call.metric or metric) == "hamming":
            value = given[call.value[1:]] if call.value.startswith(":") else _unquote(call.value)
            check_fingerprint(value, digits)


def check_fingerprint(value: object, digits: int | None) -> str:
    """Return a fingerprint, or raise QueryError where it is not hex or of another length."""
    expected = "hex digits" if digits is None else f"{digits} hex digits ({4 * digits} bits)"
    if not isinstance(value, str) or not is_hex(value):
        msg = f"not a fingerprint: {value!r}; the index holds {expected}"
        raise QueryError(msg)
    if digits is not None and len(value) != digits:
        msg = f"the fingerprint {value!r} has {len(value)} hex digits; the index holds {expected}"
        raise QueryError(msg)
    return value


def limited(query: str) -> bool:
    """Tell whether a query states its own limit."""
    return "limit" in (token.lower() for token in tokenize(query))


def tokenize(query: str) -> Iterator[str]:
    """Cut a query into words, numbers, bind parameters, quoted strings and single characters."""
    position = 0
    while position < len(query):
        start, character = position, query[position]
        position += 1
        if character in "'\"":
            end = query.find(character, position)
            position = len(query) if end < 0 else end + 1
        elif character.isalnum() or character in "_:":
            while position < len(query) and (query[position].isalnum() or query[position] == "_"):
                position += 1
        if not character.isspace():
            yield query[start:position]


@dataclass(frozen=True, slots=True)
class _Call:
    """A comparison of `text` with a constant."""

    value: str
    metric: str | None


def _calls(tokens: Sequence[str]) -> Iterator[_Call]:
    for index in range(len(tokens) - 1):
        if tokens[index].lower() in ("distance", "similarity") and tokens[index + 1] == "(":
            arguments = _arguments(tokens, index + 2)
            if all(len(argument) == 1 for argument in arguments) and len(arguments) in (2, 3):
                a, b, *rest = (argument[0] for argument in arguments)
                constants = [item for item in (a, b) if item[0] in "':"]
                literal = all(item.startswith("'") for item in rest)
                if len(constants) == 1 and "text" in (a.lower(), b.lower()) and literal:
                    yield _Call(constants[0], _unquote(rest[0]) if rest else None)


def _arguments(tokens: Sequence[str], start: int) -> list[list[str]]:
    arguments: list[list[str]] = [[]]
    depth = 1
    for token in tokens[start:]:
        depth += (token == "(") - (token == ")")
        if not depth:
            break
        if token == "," and depth == 1:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return arguments


def _unquote(token: str) -> str:
    return token.strip("'\"")
