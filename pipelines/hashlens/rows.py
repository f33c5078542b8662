"""From a file to the row that an index holds of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

from hashlens.files import (
    file_digest,
    open_image,
    pixel_digest,
    read,
    thumbnail,
    upright,
)
from hashlens.hashing import PerceptualHash
from hashlens.model import ImageError, ParameterError, Skipped
from hashlens.walk import find_images

Row: TypeAlias = dict[str, Any]
Document: TypeAlias = tuple[str, Row, None]  # as txtai takes it: id, data, tags

# The columns of a row that are numbers, by their SQL type. The others are text: id, path, text (the
# fingerprint), format, file_digest, pixel_digest, skipped; and object is the thumbnail.
NUMBERS = {"width": "BIGINT", "height": "BIGINT", "bytes": "BIGINT", "mtime": "DOUBLE"}


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Make rows with one perceptual hash, with or without thumbnails.

    Raises ParameterError for a hash whose fingerprints differ in length from image to image:
    they could not be compared.
    """

    fingerprint: PerceptualHash
    thumbnails: bool = True

    def __post_init__(self) -> None:
        """Check that the hash has one length."""
        if self.fingerprint.bits is None:
            hint = (
                "give image_scale, a power of two"
                if self.fingerprint.algorithm == "wavelet"
                else "choose another algorithm, or use the hashlens.ImageHash pipeline"
            )
            msg = f"{self.fingerprint!r} has no fixed number of bits to compare: {hint}"
            raise ParameterError(msg)

    def __call__(self, path: Path) -> Row:
        """Return the row of a file; one that cannot be read has `skipped`, and no fingerprint."""
        name = str(path)
        row: Row = {"id": name, "path": name}
        try:
            name.encode()
        except UnicodeEncodeError:
            printable = name.encode(errors="backslashreplace").decode()
            return skipped_row(Skipped(printable, "file name is not valid UTF-8"))
        try:
            status = os.stat(path)
            row |= {"bytes": status.st_size, "mtime": status.st_mtime}
            if not stat.S_ISREG(status.st_mode):
                row["skipped"] = "not a regular file"
                return row
            data = read(path)
            image = open_image(BytesIO(data), name=name)
            seen = upright(image)
            row |= {
                "text": self.fingerprint(seen),
                "width": seen.width,
                "height": seen.height,
                "format": image.format,
                "file_digest": file_digest(data),
                "pixel_digest": pixel_digest(image),
            }
            if self.thumbnails:
                row["object"] = thumbnail(seen)
        except ImageError as error:
            row["skipped"] = error.reason
        except OSError as error:
            row["skipped"] = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  one file's surprise must not end a run
            row["skipped"] = f"cannot be hashed: {type(error).__name__}: {error}"
        return row

    def rows(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[Row]:
        """Yield a row for each image below some paths, and for each that should be one."""
        for found in find_images(paths):
            if isinstance(found, Skipped):
                yield skipped_row(found)
            elif isinstance(found, Path):
                yield self(found)


def skipped_row(skipped: Skipped) -> Row:
    """Return the row of a file or directory that was never opened."""
    return {"id": skipped.path, "path": skipped.path, "skipped": skipped.reason}
