"""What makes a group, and which images and pairs count, by the folders that they are in."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.grouping.collection import Collection
from hashlens.grouping.keepers import DEFAULT_RULES, rules
from hashlens.grouping.linkage import Admits
from hashlens.hashing.metrics import check_metric
from hashlens.neighbors.codes import Ints

LINKAGES = ("complete", "connected")
BOTH = 3  # sides: one is 1, the other 2


@dataclass(frozen=True)
class Terms:
    """What makes a group: the bound, how pairs are joined, which pairs count, what is kept.

    With `between`, two folders, only pairs of an image in one and an image in the other count; with
    `not_same_folder`, only those of images in different folders. See `hashlens.grouping.linkage`
    for `linkage` and `hashlens.grouping.keepers` for `keep`.
    """

    max_distance: float
    linkage: str = "complete"
    metric: str = "hamming"
    between: tuple[str, str] | None = None
    not_same_folder: bool = False
    keep: tuple[str, ...] = DEFAULT_RULES

    def __post_init__(self) -> None:
        """Check the terms; raises ParameterError."""
        is_number = isinstance(self.max_distance, (int, float)) and self.max_distance >= 0
        if not is_number or isinstance(self.max_distance, bool):
            msg = f"max_distance must be a number >= 0, or 'auto', not {self.max_distance!r}"
            raise ParameterError(msg)
        if self.linkage not in LINKAGES:
            msg = f"linkage must be one of {', '.join(LINKAGES)}, not {self.linkage!r}"
            raise ParameterError(msg)
        check_metric(self.metric)
        rules(self.keep)


class Scope:
    """Which images of a table count, which pairs of them, and which groups."""

    def __init__(self, table: Collection, terms: Terms) -> None:
        self._sides = _sides(table, terms.between) if terms.between else None
        self._folders = _folders(table) if terms.not_same_folder else None
        self._images = len(table)

    @property
    def images(self) -> NDArray[np.bool_]:
        """Tell of each image whether it counts."""
        return np.ones(self._images, bool) if self._sides is None else self._sides > 0

    def has(self, rows: Ints) -> bool:
        """Tell whether images, which match each other, make a group."""
        sides, folders = self._sides, self._folders
        return (sides is None or np.bitwise_or.reduce(sides[rows]) == BOTH) and (
            folders is None or bool((folders[rows] != folders[rows[0]]).any())
        )

    def admits(self, units: Ints, rows: Ints) -> Admits | None:
        """Return what tells which pairs of units count; None where all do.

        The image of `rows[i]` belongs to the unit with the number `units[i]`. A pair of units
        counts where one of its pairs of images does.
        """
        count = int(units.max(initial=-1)) + 1
        checks: list[Admits] = []
        if self._sides is not None:
            sides = np.zeros(count, np.uint8)
            np.bitwise_or.at(sides, units, self._sides[rows])
            checks.append(lambda a, b: _both(sides[a], sides[b]))
        if self._folders is not None:
            least, most = np.full(count, self._images), np.full(count, -1)
            np.minimum.at(least, units, self._folders[rows])
            np.maximum.at(most, units, self._folders[rows])
            checks.append(lambda a, b: (least[a] != most[b]) | (most[a] != least[b]))
        if not checks:
            return None
        return lambda a, b: np.logical_and.reduce([check(a, b) for check in checks])


def _sides(table: Collection, between: tuple[str, str]) -> NDArray[np.uint8]:
    """Return in which of two folders each image is: 1, 2, 3 for both, 0 for none."""
    first, second = (
        os.path.join(os.path.abspath(os.path.expanduser(folder)), "") for folder in between
    )
    found = (path.startswith(first) + 2 * path.startswith(second) for path in table.paths)
    return np.fromiter(found, np.uint8, len(table))


def _both(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell of which pairs one may stand for either folder, and the other for the other."""
    found: NDArray[np.bool_] = (ones | others == BOTH) & (ones > 0) & (others > 0)
    return found


def _folders(table: Collection) -> Ints:
    """Return a number for the folder of each image."""
    numbers: dict[str, int] = {}
    found = (numbers.setdefault(os.path.dirname(path), len(numbers)) for path in table.paths)
    return np.fromiter(found, np.int64, len(table))
