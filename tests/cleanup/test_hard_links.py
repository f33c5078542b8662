"""Files that have several names: undo makes one file of them again."""

from __future__ import annotations

import os

import pytest

from hashlens.cleanup.apply import apply
from hashlens.cleanup.undo import undo
from machines import apart
from trees import group, make_plan, put, snapshot


@pytest.fixture
def names(tmp_path):
    """A picture, and a copy of it that has three names."""
    keeper = put(tmp_path / "photos" / "a.jpg", b"same")
    copy = put(tmp_path / "photos" / "b" / "1.jpg", b"same", 0o600, 5)
    others = [copy.with_name(name) for name in ("2.jpg", "3.jpg")]
    for other in others:
        os.link(copy, other)
    return [keeper, copy, *others]


def are_one(names):
    return len({os.lstat(name).st_ino for name in names}) == 1


@pytest.mark.parametrize("action", ["move", "quarantine", "symlink", "hardlink"])
@pytest.mark.parametrize("where", ["one device", "another device"])
def test_undo_makes_one_file_of_all_names(tmp_path, monkeypatch, names, action, where):
    to = tmp_path / "to"
    if where == "another device":
        apart(monkeypatch, to)
    before = snapshot(tmp_path / "photos")
    path = tmp_path / "plan.jsonl"
    make_plan([group(*names)], action, to=to).save(path)
    outcome = apply(path)
    assert (outcome.done, outcome.skipped) == (3, ())
    assert undo(outcome.journal).skipped == ()
    assert snapshot(tmp_path / "photos") == before
    assert are_one(names[1:])
    assert not are_one(names)


def test_a_link_to_a_hard_link_of_the_keeper_becomes_the_hard_link(tmp_path, names):
    path = tmp_path / "plan.jsonl"
    make_plan([group(*names[1:])], "symlink", hard_links=True).save(path)
    outcome = apply(path)
    assert outcome.done == 2
    undo(outcome.journal)
    assert are_one(names[1:])


@pytest.mark.parametrize("first", [True, False])
def test_the_same_name_through_a_linked_folder_is_no_other_name(tmp_path, names, first):
    (tmp_path / "alias").symlink_to(names[1].parent)
    alias = tmp_path / "alias" / "1.jpg"
    members = [names[0], *([alias] if first else []), *names[1:], *([] if first else [alias])]
    path = tmp_path / "plan.jsonl"
    make_plan([group(*members)], "symlink").save(path)
    outcome = apply(path)
    assert outcome.done == 3
    undo(outcome.journal)
    assert are_one(names[1:])


def test_another_name_that_was_changed_meanwhile_is_not_linked(tmp_path, names):
    path = tmp_path / "plan.jsonl"
    make_plan([group(*names)], "symlink").save(path)
    outcome = apply(path)
    names[3].unlink()
    put(names[3], b"mine")
    assert [item.path for item in undo(outcome.journal).skipped] == [str(names[3])]
    assert names[3].read_bytes() == b"mine"
    assert names[2].read_bytes() == names[1].read_bytes() == b"same"
    assert are_one(names[1:3])
