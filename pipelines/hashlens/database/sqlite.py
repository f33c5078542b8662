"""txtai's SQLite with our functions, for many threads, with quick distances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from functools import lru_cache, partial
from typing import Any

from txtai.database.sqlite import SQLite as TxtaiSQLite

from hashlens.database.blocks import Block, read_blocks
from hashlens.database.connections import BUSY_MILLISECONDS, Connections, OfSession
from hashlens.database.content import (
    PLACE,
    Document,
    OurFunctions,
    Places,
    place_column,
    read_rows,
    section_text,
    skipped_ids,
    stored_documents,
)
from hashlens.database.engine import Answer
from hashlens.database.packed import PackedColumns
from hashlens.database.pushdown import Pushdown
from hashlens.database.sqlite_engine import SQLiteEngine
from hashlens.model import Explanation
from hashlens.sql.functions import was_interrupted


class SQLite(TxtaiSQLite):
    """txtai's SQLite: threads have connections of their own, distances come from packed codes."""

    connection = OfSession()
    cursor = OfSession()

    def __init__(self, config: dict[str, Any]) -> None:
        self.packed = PackedColumns()
        self.connections = Connections(self.packed, self.session)
        self.places = Places()
        self.skipped: frozenset[Any] = frozenset()
        super().__init__(config)

    def configure(self, config: dict[str, Any]) -> None:
        """Take a configuration; queries are parsed again."""
        super().configure(config)
        self.ours = OurFunctions.of(config, self.functions or ())
        metric = self.ours.metric if "distance" in self.ours.by_name else None
        engine = SQLiteEngine(self.connections)
        self.pushdown = Pushdown(engine, self.packed, metric, self.jsoncolumn("*"))
        self._parsed = lru_cache(maxsize=256)(super().parse)

    def parse(self, query: str) -> dict[str, Any]:
        """Return the clauses of a query; the same queries come again, with other parameters."""
        return dict(self._parsed(query))

    def addfunctions(self) -> None:
        """Register the functions of the configuration, then ours, and set the connection up."""
        super().addfunctions()
        for name, function in self.ours.by_name.items():
            self.connection.create_function(name, -1, function, deterministic=True)
        self.connection.create_function(PLACE, 2, self.places.value)
        self.connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        # A large transaction would write pages before its end, and shut all readers out.
        self.connection.execute("PRAGMA cache_spill = OFF")

    def jsoncolumn(self, name: str) -> str:
        """Return the expression of a column that txtai itself does not have."""
        return place_column(name) or str(super().jsoncolumn(name))

    def load(self, path: str) -> None:
        """Open a database."""
        super().load(path)
        self.connections.is_at(path)

    def search(self, query: Any, similarity: Any = None, *args: Any, **options: Any) -> Any:
        """Run a query, which may ask for the places that its search for crops found."""
        one_state = self.connections.transaction if similarity else nullcontext
        with self.connections.reading(), one_state():
            self.places.remember(similarity)
            return super().search(query, similarity, *args, **options)

    def query(
        self, query: Mapping[str, Any], limit: int | None, parameters: Any, indexids: bool
    ) -> Answer:
        """Run a parsed query over the rows that can be in its answer, or over all of them."""
        scan = partial(self.connections.read, super().query)
        try:
            return self.pushdown.query(scan, query, limit, parameters, indexids)
        except Exception:
            if was_interrupted():
                raise KeyboardInterrupt from None
            raise

    def explain(self, query: str, parameters: Any = None, limit: int = 3) -> Explanation:
        """Run a query, and return which way it went. txtai's default limit is 3."""
        self.search(self.parse(query), None, limit, parameters)
        return self.explanation

    @property
    def explanation(self) -> Explanation:
        """Return which way this thread's last query went."""
        return self.pushdown.explanation

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and some columns of every row of one state of the database, by id."""
        with self.connections.reading(), self.connections.transaction():
            yield from read_rows(self.connection, map(self.jsoncolumn, names), "ORDER BY id")

    def blocks(self, *names: str) -> Iterator[Block]:
        """Yield the ids and some columns of all rows, of one state of the database, in blocks."""
        with self.connections.reading(), self.connections.transaction():
            yield from read_blocks(self.connection, names, self.jsoncolumn)

    def ids(self, ids: list[Any]) -> Any:
        """Return the row numbers of some ids."""
        return self.connections.read(super().ids, ids)

    def count(self) -> int:
        """Count the rows."""
        return int(self.connections.read(super().count))

    @property
    def commits(self) -> int:
        """Return how many commits the database has counted."""
        return self.connections.session.pragma("user_version")

    def insert(self, documents: Iterable[Document], index: int = 0) -> None:
        """Insert rows; the text of a skipped file is NULL."""
        with self.connections.writing():
            documents = list(documents)
            self.skipped = skipped_ids(documents)
            super().insert(stored_documents(documents), index)
            self.packed.step()

    def insertsection(self, index: int, uid: Any, text: str | None, tags: Any, entry: Any) -> None:
        """Insert the text of a row."""
        super().insertsection(index, uid, section_text(uid, text, self.skipped), tags, entry)

    def delete(self, ids: list[Any]) -> None:
        """Delete rows."""
        with self.connections.writing():
            gone = super().ids(ids) if self.connection else []
            super().delete(ids)
            self.packed.step(number for number, _ in gone)

    def reindex(self, config: dict[str, Any]) -> Iterator[Any]:
        """Yield all rows, which get other row numbers."""
        with self.connections.writing():
            yield from super().reindex(config)
            self.packed.step(None)

    def save(self, path: str) -> None:
        """Commit, or copy to another path."""
        commits = self.path in (None, path)
        with self.connections.committing(path) if commits else self.connections.as_writer():
            super().save(path)

    def close(self) -> None:
        """Close the connections; a reader at work closes its own when it is done."""
        with self.connections.closing():
            super().close()
