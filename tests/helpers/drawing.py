"""Pictures drawn by code, with fixed seeds, and what hashes them elsewhere."""

from __future__ import annotations

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
