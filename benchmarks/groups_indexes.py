"""Indexes of many rows, whose files are there but empty, and the processes that group them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, Families, Real
from timing import HASHLENS, Usage, program, usage

from hashlens import ImageIndex
from hashlens.index.directory import DOCUMENTS
from hashlens.model import LOW_INFORMATION
from hashlens.neighbors import unpack

LIMIT = 8  # bits: images of a group differ by at most this
FLAT = 500  # one row in 500 is a flat picture, which is in no group
BATCH = 100_000  # rows that are written at once
A_FOLDER = 1_000  # files of a folder
SIZES = (4000, 3000), (1600, 1200), (800, 600)  # a camera's, and those of copies


@dataclass(frozen=True)
class Files:
    """The codes of a kind and the index with them, as files that are written if needed.

    scratch: folder of the files
    kind: what the codes are
    count: number of rows
    """

    scratch: Path
    kind: Families | Real
    count: int

    @property
    def codes(self) -> Path:
        """Return the file of the codes."""
        path = self.scratch / f"{self.kind.name}-{self.count}.npy"
        if not path.exists():
            np.save(path, self.kind.codes(self.count))
        return path

    @property
    def pictures(self) -> list[str]:
        """Return the paths of the rows: an empty file for each, the same for all kinds.

        Grouping looks whether each file is there. It does not read the files.
        """
        return [picture(self.scratch / "pictures", number) for number in range(self.count)]

    @property
    def index(self) -> Path:
        """Return the index. Its database is read, so that the system caches it."""
        codes = self.codes
        path = codes.with_suffix("")
        if not path.exists():
            write(path, np.load(codes), self.pictures)
        with open(path / DOCUMENTS, "rb") as source, open(os.devnull, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 22)
        return path


def picture(folder: Path, number: int) -> str:
    """Return the path of an empty file, which is made if needed.

    Numbers have the order of paths, which is the order in which `index` goes through folders.
    """
    path = f"{folder.absolute()}/{number // A_FOLDER:04}/IMG_{number:07}.jpg"
    if number % A_FOLDER == 0:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_CREAT))
    return path


def write(path: Path, codes: Codes, pictures: Sequence[str]) -> None:
    """Write an index whose rows have all columns of photos."""
    new = path.with_name(f"{path.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    texts = unpack(codes, 16)
    with ImageIndex.open(new) as index:
        store, policy = index._store, index._make.policy
        with store.writing():
            for start in range(0, len(texts), BATCH):
                batch = slice(start, start + BATCH)
                rows = zip(pictures[batch], texts[batch], strict=True)
                store.write(list(documents(rows, start, policy)))
    new.rename(path)


def documents(
    rows: Iterable[tuple[str, str]], first: int, policy: str
) -> Iterator[tuple[str, Any, None]]:
    """Yield rows of paths and fingerprints as the indexer writes them."""
    for number, (path, text) in enumerate(rows, first):
        width, height = SIZES[number % len(SIZES)]
        row = {
            "id": path,
            "path": path,
            "text": text,
            "bytes": 200_000 + number * 7 % 900_000,
            "mtime": 1.7e9 + number,
            "mtime_ns": 10**9 * (1_700_000_000 + number),
            "width": width,
            "height": height,
            "format": "JPEG",
            "frames": 1,
            "file_digest": hashlib.sha256(path.encode()).hexdigest(),
            "information": 20.25 + number % 7 if number % FLAT else LOW_INFORMATION / 2,
            "policy": policy,
        }
        if number % len(SIZES) == 0:  # as a camera wrote it; copies have lost their EXIF
            taken = datetime.fromtimestamp(1_700_000_000 + number, timezone.utc)
            row |= {"camera": "Maker Model", "taken": f"{taken:%Y-%m-%dT%H:%M:%S}"}
            row["taken_pixels"] = width * height
        yield path, row, None


def grouped(index: Path, linkage: str = "complete", checked: int = 0, **options: Any) -> Usage:
    """Group the images of an index in a process of its own, and check some groups."""
    return usage(program("group_index", index, LIMIT, linkage, checked, json.dumps(options)))


def grouped_by_command(index: Path, linkage: str) -> Usage:
    """Group by the command line; the answer is the number of groups."""
    options = (
        "--max-distance",
        str(LIMIT),
        "--linkage",
        linkage,
        "--no-verify",
        "--format",
        "json",
    )
    found = usage([HASHLENS, "groups", "--index", index, *options])
    return replace(found, answer=len(found.answer["groups"]))
