"""Compare images with one image, or group equal ones, without an index.

The files are read anew each time: for many questions about one collection there is `ImageIndex`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hashlens.errors import ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.metrics import check_metric, distance
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.formats import extensions as chosen_extensions
from hashlens.images.walk import find_images
from hashlens.model import LOW_INFORMATION, Duplicates, Progress, Skipped
from hashlens.parallel.pool import schedule
from hashlens.rows.hash_files import hash_files
from hashlens.rows.maker import Row, RowMaker
from hashlens.rows.stream import RowStream
from hashlens.schema import EQUAL

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Paths = str | os.PathLike[str] | Iterable["str | os.PathLike[str]"]
Algorithm = str | Mapping[str, Any]


def compare(
    reference: Source,
    paths: Paths,
    *,
    algorithm: Algorithm = "perceptual",
    grade: str = "fast",
    upright: bool = True,
    metric: str = "hamming",
    max_distance: float | None = None,
    first: bool = False,
    extensions: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Row]:
    """Tell how far the images below some paths are from one image.

    Yields `{"path": …, "distance": …}` in the order of the files, for those at most `max_distance`
    away (inclusive; None: all), and for a file that cannot be read `skipped`, the reason, in the
    place of the distance. With `first`, nothing is yielded after the first that is near enough,
    and the rest is not read. `algorithm` is a name, or a mapping with `algorithm` and its
    parameters; the other parameters are those of `hashlens.hash_files`. A distance of 0 says that
    the fingerprints are equal; what others mean depends on algorithm and metric.

    Raises ParameterError for what cannot be and ImageError for a reference that cannot be read,
    before the first.
    """
    if first and max_distance is None:
        msg = "first needs a max_distance: without one, any image would do"
        raise ParameterError(msg)
    is_number = isinstance(max_distance, (int, float)) and max_distance >= 0  # nor NaN
    if max_distance is not None and not is_number:
        msg = f"max_distance must be a number >= 0, not {max_distance!r}"
        raise ParameterError(msg)
    check_metric(metric)
    hasher = _maker(algorithm, grade, upright).hasher
    rows = hash_files(
        paths,
        [hasher.hashes[0].settings()],
        grade=grade,
        upright=upright,
        extensions=extensions,
        workers=workers,
        progress=progress,
    )
    return _compared(rows, hasher(reference)[0], metric, max_distance, first)


def _compared(
    rows: Iterator[Row], fingerprint: str, metric: str, max_distance: float | None, first: bool
) -> Iterator[Row]:
    for row in rows:
        if "skipped" in row:
            yield row
            continue
        path, text = row.values()
        found = distance(text, fingerprint, metric)
        if max_distance is None or found <= max_distance:
            yield {"path": path, "distance": found}
            if first:
                return


def find_duplicates(
    paths: Paths,
    *,
    algorithm: Algorithm = "perceptual",
    grade: str = "fast",
    upright: bool = True,
    extensions: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Duplicates | Skipped]:
    """Find the images below some paths that have one and the same fingerprint.

    Yields each file that cannot be read, as it is met, and then the groups, as
    `ImageIndex.duplicates` has them. The parameters and errors are those of `compare`.
    """
    make = _maker(algorithm, grade, upright)
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    found = find_images(paths, extensions=chosen_extensions(extensions))
    images = [item for item in found if item is not None]
    schedule(1, workers)  # checks it
    return _grouped(make, images, workers, progress)


def _grouped(
    make: RowMaker,
    images: list[str | Skipped],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Duplicates | Skipped]:
    kept = []
    with RowStream(make, images, workers) as rows:
        for number, row in enumerate(rows, 1):
            if progress:
                progress(Progress(number, len(images), row["path"]))
            if "skipped" in row:
                yield Skipped(row["path"], row["skipped"])
            else:
                kept.append({name: row[name] for name in EQUAL})
    yield from equal_images(kept)


def equal_images(rows: Iterable[Mapping[str, Any]]) -> list[Duplicates]:
    """Group rows with one and the same fingerprint, sorted by path; needs the columns EQUAL.

    Flat pictures all have nearly the same fingerprint: those with an information score below
    `LOW_INFORMATION` are only grouped where their files are equal to the byte.
    """
    groups: dict[tuple[str, str | None], list[str]] = {}
    for row in rows:
        says_much = (row["information"] or 0) >= LOW_INFORMATION
        key = (row["text"], None if says_much else row["file_digest"])
        groups.setdefault(key, []).append(row["path"])
    found = (Duplicates(text, tuple(sorted(paths))) for (text, _), paths in groups.items())
    return sorted((group for group in found if len(group.paths) > 1), key=lambda g: g.paths)


def _maker(algorithm: Algorithm, grade: str, upright: bool) -> RowMaker:
    """Return what makes rows; raises ParameterError for hashes that cannot be compared."""
    given = {"algorithm": algorithm} if isinstance(algorithm, str) else algorithm
    return RowMaker(Hasher((PerceptualHash(**given),), grade, upright))
