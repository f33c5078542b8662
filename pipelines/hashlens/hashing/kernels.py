"""From samples to bits, for a stack of images at once.

average, difference (dHash), perceptual (pHash), wavelet and color follow the definitions of the
ImageHash package (github.com/JohannesBuchner/imagehash), which in turn follows hackerfactor.com.
All bits are ImageHash's: sums of whole numbers decide exactly; where rounding could decide a bit
of an image, that image is computed once more by ImageHash itself.

Bits are boolean arrays (segments, rows, columns); an image has one segment, but for crop-resistant.
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

# Two sums of the same numbers in another order differ by less than this share of the largest.
TIE = 1e-10


def average(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Tell which pixels are above their mean: whole numbers, so no rounding and no ties."""
    pixels = _stack(samples, hash_size, hash_size).astype(np.int64)
    bits: Bits = pixels * hash_size**2 > pixels.sum(axis=(1, 2), keepdims=True)
    return bits


def difference(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Tell which pixels are brighter than the one to the left."""
    pixels = _stack(samples, hash_size, hash_size + 1)
    return pixels[:, :, 1:] > pixels[:, :, :-1]


def difference_vertical(samples: Sequence[bytes], hash_size: int) -> Bits:
    """Tell which pixels are brighter than the one above."""
    pixels = _stack(samples, hash_size + 1, hash_size)
    return pixels[:, 1:, :] > pixels[:, :-1, :]


def perceptual(samples: Sequence[bytes], hash_size: int, highfreq_factor: int) -> Bits:
    """Tell which of the low frequencies in both directions are above their median."""
    side = hash_size * highfreq_factor
    pixels = _stack(samples, side, side)
    cosines = _cosines(side)[:hash_size]
    frequencies = cosines @ pixels @ cosines.T
    medians = np.median(frequencies, axis=(1, 2), keepdims=True)

    def literally(image: Image.Image) -> Bits:
        bits: Bits = _imagehash().phash(image, hash_size, highfreq_factor).hash
        return bits

    return _above(frequencies, medians, pixels, literally)


def perceptual_simple(samples: Sequence[bytes], hash_size: int, highfreq_factor: int) -> Bits:
    """Tell which of the low frequencies from left to right are above their mean."""
    side = hash_size * highfreq_factor
    pixels = _stack(samples, side, side)
    frequencies = pixels[:, :hash_size] @ _cosines(side)[1 : hash_size + 1].T
    means = frequencies.mean(axis=(1, 2), keepdims=True)

    def literally(image: Image.Image) -> Bits:
        bits: Bits = _imagehash().phash_simple(image, hash_size, highfreq_factor).hash
        return bits

    return _above(frequencies, means, pixels, literally)


def wavelet(samples: Sequence[bytes], **_: object) -> Bits:
    """Return the bits that the samples are."""
    bits = np.frombuffer(b"".join(samples), dtype=np.bool_)
    side = round((bits.size / len(samples)) ** 0.5)
    return bits.reshape(-1, side, side)


def wavelet_bits(pixels: Grey, hash_size: int, mode: str, remove_max_haar_ll: bool) -> Bits:
    """Tell which of the coarse wavelet coefficients are above their median.

    `pixels` is a stack (images, side, side). ImageHash's removal of the lowest frequency takes the
    same from all coefficients, and changes no comparison.
    """
    side = pixels.shape[-1]

    def literally(image: Image.Image) -> Bits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # PyWavelets, of deep levels
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
        return _again(bits, (low == high).ravel(), pixels, literally)
    transform = _daubechies(side, hash_size)
    coefficients = transform @ pixels @ transform.T
    medians = np.median(coefficients, axis=(1, 2), keepdims=True)
    return _above(coefficients, medians, pixels, literally)


def color(samples: Sequence[bytes], binbits: int) -> Bits:
    """Write the shares of black, grey, and of faint and bright pixels by hue, as numbers."""
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
    """Tell which pixels of each segment are brighter than the one to the left."""
    return difference(samples, hash_size)


KERNELS: dict[str, Callable[..., Bits]] = {
    "average": average,
    "perceptual": perceptual,
    "perceptual-simple": perceptual_simple,
    "difference": difference,
    "difference-vertical": difference_vertical,
    "wavelet": wavelet,
    "color": color,
    "crop-resistant": crop_resistant,
}


def information(samples: Sequence[bytes]) -> list[float]:
    """Return how much an image shows: the mean step between neighbouring pixels, in grey levels.

    0 for a picture of one colour, below 1 where there is next to nothing to be seen, 5 to 30 for
    photographs; at most 255. The samples are squares of grey pixels.
    """
    side = round(len(samples[0]) ** 0.5) if samples else 1
    pixels = _stack(samples, side, side).astype(np.int16)
    across = np.abs(np.diff(pixels, axis=2)).mean(axis=(1, 2))
    down = np.abs(np.diff(pixels, axis=1)).mean(axis=(1, 2))
    scores: list[float] = np.round((across + down) / 2, 2).tolist()
    return scores


def to_hex(bits: Bits) -> list[str]:
    """Write bits as ImageHash does: most significant first, as few hex digits as hold them."""
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
    values: Floats, thresholds: Floats, pixels: Grey, literally: Callable[[Image.Image], Bits]
) -> Bits:
    """Tell which values are above the threshold of their image; near-ties are redone."""
    differences = values - thresholds
    nearest = np.abs(differences).min(axis=(1, 2))
    largest = np.maximum(1.0, np.abs(values).max(axis=(1, 2)))
    return _again(differences > 0, nearest <= TIE * largest, pixels, literally)


def _again(
    bits: Bits, doubtful: Bits, pixels: Grey, literally: Callable[[Image.Image], Bits]
) -> Bits:
    for index in np.flatnonzero(doubtful):
        bits[index] = literally(Image.fromarray(pixels[index]))
    return bits


@lru_cache(maxsize=16)
def _cosines(side: int) -> Floats:
    """Return the matrix of the type-II cosine transform, scaled as scipy's `dct`."""
    index = np.arange(side)
    return 2 * np.cos(np.pi * np.outer(index, 2 * index + 1) / (2 * side))


@lru_cache(maxsize=16)
def _daubechies(side: int, hash_size: int) -> Floats:
    """Return the matrix of the coarse db4 coefficients of a line of `side` pixels, over 255."""
    import pywt  # noqa: PLC0415  brings scipy in

    level = (side // hash_size).bit_length() - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        matrix: Floats = pywt.wavedec(np.eye(side), "db4", level=level, axis=0)[0]
    return matrix


def _imagehash() -> ModuleType:
    import imagehash  # noqa: PLC0415  brings scipy or PyWavelets in, which most images never need

    return imagehash
