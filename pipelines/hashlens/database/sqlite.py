"""txtai's SQLite with our functions."""

from __future__ import annotations

from functools import partial

from txtai.database.sqlite import SQLite as TxtaiSQLite

from hashlens.database.content import PLACE, HashContent, _value
from hashlens.database.pushdown import Pushdown
from hashlens.database.readers import Readers


class SQLite(Pushdown, Readers, HashContent, TxtaiSQLite):  # type: ignore[misc]
    """txtai's SQLite with our functions, for many threads, in which distances are quick."""

    def addfunctions(self) -> None:
        """Register the functions of the configuration, then ours."""
        super().addfunctions()
        for name, function in self.ours.items():
            self.connection.create_function(name, -1, function, deterministic=True)
        self.connection.create_function(PLACE, 2, partial(_value, self.found))
