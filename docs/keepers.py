"""Draw docs/keepers.png: for each rule, a file that is kept, another one, and why.

python docs/keepers.py
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from skimage import data

SIDE = (132, 99)
KEPT, OTHER, INK = "#2e7d32", "#b0b0b0", "#222222"
COLUMNS, GAP = 3, 14


def photo(pixels: np.ndarray) -> Image.Image:
    """Return the middle of a photo, in the size of a tile."""
    image = Image.fromarray(pixels).convert("RGB")
    width, height = image.size
    tall = min(height, width * 3 // 4)
    top = (height - tall) // 2
    return image.crop((0, top, tall * 4 // 3, top + tall)).resize(SIDE, Image.Resampling.LANCZOS)


def compressed(image: Image.Image) -> Image.Image:
    """Return a picture as a chat sends it."""
    output = BytesIO()
    image.save(output, "JPEG", quality=9)
    return Image.open(output).convert("RGB")


def small(image: Image.Image) -> Image.Image:
    """Return a picture as a thumbnail, on white."""
    tile = Image.new("RGB", SIDE, "white")
    tile.paste(image.resize((SIDE[0] // 2, SIDE[1] // 2)), (SIDE[0] // 4, SIDE[1] // 4))
    return tile


def drawn() -> Image.Image:
    """Draw a figure."""
    figure = Image.new("RGB", SIDE, "white")
    draw = ImageDraw.Draw(figure)
    for number, height in enumerate((30, 55, 42, 70)):
        x = 16 + 27 * number
        draw.rectangle((x, 88 - height, x + 18, 88), fill="steelblue", outline="black")
    draw.line((10, 88, 122, 88), fill="black", width=2)
    return figure


def main() -> None:
    """Draw all pairs."""
    coffee, cat, rocket = map(photo, (data.coffee(), data.chelsea(), data.astronaut()))
    vivid = ImageEnhance.Color(coffee).enhance(2.4)
    moved = Image.fromarray(np.roll(np.asarray(rocket), 7, axis=1))
    pairs = (
        (cat, small(cat), "original", "6000x4000", "160x120"),
        (coffee, coffee, "original", "DSC_0043.JPG + .NEF", "dev/0043.jpg, no RAW"),
        (cat, compressed(cat), "original", "EXIF: Canon EOS 80D", "IMG-2021-WA0001.jpg"),
        (coffee, vivid, "original", "IMG_7.JPG", "saved by Photoshop"),
        (cat, cat, "original", "IMG_8.HEIC, 2 MB", "IMG_8.jpg, 5 MB"),
        (coffee, vivid, "original", "IMG_9.JPG", "IMG_9-edited.jpg"),
        (rocket, moved, "taken", "14:05:09.31", "14:05:09.73"),
        (cat, cat, "source", "web.jpg, 300 kB", "web.png, 3 MB, of it"),
        (drawn(), compressed(drawn()), "lossless", "figure.png", "figure.jpg"),
    )
    font = ImageFont.load_default(12)
    wide, tall = 2 * SIDE[0] + 3 * GAP, SIDE[1] + 44 + GAP
    rows = -(-len(pairs) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * wide + GAP, rows * tall + GAP), "white")
    draw = ImageDraw.Draw(page)
    for number, (kept, other, rule, *captions) in enumerate(pairs):
        left = GAP + number % COLUMNS * wide
        top = GAP + number // COLUMNS * tall
        draw.text((left, top), f"{rule}:", fill=INK, font=font)
        for place, (tile, colour) in enumerate(((kept, KEPT), (other, OTHER))):
            x, y = left + place * (SIDE[0] + GAP), top + 18
            page.paste(tile, (x, y))
            frame = (x - 2, y - 2, x + SIDE[0] + 1, y + SIDE[1] + 1)
            draw.rectangle(frame, outline=colour, width=3)
            ink = INK if place else KEPT
            draw.text((x, y + SIDE[1] + 4), captions[place], fill=ink, font=font)
    page.quantize(160).save(Path(__file__).with_name("keepers.png"), optimize=True)


if __name__ == "__main__":
    main()
