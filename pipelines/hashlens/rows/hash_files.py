"""Hash files without an index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from hashlens.errors import ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.formats import extensions as checked_extensions
from hashlens.images.walk import find_images
from hashlens.model import Progress, Skipped
from hashlens.names import name_of
from hashlens.parallel.pool import schedule
from hashlens.rows.maker import Row, RowMaker, hash_columns
from hashlens.rows.stream import RowStream

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


def hash_files(
    paths: Paths,
    algorithms: Sequence[str | Mapping[str, Any]] = ("perceptual",),
    *,
    grade: str = "fast",
    upright: bool = True,
    extensions: Iterable[str] | None = None,
    any_name: bool = False,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Row]:
    """Hash the images below some paths, in parallel, without an index.

    Yields `{"path": …, "perceptual": …}` in the order of the files, with a column for each
    algorithm. An algorithm is a name, or a mapping with `algorithm` and its parameters. A file that
    cannot be read has `skipped`, the reason, in place of the fingerprints. For `grade` and
    `upright` see `hashlens.hashing.hasher.Hasher`; the other parameters are those of
    `ImageIndex.index`. Raises ParameterError for unusable parameters, before the first row.
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
    images = list_images(paths, extensions, any_name=any_name)
    schedule(1, workers)  # raises for unusable workers
    return _hashed(make, images, names, workers, progress)


def list_images(
    paths: Paths, extensions: Iterable[str] | None, *, any_name: bool
) -> list[str | Skipped]:
    """Return the images below some paths, and the directories that cannot be read.

    Raises ParameterError for a path that does not exist and for unusable extensions.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    found = find_images(given, extensions=checked_extensions(extensions), any_name=any_name)
    return [item for item in found if isinstance(item, (str, Skipped))]


def _hashed(
    make: RowMaker,
    images: Sequence[str | Skipped],
    names: Sequence[str],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Row]:
    columns = list(zip(hash_columns(make.hasher.hashes), names, strict=True))
    with RowStream(make, images, workers) as rows:
        for number, row in enumerate(rows, 1):
            if progress:
                progress(Progress(number, len(images), name_of(row["path"])))
            if "skipped" in row:
                yield {"path": row["path"], "skipped": row["skipped"]}
            else:
                yield {"path": row["path"]} | {name: row[column] for column, name in columns}
