"""Decoded pixels, and what is asked of a decoder."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias

from PIL import Image

if TYPE_CHECKING:
    import numpy as np

    Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image


Box: TypeAlias = "tuple[float, float, float, float]"
Draft: TypeAlias = "tuple[str, int]"  # a mode, and the shortest that the shorter side may become

# Twice Pillow's own limit, where it stops warning and refuses: about 179 megapixels.
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)


class Pixels(NamedTuple):
    """A decoded image: the part `box` of `image` shows a picture of `size`.

    The box is the whole, None, unless a JPEG was decoded at a reduced size: that is rounded up to
    whole pixels, and the last ones reach beyond the picture.
    """

    image: Image.Image
    box: Box | None
    size: tuple[int, int]
    format: str | None
