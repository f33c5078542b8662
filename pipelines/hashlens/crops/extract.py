"""Extract the keypoints of a picture."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, cast

import numpy as np

from hashlens.crops.extrema import Extrema, Rows, find_extrema
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
from hashlens.crops.orientation import orientations
from hashlens.crops.patches import hash_patches
from hashlens.crops.pyramid import ScaleSpace, scale_space
from hashlens.errors import ParameterError

if TYPE_CHECKING:
    from PIL import Image


VERSION = 2  # of the extraction: raised whenever codes or places change
THUMBNAIL_SIDE = 96  # pixels: of the grey picture by which a match is verified
THUMBNAIL_QUALITY = 75  # of JPEG
MAX_SIDE = 2048  # pixels, of a frame: OpenCV samples images of at most 32,767 rows
DOUBLED_SIDE = 200  # pixels: frames up to this side are doubled, since they have few keypoints
FEW_EXTREMA = 200  # frames up to SIDE that have fewer are doubled, too

# Which extrema become keypoints first:
SAME_PLACE = 32  # of FULL: side of the squares that hold one extremum of each scale
CELLS = 5  # across, and down a picture
SLACK = 1.5  # shares of a cell: so much sooner the strongest extrema of a picture may come


def extractor() -> str:
    """Return the name and version of the extractor, in a line.

    Codes of different extractors cannot be compared.
    """
    return f"hashlens keypoints {VERSION}, OpenCV {_opencv()}"


@lru_cache(maxsize=1)
def _opencv() -> str:
    """Return OpenCV's version, if possible without loading it: a process that has cannot fork."""
    for package in ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless"):
        with suppress(PackageNotFoundError):
            return version(package)
    import cv2  # noqa: PLC0415

    return cv2.__version__


def frame(
    image: Image.Image, box: tuple[float, float, float, float] | None = None, side: int = SIDE
) -> Frame:
    """Reduce an image of any mode to a grey frame, in which keypoints are looked for.

    `box` is the part of the image to take, in pixels (left, top, right, bottom). Its longer side
    becomes `side` pixels, each the mean of an area; a smaller part is not enlarged. Returns shape
    (height, width).
    """
    pixels: Frame = np.asarray(image if image.mode == "L" else image.convert("L"), np.uint8)
    if box:
        # A fraction of a pixel counts as a whole pixel: this moves a place by less than a pixel.
        left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), box[2], box[3]
        pixels = pixels[top : math.ceil(bottom), left : math.ceil(right)]
    return np.ascontiguousarray(_reduced(pixels, side))


def _reduced(pixels: Frame, side: int) -> Frame:
    """Reduce pixels until the longer side is at most `side`."""
    height, width = pixels.shape
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    import cv2  # noqa: PLC0415

    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cast("Frame", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def extract(frame: Frame, size: tuple[int, int], most: int = KEYPOINTS) -> Keypoints:
    """Find the keypoints of a grey frame, made of a picture of `size` (width, height) in pixels.

    Returns at most `most` keypoints: the first n do not depend on `most`. A picture without
    texture, or of a few pixels, has none. Equal frames have equal keypoints. Raises ParameterError
    if the frame is not uint8 in two dimensions or has a side over MAX_SIDE, and if `most` is not 1
    to MOST_KEYPOINTS.
    """
    if frame.ndim != 2 or frame.dtype != np.uint8 or not 0 < max(frame.shape) <= MAX_SIDE:
        kind = f"{frame.dtype} {frame.shape}"
        msg = f"a frame is grey, uint8, its sides up to {MAX_SIDE} pixels, not {kind}"
        raise ParameterError(msg)
    if not 0 < most <= MOST_KEYPOINTS:
        msg = f"most must be 1 to {MOST_KEYPOINTS} keypoints, not {most}"
        raise ParameterError(msg)
    space, extrema, doubled = _detected(frame)
    places = _places(extrema, frame.shape, doubled=doubled)
    chosen = _ranked(extrema, places, frame.shape)[:most]
    extrema, places = extrema.take(chosen), places[chosen]
    codes = doubtful = np.empty(0, np.uint64)
    if len(chosen):
        angles = orientations(space, extrema)
        places["angle"] = np.rint(angles * (TURN / (2 * np.pi))).astype(np.int64) % TURN
        codes, doubtful = hash_patches(space, extrema, angles)
    return Keypoints(codes, places, size, thumbnail(frame), doubtful)


def _detected(frame: Frame) -> tuple[ScaleSpace, Extrema, bool]:
    """Return the scale space of a frame, its extrema, and whether the frame was doubled."""
    side = max(frame.shape)
    doubled = side <= DOUBLED_SIDE
    space = scale_space(frame, doubled=doubled)
    extrema = find_extrema(space.octaves)
    if 0 < len(extrema.x) < FEW_EXTREMA and DOUBLED_SIDE < side <= SIDE:
        doubled = True
        space = scale_space(frame, doubled=doubled)
        extrema = find_extrema(space.octaves)
    return space, extrema, doubled


def _places(extrema: Extrema, shape: tuple[int, ...], *, doubled: bool) -> Places:
    """Return the places of extrema in a frame of a shape, and their scales; all angles are 0."""
    # All levels have the middle of their first pixel in one place; a doubled frame moves it.
    unit = 2.0**extrema.octave / (1 + doubled)
    middle = 0.5 / (1 + doubled)
    longer = max(shape)
    places = np.zeros(len(extrema.x), PLACE)
    places["x"] = np.clip(np.rint((extrema.x * unit + middle) * (FULL / longer)), 0, FULL)
    places["y"] = np.clip(np.rint((extrema.y * unit + middle) * (FULL / longer)), 0, FULL)
    scales = 255 + OCTAVE * np.log2(2 * extrema.sigma * unit / longer)
    places["scale"] = np.clip(np.rint(scales), 0, 255)
    return places


def _ranked(extrema: Extrema, places: Places, shape: tuple[int, ...]) -> Rows:
    """Return extrema by strength, but so that the first ones are spread over the picture.

    A grid of CELLS x CELLS covers the picture. The nth strongest extremum of a cell comes as early
    as if all cells took turns, or earlier: by its strength in the picture, if SLACK allows. Of
    several extrema at the same place and scale, the strongest is returned.
    """
    order = np.argsort(-extrema.strength, kind="stable")
    x, y = (places[axis][order].astype(np.int64) for axis in "xy")
    # Equal pixels side by side may all be extrema, with the same place between them.
    same = ((x // SAME_PLACE) << 32) + ((y // SAME_PLACE) << 8) + places["scale"][order]
    first = np.sort(np.unique(same, return_index=True)[1])
    order, x, y = order[first], x[first], y[first]
    height, width = shape
    longer = max(shape)
    across = np.minimum(CELLS - 1, x * (CELLS * longer) // (width * FULL))
    down = np.minimum(CELLS - 1, y * (CELLS * longer) // (height * FULL))
    ranks = _ranks_in_cell(down * CELLS + across)
    turn = np.minimum(np.arange(len(order)), ranks * (SLACK * CELLS * CELLS))
    return order[np.argsort(turn, kind="stable")]


def _ranks_in_cell(cells: Rows) -> Rows:
    """Return, for each extremum, how many earlier ones are in the same cell."""
    counts = np.bincount(cells, minlength=CELLS * CELLS)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    ranks = np.empty(len(cells), np.int64)
    ranks[np.argsort(cells, kind="stable")] = np.arange(len(cells)) - starts
    return ranks


def thumbnail(frame: Frame) -> bytes:
    """Return a small JPEG of a frame: its longer side is at most THUMBNAIL_SIDE pixels."""
    import cv2  # noqa: PLC0415

    small = _reduced(frame, THUMBNAIL_SIDE)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1].tobytes()
