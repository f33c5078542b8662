"""Set up an evaluation: folders, database, queries."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

from hashlens.errors import ImageError, ParameterError
from hashlens.evaluation.attacks import ATTACKS, find
from hashlens.evaluation.scoring import PRECISION
from hashlens.evaluation.trial import (
    ABSENT,
    TUNING,
    Query,
)
from hashlens.evaluation.values import Protocol
from hashlens.images.digests import file_digest
from hashlens.images.walk import find_images
from hashlens.index.image_index import ImageIndex
from hashlens.model import Progress

Folder: TypeAlias = "str | os.PathLike[str]"
Listener: TypeAlias = "Callable[[Progress], None] | None"

SPLIT = "SHA-256 of `SEED:NAME`, even for tuning, odd for scoring"
ABSENT_ATTACKS = ("", "text", "crop50", "screenshot")  # for pictures that are not in the database
PARTS = 5  # of the queries, each of which is left out of a copy of the index
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


def _absolute(path: Folder) -> str:
    return os.path.abspath(path)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _name(path: str) -> str:
    return os.path.basename(path) or path
