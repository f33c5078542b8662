"""Rivals: other ways to find a picture again, each from pictures to codes and distances.

::

    rival = RIVALS["perceptual-8"]
    codes = rival.describe(images)
    distances = rival.matcher(codes)(codes[0])

Each rival is computed by the package that defines it, and is measured if that package is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hashlens.neighbors.codes import pack, unpack
from hashlens.neighbors.scan import hamming, levenshtein, positions

if TYPE_CHECKING:
    from PIL import Image

Code: TypeAlias = "NDArray[Any]"  # what describes one picture
Distances: TypeAlias = "NDArray[np.float64]"
Matcher: TypeAlias = "Callable[[Code], Distances]"  # distances of a code to a whole database

SEGMENT_BITS = 64  # bits of a segment's hash in crop_resistant_hash
SEGMENT_CUTOFF = 0.25 * SEGMENT_BITS  # its default: bits by which matching segments may differ


class Sample(NamedTuple):
    """How much of an evaluation a slow method takes part in.

    queries: queries of each attack
    database: pictures in its database
    """

    queries: int
    database: int


@dataclass(frozen=True, slots=True)
class Description:
    """A way from a picture to a code.

    name: its name; rivals with the same name share it
    package: what to install
    module: what must be importable, as `module` or `module:attribute`
    function: computes the code
    """

    name: str
    package: str
    module: str
    function: Callable[[Image.Image], Code]

    def __call__(self, image: Image.Image) -> Code:
        """Return the code of a picture."""
        return self.function(image)


@dataclass(frozen=True, slots=True)
class Rival:
    """A method to find pictures.

    name: its name
    description: how pictures are described
    compare: makes a matcher of the codes of a database
    sample: how much it is asked if it is too slow for everything; None for everything
    """

    name: str
    description: Description
    compare: Callable[[Sequence[Code]], Matcher]
    sample: Sample | None = None

    def missing(self) -> str:
        """Return why the method cannot be used here; empty if it can."""
        if _has(self.description.module):
            return ""
        return f"needs {self.description.package}, which is not installed"

    def describe(self, images: Sequence[Image.Image]) -> list[Code]:
        """Return the code of each picture."""
        return [self.description(image) for image in images]

    def matcher(self, codes: Sequence[Code]) -> Matcher:
        """Return a function that gives the distances of a code from these codes."""
        return self.compare(codes) if codes else lambda _: np.empty(0)

    def distances(self, code: Code, codes: Sequence[Code]) -> Distances:
        """Return the distances of a code from these codes."""
        return self.matcher(codes)(code)


@lru_cache
def _has(module: str) -> bool:
    name, _, part = module.partition(":")
    try:
        found = import_module(name)
    except ImportError:
        return False
    return not part or hasattr(found, part)


# Descriptions. Codes are packed as hashlens packs its fingerprints.


def _packed(text: str) -> Code:
    code: Code = pack([text])[0]
    return code


def _imagehash(function: str, size: int, image: Image.Image) -> Code:
    return _packed(str(getattr(import_module("imagehash"), function)(image, size)))


def _segments(image: Image.Image) -> Code:
    segments = import_module("imagehash").crop_resistant_hash(image).segment_hashes
    return pack([str(segment) for segment in segments]).ravel()


def _pdq(image: Image.Image) -> Code:
    bits, _ = import_module("pdqhash").compute(np.asarray(image.convert("RGB")))
    return _packed(np.packbits(bits.astype(bool)).tobytes().hex())


def _opencv(kind: str, arguments: tuple[int, ...], image: Image.Image) -> Code:
    return _packed(_opencv_bytes(kind, arguments, image).tobytes().hex())


def _opencv_bytes(kind: str, arguments: tuple[int, ...], image: Image.Image) -> Code:
    make = getattr(import_module("cv2").img_hash, f"{kind}_create")
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])  # BGR
    code: Code = make(*arguments).compute(pixels)
    return code.ravel()


# Comparisons.


def _by_hamming(codes: Sequence[Code]) -> Matcher:
    rows = np.asfortranarray(np.stack(codes))
    return lambda code: hamming(rows, code).astype(np.float64)


def _by_levenshtein(digits: int, codes: Sequence[Code]) -> Matcher:
    """Compare by the Levenshtein distance of the hex digits."""
    table = positions(np.asfortranarray(np.stack(codes)), digits)

    def distances(code: Code) -> Distances:
        return levenshtein(table, digits, unpack(code[None], digits)[0]).astype(np.float64)

    return distances


def _by_segments(codes: Sequence[Code]) -> Matcher:
    """Compare as `ImageMultiHash.best_match` does.

    The distance is the number of segments without a match in the other picture, plus the mean
    distance of the others as a share of their bits.
    """
    starts = np.cumsum([0, *map(len, codes[:-1])])
    joined = np.concatenate(codes)

    def distances(code: Code) -> Distances:
        bits = np.bitwise_count(code[:, None] ^ joined)
        min_bits = np.minimum.reduceat(bits, starts, axis=1)
        matching = min_bits <= SEGMENT_CUTOFF
        matches = matching.sum(axis=0)
        total_bits = np.where(matching, min_bits, 0).sum(axis=0)
        mean_share = total_bits / (SEGMENT_BITS * np.maximum(matches, 1))
        return np.asarray(len(code) - matches + mean_share, np.float64)

    return distances


def _by_correlation(codes: Sequence[Code]) -> Matcher:
    """Compare as OpenCV's radial variance hash does: 1 - the best correlation over all shifts."""
    rows = _standard(np.stack(codes))

    def distances(code: Code) -> Distances:
        shifted = np.stack([np.roll(code, shift) for shift in range(len(code))])
        correlations = rows @ _standard(shifted).T / len(code)
        return np.asarray(np.round(1 - correlations.max(axis=1), 6), np.float64)

    return distances


def _standard(codes: Code) -> Code:
    """Return each row with mean 0 and standard deviation 1."""
    values = codes.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    return np.asarray(values / (values.std(axis=1, keepdims=True) + 1e-20))


def _imagehashes() -> list[Rival]:
    """Return ImageHash's hashes of whole pictures, with Hamming and with Levenshtein distance."""
    functions = {
        "average": "average_hash",
        "perceptual": "phash",
        "difference": "dhash",
        "wavelet": "whash",
    }
    rivals = []
    for size in (8, 16):
        for name, function in functions.items():
            call = partial(_imagehash, function, size)
            description = Description(f"{name}-{size}", "imagehash", "imagehash", call)
            rivals.append(Rival(description.name, description, _by_hamming))
            by_digits = partial(_by_levenshtein, size * size // 4)
            rivals.append(Rival(f"{description.name}-levenshtein", description, by_digits))
    return rivals


def _simple(name: str, module: str, function: Callable[[Image.Image], Code]) -> Rival:
    package = "opencv-contrib-python-headless" if module.startswith("cv2") else module
    return Rival(name, Description(name, package, module, function), _by_hamming)


def _opencv_hash(name: str, kind: str, *arguments: int) -> Rival:
    return _simple(name, "cv2:img_hash", partial(_opencv, kind, arguments))


_CROP_RESISTANT = Description("crop-resistant", "imagehash", "imagehash", _segments)
_RADIAL = Description(
    "opencv-radial",
    "opencv-contrib-python-headless",
    "cv2:img_hash",
    partial(_opencv_bytes, "RadialVarianceHash", ()),
)

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        *_imagehashes(),
        _simple("color-3", "imagehash", partial(_imagehash, "colorhash", 3)),
        # Describing a picture takes a quarter of a second.
        Rival("crop-resistant", _CROP_RESISTANT, _by_segments, Sample(queries=25, database=250)),
        _simple("pdq", "pdqhash", _pdq),
        _opencv_hash("opencv-phash", "PHash"),
        _opencv_hash("opencv-blockmean-0", "BlockMeanHash", 0),
        _opencv_hash("opencv-blockmean-1", "BlockMeanHash", 1),
        _opencv_hash("opencv-marr-hildreth", "MarrHildrethHash"),
        Rival("opencv-radial", _RADIAL, _by_correlation),
    )
}
