"""Extract the keypoints of a picture."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, cast

import numpy as np

from hashlens.crops.keypoints import (
    FULL,
    KEYPOINTS,
    MOST_KEYPOINTS,
    OCTAVE,
    PLACE,
    SIDE,
    TURN,
    Frame,
    Keypoints,
    Places,
)
from hashlens.crops.patches import SAMPLES, WIDTH, _angles, _codes, _grid, _patches
from hashlens.crops.pyramid import Rows, _octaves, _Points, _points
from hashlens.errors import ParameterError

if TYPE_CHECKING:
    from PIL import Image


VERSION = 2  # of the extraction: raised whenever codes or places change
THUMBNAIL_SIDE = 96  # pixels: of the grey picture with which a match is checked
THUMBNAIL_QUALITY = 75  # of JPEG
DOUBLED_SIDE = 200  # pixels: frames up to this are doubled, for they have few keypoints
FEW = 200  # keypoints: frames up to SIDE that have fewer are doubled too
LARGEST_SIDE = 2048  # pixels, of a frame: OpenCV samples images of 32,767 rows at most

# The choice among them.
NEAREST = 32  # of FULL: places so near may be taken for one
CELLS = 5  # across and down
SLACK = 1.5  # times the share of a cell, which the strongest of one have before those of others


def extractor() -> str:
    """Return what makes the codes, in a line: codes of another cannot be compared with them."""
    return f"hashlens keypoints {VERSION}, OpenCV {_opencv()}"


@lru_cache(maxsize=1)
def _opencv() -> str:
    """Return OpenCV's version, if possible without loading it: it cannot be forked after that."""
    for package in ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless"):
        with suppress(PackageNotFoundError):
            return version(package)
    import cv2  # noqa: PLC0415

    return cv2.__version__


def frame(
    image: Image.Image, box: tuple[float, float, float, float] | None = None, side: int = SIDE
) -> Frame:
    """Reduce an image to the grey frame in which keypoints are looked for.

    The longer side of the part `box` of it, in pixels from the left and the top, becomes `side`
    pixels, each the mean of an area; smaller ones are not enlarged. Any mode of Pillow will do.
    Returns shape (height, width).
    """
    pixels: Frame = np.asarray(image if image.mode == "L" else image.convert("L"), np.uint8)
    if box:
        # A fraction of a pixel is taken whole, which moves nothing by more than that.
        left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), box[2], box[3]
        pixels = pixels[top : math.ceil(bottom), left : math.ceil(right)]
    height, width = pixels.shape
    scale = side / max(pixels.shape)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    return _reduced(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))


def _reduced(pixels: Frame, size: tuple[int, int]) -> Frame:
    import cv2  # noqa: PLC0415

    return cast("Frame", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def extract(frame: Frame, size: tuple[int, int], most: int = KEYPOINTS) -> Keypoints:
    """Find the keypoints of a grey frame: a picture of `size`, reduced by `frame`.

    The first n of them are those that would be found with n as `most`. A picture without texture,
    and one of a few pixels, has none. The same frame always has the same. Raises ParameterError
    for what is no frame, or too large for one, and for a number that cannot be.
    """
    if frame.ndim != 2 or frame.dtype != np.uint8 or not 0 < max(frame.shape) <= LARGEST_SIDE:
        kind = f"{frame.dtype} {frame.shape}"
        msg = f"a frame is grey, uint8, its sides up to {LARGEST_SIDE} pixels, not {kind}"
        raise ParameterError(msg)
    if not 0 < most <= MOST_KEYPOINTS:
        msg = f"most must be 1 to {MOST_KEYPOINTS} keypoints, not {most}"
        raise ParameterError(msg)
    longer = max(frame.shape)
    doubled = longer <= DOUBLED_SIDE
    octaves, atlas = _octaves(frame, doubled)
    points = _points(octaves)
    if 0 < len(points.x) < FEW and DOUBLED_SIDE < longer <= SIDE:
        doubled = True
        octaves, atlas = _octaves(frame, doubled)
        points = _points(octaves)
    places = _places(points, frame.shape, doubled)
    chosen = _chosen(points, places, frame.shape)[:most]
    points, places = points.take(chosen), places[chosen]
    codes = doubtful = np.empty(0, np.uint64)
    if len(chosen):
        angles = _angles(atlas, octaves, points)
        places["angle"] = np.rint(angles * (TURN / (2 * np.pi))).astype(np.int64) % TURN
        codes, doubtful = _codes(_patches(atlas, octaves, points, angles, _grid(SAMPLES, WIDTH)))
    return Keypoints(codes, places, size, _thumbnail(frame), doubtful)


def _places(points: _Points, shape: tuple[int, ...], doubled: bool) -> Places:
    """Return where points are in a frame of that shape, without their angles."""
    # The first pixel of each level is that of the frame, or of the doubled one.
    unit = 2.0**points.octave / (1 + doubled)
    middle = 0.5 / (1 + doubled)
    longer = max(shape)
    places = np.zeros(len(points.x), PLACE)
    places["x"] = np.clip(np.rint((points.x * unit + middle) * (FULL / longer)), 0, FULL)
    places["y"] = np.clip(np.rint((points.y * unit + middle) * (FULL / longer)), 0, FULL)
    scales = 255 + OCTAVE * np.log2(2 * points.sigma * unit / longer)
    places["scale"] = np.clip(np.rint(scales), 0, 255)
    return places


def _chosen(points: _Points, places: Places, shape: tuple[int, ...]) -> Rows:
    """Order points by strength, but so that the first are spread over the picture.

    The strongest of a cell of a grid come as early as if all cells had an equal share, and some
    slack. Of points at one place and scale, there is one.
    """
    order = np.argsort(-points.strength, kind="stable")
    x, y = (places[axis][order].astype(np.int64) for axis in "xy")
    # Pixels that are equal may all be extrema, which are the same place between them.
    same = ((x // NEAREST) << 32) + ((y // NEAREST) << 8) + places["scale"][order]
    first = np.sort(np.unique(same, return_index=True)[1])
    order, x, y = order[first], x[first], y[first]
    height, width = shape
    longer = max(shape)
    across = np.minimum(CELLS - 1, x * (CELLS * longer) // (width * FULL))
    down = np.minimum(CELLS - 1, y * (CELLS * longer) // (height * FULL))
    cell = down * CELLS + across
    counts = np.bincount(cell, minlength=CELLS * CELLS)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    ranks = np.empty(len(order), np.int64)
    ranks[np.argsort(cell, kind="stable")] = np.arange(len(order)) - starts
    turn = np.minimum(np.arange(len(order)), ranks * (SLACK * CELLS * CELLS))
    return order[np.argsort(turn, kind="stable")]


def _thumbnail(frame: Frame) -> bytes:
    """Return a small JPEG of a frame, its longer side at most `THUMBNAIL_SIDE` pixels."""
    import cv2  # noqa: PLC0415

    height, width = frame.shape
    scale = THUMBNAIL_SIDE / max(frame.shape)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = _reduced(frame, size)
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1].tobytes()
