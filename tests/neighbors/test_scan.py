"""Codes, nearest and radius search, against brute force in plain Python."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashlens import FingerprintError, ParameterError
from hashlens.hashing import metrics
from hashlens.neighbors import nearest, pack, scan, signs, unpack, within
from hashlens.neighbors.codes import as_codes, pack_joined, words
from suites import examples

DIGITS = st.sampled_from([1, 4, 11, 16, 17, 32, 48, 64, 100])


@st.composite
def tables(draw, most=60):
    """Fingerprints of one length, many of them alike, and one to look for."""
    digits = draw(DIGITS)
    bits = 4 * digits
    base = draw(st.integers(0, 2**bits - 1))
    flips = st.integers(0, bits - 1).map(lambda bit: base ^ (1 << bit))
    numbers = draw(st.lists(st.just(base) | flips | st.integers(0, 2**bits - 1), max_size=most))
    query = draw(st.just(base) | flips | st.integers(0, 2**bits - 1))
    return [format(n, f"0{digits}x") for n in numbers], format(query, f"0{digits}x")


def brute(fingerprints, query, k=None, most=None, metric=metrics.hamming):
    pairs = sorted((metric(text, query), row) for row, text in enumerate(fingerprints))
    return [(row, d) for d, row in pairs if most is None or d <= most][:k]


def listed(found):
    return list(zip(found.rows.tolist(), found.distances.tolist(), strict=True))


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Each way of scanning in turn, in blocks so small that there are several."""
    monkeypatch.setattr(scan, "BLOCK", 16)
    monkeypatch.setattr(scan, "GROUP", 4)
    kernels = scan._Kernels()
    if request.param == "compiled":
        kernels.load()
        assert kernels.compiled
    monkeypatch.setattr(scan, "_kernels", kernels)


class TestCodes:
    @given(table=tables())
    def test_unpacking_gives_what_was_packed_in_any_memory_order(self, table):
        fingerprints, query = table
        codes = pack([*fingerprints, query])
        assert unpack(codes, len(query)) == [*fingerprints, query]
        assert unpack(np.ascontiguousarray(codes), len(query)) == [*fingerprints, query]
        assert codes.shape == (len(fingerprints) + 1, words(len(query)))

    def test_upper_case_is_the_same_bits(self):
        assert (pack(["FF0A"]) == pack(["ff0a"])).all()

    @pytest.mark.parametrize("bad", ["ff0", "ff0aa", "ff0g", "f 0a", "ff0é", "", "f\n0a", "+f0a"])
    def test_what_is_no_fingerprint_of_that_length_is_named(self, bad):
        with pytest.raises(FingerprintError, match="expected 4 hex digits") as caught:
            pack(["ff0a", bad])
        assert repr(bad) in str(caught.value)

    @pytest.mark.parametrize("joined", ["FF", "f", "ff 0", "ffg0", "ff\n0", "\u0661\u0662"])
    def test_a_joined_text_is_lower_case_hex_or_nothing(self, joined):
        assert pack_joined(joined, 2) is None

    def test_no_fingerprints_are_no_codes(self):
        assert pack([]).shape == (0, 1)
        assert unpack(pack([]), 16) == []
        assert as_codes(np.empty(0, np.uint64)).shape == (0, 1)

    @pytest.mark.parametrize("bad", [[1], np.zeros(3), np.zeros((1, 1, 1), np.uint64), None])
    def test_what_is_no_array_of_codes_is_an_error(self, bad):
        with pytest.raises(ParameterError, match="uint64 array"):
            as_codes(bad)

    @given(table=tables())
    def test_signs_count_bits_that_differ(self, table):
        fingerprints, query = table
        vectors = signs([query, *fingerprints])
        assert set(np.unique(vectors)) <= {-1, 1}
        differing = (vectors[0] != vectors).sum(axis=1).tolist()
        assert differing == [metrics.hamming(query, text) for text in [query, *fingerprints]]


@pytest.mark.usefixtures("path")
class TestSearch:
    @given(table=tables(), k=st.integers(0, 70))
    def test_nearest_is_brute_force_ties_included(self, table, k):
        fingerprints, query = table
        if fingerprints:
            assert listed(nearest(pack(fingerprints), query, k)) == brute(fingerprints, query, k)

    @given(table=tables(), most=st.integers(0, 500))
    def test_within_is_brute_force(self, table, most):
        fingerprints, query = table
        if fingerprints:
            found = within(pack(fingerprints), query, most)
            assert listed(found) == brute(fingerprints, query, None, most)

    @given(table=tables(), k=st.integers(0, 70), most=st.integers(0, 40))
    def test_nearest_within_is_both(self, table, k, most):
        fingerprints, query = table
        if fingerprints:
            found = nearest(pack(fingerprints), query, k, max_distance=most)
            assert listed(found) == brute(fingerprints, query, k, most)

    def test_all_bits_may_differ(self):
        for digits in (16, 32, 48, 64, 80):
            codes = pack(["0" * digits] * 40)
            assert nearest(codes, "f" * digits, 3).distances.tolist() == [4 * digits] * 3


@given(
    table=tables(most=30), query=st.text("0123456789abcdefgG-é", max_size=80), k=st.integers(1, 9)
)
@settings(max_examples=examples(60))
def test_levenshtein_is_that_of_the_metrics_for_any_text(table, query, k):
    fingerprints, _ = table
    digits = len(fingerprints[0]) if fingerprints else 1
    if not fingerprints or digits > scan.MOST_DIGITS:
        return
    places = scan.positions(pack(fingerprints), digits)
    found = scan.select(scan.levenshtein(places, digits, query), k)
    assert listed(found) == brute(fingerprints, query, k, metric=metrics.levenshtein)


def test_large_tables_are_searched_alike():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 2**64, 300_000, dtype=np.uint64)
    codes[1000:50_000] = codes[7]  # ties beyond count
    distances = np.bitwise_count(codes ^ codes[7])
    order = np.argsort(distances, kind="stable")
    for k in (1, 10, 1000, 60_000, 400_000):
        assert (nearest(codes, codes[7:8], k).rows == order[:k]).all()
    for most in (0, 8, 20):
        assert (within(codes, codes[7:8], most).rows == order[: (distances <= most).sum()]).all()


def test_a_query_that_does_not_fit_is_an_error():
    codes = pack(["ff" * 8])
    with pytest.raises(ParameterError, match="does not fit codes of 1 words"):
        nearest(codes, "ff" * 16, 1)
    with pytest.raises(ParameterError, match="k must be a whole number, 0 or more"):
        nearest(codes, "ff" * 8, -1)
    with pytest.raises(ParameterError, match="1 to 64 hex digits"):
        scan.positions(pack(["f" * 65]), 65)


def test_compiled_code_is_loaded_by_a_process_that_goes_on_searching_and_not_before():
    code = (
        "import sys, threading, numpy as np\n"
        "from hashlens.neighbors import nearest\n"
        "codes = np.arange(2_000_000, dtype=np.uint64)\n"
        "first = nearest(codes, codes[5:6], 4)\n"
        "nearest(codes, codes[5:6], 4)\n"
        "assert 'numba' not in sys.modules\n"
        "nearest(codes, codes[5:6], 4)\n"
        "[t.join() for t in threading.enumerate() if t.name == 'hashlens-kernels']\n"
        "assert 'numba' in sys.modules\n"
        "again = nearest(codes, codes[5:6], 4)\n"
        "assert (first.rows == again.rows).all() and (first.distances == again.distances).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
