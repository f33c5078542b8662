"""The table of algorithms: names, parameters, number of bits, and reduced decoding.

The fast grade decodes at a reduced size: the smallest of 32, 64, 128 and 256 pixels at which 64-bit
fingerprints of photographs differ from fingerprints of the full decode by less than half a bit on
average, as benchmarks/grades.py measures. Fingerprints of 256 bits differ by less than one bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hashlens.errors import ParameterError
from hashlens.hashing.parameters import Parameter, choice, flag, optional, power_of_two, whole

if TYPE_CHECKING:
    from hashlens.images.pixels import Draft

Params: TypeAlias = dict[str, Any]


class Algorithm(NamedTuple):
    """A row of the table; `samples` and `kernels` have a function for its name.

    aliases: other names, ImageHash's among them
    parameters: names, defaults and constraints
    bits: number of bits by the parameters, None if it depends on the image
    draft: mode and reduced size by the parameters, for the fast grade
    """

    name: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    bits: Callable[[Params], int | None]
    draft: Callable[[Params], Draft]

    def validate(self, given: Mapping[str, Any]) -> Params:
        """Return all parameters; raises ParameterError for an unknown name or a wrong value."""
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


def _square(params: Params) -> int:
    return int(params["hash_size"] ** 2)


def _simple_bits(params: Params) -> int:
    # The lowest column is left out: with a factor of 1, one column fewer is left.
    size = params["hash_size"]
    return int(size * min(size, size * params["highfreq_factor"] - 1))


def _wavelet_bits(params: Params) -> int | None:
    if params["mode"] == "haar":
        return _square(params)
    # db4 pads each level by the length of its filter: the side depends on the number of levels.
    side = params["image_scale"]
    if side is None:
        return None
    for _ in range((side // params["hash_size"]).bit_length() - 1):
        side = (side + 7) // 2
    return int(side**2)


def _luminance(least: int, per_side: int, *also: str) -> Callable[[Params], Draft]:
    """Describe a grey draft of `least` pixels, or `per_side` times the hash size if that is over 8.

    A larger hash sees finer detail, and has more bits that may differ. The product of the
    parameters named in `also` is the side of the square that the hash needs at least.
    """

    def draft(params: Params) -> Draft:
        size = params["hash_size"]
        needed = 1
        for name in also:
            needed *= params[name] or 1
        return "L", max(least if size <= 8 else per_side * size, needed)

    return draft


def _wavelet_draft(params: Params) -> Draft:
    if params["mode"] == "db4" and params["image_scale"] is None:
        return "L", 2**16  # the size of the picture determines the number of bits
    return _luminance(64, 16, "image_scale")(params)


# 1,024 x 1,024 bits are more than any picture needs, and fit into memory.
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
    Algorithm(
        "average",
        ("ahash", "average-hash"),
        (_HASH_SIZE,),
        _square,
        _luminance(64, 16),
    ),
    Algorithm(
        "perceptual",
        ("phash",),
        _FREQUENCY,
        _square,
        _luminance(32, 16, "hash_size", "highfreq_factor"),
    ),
    Algorithm(
        "perceptual-simple",
        ("phash-simple",),
        _FREQUENCY,
        _simple_bits,
        _luminance(128, 32, "hash_size", "highfreq_factor"),
    ),
    Algorithm(
        "difference",
        ("dhash",),
        (_HASH_SIZE,),
        _square,
        _luminance(128, 32),
    ),
    Algorithm(
        "difference-vertical",
        ("dhash-vertical", "dhash-vert"),
        (_HASH_SIZE,),
        _square,
        _luminance(64, 32),
    ),
    Algorithm(
        "wavelet",
        ("whash",),
        _WAVELET,
        _wavelet_bits,
        _wavelet_draft,
    ),
    Algorithm(
        "color",
        ("colorhash",),
        (whole("binbits", 3, 1, 32),),
        lambda params: 14 * params["binbits"],
        lambda _: ("RGB", 256),
    ),
    Algorithm(
        "crop-resistant",
        ("crop-resistant-hash",),
        _SEGMENTS,
        lambda _: None,
        lambda params: ("RGB", 2 * params["segmentation_image_size"]),
    ),
)


# Turned copies are found by it; it is no hash to choose, since symmetric pictures lose by it.
SIGNS = Algorithm(
    "perceptual-signs",
    (),
    _FREQUENCY,
    _square,
    _luminance(32, 16, "hash_size", "highfreq_factor"),
)


def algorithm_of(name: str) -> Algorithm:
    """Return the algorithm of a name or alias; raises ParameterError with all known names."""
    wanted = str(name).lower().replace("_", "-")
    for algorithm in (*ALGORITHMS, SIGNS):
        if wanted in (algorithm.name, *algorithm.aliases):
            return algorithm
    known = ", ".join(f"{item.name} ({', '.join(item.aliases)})" for item in ALGORITHMS)
    msg = f"unknown algorithm {name!r}; known are {known}"
    raise ParameterError(msg)
