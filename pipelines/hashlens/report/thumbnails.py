"""Thumbnails of files, and what else is seen of a file when it is decoded: a job for workers."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from hashlens.errors import ImageError

QUALITY = 75  # of JPEG
# The longer side of thumbnails, in pixels, by the most images of a report that has them: a report
# of a few is crisp on fine screens, and one of many thousand still opens.
SIDES = {500: 320, 5_000: 160, 20_000: 128}
LEAST_SIDE = 96


class Thumbnail(NamedTuple):
    """What a file shows: `thumbnail` is JPEG in base64, and `reason` says why there is none."""

    thumbnail: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    format: str = ""
    sharpness: float | None = None
    reason: str = ""


class ThumbnailJob(NamedTuple):
    """A file to look at; its sharpness takes all of its pixels, and is not always needed."""

    path: str
    sharpness: bool


@dataclass(frozen=True, slots=True)
class ThumbnailMaker:
    """Look at a file: its thumbnail, of `side` pixels at most, and its facts.

    `apart` says that this is done in a process for nothing else. No file raises an exception.
    """

    side: int
    apart: bool = False

    def __call__(self, wanted: ThumbnailJob) -> Thumbnail:
        """Return what a file shows."""
        try:
            return self._seen(wanted)
        except ImageError as error:
            return Thumbnail(reason=error.reason)
        except Exception as error:  # noqa: BLE001  one file's surprise must not end a report
            return Thumbnail(reason=f"cannot be shown: {type(error).__name__}: {error}")

    def _seen(self, wanted: ThumbnailJob) -> Thumbnail:
        from hashlens.images import decode  # noqa: PLC0415  loads Pillow, in the worker

        data = decode.read(wanted.path)
        draft = None if wanted.sharpness else ("RGB", self.side)
        pixels = decode.decode(data, name=wanted.path, draft=draft)
        sharpness = None
        if wanted.sharpness:
            import cv2  # noqa: PLC0415  a tenth of a second

            from hashlens.images.sharpness import sharpness_of  # noqa: PLC0415

            if self.apart:
                cv2.setNumThreads(1)  # other cores have their own workers
            sharpness = sharpness_of(pixels.image)
        small = pixels.image.convert("RGB")
        small.thumbnail((self.side, self.side))
        output = BytesIO()
        small.save(output, "JPEG", quality=QUALITY, optimize=True)
        text = b64encode(output.getvalue()).decode()
        return Thumbnail(text, *pixels.size, len(data), pixels.format or "", sharpness)


def side_of(images: int) -> int:
    """Return how long the longer side of thumbnails is in a report of so many images."""
    return next((side for most, side in SIDES.items() if images <= most), LEAST_SIDE)
