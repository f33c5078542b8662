"""Folders of image files to hash, made of photos."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import numpy as np
from PIL import Image


def small(photos: list[Path], folder: Path, count: int) -> Path:
    """Copy the photos, again and again, until there are `count` files."""
    for number in range(count):
        target = folder / str(number // len(photos)) / photos[number % len(photos)].name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[number % len(photos)], target)
    return folder


def twelve_megapixels(photos: list[Path], folder: Path, count: int = 60) -> Path:
    """Make large JPEGs of the photos, with fixed seeds: mosaics, and enlargements with grain."""
    folder.mkdir()
    noise, pick = np.random.default_rng(0), random.Random(0)
    for number in range(count):
        large = Image.new("RGB", (4000, 3000))
        if number % 2:
            image = Image.open(pick.choice(photos)).convert("RGB")
            pixels = np.asarray(image.resize(large.size, Image.Resampling.BICUBIC)).astype(np.int16)
            pixels = pixels + noise.normal(0, 4, (3000, 4000, 1)).astype(np.int16)
            large = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        else:
            for left in range(0, 4000, 960):
                for top in range(0, 3000, 640):
                    tile = Image.open(pick.choice(photos)).convert("RGB")
                    large.paste(tile.resize((960, 640), Image.Resampling.BICUBIC), (left, top))
        large.save(folder / f"{number:02}.jpg", quality=90)
    return folder


def million(photos: list[Path], folder: Path) -> Path:
    """Make a million names (hard links) of a few tiny JPEGs."""
    tiny = [folder.parent / f"tiny{number}.jpg" for number in range(20)]
    for path, photo in zip(tiny, photos, strict=False):
        Image.open(photo).convert("RGB").resize((64, 48)).save(path)
    for number in range(1_000_000):
        target = folder / f"{number // 1000:03}" / f"{number % 1000:03}.jpg"
        if number % 1000 == 0:
            target.parent.mkdir(parents=True)
        os.link(tiny[number % len(tiny)], target)
    return folder


def linked(photos: list[Path], scratch: Path, count: int) -> Path:
    """Make `count` names (hard links) of copies of the photos."""
    folder = scratch / "many"
    originals = small(photos, scratch / "originals", len(photos))
    for number in range(count):
        source = originals / "0" / photos[number % len(photos)].name
        target = folder / f"{number // 500:03}" / f"{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
    return folder
