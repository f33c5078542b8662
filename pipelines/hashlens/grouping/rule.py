"""What a rule is that chooses an image of a group, and the facts that it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.model import Progress
from hashlens.neighbors.codes import Ints

JPEG = ("JPEG", "MPO")  # formats
SMALLER = 0.8  # of the largest picture's pixels: with fewer, a picture is a smaller copy


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts of which many are equal: four bytes for each image.

    numbers: which of the texts each image has.
    values: the texts.
    """

    numbers: NDArray[np.int32]
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of some images, column by column.

    columns: of a whole collection, by name: arrays of numbers and digests, sequences of texts.
    rows: which images of the collection.
    groups: the number of the group of each, ascending; rules may ask for it.
    whole: all images of the groups, if rules before have passed over some of them.
    """

    columns: Mapping[str, Any]
    rows: Ints
    groups: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    whole: Facts | None = None

    @property
    def everyone(self) -> Facts:
        """Return the facts of all images of the groups, also of those that were passed over."""
        return self.whole or self

    def __getitem__(self, name: str) -> Any:
        """Return a column of the images: an array, or a list of texts."""
        column = self.columns[name]
        if isinstance(column, np.ndarray):
            return column[self.rows]
        if isinstance(column, Texts):
            return [column.values[number] for number in column.numbers[self.rows].tolist()]
        return [column[row] for row in self.rows.tolist()]

    def each(self, name: str, call: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return what a call answers for a text of each image; of equal texts, it is asked once."""
        column = self.columns[name]
        if not isinstance(column, Texts):
            return np.fromiter(map(call, self[name]), bool, len(self.rows))
        asked = column.numbers[self.rows]
        if len(column.values) <= len(asked):
            return np.fromiter(map(call, column.values), bool, len(column.values))[asked]
        numbers, which = np.unique(asked, return_inverse=True)
        answers = [call(column.values[number]) for number in numbers.tolist()]
        return np.array(answers, bool)[which]

    def known(self, name: str) -> NDArray[np.bool_]:
        """Return which images have a text in a column."""
        column = self.columns[name]
        if isinstance(column, Texts) and len(column.values) and not column.values[0]:
            has_text: NDArray[np.bool_] = column.numbers[self.rows] != 0
            return has_text
        return self.each(name, bool)

    def has_format(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which images have one of some formats."""
        formats = self["format"]
        return np.fromiter((name in names for name in formats), bool, len(formats))

    def tell(self, done: int, total: int, path: str) -> None:
        """Tell whoever waits how many files a rule has read, and which one it read last."""
        progress: Callable[[Progress], None] | None = self.columns.get("progress")
        if progress:
            progress(Progress(done, total, path))

    def largest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return for each image the largest value of its group."""
        starts = starts_of(self.groups)
        sizes = np.diff(starts, append=len(self.groups))
        return np.repeat(np.maximum.reduceat(values, starts), sizes)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: of the images of a group, those with the largest value are kept.

    name: as users write it.
    words: the reason, with two places: for the image kept and the best of the others, which has
        the next value and, of several with that value, the most pixels.
    value: returns a value for each image, to compare.
    show: returns for each image what is written of it at a place in `words`.
    reads: the rule reads files, so it is skipped if all files of a group are equal.
    parts: rules that stand for this one, in their order.
    """

    name: str
    words: str
    value: Callable[[Facts], Sequence[Any] | NDArray[Any]] = lambda images: images.rows * 0
    show: Callable[[Facts], Iterable[Any]] = lambda _: repeat("")
    reads: bool = False
    parts: tuple[Rule, ...] = ()


def ranks(texts: Sequence[str]) -> Ints:
    """Return numbers, from 0, that sort as some texts; equal texts have the same number."""
    numbers = {text: number for number, text in enumerate(sorted(set(texts)))}
    return np.fromiter(map(numbers.__getitem__, texts), np.int64, len(texts))


def area_of(images: Facts) -> NDArray[np.float64]:
    """Return the pixels of each image."""
    return np.asarray(images["width"].astype(float) * images["height"].astype(float), np.float64)


def starts_of(groups: Ints) -> Ints:
    """Return the position of the first image of each group."""
    return np.flatnonzero(np.diff(groups, prepend=-1))
