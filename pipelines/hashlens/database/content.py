"""Content databases for txtai that know `distance` and `similarity`.

An index names one as its content, by class path:

    Embeddings(content="hashlens.database.SQLite", keyword=False, defaults=False)

They are txtai's own SQLite and DuckDB. The functions come with the class, not through the
configuration: so nothing but a name is written into a saved index, and it opens in stock txtai.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image
from txtai.database.encoder import Encoder

from hashlens.crops import last_search
from hashlens.schema import CROPS, KEY, PLACE_TYPES
from hashlens.sql import functions

PLACE = "hashlens_place"


class Thumbnails(Encoder):  # type: ignore[misc]  # txtai is untyped
    """Store pictures as the JPEG bytes they come as; `select object` gives PIL images."""

    def encode(self, obj: bytes | Image.Image) -> bytes:
        """Return the bytes to store; a PIL image is written as JPEG."""
        if isinstance(obj, bytes):
            return obj
        output = BytesIO()
        obj.convert("RGB").save(output, "JPEG", quality=80)
        return output.getvalue()

    def decode(self, data: bytes | None) -> Image.Image | None:
        """Return the stored picture, or None where there is none."""
        return Image.open(BytesIO(data)) if data else None


class HashContent:
    """Mixed into a txtai database: our SQL functions, and rows without a fingerprint."""

    config: dict[str, Any]
    connection: Any
    functions: list[tuple[str, int, Any, bool | None]] | None
    path: str | None
    pending = False  # rows were written that are not committed
    skipped: frozenset[Any] = frozenset()

    def __init__(self, config: dict[str, Any]) -> None:
        self.found = self.holder()
        super().__init__(config)  # type: ignore[call-arg]

    @staticmethod
    def holder() -> Any:
        """Return what holds the places of a search, of each thread its own."""
        return threading.local()

    def registerfunctions(self, config: dict[str, Any]) -> None:
        """Add our functions to those of the configuration, which come first."""
        super().registerfunctions(config)  # type: ignore[misc]
        self.metric = (config.get(KEY) or {}).get("metric", "hamming")
        taken = {name for name, *_ in self.functions or []}
        self.ours = {
            name: function
            for name, function in functions.functions(self.metric).items()
            if name not in taken
        }

    def search(self, query: Any, similarity: Any = None, *args: Any, **options: Any) -> Any:
        """Run a query, which may ask for the places that its search for crops found."""
        self.found.places = last_search.places(similarity) if similarity else {}
        return super().search(query, similarity, *args, **options)  # type: ignore[misc]

    def jsoncolumn(self, name: str) -> str:
        """Return the expression of a column that is none of txtai's own."""
        if name in PLACE_TYPES:
            return f"{PLACE}(s.indexid, '{name}')"
        column: str = super().jsoncolumn(name)  # type: ignore[misc]
        return column

    def columns(self, *names: str, by_id: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield the id and some columns of every row, sorted by id, or sooner as they lie."""
        picked = ", ".join(self.jsoncolumn(name) for name in names)
        cursor = self.connection.cursor()
        cursor.execute(f"SELECT id, {picked} FROM documents {'ORDER BY id' if by_id else ''}")
        while rows := cursor.fetchmany(1000):
            yield from rows
        cursor.close()

    def insert(self, documents: Iterable[tuple[Any, Any, Any]], index: int = 0) -> None:
        """Insert rows; the text of a skipped file is NULL, where txtai puts the row's id."""
        self.pending = True
        documents = list(documents)
        self.skipped = frozenset(
            uid for uid, row, _ in documents if isinstance(row, dict) and row.get("skipped")
        )
        stored = [(uid, _stored(row), tags) for uid, row, tags in documents]
        super().insert(stored, index)  # type: ignore[misc]

    def insertsection(self, index: int, uid: Any, text: str | None, tags: Any, entry: Any) -> None:
        """Insert the text of a row."""
        missing = uid in self.skipped and text == str(uid)
        super().insertsection(  # type: ignore[misc]
            index, uid, None if missing else text, tags, entry
        )

    def delete(self, ids: list[Any]) -> None:
        """Delete rows."""
        self.pending = True
        super().delete(ids)  # type: ignore[misc]

    def save(self, path: str) -> None:
        """Commit, or copy to another path."""
        commits = self.path in (None, path)
        super().save(path)  # type: ignore[misc]
        if commits:
            self.pending = False


def _value(found: Any, row: int, name: str) -> Any:
    """Return what a search found of the place of the query in the picture of a row."""
    # Not a method: a function that holds its database would keep it from being freed.
    value = getattr(getattr(found, "places", {}).get(row), name, None)
    return json.dumps(value) if isinstance(value, tuple) else value


def _stored(row: Any) -> Any:
    """Return what is stored of a row: without what was handed on to the crop index."""
    if isinstance(row, dict) and CROPS in row:
        return {name: value for name, value in row.items() if name != CROPS}
    return row
