"""From picture files to fingerprints: one or several hashes of one decode, in one of two grades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from hashlens.hashing import PerceptualHash
from hashlens.model import ParameterError

if TYPE_CHECKING:
    from hashlens.files import Draft, Pixels, Source

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
    white, 16-bit and float pixels scaled; without, as ImageHash takes them. Raises ParameterError
    for what is neither grade.
    """

    hashes: tuple[PerceptualHash, ...]
    grade: str = "fast"
    upright: bool = True

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
        return "RGB" if "RGB" in modes else "L", max(sides)

    @property
    def policy(self) -> str:
        """Return in a line how pixels are made: fingerprints of other policies may differ a bit."""
        draft = " ".join(map(str, self.draft or ()))
        how = f"{self.grade} {draft}".strip() + ("" if self.upright else " as decoded")
        return f"{how}; {_decoders()}"

    def decode(self, source: Source, *, name: str | None = None) -> Pixels:
        """Decode an image as this grade does; raises ImageError for one that cannot be read."""
        from hashlens.files import decode  # noqa: PLC0415  loads Pillow

        return decode(source, name=name, draft=self.draft, seen=self.upright)

    def samples(self, pixels: Pixels) -> Samples:
        """Return a sample for each hash."""
        return tuple(item.sample(pixels.image, pixels.box) for item in self.hashes)

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


@lru_cache(maxsize=1)
def _decoders() -> str:
    from hashlens.files import versions  # noqa: PLC0415

    return ", ".join(f"{name} {version}" for name, version in versions().items())
