"""A file that is looked at: pixels in the size that is asked for, frames, and transparency.

The sizes are bounded by pixels, not by the longer side, so that a long receipt keeps its letters.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

from hashlens.images.arrays import Bytes, Decoded, decode_array, turned_array, turned_size
from hashlens.images.frames import Frames

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

SMALL, LARGE = 192, 1000  # pixels of the longer side, in the first and in the closer comparison
SHORTER_SHARE = 2 / 3  # of these, that the shorter side has at least, as far as they have room
MOST_AREA = 4  # times the square of a side: the most pixels of a long picture
DRAFT_SHARE = 0.75  # of the longer side that the shorter side of a draft has at least


class Look:
    """A file that is decoded when it is looked at: JPEGs once for each size, others once.

    `orientation`: the EXIF orientation by which the picture is turned, beside its own. With
    `upright` False, its own is not asked for.
    """

    def __init__(self, source: Source, orientation: int = 1, *, upright: bool = True) -> None:
        self.source, self.orientation, self.upright = source, orientation, upright
        self._decoded: dict[int, Decoded] = {}
        self.size = (0, 0)

    def pixels(self, side: int) -> Bytes:
        """Return the picture in RGB, with at least the pixels that `scale` leaves it.

        Raises ImageError for a file that cannot be read.
        """
        if side not in self._decoded:
            self._decoded[side] = self._turned(side)
        return self._decoded[side].pixels

    def opacity(self) -> Bytes | None:
        """Return how opaque the parts of the picture are, as a small square; None: all are."""
        self.pixels(SMALL)
        return self._decoded[SMALL].opacity

    @cached_property
    def frames(self) -> int:
        """Count the frames of the file. Raises ImageError if they cannot be counted."""
        self.pixels(SMALL)
        return self._decoded[SMALL].frames

    def frame(self, number: int) -> Look:
        """Return another frame, good until the next is asked for; quick from first to last."""
        image = self._frames.load(number)
        return Look(image, self.orientation, upright=self.upright)

    @cached_property
    def _frames(self) -> Frames:
        return Frames(self.source)

    def _turned(self, side: int) -> Decoded:
        known = next(iter(self._decoded.values()), None)
        if known and not known.is_draft:
            return known
        found = decode_array(
            self.source, int(side * DRAFT_SHARE), most=MOST_AREA * LARGE**2, upright=self.upright
        )
        turn = self.orientation
        self.size = turned_size(found.size, turn)
        opacity = found.opacity if found.opacity is None else turned_array(found.opacity, turn)
        return found._replace(pixels=turned_array(found.pixels, turn), opacity=opacity)


def scale(size: tuple[int, int], side: int) -> float:
    """Return by which factor a picture is reduced to be compared; 1 if it is small enough."""
    width, height = size
    wanted = max(side / max(size), SHORTER_SHARE * side / min(size))
    return min(1.0, wanted, side * math.sqrt(MOST_AREA / (width * height)))
