from __future__ import annotations

import csv
import io
import json
from dataclasses import FrozenInstanceError
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import ImageIndex, ParameterError
from hashlens.cli.app import app
from hashlens.hashing.algorithms import ALGORITHMS
from hashlens.neighbors import pack
from hashlens.neighbors.calibration import (
    FALSE_MATCHES,
    FALSE_PAIRS,
    FALSE_PAIRS_TO_LOOK_AT,
    FEWEST,
    Calibration,
    calibrate,
)
from hashlens.neighbors.reach import SHARES, copy_reach
from suites import examples

SEEN = 30  # pairs that an estimate is compared with, at least


def random_codes(count, bits=64, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (count, bits // 64), dtype=np.uint64)


def pictures(count, seed=0, kind=0, layouts=10, bits=64):
    """Codes that hang together as those of pictures do: signs of mixtures of some layouts.

    One `kind` has one mixture; a second part of the layouts is shared by all of the kind.
    """
    mixing = np.random.default_rng(1000 + kind).normal(size=(layouts, bits))
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(count, layouts))
    weights[:, 0] += 3 * (kind > 0)
    noise = rng.normal(size=(count, bits)) * np.sqrt(layouts)
    packed = np.packbits(weights @ mixing + noise > 0, axis=1)
    return packed.view(">u8").astype(np.uint64)


def flipped(codes, most, seed=0):
    """Copies of codes with up to so many bits flipped."""
    rng = np.random.default_rng(seed)
    copies = codes.copy()
    for copy in copies:
        for bit in rng.choice(64 * len(copy), rng.integers(0, most + 1), replace=False):
            copy[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return copies


def histogram(codes):
    """Count the pairs at each distance, in pure Python."""
    bits = 64 * codes.shape[1]
    numbers = [int("".join(f"{word:016x}" for word in row), 16) for row in codes.tolist()]
    counts = [0] * (bits + 1)
    for row, number in enumerate(numbers):
        for other in numbers[:row]:
            counts[(number ^ other).bit_count()] += 1
    return counts


def shares(codes):
    """Return the true share of pairs within each distance, and their number."""
    counts = np.zeros(64 * codes.shape[1] + 1, np.int64)
    for row in range(len(codes)):
        distances = np.bitwise_count(codes[:row] ^ codes[row]).sum(axis=1, dtype=np.int64)
        counts += np.bincount(distances, minlength=len(counts))
    return counts.cumsum() / counts.sum(), counts.sum()


def true_to_estimated(found, codes):
    """Return the true share by the estimate, where enough pairs are within the distance."""
    share, pairs = shares(codes)
    matters = (share * pairs >= SEEN) & (share < 0.3)
    assert matters.any()
    return (share / np.array(found.chances))[matters]


def as_bits(share, rows):
    return int(np.flatnonzero(share * rows <= FALSE_MATCHES).max())


@given(st.integers(0, 99), st.integers(FEWEST, 40), st.integers(1, 3), st.booleans())
def test_the_histogram_is_that_of_brute_force(seed, count, words, alike):
    codes = random_codes(count, 64 * words, seed)
    codes = codes & codes[:1] & codes[1:2] if alike else codes
    found = calibrate(codes, 64 * words)
    assert list(found.counts) == histogram(codes)
    assert (found.rows, found.bits, found.exact) == (count, 64 * words, True)
    assert found.pairs == sum(found.counts) == count * (count - 1) // 2
    seen = [row["pairs_seen"] for row in found.table()]
    assert seen == list(np.cumsum(found.counts))


@given(st.integers(0, 999), st.integers(FEWEST, 200), st.integers(0, 64), st.integers(1, 50))
@settings(max_examples=examples(50))
def test_chances_rise_from_0_to_1(seed, count, masked, distinct):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**64, (distinct, 1), dtype=np.uint64) >> np.uint64(min(masked, 63))
    found = calibrate(codes[rng.integers(0, distinct, count)], 64)
    chances = np.array(found.chances)
    assert (np.diff(chances) >= 0).all()
    assert chances[0] >= 0
    assert found.chance(64) == found.chance(99) == 1


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("count", [300, 3000])
def test_random_codes_have_the_binomial_tail(bits, count):
    found = calibrate(random_codes(count, bits), bits)
    share = np.cumsum([comb(bits, k) / 2**bits for k in range(bits + 1)])
    matters = (share * found.pairs >= SEEN) & (share < 0.3)
    ratio = (share / np.array(found.chances))[matters]
    assert 0.5 < ratio.min() <= ratio.max() < 2
    assert as_bits(share, count) - bits // 32 <= found.max_distance <= as_bits(share, count) + 1


@pytest.mark.parametrize("duplicates", [0, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("count", [500, 2000])
def test_duplicates_do_not_count_as_random_pairs(duplicates, count):
    codes = pictures(count)
    copies = flipped(codes[: int(duplicates * count)], 4)
    found = calibrate(np.concatenate([codes, copies]), 64)
    ratio = true_to_estimated(found, codes)
    assert 0.3 < ratio.min() <= ratio.max() < 2
    wanted = calibrate(codes, 64).max_distance
    assert wanted - 3 <= found.max_distance <= wanted


def test_a_burst_of_pictures_does_not_count_as_random_pairs():
    codes = pictures(1000)
    burst = flipped(codes[:10].repeat(6, axis=0), 4)
    without = calibrate(codes, 64).max_distance
    assert without - 4 <= calibrate(np.concatenate([codes, burst]), 64).max_distance <= without


@pytest.mark.parametrize("part", [0.1, 0.3])
def test_a_kind_of_pictures_that_look_alike_counts(part):
    def mixed(count, seed):
        alike = round(part * count)
        return np.concatenate(
            [pictures(count - alike, seed), pictures(alike, seed, kind=1, layouts=3)]
        )

    found = calibrate(mixed(1000, 1), 64)
    others = mixed(3000, 2)
    assert true_to_estimated(found, others).max() < 2
    assert found.false_matches(found.max_distance) <= FALSE_MATCHES
    share, _ = shares(others)
    assert share[found.max_distance] * 1000 <= 2 * FALSE_MATCHES
    assert found.max_distance < calibrate(pictures(1000), 64).max_distance


def test_even_distances_alone_are_no_trouble():
    codes = random_codes(2000, seed=3)
    parity = np.bitwise_count(codes).astype(np.uint64) & np.uint64(1)
    found = calibrate(codes ^ parity, 64)
    assert not any(found.counts[1::2])
    ratio = true_to_estimated(found, codes ^ parity)
    assert 0.5 < ratio.min() <= ratio.max() < 2


def test_a_sample_is_picked_by_the_seed():
    codes = pictures(3000)
    first, again = (calibrate(codes, 64, seed=7, pairs=100_000) for _ in range(2))
    assert first == again
    assert (first.exact, first.rows) == (False, 3000)
    assert 99_000 < first.pairs <= 100_000
    other = calibrate(codes, 64, seed=8, pairs=100_000)
    assert other != first
    assert abs(other.max_distance - first.max_distance) <= 4
    assert calibrate(codes, 64, seed=1) == calibrate(codes, 64, seed=2)  # all pairs


def test_false_matches_and_pairs_are_those_of_the_whole_collection():
    found = calibrate(pictures(3000), 64, pairs=100_000)
    for distance in (0, 12, 20, 64):
        assert found.false_matches(distance) == 3000 * found.chance(distance)
        assert found.false_pairs(distance) == 3000 * 2999 / 2 * found.chance(distance)
    best = found.max_distance
    assert found.false_matches(best) <= FALSE_MATCHES < found.false_matches(best + 1)
    row = found.table()[best]
    assert row["max_distance"] == best
    assert row["false_matches"] == found.false_matches(best)
    with pytest.raises(FrozenInstanceError):
        found.rows = 1


@given(
    st.integers(0, 999),
    st.integers(FEWEST, 120),
    st.integers(0, 64),
    st.sampled_from([1, 8]),
    st.none() | st.integers(0, 64),
)
@settings(max_examples=examples(50))
def test_the_bound_of_groups_is_the_largest_that_fits(seed, count, masked, orientations, reach):
    codes = random_codes(count, 64, seed) >> np.uint64(min(masked, 63))
    found = calibrate(codes, 64, reach=reach)
    most = 64 if reach is None else reach
    fitting = [
        distance
        for distance in range(65)
        if found.false_pairs(distance) * orientations <= FALSE_PAIRS
    ]
    wanted = min(max(fitting), most) if fitting else 0
    if not fitting and found.max_distance is None:
        wanted = None
    if count < 50:
        wanted = min(4, most)
    assert found.group_distance(orientations) == wanted
    assert found.max_group_distance == found.group_distance(1)
    looked = [
        distance
        for distance in range(65)
        if found.false_pairs(distance) * orientations <= FALSE_PAIRS_TO_LOOK_AT
    ]
    wanted = min(4 if count < 50 else max(looked, default=0), most)
    assert found.group_distance(orientations, verified=True) == wanted
    assert found.max_verified_distance == found.group_distance(verified=True)


def test_equal_hashes_are_grouped_as_long_as_a_search_takes_them():
    def made(chance):
        return Calibration(1000, 2, 499_500, True, (0, 0, 499_500), (chance, chance, 1.0))

    assert made(1e-7).max_group_distance == 1
    assert made(1e-6).max_group_distance == 0  # half a false pair
    assert made(1e-4).max_group_distance is None  # a tenth of a false match for a query
    assert made(1e-5).max_verified_distance == 1  # five pairs to look at
    assert made(1e-4).max_verified_distance == 0  # fifty
    assert made(1e-7).group_distance(8) == 0
    with pytest.raises(ParameterError, match="orientations must be a whole number"):
        made(1e-7).group_distance(0)


def test_copies_reach_a_share_of_the_bits_of_each_hash():
    for item in ALGORITHMS:
        bits = item.bits(item.validate({}))
        if bits:
            assert item.name in SHARES
            assert 0 < copy_reach(item.name, bits) < bits / 4
    assert (copy_reach("perceptual", 64), copy_reach("perceptual", 256)) == (8, 24)
    assert copy_reach("perceptual", 144) == round(144 * 0.125)  # the larger of two shares
    assert copy_reach("perceptual", 16) == 2
    assert copy_reach("perceptual", 4096) == round(4096 * 0.098)
    assert copy_reach("another", 64) == 4


def test_equal_codes_leave_no_distance():
    found = calibrate(np.zeros((100, 1), np.uint64), 64)
    assert found.max_distance is None
    assert found.chance(0) == 1
    assert found.false_matches(0) == 100


def test_few_images_are_weak_evidence():
    assert calibrate(random_codes(FEWEST), 64).is_weak
    assert not calibrate(random_codes(50), 64).is_weak
    assert 5 <= calibrate(random_codes(20), 64).max_distance <= 20


@pytest.mark.parametrize("codes", [[], ["0123456789abcdef"], ["00"] * 9])
def test_too_few_images_are_an_error(codes):
    with pytest.raises(ParameterError, match=f"10 images or more, and has {len(codes)}"):
        calibrate(pack(codes), 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 65}, "codes of 1 words are not of 65 bits"),
        ({"bits": 63}, "codes of 1 words are not of 63 bits"),
        ({"bits": 0}, "bits must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"pairs": 0}, "pairs must be a whole number"),
        ({"codes": "00"}, "codes are a uint64 array"),
    ],
)
def test_arguments_are_checked(change, message):
    given = {"codes": random_codes(20), "bits": 64} | change
    with pytest.raises(ParameterError, match=message):
        calibrate(given.pop("codes"), given.pop("bits"), **given)


def test_a_distance_is_a_whole_number():
    found = calibrate(random_codes(20), 64)
    for distance in (-1, 0.5, None):
        with pytest.raises(ParameterError, match="distance must be a whole number"):
            found.chance(distance)


@pytest.fixture
def drawn(tmp_path):
    """Thirty pictures, a copy of one, and twelve flat ones."""
    folder = tmp_path / "drawn"
    folder.mkdir()
    for seed in range(30):
        draw(seed).save(folder / f"{seed}.png")
    draw(0).save(folder / "copy.jpg")
    for grey in range(12):
        Image.new("L", (64, 64), 20 * grey).save(folder / f"flat{grey}.png")
    return folder


@pytest.fixture
def made(drawn, tmp_path, content):
    with ImageIndex.open(tmp_path / "i", also=["average", "color"], content=content) as opened:
        opened.index([drawn])
        yield opened


def test_an_index_is_calibrated_without_its_flat_pictures(made):
    found = made.calibrate()
    assert isinstance(found, Calibration)
    assert (found.rows, found.bits) == (31, 64)
    codes = [row["text"] for row in made.sql("select text from txtai where information >= 1")]
    assert found == calibrate(pack(codes), 64, reach=8)
    assert made.groups().max_distance == found.max_group_distance == 4
    assert made.calibrate("average").counts != found.counts
    assert made.calibrate("color").bits == 42
    with pytest.raises(ParameterError, match="fingerprints in text, average, color, not in 'path'"):
        made.calibrate("path")


def test_a_search_takes_the_recommended_distance(made, drawn):
    best = made.calibrate().max_distance
    matches = made.search(drawn / "0.png", max_distance="auto")
    assert matches == made.search(drawn / "0.png", max_distance=best)
    assert {"0.png", "copy.jpg"} <= {match.path.rsplit("/")[-1] for match in matches}
    made.delete([str(drawn / f"{seed}.png") for seed in range(1, 30)])
    with pytest.raises(ParameterError, match="10 images or more, and has 2"):
        made.search(drawn / "0.png", max_distance="auto")
    with pytest.raises(ParameterError, match="a number >= 0 or 'auto', not 'most'"):
        made.search(drawn / "0.png", max_distance="most")


def test_where_equal_hashes_say_nothing_there_is_no_distance(drawn, tmp_path):
    with ImageIndex.open(tmp_path / "i") as opened:
        for number in range(40):
            draw(0).save(drawn / f"again{number}.png")
        opened.index([drawn])
        assert opened.calibrate().max_distance is None
        with pytest.raises(ParameterError, match="'auto' finds none: even with equal hashes"):
            opened.search(drawn / "0.png", max_distance="auto")
        with pytest.raises(
            ParameterError, match=r"even with equal hashes.*--verify.*--only exact.*a number"
        ):
            opened.groups()
        assert opened.groups(verify=True).max_distance == 0
        exact = opened.groups(only="exact")
        assert exact.max_distance == 0
        assert max(len(group.members) for group in exact) == 41


def test_calibration_is_for_hamming_distances(drawn, tmp_path):
    with ImageIndex.open(tmp_path / "i", metric="levenshtein") as opened:
        opened.index([drawn])
        for call in (opened.calibrate, lambda: opened.search("0" * 16, max_distance="auto")):
            with pytest.raises(ParameterError, match="Hamming distances; the index has levensh"):
                call()


def said(*arguments):
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    assert result.exit_code == 0, result.exception
    return result.output


def test_the_command_prints_a_table_and_the_recommendation(made):
    made.close()
    lines = said("--index", made.path).splitlines()
    found = json.loads(said("--index", made.path, "--format", "json"))
    best = found["max_distance"]
    assert lines[0].split() == list(found["table"][0])
    marked = [line.split()[0] for line in lines if "for search" in line]
    assert marked == [str(best)]
    assert (
        f"groups with a second look: max_distance {found['max_verified_distance']}, " in lines[-2]
    )
    marked = [line.split()[0] for line in lines if "for groups" in line]
    assert marked == [str(found["max_group_distance"])] == ["4"]
    numbers = lines[2 : lines.index("")]
    assert numbers[0].startswith("0 ")
    assert float(numbers[-2].split()[2]) <= 1 < float(numbers[-1].split()[2])
    assert any(line.startswith(f"max_distance {best}: about ") for line in lines)
    assert "among 31 images" in lines[-4]
    assert lines[-3].startswith("groups: max_distance 4, about ")
    assert lines[-1] == "31 images are few: take it for a hint"
    assert (found["rows"], found["exact"], found["weak"]) == (31, True, True)
    rows = list(csv.DictReader(io.StringIO(said("--index", made.path, "--format", "csv"))))
    assert len(rows) == len(found["table"]) == 65
    assert "among 31 images" in said("--index", made.path, "--column", "average")
    error = CliRunner().invoke(app, ["calibrate", "--index", str(made.path), "--column", "x"])
    assert "not in 'x'" in str(error.exception)


def test_files_without_a_fingerprint_do_not_count_as_images(tmp_path):
    for number in range(6):
        draw(number).save(tmp_path / f"{number}.png")
    draw(0).resize((200, 150)).save(tmp_path / "small.png")
    for number in range(55):
        (tmp_path / f"broken{number}.jpg").write_bytes(b"\xff\xd8\xff")
    with ImageIndex.open(tmp_path / "index") as opened:
        opened.index([tmp_path])
        for turned in (False, True):
            found = opened.groups(turned=turned)
            assert found.max_distance == 4
            assert [len(group.members) for group in found] == [2]
