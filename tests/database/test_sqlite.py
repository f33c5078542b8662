from __future__ import annotations

from contract import DatabaseContract


class TestSQLite(DatabaseContract):
    content = "hashlens.database.SQLite"
    has_packed_codes = True
    has_sessions = True
    counts_commits = True
    named_metric_type = int
