"""Commands that clean up: plans, their execution and the way back, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hashlens.cleanup.actions import ACTIONS, DEFAULT_ACTION
from hashlens.cli.group import group_options, grouped
from hashlens.cli.options import format_option, index_option, open_index, progress_bar
from hashlens.cli.output import show, show_one
from hashlens.names import as_text

if TYPE_CHECKING:
    from hashlens.cleanup.actions import Outcome
    from hashlens.index.image_index import ImageIndex


@click.command()
@group_options
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    default=DEFAULT_ACTION,
    show_default=True,
    help="Action for duplicates.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Folder that files go to (quarantine: the index's directory with -quarantine).",
)
@click.option(
    "--backup",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="First copy keepers to DIR/keep and the others to DIR/remove.",
)
@click.option(
    "--protect",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Never touch files in this folder; repeatable.",
)
@click.option(
    "--hard-links", is_flag=True, help="Act on hard links, too, although they take no room."
)
@click.option(
    "--partners/--no-partners",
    default=True,
    help="Move sidecars, live photos and RAW files with their pictures (yes).",
)
@click.option(
    "--links",
    is_flag=True,
    help="With --crops, also plan pictures that show all of a keeper, mirrored, stretched or cut "
    "at the edges.",
)
@click.option("--force", is_flag=True, help="Overwrite a plan that was edited.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="plan.jsonl",
    show_default=True,
    metavar="FILE",
    help="File of the plan: .jsonl or .csv.",
)
@format_option
def plan(
    action: str,
    to: str | None,
    backup: str | None,
    protect: tuple[str, ...],
    hard_links: bool,
    partners: bool,
    links: bool,
    force: bool,
    out: str,
    style: str,
    directory: str,
    **terms: Any,
) -> None:
    """Write a plan for the duplicates, for review: no file is touched.

    The plan has a line for each picture of each group, with the reason. Remove lines, change their
    action to keep, or exchange the actions of the keeper and a duplicate. `hashlens apply` carries
    the plan out.
    """
    if links and not terms["crops"]:
        msg = "--links needs the links that --crops finds: add --crops"
        raise click.UsageError(msg)
    with open_index(directory) as opened:
        found = grouped(opened, terms)
    for folder in protect:
        if not found.has_images_in(folder):
            click.echo(f"hashlens: no picture of the index is in protect {folder}", err=True)
    how: Any = {"to": to, "protect": protect, "backup": backup, "verify": terms["verify"]}
    how |= {"hard_links": hard_links, "partners": partners, "links": links}
    with progress_bar() as advance:
        made = found.plan(action, **how, workers=terms["workers"], progress=advance)
    made.save(out, force=force)
    summary = made.summary()
    if style != "json":
        summary = {name: _in_words(value) for name, value in summary.items()}
    show_one({"plan": out, **summary}, style)
    if made.doubts:
        text = "hashlens: pictures that hash like another and look different, so left out: "
        text += f"{len(made.doubts)}; see hashlens groups --borderline 20, or report"
        click.echo(text, err=True)


follow_option = click.option(
    "--index",
    "directory",
    default=".hashlens",
    show_default=True,
    metavar="DIR",
    help="Index whose rows are brought up to date, if it is there.",
)


@click.command()
@click.argument("plan", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--journal",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="File of the steps done (plan.journal.jsonl; of plan.csv: plan.csv.journal.jsonl).",
)
@click.option("--remove-empty", is_flag=True, help="Remove folders that the plan has emptied.")
@follow_option
@format_option
def apply(plan: str, journal: str | None, remove_empty: bool, directory: str, style: str) -> None:
    """Carry out a plan: each file is checked, each step is written down and can be undone.

    A file that has changed since is left alone and reported. After a crash, run the same command
    again. Then the rows of the index are brought up to date.
    """
    from hashlens.cleanup.apply import apply as apply_plan

    how: Any = {"remove_empty": remove_empty}
    with progress_bar() as advance, _index_or_none(directory) as opened:
        carry_out = opened.apply if opened else apply_plan
        outcome = carry_out(plan, journal, progress=advance, **how)
    _show_outcome(outcome, style)


@click.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False))
@follow_option
@format_option
def undo(journal: str, directory: str, style: str) -> None:
    """Undo a plan: names, bytes and times are as before.

    Files deleted for good stay deleted. A path that another file has taken is left alone and
    reported. Then the rows of the index are brought up to date.
    """
    from hashlens.cleanup.undo import undo as undo_journal

    with progress_bar() as advance, _index_or_none(directory) as opened:
        outcome = (opened.undo if opened else undo_journal)(journal, progress=advance)
    _show_outcome(outcome, style)


def _index_or_none(directory: str) -> AbstractContextManager[ImageIndex | None]:
    """Open the index in a directory; without one, give None."""
    from hashlens.index.directory import exists

    return open_index(directory) if exists(Path(directory)) else nullcontext()


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@click.option(
    "--as",
    "verdict",
    type=click.Choice(["not-duplicate", "keep-both", "keeper", "forget"]),
    required=True,
    help="Verdict on the two pictures, or keeper for one; forget takes a decision back.",
)
@index_option
@format_option
def decide(first: str, second: str | None, verdict: str, directory: str, style: str) -> None:
    """Decide that two pictures are not duplicates, that both are kept, or that A is the keeper.

    Of two pictures: decide A B --as keep-both. Of one, which must not be damaged: decide A --as
    keeper.

    Pictures are known by their pixels, so a decision outlives their files and holds for copies; the
    two are never grouped again. A keeper is kept before all others of its group, whatever the rules
    say. To forget a decision on files that are gone, give the digests that `decisions --format
    json` shows.
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
    "--export",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the decisions as JSON Lines.",
)
@click.option(
    "--import",
    "source",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Add the decisions of an export.",
)
@index_option
@format_option
def decisions(export: str | None, source: str | None, directory: str, style: str) -> None:
    """List the decisions; in SQL: select ... from decisions."""
    with open_index(directory) as opened:
        if source:
            opened.decisions.load(source)
        if export:
            opened.decisions.save(export)
        rows = opened.tables()["decisions"]
    columns = ("verdict", "first_path", "second_path", "decided")
    show(rows, style, columns if style == "table" else ())


def _in_words(value: Any) -> Any:
    return f"{value['files']} files, {value['bytes']:,} bytes" if isinstance(value, dict) else value


def _places(went: Mapping[str, int], style: str) -> Any:
    """Return the folders that files went to, in words unless the form of output has mappings."""
    if style == "json":
        return dict(went)
    return "; ".join(f"{folder} ({count} files)" for folder, count in went.items())


def _show_outcome(outcome: Outcome, style: str) -> None:
    """Print what was done; fail if a file was left alone."""
    record: dict[str, Any] = {
        "done": outcome.done,
        "earlier": outcome.earlier,
        "freed_bytes": outcome.bytes,
        "left_alone": len(outcome.skipped),
        "went_to": _places(outcome.went, style),
        "journal": outcome.journal,
    }
    if style == "json":
        record["skipped"] = [{"path": item.path, "reason": item.reason} for item in outcome.skipped]
    show_one(as_text(record), style)
    for item in outcome.skipped:
        click.echo(f"left alone {item.path}: {item.reason}", err=True)
    if outcome.skipped:
        raise click.exceptions.Exit(1)


COMMANDS = (plan, apply, undo, decide, decisions)
