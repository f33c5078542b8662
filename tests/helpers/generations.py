"""Rows that change from generation to generation, all at once, for those who read beside a writer.

Imports nothing that is heavy: processes that only write import it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from hashlens.index.store import Store

CHANGING = 20  # rows that each write replaces all at once
QUERY = "0123456789abcdef"


def generation(number: int) -> list[Any]:
    """Return the changing rows of a generation: near the query, by as many bits as it says."""
    text = format(int(QUERY, 16) ^ ((1 << number % 5) - 1), "016x")
    return [
        (f"new{row}", {"id": f"new{row}", "text": text, "path": "", "number": number}, None)
        for row in range(CHANGING)
    ]


def write_generations(store: Store, least: int, seconds: float) -> int:
    """Write generations, each in one transaction, for some time; return how many there were."""
    number, until = 0, time.monotonic() + seconds
    while number < least or time.monotonic() < until:
        number += 1
        with store.writing():
            store.write(generation(number), ["gone"])
    return number


def be_a_writer(path: str, least: int, seconds: float) -> None:
    """Write as a process of its own: print a line before and the number of generations after."""
    store = Store.open(Path(path))
    print("ready", flush=True)  # noqa: T201
    print(write_generations(store, least, seconds))  # noqa: T201
    store.close()
