"""What packed columns and push-down need of a database engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from hashlens.database.columns import Column
from hashlens.neighbors.scan import Rows

Version = tuple[int, int]  # inode of the database file, commits counted in it
Answer = list[Any]  # rows as dicts, or pairs (row number, score)
Clauses = Mapping[str, Any]  # the parts of a query, as txtai parses them
PARAMETER = "hashlens_rows"  # the bind parameter that `Engine.rows_among` uses

T = TypeVar("T")


class Engine(Protocol):
    """A database engine, as the calling thread sees it."""

    @property
    def read_error(self) -> type[Exception]:
        """Return the exception that `read_column` raises if a column cannot be read."""

    @property
    def aggregates(self) -> frozenset[str]:
        """Return the names of the functions that make one row of many."""

    def version(self) -> Version | None:
        """Read the version of the database; None if this thread has uncommitted rows."""

    def transaction(self) -> AbstractContextManager[None]:
        """See one state of the database until the end."""

    def in_turn(self, work: Callable[[], T]) -> T:
        """Return the result of short work with the database; threads may take turns."""

    def read_column(self, name: str, digits: int = 0, after: int = -1) -> Column:
        """Read a column of the rows after a row number; 0 digits are to be found out."""

    def is_replaced(self, after: int) -> bool:
        """Return whether a row after a row number has the id of a row up to that number."""

    def rows_among(self, rows: Rows) -> tuple[str, Any]:
        """Return a condition that only these rows meet, and the value of its `PARAMETER`."""
