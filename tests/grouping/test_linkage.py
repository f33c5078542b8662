"""The greedy rule, in each way that it is carried out, against one that looks at all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashlens import ParameterError
from hashlens.grouping import linkage
from hashlens.grouping.linkage import link, link_bonds
from hashlens.grouping.measure import bonds
from hashlens.hashing.metrics import distance
from hashlens.neighbors import unpack
from oracles import brute
from suites import examples

# FEW_PAIRS and MOST_KEYS: in Python, compiled, and in parts, of which the last may be few.
WAYS = ((10**9, 1 << 25), (-1, 1 << 25), (-1, 7), (10**9, 7), (-1, 1))


def each_way(*arguments, **options):
    """Return what `link` gives in each way."""
    found = []
    for few, most in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linkage, "FEW_PAIRS", few)
            patch.setattr(linkage, "MOST_KEYS", most)
            found.append(link(*arguments, **options).tolist())
    return found


def bits_between(codes):
    numbers = [int("".join(f"{word:016x}" for word in row), 16) for row in codes.tolist()]
    return lambda a, b: (numbers[a] ^ numbers[b]).bit_count()


def codes_of(kind, count, words, random):
    every = random.integers(0, 2**64, (count, words), dtype=np.uint64)
    if kind == "clustered":
        centers = random.integers(0, 2**64, (3, words), dtype=np.uint64)
        noise = every & np.roll(every, 1, axis=0) & np.roll(every, 2, axis=0)
        return centers[random.integers(0, 3, count)] ^ (noise & np.uint64(0xFFF))
    if kind == "equal":
        return every[random.integers(0, min(count, 3), count)]
    if kind == "ladder":  # each one bit from the next: chains
        every[:] = 0
        every[:, 0] = [(1 << number) - 1 for number in range(count)]
        return every
    return every & np.uint64(0b11111) if kind == "few bits" else every


@st.composite
def problems(draw):
    """Codes of one kind or another, a bound, and what is said of them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 45))
    kind = draw(st.sampled_from(["random", "clustered", "equal", "ladder", "few bits"]))
    codes = codes_of(kind, count, draw(st.sampled_from([1, 1, 4])), random)
    limit = draw(st.integers(0, 6) | st.sampled_from([30, 64, 500]))
    sides = random.integers(0, 3, count)
    terms = {
        "complete": draw(st.booleans()),
        "admits": draw(st.sampled_from([None, lambda a, b: sides[a] != sides[b]])),
        "apart": random.integers(0, count, (draw(st.integers(0, 4)), 2)),
    }
    terms["apart"] = terms["apart"][terms["apart"][:, 0] != terms["apart"][:, 1]]
    return codes, limit, terms


@given(problems())
@settings(max_examples=examples(400))
def test_every_way_equals_brute_force(problem):
    codes, limit, terms = problem
    wanted = brute(len(codes), bits_between(codes), limit, **terms)
    for found in each_way(codes, limit, **terms):
        assert found == wanted


@given(problems(), st.sampled_from(["levenshtein", "euclidean", "chebyshev", "manhattan"]))
def test_bonds_of_any_metric_equal_brute_force(problem, metric):
    codes, limit, terms = problem
    texts = unpack(codes, 16 * codes.shape[1])
    wanted = brute(
        len(texts), lambda a, b: distance(texts[a], texts[b], metric), limit / 2, **terms
    )
    found = link_bonds(len(texts), bonds(texts, metric, limit / 2), **terms)
    assert found.tolist() == wanted


@given(st.integers(0, 2**32), st.floats(0, 0.5), st.booleans())
@settings(max_examples=examples(30))
def test_bonds_of_fractions_equal_brute_force(seed, limit, complete):
    random = np.random.default_rng(seed)
    texts = unpack(codes_of("clustered", 15, 1, random), 16)

    def away(a, b):
        return distance(texts[a], texts[b], "jaro_winkler")

    found = link_bonds(15, bonds(texts, "jaro_winkler", limit), complete=complete)
    assert found.tolist() == brute(15, away, limit, complete=complete)


@given(problems(), st.randoms())
def test_sorted_codes_are_grouped_alike_from_any_order(problem, random):
    codes, limit, terms = problem
    rows = [tuple(row) for row in codes.tolist()]

    def groups(rows):
        order = sorted(rows)
        labels = link(np.array(order, np.uint64), limit, complete=terms["complete"])
        found = {}
        for row, label in zip(order, labels.tolist(), strict=True):
            found.setdefault(label, []).append(row)
        return sorted(found.values())

    shuffled = random.sample(rows, len(rows))
    assert groups(shuffled) == groups(rows)


def test_no_chain_leads_to_a_group_of_unlike_codes():
    ladder = codes_of("ladder", 12, 1, np.random.default_rng(0))
    assert each_way(ladder, 3, complete=False)[0] == [0] * 12
    for found in each_way(ladder, 3):
        assert found == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8]


def test_what_is_apart_stays_apart_through_others():
    codes = np.array([0, 1, 3], np.uint64)
    for found in each_way(codes, 2, complete=False, apart=np.array([[2, 0]])):
        assert found == [0, 0, 2]


def test_pairs_that_are_not_admitted_may_still_come_together():
    codes = np.array([0, 1, 3], np.uint64)
    between = {"admits": lambda a, b: (a == 1) != (b == 1)}
    for found in each_way(codes, 2, **between):
        assert found == [0, 0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_few_codes_are_groups_of_their_own(count):
    for complete in (True, False):
        for found in each_way(np.zeros((count, 1), np.uint64), 3, complete=complete):
            assert found == list(range(count))


def test_long_codes_are_in_order_up_to_the_bound():
    random = np.random.default_rng(1)
    codes = random.integers(0, 2**64, (12, 64), dtype=np.uint64)  # 4,096 bits
    wanted = brute(12, bits_between(codes), 2_047)
    assert len(set(wanted)) < 12
    for found in each_way(codes, 2_047):
        assert found == wanted
    with pytest.raises(ParameterError, match="at most 2,047 bits, not 2,048"):
        link(codes, 2_048)


@pytest.mark.parametrize("few", [pytest.param(10**9, marks=pytest.mark.slow), -1])
def test_one_giant_component_takes_no_time_of_squares(few, monkeypatch):
    monkeypatch.setattr(linkage, "FEW_PAIRS", few)
    # Most of a cube: codes one bit apart have an even and an odd number of bits. Steps for all
    # pairs of its 60,000 codes would end in a timeout.
    codes = np.arange(60_000, dtype=np.uint64)
    sides = np.bitwise_count(codes) % 2
    every = link(codes, 1, complete=False, admits=lambda a, b: sides[a] != sides[b])
    assert (every == 0).all()
    every = link(codes, 1, complete=False, apart=np.array([[0, 59_999]]))
    assert np.bincount(every).max() > 59_000
    assert every[0] != every[-1]


@pytest.mark.parametrize("value", [-1, 1.5, True, "2"])
def test_a_bound_that_is_none_is_named(value):
    with pytest.raises(ParameterError, match="max_distance"):
        link(np.zeros(2, np.uint64), value)
