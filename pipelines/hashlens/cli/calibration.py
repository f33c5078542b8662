"""The command that recommends a distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hashlens.cli.options import format_option, index_option, open_index
from hashlens.cli.output import show, show_one

if TYPE_CHECKING:
    from hashlens.neighbors.calibration import Calibration

MOST_LINES = 24  # of the table, besides the recommended one and the last


@click.command()
@index_option
@click.option(
    "--column",
    default="text",
    show_default=True,
    metavar="NAME",
    help="Which hash: text, or the column of a further one.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the sample of a large collection."
)
@format_option
def calibrate(directory: str, column: str, seed: int, style: str) -> None:
    """Tell which --max-distance gives how many false matches in this collection.

    Measures the distances between its own pictures, and estimates how many unrelated ones lie
    within each. Pairs seen are those measured, near-duplicates included. Recommended is the
    largest distance at which one query in a hundred finds a wrong picture.
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
        "rows": found.rows,
        "bits": found.bits,
        "pairs": found.pairs,
        "exact": found.exact,
        "weak": found.is_weak,
        "table": found.table(),
    }


def _show_lines(found: Calibration) -> None:
    """Print the table as far as it matters, and the recommendation."""
    table = found.table()
    last = next(row["max_distance"] for row in table if row["false_matches"] > 1)
    best = found.max_distance
    step = 1 + int(last) // MOST_LINES
    lines = [
        {**row, "": "recommended" if row["max_distance"] == best else ""}
        for row in table[: int(last) + 1]
        if row["max_distance"] % step == 0 or row["max_distance"] in (best, last)
    ]
    show(lines, "table", tuple(lines[0]))
    print(f"\n{_recommendation(found)}")
    if not found.exact:
        print(f"measured: {found.pairs:,} pairs of a random sample")
    if found.is_weak:
        print(f"{found.rows} images are few: take it for a hint")


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
