"""Commands that find: search, sql, explain."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hashlens.cli.options import (
    distance_type,
    format_option,
    index_option,
    named_values,
    number,
    open_index,
    query_options,
)
from hashlens.cli.output import show, show_one
from hashlens.names import as_text
from hashlens.schema import REST_OF_PLACE, SHOWN, SHOWN_OF_PLACE

if TYPE_CHECKING:
    from hashlens.index.image_index import ImageIndex
    from hashlens.model import Match


MATCH_COLUMNS = ("distance", "similarity", "stage", *SHOWN)


@click.command()
@click.argument("query", metavar="IMAGE_OR_HASH")
@index_option
@click.option(
    "--max-distance",
    type=distance_type,
    metavar="N|auto",
    help="Only matches; a hash matches within N, inclusive, or the distance that calibrate "
    "recommends.",
)
@click.option("--limit", type=int, default=10, show_default=True, help="Maximum number of matches.")
@click.option("--first", is_flag=True, help="Only the best match.")
@click.option(
    "--crops/--no-crops",
    default=None,
    help="Also look for parts of pictures (default: if the index has keypoints).",
)
@click.option(
    "--draw",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw the matches, with the outline of the image in each, to a file.",
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

    The stage says why a picture matches: digest (equal files), hash (equal hashes, or within
    --max-distance), crop (one shows a part of the other: box is the part, in pixels) or nearest
    (not a match). The distance counts differing bits; similarity is 1 - distance / bits.
    """
    with open_index(directory) as opened:
        matches = opened.search(
            query, limit=1 if first else limit, max_distance=max_distance, crops=crops
        )
        if draw:
            from hashlens.report.matches import save_matches

            save_matches(matches, draw, query=query if isfile(query) else None)
        places = any(match.place for match in matches)
        rows = [_match_row(match, places=places or style != "table") for match in matches]
        columns = (*MATCH_COLUMNS, *(SHOWN_OF_PLACE if places else ()))
        show(rows, style, columns if style == "table" else tuple(rows[0]) if rows else ())


def _match_row(match: Match, *, places: bool) -> dict[str, Any]:
    place = {name: getattr(match, name) for name in (*SHOWN_OF_PLACE, *REST_OF_PLACE)}
    return {
        "distance": match.distance,
        "similarity": match.similarity,
        "stage": match.stage,
        "path": as_text(match.path),
        **(place if places else {}),
        **match.row,
    }


@click.command()
@query_options
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME=FILE",
    help="Query a plan, or other JSON Lines or CSV, by this name; repeatable.",
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
    metric), similarity(a, b). The table decisions has all decisions. With --table, files are
    tables, and an index is not needed.
    """
    if tables:
        from hashlens.sql.records import query_tables, read_records

        given = {name: read_records(path) for name, path in named_values(tables, "--table")}
        values = {name: number(value) for name, value in named_values(params, "--param")}
        show(query_tables(query, given, values, limit=limit), style)
        return
    with open_index(directory) as opened:
        bound = _bound(query, params, opened)
        show(opened.sql(query, bound, limit=limit), style)


@click.command()
@query_options
def explain(
    query: str, directory: str, params: tuple[str, ...], limit: int | None, style: str
) -> None:
    """Run a query, and show how it ran: on packed codes, or by a full scan and why."""
    from dataclasses import asdict

    with open_index(directory) as opened:
        bound = _bound(query, params, opened)
        show_one(asdict(opened.explain(query, bound, limit=limit)), style)


def _bound(query: str, items: Sequence[str], opened: ImageIndex) -> dict[str, Any]:
    """Return the values of `--param`.

    @FILE is a picture. A number is a number, unless the query compares it as a hash.
    """
    from hashlens.sql.checks import hash_parameters

    hashes = hash_parameters(query, opened.settings.digits)
    bound: dict[str, Any] = {}
    for name, value in named_values(items, "--param"):
        if value.startswith("@"):
            bound[name] = Path(value[1:])
        else:
            bound[name] = value if name in hashes else number(value)
    return bound


COMMANDS = (search, sql, explain)
