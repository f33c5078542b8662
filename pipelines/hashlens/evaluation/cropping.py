"""Crops: the query shows a part of the picture."""

from __future__ import annotations

from PIL import Image, ImageEnhance

from hashlens.evaluation.changes import Change, Changed, Size, affine, scaled
from hashlens.evaluation.drawings import Random


def crop(share: float) -> Change:
    """Keep a share of the area at a random position, in the shape of the picture."""
    return lambda image, random: _random_part(image, share, random)


def centre(share: float) -> Change:
    """Keep a share of the area in the middle, in the shape of the picture."""
    side = share**0.5
    return lambda image, _: _part(image, scaled(image.size, side), 0.5, 0.5)


def article(image: Image.Image, _: Random) -> Changed:
    """Keep a third of the width and 1/1.35 of the height, in the middle."""
    return _part(image, scaled(image.size, 1 / 3, 1 / 1.35), 0.5, 0.5)


def strong(share: float) -> Change:
    """Crop to a share of the area, shrink to 60 % and brighten by 20 %."""

    def change(image: Image.Image, random: Random) -> Changed:
        part = _random_part(image, share, random)
        small = part.image.resize(scaled(part.image.size, 0.6), Image.Resampling.LANCZOS)
        across, down = (a / b for a, b in zip(part.image.size, small.size, strict=True))
        transform = affine(across, 0, part.box[0], 0, down, part.box[1])
        return Changed(ImageEnhance.Brightness(small).enhance(1.2), transform, part.box)

    return change


def _random_part(image: Image.Image, share: float, random: Random) -> Changed:
    return _part(image, scaled(image.size, share**0.5), *random.uniform(0, 1, 2))


def _part(image: Image.Image, size: Size, across: float, down: float) -> Changed:
    """Cut out a part; `across` and `down`, 0 to 1, give its position within the free room."""
    left, top = round(across * (image.width - size[0])), round(down * (image.height - size[1]))
    box = (left, top, left + size[0], top + size[1])
    return Changed(image.crop(box), affine(1, 0, left, 0, 1, top), box)
