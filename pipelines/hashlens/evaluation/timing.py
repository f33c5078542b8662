"""Time the methods of an evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from hashlens.evaluation.setup import _Asked, _Database, _queries
from hashlens.evaluation.trial import (
    SCORING,
    Entrant,
    decoded,
    one_thread,
    opened,
)
from hashlens.evaluation.values import OURS, Method
from hashlens.index.image_index import ImageIndex

TIMED = 48  # queries, and pictures to be indexed, whose time is taken
TIMED_SLOW = 4  # the same for a slow method


def _timed(asked: _Asked, database: _Database) -> list[bytes]:
    """Return the files of some queries: all attacks in turn, and all pictures in turn."""
    queries = list(_queries(asked, SCORING, database))
    attacks, pictures = len(asked.attacks), len(queries) // len(asked.attacks)
    places = (
        (number % pictures) * attacks + number % attacks
        for number in range(min(TIMED, len(queries)))
    )
    return [queries[place].data(asked.seed)[0] for place in places]


def _our_method(asked: _Asked, database: _Database, timed: Sequence[bytes], spare: str) -> Method:
    some = database.rows[:TIMED]
    with one_thread():
        with ImageIndex.open(database.place, create=False) as index:
            index.search(timed[0], limit=1)  # loads what is loaded once
            query = _milliseconds(lambda data: index.search(data, limit=1), timed)
        with ImageIndex.open(spare, keypoints=asked.keypoints) as index:
            index.index(some[:1], workers=1)
            indexed = _milliseconds(lambda paths: index.index(paths, workers=1), [some[1:]])
    return Method(
        OURS,
        images=len(database.rows),
        queries=len(database.scoring[: asked.queries]),
        query_ms=round(query, 3),
        index_ms=round(indexed / (len(some) - 1), 3),
        image_bytes=round(database.bytes / len(database.rows), 1),
    )


def _rival_method(
    entrant: Entrant, limit: float | None, queries: int, timed: Sequence[bytes]
) -> Method:
    rival, sample = entrant.rival, entrant.rival.sample
    most = TIMED if sample is None else TIMED_SLOW

    def look(data: bytes) -> None:
        entrant.matcher(rival.description(opened(data)))

    look(timed[0])
    indexed = _milliseconds(lambda path: rival.description(decoded(path)), entrant.rows[:most])
    return Method(
        rival.name,
        threshold=limit,
        images=len(entrant.rows),
        queries=queries if sample is None else min(queries, sample.queries),
        query_ms=round(_milliseconds(look, timed[:most]), 3),
        index_ms=round(indexed, 3),
        image_bytes=round(fmean(code.nbytes for code in entrant.codes), 1),
    )


def _milliseconds(job: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """Return the mean time that a job takes."""
    began = time.perf_counter()
    for item in items:
        job(item)
    return 1000 * (time.perf_counter() - began) / len(items)
