"""Draw where a query lies in the pictures that it matches."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from hashlens.files import open_image, upright
from hashlens.model import ImageError, Match, ParameterError

TILE_SIDE = 480  # pixels
CAPTION = 40
COLUMNS = 3
COLORS = {"box": "#ff2d55", "under": "#ffffff", "text": "#222222", "paper": "#ffffff"}


def draw_matches(matches: Sequence[Match]) -> Image.Image:
    """Draw matches side by side, with the outline of the query in each.

    The nearest that are no matches are left out. A picture whose file cannot be read is a grey
    tile that says so. Raises ParameterError where there is no match to draw.
    """
    shown = [match for match in matches if match.stage != "nearest"]
    if not shown:
        msg = "there is no match to draw"
        raise ParameterError(msg)
    tiles = [_tile(match) for match in shown]
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    across, down = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    sheet = Image.new("RGB", (columns * across, rows * down), COLORS["paper"])
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * across, number // columns * down))
    return sheet


def save_matches(matches: Sequence[Match], path: str | os.PathLike[str]) -> None:
    """Draw matches to a file, in the format of its extension; raises ParameterError."""
    sheet = draw_matches(matches)
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        msg = f"nothing can be drawn to {os.fspath(path)}: {error}"
        raise ParameterError(msg) from error


def _tile(match: Match) -> Image.Image:
    picture, scale = _picture(match)
    tile = Image.new("RGB", (picture.width + 8, picture.height + CAPTION), COLORS["paper"])
    tile.paste(picture, (4, 4))
    draw = ImageDraw.Draw(tile)
    if match.outline:
        corners = [(4 + x * scale, 4 + y * scale) for x, y in match.outline]
        for color, width in ((COLORS["under"], 5), (COLORS["box"], 3)):
            draw.line([*corners, corners[0]], color, width)
    caption = f"{match.stage}: {os.path.basename(match.path)}"
    if match.place:
        mirrored = ", mirrored" if match.mirrored else ""
        caption += f"\n{match.inliers} inliers, agreement {match.agreement:.0%}{mirrored}"
    else:
        caption += f"\ndistance {match.distance:g}"
    draw.text((6, picture.height + 6), caption, COLORS["text"], ImageFont.load_default(13))
    return tile


def _picture(match: Match) -> tuple[Image.Image, float]:
    """Return the picture of a match, made to fit a tile, and its scale."""
    try:
        image = upright(open_image(match.path)).convert("RGB")
    except ImageError as error:
        grey = Image.new("RGB", (TILE_SIDE, TILE_SIDE // 2), "#cccccc")
        ImageDraw.Draw(grey).text((10, 10), error.reason, COLORS["text"])
        return grey, 0.0
    scale = TILE_SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS), scale
