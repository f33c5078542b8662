"""The rule that a picture is kept that is turned as most of its group, for groups by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hashlens.grouping.rule import Facts, Rule, ranks, starts_of
from hashlens.neighbors.codes import Ints

if TYPE_CHECKING:
    from hashlens.grouping.turned import Turned

WAYS = 9  # numbers of orientations are 1 to 8


def _votes(images: Facts) -> Ints:
    """Return how many pictures of its group are turned as each image is; 0 without turns.

    All of the group are counted, also those that rules before have passed over. Files with equal
    bytes count once: a copy of a mirrored picture is no reason to mirror the others.
    """
    turned: Turned | None = images.columns.get("turned")
    if turned is None:
        return np.zeros(len(images.rows), np.int64)
    rows, groups = images.everyone.rows, images.everyone.groups
    # By path, so that it does not depend on the order in which pictures were indexed.
    by_path = np.lexsort([ranks(images.everyone["path"]), groups])
    first = rows[by_path][starts_of(groups)]
    ways = groups * WAYS + turned.ways(first[groups], rows)
    files = images.everyone["file_digest"]
    keys = np.unique(files, return_inverse=True)[1].astype(np.int64)
    keys = np.where(files == b"", -1 - np.arange(len(files)), keys)  # unknown ones differ
    voters = np.unique(np.stack([ways, keys]), axis=1)[0]
    votes = np.bincount(voters, minlength=(len(first) + 1) * WAYS)
    found: Ints = votes[images.groups * WAYS + turned.ways(first[images.groups], images.rows)]
    return found


MAJORITY = Rule(
    "majority",
    "turned as most of its group ({} pictures over {})",
    _votes,
    lambda images: _votes(images).tolist(),
)
