"""The table of algorithms.

average, difference (dHash) and perceptual (pHash) are computed here, from small grey pixels; the
definitions are those of the ImageHash package (github.com/JohannesBuchner/imagehash), which in
turn follows hackerfactor.com. Where a floating-point tie could decide a bit, and for wavelet,
color and crop-resistant hashes, ImageHash itself is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashlens.hashing.parameters import Parameter, choice, flag, optional, power_of_two, whole
from hashlens.model import ParameterError

if TYPE_CHECKING:
    from types import ModuleType

Bits: TypeAlias = npt.NDArray[np.bool_]
Params: TypeAlias = dict[str, Any]
Compute: TypeAlias = Callable[..., list[Bits]]

# Two sums of the same numbers in another order differ by less than this share of the largest.
TIE = 1e-10


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A row of the table: names, parameters, the number of bits, and the computation."""

    name: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    bits: Callable[[Params], int | None]
    compute: Compute

    def validate(self, given: Mapping[str, Any]) -> Params:
        """Return all parameters, given ones checked; raises ParameterError, naming the wrong."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                msg = f"the {self.name} hash has no parameter {name!r}; it has {', '.join(known)}"
                raise ParameterError(msg)
        params = {
            name: parameter.check(given.get(name, parameter.default), self.name)
            for name, parameter in known.items()
        }
        scale = params.get("image_scale")
        if scale is not None and scale < params["hash_size"]:
            msg = (
                f"image_scale must be at least hash_size ({params['hash_size']}) "
                f"for the {self.name} hash, not {scale}"
            )
            raise ParameterError(msg)
        return params


def _grey(image: Image.Image, width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.asarray(image.convert("L").resize((width, height), Image.Resampling.LANCZOS))


def _average(image: Image.Image, hash_size: int) -> list[Bits]:
    pixels = _grey(image, hash_size, hash_size).astype(np.int64)
    return [pixels * pixels.size > pixels.sum()]  # whole numbers: no rounding, no ties


def _difference(image: Image.Image, hash_size: int) -> list[Bits]:
    pixels = _grey(image, hash_size + 1, hash_size)
    return [pixels[:, 1:] > pixels[:, :-1]]


def _difference_vertical(image: Image.Image, hash_size: int) -> list[Bits]:
    pixels = _grey(image, hash_size, hash_size + 1)
    return [pixels[1:, :] > pixels[:-1, :]]


def _perceptual(image: Image.Image, hash_size: int, highfreq_factor: int) -> list[Bits]:
    side = hash_size * highfreq_factor
    cosines = _cosines(side)[:hash_size]
    frequencies = cosines @ _grey(image, side, side) @ cosines.T
    bits = _above(frequencies, float(np.median(frequencies)))
    if bits is None:
        bits = _imagehash().phash(image, hash_size, highfreq_factor).hash
    return [bits]


def _perceptual_simple(image: Image.Image, hash_size: int, highfreq_factor: int) -> list[Bits]:
    side = hash_size * highfreq_factor
    rows = _grey(image, side, side)[:hash_size]
    frequencies = rows @ _cosines(side)[1 : hash_size + 1].T
    bits = _above(frequencies, float(frequencies.mean()))
    if bits is None:
        bits = _imagehash().phash_simple(image, hash_size, highfreq_factor).hash
    return [bits]


def _above(values: npt.NDArray[np.float64], threshold: float) -> Bits | None:
    """Tell which values are above a threshold, or nothing where rounding could decide."""
    difference = values - threshold
    nearest = np.abs(difference).min()
    if nearest <= TIE * max(1.0, float(np.abs(values).max())):
        return None
    above: Bits = difference > 0
    return above


@lru_cache(maxsize=16)
def _cosines(side: int) -> npt.NDArray[np.float64]:
    """Return the matrix of the type-II cosine transform, scaled as scipy's `dct`."""
    index = np.arange(side)
    return 2 * np.cos(np.pi * np.outer(index, 2 * index + 1) / (2 * side))


def _wavelet(image: Image.Image, **params: Any) -> list[Bits]:
    return [_imagehash().whash(image, **params).hash]


def _color(image: Image.Image, binbits: int) -> list[Bits]:
    return [_imagehash().colorhash(image, binbits).hash]


def _crop_resistant(image: Image.Image, hash_size: int, **params: Any) -> list[Bits]:
    segment_hash = partial(_imagehash().dhash, hash_size=hash_size)
    hashes = _imagehash().crop_resistant_hash(image, segment_hash, **params)
    return [segment.hash for segment in hashes.segment_hashes]


def _imagehash() -> ModuleType:
    import imagehash  # noqa: PLC0415  brings scipy or PyWavelets in, which most paths never need

    module: ModuleType = imagehash
    return module


def _square(params: Params) -> int:
    return int(params["hash_size"] ** 2)


def _simple_bits(params: Params) -> int:
    # The lowest column is left out, so a factor of 1 has one column fewer.
    size = params["hash_size"]
    return int(size * min(size, size * params["highfreq_factor"] - 1))


def _wavelet_bits(params: Params) -> int | None:
    if params["mode"] == "haar":
        return _square(params)
    # db4 pads each level by its filter's length, so the side depends on the number of levels.
    side = params["image_scale"]
    if side is None:
        return None
    for _ in range((side // params["hash_size"]).bit_length() - 1):
        side = (side + 7) // 2
    return int(side**2)


# 1,024 x 1,024 bits are more than any picture has to say, and fit into memory.
_HASH_SIZE = whole("hash_size", 8, 2, 1024)
_FREQUENCY = (_HASH_SIZE, whole("highfreq_factor", 4, 1, 64))
_WAVELET = (
    power_of_two("hash_size", 8, 1024),
    optional(power_of_two("image_scale", 8, 8192)),
    choice("mode", "haar", "db4"),
    flag("remove_max_haar_ll", default=True),
)
_SEGMENTS = (
    _HASH_SIZE,
    optional(whole("limit_segments", 1, 1)),
    whole("segment_threshold", 128, 0, 255),
    whole("min_segment_size", 500, 0),
    whole("segmentation_image_size", 300, 2, 4096),
)

ALGORITHMS = (
    Algorithm("average", ("ahash", "average-hash"), (_HASH_SIZE,), _square, _average),
    Algorithm("perceptual", ("phash",), _FREQUENCY, _square, _perceptual),
    Algorithm("perceptual-simple", ("phash-simple",), _FREQUENCY, _simple_bits, _perceptual_simple),
    Algorithm("difference", ("dhash",), (_HASH_SIZE,), _square, _difference),
    Algorithm(
        "difference-vertical",
        ("dhash-vertical", "dhash-vert"),
        (_HASH_SIZE,),
        _square,
        _difference_vertical,
    ),
    Algorithm("wavelet", ("whash",), _WAVELET, _wavelet_bits, _wavelet),
    Algorithm(
        "color", ("colorhash",), (whole("binbits", 3, 1, 32),), lambda p: 14 * p["binbits"], _color
    ),
    Algorithm(
        "crop-resistant", ("crop-resistant-hash",), _SEGMENTS, lambda _: None, _crop_resistant
    ),
)
