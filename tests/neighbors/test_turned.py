"""Turned distances and their join, against brute force; turns, against pictures that are turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hashlens import ParameterError
from hashlens.grouping import linkage
from hashlens.grouping.linkage import link
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.hashing.turns import actions
from hashlens.images.upright import TURNS
from hashlens.neighbors import pack, turned
from hashlens.neighbors.turned import bands_of, turned_pairs
from hashlens.neighbors.turns import INVERSE, PRODUCT, TurnedCodes, Turns
from oracles import brute
from suites import examples

HASHES = [
    ("average", 8),
    ("average", 5),
    ("wavelet", 16),
    ("perceptual", 8),
    ("perceptual", 16),
    ("difference", 8),
    ("difference-vertical", 5),
]
# SMALL and WIDTHS: in numpy; in buckets of several widths; and all in one bucket.
WAYS = ((1 << 40, (12,)), (-1, (4,)), (-1, (8,)), (-1, (12, 16)))


def turns_of(algorithm, size):
    item = PerceptualHash(algorithm, hash_size=size)
    return Turns(*actions(item), item.bits)


def numbers_of(turns, code):
    """Return the bits of a code as a list, the fingerprint's before the crosswise ones."""
    words = "".join(f"{word:064b}" for word in code.tolist())
    return [int(words[place]) for place in turns.places]


def turned_by(turns, bits, place):
    """Turn a list of bits, one by one."""
    return [
        bits[source] ^ bool(inverts)
        for source, inverts in zip(turns.sources[place], turns.inverted[place], strict=True)
    ]


def distance_of(turns, one, other):
    """Return the least distance over all orientations, and the lowest turn that gives it."""
    a, b = numbers_of(turns, one), numbers_of(turns, other)
    found = []
    for place in range(8):
        ways = [(a, turned_by(turns, b, place))]
        if turns.is_crosswise:
            ways.append((b, turned_by(turns, a, INVERSE[place])))
        away = min(
            sum(x != y for x, y in zip(c[: turns.bits], d[: turns.bits], strict=True))
            for c, d in ways
        )
        found.append((away, place + 1))
    return min(found)


@st.composite
def collections(draw):
    """Codes, of which some are near, equal, or turned copies of others."""
    turns = turns_of(*draw(st.sampled_from(HASHES)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 40))
    parts = 2 if turns.is_crosswise else 1
    sparse = draw(st.booleans())
    bits = random.random((count, parts * turns.bits)) < (0.1 if sparse else 0.5)
    for row in range(1, count):
        if random.random() < 0.7:  # a copy of another one, turned, with some bits changed
            place, source = random.integers(8), random.integers(row)
            bits[row] = bits[source][turns.sources[place]] ^ turns.inverted[place]
            bits[row, random.integers(0, turns.bits, random.integers(4))] ^= True
    whole = np.zeros((count, 64 * turns.words * parts), np.uint8)
    whole[:, turns.places] = bits
    codes = np.packbits(whole, axis=1).view(">u8").astype(np.uint64)
    return turns, codes, draw(st.sampled_from([0, 1, 3, 6, 12]))


@settings(max_examples=examples(100))
@given(collections())
def test_pairs_and_distances_equal_brute_force(given_):
    turns, codes, limit = given_
    measured = TurnedCodes(turns.variants(codes), turns.is_crosswise)
    a, b = np.triu_indices(len(codes), 1)
    found, numbers = measured.nearest(a, b)
    wanted = [distance_of(turns, codes[x], codes[y]) for x, y in zip(a, b, strict=True)]
    assert list(zip(found.tolist(), numbers.tolist(), strict=True)) == wanted
    near = sorted(
        (x, y, away)
        for x, y, (away, _) in zip(a.tolist(), b.tolist(), wanted, strict=True)
        if away <= limit
    )
    for small, widths in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(turned, "SMALL", small)
            patch.setattr(turned, "WIDTHS", widths)
            listed = [
                triple
                for block in turned_pairs(codes, turns, limit)
                for triple in zip(*(column.tolist() for column in block), strict=True)
            ]
        assert sorted(listed) == near


@settings(max_examples=examples(100))
@given(collections(), st.booleans(), st.booleans())
def test_groups_equal_brute_force(given_, complete, is_apart):
    turns, codes, limit = given_
    apart = np.array([[0, len(codes) - 1]]) if is_apart and len(codes) > 1 else None
    measured = TurnedCodes(turns.variants(codes), turns.is_crosswise)
    every = np.arange(len(codes))
    away = np.stack([measured.nearest(np.full(len(codes), row), every)[0] for row in every])
    options = {"complete": complete, "apart": apart}
    wanted = brute(
        len(codes),
        lambda a, b: int(away[a, b]),
        limit,
        complete=complete,
        apart=() if apart is None else apart,
    )
    for few, most in ((10**9, 1 << 25), (-1, 1 << 25), (-1, 7)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linkage, "FEW_PAIRS", few)
            patch.setattr(linkage, "MOST_KEYS", most)
            assert link(codes, limit, turns=turns, **options).tolist() == wanted


@pytest.mark.parametrize(("algorithm", "size"), HASHES)
def test_turned_distances_are_symmetric(algorithm, size):
    turns = turns_of(algorithm, size)
    parts = 2 if turns.is_crosswise else 1
    codes = np.random.default_rng(0).integers(0, 2**64, (20, parts * turns.words), dtype=np.uint64)
    measured = TurnedCodes(turns.variants(codes), turns.is_crosswise)
    a, b = np.triu_indices(20, 1)
    assert measured.nearest(a, b)[0].tolist() == measured.nearest(b, a)[0].tolist()


@pytest.mark.parametrize(("algorithm", "size"), HASHES)
def test_turns_are_a_group_and_bands_are_kept_apart(algorithm, size):
    turns = turns_of(algorithm, size)
    bits = np.random.default_rng(0).random(turns.sources.shape[1]) < 0.5
    for one in range(8):
        first = bits[turns.sources[one]] ^ turns.inverted[one]
        for other in range(8):
            second = first[turns.sources[other]] ^ turns.inverted[other]
            place = PRODUCT[other, one]
            assert (second == bits[turns.sources[place]] ^ turns.inverted[place]).all()
    if not turns.is_crosswise:
        bands = bands_of(turns, 16)
        assert sorted(bit for band in bands for bit in band) == list(range(turns.bits))
        for band in bands:
            for sources in turns.sources:
                assert sorted(sources[list(band)].tolist()) == list(band)


def picture():
    """A picture that no turn leaves as it is, whose hash has no bit that is nearly decided."""
    random = np.random.default_rng(4)
    rough = Image.fromarray(random.integers(0, 255, (9, 9), dtype=np.uint8))
    return rough.resize((288, 288), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("algorithm", "size", "most"),
    [("average", 8, 1), ("wavelet", 8, 2), ("perceptual", 8, 2), ("difference", 8, 2),
     ("difference-vertical", 8, 2), ("perceptual", 16, 26)],
)  # fmt: skip
def test_turned_pictures_have_nearly_the_turned_fingerprints(algorithm, size, most):
    item = PerceptualHash(algorithm, hash_size=size)
    turns = Turns(*actions(item), item.bits)
    upright = picture()
    pictures = [upright, *(upright.transpose(turn) for _, turn in sorted(TURNS.items()))]
    hashes = [item] if turns.is_crosswise or not item.turn_hash else []
    hashes += [item.turn_hash] if item.turn_hash else []
    codes = np.concatenate([pack([each(image) for image in pictures]) for each in hashes], axis=1)
    variants = turns.variants(codes[:1])[0]
    words = turns.words
    bits = np.bitwise_count(variants[:, None] ^ codes[None, :, :words]).sum(axis=-1)
    assert (np.diag(bits) <= most).all()
    measured = TurnedCodes(turns.variants(codes), turns.is_crosswise)
    _, numbers = measured.nearest(np.arange(8), np.zeros(8, np.int64))
    assert numbers.tolist() == list(range(1, 9))


@pytest.mark.parametrize("algorithm", ["color", "perceptual-simple", "crop-resistant"])
def test_hashes_that_cannot_be_turned_name_those_that_can(algorithm):
    with pytest.raises(ParameterError, match="one of average, perceptual, wavelet, difference"):
        actions(PerceptualHash(algorithm))


def test_wavelets_that_are_not_symmetric_are_refused():
    with pytest.raises(ParameterError, match="haar can"):
        actions(PerceptualHash("wavelet", mode="db4", image_scale=64))


@pytest.mark.parametrize("value", [-1, 1.5, True])
def test_a_distance_that_is_none_is_named(value):
    with pytest.raises(ParameterError, match="max_distance"):
        turned_pairs(np.zeros((2, 1), np.uint64), turns_of("average", 8), value)
