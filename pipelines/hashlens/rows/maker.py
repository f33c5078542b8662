"""From a file to the row that an index holds of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hashlens.errors import ImageError, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.model import LOW_INFORMATION as LOW_INFORMATION
from hashlens.model import Skipped
from hashlens.schema import CROPS

if TYPE_CHECKING:
    from hashlens.images.pixels import Pixels

Row: TypeAlias = dict[str, Any]
Document: TypeAlias = tuple[str, Row, None]  # as txtai takes it: id, data, tags


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Make rows with some perceptual hashes: the first is the column `text`.

    A row is made in two steps: `self(path)` reads the file, in a worker; `finish` makes the
    fingerprints of many. Without `facts`, rows have the fingerprints only, and take any hash;
    otherwise ParameterError is raised for hashes whose fingerprints differ in length from image to
    image, and could not be compared. `apart` says that this is done in a process for nothing else.
    """

    hasher: Hasher
    thumbnails: bool = False
    pixel_digests: bool = False
    keypoints: int = 0
    facts: bool = True
    quick: bool = True
    apart: bool = False

    def __post_init__(self) -> None:
        """Check that the hashes have one length, and columns of their own."""
        names = hash_columns(self.hasher.hashes)
        if len(set(names)) < len(names):
            msg = f"each further hash needs a column of its own, and these are {', '.join(names)}"
            raise ParameterError(msg)
        for item in self.hasher.hashes if self.facts else ():
            if item.bits is None:
                hint = (
                    "give image_scale, a power of two"
                    if item.algorithm == "wavelet"
                    else "choose another algorithm, or use the hashlens.ImageHash pipeline"
                )
                msg = f"{item!r} has no fixed number of bits to compare: {hint}"
                raise ParameterError(msg)

    @property
    def policy(self) -> str:
        """Return in a line how rows are made: those of other policies are made anew."""
        if not self.keypoints:
            return self.hasher.policy
        from hashlens.crops.extract import extractor  # noqa: PLC0415  loads numpy

        return f"{self.hasher.policy}; {self.keypoints} of {extractor()}"

    def __call__(self, path: str) -> Row:
        """Read a file: its row, with samples; one that cannot be read has `skipped` instead."""
        row: Row = {"id": path, "path": path} if self.facts else {"path": path}
        if self.facts and _printable(path) != path:
            return skipped_row(Skipped(path, "file name is not valid UTF-8"))
        try:
            status = os.stat(path)
            if self.facts:
                row |= file_stamp(status)
            if not stat.S_ISREG(status.st_mode):
                row["skipped"] = "not a regular file"
                return row
            self._read(row)
        except ImageError as error:
            row["skipped"] = error.reason
        except OSError as error:
            row["skipped"] = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  one file's surprise must not end a run
            row["skipped"] = f"cannot be hashed: {type(error).__name__}: {error}"
        return row

    def _read(self, row: Row) -> None:
        from hashlens.images import decode, digests  # noqa: PLC0415  loads Pillow, in the worker

        path = row["path"]
        if self.quick:
            decode.use_simplejpeg()
        data = decode.read(path)
        pixels = self.hasher.decode(data, name=path)
        taken = self.hasher.samples(pixels)
        if self.facts:
            taken = (*taken, self._information(pixels.image, pixels.box, taken))
            width, height = pixels.size
            row |= {
                "width": width,
                "height": height,
                "format": pixels.format,
                "file_digest": digests.file_digest(data),
            }
        if self.pixel_digests:
            row["pixel_digest"] = digests.pixel_digest(data)
        if self.thumbnails:
            # Of its own decode: the fingerprints must not depend on whether there are thumbnails.
            small = decode.decode(data, name=path, draft=("RGB", decode.THUMBNAIL_SIDE))
            row["object"] = decode.thumbnail(small.image)
        if self.keypoints:
            row |= self._keypoints(pixels)
        row["samples"] = taken

    def _keypoints(self, pixels: Pixels) -> Row:
        """Return how many keypoints a picture has, and what the crop index takes of them."""
        import cv2  # noqa: PLC0415  loads numpy, too

        from hashlens.crops import extract  # noqa: PLC0415

        if self.apart:
            cv2.setNumThreads(1)  # other cores have their own workers
        frame = extract.frame(pixels.image, pixels.box)
        found = extract.extract(frame, pixels.size, self.keypoints)
        return {"keypoints": len(found.codes), CROPS: found.to_bytes()}

    def _information(self, image: Any, box: Any, taken: tuple[bytes, ...]) -> bytes:
        """Return the sample of the information score: the default hash has taken it already."""
        from hashlens.hashing.samples import information  # noqa: PLC0415

        for item, sample in zip(self.hasher.hashes, taken, strict=False):
            if item == _LIKE_INFORMATION:
                return sample
        return information(image, box)

    def finish(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with fingerprints and information in the place of samples."""
        read_rows = [row for row in rows if "samples" in row]
        taken = [row.pop("samples") for row in read_rows]
        if self.facts and read_rows:
            from hashlens.hashing.kernels import information  # noqa: PLC0415  loads numpy

            scores = information([sample[-1] for sample in taken])
            taken = [sample[:-1] for sample in taken]
            policy = self.policy
            for row, score in zip(read_rows, scores, strict=True):
                row |= {"information": score, "policy": policy}
        names = hash_columns(self.hasher.hashes)
        for row, texts in zip(read_rows, self.hasher.fingerprints(taken), strict=True):
            row |= zip(names, texts, strict=True)
        if self.keypoints and read_rows:
            from hashlens.crops.keypoints import bytes_to_text  # noqa: PLC0415  loads numpy

            for row in read_rows:
                row[CROPS] = bytes_to_text(row[CROPS])
        return list(rows)


_LIKE_INFORMATION = PerceptualHash("perceptual")


def hash_columns(hashes: Sequence[PerceptualHash]) -> list[str]:
    """Return the columns of some hashes: `text`, and for those after the first their algorithm."""
    return ["text", *(item.algorithm.replace("-", "_") for item in hashes[1:])]


def file_stamp(status: os.stat_result) -> Row:
    """Return what tells whether a file has changed."""
    return {
        "bytes": status.st_size,
        "mtime": status.st_mtime,
        "mtime_ns": status.st_mtime_ns,
    }


def stamp_of(path: str) -> Row:
    """Return the stamp of a file by its path; an empty row if it is gone."""
    try:
        return file_stamp(os.stat(path))
    except OSError:
        return {}


def skipped_row(skipped: Skipped) -> Row:
    """Return the row of a file or directory that was never opened."""
    path = _printable(skipped.path)
    return {"id": path, "path": path, "skipped": _printable(skipped.reason)}


def _printable(path: str) -> str:
    """Return a path as text: a name that is not valid UTF-8 has escapes in it."""
    return path.encode(errors="backslashreplace").decode()
