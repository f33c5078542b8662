"""Collections of hashes to search and to join, and the answers of brute force."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it

import numpy as np
from edits import edits_hashed

from hashlens.neighbors import pack, unpack

K = 10
QUERIES = 40  # queries of a table; half of them are near a row
CHUNK = 100_000  # codes that are made at once
WIDTHS = 1_000  # the column `width` of the tables has the numbers 1 … 1,000 in turn

Codes = np.ndarray[Any, Any]
Rows = list[tuple[int, int]]  # row and distance


def any_codes(count: int, rng: np.random.Generator) -> Codes:
    """Draw codes uniformly."""
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def flipped(codes: Codes, most: int, rng: np.random.Generator) -> Codes:
    """Flip 0 to `most` different bits of each code."""
    parts = []
    for start in range(0, len(codes), CHUNK):
        part = codes[start : start + CHUNK]
        bits = rng.random((len(part), 64)).argsort(axis=1)[:, :most].astype(np.uint64)
        used = np.arange(most) < rng.integers(0, most + 1, len(part))[:, None]
        marks = np.where(used, np.uint64(1) << bits, np.uint64(0))
        parts.append(part ^ np.bitwise_or.reduce(marks, axis=1))
    return np.concatenate(parts)


@dataclass(frozen=True)
class Uniform:
    """Uniform hashes; a fifth was planted near others."""

    name = "uniform"
    about = (
        "Uniform: random 64-bit hashes, of which 20 % were made of others by flipping 0 to 12 "
        "bits; half of the queries are 0 to 12 bits from a row, half random."
    )

    def codes(self, count: int) -> Codes:
        """Return `count` hashes."""
        rng = np.random.default_rng(count)
        first = any_codes(count - count // 5, rng)
        planted = flipped(rng.choice(first, count // 5), 12, rng)
        return rng.permutation(np.concatenate([first, planted]))

    def queries(self, codes: Codes) -> Codes:
        """Return the queries for these hashes."""
        rng = np.random.default_rng(1)
        near = flipped(rng.choice(codes, QUERIES // 2), 12, rng)
        return np.stack([near, any_codes(QUERIES // 2, rng)], axis=1).ravel()


@dataclass(frozen=True)
class Skewed:
    """Hashes with correlated bits: signs of a few mixed gaussian factors, with noise."""

    rank: int

    @property
    def name(self) -> str:
        """Return the name."""
        return f"rank {self.rank}"

    @property
    def about(self) -> str:
        """Describe the hashes and the queries."""
        return (
            f"Rank {self.rank}: the signs of a gaussian vector of {self.rank} numbers projected to "
            "64 (each of variance 1), plus gaussian noise of deviation 0.3; half of the queries "
            "are 0 to 12 bits from a row, half drawn as the rows are."
        )

    def drawn(self, count: int, rng: np.random.Generator) -> Codes:
        """Draw `count` hashes."""
        mix = np.random.default_rng(self.rank).normal(size=(self.rank, 64)) / self.rank**0.5
        parts = []
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            values = rng.normal(size=(size, self.rank)) @ mix + rng.normal(0, 0.3, (size, 64))
            parts.append(np.packbits(values > 0, axis=1).view(np.uint64).ravel())
        return np.concatenate(parts)

    def codes(self, count: int) -> Codes:
        """Return `count` hashes."""
        return self.drawn(count, np.random.default_rng(count))

    def queries(self, codes: Codes) -> Codes:
        """Return the queries for these hashes."""
        rng = np.random.default_rng(1)
        near = flipped(rng.choice(codes, QUERIES // 2), 12, rng)
        return np.stack([near, self.drawn(QUERIES // 2, rng)], axis=1).ravel()


@dataclass(frozen=True)
class Families:
    """Unrelated hashes, and near copies of some of them."""

    name = "families"
    about = (
        "*Families*: 60 % of the hashes are random, and 40 % were made of a third of those by "
        "flipping 0 to 5 bits."
    )

    def codes(self, count: int) -> Codes:
        """Return `count` hashes."""
        rng = np.random.default_rng(count)
        unrelated = any_codes(count * 6 // 10, rng)
        parents = rng.choice(unrelated[: count // 5], count - len(unrelated))
        return rng.permutation(np.concatenate([unrelated, flipped(parents, 5, rng)]))


@dataclass(frozen=True)
class Real:
    """The hashes of edited photos.

    photos: how many photos were edited
    hashed: hashes of edits
    asked: hashes of further edits, the queries
    """

    photos: int
    hashed: Codes
    asked: Codes
    name = "real"

    @property
    def about(self) -> str:
        """Describe the hashes, and say how tables of different sizes are drawn from them."""
        return (
            f"Real: perceptual hashes of {len(self.hashed):,} images, all made of {self.photos} "
            "photos by one or two seeded edits each (brightness, contrast, gamma, JPEG, resizing, "
            f"crops, small rotations, blur). Up to {len(self.hashed):,} rows are such hashes, as "
            "they are; larger tables are drawn from them, with 0 to 3 bits of each drawn one "
            "flipped. The queries are hashes of further edits, which are not among the rows."
        )

    @classmethod
    def of(cls, folder: Path, images: int, workers: int) -> Real:
        """Hash edits of the photos in a folder."""
        photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".jpg")
        each = -(-(images + QUERIES) // len(photos))
        began = time.perf_counter()
        with multiprocessing.Pool(workers) as pool:
            jobs = [(path, number, each) for number, path in enumerate(photos)]
            found = pool.starmap(edits_hashed, jobs, chunksize=4)
        print(f"hashed {each * len(photos):,} edits in {time.perf_counter() - began:.0f} s")
        # The first edit of every photo, then the second of every photo, and so on.
        codes = pack(list(chain.from_iterable(zip(*found, strict=True))))[:, 0]
        return cls(len(photos), codes[:images], codes[images : images + QUERIES])

    def codes(self, count: int) -> Codes:
        """Return `count` hashes."""
        if count <= len(self.hashed):
            return self.hashed[:count]
        rng = np.random.default_rng(count)
        return flipped(rng.choice(self.hashed, count), 3, rng)

    def queries(self, codes: Codes) -> Codes:  # noqa: ARG002  the others draw from the codes
        """Return the queries."""
        return self.asked


Kind = Uniform | Skewed | Real  # kinds that have queries


@dataclass
class Table:
    """Hashes and queries, and the answers of brute force.

    known: the first rows by metric and number of the query; None if they cannot be computed here
    """

    codes: Codes
    queries: Codes
    known: dict[tuple[str, int], Rows | None] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Kind, count: int) -> Table:
        """Return a table of `count` hashes of a kind."""
        codes = kind.codes(count)
        return cls(codes, kind.queries(codes))

    @classmethod
    def of_256_bits(cls, count: int) -> Table:
        """Return a table of random hashes of 256 bits."""
        rng = np.random.default_rng(256)
        codes = any_codes(4 * count, rng).reshape(-1, 4)
        table = cls(codes, codes[rng.integers(0, len(codes), QUERIES)])
        table.queries[:, 1:3] ^= any_codes(2 * QUERIES, rng).reshape(-1, 2) & np.uint64(0x1111)
        for number in range(QUERIES):
            distances = np.bitwise_count(codes ^ table.queries[number]).sum(axis=1, dtype=np.uint16)
            table.known["hamming", number] = nearest_rows(distances)
        return table

    @cached_property
    def texts(self) -> list[str]:
        """Return the hashes in hex."""
        return in_hex(self.codes)

    @cached_property
    def asked(self) -> list[str]:
        """Return the queries in hex."""
        return in_hex(self.queries)

    def documents(self) -> Iterator[tuple[int, dict[str, Any], None]]:
        """Yield the rows as txtai takes them."""
        for row, text in enumerate(self.texts):
            yield row, {"text": text, "width": 1 + row % WIDTHS}, None

    def distances(self, metric: str, number: int) -> Codes | None:
        """Return the distances of all rows from a query, without hashlens.

        Returns None if that needs rapidfuzz and it is not installed.
        """
        if metric == "hamming":
            return np.bitwise_count(self.codes ^ self.queries[number])
        try:
            from rapidfuzz import process
            from rapidfuzz.distance import Levenshtein
        except ImportError:
            return None
        return process.cdist(
            [self.asked[number]], self.texts, scorer=Levenshtein.distance, dtype=np.uint8
        )[0]

    def answer(self, metric: str, number: int) -> Rows | None:
        """Return the first rows of a query, in the order (distance, row); None if unknown."""
        if (metric, number) not in self.known:
            found = self.distances(metric, number)
            self.known[metric, number] = None if found is None else nearest_rows(found)
        return self.known[metric, number]


def nearest_rows(distances: Codes) -> Rows:
    """Return the K nearest rows, in the order (distance, row)."""
    order = np.argsort(distances, kind="stable")[:K]
    return list(zip(order.tolist(), distances[order].tolist(), strict=True))


def in_hex(codes: Codes) -> list[str]:
    """Return codes of one or more words in hex."""
    words = 1 if codes.ndim == 1 else codes.shape[1]
    return unpack(np.asfortranarray(codes), 16 * words)


def as_bytes(codes: Codes) -> Codes:
    """Return codes as rows of bytes."""
    return np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), -1)
