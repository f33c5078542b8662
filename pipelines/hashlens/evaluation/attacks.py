"""Attacks: what happens to pictures before they are looked for, drawn from a seed.

::

    made = attack("crop50", image, seed=0, name="bridge.jpg")
    made.data  # the query, as it is written to a file
    made.box  # the part of the picture that it shows

Coordinates are those of areas: pixel (0, 0) reaches from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, cos, radians, sin
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from hashlens.errors import ParameterError
from hashlens.evaluation.drawings import (
    QUALITY,
    Random,
    any_colour,
    clipped,
    jpeg,
    page,
    scene,
    stream,
    words,
)

Affine: TypeAlias = "NDArray[np.float64]"  # 2 x 3: from pixels of the query to the original's
Box: TypeAlias = "tuple[float, float, float, float]"  # left, top, right, bottom
Change: TypeAlias = "Callable[[Image.Image, Random], Image.Image | Changed]"


class Changed(NamedTuple):
    """A changed picture, and where it comes from."""

    image: Image.Image
    transform: Affine
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """A query: a picture after an attack.

    `data` is the file; `transform` takes pixels of the query to those of the original; `box` is the
    part of the original that the query shows; `kind` is photometric, crop, geometric or contains
    (the query shows the whole and more).
    """

    data: bytes
    transform: Affine
    box: Box
    kind: str

    @property
    def image(self) -> Image.Image:
        """Return the decoded file."""
        return Image.open(BytesIO(self.data)).convert("RGB")


@dataclass(frozen=True, slots=True)
class Attack:
    """A change of a picture, and the JPEG quality that its result is written with.

    `group` is the heading under which tables sum it up.
    """

    kind: str
    change: Change
    group: str
    quality: int = QUALITY

    def __call__(self, image: Image.Image, random: Random) -> Attacked:
        """Attack a picture; what is random is drawn from `random`."""
        original = image.convert("RGB")
        made = self.change(original, random)
        if not isinstance(made, Changed):
            made = _whole(original, made)
        data = jpeg(made.image, self.quality)
        return Attacked(data, made.transform, made.box, self.kind)


def attack(method: str, image: Image.Image, *, seed: int, name: str) -> Attacked:
    """Attack the picture of that name.

    The result depends on nothing else: not on the attacks and pictures before it. Raises
    ParameterError for an attack that is not in ATTACKS.
    """
    return find(method)(image, stream(seed, method, name))


def find(method: str) -> Attack:
    """Return an attack by its name; raises ParameterError if there is none."""
    if method not in ATTACKS:
        msg = f"no attack is named {method!r}; known are {', '.join(ATTACKS)}"
        raise ParameterError(msg)
    return ATTACKS[method]


def _affine(*numbers: float) -> Affine:
    return np.array(numbers, np.float64).reshape(2, 3)


def _whole(original: Image.Image, image: Image.Image) -> Changed:
    """Say that an image shows the whole original, in whatever size."""
    (width, height), (across, down) = original.size, image.size
    transform = _affine(width / across, 0, 0, 0, height / down, 0)
    return Changed(image, transform, (0, 0, width, height))


def _placed(original: Image.Image, image: Image.Image, box: tuple[int, int, int, int]) -> Changed:
    """Say that an image shows the whole original in a box of its own."""
    left, top, right, bottom = box
    across, down = original.width / (right - left), original.height / (bottom - top)
    transform = _affine(across, 0, -left * across, 0, down, -top * down)
    return Changed(image, transform, (0, 0, *original.size))


def _scaled(size: tuple[int, int], across: float, down: float | None = None) -> tuple[int, int]:
    down = across if down is None else down
    return max(1, round(size[0] * across)), max(1, round(size[1] * down))


# Photometric: another file, size, light or colour of the whole picture.


def _same(image: Image.Image, _: Random) -> Image.Image:
    return image


def _resize(across: float, down: float) -> Change:
    return lambda image, _: image.resize(
        _scaled(image.size, across, down), Image.Resampling.LANCZOS
    )


def _enhance(enhancer: Callable[[Image.Image], Any], factor: float) -> Change:
    def change(image: Image.Image, _: Random) -> Image.Image:
        enhanced: Image.Image = enhancer(image).enhance(factor)
        return enhanced

    return change


def _gamma(exponent: float) -> Change:
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return lambda image, _: image.point(table * 3)


def _gray(image: Image.Image, _: Random) -> Image.Image:
    return image.convert("L")


def _blur(image: Image.Image, _: Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(2))


def _noise(image: Image.Image, random: Random) -> Image.Image:
    pixels = np.asarray(image, np.float64)
    return clipped(pixels + random.normal(0, 20, pixels.shape))


def _text(image: Image.Image, random: Random) -> Image.Image:
    """Write two large lines over the picture, as memes and watermarks do."""
    image = image.copy()
    pen = ImageDraw.Draw(image)
    size = max(8, image.height // 8)
    for share in (random.uniform(0, 0.3), random.uniform(0.5, 0.8)):
        place = (random.uniform(0, 0.2) * image.width, share * image.height)
        line = words(random, 3).upper()
        font = ImageFont.load_default(size)
        pen.text(place, line, "white", font, stroke_width=max(1, size // 12), stroke_fill="black")
    return image


# Contains: the picture is a part of the query.


def _pad(image: Image.Image, random: Random) -> Changed:
    """Put a border of one colour around, a tenth of the width and height at each side."""
    across, down = _scaled(image.size, 0.1)
    colours = ("white", "black", "gray", any_colour(random))
    colour = colours[random.integers(len(colours))]
    made = Image.new("RGB", (image.width + 2 * across, image.height + 2 * down), colour)
    made.paste(image, (across, down))
    return _placed(image, made, (across, down, across + image.width, down + image.height))


def _letterbox(image: Image.Image, _: Random) -> Changed:
    """Put black bars at two sides, so that the picture becomes a square."""
    side = max(image.size)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    made = Image.new("RGB", (side, side))
    made.paste(image, (left, top))
    return _placed(image, made, (left, top, left + image.width, top + image.height))


def _screenshot(image: Image.Image, random: Random) -> Changed:
    """Shrink the picture to 60-90 % and show it in a window, 45-65 % as wide as the screen is."""
    small = image.resize(_scaled(image.size, random.uniform(0.6, 0.9)), Image.Resampling.LANCZOS)
    share = random.uniform(0.45, 0.65)
    width = max(ceil(small.width / share), ceil(small.height / 0.7 * 1.4), 160)
    height = max(ceil(width / random.uniform(1.4, 1.8)), ceil(small.height / 0.75), 100)
    screen = page(random, (width, height))
    bar = height // 8
    left = int(random.uniform(0.02, 0.98) * (width - small.width))
    top = bar + int(random.uniform(0.02, 0.98) * (height - bar - small.height))
    screen.paste(small, (left, top))
    return _placed(image, screen, (left, top, left + small.width, top + small.height))


def _collage(image: Image.Image, random: Random) -> Changed:
    """Put the picture at 60 % of its size beside three drawn ones, two by two."""
    size = _scaled(image.size, 0.6)
    gap = max(1, size[0] // 50)
    made = Image.new("RGB", (2 * size[0] + 3 * gap, 2 * size[1] + 3 * gap), "white")
    corners = [(gap + x * (size[0] + gap), gap + y * (size[1] + gap)) for y, x in np.ndindex(2, 2)]
    own = int(random.integers(4))
    for number, corner in enumerate(corners):
        shown = image if number == own else scene(random, size)
        made.paste(shown.resize(size, Image.Resampling.LANCZOS), corner)
    left, top = corners[own]
    return _placed(image, made, (left, top, left + size[0], top + size[1]))


# Crops: the query is a part of the picture.


def _cut(image: Image.Image, box: tuple[int, int, int, int]) -> Changed:
    return Changed(image.crop(box), _affine(1, 0, box[0], 0, 1, box[1]), box)


def _at(image: Image.Image, size: tuple[int, int], across: float, down: float) -> Changed:
    """Cut out a part of some size, whose place is given as shares of the room that there is."""
    left, top = round(across * (image.width - size[0])), round(down * (image.height - size[1]))
    return _cut(image, (left, top, left + size[0], top + size[1]))


def _crop(share: float) -> Change:
    """Keep a share of the area somewhere, in the shape of the whole."""
    side = share**0.5
    return lambda image, random: _at(image, _scaled(image.size, side), *random.uniform(0, 1, 2))


def _centre(share: float) -> Change:
    side = share**0.5
    return lambda image, _: _at(image, _scaled(image.size, side), 0.5, 0.5)


def _article(image: Image.Image, _: Random) -> Changed:
    """Keep a third of the width and 1/1.35 of the height, in the middle."""
    return _at(image, _scaled(image.size, 1 / 3, 1 / 1.35), 0.5, 0.5)


def _strong(share: float) -> Change:
    """Crop, shrink to 60 % and brighten by 20 %; the attack's JPEG quality is low as well."""

    def change(image: Image.Image, random: Random) -> Changed:
        side = share**0.5
        part = _at(image, _scaled(image.size, side), *random.uniform(0, 1, 2))
        small = part.image.resize(_scaled(part.image.size, 0.6), Image.Resampling.LANCZOS)
        across, down = (a / b for a, b in zip(part.image.size, small.size, strict=True))
        transform = _affine(across, 0, part.box[0], 0, down, part.box[1])
        return Changed(ImageEnhance.Brightness(small).enhance(1.2), transform, part.box)

    return change


# Geometric: the whole picture, mirrored or turned.


def _flip_h(image: Image.Image, _: Random) -> Changed:
    return _turned(image, Image.Transpose.FLIP_LEFT_RIGHT, (-1, 0, image.width, 0, 1, 0))


def _flip_v(image: Image.Image, _: Random) -> Changed:
    return _turned(image, Image.Transpose.FLIP_TOP_BOTTOM, (1, 0, 0, 0, -1, image.height))


def _rotate_90(image: Image.Image, _: Random) -> Changed:
    return _turned(image, Image.Transpose.ROTATE_90, (0, -1, image.width, 1, 0, 0))


def _rotate_180(image: Image.Image, _: Random) -> Changed:
    numbers = (-1, 0, image.width, 0, -1, image.height)
    return _turned(image, Image.Transpose.ROTATE_180, numbers)


def _rotate_270(image: Image.Image, _: Random) -> Changed:
    return _turned(image, Image.Transpose.ROTATE_270, (0, 1, 0, -1, 0, image.height))


def _turned(image: Image.Image, how: Image.Transpose, numbers: Sequence[float]) -> Changed:
    return Changed(image.transpose(how), _affine(*numbers), (0, 0, *image.size))


def _rotate(degrees: float) -> Change:
    """Turn the picture to either side within its frame: corners are cut off, and black ones come.

    Most editors do so. A frame that grows with the picture is much harder for whole-image hashes.
    """

    def change(image: Image.Image, random: Random) -> Changed:
        angle = radians(degrees * random.choice((-1, 1)))
        c, s = cos(angle), sin(angle)
        x, y = image.width / 2, image.height / 2  # stays where it is
        transform = _affine(c, -s, x - c * x + s * y, s, c, y - s * x - c * y)
        numbers = transform.ravel().tolist()
        turned = image.transform(
            image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BICUBIC
        )
        return Changed(turned, transform, (0, 0, *image.size))

    return change


def _photometric(change: Change, quality: int = QUALITY) -> Attack:
    return Attack("photometric", change, "photometric", quality)


_SHARES = (90, 80, 70, 50, 30, 20, 15)

ATTACKS: dict[str, Attack] = {
    "ident": _photometric(_same),
    "jpeg75": _photometric(_same, 75),
    "jpeg30": _photometric(_same, 30),
    "jpeg10": _photometric(_same, 10),
    "resize50": _photometric(_resize(0.5, 0.5)),
    "resize25": _photometric(_resize(0.25, 0.25)),
    "aspect80": _photometric(_resize(0.8, 1)),
    "bright14": _photometric(_enhance(ImageEnhance.Brightness, 1.4)),
    "bright06": _photometric(_enhance(ImageEnhance.Brightness, 0.6)),
    "contrast15": _photometric(_enhance(ImageEnhance.Contrast, 1.5)),
    "contrast06": _photometric(_enhance(ImageEnhance.Contrast, 0.6)),
    "gamma05": _photometric(_gamma(0.5)),
    "gamma20": _photometric(_gamma(2.0)),
    "sat20": _photometric(_enhance(ImageEnhance.Color, 2.0)),
    "gray": _photometric(_gray),
    "blur2": _photometric(_blur),
    "noise20": _photometric(_noise),
    "text": _photometric(_text),
    "pad": Attack("contains", _pad, "pad"),
    "letterbox": Attack("contains", _letterbox, "letterbox"),
    "screenshot": Attack("contains", _screenshot, "screenshot"),
    "collage": Attack("contains", _collage, "collage"),
    **{f"crop{n}": Attack("crop", _crop(n / 100), f"crop {n}") for n in _SHARES},
    **{f"ccrop{n}": Attack("crop", _centre(n / 100), f"crop {n}") for n in _SHARES},
    "article": Attack("crop", _article, "article"),
    "strong50": Attack("crop", _strong(0.5), "strong", 35),
    "strong30": Attack("crop", _strong(0.3), "strong", 35),
    "fliph": Attack("geometric", _flip_h, "flip"),
    "flipv": Attack("geometric", _flip_v, "flip"),
    "rot90": Attack("geometric", _rotate_90, "right angle"),
    "rot180": Attack("geometric", _rotate_180, "right angle"),
    "rot270": Attack("geometric", _rotate_270, "right angle"),
    **{f"rot{n}": Attack("geometric", _rotate(n), f"rotate {n}") for n in (2, 5, 10, 20)},
}
