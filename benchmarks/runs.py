"""What the scripts share: their options, and the run that they make of them."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codes import Kind, Real, Table
from results import Page

from hashlens.parallel.process import processors

MILLION = 1_000_000


@dataclass(frozen=True)
class Run:
    """What was asked for, and what the parts of a script share.

    folder: photos, whose edits give the real hashes
    rows: numbers of hashes, ascending
    rounds: how often each way has its turn
    images: edits of the photos to hash
    workers: processes that hash the edits
    scratch: folder for hashes and indexes
    page: where the results go
    """

    folder: Path
    rows: list[int]
    rounds: int
    images: int
    workers: int
    scratch: Path
    page: Page

    @classmethod
    def of(cls, asked: argparse.Namespace, scratch: Path, page: Page) -> Run:
        """Return the run for the options of `hash_options`."""
        rows = sorted(asked.rows)
        return cls(asked.folder, rows, asked.rounds, asked.images, asked.workers, scratch, page)

    @cached_property
    def real(self) -> Real:
        """Return the real hashes. Ask first in a process without threads: workers are forked."""
        return Real.of(self.folder, self.images, self.workers)

    def table(self, kind: Kind, count: int) -> Table:
        """Return a table of `count` hashes."""
        return Table.of(kind, count)

    def place(self, name: str) -> Path:
        """Return an empty folder."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option of all scripts; the description is a module's docstring."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--dry", action="store_true", help="print the results, write nothing")
    return parser


def hash_options(description: str | None, rounds: int | None = None) -> argparse.ArgumentParser:
    """Return a parser for a run over collections of hashes; `rounds` is the default, if any."""
    parser = options(description)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument(
        "--rows", nargs="+", type=int, default=[10_000, 100_000, MILLION], help="numbers of hashes"
    )
    if rounds is None:
        parser.set_defaults(rounds=1)
    else:
        parser.add_argument("--rounds", type=int, default=rounds, help="turns of each way")
    parser.add_argument("--images", type=int, default=20_000, help="edits of the photos to hash")
    parser.add_argument(
        "--workers", type=int, default=processors(), help="processes that hash the edits"
    )
    return parser
