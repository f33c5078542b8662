"""Measure one size of a collection: writing, disk, a fresh process, and the answers."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from crops_collection import Batch, Collection
from crops_queries import Answer, Asked, Watch, ask
from timing import last_json, output, program

from hashlens import ImageIndex
from hashlens.index.directory import DOCUMENTS, INDEXES


@dataclass
class Measured:
    """The measurements at one size.

    kinds: number of pictures by kind
    extraction: number of real pictures, and the seconds of indexing them
    batches: made rows as they were written
    further: batches that were written on top
    bytes: on disk, by purpose
    codes: number of keypoints
    segments: number of segments of the crop index
    buckets: mean and largest number of codes in a bucket
    cold: output of programs/crops_cold.py
    answers: of all queries
    load: load of the machine, running processes
    """

    kinds: Counter[str]
    extraction: tuple[int, float]
    batches: list[Batch]
    further: list[Batch]
    bytes: dict[str, int]
    codes: int
    segments: int
    buckets: tuple[float, int]
    cold: dict[str, Any]
    answers: list[Answer]
    load: float

    @property
    def size(self) -> int:
        """Return the number of pictures."""
        return self.kinds.total()

    def of(self, *names: str) -> list[Answer]:
        """Return the answers to some attacks."""
        return [answer for answer in self.answers if answer.asked.attack in names]


def measured(collection: Collection, size: int, asked: list[Asked]) -> Measured:
    """Grow a collection to a size, and measure."""
    collection.grow(size)
    print(f"{size:,} images: {dict(collection.kinds)}", flush=True)
    path = collection.path
    copy = path.with_name("further")
    shutil.copytree(path, copy)
    with ImageIndex.open(copy) as index:
        further = collection.further(index)
    shutil.rmtree(copy)
    picture = path.with_name("query.jpg")
    picture.write_bytes(asked[0].data)
    cold = last_json(output(program("crops_cold", path, picture)))
    with ImageIndex.open(path) as index:
        table = index._store.pictures()
        watch = Watch()
        for segment in table.segments:
            segment.lookup  # noqa: B018  makes the tables
        ask(index, asked[0], watch)  # not counted: some modules are imported late
        answers = [ask(index, each, watch) for each in asked]
        return Measured(
            Counter(collection.kinds),
            collection.extraction,
            list(collection.batches),
            further,
            on_disk(path),
            sum(len(segment.codes) for segment in table.segments),
            len(table.segments),
            buckets(table),
            cold,
            answers,
            os.getloadavg()[0],
        )


def on_disk(path: Path) -> dict[str, int]:
    """Return the bytes on disk by purpose."""
    found: Counter[str] = Counter()
    for file in path.rglob("*"):
        if file.is_file():
            kind = "other"
            if INDEXES in file.parts:
                kind = {
                    "codes.npy": "codes",
                    "places.npy": "codes",
                    "thumbnails.npy": "thumbnails",
                }.get(file.name, "other")
            elif file.name.startswith(DOCUMENTS):
                kind = "content"
            found[kind] += file.stat().st_size
    return found


def buckets(table: Any) -> tuple[float, int]:
    """Return the mean and the largest number of codes that are equal in a band."""
    codes = np.concatenate([segment.codes for segment in table.segments])
    counts = [
        np.bincount((codes >> np.uint64(16 * band) & np.uint64(0xFFFF)).astype(np.int64))
        for band in range(4)
    ]
    return len(codes) / 2**16, max(int(each.max()) for each in counts)
