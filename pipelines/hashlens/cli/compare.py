"""Commands that compare: images with one image, and equal hashes among images."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from os.path import abspath
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hashlens.cli.options import (
    HashingCommand,
    extensions_of,
    files_options,
    hash_options,
    hash_params,
    index_option,
    open_index,
    progress_bar,
)
from hashlens.cli.output import FORMATS, show
from hashlens.names import as_text, text_of

if TYPE_CHECKING:
    from hashlens.hashing.perceptual import PerceptualHash
    from hashlens.model import Skipped
    from hashlens.rows.compare import Duplicates

format_option = click.option(
    "--format",
    "style",
    type=click.Choice((*FORMATS, "text"), case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print the result.",
)


def _one(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> str | None:
    """Return the algorithm given, or None; fail if several are given."""
    if len(names) > 1:
        msg = f"--algorithm can be given once, and was given for {', '.join(names)}"
        raise click.UsageError(msg)
    return names[0] if names else None


algorithm_option = click.option(
    "--algorithm",
    multiple=True,
    callback=_one,
    metavar="NAME",
    help="Perceptual hash, such as dhash (perceptual).",
)
metric_option = click.option(
    "--metric", default="hamming", show_default=True, metavar="NAME", help="Metric of distances."
)


@click.command(cls=HashingCommand)
@click.argument("reference", type=click.Path(exists=True, dir_okay=False))
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True), metavar="PATH...")
@click.option(
    "--max-distance", type=float, metavar="N", help="Largest distance of images shown, inclusive."
)
@click.option("--first", is_flag=True, help="Stop at the first image within --max-distance.")
@algorithm_option
@hash_options
@metric_option
@files_options
@format_option
def compare(
    reference: str,
    paths: tuple[str, ...],
    max_distance: float | None,
    first: bool,
    metric: str,
    style: str,
    **options: Any,
) -> None:
    """Print the distance of each image from a reference, without an index.

    0 is the most similar: equal hashes. Other distances depend on hash and metric; under hamming
    they count differing bits.

    A file that cannot be read is reported on standard error; if it was named on the command line,
    the exit status is 1.
    """
    from hashlens.rows import compare

    hashing, hashed = _hashing(**options)
    with progress_bar() as advance:
        rows = list(
            compare.compare(
                reference,
                paths,
                metric=metric,
                max_distance=max_distance,
                first=first,
                progress=advance,
                **hashing,
            )
        )
    facts = {
        "reference_path": text_of(abspath(reference)),
        "algorithm": hashed.algorithm,
        "metric": metric,
        "bits": hashed.bits,
    }
    _print_distances(rows, facts, style)
    _report([(row["path"], row["skipped"]) for row in rows if "skipped" in row], paths)


@click.command(cls=HashingCommand)
@click.argument("paths", nargs=-1, type=click.Path(exists=True), metavar="[PATH]...")
@index_option
@algorithm_option
@hash_options
@files_options
@format_option
@click.pass_context
def duplicates(
    context: click.Context, /, paths: tuple[str, ...], directory: str, style: str, **options: Any
) -> None:
    """List the groups of pictures with equal hashes: of an index, or below some paths.

    With paths, no index is used: their images are hashed as the options say. Flat pictures have
    equal hashes whatever they show, and are grouped only if their files are equal.
    """
    from dataclasses import replace

    from hashlens.model import Skipped
    from hashlens.rows import compare

    found: list[Duplicates | Skipped]
    if paths:
        _refuse(context, ("directory",), "is of an index, which paths go without")
        hashing, hashed = _hashing(**options)
        with progress_bar() as advance:
            found = list(compare.find_duplicates(paths, progress=advance, **hashing))
    else:
        _refuse(context, options, "is for paths; an index has its own")
        with open_index(directory) as opened:
            hashed = opened.settings.hash
            found = [*opened.duplicates()]
    skipped = [item for item in found if isinstance(item, Skipped)]
    groups = [
        replace(item, paths=as_text(item.paths)) for item in found if not isinstance(item, Skipped)
    ]
    _print_duplicates(groups, hashed.algorithm, style)
    _report([(text_of(item.path), item.reason) for item in skipped], paths)


def _print_distances(rows: Sequence[dict[str, Any]], facts: dict[str, Any], style: str) -> None:
    diffs = [row for row in rows if "distance" in row]
    if style == "json":
        skipped = [row for row in rows if "skipped" in row]
        record = {
            **facts,
            "diffs": [{"diff": row["distance"], "path": row["path"]} for row in diffs],
            "skipped": [{"path": row["path"], "reason": row["skipped"]} for row in skipped],
        }
        print(json.dumps(record, indent=2))
    elif style == "text":
        _lines(f"{row['distance']}\t{_line(row['path'])}" for row in diffs)
    else:
        show([row | facts for row in diffs], style, ("distance", "metric", "bits", "path"))


def _print_duplicates(groups: Sequence[Duplicates], algorithm: str, style: str) -> None:
    if style == "json":
        dupes = [{"image_hash": item.fingerprint, "paths": item.paths} for item in groups]
        print(json.dumps({"algorithm": algorithm, "dupes": dupes}, indent=2))
    elif style == "text":
        for group in groups:
            _lines([group.fingerprint, *(f"\t{_line(path)}" for path in group.paths)])
    else:
        rows = [
            {"group": number, "hash": group.fingerprint, "path": path}
            for number, group in enumerate(groups, 1)
            for path in group.paths
        ]
        show(rows, style, ("group", "hash", "path"))


def _hashing(
    algorithm: str | None,
    params: Sequence[str],
    grade: str | None,
    upright: bool | None,
    endings: tuple[str, ...],
    popular: bool,
    any_name: bool,
    workers: int | None,
) -> tuple[dict[str, Any], PerceptualHash]:
    """Return the arguments of the library for reading and hashing files; and the hash."""
    from hashlens.hashing.perceptual import PerceptualHash

    hashed = PerceptualHash(algorithm or "perceptual", **hash_params(params))
    hashing = {
        "algorithm": hashed.settings(),
        "grade": grade or "fast",
        "upright": upright is not False,
        "extensions": extensions_of(endings, popular),
        "any_name": any_name,
        "workers": workers,
    }
    return hashing, hashed


def _refuse(context: click.Context, names: Iterable[str], why: str) -> None:
    """Fail if an option with one of these names was given, which means nothing here."""
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            msg = f"{parameter.opts[0]} {why}"
            raise click.UsageError(msg)


def _line(path: str) -> str:
    """Return a path on one line: a name may hold a line break."""
    return path.replace("\n", "\\n")


def _lines(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _report(skipped: Sequence[tuple[str, str]], paths: Sequence[str]) -> None:
    """Report skipped files on standard error; fail if one is among the paths given."""
    for path, reason in skipped:
        click.echo(f"skipped {path}: {reason}", err=True)
    if {path for path, _ in skipped} & {text_of(abspath(path)) for path in paths}:
        raise click.exceptions.Exit(1)


COMMANDS = (compare, duplicates)
