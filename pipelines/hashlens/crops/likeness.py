"""Measure how much two pictures look alike, block by block."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.geometry import Floats, Map, inverse

GRID = 96  # samples across and down the overlap: as many pixels as a thumbnail has
BLOCKS = 4  # across and down the overlap
LEAST_BLOCKS = 4  # blocks with texture, without which pictures are not compared
LEAST_DEVIATION = 4.0  # grey levels, standard deviation: a block that is flatter has no texture
ALIKE = 0.8  # correlation of a block from which on two pictures agree there


class Likeness(NamedTuple):
    """How much two pictures look alike in their overlap; a caption spoils only its own blocks.

    correlation: mean of the blocks' normalised cross-correlations, -1 to 1
    agreement: share of the blocks that are ALIKE, 0 to 1
    """

    correlation: float
    agreement: float


def measure_likeness(found: Map, query: NDArray[np.uint8], picture: NDArray[np.uint8]) -> Likeness:
    """Measure how much two grey pictures look alike in the overlap that a map gives.

    Both are sampled on one grid; a sample is the mean of a cell of the grid, or of a pixel if
    pixels are larger.
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
    mostly_inside = inside.sum(axis=1) * 2 >= inside.shape[1]
    a, b, mask = ours[mostly_inside], theirs[mostly_inside], inside[mostly_inside]
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
    """Return the samples by block: a row each."""
    side = GRID // BLOCKS
    return samples.reshape(BLOCKS, side, BLOCKS, side).swapaxes(1, 2).reshape(BLOCKS**2, side**2)


def _sampled(image: NDArray[np.uint8], places: NDArray[np.complex128], factor: float) -> Floats:
    """Sample an image at places in longer sides; it is first reduced if `factor` is below 1."""
    import cv2  # noqa: PLC0415

    height, width = image.shape
    side = max(height, width)
    if factor < 0.99:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    across = places.real * (side * image.shape[1] / width) - 0.5
    down = places.imag * (side * image.shape[0] / height) - 0.5
    return cv2.remap(
        image.astype(np.float32),
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
