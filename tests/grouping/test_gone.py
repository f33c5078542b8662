"""Rows whose files are gone: in no group, and never a keeper."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import draw
from hashlens import ImageIndex
from hashlens.grouping import assign


@pytest.fixture
def index(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for number in range(4):
            draw(number).save(tmp_path / "photos" / folder / f"{number}.png")
    with ImageIndex.open(tmp_path / "index") as opened:
        opened.index(tmp_path / "photos")
        yield opened


def members(groups):
    return [[member.path for member in group.members] for group in groups]


@given(gone=st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 3))))
def test_groups_are_those_of_the_files_that_are_there(index_of_all, gone):
    root, index = index_of_all
    kept = root / "kept"
    paths = [root / "photos" / folder / f"{number}.png" for folder, number in gone]
    kept.mkdir(exist_ok=True)
    for number, path in enumerate(paths):
        path.rename(kept / str(number))
    try:
        groups = index.groups(4)
        expected = [
            group
            for number in range(4)
            if len(group := [f for f in "abc" if (f, number) not in gone]) > 1
        ]
        assert len(groups) == len(expected)
        missing = {str(path) for path in paths}
        assert not missing & {path for group in members(groups) for path in group}
        lonely = [n for n in range(4) if sum((f, n) in gone for f in "abc") == 3]
        assert set(groups.gone) <= missing
        assert len(groups.gone) == len(paths) or lonely or not paths
    finally:
        for number, path in enumerate(paths):
            (kept / str(number)).rename(path)


@pytest.fixture(scope="module")
def index_of_all(tmp_path_factory):
    root = tmp_path_factory.mktemp("gone")
    for folder in "abc":
        (root / "photos" / folder).mkdir(parents=True)
        for number in range(4):
            draw(number).save(root / "photos" / folder / f"{number}.png")
    with ImageIndex.open(root / "index") as opened:
        opened.index(root / "photos")
        yield root, opened


def is_there(path):
    """Return whether something is at a path, or must not be looked at."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


NAMES = ("file", "ü", "broken", "linked", "folder", "none", "\0", "loop")
FOLDERS = ("", "folder/", "linked folder/", "none/", "file/", "/", "./")


@given(few=st.integers(1, 5), share=st.integers(1, 3), asked=st.sets(st.sampled_from(NAMES)))
def test_listed_folders_tell_what_a_look_at_each_file_tells(odd_folder, few, share, asked):
    root = f"{odd_folder}/"
    paths = [f"{root}{folder}{name}" for folder in FOLDERS for name in sorted(asked)]
    paths += ["", "file", "/none", root]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assign, "MANY", few)
        patch.setattr(assign, "SHARE", share)
        found = assign.files_gone(SimpleNamespace(paths=paths), np.arange(len(paths)))
    assert found.tolist() == [row for row, path in enumerate(paths) if not is_there(path)]


@pytest.fixture(scope="module")
def odd_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd")
    (root / "folder").mkdir()
    for name in ("file", "ü", "folder/file", "folder/other", "folder/ü"):
        (root / name).write_bytes(b"")
    for name, target in {
        "broken": "nowhere", "linked": "file", "loop": "loop", "linked folder": "folder",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    return root


def test_a_disk_that_is_gone_leaves_no_groups_and_says_so(tmp_path, index):
    assert len(index.groups(4)) == 4
    shutil.move(tmp_path / "photos" / "a", tmp_path / "elsewhere")
    groups = index.groups(4)
    assert [len(group.members) for group in groups] == [2] * 4
    assert len(groups.gone) == 4
    assert all("/photos/a/" not in group.keeper.path for group in groups)
    assert all(
        step.action != "keep" or "/a/" not in step.path for step in groups.plan("delete").steps
    )
    shutil.move(tmp_path / "photos", tmp_path / "all")
    groups = index.groups(4)
    assert (len(groups), len(groups.gone)) == (0, 12)
