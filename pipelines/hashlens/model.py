"""Values that travel between the floors, and the errors that users meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class HashlensError(Exception):
    """Root of all errors that hashlens raises for its users."""


class ParameterError(HashlensError, ValueError):
    """A parameter has a value that cannot work; the message names both and the constraint."""


class ImageError(HashlensError):
    """A file or object is not an image that can be read; `reason` says why, without the name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class FingerprintError(HashlensError, ValueError):
    """Two fingerprints cannot be compared; the message names both."""


class IndexingError(HashlensError):
    """An index directory cannot be opened or written as asked."""


class QueryError(HashlensError, ValueError):
    """A query cannot run; the message names the query or value and what was expected."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file without a fingerprint, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an indexing run is: files done, files in all, and the file just done."""

    done: int
    total: int
    path: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an indexing run did.

    `hashed` files were read and given a fingerprint, `unchanged` ones had it already, `moved` ones
    have that of a row whose file is gone, `removed` rows belong to files that have vanished,
    `ignored` files have another extension, and `skipped` names each file without a fingerprint,
    with its reason.
    """

    hashed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    ignored: int = 0
    skipped: tuple[Skipped, ...] = ()

    @property
    def images(self) -> int:
        """Return how many of the given files are in the index with a fingerprint."""
        return self.hashed + self.unchanged + self.moved


@dataclass(frozen=True, slots=True)
class Match:
    """One row that matches a query image, with its evidence.

    `distance` is what the index's metric says (Hamming bits by default); `similarity` is
    `1 - distance / most possible`, for display. `row` holds the other columns of the row.
    """

    id: str
    path: str
    distance: float
    similarity: float
    row: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images with one and the same fingerprint: the fingerprint, and at least two paths."""

    fingerprint: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which way a query went.

    `way` is `packed codes` or `full scan`. Of a full scan, `reason` tells why. Of packed codes,
    `column`, `constant` and `metric` are those of the distance that was answered from memory,
    for so many `rows`; the query itself then ran over the `candidates`.
    """

    way: str
    reason: str = ""
    column: str = ""
    constant: str = ""
    metric: str = ""
    rows: int = 0
    candidates: int = 0
