"""The errors that hashlens raises for its users."""

from __future__ import annotations


class HashlensError(Exception):
    """Base class of all errors that hashlens raises for its users."""


class ParameterError(HashlensError, ValueError):
    """A parameter has an unusable value; the message names both and the constraint."""


class ImageError(HashlensError):
    """An image cannot be read.

    name: the file, or a description of the object.
    reason: why it cannot be read, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class FingerprintError(HashlensError, ValueError):
    """Two fingerprints cannot be compared; the message names both."""


class IndexingError(HashlensError):
    """An index directory cannot be opened, made or written."""


class QueryError(HashlensError, ValueError):
    """A query cannot run; the message names the query or value and what was expected."""


class PlanError(HashlensError):
    """A plan or its journal cannot be read, made or carried out; the message names the file."""
