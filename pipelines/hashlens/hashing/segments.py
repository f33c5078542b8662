"""The bright and dark segments of a picture, as ImageHash's crop-resistant hash finds them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Extent: TypeAlias = "tuple[int, int, int, int]"


def segments(image: Image.Image, threshold: int, min_size: int, limit: int | None) -> list[Extent]:
    """Return the segments with more than `min_size` pixels: left, top, right and bottom of each.

    Segments brighter than the threshold come first, then the dark ones, both by their first pixel
    from the top left. With a limit, only the largest are returned. If there are none, the whole
    picture is returned.
    """
    pixels = np.asarray(image)
    bright = pixels > threshold
    found: list[tuple[int, Extent]] = []
    # ImageHash counts the pixels that it has assigned: with the border around the picture, without
    # segments of a single pixel. It stops looking for dark segments when it has counted as many
    # pixels as the picture has.
    counted = 2 * sum(pixels.shape)
    for mask in (bright, ~bright):
        for size, extent in _components(mask):
            if mask is not bright and counted >= pixels.size:
                break
            counted += size if size > 1 else 0
            if size > min_size:
                found.append((size, extent))
    if limit:
        found = sorted(found, key=lambda item: item[0], reverse=True)[:limit]
    height, width = pixels.shape
    return [extent for _, extent in found] or [(0, 0, width, height)]


def _components(mask: npt.NDArray[np.bool_]) -> list[tuple[int, Extent]]:
    """Return size and extent of the 4-connected components, in the order of their first pixels."""
    labels, count = ndimage.label(mask)
    flat = labels.ravel()
    sizes = np.bincount(flat, minlength=count + 1)[1:].tolist()
    extents = [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]
    # The first pixel of each label: pixels are assigned in reverse, so the first is written last.
    firsts = np.empty(count + 1, dtype=np.int64)
    firsts[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    order = np.argsort(firsts[1:])
    return [(sizes[index], extents[index]) for index in order.tolist()]
