"""Measure how sharp a picture is: the variance of its Laplacian, as undouble and others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.images.pixels import Source

BLURRED = 100.0  # grey levels squared: pictures below are commonly called blurred


def sharpness(source: Source) -> float:
    """Return the variance of the Laplacian of a picture, in grey levels squared.

    The value equals OpenCV's: `cv2.Laplacian(grey, cv2.CV_64F).var()`. Compare values only of
    pictures with one motif and one size. A photo below 100 is commonly called blurred
    (Pech-Pacheco et al. 2000). Raises ImageError for a source that cannot be read.
    """
    from hashlens.images.decode import open_image  # noqa: PLC0415  loads Pillow

    return sharpness_of(open_image(source))


def sharpness_of(image: Image.Image) -> float:
    """Return the variance of the Laplacian of an open image, in grey levels squared."""
    import cv2  # noqa: PLC0415  a tenth of a second
    import numpy as np  # noqa: PLC0415  likewise

    from hashlens.images.upright import upright  # noqa: PLC0415  loads Pillow

    grey = np.asarray(upright(image).convert("L"))
    # The Laplacian is at most 4 x 255: 16 bits hold it, in a quarter of the memory of floats.
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
