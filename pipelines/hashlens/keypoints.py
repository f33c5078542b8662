"""Keypoint codes: what is left of a picture when a part of it is cut out, found again by 64 bits.

A keypoint is a place that is found again in a crop, with its scale and angle: an extremum of the
differences of Gaussians. Its code is a perceptual hash of the patch around it: the signs of the 64
lowest frequencies of its cosine transform, but for two. Nothing is trained.

Sources: David G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004,
doi:10.1023/B:VISI.0000029664.99615.94, for places, scales and angles; Christoph Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010, for the code.
"""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError

if TYPE_CHECKING:
    from PIL import Image

VERSION = 2  # of the extraction: raised whenever codes or places change
SIDE = 400  # pixels: the longer side of the frame in which keypoints are looked for
QUERY_SIDE = 800  # pixels, of a query: it may show a picture in a small part of it
KEYPOINTS = 200  # of an indexed picture, unless told otherwise
QUERY_KEYPOINTS = 500
MOST_KEYPOINTS = 2000
THUMBNAIL_SIDE = 96  # pixels: of the grey picture with which a match is checked
THUMBNAIL_QUALITY = 75  # of JPEG

PLACE = np.dtype([("x", "<u2"), ("y", "<u2"), ("scale", "u1"), ("angle", "u1")])
FULL = 65535  # x and y: the longer side of the picture
OCTAVE = 25.5  # steps of scale in a doubling; 255 is the whole longer side
TURN = 256  # steps of angle

# Places and scales, after Lowe.
GREY = 256  # units of a grey level: so that levels, with the middle grey as 0, fill 16 bits
MIDDLE = 128  # grey level
DOUBLED_SIDE = 200  # pixels: frames up to this are doubled, for they have few keypoints
FEW = 200  # keypoints: frames up to SIDE that have fewer are doubled too
LEVELS = 3  # of scale in a doubling
SIGMA = 1.6  # pixels: of the blur of the first level
TAKEN_SIGMA = 0.5  # pixels: of the blur that a picture is taken to have already
KERNEL_SIGMAS = 3.0  # half the width of a kernel of that
LEAST_SIDE = 17  # pixels, of the levels of an octave
LARGEST_SIDE = 2048  # pixels, of a frame: OpenCV samples images of 32,767 rows at most
MARGIN = 4  # pixels at the border of a level in which there are no keypoints
LEAST_CONTRAST = 0.425  # grey levels, of the difference of two levels, refined
LEAST_SEEN = 0.3  # grey levels, likewise, before it is refined
MOST_CURVATURE = 15.0  # times as much one way as the other: above, it is an edge
MOST_OFFSET = 0.6  # pixels and levels, from an extremum among them to that between them

# The choice among them.
NEAREST = 32  # of FULL: places so near may be taken for one
CELLS = 5  # across and down
SLACK = 1.5  # times the share of a cell, which the strongest of one have before those of others

# Angles and codes, from patches in units of the keypoint's sigma.
SAMPLES = 12  # across and down
WIDTH = 12.0  # of the patch that is hashed
ANGLE_SAMPLES = 10  # across and down the patch whose gradients tell the angle
ANGLE_WIDTH = 7.0  # of that patch
ANGLE_SIGMA = 1.5  # of their weights
DIRECTIONS = 36  # bins of the angle
BITS = 64
BANDS = 4  # of 16 bits, each of which has one doubtful bit
BASIS = 32  # units of the cosines
SAMPLE_UNITS = 16  # of the levels in one of a sample, so that sums are whole in 24 bits

Codes = NDArray[np.uint64]
Places = NDArray[Any]
Frame = NDArray[np.uint8]
Floats = NDArray[np.float64]
Levels = NDArray[np.int16]
Rows = NDArray[np.int64]
_Grid = tuple[NDArray[np.float32], NDArray[np.float32]]

_HEAD = struct.Struct("<HIIH")  # keypoints, width, height, bytes of the thumbnail


class Keypoints(NamedTuple):
    """The keypoints of a picture, strongest first, with its size in pixels and a thumbnail.

    `doubtful` has one bit for each 16 of a code: the one that is most likely to be another in a
    copy. It is known of a picture just read, not of an indexed one.
    """

    codes: Codes
    places: Places
    size: tuple[int, int]
    thumbnail: bytes
    doubtful: Codes | None = None

    @property
    def hex(self) -> list[str]:
        """Return the codes as 16 lower-case hex digits each."""
        return [f"{code:016x}" for code in self.codes.tolist()]

    def plus(self, other: Keypoints) -> Keypoints:
        """Return these keypoints and others of the same picture."""
        doubtful = None
        if self.doubtful is not None and other.doubtful is not None:
            doubtful = np.concatenate([self.doubtful, other.doubtful])
        return self._replace(
            codes=np.concatenate([self.codes, other.codes]),
            places=np.concatenate([self.places, other.places]),
            doubtful=doubtful,
        )

    def to_bytes(self) -> bytes:
        """Return what an index stores of them."""
        head = _HEAD.pack(len(self.codes), *self.size, len(self.thumbnail))
        codes, places = self.codes.astype("<u8", copy=False), self.places
        return b"".join((head, codes.tobytes(), places.tobytes(), self.thumbnail))

    @classmethod
    def from_bytes(cls, data: bytes) -> Keypoints:
        """Read what `to_bytes` gave; raises ParameterError for what is damaged."""
        if len(data) < _HEAD.size:
            msg = f"{len(data)} bytes are no keypoints: expected {_HEAD.size} or more"
            raise ParameterError(msg)
        count, width, height, tail = _HEAD.unpack_from(data)
        middle = _HEAD.size + 8 * count
        end = middle + PLACE.itemsize * count
        if len(data) != end + tail:
            msg = f"{len(data)} bytes are no keypoints: expected {end + tail}"
            raise ParameterError(msg)
        codes = np.frombuffer(data, "<u8", count, _HEAD.size).astype(np.uint64, copy=False)
        places = np.frombuffer(data, PLACE, count, middle)
        return cls(codes, places, (width, height), data[end:])


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


class _Octave(NamedTuple):
    """A doubling of scale: differences of its levels, one below the other, and its place."""

    differences: Levels  # of LEVELS + 2
    shape: tuple[int, int]  # of one level
    row: int  # of the atlas, in which the first of its LEVELS levels of keypoints begins


class _Points(NamedTuple):
    """Extrema, in pixels of the levels of their octave."""

    x: Floats
    y: Floats
    sigma: Floats
    strength: Floats
    level: Rows  # from 0
    octave: Rows

    def take(self, rows: Rows) -> _Points:
        """Return some of them."""
        x, y, sigma, strength = self.x[rows], self.y[rows], self.sigma[rows], self.strength[rows]
        return _Points(x, y, sigma, strength, self.level[rows], self.octave[rows])


def _octaves(frame: Frame, doubled: bool) -> tuple[list[_Octave], Levels]:
    """Blur a frame more and more, and halve it with each doubling of the blur.

    Returns the octaves and the levels that have keypoints, below each other in one image.
    """
    import cv2  # noqa: PLC0415

    if doubled:
        height, width = frame.shape
        size = 2 * width, 2 * height
        frame = cast("Frame", cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR))
    shapes = [frame.shape]
    while min(shapes[-1]) >= 2 * LEAST_SIDE:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    if min(shapes[0]) < LEAST_SIDE:
        return [], np.empty((0, 0), np.int16)
    first = (LEVELS + 3) * shapes[0][0]
    atlas = np.empty((first + LEVELS * sum(h for h, _ in shapes[1:]), shapes[0][1]), np.int16)
    row = shapes[0][0]
    octaves: list[_Octave] = []
    start = frame.astype(np.int16)
    start -= MIDDLE
    start *= GREY
    start = _blurred(start, np.sqrt(SIGMA**2 - (TAKEN_SIGMA * (1 + doubled)) ** 2), None)
    for height, width in shapes:
        # Those of the first octave need not be copied, they are as wide as the atlas.
        levels = np.empty(((LEVELS + 3) * height, width), np.int16) if octaves else atlas[:first]
        levels[:height] = start
        for n in range(LEVELS + 2):
            above = levels[n * height : (n + 1) * height]
            below = levels[(n + 1) * height : (n + 2) * height]
            _blurred(above, SIGMA * 2 ** (n / LEVELS) * np.sqrt(2 ** (2 / LEVELS) - 1), below)
        if octaves:
            atlas[row : row + LEVELS * height, :width] = levels[height : (LEVELS + 1) * height]
        differences = cast("Levels", cv2.subtract(levels[height:], levels[:-height]))
        octaves.append(_Octave(differences, (height, width), row))
        row = row + LEVELS * height if row >= first else first
        start = levels[LEVELS * height : (LEVELS + 1) * height : 2, ::2]
    return octaves, atlas


def _blurred(level: Levels, sigma: float, target: Levels | None) -> Levels:
    """Blur a level, into a target if there is one."""
    import cv2  # noqa: PLC0415

    kernel = _kernel(float(sigma))
    blurred = cv2.sepFilter2D(level, cv2.CV_16S, kernel, kernel, dst=target)
    return cast("Levels", blurred)


@lru_cache(64)
def _kernel(sigma: float) -> NDArray[np.float32]:
    half = int(np.ceil(KERNEL_SIGMAS * sigma))
    steps = np.arange(-half, half + 1)
    kernel = np.exp(-(steps**2) / (2 * sigma**2))
    scaled: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return scaled


def _points(octaves: list[_Octave]) -> _Points:
    """Find the extrema of all octaves."""
    found = [_refined(octave, number, _extrema(octave)) for number, octave in enumerate(octaves)]
    if not found:
        none = np.empty(0)
        return _Points(none, none, none, none, np.empty(0, np.int64), np.empty(0, np.int64))
    return _Points(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _extrema(octave: _Octave) -> Rows:
    """Find what is not exceeded by its 26 neighbours, by its place among the differences."""
    import cv2  # noqa: PLC0415

    height, width = octave.shape
    differences = octave.differences
    middle = slice(height, (LEVELS + 1) * height)
    square = np.ones((3, 3), np.uint8)
    # Of three levels first, which is less to do than to look around in each. Where this mixes one
    # with the next, at the border, there are no keypoints.
    highest = cv2.max(differences[: -2 * height], differences[2 * height :])
    cv2.max(highest, differences[middle], dst=highest)
    highest = cv2.dilate(highest, square)
    np.maximum(highest, np.int16(LEAST_SEEN * GREY), out=highest)
    lowest = cv2.min(differences[: -2 * height], differences[2 * height :])
    cv2.min(lowest, differences[middle], dst=lowest)
    lowest = cv2.erode(lowest, square)
    np.minimum(lowest, np.int16(-LEAST_SEEN * GREY), out=lowest)
    here = differences[middle]
    found = ((here >= highest) | (here <= lowest)).reshape(LEVELS, height, width)
    margin = min(MARGIN, (min(height, width) - 1) // 2)
    found[:, :margin] = found[:, -margin:] = False
    found[:, :, :margin] = found[:, :, -margin:] = False
    return np.flatnonzero(found) + height * width


def _refined(octave: _Octave, number: int, at: Rows) -> _Points:
    """Find extrema between pixels and levels, and leave out those that are faint or on edges."""
    height, width = octave.shape
    flat = octave.differences.ravel()

    def near(level: int, down: int, across: int) -> Floats:
        return flat[at + ((level * height + down) * width + across)].astype(np.float64)

    value = near(0, 0, 0)
    right, left, below, above = near(0, 0, 1), near(0, 0, -1), near(0, 1, 0), near(0, -1, 0)
    coarser, finer = near(1, 0, 0), near(-1, 0, 0)
    dx, dy, ds = (right - left) / 2, (below - above) / 2, (coarser - finer) / 2
    xx, yy, ss = right + left - 2 * value, below + above - 2 * value, coarser + finer - 2 * value
    xy = (near(0, 1, 1) - near(0, 1, -1) - near(0, -1, 1) + near(0, -1, -1)) / 4
    xs = (near(1, 0, 1) - near(1, 0, -1) - near(-1, 0, 1) + near(-1, 0, -1)) / 4
    ys = (near(1, 1, 0) - near(1, -1, 0) - near(-1, 1, 0) + near(-1, -1, 0)) / 4
    # The gradient is solved for by the cofactors of the symmetric matrix of second derivatives.
    a, b, c = yy * ss - ys * ys, xs * ys - xy * ss, xy * ys - xs * yy
    d, e, flatness = xx * ss - xs * xs, xy * xs - xx * ys, xx * yy - xy * xy
    whole = xx * a + xy * b + xs * c
    factor = np.divide(-1.0, whole, out=np.zeros_like(whole), where=whole != 0)
    x = np.clip(factor * (a * dx + b * dy + c * ds), -MOST_OFFSET, MOST_OFFSET)
    y = np.clip(factor * (b * dx + d * dy + e * ds), -MOST_OFFSET, MOST_OFFSET)
    s = np.clip(factor * (c * dx + e * dy + flatness * ds), -MOST_OFFSET, MOST_OFFSET)
    strength = np.abs(value + (dx * x + dy * y + ds * s) / 2) / GREY
    bent = (xx + yy) ** 2 * MOST_CURVATURE < (MOST_CURVATURE + 1) ** 2 * flatness
    kept = np.flatnonzero(bent & (strength >= LEAST_CONTRAST))
    level, place = np.divmod(at[kept], height * width)
    row, column = np.divmod(place, width)
    return _Points(
        column + x[kept],
        row + y[kept],
        SIGMA * 2.0 ** ((level + s[kept]) / LEVELS),
        strength[kept],
        level - 1,
        np.full(len(kept), number),
    )


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


def _patches(
    atlas: Levels, octaves: list[_Octave], points: _Points, angles: Floats, grid: _Grid
) -> Levels:
    """Sample the square of a grid around each point, turned by an angle.

    Returns a row for each point.
    """
    import cv2  # noqa: PLC0415

    heights = np.array([octave.shape[0] for octave in octaves])[points.octave]
    widths = np.array([octave.shape[1] for octave in octaves])[points.octave]
    rows = np.array([octave.row for octave in octaves])[points.octave] + points.level * heights
    across, down = grid
    cosine = (np.cos(angles) * points.sigma).astype(np.float32)[:, None]
    sine = (np.sin(angles) * points.sigma).astype(np.float32)[:, None]
    x = cosine * across
    x -= sine * down
    x += points.x.astype(np.float32)[:, None]
    y = sine * across
    y += cosine * down
    y += points.y.astype(np.float32)[:, None]
    # Beyond its border a level is as it is there; in the atlas other levels begin.
    np.clip(x, 0, (widths - 1).astype(np.float32)[:, None], out=x)
    np.clip(y, 0, (heights - 1).astype(np.float32)[:, None], out=y)
    y += rows.astype(np.float32)[:, None]
    return cast("Levels", cv2.remap(atlas, x, y, cv2.INTER_LINEAR))


@lru_cache(4)
def _grid(samples: int, width: float) -> _Grid:
    """Return the places of so many samples across and down a square, in sigmas."""
    steps = (((np.arange(samples) + 0.5) / samples - 0.5) * width).astype(np.float32)
    return np.tile(steps, samples), np.repeat(steps, samples)


def _angles(atlas: Levels, octaves: list[_Octave], points: _Points) -> Floats:
    """Find the direction of most gradients around each point, in radians."""
    import cv2  # noqa: PLC0415

    count = len(points.x)
    grid = _grid(ANGLE_SAMPLES, ANGLE_WIDTH)
    patches = _patches(atlas, octaves, points, np.zeros(count), grid)
    square = patches.reshape(count, ANGLE_SAMPLES, ANGLE_SAMPLES).astype(np.float32)
    inner = slice(1, -1)
    across = (square[:, inner, 2:] - square[:, inner, :-2]).reshape(count, -1)
    down = (square[:, 2:, inner] - square[:, :-2, inner]).reshape(count, -1)
    steep, turned = cv2.cartToPolar(across, down)
    steep *= _weights()
    turned *= DIRECTIONS / (2 * np.pi)
    lower = turned.astype(np.int32)
    share = turned
    share -= lower
    share *= steep
    steep -= share
    # A direction belongs to two bins, the nearer the more; two more bins in each row take what is
    # over the last one.
    lower += (np.arange(count, dtype=np.int32) * (DIRECTIONS + 2))[:, None]
    total = count * (DIRECTIONS + 2)
    sums: Floats = np.bincount(lower.ravel(), steep.ravel(), total).astype(np.float64, copy=False)
    sums[1:] += np.bincount(lower.ravel(), share.ravel(), total)[:-1]
    return _peaks(sums.reshape(count, -1))


def _peaks(sums: Floats) -> Floats:
    """Find the direction that has most, in bins of which the last two are the first again."""
    sums[:, :2] += sums[:, DIRECTIONS:]
    around = np.arange(-2, DIRECTIONS + 2) % DIRECTIONS
    wide = sums[:, around]
    smooth = 6 * wide[:, 2:-2] + 4 * (wide[:, 1:-3] + wide[:, 3:-1]) + wide[:, :-4] + wide[:, 4:]
    best = smooth.argmax(axis=1)
    every = np.arange(len(sums))
    before, here, after = (smooth[every, (best + n) % DIRECTIONS] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.divide(before - after, 2 * bend, out=np.zeros(len(sums)), where=bend < 0)
    angles: Floats = (best + offset) * (2 * np.pi / DIRECTIONS)
    return angles


@lru_cache(1)
def _weights() -> NDArray[np.float32]:
    across, down = _grid(ANGLE_SAMPLES, ANGLE_WIDTH)
    weights = np.exp(-(across**2 + down**2) / (2 * ANGLE_SIGMA**2)).astype(np.float32)
    inner: NDArray[np.float32] = weights.reshape(ANGLE_SAMPLES, ANGLE_SAMPLES)[1:-1, 1:-1].ravel()
    return inner


def _codes(patches: Levels) -> tuple[Codes, Codes]:
    """Hash patches: a bit is the sign of a frequency. Returns codes and their doubtful bits."""
    samples = patches.astype(np.float32) * np.float32(1 / SAMPLE_UNITS)
    samples -= np.rint(samples.mean(axis=1, dtype=np.float64, keepdims=True)).astype(np.float32)
    np.rint(samples, out=samples)
    # All of them and all their sums are whole numbers that fit: no order of adding matters.
    frequencies = samples @ _basis()
    bits = np.packbits(frequencies > 0, axis=1, bitorder="little")
    codes = bits.view("<u8")[:, 0].astype(np.uint64)
    least = np.abs(frequencies).reshape(-1, BANDS, BITS // BANDS).argmin(axis=2)
    places = (least + np.arange(BANDS) * (BITS // BANDS)).astype(np.uint64)
    return codes, np.bitwise_or.reduce(np.uint64(1) << places, axis=1)


@lru_cache(1)
def _basis() -> NDArray[np.float32]:
    """Return the patterns of the 64 lowest frequencies but two, in whole numbers.

    The mean is none of a patch's own, and half a wave across is much the same in all: it is by
    that slope that they are turned.
    """
    both = ((down, across) for down in range(SAMPLES) for across in range(SAMPLES))
    lowest = sorted(both, key=lambda pair: (sum(pair), pair))[2 : BITS + 2]
    steps = (np.arange(SAMPLES) + 0.5) * (np.pi / SAMPLES)
    waves = [np.outer(np.cos(down * steps), np.cos(across * steps)) for down, across in lowest]
    basis = np.stack([wave.ravel() for wave in waves], axis=1)
    whole: NDArray[np.float32] = np.rint(basis * BASIS).astype(np.float32)
    return whole


def _thumbnail(frame: Frame) -> bytes:
    """Return a small JPEG of a frame, its longer side at most `THUMBNAIL_SIDE` pixels."""
    import cv2  # noqa: PLC0415

    height, width = frame.shape
    scale = THUMBNAIL_SIDE / max(frame.shape)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = _reduced(frame, size)
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1].tobytes()
