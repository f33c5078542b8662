"""Paths relative to a folder."""

from __future__ import annotations

import os

import pytest

from hashlens import ParameterError
from hashlens.images.root import Root

LEADING_OUT = ["../x", "..", "a/../../x", "/etc/x", "//etc/x", "", "a//b", "./a", "a/", 7, None]


@pytest.mark.parametrize("folder", ["/disk", "/", "/a/b c/\N{SNOWMAN}"])
@pytest.mark.parametrize("name", ["a.jpg", "a/b.jpg", "..a.jpg", ".../x", "a..b/-c", ".hidden"])
def test_what_is_stored_leads_back(folder, name):
    root = Root(folder)
    path = os.path.join(folder, name)
    assert root.stored(path) == name
    assert root.absolute(name) == root.inside(path) == path


@pytest.mark.parametrize("folder", ["/disk", "/"])
def test_the_folder_itself_can_be_stored(folder):
    root = Root(folder)
    assert root.absolute(root.stored(folder)) == folder


@pytest.mark.parametrize("stored", LEADING_OUT)
def test_no_stored_path_leads_out(stored):
    assert Root("/disk").absolute(stored) is None


def test_without_a_folder_paths_stay_as_they_are():
    root = Root()
    assert root.stored("/a/b") == root.absolute("/a/b") == root.inside("/a/c/../b") == "/a/b"
    assert root.inside("b") == os.path.abspath("b")


def test_a_path_outside_is_refused_by_name(tmp_path):
    root = Root(tmp_path / "disk")
    for path in (tmp_path / "disk-2", tmp_path, tmp_path / "disk" / ".." / "x"):
        with pytest.raises(ParameterError, match=f"outside of {tmp_path / 'disk'}"):
            root.inside(path)
    with pytest.raises(ParameterError, match="an empty path"):
        root.inside("")


def test_the_folder_can_be_reached_by_other_names(tmp_path, monkeypatch):
    (tmp_path / "disk" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("disk")
    (tmp_path / "disk" / "out").symlink_to("/etc")
    root = Root(tmp_path / "link")
    assert root.inside(tmp_path / "disk" / "a" / "b") == str(tmp_path / "link" / "a" / "b")
    assert root.inside(tmp_path / "disk") == str(tmp_path / "link")
    assert root.inside(tmp_path / "link" / "out") == str(tmp_path / "link" / "out")
    monkeypatch.chdir(tmp_path / "link" / "a")
    assert root.inside("..") == str(tmp_path / "link")


def test_the_order_of_paths_is_that_of_what_is_stored():
    names = ["!", "-a", ".a/x", "A/b", "a", "a!/b", "a-b", "a/b", "\x7f", "\xe9", "\U0001f600"]
    for folder in ("/disk", "/"):
        paths = sorted(os.path.join(folder, name) for name in names)
        assert [Root(folder).stored(path) for path in paths] == sorted(names)
