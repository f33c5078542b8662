"""Commands on hashes themselves: hash, formats."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import abspath, isfile
from typing import TYPE_CHECKING, Any

import click

from hashlens.cli.options import (
    HashingCommand,
    extensions_of,
    files_options,
    format_option,
    hash_options,
    hash_params,
    progress_bar,
)
from hashlens.cli.output import show, stream
from hashlens.names import text_of

if TYPE_CHECKING:
    pass


@click.command("hash", cls=HashingCommand)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True), metavar="PATH...")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    default=("perceptual",),
    show_default=True,
    metavar="NAME",
    help="Perceptual hash; repeatable.",
)
@hash_options
@files_options
@click.option(
    "--draw",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw the image, which must be the only one, beside the bits of its hash to a file.",
)
@format_option
def hash_(
    paths: tuple[str, ...],
    algorithms: tuple[str, ...],
    params: tuple[str, ...],
    draw: str | None,
    grade: str | None,
    upright: bool | None,
    endings: tuple[str, ...],
    popular: bool,
    any_name: bool,
    workers: int | None,
    style: str,
) -> None:
    """Print the hashes of image files, without an index.

    A file that cannot be read is reported on standard error, and in JSON; if it was named on the
    command line, the exit status is 1.
    """
    from hashlens.hashing.perceptual import PerceptualHash
    from hashlens.rows.hash_files import hash_files

    given = hash_params(params)
    if draw:
        _draw_hash(paths, algorithms, given, draw)
    columns = [PerceptualHash(name).algorithm.replace("-", "_") for name in algorithms]
    named = {text_of(abspath(path)) for path in paths}
    failed = False
    with progress_bar() as advance:
        rows = hash_files(
            paths,
            [{"algorithm": name, **given} for name in algorithms],
            grade=grade or "fast",
            upright=upright is not False,
            extensions=extensions_of(endings, popular),
            any_name=any_name,
            workers=workers,
            progress=advance,
        )

        def reported() -> Iterator[dict[str, Any]]:
            nonlocal failed
            for row in rows:
                if "skipped" in row:
                    click.echo(f"skipped {row['path']}: {row['skipped']}", err=True)
                    failed = failed or row["path"] in named
                yield row

        stream(reported(), style, columns)
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
@format_option
def formats(style: str) -> None:
    """List the image formats: their extensions, and the reader of each here."""
    from hashlens.images.formats import FORMATS as KNOWN

    rows = [
        {
            "format": item.name,
            "extensions": " ".join(item.extensions),
            "popular": item.popular,
            "readable": item.readable,
            "reader": item.reader,
        }
        for item in KNOWN
    ]
    show(rows, style)


def _draw_hash(
    paths: tuple[str, ...], algorithms: tuple[str, ...], given: dict[str, Any], draw: str
) -> None:
    from hashlens.report.bits import draw_hash
    from hashlens.report.tiles import save

    if len(paths) != 1 or not isfile(paths[0]) or len(algorithms) != 1:
        msg = "--draw takes one image file and one algorithm"
        raise click.UsageError(msg)
    save(draw_hash(paths[0], algorithm=algorithms[0], **given), draw)


COMMANDS = (hash_, formats)
