"""Perceptual hashes: one table of algorithms, each from an image to bits.

>>> from PIL import Image
>>> grey = Image.linear_gradient("L")
>>> PerceptualHash("difference-vertical")(grey)
'ffffffffffffffff'
>>> PerceptualHash("dhash_vertical", hash_size=4).bits  # ImageHash's names are known as well
16

Given the same image, all bits equal those of ImageHash 4.3.2. Pillow and numpy are loaded when
an image is hashed: a command that leaves hashing to worker processes needs no Pillow itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from hashlens.errors import ParameterError
from hashlens.hashing.algorithms import ALGORITHMS, Algorithm

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.hashing.kernels import Bits
    from hashlens.images.pixels import Box, Draft


MOST_BYTES = 2**22  # of samples that are computed at once; their transforms take ten times as much


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

    @property
    def draft(self) -> Draft:
        """Return the mode and the reduced size that a JPEG is decoded to in the fast grade."""
        return self._algorithm.draft(self.params)

    def sample(self, image: Image.Image, box: Box | None = None) -> bytes:
        """Return the few bytes of an image, or of the box in it, that its bits are made of."""
        from hashlens.hashing.samples import SAMPLES  # noqa: PLC0415  loads Pillow

        return SAMPLES[self.algorithm](image, box, **self.params)

    def fingerprints(self, samples: Sequence[bytes]) -> list[str]:
        """Return the fingerprint of each sample in lower-case hex, all computed at once.

        Segments are joined by commas.
        """
        from hashlens.hashing.kernels import to_hex  # noqa: PLC0415  loads numpy

        return [
            ",".join(part)
            for bits, counts in self._bits(samples)
            for part in _cut(to_hex(bits), counts)
        ]

    def segments(self, image: Image.Image, box: Box | None = None) -> list[Bits]:
        """Return the hash as boolean arrays: one, or one per segment for `crop-resistant`."""
        return [segment for bits, _ in self._bits([self.sample(image, box)]) for segment in bits]

    def _bits(self, samples: Sequence[bytes]) -> Iterator[tuple[Bits, list[int]]]:
        """Yield stacks of segments, and how many of them each sample has."""
        from hashlens.hashing.kernels import KERNELS  # noqa: PLC0415

        kernel = KERNELS[self.algorithm]
        lengths = [len(sample) for sample in samples]
        step = max(1, MOST_BYTES // max(lengths, default=1))
        if self.algorithm == "wavelet" and len(set(lengths)) > 1:
            step = 1  # db4 of images of several sizes
        for start in range(0, len(samples), step):
            stack = samples[start : start + step]
            bits = kernel(stack, **self.params)
            unit = sum(map(len, stack)) // len(bits)
            yield bits, [len(sample) // unit for sample in stack]

    def __call__(self, image: Image.Image) -> str:
        """Return the fingerprint of an image in lower-case hex, segments joined by commas."""
        return self.fingerprints([self.sample(image)])[0]

    def settings(self) -> dict[str, Any]:
        """Return what rebuilds this hash: `PerceptualHash(**settings)`."""
        return {"algorithm": self.algorithm, **self.params}

    def __eq__(self, other: object) -> bool:
        """Tell whether another hash gives the same fingerprints."""
        return isinstance(other, PerceptualHash) and self.settings() == other.settings()

    def __hash__(self) -> int:
        """Hash by the settings."""
        return hash(tuple(self.settings().items()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what rebuilds this hash, for worker processes."""
        return _rebuilt, (self.settings(),)

    def __repr__(self) -> str:
        """Show the call that makes this hash."""
        params = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"PerceptualHash({self.algorithm!r}{params})"


def _rebuilt(settings: dict[str, Any]) -> PerceptualHash:
    return PerceptualHash(**settings)


def _cut(items: list[str], counts: Sequence[int]) -> Iterator[list[str]]:
    start = 0
    for count in counts:
        yield items[start : start + count]
        start += count


def find(name: str) -> Algorithm:
    """Return the algorithm of a name or alias; raises ParameterError with the known ones."""
    wanted = str(name).lower().replace("_", "-")
    for algorithm in ALGORITHMS:
        if wanted in (algorithm.name, *algorithm.aliases):
            return algorithm
    known = ", ".join(f"{item.name} ({', '.join(item.aliases)})" for item in ALGORITHMS)
    msg = f"unknown algorithm {name!r}; known are {known}"
    raise ParameterError(msg)
