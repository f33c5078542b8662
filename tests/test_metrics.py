from __future__ import annotations

from math import isfinite

import pytest
import textdistance
from hypothesis import given
from hypothesis import strategies as st

from hashlens import FingerprintError, ParameterError, distance, similarity
from hashlens.metrics import hamming, is_hex, largest, levenshtein, total_distance, total_similarity

HEX = st.text("0123456789abcdef", min_size=1, max_size=20)
WORDS = st.text("abcdé0 ", max_size=80)
ANYTHING = st.none() | st.text() | st.integers() | st.floats() | st.binary() | HEX
ALGORITHMS = sorted(
    name
    for name, value in vars(textdistance).items()
    if isinstance(value, textdistance.algorithms.base.Base)
)


class TestHamming:
    @given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
    def test_counts_the_bits_that_differ(self, a, b):
        expected = sum(x != y for x, y in zip(f"{a:064b}", f"{b:064b}", strict=True))
        assert hamming(f"{a:016x}", f"{b:016X}") == expected

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("ff", "fff"),
            ("ff", "fg"),
            ("0x1f", "001f"),
            ("1_0f", "010f"),
            (" 1f ", "001f"),
            ("+1f0", "01f0"),
            ("\u0661\u0661", "11"),
        ],
    )
    def test_refuses_what_it_cannot_compare_and_names_both(self, a, b):
        with pytest.raises(FingerprintError) as caught:
            distance(a, b)
        assert repr(a) in str(caught.value)
        assert repr(b) in str(caught.value)


class TestLevenshtein:
    @given(WORDS, WORDS)
    def test_equals_the_textbook_algorithm(self, a, b):
        assert levenshtein(a, b) == textdistance.Levenshtein(external=False)(a, b)

    @given(HEX, HEX, HEX)
    def test_is_a_metric(self, a, b, c):
        assert levenshtein(a, b) == levenshtein(b, a)
        assert (levenshtein(a, b) == 0) == (a == b)
        assert levenshtein(a, c) <= levenshtein(a, b) + levenshtein(b, c)


class TestStrict:
    @pytest.mark.parametrize(("a", "b"), [(None, "ff"), ("ff", None), ("", "ff"), (None, None)])
    @pytest.mark.parametrize("metric", ["hamming", "levenshtein", "jaro"])
    def test_refuses_a_missing_fingerprint(self, a, b, metric):
        with pytest.raises(FingerprintError, match="missing"):
            distance(a, b, metric)

    @pytest.mark.parametrize(("a", "b"), [(1, 2), ("ff", 5), (b"ff", b"ff"), (["a"], ["b"])])
    @pytest.mark.parametrize("metric", ["hamming", "levenshtein"])
    def test_refuses_what_is_no_text_and_names_both(self, a, b, metric):
        with pytest.raises(FingerprintError) as caught:
            distance(a, b, metric)
        assert repr(a) in str(caught.value)
        assert repr(b) in str(caught.value)

    @pytest.mark.parametrize("name", ALGORITHMS)
    def test_knows_every_textdistance_algorithm(self, name):
        ours = {"hamming": 3, "levenshtein": 2}
        theirs = getattr(textdistance, name).distance("ff00", "fe0c")
        assert distance("ff00", "fe0c", name) == ours.get(name, theirs)

    @pytest.mark.parametrize("name", ["bogus", "Hamming", "", "os", "__doc__", None, ["a"]])
    def test_refuses_an_unknown_metric_and_names_the_known(self, name):
        with pytest.raises(ParameterError, match=r"unknown metric .*hamming.*levenshtein"):
            distance("ff", "ff", name)

    def test_similarity_is_the_share_of_equal_bits(self):
        assert similarity("ff00", "ff01") == 1 - 1 / 16
        assert similarity("0000", "ffff") == 0


class TestTotal:
    @pytest.mark.parametrize(
        ("a", "b", "metric", "expected"),
        [
            (None, None, "hamming", 0),
            ("", None, "levenshtein", 0),
            ("ff00", None, "hamming", 16),
            (None, "ff00", "levenshtein", 4),
            ("ff00", "", "levenshtein", 4),
            ("ff00", "ff", "hamming", 16),
            ("ff00", "a path.jpg", "hamming", 40),
            ("zz", "ffff", "hamming", 16),
            ("ff00", "ff01", "hamming", 1),
            ("ff00", "ff01", "levenshtein", 1),
            (None, "ff00", "jaro", 1),
            (12, "12", "hamming", 0),
        ],
    )
    def test_puts_bad_values_at_the_far_end(self, a, b, metric, expected):
        assert total_distance(a, b, metric) == expected

    @given(ANYTHING, ANYTHING)
    def test_never_fails_and_is_bounded(self, a, b):
        for metric in ("hamming", "levenshtein"):
            found = total_distance(a, b, metric)
            texts = ("" if value is None else str(value) for value in (a, b))
            assert 0 <= found <= largest(*texts, metric)
            assert found == total_distance(b, a, metric)
            assert 0 <= total_similarity(a, b, metric) <= 1

    @pytest.mark.parametrize("name", ALGORITHMS)
    @pytest.mark.parametrize("bad", [None, "", "\0", "日本", "x" * 300])
    def test_never_fails_under_any_metric(self, name, bad):
        total_distance(bad, "ff00ff00ff00ff00", name)

    @pytest.mark.parametrize("name", ALGORITHMS)
    @given(a=HEX, b=HEX)
    def test_gives_plain_finite_numbers_and_shares(self, name, a, b):
        found = total_distance(a, b, name)
        assert type(found) in (int, float)
        assert isfinite(found)
        assert 0 <= total_similarity(a, b, name) <= 1

    @given(HEX, HEX)
    def test_equals_the_strict_distance_where_that_exists(self, a, b):
        if len(a) == len(b):
            assert total_distance(a, b) == distance(a, b)
        assert total_distance(a, b, "levenshtein") == distance(a, b, "levenshtein")


@given(st.text())
def test_is_hex_means_digits_and_nothing_else(text):
    assert is_hex(text) == (bool(text) and set(text) <= set("0123456789abcdefABCDEF"))
