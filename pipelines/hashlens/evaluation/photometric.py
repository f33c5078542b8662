"""Photometric changes: file, size, light or colour of the whole picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hashlens.evaluation.changes import Change, scaled
from hashlens.evaluation.drawings import Random, clipped, words


def same(image: Image.Image, _: Random) -> Image.Image:
    """Return the picture as it is: only its file is written again."""
    return image


def resize(across: float, down: float) -> Change:
    """Scale the width and the height by a factor each."""
    return lambda image, _: image.resize(scaled(image.size, across, down), Image.Resampling.LANCZOS)


def enhance(enhancer: Callable[[Image.Image], Any], factor: float) -> Change:
    """Apply an enhancer of Pillow: its property of the picture is multiplied by `factor`."""

    def change(image: Image.Image, _: Random) -> Image.Image:
        enhanced: Image.Image = enhancer(image).enhance(factor)
        return enhanced

    return change


def gamma(exponent: float) -> Change:
    """Raise each value, 0 to 1, to a power."""
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return lambda image, _: image.point(table * 3)


def gray(image: Image.Image, _: Random) -> Image.Image:
    """Remove the colours."""
    return image.convert("L")


def blur(image: Image.Image, _: Random) -> Image.Image:
    """Apply a Gaussian blur of 2 pixels."""
    return image.filter(ImageFilter.GaussianBlur(2))


def noise(image: Image.Image, random: Random) -> Image.Image:
    """Add Gaussian noise with a standard deviation of 20 of 255."""
    pixels = np.asarray(image, np.float64)
    return clipped(pixels + random.normal(0, 20, pixels.shape))


def text(image: Image.Image, random: Random) -> Image.Image:
    """Write two large lines over the picture, as memes and watermarks do."""
    image = image.copy()
    pen = ImageDraw.Draw(image)
    size = max(8, image.height // 8)
    for share in (random.uniform(0, 0.3), random.uniform(0.5, 0.8)):
        corner = (random.uniform(0, 0.2) * image.width, share * image.height)
        line = words(random, 3).upper()
        font = ImageFont.load_default(size)
        pen.text(corner, line, "white", font, stroke_width=max(1, size // 12), stroke_fill="black")
    return image
