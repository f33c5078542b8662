"""Both content databases in stock txtai; what each must do by itself is in contract.py."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from txtai.embeddings import Embeddings

from contract import PLAIN, QUERY, documents, expected
from hashlens import SQL_FUNCTIONS
from hashlens.sql.functions import distance as sql_distance

CLASSES = {"sqlite": "hashlens.database.SQLite", "duckdb": "hashlens.database.DuckDB"}


def answers(embeddings: Embeddings, metric: str | None = None) -> list[tuple[str, float, float]]:
    """Return id, distance and similarity of all rows, nearest first."""
    third = f", '{metric}'" if metric else ""
    rows = embeddings.search(
        f"select id, distance(text, :q{third}) d, similarity(text, :q{third}) s from txtai "
        f"order by distance(text, :q{third}), id",
        1000,
        parameters={"q": QUERY},
    )
    return [(row["id"], row["d"], row["s"]) for row in rows]


# What a stranger runs: no import of hashlens, no functions given.
STOCK = """
import json, sys
from txtai.embeddings import Embeddings

embeddings = Embeddings().load(sys.argv[1])
assert "hashlens.index" not in sys.modules
rows = embeddings.search(
    "select id, distance(text, :q) d from txtai order by distance(text, :q), id", 1000,
    parameters={"q": sys.argv[2]},
)
embeddings.upsert([("new", {"text": sys.argv[2]}, None)])
embeddings.save(sys.argv[1])
first = embeddings.search("select id from txtai order by distance(text, :q), id", 1,
                          parameters={"q": sys.argv[2]})
print(json.dumps([[[row["id"], row["d"]] for row in rows], first]))
"""


def stock(path) -> list:
    done = subprocess.run(
        [sys.executable, "-c", STOCK, str(path), QUERY], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


TEXTS_WITH_TIES = [
    "00ff00ff00ff00ff",
    "ffffffffffffffff",
    "00ff00ff00ff00fe",
    None,
    "x",
    "00ff",
] * 2


class TestStockTxtai:
    @pytest.mark.slow
    def test_opens_a_saved_index_in_a_fresh_process(self, content, tmp_path):
        embeddings = Embeddings(content=CLASSES[content], **PLAIN)
        embeddings.index(documents(TEXTS_WITH_TIES))
        embeddings.save(str(tmp_path / "index"))
        embeddings.close()
        rows, first = stock(tmp_path / "index")
        assert rows == [[uid, d] for uid, d, _ in expected(TEXTS_WITH_TIES)]
        assert first == [{"id": "0000"}]
        again = Embeddings().load(str(tmp_path / "index"))
        assert again.count() == len(TEXTS_WITH_TIES) + 1
        again.close()

    @pytest.mark.slow  # torch is imported, here and below
    def test_opens_an_index_of_ours_in_a_fresh_process(self, index):
        index.close()
        rows, first = stock(index.path)
        assert len(rows) == 11
        assert [d for _, d in rows] == sorted(d for _, d in rows)
        assert first == [{"id": "new"}]

    @pytest.mark.slow
    def test_on_its_own_sqlite_takes_the_functions_by_path(self, tmp_path):
        embeddings = Embeddings(content=True, functions=SQL_FUNCTIONS, **PLAIN)
        texts = [text for text in TEXTS_WITH_TIES if text]
        embeddings.index(documents(texts))
        assert answers(embeddings) == expected(texts)
        assert answers(embeddings, "levenshtein") == expected(texts, "levenshtein")
        embeddings.save(str(tmp_path / "index"))
        embeddings.close()
        rows, _ = stock(tmp_path / "index")
        assert rows == [[uid, d] for uid, d, _ in expected(texts)]

    def test_on_its_own_duckdb_sorts_the_annotated_function_as_numbers(self):
        functions = [{"name": "distance", "function": sql_distance}]
        embeddings = Embeddings(content="duckdb", functions=functions, **PLAIN)
        texts = [text for text in TEXTS_WITH_TIES if text]
        embeddings.index(documents(texts))
        rows = embeddings.search(
            "select id, distance(text, :q) d from txtai order by d, id", 99, parameters={"q": QUERY}
        )
        assert [(row["id"], row["d"]) for row in rows] == [
            (uid, d) for uid, d, _ in expected(texts)
        ]
        embeddings.close()
