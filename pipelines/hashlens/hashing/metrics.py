"""Distances between fingerprints.

>>> distance("ff00", "ff01")
1
>>> distance("ff00", "f0f0", "levenshtein")
2
>>> similarity("ff00", "ff01")
0.9375

Two metrics matter here: `hamming` counts the *bits* in which two hex strings of equal length
differ, `levenshtein` counts edits of characters. For users of other tools, `manhattan`, `euclidean`
and `chebyshev` take the hex digits as a vector of numbers 0 to 15, and any algorithm of the
`textdistance` package has its name there. `distance` is strict: it raises an error for values that
cannot be compared. `total_distance` compares any values, so that a malformed row in a database
sorts last and does not abort a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import isfinite, sqrt
from numbers import Integral
from operator import sub
from typing import Any, NamedTuple

from hashlens.errors import FingerprintError, ParameterError

Metric = Callable[[str, str], float]

_HEX = re.compile(r"[0-9a-fA-F]+")
BITS_PER_DIGIT = 4
LARGEST_DIGIT = 15
_DIGITS = bytes(int(chr(n), 16) if chr(n) in "0123456789abcdefABCDEF" else 0 for n in range(256))


def is_hex(text: str) -> bool:
    """Return whether a text has only hex digits: no sign, prefix, space or underscore."""
    return _HEX.fullmatch(text) is not None


def bits(fingerprint: str) -> int:
    """Return the number of bits of a hex fingerprint."""
    return BITS_PER_DIGIT * len(fingerprint)


def hamming(a: str, b: str) -> int:
    """Count the bits in which two hex strings of equal length differ.

    Raises FingerprintError if one is not hex or the lengths differ.
    """
    _check(a, b)
    return (int(a, 16) ^ int(b, 16)).bit_count()


def manhattan(a: str, b: str) -> int:
    """Return the sum of the differences of the hex digits of two texts; raises as `hamming`."""
    return sum(map(abs, _steps(a, b)))


def euclidean(a: str, b: str) -> float:
    """Return the root of the summed squares of these differences; raises as `hamming`."""
    return sqrt(sum(step * step for step in _steps(a, b)))


def chebyshev(a: str, b: str) -> int:
    """Return the largest of these differences; raises as `hamming`."""
    return max(map(abs, _steps(a, b)))


def _steps(a: str, b: str) -> Iterator[int]:
    """Yield the difference between each digit of a text and the same digit of another."""
    _check(a, b)
    return map(sub, a.encode().translate(_DIGITS), b.encode().translate(_DIGITS))


def _check(a: str, b: str) -> None:
    """Raise FingerprintError unless two texts are hex digits, and as many."""
    if len(a) != len(b):
        msg = f"cannot compare {a!r} ({bits(a)} bits) with {b!r} ({bits(b)} bits): unequal lengths"
        raise FingerprintError(msg)
    if not (is_hex(a) and is_hex(b)):
        msg = f"cannot compare {a!r} with {b!r}: both must be hex digits"
        raise FingerprintError(msg)


def levenshtein(a: str, b: str) -> int:
    """Count the edits (insert, delete, replace a character) that turn one text into the other.

    Bit-parallel: one step per character of `b`, whatever the length of `a` (Myers 1999, in the
    form of Hyyrö 2003).
    """
    if a == b:
        return 0
    if not a or not b:
        return len(a) or len(b)
    where: dict[str, int] = {}
    for position, character in enumerate(a):
        where[character] = where.get(character, 0) | 1 << position
    mask, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, edits = mask, 0, len(a)
    for character in b:
        equal = where.get(character, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        up = falls | ~(diagonal | rises)
        down = rises & diagonal
        edits += bool(up & last) - bool(down & last)
        up = up << 1 | 1
        rises = (down << 1 | ~(diagonal | up)) & mask
        falls = up & diagonal & mask
    return edits


def distance(a: str, b: str, metric: str = "hamming") -> float:
    """Return the distance between two fingerprints: smaller is closer, 0 is equal.

    `metric` is `hamming` (bits), `levenshtein` (characters), `manhattan`, `euclidean` or
    `chebyshev` (hex digits as numbers), or the name of a textdistance algorithm. Raises
    FingerprintError, with both values, if one is missing, and, unless the metric compares
    characters, if they are not hex of equal length. Raises ParameterError for an unknown metric.
    """
    measure = _metric(metric)
    if not (isinstance(a, str | None) and isinstance(b, str | None)):
        msg = f"cannot compare {a!r} with {b!r}: fingerprints are texts"
        raise FingerprintError(msg)
    if not a or not b:
        msg = f"cannot compare {a!r} with {b!r}: a fingerprint is missing"
        raise FingerprintError(msg)
    return measure(a, b)


def similarity(a: str, b: str, metric: str = "hamming") -> float:
    """Return 1 - distance / largest possible distance; raises as `distance` does."""
    return _share(distance(a, b, metric), largest(a, b, metric))


def total_distance(a: object, b: object, metric: str = "hamming") -> float:
    """Return the distance of any two values; values that cannot be compared are far apart.

    Two missing values are at distance 0. If one is missing or not hex, or the lengths differ, the
    distance is the largest one of the longer value: all its bits under Hamming, all its characters
    under Levenshtein, which compares any texts. Raises ParameterError for an unknown metric.
    """
    measure = _metric(metric)
    a, b = _text(a), _text(b)
    if not a and not b:
        return 0
    try:
        return measure(a, b) if a and b else largest(a, b, metric)
    except Exception:  # noqa: BLE001  a foreign algorithm may raise anything on odd text
        return largest(a, b, metric)


def total_similarity(a: object, b: object, metric: str = "hamming") -> float:
    """Return the similarity of any two values, 1.0 if both are missing; as `total_distance`."""
    a, b = _text(a), _text(b)
    return _share(total_distance(a, b, metric), largest(a, b, metric))


def largest(a: str, b: str, metric: str = "hamming") -> float:
    """Return the largest distance from the longer of two texts under a metric."""
    longer = max(a, b, key=len)
    if metric in _METRICS:
        return _METRICS[metric].largest(len(longer))
    return float(_textdistance(metric).maximum(longer, longer))


def _share(found: float, most: float) -> float:
    """Return 1 - distance / largest, within 0 and 1: some metrics are not true distances."""
    return min(1.0, max(0.0, 1 - found / (most or 1)))


def check_metric(metric: str) -> str:
    """Return the name of a metric; raises ParameterError if it is unknown."""
    _metric(metric)
    return metric


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _metric(name: str) -> Metric:
    known = _METRICS.get(name) if isinstance(name, str) else None
    if known is not None:
        return known.measure
    algorithm = _textdistance(str(name))

    def measure(a: str, b: str) -> float:
        # Some algorithms return numpy numbers, which databases refuse, and some infinity.
        found = algorithm.distance(a, b)
        exact = int(found) if isinstance(found, Integral) else float(found)
        return exact if isfinite(exact) else largest(a, b, name)

    return measure


@lru_cache
def _textdistance(name: str) -> Any:
    # Imported here: only a query with one of its metrics should pay the 30 ms.
    import textdistance  # noqa: PLC0415

    known = {
        key: value
        for key, value in vars(textdistance).items()
        if isinstance(value, textdistance.algorithms.base.Base)
    }
    if name not in known:
        names = ", ".join(sorted({*_METRICS, *known}))
        msg = f"unknown metric {name!r}; known are {names}"
        raise ParameterError(msg)
    return known[name]


class _Known(NamedTuple):
    """A metric of our own, and its largest distance between texts of a number of characters."""

    measure: Metric
    largest: Callable[[int], float]


_METRICS = {
    "hamming": _Known(hamming, lambda digits: BITS_PER_DIGIT * digits),
    "levenshtein": _Known(levenshtein, lambda digits: digits),
    "manhattan": _Known(manhattan, lambda digits: LARGEST_DIGIT * digits),
    "euclidean": _Known(euclidean, lambda digits: sqrt(LARGEST_DIGIT**2 * digits)),
    "chebyshev": _Known(chebyshev, lambda digits: LARGEST_DIGIT if digits else 0),
}
