"""Tiles: pictures fitted into cells, with captions and outlines, laid out on a sheet."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from hashlens.errors import ImageError, ParameterError
from hashlens.images.decode import decode

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

TILE_SIDE = 480  # pixels
COLUMNS = 3
MARGIN = 4  # around a picture
LETTER = 13  # pixels
COLORS = {"box": "#ff2d55", "under": "#ffffff", "text": "#222222", "paper": "#ffffff"}


def save(sheet: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture to a file; raises ParameterError if it cannot be written."""
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        msg = f"nothing can be drawn to {os.fspath(path)}: {error}"
        raise ParameterError(msg) from error


def lay_out(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Lay tiles out in rows of `columns`, each in a cell as large as the largest tile."""
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    across, down = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    sheet = Image.new("RGB", (columns * across, rows * down), COLORS["paper"])
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * across, number // columns * down))
    return sheet


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """Return a picture with a margin around it, and two lines of text below."""
    size = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN + 2 * LETTER + 6
    tile = Image.new("RGB", size, COLORS["paper"])
    tile.paste(picture, (MARGIN, MARGIN))
    place = (MARGIN + 2, picture.height + 2 * MARGIN - 2)
    ImageDraw.Draw(tile).text(place, caption, COLORS["text"], ImageFont.load_default(LETTER))
    return tile


def mark(picture: Image.Image, corners: Sequence[tuple[float, float]]) -> None:
    """Draw an outline with these corners."""
    draw = ImageDraw.Draw(picture)
    for color, width in ((COLORS["under"], 5), (COLORS["box"], 3)):
        draw.line([*corners, corners[0]], color, width)


def fitted(source: Source, width: int, height: int) -> tuple[Image.Image, float]:
    """Return a picture that fits, and its scale; a grey tile and 0 if it cannot be read."""
    try:
        pixels = decode(source, draft=("RGB", min(width, height)))
    except ImageError as error:
        return blank(error.reason, width, height // 2), 0.0
    scale = min(width / pixels.size[0], height / pixels.size[1])
    across, down = (max(1, round(side * scale)) for side in pixels.size)
    image = pixels.image.convert("RGB")
    return image.resize((across, down), Image.Resampling.LANCZOS, box=pixels.box), scale


def blank(text: str, width: int, height: int) -> Image.Image:
    """Return a grey picture with a text on it."""
    grey = Image.new("RGB", (width, height), "#cccccc")
    lines = textwrap.fill(text, max(1, 2 * (width - 20) // LETTER))
    ImageDraw.Draw(grey).text((10, 10), lines, COLORS["text"], ImageFont.load_default(LETTER))
    return grey
