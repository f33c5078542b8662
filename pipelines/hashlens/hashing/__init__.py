"""Perceptual hashes: one table of algorithms, each from an image to bits.

>>> from PIL import Image
>>> grey = Image.linear_gradient("L")
>>> PerceptualHash("difference-vertical")(grey)
'ffffffffffffffff'
>>> PerceptualHash("dhash_vertical", hash_size=4).bits  # ImageHash's names are known as well
16

Given the same image, all bits equal those of ImageHash 4.3.2.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from hashlens.hashing.algorithms import ALGORITHMS, Algorithm
from hashlens.model import ParameterError

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.hashing.algorithms import Bits

__all__ = ["ALGORITHMS", "PerceptualHash"]


class PerceptualHash:
    """One algorithm with its parameters: a function from images to fingerprints.

    Raises ParameterError for an unknown algorithm, a parameter that the algorithm does not have,
    or a value out of its range, and names the constraint.
    """

    def __init__(self, algorithm: str = "perceptual", **params: Any) -> None:
        self._algorithm = find(algorithm)
        self.params = self._algorithm.validate(params)

    @property
    def algorithm(self) -> str:
        """Return the algorithm's name, never an alias."""
        return self._algorithm.name

    @property
    def bits(self) -> int | None:
        """Return how many bits a fingerprint has, or None where that depends on the image."""
        return self._algorithm.bits(self.params)

    @property
    def digits(self) -> int | None:
        """Return how many hex digits a fingerprint has, or None as for `bits`."""
        return None if self.bits is None else ceil(self.bits / 4)

    def segments(self, image: Image.Image) -> list[Bits]:
        """Return the hash as boolean arrays: one, or one per segment for `crop-resistant`."""
        return self._algorithm.compute(image, **self.params)

    def __call__(self, image: Image.Image) -> str:
        """Return the fingerprint of an image in lower-case hex, segments joined by commas."""
        return ",".join(to_hex(segment) for segment in self.segments(image))

    def settings(self) -> dict[str, Any]:
        """Return what rebuilds this hash: `PerceptualHash(**settings)`."""
        return {"algorithm": self.algorithm, **self.params}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what rebuilds this hash, for worker processes."""
        return _rebuilt, (self.settings(),)

    def __repr__(self) -> str:
        """Show the call that makes this hash."""
        params = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"PerceptualHash({self.algorithm!r}{params})"


def _rebuilt(settings: dict[str, Any]) -> PerceptualHash:
    return PerceptualHash(**settings)


def find(name: str) -> Algorithm:
    """Return the algorithm of a name or alias; raises ParameterError with the known ones."""
    wanted = str(name).lower().replace("_", "-")
    for algorithm in ALGORITHMS:
        if wanted in (algorithm.name, *algorithm.aliases):
            return algorithm
    known = ", ".join(f"{item.name} ({', '.join(item.aliases)})" for item in ALGORITHMS)
    msg = f"unknown algorithm {name!r}; known are {known}"
    raise ParameterError(msg)


def to_hex(bits: Bits) -> str:
    """Write bits as ImageHash does: most significant first, as few hex digits as hold them."""
    import numpy as np  # noqa: PLC0415

    flat = bits.reshape(-1)
    padding = np.zeros(-flat.size % 8, dtype=bool)
    packed = np.packbits(np.concatenate([padding, flat]))
    digits = packed.tobytes().hex()
    return digits[len(digits) - ceil(flat.size / 4) :]
