"""Measure how well pictures of a folder are found again, by hashlens and by its rivals.

::

    card = evaluate("photos", queries=60)
    print(card.to_markdown())

The pictures of one half of the folder are attacked and looked for in an index of the whole folder.
The other half gives the rivals their thresholds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from hashlens.errors import HashlensError, ParameterError
from hashlens.evaluation.attacks import find
from hashlens.evaluation.card import Card
from hashlens.evaluation.entrant import Entrant, describe_file
from hashlens.evaluation.options import Folder, Listener, Options, in_order
from hashlens.evaluation.query import SCORING, TUNING
from hashlens.evaluation.rivals import RIVALS, Rival
from hashlens.evaluation.scoring import (
    Answers,
    Thresholds,
    absences,
    false_matches,
    scores,
    thresholds,
)
from hashlens.evaluation.setup import (
    Database,
    absent_queries,
    copy_without_queried,
    drawn_queries,
    half_queries,
    index_folders,
    protocol,
)
from hashlens.evaluation.timing import our_method, rival_method, timed_files
from hashlens.evaluation.trial import Trial
from hashlens.evaluation.values import AttackOf, Method
from hashlens.images.walk import walk
from hashlens.model import Progress
from hashlens.parallel.pool import Crashed, Results, Schedule, schedule


def evaluate(
    folder: Folder,
    *,
    attacks: Iterable[str] | None = None,
    queries: int | None = None,
    seed: int = 0,
    distractors: Iterable[Folder] = (),
    absent: Iterable[Folder] = (),
    rivals: bool = True,
    keypoints: int = 200,
    workers: int | None = None,
    progress: Listener = None,
) -> Card:
    """Measure how well the pictures of a folder are found again after attacks.

    Seed, pictures and versions determine the card, except the milliseconds. Our index is made in a
    temporary directory.

    folder: the pictures
    attacks: names of `hashlens.evaluation.attacks.ATTACKS`; default: all
    queries: pictures that are searched for after each attack; default: all of the scoring half
    seed: seed of the split and the attacks
    distractors: folders of pictures that are in the database as well
    absent: folders of pictures that are not in the database; they must have no match
    rivals: whether other methods are measured
    keypoints: keypoints of a picture in our index
    workers: processes at a time; default: one for each processor
    progress: called after each picture and query

    Raises ParameterError for an unknown attack, a path that does not exist, an invalid number, and
    a folder with too few pictures to be split.
    """
    options = Options(
        folder=os.path.abspath(folder),
        distractors=tuple(map(os.path.abspath, distractors)),
        absent=tuple(map(os.path.abspath, absent)),
        attacks=in_order(attacks),
        queries=queries,
        seed=seed,
        keypoints=keypoints,
        rivals=rivals,
        workers=schedule(2**20, workers).workers,
        progress=progress,
    )
    if queries is not None and (type(queries) is not int or queries < 1):
        msg = f"queries must be a whole number of at least 1, not {queries!r}"
        raise ParameterError(msg)
    walk([options.folder, *options.distractors, *options.absent])  # raises if a path is missing
    with TemporaryDirectory(prefix="hashlens-") as directory:
        return _evaluate(options, directory)


def _evaluate(options: Options, directory: str) -> Card:
    database = index_folders(options, os.path.join(directory, "index"))
    entrants = _entrants(options, database)
    answers = _answers(options, database, entrants, directory)
    limits = thresholds(answers, [entrant.rival.name for entrant in entrants])
    return Card(
        protocol(options, database),
        tuple(AttackOf(name, find(name).kind, find(name).group) for name in options.attacks),
        tuple(_methods(options, database, entrants, limits, os.path.join(directory, "timed"))),
        tuple(scores(options.attacks, answers, limits)),
        tuple(absences(answers, limits)),
        tuple(replace(item, match=options.label(item.match)) for item in false_matches(answers)),
    )


def _answers(
    options: Options, database: Database, entrants: Sequence[Entrant], directory: str
) -> Answers:
    """Ask all methods all queries; copies of the index are made in `directory`."""
    queries = [
        *(half_queries(options, TUNING, database) if entrants else ()),
        *half_queries(options, SCORING, database),
        *absent_queries(options, database),
        *drawn_queries(),
    ]
    parts = list(copy_without_queried(options, database, directory))
    trial = Trial(database.directory, parts, options.seed, entrants)
    try:
        answers = list(_results(trial, queries, [query.name for query in queries], options))
    finally:
        trial.close()
    return list(zip(queries, answers, strict=True))


def _methods(
    options: Options,
    database: Database,
    entrants: Sequence[Entrant],
    limits: Thresholds,
    directory: str,
) -> Iterator[Method]:
    """Time the methods in this process, one after another; yield ours, the rivals, the missing."""
    files = timed_files(options, database)
    ours = our_method(options, database, files, directory)
    yield ours
    for entrant in entrants:
        yield rival_method(entrant, limits[entrant.rival.name], ours.queries, files)
    for rival in RIVALS.values():
        if options.rivals and rival.missing():
            yield Method(rival.name, rival.missing())


def _entrants(options: Options, database: Database) -> list[Entrant]:
    """Describe the database as each installed rival does."""
    rivals = [rival for rival in RIVALS.values() if options.rivals and not rival.missing()]
    if not rivals:
        return []
    wanted = {rival.name: _rows_for(rival, options, database) for rival in rivals}
    items = [
        (path, tuple(name for name, rows in wanted.items() if path in rows))
        for path in database.rows
    ]
    labels = [options.label(path) for path in database.rows]
    results = _results(describe_file, items, labels, options)
    codes = dict(zip(database.rows, results, strict=True))
    entrants = []
    for rival in rivals:
        rows = tuple(path for path in database.rows if path in wanted[rival.name])
        own_codes = tuple(codes[path][rival.description.name] for path in rows)
        entrants.append(Entrant(rival, rows, own_codes))
    return entrants


def _rows_for(rival: Rival, options: Options, database: Database) -> frozenset[str]:
    """Return the rows of a rival's database; for a slow rival, its queries and some others."""
    if rival.sample is None:
        return frozenset(database.rows)
    count = min(rival.sample.queries, options.queries or rival.sample.queries)
    queried = [*database.tuning[:count], *database.scoring[:count]]
    others = sorted(set(database.rows).difference(queried), key=options.digest)
    return frozenset([*queried, *others][: rival.sample.database])


def _results(
    job: Callable[[Any], Any], items: Sequence[Any], names: Sequence[str], options: Options
) -> Iterator[Any]:
    """Yield the results of a job in worker processes.

    They are new interpreters, because the threads of OpenCV do not survive a fork. Raises
    HashlensError, with the name of the item, if a worker crashes.
    """
    workers = min(options.workers, len(items))
    chosen = Schedule("processes", workers) if workers > 1 else Schedule("serial", 1)
    with Results(job, items, chosen) as results:
        for number, (name, result) in enumerate(zip(names, results, strict=True), 1):
            if isinstance(result, Crashed):
                msg = f"{name}: {result.reason}"
                raise HashlensError(msg)
            if options.progress:
                options.progress(Progress(number, len(items), name))
            yield result
