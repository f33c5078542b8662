"""Disks that are full or cannot be written: nothing is lost, and all goes on afterwards."""

from __future__ import annotations

import os
import subprocess

import pytest

from hashlens.cleanup.apply import apply
from hashlens.cleanup.undo import undo
from hashlens.errors import PlanError
from machines import mounted
from trees import group, make_plan, put, snapshot


@pytest.fixture
def small(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", folder):
        yield folder


@pytest.fixture
def photos(tmp_path):
    """Three copies of a picture of 0.4 megabytes, and a near-duplicate."""
    data = bytes(range(256)) * 1600
    paths = [put(tmp_path / "photos" / name / "1.jpg", data) for name in "abc"]
    return [*paths, put(tmp_path / "photos" / "d" / "1.jpg", data[::-1])]


def planned(photos, action, path, **options):
    make_plan([group(*photos)], action, **options).save(path)
    return path


def fill(folder):
    """Leave no room on a disk; return the file that takes it."""
    path = folder / "filling"
    status = os.statvfs(folder)
    return put(path, bytes(status.f_bavail * status.f_frsize))


@pytest.mark.parametrize("action", ["move", "quarantine"])
def test_a_full_disk_takes_what_it_can_and_the_rest_when_there_is_room(
    tmp_path, small, photos, action
):
    root = tmp_path / "photos"
    before = snapshot(root)
    path = planned(photos, action, tmp_path / "plan.jsonl", to=small)
    with pytest.raises(PlanError, match=r"No space left on device; make room and apply the plan"):
        apply(path)  # three files take 1.2 megabytes
    there = {item[1] for item in (snapshot(root) | snapshot(small)).values() if item[1:]}
    assert {item[1] for item in before.values() if item[1:]} <= there
    assert not [name for name in snapshot(small) if ".hashlens-" in name]
    subprocess.run(["mount", "-o", "remount,size=2m", str(small)], check=True)
    outcome = apply(path)
    assert (outcome.done, outcome.earlier, outcome.skipped) == (1, 2, ())
    assert undo(outcome.journal).skipped == ()
    assert snapshot(root) == before


def test_what_has_no_room_to_come_back_comes_when_there_is(tmp_path, small):
    data = bytes(range(256)) * 1024
    photos = [put(small / f"{name}.jpg", data) for name in "ab"]
    before = snapshot(small)
    outcome = apply(planned(photos, "quarantine", tmp_path / "plan.jsonl", to=tmp_path / "to"))
    filling = fill(small)
    with pytest.raises(PlanError, match=r"b\.jpg: No space left on device; make room, then undo"):
        undo(outcome.journal)
    assert sorted(snapshot(small)) == ["a.jpg", "filling"]
    assert (tmp_path / f"to{photos[1]}").read_bytes() == data
    filling.unlink()
    assert undo(outcome.journal).skipped == ()
    assert snapshot(small) == before


def test_a_backup_without_room_takes_nothing_away(tmp_path, small, photos):
    before = snapshot(tmp_path / "photos")
    path = planned(photos, "delete", tmp_path / "plan.jsonl", backup=small)
    with pytest.raises(PlanError, match=r"No space left on device; make room and apply the plan"):
        apply(path)
    assert snapshot(tmp_path / "photos") == before
    subprocess.run(["mount", "-o", "remount,size=3m", str(small)], check=True)
    assert apply(path).skipped == ()
    assert sorted(snapshot(tmp_path / "photos")) == ["a", "a/1.jpg", "b", "c", "d"]


def test_a_plan_without_room_leaves_the_old_one(tmp_path, small, photos):
    path = planned(photos, "quarantine", small / "plan.jsonl", to=tmp_path / "to")
    old = path.read_bytes()
    filling = fill(small)
    with pytest.raises(PlanError, match=r"plan\.jsonl cannot be written: No space left on device"):
        planned(photos, "delete", path)
    assert path.read_bytes() == old
    filling.unlink()
    planned(photos, "delete", path)  # it was not edited
    assert path.read_bytes() != old


def go_there_and_back(path, times):
    for _ in range(times):
        undo(apply(path).journal)


def test_a_journal_without_room_stops_the_run_at_a_step(tmp_path, small, photos):
    root = tmp_path / "photos"
    before = snapshot(root)
    path = planned(photos, "quarantine", small / "plan.jsonl", to=tmp_path / "to")
    filling = fill(small)
    with pytest.raises(PlanError, match=r"plan\.journal\.jsonl cannot be written: No space left"):
        go_there_and_back(path, 100)  # the last block of the journal takes some steps
    there = {item[1] for item in snapshot(tmp_path).values() if item[1:]}
    assert {item[1] for item in before.values() if item[1:]} <= there
    filling.unlink()
    undo(small / "plan.journal.jsonl")
    assert snapshot(root) == before
    assert apply(path).done == 3


@pytest.mark.parametrize("action", ["move", "hardlink", "symlink", "delete"])
def test_a_disk_that_cannot_be_written_keeps_its_files(tmp_path, small, action):
    photos = [put(small / folder / "1.jpg", b"same") for folder in "ab"]
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    before = snapshot(small)
    to = tmp_path / "to" if action == "move" else None
    outcome = apply(planned(photos, action, tmp_path / "plan.jsonl", to=to))
    assert [item.reason for item in outcome.skipped] == ["Read-only file system"]
    assert not (tmp_path / "to").exists()
    assert undo(outcome.journal).skipped == ()
    with pytest.raises(PlanError, match="cannot be written: Read-only file system"):
        planned(photos, action, small / "plan.jsonl", to=to)
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    assert snapshot(small) == before
    assert apply(tmp_path / "plan.jsonl").done == 1
