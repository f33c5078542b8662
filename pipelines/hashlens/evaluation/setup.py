"""Set up an evaluation: our index, its copies, and the queries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from hashlens.errors import ImageError
from hashlens.evaluation.drawings import BACKGROUNDS
from hashlens.evaluation.options import SPLIT, Options, base_name
from hashlens.evaluation.query import ABSENT, DRAWN, TUNING, TrialQuery
from hashlens.evaluation.scoring import PRECISION
from hashlens.evaluation.values import Protocol
from hashlens.images.digests import file_digest
from hashlens.images.walk import find_images
from hashlens.index.image_index import ImageIndex
from hashlens.names import name_of, text_of

ABSENT_ATTACKS = ("", "text", "crop50", "screenshot")  # on pictures that are not in the database
PARTS = 5  # copies of the index; each lacks a fifth of the queried pictures
_PACKAGES = (
    "hashlens",
    "pillow",
    "numpy",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
    "imagehash",
    "pdqhash",
)


@dataclass(frozen=True, slots=True)
class Database:
    """What our index holds.

    directory: directory of the index
    rows: paths of all pictures, sorted
    tuning: paths of the tuning half, in the order of the queries
    scoring: paths of the scoring half, in the order of the queries
    duplicates: for each picture that equals others, the paths of all of them
    digests: file digests of all pictures
    fingerprints: fingerprints of all pictures
    skipped: files that cannot be read
    bytes: size of the index on disk
    """

    directory: str
    rows: tuple[str, ...]
    tuning: tuple[str, ...]
    scoring: tuple[str, ...]
    duplicates: Mapping[str, frozenset[str]]
    digests: frozenset[str]
    fingerprints: frozenset[str]
    skipped: int
    bytes: int

    def right_rows(self, path: str) -> frozenset[str]:
        """Return the rows that show the same picture as a path does."""
        return self.duplicates.get(path, frozenset([path]))


def index_folders(options: Options, directory: str) -> Database:
    """Make our index in a directory, and return what it holds.

    Raises ParameterError if the folder has too few pictures to be split.
    """
    with ImageIndex.open(directory, keypoints=options.keypoints) as index:
        folders = [options.folder, *options.distractors]
        index.index(folders, workers=options.workers, progress=options.progress)
        rows = index.sql("select path, text, file_digest from txtai where text is not null")
        groups = [frozenset(group.paths) for group in index.duplicates()]
        info = index.info()
    paths = sorted(name_of(row["path"]) for row in rows)
    tuning, scoring = options.halves(paths)
    return Database(
        directory,
        rows=tuple(paths),
        tuning=tuning,
        scoring=scoring,
        duplicates={path: group for group in groups for path in group},
        digests=frozenset(row["file_digest"] for row in rows),
        fingerprints=frozenset(row["text"] for row in rows),
        skipped=info["skipped"],
        bytes=info["bytes"],
    )


def copy_without_queried(options: Options, database: Database, directory: str) -> Iterator[str]:
    """Copy our index; delete the pictures of some queries from each copy; yield its directory.

    The rows are deleted, not only ignored in the answer, because a match ends a search before all
    stages are tried. Several copies share the queries so that each still holds most pictures.
    """
    queried = database.scoring[: options.queries]
    for number in range(min(PARTS, len(queried))):
        part = os.path.join(directory, f"part-{number}")
        with ImageIndex.open(database.directory, create=False) as index:
            index.save(part)
        deleted = {row for path in queried[number::PARTS] for row in database.right_rows(path)}
        with ImageIndex.open(part, create=False) as index:
            index.delete(sorted(map(text_of, deleted)))
        yield part


def half_queries(options: Options, role: str, database: Database) -> Iterator[TrialQuery]:
    """Yield the queries of a half (`role` is TUNING or SCORING), all attacks on each picture."""
    half = database.tuning if role == TUNING else database.scoring
    for rank, path in enumerate(half[: options.queries]):
        right_rows = database.right_rows(path)
        for name in options.attacks:
            yield TrialQuery(role, options.label(path), path, name, right_rows, rank)


def absent_queries(options: Options, database: Database) -> list[TrialQuery]:
    """Return the queries for pictures of other folders that are not in the database."""
    paths = [path for path in find_images(options.absent) if isinstance(path, str)]
    with ImageIndex.open(database.directory, create=False) as index:
        absent = [path for path in paths if _is_absent(path, database, index)]
    return [
        TrialQuery(ABSENT, options.label(path), path, name, frozenset(), rank)
        for rank, path in enumerate(sorted(absent, key=options.digest)[: options.queries])
        for name in ABSENT_ATTACKS
        if not name or name in options.attacks
    ]


def _is_absent(path: str, database: Database, index: ImageIndex) -> bool:
    """Return whether a file is a picture that the database does not hold."""
    try:
        known = file_digest(path) in database.digests
        return not known and index.fingerprint(path) not in database.fingerprints
    except ImageError:
        return False


def drawn_queries() -> list[TrialQuery]:
    """Return a query for each of the drawn backgrounds."""
    return [
        TrialQuery(DRAWN, name, "", "", frozenset(), rank) for rank, name in enumerate(BACKGROUNDS)
    ]


def protocol(options: Options, database: Database) -> Protocol:
    """Return how the evaluation is done, without absolute paths."""
    return Protocol(
        command=options.command(),
        folder=base_name(options.folder),
        distractors=tuple(map(base_name, options.distractors)),
        absent=tuple(map(base_name, options.absent)),
        seed=options.seed,
        split=SPLIT,
        images=len(database.tuning) + len(database.scoring),
        database=len(database.rows),
        skipped=database.skipped,
        equal=len(database.duplicates),
        tuning=len(database.tuning),
        scoring=len(database.scoring),
        queries=len(database.scoring[: options.queries]),
        keypoints=options.keypoints,
        precision=PRECISION,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    """Return the version of each installed package that takes part."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
