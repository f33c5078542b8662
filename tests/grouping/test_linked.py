"""Plans with links: pictures that show all of a keeper, mirrored, stretched or cut at the edges."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps
from skimage import data

from hashlens import ImageIndex, ParameterError
from hashlens.cli.app import app

COPIES = {  # of coffee.png and chelsea.png, whose fingerprints are far from them
    "coffee-mirrored.jpg": "coffee.png",
    "coffee-square.jpg": "coffee.png",
    "chelsea-cut.jpg": "chelsea.png",
    "chelsea-flipped.jpg": "chelsea.png",
}


def photo(name):
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def cut(image, share):
    across, down = (round(side * share) for side in image.size)
    return image.crop((across, down, image.width - across, image.height - down))


def save_all(folder):
    coffee, chelsea, rocket, astronaut = map(photo, ("coffee", "chelsea", "rocket", "astronaut"))
    for name, image in {"coffee": coffee, "chelsea": chelsea, "rocket": rocket}.items():
        image.save(folder / f"{name}.png")
    astronaut.save(folder / "astronaut.png")
    # Copies that go.
    ImageOps.mirror(coffee).save(folder / "coffee-mirrored.jpg", quality=90)
    coffee.resize((400, 400)).save(folder / "coffee-square.jpg", quality=90)
    chelsea.save(folder / "chelsea-again.jpg", quality=90)  # in a group with the photo
    cut(ImageOps.mirror(chelsea), 0.01).save(folder / "chelsea-cut.jpg", quality=90)
    ImageOps.flip(chelsea).save(folder / "chelsea-flipped.jpg", quality=90)
    # What stays: a part, another colour, another detail.
    cut(rocket, 0.1).save(folder / "rocket-part.jpg", quality=90)
    red, green, blue = ImageOps.mirror(rocket).split()
    Image.merge("RGB", (blue, red, green)).save(folder / "rocket-hues.jpg", quality=90)
    other = np.array(ImageOps.mirror(astronaut))
    other[380:480, 40:140] = other[30:130, 300:400]
    Image.fromarray(other).save(folder / "astronaut-other.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linked").resolve() / "photos"
    folder.mkdir()
    save_all(folder)
    return folder


@pytest.fixture(scope="module")
def index(photos):
    with ImageIndex.open(photos.with_name("i"), keypoints=200) as opened:
        opened.index([photos])
        yield opened


@pytest.fixture(scope="module")
def groups(index):
    return index.groups(2, crops=True, verify=True)


def goes(plan):
    return {
        Path(step.path).name: Path(step.keeper).name
        for step in plan.steps
        if step.action == "delete"
    }


def test_links_that_cover_both_pictures_go_when_asked(groups):
    plain = groups.plan("delete")
    assert goes(plain) == {"chelsea-again.jpg": "chelsea.png"}
    plan = groups.plan("delete", links=True)
    assert goes(plan) == COPIES | goes(plain)
    by_name = {Path(step.path).name: step for step in plan.steps}
    assert by_name["chelsea.png"].group == by_name["chelsea-flipped.jpg"].group == 1
    assert by_name["coffee.png"].group == len(groups) + 1
    keeper = by_name["coffee.png"].path
    assert by_name["coffee-mirrored.jpg"].reason.endswith(f" % of {keeper}, mirrored")
    assert by_name["coffee-square.jpg"].reason.startswith("shows ")
    assert "lossless" in by_name["coffee.png"].reason or "pixels" in by_name["coffee.png"].reason
    assert by_name["chelsea-again.jpg"].reason == f"duplicate of {by_name['chelsea.png'].path}"


def test_pictures_that_differ_have_links_and_stay(groups):
    linked = {
        frozenset((Path(link.part.path).name, Path(link.whole.path).name)) for link in groups.links
    }
    for name in ("rocket-part.jpg", "rocket-hues.jpg", "astronaut-other.png"):
        assert any(name in pair for pair in linked), name
        assert name not in goes(groups.plan("delete", links=True))


def test_looks_are_told_of_and_do_not_depend_on_the_workers(groups):
    plans = {}
    for workers in (1, 2):
        steps = []
        plans[workers] = groups.plan("delete", links=True, workers=workers, progress=steps.append)
        assert len(steps) >= len(COPIES)
        assert [step.done for step in steps] == list(range(1, len(steps) + 1))
        assert {step.total for step in steps} == {len(steps)}
        assert all(os.path.exists(step.path) for step in steps)
    assert plans[1] == plans[2]


def test_a_link_to_a_file_that_cannot_be_read_is_left_out(photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee.png", "coffee-mirrored.jpg"):
        shutil.copy(photos / name, folder)
    with ImageIndex.open(tmp_path / "i", keypoints=200) as index:
        index.index([folder])
        found = index.groups(2, crops=True)
    (folder / "coffee-mirrored.jpg").write_bytes(b"no picture any more")
    assert goes(found.plan("delete", links=True)) == {}


def test_an_unusable_action_is_refused_before_files_are_looked_at(groups):
    def never(_):
        pytest.fail("a file was looked at")

    for links in (False, True):
        with pytest.raises(ParameterError, match="action must be one of"):
            groups.plan("remove", links=links, progress=never)


def test_no_file_goes_twice_and_no_keeper_goes(groups):
    steps = groups.plan("delete", links=True).steps
    paths = [step.path for step in steps]
    assert len(set(paths)) == len(paths)
    gone = {step.path for step in steps if step.action == "delete"}
    assert not gone & {step.keeper for step in steps}


def test_rules_choose_the_keeper_of_a_link(photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee.png", "coffee-mirrored.jpg"):
        shutil.copy(photos / name, folder)
    os.utime(folder / "coffee-mirrored.jpg", (4e9, 4e9))
    with ImageIndex.open(tmp_path / "i", keypoints=200) as index:
        index.index([folder])
        plan = index.groups(2, crops=True, keep="newest").plan("delete", links=True)
    assert goes(plan) == {"coffee.png": "coffee-mirrored.jpg"}


@pytest.mark.parametrize("size", [(490, 490), (600, 600), (520, 480)])
def test_a_stretched_copy_is_not_kept_for_its_size(size, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    coffee = photo("coffee")
    coffee.save(folder / "coffee.jpg", quality=80)
    coffee.resize(size).save(folder / "a stretched one.jpg", quality=98)
    with ImageIndex.open(tmp_path / "i", keypoints=200) as index:
        index.index([folder])
        plan = index.groups(2, crops=True, verify=True).plan("delete", links=True)
    assert goes(plan) == {"a stretched one.jpg": "coffee.jpg"}


def test_decisions_hold(photos, tmp_path):
    with ImageIndex.open(tmp_path / "i", keypoints=200) as index:
        index.index([photos])
        index.decide(str(photos / "coffee-square.jpg"))
        index.decide(
            str(photos / "chelsea-flipped.jpg"), str(photos / "chelsea-again.jpg"), "keep-both"
        )
        found = goes(index.groups(2, crops=True, verify=True).plan("delete", links=True))
    assert "coffee-square.jpg" not in found
    assert found["coffee.png"] == "coffee-square.jpg"
    assert "chelsea-flipped.jpg" not in found
    assert found["chelsea-again.jpg"] == "chelsea.png"


def test_links_of_exact_groups_are_refused(index):
    with pytest.raises(ParameterError, match="links are not exact duplicates"):
        index.groups(crops=True, only="exact").plan("delete", links=True)


def test_the_command_needs_crops(index, tmp_path):
    asked = ["plan", "--index", str(index.path), "--out", str(tmp_path / "plan.jsonl")]
    failed = CliRunner().invoke(app, [*asked, "--links"])
    assert failed.exit_code == 2
    assert "add --crops" in failed.output
    done = CliRunner().invoke(app, [*asked, "--links", "--crops", "--max-distance", "2"])
    assert done.exit_code == 0, done.output
    assert "shows 9" in (tmp_path / "plan.jsonl").read_text()
