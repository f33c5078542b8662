"""From samples to bits, for a stack of images at once.

average, difference (dHash), perceptual (pHash), wavelet and color follow the definitions of the
ImageHash package (github.com/JohannesBuchner/imagehash), which in turn follows hackerfactor.com.
All bits equal ImageHash's: sums of whole numbers are exact; if rounding could decide a bit of an
image, ImageHash itself hashes that image again.

Bits are boolean arrays (segments, rows, columns). An image has one segment, except under
crop-resistant.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Bits: TypeAlias = npt.NDArray[np.bool_]
Grey: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float64]

# Sums of the same numbers in different orders differ by less than this share of the largest sum.
TIE = 1e-10
FAINT = 0.125  # grey levels


def average(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Return which pixels are above their mean; whole numbers make this exact."""
    pixels = _stack(samples, hash_size, hash_size).astype(np.int64)
    bits: Bits = pixels * hash_size**2 > pixels.sum(axis=(1, 2), keepdims=True)
    return bits


def difference(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Return which pixels are brighter than the pixel to their left."""
    pixels = _stack(samples, hash_size, hash_size + 1)
    return pixels[:, :, 1:] > pixels[:, :, :-1]


def difference_vertical(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Return which pixels are brighter than the pixel above them."""
    pixels = _stack(samples, hash_size + 1, hash_size)
    return pixels[:, 1:, :] > pixels[:, :-1, :]


def perceptual(samples: Sequence[bytes], hash_size: int, highfreq_factor: int) -> Bits:
    """Return which of the lowest frequencies in both directions are above their median."""
    pixels, frequencies = _frequencies(samples, hash_size, highfreq_factor)
    medians = np.median(frequencies, axis=(1, 2), keepdims=True)

    def by_imagehash(image: Image.Image) -> Bits:
        bits: Bits = _imagehash().phash(image, hash_size, highfreq_factor).hash
        return bits

    return _above(frequencies, medians, pixels, by_imagehash)


def perceptual_signs(samples: Sequence[bytes], hash_size: int, highfreq_factor: int) -> Bits:
    """Return which of the lowest frequencies in both directions are above zero.

    A mirror changes the signs of frequencies, and so their median, but not zero: these bits are
    those of `perceptual` which turns only exchange and invert. A frequency that is weaker than
    FAINT counts as none: in symmetric pictures, noise alone would decide.
    """
    pixels, frequencies = _frequencies(samples, hash_size, highfreq_factor)
    bits: Bits = frequencies > FAINT * pixels[0].size
    return bits


def perceptual_simple(samples: Sequence[bytes], hash_size: int, highfreq_factor: int) -> Bits:
    """Return which of the lowest frequencies from left to right are above their mean."""
    side = hash_size * highfreq_factor
    pixels = _stack(samples, side, side)
    frequencies = pixels[:, :hash_size] @ _cosines(side)[1 : hash_size + 1].T
    means = frequencies.mean(axis=(1, 2), keepdims=True)

    def by_imagehash(image: Image.Image) -> Bits:
        bits: Bits = _imagehash().phash_simple(image, hash_size, highfreq_factor).hash
        return bits

    return _above(frequencies, means, pixels, by_imagehash)


def wavelet(samples: Sequence[bytes], **_: object) -> Bits:
    """Return the samples as bits: `wavelet_bits` has made them already."""
    bits = np.frombuffer(b"".join(samples), dtype=np.bool_)
    side = round((bits.size / len(samples)) ** 0.5)
    return bits.reshape(-1, side, side)


def wavelet_bits(pixels: Grey, hash_size: int, mode: str, remove_max_haar_ll: bool) -> Bits:
    """Return which of the coarse wavelet coefficients are above their median.

    `pixels` is a stack (images, side, side). ImageHash can remove the lowest frequency: this takes
    the same amount from all coefficients, and changes no comparison.
    """
    side = pixels.shape[-1]

    def by_imagehash(image: Image.Image) -> Bits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # PyWavelets warns of deep levels
            bits: Bits = _imagehash().whash(image, hash_size, side, mode, remove_max_haar_ll).hash
        return bits

    if mode == "haar":
        block = side // hash_size
        sums = pixels.reshape(-1, hash_size, block, hash_size, block)
        coarse = sums.sum(axis=(2, 4), dtype=np.int64)
        ordered = np.sort(coarse.reshape(len(coarse), -1), axis=1)
        middle = ordered.shape[1] // 2
        low, high = ordered[:, middle - 1, None, None], ordered[:, middle, None, None]
        bits = 2 * coarse > low + high
        return _redo_near_ties(bits, (low == high).ravel(), pixels, by_imagehash)
    transform = _daubechies(side, hash_size)
    coefficients = transform @ pixels @ transform.T
    medians = np.median(coefficients, axis=(1, 2), keepdims=True)
    return _above(coefficients, medians, pixels, by_imagehash)


def color(samples: Sequence[bytes], binbits: int) -> Bits:
    """Return shares as numbers: of black pixels, grey pixels, faint and bright pixels by hue."""
    counts = np.frombuffer(b"".join(samples), dtype=np.int64).reshape(-1, 16)
    levels = 2**binbits
    black, grey, coloured, total = (counts[:, column, None] for column in range(4))
    values = np.hstack(
        [
            black / total * levels,
            grey / total * levels,
            counts[:, 4:] * levels / np.maximum(1, coloured),
        ]
    ).astype(np.int64)
    values = np.minimum(levels - 1, values)[:, :, None]
    shifts = np.arange(binbits - 1, -1, -1)
    bits: Bits = (values >> shifts) % (2 << shifts) > 0
    return bits


def crop_resistant(samples: Sequence[bytes], hash_size: int, **_: object) -> Bits:
    """Return which pixels of each segment are brighter than the pixel to their left."""
    return difference(samples, hash_size)


KERNELS: dict[str, Callable[..., Bits]] = {
    "average": average,
    "perceptual": perceptual,
    "perceptual-simple": perceptual_simple,
    "perceptual-signs": perceptual_signs,
    "difference": difference,
    "difference-vertical": difference_vertical,
    "wavelet": wavelet,
    "color": color,
    "crop-resistant": crop_resistant,
}


def information(samples: Sequence[bytes]) -> list[float]:
    """Return the mean step between neighbouring pixels of each image, in grey levels, 0 to 255.

    A picture of one colour has 0, an almost empty picture less than 1, a photograph 5 to 30. The
    samples are squares of grey pixels.
    """
    side = round(len(samples[0]) ** 0.5) if samples else 1
    pixels = _stack(samples, side, side).astype(np.int16)
    across = np.abs(np.diff(pixels, axis=2)).mean(axis=(1, 2))
    down = np.abs(np.diff(pixels, axis=1)).mean(axis=(1, 2))
    scores: list[float] = np.round((across + down) / 2, 2).tolist()
    return scores


def to_hex(bits: Bits) -> list[str]:
    """Return bits in hex as ImageHash does: most significant first, as few digits as possible."""
    flat = bits.reshape(len(bits), -1)
    digits = -(-flat.shape[1] // 4)
    padding = np.zeros((len(flat), -flat.shape[1] % 8), dtype=bool)
    packed = np.packbits(np.hstack([padding, flat]), axis=1)
    width = 2 * packed.shape[1]
    text = packed.tobytes().hex()
    return [text[end - digits : end] for end in range(width, len(text) + 1, width)]


def _stack(samples: Sequence[bytes], rows: int, columns: int) -> Grey:
    return np.frombuffer(b"".join(samples), dtype=np.uint8).reshape(-1, rows, columns)


def _above(
    values: Floats, thresholds: Floats, pixels: Grey, by_imagehash: Callable[[Image.Image], Bits]
) -> Bits:
    """Return which values are above the threshold of their image; near-ties are redone."""
    differences = values - thresholds
    nearest = np.abs(differences).min(axis=(1, 2))
    largest = np.maximum(1.0, np.abs(values).max(axis=(1, 2)))
    return _redo_near_ties(differences > 0, nearest <= TIE * largest, pixels, by_imagehash)


def _redo_near_ties(
    bits: Bits, doubtful: Bits, pixels: Grey, by_imagehash: Callable[[Image.Image], Bits]
) -> Bits:
    """Let ImageHash hash the doubtful images again."""
    for index in np.flatnonzero(doubtful):
        bits[index] = by_imagehash(Image.fromarray(pixels[index]))
    return bits


def _frequencies(
    samples: Sequence[bytes], hash_size: int, highfreq_factor: int
) -> tuple[Grey, Floats]:
    """Return grey squares, and their lowest frequencies in both directions."""
    side = hash_size * highfreq_factor
    pixels = _stack(samples, side, side)
    cosines = _cosines(side)[:hash_size]
    return pixels, cosines @ pixels @ cosines.T


@lru_cache(maxsize=16)
def _cosines(side: int) -> Floats:
    """Return the matrix of the type-II cosine transform, scaled like scipy's `dct`."""
    index = np.arange(side)
    return 2 * np.cos(np.pi * np.outer(index, 2 * index + 1) / (2 * side))


@lru_cache(maxsize=16)
def _daubechies(side: int, hash_size: int) -> Floats:
    """Return the matrix of the coarse db4 coefficients of a line of `side` pixels, over 255."""
    import pywt  # noqa: PLC0415  loads scipy

    level = (side // hash_size).bit_length() - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        matrix: Floats = pywt.wavedec(np.eye(side), "db4", level=level, axis=0)[0]
    return matrix


def _imagehash() -> ModuleType:
    import imagehash  # noqa: PLC0415  loads scipy or PyWavelets, which most images never need

    return imagehash
