"""Make thumbnails of files, with facts seen on the way: a job for workers."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from hashlens.errors import ImageError

QUALITY = 75  # of JPEG
# The longer side of thumbnails in pixels, by the largest number of images that gets it: a small
# report is crisp on fine screens, and a report of many thousand images still opens.
SIDES = {500: 320, 5_000: 160, 20_000: 128}
LEAST_SIDE = 96


class Thumbnail(NamedTuple):
    """What a file shows.

    `thumbnail`: JPEG in base64. `sharpness`: variance of the Laplacian, None unless asked for.
    `reason`: why there is no thumbnail.
    """

    thumbnail: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    format: str = ""
    sharpness: float | None = None
    reason: str = ""


class ThumbnailJob(NamedTuple):
    """A file to make a thumbnail of; `sharpness`: measure it too, which takes all pixels."""

    path: str
    sharpness: bool


@dataclass(frozen=True, slots=True)
class ThumbnailMaker:
    """Make the thumbnail of a file, with facts of the file. No file raises an exception.

    `side`: the longer side of thumbnails at most, pixels. `dedicated`: the job runs in a worker
    process of its own, so OpenCV may be limited to one thread.
    """

    side: int
    dedicated: bool = False

    def __call__(self, job: ThumbnailJob) -> Thumbnail:
        """Return the thumbnail of a file, or the reason why there is none."""
        try:
            return self._made(job)
        except ImageError as error:
            return Thumbnail(reason=error.reason)
        except Exception as error:  # noqa: BLE001  one file's surprise must not end a report
            return Thumbnail(reason=f"cannot be shown: {type(error).__name__}: {error}")

    def _made(self, job: ThumbnailJob) -> Thumbnail:
        from hashlens.images import decode  # noqa: PLC0415  loads Pillow, in the worker

        data = decode.read(job.path)
        draft = None if job.sharpness else ("RGB", self.side)
        pixels = decode.decode(data, name=job.path, draft=draft)
        sharpness = None
        if job.sharpness:
            import cv2  # noqa: PLC0415  a tenth of a second

            from hashlens.images.sharpness import sharpness_of  # noqa: PLC0415

            if self.dedicated:
                cv2.setNumThreads(1)  # other cores have their own workers
            sharpness = sharpness_of(pixels.image)
        small = pixels.image.convert("RGB")
        small.thumbnail((self.side, self.side))
        output = BytesIO()
        small.save(output, "JPEG", quality=QUALITY, optimize=True)
        text = b64encode(output.getvalue()).decode()
        return Thumbnail(text, *pixels.size, len(data), pixels.format or "", sharpness)


def side_of(images: int) -> int:
    """Return the longer side of thumbnails in a report of a number of images, in pixels."""
    return next((side for limit, side in SIDES.items() if images <= limit), LEAST_SIDE)
