"""Draw a picture beside the bits of its perceptual hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from hashlens.errors import ParameterError
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.decode import decode

if TYPE_CHECKING:
    from hashlens.hashing.kernels import Bits
    from hashlens.images.pixels import Source

LEAST, MOST = 16, 4096  # pixels of a side
GAP = 16
LETTER = 14
PAPER, INK = "#ffffff", "#222222"


def draw_hash(
    source: Source, *, algorithm: str = "perceptual", side: int = 256, **params: Any
) -> Image.Image:
    """Draw an image, the bits of its hash beside it, and the hash in hex below.

    The image fits into a square of `side` pixels. Each bit is a cell, white if set, in rows from
    the top left as in ImageHash's arrays; the bits of the color hash are one row. Each segment of
    the crop-resistant hash has its own cells. `params` are parameters of the algorithm. The hash
    has the grade `exact`: it takes all pixels, as a person sees them. Raises ParameterError for an
    unknown algorithm or parameter, and ImageError for a file that is not an image.
    """
    if type(side) is not int or not LEAST <= side <= MOST:
        msg = f"side must be a whole number {LEAST} to {MOST}, not {side!r}"
        raise ParameterError(msg)
    hasher = PerceptualHash(algorithm, **params)
    image = decode(source).image
    segments = hasher.segments(image)
    from hashlens.hashing.kernels import to_hex  # noqa: PLC0415  loads numpy

    text = ",".join(to_hex(bits[None])[0] for bits in segments)
    if hasher.algorithm == "color":
        segments = [bits.reshape(1, -1) for bits in segments]
    return _sheet([_small(image, side), *(_cells(bits, side) for bits in segments)], text)


def _small(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _cells(bits: Bits, side: int) -> Image.Image:
    """Draw bits as square cells of whole pixels, as large as `side` allows."""
    rows, columns = bits.shape
    cell = max(1, side // max(rows, columns))
    tall = cell if rows > 1 else max(1, side // 8)  # a single row is a strip
    small = Image.fromarray(bits).convert("RGB")
    picture = small.resize((columns * cell, rows * tall), Image.Resampling.NEAREST)
    framed = Image.new("RGB", (picture.width + 2, picture.height + 2), INK)
    framed.paste(picture, (1, 1))  # or white cells at the edge could not be seen
    return framed


def _sheet(pictures: list[Image.Image], text: str) -> Image.Image:
    """Lay pictures out in a row, with a text below, in as many lines as it needs."""
    width = sum(picture.width + GAP for picture in pictures) + GAP
    height = max(picture.height for picture in pictures)
    font = ImageFont.load_default(LETTER)
    widest = max(font.getlength(digit) for digit in "0123456789abcdef,")
    digits = max(1, int((width - 2 * GAP) / widest))
    lines = [text[start : start + digits] for start in range(0, len(text), digits)]
    below = len(lines) * (LETTER + 4)
    sheet = Image.new("RGB", (width, height + below + 3 * GAP), PAPER)
    left = GAP
    for picture in pictures:
        sheet.paste(picture, (left, GAP))
        left += picture.width + GAP
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((GAP, height + 2 * GAP + number * (LETTER + 4)), line, INK, font)
    return sheet
