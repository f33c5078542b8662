"""The images of an index as columns: each of a million rows takes some 200 bytes."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.keepers import Contender
from hashlens.hashing.metrics import is_hex
from hashlens.model import LOW_INFORMATION, Member
from hashlens.names import names_of
from hashlens.neighbors import pack, unpack
from hashlens.neighbors.codes import Codes, Ints, pack_joined
from hashlens.schema import GROUPED_NUMBERS

CHUNK = 20_000  # rows that are tuples at a time


@dataclass(frozen=True, slots=True)
class Collection:
    """Images as columns, sorted by id: their fingerprints, packed, and the facts of their rows."""

    ids: Sequence[str]
    paths: Sequence[str]
    codes: Codes
    digits: int
    information: NDArray[np.float64]
    numbers: dict[str, Ints]
    formats: Sequence[str]
    file_digests: NDArray[np.bytes_]
    pixel_digests: NDArray[np.bytes_]
    damaged: Sequence[str]
    frame_hashes: Sequence[str]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.ids)

    def fingerprints(self, rows: Ints | slice = slice(None)) -> list[str]:
        """Return the fingerprints of some rows in hex."""
        return unpack(self.codes[rows], self.digits)

    def flat_files(self, counted: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Return the flat pictures among the counted rows, and the number of the file of each.

        Pictures with equal files have the same number; pictures whose files are not known are left
        out.
        """
        is_flat = (self.information < LOW_INFORMATION) & counted & (self.file_digests != b"")
        rows = np.flatnonzero(is_flat)
        return rows, np.unique(self.file_digests[rows], return_inverse=True)[1]

    def excerpt(self, rows: Ints) -> Excerpt:
        """Return some rows as lists of Python objects, to build contenders and members from."""
        places = rows.tolist()
        return Excerpt(
            rows=places,
            ids=[self.ids[row] for row in places],
            paths=[self.paths[row] for row in places],
            fingerprints=self.fingerprints(rows),
            numbers=[self.numbers[name][rows].tolist() for name in GROUPED_NUMBERS],
            formats=[self.formats[row] for row in places],
            information=self.information[rows].tolist(),
            file_digests=self.file_digests[rows].astype(str).tolist(),
            pixel_digests=self.pixel_digests[rows].tolist(),
            damaged=[self.damaged[row] for row in places],
        )


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some rows of a collection: a list for each column. `numbers`: in the order of the schema."""

    rows: Sequence[int]
    ids: Sequence[str]
    paths: Sequence[str]
    fingerprints: Sequence[str]
    numbers: Sequence[Sequence[int]]
    formats: Sequence[str]
    information: Sequence[float]
    file_digests: Sequence[str]
    pixel_digests: Sequence[bytes]
    damaged: Sequence[str]

    def contenders(self) -> Iterator[Contender]:
        """Yield the rows as the rules look at them."""
        facts = *self.numbers, self.formats, self.file_digests, self.damaged
        return map(Contender, self.rows, self.paths, *facts)

    def members(self, distances: Sequence[float], same: Sequence[str]) -> Iterator[Member]:
        """Yield the rows as members of groups, with what each has in common with its keeper."""
        facts = *self.numbers, self.formats, self.information, self.file_digests, self.damaged
        return map(Member, self.ids, self.paths, self.fingerprints, distances, *facts, same)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector: its passes over millions of objects find no garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@gc_paused()
def read_collection(rows: Iterable[tuple[Any, ...]], digits: int) -> Collection:
    """Read `(id, fingerprint, *GROUPED)` of images, in any order.

    Rows without a fingerprint of the length `digits` are left out.
    """
    stream = iter(rows)
    kept: list[tuple[list[Any], ...]] = []
    codes = [pack([])[:0] if digits <= 16 else pack(["0" * digits])[:0]]
    while chunk := list(islice(stream, CHUNK)):
        columns = list(zip(*chunk, strict=True))
        packed = _packed(columns[1], digits)
        if packed is None:
            columns = list(zip(*(row for row in chunk if _fits(row[1], digits)), strict=True))
            packed = pack(columns[1]) if columns else None
        if packed is not None:
            codes.append(packed)
            kept.append(_compact(columns))
    ids, paths, information, formats, files, pixels, damaged, frames, *numbers = (
        [[*column] for column in zip(*kept, strict=True)] if kept else [[] for _ in range(13)]
    )
    names = [uid for block in ids for uid in block]
    by_id = sorted(range(len(names)), key=names.__getitem__)
    order = np.array(by_id, np.int64)

    def texts(blocks: list[list[str]]) -> list[str]:
        every = [text for block in blocks for text in block]
        return [every[row] for row in by_id]

    def values(none: NDArray[Any], blocks: list[NDArray[Any]]) -> NDArray[Any]:
        found: NDArray[Any] = np.concatenate([none, *blocks])[order]
        return found

    return Collection(
        ids=[names[row] for row in by_id],
        paths=texts(paths),
        codes=np.asfortranarray(np.concatenate(codes)[order]),
        digits=digits,
        information=values(np.empty(0), information),
        numbers={
            name: values(np.empty(0, np.int64), blocks)
            for name, blocks in zip(GROUPED_NUMBERS, numbers, strict=True)
        },
        formats=texts(formats),
        file_digests=values(np.empty(0, "S1"), files),
        pixel_digests=values(np.empty(0, "S1"), pixels),
        damaged=texts(damaged),
        frame_hashes=texts(frames),
    )


def _packed(texts: Sequence[Any], digits: int) -> Codes | None:
    """Pack fingerprints; None if some do not fit."""
    if set(map(type, texts)) != {str} or set(map(len, texts)) != {digits}:
        return None
    return pack_joined("".join(texts).lower(), digits)


def _fits(text: Any, digits: int) -> bool:
    return isinstance(text, str) and len(text) == digits and is_hex(text)


def _compact(columns: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return columns as lists and arrays, in the order in which `read_collection` joins them."""
    ids, _, paths, information, *numbers, formats, damaged, frames, files, pixels = columns
    return (
        ids,
        names_of(
            [
                uid if path == uid or not path else path  # equal texts are kept once
                for path, uid in zip(_only(str, paths, ""), ids, strict=True)
            ]
        ),
        np.array(_only(int | float, information, 0), np.float64),
        list(map(intern, _only(str, formats, ""))),
        _digests(files),
        _digests(pixels),
        list(map(intern, _only(str, damaged, ""))),
        _only(str, frames, ""),
        *(np.array(_only(int, column, 0), np.int64) for column in numbers),
    )


def _only(kind: Any, values: Sequence[Any], other: Any) -> list[Any]:
    """Return values; `other` stands for values of another kind, which foreign code may write."""
    if set(map(type, values)) == {kind}:
        return list(values)
    return [value if isinstance(value, kind) else other for value in values]


def _digests(values: Sequence[Any]) -> NDArray[np.bytes_]:
    texts = _only(str, values, "")
    return np.array([text if text.isascii() and len(text) <= 64 else "" for text in texts], "S")
