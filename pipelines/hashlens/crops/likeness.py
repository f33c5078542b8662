"""How much two pictures look alike, block by block."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.geometry import Floats, Map, inverse

GRID = 96  # samples across and down, at which two pictures are compared: those of a thumbnail
BLOCKS = 4  # blocks across and down, each compared for itself
LEAST_BLOCKS = 4  # that both pictures have, with something in them
LEAST_DEVIATION = 4.0  # grey levels: a block that is flatter in both looks like any other
ALIKE = 0.8  # correlation of a block from which on the two agree there


class Likeness(NamedTuple):
    """How much two pictures look alike where they overlap, block by block.

    `correlation` is the mean of the blocks' normalised cross-correlations; `agreement` is the
    share of blocks that are `ALIKE`. A caption spoils the blocks that it covers, and no others.
    """

    correlation: float
    agreement: float


def compare(found: Map, query: NDArray[np.uint8], picture: NDArray[np.uint8]) -> Likeness:
    """Compare two grey pictures where a map says that they overlap.

    Both are sampled on one grid, averaged over its cells or their own pixels, whatever is coarser.
    """
    long, query_long = max(picture.shape), max(query.shape)
    height, width = (side / long for side in picture.shape)
    query_height, query_width = (side / query_long for side in query.shape)
    corners = found(np.array([0, query_width, query_width + 1j * query_height, 1j * query_height]))
    left, right = max(0.0, corners.real.min()), min(width, corners.real.max())
    top, bottom = max(0.0, corners.imag.min()), min(height, corners.imag.max())
    if left >= right or top >= bottom:
        return Likeness(0.0, 0.0)
    steps = (np.arange(GRID) + 0.5) / GRID
    here = (left + (right - left) * steps)[None] + 1j * (top + (bottom - top) * steps)[:, None]
    there = inverse(found)(here)
    across, down = there.real, there.imag
    inside = (across >= 0) & (across <= query_width) & (down >= 0) & (down <= query_height)
    scale = abs(found.turn)
    pitch = max(np.sqrt((right - left) * (bottom - top)) / GRID, 1 / long, scale / query_long)
    ours = _blocks(_sampled(picture, here, 1 / (pitch * long)))
    theirs = _blocks(_sampled(query, there, scale / (pitch * query_long)))
    return _likeness(ours, theirs, _blocks(inside))


def _likeness(ours: Floats, theirs: Floats, inside: NDArray[Any]) -> Likeness:
    """Compare blocks, a row each, by the samples that are inside of both pictures."""
    most = inside.sum(axis=1) * 2 >= inside.shape[1]
    a, b, mask = ours[most], theirs[most], inside[most]
    counts = mask.sum(axis=1)
    a = (a - ((a * mask).sum(axis=1) / counts)[:, None]) * mask
    b = (b - ((b * mask).sum(axis=1) / counts)[:, None]) * mask
    squares = (a * a).sum(axis=1), (b * b).sum(axis=1)
    textured = np.maximum(*squares) >= counts * LEAST_DEVIATION**2
    if textured.sum() < LEAST_BLOCKS:
        return Likeness(0.0, 0.0)
    both = np.sqrt(squares[0] * squares[1])[textured]
    correlations = (a * b).sum(axis=1)[textured] / np.maximum(both, 1e-9)
    return Likeness(float(correlations.mean()), float((correlations >= ALIKE).mean()))


def _blocks(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the samples of each block in a row."""
    side = GRID // BLOCKS
    return samples.reshape(BLOCKS, side, BLOCKS, side).swapaxes(1, 2).reshape(BLOCKS**2, side**2)


def _sampled(image: NDArray[np.uint8], at: NDArray[np.complex128], factor: float) -> Floats:
    """Sample an image, first reduced by a factor, at places in units of its longer side."""
    import cv2  # noqa: PLC0415

    height, width = image.shape
    side = max(height, width)
    if factor < 0.99:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    across = at.real * (side * image.shape[1] / width) - 0.5
    down = at.imag * (side * image.shape[0] / height) - 0.5
    return cv2.remap(
        image.astype(np.float32),
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
