"""Lookup, votes, alignment and the table, against plain Python and brute force."""

from __future__ import annotations

import cmath
import json
import math
import os
import re
import shutil
import weakref
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from drawing import draw
from hashlens import IndexingError, ParameterError
from hashlens.crops import geometry, keypoints, last_search, lookup, segments, table
from hashlens.crops.extract import extract, frame
from hashlens.crops.find import (
    MIRRORED_BETTER,
    CropMatch,
    CropQuery,
    candidates,
    find_matches,
)
from hashlens.crops.find import verify as verified
from hashlens.crops.geometry import Map, Points, align, fit, inverse, pairs
from hashlens.crops.keypoints import FULL, OCTAVE, PLACE, QUERY_SIDE, TURN, Keypoints
from hashlens.crops.likeness import measure_likeness
from hashlens.crops.lookup import ANGLE_BINS, SCALE_BINS, SCALE_STEP, Lookup, Near, votes
from hashlens.crops.table import Table
from suites import examples

IDENTITY = Map(1, 0, 0, 0)
SIZE = (400, 300)  # of pictures whose keypoints are made up
LARGE = (320, 240)  # of drawn pictures
PHOTOS = (
    "astronaut",
    "motorcycle_left",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "moon",
    "rocket",
    "text",
)


@pytest.fixture(scope="module")
def photos():
    """Photos that come with scikit-image, made smaller."""
    folder = Path(skimage.__file__).parent / "data"
    found = [next(folder.glob(f"{name}.*")) for name in PHOTOS]
    images = [Image.open(path).convert("RGB") for path in found]
    for image in images:
        image.thumbnail((400, 400))
    return images


def bits_between(a, b):
    return (int(a) ^ int(b)).bit_count()


def uint64(values):
    return np.array(list(values), np.uint64)


# Few values in each band, all within a few bits: buckets collide, and codes are near or not.
BAND_VALUES = st.sampled_from([0, 1, 3, 0x00FF, 0xFF00])
CODES = st.tuples(*[BAND_VALUES] * 4).map(
    lambda bands: sum(value << (16 * band) for band, value in enumerate(bands))
)
# One bit of each band, as `Keypoints.doubtful` has it.
DOUBTFUL = st.tuples(*[st.integers(0, 15)] * 4).map(
    lambda places: sum(1 << (16 * band + place) for band, place in enumerate(places))
)


def band_of(code, band):
    return (code >> (lookup.BAND_BITS * band)) & (2**lookup.BAND_BITS - 1)


def naive_near(codes, queries, doubtful, most):
    """Say the rule in plain Python: buckets for each value of each band, the oldest codes first."""
    found = {}
    for band in range(lookup.BANDS):
        buckets = defaultdict(list)
        for row, code in enumerate(codes):
            buckets[band_of(code, band)].append(row)
        for number, query in enumerate(queries):
            for probe in {query, query ^ (doubtful[number] if doubtful else 0)}:
                for row in buckets[band_of(probe, band)][:most]:
                    bits = bits_between(codes[row], query)
                    if bits <= lookup.MOST_BITS:
                        found[number, row] = bits
    return sorted((*pair, bits) for pair, bits in found.items())


def listed(near):
    return list(zip(*(values.tolist() for values in near), strict=True))


class TestLookup:
    @given(
        codes=st.lists(CODES, max_size=40),
        queries=st.lists(st.tuples(CODES, DOUBTFUL), max_size=8),
        with_doubtful=st.booleans(),
        most=st.sampled_from([1, 2, 5, 1000]),
    )
    def test_is_the_rule_in_plain_python(self, codes, queries, with_doubtful, most):
        asked = [query for query, _ in queries]
        doubtful = [flips for _, flips in queries] if with_doubtful else None
        made = Lookup(uint64(codes))
        made.max_bucket = most
        near = made.near(uint64(asked), None if doubtful is None else uint64(doubtful))
        assert listed(near) == naive_near(codes, asked, doubtful, most)

    @given(codes=st.lists(CODES, max_size=40), queries=st.lists(CODES, max_size=8))
    def test_is_sound_and_finds_all_that_share_a_band(self, codes, queries):
        found = listed(Lookup(uint64(codes)).near(uint64(queries)))
        expected = [
            (number, row, bits_between(code, query))
            for number, query in enumerate(queries)
            for row, code in enumerate(codes)
            if bits_between(code, query) <= lookup.MOST_BITS
            and any(band_of(code, band) == band_of(query, band) for band in range(lookup.BANDS))
        ]
        assert found == expected

    @given(
        code=st.integers(0, 2**64 - 1),
        flips=st.lists(st.integers(0, 63), unique=True, max_size=lookup.BANDS - 1),
    )
    def test_finds_a_code_that_differs_in_fewer_bits_than_there_are_bands(self, code, flips):
        other = code ^ sum(1 << place for place in flips)
        assert listed(Lookup(uint64([other])).near(uint64([code]))) == [(0, 0, len(flips))]

    @given(code=st.integers(0, 2**64 - 1), doubtful=DOUBTFUL)
    def test_finds_a_code_whose_doubtful_bits_are_all_others(self, code, doubtful):
        made = Lookup(uint64([code ^ doubtful]))
        assert listed(made.near(uint64([code]))) == []
        found = listed(made.near(uint64([code]), uint64([doubtful])))
        assert found == [(0, 0, lookup.BANDS)]

    def test_of_many_equal_codes_only_the_oldest_are_looked_at(self):
        made = Lookup(uint64([7] * 2000 + [8] + [7] * 10))
        near = made.near(uint64([7, 8]))
        assert (
            made.max_bucket == lookup.MOST_IN_BUCKET
        )  # few codes: the share of all of them is none
        # The code 8 has three bands of 7, whose buckets are full before it comes.
        assert near.rows[near.queries == 0].tolist() == list(range(made.max_bucket))
        assert near.rows[near.queries == 1].tolist() == [*range(made.max_bucket), 2000]

    def test_more_are_looked_at_where_there_are_more_codes(self):
        codes = np.arange(2**18, dtype=np.uint64) << np.uint64(1)
        assert Lookup(codes).max_bucket == lookup.MOST_IN_BUCKET + 4 * lookup.MOST_OVER_MEAN

    def test_nothing_is_found_among_nothing(self):
        none = uint64([])
        for codes, queries in ((none, none), (none, uint64([1])), (uint64([1]), none)):
            for doubtful in (None, queries):
                assert listed(Lookup(codes).near(queries, doubtful)) == []


def naive_votes(near, pictures, scaling, turning):
    """Say how votes are counted in plain Python: each query code votes once for a picture."""
    nearest = {}
    for place, (query, bits, picture) in enumerate(near):
        if (query, picture) not in nearest or bits < nearest[query, picture][0]:
            nearest[query, picture] = bits, place
    voted = Counter(query for query, _ in nearest)
    bins = defaultdict(float)
    for (query, picture), (bits, place) in nearest.items():
        scale = scaling[place] // SCALE_STEP + SCALE_BINS // 2
        scale = min(max(scale, 0), SCALE_BINS - 1)
        angle = turning[place] % TURN * ANGLE_BINS // TURN
        bins[picture, scale, angle] += (lookup.MOST_BITS + 1 - bits) ** 2 / voted[query]
    return {
        picture: max(
            sum(
                bins[picture, near_scale, near_angle % ANGLE_BINS]
                for near_scale in (scale - 1, scale)
                for near_angle in (angle - 1, angle)
            )
            for scale in range(SCALE_BINS)
            for angle in range(ANGLE_BINS)
        )
        for picture in sorted(set(pictures))
    }


def counted(rows):
    """Count the votes of (query, bits, picture, scaling, turning); return them by picture."""
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    queries, bits, pictures, scaling, turning = columns or [np.empty(0, np.int64)] * 5
    near = Near(queries, np.arange(len(queries)), bits.astype(np.uint8))
    found, sums = votes(near, pictures, scaling, turning)
    assert found.tolist() == sorted(set(pictures.tolist()))
    return dict(zip(found.tolist(), sums.tolist(), strict=True))


class TestVotes:
    @given(
        rows=st.lists(
            st.tuples(
                st.integers(0, 5),
                st.integers(0, lookup.MOST_BITS),
                st.integers(0, 4),
                st.integers(-255, 255)
                | st.sampled_from([-105, -104, -79, -78, -1, 0, 25, 26, 103, 104]),
                st.integers(-255, 255) | st.sampled_from([-256, -17, -16, -1, 0, 15, 16, 240]),
            ),
            max_size=40,
        )
    )
    def test_are_those_of_plain_python_ties_and_edges_included(self, rows):
        near = [row[:3] for row in rows]
        expected = naive_votes(near, *([row[n] for row in rows] for n in (2, 3, 4)))
        assert counted(rows) == pytest.approx(expected)

    def test_add_up_where_scale_and_angle_agree(self):
        full = (lookup.MOST_BITS + 1) ** 2
        agreeing = [(query, 0, 0, 5, 8) for query in range(10)]
        scattered = [(query, 0, 0, 60 * query - 255, 50 * query) for query in range(10)]
        assert counted(agreeing)[0] == 10 * full
        assert counted(scattered)[0] <= 3 * full

    def test_add_up_around_the_turn(self):
        full = (lookup.MOST_BITS + 1) ** 2
        for turning in ([255, 0], [-1, 0], [-1, 1], [255, -256]):
            rows = [(query, 0, 0, 0, steps) for query, steps in enumerate(turning)]
            assert counted(rows)[0] == 2 * full

    def test_beyond_the_scales_count_with_the_last_ones(self):
        full = (lookup.MOST_BITS + 1) ** 2
        assert counted([(0, 0, 0, 105, 0), (1, 0, 0, 255, 0)])[0] == 2 * full
        assert counted([(0, 0, 0, -105, 0), (1, 0, 0, -255, 0)])[0] == 2 * full
        assert counted([(0, 0, 0, -255, 0), (1, 0, 0, 255, 0)])[0] == full  # no wrapping round

    def test_a_code_that_is_everywhere_says_little(self):
        common = [(0, 0, picture, 0, 0) for picture in range(10)]
        found = counted([*common, (1, 0, 3, 0, 0)])
        assert found[3] > 10 * found[4]

    def test_of_nothing_are_none(self):
        assert counted([]) == {}


NEAR_CODES = st.lists(CODES | st.integers(0, 2**64 - 1), max_size=60)


class TestPairs:
    @given(left=NEAR_CODES, right=NEAR_CODES, most=st.sampled_from([3, 1000]))
    def test_are_those_of_plain_python(self, left, right, most):
        nearest = [
            (*min((bits_between(code, other), n) for n, other in enumerate(right)), number)
            for number, code in enumerate(left if right else ())
        ]
        expected, taken = [], set()
        for bits, other, number in sorted(nearest, key=lambda item: (item[0], item[2])):
            if bits <= geometry.MOST_BITS and other not in taken:
                taken.add(other)
                expected.append((number, other))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(geometry, "MOST_PAIRS", most)
            found = [values.tolist() for values in pairs(uint64(left), uint64(right))]
        assert list(zip(*found, strict=True)) == expected[:most]

    def test_are_one_to_one_and_no_more_than_enough(self):
        codes = np.random.default_rng(1).integers(0, 2**64, 300, np.uint64)
        left, right = pairs(codes, codes[::-1])
        assert len(left) == geometry.MOST_PAIRS
        assert (codes[left] == codes[::-1][right]).all()
        assert len(set(right.tolist())) == len(right)

    def test_are_never_far_apart(self):
        code = uint64([0])
        within, beyond = 2**geometry.MOST_BITS - 1, 2 ** (geometry.MOST_BITS + 1) - 1
        assert [len(values) for values in pairs(code, uint64([within]))] == [1, 1]
        assert [len(values) for values in pairs(code, uint64([beyond]))] == [0, 0]


def turned(angle, scale=1.0):
    return cmath.rect(scale, math.radians(angle))


def scattered(seed, count=60, spread=(0.05, 0.95)):
    """Make up keypoints, all of them different from each other."""
    random = np.random.default_rng(seed)
    places = np.zeros(count, PLACE)
    least, most = spread
    places["x"] = random.uniform(least, most, count) * FULL
    places["y"] = random.uniform(least, most, count) * FULL * SIZE[1] / SIZE[0]
    places["scale"] = random.integers(100, 160, count)
    places["angle"] = random.integers(0, TURN, count)
    return Keypoints(random.integers(0, 2**64, count, np.uint64), places, SIZE, b"")


def complex_places(keypoints):
    return (keypoints.places["x"] + 1j * keypoints.places["y"]) / FULL


def seen_through(found, keypoints, seed, *, wrong=0.0, noise=0.0, mirrored=False):
    """Return keypoints as a map takes them, some bits other, and a share of them elsewhere."""
    random = np.random.default_rng(seed)
    count = len(keypoints.codes)
    angles = np.exp(2j * np.pi / TURN * keypoints.places["angle"])
    before = complex_places(keypoints)
    if mirrored:
        angles, before = angles.conj(), before.conj() + 1j * SIZE[1] / SIZE[0]
    at = found(before) + noise * (random.normal(size=count) + 1j * random.normal(size=count))
    directions = found.turn * angles + found.shear * angles.conj()
    larger = math.log2(abs(abs(found.turn) ** 2 - abs(found.shear) ** 2)) / 2
    places = keypoints.places.copy()
    places["x"] = np.clip(np.rint(at.real * FULL), 0, FULL)
    places["y"] = np.clip(np.rint(at.imag * FULL), 0, FULL)
    places["scale"] = np.rint(
        keypoints.places["scale"] + OCTAVE * larger + random.normal(size=count)
    )
    degrees = np.angle(directions) + 0.05 * random.normal(size=count)
    places["angle"] = np.rint(degrees * TURN / (2 * np.pi)).astype(int) % TURN
    lost = random.permutation(count)[: round(wrong * count)]
    for axis in ("x", "y"):
        places[axis][lost] = random.uniform(0, SIZE[0 if axis == "x" else 1], len(lost)) * (
            FULL / SIZE[0]
        )
    places["scale"][lost] = random.integers(60, 200, len(lost))
    places["angle"][lost] = random.integers(0, TURN, len(lost))
    flips = random.integers(0, 64, (count, 5))
    codes = keypoints.codes.copy()
    for column in flips.T:
        codes ^= np.uint64(1) << column.astype(np.uint64)
    return Keypoints(codes, places, SIZE, b"")


def aligned(query, candidate):
    return align(Points.of(query), Points.of(candidate))


CORNERS = np.array([0, 1, 1 + 0.75j, 0.75j])
SIMILARITIES = {
    "shifted": Map(1, 0, 0.1 - 0.05j, 0),
    "smaller": Map(turned(0, 0.4), 0, 0.3 + 0.2j, 0),
    "larger": Map(turned(0, 1.9), 0, -0.4 - 0.3j, 0),
    "turned a little": Map(turned(12, 0.8), 0, 0.15 + 0.05j, 0),
    "turned around": Map(turned(180, 0.7), 0, 0.8 + 0.6j, 0),
    "turned left, smaller": Map(turned(-90, 0.5), 0, 0.2 + 0.6j, 0),
}
AFFINE = {
    "wider": Map(turned(0, 0.8), turned(0, 0.16), 0.05 + 0.1j, 0),  # by 1.5
    "wider and turned": Map(turned(30, 0.6), turned(70, 0.1), 0.3 + 0.1j, 0),
    "sheared": Map(turned(-10, 0.7), turned(45, 0.07), 0.2 + 0.2j, 0),
}


class TestAlign:
    @pytest.mark.parametrize("name", [*SIMILARITIES, *AFFINE])
    @pytest.mark.parametrize("seed", range(5))
    def test_recovers_a_map_among_noise_and_outliers(self, name, seed):
        wanted = (SIMILARITIES | AFFINE)[name]
        query = scattered(seed, 100, (0.3, 0.7) if name == "larger" else (0.2, 0.8))
        candidate = seen_through(wanted, query, seed, wrong=0.6, noise=0.001)
        found = aligned(query, candidate)
        assert found is not None
        assert np.abs(found(CORNERS) - wanted(CORNERS)).max() < 0.02
        assert 34 <= found.inliers <= 44  # 40, but for chance and for places that coincide

    @pytest.mark.parametrize("seed", range(5))
    def test_refuses_what_is_mirrored(self, seed):
        query = scattered(seed)
        for wanted in SIMILARITIES.values():
            assert aligned(query, seen_through(wanted, query, seed, mirrored=True)) is None

    @pytest.mark.parametrize("seed", range(20))
    def test_refuses_pairs_that_agree_on_nothing(self, seed):
        query = scattered(seed)
        assert aligned(query, seen_through(IDENTITY, query, seed, wrong=1)) is None

    def test_refuses_too_few(self):
        query = scattered(1)
        for count in range(geometry.LEAST_INLIERS + 2):
            part = Keypoints(query.codes[:count], query.places[:count], SIZE, b"")
            found = aligned(part, query)
            if count < geometry.LEAST_INLIERS:
                assert found is None
            else:
                assert found is not None
                assert found.inliers == count
        nothing = Keypoints(query.codes[:0], query.places[:0], SIZE, b"")
        assert aligned(nothing, nothing) is None

    def test_counts_many_keypoints_at_one_place_once(self):
        query = scattered(2, 40)
        spots = np.array([0.1 + 0.1j, 0.9 + 0.1j, 0.9 + 0.6j, 0.1 + 0.6j, 0.5 + 0.3j])
        for count in range(1, len(spots) + 1):
            near = spots[np.arange(40) % count] + 0.001
            query.places["x"], query.places["y"] = near.real * FULL, near.imag * FULL
            found = aligned(query, query)
            if count < geometry.LEAST_INLIERS:
                assert found is None
            else:
                assert found is not None
                assert found.inliers == count

    def test_does_not_depend_on_chance(self):
        query = scattered(3)
        candidate = seen_through(SIMILARITIES["turned a little"], query, 3, wrong=0.6, noise=0.002)
        assert aligned(query, candidate) == aligned(query, candidate)


MADE_UP = st.lists(  # keypoints of a picture: code, scale and angle
    st.tuples(CODES, st.integers(0, 255), st.integers(0, TURN - 1)), max_size=6
)


def made_up(values):
    """Make keypoints of codes, scales and angles, all of them at one place."""
    places = np.zeros(len(values), PLACE)
    places["scale"], places["angle"] = [v[1] for v in values], [v[2] for v in values]
    return Keypoints(uint64(v[0] for v in values), places, SIZE, b"")


def ranked(held, query):
    found = candidates(held, query)
    return [int(segment.pictures["position"][number]) for segment, number in found]


class TestCandidates:
    @given(
        pictures=st.lists(st.tuples(MADE_UP, st.booleans(), st.booleans()), max_size=12),
        query=MADE_UP,
    )
    def test_are_the_pictures_with_votes_however_they_are_stored(self, pictures, query):
        gone = [number for number, (_, is_gone, _) in enumerate(pictures) if is_gone]
        near = []
        for picture, (values, is_gone, _) in enumerate(pictures):
            codes = [[code for code, *_ in side] for side in (values, query)]
            for number, row, bits in () if is_gone else naive_near(*codes, None, 1000):
                steps = (values[row][n] - query[number][n] for n in (1, 2))
                near.append((number, bits, picture, *steps))
        expected = naive_votes(
            [item[:3] for item in near], *([item[n] for item in near] for n in (2, 3, 4))
        )
        stored = [(n, n, made_up(values)) for n, (values, *_) in enumerate(pictures)]
        apart = Table()
        begins = [0, *(n for n, (*_, begins) in enumerate(pictures) if begins and n), len(pictures)]
        for start, end in pairwise(begins):
            apart = apart.plus(stored[start:end])
        found = ranked(apart.minus(gone), made_up(query))
        assert sorted(found) == sorted(expected)
        votes_found = [expected[position] for position in found]
        assert votes_found == pytest.approx(sorted(votes_found, reverse=True))
        assert found == ranked(Table().plus(stored).minus(gone), made_up(query))


PLACES = st.complex_numbers(max_magnitude=2, allow_nan=False, allow_infinity=False)


@st.composite
def affine_maps(draw_one):
    size = draw_one(st.floats(0.1, 8))
    stretch = draw_one(st.floats(1, 1.5))  # large : small = (1 + r) : (1 - r)
    shear = size * (stretch - 1) / (stretch + 1)
    turn = cmath.rect(size, draw_one(st.floats(-math.pi, math.pi)))
    return Map(turn, cmath.rect(shear, draw_one(st.floats(-math.pi, math.pi))), draw_one(PLACES), 5)


class TestMaps:
    @given(found=affine_maps(), places=st.lists(PLACES, min_size=1, max_size=9))
    def test_the_inverse_takes_places_back(self, found, places):
        places = np.array(places)
        assert inverse(found)(found(places)) == pytest.approx(places, abs=1e-9)
        assert found(inverse(found)(places)) == pytest.approx(places, abs=1e-9)
        assert inverse(found).inliers == found.inliers

    @given(wanted=affine_maps(), seed=st.integers(0, 999))
    def test_a_fit_through_exact_places_is_the_map(self, wanted, seed):
        source = complex_places(scattered(seed, 12))
        found = fit(source, wanted(source), affine=True)
        assert found is not None
        assert found(CORNERS) == pytest.approx(wanted(CORNERS), abs=1e-6)
        similar = wanted._replace(shear=0)
        found = fit(source, similar(source), affine=False)
        assert found is not None
        assert found(CORNERS) == pytest.approx(similar(CORNERS), abs=1e-6)
        assert found.shear == 0

    @given(wanted=affine_maps(), seed=st.integers(0, 999))
    def test_a_fit_is_the_best_in_least_squares(self, wanted, seed):
        source = complex_places(scattered(seed, 12))
        random = np.random.default_rng(seed)
        target = wanted(source) + 0.01 * (random.normal(size=12) + 1j * random.normal(size=12))
        found = fit(source, target, affine=False)
        least = np.abs(found(source) - target) @ np.abs(found(source) - target)
        for name in ("turn", "shift"):
            for step in (1e-4, -1e-4, 1e-4j, -1e-4j):
                away = np.abs(
                    found._replace(**{name: getattr(found, name) + step})(source) - target
                )
                assert away @ away >= least - 1e-12

    def test_a_fit_mirrors_and_stretches_nothing_and_needs_places_apart(self):
        source = complex_places(scattered(4, 12))
        assert fit(source, source.conj(), affine=True) is None
        wide = source.real * 2 + 1j * source.imag
        assert fit(source, wide, affine=True) is None
        assert fit(source, source.real * 1.5 + 1j * source.imag, affine=True) is not None
        on_a_line = source.real + 0j
        assert fit(on_a_line, on_a_line, affine=True) is None
        assert fit(on_a_line, on_a_line, affine=False) is not None
        for affine in (False, True):
            assert fit(source[:1].repeat(5), source[:5], affine=affine) is None


def grey(image):
    return frame(image)


def alike(query, picture, found=IDENTITY):
    return measure_likeness(found, grey(query), grey(picture))


class TestCompare:
    @pytest.mark.parametrize("size", [LARGE, (240, 320), (90, 61), (400, 120)])
    def test_a_picture_is_like_itself(self, size):
        assert alike(draw(1, size), draw(1, size)) == pytest.approx((1, 1))

    @pytest.mark.parametrize("sort", [ImageEnhance.Brightness, ImageEnhance.Contrast])
    @pytest.mark.parametrize("factor", [0.5, 1.3])
    def test_a_picture_is_like_one_brighter_or_with_other_contrast(self, sort, factor):
        found = alike(sort(draw(1, LARGE)).enhance(factor), draw(1, LARGE))
        assert found.correlation > 0.95
        assert found.agreement > 0.9

    def test_a_smaller_copy_is_like_the_picture(self):
        found = alike(draw(1, LARGE).resize((80, 60)), draw(1, LARGE))
        assert found.correlation > 0.97
        assert found.agreement == 1

    @pytest.mark.parametrize("degrees", [0, 20, 90])
    def test_a_crop_is_like_its_place(self, degrees):
        picture = draw(2, LARGE)
        left, top, width, height = 60, 40, 160, 120
        turned_picture = picture.rotate(degrees, Image.Resampling.BICUBIC, center=(140, 100))
        query = turned_picture.crop((left, top, left + width, top + height))
        turn = turned(degrees, width / LARGE[0])
        middle, aim = 0.5 + 0.375j, (140 + 100j) / LARGE[0]
        found = Map(turn, 0, aim - turn * middle, 0)
        assert alike(query, picture, found).correlation > 0.97
        assert alike(query, picture, found).agreement == 1

    def test_others_are_not_alike(self, photos):
        found = [alike(a, b) for number, a in enumerate(photos) for b in photos[:number]]
        assert max(abs(one.correlation) for one in found) < 0.4
        assert np.mean([one.correlation for one in found]) == pytest.approx(0, abs=0.1)
        assert max(one.agreement for one in found) < 0.15

    def test_a_caption_spoils_what_it_covers_and_no_more(self):
        picture = draw(3, LARGE)
        captioned = picture.copy()
        # The lowest of four rows of blocks, but for what they share with the next at their edge.
        captioned.paste("white", (0, 185, 320, 240))
        found = alike(captioned, picture)
        assert found.agreement == 12 / 16
        assert 0.6 < found.correlation < 0.8
        assert alike(picture, captioned).agreement == 12 / 16

    @pytest.mark.parametrize("shades", [(0, 0), (0, 255), (128, 130)])
    def test_flat_pictures_are_like_nothing(self, shades):
        flat = [Image.new("L", LARGE, shade) for shade in shades]
        assert alike(*flat) == (0, 0)
        assert alike(flat[0], draw(1, LARGE)) == (0, 0)
        assert alike(draw(1, LARGE), flat[0]) == (0, 0)

    @pytest.mark.parametrize("shift", [1, -1, 0.75j, -0.75j, 5 + 5j, 1e9])
    def test_pictures_that_do_not_overlap_are_not_alike(self, shift):
        picture = draw(1, LARGE)
        assert alike(picture, picture, IDENTITY._replace(shift=shift)) == (0, 0)

    def test_one_row_of_pixels_is_like_nothing(self):
        for size in ((1, 1), (200, 1), (1, 200)):
            found = alike(draw(1, size), draw(1, size))
            assert 0 <= found.agreement <= 1
            assert alike(Image.new("L", size), draw(1, size)) == (0, 0)


def asked(image):
    return CropQuery(frame(image, side=QUERY_SIDE), image.size)


def table_of(images, start=0):
    """Make a table of pictures, at positions from `start` on, their rows a hundred more."""
    found = [extract(frame(image), image.size, 200) for image in images]
    return Table().plus((start + n, 100 + start + n, item) for n, item in enumerate(found))


def exhaustive(pictures, query):
    """Verify all pictures of a table both ways, whoever voted for them."""
    found = []
    for segment in pictures.segments:
        for number, picture in enumerate(segment.pictures):
            if picture["position"] in pictures.gone:
                continue
            places = {}
            for mirrored in (False, True):
                seen = query.mirrored() if mirrored else query
                points = Points.of(seen.keypoints)
                place = verified(seen, points, segment.keypoints(number), mirrored=mirrored)
                if place:
                    places[place.correlation - mirrored * MIRRORED_BETTER, not mirrored] = place
            if places:
                place = places[max(places)]
                found.append(CropMatch(int(picture["position"]), int(picture["row"]), place))
    return sorted(found, key=lambda item: (-item.place.correlation, item.position))


def cut(image, left, top, right, bottom):
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )


@pytest.fixture(scope="module")
def pictures(photos):
    """A table of photos and drawn pictures, in two segments, fewer than are verified at once."""
    half = [*photos, *(draw(seed, LARGE) for seed in range(4))]
    first, second = table_of(half[:7]), table_of(half[7:], start=7)
    return Table((*first.segments, *second.segments))


class TestFind:
    @pytest.mark.parametrize("part", [(0, 0, 1, 1), (0.1, 0.2, 0.7, 0.9), (0.4, 0.3, 0.95, 0.8)])
    def test_is_what_verifying_all_pictures_gives(self, photos, pictures, part):
        for number, photo in enumerate(photos):
            crop = cut(photo, *part)
            query = asked(crop)
            found = find_matches(pictures, query, 1000)
            assert found == exhaustive(pictures, query)
            assert [(item.position, item.row) for item in found] == [(number, 100 + number)]
            how = (crop.rotate(8, expand=True), crop.transpose(0), crop.resize((150, 120)))
            query = asked(how[number % 3])
            assert find_matches(pictures, query, 1000) == exhaustive(pictures, query)

    def test_is_what_verifying_all_pictures_gives_where_several_match(self, photos, pictures):
        sheet = Image.new("RGB", (800, 600), "white")
        for place, photo in zip(
            ((0, 0), (410, 0), (0, 310), (410, 310)), photos[::2], strict=False
        ):
            small = photo.copy()
            small.thumbnail((380, 290))
            sheet.paste(small, place)
        query = asked(sheet)
        expected = exhaustive(pictures, query)
        assert len(expected) >= 3
        for limit in (1, 2, len(expected), 1000):
            assert find_matches(pictures, query, limit) == expected[:limit]

    def test_of_what_is_nowhere_is_nothing(self, photos, pictures):
        for image in (draw(50, LARGE), Image.new("L", LARGE), Image.new("L", (1, 1))):
            assert (
                find_matches(pictures, asked(image), 10) == exhaustive(pictures, asked(image)) == []
            )
        assert find_matches(Table(), asked(photos[0]), 10) == []

    def test_tells_the_place_in_pixels(self, photos, pictures):
        for photo in photos:
            width, height = photo.size
            box = tuple(
                round(share * side)
                for share, side in zip((0.2, 0.1, 0.8, 0.9), 2 * photo.size, strict=True)
            )
            crop = photo.crop(box)
            place = find_matches(
                pictures, asked(crop.resize((crop.width * 2, crop.height * 2))), 1
            )[0].place
            assert place.box == pytest.approx(box, abs=3)
            assert place.fractions == tuple(
                side / whole for side, whole in zip(place.box, 2 * (width, height), strict=True)
            )
            matrix = np.array(place.transform)
            for corner, (x, y) in zip(place.outline, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
                mapped = matrix @ (x * 2 * crop.width, y * 2 * crop.height, 1)
                assert tuple(mapped) == pytest.approx(corner)
            assert matrix[:, :2] == pytest.approx(np.eye(2) / 2, abs=0.02)

    def test_finds_the_mirrored_picture_beside_the_picture_itself(self, photos):
        photo = photos[3]
        both = table_of([photos[0], photo, photo.transpose(0)])
        query = asked(cut(photo, 0.1, 0.1, 0.8, 0.9))
        found = find_matches(both, query, 10)
        assert {item.position: item.place.mirrored for item in found} == {1: False, 2: True}
        assert found == exhaustive(both, query)
        found = find_matches(both.minus([1]), query, 10)
        assert [(item.position, item.place.mirrored) for item in found] == [(2, True)]
        corner = np.array(found[0].place.transform) @ (0, 0, 1)
        assert corner == pytest.approx((0.9 * photo.width, 0.1 * photo.height), abs=4)

    def test_every_picture_finds_its_mirror_and_its_upright_copies(self, photos):
        mirrors = [photo.transpose(0) for photo in photos]
        copies = [photo.resize((photo.width // 2, photo.height // 2)) for photo in photos]
        every = [*photos, *mirrors, *copies]
        held, count = table_of(every), len(photos)
        for number, image in enumerate(every):
            query = asked(image)
            found = find_matches(held, query, 1000)
            places = {item.position: item.place.mirrored for item in found}
            for other in (number % count, number % count + count, number % count + 2 * count):
                is_mirror = (count <= number < 2 * count) != (count <= other < 2 * count)
                assert places[other] == is_mirror
            for limit in (1, 2, 3):
                assert find_matches(held, query, limit) == found[:limit]

    def test_a_symmetric_picture_is_found_as_it_is(self, photos):
        photo = photos[4]
        half = photo.crop((0, 0, photo.width // 2, photo.height))
        whole = Image.new("RGB", (2 * half.width, half.height))
        whole.paste(half)
        whole.paste(half.transpose(0), (half.width, 0))
        (found,) = find_matches(table_of([whole]), asked(whole), 10)
        assert not found.place.mirrored
        assert found.place.correlation == pytest.approx(1, abs=0.02)

    @pytest.mark.parametrize("size", [(320, 240), (241, 320), (401, 203)])
    def test_mirrored_keypoints_are_those_of_the_mirrored_picture(self, photos, size):
        for photo in photos:
            query = asked(photo.resize(size))
            ours, theirs = query.mirrored(), asked(photo.resize(size).transpose(0))
            assert (ours.frame == theirs.frame).all()
            found = align(Points.of(ours.keypoints), Points.of(theirs.keypoints))
            assert found is not None
            assert found.turn == pytest.approx(1, abs=0.01)
            assert abs(found.shift) < 0.01
            bits = np.bitwise_count(ours.keypoints.codes[:, None] ^ theirs.keypoints.codes)
            assert (bits.min(axis=1) <= 8).mean() > 0.9

    def test_a_picture_mirrored_twice_is_the_picture(self, photos):
        query = asked(photos[1])
        again = query.mirrored().mirrored()
        assert (again.frame == query.frame).all()
        assert (again.keypoints.codes == query.keypoints.codes).all()
        # The one of FULL + 1 places that a picture of odd width maps beyond its border is clipped.
        assert abs(complex_places(again.keypoints) - complex_places(query.keypoints)).max() < 1e-4
        assert (again.keypoints.places["angle"] == query.keypoints.places["angle"]).all()

    def test_finds_all_copies_beyond_a_batch_and_keeps_to_the_limit(self, photos):
        copies = table_of([*photos[:3], *[photos[3]] * 30, *photos[4:]])
        query = asked(cut(photos[3], 0.1, 0.1, 0.9, 0.9))
        found = find_matches(copies, query, 1000)
        assert [item.position for item in found] == list(range(3, 33))
        assert found == exhaustive(copies, query)
        for limit in (1, 5, 20, 21, 30):
            assert len(find_matches(copies, query, limit)) == limit
        assert {item.position for item in find_matches(copies, query, 25)} <= set(range(3, 33))

    def test_leaves_out_what_is_gone(self, photos, pictures):
        query = asked(photos[2])
        assert [item.position for item in find_matches(pictures, query, 10)] == [2]
        assert find_matches(pictures.minus([2]), query, 10) == []

    def test_what_was_found_belongs_to_results_with_its_rows_and_scores(self, photos, pictures):
        answers = [find_matches(pictures, asked(photos[n]), 10) for n in (1, 2)]
        last_search.remember(answers)
        results = [last_search.scored(answer) for answer in answers]
        assert results[0] == [(101, answers[0][0].place.correlation)]
        assert last_search.places(results) == {
            101: answers[0][0].place,
            102: answers[1][0].place,
        }
        assert last_search.places(results[1:]) == {102: answers[1][0].place}
        assert last_search.places([[(101, 0.123)], []]) == {}


def content_of(held):
    """Return what a table holds by position, as plain values."""
    found = {}
    for segment in held.segments:
        for number, picture in enumerate(segment.pictures):
            if picture["position"] not in held.gone:
                item = segment.keypoints(number)
                found[int(picture["position"])] = (int(picture["row"]), *plain(item))
    return found


def plain(item):
    return item.codes.tolist(), item.places.tolist(), item.size, item.thumbnail


def some(position):
    """Make up a picture: few keypoints, or none, and a thumbnail, or none."""
    return (
        position,
        1000 + position,
        scattered(position, position * 7 % 5)._replace(
            thumbnail=b"x" * (position * 3 % 4), size=(position + 1, 2)
        ),
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("plus"), st.integers(0, 6)),
        st.tuples(st.just("minus"), st.lists(st.integers(-1, 40), max_size=8)),
        st.tuples(st.just("save"), st.booleans()),
        st.tuples(st.just("load"), st.none()),
    ),
    max_size=14,
)


class TestTable:
    @settings(max_examples=examples(60))
    @given(steps=STEPS)
    def test_holds_what_was_added_and_not_deleted_however_it_was_saved(self, steps):
        held, expected, following, saved, kept = Table(), {}, 0, 0, None
        with TemporaryDirectory() as home:
            for step, value in steps:
                if step == "plus":
                    added = [some(following + n) for n in range(value)]
                    following += value
                    held = held.plus(added)
                    expected |= {position: (row, *plain(item)) for position, row, item in added}
                elif step == "minus":
                    held = held.minus(value)
                    expected = {n: item for n, item in expected.items() if n not in value}
                elif step == "save":
                    held = held.save(Path(home, str(saved)), "x")
                    kept = dict(expected)
                    if value:  # as a commit does: put in place of the one before
                        shutil.rmtree(Path(home, "place"), ignore_errors=True)
                        os.replace(Path(home, str(saved)), Path(home, "place"))
                        held.moved(Path(home, "place"))
                    at = Path(home, "place" if value else str(saved))
                    saved += 1
                elif kept is not None:
                    held, expected = Table.load(at)[0], dict(kept)
                assert content_of(held) == expected
                assert len(held) == len(expected)
            rows = [row for row, *_ in expected.values()]
            assert {row: plain(item) for row, item in held.keypoints(rows)} == {
                row: tuple(item) for row, *item in expected.values()
            }

    def test_is_never_changed(self):
        first = Table().plus([some(0), some(1)])
        second = first.plus([some(2)])
        third = second.minus([0])
        assert [len(held) for held in (first, second, third)] == [2, 3, 2]
        assert list(content_of(first)) == [0, 1]
        assert list(content_of(second)) == [0, 1, 2]

    def test_a_load_gives_what_was_saved(self, tmp_path):
        held = Table().plus(some(n) for n in range(20)).minus([3, 4])
        saved = held.save(tmp_path / "a", "an extractor")
        loaded, extractor = Table.load(tmp_path / "a")
        assert extractor == "an extractor"
        assert content_of(loaded) == content_of(saved) == content_of(held)
        assert Table.load(tmp_path / "a")[0].segments[0].folder == tmp_path / "a" / "0000"
        Table().save(tmp_path / "none", "x")
        assert len(Table.load(tmp_path / "none")[0]) == 0

    def test_many_small_saves_end_in_few_segments_and_answer_alike(self, tmp_path):
        items = [(n, n, scattered(n, 20)) for n in range(50)]
        query = scattered(33, 20)
        at_once = Table().plus(items)
        expected = ranked(at_once, query)
        assert expected[0] == 33
        held, most = Table(), 0
        for number, item in enumerate(items):
            held = held.plus([item]).save(tmp_path / str(number), "x")
            most = max(most, len(held.segments))
            if number:
                shutil.rmtree(tmp_path / str(number - 1))
        assert most <= 6
        assert len(list((tmp_path / "49").iterdir())) - 1 == len(held.segments)
        assert ranked(held, query) == ranked(Table.load(tmp_path / "49")[0], query) == expected
        assert content_of(held) == content_of(at_once)

    def test_a_large_segment_is_not_written_again_for_a_few_more(self, tmp_path):
        first = Table().plus((n, n, scattered(n, 5)) for n in range(100)).save(tmp_path / "a", "x")
        second = first.plus([(100, 100, scattered(100, 5))]).save(tmp_path / "b", "x")
        assert [len(segment) for segment in second.segments] == [100, 1]
        for name in ("codes", "places", "pictures", "thumbnails"):
            before, after = (tmp_path / at / "0000" / f"{name}.npy" for at in "ab")
            assert os.path.samefile(before, after)

    def test_a_save_works_where_the_old_folder_is_gone(self, tmp_path):
        first = Table().plus((n, n, scattered(n, 5)) for n in range(100)).save(tmp_path / "a", "x")
        shutil.rmtree(tmp_path / "a")
        second = first.plus([(100, 100, scattered(100, 5))]).save(tmp_path / "b", "x")
        loaded = Table.load(tmp_path / "b")[0]
        assert list(content_of(loaded)) == list(range(101))
        assert content_of(loaded) == content_of(second)

    def test_a_save_links_nothing_that_another_has_put_there(self, tmp_path):
        first = Table().plus((n, n, scattered(n, 5)) for n in range(100)).save(tmp_path / "a", "x")
        Table().plus([(500, 500, scattered(500, 3))]).save(tmp_path / "other", "x")
        shutil.rmtree(tmp_path / "a")
        os.replace(tmp_path / "other", tmp_path / "a")
        first.plus([(100, 100, scattered(100, 5))]).save(tmp_path / "b", "x")
        assert list(content_of(Table.load(tmp_path / "b")[0])) == list(range(101))

    def test_what_is_mostly_deleted_is_written_again_without_it(self, tmp_path):
        held = Table().plus((n, n, scattered(n, 50)) for n in range(100)).save(tmp_path / "a", "x")
        few, most = held.minus(range(30)), held.minus(range(70))
        few = few.save(tmp_path / "few", "x")
        most = most.save(tmp_path / "most", "x")
        assert os.path.samefile(*(tmp_path / at / "0000" / "codes.npy" for at in ("a", "few")))
        size = [(tmp_path / at / "0000" / "codes.npy").stat().st_size for at in ("a", "most")]
        assert size[1] < size[0] / 2
        assert few.gone.tolist() == list(range(30))
        assert most.gone.tolist() == []
        for name, held_now in (("few", few), ("most", most)):
            loaded = Table.load(tmp_path / name)[0]
            assert content_of(loaded) == content_of(held_now)
            assert 10 not in ranked(loaded, scattered(10, 50))
        assert ranked(most, scattered(80, 50))[0] == 80

    def test_a_deleted_picture_is_gone_for_good(self, tmp_path):
        query = scattered(5, 20)
        held = Table().plus((n, n, scattered(n, 20)) for n in range(10)).minus([5])
        for number in range(6):
            held = held.save(tmp_path / str(number), "x")
            held = Table.load(tmp_path / str(number))[0] if number % 2 else held
            assert 5 not in ranked(held, query)
            held = held.plus([(10 + number, 10 + number, scattered(10 + number, 20))])
        assert list(content_of(held)) == [0, 1, 2, 3, 4, *range(6, 16)]

    def test_an_index_that_is_loaded_anew_has_its_lookup_tables(self, tmp_path):
        first = Table().plus((n, n, scattered(n, 5)) for n in range(100)).save(tmp_path / "a", "x")
        again = Table.load(tmp_path / "a")[0]
        made = again.segments[0].lookup
        assert Table.load(tmp_path / "a")[0].segments[0].lookup is made
        first.plus([(100, 100, scattered(100, 5))]).save(tmp_path / "b", "x")
        later = Table.load(tmp_path / "b")[0]
        assert later.segments[0].lookup is made
        assert later.segments[1].lookup is not made

    def test_lookup_tables_are_not_kept_for_ever(self, tmp_path):
        held = Table().plus([(0, 0, scattered(0, 5))]).save(tmp_path / "a", "x")
        made = weakref.ref(held.segments[0].lookup)
        assert made() in segments._tables.values()
        del held
        assert made() is None

    @pytest.mark.parametrize(
        ("file", "damage"),
        [
            ("manifest.json", None),
            ("manifest.json", b"{broken"),
            ("manifest.json", b"\xff\xfe"),
            ("manifest.json", b"[]"),
            ("manifest.json", b"{}"),
            ("manifest.json", b'{"layout": 99}'),
            ("manifest.json", b'{"layout": 1, "segments": 3, "gone": [], "extractor": ""}'),
            ("0000/codes.npy", None),
            ("0000/codes.npy", b"no array"),
            ("0000/places.npy", None),
            ("0000/pictures.npy", b"\x93NUMPY"),
            ("0000/thumbnails.npy", 150),  # bytes that are left
            ("0000/codes.npy", 200),
            ("0000/codes.npy", b""),
        ],
    )
    def test_what_is_damaged_is_an_error_that_names_the_folder(self, tmp_path, file, damage):
        held = Table().plus(
            (n, n, scattered(n, 50)._replace(thumbnail=b"x" * 50)) for n in range(9)
        )
        held.save(tmp_path / "a", "x")
        path = tmp_path / "a" / file
        whole = path.read_bytes()
        path.unlink()
        if damage is not None:
            path.write_bytes(whole[:damage] if isinstance(damage, int) else damage)
        with pytest.raises(IndexingError, match=re.escape(str(tmp_path / "a"))):
            Table.load(tmp_path / "a")

    def test_a_picture_takes_few_bytes(self, photos, tmp_path):
        table_of(photos).save(tmp_path / "a", "x")
        sizes = {
            name: (tmp_path / "a" / "0000" / f"{name}.npy").stat().st_size
            for name in ("codes", "places", "pictures", "thumbnails")
        }
        thumbnails = sizes.pop("thumbnails")
        assert sum(sizes.values()) / len(photos) <= 3000
        assert 500 <= thumbnails / len(photos) <= 2000

    def test_the_manifest_is_json_that_says_what_is_there(self, tmp_path):
        Table().plus(some(n) for n in range(5)).minus([1]).save(tmp_path / "a", "an extractor")
        said = json.loads((tmp_path / "a" / "manifest.json").read_text())
        assert said == {
            "layout": table.LAYOUT,
            "extractor": "an extractor",
            "segments": ["0000"],
            "gone": [1],
        }


class TestRecords:
    @given(position=st.integers(0, 50))
    def test_text_and_back(self, position):
        *_, item = some(position)
        text = keypoints.bytes_to_text(item.to_bytes())
        assert text.startswith(keypoints.TEXT_PREFIX)
        assert plain(Keypoints.from_text(text)) == plain(item)

    @pytest.mark.parametrize("text", ["", "AAAA", "AgAAAAAAAAAAAAAAAAAA"])
    def test_what_is_no_keypoints_is_an_error(self, text):
        with pytest.raises(ParameterError):
            Keypoints.from_text(keypoints.TEXT_PREFIX + text)

    def test_of_a_file_that_is_no_picture_there_are_none(self):
        assert plain(Keypoints.empty()) == ([], [], (1, 1), b"")
        held = Table().plus([(0, 0, Keypoints.empty()), (1, 1, scattered(1, 5))])
        assert ranked(held, scattered(1, 5)) == [1]


class TestScan:
    @given(
        codes=st.lists(CODES, max_size=40),
        queries=st.lists(st.tuples(CODES, DOUBTFUL), max_size=8),
        with_doubtful=st.booleans(),
    )
    def test_finds_what_tables_find(self, codes, queries, with_doubtful):
        asked = uint64(query for query, _ in queries)
        doubtful = uint64(flips for _, flips in queries) if with_doubtful else None
        expected = Lookup(uint64(codes)).near(asked, doubtful)
        assert listed(lookup.scan(uint64(codes), asked, doubtful)) == listed(expected)

    def test_looks_at_as_many_of_equal_codes_as_tables_do(self):
        codes = uint64([7] * 2000 + [8] + [7] * 10 + [2**40 * n for n in range(1, 2**18)])
        asked = uint64([7, 8])
        assert listed(lookup.scan(codes, asked)) == listed(Lookup(codes).near(asked))
