"""Time the methods of an evaluation, each in one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from hashlens.evaluation.entrant import Entrant
from hashlens.evaluation.options import Options
from hashlens.evaluation.query import SCORING, read_picture, read_query
from hashlens.evaluation.setup import Database, half_queries
from hashlens.evaluation.trial import one_thread
from hashlens.evaluation.values import OURS, Method
from hashlens.index.image_index import ImageIndex

TIMED = 48  # queries, and pictures to be indexed, whose time is measured
TIMED_SLOW = 4  # the same for a slow method


def timed_files(options: Options, database: Database) -> list[bytes]:
    """Return the files of some queries; attacks and pictures take turns."""
    queries = list(half_queries(options, SCORING, database))
    attacks, pictures = len(options.attacks), len(queries) // len(options.attacks)
    positions = (
        (number % pictures) * attacks + number % attacks
        for number in range(min(TIMED, len(queries)))
    )
    return [queries[position].data(options.seed)[0] for position in positions]


def our_method(
    options: Options, database: Database, files: Sequence[bytes], directory: str
) -> Method:
    """Return the costs of our index: `files` are searched for, `directory` holds a new index."""
    paths = database.rows[:TIMED]
    with one_thread():
        with ImageIndex.open(database.directory, create=False) as index:
            index.search(files[0], limit=1)  # loads the index, which is not measured
            query_ms = _milliseconds(lambda data: index.search(data, limit=1), files)
        with ImageIndex.open(directory, keypoints=options.keypoints) as index:
            index.index(paths[:1], workers=1)
            index_ms = _milliseconds(lambda some: index.index(some, workers=1), [paths[1:]])
    return Method(
        OURS,
        images=len(database.rows),
        queries=len(database.scoring[: options.queries]),
        query_ms=round(query_ms, 3),
        index_ms=round(index_ms / (len(paths) - 1), 3),
        image_bytes=round(database.bytes / len(database.rows), 1),
    )


def rival_method(
    entrant: Entrant, threshold: float | None, queries: int, files: Sequence[bytes]
) -> Method:
    """Return the costs of a rival; `queries` is the number of queries of each attack."""
    rival, sample = entrant.rival, entrant.rival.sample
    count = TIMED if sample is None else TIMED_SLOW

    def search(data: bytes) -> None:
        entrant.matcher(rival.description(read_query(data)))

    search(files[0])
    paths = entrant.rows[:count]
    index_ms = _milliseconds(lambda path: rival.description(read_picture(path)), paths)
    return Method(
        rival.name,
        threshold=threshold,
        images=len(entrant.rows),
        queries=queries if sample is None else min(queries, sample.queries),
        query_ms=round(_milliseconds(search, files[:count]), 3),
        index_ms=round(index_ms, 3),
        image_bytes=round(fmean(code.nbytes for code in entrant.codes), 1),
    )


def _milliseconds(job: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """Return the mean time of a job on an item, milliseconds."""
    began = time.perf_counter()
    for item in items:
        job(item)
    return 1000 * (time.perf_counter() - began) / len(items)
