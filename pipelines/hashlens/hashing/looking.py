"""Look a second time at many pairs of files, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import NamedTuple

from hashlens.images.look import Look
from hashlens.images.second_look import difference
from hashlens.model import Progress
from hashlens.parallel.pool import Crashed, Results, schedule

AT_ONCE = 16  # files that a worker compares with one other file at a time


def differences(
    pairs: Iterable[tuple[str, str]],
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    orientations: Iterable[int] | None = None,
    *,
    upright: bool = True,
) -> list[str]:
    """Return for each pair of paths why the files do not show the same picture; "" if they do.

    `orientations`: for each pair, the EXIF orientation that turns its second picture to the first.
    `upright`: turn each by its own EXIF before. Pairs are looked at by `workers` at a time; of
    pairs in a row with one first file, that file is decoded once for up to `AT_ONCE` of them.
    """
    questions: list[Question] = []
    for (first, second), turn in zip(pairs, orientations or repeat(1), strict=False):
        last = questions[-1] if questions else None
        if last and last.first == first and len(last.others) < AT_ONCE:
            questions[-1] = last._replace(others=(*last.others, (second, turn)))
        else:
            questions.append(Question(first, ((second, turn),)))
    chosen = schedule(len(questions), workers)
    looker = Looker(dedicated=chosen.kind in ("fork", "processes"), upright=upright)
    total = sum(len(question.others) for question in questions)
    found: list[str] = []
    with Results(looker, questions, chosen) as results:
        for question, answer in zip(questions, results, strict=True):
            crashed = isinstance(answer, Crashed)
            count = len(question.others)
            found += [f"cannot be read: {answer.reason}"] * count if crashed else answer
            if progress:
                progress(Progress(len(found), total, question.others[-1][0]))
    return found


class Question(NamedTuple):
    """Which files to look at.

    first: path of the picture that others are compared with.
    others: paths, each with the EXIF orientation (1 to 8) that turns it to the first.
    """

    first: str
    others: tuple[tuple[str, int], ...]


class Looker:
    """The job of looking, for workers: it answers a question with a reason for each of its files.

    `dedicated`: whether the process has this job only, so that one thread of OpenCV is enough.
    `upright`: whether pictures are turned by EXIF.
    """

    def __init__(self, *, dedicated: bool, upright: bool) -> None:
        self.dedicated, self.upright = dedicated, upright

    def __call__(self, question: Question) -> list[str]:
        """Return for each file why it does not show the picture of the first; "" if it does."""
        if self.dedicated:
            import cv2  # noqa: PLC0415  a tenth of a second

            cv2.setNumThreads(1)
        first = Look(question.first, upright=self.upright)
        return [
            difference(first, Look(path, turn, upright=self.upright))
            for path, turn in question.others
        ]
