"""What people say of the picture to keep: rules before the defaults, folders, decisions."""

import os

import pytest
from PIL import Image

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
    done = run(*command, "--protect", photos / "masters", "--protect", photos / "photos")
    assert done.stderr.count("no picture of the index is in protect") == 1


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


def test_a_decided_picture_is_kept_before_all_rules(index, photos, tmp_path):
    small = photos / "a_small" / "1.png"
    assert index.decide(str(small)).verdict == "keeper"
    found = index.groups(10, keep="pixels")
    assert kept(found) == ["photos", "a_small", "photos"]
    assert found[1].reason == "as a person decided"
    assert "photos/1.png" in [
        step.path[-12:] for step in found.plan("delete").steps if step.action == "delete"
    ]
    assert index.decisions.forget(str(small))
    assert kept(index.groups(10)) == ["photos"] * 3


def test_it_is_known_by_content(index, photos, tmp_path):
    small = photos / "a_small" / "1.png"
    index.decide(str(small))
    os.rename(small, photos / "moved.png")
    Image.open(photos / "moved.png").save(photos / "again.tif")
    index.index([photos])
    [group] = [group for group in index.groups(10) if len(group.members) == 3]
    assert group.keeper.path in (str(photos / "moved.png"), str(photos / "again.tif"))


def test_two_decided_pictures_are_both_kept(index, photos):
    for name in ("a_small", "photos"):
        index.decide(str(photos / name / "1.png"))
    assert len(index.groups(10)) == 2
    index.decide(str(photos / "photos" / "2.png"))
    assert kept(index.groups(10)) == ["photos"] * 2


def test_decisions_on_keepers_are_listed_and_exported(index, photos, tmp_path):
    index.decide(str(photos / "a_small" / "0.png"))
    [row] = index.sql("select verdict, first_path, second_path from decisions")
    assert row == {
        "verdict": "keeper", "first_path": str(photos / "a_small" / "0.png"), "second_path": "",
    }  # fmt: skip
    assert index.decisions.save(tmp_path / "decisions.jsonl") == 1
    with ImageIndex.open(tmp_path / "other") as other:
        other.index([photos])
        assert other.decisions.load(tmp_path / "decisions.jsonl") == 1
        assert kept(other.groups(10)) == ["a_small", "photos", "photos"]


def test_a_keeper_is_one_picture_and_others_are_two(index, photos):
    one, other = (str(photos / "photos" / f"{number}.png") for number in (0, 1))
    for arguments in ((one, other), (one, None, "keep-both"), (one, other, "keeper"), (one, one)):
        with pytest.raises(ParameterError):
            index.decide(*arguments)


def test_the_command_decides_and_forgets(index, photos, tmp_path):
    index.close()
    at = ["--index", tmp_path / "index"]
    small = photos / "a_small" / "0.png"
    run("decide", small, "--as", "keeper", *at)
    assert "as a person decided" in run("groups", "--max-distance", "10", *at).stdout
    assert "keeper" in run("decisions", *at).stdout
    run("decide", small, "--as", "forget", *at)
    assert "as a person decided" not in run("groups", "--max-distance", "10", *at).stdout
    run("decide", small, "--as", "keep-both", *at, code=1)
    run("decide", small, small, "--as", "keeper", *at, code=1)
