"""Columns of fingerprints, packed, as they are in one state of the database.

A column never changes: what is written makes a new one, which shares most of its memory with the
last. So a query may scan one while another thread goes on to the next.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.hashing.metrics import total_distance
from hashlens.neighbors.codes import Codes, pack, words
from hashlens.neighbors.scan import (
    MOST_DIGITS,
    Distances,
    Found,
    Rows,
    distance_type,
    hamming,
    levenshtein,
    positions,
    select,
)

MOST_ODD = 1_000  # values that are no fingerprint, each measured by itself
_HEX = re.compile("[0-9a-f]+")


@dataclass(frozen=True)
class PackedRows:
    """Some rows whose fingerprints are packed, in ascending order."""

    rows: Rows
    codes: Codes
    digits: int

    @cached_property
    def positions(self) -> NDArray[Any]:
        """Return what Levenshtein needs, made when it is first asked for: 32 bytes a row and up."""
        return positions(self.codes, self.digits)

    def measure(self, constant: str, metric: str, out: Distances) -> None:
        """Write the distances of all rows from a constant."""
        if metric == "levenshtein":
            levenshtein(self.positions, self.digits, constant, out)
        else:
            hamming(self.codes, pack([constant])[0], out)

    def picked(self, which: NDArray[Any]) -> PackedRows:
        """Return a segment of some of the rows, by position or by mask."""
        chosen = PackedRows(self.rows[which], np.asfortranarray(self.codes[which]), self.digits)
        if "positions" in self.__dict__:
            chosen.__dict__["positions"] = self.positions[:, which]
        return chosen

    def followed(self, later: PackedRows) -> PackedRows:
        """Return this segment and a later one as one."""
        both = joined_up([self, later])
        if "positions" in self.__dict__:
            both.__dict__["positions"] = np.concatenate([self.positions, later.positions], axis=1)
        return both


@dataclass(frozen=True)
class Column:
    """All rows of a column: packed, or odd, which is any other text with the rows that have it.

    Packed is lower-case hex of `digits` digits, the number that is the most frequent. A column
    with too many odd texts is not whole; it answers nothing.
    """

    digits: int = 0
    segments: tuple[PackedRows, ...] = ()
    odd: Mapping[str, Rows] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(s.rows) for s in self.segments) + sum(map(len, self.odd.values()))

    @property
    def highest(self) -> int:
        """Return the highest row number, -1 where there are no rows."""
        ends = [s.rows for s in self.segments] + list(self.odd.values())
        return max((int(rows[-1]) for rows in ends if len(rows)), default=-1)

    @property
    def is_whole(self) -> bool:
        """Tell whether all rows are there: there are not too many odd texts."""
        return len(self.odd) <= MOST_ODD

    def unfit(self, metric: str) -> str | None:
        """Tell why the column cannot answer for a metric, if so."""
        if not self.is_whole:
            return f"more than {MOST_ODD:,} of its values are no hash of {self.digits} hex digits"
        if metric == "levenshtein" and self.digits > MOST_DIGITS:
            return f"its hashes have more than {MOST_DIGITS} hex digits"
        return None

    def measured(self, constant: str, metric: str) -> Measured:
        """Measure the distances of all rows from a constant."""
        kind = distance_type(words(self.digits)) if metric == "hamming" else np.uint32
        distances = np.empty(sum(len(segment.rows) for segment in self.segments), kind)
        offset = 0
        for segment in self.segments:
            out = distances[offset : offset + len(segment.rows)]
            segment.measure(constant, metric, out)
            offset += len(segment.rows)
        odd = {value: total_distance(value, constant, metric) for value in self.odd}
        return Measured(self, distances, odd)

    def followed(self, later: Column) -> Column:
        """Return this column with the later rows of another; small segments are joined."""
        segments = list(self.segments)
        for segment in later.segments:
            segments.append(segment)
            while len(segments) > 1 and len(segments[-2].rows) < 2 * len(segments[-1].rows):
                last = segments.pop()
                segments.append(segments.pop().followed(last))
        odd = dict(self.odd)
        for value, rows in later.odd.items():
            odd[value] = np.concatenate([odd[value], rows]) if value in odd else rows
        return Column(later.digits, tuple(segments), odd)

    def only(self, rows: Rows) -> Column:
        """Return a column of those of its rows that are among some, given in ascending order."""
        return self._kept(lambda own: _among(own, rows))

    def without(self, rows: Rows) -> Column:
        """Return a column of its rows but for some, given in ascending order."""
        return self._kept(lambda own: ~_among(own, rows))

    def _kept(self, which: Callable[[Rows], NDArray[np.bool_]]) -> Column:
        marked = [(segment, which(segment.rows)) for segment in self.segments]
        segments = tuple(s if m.all() else s.picked(m) for s, m in marked if m.any())
        odd = {value: rows[which(rows)] for value, rows in self.odd.items()}
        return Column(self.digits, segments, {v: rows for v, rows in odd.items() if rows.size})


@dataclass(frozen=True)
class Measured:
    """The distances of the rows of a column from a constant: of the packed ones, and the odd."""

    column: Column
    distances: Distances
    odd: Mapping[str, float]

    def find(self, k: int | None = None, max_distance: int | None = None) -> Found:
        """Find the nearest rows, in the order (distance, row), as `select` does."""
        packed = select(self.distances, k, max_distance)
        found = Found(self._numbers(packed.rows), packed.distances)
        if not self.odd or k == 0:
            return found
        rows, distances = [found.rows], [found.distances]
        for value, away in self.odd.items():
            if max_distance is None or away <= max_distance:
                rows.append(self.column.odd[value][:k])
                distances.append(np.full(len(rows[-1]), away))
        row, distance = np.concatenate(rows), np.concatenate(distances)
        order = np.lexsort((row, distance))[:k]
        return Found(row[order], distance[order].astype(np.int64))

    def _numbers(self, places: Rows) -> Rows:
        """Return the row numbers of rows by their place in all segments."""
        if len(self.column.segments) == 1:
            return self.column.segments[0].rows[places]
        numbers = np.empty(len(places), np.int64)
        offset = 0
        for segment in self.column.segments:
            own = (places >= offset) & (places < offset + len(segment.rows))
            numbers[own] = segment.rows[places[own] - offset]
            offset += len(segment.rows)
        return numbers


def joined_up(parts: Sequence[PackedRows]) -> PackedRows:
    """Return segments, each later than the last, as one."""
    rows = np.concatenate([part.rows for part in parts])
    codes = np.empty((len(rows), parts[0].codes.shape[1]), np.uint64, order="F")
    at = 0
    for part in parts:
        codes[at : at + len(part.rows)] = part.codes
        at += len(part.rows)
    return PackedRows(rows, codes, parts[0].digits)


def sorted_out(values: Iterable[tuple[int, Any]], digits: int) -> Column:
    """Make a column of row numbers, ascending, and values of any kind."""
    pairs = list(values)
    hashes = [v for _, v in pairs if isinstance(v, str) and _HEX.fullmatch(v)]
    if not digits and hashes:
        digits = Counter(map(len, hashes)).most_common(1)[0][0]
    odd: dict[str, list[int]] = {}
    rows, texts = [], []
    for row, value in pairs:
        text = "" if value is None else str(value)
        if text == value and len(text) == digits and _HEX.fullmatch(text):
            rows.append(row)
            texts.append(text)
        else:
            odd.setdefault(text, []).append(row)
    packed = (PackedRows(np.array(rows), pack(texts), digits),) if rows else ()
    return Column(digits, packed, {value: np.array(own) for value, own in odd.items()})


def _among(values: Rows, others: Rows) -> NDArray[np.bool_]:
    """Tell which of some ascending numbers are among others, ascending as well."""
    if not len(others):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(others, values), len(others) - 1)
    return np.asarray(others[place] == values)
