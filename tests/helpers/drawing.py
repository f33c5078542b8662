"""Pictures drawn by code, with fixed seeds, and what hashes them elsewhere."""

from __future__ import annotations

from io import BytesIO

import imagehash
import numpy as np
from PIL import Image

# The names of imagesearch, and the functions of ImageHash behind them.
THEIRS = {
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "phash-simple": imagehash.phash_simple,
    "dhash": imagehash.dhash,
    "dhash-vert": imagehash.dhash_vertical,
    "whash": imagehash.whash,
    "colorhash": imagehash.colorhash,
}


def draw(seed: int, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """Draw a picture with structure at several scales, as photographs have."""
    random = np.random.default_rng(seed)
    width, height = size
    picture = np.zeros((height, width, 3))
    for cells in (2, 4, 8, 16):
        noise = random.uniform(0, 255, (cells, cells, 3)).astype(np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        picture += np.asarray(layer) / cells
    picture -= picture.min()
    picture *= 255 / max(picture.max(), 1)
    return Image.fromarray(picture.astype(np.uint8)).convert(mode)


# Formats of several frames, and how to save them.
SEVERAL = {
    "GIF": {"duration": 100},
    "TIFF": {},
    "WEBP": {"lossless": True, "duration": 100},
    "PNG": {"duration": 100},
    "MPO": {},
}


def sequence(kind, *seeds, size=(48, 32), **options):
    """The bytes of a file with a drawn picture for each seed."""
    first, *rest = (draw(seed, size) for seed in seeds)
    file = BytesIO()
    how = {"save_all": True, "append_images": rest} if rest else {}
    first.save(file, kind, **how, **(SEVERAL.get(kind, {}) if rest else {}), **options)
    return file.getvalue()


def saved(kind, **options):
    """The bytes of a file with one drawn picture."""
    file = BytesIO()
    draw(1, (320, 240)).save(file, kind, **options)
    return file.getvalue()
