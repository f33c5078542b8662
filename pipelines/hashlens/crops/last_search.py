"""The matches of a thread's last crop search, kept for the query that asked for them.

A sub-index of txtai hands rows and scores to the content database, and nothing else. The places of
matches go this way instead: a query takes the places of the answers whose rows and scores it got.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from hashlens.crops.find import CropMatch
from hashlens.model import Place

Scored = Sequence[tuple[int, float]]

_thread = threading.local()


def remember(answers: Sequence[Sequence[CropMatch]]) -> None:
    """Keep the answers of a search, one for each of its queries."""
    _thread.answers = answers


def places(results: Iterable[Scored]) -> dict[int, Place]:
    """Return, by row, the places of the answers that have these rows and scores."""
    answers = {tuple(scored(answer)): answer for answer in getattr(_thread, "answers", ())}
    return {
        match.row: match.place
        for result in results
        for match in answers.get(tuple((row, score) for row, score in result), ())
    }


def scored(answer: Sequence[CropMatch]) -> list[tuple[int, float]]:
    """Return the rows and scores of an answer."""
    return [(match.row, match.place.correlation) for match in answer]
