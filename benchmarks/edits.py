"""Edit photos a little, with a seed: the edits whose hashes the benchmarks call *real*."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

from hashlens import PerceptualHash

Edit = Callable[[Image.Image, random.Random], Image.Image]


def edits_hashed(path: Path, number: int, count: int) -> list[str]:
    """Return the hashes of `count` edits of a photo; each edit has a seed of its own."""
    photo = Image.open(path).convert("RGB")
    hasher = PerceptualHash()
    return hasher.fingerprints(
        [hasher.sample(edited(photo, random.Random(f"{number} {edit}"))) for edit in range(count)]
    )


def edited(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Edit a photo in one or two ways."""
    for edit in rng.sample(EDITS, rng.randint(1, 2)):
        photo = edit(photo, rng)
    return photo


def brightened(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Change the brightness."""
    return ImageEnhance.Brightness(photo).enhance(rng.uniform(0.6, 1.5))


def contrasted(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Change the contrast."""
    return ImageEnhance.Contrast(photo).enhance(rng.uniform(0.6, 1.5))


def gamma(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Change gamma."""
    power = rng.uniform(0.6, 1.6)
    return photo.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


def compressed(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Save as JPEG and read again."""
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=rng.randint(20, 90))
    return Image.open(data).convert("RGB")


def resized(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Make smaller or larger."""
    factor = rng.uniform(0.3, 1.3)
    width, height = (max(8, round(side * factor)) for side in photo.size)
    return photo.resize((width, height))


def cropped(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Cut up to a tenth off each side."""
    (width, height), cut = photo.size, [rng.uniform(0, 0.1) for _ in range(4)]
    return photo.crop(
        (cut[0] * width, cut[1] * height, (1 - cut[2]) * width, (1 - cut[3]) * height)
    )


def turned(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Rotate a little."""
    return photo.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR)


def blurred(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Blur."""
    return photo.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 3)))


EDITS: list[Edit] = [
    brightened,
    contrasted,
    gamma,
    compressed,
    resized,
    cropped,
    turned,
    blurred,
]
