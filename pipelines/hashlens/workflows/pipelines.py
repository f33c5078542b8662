"""Pipelines: callables that txtai creates by class path and runs in workflows.

`hashlens.ImageHash` turns images into hashes; `hashlens.ImageRows` turns folders into index rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from hashlens.errors import IndexingError, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.exclude import Excludes
from hashlens.images.root import Root
from hashlens.images.walk import find_images
from hashlens.index.arguments import index_path
from hashlens.index.directory import config_of, exists
from hashlens.model import Skipped
from hashlens.rows.maker import Document
from hashlens.rows.settings import Settings, is_relative, settings_of
from hashlens.rows.stream import RowStream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hashlens.images.pixels import Source

    Floats: TypeAlias = npt.NDArray[np.float32]

Folder: TypeAlias = "str | os.PathLike[str]"


class ImageHash:
    """Hash images: a drop-in for `txtai.pipeline.ImageHash`, with the bits of ImageHash 4.3.2.

    - `algorithm`: average, perceptual, perceptual-simple, difference, difference-vertical, wavelet,
      color or crop-resistant, or ImageHash's name of it
    - `size`: the side of the square of bits; for color, the bits per bin, as in txtai
    - `strings`: return hex; False: float arrays of 0 and 1, for crop-resistant a row per segment
    - `grade`: exact, or fast: JPEG files are decoded at a reduced size (see
      `hashlens.hashing.hasher.Hasher`)
    - `upright`: apply EXIF orientation and put transparency on white
    - `params`: the parameters that ImageHash has for the algorithm, by their names there
      (`hash_size`, `highfreq_factor`, `image_scale`, `mode`, `remove_max_haar_ll`, `binbits`, …)

    The defaults give ImageHash's bits. Raises ParameterError for an unknown algorithm or a wrong
    parameter.
    """

    def __init__(
        self,
        algorithm: str = "average",
        size: int = 8,
        strings: bool = True,
        *,
        grade: str = "exact",
        upright: bool = False,
        **params: Any,
    ) -> None:
        side = "binbits" if PerceptualHash(algorithm).algorithm == "color" else "hash_size"
        self.hash = PerceptualHash(algorithm, **{side: size, **params})
        self.hasher = Hasher((self.hash,), grade, upright)
        self.algorithm = self.hash.algorithm
        self.size = size
        self.strings = strings

    def __call__(self, images: Source | Sequence[Source]) -> Any:
        """Hash one image, or a list of images: paths, bytes, file objects, arrays or PIL images.

        Raises ImageError, with the image and the reason, for an image that cannot be read.
        """
        if isinstance(images, (list, tuple)):
            return [self.ihash(image) for image in images]
        return self.ihash(cast("Source", images))  # a str is a Sequence too

    def ihash(self, source: Source) -> str | Floats:
        """Hash one image; returns hex, or an array without `strings`."""
        if self.strings:
            return self.hasher(source)[0]
        import numpy as np  # noqa: PLC0415

        pixels = self.hasher.decode(source)
        segments = self.hash.segments(pixels.image, pixels.box)
        flat = [segment.astype(np.float32).reshape(-1) for segment in segments]
        return np.stack(flat) if self.algorithm == "crop-resistant" else flat[0]


class ImageRows:
    """Turn folders and files into documents for a txtai index, as the `index` command does.

    Each document is `(id, row, None)`. A file that cannot be read is a row with the reason in
    `skipped`. The settings are those of `ImageIndex.open`; `workers`, `any_name` and `exclude`
    are those of `ImageIndex.index`. With `application: true` in YAML, the settings are taken from
    `embeddings: {hashlens: …}` of the application, so that the file states them once.
    """

    def __init__(
        self,
        algorithm: str | None = None,
        *,
        workers: int | None = None,
        any_name: bool = False,
        exclude: str | Sequence[str] = (),
        application: Any = None,
        **settings: Any,
    ) -> None:
        if application is None:
            made = Settings.of({"algorithm": algorithm or "perceptual", **settings})
        elif algorithm or settings:
            msg = "give ImageRows an algorithm or application: true, not both"
            raise ParameterError(msg)
        else:
            made = settings_of(application.config.get("embeddings") or {}, "embeddings")
        self.root = _root(made, application)
        self.make = made.maker()
        self.workers = workers
        self.any_name = any_name
        self.excludes = Excludes([exclude] if isinstance(exclude, str) else exclude)

    def __call__(self, folders: Folder | Sequence[Folder]) -> list[Document] | list[list[Document]]:
        """Return the documents of one folder or file; for a list of them, a list of such lists."""
        if isinstance(folders, (list, tuple)):
            return [self._documents(folder) for folder in folders]
        return self._documents(cast("Folder", folders))  # a str is a Sequence too

    def _documents(self, folder: Folder) -> list[Document]:
        inside = self.root.inside(folder)
        found = find_images([inside], any_name=self.any_name, excludes=self.excludes)
        images = [item for item in found if isinstance(item, (str, Skipped))]
        with RowStream(self.make, images, self.workers) as rows:
            return [(row["id"], row, None) for row in map(self.root.stored_row, rows)]


def _root(settings: Settings, application: Any) -> Root:
    """Return the root of the paths in rows for the index of an application.

    Raises ParameterError for relative paths without an index, and IndexingError if the index has
    paths of the other kind.
    """
    name = application.config.get("path") if application else None
    if not name:
        if settings.relative:
            msg = "relative paths start from an index: give application: true, and the file a path"
            raise ParameterError(msg)
        return Root()
    path = index_path(name)
    if exists(path) and is_relative(config_of(path)) is not settings.relative:
        msg = (
            f"{path} was made with relative = {not settings.relative}, not {settings.relative}: "
            f"change embeddings.hashlens.relative, or make another index"
        )
        raise IndexingError(msg)
    return Root(path.parent if settings.relative else None)
