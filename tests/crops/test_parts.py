"""Pictures that show a part of one another, found among all of a collection."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageOps
from skimage import data

from hashlens import ImageIndex, Link
from hashlens.cli.app import app

# Of each link, by the names of part and whole: where the part lies, and whether it is mirrored.
TRUE = {
    ("crop.jpg", "coffee.png"): ((130, 60, 450, 300), False),
    ("chelsea.png", "screen.png"): ((310, 180, 310 + 451, 180 + 300), False),
    ("mirrored.png", "rocket.png"): ((90, 40, 500, 380), True),
    ("small.png", "astronaut.png"): ((64, 0, 448, 384), False),
}
UNRELATED = ("camera.png", "flat.png", "broken.png")


def save_all(folder):
    """Photos, parts of them, one within a larger picture, and pictures of other things."""
    photos = {
        name: Image.fromarray(getattr(data, name)()).convert("RGB")
        for name in ("coffee", "chelsea", "rocket", "astronaut", "camera")
    }
    for name, photo in photos.items():
        photo.save(folder / f"{name}.png")
    screen = Image.new("RGB", (1100, 700), "#f4f4f4")
    draw = ImageDraw.Draw(screen)
    for line in range(40):
        draw.text((20, 20 + 16 * line), f"{line:04} a line of a window around a picture", "black")
    screen.paste(photos["chelsea"], (310, 180))
    screen.save(folder / "screen.png")
    boxes = {pair: box for pair, (box, _) in TRUE.items()}
    crop = photos["coffee"].crop(boxes["crop.jpg", "coffee.png"])
    crop.save(folder / "crop.jpg", quality=85)
    ImageOps.mirror(photos["rocket"].crop(boxes["mirrored.png", "rocket.png"])).save(
        folder / "mirrored.png"
    )
    small = photos["astronaut"].crop(boxes["small.png", "astronaut.png"])
    small.resize((250, 250)).save(folder / "small.png")
    Image.new("RGB", (300, 200), "navy").save(folder / "flat.png")
    (folder / "broken.png").write_bytes(b"no picture")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("links") / "photos"
    folder.mkdir()
    save_all(folder)
    return folder


@pytest.fixture(scope="module")
def index(photos, tmp_path_factory):
    with ImageIndex.open(tmp_path_factory.mktemp("index") / "i", keypoints=200) as opened:
        opened.index([photos])
        yield opened


def by_name(links):
    return {(Path(link.part.path).name, Path(link.whole.path).name): link for link in links}


def overlap(one, other):
    """Return the intersection over the union of two boxes."""
    left, top, right, bottom = (
        max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    )  # fmt: skip
    shared = max(0, right - left) * max(0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def corners(link):
    """Return the box around the corners of the part in the whole."""
    across, down = zip(*link.place.outline, strict=True)
    return min(across), min(down), max(across), max(down)


@pytest.fixture(scope="module")
def links(index):
    return by_name(index.groups(2, crops=True).links)


def test_parts_and_wholes_are_found_and_nothing_else(links):
    assert set(links) == set(TRUE)


def test_places_are_right(links):
    for pair, (box, mirrored) in TRUE.items():
        found = links[pair]
        assert isinstance(found, Link)
        assert overlap(found.place.box, box) > 0.9, pair
        assert overlap(corners(found), box) > 0.9, pair
        assert found.place.mirrored is mirrored
        assert found.place.correlation > 0.8
        assert found.place.inliers > 5
        width, height = found.whole.width, found.whole.height
        sides = [
            share * side
            for share, side in zip(found.place.fractions, (width, height) * 2, strict=True)
        ]
        assert sides == pytest.approx(found.place.box, abs=1)
        (a, b, c), (d, e, f) = found.place.transform
        for (x, y), (u, v) in zip(
            [(0, 0), (found.part.width, 0), (found.part.width, found.part.height)],
            found.place.outline[:3],
            strict=True,
        ):
            assert (a * x + b * y + c, d * x + e * y + f) == pytest.approx((u, v), abs=1)


def test_the_distance_is_that_of_the_fingerprints(links):
    for link in links.values():
        apart = int(link.part.fingerprint, 16) ^ int(link.whole.fingerprint, 16)
        assert link.part.distance == apart.bit_count()
        assert link.whole.distance == 0


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_they_are_the_same_for_any_number_of_workers(index, links, workers):
    told = []
    found = index.groups(2, crops=True, workers=workers, progress=told.append)
    assert by_name(found.links) == links
    assert list(found.links) == sorted(
        found.links, key=lambda link: (link.whole.path, link.part.path)
    )
    assert [step.done for step in told] == list(range(1, len(told) + 1))
    assert told[-1].total == len(told) == index.info()["images"]


def test_they_are_the_same_for_any_order_of_indexing(photos, links, tmp_path, content):
    files = sorted(photos.iterdir(), key=lambda path: path.name[::-1])
    with ImageIndex.open(tmp_path / "i", keypoints=200, content=content) as other:
        other.index(files[5:])
        other.upsert(files)
        found = by_name(other.groups(2, crops=True).links)
    assert {pair: link.place.mirrored for pair, link in found.items()} == {
        pair: link.place.mirrored for pair, link in links.items()
    }
    for pair, link in found.items():
        assert overlap(link.place.box, links[pair].place.box) > 0.95


def test_pictures_of_one_group_are_not_linked(index, links):
    everything = index.groups(64, linkage="connected", crops=True)
    assert everything.links == ()
    tight = index.groups(0, crops=True)
    assert by_name(tight.links) == links
    assert by_name(tight.rethreshold(64).links) == links  # they stay as they are


def test_links_go_with_groups_of_their_ends(photos, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for name in ("coffee.png", "crop.jpg"):
        shutil.copy(photos / name, folder)
    shutil.copy(photos / "coffee.png", folder / "again.png")
    with ImageIndex.open(tmp_path / "i", keypoints=200) as opened:
        opened.index([folder])
        found = opened.groups(0, crops=True)
    assert [len(group.members) for group in found] == [2]
    assert set(by_name(found.links)) == {("crop.jpg", "again.png"), ("crop.jpg", "coffee.png")}


def test_folders_are_respected(photos, links, tmp_path):
    for number, names in enumerate((("coffee.png", "rocket.png", "mirrored.png"), ("crop.jpg",))):
        (tmp_path / f"{number}").mkdir()
        for name in names:
            shutil.copy(photos / name, tmp_path / f"{number}")
    with ImageIndex.open(tmp_path / "i", keypoints=200) as opened:
        opened.index([tmp_path])
        folders = [str(tmp_path / name) for name in "01"]
        for terms in ({"between": folders}, {"not_same_folder": True}):
            found = opened.groups(0, crops=True, **terms)
            assert set(by_name(found.links)) == {("crop.jpg", "coffee.png")}
        assert len(opened.groups(0, crops=True).links) == 2


def test_files_that_are_gone_are_passed_over(photos, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for name in ("coffee.png", "crop.jpg", "rocket.png", "mirrored.png"):
        shutil.copy(photos / name, folder)
    with ImageIndex.open(tmp_path / "i", keypoints=200) as opened:
        opened.index([folder])
        os.unlink(folder / "coffee.png")
        os.unlink(folder / "rocket.png")
        os.unlink(folder / "mirrored.png")
        found = opened.groups(0, crops=True)
        assert found.links == ()  # the crop finds the coffee, but the file is gone


@pytest.mark.parametrize("count", [0, 1])
def test_an_index_of_nothing_or_one_has_no_links(photos, tmp_path, count):
    with ImageIndex.open(tmp_path / "i", keypoints=200) as opened:
        if count:
            opened.index([photos / "coffee.png"])
        assert opened.groups(0, crops=True).links == ()


def test_the_command_tells_of_links(index):
    terms = ["groups", "--index", str(index.path), "--max-distance", "2", "--crops"]
    result = CliRunner().invoke(app, [*terms, "--format", "json"])
    assert result.exit_code == 0, result.exception
    found = json.loads(result.output)["links"]
    assert {(Path(link["part"]).name, Path(link["whole"]).name) for link in found} == set(TRUE)
    assert all(len(link["box"]) == 4 and len(link["outline"]) == 4 for link in found)
    table = CliRunner().invoke(app, terms).output
    assert all(name in table for pair in TRUE for name in pair)
    assert not any(name in table for name in UNRELATED)
