"""One folder that is reached by two names: real mounts, where the machine allows them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hashlens.cleanup.apply import apply
from hashlens.cleanup.plan import Plan
from hashlens.cleanup.undo import undo
from hashlens.model import Group
from machines import SecondName, mounted
from trees import group, make_plan, member, put, snapshot

REMOVALS = ("move", "quarantine", "hardlink", "symlink", "delete")


@pytest.fixture(params=["overlay", "bind"])
def twice(request, tmp_path):
    """A folder and the same folder by another name, each with `pictures/1.jpg`."""
    pictures, other = tmp_path / "pictures", tmp_path / "other"
    other.mkdir()
    put(pictures / "1.jpg", b"one" * 50)
    with ExitStack() as stack:
        if request.param == "overlay":
            low, work = tmp_path / "low", tmp_path / "work"
            low.mkdir(), work.mkdir()
            layers = f"lowerdir={low},upperdir={pictures},workdir={work}"
            stack.enter_context(mounted("-t", "overlay", "overlay", "-o", layers, other))
        else:
            (tmp_path / "backup").mkdir()
            os.link(pictures / "1.jpg", tmp_path / "backup" / "x.jpg")
            stack.enter_context(mounted("--bind", pictures, other))
        yield SimpleNamespace(root=tmp_path, real=pictures / "1.jpg", other=other / "1.jpg")


@pytest.mark.parametrize("action", REMOVALS)
@pytest.mark.parametrize("way", ["real first", "other first"])
def test_the_only_copy_stays_whatever_name_is_kept(twice, action, way):
    names = (twice.real, twice.other) if way == "real first" else (twice.other, twice.real)
    to = None if action == "delete" else twice.root / "to"
    plan = make_plan([group(*names)], action, to=to)
    path = twice.root / "plan.jsonl"
    plan.save(path)
    before = snapshot(twice.real.parent)
    outcome = apply(path)
    assert outcome.done == 0
    assert snapshot(twice.real.parent) == before
    assert twice.other.read_bytes() == twice.real.read_bytes() == b"one" * 50
    assert not (twice.root / "to").exists()
    undo(outcome.journal)
    assert snapshot(twice.real.parent) == before


@pytest.mark.parametrize("action", REMOVALS)
def test_a_true_copy_beside_it_goes_and_comes_back(twice, action):
    copy = put(twice.root / "elsewhere" / "1.jpg", b"one" * 50)
    to = None if action == "delete" else twice.root / "to"
    path = twice.root / "plan.jsonl"
    make_plan([group(twice.other, copy)], action, to=to).save(path)
    before = snapshot(twice.root / "elsewhere")
    outcome = apply(path)
    if action == "hardlink":
        assert outcome.done == 0  # no hard link leads from one mount to another
    else:
        assert (outcome.done, outcome.skipped) == (1, ())
    undo(outcome.journal)
    if action != "delete":
        assert snapshot(twice.root / "elsewhere") == before


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("action", [name for name in REMOVALS if name != "hardlink"])
@pytest.mark.parametrize("way", ["real first", "other first"])
def test_the_only_copy_stays_without_a_mount_to_try(tmp_path, monkeypatch, action, way, cached):
    real, other = tmp_path / "pictures" / "1.jpg", tmp_path / "other" / "1.jpg"
    put(real, b"one" * 50)
    before = snapshot(real.parent)
    path = tmp_path / "plan.jsonl"
    with monkeypatch.context() as patch:
        SecondName(real.parent, other.parent, cached=cached).install(patch)
        entry = member(real)
        second = replace(entry, id=str(other), path=str(other))
        both = (entry, second) if way == "real first" else (second, entry)
        plan = make_plan(
            [Group(both, 0)], action, to=None if action == "delete" else tmp_path / "to"
        )
        assert [step.action for step in plan.steps] == ["keep", action]
        plan.save(path)
        outcome = apply(path)
        assert (outcome.done, len(outcome.skipped)) == (0, 1)
        assert "cannot be taken back" not in outcome.skipped[0].reason
        undo(outcome.journal)
    assert snapshot(real.parent) == before


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("action", [name for name in REMOVALS if name != "hardlink"])
@pytest.mark.parametrize("way", ["real goes", "other goes"])
def test_a_name_that_is_kept_stays_when_its_other_name_is_to_go(
    tmp_path, monkeypatch, action, way, cached
):
    """A third file has the bytes, but a person has set the line of one name to keep."""
    real, other = tmp_path / "pictures" / "1.jpg", tmp_path / "other" / "1.jpg"
    put(real, b"one" * 50)
    copy = put(tmp_path / "copy" / "1.jpg", b"one" * 50)
    before = snapshot(real.parent)
    path = tmp_path / "plan.jsonl"
    with monkeypatch.context() as patch:
        SecondName(real.parent, other.parent, cached=cached).install(patch)
        second = replace(member(real), id=str(other), path=str(other))
        to = None if action == "delete" else tmp_path / "to"
        plan = make_plan([Group((member(copy), member(real), second), 0)], action, to=to)
        kept = str(other if way == "real goes" else real)
        steps = [replace(step, action="keep") if step.path == kept else step for step in plan.steps]
        Plan(tuple(steps)).save(path)
        outcome = apply(path)
        assert (outcome.done, len(outcome.skipped)) == (0, 1)
    assert snapshot(real.parent) == before
