"""What both content databases share: our SQL functions, places of crops, and skipped files.

An index names a content database by its class path:

    Embeddings(content="hashlens.database.SQLite", keyword=False, defaults=False)

The databases are txtai's own SQLite and DuckDB. Our functions come with the class, not through the
configuration. So only a name is written into a saved index, and stock txtai opens the index.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple

from PIL import Image
from txtai.database.encoder import Encoder

from hashlens.crops import last_search
from hashlens.schema import CROPS, KEY, PLACE_TYPES
from hashlens.sql import functions

PLACE = "hashlens_place"  # the SQL function that gives a column of a place

Document = tuple[Any, Any, Any]  # id, row, tags


class Thumbnails(Encoder):
    """Store pictures as the JPEG bytes that they come as; `select object` gives PIL images."""

    def encode(self, obj: bytes | Image.Image) -> bytes:
        """Return the bytes to store; a PIL image is written as JPEG."""
        if isinstance(obj, bytes):
            return obj
        output = BytesIO()
        obj.convert("RGB").save(output, "JPEG", quality=80)
        return output.getvalue()

    def decode(self, data: bytes | None) -> Image.Image | None:
        """Return the stored picture; None if there is none."""
        return Image.open(BytesIO(data)) if data else None


class OurFunctions(NamedTuple):
    """The SQL functions that a content database adds."""

    metric: str  # of the two-argument form
    by_name: Mapping[str, Callable[..., float]]

    @classmethod
    def of(cls, config: Mapping[str, Any], configured: Collection[tuple[Any, ...]]) -> OurFunctions:
        """Return our functions; a function of the configuration replaces ours of the same name."""
        metric = (config.get(KEY) or {}).get("metric", "hamming")
        taken = {name for name, *_ in configured}
        ours = functions.functions(metric).items()
        return cls(metric, {name: function for name, function in ours if name not in taken})


class Places:
    """Where the last search for crops found its query, in the picture of each row.

    `shared`: all threads see one search, else each thread sees its own. A SQL function that holds
    its database would keep the database from being freed; it holds this object instead.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._last: Any = SimpleNamespace() if shared else threading.local()

    def remember(self, similarity: Any) -> None:
        """Keep the places of a search, by the results that txtai hands to the database."""
        self._last.places = last_search.places(similarity) if similarity else {}

    def value(self, row: int, name: str) -> Any:
        """Return a column of the place in a row's picture; tuples as JSON, None if not found."""
        value = getattr(getattr(self._last, "places", {}).get(row), name, None)
        return json.dumps(value) if isinstance(value, tuple) else value


def place_column(name: str) -> str | None:
    """Return the expression of a column of a place; None for any other column."""
    return f"{PLACE}(s.indexid, '{name}')" if name in PLACE_TYPES else None


def read_rows(
    connection: Any, columns: Iterable[str], order: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Yield the id and some columns, which are SQL expressions, of every row."""
    cursor = connection.cursor()
    cursor.execute(f"SELECT id, {', '.join(columns)} FROM documents {order}")
    while rows := cursor.fetchmany(1000):
        yield from rows
    cursor.close()


def skipped_ids(documents: Iterable[Document]) -> frozenset[Any]:
    """Return the ids of the rows of skipped files."""
    return frozenset(
        uid for uid, row, _ in documents if isinstance(row, dict) and row.get("skipped")
    )


def stored_documents(documents: Iterable[Document]) -> list[Document]:
    """Return documents as they are stored: without what the crop index gets of a row."""
    return [(uid, _stored(row), tags) for uid, row, tags in documents]


def section_text(uid: Any, text: str | None, skipped: Collection[Any]) -> str | None:
    """Return the text of a row: NULL for a skipped file, for which txtai puts the row's id."""
    return None if uid in skipped and text == str(uid) else text


def _stored(row: Any) -> Any:
    if isinstance(row, dict) and CROPS in row:
        return {name: value for name, value in row.items() if name != CROPS}
    return row
