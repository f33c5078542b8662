"""Names that are long, and file systems that allow only short ones."""

from __future__ import annotations

import os
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens.cleanup import names as module
from hashlens.cleanup.apply import apply
from hashlens.cleanup.names import numbered
from hashlens.cleanup.undo import undo
from trees import group, make_plan, put, snapshot

LONGEST = os.pathconf("/", "PC_NAME_MAX") if hasattr(os, "pathconf") else 255


@pytest.mark.parametrize("action", ["move", "quarantine", "symlink"])
def test_the_longest_name_gets_a_number(tmp_path, action):
    name = "y" * (LONGEST - 4) + ".jpg"
    paths = [put(tmp_path / "photos" / folder / name, folder.encode()) for folder in "abc"]
    before = snapshot(tmp_path / "photos")
    plan_path = tmp_path / "plan.jsonl"
    make_plan([group(*paths)], action, to=tmp_path / "to").save(plan_path)
    outcome = apply(plan_path)
    assert (outcome.done, outcome.skipped) == (2, ())
    moved = [path for path in (tmp_path / "to").rglob("*.jpg") if path.is_file()]
    assert sorted(path.read_bytes() for path in moved) == [b"b", b"c"]
    assert (undo(outcome.journal).done, snapshot(tmp_path / "photos")) == (2, before)


def test_a_path_that_is_too_long_is_left_alone_and_the_journal_ends(tmp_path):
    folders = ["x" * 200] * 15
    keeper = put(tmp_path / "photos" / "a.jpg", b"same")
    other = put(tmp_path.joinpath("photos", *folders) / "b.jpg", b"same")
    plan_path = tmp_path / "plan.jsonl"
    to = tmp_path.joinpath("to", *["z" * 200] * 6)
    make_plan([group(keeper, other)], "quarantine", to=to).save(plan_path)
    outcome = apply(plan_path)
    assert [item.reason for item in outcome.skipped] == ["File name too long"]
    assert other.read_bytes() == b"same"
    assert undo(outcome.journal).skipped == ()
    make_plan([group(keeper, other)], "delete").save(plan_path)
    assert apply(plan_path).done == 1


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.one_of(NAMES, st.tuples(NAMES, st.integers(1, 150)).map(lambda item: item[0] * item[1])))
def test_numbered_names_are_distinct_and_short_enough(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_longest_name", lambda folder: 143)  # of eCryptfs
        names = list(islice(numbered(os.path.join("/photos", text)), 12))
    assert len(set(names)) == 12
    assert all(len(os.fsencode(os.path.basename(name))) <= 143 for name in names)
    if len(os.fsencode(text)) <= 143:
        assert names[0] == f"/photos/{text}"
