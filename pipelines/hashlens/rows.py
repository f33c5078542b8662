"""From a file to the row that an index holds of it."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from hashlens.errors import ImageError, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.formats import extensions as chosen_extensions
from hashlens.images.walk import find_images
from hashlens.model import LOW_INFORMATION as LOW_INFORMATION
from hashlens.model import Progress, Skipped
from hashlens.parallel.pool import Crashed, Results, plan
from hashlens.schema import CROPS

if TYPE_CHECKING:
    from hashlens.images.pixels import Pixels

Row: TypeAlias = dict[str, Any]
Document: TypeAlias = tuple[str, Row, None]  # as txtai takes it: id, data, tags

BATCH = 256  # rows whose fingerprints are computed at once,
BATCH_SECONDS = 0.2  # unless they take longer to come
QUICK_FROM = 3_000  # files for which a worker process may take the time to import numpy


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
                row |= stamp(status)
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
            from hashlens.crops.keypoints import to_text  # noqa: PLC0415  loads numpy

            for row in read_rows:
                row[CROPS] = to_text(row[CROPS])
        return list(rows)

    def rows(self, items: Sequence[str | Skipped], workers: int | None = None) -> RowStream:
        """Begin to make the rows of some files, in parallel; see `RowStream`."""
        return RowStream(self, items, workers)


_LIKE_INFORMATION = PerceptualHash("perceptual")


class RowStream:
    """Rows in the making, in the order of their files: iterate once, within `with`."""

    def __init__(self, make: RowMaker, items: Sequence[str | Skipped], workers: int | None) -> None:
        self._make = make
        self._items = items
        chosen = plan(len(items), workers)
        # A forked worker has numpy if this process has it; others take their time to import it.
        quick = (
            len(items) >= QUICK_FROM
            or chosen.kind in ("serial", "threads")
            or (chosen.kind == "fork" and "numpy" in sys.modules)
        )
        if chosen.kind == "fork" and quick:
            from hashlens.images.decode import use_simplejpeg  # noqa: PLC0415

            use_simplejpeg()  # once, before the forks
        paths = [item for item in items if isinstance(item, str)]
        apart = chosen.kind in ("fork", "processes")
        self._results = Results(replace(make, quick=quick, apart=apart), paths, chosen)
        from hashlens.hashing import kernels  # noqa: F401, PLC0415  while the workers are at work

    def __enter__(self) -> RowStream:
        """Return the stream itself."""
        return self

    def __exit__(self, *details: object) -> None:
        """Stop what is still at work."""
        self._results.__exit__(*details)

    def __iter__(self) -> Iterator[Row]:
        """Yield a row for each item."""
        batch: list[Row] = []
        began = time.monotonic()
        for row in self._raw():
            batch.append(row)
            if len(batch) >= BATCH or time.monotonic() - began > BATCH_SECONDS:
                yield from self._make.finish(batch)
                batch, began = [], time.monotonic()
        yield from self._make.finish(batch)

    def _raw(self) -> Iterator[Row]:
        results = iter(self._results)
        for item in self._items:
            if isinstance(item, Skipped):
                yield skipped_row(item)
            else:
                row = next(results)
                if isinstance(row, Crashed):
                    row = skipped_row(Skipped(item, row.reason))
                    row |= _stamp_of(item)
                yield row


def hash_columns(hashes: Sequence[PerceptualHash]) -> list[str]:
    """Return the columns of some hashes: `text`, and for those after the first their algorithm."""
    return ["text", *(item.algorithm.replace("-", "_") for item in hashes[1:])]


def stamp(status: os.stat_result) -> Row:
    """Return what tells whether a file has changed."""
    return {
        "bytes": status.st_size,
        "mtime": status.st_mtime,
        "mtime_ns": status.st_mtime_ns,
    }


def _stamp_of(path: str) -> Row:
    try:
        return stamp(os.stat(path))
    except OSError:
        return {}


def skipped_row(skipped: Skipped) -> Row:
    """Return the row of a file or directory that was never opened."""
    path = _printable(skipped.path)
    return {"id": path, "path": path, "skipped": _printable(skipped.reason)}


def _printable(path: str) -> str:
    """Return a path as text: a name that is not valid UTF-8 has escapes in it."""
    return path.encode(errors="backslashreplace").decode()


def hash_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    algorithms: Sequence[str | Mapping[str, Any]] = ("perceptual",),
    *,
    grade: str = "fast",
    upright: bool = True,
    extensions: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Row]:
    """Hash the images below some paths, in parallel, without an index.

    Yields `{"path": …, "perceptual": …}` in the order of the files, with a column for each
    algorithm (a name, or a mapping with `algorithm` and its parameters); a file that cannot be
    read has `skipped` instead, the reason. For `grade` and `upright` see
    `hashlens.hashing.hasher.Hasher`; the other parameters are those of `ImageIndex.index`. Raises
    ParameterError for what cannot be, before the first.
    """
    hashes = tuple(
        PerceptualHash(item) if isinstance(item, str) else PerceptualHash(**item)
        for item in algorithms
    )
    names = [item.algorithm.replace("-", "_") for item in hashes]
    if len(set(names)) < len(names):
        msg = f"each algorithm can be asked for once, and these are {', '.join(names)}"
        raise ParameterError(msg)
    make = RowMaker(Hasher(hashes, grade, upright), facts=False)
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    found = find_images(paths, extensions=chosen_extensions(extensions))
    images = [item for item in found if item is not None]
    plan(1, workers)  # checks it
    return _hashed(make, images, names, workers, progress)


def _hashed(
    make: RowMaker,
    images: Sequence[str | Skipped],
    names: Sequence[str],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Row]:
    columns = list(zip(hash_columns(make.hasher.hashes), names, strict=True))
    with make.rows(images, workers) as rows:
        for number, row in enumerate(rows, 1):
            if progress:
                progress(Progress(number, len(images), row["path"]))
            if "skipped" in row:
                yield {"path": row["path"], "skipped": row["skipped"]}
            else:
                yield {"path": row["path"]} | {name: row[column] for column, name in columns}
