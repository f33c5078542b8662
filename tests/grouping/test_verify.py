"""Groups after a second look, what they part, and what a plan does with it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from drawing import draw
from hashlens import Group, ImageIndex, Member, Pair, file_digest, make_plan
from hashlens.grouping import verify
from hashlens.grouping.assign import Assignment
from hashlens.grouping.collection import read_collection
from hashlens.grouping.scope import Terms
from hashlens.grouping.verify import Verifier
from hashlens.hashing.looking import differences
from hashlens.schema import GROUPED

COLORS = {"red": (180, 40, 40), "blue": (40, 60, 180), "green": (20, 110, 40)}


def shirt(color):
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).polygon([(70, 40), (230, 40), (250, 270), (60, 270)], color)
    return picture


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, color in COLORS.items():
        shirt(color).save(folder / f"{name}.png")
        shirt(color).resize((200, 200)).save(folder / f"{name}-small.jpg", quality=80)
    draw(1, (300, 200)).save(folder / "photo.png")
    draw(1, (300, 200)).save(folder / "photo-copy.jpg")
    return folder


@pytest.fixture
def found(tmp_path, folder):
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([folder])
        yield index.groups(64)


def names(groups):
    return {frozenset(member.path.rpartition("/")[2] for member in group) for group in groups}


def members(groups):
    return names(group.members for group in groups)


PAIRS = {frozenset((f"{name}.png", f"{name}-small.jpg")) for name in COLORS}
PAIRS |= {frozenset(("photo.png", "photo-copy.jpg"))}


def test_pictures_that_only_hash_alike_leave_and_find_their_own_copies(found):
    assert len(found) == 1
    verified = found.verified(workers=2)
    assert members(verified) == PAIRS
    firsts = [min(member.path for member in group.members) for group in verified]
    assert firsts == sorted(firsts)
    assert found.doubts == ()
    assert len(verified.doubts) == 6  # all but the first pair left the first keeper
    keeper = found[0].keeper.path
    assert {doubt.first for doubt in verified.doubts} == {keeper}
    assert all(doubt.reason for doubt in verified.doubts)
    assert verified.verified() is verified


def test_another_bound_looks_again_and_labels_follow(found):
    verified = found.verified()
    assert members(verified.rethreshold(64)) == PAIRS
    inside = {frozenset((pair.first, pair.second)) for pair in verified.pairs() if pair.grouped}
    assert names([[Member(path, path, "") for path in pair] for pair in inside]) == PAIRS
    assert len(found.rethreshold(0).verified()) <= len(PAIRS)


def test_borderline_has_the_parted_pairs_first(found):
    verified = found.verified()
    pairs = verified.borderline(8)
    assert pairs[:6] == [
        Pair(doubt.first, doubt.second, doubt.distance, False, doubt.reason)
        for doubt in verified.doubts
    ]
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs)
    assert len(verified.borderline(2)) == 2


def test_a_plan_looks_unless_it_is_told_not_to(found):
    plan = found.plan("delete")
    assert sum(step.action == "delete" for step in plan.steps) == 4
    assert plan.summary()["doubts"] == len(plan.doubts) == 6
    assert make_plan(found, "delete") == plan
    blind = found.plan("delete", verify=False)
    assert sum(step.action == "delete" for step in blind.steps) == 7
    assert "doubts" not in blind.summary()


def test_duplicates_of_other_groups_are_kept_with_the_reason(folder):
    def member(name):
        path = folder / name
        status = path.stat()
        digest = file_digest(path)
        facts = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "file_digest": digest}
        return Member(str(path), str(path), "0" * 16, **facts)

    group = Group(tuple(map(member, ("red.png", "red-small.jpg", "blue.png"))), 0)
    plan = make_plan([group], "delete")
    assert [step.action for step in plan.steps] == ["keep", "delete", "keep"]
    assert plan.steps[2].reason == "look at it: colours differ"
    assert [doubt.second for doubt in plan.doubts] == [str(folder / "blue.png")]


def test_the_report_shows_what_was_parted(found, tmp_path):
    verified = found.verified()
    verified.save_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert 'data-kind="doubts"' in text
    for reason in {doubt.reason for doubt in verified.doubts}:
        assert reason in text


def test_all_copies_in_a_large_group_find_each_other():
    count = 50  # different pictures, a copy of each
    order = range(2 * count)
    files = [number // 2 + 1 for number in order]
    collection = collected(order, [1] * len(order), [1 + number for number in order])
    looks = []

    def told(pairs, *_, **__):
        shown = [tuple(files[int(path[1:-4])] for path in pair) for pair in pairs]
        looks.extend(shown)
        return ["" if one == other else "other" for one, other in shown]

    none = np.empty(0, np.int64)
    labels = np.zeros(len(order), np.int64)
    found = Assignment(labels, [np.arange(len(order))], none, none)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "differences", told)
        seen, _ = Verifier().verify(collection, Terms(64, keep=("bytes",)), found)
        assert sorted(map(len, seen.groups)) == [2] * count
        files[:] = order  # no picture has a copy
        looks.clear()
        seen, _ = Verifier().verify(collection, Terms(64, keep=("bytes",)), found)
    assert seen.groups == []
    assert len(looks) < (2 + verify.NEAREST) * len(order)


def test_another_bound_has_no_word_of_a_run_that_has_ended(found):
    heard = []
    verified = found.verified(progress=heard.append)
    count = len(heard)
    assert count > 0
    looser = verified.rethreshold(63)
    assert len(looser.doubts) >= 0
    assert looser.verifier.seen is verified.verifier.seen
    assert len(heard) == count


def test_an_index_of_pictures_as_decoded_looks_at_them_so(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "pictures").mkdir()
    draw(4, (300, 200)).save(tmp_path / "pictures" / "tagged.jpg", exif=exif, quality=95)
    draw(4, (300, 200)).save(tmp_path / "pictures" / "plain.jpg", quality=80)
    with ImageIndex.open(tmp_path / "index", upright=False) as index:
        index.index([tmp_path / "pictures"])
        groups = index.groups(8, verify=True)
        assert members(groups) == {frozenset(("tagged.jpg", "plain.jpg"))}
        assert groups.doubts == ()


COUNT = 9  # pictures
FILES = 6  # different files
FIRST = COUNT // 3  # pictures of the first group


def collected(order, sizes, files):
    """Return a collection of pictures with one fingerprint, read in the order given."""
    rows = []
    for number in order:
        facts = {"path": f"/{number}.png", "bytes": sizes[number], "information": 5.0}
        facts["file_digest"] = f"{files[number]:064x}"
        rows.append((facts["path"], "0" * 16, *(facts.get(name) for name in GROUPED)))
    return read_collection([list(zip(*rows, strict=True))], 16)


def written_out(numbers, sizes, files, alike):
    """Return groups as the rule says: who shows the keeper stays, who does not is asked anew."""
    groups, left = set(), list(numbers)
    while left:
        keeper = min(left, key=lambda number: (-sizes[number], f"/{number}.png"))
        kept = files[keeper]
        stays = {n for n in left if files[n] == kept or frozenset((files[n], kept)) in alike}
        left = [number for number in left if number not in stays]
        groups |= {frozenset(f"/{number}.png" for number in stays)} if len(stays) > 1 else set()
    return groups


@given(
    st.permutations(range(COUNT)),
    st.lists(st.integers(1, 3), min_size=COUNT, max_size=COUNT),
    st.lists(st.integers(1, FILES), min_size=COUNT, max_size=COUNT),
    st.sets(st.sampled_from([frozenset(p) for p in combinations(range(1, FILES + 1), 2)])),
)
def test_groups_are_those_of_the_rule_written_out_in_any_order(order, sizes, files, alike):
    collection = collected(order, sizes, files)
    asked = []

    def told(pairs, *_, **__):
        shown = [tuple(files[int(path[1:-4])] for path in pair) for pair in pairs]
        asked.extend(shown)
        return ["" if frozenset(pair) in alike else "other" for pair in shown]

    none = np.empty(0, np.int64)
    parts = [np.arange(FIRST), np.arange(FIRST, COUNT)]
    labels = np.repeat([0, FIRST], [FIRST, COUNT - FIRST])
    found = Assignment(labels, parts, none, none)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "differences", told)
        seen, doubts = Verifier().verify(collection, Terms(64, keep=("bytes",)), found)
    groups = {frozenset(collection.paths[row] for row in rows) for rows in seen.groups}
    halves = range(FIRST), range(FIRST, COUNT)
    assert groups == set().union(*(written_out(half, sizes, files, alike) for half in halves))
    firsts = [int(rows[0]) for rows in seen.groups]
    assert firsts == sorted(firsts)
    assert all((seen.labels[rows] == rows[0]).all() for rows in seen.groups)
    assert len(set(asked)) == len(asked)  # no two files are looked at twice
    for doubt in doubts:
        one, other = (files[int(path[1:-4])] for path in (doubt.first, doubt.second))
        assert one != other
        assert frozenset((one, other)) not in alike


def test_progress_is_told_of_each_pair_with_one_keeper(tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(6)]
    for path in paths:
        draw(1, (200, 150)).save(path)
    told = []
    found = differences([(paths[0], path) for path in paths[1:]], 2, told.append)
    assert found == [""] * 5
    assert [(step.done, step.total, step.path) for step in told] == [
        (number, 5, paths[number]) for number in range(1, 6)
    ]
