"""The SQL functions that queries call.

`distance(a, b)`, `distance(a, b, metric)` and `similarity(...)` take any values: an exception in a
SQL function would end the whole query. The content databases of `hashlens.database` register the
functions. A plain txtai index can name them in its configuration as `SQL_FUNCTIONS`, whose entries
are dotted paths, so that a saved index opens again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from hashlens.hashing.metrics import check_metric, total_distance, total_similarity

SQL_FUNCTIONS = [
    {"name": "distance", "function": "hashlens.sql.distance", "deterministic": True},
    {"name": "similarity", "function": "hashlens.sql.similarity", "deterministic": True},
]


# Any number of arguments: DuckDB takes the number from the signature, and ignores defaults.
# Annotated: without a return type DuckDB makes text of the result and sorts 10 before 2.
def distance(*values: Any) -> float:
    """Return `distance(a, b[, metric])` for any values, in Hamming bits unless a metric is named.

    See `hashlens.hashing.metrics.total_distance` for missing and malformed values.
    """
    return total_distance(*values)


def levenshtein(*values: Any) -> float:
    """Return `distance(a, b[, metric])`, in edits of characters unless a metric is named."""
    return _with_default(total_distance, "levenshtein", *values)


def similarity(*values: Any) -> float:
    """Return `similarity(a, b[, metric])` for any values: 1 - distance / largest possible."""
    return total_similarity(*values)


def functions(metric: str = "hamming") -> dict[str, Callable[..., float]]:
    """Return the SQL functions by name; `metric` is the metric of the two-argument form."""
    check_metric(metric)
    return {
        "distance": partial(_with_default, total_distance, metric),
        "similarity": partial(_with_default, total_similarity, metric),
    }


def _with_default(function: Callable[..., float], metric: str, a: Any, b: Any, *rest: Any) -> float:
    try:
        return function(a, b, *(rest or (metric,)))
    except KeyboardInterrupt:
        _interrupted.set()
        raise


def was_interrupted() -> bool:
    """Return whether Ctrl-C came in a function, once: SQLite turns it into an error of SQL."""
    found = _interrupted.is_set()
    _interrupted.clear()
    return found


_interrupted = threading.Event()
