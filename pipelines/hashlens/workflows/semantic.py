"""Vectors of images for txtai, from a sentence-transformers model such as CLIP.

An index has them as a sub-index:

    indexes:
      semantic:
        method: hashlens.ImageVectors
        path: sentence-transformers/clip-ViT-B-32
        columns: {text: path}

and SQL then says `where similar('a dog on a beach', 'semantic')`, or gives the path of a picture.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from txtai.vectors import STVectors

from hashlens.errors import ImageError
from hashlens.images.decode import open_image
from hashlens.images.upright import upright
from hashlens.images.walk import has_extension


class ImageVectors(STVectors):  # type: ignore[misc]  # txtai is untyped
    """Encode paths of images as their pictures, and any other text as text."""

    def encode(self, data: Sequence[Any], category: str | None = None) -> Any:
        """Return one vector per item. Models take pictures and words in separate calls."""
        items = [_picture(item) for item in data]
        vectors: list[Any] = [None] * len(items)
        for wanted in (True, False):
            places = [n for n, item in enumerate(items) if isinstance(item, Image.Image) is wanted]
            if places:
                encoded = super().encode([items[place] for place in places], category)
                for place, vector in zip(places, encoded, strict=True):
                    vectors[place] = vector
        return np.stack(vectors)


def _picture(item: Any) -> Any:
    if isinstance(item, Image.Image):
        return upright(item).convert("RGB")
    if isinstance(item, str) and has_extension(item) and os.path.exists(item):
        try:
            return upright(open_image(item)).convert("RGB")
        except ImageError:
            return ""  # a skipped file; models take a path that exists for a picture, and fail
    return item
