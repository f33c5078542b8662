"""Compare files of several frames, such as animations and scanned documents, frame by frame."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from hashlens.grouping.collection import Collection
from hashlens.grouping.scope import Terms
from hashlens.hashing.frames import agree
from hashlens.neighbors.codes import Ints


def unlike(collection: Collection, terms: Terms, labels: Ints, rows: Ints) -> Ints:
    """Return the pairs of rows with one label whose frames are not alike; shape (k, 2).

    `labels`: of all rows of the collection. Frames are alike if their fingerprints are within the
    bound of the terms. Files whose frames could not be read are alike only if they are equal.
    """
    several = rows[collection.numbers["frames"][rows] > 1]
    groups: dict[int, dict[str, list[int]]] = {}  # by label, then by the text of the frames
    for row in several.tolist():
        text = collection.frame_hashes[row] or f"? {collection.file_digests[row]!r}"
        groups.setdefault(int(labels[row]), {}).setdefault(text, []).append(row)
    found = [
        (a, b)
        for texts in groups.values()
        for one, other in combinations(texts, 2)
        if "?" in one + other or not agree(one, other, terms.metric, terms.max_distance)
        for a in texts[one]
        for b in texts[other]
    ]
    return np.array(found, np.int64).reshape(-1, 2)
