"""Make the row that an index holds of a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hashlens.errors import ImageError, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.model import Skipped
from hashlens.names import as_names, text_of
from hashlens.schema import CROPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hashlens.images.exif import Exif
    from hashlens.images.pixels import Pixels

FACTS = "frames, damage and EXIF"  # what rows of earlier versions do not have; they are made again

Row: TypeAlias = dict[str, Any]
Document: TypeAlias = tuple[str, Row, None]  # the form that txtai takes: id, data, tags


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Make rows in two steps: read each file in a worker, then finish many rows in the caller.

    `maker(path)` reads a file and returns its row with samples; `finish` turns the samples of many
    rows into fingerprints.

    hasher: the perceptual hashes; the first is the column `text`.
    thumbnails: whether a row has a small JPEG of the picture.
    pixel_digests: whether a row has the SHA-256 of the decoded pixels.
    keypoints: keypoint codes of a picture, at most; 0: no codes.
    facts: whether a row has size, times, format, file digest and information, and not only path
        and fingerprints. With facts, each hash must have a fixed number of bits.
    simplejpeg: whether JPEG drafts are decoded with simplejpeg, which imports numpy.
    dedicated: the job runs in a worker process of its own, so OpenCV may be limited to one thread.
    """

    hasher: Hasher
    thumbnails: bool = False
    pixel_digests: bool = False
    keypoints: int = 0
    facts: bool = True
    simplejpeg: bool = True
    dedicated: bool = False

    def __post_init__(self) -> None:
        """Check the hashes: raises ParameterError for a column twice, or varying lengths."""
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
        """Return in one line how rows are made; rows with another policy must be made again."""
        policy = f"{self.hasher.policy}; {FACTS}"
        if self.hasher.hashes[0].turn_hash:
            policy += ", turns"
        if not self.keypoints:
            return policy
        from hashlens.crops.extract import extractor  # noqa: PLC0415  loads numpy

        return f"{policy}; {self.keypoints} of {extractor()}"

    def __call__(self, path: str) -> Row:
        """Read a file and return its row with samples, or with `skipped`, the reason."""
        text = text_of(path)
        row: Row = {"id": text, "path": text} if self.facts else {"path": text}
        try:
            status = os.stat(path)
            if self.facts:
                row |= file_stamp(status)
            if not stat.S_ISREG(status.st_mode):
                row["skipped"] = "not a regular file"
                return row
            self._read(path, row)
        except ImageError as error:
            row["skipped"] = text_of(error.reason)
        except OSError as error:
            row["skipped"] = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  one odd file must not end a run
            row["skipped"] = f"cannot be hashed: {type(error).__name__}: {error}"
        return row

    def _read(self, path: str, row: Row) -> None:
        """Read a file, and add columns and samples to its row; raises ImageError."""
        from hashlens.images import decode, digests, jpeg_draft  # noqa: PLC0415  loads Pillow

        if self.simplejpeg:
            jpeg_draft.use_simplejpeg()
        data = decode.read(path)
        pixels = self.hasher.decode(data, name=path)
        samples = self.hasher.samples(pixels)
        if self.facts:
            samples = (*samples, self._information(pixels.image, pixels.box, samples))
            width, height = pixels.size
            row |= {
                "width": width,
                "height": height,
                "format": pixels.format,
                "file_digest": digests.file_digest(data),
                **self._whole_file(data, pixels, path),
            }
            first = self.hasher.hashes[0]
            other = first.turn_hash
            if other and other.has_sample_of(first):
                row["turn_hash"] = samples[0]
            elif other:
                row["turn_hash"] = other.sample(pixels.image, pixels.box)
        if self.pixel_digests:
            row["pixel_digest"] = digests.pixel_digest(data)
        if self.thumbnails:
            # Decoded again: the fingerprints must be the same with and without thumbnails.
            small = decode.decode(data, name=path, draft=("RGB", decode.THUMBNAIL_SIDE))
            row["object"] = decode.thumbnail(small.image)
        if self.keypoints:
            row |= self._keypoints(pixels)
        row["samples"] = samples

    def _whole_file(self, data: bytes, pixels: Pixels, path: str) -> Row:
        """Return what a file holds besides its first picture, and what is wrong with it."""
        from hashlens.images.damage import damage  # noqa: PLC0415  loads Pillow
        from hashlens.images.exif import exif  # noqa: PLC0415  few rows are made without a file
        from hashlens.images.frames import Frames, sampled  # noqa: PLC0415  likewise

        row: Row = {"frames": 1}
        block: Callable[[], bytes] = bytes
        wrong = "" if pixels.is_sound else damage(data, pixels.format)
        if pixels.format != "JPEG":
            del row["frames"]  # it is not known if the next line fails
            try:
                frames = Frames(data, name=path)
                row["frames"] = len(frames)
                block = frames.exif
                if len(frames) > 1:
                    numbers = sampled(len(frames))
                    row["frame_samples"] = [self._frame(frames.load(n)) for n in numbers]
            except ImageError as error:
                wrong = wrong or error.reason
        row |= _of_camera(exif(data, pixels.format, pixels.size, block))
        return row | ({"damaged": text_of(wrong)} if wrong else {})

    def _frame(self, frame: Any) -> tuple[bytes, bytes]:
        """Return the samples of a frame: of the first hash, and of the information score."""
        from hashlens.hashing.samples import information  # noqa: PLC0415  loads Pillow
        from hashlens.images.upright import upright  # noqa: PLC0415  likewise

        image = upright(frame) if self.hasher.upright else frame
        return self.hasher.hashes[0].sample(image, None), information(image, None)

    def _keypoints(self, pixels: Pixels) -> Row:
        """Return the number of keypoints of a picture, and their codes for the crop index."""
        import cv2  # noqa: PLC0415  loads numpy, too

        from hashlens.crops import extract  # noqa: PLC0415  likewise

        if self.dedicated:
            cv2.setNumThreads(1)  # each other core has a worker of its own
        frame = extract.frame(pixels.image, pixels.box)
        found = extract.extract(frame, pixels.size, self.keypoints)
        return {"keypoints": len(found.codes), CROPS: found.to_bytes()}

    def _information(self, image: Any, box: Any, samples: tuple[bytes, ...]) -> bytes:
        """Return the sample of the information score; the default hash shares it."""
        from hashlens.hashing.samples import information  # noqa: PLC0415  loads Pillow

        for item, sample in zip(self.hasher.hashes, samples, strict=False):
            if item == _SAME_SAMPLE:
                return sample
        return information(image, box)

    def finish(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows with fingerprints and information in place of samples."""
        read_rows = [row for row in rows if "samples" in row]
        samples = [row.pop("samples") for row in read_rows]
        if self.facts and read_rows:
            from hashlens.hashing.kernels import information  # noqa: PLC0415  loads numpy

            scores = information([sample[-1] for sample in samples])
            samples = [sample[:-1] for sample in samples]
            policy = self.policy
            for row, score in zip(read_rows, scores, strict=True):
                row |= {"information": score, "policy": policy}
                if "frame_samples" in row:
                    row["frame_hashes"] = self._frame_hashes(row.pop("frame_samples"))
            self._finish_turn_hash(read_rows)
        names = hash_columns(self.hasher.hashes)
        for row, texts in zip(read_rows, self.hasher.fingerprints(samples), strict=True):
            row |= zip(names, texts, strict=True)
        if self.keypoints and rows:
            from hashlens.crops.keypoints import Keypoints, bytes_to_text  # noqa: PLC0415  likewise

            none = Keypoints.empty().to_bytes()  # else the crop index opens a skipped file itself
            for row in rows:
                row[CROPS] = bytes_to_text(row.get(CROPS, none))
        return list(rows)

    def _finish_turn_hash(self, rows: Sequence[Row]) -> None:
        """Put the fingerprints of the turn hash, if there is one, in place of its samples."""
        other = self.hasher.hashes[0].turn_hash
        if other:
            texts = other.fingerprints([row["turn_hash"] for row in rows])
            for row, text in zip(rows, texts, strict=True):
                row["turn_hash"] = text

    def _frame_hashes(self, frames: Sequence[tuple[bytes, bytes]]) -> str:
        """Return the fingerprints of some frames as one text."""
        from hashlens.hashing.frames import joined  # noqa: PLC0415  loads numpy
        from hashlens.hashing.kernels import information  # noqa: PLC0415  likewise

        samples, greys = zip(*frames, strict=True)
        return joined(self.hasher.hashes[0].fingerprints(samples), information(greys), greys)


_SAME_SAMPLE = PerceptualHash("perceptual")  # its sample is that of the information score


def hash_columns(hashes: Sequence[PerceptualHash]) -> list[str]:
    """Return the columns of some hashes: `text` for the first, its algorithm for each other one."""
    return ["text", *(item.algorithm.replace("-", "_") for item in hashes[1:])]


def file_stamp(status: os.stat_result) -> Row:
    """Return the columns that change with the file: its size and modification time."""
    return {
        "bytes": status.st_size,
        "mtime": status.st_mtime,
        "mtime_ns": status.st_mtime_ns,
    }


def stamp_of(path: str) -> Row:
    """Return the stamp of the file at a path; an empty row if the file is gone."""
    try:
        return file_stamp(os.stat(path))
    except OSError:
        return {}


def _of_camera(found: Exif) -> Row:
    """Return the columns that EXIF fills; what is not known is left out."""
    row = {name: value for name, value in found._asdict().items() if value}
    return row | {"gps": int(found.gps)}


def skipped_row(skipped: Skipped) -> Row:
    """Return the row of a file or directory that was not opened."""
    path = text_of(skipped.path)
    return {"id": path, "path": path, "skipped": text_of(skipped.reason)}


def skipped_of(row: Row) -> Skipped:
    """Return the file of a row without a fingerprint, and the reason."""
    return Skipped(as_names(row["path"]), as_names(row["skipped"]))
