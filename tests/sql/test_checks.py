from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens import ParameterError, QueryError
from hashlens.sql.checks import check_query, hash_parameters, normalize
from hashlens.sql.functions import distance, functions, levenshtein, similarity
from hashlens.sql.tokens import tokenize

HASH = "00ff00ff00ff00ff"


class TestFunctions:
    def test_distance_counts_bits_unless_a_metric_is_named(self):
        assert distance("ff00", "ff01") == 1
        assert distance("ff00", "0ff0", "levenshtein") == 2
        assert distance("ff00", None) == 16

    def test_levenshtein_counts_edits_unless_a_metric_is_named(self):
        assert levenshtein("ff00", "0ff0") == 2
        assert levenshtein("ff00", "ff01", "hamming") == 1
        assert levenshtein("ff00", None) == 4

    def test_similarity_is_one_less_the_share_that_differs(self):
        assert similarity("ff00", "ff01") == 1 - 1 / 16
        assert similarity(None, None) == 1
        assert similarity("ff", None, "levenshtein") == 0

    def test_the_metric_of_two_arguments_can_be_chosen(self):
        assert functions("levenshtein")["distance"]("ff00", "0ff0") == 2
        assert functions("levenshtein")["distance"]("ff00", "ff01", "hamming") == 1
        assert functions("jaro")["similarity"]("ff00", "ff00") == 1
        with pytest.raises(ParameterError, match="unknown metric"):
            functions("bogus")


class TestTokenize:
    @given(st.text(st.characters(exclude_characters="-/")))
    def test_loses_nothing_but_space(self, text):
        def squeezed(words):
            return "".join("".join(words).split())

        assert squeezed(tokenize(text)) == squeezed([text])

    def test_keeps_texts_words_and_parameters_whole(self):
        query = "select id, text from txtai where distance(text, :q)<=4.5 and path like '%a b%'"
        assert list(tokenize(query)) == [
            *("select", "id", ",", "text", "from", "txtai", "where", "distance", "(", "text", ","),
            *(":q", ")", "<", "=", "4.5", "and", "path", "like", "'%a b%'"),
        ]


class TestNormalize:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("select id\n\tfrom   txtai", "select id from txtai"),
            (" select id from txtai ; ", "select id from txtai"),
            (
                "select id -- all\nfrom txtai /* the\nindex */ limit 3",
                "select id from txtai limit 3",
            ),
            ("select 'a  -- b' from txtai", "select 'a  -- b' from txtai"),
            ("select width::text from txtai", "select width::text from txtai"),
            ("SELECT id FROM txtai", "SELECT id FROM txtai"),
        ],
    )
    def test_gives_one_line_that_txtai_takes_for_sql(self, query, expected):
        assert normalize(query) == expected

    @pytest.mark.parametrize(
        "query",
        [
            "delete from txtai",
            "a dog",
            "select 1",
            "",
            "select id from txtai; drop table x",
            "select*from txtai",
            "select id from (select id from txtai) x",
            None,
        ],
    )
    def test_refuses_what_is_no_query_on_the_index(self, query):
        with pytest.raises(QueryError):
            normalize(query)


class TestCheckQuery:
    @pytest.mark.parametrize(
        "query",
        [
            f"select id from txtai order by distance(text, '{HASH}')",
            f"select id from txtai order by distance('{HASH.upper()}', TEXT)",
            "SELECT id, distance(text, :q) d FROM txtai WHERE d < 3 LIMIT 4",
            "select id from txtai where distance(text, :short, 'levenshtein') < 3",
            "select id from txtai where distance(text, :short, :metric) < 3",
            "select id from txtai where distance(path, :short) < 3",
            "select id from txtai where distance(text, text) = 0",
            "select id from txtai where distance(text, lower(:q)) = 0",
            "select id from txtai where path = 'distance(text, 12) ? @x :y'",
            "select width::text from txtai",
            "select count(*) from txtai",
        ],
    )
    def test_lets_queries_through(self, query):
        parameters = {"q": HASH, "short": "ff", "metric": "jaro"}
        check_query(query, parameters, digits={"text": 16}, metric="hamming")

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("select id from txtai order by distance(text, 'ff')", "'ff' has 2 hex digits"),
            ("select id from txtai where distance(:short, text) < 2", "'ff' has 2 hex digits"),
            ("select similarity(text, :word) from txtai", "not a fingerprint: 'a word'"),
            ("select similarity(text, :none) from txtai", "not a fingerprint: None"),
            ("select distance(text, null) from txtai", "not a fingerprint: None"),
            ("select distance(text, 12) from txtai", "'12' has 2 hex digits"),
            ("select distance(\"text\", 'zz') from txtai", "not a fingerprint: 'zz'"),
            ("select distance([text], ('zz')) from txtai", "not a fingerprint: 'zz'"),
            ("select distance(text, :short, 'hamming') from txtai", "16 hex digits (64 bits)"),
            ("select distance(text, :short, :hamming) from txtai", "16 hex digits (64 bits)"),
            ("select distance(text, :missing) from txtai", "the query has :missing"),
            ("select distance(text, ?) from txtai", "the query has ?"),
            ("select distance(text) from txtai", "takes two or three arguments, not 1"),
            ("select distance(text, @q) from txtai", "the query has @"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, query, message):
        parameters = {"q": HASH, "short": "ff", "word": "a word", "none": None}
        with pytest.raises(QueryError) as caught:
            check_query(
                query, {**parameters, "hamming": "hamming"}, digits={"text": 16}, metric="hamming"
            )
        assert message in str(caught.value)

    @pytest.mark.parametrize("constant", [f"'{HASH}'", "path"])
    def test_refuses_an_unknown_metric(self, constant):
        query = f"select distance(text, {constant}, 'bogus') from txtai"
        with pytest.raises(ParameterError, match="unknown metric 'bogus'"):
            check_query(query, None, digits={"text": 16}, metric="hamming")

    def test_takes_any_text_where_the_metric_is_not_hamming(self):
        check_query(
            "select distance(text, 'abc') from txtai",
            None,
            digits={"text": 16},
            metric="levenshtein",
        )

    @given(st.text())
    def test_never_fails_otherwise(self, text):
        for query in (text, f"select {text} from txtai", f"select distance({text}) from txtai"):
            with suppress(QueryError, ParameterError):
                check_query(normalize(query), None, digits={"text": 16}, metric="hamming")


def test_hash_parameters_are_those_compared_with_text():
    query = "select distance(text, :a) from txtai where similarity((:b), text) > :c and path = :d"
    assert hash_parameters(query, ("text",)) == {"a": "text", "b": "text"}
    assert hash_parameters(query, ("path",)) == {}
    assert hash_parameters("select distance(color, :c) d from txtai", ("text", "color")) == {
        "c": "color"
    }
