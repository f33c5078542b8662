"""A rival with its database, and what it finds nearest to a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from hashlens.evaluation.query import TrialQuery, read_picture
from hashlens.evaluation.rivals import RIVALS, Code, Distances, Matcher, Rival

Codes: TypeAlias = "dict[str, Code]"  # of one picture, by the name of the description


class Near(NamedTuple):
    """What is nearest to a query under a method.

    right_distance: distance of the nearest row that shows the right picture; inf if there is none
    right_share: share of the nearest rows, tied, that show the right picture, 0 to 1
    other_distance: distance of the nearest row that shows another picture; inf if there is none
    """

    right_distance: float
    right_share: float
    other_distance: float

    @property
    def distance(self) -> float:
        """Return the distance of the nearest row."""
        return min(self.right_distance, self.other_distance)


@dataclass(frozen=True)
class Entrant:
    """A rival with its database.

    rival: the method
    rows: paths of the pictures
    codes: their codes, in the same order
    """

    rival: Rival
    rows: tuple[str, ...]
    codes: tuple[Code, ...]

    @cached_property
    def matcher(self) -> Matcher:
        """Return a function that gives the distances of a code to all rows."""
        return self.rival.matcher(self.codes)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Return the position of each row."""
        return {row: position for position, row in enumerate(self.rows)}

    def takes(self, query: TrialQuery) -> bool:
        """Return whether the method is asked this query: a slow one is asked only a sample."""
        return self.rival.sample is None or query.rank < self.rival.sample.queries

    def near(self, code: Code, right_rows: Iterable[str]) -> Near:
        """Return what is nearest to a code; rows that are not in the database are ignored."""
        known = [self.positions[row] for row in right_rows if row in self.positions]
        return nearest(self.matcher(code), known)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the functions: the other process takes the rival from RIVALS."""
        return _entrant, (self.rival.name, self.rows, self.codes)


def _entrant(name: str, rows: tuple[str, ...], codes: tuple[Code, ...]) -> Entrant:
    return Entrant(RIVALS[name], rows, codes)


def nearest(distances: Distances, right_positions: Sequence[int]) -> Near:
    """Return what is nearest, given the distances of all rows and where the right rows are."""
    is_right = np.zeros(len(distances), bool)
    is_right[right_positions] = True
    least_distance = float(distances.min(initial=np.inf))
    is_tied = distances == least_distance
    share = (is_tied & is_right).sum() / is_tied.sum() if is_tied.any() else 0.0
    right, other = (distances[some].min(initial=np.inf) for some in (is_right, ~is_right))
    return Near(float(right), float(share), float(other))


def describe_file(item: tuple[str, tuple[str, ...]]) -> Codes:
    """Return the codes of a file for some rivals, given as `(path, names)`."""
    path, names = item
    return describe(read_picture(path), [RIVALS[name] for name in names])


def describe(image: Image.Image, rivals: Iterable[Rival]) -> Codes:
    """Return the codes that rivals need of a picture; each description is computed once."""
    descriptions = {rival.description.name: rival.description for rival in rivals}
    return {name: description(image) for name, description in descriptions.items()}
