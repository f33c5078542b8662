"""Perceptual hashes: functions from images to fingerprints.

>>> from PIL import Image
>>> grey = Image.linear_gradient("L")
>>> PerceptualHash("difference-vertical")(grey)
'ffffffffffffffff'
>>> PerceptualHash("dhash_vertical", hash_size=4).bits  # ImageHash's names work as well
16

For the same image, all bits equal the bits of ImageHash 4.3.2. Pillow and numpy are loaded when an
image is hashed: a command that leaves hashing to worker processes does not load them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from hashlens.hashing.algorithms import algorithm_of

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.hashing.kernels import Bits
    from hashlens.images.pixels import Box, Draft


_TURN_HASHES = {
    "difference": "difference-vertical",
    "difference-vertical": "difference",
    "perceptual": "perceptual-signs",
}
MOST_BYTES = 2**22  # of samples hashed at a time; their transforms take ten times as much memory


class PerceptualHash:
    """One algorithm with its parameters: a function from images to fingerprints.

    Raises ParameterError, with the constraint, for an unknown algorithm, a parameter that the
    algorithm does not have, or a value out of its range.
    """

    def __init__(self, algorithm: str = "perceptual", **params: Any) -> None:
        self._algorithm = algorithm_of(algorithm)
        self.params = self._algorithm.validate(params)

    @property
    def algorithm(self) -> str:
        """Return the algorithm's name, never an alias."""
        return self._algorithm.name

    @property
    def bits(self) -> int | None:
        """Return the number of bits of a fingerprint, or None if it depends on the image."""
        return self._algorithm.bits(self.params)

    @property
    def digits(self) -> int | None:
        """Return the number of hex digits of a fingerprint, or None as for `bits`."""
        return None if self.bits is None else ceil(self.bits / 4)

    @property
    def turn_hash(self) -> PerceptualHash | None:
        """Return the hash that finds turned copies, or None if this one does by itself.

        A difference hash needs that of the other direction beside itself, for quarter turns. In the
        place of `perceptual` are the signs of its frequencies.
        """
        other = _TURN_HASHES.get(self.algorithm)
        return PerceptualHash(other, **self.params) if other else None

    def has_sample_of(self, other: PerceptualHash) -> bool:
        """Return whether both hashes make their bits from the same bytes of an image."""
        from hashlens.hashing.samples import SAMPLES  # noqa: PLC0415  loads Pillow

        same = SAMPLES[self.algorithm] is SAMPLES[other.algorithm]
        return same and self.params == other.params

    @property
    def draft(self) -> Draft:
        """Return the mode and the reduced size that a JPEG is decoded to in the fast grade."""
        return self._algorithm.draft(self.params)

    def sample(self, image: Image.Image, box: Box | None = None) -> bytes:
        """Return the few bytes from which the bits of an image, or of a box in it, are made."""
        from hashlens.hashing.samples import SAMPLES  # noqa: PLC0415  loads Pillow

        return SAMPLES[self.algorithm](image, box, **self.params)

    def fingerprints(self, samples: Sequence[bytes]) -> list[str]:
        """Return the fingerprint of each sample in lower-case hex, its segments joined by commas.

        Many samples are hashed at a time.
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
        """Yield stacks of segments, and the number of segments of each sample."""
        from hashlens.hashing.kernels import KERNELS  # noqa: PLC0415

        kernel = KERNELS[self.algorithm]
        lengths = [len(sample) for sample in samples]
        step = max(1, MOST_BYTES // max(lengths, default=1))
        if self.algorithm == "wavelet" and len(set(lengths)) > 1:
            step = 1  # db4: the number of bits depends on the size of the image
        for start in range(0, len(samples), step):
            stack = samples[start : start + step]
            bits = kernel(stack, **self.params)
            unit = sum(map(len, stack)) // len(bits)
            yield bits, [len(sample) // unit for sample in stack]

    def __call__(self, image: Image.Image) -> str:
        """Return the fingerprint of an image in lower-case hex, segments joined by commas."""
        return self.fingerprints([self.sample(image)])[0]

    def settings(self) -> dict[str, Any]:
        """Return the arguments of this hash: `PerceptualHash(**settings)` is equal to it."""
        return {"algorithm": self.algorithm, **self.params}

    def __eq__(self, other: object) -> bool:
        """Return whether another hash gives the same fingerprints."""
        return isinstance(other, PerceptualHash) and self.settings() == other.settings()

    def __hash__(self) -> int:
        """Hash by the settings."""
        return hash(tuple(self.settings().items()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the settings, for worker processes."""
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
