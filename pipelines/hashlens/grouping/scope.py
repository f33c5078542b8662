"""The terms of a group, and which images and pairs count by their folders."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError, require_flags
from hashlens.grouping.collection import Collection
from hashlens.grouping.keepers import DEFAULT_RULES, rules
from hashlens.grouping.linkage import Admits
from hashlens.hashing.metrics import check_metric
from hashlens.images.folders import inside
from hashlens.neighbors.codes import Ints

EXACT = "exact"  # of `only`
LINKAGES = ("complete", "connected")
BOTH = 3  # sides are bits: in the first folder 1, in the second 2


@dataclass(frozen=True)
class Terms:
    """What makes a group.

    `max_distance`: the bound, inclusive. `linkage`: `complete` or `connected`, see
    `hashlens.grouping.linkage`. `between`: two folders; only images in them take part, and only
    pairs of an image in one and an image in the other count. `not_same_folder`: only pairs of
    images in different folders count. `keep`: rules, see `hashlens.grouping.keepers`.
    `only`: `exact` for groups of equal files, or of files with equal pixels; None for all groups.
    `turned`: whether distances allow for turned and mirrored copies.
    """

    max_distance: float
    linkage: str = "complete"
    metric: str = "hamming"
    between: tuple[str, str] | None = None
    not_same_folder: bool = False
    keep: tuple[str, ...] = DEFAULT_RULES
    only: str | None = None
    turned: bool = False

    def __post_init__(self) -> None:
        """Check the terms; raises ParameterError."""
        is_number = isinstance(self.max_distance, (int, float)) and self.max_distance >= 0
        if not is_number or isinstance(self.max_distance, bool):
            msg = f"max_distance must be a number >= 0, or 'auto', not {self.max_distance!r}"
            raise ParameterError(msg)
        if self.linkage not in LINKAGES:
            msg = f"linkage must be one of {', '.join(LINKAGES)}, not {self.linkage!r}"
            raise ParameterError(msg)
        if self.only not in (None, EXACT):
            msg = f"only must be {EXACT!r}, or None for all groups, not {self.only!r}"
            raise ParameterError(msg)
        check_metric(self.metric)
        require_flags(not_same_folder=self.not_same_folder, turned=self.turned)
        if self.turned and self.metric != "hamming":
            msg = f"turned copies are found by the metric hamming, not by {self.metric}"
            raise ParameterError(msg)
        if self.turned and self.only:
            msg = "turned copies have other pixels: leave out turned, or only=exact"
            raise ParameterError(msg)
        rules(self.keep)


class Scope:
    """Which images of a collection count, which pairs of them, and which groups."""

    def __init__(self, collection: Collection, terms: Terms) -> None:
        self._sides = _sides(collection, terms.between) if terms.between else None
        self._folders = _folders(collection) if terms.not_same_folder else None
        sides = self._sides
        self.images: NDArray[np.bool_] = (  # whether each takes part
            np.ones(len(collection), bool) if sides is None else sides > 0
        )

    def leave_out(self, rows: Ints) -> None:
        """Let some images take no part."""
        self.images[rows] = False

    def has(self, rows: Ints) -> bool:
        """Return whether images that match each other make a group: a pair of them counts."""
        sides, folders = self._sides, self._folders
        return (sides is None or np.bitwise_or.reduce(sides[rows]) == BOTH) and (
            folders is None or bool((folders[rows] != folders[rows[0]]).any())
        )

    def admits(self, units: Ints, rows: Ints) -> Admits | None:
        """Return a function that says which pairs of units count; None if all do.

        The image of `rows[i]` belongs to the unit `units[i]`. A pair of units counts if a pair of
        their images does.
        """
        count = int(units.max(initial=-1)) + 1
        checks: list[Admits] = []
        if self._sides is not None:
            sides = np.zeros(count, np.uint8)
            np.bitwise_or.at(sides, units, self._sides[rows])
            checks.append(lambda a, b: _both(sides[a], sides[b]))
        if self._folders is not None:
            lowest, highest = np.full(count, len(self.images)), np.full(count, -1)
            np.minimum.at(lowest, units, self._folders[rows])
            np.maximum.at(highest, units, self._folders[rows])
            checks.append(lambda a, b: (lowest[a] != highest[b]) | (highest[a] != lowest[b]))
        if not checks:
            return None
        return lambda a, b: np.logical_and.reduce([check(a, b) for check in checks])


def _sides(collection: Collection, between: tuple[str, str]) -> NDArray[np.uint8]:
    """Return the sides of each image: 1, 2, BOTH if one folder is in the other, 0 for neither."""
    first, second = (np.array(inside(folder)(collection.paths), np.uint8) for folder in between)
    sides: NDArray[np.uint8] = first + 2 * second
    return sides


def _both(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return for each pair whether it has an image in either folder."""
    found: NDArray[np.bool_] = (ones | others == BOTH) & (ones > 0) & (others > 0)
    return found


def _folders(collection: Collection) -> Ints:
    """Return a number for the folder of each image."""
    numbers: dict[str, int] = {}
    found = (numbers.setdefault(os.path.dirname(path), len(numbers)) for path in collection.paths)
    return np.fromiter(found, np.int64, len(collection))
