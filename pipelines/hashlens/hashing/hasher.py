"""From picture files to fingerprints: one or several hashes of one decode, in one of two grades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from hashlens.errors import ParameterError
from hashlens.hashing.perceptual import PerceptualHash

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.images.pixels import Box, Draft, Pixels, Source

GRADES = ("fast", "exact")

Samples: TypeAlias = "tuple[bytes, ...]"


@dataclass(frozen=True, slots=True)
class Hasher:
    """Hash pictures with some perceptual hashes.

    In the grade `exact` all pixels are decoded, and the fingerprints are ImageHash's to the bit.
    In `fast`, JPEG files are decoded at the smallest size at which the fingerprints of photographs
    differ by less than half a bit on average (see the table in `hashing.algorithms`); all other
    formats, and images that are given as pixels, as in `exact`.

    With `upright`, pictures are hashed as a person sees them: turned as EXIF says, transparency on
    white, 16-bit and float pixels scaled; without, as ImageHash takes them. `least` is the shortest
    side, in pixels, that others need of a decode. Raises ParameterError for what is neither grade.
    """

    hashes: tuple[PerceptualHash, ...]
    grade: str = "fast"
    upright: bool = True
    least: int = 0

    def __post_init__(self) -> None:
        """Check the grade, the flag, and that there is a hash."""
        if self.grade not in GRADES:
            msg = f"grade must be one of {', '.join(GRADES)}, not {self.grade!r}"
            raise ParameterError(msg)
        if not isinstance(self.upright, bool):
            msg = f"upright must be True or False, not {self.upright!r}"
            raise ParameterError(msg)
        if not self.hashes:
            msg = "at least one perceptual hash is needed"
            raise ParameterError(msg)

    @property
    def draft(self) -> Draft | None:
        """Return the reduced decoding that all hashes share; None where all pixels are decoded."""
        if self.grade == "exact":
            return None
        modes, sides = zip(*(item.draft for item in self.hashes), strict=True)
        return "RGB" if "RGB" in modes else "L", max(self.least, *sides)

    @property
    def policy(self) -> str:
        """Return in a line how pixels are made: fingerprints of other policies may differ a bit."""
        draft = " ".join(map(str, self.draft or ()))
        how = f"{self.grade} {draft}".strip() + ("" if self.upright else " as decoded")
        return f"{how}; {_decoders()}"

    def decode(self, source: Source, *, name: str | None = None) -> Pixels:
        """Decode an image as this grade does; raises ImageError for one that cannot be read."""
        from hashlens.images.decode import decode  # noqa: PLC0415  loads Pillow

        return decode(source, name=name, draft=self.draft, upright=self.upright)

    def samples(self, pixels: Pixels) -> Samples:
        """Return a sample for each hash.

        Several hashes share one decode, at the size that the most demanding of them needs. It is
        halved for the others, as far as they need less: the resizing of a large image would take
        longer than its decoding.
        """
        if len(self.hashes) == 1 and not self.least:
            return (self.hashes[0].sample(pixels.image, pixels.box),)
        shared = self.draft[1] if self.draft and pixels.box else 0
        shades: dict[int, tuple[Image.Image, Box | None]] = {}
        samples = []
        for item in self.hashes:
            mode, side = item.draft
            if mode == "RGB":
                samples.append(item.sample(pixels.image, pixels.box))
                continue
            factor = 1
            while 2 * factor * side <= min(shared, *pixels.image.size):
                factor *= 2
            if factor not in shades:
                shades[factor] = _shade(pixels, factor)
            samples.append(item.sample(*shades[factor]))
        return tuple(samples)

    def fingerprints(self, samples: Sequence[Samples]) -> list[tuple[str, ...]]:
        """Return the fingerprints of many images at once, for each one a tuple."""
        columns = zip(*samples, strict=True)
        texts = [
            item.fingerprints(column) for item, column in zip(self.hashes, columns, strict=False)
        ]
        return list(zip(*texts, strict=True))

    def __call__(self, source: Source) -> tuple[str, ...]:
        """Return the fingerprints of one image; raises ImageError."""
        return self.fingerprints([self.samples(self.decode(source))])[0]


def _shade(pixels: Pixels, factor: int) -> tuple[Image.Image, Box | None]:
    """Return the grey image of a decode, at a fraction of its size, and the box in it."""
    grey = pixels.image.convert("L")
    if factor == 1 or pixels.box is None:
        return grey, pixels.box
    left, top, right, bottom = (end / factor for end in pixels.box)
    return grey.reduce(factor), (left, top, right, bottom)


@lru_cache(maxsize=1)
def _decoders() -> str:
    from hashlens.images.decode import versions  # noqa: PLC0415

    return ", ".join(f"{name} {version}" for name, version in versions().items())
