from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hashlens.errors import ParameterError
from hashlens.neighbors import join
from hashlens.neighbors.join import Overfull, connected, count_pairs, pairs_between
from hashlens.neighbors.join import pairs as self_pairs
from suites import examples

SHAPES = ["uniform", "clustered", "equal", "skewed"]


def draw_codes(shape, count, words, seed=0):
    """Codes of some kind; all but the uniform ones have equal codes among them."""
    rng = np.random.default_rng(seed)
    if shape == "uniform":
        return rng.integers(0, 2**64, (count, words), dtype=np.uint64)
    if shape == "equal":
        return np.full((count, words), rng.integers(0, 2**64, dtype=np.uint64))
    if shape == "clustered":
        centres = rng.integers(0, 2**64, (max(1, count // 8), words), dtype=np.uint64)
        codes = centres[rng.integers(0, len(centres), count)]
        for _ in range(6):
            rows = np.flatnonzero(rng.random(count) < 0.5)
            bits = rng.integers(0, 64 * words, len(rows))
            codes[rows, bits // 64] ^= np.uint64(1) << (bits % 64).astype(np.uint64)
        return codes
    bits = rng.normal(size=(count, 4)) @ rng.normal(size=(4, 64 * words)) > 0
    return np.packbits(bits, axis=1).view(np.uint64)


def integers(codes):
    """Each code as one number."""
    rows = codes.tolist() if codes.ndim == 2 else codes[:, None].tolist()
    return [sum(word << 64 * place for place, word in enumerate(row)) for row in rows]


def oracle(first, second, limit):
    """All pairs of rows of two arrays with their distance, by pure Python."""
    others = list(enumerate(integers(second)))
    return {
        (a, b): distance
        for a, one in enumerate(integers(first))
        for b, other in others
        if (distance := (one ^ other).bit_count()) <= limit
    }


def self_oracle(codes, limit):
    found = oracle(codes, codes, limit)
    return {(a, b): distance for (a, b), distance in found.items() if a < b}


def collected(blocks):
    """Pairs of blocks as a dictionary; none may come twice."""
    found = [pair for block in blocks for pair in zip(*(x.tolist() for x in block), strict=True)]
    result = {(a, b): distance for a, b, distance in found}
    assert len(result) == len(found)
    return result


def sorted_pairs(found):
    return {(min(pair), max(pair)): distance for pair, distance in found.items()}


def compiled_paths(first, second, limit):
    """Blocks of pairs from each plan that there is."""
    from hashlens.neighbors import bands, buckets

    plans = [bands.brute_force(), bands.plan(first, second, limit)]
    plans += [bands.banded(first, second, limit, None, width) for width in (8, 12, 16)]
    for plan in plans:
        if plan.cost < np.inf or plan == bands.brute_force():
            yield buckets.close_pairs(first, second, limit, plan)


def columns(codes):
    return np.ascontiguousarray(np.unique(codes, axis=0).T)


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Have the public functions take one way and then the other."""
    monkeypatch.setattr(join, "SMALL", np.inf if request.param == "numpy" else 0)
    return request.param


class TestPaths:
    @settings(max_examples=examples(40))
    @given(
        st.sampled_from(SHAPES),
        st.integers(1, 60),
        st.sampled_from([1, 2, 4]),
        st.integers(0, 70),
        st.integers(0, 9),
    )
    def test_all_give_what_brute_force_gives(self, shape, count, words, limit, seed):
        codes = columns(draw_codes(shape, count, words, seed))
        others = columns(draw_codes(shape, 40, words, seed))
        expected = self_oracle(codes.T, limit)
        assert collected(join._compared(codes, None, limit)) == expected
        for blocks in compiled_paths(codes, None, limit):
            assert sorted_pairs(collected(blocks)) == expected
        expected = oracle(codes.T, others.T, limit)
        assert collected(join._compared(codes, others, limit)) == expected
        for blocks in compiled_paths(codes, others, limit):
            assert collected(blocks) == expected

    @pytest.mark.parametrize("limit", [0, 1, 3, 4, 8, 12, 20, 63, 64, 65, 128, 300])
    @pytest.mark.parametrize("words", [1, 2, 4])
    def test_all_distances(self, words, limit):
        codes = columns(draw_codes("clustered", 50, words))
        expected = self_oracle(codes.T, limit)
        limit = min(limit, 64 * words)
        assert collected(join._compared(codes, None, limit)) == expected
        for blocks in compiled_paths(codes, None, limit):
            assert sorted_pairs(collected(blocks)) == expected

    def test_more_codes_than_a_task_or_a_tile_takes(self):
        codes = columns(draw_codes("clustered", 6000, 1))
        expected = collected(join._compared(codes, None, 9))
        assert len(expected) > 6000
        for blocks in compiled_paths(codes, None, 9):
            assert sorted_pairs(collected(blocks)) == expected

    def test_more_pairs_than_there_is_room_for(self):
        from hashlens.neighbors import bands, buckets

        codes = columns(draw_codes("uniform", 1500, 1))
        blocks = list(buckets.close_pairs(codes, None, 64, bands.brute_force()))
        assert max(len(block[0]) for block in blocks) <= buckets.ROOM
        a, b = (np.concatenate(arrays) for arrays in list(zip(*blocks, strict=True))[:2])
        assert len(np.unique(np.minimum(a, b) * 1500 + np.maximum(a, b))) == len(a)
        assert len(a) == 1500 * 1499 // 2

    def test_wide_bands(self):
        from hashlens.neighbors import bands, buckets

        codes = columns(draw_codes("clustered", 300, 1))
        plan = bands.banded(codes, None, 4, None, 21)
        found = collected(buckets.close_pairs(codes, None, 4, plan))
        assert sorted_pairs(found) == self_oracle(codes.T, 4)

    def test_words_that_cancel_each_other(self, path):
        word = draw_codes("uniform", 80, 1)
        codes = np.hstack([word, word])
        codes = np.vstack([codes, codes[::-1]])
        assert collected(self_pairs(codes, 40)) == self_oracle(codes, 40)

    def test_codes_that_mix_to_one_number(self, monkeypatch):
        first = np.array([5, 9], np.uint64)
        mixed = (first ^ first >> np.uint64(32)) * join.ODD
        codes = np.stack([first, mixed], axis=1).repeat(20, axis=0)
        codes = codes[np.random.default_rng(0).permutation(40)]
        sorts = []
        lexsort = np.lexsort
        monkeypatch.setattr(np, "lexsort", lambda keys: sorts.append(1) or lexsort(keys))
        assert collected(self_pairs(codes, 0)) == self_oracle(codes, 0)
        assert sorts


class TestPlan:
    @pytest.mark.parametrize("shape", ["uniform", "clustered", "skewed"])
    def test_meetings_are_counted_exactly(self, shape):
        from hashlens.neighbors import bands

        keys, others = (draw_codes(shape, 300, 1, seed)[:, 0] % 256 for seed in (1, 2))
        sizes = [np.bincount(each.astype(np.int64), minlength=256) for each in (keys, others)]
        expected = Counter(np.bitwise_count(keys[:, None] ^ others).ravel().tolist())
        found = bands._meetings(*sizes)
        assert np.allclose(found, [expected[distance] for distance in range(9)])

    def test_radii_make_up_the_distance(self):
        from hashlens.neighbors import bands

        codes = columns(draw_codes("uniform", 5000, 4))
        for limit in (0, 4, 8, 20):
            plan = bands.plan(codes, None, limit)
            assert sum(band.radius + 1 for band in plan.bands) == limit + 1
            places = [
                (band.word, bit)
                for band in plan.bands
                for bit in range(band.shift, band.shift + band.width)
            ]
            assert len(set(places)) == len(places)

    def test_brute_force_where_bands_tell_nothing_apart(self):
        from hashlens.neighbors import bands

        codes = columns(draw_codes("uniform", 500, 1))
        assert bands.plan(codes, None, 50) == bands.brute_force()


class TestPairs:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("words", [1, 2, 4])
    def test_come_once_with_their_distance(self, path, shape, words):
        codes = draw_codes(shape, 120, words)
        for limit in (0, 3, 9):
            assert collected(self_pairs(codes, limit)) == self_oracle(codes, limit)
            assert count_pairs(codes, limit) == len(self_oracle(codes, limit))

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("words", [1, 2, 4])
    def test_of_two_sets(self, path, shape, words):
        first, second = draw_codes(shape, 90, words), draw_codes(shape, 60, words)
        second = np.vstack([second, first[:20], first[:3]])
        for limit in (0, 3, 9):
            assert collected(pairs_between(first, second, limit)) == oracle(first, second, limit)

    def test_of_equal_codes_come_in_blocks(self):
        blocks = self_pairs(np.zeros(1_000_000, np.uint64), 5)
        block = next(blocks)
        assert len(block.a) == join.BLOCK
        assert block.a[0] == 0
        assert block.b[0] == 1
        between = pairs_between(np.zeros(100_000, np.uint64), np.zeros(90_000, np.uint64), 5)
        assert len(next(between).a) == join.BLOCK

    @pytest.mark.parametrize("order", ["C", "F", "strided", "flat"])
    def test_of_any_memory_order(self, path, order):
        codes = draw_codes("clustered", 100, 1 if order == "flat" else 2)
        expected = self_oracle(codes, 6)
        given = {
            "C": codes,
            "F": np.asfortranarray(codes),
            "strided": np.repeat(codes, 2, axis=0)[::2],
            "flat": codes[:, 0],
        }[order]
        assert collected(self_pairs(given, 6)) == expected
        assert collected(pairs_between(given, codes, 6)) == oracle(codes, codes, 6)

    @pytest.mark.parametrize("shape", [(0,), (0, 1), (0, 4), (1,), (1, 4)])
    def test_of_no_codes_or_one(self, path, shape):
        codes = np.zeros(shape, np.uint64)
        assert collected(self_pairs(codes, 3)) == {}
        assert count_pairs(codes, 3) == 0
        assert collected(pairs_between(codes, np.zeros((0, *shape[1:]), np.uint64), 3)) == {}
        found = connected(codes, 3)
        assert found.labels.tolist() == [0] * len(codes)
        assert found.labels.dtype == np.int64
        assert (found.pairs, found.overfull) == (0, ())

    def test_types(self, path):
        block = next(self_pairs(draw_codes("clustered", 100, 4), 9))
        assert [array.dtype for array in block] == [np.int64, np.int64, np.uint16]

    def test_leaving_early_ends_the_threads(self, monkeypatch):
        monkeypatch.setattr(join, "SMALL", 0)
        before = threading.active_count()
        blocks = self_pairs(draw_codes("uniform", 2000, 1), 64)
        next(blocks)
        assert threading.active_count() > before
        blocks.close()
        assert threading.active_count() == before


class TestConnected:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("words", [1, 4])
    def test_labels_are_the_smallest_rows_of_components(self, path, shape, words):
        codes = draw_codes(shape, 200, words)
        for limit in (0, 2, 5, 12, 64 * words):
            expected = self_oracle(codes, limit)
            a, b = np.array(list(expected), np.int64).reshape(-1, 2).T
            graph = coo_array((np.ones(len(a)), (a, b)), shape=(200, 200))
            _, numbers = connected_components(graph, directed=False)
            _, smallest = np.unique(numbers, return_index=True)
            found = connected(codes, limit)
            assert found.labels.tolist() == smallest[numbers].tolist()
            assert found.pairs == len(expected)
            assert type(found.pairs) is int
            assert found.overfull == ()

    def test_long_chains(self, path):
        # Each differs from the next in one bit; in an order of no use.
        order = np.random.default_rng(0).permutation(64)
        chain = np.array([(1 << length) - 1 for length in range(64)], np.uint64)[order]
        assert set(connected(chain, 1).labels.tolist()) == {0}
        assert connected(chain, 1).pairs == 63

    def test_a_million_equal_codes(self):
        found = connected(np.full((1_000_000, 1), 7, np.uint64), 8)
        assert found.pairs == 1_000_000 * 999_999 // 2
        assert not found.labels.any()

    def test_a_cap_leaves_full_buckets_out_and_tells_of_them(self, monkeypatch):
        monkeypatch.setattr(join, "SMALL", 0)
        rng = np.random.default_rng(0)
        # A thousand codes that agree in all but the highest bits; the others are far apart.
        crowd = np.arange(1000, dtype=np.uint64) << np.uint64(54)
        codes = np.concatenate([crowd, rng.integers(0, 2**64, 1000, dtype=np.uint64), crowd])
        exact = connected(codes, 1)
        roomy = connected(codes, 1, max_bucket=2000)
        assert np.array_equal(roomy.labels, exact.labels)
        assert (roomy.pairs, roomy.overfull) == (exact.pairs, ())
        capped = connected(codes, 1, max_bucket=100)
        assert 0 < capped.pairs < exact.pairs
        assert capped.overfull
        assert all(type(each) is Overfull and each.size >= 1000 for each in capped.overfull)
        found = collected(self_pairs(codes, 1, max_bucket=100))
        assert len(found) == capped.pairs
        assert found.items() <= collected(self_pairs(codes, 1)).items()

    def test_a_cap_costs_no_pair_that_meets_elsewhere(self):
        from hashlens.neighbors import bands, buckets

        # The lowest band of all is the same; each pair is found by one of the others.
        codes = columns(draw_codes("clustered", 400, 1) & ~np.uint64(0xFFFF))
        plan = bands.banded(codes, None, 5, None, 16)
        assert plan.bands[0].shift == 0 or plan.bands[0].word == 0
        found = collected(buckets.close_pairs(codes, None, 5, plan, 399))
        expected = {
            pair: distance
            for pair, distance in self_oracle(codes.T, 5).items()
            if any(self.meet(codes, pair, band, 399) for band in plan.bands)
        }
        assert sorted_pairs(found) == expected

    @staticmethod
    def meet(codes, pair, band, cap):
        keys = codes[band.word] >> np.uint64(band.shift) & np.uint64((1 << band.width) - 1)
        one, other = keys[list(pair)]
        near = int(one ^ other).bit_count() <= band.radius
        return near and max((keys == one).sum(), (keys == other).sum()) <= cap


class TestErrors:
    @pytest.mark.parametrize("value", [-1, 1.5, "3", None, True, np.float64(2)])
    def test_a_distance_that_is_none(self, value):
        codes = np.zeros(3, np.uint64)
        for call in (self_pairs, count_pairs, connected):
            with pytest.raises(ParameterError, match=r"max_distance .* not "):
                call(codes, value)
        with pytest.raises(ParameterError, match=r"max_distance .* not "):
            pairs_between(codes, codes, value)

    @pytest.mark.parametrize("value", [0, -1, 1.5, "3", False])
    def test_a_cap_that_is_none(self, value):
        for call in (self_pairs, connected):
            with pytest.raises(ParameterError, match=r"max_bucket .* 1 or more, not "):
                call(np.zeros(3, np.uint64), 3, max_bucket=value)

    @pytest.mark.parametrize(
        "codes",
        [
            [1, 2],
            None,
            np.zeros(3, np.int64),
            np.zeros(3, ">u8"),
            np.zeros((), np.uint64),
            np.zeros((2, 2, 2), np.uint64),
            np.zeros((3, 0), np.uint64),
        ],
        ids=str,
    )
    def test_what_is_no_array_of_codes(self, codes):
        for call in (self_pairs, count_pairs, connected):
            with pytest.raises(ParameterError, match="codes"):
                call(codes, 3)

    def test_codes_of_unequal_words(self):
        with pytest.raises(ParameterError, match=r"1 words .* of 2"):
            pairs_between(np.zeros(3, np.uint64), np.zeros((3, 2), np.uint64), 3)

    def test_numpy_numbers_will_do(self):
        assert count_pairs(np.zeros(3, np.uint64), np.int32(2)) == 3


class TestProcess:
    def test_a_small_join_imports_no_numba(self):
        code = (
            "import sys, numpy as np; from hashlens.neighbors import join;"
            "join.connected(np.arange(5000, dtype=np.uint64), 3);"
            "assert 'numba' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_kernels_work_where_no_file_can_be_kept(self):
        code = (
            "import numba.core.caching as caching\n"
            "caching.CacheImpl._locator_classes = []\n"
            "import numpy as np; from hashlens.neighbors import kernels\n"
            "found = kernels.counting_sort(np.array([1, 0, 1], np.uint32), 2)\n"
            "assert found[0].tolist() == [1, 0, 2], found\n"
            "assert kernels.counting_sort.stats.cache_path is None\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_two_threads_at_once(self, monkeypatch):
        monkeypatch.setattr(join, "SMALL", 0)
        codes = draw_codes("clustered", 3000, 1)
        expected = connected(codes, 8)
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(connected(codes, 8))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        for each in found:
            assert each.pairs == expected.pairs
            assert np.array_equal(each.labels, expected.labels)
