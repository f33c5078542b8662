"""Commands that clean up a collection: groups, reports, decisions, plans, and the way back."""

from __future__ import annotations

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
from hashlens.model import ACTIONS
from hashlens.schema import SHOWN

if TYPE_CHECKING:
    from hashlens.grouping.groups import Groups
    from hashlens.index.image_index import ImageIndex
    from hashlens.model import Link, Member, Outcome

GROUP_COLUMNS = ("group", "keep", "distance", *SHOWN, "reason")
LINK_COLUMNS = ("part", "whole", "box", "correlation")
MEMBER_FIELDS = ("distance", *SHOWN, "format")

group_options = all_of(
    index_option,
    click.option(
        "--max-distance",
        type=distance_type,
        default="auto",
        show_default=True,
        metavar="N|auto",
        help="Inclusive bound within a group; auto: what calibrate recommends, or a sixteenth of "
        "the bits, with fewer than 50 images.",
    ),
    click.option(
        "--linkage",
        type=click.Choice(["complete", "connected"]),
        default="complete",
        show_default=True,
        help="complete: all pairs of a group within the bound; connected: chains, too.",
    ),
    click.option("--metric", metavar="NAME", help="Metric of distances (that of the index)."),
    click.option(
        "--between",
        nargs=2,
        type=click.Path(exists=True, file_okay=False),
        metavar="A B",
        help="Only pairs of an image in folder A and an image in folder B.",
    ),
    click.option(
        "--not-same-folder", is_flag=True, help="Only pairs of images in different folders."
    ),
    click.option(
        "--crops", is_flag=True, help="Find pictures that show a part of one another, too."
    ),
    click.option(
        "--keep",
        multiple=True,
        metavar="RULE",
        help="What decides which image is kept, repeatable, in order: pixels, lossless, bytes, "
        "sharpness, newest, oldest, folder=DIR, path (pixels, lossless, bytes, sharpness, oldest, "
        "path).",
    ),
    workers_option,
)


@click.command()
@group_options
@click.option(
    "--borderline",
    type=click.IntRange(min=1),
    metavar="N",
    help="List the N pairs nearest the bound instead.",
)
@format_option
def groups(style: str, borderline: int | None, directory: str, **terms: Any) -> None:
    """List the groups of pictures that look the same, and which of each to keep, and why.

    Groups do not depend on the order in which pictures were indexed. Flat pictures, which all hash
    alike, are only grouped where their files are equal. Links of --crops say that one picture shows
    a part of another; they are never merged into groups.
    """
    with open_index(directory) as opened:
        found = _groups(opened, terms)
        if borderline:
            columns = ("distance", "grouped", "first", "second")
            rows = [
                {name: getattr(pair, name) for name in columns}
                for pair in found.borderline(borderline)
            ]
            show(rows, style, columns)
        elif style == "json":
            _print_json(found)
        else:
            records = found.records()
            show(records, style, GROUP_COLUMNS)
            if style == "table":
                click.echo(_in_short(found, len(records)), err=True)
            if found.links and style == "table":
                click.echo()
                show(map(_link, found.links), style, LINK_COLUMNS)


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
    """Draw the groups: a contact sheet in one HTML file, which needs no network; mosaics in PNG."""
    if not (html or mosaics):
        msg = "say what to write: --html FILE, --mosaics DIR, or both"
        raise click.UsageError(msg)
    with open_index(directory) as opened:
        found = _groups(opened, terms)
    written: dict[str, Any] = {"groups": len(found), "links": len(found.links)}
    with progress_bar() as advance:
        if html:
            skipped = found.save_html(html, workers=terms["workers"], progress=advance)
            written |= {"html": html, "not_readable": len(skipped)}
        if mosaics:
            written["mosaics"] = len(found.save_mosaics(mosaics, progress=advance))
    show_one(written, style)


@click.command()
@group_options
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    default="quarantine",
    show_default=True,
    help="What to do with duplicates.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where files go (quarantine: the index's directory with -quarantine).",
)
@click.option(
    "--backup",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Copy keepers to DIR/keep and the others to DIR/remove before.",
)
@click.option(
    "--protect",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Never touch what is in this folder; repeatable.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="plan.jsonl",
    show_default=True,
    metavar="FILE",
    help="The plan: .jsonl or .csv.",
)
@format_option
def plan(
    action: str,
    to: str | None,
    backup: str | None,
    protect: tuple[str, ...],
    out: str,
    style: str,
    directory: str,
    **terms: Any,
) -> None:
    """Write down what to do with the duplicates, for review: no file is touched.

    The plan has a line for each picture of each group, with the reason. Lines may be removed, or
    their action changed to keep. `hashlens apply` carries it out.
    """
    with open_index(directory) as opened:
        found = _groups(opened, terms)
        to = to or (f"{opened.path}-quarantine" if action == "quarantine" else None)
    made = found.plan(action, to=to, protect=protect, backup=backup)
    made.save(out)
    summary = made.summary()
    if style != "json":
        summary = {name: _in_words(value) for name, value in summary.items()}
    show_one({"plan": out, **summary}, style)


@click.command()
@click.argument("plan", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--journal",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="What was done (PLAN with .journal.jsonl).",
)
@format_option
def apply(plan: str, journal: str | None, style: str) -> None:
    """Carry out a plan: each file is checked, each step is written down, and can be undone.

    A file that has changed since is left alone, and told of. After a crash, the same command goes
    on. The index follows with the next `hashlens index`.
    """
    from hashlens.cleanup.apply import apply as apply_plan

    with progress_bar() as advance:
        outcome = apply_plan(plan, journal, progress=advance)
    _show_outcome(outcome, style)


@click.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False))
@format_option
def undo(journal: str, style: str) -> None:
    """Take back what a plan did: names, bytes and times are as before.

    What was deleted for good stays so; a place that something else has taken is left alone, and
    told of.
    """
    from hashlens.cleanup.undo import undo as undo_journal

    with progress_bar() as advance:
        outcome = undo_journal(journal, progress=advance)
    _show_outcome(outcome, style)


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--as",
    "verdict",
    type=click.Choice(["not-duplicate", "keep-both", "forget"]),
    required=True,
    help="What they are to each other; forget takes a decision back.",
)
@index_option
@format_option
def decide(first: str, second: str, verdict: str, directory: str, style: str) -> None:
    """Remember of two pictures that they are no duplicates, or that both are kept.

    They are known by their pixels, whatever becomes of their files, and never grouped again. To
    forget a decision on files that are gone, give the digests that `decisions --format json` shows.
    """
    from dataclasses import asdict

    with open_index(directory) as opened:
        if verdict == "forget":
            forgotten = opened.decisions.forget(first, second)
            show_one({"forgotten": forgotten, "first": first, "second": second}, style)
        else:
            show_one(asdict(opened.decide(first, second, verdict)), style)


@click.command()
@click.option(
    "--export", type=click.Path(dir_okay=False), metavar="FILE", help="Write them as JSON Lines."
)
@click.option(
    "--import",
    "source",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Add those of an export.",
)
@index_option
@format_option
def decisions(export: str | None, source: str | None, directory: str, style: str) -> None:
    """List what was decided; in SQL: select ... from decisions."""
    with open_index(directory) as opened:
        if source:
            opened.decisions.load(source)
        if export:
            opened.decisions.save(export)
        rows = opened.tables()["decisions"]
    columns = ("verdict", "first_path", "second_path", "decided")
    show(rows, style, columns if style == "table" else ())


@click.command("map")
@index_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE",
    help="The picture, in the format of its extension.",
)
@click.option(
    "--csv", "table", type=click.Path(dir_okay=False), metavar="FILE", help="The places as CSV."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the layout.")
@workers_option
@format_option
def map_(
    out: str, table: str | None, seed: int, workers: int | None, directory: str, style: str
) -> None:
    """Draw all pictures in two dimensions, those that look alike beside each other."""
    with open_index(directory) as opened, progress_bar() as advance:
        skipped = opened.map(out, csv=table, seed=seed, workers=workers, progress=advance)
        count = opened.count()
    show_one({"map": out, "images": count, "not_readable": len(skipped)}, style)


def _groups(opened: ImageIndex, terms: dict[str, Any]) -> Groups:
    given = {name: value for name, value in terms.items() if name != "keep" or value}
    with progress_bar() as advance:
        return opened.groups(progress=advance, **given)


def _in_short(found: Groups, images: int) -> str:
    extra = images - len(found)
    return f"max_distance {found.max_distance:g}: {len(found)} groups, {extra} duplicates"


def _print_json(found: Groups) -> None:
    groups = (
        {
            "keeper": _member(group.keeper),
            "reason": group.reason,
            "diameter": group.diameter,
            "duplicates": [_member(member) for member in group.duplicates],
        }
        for group in found
    )
    facts = {
        "max_distance": found.max_distance,
        "linkage": found.terms.linkage,
        "metric": found.terms.metric,
    }
    print_lists(facts, groups=groups, links=map(_link, found.links))


def _member(member: Member) -> dict[str, Any]:
    return {name: getattr(member, name) for name in MEMBER_FIELDS}


def _link(link: Link) -> dict[str, Any]:
    return {
        "part": link.part.path,
        "whole": link.whole.path,
        "box": list(link.place.box),
        "fractions": list(link.place.fractions),
        "outline": [list(corner) for corner in link.place.outline],
        "mirrored": link.place.mirrored,
        "inliers": link.place.inliers,
        "correlation": link.place.correlation,
    }


def _in_words(value: Any) -> Any:
    return f"{value['files']} files, {value['bytes']:,} bytes" if isinstance(value, dict) else value


def _show_outcome(outcome: Outcome, style: str) -> None:
    """Print what was done, and fail where something was not."""
    record: dict[str, Any] = {
        "done": outcome.done,
        "earlier": outcome.earlier,
        "freed_bytes": outcome.bytes,
        "left_alone": len(outcome.skipped),
        "journal": outcome.journal,
    }
    if style == "json":
        record["skipped"] = [{"path": item.path, "reason": item.reason} for item in outcome.skipped]
    show_one(record, style)
    for item in outcome.skipped:
        click.echo(f"left alone {item.path}: {item.reason}", err=True)
    if outcome.skipped:
        raise click.exceptions.Exit(1)


COMMANDS = (groups, report, plan, apply, undo, decide, decisions, map_)
