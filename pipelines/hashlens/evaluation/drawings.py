"""Drawn pictures: pages, scenes, and backgrounds that show nothing and must match nothing.

Random numbers are drawn from a seed and names, so a picture does not depend on earlier pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

Random: TypeAlias = np.random.Generator
Background: TypeAlias = "Callable[[Random], Image.Image]"

QUALITY = 92  # JPEG quality of a query, unless its attack has another
BACKGROUND_SIZE = (480, 360)  # width, height in pixels
_TEXT = (
    "about after album archive autumn before between bridge camera city cloud copy detail early "
    "evening field garden harbour image journal letter light market morning mountain museum near "
    "notes office page people photo picture place print river road school search share spring "
    "station stone story street summer travel under valley village water window winter"
)
_WORDS = _TEXT.split()


def stream(seed: int, *names: str) -> Random:
    """Return a generator of random numbers for a seed and names."""
    text = "\0".join((str(seed), *names))
    return np.random.default_rng(int.from_bytes(sha256(text.encode()).digest()[:16], "big"))


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    """Return a picture as a JPEG file."""
    output = BytesIO()
    image.convert("RGB").save(output, "JPEG", quality=quality)
    return output.getvalue()


def background(name: str, *, seed: int) -> bytes:
    """Return the JPEG file of the picture in BACKGROUNDS of this name."""
    return jpeg(BACKGROUNDS[name](stream(seed, "background", name)))


def clipped(pixels: Any) -> Image.Image:
    """Return pixels as an image, rounded to bytes."""
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def any_colour(random: Random) -> tuple[int, ...]:
    """Return a random colour: red, green, blue."""
    return tuple(random.integers(0, 256, 3).tolist())


def words(random: Random, count: int) -> str:
    """Return random words, joined by spaces."""
    return " ".join(random.choice(_WORDS, count))


def page(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw a browser window: title bar, buttons, address field, and columns of text."""
    width, height = size
    dark = bool(random.random() < 0.3)
    paper, ink = ((32, 33, 36), (200, 200, 205)) if dark else ((250, 250, 250), (40, 40, 45))
    made = Image.new("RGB", size, paper)
    pen = ImageDraw.Draw(made)
    bar = height // 8
    pen.rectangle((0, 0, width, bar // 2), any_colour(random))
    for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        left, side = bar // 8 + number * bar // 2, bar // 4
        pen.ellipse((left, bar // 8, left + side, bar // 8 + side), colour)
    field = (width // 12, bar * 5 // 8, width - width // 12, bar * 15 // 16)
    pen.rounded_rectangle(field, bar // 8, None, ink)
    font = ImageFont.load_default(max(7, height // 45))
    pen.text((width // 10, bar * 5 // 8), f"example.org/{words(random, 1)}", ink, font)
    columns = int(random.integers(2, 4))
    for column in range(columns):
        for line in range(bar + height // 40, height - height // 30, max(9, height // 28)):
            text = words(random, int(random.integers(2, 20 // columns)))
            pen.text((width * (0.02 + column / columns), line), text, ink, font)
    return made


def scene(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw a picture with structure at several scales, and with ellipses and rectangles."""
    width, height = size
    pixels = np.zeros((height, width, 3))
    for cells in (2, 4, 8, 16):
        noise = random.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        pixels += np.asarray(layer, np.float64) / cells
    pixels -= pixels.min()
    made = clipped(pixels * (255 / max(pixels.max(), 1)))
    pen = ImageDraw.Draw(made)
    for _ in range(24):
        corners = random.uniform(0, 1, 2) * size
        reach = random.uniform(0.02, 0.2, 2) * min(size)
        box = (*corners, *(corners + reach))
        draw = pen.ellipse if random.random() < 0.5 else pen.rectangle
        draw(box, any_colour(random))
    return made


def _flat(colour: str) -> Background:
    return lambda _: Image.new("RGB", BACKGROUND_SIZE, colour)


def _gradient(degrees: int, contrast: float = 1) -> Background:
    def draw(_: Random) -> Image.Image:
        shades = Image.linear_gradient("L").rotate(degrees).resize(BACKGROUND_SIZE)
        return shades.point([round(contrast * value) for value in range(256)])

    return draw


def _radial(_: Random) -> Image.Image:
    return Image.radial_gradient("L").resize(BACKGROUND_SIZE)


def _object(paper: str, ink: str, shape: str) -> Background:
    """Draw a small shape at a random position on an empty ground."""

    def draw(random: Random) -> Image.Image:
        made = Image.new("RGB", BACKGROUND_SIZE, paper)
        side = random.uniform(0.1, 0.25) * BACKGROUND_SIZE[1]
        x, y = random.uniform(0.1, 0.6, 2) * BACKGROUND_SIZE
        box = (x, y, x + side, y + side)
        pen = ImageDraw.Draw(made)
        if shape == "disc":
            pen.ellipse(box, ink)
        elif shape == "square":
            pen.rectangle(box, ink)
        else:
            pen.text((x, y), words(random, 1), ink, ImageFont.load_default(side / 2))
        return made

    return draw


def _frame(paper: str, ink: str) -> Background:
    def draw(_: Random) -> Image.Image:
        return ImageOps.expand(Image.new("RGB", BACKGROUND_SIZE, paper), 4, ink)

    return draw


def _grain(random: Random) -> Image.Image:
    return clipped(random.normal(128, 60, (*BACKGROUND_SIZE[::-1], 3)))


def _chequers(side: int) -> Background:
    def draw(_: Random) -> Image.Image:
        width, height = BACKGROUND_SIZE
        down, across = np.ogrid[:height, :width]
        return Image.fromarray(((down // side + across // side) % 2 * 255).astype(np.uint8))

    return draw


_GROUNDS = (("black", "white"), ("white", "black"))

BACKGROUNDS: dict[str, Background] = {
    **{name: _flat(name) for name in ("black", "white", "gray", "red", "navy")},
    "gradient down": _gradient(0),
    "gradient up": _gradient(180),
    "gradient right": _gradient(90),
    "dark gradient": _gradient(0, 0.2),
    "radial gradient": _radial,
    **{
        f"{shape} {number} on {paper}": _object(paper, ink, shape)
        for paper, ink in _GROUNDS
        for shape in ("disc", "square", "word")
        for number in (1, 2, 3)
    },
    **{f"frame on {paper}": _frame(paper, ink) for paper, ink in _GROUNDS},
    "noise": _grain,
    "chequers": _chequers(40),
    "small chequers": _chequers(8),
    "page of text": lambda random: page(random, BACKGROUND_SIZE),
}
