from __future__ import annotations

from contract import DatabaseContract


class TestDuckDB(DatabaseContract):
    content = "hashlens.database.DuckDB"
    has_packed_codes = False
    has_sessions = False
    counts_commits = False
    named_metric_type = float
