"""What several commands share: options, the opening of an index, the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from hashlens.cli.output import FORMATS

if TYPE_CHECKING:
    from hashlens.index import ImageIndex
    from hashlens.model import Progress

Decorator: TypeAlias = "Callable[[Callable[..., None]], Callable[..., None]]"


def all_of(*decorators: Decorator) -> Decorator:
    """Put several options into one, in their order."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


index_option = click.option(
    "--index",
    "directory",
    default=".hashlens",
    show_default=True,
    metavar="DIR",
    help="Directory of the index.",
)
format_option = click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS, case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print the result.",
)


def open_index(directory: str) -> ImageIndex:
    """Open an index that is there."""
    from hashlens.index import ImageIndex

    return ImageIndex.open(directory, create=False)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """Show a bar on standard error, if a person looks, from the first second on."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="file", delay=1, leave=False, dynamic_ncols=True, smoothing=0.1) as bar:

        def advance(step: Progress) -> None:
            if bar.total != step.total:
                bar.initial = bar.n = step.done - 1  # those need no time
                bar.total = step.total
            bar.update(step.done - bar.n)

        yield advance
