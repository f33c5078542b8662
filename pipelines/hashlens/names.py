r"""File names as valid text, and back.

A file name is bytes, and some are not UTF-8. Python holds such a byte as a lone surrogate, which
SQLite, DuckDB, JSON and CSV cannot store. Values in memory, such as `Member.path`, hold names as
Python does. Rows, plans and all that is printed or saved hold the text of a name: `\udcXX` stands
for the byte XX. Where a name itself has such an escape, its backslash is written as `\u005c`. Any
other name is its own text.

>>> print(text_of("caf\udce9.jpg"))
caf\udce9.jpg
>>> print(text_of(r"caf\udce9.jpg"))
caf\u005cudce9.jpg
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

_ESCAPED = "u(005c|d[89a-f][0-9a-f]{2})"
_ESCAPE = re.compile(rf"\\{_ESCAPED}")
_NOT_PLAIN = re.compile(rf"[\ud800-\udfff]|\\(?={_ESCAPED})")


def text_of(name: str) -> str:
    """Return the text of a file name or path; it is valid UTF-8."""
    if "\\u" not in name:
        try:
            name.encode()
        except UnicodeEncodeError:
            pass
        else:
            return name
    return _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", name)


def name_of(text: str) -> str:
    """Return the file name or path that has a text; of text that no name has, the text itself."""
    if "\\u" not in text:
        return text
    name = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        return os.fsdecode(os.fsencode(name))  # one name, however its bytes are escaped
    except UnicodeEncodeError:
        return text


def names_of(texts: list[str]) -> list[str]:
    """Return the names of many texts: one look at all of them is enough if none has an escape."""
    return list(map(name_of, texts)) if "\\u" in "".join(texts) else texts


def as_text(value: Any) -> Any:
    """Return a value, such as a record, with the text of each name in it, at any depth."""
    return _mapped(text_of, value)


def as_names(value: Any) -> Any:
    """Return a value with the name of each text in it, at any depth: the way back of `as_text`.

    A value that is not text stays as it is: rows that another program wrote can hold anything.
    """
    return _mapped(name_of, value)


def _mapped(change: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(change, key): _mapped(change, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(change, item) for item in value]
    return value
