"""Compare images with one image, or group images with equal fingerprints, without an index.

Each call reads the files again: for many questions about one collection, take `ImageIndex`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hashlens.errors import ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.metrics import check_metric, distance
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.model import LOW_INFORMATION, Progress, Skipped
from hashlens.names import as_names, name_of
from hashlens.parallel.pool import schedule
from hashlens.rows.hash_files import Paths, hash_files, list_images
from hashlens.rows.maker import Row, RowMaker, skipped_of
from hashlens.rows.stream import RowStream
from hashlens.schema import EQUAL

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Algorithm: TypeAlias = "str | Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images with the same fingerprint.

    fingerprint: in hex.
    paths: their files, at least two.
    """

    fingerprint: str
    paths: tuple[str, ...]


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
    any_name: bool = False,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Row]:
    """Yield the distances of the images below some paths from one image.

    Yields `{"path": …, "distance": …}` in the order of the files, for each image at most
    `max_distance` away (inclusive; None: all images). A file that cannot be read has `skipped`, the
    reason, in place of the distance. With `first`, the first image that is near enough ends the
    iteration, and the remaining files are not read. `algorithm` is a name, or a mapping with
    `algorithm` and its parameters; the other parameters are those of `hashlens.hash_files`. A
    distance of 0 says that the fingerprints are equal; the meaning of other distances depends on
    algorithm and metric.

    Raises ParameterError for unusable parameters, and ImageError for a reference that cannot be
    read, before the first row.
    """
    if first and max_distance is None:
        msg = "first needs a max_distance: without one, any image would do"
        raise ParameterError(msg)
    is_bound = isinstance(max_distance, (int, float)) and max_distance >= 0  # false for NaN
    if max_distance is not None and not is_bound:
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
        any_name=any_name,
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
    any_name: bool = False,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Duplicates | Skipped]:
    """Find images with the same fingerprint below some paths.

    Yields a `Skipped` for each file that cannot be read, as it is met, and then the groups, which
    are those of `ImageIndex.duplicates`. The parameters and errors are those of `compare`.
    """
    make = _maker(algorithm, grade, upright)
    images = list_images(paths, extensions, any_name=any_name)
    schedule(1, workers)  # raises for unusable workers
    return _grouped(make, images, workers, progress)


def _grouped(
    make: RowMaker,
    images: list[str | Skipped],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Duplicates | Skipped]:
    facts = []
    with RowStream(make, images, workers) as rows:
        for number, row in enumerate(rows, 1):
            if progress:
                progress(Progress(number, len(images), name_of(row["path"])))
            if "skipped" in row:
                yield skipped_of(row)
            else:
                facts.append({name: row.get(name) for name in EQUAL})
    yield from equal_images(facts)


def equal_images(rows: Iterable[Mapping[str, Any]]) -> list[Duplicates]:
    """Group rows with the same fingerprints, of all frames; a row needs the columns EQUAL.

    Flat pictures all have nearly the same fingerprint, so pictures with an information score below
    `LOW_INFORMATION` are grouped only if their files have the same bytes. Groups, and the paths in
    them, are sorted.
    """
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        is_flat = (row["information"] or 0) < LOW_INFORMATION
        frames = row.get("frames"), row.get("frame_hashes")
        key = (row["text"], *frames, row["file_digest"] if is_flat else None)
        groups.setdefault(key, []).append(as_names(row["path"]))
    found = (Duplicates(text, tuple(sorted(paths))) for (text, *_), paths in groups.items())
    return sorted((group for group in found if len(group.paths) > 1), key=lambda g: g.paths)


def _maker(algorithm: Algorithm, grade: str, upright: bool) -> RowMaker:
    """Return a maker of rows; raises ParameterError for a hash that cannot be compared."""
    given = {"algorithm": algorithm} if isinstance(algorithm, str) else algorithm
    return RowMaker(Hasher((PerceptualHash(**given),), grade, upright))
