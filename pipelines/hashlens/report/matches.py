"""Draw a query image beside its matches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from hashlens.errors import ParameterError
from hashlens.model import Match
from hashlens.names import text_of
from hashlens.report.tiles import COLUMNS, MARGIN, TILE_SIDE, captioned, fitted, lay_out, mark, save

if TYPE_CHECKING:
    from hashlens.images.pixels import Source


def draw_matches(matches: Sequence[Match], *, query: Source | None = None) -> Image.Image:
    """Draw matches side by side, with the outline of the query in each.

    A `query`, a path or an image, is drawn first. Rows of the stage `nearest`, which do not match,
    are left out. A file that cannot be read is a grey tile with the reason. Raises ParameterError
    if there is no match to draw.
    """
    shown = [match for match in matches if match.stage != "nearest"]
    if not shown:
        msg = "there is no match to draw"
        raise ParameterError(msg)
    tiles = [] if query is None else [_query_tile(query)]
    tiles += [_tile(match) for match in shown]
    return lay_out(tiles, COLUMNS)


def save_matches(
    matches: Sequence[Match], path: str | os.PathLike[str], *, query: Source | None = None
) -> None:
    """Draw matches to a file, in the format of its extension; raises ParameterError."""
    save(draw_matches(matches, query=query), path)


def _query_tile(query: Source) -> Image.Image:
    picture, _ = fitted(query, TILE_SIDE, TILE_SIDE)
    name = os.path.basename(query) if isinstance(query, (str, os.PathLike)) else "image"
    return captioned(picture, f"query: {text_of(os.fspath(name))}")


def _tile(match: Match) -> Image.Image:
    caption = f"{match.stage}: {text_of(os.path.basename(match.path))}"
    if match.place:
        mirrored = ", mirrored" if match.mirrored else ""
        caption += f"\n{match.inliers} inliers, agreement {match.agreement:.0%}{mirrored}"
    else:
        caption += f"\ndistance {match.distance:g}"
    picture, scale = fitted(match.path, TILE_SIDE, TILE_SIDE)
    tile = captioned(picture, caption)
    if match.outline:
        mark(tile, [(MARGIN + x * scale, MARGIN + y * scale) for x, y in match.outline])
    return tile
