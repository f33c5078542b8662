"""Make vectors of images for txtai with a sentence-transformers model such as CLIP.

They are a sub-index of an index:

    indexes:
      semantic:
        method: hashlens.ImageVectors
        path: sentence-transformers/clip-ViT-B-32
        columns: {text: path}

SQL then finds pictures by words, `where similar('a dog on a beach', 'semantic')`, or by the path of
a picture.
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
from hashlens.images.formats import EXTENSIONS
from hashlens.images.kinds import holds_picture
from hashlens.images.upright import upright
from hashlens.images.walk import has_extension
from hashlens.names import name_of


class ImageVectors(STVectors):  # type: ignore[misc]  # txtai is untyped
    """Encode the path of an image as its picture, and any other text as text."""

    def encode(self, data: Sequence[Any], category: str | None = None) -> Any:
        """Return one vector per item: an array of shape `(items, dimensions)`."""
        items = [_opened(item) for item in data]
        vectors: list[Any] = [None] * len(items)
        for pictures in (True, False):  # models take pictures and words in separate calls
            positions = [
                position
                for position, item in enumerate(items)
                if isinstance(item, Image.Image) is pictures
            ]
            if positions:
                encoded = super().encode([items[position] for position in positions], category)
                for position, vector in zip(positions, encoded, strict=True):
                    vectors[position] = vector
        return np.stack(vectors)


def _opened(item: Any) -> Any:
    """Return the picture of an image or of its path, in RGB; any other item as it is."""
    if isinstance(item, Image.Image):
        return upright(item).convert("RGB")
    path = name_of(item) if isinstance(item, str) else ""
    if os.path.isfile(path) and (has_extension(path) or holds_picture(path, EXTENSIONS)):
        try:
            return upright(open_image(path)).convert("RGB")
        except ImageError:
            return ""  # a skipped file: models fail if they are given its path
    return item
