"""Commands that build: index, info, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hashlens.cli.options import (
    HashingCommand,
    extensions_of,
    files_options,
    format_option,
    hash_options,
    hash_params,
    index_option,
    open_index,
    progress_bar,
)
from hashlens.cli.output import show, show_one
from hashlens.errors import ParameterError
from hashlens.names import as_text

if TYPE_CHECKING:
    from hashlens.index.image_index import ImageIndex
    from hashlens.model import Report


MOST_SKIPPED = 20  # files listed for each reason
MOST_KINDS = 8  # kinds of files passed over that are listed


@click.command(cls=HashingCommand)
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
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
@click.option(
    "--thumbnails/--no-thumbnails", default=None, help="Store small pictures in a new index (no)."
)
@click.option(
    "--pixel-digests/--no-pixel-digests",
    default=None,
    help="Store digests of pixels in a new index (no).",
)
@click.option(
    "--crops/--no-crops",
    default=None,
    help="Let a new index also find pictures by a part of them (no).",
)
@click.option(
    "--keypoints", type=int, metavar="N", help="Keypoints stored per picture, at most (200)."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what fits, as in .gitignore; repeatable; the index remembers the patterns.",
)
@click.option("--no-exclude", is_flag=True, help="Forget the patterns that the index remembers.")
@click.option(
    "--relative/--absolute",
    default=None,
    help="Store paths in a new index relative to the folder that holds the index directory, or "
    "absolute (default).",
)
@click.option(
    "--moved",
    is_flag=True,
    help="Adopt the rows of moved files, known by name, size and time, or by their bytes.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Drop the rows of folders without pictures, too: a disk may not be mounted.",
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
    exclude: tuple[str, ...],
    no_exclude: bool,
    moved: bool,
    prune: bool,
    endings: tuple[str, ...],
    popular: bool,
    any_name: bool,
    workers: int | None,
    style: str,
    **settings: Any,
) -> None:
    """Bring an index up to date with folders and files.

    Only new and changed files are read; rows of vanished files are dropped. Rows of folders that
    are gone or empty stay, since a disk may not be mounted. Files that cannot be read are skipped,
    listed, and stored in the index with the reason. Trash, thumbnails and snapshots of systems are
    left out, unless they are named.
    """
    if exclude and no_exclude:
        msg = "--exclude and --no-exclude exclude each other"
        raise click.UsageError(msg)
    from hashlens.index.directory import exists
    from hashlens.index.image_index import ImageIndex

    if not exists(Path(directory)):
        _require_paths(paths)  # before there is a directory for the index
    given = {name: value for name, value in settings.items() if value is not None}
    given |= hash_params(params) | ({"also": also} if also else {}) | _crops(crops, keypoints)
    with ImageIndex.open(directory, eager=False, content=content, **given) as opened:
        with progress_bar() as advance:
            report = opened.index(
                paths,
                exclude=exclude if exclude or no_exclude else None,
                moved=moved,
                prune=prune,
                extensions=extensions_of(endings, popular),
                any_name=any_name,
                workers=workers,
                progress=advance,
            )
        _show_report(report, opened, style, any_name=any_name)
    for pattern in exclude:
        if not pattern.startswith("!") and pattern not in report.left_out:
            click.echo(f"hashlens: --exclude {pattern!r} fits nothing", err=True)


def _require_paths(paths: Sequence[str]) -> None:
    """Raise ParameterError for a path that does not exist."""
    for path in paths:
        if not lexists(path):
            msg = f"no such file or directory: {path}"
            raise ParameterError(msg)


@click.command()
@index_option
@format_option
def info(directory: str, style: str) -> None:
    """Show the settings and contents of an index."""
    with open_index(directory) as opened:
        show_one(opened.info(), style)


@click.command()
@click.argument("config", type=click.Path(), metavar="CONFIG.YML")
@click.argument("elements", nargs=-1, metavar="[ELEMENT]...")
@click.option("--workflow", metavar="NAME", help="Name of the workflow, if there are several.")
@format_option
def run(config: str, elements: tuple[str, ...], workflow: str | None, style: str) -> None:
    """Run a workflow of a txtai application file, on its own elements or given ones."""
    from hashlens.workflows.run import run as run_config

    show_one(run_config(config, elements, workflow=workflow), style)


def _crops(crops: bool | None, keypoints: int | None) -> dict[str, int]:
    """Return the setting of keypoints for `--crops` and `--keypoints`; none if neither is given."""
    if crops is False and keypoints:
        msg = "--no-crops and --keypoints exclude each other"
        raise click.UsageError(msg)
    if crops is None and keypoints is None:
        return {}
    if crops is False:
        return {"keypoints": 0}
    from hashlens.crops.keypoints import KEYPOINTS

    return {"keypoints": KEYPOINTS if keypoints is None else keypoints}


def _show_report(report: Report, opened: ImageIndex, style: str, *, any_name: bool) -> None:
    from dataclasses import asdict

    if style == "json":
        record = {
            **asdict(report),
            "ignored": report.ignored,
            "images": report.images,
            "index": str(opened.path),
        }
        show_one(as_text(record), style)
    elif style == "csv":
        show([as_text(asdict(item)) for item in report.skipped], style, ("path", "reason"))
    else:
        files = report.images + len(report.skipped)
        print(f"indexed {report.images} of {files} images in {opened.path}")
        parts = (
            (report.hashed, "hashed"),
            (report.unchanged, "unchanged"),
            (report.moved, "moved"),
            (report.removed, "removed"),
        )
        print("  " + ", ".join(f"{count} {what}" for count, what in parts))
        _show_passed_over(report.passed_over, any_name=any_name)
        if report.left_out:
            found = ", ".join(f"{pattern} {count}" for pattern, count in report.left_out.items())
            print(f"  left out: {found}")
        for folder, count in report.away.items():
            print(f"  kept {count} rows: no picture is in {folder} (--prune drops them)")
        reasons: dict[str, list[str]] = {}
        for item in report.skipped:
            reasons.setdefault(item.reason, []).append(item.path)
        for reason, paths in sorted(reasons.items(), key=lambda item: -len(item[1])):
            _show_paths(f"skipped {len(paths)}: {reason}", paths, "skipped is not null")
        if report.uncroppable:
            what = "no crop fingerprint, too small or without texture"
            _show_paths(f"{what}: {len(report.uncroppable)}", report.uncroppable, "keypoints = 0")


def _show_passed_over(kinds: Mapping[str, int], *, any_name: bool) -> None:
    """Print the kinds of files passed over, and how many may be pictures with other names."""
    if not kinds:
        return
    from hashlens.images.kinds import seems_picture

    named = dict(islice(kinds.items(), MOST_KINDS))
    found = ", ".join(f"{count} {kind}" for kind, count in named.items())
    others = len(kinds) - len(named)
    rest = f" and {sum(kinds.values()) - sum(named.values())} of {others} other kinds"
    print(f"  passed over: {found}{rest if others else ''}")
    seeming = sum(count for kind, count in kinds.items() if seems_picture(kind))
    if seeming and not any_name:
        hint = "--any-name looks at the first bytes of all"
        print(f"  {seeming} of them look like pictures by name: {hint}")


def _show_paths(title: str, paths: Sequence[str], condition: str) -> None:
    print(title)
    for path in paths[:MOST_SKIPPED]:
        print(f"  {path}")
    if len(paths) > MOST_SKIPPED:
        print(f"  … and {len(paths) - MOST_SKIPPED} more: select path from txtai where {condition}")


COMMANDS = (index, info, run)
