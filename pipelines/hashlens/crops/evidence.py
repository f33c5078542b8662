"""What the last search of a thread found, for the query that asked for it.

txtai hands rows and scores from a sub-index to the content database, and nothing else. The places
go this way, and belong to a query that got just those rows and scores.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from hashlens.crops.find import Found
from hashlens.model import Place

Scored = Sequence[tuple[int, float]]

_own = threading.local()


def remember(answers: Sequence[Sequence[Found]]) -> None:
    """Keep the answers of a search, which may be to several queries."""
    _own.answers = answers


def places(results: Iterable[Scored]) -> dict[int, Place]:
    """Return by row the places of a query that got these results."""
    answers = {tuple(scored(answer)): answer for answer in getattr(_own, "answers", ())}
    return {
        found.row: found.place
        for result in results
        for found in answers.get(tuple((row, score) for row, score in result), ())
    }


def scored(answer: Sequence[Found]) -> list[tuple[int, float]]:
    """Return rows and scores of an answer."""
    return [(found.row, found.place.correlation) for found in answer]
