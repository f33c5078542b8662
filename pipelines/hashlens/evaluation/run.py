"""Measure how well pictures of a folder are found again, by hashlens and by its rivals.

::

    card = evaluate("photos", queries=60)
    print(card.to_markdown())

Each picture of one half of the folder is attacked in many ways and looked for in an index of the
whole; the other half gives the rivals their thresholds.
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
from hashlens.evaluation.drawings import BACKGROUNDS
from hashlens.evaluation.rivals import RIVALS, Rival
from hashlens.evaluation.scoring import absences, false_matches, scores, thresholds
from hashlens.evaluation.setup import (
    Folder,
    Listener,
    _absent_queries,
    _absolute,
    _Asked,
    _chosen,
    _Database,
    _indexed,
    _parts,
    _protocol,
    _queries,
)
from hashlens.evaluation.timing import _our_method, _rival_method, _timed
from hashlens.evaluation.trial import (
    DRAWN,
    SCORING,
    TUNING,
    Entrant,
    Query,
    Trial,
    describe,
)
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

    `attacks` are names of `hashlens.evaluation.attacks.ATTACKS` (default: all), `queries` is how
    many pictures are asked for after each (default: all of the scoring half). The pictures of the
    folders `distractors` are in the database as well; those of `absent` are not, and are asked for
    to see that nothing matches. With `rivals`, other methods are measured too. Our index is made
    with so many `keypoints`, in a temporary directory; so many `workers` are at work at a time
    (default: one for each processor). All but milliseconds depends on seed, pictures and versions
    only.

    Raises ParameterError for an unknown attack, a path that does not exist, a number that cannot
    be, and a folder with too few pictures to be split.
    """
    asked = _Asked(
        folder=_absolute(folder),
        distractors=tuple(map(_absolute, distractors)),
        absent=tuple(map(_absolute, absent)),
        attacks=_chosen(attacks),
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
    walk([asked.folder, *asked.distractors, *asked.absent])  # raises for one that is not there
    with TemporaryDirectory(prefix="hashlens-") as place:
        return _evaluate(asked, place)


def _evaluate(asked: _Asked, place: str) -> Card:
    database = _indexed(asked, os.path.join(place, "index"))
    entrants = _entrants(asked, database)
    queries = [
        *(_queries(asked, TUNING, database) if entrants else ()),
        *_queries(asked, SCORING, database),
        *_absent_queries(asked, database),
        *(Query(DRAWN, name, "", "", frozenset(), rank) for rank, name in enumerate(BACKGROUNDS)),
    ]
    parts = list(_parts(asked, database, place))
    trial = Trial(database.place, parts, asked.seed, entrants)
    try:
        found = list(_worked(trial, queries, [query.name for query in queries], asked))
    finally:
        trial.close()
    answers = list(zip(queries, found, strict=True))
    limits = thresholds(answers, [entrant.rival.name for entrant in entrants])
    missing = [rival for rival in RIVALS.values() if asked.rivals and rival.missing()]
    protocol, timed = _protocol(asked, database), _timed(asked, database)
    return Card(
        protocol,
        tuple(AttackOf(name, find(name).kind, find(name).group) for name in asked.attacks),
        (
            _our_method(asked, database, timed, os.path.join(place, "timed")),
            *(
                _rival_method(entrant, limits[entrant.rival.name], protocol.queries, timed)
                for entrant in entrants
            ),
            *(Method(rival.name, rival.missing()) for rival in missing),
        ),
        tuple(scores(asked.attacks, answers, limits)),
        tuple(absences(answers, limits)),
        tuple(replace(item, match=asked.label(item.match)) for item in false_matches(answers)),
    )


def _entrants(asked: _Asked, database: _Database) -> list[Entrant]:
    """Describe the database as each rival does that is there."""
    rivals = [rival for rival in RIVALS.values() if asked.rivals and not rival.missing()]
    if not rivals:
        return []
    wanted = {rival.name: _rows_for(rival, asked, database) for rival in rivals}
    items = [
        (path, tuple(name for name, rows in wanted.items() if path in rows))
        for path in database.rows
    ]
    labels = [asked.label(path) for path in database.rows]
    codes = dict(zip(database.rows, _worked(describe, items, labels, asked), strict=True))
    entrants = []
    for rival in rivals:
        rows = tuple(path for path in database.rows if path in wanted[rival.name])
        found = tuple(codes[path][rival.description.name] for path in rows)
        entrants.append(Entrant(rival, rows, found))
    return entrants


def _rows_for(rival: Rival, asked: _Asked, database: _Database) -> frozenset[str]:
    """Return the rows in a rival's database: of a slow one its queries, and some others."""
    if rival.sample is None:
        return frozenset(database.rows)
    most = min(rival.sample.queries, asked.queries or rival.sample.queries)
    wanted = [*database.tuning[:most], *database.scoring[:most]]
    others = sorted(set(database.rows).difference(wanted), key=asked.digest)
    return frozenset([*wanted, *others][: rival.sample.database])


def _worked(
    job: Callable[[Any], Any], items: Sequence[Any], names: Sequence[str], asked: _Asked
) -> Iterator[Any]:
    """Yield the results of a job in new interpreters: threads of OpenCV do not survive a fork."""
    workers = min(asked.workers, len(items))
    chosen = Schedule("processes", workers) if workers > 1 else Schedule("serial", 1)
    with Results(job, items, chosen) as results:
        for number, (name, result) in enumerate(zip(names, results, strict=True), 1):
            if isinstance(result, Crashed):
                msg = f"{name}: {result.reason}"
                raise HashlensError(msg)
            if asked.progress:
                asked.progress(Progress(number, len(items), name))
            yield result


# Times are taken apart from the rest, of one thread.
