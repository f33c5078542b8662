"""What the planner recognises in a query, and why it does not."""

from __future__ import annotations

import pytest
from txtai.database import SQL

from hashlens.sql.planner import Grammar, NoPlanError, QueryPlan, Term, in_order, plans

HASH = "00ff00ff00ff00ff"
GIVEN = {"q": HASH, "r": 8, "k": 5, "nothing": None, "text": "8", "nan": float("nan")}
AGGREGATES = {"count", "max", "min", "row_number"}


class Columns:
    """What txtai's parser asks a database for."""

    def resolve(self, name, alias=None):
        if alias:
            return name if name == alias else f'{name} as "{alias}"'
        if name.startswith("json_extract") or name in ("text", "score"):
            return name
        return f"s.{name}" if name in ("id", "indexid") else f"json_extract(data, '$.{name}')"


def plan(
    rest: str, select: str = "id, distance(text, :q) d", limit: int | None = 3
) -> list[QueryPlan]:
    clauses = SQL(Columns())(f"select {select} from txtai {rest}")
    return plans(clauses, limit, Grammar(GIVEN, "hamming", "json_extract(data, '$.*')", AGGREGATES))


TEXT = Term("text", HASH, "hamming")
COLOR = Term("json_extract(data, '$.color')", HASH, "hamming")


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("order by distance(text, :q)", QueryPlan(TEXT, None, 3, 3)),
        ("order by distance(:q, text) asc limit 10", QueryPlan(TEXT, None, 10, 10)),
        ("order by DISTANCE(text, '00FF00FF00FF00FF') limit :k", QueryPlan(TEXT, None, 5, 5)),
        ("order by d limit 10 offset 20", QueryPlan(TEXT, None, 30, 10)),
        ("order by D, indexid limit 10", QueryPlan(TEXT, None, 10, 10)),
        ("order by (d), id limit 10", QueryPlan(TEXT, None, 10, 10, needs_ties=True)),
        ("order by d, indexid desc limit 10", QueryPlan(TEXT, None, 10, 10, needs_ties=True)),
        ("order by distance(color, :q)", QueryPlan(COLOR, None, 3, 3)),
        ("order by distance(text, :q, 'hamming')", QueryPlan(TEXT, None, 3, 3)),
        (
            "order by distance(text, :q, 'levenshtein')",
            QueryPlan(Term("text", HASH, "levenshtein"), None, 3, 3),
        ),
        ("where distance(text, :q) <= 8", QueryPlan(TEXT, 8)),
        ("where distance(text, :q) < 8", QueryPlan(TEXT, 7)),
        ("where distance(text, :q) < 8.5", QueryPlan(TEXT, 8)),
        ("where distance(text, :q) <= 8.5", QueryPlan(TEXT, 8)),
        ("where :r >= distance(text, :q)", QueryPlan(TEXT, 8)),
        ("where (distance(text, :q) = 3)", QueryPlan(TEXT, 3)),
        ("where distance(text, :q) between 1 and :r and width > 3", QueryPlan(TEXT, 8)),
        ("where width between 1 and 2 and d <= 4", QueryPlan(TEXT, 4)),
        ("where (width = 1 or width = 2) and (d <= 4 and d <= 2)", QueryPlan(TEXT, 2)),
        ("where d <= 8 order by d", QueryPlan(TEXT, 8, 3, 3, where_uses_alias=True)),
        (
            "where d <= 8 and id > 'a' order by d",
            QueryPlan(TEXT, 8, 3, 3, has_other_conditions=True, where_uses_alias=True),
        ),
        (
            "where distance(text, :q) = 3 order by d",
            QueryPlan(TEXT, 3, 3, 3, has_other_conditions=True),
        ),
        (
            "where id = 'x' or d <= 8 order by d",
            QueryPlan(TEXT, None, 3, 3, has_other_conditions=True, where_uses_alias=True),
        ),
        ("where distance(text, :q) <= 8 order by d desc", QueryPlan(TEXT, 8)),
        ("where distance(text, :q) <= 8 order by id limit 10, 5", QueryPlan(TEXT, 8)),
    ],
)
def test_what_is_recognised(rest, expected):
    assert plan(rest)[0] == expected


def test_a_bound_on_another_column_comes_first_and_the_order_second():
    found = plan("where distance(color, :q) <= 4 order by d")
    assert found == [QueryPlan(COLOR, 4), QueryPlan(TEXT, None, 3, 3, has_other_conditions=True)]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "order by d desc",
        "order by width, d",
        "order by d + 1",
        "order by -d",
        "order by d collate nocase",
        "order by distance(text, id)",
        "order by distance(text, :nothing)",
        "order by distance(text, :missing)",
        "order by distance(upper(text), :q)",
        "order by distance(text, :q, 'jaro')",
        "order by distance(text, :q, :missing)",
        "order by distance(text, :q) - distance(color, :q)",
        "order by similarity(text, :q)",
        "where distance(text, :q) >= 8",
        "where distance(text, :q) <= :text",
        "where distance(text, :q) <= :nan",
        "where distance(text, :q) <= width",
        "where distance(text, :q) <= -1",
        "where not distance(text, :q) <= 8",
        "where distance(text, :q) <= 8 or id = 'x'",
        "where distance(text, :q) <= 8 = 0",
        "where distance(text, :q) + 1 <= 8",
        "where distance(text, :q) in (1, 2)",
        "where distance(text, :q) != 3",
    ],
)
def test_what_is_not(rest):
    with pytest.raises(NoPlanError, match="neither orders"):
        plan(rest)


@pytest.mark.parametrize(
    ("rest", "select", "reason"),
    [
        ("order by d limit -1", "id, distance(text, :q) d", "limit"),
        ("order by d limit :text", "id, distance(text, :q) d", "limit"),
        ("order by d limit 10, 5", "id, distance(text, :q) d", "limit"),
        ("group by width order by d", "width, distance(text, :q) d", "groups"),
        ("order by d", "count(*), distance(text, :q) d", "groups"),
        ("order by d", '"count"(*), distance(text, :q) d', "groups"),
        ("where distance(text, :q) < 3", "distinct text", "groups"),
        ("where distance(text, :q) < 3 group by width", "width, id, count(*)", "groups"),
        ("where distance(text, :q) < 3", "max(width)", "groups"),
        ("where distance(text, :q) < 3 group by width", "width + 1, count(*)", "groups"),
        ("where distance(text, :q) < 3 group by width", "count(*) + indexid n", "groups"),
        ("where distance(text, :q) < 3 group by width order by id", "count(*)", "groups"),
        ("where distance(text, :q) < 3 group by width having max(id) > 3", "count(*)", "groups"),
        ("order by d", "distinct text, distance(text, :q) d", "groups"),
        ("order by d", "row_number() over (), distance(text, :q) d", "groups"),
    ],
)
def test_what_cannot_be_cut_short(rest, select, reason):
    with pytest.raises(NoPlanError, match=reason):
        plan(rest, select)


@pytest.mark.parametrize("select", ["text d, distance(text, :q) d", "distance(text, :q) text"])
def test_a_name_that_may_be_something_else_is_not_followed(select):
    with pytest.raises(NoPlanError):
        plan("where d <= 8" if " d" in select else "where text <= 8", select)


def test_the_order_is_completed_where_rows_are_rows():
    def order(query: str) -> str | None:
        return in_order(SQL(Columns())(query), AGGREGATES)["orderby"]

    assert order("select id from txtai") == "s.indexid"
    assert order("select id from txtai order by id desc") == "s.id desc, s.indexid"
    assert order("select id from txtai where similar('x')") == "score DESC, s.indexid"
    assert order("select count(*) from txtai") is None
    assert order("select distinct id from txtai") is None
    assert order("select id from txtai group by id order by id") == "s.id"


@pytest.mark.parametrize(
    ("rest", "select"),
    [
        ("", "count(*)"),
        ("", "count(distinct width) n, count(*)"),
        ("group by width order by n desc", "count(upper(id)) n, width 'w'"),
        ("group by width", "width, count(*) n"),
        ("group by width having count(*) > 1 order by width", "count(*), width as w"),
    ],
)
def test_counts_are_bounded(rest, select):
    assert plan(f"where distance(text, :q) <= 8 {rest}", select) == [QueryPlan(TEXT, 8)]


def test_rows_without_json_are_left_out_by_a_condition_on_it():
    (found,) = plan("where distance(color, :q) <= 8 order by distance(color, :q)")
    assert found == QueryPlan(COLOR, 8, 3, 3, has_other_conditions=True)


@pytest.mark.parametrize("where", ['"width" > 3', "w > 3", "W > 3"])
def test_conditions_with_names_of_the_query_are_not_bare(where):
    (found,) = plan(f"where {where} order by d", "width 'w', distance(text, :q) d")
    assert found.where_uses_alias
    assert found.has_other_conditions


@pytest.mark.parametrize("limit", [0, -1, 3.0, None])
def test_a_limit_that_txtai_takes_for_none_is_none(limit):
    with pytest.raises(NoPlanError, match="limit"):
        plan("order by d", limit=limit)
