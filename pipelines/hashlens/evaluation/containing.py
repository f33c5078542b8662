"""Changes after which the query contains the whole picture and more."""

from __future__ import annotations

from math import ceil

import numpy as np
from PIL import Image

from hashlens.evaluation.changes import Changed, placed, scaled
from hashlens.evaluation.drawings import Random, any_colour, page, scene


def pad(image: Image.Image, random: Random) -> Changed:
    """Add a border of one colour: a tenth of the width or height at each side."""
    across, down = scaled(image.size, 0.1)
    colours = ("white", "black", "gray", any_colour(random))
    colour = colours[random.integers(len(colours))]
    made = Image.new("RGB", (image.width + 2 * across, image.height + 2 * down), colour)
    made.paste(image, (across, down))
    return placed(image, made, (across, down, across + image.width, down + image.height))


def letterbox(image: Image.Image, _: Random) -> Changed:
    """Add black bars at two sides, so that the picture becomes a square."""
    side = max(image.size)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    made = Image.new("RGB", (side, side))
    made.paste(image, (left, top))
    return placed(image, made, (left, top, left + image.width, top + image.height))


def screenshot(image: Image.Image, random: Random) -> Changed:
    """Shrink the picture to 60-90 % and show it in a page; it fills 45-65 % of the page's width."""
    small = image.resize(scaled(image.size, random.uniform(0.6, 0.9)), Image.Resampling.LANCZOS)
    share = random.uniform(0.45, 0.65)
    width = max(ceil(small.width / share), ceil(small.height / 0.7 * 1.4), 160)
    height = max(ceil(width / random.uniform(1.4, 1.8)), ceil(small.height / 0.75), 100)
    screen = page(random, (width, height))
    bar = height // 8
    left = int(random.uniform(0.02, 0.98) * (width - small.width))
    top = bar + int(random.uniform(0.02, 0.98) * (height - bar - small.height))
    screen.paste(small, (left, top))
    return placed(image, screen, (left, top, left + small.width, top + small.height))


def collage(image: Image.Image, random: Random) -> Changed:
    """Put the picture at 60 % of its size beside three drawn pictures, two by two."""
    size = scaled(image.size, 0.6)
    gap = max(1, size[0] // 50)
    made = Image.new("RGB", (2 * size[0] + 3 * gap, 2 * size[1] + 3 * gap), "white")
    corners = [(gap + x * (size[0] + gap), gap + y * (size[1] + gap)) for y, x in np.ndindex(2, 2)]
    chosen = int(random.integers(4))
    for number, corner in enumerate(corners):
        shown = image if number == chosen else scene(random, size)
        made.paste(shown.resize(size, Image.Resampling.LANCZOS), corner)
    left, top = corners[chosen]
    return placed(image, made, (left, top, left + size[0], top + size[1]))
