"""Make many frozen values at once: the constructor of each takes several times as long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import repeat
from typing import Any, TypeVar

Value = TypeVar("Value")


def many(kind: type[Value], count: int, **columns: Iterable[Any]) -> list[Value]:
    """Return values of a frozen dataclass with slots, field by field; each field has a column.

    Raises TypeError if the columns are not those of the fields.
    """
    fields = kind.__slots__  # type: ignore[attr-defined]
    if set(fields) != columns.keys():
        msg = f"{kind.__name__} has the fields {', '.join(fields)}, not {', '.join(columns)}"
        raise TypeError(msg)
    made = list(map(object.__new__, repeat(kind, count)))
    for name, column in columns.items():
        deque(map(getattr(kind, name).__set__, made, column), maxlen=0)
    return made
