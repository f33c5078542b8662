"""Nothing good is ever lost: any collection, any plan and edit of it, and a crash at any moment."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albums import CONTENTS, Album, digests, pictures, tree
from courses import NEVER, TERMS, courses, edited
from hashlens import ImageIndex
from hashlens.cleanup import plan_file
from hashlens.cleanup.apply import apply
from hashlens.cleanup.plan import Plan
from hashlens.cleanup.undo import undo
from hashlens.errors import ImageError, ParameterError, PlanError
from machines import Killed, Machine, SecondName, apart
from suites import examples
from trees import digest, make_plan

REMOVALS = ("move", "quarantine", "hardlink", "symlink", "delete")


@pytest.fixture(scope="module", autouse=True)
def unsynced():
    """What is written is there as long as the machine runs: tests need not wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def indexed(album, terms):
    """Index a collection, decide, and group it."""
    photos = album.root
    with ImageIndex.open(photos.parent / "plans" / "index") as index:
        index.index([photos], workers=1)
        for one, other, verdict in terms.decisions:
            pick = [str(album.paths[number % len(album.paths)]) for number in (one, other)]
            with suppress(ParameterError, ImageError):
                index.decide(*pick, verdict)
        has_both = (photos / "b").is_dir()
        return list(
            index.groups(
                keep=terms.keep.format(photos / "a"),
                linkage=terms.linkage,
                not_same_folder=terms.not_same_folder,
                between=(str(photos / "a"), str(photos / "b"))
                if terms.between and has_both
                else None,
            )
        )


def plan_of(album, groups, course, path):
    """Save the plan of a course, edited; return it as it is read then, or None if it is refused."""
    backup, protect = course.options["backup"], course.options["protect"]
    protected = album.root / protect if protect else None
    root = album.root.parent
    options = {
        **course.options,
        "backup": root / "backup" if backup else None,
        "protect": [protected] if protected and protected.exists() else [],
        "to": None if course.action == "delete" else root / course.to,
    }
    try:
        plan = make_plan(groups, course.action, **options)
        plan.save(path)
    except ParameterError:
        return None
    if not plan.steps:
        return None
    steps = list(plan.steps)
    for edit, one, other in course.edits:
        edited(steps, edit, one % max(len(steps), 1), other, course.action)
    if steps != list(plan.steps):
        plan_file.write(str(path), steps)
    if any(edit == "bom" for edit, *_ in course.edits):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    if any(edit == "crlf" for edit, *_ in course.edits):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with suppress(PlanError):
        return Plan.read(path)
    return None


def require_nothing_lost(plan, named, before, after):
    """See that all contents are there, or were deleted for the sake of a keeper that is there."""
    kept = digests(after)
    for gone in digests(before) - kept:
        steps = [step for step in plan.steps if (step.action, step.digest) == ("delete", gone)]
        assert {step.keeper_digest for step in steps} & kept, gone
    assert {name for name, item in before.items() if item[0] != "folder"} - set(after) <= named


def require_finished(plan, named, kept, before, after):
    """See that nothing was overwritten, and nothing touched that is kept or not in the plan."""
    assert not [name for name in after if os.path.basename(name).startswith(".hashlens-")]
    for name, its_digest in kept.items():
        item = before.get(name, ("",))
        if item[0] == "file" and digest(item[1]) == its_digest:
            assert after[name][:2] == item[:2]
    keepers = {step.keeper_digest for step in plan.steps}
    for name, item in before.items():
        if after.get(name, item)[:2] != item[:2]:
            assert name in named
            assert after[name][0] == "link" or digest(after[name][1]) in keepers


def beside(name, found):
    """Return the pictures beside which a partner lies, and to which it belongs: their contents."""
    folder, own = os.path.split(name.lower())
    pictures = set()
    for other, item in found.items():
        place, its = os.path.split(other.lower())
        stem, ending = os.path.splitext(its)
        is_picture = place == folder and ending not in (".xmp", ".aae", ".mov", ".nef", ".json")
        if is_picture and (os.path.splitext(own)[0] == stem or own.startswith(f"{its}.")):
            pictures.add(item[1:2])
    return pictures


def require_partners(before, after, told):
    """See that each partner lies beside a picture to which it belongs, if it did before."""
    where = {item[1]: name for name, item in after.items() if item[0] == "file"}
    for name, item in before.items():
        is_partner = item[0] == "file" and item[1].startswith(b"/") and name not in told
        pictures = beside(name, before) if is_partner else ()
        if pictures:
            there = beside(where[item[1]], after)
            assert there
            assert where[item[1]] == name or pictures & there


@given(course=courses(CONTENTS, [None, None, False, True]), rng=st.randoms(use_true_random=False))
@settings(max_examples=examples(400))
def test_nothing_is_lost_and_undo_brings_all_back(course, rng):
    with placed(course) as (album, patch):
        seconds = {}
        if course.second is not None and (album.root / "b").is_dir():
            seconds = album.seconds(album.root.parent / "other")
        groups = album.groups(rng, seconds)
        if seconds:
            names = album.root / "b", album.root.parent / "other"
            SecondName(*names, cached=course.second).install(patch)
        take(course, album, groups, patch, seconds)


@given(course=courses(pictures(), [None]), terms=TERMS)
@settings(max_examples=examples(50))
def test_nothing_is_lost_of_pictures_that_were_indexed(course, terms):
    with placed(course) as (album, patch):
        take(course, album, indexed(album, terms), patch, {})


@contextmanager
def placed(course):
    """Make a collection, in memory where there is such a file system."""
    here = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
    root = Path(tempfile.mkdtemp(dir=here))
    try:
        (root / "plans").mkdir()
        album = Album(root / "photos", linkless=course.links == "none")
        album.build(course.entries, alias=course.alias)
        with pytest.MonkeyPatch.context() as patch:
            yield album, patch
    finally:
        shutil.rmtree(root)


def take(course, album, groups, patch, seconds):
    """Plan, let something happen, apply, undo, and look at each stage."""
    root = album.root.parent
    if course.links == "apart":
        apart(patch, *(root / name for name in ("to", "photos/a/to", "backup", "other")))
    path = root / "plans" / f"plan.{course.ending}"
    plan = plan_of(album, groups, course, path)
    if plan:
        targets = [step.to for step in plan.steps if step.to]
        for trouble, one, other in course.troubles:
            pick = [album.paths[number % len(album.paths)] for number in (one, other)]
            album.befall(trouble, *pick, targets[one % len(targets)] if targets else "")
        Stages(root, course, patch, path, plan, seconds).go()


class Stages:
    """A plan that is applied, through a crash or not, applied again and undone."""

    def __init__(self, root, course, patch, path, plan, seconds):
        self.root, self.course, self.patch, self.path, self.plan = root, course, patch, path, plan
        acting = [step for step in plan.steps if step.action in (*REMOVALS, "partner")]
        keeping = [step for step in plan.steps if step.action == "keep"]
        self.seconds = seconds
        self.named = {self.name(step.path) for step in acting}
        kept = {self.name(step.path): step.digest for step in keeping}
        self.kept = {name: kept[name] for name in kept if name not in self.named}
        self.freed = plan.summary()["freed"]
        self.before = self.look()

    def name(self, path):
        """Return the name of a file in a tree, without linked folders and second names."""
        folder, name = os.path.split(self.seconds.get(Path(path), path))
        return os.path.relpath(os.path.join(os.path.realpath(folder), name), self.root)

    def look(self):
        """Return all that there is but the plan and its journal."""
        found = tree(self.root)
        return {name: item for name, item in found.items() if not name.startswith("plans")}

    def run(self, call, path, stop=NEVER):
        """Run until a system call that changes anything; return the outcome, None if killed."""
        machine = Machine(self.patch, stop, linkless=self.course.links == "none")
        with machine.running(), suppress(Killed):
            return call(path)
        return None

    def require_nothing_lost(self):
        require_nothing_lost(self.plan, self.named, self.before, self.look())

    def go(self):
        try:
            outcome = self.run(apply, self.path, self.course.stop)
        except PlanError:
            outcome = "refused"
        self.require_nothing_lost()
        if outcome == "refused":
            assert self.look() == self.before
            return
        if outcome and not outcome.skipped:
            assert outcome.bytes == self.freed
        if outcome or self.course.way == "resume":
            self.again()
        journal = next((self.root / "plans").glob("*.journal.jsonl"))
        self.run(undo, journal, self.course.undo_stop)
        self.require_nothing_lost()
        back = self.run(undo, journal)
        self.require_undone(back)

    def again(self):
        """Apply again, to the end, and then once more, which changes nothing."""
        outcome = self.run(apply, self.path)
        after = self.look()
        self.require_nothing_lost()
        require_finished(self.plan, self.named, self.kept, self.before, after)
        is_edited = {edit for edit, *_ in self.course.edits} - {"turn", "crlf", "bom"}
        if self.course.options["partners"] and not is_edited:
            told = {self.name(item.path) for item in outcome.skipped}
            require_partners(self.before, after, told)
        assert self.run(apply, self.path).done == 0
        assert self.look() == after

    def require_undone(self, back):
        """See that all is as it was, but for what undo says was deleted for good, and its backups.

        What a person has moved or left out of the plan is not known to be a hard link.
        """
        self.require_nothing_lost()
        is_whole = not (self.course.edits or self.course.troubles or self.course.action == "delete")
        before, undone = (
            {name: item[: None if is_whole else 4] for name, item in found.items()}
            for found in (self.before, self.look())
        )
        told = {self.name(item.path) for item in back.skipped}
        if self.course.action == "delete":
            assert {name for name in before if undone.get(name) != before[name]} <= told
            assert all(name.split("/")[0] == "backup" for name in set(undone) - set(before))
        else:
            assert not told
            assert undone == before
