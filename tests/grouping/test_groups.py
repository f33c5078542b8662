"""Groups of an index, their views, and which image of each is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from drawing import draw
from hashlens import Group, Groups, ImageIndex, Pair, ParameterError, PlanError, sharpness
from hashlens.grouping.collection import read_collection
from hashlens.grouping.keepers import DEFAULT_RULES, choose_keepers, rules
from hashlens.grouping.near import MOST_OF_MATRIX
from hashlens.grouping.rule import Texts
from hashlens.grouping.scope import Terms
from hashlens.hashing.metrics import distance
from hashlens.images.exif import REWRITTEN
from hashlens.schema import GROUPED
from oracles import Picture, brute, choose, made_by_path
from suites import examples

FOLDERS = ("/a", "/a/b", "/a/bc", "/c")


def row(path, text, *, information=5.0, file_digest="", **facts):
    """A row of an index, as `collected` takes it."""
    given = {"path": path, "information": information, "file_digest": file_digest, **facts}
    return (path, text, *(given.get(name) for name in GROUPED))


def collected(rows, digits):
    """Return a collection of rows, read in two blocks."""
    halves = list(rows[::2]), list(rows[1::2])
    return read_collection([list(zip(*half, strict=True)) for half in halves if half], digits)


def grouped(found):
    """Return the paths of each group, as sets."""
    return {frozenset(member.path for member in group.members) for group in found}


def inside(path, folder):
    return Path(folder) in Path(path).parents


def counts(terms, one, other):
    """Tell whether a pair of paths counts by the terms."""
    if terms.not_same_folder and os.path.dirname(one) == os.path.dirname(other):
        return False
    if terms.between:
        a, b = terms.between
        return (inside(one, a) and inside(other, b)) or (inside(one, b) and inside(other, a))
    return True


def units_of(rows, terms, marked):
    """Return the paths with one fingerprint, marked ones apart; of flat pictures, with one file."""
    units, files = {}, {}
    for path, text, _, information, *_, digest, _ in sorted(rows):
        if terms.between and not any(inside(path, folder) for folder in terms.between):
            continue
        if information >= 1:
            units.setdefault((text, path if path in marked else ""), []).append(path)
        elif digest:
            files.setdefault(digest, []).append(path)
    return units, files


def brute_groups(rows, terms, decided=()):
    """Group rows by what is documented, looking at all pairs.

    A decision counts if both its pictures are in groups: pictures that do not take part, such as
    those outside of both folders of `between`, are in none.
    """
    barred = set()
    while True:
        groups = groups_apart(rows, terms, barred)
        grouped = {path for paths in groups if len(paths) > 1 for path in paths}
        known = barred | {frozenset(pair) for pair in decided if grouped.issuperset(pair)}
        if known == barred:
            break
        barred = known
    return {
        frozenset(paths)
        for paths in groups
        if any(counts(terms, *pair) for pair in combinations(paths, 2))
    }


def groups_apart(rows, terms, barred):
    """Return the groups of rows of which some pairs are barred, those of one picture too."""
    units, files = units_of(rows, terms, {path for pair in barred for path in pair})
    keys = sorted(units)
    images = [units[key] for key in keys]

    def away(a, b):
        one, other = keys[a][0], keys[b][0]
        return 0 if one == other else distance(one, other, terms.metric)

    def admits(a, b):
        return any(counts(terms, one, other) for one in images[a] for other in images[b])

    apart = [
        (a, b)
        for a, b in combinations(range(len(keys)), 2)
        if any(frozenset((x, y)) in barred for x in images[a] for y in images[b])
    ]
    labels = brute(
        len(keys),
        away,
        terms.max_distance,
        complete=terms.linkage == "complete",
        admits=admits,
        apart=np.array(apart, np.int64).reshape(-1, 2),
    )
    joined = {}
    for label, members in zip(labels, images, strict=True):
        joined.setdefault(label, []).extend(members)
    for paths in files.values():
        split = {path for pair in barred if pair <= set(paths) for path in pair}
        joined["flat", paths[0]] = [path for path in paths if path not in split]
    return list(joined.values())


def decisions_of(decided):
    """What an index hands to its groups: the pairs, among some rows, that were decided."""

    def apart(table, rows):
        place = {table.paths[number]: number for number in rows.tolist()}
        found = [sorted((place[a], place[b])) for a, b in decided if {a, b} <= place.keys()]
        return np.array(found, np.int64).reshape(-1, 2)

    return apart


@st.composite
def collections(draw):
    """Rows, terms and decisions: few bits, few folders, so that all meet."""
    digits = draw(st.sampled_from([16, 64]))
    codes = st.sampled_from(draw(st.lists(st.integers(0, 2**12 - 1), min_size=1, max_size=9)))
    count = draw(st.integers(0, 16))
    rows = []
    for number in range(count):
        path = f"{draw(st.sampled_from(FOLDERS))}/{number}.png"
        text = f"{draw(codes) << (4 * digits - 12):0{digits}x}"
        information = draw(st.sampled_from([5.0, 5.0, 5.0, 0.2, 0, 1.0]))
        digest = f"{text[:16]}{information:048}" * draw(st.booleans())
        rows.append(row(path, text, information=information, file_digest=digest))
    some = st.sampled_from(rows or [row("/none", "0" * digits)])
    terms = Terms(
        draw(st.sampled_from([0, 1, 2, 3, 5.5, 300])),
        linkage=draw(st.sampled_from(["complete", "connected"])),
        metric=draw(st.sampled_from(["hamming", "hamming", "hamming", "levenshtein", "euclidean"])),
        between=draw(
            st.sampled_from([None, None, ("/a", "/c"), ("/a/b", "/a"), ("/a/b", "/a/bc")])
        ),
        not_same_folder=draw(st.booleans()),
    )
    pairs = draw(st.lists(st.tuples(some, some), max_size=4))
    copies = {item[0]: item[-2] or item[0] for item in rows}  # what is said holds for equal files
    decided = [
        (a, b)
        for one, other in pairs
        for a, b in permutations(copies, 2)
        if rows and [copies[a], copies[b]] == [copies[one[0]], copies[other[0]]]
    ]
    return rows, digits, terms, decided


class TestAssignment:
    @given(collections())
    @settings(max_examples=examples(600))
    def test_groups_are_those_of_brute_force(self, collection):
        rows, digits, terms, decided = collection
        found = Groups(terms, collected(sorted(rows), digits), apart=decisions_of(decided))
        assert grouped(found) == brute_groups(rows, terms, decided)
        assert len(found) == len(found.groups)

    @given(collections())
    def test_what_is_promised_of_each_group_holds(self, collection):
        rows, digits, terms, decided = collection
        found = Groups(terms, collected(sorted(rows), digits), apart=decisions_of(decided))
        texts = {path: (text, facts[1] >= 1) for path, text, *facts in rows}
        seen = Counter(member.path for group in found for member in group.members)
        assert set(seen.values()) <= {1}
        for group in found:
            paths = [member.path for member in group.members]
            far = [
                distance(one.fingerprint, other.fingerprint, terms.metric)
                for one, other in combinations(group.members, 2)
            ]
            assert len(paths) > 1
            assert group.diameter == max(far)
            assert terms.linkage == "connected" or group.diameter <= terms.max_distance
            assert any(counts(terms, *pair) for pair in combinations(paths, 2))
            assert not any({a, b} <= set(paths) for a, b in decided)
            assert group.keeper.distance == 0
            assert list(group.duplicates) == sorted(
                group.duplicates, key=lambda member: (member.distance, member.path)
            )
            assert [member.distance for member in group.duplicates] == sorted(
                distance(group.keeper.fingerprint, member.fingerprint, terms.metric)
                for member in group.duplicates
            )
            assert len({texts[path][1] for path in paths}) == 1  # flat with flat only
        if not (terms.between or terms.not_same_folder or decided):
            own = {path: number for number, group in enumerate(grouped(found)) for path in group}
            for one, other in combinations(texts, 2):
                if texts[one] == texts[other] and texts[one][1]:
                    assert own[one] == own[other]

    @given(collections(), st.randoms(), st.integers(1, 3))
    def test_groups_depend_neither_on_the_order_of_rows_nor_on_how_they_are_asked_for(
        self, collection, random, at_once
    ):
        rows, digits, terms, decided = collection
        apart = decisions_of(decided)
        first = Groups(terms, collected(sorted(rows), digits), apart=apart)
        other = Groups(terms, collected(random.sample(rows, len(rows)), digits), apart=apart)
        assert other.collection.ids == first.collection.ids
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hashlens.grouping.build.AT_ONCE", at_once)
            one_by_one = tuple(other)
        assert one_by_one == first.groups == other.groups == tuple(other)

    @given(collections(), st.randoms())
    def test_groups_do_not_depend_on_the_order_of_decisions(self, collection, random):
        rows, digits, terms, decided = collection
        table = collected(sorted(rows), digits)
        again = [pair[::-1] for pair in random.sample(decided, len(decided))]
        first, second = (
            Groups(terms, table, apart=decisions_of(each)) for each in (decided, again)
        )
        assert first.groups == second.groups

    @given(collections(), st.integers(1, 9))
    def test_pairs_and_borderline_are_those_of_brute_force(self, collection, count):
        rows, digits, terms, decided = collection
        found = Groups(terms, collected(sorted(rows), digits), apart=decisions_of(decided))
        together = grouped(found)

        def near(bound):
            for one, other in combinations(sorted(rows), 2):
                flat = [facts[3] < 1 for facts in (one, other)]
                equal = all(flat) and one[-2] and one[-2] == other[-2]
                far = 0 if equal else distance(one[1], other[1], terms.metric)
                counted = counts(terms, one[0], other[0]) and (equal or not any(flat))
                if counted and far <= bound:
                    both = any({one[0], other[0]} <= group for group in together)
                    yield Pair(one[0], other[0], far, both)

        def key(pair):
            return abs(pair.distance - terms.max_distance - 0.5), pair.first, pair.second

        assert sorted(found.pairs(), key=key) == sorted(near(terms.max_distance), key=key)
        wanted = sorted(near(terms.max_distance + 2), key=key)[:count]
        assert found.borderline(count) == wanted

    def test_a_decision_on_two_flat_pictures_leaves_their_copies_together(self):
        flat = {"information": 0}
        rows = [row(f"/{n}", "0" * 16, file_digest=str(n % 2) * 64, **flat) for n in range(6)]
        every = [(f"/{a}", f"/{b}") for a in (0, 2, 4) for b in (1, 3, 5)]
        table = collected(rows, 16)
        found = Groups(Terms(8), table, apart=decisions_of(every))
        assert grouped(found) == {frozenset(("/0", "/2", "/4")), frozenset(("/1", "/3", "/5"))}
        found = Groups(Terms(8), table, apart=decisions_of([("/0", "/2"), ("/2", "/4")]))
        assert grouped(found) == {frozenset(("/1", "/3", "/5"))}

    @given(st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")))
    def test_members_come_by_path_whatever_their_ids(self, names, kept):
        rows = [
            (str(number), *row(f"/{name}" if name in kept else None, "0" * 16)[1:])
            for number, name in enumerate(names)
        ]
        [group] = Groups(Terms(0), collected(rows, 16))
        wanted = sorted((path or uid, uid) for uid, _, path, *_ in rows)
        assert [(member.path, member.id) for member in group.members] == wanted

    def test_values_of_other_kinds_are_0_or_empty(self):
        odd = [7, 2.5, True, None, "5", "", 2.0**70, -(2**63)]
        rows = [row(f"/{n}", "0" * 16, width=value) for n, value in enumerate(odd)]
        assert collected(rows, 16).numbers["width"].tolist() == [7, 0, 1, 0, 0, 0, 0, -(2**63)]
        rows = [row(f"/{n}", "0" * 16, information=value) for n, value in enumerate(odd)]
        assert collected(rows, 16).information.tolist() == [7, 2.5, 1, 0, 0, 0, 2.0**70, -(2.0**63)]
        rows = [row(f"/{n}", "0" * 16, format=value) for n, value in enumerate(odd)]
        assert collected(rows, 16).formats == ["", "", "", "", "5", "", "", ""]
        rows = [(f"/{n}", *row(value, "0" * 16)[1:]) for n, value in enumerate(odd)]
        wanted = [f"/{n}" if value != "5" else "5" for n, value in enumerate(odd)]
        assert list(collected(rows, 16).paths) == wanted

    @pytest.mark.parametrize("information", [0, 9])
    def test_many_equal_images_take_no_time_of_squares(self, information):
        facts = {"information": information, "file_digest": "a" * 64}
        rows = [row(f"/{n:05}", "0" * 16, bytes=n, **facts) for n in range(20_000)]
        found = Groups(Terms(8), collected(rows, 16))
        assert [len(group.members) for group in found] == [20_000]
        assert found[0].keeper.path == "/19999"
        assert found[0].diameter == 0

    def test_borderline_pairs_of_many_equal_images_come_first_by_path(self):
        rows = [row(f"/{n:04}", "0" * 16, information=n % 2) for n in range(3_000)]
        found = Groups(Terms(0), collected(rows, 16)).borderline(3)
        assert found == [Pair("/0001", f"/000{n}", 0, True) for n in (3, 5, 7)]

    def test_any_bound_is_taken_and_wrong_ones_are_named(self):
        found = Groups(Terms(0), collected([row("/a", "0" * 16), row("/b", "f" * 16)], 16))
        assert len(found) == 0
        wide = found.rethreshold(float("inf"))
        assert [group.diameter for group in wide] == [64]
        assert list(wide.pairs()) == wide.borderline() == [Pair("/a", "/b", 64, True)]
        for bad in (-1, float("nan"), "auto", None, True):
            with pytest.raises(ParameterError, match="max_distance must be a number >= 0"):
                found.rethreshold(bad)

    @pytest.mark.parametrize(
        ("metric", "most"),
        [("hamming", 40), ("levenshtein", 16), ("euclidean", 60), ("jaro_winkler", 1)],
    )
    def test_a_giant_component_has_its_diameter(self, metric, most):
        random = np.random.default_rng(0)
        texts = [f"{int(code):016x}" for code in random.integers(0, 2**64, 120, dtype=np.uint64)]
        rows = [row(f"/{n:03}", text) for n, text in enumerate(texts)]
        found = Groups(Terms(most, linkage="connected", metric=metric), collected(rows, 16))
        far = max(distance(*pair, metric) for pair in combinations(texts, 2))
        assert [(len(group.members), group.diameter) for group in found] == [(120, far)]


def variants(folder):
    """Pictures, each with copies that are less and less like it."""
    for seed in range(5):
        first = draw(seed, (120, 80))
        place = folder / f"{seed % 3}"
        place.mkdir(parents=True, exist_ok=True)
        first.save(place / f"{seed}.png")
        first.save(folder / f"{seed}-recoded.jpg", quality=70)
        for step in range(1, 5):
            changed = ImageEnhance.Contrast(first).enhance(1 - step / 6)
            changed.rotate(step * 1.5).save(place / f"{seed}-{step}.png")
    for number in range(3):
        Image.new("RGB", (30 + number // 2, 20), "white").save(folder / f"white{number}.png")
    Image.new("RGB", (40, 20), "#fefefe").save(folder / "nearly white.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    shutil.copy(folder / "0-recoded.jpg", folder / "2" / "ümlaut '\" copy.jpg")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants") / "photos"
    folder.mkdir()
    variants(folder)
    return folder


@pytest.fixture
def made(photos, tmp_path):
    with ImageIndex.open(tmp_path / "i") as index:
        index.index([photos])
        yield index


def rows_of(index):
    query = "select path, text, information, file_digest from txtai where text is not null"
    return [
        row(item["path"], item["text"], information=item["information"],
            file_digest=item["file_digest"])
        for item in index.sql(query)
    ]  # fmt: skip


class TestIndex:
    @pytest.mark.parametrize("linkage", ["complete", "connected"])
    @pytest.mark.parametrize("most", [0, 6, 14, 24])
    def test_groups_of_files_are_those_of_brute_force(self, made, photos, most, linkage):
        for scope in (
            {},
            {"not_same_folder": True},
            {"between": (str(photos / "0"), str(photos))},
            {"between": (str(photos / "1"), str(photos / "2"))},
        ):
            found = made.groups(most, linkage=linkage, **scope)
            assert grouped(found) == brute_groups(rows_of(made), found.terms)
            assert list(found) == list(found.groups)
        assert any(len(group.members) > 2 for group in made.groups(most)) or most == 0

    @pytest.mark.parametrize(
        ("metric", "most"),
        [("levenshtein", 5), ("manhattan", 30), ("euclidean", 12.5), ("chebyshev", 7),
         ("jaro_winkler", 0.2)],
    )  # fmt: skip
    def test_other_metrics_equal_brute_force(self, made, metric, most):
        for linkage in ("complete", "connected"):
            found = made.groups(most, metric=metric, linkage=linkage)
            assert len(found) > 1
            assert grouped(found) == brute_groups(rows_of(made), found.terms)
            for group in found:
                texts = [member.fingerprint for member in group.members]
                far = [distance(*pair, metric) for pair in combinations(texts, 2)]
                assert group.diameter == max(far)

    def test_long_hashes_are_grouped_alike(self, photos, tmp_path):
        with ImageIndex.open(tmp_path / "i", hash_size=16) as index:
            index.index([photos])
            found = index.groups(40)
            assert len(found) > 3
            assert grouped(found) == brute_groups(rows_of(index), found.terms)
            assert len(found[0].keeper.fingerprint) == 64

    def test_groups_are_the_same_for_any_order_of_indexing(self, photos, tmp_path, content):
        files = [path for path in sorted(photos.rglob("*")) if path.is_file()]
        random = np.random.default_rng(0)
        results = []
        for number in range(3):
            order = [files[place] for place in random.permutation(len(files))]
            with ImageIndex.open(tmp_path / f"{number}", content=content) as index:
                index.index(order[: len(order) // 2])
                index.delete([str(path) for path in order[: number * 4]])
                index.upsert(order[len(order) // 3 :])
                index.upsert(order[: len(order) // 3])
                found = index.groups(14)
                results.append((found.groups, list(map(repr, found.borderline()))))
        assert results[0] == results[1] == results[2]
        assert len(results[0][0]) > 3

    def test_the_bound_is_that_of_calibration_unless_named(self, made, tmp_path):
        assert made.groups().max_distance == 4  # too few to measure
        with pytest.raises(ParameterError, match=r"is for Hamming .* a number for levenshtein"):
            made.groups(metric="levenshtein")
        for seed in range(26):
            draw(seed).save(tmp_path / f"{seed}.png")
            draw(seed).save(tmp_path / f"{seed}.gif")
        with ImageIndex.open(tmp_path / "other") as index:
            index.index([tmp_path])
            found = index.groups()
            calibrated = index.calibrate()
            assert found.max_distance == calibrated.max_group_distance < calibrated.max_distance
            verified = index.groups(verify=True)
            assert verified.max_distance == calibrated.max_verified_distance >= found.max_distance
            assert found.groups == index.groups(found.max_distance).groups
            assert len(found) == 26

    @pytest.mark.parametrize("most", [0, 3, 9, 15, 60])
    def test_another_bound_gives_the_groups_of_that_bound(self, made, most):
        again = made.groups(8).rethreshold(most)
        assert again.groups == made.groups(most).groups
        assert again.max_distance == most

    def test_flat_pictures_are_grouped_where_their_files_are_equal(self, made, photos):
        names = [
            {Path(path).name for path in paths}
            for paths in grouped(made.groups(64, linkage="connected"))
        ]
        assert {"white0.png", "white1.png"} in names
        assert not any({"white2.png", "nearly white.png"} & each for each in names)

    def test_folders_are_whole_names(self, tmp_path):
        for folder in ("a/b", "a/bc", "c"):
            (tmp_path / "p" / folder).mkdir(parents=True)
            draw(0).save(tmp_path / "p" / folder / "0.png")
        draw(0).save(tmp_path / "p" / "a" / "b.png")
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([tmp_path / "p"])

            def names(*between):
                return [
                    sorted(os.path.relpath(member.path, tmp_path / "p") for member in group.members)
                    for group in index.groups(0, between=[tmp_path / "p" / at for at in between])
                ]

            assert names("a/b", "c") == [["a/b/0.png", "c/0.png"]]
            assert names("a/b", "a/bc") == [["a/b/0.png", "a/bc/0.png"]]
            assert names("a", "c") == [["a/b.png", "a/b/0.png", "a/bc/0.png", "c/0.png"]]
            for bad, message in (
                (("nowhere", "c"), "no folder .*nowhere"), (["c"], "not 1"), (["c"] * 3, "not 3"),
            ):  # fmt: skip
                with pytest.raises(ParameterError, match=message):
                    names(*bad)

    def test_what_cannot_work_is_named(self, made):
        for given_terms, message in (
            ({"linkage": "single"}, "linkage must be one of complete, connected"),
            ({"metric": "furlongs"}, "unknown metric 'furlongs'"),
            ({"keep": "pixels,best"}, "no rule 'best' tells what to keep; known are original, "),
            ({"keep": None}, "rules of what to keep are a list of names, not None"),
            ({"keep": ["folder="]}, "no rule 'folder='"),
            ({"keep": ["pixels=3"]}, "no rule 'pixels=3'"),
            ({"max_distance": "8"}, "max_distance must be a number >= 0, or 'auto', not '8'"),
            ({"max_distance": -1}, "max_distance must be"),
            ({"max_distance": True}, "max_distance must be"),
            ({"crops": True}, "has no crop index; make one with keypoints=200"),
        ):
            with pytest.raises(ParameterError, match=message):
                made.groups(**({"max_distance": 3} | given_terms))

    @pytest.mark.parametrize("count", [0, 1])
    def test_an_index_of_nothing_or_one_has_no_groups(self, tmp_path, count, content):
        with ImageIndex.open(tmp_path / "i", content=content) as index:
            if count:
                draw(0).save(tmp_path / "0.png")
                index.index([tmp_path / "0.png"])
            for linkage in ("complete", "connected"):
                found = index.groups(8, linkage=linkage)
                assert (len(found), list(found), found.records()) == (0, [], [])
                assert list(found.pairs()) == found.borderline() == []
                assert found.matrix().shape == (count, count)
                assert "among " in repr(found)
            with pytest.raises(ParameterError, match="there is no group to draw"):
                found.plot()
            assert (len(index.groups()), index.groups().max_distance) == (0, 4)


FOREIGN = """
import json, sys
from txtai.embeddings import Embeddings
index = Embeddings().load(sys.argv[1])
index.upsert([(uid, row, None) for uid, row in json.loads(sys.argv[2])])
index.save(sys.argv[1])
"""


@pytest.mark.slow  # torch is imported
def test_rows_that_others_wrote_do_no_harm(made, content, photos, tmp_path):
    with ImageIndex.open(tmp_path / "other", content=content) as index:
        index.index([photos])
        before = index.groups(14).groups
        text = before[0].keeper.fingerprint
    odd = [
        ("no text", {"path": "/x"}),
        ("short", {"text": "abc", "path": "/x"}),
        ("words", {"text": "zebras run home!", "path": "/x"}),
        ("wide", {"text": "\u0130" * 16, "path": "/x"}),
        ("bare", {"text": text}),
        ("strange", {"text": text, "path": ["/x"], "information": "much", "width": "wide",
                     "height": 1e300, "bytes": -3.5, "mtime_ns": None, "format": 7,
                     "file_digest": "\u00fc" * 64, "pixel_digest": 3}),
        ("upper", {"text": text.upper(), "path": str(tmp_path / "upper.png"), "information": 9,
                   "frames": 1, "file_digest": "f" * 999}),
        ("gone", {"text": text, "path": "/gone.png", "information": 9, "frames": 1}),
    ]  # fmt: skip
    (tmp_path / "upper.png").touch()
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN, tmp_path / "other", json.dumps(odd)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with ImageIndex.open(tmp_path / "other") as index:
        found = index.groups(14)
        assert len(found) == len(before)
        assert [group.keeper for group in found] == [group.keeper for group in before]
        assert {member.path for group in found for member in group.members} - {
            member.path for group in before for member in group.members
        } == {str(tmp_path / "upper.png")}
        found.matrix()
        assert len(index.groups(14, crops=False, keep="sharpness")) == len(before)


class TestViews:
    def test_it_is_a_sequence_of_groups(self, made):
        found = made.groups(14)
        assert isinstance(found[0], Group)
        assert found[-1] == list(found)[-1]
        assert found[:2] == found.groups[:2]
        assert found[0] in found
        first = [min(member.path for member in group.members) for group in found]
        assert first == sorted(first)

    def test_records_have_a_line_for_each_image(self, made):
        found = made.groups(14)
        records = found.records()
        assert len(records) == sum(len(group.members) for group in found)
        assert sum(record["keep"] for record in records) == len(found)
        assert [record["reason"] != "" for record in records] == [
            record["keep"] for record in records
        ]
        frame = found.to_pandas()
        assert frame.to_dict("records") == records
        assert list(frame["group"].unique()) == list(range(1, len(found) + 1))

    def test_a_frame_of_no_groups_has_the_same_columns(self, made):
        found = made.groups(14)
        empty = found.rethreshold(0).rethreshold(14)
        assert list(empty.to_pandas().columns) == list(found.to_pandas().columns)
        none = Groups(Terms(0), collected([], 16))
        assert list(none.to_pandas().columns) == list(found.to_pandas().columns)
        assert len(none.to_pandas()) == 0

    def test_the_matrix_has_all_distances(self, made):
        for metric in ("hamming", "levenshtein", "jaro_winkler"):
            found = made.groups(1, metric=metric).matrix()
            texts = {item[0]: item[1] for item in rows_of(made)}
            assert list(found.index) == list(found.columns) == sorted(texts)
            for one, other in combinations(sorted(texts), 2):
                wanted = distance(texts[one], texts[other], metric)
                assert found.loc[one, other] == found.loc[other, one] == pytest.approx(wanted)
            assert (np.diag(found) == 0).all()

    def test_a_matrix_that_is_too_large_is_refused(self):
        rows = [row(f"/{n}", "0" * 16) for n in range(MOST_OF_MATRIX + 1)]
        with pytest.raises(ParameterError, match=r"5,001 images is too large.*pairs\(\)"):
            Groups(Terms(0), collected(rows, 16)).matrix()

    def test_it_draws_groups_and_opens_no_window(self, made):
        picture = made.groups(14).plot(2)
        assert picture.mode == "RGB"
        assert len(picture.getcolors(1 << 24)) > 100

    def test_it_makes_a_plan_and_a_report(self, made, tmp_path):
        found = made.groups(14)
        plan = found.plan("move", to=tmp_path / "aside")
        looked_at = found.verified()
        assert plan.summary()["groups"] == len(looked_at) < len(found)
        assert [step.path for step in plan.steps if step.action == "keep"] == [
            group.keeper.path for group in looked_at
        ]
        assert found.save_html(tmp_path / "r.html", title="ours") == []
        assert "ours" in (tmp_path / "r.html").read_text()
        assert len(found.save_mosaics(tmp_path / "m")) == len(found)
        with pytest.raises(PlanError):
            plan.save(tmp_path / "plan.txt")


def of(name, **facts):
    return Picture(name, f"/p/{name}", "00", **({"file_digest": name} | facts))


def columns(members):
    """Return images as columns, as a collection has them."""
    facts = {
        name: np.array([getattr(member, name) for member in members], np.int64)
        for name in ("width", "height", "bytes", "mtime_ns", "gps", "taken_pixels")
    }
    facts["file_digest"] = np.array([member.file_digest for member in members], "S")
    texts = {
        name: [getattr(member, name) for member in members]
        for name in ("path", "format", "damaged")
    }
    for name in ("taken", "camera", "derived"):
        known = {"": 0}
        numbers = [known.setdefault(getattr(member, name), len(known)) for member in members]
        texts[name] = Texts(np.array(numbers, np.int32), list(known))
    return facts | texts


def keeper(members, names):
    count = len(members)
    found = choose_keepers(columns(members), np.arange(count), np.zeros(count, int), rules(names))
    [number], [reason] = found
    return number, reason


WHOLE = st.sampled_from([0, 1, 2, 3, -1, 3_000, 3_950, 4_000, 2**40, 2**62, 2**63 - 1, -(2**63)])
TIMES = st.sampled_from([0, 10**6, 5 * 10**18, -(10**15), 86_400_005 * 10**6])
NAMES = (
    "/a/1",
    "/a/2.png",
    "/a/10.png",
    "/ab/1",
    "/b-edited.jpg",
    "/b/long name.jpg",
    "/ü",
    "/a/a (1).png",
)
MEMBERS = st.builds(
    Picture,
    st.just(""),
    st.sampled_from(NAMES),
    st.just("00"),
    width=WHOLE,
    height=WHOLE,
    bytes=WHOLE,
    mtime_ns=TIMES,
    format=st.sampled_from(["", "PNG", "BMP", "JPEG", "HEIF"]),
    file_digest=st.sampled_from(["", "a", "b"]),
    damaged=st.sampled_from(["", "", "its end is missing"]),
    taken=st.sampled_from(
        [
            "",
            "1970-01-02T00:00:00",
            "1970-01-02T00:00:00.12",
            "1970-01-02T01:14:58",
            "2020-01-02T00:00:00",
            "2020-01-01T00:00:00",
        ]
    ),
    camera=st.sampled_from(["", "", "Canon 1", "Apple iPhone"]),
    derived=st.sampled_from(["", "", "saved by Gimp", REWRITTEN]),
    gps=st.sampled_from([0, 1]),
    taken_pixels=WHOLE,
)
RULES = st.one_of(
    st.just(DEFAULT_RULES),
    st.lists(st.sampled_from([*DEFAULT_RULES, "newest", "folder=/a"]), max_size=5, unique=True),
)


class TestKeepers:
    @pytest.mark.parametrize(
        ("rule", "better", "worse", "reason"),
        [
            ("pixels", {"width": 30, "height": 2}, {"width": 7, "height": 8},
             "most pixels (30x2 over 7x8)"),
            ("lossless", {"format": "PNG"}, {"format": "JPEG"},
             "lossless format (PNG over JPEG)"),
            ("lossless", {"format": "TIFF"}, {"format": ""},
             "lossless format (TIFF over unknown)"),
            ("bytes", {"bytes": 12_345}, {"bytes": 2}, "most bytes (12,345 over 2)"),
            ("newest", {"mtime_ns": 86_400 * 10**9 + 5 * 10**6}, {"mtime_ns": 0},
             "newest (1970-01-02 00:00:00.005 over 1970-01-01 00:00:00.000)"),
            ("oldest", {"mtime_ns": -(10**9)}, {"mtime_ns": 0},
             "oldest (1969-12-31 23:59:59.000 over 1970-01-01 00:00:00.000)"),
        ],
    )  # fmt: skip
    def test_each_rule_keeps_its_own_and_says_why(self, rule, better, worse, reason):
        assert keeper([of("a", **worse), of("b", **better)], [rule]) == (1, reason)
        assert keeper([of("b", **better), of("a", **worse)], [rule]) == (0, reason)
        assert keeper([of("b", **better), of("a", **better)], [rule]) == (1, "first by path")

    @given(st.lists(st.lists(MEMBERS, min_size=2, max_size=5), min_size=1, max_size=4), RULES)
    @settings(max_examples=examples(500))
    def test_keepers_and_reasons_are_those_of_brute_force(self, groups, names):
        members = [member for group in groups for member in group]
        numbers = np.repeat(np.arange(len(groups)), list(map(len, groups)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hashlens.grouping.keepers._sharpness_of", lambda path, *_: len(path))
            patch.setattr(
                "hashlens.grouping.originals.have_raw", lambda paths: ["/a/" in p for p in paths]
            )
            patch.setattr(
                "hashlens.grouping.source._made_from_others",
                lambda paths, _, asked, __: asked & [made_by_path(path) for path in paths],
            )
            kept, reasons = choose_keepers(
                columns(members), np.arange(len(members)), numbers, rules(names)
            )
        assert [(members[row], reason) for row, reason in zip(kept, reasons, strict=True)] == [
            choose(group, names) for group in groups
        ]

    def test_rules_decide_in_their_order(self):
        large, sharp = of("large", width=9, height=9), of("small", width=1, height=1, bytes=9)
        assert keeper([large, sharp], ["pixels", "bytes"])[0] == 0
        assert keeper([large, sharp], ["bytes", "pixels"]) == (1, "most bytes (9 over 0)")
        three = [large, of("also", width=9, height=9, bytes=4), sharp]
        found = keeper(three, ["pixels", "lossless", "bytes"])
        assert found == (1, "most pixels (9x9 over 1x1), then most bytes (4 over 0)")

    def test_the_reason_compares_with_the_best_of_the_others(self):
        sizes = [of(str(n), bytes=n) for n in (5, 900, 30, 899)]
        assert keeper(sizes, ["bytes"]) == (1, "most bytes (900 over 899)")
        sides = [of(str(n), width=n, height=n) for n in (20, 70, 100, 60)]
        assert keeper(sides, ["original"]) == (2, "no smaller copy (100x100 over 70x70)")

    def test_the_reason_shows_the_image_that_is_kept(self):
        sides = [of(str(n), width=n, height=n, bytes=n) for n in (20, 100, 95, 30)]
        assert keeper(sides, ["original", "bytes"]) == (
            1,
            "no smaller copy (100x100 over 30x30), then most bytes (100 over 95)",
        )
        smallest_first = [replace(each, bytes=-each.bytes) for each in sides]
        assert keeper(smallest_first, ["original", "bytes"]) == (
            2,
            "no smaller copy (95x95 over 30x30), then most bytes (-95 over -100)",
        )

    def test_a_folder_holds_what_is_below_it(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        names = ["ab/0.png", "a/deep/er/1.png", "b/2.png"]
        members = [Picture(name, str(tmp_path / name), "0") for name in names]
        assert keeper(members, ["folder=a"])[0] == 1
        assert keeper(members, [f"folder={tmp_path}/a/"])[0] == 1
        assert keeper(members, [f"folder={tmp_path / 'b'}"]) == (2, f"in {tmp_path / 'b'}")
        assert keeper(members, ["folder=nowhere"])[1] == "first by path"
        assert keeper(members, ["folder={0}"])[0] == 1  # no format string
        braces = Picture("x", str(tmp_path / "{0}" / "x"), "0")
        assert keeper([*members, braces], ["folder={0}"]) == (3, f"in {tmp_path / '{0}'}")

    @given(st.permutations("zyxwv"))
    def test_the_path_decides_at_last_in_any_case(self, names):
        members = [of(name) for name in names]
        for given_rules in (["path"], [], ["bytes", "newest"], ["path", "pixels"]):
            number, reason = keeper(members, given_rules)
            assert (names[number], reason) == ("v", "first by path")

    def test_rules_are_read_from_lists_and_from_text(self):
        wanted = ["sound", "bytes", "folder", "path"]
        for given_rules in ("bytes, folder=/x", ["bytes", "folder=/x"], ("bytes", "folder=/x")):
            assert [rule.name for rule in rules(given_rules)] == wanted
        assert [rule.name for rule in rules()] == ["sound", *DEFAULT_RULES]
        assert [rule.name for rule in rules("path,bytes")] == ["sound", "path", "bytes"]
        for bad in ("", "best", "pixels;bytes", "folder", [""], ["Pixels"]):
            with pytest.raises(ParameterError, match="tells what to keep; known are original"):
                rules(bad)

    def test_the_sharpest_file_is_kept_and_one_that_cannot_be_read_is_not(self, tmp_path):
        draw(0).save(tmp_path / "sharp.png")
        draw(0).filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "blurred.png")
        (tmp_path / "broken.png").write_bytes(b"no picture")
        members = [
            Picture(name, str(tmp_path / name), "0", file_digest=name)
            for name in ("broken.png", "blurred.png", "sharp.png", "gone.png")
        ]
        number, reason = keeper(members, ["sharpness"])
        values = [sharpness(tmp_path / name) for name in ("sharp.png", "blurred.png")]
        assert (number, reason) == (2, f"sharpest ({values[0]:.1f} over {values[1]:.1f})")
        number, reason = keeper(members[:2], ["sharpness"])
        assert number == 1
        assert reason.endswith("over a file that cannot be read)")

    def test_of_equal_files_one_that_is_gone_does_not_speak_for_the_other(self, tmp_path):
        draw(3).save(tmp_path / "here.png")
        facts = {"file_digest": "same", "mtime_ns": 77}
        gone, here = (
            Picture(name, str(tmp_path / name), "0", **facts) for name in ("gone.png", "here.png")
        )
        other = Picture("other.png", str(tmp_path / "other.png"), "0", file_digest="other")
        assert keeper([gone, here, other], ["sharpness"])[0] == 1

    def test_equal_files_are_never_read(self, tmp_path):
        for name in "ab":
            draw(0).save(tmp_path / f"{name}.png")
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([tmp_path])
            for name in "ab":
                (tmp_path / f"{name}.png").write_bytes(b"no picture any more")
            [group] = index.groups(0, keep="sharpness,newest")
            assert "sharpest" not in group.reason

    def test_the_choice_does_not_depend_on_the_order_of_members(self, tmp_path):
        random = np.random.default_rng(5)
        members = [
            of(f"{n}", width=int(w), height=2, bytes=int(b), mtime_ns=int(t), format=f)
            for n, (w, b, t, f) in enumerate(
                zip(*random.integers(1, 3, (3, 12)), ["PNG", "JPEG"] * 6, strict=True)
            )
        ]
        order = ["lossless", "pixels", "bytes", "newest"]
        first = keeper(members, order)
        for _ in range(20):
            shuffled = [members[place] for place in random.permutation(12)]
            number, reason = keeper(shuffled, order)
            assert (shuffled[number], reason) == (members[first[0]], first[1])

    def test_an_index_takes_rules_as_a_list_or_text(self, made, photos):
        folder = str(photos / "2")
        found = made.groups(14, keep=[f"folder={folder}", "bytes"])
        assert found.groups == made.groups(14, keep=f"folder={folder}, bytes").groups
        inside_ones = [group for group in found if f"in {folder}" in group.reason]
        assert inside_ones
        assert all(inside(group.keeper.path, folder) for group in inside_ones)
