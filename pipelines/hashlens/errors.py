"""The errors that users meet when something cannot be."""

from __future__ import annotations


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


class PlanError(HashlensError):
    """A plan or a journal cannot be read, made or carried out; the message names file and line."""
