from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashlens.cleanup.actions import ACTIONS
from hashlens.cleanup.apply import apply
from hashlens.cleanup.plan import Plan
from hashlens.cleanup.undo import undo
from hashlens.errors import ParameterError, PlanError
from hashlens.images.walk import IGNORE, walk
from machines import Machine, killed_at
from suites import examples
from trees import digest, group, make_plan, member, put, snapshot

KILLS = {"quick": 10, "thorough": 50}  # of a process, at random moments
NEEDS_FOLDER = ("move", "quarantine", "copy-keepers")


@pytest.fixture
def other_device(tmp_path):
    """A folder on another device than the other files of a test."""
    shared = Path("/dev/shm")  # noqa: S108  a folder of its own is made in it
    if not shared.is_dir() or os.stat(shared).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is no second file system")
    folder = Path(tempfile.mkdtemp(dir=shared))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unsynced():
    """What is written is there as long as the machine runs: tests need not wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


class Scene:
    """Photos and a plan for them: a keeper, its copy, a near-duplicate of it, and a second pair."""

    def __init__(self, root, action, to=None, **options):
        self.root, self.action, self.options = root, action, options
        self.to = to or root / "to"
        self.photos = root / "photos"
        self.plan_path = root / "plans" / "plan.jsonl"
        self.journal = root / "plans" / "plan.journal.jsonl"
        self.build()

    def build(self):
        """Make all anew, at the same places."""
        for folder in (self.root, self.to):
            shutil.rmtree(folder, ignore_errors=True)
        self.plan_path.parent.mkdir(parents=True)
        self.keeper = put(self.photos / "a" / "1.jpg", b"one" * 50)
        self.equal = put(self.photos / "b" / "1.jpg", b"one" * 50, 0o600, 10**18)
        self.near = put(self.photos / "c" / "1.jpg", b"one." * 40, 0o640, 10**17)
        self.second = put(self.photos / "a" / "2.jpg", b"two")
        self.third = put(self.photos / "b" / "2.jpg", b"two", 0o444, 10**16 + 1)
        groups = [group(self.keeper, self.equal, self.near), group(self.second, self.third)]
        to = None if self.action == "delete" else self.to
        self.plan = make_plan(groups, self.action, to=to, **self.options)
        self.plan.save(self.plan_path)
        self.before = self.state()

    def state(self):
        """Return all that there is but the plan and its journal."""
        found = {Path("photos") / name: item for name, item in snapshot(self.photos).items()}
        for folder in (self.to, self.root / "backup"):
            if folder.exists():
                found[Path(folder.name)] = ("folder",)
                found.update((folder / name, item) for name, item in snapshot(folder).items())
        for name in found:
            if name.name == IGNORE:
                found[name] = ("marker",)
        return found

    def apply(self):
        return apply(self.plan_path)

    def undo(self):
        return undo(self.journal)

    def require_whole(self):
        """Find the bytes of each file at its old place, at a new one, or at its keeper's."""
        there = {
            item[1]
            for name, item in self.state().items()
            if item[0] == "file" and not name.name.startswith(".hashlens-")
        }
        assert {item[1] for item in self.before.values() if item[0] == "file"} - there <= (
            {b"one." * 40} if self.action == "delete" else set()
        )
        for step in self.plan.steps:
            if step.action == "keep":
                assert digest(Path(step.path).read_bytes()) == step.digest

    @property
    def undone(self):
        """What undo comes to: all as it was, but for what was deleted for good."""
        if self.action != "delete":
            return self.before
        gone = {Path("photos") / name for name in ("b/1.jpg", "c/1.jpg", "b/2.jpg")}
        return {name: item for name, item in self.before.items() if name not in gone}


def require_applied(plan):
    """See that all is as the plan says."""
    for step in plan.steps:
        if step.action == "keep":
            assert digest(Path(step.path).read_bytes()) == step.digest
        if step.to:
            assert digest(Path(step.to).read_bytes()) == step.digest
            assert not os.path.islink(step.to)
        if step.action in ("move", "quarantine", "delete"):
            assert not os.path.lexists(step.path)
        if step.action == "hardlink":
            assert os.path.samestat(os.lstat(step.path), os.stat(step.keeper))
        if step.action == "symlink":
            assert os.readlink(step.path) == step.keeper


def reasons(outcome):
    return {
        os.path.relpath(item.path).split("photos/")[-1]: item.reason for item in outcome.skipped
    }


@pytest.fixture(params=ACTIONS)
def scene(request, tmp_path):
    return Scene(tmp_path / "scene", request.param)


@pytest.fixture
def moved(tmp_path):
    return Scene(tmp_path / "scene", "quarantine")


def test_a_plan_is_applied_and_undone(scene):
    told = []
    outcome = apply(scene.plan_path, progress=told.append)
    require_applied(scene.plan)
    count = 2 if scene.action == "copy-keepers" else 3
    assert (outcome.done, outcome.earlier, outcome.skipped) == (count, 0, ())
    assert outcome.journal == str(scene.journal)
    freed = {"delete": 313, "hardlink": 153, "symlink": 153}
    assert outcome.bytes == freed.get(scene.action, 0)
    assert [(item.done, item.total) for item in told] == [(n + 1, count) for n in range(count)]
    applied = scene.state()
    again = scene.apply()
    assert (again.done, again.earlier, again.bytes) == (0, count, 0)
    assert scene.state() == applied
    back = scene.undo()
    assert scene.state() == scene.undone
    if scene.action == "delete":
        assert {item.reason for item in back.skipped} == {"deleted for good"}
    else:
        assert (back.done, back.earlier, back.skipped) == (count, 0, ())
        twice = scene.undo()
        assert (twice.done, twice.earlier, twice.skipped) == (0, count, ())
    if scene.action == "delete":
        with pytest.raises(PlanError, match="undone in part; undo the rest, or give another"):
            scene.apply()
        assert scene.state() == scene.undone
        return
    for _ in range(2):
        once_more = scene.apply()
        assert (once_more.done, once_more.earlier, once_more.skipped) == (count, 0, ())
        require_applied(scene.plan)
        assert (scene.apply().earlier, scene.undo().done) == (count, count)
        assert scene.state() == scene.undone


@pytest.mark.parametrize("action", [name for name in ACTIONS if name != "delete"])
def test_files_go_to_another_device_and_back(tmp_path, other_device, action):
    scene = Scene(tmp_path / "scene", action, other_device / "to")
    attribute = None
    with suppress(OSError, AttributeError):
        os.setxattr(scene.near, "user.note", b"mine")
        attribute = b"mine"
    scene.apply()
    require_applied(scene.plan)
    for step in scene.plan.steps:
        if step.to:
            old = scene.before[Path("photos") / os.path.relpath(step.path, scene.photos)]
            status = os.stat(step.to)
            assert (status.st_mode & 0o7777, status.st_mtime_ns) == old[2:]
    assert scene.undo().skipped == ()
    assert scene.state() == scene.before
    if attribute and hasattr(os, "getxattr"):
        with suppress(OSError):  # where the other device keeps none
            assert os.getxattr(scene.near, "user.note") == attribute


@contextmanager
def without_hard_links(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        yield


def test_files_move_where_there_are_no_hard_links(scene, monkeypatch):
    with without_hard_links(monkeypatch):
        outcome = scene.apply()
        if scene.action == "hardlink":
            assert set(reasons(outcome).values()) == {"Operation not permitted"}
            assert scene.state() == scene.before
            return
        require_applied(scene.plan)
        scene.undo()
    assert scene.state() == scene.undone


def test_backups_are_made_first_and_removed_by_undo(tmp_path):
    backup = tmp_path / "scene" / "backup"
    scene = Scene(tmp_path / "scene", "quarantine", backup=backup)
    scene.apply()
    require_applied(scene.plan)
    assert Path(f"{backup}/remove{scene.near}").read_bytes() == b"one." * 40
    assert Path(f"{backup}/keep{scene.keeper}").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert [os.path.basename(path) for path in walk([backup])] == []
    scene.undo()
    assert scene.state() == scene.before


def test_backups_of_what_was_deleted_stay(tmp_path):
    backup = tmp_path / "scene" / "backup"
    scene = Scene(tmp_path / "scene", "delete", backup=backup)
    scene.apply()
    outcome = scene.undo()
    assert not Path(f"{backup}/keep{scene.keeper}").exists()
    assert Path(f"{backup}/remove{scene.near}").read_bytes() == b"one." * 40
    told = [item.reason for item in outcome.skipped if item.path == str(scene.near)]
    stays = f"its copy {backup}/remove{scene.near} stays: the file itself is gone or was changed"
    assert told == ["deleted for good", stays]


def test_what_could_not_be_backed_up_is_left_alone(tmp_path):
    scene = Scene(tmp_path / "scene", "delete", backup=tmp_path / "scene" / "backup")
    (tmp_path / "scene" / "backup").write_bytes(b"in the way")
    outcome = scene.apply()
    assert outcome.done == 0
    assert {item.reason for item in outcome.skipped} == {
        "Not a directory",
        "its backup could not be made",
    }
    (tmp_path / "scene" / "backup").unlink()
    assert scene.state() == scene.before
    assert scene.apply().skipped == ()
    require_applied(scene.plan)


def test_lines_in_any_order_are_backed_up_first(tmp_path):
    scene = Scene(tmp_path / "scene", "delete", backup=tmp_path / "scene" / "backup")
    Plan(scene.plan.steps[::-1]).save(scene.plan_path)
    assert scene.apply().skipped == ()
    require_applied(scene.plan)


def test_what_is_put_aside_is_not_indexed_again(moved):
    moved.apply()
    assert (moved.to / IGNORE).is_file()
    found = {path for path in walk([moved.root]) if path.endswith(".jpg")}
    assert found == {str(moved.keeper), str(moved.second)}


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a file"])
def test_a_marker_is_made_where_nothing_else_is(tmp_path, there):
    scene = Scene(tmp_path / "scene", "move")
    if there != "nothing":
        scene.to.mkdir()
    if there == "a file":
        (scene.to / "mine.txt").write_bytes(b"mine")
    before = scene.state()
    scene.apply()
    assert (scene.to / IGNORE).exists() == (there != "a file")
    scene.undo()
    assert scene.state() == before


def test_folders_and_markers_stay_while_they_hold_anything_else(moved):
    moved.apply()
    mine = put(moved.to / "mine.txt", b"mine")
    moved.undo()
    assert sorted(os.listdir(moved.to)) == [IGNORE, "mine.txt"]
    mine.unlink()
    moved.undo()
    assert moved.state() == moved.before


def test_copies_of_keepers_are_there_to_be_found(tmp_path):
    scene = Scene(tmp_path / "scene", "copy-keepers")
    scene.apply()
    assert sorted(os.listdir(scene.to)) == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize("action", ["move", "quarantine", "hardlink", "symlink", "delete"])
def test_a_file_or_keeper_that_is_not_as_planned_is_left_alone(tmp_path, action):
    scene = Scene(tmp_path / "scene", action)
    old = os.stat(scene.near)
    put(scene.near, b"eno." * 40, 0o640, old.st_mtime_ns)  # size and time say nothing
    put(scene.second, b"owt")
    before = scene.state()
    outcome = scene.apply()
    assert (outcome.done, len(outcome.skipped)) == (1, 2)
    assert reasons(outcome)["c/1.jpg"] == "has other bytes than it had"
    assert reasons(outcome)["b/2.jpg"] == f"its keeper {scene.second}: has other bytes than it had"
    scene.undo()
    assert {name: item for name, item in scene.state().items() if name in scene.undone} == {
        name: item for name, item in before.items() if name in scene.undone or action != "delete"
    } or action == "delete"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path, other: path.unlink(), "gone"),
        (lambda path, other: (path.unlink(), path.mkdir()), "not a regular file"),
        (lambda path, other: (path.unlink(), path.symlink_to(other)), "not a regular file"),
        (lambda path, other: (path.unlink(), os.mkfifo(path)), "not a regular file"),
    ],
)
def test_what_is_no_file_any_more_is_left_alone(moved, make, reason):
    make(moved.equal, moved.keeper)
    assert reasons(moved.apply()) == {"b/1.jpg": reason}


def test_a_keeper_is_looked_at_before_each_step(moved):
    """Also when its bytes were read for the step before."""
    outcome = apply(moved.plan_path, progress=lambda item: moved.keeper.unlink(missing_ok=True))
    assert reasons(outcome) == {"c/1.jpg": f"its keeper {moved.keeper}: gone"}
    moved.undo()
    assert moved.equal.read_bytes() == b"one" * 50


def test_a_file_that_is_its_keeper_by_another_name_is_left_alone(tmp_path):
    scene = Scene(tmp_path / "scene", "delete")
    (scene.root / "alias").symlink_to(scene.photos)
    alias = str(scene.root / "alias" / "a" / "1.jpg")
    steps = [
        replace(step, path=alias) if step.path == str(scene.equal) else step
        for step in scene.plan.steps
    ]
    Plan(tuple(steps)).save(scene.plan_path)
    with pytest.raises(
        PlanError, match=r"is the keeper of .*alias/a/1\.jpg, and is itself to delete"
    ):
        scene.apply()
    assert scene.state() == scene.before


@pytest.mark.parametrize("action", ["move", "quarantine", "hardlink", "symlink", "delete"])
def test_a_plan_that_takes_a_keeper_away_is_refused(tmp_path, action):
    scene = Scene(tmp_path / "scene", action)
    first = next(step for step in scene.plan.steps if step.path == str(scene.equal))
    chain = replace(
        first,
        path=str(scene.keeper),
        keeper=str(scene.equal),
        to=str(scene.to / "x") if first.to else "",
    )
    steps = [chain if step.path == chain.path else step for step in scene.plan.steps]
    Plan(tuple(steps)).save(scene.plan_path)
    journal = scene.journal.read_bytes()
    with pytest.raises(PlanError, match=f"is the keeper of .* itself to {action}; set one of the"):
        scene.apply()
    assert scene.state() == scene.before
    assert scene.journal.read_bytes() == journal


def test_a_name_in_use_by_now_gets_a_number(tmp_path):
    scene = Scene(tmp_path / "scene", "move")
    taken = [Path(step.to) for step in scene.plan.steps if step.to]
    for path in taken:
        put(path, b"mine")
    before = scene.state()
    assert scene.apply().skipped == ()
    assert all(path.read_bytes() == b"mine" for path in taken)
    assert sorted(os.listdir(scene.to)) == [
        "1-2-2.jpg",
        "1-2.jpg",
        "1-3.jpg",
        "1.jpg",
        "2-2.jpg",
        "2.jpg",
    ]
    scene.undo()
    assert scene.state() == before


@pytest.mark.parametrize("linkless", [False, True])
def test_a_name_that_is_taken_in_that_moment_is_not_overwritten(moved, monkeypatch, linkless):
    wanted = {step.to for step in moved.plan.steps if step.to}
    link, opened = os.link, os.open

    def intrude(target):
        if str(target) in wanted:
            wanted.discard(str(target))
            Path(target).write_bytes(b"")

    def late_link(source, target, **options):
        if linkless:
            raise OSError(errno.EPERM, "Operation not permitted")
        intrude(target)
        link(source, target, **options)

    def late_open(path, *arguments, **options):
        if linkless and arguments and arguments[0] & os.O_EXCL:
            intrude(path)
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", late_link)
        patch.setattr(os, "open", late_open)
        assert moved.apply().skipped == ()
    assert not wanted
    assert all(Path(step.to).read_bytes() == b"" for step in moved.plan.steps if step.to)
    moved.undo()
    left = moved.state()
    assert all(left[name] == item for name, item in moved.before.items())
    assert [item[1] for name, item in left.items() if name not in moved.before and item[1:]] == (
        [b""] * 3
    )


def replaced_at(monkeypatch, scene, path, looks):
    """Apply while someone puts a better version in the place of a file, at the n-th look at it."""
    lstat, count = os.lstat, itertools.count(1)

    def late(name, **options):
        if str(name) == str(path) and next(count) == looks:
            os.replace(put(scene.root / "fresh", b"a better version"), path)
        return lstat(name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", late)
        return scene.apply()


@pytest.mark.parametrize("action", ["move", "quarantine", "symlink", "hardlink", "delete"])
def test_a_file_that_is_replaced_before_a_step_stays(tmp_path, monkeypatch, action):
    scene = Scene(tmp_path / "scene", action)
    outcome = replaced_at(monkeypatch, scene, scene.near, 1)
    assert reasons(outcome) == {"c/1.jpg": "changed in the meantime"}
    assert scene.near.read_bytes() == b"a better version"
    step = next(step for step in scene.plan.steps if step.path == str(scene.near))
    assert not step.to or not os.path.lexists(step.to)
    assert reasons(scene.undo()).keys() <= ({"b/1.jpg", "b/2.jpg"} if action == "delete" else set())
    assert not [name for name in scene.state() if name.name.startswith(".hashlens-")]


@pytest.mark.parametrize("action", ["move", "quarantine", "symlink", "hardlink"])
def test_a_file_that_is_replaced_within_a_step_stays_and_so_does_the_old_one(
    tmp_path, monkeypatch, action
):
    """As far as one can know: unless it happens within the very last call."""
    scene = Scene(tmp_path / "scene", action)
    outcome = replaced_at(monkeypatch, scene, scene.near, 2)
    assert reasons(outcome)["c/1.jpg"].startswith("changed in the meantime, and cannot be taken")
    for _ in range(2):
        assert scene.near.read_bytes() == b"a better version"
        scene.require_whole()
        assert not [name for name in scene.state() if name.name.startswith(".hashlens-")]
        scene.undo()
    scene.near.unlink()
    scene.undo()
    assert scene.state() == scene.before


def test_a_keeper_that_is_replaced_in_that_moment_is_not_linked(tmp_path, monkeypatch):
    scene = Scene(tmp_path / "scene", "hardlink")
    link = os.link

    def late(source, target, **options):
        if str(source) == str(scene.second):
            os.replace(put(scene.root / "fresh", b"another"), scene.second)
        link(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", late)
        outcome = scene.apply()
    assert reasons(outcome) == {"b/2.jpg": f"its keeper {scene.second} changed in the meantime"}
    assert scene.third.read_bytes() == b"two"


def test_an_error_after_a_link_was_made_leaves_no_second_file(tmp_path, monkeypatch):
    scene = Scene(tmp_path / "scene", "hardlink")
    lstat, link = os.lstat, os.link
    made = []

    def noted(source, target, **options):
        link(source, target, **options)
        made.append(str(target))

    def failing(path, **options):
        if made == [str(scene.equal)]:
            made.append("told")
            raise OSError(errno.EIO, "Input/output error")
        return lstat(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", noted)
        patch.setattr(os, "lstat", failing)
        assert reasons(scene.apply()) == {"b/1.jpg": "Input/output error"}
    assert sorted(os.listdir(scene.equal.parent)) == ["1.jpg", "2.jpg"]
    assert scene.apply().skipped == ()
    require_applied(scene.plan)
    scene.undo()
    assert scene.state() == scene.before


def test_a_copy_that_is_not_what_was_written_is_no_copy(tmp_path, other_device, monkeypatch):
    scene = Scene(tmp_path / "scene", "move", other_device / "to")
    write = os.write

    def damage(descriptor, data):
        return write(descriptor, b"eno." * 40 if bytes(data) == b"one." * 40 else data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", damage)
        assert reasons(scene.apply()) == {"c/1.jpg": "changed in the meantime"}
    assert scene.near.read_bytes() == b"one." * 40
    assert len(os.listdir(scene.to)) == 3
    assert scene.apply().skipped == ()
    require_applied(scene.plan)


def test_an_edited_plan_is_applied(tmp_path):
    scene = Scene(tmp_path / "scene", "quarantine")
    path = tmp_path / "edited.csv"
    steps = [
        replace(step, action="keep") if step.path == str(scene.near) else step
        for step in scene.plan.steps
        if step.path not in (str(scene.third), str(scene.keeper))
    ]
    Plan(tuple(steps)).save(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    outcome = apply(path)
    assert outcome.done == 1
    assert outcome.journal == str(tmp_path / "edited.csv.journal.jsonl")
    changed = set(scene.before) - set(scene.state())
    assert changed == {Path("photos/b/1.jpg")}
    undo(outcome.journal)
    assert scene.state() == scene.before


def test_hostile_names_go_there_and_back(tmp_path):
    names = ["new\nline.jpg", "-rf.jpg", "ä ☃.jpg", 'q"u,o;te.jpg', "car\rriage.jpg", "\u2028"]
    names += ["not \udcff UTF-8.jpg", r"not \udcff UTF-8.jpg"]
    photos = tmp_path / "photos"
    groups = [
        group(*(put(photos / side / name, os.fsencode(name)) for side in ("-a", "b\n")))
        for name in names
    ]
    before = snapshot(photos)
    for number, action in enumerate(["move", "quarantine", "hardlink", "symlink"]):
        path = tmp_path / f"{number}.csv"
        to = tmp_path / "to" if number < 2 else None
        plan = make_plan(groups, action, to=to)
        plan.save(path)
        outcome = apply(path)
        assert outcome.skipped == ()
        require_applied(plan)
        assert undo(outcome.journal).skipped == ()
        assert snapshot(photos) == before
        assert not (tmp_path / "to").exists()
        groups = [replace(item, members=(*map(member_again, item.members),)) for item in groups]


def member_again(item):
    return member(item.path)


def test_a_plan_that_changed_since_it_was_applied_is_refused(moved):
    moved.apply()
    applied = moved.state()
    Plan(moved.plan.steps[:-1]).save(moved.root / "edited.jsonl")
    os.replace(moved.root / "edited.jsonl", moved.plan_path)
    with pytest.raises(PlanError, match=r"the journal of another plan .*or the plan was changed"):
        moved.apply()
    assert moved.state() == applied
    outcome = apply(moved.plan_path, moved.root / "other.jsonl")
    assert set(reasons(outcome).values()) == {"gone"}
    moved.undo()
    assert moved.state() == moved.before


def test_a_plan_of_which_nothing_stands_may_be_replaced(moved):
    for number, count in enumerate((0, 2, 0), 1):
        if number != 2:
            for path in (moved.equal, moved.near, moved.third):
                path.rename(path.with_suffix(".away"))
        plan = Plan(moved.plan.steps[:-number])
        plan.save(moved.plan_path)
        assert moved.apply().done == count
        if count:
            with pytest.raises(PlanError, match=r"was applied, as .* tells; undo it"):
                plan.save(moved.plan_path)
        if number != 2:
            for path in (moved.equal, moved.near, moved.third):
                path.with_suffix(".away").rename(path)
        assert moved.undo().done == count
        assert moved.state() == moved.before


def test_what_is_no_journal_is_refused_and_stays_as_it_is(moved, tmp_path):
    plan = moved.plan_path.read_bytes()
    for call in (lambda: apply(moved.plan_path, moved.plan_path), lambda: undo(moved.plan_path)):
        with pytest.raises(PlanError, match="is not a journal"):
            call()
    assert moved.plan_path.read_bytes() == plan
    for text in (b"x", b"{}", b'{"journal": 1}', b"\0\0\0"):
        notes = tmp_path / "notes"
        notes.write_bytes(text)
        with pytest.raises(PlanError, match="is not a journal"):
            apply(moved.plan_path, notes)
        assert notes.read_bytes() == text
    with pytest.raises(PlanError, match="there is no journal"):
        undo(tmp_path / "none.jsonl")
    with pytest.raises(PlanError, match="cannot be written: Is a directory"):
        apply(moved.plan_path, moved.photos)
    moved.apply()
    with pytest.raises(PlanError, match="not a field of a step: 'hashlens_journal'"):
        Plan.read(moved.journal)
    lines = moved.journal.read_bytes().split(b"\n")
    begin = json.loads(lines[1])
    impossible = [
        json.dumps({**begin, "step": {**begin["step"], "to": to}}).encode()
        for to in ("/\ud800", "/\0", 7)
    ]
    records = (b"[1]", b"{", b'{"event": "begin", "number": 1}', b'{"event": "done"}')
    for bad in (*records, *impossible):
        notes.write_bytes(b"\n".join([lines[0], bad, *lines[1:]]))
        with pytest.raises(PlanError, match="notes, line 2: not a record of a journal"):
            undo(notes)
    notes.write_bytes(lines[0].replace(b'journal": 1', b'journal": 2') + b"\n")
    with pytest.raises(PlanError, match="a journal of version 2; this reads 1"):
        undo(notes)


def test_nothing_is_applied_of_a_plan_that_cannot_be_read(moved):
    text = moved.plan_path.read_text()
    moved.plan_path.write_text(text + "{")
    journal = moved.journal.read_bytes()
    with pytest.raises(PlanError, match="line 6: not JSON"):
        moved.apply()
    assert moved.state() == moved.before
    assert moved.journal.read_bytes() == journal


# Undo


def test_undo_overwrites_nothing(tmp_path):
    for action in ("move", "quarantine", "hardlink", "symlink"):
        scene = Scene(tmp_path / "scene", action)
        scene.apply()
        scene.near.unlink(missing_ok=True)
        put(scene.near, b"mine by now")
        outcome = scene.undo()
        assert reasons(outcome) == {"c/1.jpg": "something else is at its old place"}
        assert outcome.done == 2
        assert scene.near.read_bytes() == b"mine by now"
        scene.near.unlink()
        again = scene.undo()
        assert (again.done, again.earlier, again.skipped) == (1, 2, ())
        assert scene.state() == scene.before


def test_undo_overwrites_nothing_that_comes_in_that_moment(moved, monkeypatch):
    moved.apply()
    link = os.link

    def late_link(source, target, **options):
        if str(target) == str(moved.near):
            put(moved.near, b"mine by now")
        link(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", late_link)
        outcome = moved.undo()
    assert reasons(outcome) == {"c/1.jpg": f"there is something at {moved.near} already"}
    assert moved.near.read_bytes() == b"mine by now"
    moved.near.unlink()
    moved.undo()
    assert moved.state() == moved.before


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_what_was_put_aside_and_is_not_the_same_stays(moved, how):
    moved.apply()
    target = Path(f"{moved.to}{moved.near}")
    target.unlink()
    if how == "changed":
        put(target, b"edited")
    reason = "gone" if how == "gone" else "has other bytes than it had"
    assert reasons(moved.undo()) == {"c/1.jpg": f"the file at {target}: {reason}"}
    assert target.exists() == (how == "changed")
    assert not moved.near.exists()


def test_undo_makes_folders_that_are_gone(moved):
    moved.apply()
    shutil.rmtree(moved.photos / "b")
    moved.undo()
    assert moved.state() == moved.before


def test_copies_that_were_changed_or_are_the_last_stay(tmp_path):
    scene = Scene(tmp_path / "scene", "copy-keepers")
    scene.apply()
    (scene.to / "1.jpg").write_bytes(b"edited")
    scene.second.unlink()
    told = reasons(scene.undo())
    assert told["a/1.jpg"] == f"its copy {scene.to}/1.jpg was changed"
    assert told["a/2.jpg"].startswith(f"its copy {scene.to}/2.jpg stays: the file itself is gone")
    assert sorted(os.listdir(scene.to)) == ["1.jpg", "2.jpg"]


def test_undo_of_a_hard_link_needs_no_keeper(tmp_path):
    scene = Scene(tmp_path / "scene", "hardlink")
    scene.apply()
    scene.keeper.unlink()
    assert scene.undo().skipped == ()
    after = scene.state()
    assert {name: after[name] for name in after} == {
        name: item for name, item in scene.before.items() if name != Path("photos/a/1.jpg")
    }


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_undo_of_a_link_needs_the_bytes_of_the_keeper(tmp_path, action, how):
    scene = Scene(tmp_path / "scene", action)
    scene.apply()
    if how == "changed":
        scene.second.write_bytes(b"owt")
    elif action == "symlink":
        scene.second.unlink()
    else:
        scene.second.unlink()
        scene.third.unlink()
    told = reasons(scene.undo())
    assert set(told) == {"b/2.jpg"}
    assert os.path.lexists(scene.third) == (how == "changed" or action == "symlink")


@pytest.mark.parametrize("action", ["hardlink", "symlink", "quarantine"])
def test_a_file_that_someone_put_back_is_no_trouble(tmp_path, action):
    scene = Scene(tmp_path / "scene", action)
    scene.apply()
    for path, data, mode, time_ns in (
        (scene.near, b"one." * 40, 0o640, 10**17),
        (scene.third, b"two", 0o444, 10**16 + 1),
    ):
        path.unlink(missing_ok=True)
        put(path, data, mode, time_ns)
    assert scene.undo().skipped == ()
    assert scene.state() == scene.before


def test_a_linked_folder_does_not_lose_the_last_name(moved):
    """The old folder leads to where its file was put: two names, and one file."""
    moved.apply()
    shutil.rmtree(moved.photos / "c")
    (moved.photos / "c").symlink_to(f"{moved.to}{moved.photos}/c")
    moved.undo()
    assert moved.near.read_bytes() == b"one." * 40


def test_nothing_was_applied_so_nothing_is_undone(moved):
    moved.journal.write_bytes(b"")
    outcome = moved.undo()
    assert (outcome.done, outcome.earlier, outcome.skipped) == (0, 0, ())
    assert moved.apply().done == 3


# Locks


def test_only_one_works_at_a_time(moved):
    told = []

    def intrude(item):
        for call in (moved.apply, moved.undo):
            with pytest.raises(PlanError, match="another process or thread is writing to"):
                call()
        told.append(item)

    assert apply(moved.plan_path, progress=intrude).done == 3
    assert undo(moved.journal, progress=intrude).done == 3
    assert len(told) == 6
    assert moved.state() == moved.before


def test_nothing_is_left_beside_a_plan_but_its_journal(moved):
    for call in (moved.apply, moved.undo):
        call()
        assert sorted(os.listdir(moved.plan_path.parent)) == ["plan.journal.jsonl", "plan.jsonl"]


def test_two_processes_at_once_do_the_work_once(moved):
    processes = [started("apply", moved.plan_path) for _ in range(2)]
    for process in processes:
        process.communicate()
    require_applied(moved.plan)
    moved.undo()
    assert moved.state() == moved.before


# Crashes


def started(verb, path):
    """Start a process that applies or undoes, and wait until it is about to."""
    code = (
        "import sys; from hashlens.cleanup.apply import apply; from hashlens.cleanup.undo import "
        "undo; from hashlens.errors import PlanError\n"
        "print('ready', flush=True)\n"
        "try: print(len(globals()[sys.argv[1]](sys.argv[2]).skipped))\n"
        "except PlanError as error: sys.exit(str(error))"
    )
    command = [sys.executable, "-c", code, verb, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def scenes(*, deletes):
    """Each action on one device, those that move bytes on two devices and without hard links."""
    for action in ACTIONS:
        if deletes or action != "delete":
            yield pytest.param(action, "one device", id=action)
    for action in ("quarantine", "symlink", "hardlink"):
        yield pytest.param(action, "other device", id=f"{action}-other-device")
    for action in ("move", "symlink"):
        yield pytest.param(action, "no links", id=f"{action}-no-links")
    yield pytest.param("backup", "one device", id="backup")


@pytest.fixture
def crashing(request, tmp_path, unsynced):
    """A scene in memory, where there is such a file system: it is built anew by the hundred."""
    action, device = request.param
    here, there = tmp_path, None
    with suppress(pytest.skip.Exception):
        here, there = request.getfixturevalue("other_device"), tmp_path / "to"
    if device == "other device" and there is None:
        pytest.skip("there is no second file system")
    options = {"backup": here / "scene" / "backup"} if action == "backup" else {}
    action = "quarantine" if action == "backup" else action
    made = Scene(here / "scene", action, there if device == "other device" else None, **options)
    made.linkless = device == "no links"
    return made


def all_scenes(*, deletes=True):
    values = [pytest.param(tuple(item.values), id=item.id) for item in scenes(deletes=deletes)]
    return pytest.mark.parametrize("crashing", values, indirect=True)


@all_scenes()
def test_a_crash_at_any_system_call_can_be_resumed_or_undone(crashing, monkeypatch, sweep):
    crashing.apply()
    applied = crashing.state()
    for stop in sweep(itertools.count(1), 8):
        for way in ("resume", "undo", "undo through a crash"):
            crashing.build()
            if not killed_at(monkeypatch, crashing.apply, stop, crashing.linkless):
                return
            crashing.require_whole()
            if way == "resume":
                assert crashing.apply().skipped == ()
                assert crashing.state() == applied
                crashing.undo()
                assert crashing.state() == crashing.undone
            elif crashing.journal.exists() and crashing.action != "delete":
                if way != "undo":
                    killed_at(monkeypatch, crashing.undo, 3 * stop, crashing.linkless)
                    crashing.require_whole()
                assert crashing.undo().skipped == ()
                assert crashing.state() == crashing.before


@pytest.mark.parametrize("action", ["move", "hardlink"])
def test_an_empty_file_gets_its_time_back_after_a_crash(tmp_path, monkeypatch, unsynced, action):
    """Where there are no hard links, an empty file reserves the name of a file for a moment."""
    for stop in itertools.count(1):
        root = tmp_path / str(stop)
        pair = [put(root / "photos" / name, b"", 0o600, 10**17) for name in ("a.jpg", "b.jpg")]
        before = snapshot(root / "photos")
        path = root / "plan.jsonl"
        make_plan([group(*pair)], action, to=root / "to").save(path)
        is_stopped = killed_at(monkeypatch, partial(apply, path), stop, linkless=True)
        undo(root / "plan.journal.jsonl")
        assert snapshot(root / "photos") == before
        if not is_stopped:
            return


@all_scenes(deletes=False)
def test_a_crash_of_undo_at_any_system_call_can_be_gone_on_from(crashing, monkeypatch, sweep):
    for stop in sweep(itertools.count(1), 8):
        crashing.build()
        crashing.apply()
        if not killed_at(monkeypatch, crashing.undo, stop, crashing.linkless):
            return
        crashing.require_whole()
        assert crashing.undo().skipped == ()
        assert crashing.state() == crashing.before


@all_scenes()
@pytest.mark.parametrize("code", ["EACCES", "ENOSPC"])
def test_an_error_at_any_system_call_leaves_files_whole(crashing, monkeypatch, code, sweep):
    """What it keeps from being done is done by another run."""
    crashing.apply()
    applied = crashing.state()
    for stop in sweep(itertools.count(1), 8):
        crashing.build()
        options = {"error": getattr(errno, code), "linkless": crashing.linkless}
        machine = Machine(monkeypatch, stop, **options)
        with machine.running(), suppress(PlanError):
            crashing.apply()
        if not machine.is_stopped:
            return
        crashing.require_whole()
        assert not [name for name in crashing.state() if name.name.startswith(".hashlens-")]
        assert crashing.apply().skipped == ()
        assert crashing.state() == applied
        machine = Machine(monkeypatch, stop, **options)
        with machine.running(), suppress(PlanError):
            crashing.undo()
        crashing.require_whole()
        crashing.undo()
        assert crashing.state() == crashing.undone


@pytest.mark.parametrize("action", ["move", "symlink"])
def test_names_last_before_others_are_taken_away(tmp_path, other_device, monkeypatch, action):
    """What a failing machine may forget is never the only name of a file."""
    scene = Scene(tmp_path / "scene", action, other_device / "to")
    steps = [step for step in scene.plan.steps if step.to]
    told = []

    def tell(name, call):
        def telling(*arguments, **options):
            found = arguments[0 if name == "rename" else -1]
            if name == "fsync":
                found = os.readlink(f"/proc/self/fd/{arguments[0]}")
            told.append((name, str(found)))
            return call(*arguments, **options)

        return telling

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "rename"):
            patch.setattr(os, name, tell(name, getattr(os, name)))
        scene.apply()
    for step in steps:
        taken = told.index(("rename", step.path))
        linked = told.index(("link", step.to))
        begun = [n for n, item in enumerate(told[:linked]) if item == ("fsync", str(scene.journal))]
        copied = [item for item in told[begun[-1] : linked] if item[0] == "fsync"]
        assert any(os.path.basename(name).startswith(".hashlens-") for _, name in copied)
        assert ("fsync", os.path.dirname(step.to)) in told[linked:taken]


def test_folders_that_cannot_be_synced_are_no_trouble(moved, monkeypatch):
    fsync = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    assert moved.apply().skipped == ()
    assert moved.undo().skipped == ()
    assert moved.state() == moved.before


def test_a_full_disk_stops_the_run_and_says_how_to_go_on(moved, monkeypatch):
    mkdir = os.mkdir

    def full(path, *arguments):
        if str(path).endswith("/c"):
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", full)
        with pytest.raises(
            PlanError, match=r"c/1\.jpg: No space left on device; make room and appl"
        ):
            moved.apply()
    outcome = moved.apply()
    assert (outcome.done, outcome.earlier) == (2, 1)
    require_applied(moved.plan)


def test_a_step_that_is_not_allowed_is_skipped_and_tried_again(moved, monkeypatch):
    rename = os.rename

    def forbid(path, target):
        if str(path) == str(moved.near):
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", forbid)
        outcome = moved.apply()
    assert (outcome.done, reasons(outcome)) == (2, {"c/1.jpg": "Permission denied"})
    assert not Path(f"{moved.to}{moved.near}").parent.exists()
    again = moved.apply()
    assert (again.done, again.earlier, again.skipped) == (1, 2, ())
    require_applied(moved.plan)


@pytest.mark.parametrize("action", ["quarantine", "symlink"])
def test_a_journal_may_be_torn_anywhere(tmp_path, unsynced, action, sweep):
    scene = Scene(tmp_path / "scene", action)
    scene.apply()
    journal, applied = scene.journal.read_bytes(), scene.state()
    last = journal.rindex(b"\n", 0, -1) + 1
    for cut in sweep(range(last, len(journal)), 8):
        scene.journal.write_bytes(journal[:cut])
        outcome = scene.apply()
        assert (outcome.done, outcome.earlier, outcome.skipped) == (1, 2, ())
        assert scene.apply().earlier == 3
        assert scene.state() == applied
    scene.journal.write_bytes(journal[:last] + b"\0" * 100)
    assert scene.undo().skipped == ()
    assert scene.state() == scene.before


def test_a_header_or_a_beginning_may_be_torn_anywhere(moved, unsynced, sweep):
    moved.apply()
    head, begin = moved.journal.read_bytes().split(b"\n")[:2]
    moved.build()
    cuts = (*range(len(head) + 9), *range(len(head), len(head) + len(begin) + 2, 7))
    for cut in sweep(cuts, 8):
        moved.journal.write_bytes((head + b"\n" + begin)[:cut])
        assert moved.undo().done == 0
        assert moved.apply().done == 3
        assert moved.undo().done == 3
        assert moved.state() == moved.before


def test_the_next_beginning_after_an_undo_may_be_torn_anywhere(moved, unsynced, sweep):
    moved.apply()
    moved.undo()
    undone = len(moved.journal.read_bytes())
    moved.apply()
    head, begin = moved.journal.read_bytes()[undone:].split(b"\n")[:2]
    moved.undo()
    first = moved.journal.read_bytes()[:undone]
    cuts = (*range(len(head) + 9), *range(len(head), len(head) + len(begin) + 2, 7))
    for cut in sweep(cuts, 8):
        moved.journal.write_bytes(first + (head + b"\n" + begin)[:cut])
        assert moved.apply().done == 3
        assert moved.undo().done == 3
        assert moved.state() == moved.before


def test_an_undo_may_be_torn_anywhere(moved, unsynced, sweep):
    moved.apply()
    moved.undo()
    journal = moved.journal.read_bytes()
    turn = journal.index(b'{"event": "undo"')
    for cut in sweep(range(turn, len(journal)), 8):
        moved.journal.write_bytes(journal[:cut])
        outcome = moved.undo()
        assert (outcome.done + outcome.earlier, outcome.skipped) == (3, ())
        assert moved.state() == moved.before


def test_an_interrupt_leaves_a_state_to_go_on_from(moved):
    def interrupt(item):
        raise KeyboardInterrupt

    for number in range(1, 4):
        with pytest.raises(KeyboardInterrupt):
            apply(moved.plan_path, progress=interrupt)
        if number == 1:
            assert len(moved.state()) > len(moved.before)
    assert moved.apply().earlier >= 1
    with pytest.raises(KeyboardInterrupt):
        undo(moved.journal, progress=interrupt)
    with pytest.raises(PlanError, match="undone in part"):
        moved.apply()
    assert (moved.undo().earlier, moved.state()) == (1, moved.before)


def many(root, count):
    """Make pairs of files; return their groups."""
    return [
        group(
            put(root / "keep" / f"{n}.jpg", b"%d" % n * 100),
            put(root / f"{n % 7}" / f"{n % 50}-{n}.jpg", b"%d" % n * (100 + n % 2), 0o600, n),
        )
        for n in range(count)
    ]


def run_through_kills(verb, path, rng, kills, check):
    """Run to the end, killed again and again; return how often it was."""
    for number in itertools.count():
        process = started(verb, path)
        if number < kills:
            time.sleep(rng.random() * 0.04)
            process.send_signal(signal.SIGKILL)
        output, error = process.communicate()
        if process.returncode == 0:
            assert output == b"0\n"
            return number
        assert process.returncode == -signal.SIGKILL, error
        check()
    raise AssertionError


def test_a_process_that_is_killed_again_and_again_loses_nothing(tmp_path, other_device, thorough):
    rng = random.Random(0)  # noqa: S311
    photos = tmp_path / "photos"
    groups = many(photos, 300)
    before = snapshot(photos)
    wanted = {item[1] for item in before.values() if item[0] == "file"}
    kills = 0
    for number in itertools.count():
        action = ("quarantine", "symlink", "move", "hardlink")[number % 4]
        to = (tmp_path if number % 3 else other_device) / "to"
        path = tmp_path / f"{number}.jsonl"
        plan = make_plan(groups, action, to=to)
        plan.save(path)

        def check(to=to):
            roots = [root for root in (photos, to) if root.exists()]
            there = {
                item[1]
                for root in roots
                for name, item in snapshot(root).items()
                if item[0] == "file" and not os.path.basename(name).startswith(".hashlens-")
            }
            assert wanted <= there

        kills += run_through_kills("apply", path, rng, 8, check)
        require_applied(plan)
        assert not [name for name in os.listdir(photos / "1") if name.startswith(".hashlens-")]
        journal = path.with_suffix(".journal.jsonl")
        kills += run_through_kills("undo", journal, rng, 8, check)
        assert snapshot(photos) == before
        assert not to.exists()
        if kills >= KILLS["thorough" if thorough else "quick"]:
            break


# Any tree

FOLDERS = ("", "a", "a/b", "c d", "ü", "\udcff")
NAMES = ("x.jpg", "y.jpg", "x", ".jpg", "-x.jpg", "\udce9.jpg", r"\udce9.jpg", "\n.jpg")
MEMBERS = st.tuples(
    st.sampled_from(FOLDERS),
    st.sampled_from(NAMES),
    st.sampled_from([b"", b"A", b"AA", b"B", b"BB"]),
    st.sampled_from([0o644, 0o600, 0o444, 0o755]),
    st.integers(0, 2 * 10**18),
)


@pytest.mark.usefixtures("unsynced")
@given(
    st.lists(MEMBERS, min_size=2, max_size=12, unique_by=lambda item: item[:2]),
    st.sampled_from(ACTIONS),
    st.sampled_from(["", "in", "there"]),
    st.booleans(),
    st.sampled_from([None, *FOLDERS[1:]]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(200))
def test_any_tree_is_as_planned_and_then_as_it_was(
    tmp_path_factory, files, action, target, backup, protect, rng
):
    root = tmp_path_factory.mktemp("any")
    photos = root / "photos"
    photos.mkdir()
    paths = [put(photos / folder / name, *rest) for folder, name, *rest in files]
    to = {"": root / "to", "in": photos / "a" / "to", "there": root}[target]
    rng.shuffle(paths)
    groups = [
        group(*alike)
        for letter in (b"", b"A", b"B")
        if (alike := [path for path in paths if path.read_bytes()[:1] == letter])
    ]
    plan_path = root / "plan.csv"
    options = {
        "to": None if action == "delete" else to,
        "backup": root / "backup" if backup else None,
        "protect": [photos / protect] if protect and (photos / protect).exists() else [],
    }
    try:
        plan = make_plan(groups, action, **options)
    except ParameterError:
        return
    before = snapshot(root)
    plan.save(plan_path)
    outcome = apply(plan_path)
    assert outcome.skipped == ()
    assert outcome.done == sum(step.action != "keep" for step in plan.steps)
    require_applied(plan)
    undo(outcome.journal)
    for name in ("plan.csv", "plan.csv.journal.jsonl"):
        (root / name).unlink()
    after = snapshot(root)
    if action == "delete":
        gone = {step.path for step in plan.steps if step.action == "delete"}
        before = {name: item for name, item in before.items() if str(root / name) not in gone}
        after = {name: item for name, item in after.items() if not name.startswith("backup")}
    assert after == before


def test_the_journal_is_lines_of_json(moved):
    moved.apply()
    records = [json.loads(line) for line in moved.journal.read_text().splitlines()]
    assert records[0]["digest"] == Plan.read(moved.plan_path).digest
    assert records[0]["plan"] == str(moved.plan_path)
    assert records[0]["written"]
    assert [item["event"] for item in records[1:]] == ["begin", "done"] * 3
