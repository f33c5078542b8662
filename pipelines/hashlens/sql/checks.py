"""Check a query before it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashlens.errors import QueryError
from hashlens.hashing.metrics import check_metric, is_hex
from hashlens.sql.tokens import cut, tokenize


def normalize(query: str) -> str:
    """Return a query on one line with single spaces, without comments and a last semicolon.

    txtai takes a query for words to search by meaning where it finds other than one space before
    `from txtai`. Raises QueryError for what is no query on the index.
    """
    if not isinstance(query, str):
        msg = f"a query is a text, not {query!r}"
        raise QueryError(msg)
    line = "".join(" " if part.isspace() else part for part in cut(query)).strip().rstrip("; ")
    padded = f"{line.lower()} "
    if not padded.startswith("select ") or " from txtai " not in padded or ";" in tokenize(line):
        msg = f"not a query on the index: {query!r}; expected one select … from txtai …"
        raise QueryError(msg)
    return line


def check_query(
    query: str,
    parameters: Mapping[str, Any] | None,
    *,
    digits: Mapping[str, int | None],
    metric: str,
) -> None:
    """Raise QueryError where a query lacks a parameter, or holds a hash that does not fit.

    A hash is a constant that `distance` or `similarity` compares with a column of fingerprints: a
    literal, or a bind parameter. Under Hamming it must be as many hex digits long as `digits` says
    of the column; None stands for any length. Raises ParameterError for an unknown metric.
    """
    given = parameters or {}
    tokens = list(tokenize(query))
    for token in tokens:
        bound = token[0] == ":" and token != "::"
        if token in ("?", "@") or (bound and token[1:] not in given):
            msg = f"the query has {token}, but no such parameter was given: {query!r}"
            raise QueryError(msg)
    for call in _calls(tokens, digits):
        named = _value(call.metric, given) if call.metric else metric
        if check_metric(named) == "hamming" and call.constant:
            check_fingerprint(_value(call.constant, given), digits[call.column])


def hash_parameters(query: str, columns: Collection[str]) -> dict[str, str]:
    """Return the bind parameters that a query compares with fingerprints, and their columns."""
    compared = [call for call in _calls(list(tokenize(query)), columns) if call.constant]
    pairs = [(str(call.constant), call.column) for call in compared]
    return {constant[1:]: column for constant, column in pairs if constant[0] == ":"}


def name_pictures(query: str) -> tuple[str, dict[str, str]]:
    """Return a query in which the parameters of `similar` have names of their own.

    What is a fingerprint to `distance` is a picture to `similar`. The names are returned with
    those that they stand for.
    """
    parts = list(cut(query))
    taken, names = set(parts), dict[str, str]()
    last = ["", ""]
    for place, part in enumerate(parts):
        if part[0] == ":" and part != "::" and last[0].lower() == "similar" and last[1] == "(":
            new = f"{part[1:]}_picture"
            while f":{new}" in taken:
                new += "_"
            names[new], parts[place] = part[1:], f":{new}"
        if not part.isspace():
            last = [last[1], part]
    return "".join(parts), names


def check_fingerprint(value: object, digits: int | None) -> str:
    """Return a fingerprint in lower case, or raise QueryError where it is none of that length."""
    expected = "hex digits" if digits is None else f"{digits} hex digits ({4 * digits} bits)"
    if not isinstance(value, str) or not is_hex(value):
        msg = f"not a fingerprint: {value!r}; the index holds {expected}"
        raise QueryError(msg)
    if digits is not None and len(value) != digits:
        msg = f"the fingerprint {value!r} has {len(value)} hex digits; the index holds {expected}"
        raise QueryError(msg)
    return value.lower()


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of distance or similarity: a column, the constant compared with it, the metric."""

    column: str
    constant: str | None
    metric: str | None


def _calls(tokens: Sequence[str], columns: Collection[str]) -> Iterator[_Call]:
    for index in range(len(tokens) - 1):
        if tokens[index].lower() not in ("distance", "similarity") or tokens[index + 1] != "(":
            continue
        arguments = [_bare(argument) for argument in _arguments(tokens, index + 2)]
        if len(arguments) not in (2, 3):
            msg = f"{tokens[index]} takes two or three arguments, not {len(arguments)}"
            raise QueryError(msg)
        a, b, *rest = arguments
        compared = [name for name in (_unquote(a).lower(), _unquote(b).lower()) if name in columns]
        constants = [item for item in (a, b) if _is_constant(item)]
        metrics = [item for item in rest if _is_constant(item)]
        yield _Call(
            compared[0] if compared else "",
            constants[0] if compared and constants else None,
            metrics[0] if metrics else None,
        )


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


def _bare(argument: list[str]) -> str:
    """Return the one token of an argument, out of its brackets; "" where it is an expression."""
    while len(argument) > 2 and (argument[0], argument[-1]) in (("(", ")"), ("[", "]")):
        argument = argument[1:-1]
    return argument[0] if len(argument) == 1 else ""


def _is_constant(token: str) -> bool:
    return token[:1] in ("'", ":") or token[:1].isdigit() or token.lower() == "null"


def _value(token: str, given: Mapping[str, Any]) -> Any:
    if token[0] == ":":
        return given[token[1:]]
    return None if token.lower() == "null" else _unquote(token)


def _unquote(token: str) -> str:
    return token[1:-1] if token[:1] in ("'", '"') else token
