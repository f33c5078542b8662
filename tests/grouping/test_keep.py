"""What people say of the picture to keep: rules before the defaults, folders, decisions."""

import os

import pytest

from drawing import draw
from hashlens import ImageIndex, ParameterError
from hashlens.grouping.keepers import DEFAULT_RULES, keep_order
from running import run


@pytest.fixture
def photos(tmp_path):
    """Three pictures; a small copy of each lies in a folder that sorts first."""
    folder = tmp_path / "pics"
    for name in ("a_small", "photos"):
        (folder / name).mkdir(parents=True)
    for number in range(3):
        picture = draw(number).resize((240, 160))
        picture.save(folder / "photos" / f"{number}.png")
        picture.resize((96, 64)).save(folder / "a_small" / f"{number}.png")
    return folder


@pytest.fixture
def index(photos, tmp_path):
    with ImageIndex.open(tmp_path / "index") as opened:
        opened.index([photos])
        yield opened


def kept(groups):
    return [os.path.basename(os.path.dirname(group.keeper.path)) for group in groups]


def test_given_rules_stand_before_the_defaults():
    assert keep_order() == DEFAULT_RULES
    assert keep_order("bytes, newest")[:2] == ("bytes", "newest")
    assert sorted(keep_order("bytes")) == sorted(DEFAULT_RULES)
    assert keep_order((), "bytes") == ("bytes",)
    for keep, only in (("bytes", "path"), ((), ())):
        with pytest.raises(ParameterError):
            keep_order(keep, only)


@pytest.mark.parametrize("keep", ["folder={}/other", "lossless,folder={}/other"])
def test_after_a_folder_without_pictures_the_defaults_go_on(index, photos, keep):
    (photos / "other").mkdir()
    found = index.groups(10, keep=keep.format(photos))
    assert kept(found) == ["photos"] * 3
    assert found.unmatched == [f"keep folder={photos}/other"]


def test_rules_alone_take_the_place_of_the_defaults(index, photos):
    assert kept(index.groups(10, keep_only="path")) == ["a_small"] * 3
    assert kept(index.groups(10, keep=f"folder={photos}/a_small")) == ["a_small"] * 3
    assert index.groups(10, keep=f"folder={photos}/a_small").unmatched == []


@pytest.mark.parametrize("option", ["keep", "keep_only"])
def test_a_folder_that_is_not_there_is_refused(index, photos, option):
    with pytest.raises(ParameterError, match=r"there is no folder .*pohtos"):
        index.groups(10, **{option: f"folder={photos}/pohtos"})
    with pytest.raises(ParameterError, match="there is no folder"):
        index.groups(10, between=(photos / "photos", photos / "smal"))


def test_the_command_refuses_it_and_touches_no_plan(index, photos, tmp_path):
    index.close()
    command = ["plan", "--index", tmp_path / "index", "--out", tmp_path / "plan.jsonl"]
    done = run(*command, "--keep", f"folder={photos}/masters", code=1)
    assert "there is no folder" in done.stderr
    assert not (tmp_path / "plan.jsonl").exists()
    (photos / "masters").mkdir()
    done = run(*command, "--keep", f"folder={photos}/masters")
    assert "no picture of the index is in keep folder=" in done.stderr


@pytest.mark.parametrize("linked", ["alias/a_small", "small"])
def test_links_to_folders_are_resolved_everywhere(index, photos, tmp_path, linked):
    os.symlink(photos, tmp_path / "alias")
    os.symlink(photos / "a_small", tmp_path / "small")
    folder = tmp_path / linked
    assert kept(index.groups(10, keep=f"folder={folder}")) == ["a_small"] * 3
    assert len(index.groups(10, between=(folder, tmp_path / "alias" / "photos"))) == 3
    plan = index.groups(10).plan("delete", protect=[folder])
    assert {step.action for step in plan.steps} == {"keep"}


def test_pictures_indexed_by_a_link_lie_in_the_real_folder(photos, tmp_path):
    os.symlink(photos, tmp_path / "alias")
    with ImageIndex.open(tmp_path / "other") as index:
        index.index([tmp_path / "alias"])
        found = index.groups(10, keep=f"folder={photos}/a_small")
        assert kept(found) == ["a_small"] * 3
        assert len(index.groups(10, between=(photos / "a_small", photos / "photos"))) == 3
