from __future__ import annotations

from math import isfinite, sqrt

import pytest
import textdistance
from hypothesis import given
from hypothesis import strategies as st

from hashlens import FingerprintError, ImageIndex, ParameterError, distance, similarity
from hashlens.hashing.metrics import (
    chebyshev,
    euclidean,
    hamming,
    is_hex,
    largest,
    levenshtein,
    manhattan,
    total_distance,
    total_similarity,
)

HEX = st.text("0123456789abcdef", min_size=1, max_size=20)
WORDS = st.text("abcdé0 ", max_size=80)
ANYTHING = st.none() | st.text() | st.integers() | st.floats() | st.binary() | HEX
DIGITS = ("manhattan", "euclidean", "chebyshev")
OURS = ("hamming", "levenshtein", *DIGITS)
PAIRS = st.integers(1, 24).flatmap(
    lambda size: st.tuples(*[st.text("0123456789abcdefABCDEF", min_size=size, max_size=size)] * 2)
)
UNEQUAL = [
    ("ff", "fff"),
    ("ff", "fg"),
    ("0x1f", "001f"),
    ("1_0f", "010f"),
    (" 1f ", "001f"),
    ("+1f0", "01f0"),
    ("\u0661\u0661", "11"),
]
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

    @pytest.mark.parametrize(("a", "b"), UNEQUAL)
    def test_refuses_what_it_cannot_compare_and_names_both(self, a, b):
        with pytest.raises(FingerprintError) as caught:
            distance(a, b)
        assert repr(a) in str(caught.value)
        assert repr(b) in str(caught.value)


class TestDigits:
    @given(PAIRS)
    def test_compare_hex_digits_as_numbers(self, pair):
        steps = [abs(int(x, 16) - int(y, 16)) for x, y in zip(*pair, strict=True)]
        assert manhattan(*pair) == sum(steps)
        assert euclidean(*pair) == pytest.approx(sqrt(sum(step**2 for step in steps)))
        assert chebyshev(*pair) == max(steps)

    @pytest.mark.parametrize("metric", DIGITS)
    @pytest.mark.parametrize(("a", "b"), UNEQUAL)
    def test_are_as_strict_as_hamming(self, metric, a, b):
        with pytest.raises(FingerprintError) as caught:
            distance(a, b, metric)
        assert repr(a) in str(caught.value)
        assert repr(b) in str(caught.value)
        assert total_distance(a, b, metric) == largest(a, b, metric)

    @pytest.mark.parametrize(
        ("metric", "expected"), [("manhattan", 240), ("euclidean", 60), ("chebyshev", 15)]
    )
    def test_are_largest_between_all_zeros_and_all_ones(self, metric, expected):
        assert distance("0" * 16, "F" * 16, metric) == expected
        assert largest("0" * 16, "f" * 16, metric) == expected
        assert similarity("0" * 16, "f" * 16, metric) == 0

    @pytest.mark.parametrize("digits", range(1, 40))
    def test_none_exceeds_the_largest_by_rounding(self, digits):
        for metric in DIGITS:
            assert distance("0" * digits, "f" * digits, metric) == largest("", "f" * digits, metric)

    def test_shadow_no_algorithm_of_textdistance(self):
        assert not set(DIGITS) & set(ALGORITHMS)

    @pytest.mark.parametrize("metric", DIGITS)
    def test_rank_the_rows_of_an_index(self, folder, tmp_path, content, metric):
        with ImageIndex.open(tmp_path / "index", content=content, metric=metric) as index:
            index.index([folder])
            asked = index.fingerprint(folder / "0.png")
            rows = index.sql(
                f"select text, distance(text, :q) own, distance(text, :q, '{metric}') named "
                "from txtai order by own",
                {"q": asked},
            )
            matches = index.search(folder / "0.png", limit=11)
        expected = sorted(distance(row["text"], asked, metric) for row in rows)
        assert [row["own"] for row in rows] == [row["named"] for row in rows] == expected
        assert [match.distance for match in matches] == expected
        assert expected[0] == 0 < expected[-1]


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
    @pytest.mark.parametrize("metric", [*OURS, "jaro"])
    def test_refuses_a_missing_fingerprint(self, a, b, metric):
        with pytest.raises(FingerprintError, match="missing"):
            distance(a, b, metric)

    @pytest.mark.parametrize(("a", "b"), [(1, 2), ("ff", 5), (b"ff", b"ff"), (["a"], ["b"])])
    @pytest.mark.parametrize("metric", OURS)
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
            (None, "ff00", "manhattan", 60),
            ("ff00", "ff", "euclidean", 30),
            ("ff00", "zz", "chebyshev", 15),
            (None, None, "chebyshev", 0),
            (None, "ff00", "jaro", 1),
            (12, "12", "hamming", 0),
        ],
    )
    def test_puts_bad_values_at_the_far_end(self, a, b, metric, expected):
        assert total_distance(a, b, metric) == expected

    @given(ANYTHING, ANYTHING)
    def test_never_fails_and_is_bounded(self, a, b):
        for metric in OURS:
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
