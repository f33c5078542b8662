"""From picture files to fingerprints: several hashes of one decode, in one of two grades."""

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
    """Hash pictures with several perceptual hashes.

    hashes: at least one
    grade: `exact` decodes all pixels, and fingerprints equal ImageHash's. `fast` decodes JPEG files
        at a reduced size, at which the fingerprints of photographs differ by less than half a bit
        on average (see `hashing.algorithms`), and all other images like `exact`.
    upright: whether pictures are hashed as a person sees them (turned as EXIF says, transparency on
        white, 16-bit and float pixels scaled), or as ImageHash takes them
    least: shortest side, in pixels, that other users of the decode need

    Raises ParameterError for an unknown grade, a flag that is not a bool, and for no hashes.
    """

    hashes: tuple[PerceptualHash, ...]
    grade: str = "fast"
    upright: bool = True
    least: int = 0

    def __post_init__(self) -> None:
        """Check the fields."""
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
        """Return the reduced decoding that all hashes share; None if all pixels are decoded."""
        if self.grade == "exact":
            return None
        modes, sides = zip(*(item.draft for item in self.hashes), strict=True)
        return "RGB" if "RGB" in modes else "L", max(self.least, *sides)

    @property
    def policy(self) -> str:
        """Return in a line how pixels are made; fingerprints of different policies may differ."""
        draft = " ".join(map(str, self.draft or ()))
        how = f"{self.grade} {draft}".strip() + ("" if self.upright else " as decoded")
        return f"{how}; {_decoders()}"

    def decode(self, source: Source, *, name: str | None = None) -> Pixels:
        """Decode an image for this grade; raises ImageError if it cannot be read."""
        from hashlens.images.decode import decode  # noqa: PLC0415  loads Pillow

        return decode(source, name=name, draft=self.draft, upright=self.upright)

    def samples(self, pixels: Pixels) -> Samples:
        """Return a sample for each hash.

        All hashes share one decode, at the largest size that any hash needs. Hashes that need
        less get a halved image: to resize a large image would take longer than to decode it.
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
        """Return the fingerprints of many images: a tuple for each image, with all its hashes."""
        columns = zip(*samples, strict=True)
        texts = [
            item.fingerprints(column) for item, column in zip(self.hashes, columns, strict=False)
        ]
        return list(zip(*texts, strict=True))

    def __call__(self, source: Source) -> tuple[str, ...]:
        """Return the fingerprints of an image; raises ImageError if it cannot be read."""
        return self.fingerprints([self.samples(self.decode(source))])[0]


def _shade(pixels: Pixels, factor: int) -> tuple[Image.Image, Box | None]:
    """Return the grey image of a decode, reduced by a factor, and the box in it."""
    grey = pixels.image.convert("L")
    if factor == 1 or pixels.box is None:
        return grey, pixels.box
    left, top, right, bottom = (end / factor for end in pixels.box)
    return grey.reduce(factor), (left, top, right, bottom)


@lru_cache(maxsize=1)
def _decoders() -> str:
    from hashlens.images.decode import versions  # noqa: PLC0415

    return ", ".join(f"{name} {version}" for name, version in versions().items())
