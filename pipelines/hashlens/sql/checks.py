"""Check a query before it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashlens.errors import QueryError
from hashlens.hashing.metrics import check_metric, is_hex
from hashlens.sql.clauses import ROUND_OR_SQUARE, closing, single, split
from hashlens.sql.tokens import constant, cut, parameter, tokenize, unquote


def normalize(query: str) -> str:
    """Return a query on one line with single spaces, without comments and a last semicolon.

    txtai takes a query for words to search by meaning unless it finds one space before
    `from txtai`. Raises QueryError if the text is not a query on the index.
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
    """Raise QueryError if a query lacks a parameter, or holds a hash that does not fit.

    A hash is a constant that `distance` or `similarity` compares with a column of fingerprints: a
    literal, or a bind parameter. Under Hamming it must have the number of hex digits that `digits`
    has for the column; None stands for any number. Raises ParameterError for an unknown metric.
    """
    given = parameters or {}
    tokens = list(tokenize(query))
    for token in tokens:
        name = parameter(token)
        if token in ("?", "@") or (name is not None and name not in given):
            msg = f"the query has {token}, but no such parameter was given: {query!r}"
            raise QueryError(msg)
    for call in _calls(tokens, digits):
        named = constant(call.metric, given) if call.metric else metric
        if check_metric(named) == "hamming" and call.constant:
            check_fingerprint(constant(call.constant, given), digits[call.column])


def hash_parameters(query: str, columns: Collection[str]) -> dict[str, str]:
    """Return the bind parameters that a query compares with fingerprints, and their columns."""
    calls = _calls(list(tokenize(query)), columns)
    named = ((parameter(call.constant or ""), call.column) for call in calls)
    return {name: column for name, column in named if name is not None}


def name_pictures(query: str) -> tuple[str, dict[str, str]]:
    """Return a query in which the parameters of `similar` have other names, and these names.

    The value of a parameter is a fingerprint to `distance`, and a picture to `similar`. Each new
    name is returned with the name that it replaces.
    """
    parts = list(cut(query))
    taken, names = set(parts), dict[str, str]()
    last = ["", ""]
    for place, part in enumerate(parts):
        name = parameter(part)
        if name is not None and last[0].lower() == "similar" and last[1] == "(":
            new = f"{name}_picture"
            while f":{new}" in taken:
                new += "_"
            names[new], parts[place] = name, f":{new}"
        if not part.isspace():
            last = [last[1], part]
    return "".join(parts), names


def check_fingerprint(value: object, digits: int | None) -> str:
    """Return a fingerprint in lower case; raise QueryError if it does not have these digits."""
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
    """A call of distance or similarity."""

    column: str  # "" if none of the columns is compared
    constant: str | None  # the token that is compared with the column
    metric: str | None  # the token that names it, if it is a constant


def _calls(tokens: Sequence[str], columns: Collection[str]) -> Iterator[_Call]:
    for index in range(len(tokens) - 1):
        if tokens[index].lower() not in ("distance", "similarity") or tokens[index + 1] != "(":
            continue
        inside = tokens[index + 2 : closing(tokens, index + 1)]
        arguments = [single(item, ROUND_OR_SQUARE) for item in split(inside, ",")]
        if len(arguments) not in (2, 3):
            msg = f"{tokens[index]} takes two or three arguments, not {len(arguments)}"
            raise QueryError(msg)
        a, b, *rest = arguments
        compared = [name for name in (unquote(a).lower(), unquote(b).lower()) if name in columns]
        constants = [item for item in (a, b) if _is_constant(item)]
        metrics = [item for item in rest if _is_constant(item)]
        yield _Call(
            compared[0] if compared else "",
            constants[0] if compared and constants else None,
            metrics[0] if metrics else None,
        )


def _is_constant(token: str) -> bool:
    return token[:1] in ("'", ":") or token[:1].isdigit() or token.lower() == "null"
