"""Both content databases, in ImageIndex and in stock txtai, against brute force."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from txtai.database import SQLError
from txtai.embeddings import Embeddings

from hashlens import SQL_FUNCTIONS
from hashlens.hashing.metrics import total_distance, total_similarity
from hashlens.sql.functions import distance as sql_distance
from suites import examples

CLASSES = {"sqlite": "hashlens.database.SQLite", "duckdb": "hashlens.database.DuckDB"}
PLAIN = {"keyword": False, "defaults": False}
HASHES = st.text("0123456789abcdef", min_size=16, max_size=16)
TEXTS = HASHES | st.text("0123456789abcdefxyz-", min_size=1, max_size=20)
QUERY = "00ff00ff00ff00ff"


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


def expected(texts: list[str | None], metric: str = "hamming") -> list[tuple[str, float, float]]:
    rows = [
        (f"{n:04}", total_distance(text, QUERY, metric), total_similarity(text, QUERY, metric))
        for n, text in enumerate(texts)
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def documents(texts: list[str | None]):
    for n, text in enumerate(texts):
        row = {"id": f"{n:04}", "text": text} if text else {"id": f"{n:04}", "skipped": "no image"}
        yield (f"{n:04}", row, None)


class TestContentClasses:
    @settings(
        max_examples=examples(10),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(texts=st.lists(st.none() | TEXTS, min_size=1, max_size=30))
    @pytest.mark.parametrize("metric", [None, "hamming", "levenshtein", "jaro_winkler"])
    def test_answer_as_brute_force_does_ties_and_bad_rows_included(self, content, metric, texts):
        embeddings = Embeddings(content=CLASSES[content], **PLAIN)
        embeddings.index(documents(texts))
        found = answers(embeddings, metric)
        embeddings.close()
        assert [(uid, pytest.approx(d), pytest.approx(s)) for uid, d, s in found] == expected(
            texts, metric or "hamming"
        )

    def test_compare_numbers_as_numbers(self, content):
        embeddings = Embeddings(content=CLASSES[content], **PLAIN)
        embeddings.index([(n, {"text": "ff", "width": n, "mtime": n / 2}, None) for n in range(20)])
        rows = embeddings.search(
            "select width, mtime from txtai where width > 8 order by width desc", 3
        )
        assert rows == [{"width": n, "mtime": n / 2} for n in (19, 18, 17)]
        embeddings.close()

    def test_sort_nulls_first_divide_whole_numbers_and_give_plain_types(self, content):
        embeddings = Embeddings(content=CLASSES[content], **PLAIN)
        embeddings.index(
            [(n, {"text": "ff", **({"width": n} if n else {})}, None) for n in range(4)]
        )
        rows = embeddings.search(
            "select width, width / 2 half, width + 0.5 more, entry from txtai order by width", 9
        )
        assert [(row["width"], row["half"], row["more"]) for row in rows] == [
            (None, None, None),
            (1, 0, 1.5),
            (2, 1, 2.5),
            (3, 1, 3.5),
        ]
        assert {type(row["entry"]) for row in rows} == {str}
        embeddings.close()

    def test_read_the_metric_of_two_arguments_from_the_configuration(self, content):
        settings = {"hashlens": {"metric": "levenshtein"}}
        embeddings = Embeddings(content=CLASSES[content], **PLAIN, **settings)
        texts = ["0ff00ff00ff00ff0", "00ff00ff00ff00fe", None]
        embeddings.index(documents(texts))
        assert answers(embeddings) == expected(texts, "levenshtein")
        embeddings.close()

    def test_functions_of_the_configuration_come_first(self, content):
        def distance(a: str, b: str) -> int:
            return 7

        embeddings = Embeddings(content=CLASSES[content], functions=[distance], **PLAIN)
        embeddings.index(documents([QUERY]))
        rows = embeddings.search("select distance(text, 'x') d, similarity(text, :q) s from txtai",
                                 parameters={"q": QUERY})  # fmt: skip
        assert rows == [{"d": 7, "s": 1.0}]
        embeddings.close()

    # SQLite tells of an exception in a function only by way of this hook.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_failed_query_harms_no_later_one(self, content):
        embeddings = Embeddings(content=CLASSES[content], **PLAIN)
        embeddings.index(documents([QUERY, None]))
        for bad in ("nothing(id)", "distance(text, 'a', 'bogus')"):
            with pytest.raises(SQLError):
                list(embeddings.search(f"select {bad} from txtai"))
        assert answers(embeddings) == expected([QUERY, None])
        embeddings.close()


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
