"""The crop index: a sub-index of a txtai index, which finds pictures by a part of them.

    indexes:
      crops:
        method: hashlens.crops.CropVectors
        backend: hashlens.crops.CropIndex
        columns: {text: crops, object: path}
        keypoints: 200

In SQL: `select path, score, box from txtai where similar(:image, 'crops')`. `:image` is the path of
a picture, its bytes, an array or a PIL image. A crop index needs no model.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from txtai.ann import ANN
from txtai.vectors import Vectors

from hashlens.crops import extract, last_search
from hashlens.crops.find import CropQuery, find_matches
from hashlens.crops.keypoints import (
    KEYPOINTS,
    QUERY_SIDE,
    SIDE,
    TEXT_PREFIX,
    Keypoints,
    bytes_to_text,
)
from hashlens.crops.table import Table
from hashlens.disk import replace_directory
from hashlens.errors import ImageError
from hashlens.images.decode import decode
from hashlens.images.pixels import Pixels

MAX_MATCHES = 10_000  # of one query


class CropVectors(Vectors):  # type: ignore[misc]  # txtai is untyped
    """Read pictures for a crop index: keypoints take the place of vectors."""

    def loadmodel(self, path: Any) -> None:
        """Load nothing."""

    def vectors(
        self, documents: Iterable[tuple[Any, Any, Any]], *_: Any, **__: Any
    ) -> tuple[list[Any], int, list[tuple[Any, Keypoints]]]:
        """Return ids, a dimension that means nothing, and id and keypoints of each document."""
        read = [(uid, self._read(data)) for uid, data, _ in documents]
        return [uid for uid, _ in read], 1, read

    def batchtransform(self, documents: Iterable[tuple[Any, Any, Any]], *_: Any) -> list[CropQuery]:
        """Return queries; raises ImageError for a picture that cannot be read."""
        return [self._query(data) for _, data, _ in documents]

    def _read(self, data: Any) -> Keypoints:
        """Return the keypoints in the data of a row, or else extract them from its picture."""
        if isinstance(data, str) and data.startswith(TEXT_PREFIX):
            return Keypoints.from_text(data)
        try:
            query = self._query(data, SIDE)
        except ImageError:
            return Keypoints.empty()  # of a skipped file, which also has a row
        return extract.extract(query.frame, query.size, self.config.get("keypoints", KEYPOINTS))

    def _query(self, data: Any, side: int = QUERY_SIDE) -> CropQuery:
        if isinstance(data, Pixels):
            pixels = data
        else:
            pixels = decode(data, draft=("L", SIDE), upright=self.config.get("upright", True))
        return CropQuery(extract.frame(pixels.image, pixels.box, side), pixels.size)


class CropIndex(ANN):  # type: ignore[misc]
    """Find the pictures that a query shows a part of, or that are a part of it.

    The score is the correlation of the two in their overlap. Only verified matches are returned.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.backend = Table()
        self.extractor: str | None = None
        self._warned = False

    @property
    def table(self) -> Table:
        """Return the pictures in their present state."""
        found: Table = self.backend
        return found

    def load(self, path: str) -> None:
        """Load a saved index."""
        self.backend, self.extractor = Table.load(Path(path))

    def index(self, embeddings: Sequence[tuple[int, Keypoints]]) -> None:
        """Replace all pictures."""
        self.backend, self.extractor = Table(), None
        self.config["offset"] = 0
        self.append(embeddings)
        self.metadata({"keypoints": self.config.get("keypoints", KEYPOINTS)})

    def append(self, embeddings: Sequence[tuple[int, Keypoints]]) -> None:
        """Add pictures."""
        self._check_extractor()
        first = self.config["offset"]
        added = ((first + n, row, found) for n, (row, found) in enumerate(embeddings))
        self.backend = self.table.plus(added)
        self.config["offset"] = first + len(embeddings)
        self.metadata()

    def delete(self, ids: Iterable[int]) -> None:
        """Delete pictures by position."""
        self.backend = self.table.minus(ids)

    def positions(self, rows: Iterable[int]) -> list[int]:
        """Return the positions of the pictures of some rows."""
        return self.table.positions(rows)

    def search(self, queries: Sequence[CropQuery], limit: int) -> list[list[tuple[int, float]]]:
        """Return position and score of the matches of each query, best first."""
        self._check_extractor()
        answers = [find_matches(self.table, query, min(limit, MAX_MATCHES)) for query in queries]
        last_search.remember(answers)
        return [
            [(match.position, match.place.correlation) for match in answer] for answer in answers
        ]

    def count(self) -> int:
        """Count the pictures."""
        return len(self.table)

    def save(self, path: str) -> None:
        """Save the index in place of an older one, whole or not at all."""
        new = Path(f"{path}.new")
        self.backend = self.table.save(new, self.extractor or extract.extractor())
        replace_directory(new, Path(path))
        self.moved(Path(path))

    def moved(self, path: Path) -> None:
        """Note that the saved index has been moved."""
        self.table.moved(path)

    def handed_on(self, rows: Collection[int]) -> dict[int, str]:
        """Return the keypoints of some rows as text, for the rows that take their places."""
        return {row: bytes_to_text(found.to_bytes()) for row, found in self.table.keypoints(rows)}

    def _check_extractor(self) -> None:
        now = extract.extractor()
        if self.extractor not in (None, now) and not self._warned:
            self._warned = True
            msg = (
                f"the crop index was made by {self.extractor}, and this is {now}: crops may be "
                f"missed until the pictures are indexed again"
            )
            warnings.warn(msg, stacklevel=2)
        self.extractor = self.extractor or now
