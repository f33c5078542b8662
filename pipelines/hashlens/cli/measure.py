"""Commands that measure: distances of a collection, and how well pictures are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hashlens.cli.options import format_option, index_option, open_index, progress_bar
from hashlens.cli.output import show, show_one

if TYPE_CHECKING:
    from hashlens.neighbors.calibration import Calibration

MOST_LINES = 24  # lines of the table, besides the recommended distance and the last


@click.command()
@index_option
@click.option(
    "--column",
    default="text",
    show_default=True,
    metavar="NAME",
    help="Column of the hash: text, or the column of a further hash.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the sample of a large collection.",
)
@format_option
def calibrate(directory: str, column: str, seed: int, style: str) -> None:
    """Estimate how many false matches each --max-distance gives in this collection.

    Measures the distances between its own pictures, and estimates how many unrelated pictures lie
    within each distance. Pairs seen are the pairs measured, near-duplicates included. For a search,
    the largest distance is recommended at which one query in a hundred finds a wrong picture. For
    groups and plans, it is the largest with 0.1 wrong pairs in the whole collection, and never more
    than copies need.
    """
    with open_index(directory) as opened:
        found = opened.calibrate(column, seed=seed)
    if style == "json":
        show_one(_facts(found), style)
    elif style == "csv":
        show(found.table(), style)
    else:
        _show_lines(found)


def _facts(found: Calibration) -> dict[str, Any]:
    return {
        "max_distance": found.max_distance,
        "max_group_distance": found.max_group_distance,
        "max_verified_distance": found.max_verified_distance,
        "reach": found.reach,
        "rows": found.rows,
        "bits": found.bits,
        "pairs": found.pairs,
        "exact": found.exact,
        "weak": found.is_weak,
        "table": found.table(),
    }


def _show_lines(found: Calibration) -> None:
    """Print the table up to the first distance with false matches, and the recommendation."""
    table = found.table()
    last = next(row["max_distance"] for row in table if row["false_matches"] > 1)
    best, groups = found.max_distance, found.max_group_distance
    step = 1 + int(last) // MOST_LINES
    lines = [
        {**row, "": _marks(row["max_distance"], best, groups)}
        for row in table[: int(last) + 1]
        if row["max_distance"] % step == 0 or row["max_distance"] in (best, groups, last)
    ]
    show(lines, "table", tuple(lines[0]))
    print(f"\n{_recommendation(found)}")
    if groups is not None:
        pairs = f"about {_short(found.false_pairs(groups))} false pairs"
        print(f"groups: max_distance {groups}, {pairs}")
    looked = found.max_verified_distance
    pairs = f"about {_short(found.false_pairs(looked))} false pairs to look at"
    print(f"plans, and groups with a second look: max_distance {looked}, {pairs}")
    if not found.exact:
        print(f"measured: {found.pairs:,} pairs of a random sample")
    if found.is_weak:
        print(f"{found.rows} images are few: take it for a hint")


def _marks(distance: float, search: int | None, groups: int | None) -> str:
    """Return for what a distance is recommended."""
    marked = {"for search": search, "for groups": groups}
    words = [word for word, best in marked.items() if distance == best]
    return f"recommended {', '.join(words)}" if words else ""


def _recommendation(found: Calibration) -> str:
    best = found.max_distance
    if best is None:
        return (
            f"no max_distance: with equal hashes only, still about {_short(found.false_matches(0))}"
            f" false matches per query among {found.rows:,} images; a hash of more bits may do"
        )
    return (
        f"max_distance {best}: about {_short(found.false_matches(best))} false matches per query, "
        f"{_short(found.false_pairs(best))} false pairs among {found.rows:,} images"
    )


def _short(number: float) -> str:
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--queries", type=int, metavar="N", help="Queries per attack (all pictures).")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the split and the attacks."
)
@click.option(
    "--attack", "attacks", multiple=True, metavar="NAME", help="Only this attack; repeatable."
)
@click.option(
    "--distractors",
    multiple=True,
    type=click.Path(exists=True),
    metavar="DIR",
    help="More pictures for the database; repeatable.",
)
@click.option(
    "--absent",
    multiple=True,
    type=click.Path(exists=True),
    metavar="DIR",
    help="Pictures that are queries but not in the database; repeatable.",
)
@click.option(
    "--rivals/--no-rivals", default=True, show_default=True, help="Also measure other methods."
)
@click.option(
    "--keypoints", type=int, default=200, show_default=True, help="Keypoints stored per picture."
)
@click.option(
    "--out", metavar="DIR", help="Write accuracy.md, accuracy.json and accuracy.png to DIR."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"], case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print the result: as Markdown, or in full as JSON.",
)
@click.option(
    "--workers", type=int, metavar="N", help="Number of processes (one for each processor)."
)
def evaluate(
    folder: str, attacks: tuple[str, ...], out: str | None, style: str, **options: Any
) -> None:
    """Measure how well the pictures of a folder are found again after crops, edits and the like.

    Half of the pictures are attacked and looked for in an index of all pictures. On the other half,
    thresholds are chosen for other methods, such as the hashes of ImageHash. Takes minutes for
    hundreds of pictures.
    """
    from hashlens.evaluation.plot import require_matplotlib
    from hashlens.evaluation.run import evaluate as measure

    if out is not None:
        require_matplotlib()  # fail before the work, not after it
    with progress_bar() as advance:
        card = measure(folder, attacks=attacks or None, progress=advance, **options)
    if out is not None:
        card.save(out)
    print(card.to_json() if style == "json" else card.to_markdown(), end="")


COMMANDS = (calibrate, evaluate)
