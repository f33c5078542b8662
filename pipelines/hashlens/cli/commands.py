"""The commands. Each opens the index, calls one method of it, and prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os.path import abspath, isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hashlens.cli.calibration import calibrate
from hashlens.cli.collection import COMMANDS
from hashlens.cli.compare import compare, duplicates
from hashlens.cli.evaluation import evaluate
from hashlens.cli.options import (
    HashingCommand,
    distance_type,
    extensions_of,
    files_options,
    format_option,
    hash_options,
    hash_params,
    index_option,
    named_values,
    number,
    open_index,
    progress_bar,
)
from hashlens.cli.output import show, show_one, stream

if TYPE_CHECKING:
    from hashlens.index import ImageIndex
    from hashlens.model import Match, Report

MOST_SKIPPED = 20  # of a reason, that are listed
MATCH_COLUMNS = ("distance", "similarity", "stage", "path", "width", "height", "bytes")
PLACE_COLUMNS = ("box", "inliers", "agreement", "mirrored")
MORE_OF_PLACE = ("correlation", "fractions", "outline", "transform")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hashlens")
def app() -> None:
    """Find the same picture again: copies, near-duplicates and crops, answered in SQL.

    Not for finding pictures of the same thing: perceptual hashes compare how pictures look. No file
    is changed but by apply and undo; back up before you clean up, at your own risk.
    """


@app.command(cls=HashingCommand)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True), metavar="PATH...")
@index_option
@click.option("--algorithm", metavar="NAME", help="Perceptual hash of a new index (perceptual).")
@hash_options
@click.option(
    "--also",
    multiple=True,
    metavar="NAME",
    help="Another hash of a new index, in a column of its name; repeatable.",
)
@click.option("--metric", metavar="NAME", help="Metric of distance(a, b) (hamming).")
@click.option(
    "--content", type=click.Choice(["sqlite", "duckdb"]), help="Database of a new index (sqlite)."
)
@click.option("--thumbnails/--no-thumbnails", default=None, help="Keep small pictures (no).")
@click.option(
    "--pixel-digests/--no-pixel-digests", default=None, help="Keep digests of all pixels (no)."
)
@click.option(
    "--crops/--no-crops",
    default=None,
    help="A new index finds pictures by a part of them, too (no).",
)
@click.option(
    "--keypoints", type=int, metavar="N", help="Keypoints of a picture for that, at most (200)."
)
@click.option(
    "--moved", is_flag=True, help="Know files again that were moved, by the digest of their bytes."
)
@files_options
@format_option
def index(
    paths: tuple[str, ...],
    directory: str,
    params: tuple[str, ...],
    also: tuple[str, ...],
    content: str | None,
    crops: bool | None,
    keypoints: int | None,
    moved: bool,
    endings: tuple[str, ...],
    popular: bool,
    workers: int | None,
    style: str,
    **settings: Any,
) -> None:
    """Bring an index up to date with folders and files.

    Only new and changed files are read; rows of vanished files are dropped. Files that cannot be
    read are skipped, listed, and kept in the index with the reason.
    """
    from hashlens.index import ImageIndex

    given = {name: value for name, value in settings.items() if value is not None}
    given |= hash_params(params) | ({"also": also} if also else {}) | _crops(crops, keypoints)
    with ImageIndex.open(directory, eager=False, content=content, **given) as opened:
        with progress_bar() as advance:
            report = opened.index(
                paths,
                moved=moved,
                extensions=extensions_of(endings, popular),
                workers=workers,
                progress=advance,
            )
        _show_report(report, opened, style)


@app.command("hash", cls=HashingCommand)
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
    help="Draw the one image beside the bits of its hash, to a picture.",
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
    workers: int | None,
    style: str,
) -> None:
    """Print the hashes of image files, without an index.

    A file that cannot be read is told of on standard error, and in JSON; where it was named
    itself, the exit status is 1.
    """
    from hashlens.hashing.perceptual import PerceptualHash
    from hashlens.rows import hash_files

    given = hash_params(params)
    if draw:
        _draw_hash(paths, algorithms, given, draw)
    columns = [PerceptualHash(name).algorithm.replace("-", "_") for name in algorithms]
    named = {abspath(path) for path in paths}
    failed = False
    with progress_bar() as advance:
        rows = hash_files(
            paths,
            [{"algorithm": name, **given} for name in algorithms],
            grade=grade or "fast",
            upright=upright is not False,
            extensions=extensions_of(endings, popular),
            workers=workers,
            progress=advance,
        )

        def told() -> Iterator[dict[str, Any]]:
            nonlocal failed
            for row in rows:
                if "skipped" in row:
                    click.echo(f"skipped {row['path']}: {row['skipped']}", err=True)
                    failed = failed or row["path"] in named
                yield row

        stream(told(), style, columns)
    if failed:
        raise click.exceptions.Exit(1)


@app.command()
@format_option
def formats(style: str) -> None:
    """List the image formats: their extensions, and what reads them here."""
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


@app.command()
@click.argument("query", metavar="IMAGE_OR_HASH")
@index_option
@click.option(
    "--max-distance",
    type=distance_type,
    metavar="N|auto",
    help="Matches only: those by hash within N, inclusive, or what calibrate recommends.",
)
@click.option("--limit", type=int, default=10, show_default=True, help="At most so many matches.")
@click.option("--first", is_flag=True, help="The best match only.")
@click.option(
    "--crops/--no-crops", default=None, help="Look for parts of pictures (if the index has them)."
)
@click.option(
    "--draw",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw the matches, and where the image lies in each, to a picture.",
)
@format_option
def search(
    query: str,
    directory: str,
    max_distance: float | Literal["auto"] | None,
    limit: int,
    first: bool,
    crops: bool | None,
    draw: str | None,
    style: str,
) -> None:
    """Find the pictures that match an image file or a hash in hex, and the nearest others.

    The stage says why one matches: digest (equal files), hash (equal hashes, or within
    --max-distance), crop (one shows a part of the other: box is the part, in pixels) or nearest (no
    match). The distance counts differing bits; similarity is 1 - distance / bits.
    """
    with open_index(directory) as opened:
        matches = opened.search(
            query, limit=1 if first else limit, max_distance=max_distance, crops=crops
        )
        if draw:
            from hashlens.outline import save_matches

            save_matches(matches, draw, query=query if isfile(query) else None)
        places = any(match.place for match in matches)
        rows = [_match_row(match, places=places or style != "table") for match in matches]
        columns = (*MATCH_COLUMNS, *(PLACE_COLUMNS if places else ()))
        show(rows, style, columns if style == "table" else tuple(rows[0]) if rows else ())


def _match_row(match: Match, *, places: bool) -> dict[str, Any]:
    place = {name: getattr(match, name) for name in (*PLACE_COLUMNS, *MORE_OF_PLACE)}
    return {
        "distance": match.distance,
        "similarity": match.similarity,
        "stage": match.stage,
        "path": match.path,
        **(place if places else {}),
        **match.row,
    }


def _query_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what a query needs."""
    for option in (
        format_option,
        click.option(
            "--limit", type=int, help="At most so many rows, unless the query has a limit."
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


@app.command()
@_query_options
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME=FILE",
    help="A plan, or other JSON Lines or CSV, to query by this name; repeatable.",
)
def sql(
    query: str,
    directory: str,
    params: tuple[str, ...],
    limit: int | None,
    style: str,
    tables: tuple[str, ...],
) -> None:
    """Run a query: select ... from txtai ...

    Columns: id, path, text (the hash), width, height, bytes, mtime, format, file_digest,
    pixel_digest, skipped, object (the thumbnail). Functions: distance(a, b), distance(a, b,
    metric), similarity(a, b). What was decided is in the table decisions; with --table, files are
    tables too, and an index is not needed.
    """
    if tables:
        from hashlens.tables import query_tables, read_records

        given = {name: read_records(path) for name, path in named_values(tables, "--table")}
        values = {name: number(value) for name, value in named_values(params, "--param")}
        show(query_tables(query, given, values, limit=limit), style)
        return
    with open_index(directory) as opened:
        bound = _bound(query, params, opened)
        show(opened.sql(query, bound, limit=limit), style)


@app.command()
@_query_options
def explain(
    query: str, directory: str, params: tuple[str, ...], limit: int | None, style: str
) -> None:
    """Run a query, and tell which way it went: packed codes, or a full scan and why."""
    from dataclasses import asdict

    with open_index(directory) as opened:
        bound = _bound(query, params, opened)
        show_one(asdict(opened.explain(query, bound, limit=limit)), style)


@app.command()
@index_option
@format_option
def info(directory: str, style: str) -> None:
    """Show what an index is made of."""
    with open_index(directory) as opened:
        show_one(opened.info(), style)


@app.command()
@click.argument("config", type=click.Path(), metavar="CONFIG.YML")
@click.argument("elements", nargs=-1, metavar="[ELEMENT]...")
@click.option("--workflow", metavar="NAME", help="Which workflow, if there are several.")
@format_option
def run(config: str, elements: tuple[str, ...], workflow: str | None, style: str) -> None:
    """Run a workflow of a txtai application file, on its own elements or those given here."""
    from hashlens.run import run as run_config

    show_one(run_config(config, elements, workflow=workflow), style)


for command in (calibrate, compare, duplicates, evaluate, *COMMANDS):
    app.add_command(command)


def _draw_hash(
    paths: tuple[str, ...], algorithms: tuple[str, ...], given: dict[str, Any], draw: str
) -> None:
    from hashlens.bitmap import draw_hash
    from hashlens.outline import save

    if len(paths) != 1 or not isfile(paths[0]) or len(algorithms) != 1:
        msg = "--draw takes one image file and one algorithm"
        raise click.UsageError(msg)
    save(draw_hash(paths[0], algorithm=algorithms[0], **given), draw)


def _crops(crops: bool | None, keypoints: int | None) -> dict[str, int]:
    """Read what a new index is to have of crops; nothing where nothing is said."""
    if crops is False and keypoints:
        msg = "--no-crops and --keypoints exclude each other"
        raise click.UsageError(msg)
    if crops is None and keypoints is None:
        return {}
    if crops is False:
        return {"keypoints": 0}
    from hashlens.crops.keypoints import KEYPOINTS

    return {"keypoints": KEYPOINTS if keypoints is None else keypoints}


def _bound(query: str, items: Sequence[str], opened: ImageIndex) -> dict[str, Any]:
    """Read `--param`: @FILE is a picture, a number is one, unless it is compared as a hash."""
    from hashlens.sql import hash_parameters

    hashes = hash_parameters(query, opened.settings.digits)
    bound: dict[str, Any] = {}
    for name, value in named_values(items, "--param"):
        if value.startswith("@"):
            bound[name] = Path(value[1:])
        else:
            bound[name] = value if name in hashes else number(value)
    return bound


def _show_report(report: Report, opened: ImageIndex, style: str) -> None:
    from dataclasses import asdict

    if style == "json":
        show_one({**asdict(report), "images": report.images, "index": str(opened.path)}, style)
    elif style == "csv":
        show([asdict(item) for item in report.skipped], style, ("path", "reason"))
    else:
        files = report.images + len(report.skipped)
        print(f"indexed {report.images} of {files} images in {opened.path}")
        parts = (
            (report.hashed, "hashed"),
            (report.unchanged, "unchanged"),
            (report.moved, "moved"),
            (report.removed, "removed"),
            (report.ignored, "other files passed over"),
        )
        print("  " + ", ".join(f"{count} {what}" for count, what in parts))
        reasons: dict[str, list[str]] = {}
        for item in report.skipped:
            reasons.setdefault(item.reason, []).append(item.path)
        for reason, paths in sorted(reasons.items(), key=lambda item: -len(item[1])):
            _show_paths(f"skipped {len(paths)}: {reason}", paths, "skipped is not null")
        if report.uncroppable:
            what = "no crop fingerprint, too small or without texture"
            _show_paths(f"{what}: {len(report.uncroppable)}", report.uncroppable, "keypoints = 0")


def _show_paths(title: str, paths: Sequence[str], condition: str) -> None:
    print(title)
    for path in paths[:MOST_SKIPPED]:
        print(f"  {path}")
    if len(paths) > MOST_SKIPPED:
        print(f"  … and {len(paths) - MOST_SKIPPED} more: select path from txtai where {condition}")
