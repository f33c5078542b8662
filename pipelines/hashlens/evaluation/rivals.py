"""Rivals: other ways to find a picture again, each from pictures to codes and distances.

::

    rival = RIVALS["perceptual-8"]
    codes = rival.describe(images)
    distances = rival.matcher(codes)(codes[0])

Each is called as its own package has it, and is there if that package is.
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

Code: TypeAlias = "NDArray[Any]"  # of one picture
Distances: TypeAlias = "NDArray[np.float64]"
Matcher: TypeAlias = "Callable[[Code], Distances]"  # from one picture to all of a database

SEGMENT_BITS = 64  # of crop_resistant_hash
SEGMENT_CUTOFF = 0.25 * SEGMENT_BITS  # its default: bits in which equal segments may differ


class Sample(NamedTuple):
    """How much a slow method is asked: queries of each attack, and pictures in its database."""

    queries: int
    database: int


@dataclass(frozen=True, slots=True)
class Description:
    """A way from a picture to a code; `package` is what must be installed, `module` be there."""

    name: str
    package: str
    module: str
    function: Callable[[Image.Image], Code]

    def __call__(self, image: Image.Image) -> Code:
        """Return the code of a picture."""
        return self.function(image)


@dataclass(frozen=True, slots=True)
class Rival:
    """A method: how pictures are described, and how codes are compared.

    `sample` is for one that is too slow to be asked everything.
    """

    name: str
    description: Description
    compare: Callable[[Sequence[Code]], Matcher]
    sample: Sample | None = None

    def missing(self) -> str:
        """Return why the method cannot be used here; nothing if it can."""
        if _has(self.description.module):
            return ""
        return f"needs {self.description.package}, which is not installed"

    def describe(self, images: Sequence[Image.Image]) -> list[Code]:
        """Return the codes of some pictures."""
        return [self.description(image) for image in images]

    def matcher(self, codes: Sequence[Code]) -> Matcher:
        """Return what gives the distances of a code from these, as often as it is called."""
        return self.compare(codes) if codes else lambda _: np.empty(0)

    def distances(self, code: Code, codes: Sequence[Code]) -> Distances:
        """Return the distances of a code from these."""
        return self.matcher(codes)(code)


@lru_cache
def _has(module: str) -> bool:
    name, _, part = module.partition(":")
    try:
        found = import_module(name)
    except ImportError:
        return False
    return not part or hasattr(found, part)


# Descriptions. Hex digits are packed as hashlens packs its own.


def _packed(text: str) -> Code:
    code: Code = pack([text])[0]
    return code


def _imagehash(function: str, size: int, image: Image.Image) -> Code:
    found = getattr(import_module("imagehash"), function)(image, size)
    return _packed(str(found))


def _segments(image: Image.Image) -> Code:
    found = import_module("imagehash").crop_resistant_hash(image)
    return pack([str(item) for item in found.segment_hashes]).ravel()


def _pdq(image: Image.Image) -> Code:
    bits, _ = import_module("pdqhash").compute(np.asarray(image.convert("RGB")))
    return _packed(np.packbits(bits.astype(bool)).tobytes().hex())


def _opencv(kind: str, arguments: tuple[int, ...], image: Image.Image) -> Code:
    return _packed(_opencv_bytes(kind, arguments, image).tobytes().hex())


def _opencv_bytes(kind: str, arguments: tuple[int, ...], image: Image.Image) -> Code:
    make = getattr(import_module("cv2").img_hash, f"{kind}_create")
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])  # BGR
    found: Code = make(*arguments).compute(pixels)
    return found.ravel()


# Comparisons.


def _by_hamming(codes: Sequence[Code]) -> Matcher:
    rows = np.asfortranarray(np.stack(codes))
    return lambda code: hamming(rows, code).astype(np.float64)


def _by_levenshtein(digits: int, codes: Sequence[Code]) -> Matcher:
    """Compare by edits of the hex text, as the method of the well-known article does."""
    table = positions(np.asfortranarray(np.stack(codes)), digits)

    def distances(code: Code) -> Distances:
        return levenshtein(table, digits, unpack(code[None], digits)[0]).astype(np.float64)

    return distances


def _by_segments(codes: Sequence[Code]) -> Matcher:
    """Compare as `ImageMultiHash` does in its `best_match`: segments without a like one."""
    starts = np.cumsum([0, *map(len, codes[:-1])])
    joined = np.concatenate(codes)

    def distances(code: Code) -> Distances:
        bits = np.bitwise_count(code[:, None] ^ joined)
        least = np.minimum.reduceat(bits, starts, axis=1)
        close = least <= SEGMENT_CUTOFF
        matches = close.sum(axis=0)
        apart = np.where(close, least, 0).sum(axis=0) / (SEGMENT_BITS * np.maximum(matches, 1))
        return np.asarray(len(code) - matches + apart, np.float64)

    return distances


def _by_correlation(codes: Sequence[Code]) -> Matcher:
    """Compare as OpenCV's radial variance hash does: the best correlation over all turns."""
    rows = _standard(np.stack(codes))

    def distances(code: Code) -> Distances:
        turns = np.stack([np.roll(code, turn) for turn in range(len(code))])
        found = rows @ _standard(turns).T / len(code)
        return np.asarray(np.round(1 - found.max(axis=1), 6), np.float64)

    return distances


def _standard(codes: Code) -> Code:
    values = codes.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    return np.asarray(values / (values.std(axis=1, keepdims=True) + 1e-20))


def _imagehashes() -> list[Rival]:
    """Return the hashes of whole pictures, with Hamming's distance and with Levenshtein's."""
    functions = {
        "average": "average_hash",
        "perceptual": "phash",
        "difference": "dhash",
        "wavelet": "whash",
    }
    found = []
    for size in (8, 16):
        for name, function in functions.items():
            call = partial(_imagehash, function, size)
            described = Description(f"{name}-{size}", "imagehash", "imagehash", call)
            found.append(Rival(described.name, described, _by_hamming))
            edits = partial(_by_levenshtein, size * size // 4)
            found.append(Rival(f"{described.name}-levenshtein", described, edits))
    return found


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
        # A quarter of a second for a picture.
        Rival("crop-resistant", _CROP_RESISTANT, _by_segments, Sample(queries=25, database=250)),
        _simple("pdq", "pdqhash", _pdq),
        _opencv_hash("opencv-phash", "PHash"),
        _opencv_hash("opencv-blockmean-0", "BlockMeanHash", 0),
        _opencv_hash("opencv-blockmean-1", "BlockMeanHash", 1),
        _opencv_hash("opencv-marr-hildreth", "MarrHildrethHash"),
        Rival("opencv-radial", _RADIAL, _by_correlation),
    )
}
