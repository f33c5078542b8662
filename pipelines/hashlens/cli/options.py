"""Options that several commands share, how they open an index, and their progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from hashlens.cli.output import FORMATS
from hashlens.images.formats import POPULAR

if TYPE_CHECKING:
    from hashlens.index.image_index import ImageIndex
    from hashlens.model import Progress

Decorator: TypeAlias = "Callable[[Callable[..., None]], Callable[..., None]]"


def all_of(*decorators: Decorator) -> Decorator:
    """Return one decorator for several options, in their order."""

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
workers_option = click.option(
    "--workers", type=int, metavar="N", help="Files read at a time (one for each processor)."
)
files_options = all_of(
    click.option(
        "--ext",
        "endings",
        multiple=True,
        metavar="EXT",
        help="In folders, only files with this extension; repeatable.",
    ),
    click.option(
        "--only-popular-extensions",
        "popular",
        is_flag=True,
        help=f"In folders, only files with {', '.join(sorted(POPULAR))}.",
    ),
    click.option(
        "--any-name",
        is_flag=True,
        help="In folders, also files with other names that are pictures by their first bytes.",
    ),
    workers_option,
)
hash_options = all_of(
    click.option(
        "--set",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        help="Parameter of the hash, such as hash_size=16; repeatable.",
    ),
    click.option(
        "--grade",
        type=click.Choice(["fast", "exact"]),
        help="fast: decode JPEG at a reduced size; exact: the same bits as ImageHash (fast).",
    ),
    click.option(
        "--upright/--as-decoded",
        default=None,
        help="Apply EXIF orientation and put transparency on white (default), or hash pixels as "
        "decoded.",
    ),
)


class HashingCommand(click.Command):
    """A command with `--algorithm` and `--set`: its help ends with their possible values."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the algorithms, each with its parameters, their defaults and constraints."""
        from hashlens.hashing.algorithms import ALGORITHMS

        with formatter.section("Algorithms, and what --set takes"):
            formatter.write_dl(
                (
                    ", ".join((item.name, *item.aliases)),
                    "; ".join(f"{p.name}={p.default} ({p.constraint})" for p in item.parameters),
                )
                for item in ALGORITHMS
            )


class Distance(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A number, or `auto`."""

    name = "distance"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | str:
        """Return the number or `auto`; fail with a usage error for any other text."""
        if value == "auto":
            return "auto"
        return float(click.FLOAT.convert(value, param, ctx))


distance_type = Distance()


def open_index(directory: str) -> ImageIndex:
    """Open an existing index."""
    from hashlens.index.image_index import ImageIndex

    return ImageIndex.open(directory, create=False)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """Show a bar on standard error after a second, if that is a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    with tqdm(
        unit="file", delay=1, leave=False, dynamic_ncols=True, smoothing=0.1, miniters=1
    ) as bar:

        def advance(step: Progress) -> None:
            if bar.total != step.total or step.done <= bar.n:  # another run has begun
                # Files passed over at once would spoil the rate.
                bar.initial = bar.n = bar.last_print_n = step.done - 1
                bar.total = step.total
            bar.update(step.done - bar.n)

        yield advance


def extensions_of(endings: tuple[str, ...], popular: bool) -> tuple[str, ...] | None:
    """Return the extensions given, or None for all."""
    return (*endings, *POPULAR) if popular else endings or None


def named_values(items: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each NAME=VALUE of an option."""
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            msg = f"{option} takes NAME=VALUE, not {item!r}"
            raise click.UsageError(msg)
        yield name, value


def hash_params(items: Sequence[str]) -> dict[str, Any]:
    """Return the values of `--set`: parameters of a perceptual hash."""
    from hashlens.hashing.algorithms import ALGORITHMS

    known = sorted({parameter.name for item in ALGORITHMS for parameter in item.parameters})
    words = {"true": True, "false": False, "none": None}
    params = {}
    for name, value in named_values(items, "--set"):
        if name not in known:
            msg = f"no hash has a parameter {name!r}; known are {', '.join(known)}"
            raise click.UsageError(msg)
        params[name] = words.get(value.lower(), number(value))
    return params


def number(text: str) -> int | float | str:
    """Return the number that a text is in JSON; any other text, such as 0012, as it is."""
    from json import loads

    try:
        value = loads(text)
    except ValueError:
        return text
    return value if type(value) in (int, float) and text[0] in "-0123456789" else text


def query_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a query to a command."""
    for option in (
        format_option,
        click.option(
            "--limit", type=int, help="Maximum number of rows, unless the query has a limit."
        ),
        click.option(
            "--param",
            "params",
            multiple=True,
            metavar="NAME=VALUE",
            help="Bind parameter :NAME; =@FILE binds the hash of an image; repeatable.",
        ),
        index_option,
        click.argument("query"),
    ):
        command = option(command)
    return command
