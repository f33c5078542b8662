from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens import ParameterError, QueryError
from hashlens.sql import check_query, distance, functions, levenshtein, similarity, tokenize

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
    @given(st.text())
    def test_loses_nothing_but_space(self, text):
        def squeezed(words):
            return "".join("".join(words).split())

        assert squeezed(tokenize(text)) == squeezed([text])

    def test_keeps_strings_words_and_parameters_whole(self):
        query = "select id, text from txtai where distance(text, :q)<=4 and path like '%a b%'"
        assert list(tokenize(query)) == [
            *("select", "id", ",", "text", "from", "txtai", "where", "distance", "(", "text", ","),
            *(":q", ")", "<", "=", "4", "and", "path", "like", "'%a b%'"),
        ]


class TestCheckQuery:
    @pytest.mark.parametrize(
        "query",
        [
            f"select id from txtai order by distance(text, '{HASH}')",
            f"select id from txtai order by distance('{HASH.upper()}', TEXT)",
            "SELECT id, distance(text, :q) d FROM txtai WHERE d < 3 LIMIT 4",
            "select id from txtai where distance(text, :short, 'levenshtein') < 3",
            "select id from txtai where distance(path, :short) < 3",
            "select id from txtai where distance(text, text) = 0",
            "select id from txtai where distance(text, lower(:q)) = 0",
            "select id from txtai where path = 'distance(text, 12)'",
            "select count(*) from txtai",
            "select id\nfrom\ttxtai",
        ],
    )
    def test_lets_queries_through(self, query):
        check_query(query, {"q": HASH, "short": "ff"}, digits=16, metric="hamming")

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("select id from txtai order by distance(text, 'ff')", "'ff' has 2 hex digits"),
            ("select id from txtai where distance(:short, text) < 2", "'ff' has 2 hex digits"),
            ("select similarity(text, :word) from txtai", "not a fingerprint: 'a word'"),
            ("select similarity(text, :none) from txtai", "not a fingerprint: None"),
            ("select distance(text, :short, 'hamming') from txtai", "16 hex digits (64 bits)"),
            ("select distance(text, :missing) from txtai", "no parameter 'missing'"),
            ("delete from txtai", "expected select"),
            ("what is this", "expected select"),
            ("select 1", "expected select"),
            ("", "expected select"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, query, message):
        parameters = {"q": HASH, "short": "ff", "word": "a word", "none": None}
        with pytest.raises(QueryError) as caught:
            check_query(query, parameters, digits=16, metric="hamming")
        assert message in str(caught.value)

    def test_refuses_an_unknown_metric(self):
        with pytest.raises(ParameterError, match="unknown metric 'bogus'"):
            check_query(
                f"select distance(text, '{HASH}', 'bogus') from txtai",
                None,
                digits=16,
                metric="hamming",
            )

    def test_takes_any_text_where_the_metric_is_not_hamming(self):
        check_query(
            "select distance(text, 'abc') from txtai", None, digits=16, metric="levenshtein"
        )

    @given(st.text())
    def test_never_fails_otherwise(self, text):
        for query in (text, f"select {text} from txtai", f"select distance({text}) from txtai"):
            with suppress(QueryError, ParameterError):
                check_query(query, None, digits=16, metric="hamming")
