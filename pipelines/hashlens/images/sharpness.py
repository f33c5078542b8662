"""How sharp a picture is: the variance of its Laplacian, as undouble and many others measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.images.pixels import Source

BLURRED = 100.0  # below it, pictures are commonly called blurred


def sharpness(source: Source) -> float:
    """Return the variance of the Laplacian of a picture, as it is decoded, in grey levels squared.

    That of OpenCV: `cv2.Laplacian(grey, cv2.CV_64F).var()`. Values compare pictures of one motif
    and one size; below 100 a photo is commonly called blurred (Pech-Pacheco et al. 2000). Raises
    ImageError for what cannot be read.
    """
    from hashlens.images.decode import open_image  # noqa: PLC0415  loads Pillow

    return sharpness_of(open_image(source))


def sharpness_of(image: Image.Image) -> float:
    """Return the variance of the Laplacian of an open image."""
    import cv2  # noqa: PLC0415  a tenth of a second
    import numpy as np  # noqa: PLC0415

    from hashlens.images.upright import upright  # noqa: PLC0415

    grey = np.asarray(upright(image).convert("L"))
    # Steps are at most 4 x 255: 16 bits hold them, in a quarter of the memory of floats.
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
