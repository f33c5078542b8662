"""Measure how well pictures of a folder are found again, by hashlens and by its rivals.

::

    card = evaluate("photos", queries=60)
    print(card.to_markdown())

Each picture of one half of the folder is attacked in many ways and looked for in an index of the
whole; the other half gives the rivals their thresholds.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from hashlens.errors import HashlensError, ImageError, ParameterError
from hashlens.evaluation.attacks import ATTACKS, find
from hashlens.evaluation.card import OURS, AttackOf, Card, Method, Protocol
from hashlens.evaluation.drawings import BACKGROUNDS
from hashlens.evaluation.rivals import RIVALS, Rival
from hashlens.evaluation.scoring import PRECISION, absences, false_matches, scores, thresholds
from hashlens.evaluation.trial import (
    ABSENT,
    DRAWN,
    SCORING,
    TUNING,
    Entrant,
    Query,
    Trial,
    decoded,
    describe,
    one_thread,
    opened,
)
from hashlens.images.digests import file_digest
from hashlens.images.walk import find_images, walk
from hashlens.index import ImageIndex
from hashlens.model import Progress
from hashlens.parallel.pool import Crashed, Plan, Results, plan

Folder: TypeAlias = "str | os.PathLike[str]"
Listener: TypeAlias = "Callable[[Progress], None] | None"

SPLIT = "SHA-256 of `SEED:NAME`, even for tuning, odd for scoring"
ABSENT_ATTACKS = ("", "text", "crop50", "screenshot")  # for pictures that are not in the database
PARTS = 5  # of the queries, each of which is left out of a copy of the index
TIMED = 48  # queries, and pictures to be indexed, whose time is taken
TIMED_SLOW = 4  # the same for a slow method
_PACKAGES = (
    "hashlens",
    "pillow",
    "numpy",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
    "imagehash",
    "pdqhash",
)


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
        workers=plan(2**20, workers).workers,
        progress=progress,
    )
    if queries is not None and (type(queries) is not int or queries < 1):
        msg = f"queries must be a whole number of at least 1, not {queries!r}"
        raise ParameterError(msg)
    walk([asked.folder, *asked.distractors, *asked.absent])  # raises for one that is not there
    with TemporaryDirectory(prefix="hashlens-") as place:
        return _evaluate(asked, place)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be measured."""

    folder: str
    distractors: tuple[str, ...]
    absent: tuple[str, ...]
    attacks: tuple[str, ...]
    queries: int | None
    seed: int
    keypoints: int
    rivals: bool
    workers: int
    progress: Listener

    def label(self, path: str) -> str:
        """Return the name of a picture: from within the folder, or from another folder on."""
        if _is_below(path, self.folder):
            return Path(path).relative_to(self.folder).as_posix()
        roots = [root for root in (*self.distractors, *self.absent) if _is_below(path, root)]
        return Path(path).relative_to(Path(max(roots, key=len, default=path)).parent).as_posix()

    def digest(self, path: str) -> bytes:
        """Return what a picture's half and its turn depend on."""
        return sha256(f"{self.seed}:{self.label(path)}".encode()).digest()

    def command(self) -> str:
        """Return the command that measures this."""
        words = ["hashlens", "evaluate", _name(self.folder)]
        words += [] if self.queries is None else ["--queries", str(self.queries)]
        words += ["--seed", str(self.seed), "--keypoints", str(self.keypoints)]
        if self.attacks != tuple(ATTACKS):
            words += [word for name in self.attacks for word in ("--attack", name)]
        for option, folders in (("--distractors", self.distractors), ("--absent", self.absent)):
            words += [word for path in folders for word in (option, _name(path))]
        return shlex.join(words if self.rivals else [*words, "--no-rivals"])


@dataclass(frozen=True, slots=True)
class _Database:
    """What is in the index; the halves of the folder are in the order in which they are asked."""

    place: str
    rows: tuple[str, ...]
    tuning: tuple[str, ...]
    scoring: tuple[str, ...]
    same: Mapping[str, frozenset[str]]  # the rows that show the same picture, where there are more
    digests: frozenset[str]
    fingerprints: frozenset[str]
    skipped: int
    bytes: int

    def own(self, path: str) -> frozenset[str]:
        """Return the rows that show the same picture as one does."""
        return self.same.get(path, frozenset([path]))


def _chosen(attacks: Iterable[str] | None) -> tuple[str, ...]:
    """Return names of attacks in the order of ATTACKS."""
    names = list(ATTACKS if attacks is None else attacks)
    for name in names:
        find(name)
    if not names:
        msg = "there must be at least one attack"
        raise ParameterError(msg)
    return tuple(name for name in ATTACKS if name in names)


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


def _indexed(asked: _Asked, place: str) -> _Database:
    """Make our index, and return what is in it."""
    with ImageIndex.open(place, keypoints=asked.keypoints) as index:
        folders = [asked.folder, *asked.distractors]
        index.index(folders, workers=asked.workers, progress=asked.progress)
        rows = index.sql("select path, text, file_digest from txtai where text is not null")
        groups = [frozenset(group.paths) for group in index.duplicates()]
        info = index.info()
    paths = sorted(row["path"] for row in rows)
    own = sorted((path for path in paths if _is_below(path, asked.folder)), key=asked.digest)
    halves = [tuple(path for path in own if asked.digest(path)[-1] % 2 == odd) for odd in (0, 1)]
    if not all(halves):
        msg = f"{asked.folder} has too few pictures to be split: {len(own)}"
        raise ParameterError(msg)
    return _Database(
        place,
        rows=tuple(paths),
        tuning=halves[0],
        scoring=halves[1],
        same={path: group for group in groups for path in group},
        digests=frozenset(row["file_digest"] for row in rows),
        fingerprints=frozenset(row["text"] for row in rows),
        skipped=info["skipped"],
        bytes=info["bytes"],
    )


def _parts(asked: _Asked, database: _Database, place: str) -> Iterator[str]:
    """Copy our index, and leave the pictures of some queries out of each copy; yield its place.

    A match would end a search before all ways are tried: so a row is really left out, not only
    passed over. There are several copies so that most of the database is there for every query.
    """
    asked_for = database.scoring[: asked.queries]
    for number in range(min(PARTS, len(asked_for))):
        part = os.path.join(place, f"part-{number}")
        with ImageIndex.open(database.place, create=False) as index:
            index.save(part)
        out = {row for path in asked_for[number::PARTS] for row in database.own(path)}
        with ImageIndex.open(part, create=False) as index:
            index.delete(sorted(out))
        yield part


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


def _queries(asked: _Asked, role: str, database: _Database) -> Iterator[Query]:
    """Yield the queries of a half, one picture after the other."""
    half = database.tuning if role == TUNING else database.scoring
    for rank, path in enumerate(half[: asked.queries]):
        own = database.own(path)
        for name in asked.attacks:
            yield Query(role, asked.label(path), path, name, own, rank)


def _absent_queries(asked: _Asked, database: _Database) -> list[Query]:
    """Return the queries for those pictures of other folders that are not in the database."""
    paths = [path for path in find_images(asked.absent) if isinstance(path, str)]
    with ImageIndex.open(database.place, create=False) as index:
        fresh = [path for path in paths if _is_fresh(path, database, index)]
    return [
        Query(ABSENT, asked.label(path), path, name, frozenset(), rank)
        for rank, path in enumerate(sorted(fresh, key=asked.digest)[: asked.queries])
        for name in ABSENT_ATTACKS
        if not name or name in asked.attacks
    ]


def _is_fresh(path: str, database: _Database, index: ImageIndex) -> bool:
    """Tell whether a file is a picture, and none that the database has."""
    try:
        known = file_digest(path) in database.digests
        return not known and index.fingerprint(path) not in database.fingerprints
    except ImageError:
        return False


def _worked(
    job: Callable[[Any], Any], items: Sequence[Any], names: Sequence[str], asked: _Asked
) -> Iterator[Any]:
    """Yield the results of a job in new interpreters: threads of OpenCV do not survive a fork."""
    workers = min(asked.workers, len(items))
    chosen = Plan("processes", workers) if workers > 1 else Plan("serial", 1)
    with Results(job, items, chosen) as results:
        for number, (name, result) in enumerate(zip(names, results, strict=True), 1):
            if isinstance(result, Crashed):
                msg = f"{name}: {result.reason}"
                raise HashlensError(msg)
            if asked.progress:
                asked.progress(Progress(number, len(items), name))
            yield result


def _protocol(asked: _Asked, database: _Database) -> Protocol:
    return Protocol(
        command=asked.command(),
        folder=_name(asked.folder),
        distractors=tuple(map(_name, asked.distractors)),
        absent=tuple(map(_name, asked.absent)),
        seed=asked.seed,
        split=SPLIT,
        images=len(database.tuning) + len(database.scoring),
        database=len(database.rows),
        skipped=database.skipped,
        equal=len(database.same),
        tuning=len(database.tuning),
        scoring=len(database.scoring),
        queries=len(database.scoring[: asked.queries]),
        keypoints=asked.keypoints,
        precision=PRECISION,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


# Times are taken apart from the rest, of one thread.


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


def _absolute(path: Folder) -> str:
    return os.path.abspath(path)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _name(path: str) -> str:
    return os.path.basename(path) or path
