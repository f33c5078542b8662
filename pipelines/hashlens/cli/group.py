"""Commands that group: groups, report, map."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from hashlens.cli.options import (
    all_of,
    distance_type,
    format_option,
    index_option,
    open_index,
    progress_bar,
    workers_option,
)
from hashlens.cli.output import print_lists, show, show_one
from hashlens.names import as_text
from hashlens.report.records import group_record, link_record, picked
from hashlens.schema import SHOWN

if TYPE_CHECKING:
    from hashlens.grouping.groups import Groups
    from hashlens.index.image_index import ImageIndex

GROUP_COLUMNS = ("group", "keep", "distance", "turn", "same", *SHOWN, "reason")
LINK_COLUMNS = ("part", "whole", "box", "correlation")
PAIR_COLUMNS = ("distance", "grouped", "first", "second", "reason")
LINK_FIELDS = (
    *("part", "whole", "box", "fractions", "outline", "mirrored", "inliers"),
    "correlation",
)

group_options = all_of(
    index_option,
    click.option(
        "--max-distance",
        type=distance_type,
        default="auto",
        show_default=True,
        metavar="N|auto",
        help="Largest distance within a group, inclusive; auto: the distance that calibrate "
        "recommends for groups, or a sixteenth of the bits with fewer than 50 images.",
    ),
    click.option(
        "--linkage",
        type=click.Choice(["complete", "connected"]),
        default="complete",
        show_default=True,
        help="complete: all pairs of a group are within the distance; connected: chains, too.",
    ),
    click.option("--metric", metavar="NAME", help="Metric of distances (the metric of the index)."),
    click.option(
        "--between",
        nargs=2,
        type=click.Path(exists=True, file_okay=False),
        metavar="A B",
        help="Only pairs of an image in folder A and an image in folder B; other images do not "
        "take part.",
    ),
    click.option(
        "--not-same-folder", is_flag=True, help="Only pairs of images in different folders."
    ),
    click.option(
        "--crops", is_flag=True, help="Also find pictures that show a part of one another."
    ),
    click.option(
        "--only",
        type=click.Choice(["exact"]),
        help="Only groups of files with equal bytes, or with equal pixels.",
    ),
    click.option(
        "--turned",
        is_flag=True,
        help="Also copies that were turned by right angles or mirrored.",
    ),
    click.option(
        "--keep",
        multiple=True,
        metavar="RULE",
        help="Rule that chooses the image to keep, before the default rules (original, taken, "
        "exif, majority, pixels, source, lossless, bytes, oldest, path); repeatable, in order. "
        "Others: sharpness, newest, folder=DIR. A damaged picture is never kept against a sound "
        "one.",
    ),
    click.option(
        "--keep-only",
        multiple=True,
        metavar="RULE",
        help="Rule in place of the default rules; repeatable, in order.",
    ),
    click.option(
        "--verify/--no-verify",
        default=True,
        help="Compare each duplicate with its keeper once more, in colour and in detail (yes).",
    ),
    workers_option,
)


@click.command()
@group_options
@click.option(
    "--borderline",
    type=click.IntRange(min=1),
    metavar="N",
    help="Instead list N pairs: first those that --verify parts, then those nearest the largest "
    "distance.",
)
@format_option
def groups(style: str, borderline: int | None, directory: str, **terms: Any) -> None:
    """List the groups of pictures that look the same, and which of each to keep, and why.

    Groups do not depend on the order in which pictures were indexed. Flat pictures, which all hash
    alike, are grouped only if their files are equal. Links of --crops say that one picture shows a
    part of another; they are never merged into groups.
    """
    with open_index(directory) as opened:
        found = grouped(opened, terms)
        if borderline:
            pairs = found.borderline(borderline)
            show(as_text([asdict(pair) for pair in pairs]), style, PAIR_COLUMNS)
        elif style == "json":
            _print_json(found)
        else:
            _print_rows(found, style)


@click.command()
@group_options
@click.option(
    "--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write a contact sheet."
)
@click.option(
    "--mosaics", type=click.Path(file_okay=False), metavar="DIR", help="Write a PNG of each group."
)
@format_option
def report(html: str | None, mosaics: str | None, style: str, directory: str, **terms: Any) -> None:
    """Draw the groups: a contact sheet, one HTML file that needs no network; mosaics in PNG."""
    if not (html or mosaics):
        msg = "say what to write: --html FILE, --mosaics DIR, or both"
        raise click.UsageError(msg)
    with open_index(directory) as opened:
        found = grouped(opened, terms)
    written: dict[str, Any] = {"groups": len(found), "links": len(found.links)}
    if found.doubts:
        written["doubts"] = len(found.doubts)
    with progress_bar() as advance:
        if html:
            skipped = found.save_html(html, workers=terms["workers"], progress=advance)
            written |= {"html": html, "not_readable": len(skipped)}
        if mosaics:
            written["mosaics"] = len(found.save_mosaics(mosaics, progress=advance))
    show_one(written, style)


@click.command("map")
@index_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE",
    help="File of the picture, in the format of its extension.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the positions as CSV.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the layout.")
@workers_option
@format_option
def map_(
    out: str, table: str | None, seed: int, workers: int | None, directory: str, style: str
) -> None:
    """Draw all pictures on one sheet, so that pictures that look alike lie together."""
    with open_index(directory) as opened, progress_bar() as advance:
        skipped = opened.map(out, csv=table, seed=seed, workers=workers, progress=advance)
        count = opened.count()
    show_one({"map": out, "images": count, "not_readable": len(skipped)}, style)


def grouped(opened: ImageIndex, terms: dict[str, Any]) -> Groups:
    """Return the groups of an index by `group_options`, and say what of them fits nothing."""
    lists = ("keep", "keep_only")
    given = {name: value for name, value in terms.items() if name not in lists or value}
    with progress_bar() as advance:
        found = opened.groups(progress=advance, **given)
        gone = len(found.gone)
    if gone:
        text = f"hashlens: {gone} files are gone, and in no group: relocate finds them in another "
        text += "folder, forget and index --prune drop their rows"
        click.echo(text, err=True)
    for option in found.unmatched:
        click.echo(f"hashlens: no picture of the index is in {option}", err=True)
    return found


def _print_rows(found: Groups, style: str) -> None:
    """Print a row for each image; as a table, also a summary and the links."""
    rows = found.records()
    show(rows, style, GROUP_COLUMNS)
    if style == "table":
        duplicates = len(rows) - len(found)
        summary = f"max_distance {found.max_distance:g}: {len(found)} groups, "
        doubts = f"; {len(found.doubts)} pairs to look at (--borderline)" if found.doubts else ""
        click.echo(f"{summary}{duplicates} duplicates{doubts}", err=True)
        if found.links:
            click.echo()
            show(map(link_record, found.links), style, LINK_COLUMNS)


def _print_json(found: Groups) -> None:
    facts = {
        "max_distance": found.max_distance,
        "linkage": found.terms.linkage,
        "metric": found.terms.metric,
    }
    numbered = ({"group": number} | group_record(group) for number, group in enumerate(found, 1))
    links = (picked(link_record(link), LINK_FIELDS) for link in found.links)
    print_lists(
        facts,
        groups=numbered,
        links=links,
        doubts=as_text([asdict(doubt) for doubt in found.doubts]),
    )


COMMANDS = (groups, report, map_)
