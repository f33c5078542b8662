"""Columns of fingerprints, packed, as they are in one state of the database.

A column never changes: a write makes a new column, which shares most of its memory with the last.
So a query may scan a column while another thread makes the next.
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

MAX_IRREGULAR = 1_000  # irregular values of a column; the distance of each is computed alone
_HEX = re.compile("[0-9a-f]+")


@dataclass(frozen=True)
class PackedRows:
    """Rows in ascending order, and their fingerprints, packed."""

    rows: Rows
    codes: Codes
    digits: int  # hex digits of each fingerprint

    @cached_property
    def positions(self) -> NDArray[Any]:
        """Return the positions of digits that Levenshtein needs: at least 32 bytes a row."""
        return positions(self.codes, self.digits)

    def measure(self, constant: str, metric: str, out: Distances) -> None:
        """Write the distances of all rows from a constant to `out`."""
        if metric == "levenshtein":
            levenshtein(self.positions, self.digits, constant, out)
        else:
            hamming(self.codes, pack([constant])[0], out)

    def picked(self, which: NDArray[Any]) -> PackedRows:
        """Return some of the rows, by position or by mask."""
        chosen = PackedRows(self.rows[which], np.asfortranarray(self.codes[which]), self.digits)
        if "positions" in self.__dict__:
            chosen.__dict__["positions"] = self.positions[:, which]
        return chosen

    def followed_by(self, later: PackedRows) -> PackedRows:
        """Return these rows and later rows as one segment."""
        both = join_rows([self, later])
        if "positions" in self.__dict__:
            both.__dict__["positions"] = np.concatenate([self.positions, later.positions], axis=1)
        return both


@dataclass(frozen=True)
class Column:
    """All rows of a column, by value: packed, or irregular.

    A value is packed if it is lower-case hex of `digits` digits, the most frequent number of
    digits. A column with too many irregular values is not whole and answers no query.
    """

    digits: int = 0  # hex digits of packed values; 0: not known yet
    segments: tuple[PackedRows, ...] = ()  # each of later rows than the one before
    irregular: Mapping[str, Rows] = field(default_factory=dict)  # rows by any other value

    def __len__(self) -> int:
        return sum(len(s.rows) for s in self.segments) + sum(map(len, self.irregular.values()))

    @property
    def highest(self) -> int:
        """Return the highest row number; -1 without rows."""
        ends = [s.rows for s in self.segments] + list(self.irregular.values())
        return max((int(rows[-1]) for rows in ends if len(rows)), default=-1)

    @property
    def is_whole(self) -> bool:
        """Return whether all rows are here: irregular values are not too many."""
        return len(self.irregular) <= MAX_IRREGULAR

    def unfit(self, metric: str) -> str | None:
        """Return why the column cannot answer for a metric; None if it can."""
        if not self.is_whole:
            limit = f"{MAX_IRREGULAR:,}"
            return f"more than {limit} of its values are not a hash of {self.digits} hex digits"
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
        irregular = {value: total_distance(value, constant, metric) for value in self.irregular}
        return Measured(self, distances, irregular)

    def followed_by(self, later: Column) -> Column:
        """Return this column with the later rows of another; small segments are joined."""
        segments = list(self.segments)
        for segment in later.segments:
            segments.append(segment)
            while len(segments) > 1 and len(segments[-2].rows) < 2 * len(segments[-1].rows):
                last = segments.pop()
                segments.append(segments.pop().followed_by(last))
        both = dict(self.irregular)
        for value, rows in later.irregular.items():
            both[value] = np.concatenate([both[value], rows]) if value in both else rows
        return Column(later.digits, tuple(segments), both)

    def only(self, rows: Rows) -> Column:
        """Return a column of the rows that are among some, given in ascending order."""
        return self._kept(lambda mine: _among(mine, rows))

    def without(self, rows: Rows) -> Column:
        """Return a column without some rows, given in ascending order."""
        return self._kept(lambda mine: ~_among(mine, rows))

    def _kept(self, which: Callable[[Rows], NDArray[np.bool_]]) -> Column:
        marked = [(segment, which(segment.rows)) for segment in self.segments]
        segments = tuple(s if m.all() else s.picked(m) for s, m in marked if m.any())
        kept = {value: rows[which(rows)] for value, rows in self.irregular.items()}
        return Column(self.digits, segments, {v: rows for v, rows in kept.items() if rows.size})


@dataclass(frozen=True)
class Measured:
    """The distances of a column from a constant."""

    column: Column
    distances: Distances  # of the packed rows
    irregular: Mapping[str, float]  # by value

    def find(self, k: int | None = None, max_distance: int | None = None) -> Found:
        """Find the nearest rows, ordered by distance, then row number, as `select` does."""
        packed = select(self.distances, k, max_distance)
        found = Found(self._numbers(packed.rows), packed.distances)
        if not self.irregular or k == 0:
            return found
        rows, distances = [found.rows], [found.distances]
        for value, distance in self.irregular.items():
            if max_distance is None or distance <= max_distance:
                rows.append(self.column.irregular[value][:k])
                distances.append(np.full(len(rows[-1]), distance))
        all_rows, all_distances = np.concatenate(rows), np.concatenate(distances)
        order = np.lexsort((all_rows, all_distances))[:k]
        return Found(all_rows[order], all_distances[order].astype(np.int64))

    def _numbers(self, places: Rows) -> Rows:
        """Return row numbers by the positions of rows in all segments together."""
        if len(self.column.segments) == 1:
            return self.column.segments[0].rows[places]
        numbers = np.empty(len(places), np.int64)
        offset = 0
        for segment in self.column.segments:
            here = (places >= offset) & (places < offset + len(segment.rows))
            numbers[here] = segment.rows[places[here] - offset]
            offset += len(segment.rows)
        return numbers


def join_rows(parts: Sequence[PackedRows]) -> PackedRows:
    """Return segments, each of later rows than the one before, as one."""
    rows = np.concatenate([part.rows for part in parts])
    codes = np.empty((len(rows), parts[0].codes.shape[1]), np.uint64, order="F")
    at = 0
    for part in parts:
        codes[at : at + len(part.rows)] = part.codes
        at += len(part.rows)
    return PackedRows(rows, codes, parts[0].digits)


def sort_out(values: Iterable[tuple[int, Any]], digits: int) -> Column:
    """Make a column from ascending row numbers and values of any type."""
    pairs = list(values)
    hashes = [v for _, v in pairs if isinstance(v, str) and _HEX.fullmatch(v)]
    if not digits and hashes:
        digits = Counter(map(len, hashes)).most_common(1)[0][0]
    irregular: dict[str, list[int]] = {}
    rows, texts = [], []
    for row, value in pairs:
        text = "" if value is None else str(value)
        if text == value and len(text) == digits and _HEX.fullmatch(text):
            rows.append(row)
            texts.append(text)
        else:
            irregular.setdefault(text, []).append(row)
    packed = (PackedRows(np.array(rows), pack(texts), digits),) if rows else ()
    return Column(digits, packed, {value: np.array(own) for value, own in irregular.items()})


def _among(values: Rows, others: Rows) -> NDArray[np.bool_]:
    """Return which of some ascending numbers are among others, ascending as well."""
    if not len(others):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(others, values), len(others) - 1)
    return np.asarray(others[place] == values)
