"""SQL over records: plans, exports and decisions."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens import ParameterError, Plan, QueryError, make_plan
from hashlens.sql.records import query_tables, read_records, sources
from trees import group, put

RECORDS = [
    {"path": "/b.png", "bytes": 20, "text": "00ff", "box": [1, 2, 3, 4]},
    {"path": "/a.png", "bytes": 3.5, "text": "00fe", "found": True},
    {"path": None, "nested": {"x": {"y": 1}}},
]


def ask(query, parameters=None, **options):
    return query_tables(query, {"t": RECORDS, "none": []}, parameters, **options)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


class TestQueries:
    def test_records_have_the_columns_of_all(self):
        rows = ask("select * from t order by path")
        assert [row["path"] for row in rows] == [None, "/a.png", "/b.png"]
        assert list(rows[0]) == ["path", "bytes", "text", "box", "found", "nested"]
        assert rows[2]["box"] == "[1, 2, 3, 4]"
        assert rows[1]["found"] == 1
        query = "select json_extract(nested, '$.x.y') y, json_extract(box, '$[2]') z from t"
        assert ask(f"{query} order by y, z")[-2:] == [{"y": None, "z": 3}, {"y": 1, "z": None}]

    def test_our_functions_are_there(self):
        query = "select path, distance(text, :q) d, similarity(text, :q) s from t where d < 2"
        assert ask(query, {"q": "00ff"}) == [
            {"path": "/b.png", "d": 0, "s": 1.0},
            {"path": "/a.png", "d": 1, "s": 0.9375},
        ]
        assert ask("select distance('abc', 'abd', 'levenshtein') d") == [{"d": 1}]

    def test_tables_can_be_joined_grouped_and_empty(self):
        assert ask("select count(*) n, sum(bytes) b from t") == [{"n": 3, "b": 23.5}]
        assert ask("select count(*) n from t join none") == [{"n": 0}]
        assert ask("select * from none") == []
        none = query_tables("select a, b from x", {"x": []}, columns={"x": ("a", "b")})
        assert none == []

    def test_a_limit_cuts_the_rows(self):
        assert len(ask("select * from t", limit=2)) == 2
        assert len(ask("select * from t limit 1", limit=2)) == 1
        for bad in (0, -1, 2.5, "2"):
            with pytest.raises(ParameterError, match="limit must be a whole number >= 1"):
                ask("select * from t", limit=bad)

    @pytest.mark.parametrize(
        ("query", "parameters", "message"),
        [
            ("select * from other", None, "no such table: other; tables are t, none; it was"),
            ("select other from t", None, "no such column: other"),
            ("delete from t", None, "readonly"),
            ("update t set path = 1", None, "readonly"),
            ("drop table t", None, "readonly"),
            ("create table x (y)", None, "readonly"),
            ("select 1; select 2", None, "one statement"),
            ("select :x", {"x": 2**70}, "too large"),
            ("select :x", {"x": object()}, "type 'object' is not supported"),
            ("select :x", {"x": "\ud800"}, "surrogates not allowed"),
            ("select :y", {"x": 1}, "y"),
            ("selec", None, "syntax error"),
        ],
    )
    def test_what_cannot_run_is_named(self, query, parameters, message):
        with pytest.raises(QueryError) as caught:
            ask(query, parameters)
        assert message in str(caught.value)
        assert repr(query) in str(caught.value)

    @pytest.mark.parametrize("name", ["", "1", "a b", "a;b", 'a"b', "ä-", "-", "a\n"])
    def test_a_table_has_a_plain_name(self, name):
        with pytest.raises(ParameterError, match="a table has a name of letters, digits and _"):
            query_tables("select 1", {name: []})

    @pytest.mark.parametrize(
        "record",
        [{"A": 1, "a": 2}, {"x": 2**64}, {"x": "\ud800"}, {str(n): n for n in range(3_000)}],
        ids=["twice", "large", "no text", "wide"],
    )
    def test_records_that_make_no_table_are_named(self, record):
        with pytest.raises(ParameterError, match="no table t can be made: "):
            query_tables("select 1", {"t": [record]})

    def test_odd_names_of_columns_are_taken(self):
        record = {'a"b': 1, "c d": 2, "select": 3, "": 4, "ü": 5}
        assert query_tables("select * from t", {"t": [record]}) == [record]
        query = 'select "a""b" x, "select" y from t'
        assert query_tables(query, {"t": [record]}) == [{"x": 1, "y": 3}]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("select * from Decisions d", {"decisions"}),
            ('select * from\n  `plan` join [other] on 1 join "third"', {"plan", "other", "third"}),
            ("select * from (select * from x)", {"x"}),
            ("select 1", set()),
        ],
    )
    def test_the_tables_of_a_query_are_known(self, query, names):
        assert sources(query) == names


class TestFiles:
    @pytest.mark.parametrize("ending", ["jsonl", "csv"])
    def test_a_plan_is_a_table(self, tmp_path, ending):
        paths = [put(tmp_path / "p" / name, b"x" * size) for size, name in enumerate("abc", 3)]
        plan = make_plan([group(*paths)], "move", to=tmp_path / "to", verify=False)
        plan.save(tmp_path / f"plan.{ending}")
        table = read_records(tmp_path / f"plan.{ending}")
        query = "select action, count(*) n, sum(bytes) b from plan group by action"
        assert query_tables(query, {"plan": table}) == [
            {"action": "keep", "n": 1, "b": 3},
            {"action": "move", "n": 2, "b": 9},
        ]
        rows = query_tables("select * from plan", {"plan": table})
        assert rows == Plan.read(tmp_path / f"plan.{ending}").records()

    def test_columns_of_numbers_are_numbers_and_fingerprints_are_text(self, tmp_path):
        path = tmp_path / "t.csv"
        texts = ["12e4567890123456", "1234567890123456", "0012345678901234", "fe12345678901234"]
        with open(path, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "n", "x", "mixed", "gap"])
            rows.writerows(zip(texts, (1, -2, 0, 30), (1.5, 1e-7, 1e30, -0.0), "12a4",
                               ("", 7, "", 8), strict=True))  # fmt: skip
        read = read_records(path)
        assert [row["text"] for row in read] == texts
        assert [row["n"] for row in read] == [1, -2, 0, 30]
        assert [row["x"] for row in read] == [1.5, 1e-7, 1e30, 0]
        assert [row["mixed"] for row in read] == list("12a4")
        assert [row["gap"] for row in read] == ["", 7, "", 8]

    @given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
    def test_any_cells_come_back(self, tmp_path_factory, cells):
        path = tmp_path_factory.mktemp("t") / "t.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["name", "other"], *([cell, "x"] for cell in cells)])
        read = read_records(path)
        found = [str(row["name"]) for row in read]
        numbers = all(isinstance(row["name"], (int, float)) or not row["name"] for row in read)
        assert found == cells or numbers

    def test_a_mark_of_the_byte_order_is_no_part_of_a_name(self, tmp_path):
        (tmp_path / "a.csv").write_bytes("\ufeffpath,n\r\nä,1\r\n".encode())
        assert read_records(tmp_path / "a.csv") == [{"path": "ä", "n": 1}]
        (tmp_path / "a.jsonl").write_bytes('\ufeff{"path": "ä"}\n\n'.encode())
        assert read_records(tmp_path / "a.jsonl") == [{"path": "ä"}]

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("a.csv", "a,b\n1\n", "line 2 has another number of cells"),
            ("a.csv", "a,b\n1,2\n1,2,3\n", "line 3 has another number of cells"),
            ("a.csv", f"a\n{'x' * 200_000}\n", "field larger than field limit"),
            ("a.jsonl", "{", "no records can be read"),
            ("a.jsonl", '{"a": 1} {"a": 2}', "no records can be read"),
            ("a.jsonl", "[1]", "each line must be an object"),
            ("a.json", json.dumps([{"a": 1}], indent=1), "no records can be read"),
            ("a.jsonl", "[" * 100_000, "no records can be read"),
        ],
    )
    def test_what_holds_no_records_is_named(self, tmp_path, name, text, message):
        path = written(tmp_path / name, text)
        with pytest.raises(ParameterError, match=message) as caught:
            read_records(path)
        assert str(path) in str(caught.value)

    def test_files_that_cannot_be_read_are_named(self, tmp_path):
        (tmp_path / "latin.csv").write_bytes(b"a\n\xe4\n")
        (tmp_path / "zero.jsonl").write_bytes(b"\0")
        for path in (tmp_path, tmp_path / "gone.csv", tmp_path / "latin.csv",
                     tmp_path / "zero.jsonl"):  # fmt: skip
            with pytest.raises(ParameterError, match="no records can be read from"):
                read_records(path)

    def test_an_empty_file_is_a_table_without_rows(self, tmp_path):
        for name in ("a.csv", "a.jsonl"):
            assert read_records(written(tmp_path / name, "")) == []
        assert read_records(written(tmp_path / "a.csv", "a,b\n")) == []


@pytest.mark.parametrize("query", ["attach 'new.db' as other", "vacuum into 'copy.db'", "vacuum"])
def test_nothing_is_written_to_the_disk(tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError):
        ask(query)
    assert list(tmp_path.iterdir()) == []
