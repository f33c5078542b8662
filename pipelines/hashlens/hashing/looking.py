"""Look a second time at many pairs of files, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from threading import get_ident
from typing import NamedTuple

from hashlens.images.look import Look
from hashlens.images.second_look import difference
from hashlens.model import Progress
from hashlens.parallel.pool import Crashed, Results, schedule


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
    `upright`: turn each by its own EXIF before. Pairs are looked at by `workers` at a time;
    `progress` is called for each. A worker decodes a first file once for all of its pairs in a row
    that have it.
    """
    questions = [
        Question(first, second, turn)
        for (first, second), turn in zip(pairs, orientations or repeat(1), strict=False)
    ]
    chosen = schedule(len(questions), workers)
    looker = Looker(dedicated=chosen.kind in ("fork", "processes"), upright=upright)
    found: list[str] = []
    with Results(looker, questions, chosen) as results:
        for question, answer in zip(questions, results, strict=True):
            crashed = isinstance(answer, Crashed)
            found.append(f"cannot be read: {answer.reason}" if crashed else answer)
            if progress:
                progress(Progress(len(found), len(questions), question.second))
    return found


class Question(NamedTuple):
    """Which files to look at.

    first: path of the picture that the other is compared with.
    second: path of the other.
    turn: the EXIF orientation (1 to 8) that turns the other to the first.
    """

    first: str
    second: str
    turn: int


class Looker:
    """The job of looking, for workers: it answers a question with a reason, or "".

    `dedicated`: whether the process has this job only, so that one thread of OpenCV is enough.
    `upright`: whether pictures are turned by EXIF.
    """

    def __init__(self, *, dedicated: bool, upright: bool) -> None:
        self.dedicated, self.upright = dedicated, upright
        # At the first file of the last question, which the next may have, too. Each thread has its
        # own, since it moves from frame to frame.
        self._last: dict[int, Look] = {}

    def __call__(self, question: Question) -> str:
        """Return why the two files do not show the same picture; "" if they do."""
        if self.dedicated:
            import cv2  # noqa: PLC0415  a tenth of a second

            cv2.setNumThreads(1)
        first = self._last.get(get_ident())
        if first is None or first.source != question.first:
            self._last[get_ident()] = first = Look(question.first, upright=self.upright)
        return difference(first, Look(question.second, question.turn, upright=self.upright))
