"""Tell by sizes and EXIF which pictures of a group are whole, and which are smaller copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.rule import JPEG, SMALLER, Facts, area_of
from hashlens.grouping.size import held

# An enlarged copy must not win over the camera's file. But of a picture with less than such a share
# of the pixels, or with more by the same factor than EXIF says, EXIF is not believed.
SMALL = 0.2
OF_CAMERAS = ("HEIF", *JPEG)  # formats


def is_whole(images: Facts) -> NDArray[np.bool_]:
    """Return which images are no smaller copies of the largest image of their group.

    A picture that was enlarged counts as large as it was taken. A smaller one counts as whole if
    it is surely as it was taken.
    """
    true = _true_areas(images)
    whole: NDArray[np.bool_] = (true >= SMALLER * images.largest(true)) | _as_taken(images, true)
    return whole


def is_sure(images: Facts) -> NDArray[np.bool_]:
    """Return which images are of groups in which EXIF tells the whole picture.

    One is surely as it was taken; or a large one has EXIF of a camera and is, by that, not larger
    than it was taken, and no smaller one has its size by EXIF.
    """
    area, taken = area_of(images), images["taken_pixels"]
    is_large = area >= SMALLER * images.largest(area)
    with_exif = images.known("camera") | images.known("taken")
    is_not_enlarged = with_exif & ((taken == 0) | (taken >= area))
    as_taken = _as_taken(images, _true_areas(images))
    of_group = images.largest
    sure: NDArray[np.bool_] = of_group(as_taken) | (
        of_group(is_not_enlarged & is_large) & ~of_group((taken == area) & ~is_large)
    )
    return sure


def as_cameras_write(images: Facts) -> NDArray[np.bool_]:
    """Return which images are files as their cameras write them."""
    found = images.known("camera") & ~images.known("derived")
    return found & images.has_format(OF_CAMERAS) if found.any() else found


def _true_areas(images: Facts) -> NDArray[np.float64]:
    """Return the pixels that each image holds, and no more than it was taken with."""
    pixels, holds = area_of(images), held(images)
    taken = images["taken_pixels"].astype(float)
    true: NDArray[np.float64] = np.where(taken >= SMALL * pixels, np.minimum(holds, taken), holds)
    return true


def _as_taken(images: Facts, true: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which images are surely as they were taken, however small.

    Each is as its camera wrote it, in the format and the size, and none that is larger has its size
    by EXIF, too: programs that make a picture smaller may write the new size.
    """
    pixels = area_of(images)
    has_size = images["taken_pixels"] == pixels
    found: NDArray[np.bool_] = has_size & (pixels >= SMALL * images.largest(true))
    if found.any():
        found &= true >= SMALLER * images.largest(np.where(has_size, true, -np.inf))
        found &= as_cameras_write(images)
    return found
