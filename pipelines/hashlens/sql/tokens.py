"""Cut a query into tokens."""

from __future__ import annotations

from collections.abc import Iterator


def tokenize(query: str) -> Iterator[str]:
    """Cut a query into words, numbers, bind parameters, quoted texts and signs."""
    return (part for part in cut(query) if not part.isspace())


def cut(query: str) -> Iterator[str]:
    """Cut a query into parts that make it up again, comments and runs of space as one space."""
    position = 0
    while position < len(query):
        start, character, two = position, query[position], query[position : position + 2]
        position += 1
        if character.isspace() or two in ("--", "/*"):
            position = _end_of_space(query, start)
            yield " "
            continue
        if character in "'\"":
            end = query.find(character, position)
            position = len(query) if end < 0 else end + 1
        elif two == "::":
            position += 1
        elif character.isalnum() or character == "_" or character == ":":
            while position < len(query) and (query[position].isalnum() or query[position] in "_."):
                position += 1
        yield query[start:position]


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
