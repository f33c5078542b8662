"""Tones and colours of two pictures: the tone curve between them, and what it does not explain.

A copy may be brighter, darker or of another contrast: one rising curve, the same for red, green and
blue. That would also explain a grey shirt by a black one. So where the ground of two pictures is
the same as it stands, nothing was made brighter, and colours are compared as they stand, too.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[Any]  # of uint8
Floats = NDArray[Any]  # of float32

TONE_WIDTH = 8  # grey levels whose tones are averaged
REDUCED = 4  # pixels that are averaged, each way, where tones and colours are compared
BLOCKS = 16  # blocks of the longer side in which colours are compared
MOST_COLOR, MOST_GREY = 15.0, 20.0  # levels by which a block may differ, after the curve
MOST_AS_IT_STANDS = 12.5  # the same where the ground is the same
QUICKLY = 3.0  # levels less where pictures are resized quickly, which moves them a little
# Levels by which the ground is the same; shares of all blocks and of those at the edges that are
# ground. Of photos that were made brighter, darker or of another contrast, all have less.
NEARLY = 3.0
GROUND_SHARE, EDGE_SHARE = 0.35, 0.5
QUICK_GROUND, QUICK_EDGE = 0.3, 0.45
RICH = 100  # grey levels between dark and light, up to which two pictures are stretched
LEAST_CONTRAST = 12  # the same, below which there is too little to compare
FLATTER = 2  # times the contrast of the other one
TAIL = 0.02  # share of the pixels that are darker than dark, and lighter than light
MOST_SHADE = 8.0  # grey levels by which flat colours may differ where the ground is the same


class Contrast:
    """How far a grey picture reaches from dark to light, but for its darkest and lightest pixels.

    The ground does not count as pixels, since a page may have few letters on it.
    """

    def __init__(self, grey: Bytes) -> None:
        counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
        near = np.convolve(counts, np.ones(5), "same")
        ground = int(near.argmax())
        self.flat_share = float(near[ground] / grey.size)
        counts[max(0, ground - 2) : ground + 3] = 0
        sums = np.cumsum(counts)
        ends = np.searchsorted(sums, (TAIL * sums[-1], (1 - TAIL) * sums[-1]))
        self.dark, self.light = min(int(ends[0]), ground), min(255, max(int(ends[1]), ground))
        if not sums[-1]:
            self.dark = self.light = ground

    def __len__(self) -> int:
        """Return the grey levels between dark and light."""
        return self.light - self.dark


def stretching(ours: Contrast, theirs: Contrast) -> Bytes | None:
    """Return the tones to which two pictures of little contrast are stretched; None for others."""
    most = max(len(ours), len(theirs))
    if most >= RICH or not most:
        return None
    levels = (np.arange(256.0) - min(ours.dark, theirs.dark)) * (RICH / most) + (255 - RICH) / 2
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


def comes_first(ours: Contrast, theirs: Contrast, small: Bytes, other: Bytes) -> bool:
    """Return whether the tones of a picture are those to be brought to the tones of the other.

    They are if it is far flatter: little of it can be told from one tone. Else, that picture is
    brought to the other which has fewer tones at the ends, where a brighter copy loses them.
    """
    if FLATTER * len(theirs) > len(ours) and FLATTER * len(ours) > len(theirs):
        lost, lost_there = (np.count_nonzero((each < 2) | (each > 253)) for each in (small, other))
        if lost != lost_there:
            return bool(lost < lost_there)
    return len(ours) <= len(theirs)


def reduced(picture: Bytes) -> Bytes:
    """Return a picture as its tones and colours are compared."""
    height, width = (length // REDUCED for length in picture.shape[:2])
    whole = picture[: height * REDUCED, : width * REDUCED]  # multiples are reduced quickly
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def tone_curve(first: Bytes, second: Bytes) -> Bytes:
    """Return the tone of the second picture for each tone of the first; shape (256,).

    The curve rises, and is that of all three channels: brightness, contrast, gamma, but no hue.
    """
    a, b = (picture.reshape(len(picture), -1) for picture in (first, second))
    levels, bins = np.arange(256.0), 256 // TONE_WIDTH
    tones = cv2.calcHist([a], [0], None, [256], [0, 256]).reshape(bins, TONE_WIDTH)
    both = cv2.calcHist([a, b], [0, 1], None, [bins, 256], [0, 256, 0, 256])
    counts = tones.sum(axis=1)
    seen = counts > 0
    sums = (tones * levels.reshape(tones.shape)).sum(axis=1), both @ levels
    darks, lights = (each[seen] / counts[seen] for each in sums)
    rising = (np.maximum.accumulate(lights) + np.minimum.accumulate(lights[::-1])[::-1]) / 2
    # Beyond the ends of its tones, the curve goes on as it does between them.
    slope = (rising[-1] - rising[0]) / max(darks[-1] - darks[0], 1.0)
    curve = np.interp(levels, darks, rising)
    curve += slope * (np.minimum(levels - darks[0], 0) + np.maximum(levels - darks[-1], 0))
    return np.asarray(np.clip(np.rint(curve), 0, 255), np.uint8)


def color_difference(first: Bytes, second: Bytes, curve: Bytes, *, quick: bool = False) -> str:
    """Return in words which differ by more than they may, colours or blocks; or "".

    `quick`: the bounds for pictures that were resized quickly.
    """
    less = QUICKLY if quick else 0.0
    off = _blocks(first, second)
    if has_one_ground(off, quick=quick):
        most = MOST_AS_IT_STANDS - less, MOST_AS_IT_STANDS - less
    else:
        off = _blocks(cv2.LUT(first, curve), second)
        most = MOST_COLOR - less, MOST_GREY - less
    grey = off.mean(axis=2, keepdims=True)
    if np.abs(off - grey).max() > most[0]:
        return "colours differ"
    return "blocks differ" if np.abs(grey).max() > most[1] else ""


def _blocks(first: Bytes, second: Bytes) -> Floats:
    """Return by how much the blocks of two reduced pictures differ, in each channel."""
    off = cv2.subtract(first, second, dtype=cv2.CV_32F)
    block = max(1, max(off.shape) / BLOCKS)
    grid = [max(2, round(length / block)) for length in off.shape[1::-1]]
    return np.asarray(cv2.resize(off, grid, interpolation=cv2.INTER_AREA))


def has_one_ground(off: Floats, *, quick: bool = False) -> bool:
    """Return whether so many blocks do not differ that nothing was made brighter or darker."""
    same = np.abs(off).max(axis=2) < NEARLY
    edges = np.concatenate((same[0], same[-1], same[1:-1, 0], same[1:-1, -1]))
    share, at_edges = (QUICK_GROUND, QUICK_EDGE) if quick else (GROUND_SHARE, EDGE_SHARE)
    return bool(same.mean() >= share or edges.mean() >= at_edges)


def shades_differ(first: Bytes, second: Bytes) -> bool:
    """Return whether some colours are as they were and others are not, edges left out."""
    quiet = _is_quiet(first, 8) & _is_quiet(second, 8)
    off = np.abs(first.astype(np.int16) - second)[quiet]
    return bool(
        off.size
        and (off.max(axis=1) < NEARLY).mean() >= 0.1
        and (off.max(axis=1) > MOST_SHADE).mean() >= 0.02
    )


def _is_quiet(picture: Bytes, most: int) -> NDArray[np.bool_]:
    """Return around which pixels no channel varies by more than some levels."""
    beside = np.ones((3, 3), np.uint8)
    varies = cv2.subtract(cv2.dilate(picture, beside), cv2.erode(picture, beside)) <= most
    return np.asarray(np.atleast_3d(varies).all(axis=2), bool)
