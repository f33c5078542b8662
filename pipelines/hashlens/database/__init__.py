"""Content databases for txtai, and their class paths: `SQLite`, `DuckDB` and `Thumbnails`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"SQLite": "sqlite", "DuckDB": "duckdb", "Thumbnails": "content"}


def __getattr__(name: str) -> Any:
    # Not kept here: a class belongs to one of two copies of txtai (see `hashlens.index.host`).
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
