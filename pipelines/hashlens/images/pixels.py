"""Types for decoding: sources, drafts and decoded pixels."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias

from PIL import Image

if TYPE_CHECKING:
    import numpy as np

    Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image


Box: TypeAlias = "tuple[float, float, float, float]"  # left, top, right, bottom
Draft: TypeAlias = "tuple[str, int]"  # a mode, and the least length of the shorter side

# Twice Pillow's own limit, about 179 megapixels: Pillow warns at one, and refuses at two.
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)


class Pixels(NamedTuple):
    """A decoded image, perhaps at a reduced size.

    image: the decoded pixels.
    box: the part of `image` that shows the picture, in pixels of `image`; None if all of it does.
        A reduced JPEG is rounded up to whole pixels, so its last ones reach beyond the picture.
    size: width and height of the picture at full size, in pixels.
    format: Pillow's name of the file format; None if the source was not a file.
    is_sound: whether the decoder is known to have found nothing wrong with the file.
    """

    image: Image.Image
    box: Box | None
    size: tuple[int, int]
    format: str | None
    is_sound: bool = False
