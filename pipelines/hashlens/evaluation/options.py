"""The options of an evaluation, and what depends on them alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from hashlens.errors import ParameterError
from hashlens.evaluation.attacks import ATTACKS, find
from hashlens.model import Progress
from hashlens.names import text_of

Folder: TypeAlias = "str | os.PathLike[str]"
Listener: TypeAlias = "Callable[[Progress], None] | None"

SPLIT = "SHA-256 of `SEED:NAME`, even for tuning, odd for scoring"


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be measured.

    folder: absolute path of the pictures
    distractors: absolute paths of pictures that are in the database as well
    absent: absolute paths of pictures that are searched for and are not in the database
    attacks: names of attacks, in the order of ATTACKS
    queries: pictures that are searched for after each attack; None for all of a half
    seed: seed of the split and the attacks
    keypoints: keypoints of a picture in our index
    rivals: whether other methods are measured
    workers: processes at a time
    progress: called after each picture and query
    """

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
        """Return the name of a picture: relative to the folder, or with the other folder's name."""
        if is_below(path, self.folder):
            return text_of(Path(path).relative_to(self.folder).as_posix())
        roots = [root for root in (*self.distractors, *self.absent) if is_below(path, root)]
        above = Path(max(roots, key=len, default=path)).parent
        return text_of(Path(path).relative_to(above).as_posix())

    def digest(self, path: str) -> bytes:
        """Return the digest by which pictures are sorted and split."""
        return sha256(f"{self.seed}:{self.label(path)}".encode()).digest()

    def halves(self, paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Split the pictures of the folder into those for tuning and those for scoring.

        Raises ParameterError if a half would be empty.
        """
        inside = sorted((path for path in paths if is_below(path, self.folder)), key=self.digest)
        tuning, scoring = (
            tuple(path for path in inside if self.digest(path)[-1] % 2 == odd) for odd in (0, 1)
        )
        if not tuning or not scoring:
            msg = f"{self.folder} has too few pictures to be split: {len(inside)}"
            raise ParameterError(msg)
        return tuning, scoring

    def command(self) -> str:
        """Return the command that measures this."""
        words = ["hashlens", "evaluate", base_name(self.folder)]
        words += [] if self.queries is None else ["--queries", str(self.queries)]
        words += ["--seed", str(self.seed), "--keypoints", str(self.keypoints)]
        if self.attacks != tuple(ATTACKS):
            words += [word for name in self.attacks for word in ("--attack", name)]
        for option, folders in (("--distractors", self.distractors), ("--absent", self.absent)):
            words += [word for path in folders for word in (option, base_name(path))]
        return shlex.join(words if self.rivals else [*words, "--no-rivals"])


def in_order(attacks: Iterable[str] | None) -> tuple[str, ...]:
    """Return names of attacks in the order of ATTACKS; None stands for all.

    Raises ParameterError for an unknown name, or if there is no name.
    """
    names = list(ATTACKS if attacks is None else attacks)
    for name in names:
        find(name)
    if not names:
        msg = "there must be at least one attack"
        raise ParameterError(msg)
    return tuple(name for name in ATTACKS if name in names)


def is_below(path: str, root: str) -> bool:
    """Return whether a path is `root` or lies in it."""
    return path == root or path.startswith(os.path.join(root, ""))


def base_name(path: str) -> str:
    """Return the last part of a path, so that no card names the folders above it."""
    return text_of(os.path.basename(path) or path)
