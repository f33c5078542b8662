"""Make keypoints of pictures that do not exist: of turned windows of real photos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it

import cv2
import numpy as np

from hashlens.crops import extract
from hashlens.crops.keypoints import (
    FULL,
    KEYPOINTS,
    MOST_KEYPOINTS,
    OCTAVE,
    PLACE,
    SIDE,
    TURN,
    Keypoints,
)
from hashlens.evaluation.drawings import Random, stream
from hashlens.images.decode import decode

SHARE = (0.2, 0.7)  # of the area of a photo that a distractor shows
SOURCE_SIDE = 2 * SIDE  # pixels: as many as are seen of a part
SIDES = (320, 1600)  # pixels: the longer side of a made picture
FLIPPED = 41  # of 1,024 bits of a made code


@dataclass(frozen=True)
class Source:
    """A photo or its mirror image.

    found: all its keypoints
    frame: the grey picture in which they were found
    """

    found: Keypoints
    frame: Any

    @cached_property
    def places(self) -> Any:
        """Return the places as complex numbers; the longer side is 1."""
        return (self.found.places["x"] + 1j * self.found.places["y"]) / FULL


class Maker:
    """Make keypoints of pictures that show a turned part of a photo."""

    def __init__(self, paths: Iterable[Path], seed: int) -> None:
        self.seed = seed
        self.sources = list(sources_of(paths))

    def __call__(self, number: int) -> Keypoints:
        """Return the keypoints of a window of a photo, with 4 % of the bits of codes flipped."""
        random = stream(self.seed, "made", str(number))
        source = self.sources[random.integers(len(self.sources))]
        turn = random.uniform(0, 2 * np.pi)
        corner, window = window_in(source.frame.shape, turn, random)
        within = (source.places - corner) * np.exp(-1j * turn)
        inside = (within.real >= 0) & (within.real <= window.real)
        inside &= (within.imag >= 0) & (within.imag <= window.imag)
        chosen = np.flatnonzero(inside)[:KEYPOINTS]  # the strongest come first
        longer = max(window.real, window.imag)
        old = source.found.places[chosen]
        places = np.zeros(len(chosen), PLACE)
        places["x"] = np.rint(within[chosen].real / longer * FULL)
        places["y"] = np.rint(within[chosen].imag / longer * FULL)
        places["scale"] = np.clip(np.rint(old["scale"] - OCTAVE * np.log2(longer)), 0, 255)
        places["angle"] = np.rint(old["angle"] - turn * TURN / (2 * np.pi)).astype(int) % TURN
        codes = source.found.codes[chosen] ^ flips(len(chosen), random)
        pixels = random.uniform(*SIDES) / longer
        size = round(window.real * pixels), round(window.imag * pixels)
        return Keypoints(codes, places, size, thumbnail_of(source.frame, corner, window, turn))


def window_in(shape: tuple[int, int], turn: float, random: Random) -> tuple[complex, complex]:
    """Draw a turned window that lies within a frame and has the shape of the frame.

    Returns its first corner, and its width and height, as complex numbers; the longer side of the
    frame is 1.
    """
    height, width = np.array(shape) / max(shape)
    across, down = np.abs([np.cos(turn), np.sin(turn)])
    around = np.array([width * across + height * down, width * down + height * across])
    least, most = np.sqrt(SHARE)
    most = min(most, *(np.array([width, height]) / around))
    side = random.uniform(min(least, most), most)
    room = np.array([width, height]) - side * around
    middle = complex(width, height) / 2 + complex(*(random.uniform(-0.5, 0.5, 2) * room))
    window = side * complex(width, height)
    return middle - np.exp(1j * turn) * window / 2, window


def sources_of(paths: Iterable[Path]) -> Iterator[Source]:
    """Yield each photo, and its mirror image."""
    for path in paths:
        pixels = decode(path, draft=("L", SOURCE_SIDE))
        frame = extract.frame(pixels.image, pixels.box, SOURCE_SIDE)
        for seen in (frame, np.ascontiguousarray(frame[:, ::-1])):
            found = extract.extract(seen, pixels.size, MOST_KEYPOINTS)
            yield Source(found, seen)


def thumbnail_of(frame: Any, corner: complex, window: complex, turn: float) -> bytes:
    """Return the thumbnail of a turned window, as the indexer makes it of a picture."""
    long = max(frame.shape)
    way, shift = np.exp(1j * turn), corner * long
    matrix = np.array([[way.real, -way.imag, shift.real], [way.imag, way.real, shift.imag]])
    size = max(1, round(window.real * long)), max(1, round(window.imag * long))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    thumbnail: bytes = extract.thumbnail(cut.astype(np.uint8, copy=False))
    return thumbnail


def flips(count: int, random: Random) -> Any:
    """Return `count` codes; each bit is set with a probability of `FLIPPED` in 1,024."""
    bits = np.zeros(count, np.uint64)
    for n in range(10):
        drawn = random.integers(0, 2**64, count, dtype=np.uint64)
        bits = bits | drawn if FLIPPED >> n & 1 else bits & drawn
    return bits
