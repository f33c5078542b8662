"""Split groups into those of files with equal bytes or equal pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hashlens.grouping.collection import Collection
from hashlens.neighbors.codes import Ints

# Finds the digests of the pixels of some rows of a collection, as far as they can be read.
Pixels = Callable[[Collection, Ints], dict[int, str]]


def no_pixels(_: Collection, __: Ints) -> dict[int, str]:
    """Return no digests: no file is read."""
    return {}


def exact_labels(collection: Collection, labels: Ints, rows: Ints, pixels: Pixels) -> Ints:
    """Return labels by which only rows of equal files, or of equal pixels, are in one group.

    `rows`: those in groups by `labels`. A row with another row of its group has its pixels read,
    unless all files of the group are equal.
    """
    files: dict[int, set[bytes]] = {}
    for row in rows.tolist():
        files.setdefault(int(labels[row]), set()).add(collection.file_digests[row])
    unsure = [row for row in rows.tolist() if len(files[int(labels[row])]) > 1]
    found = pixels(collection, np.array(unsure, np.int64))
    split = labels.copy()
    firsts: dict[tuple[int, object], int] = {}
    for row in unsure:
        picture = found.get(row) or collection.file_digests[row] or row
        split[row] = firsts.setdefault((int(labels[row]), picture), row)
    return split
