"""Cut a query into tokens, and read single tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

QUOTES = "'\""  # around a text, and around a name


def tokenize(query: str) -> Iterator[str]:
    """Cut a query into words, numbers, bind parameters, quoted texts and signs."""
    return (part for part in cut(query) if not part.isspace())


def cut(query: str) -> Iterator[str]:
    """Cut a query into parts: tokens, and one space for each comment and each run of space."""
    position = 0
    while position < len(query):
        start, character, two = position, query[position], query[position : position + 2]
        position += 1
        if character.isspace() or two in ("--", "/*"):
            position = _end_of_space(query, start)
            yield " "
            continue
        if character in QUOTES:
            end = query.find(character, position)
            position = len(query) if end < 0 else end + 1
        elif two == "::":
            position += 1
        elif character.isalnum() or character == "_" or character == ":":
            while position < len(query) and (query[position].isalnum() or query[position] in "_."):
                position += 1
        yield query[start:position]


def is_text(token: str) -> bool:
    """Return whether a token is a text in single quotes, closed."""
    return len(token) > 1 and token[0] == token[-1] == "'"


def is_number(token: str) -> bool:
    """Return whether a token is a number without a sign or an exponent."""
    return token.replace(".", "", 1).isdecimal() and token.isascii()


def unquote(token: str) -> str:
    """Return a quoted token without its quotes, any other token as it is."""
    return token[1:-1] if token[:1] and token[0] in QUOTES else token


def quote(name: str) -> str:
    """Return a name in double quotes, as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def parameter(token: str) -> str | None:
    """Return the name of a bind parameter; None if the token is not one."""
    return token[1:] if token[:1] == ":" and token != "::" else None


def constant(token: str, parameters: Mapping[str, Any]) -> Any:
    """Return the value of a bind parameter or a text, a number as it is written, NULL as None."""
    name = parameter(token)
    if name is not None:
        return parameters.get(name)
    return None if token.lower() == "null" else unquote(token)


def _end_of_space(query: str, position: int) -> int:
    while position < len(query):
        two = query[position : position + 2]
        if query[position].isspace():
            position += 1
        elif two in ("--", "/*"):
            closing = "\n" if two == "--" else "*/"
            end = query.find(closing, position + 2)
            position = len(query) if end < 0 else end + len(closing)
        else:
            break
    return position
