"""Parameters of the algorithms: name, default, constraint."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

from hashlens.errors import ParameterError


class Parameter(NamedTuple):
    """A parameter of an algorithm.

    constraint: what a value must be, in words
    holds: whether a value is so
    """

    name: str
    default: Any
    constraint: str
    holds: Callable[[Any], bool]

    def check(self, value: Any, algorithm: str) -> Any:
        """Return the value, or raise ParameterError with the parameter and its constraint."""
        if self.holds(value):
            return int(value) if is_whole(value) else value  # JSON has no numpy numbers
        msg = f"{self.name} must be {self.constraint} for the {algorithm} hash, not {value!r}"
        raise ParameterError(msg)


def whole(name: str, default: int, low: int, high: int | None = None) -> Parameter:
    """Describe a whole number of at least `low` and at most `high`."""
    constraint = f"a whole number >= {low}" if high is None else f"a whole number {low} to {high}"
    return Parameter(
        name,
        default,
        constraint,
        lambda value: is_whole(value) and low <= value and (high is None or value <= high),
    )


def optional(parameter: Parameter) -> Parameter:
    """Let a parameter also be None, which becomes its default."""
    return Parameter(
        parameter.name,
        None,
        f"None or {parameter.constraint}",
        lambda value: value is None or parameter.holds(value),
    )


def power_of_two(name: str, default: int, high: int) -> Parameter:
    """Describe a power of two of at least 2 and at most `high`."""
    return Parameter(
        name,
        default,
        f"a power of two 2 to {high}",
        lambda value: is_whole(value) and 2 <= value <= high and not value & (value - 1),
    )


def choice(name: str, default: str, *others: str) -> Parameter:
    """Describe one of several words."""
    words = (default, *others)
    return Parameter(name, default, f"one of {', '.join(words)}", lambda value: value in words)


def flag(name: str, *, default: bool) -> Parameter:
    """Describe True or False; words and numbers are refused, since 'False' would be true."""
    return Parameter(name, default, "True or False", lambda value: isinstance(value, bool))


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number of Python or numpy, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)
