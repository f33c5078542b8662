from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from hashlens.errors import ParameterError
from hashlens.evaluation.attacks import ATTACKS, attack
from hashlens.evaluation.drawings import BACKGROUND_SIZE, BACKGROUNDS, background, scene, stream

SIZE = (300, 200)
CROPS = [name for name in ATTACKS if name.strip("c").startswith("rop")]


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return scene(stream(0, "a picture"), SIZE)


def made(name, picture, seed=0, file="a.jpg"):
    return attack(name, picture, seed=seed, name=file)


def area(box) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def grey_at(image, places):
    """The grey values at places given in areas of pixels, and which of the places are within."""
    pixels = np.asarray(image.convert("L"), float)
    columns, rows = np.floor(places).astype(int)
    within = (columns >= 0) & (columns < image.width) & (rows >= 0) & (rows < image.height)
    return pixels[rows[within], columns[within]], within


def likeness(picture, result, shift=(0, 0)) -> float:
    """How much a query looks like the original where its transform says it comes from."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0.05, 0.95, (2, 4000)) * np.array([result.image.size]).T
    aims = result.transform @ np.vstack([places, np.ones(places.shape[1])])
    theirs, within = grey_at(picture, aims + np.array([shift]).T)
    own, _ = grey_at(result.image, places[:, within])
    return float(np.corrcoef(own, theirs)[0, 1])


def test_an_attack_depends_on_seed_name_and_picture_only(picture):
    alone = {name: made(name, picture).data for name in ATTACKS}
    for name in reversed(ATTACKS):
        made(name, picture, file="another.jpg")
        assert made(name, picture).data == alone[name]


def test_seeds_and_names_draw_other_crops(picture):
    boxes = {made("crop30", picture, seed, f"{n}.jpg").box for seed in (0, 1) for n in (0, 1)}
    assert len(boxes) == 4


def test_the_source_is_left_alone(picture):
    before = hashlib.sha256(picture.tobytes()).digest()
    for name in ATTACKS:
        made(name, picture)
    assert hashlib.sha256(picture.tobytes()).digest() == before


@pytest.mark.parametrize("name", ATTACKS)
def test_the_transform_leads_from_the_query_to_the_original(name, picture):
    result = made(name, picture)
    right = likeness(picture, result)
    assert right > (0.4 if name == "text" else 0.9)
    shifts = ((6, 0), (-6, 0), (0, 6), (0, -6))
    assert right > max(likeness(picture, result, shift) for shift in shifts) + 0.03


@pytest.mark.parametrize("name", CROPS)
def test_a_crop_keeps_its_share_of_the_area_in_the_shape_of_the_whole(name, picture):
    result = made(name, picture)
    left, top, right, bottom = result.box
    assert area(result.box) / area((0, 0, *SIZE)) == pytest.approx(int(name[-2:]) / 100, rel=0.02)
    assert (right - left) / (bottom - top) == pytest.approx(SIZE[0] / SIZE[1], rel=0.02)
    assert result.image.size == (right - left, bottom - top)
    assert 0 <= left < right <= SIZE[0]
    assert 0 <= top < bottom <= SIZE[1]
    if name.startswith("cc"):
        assert abs(left + right - SIZE[0]) <= 1
        assert abs(top + bottom - SIZE[1]) <= 1


def test_the_article_keeps_a_third_of_the_width(picture):
    assert made("article", picture).box == (100, 26, 200, 174)


@pytest.mark.parametrize(("name", "share"), [("strong50", 0.5), ("strong30", 0.3)])
def test_strong_attacks_crop_and_shrink(name, share, picture):
    result = made(name, picture)
    assert area(result.box) / area((0, 0, *SIZE)) == pytest.approx(share, rel=0.02)
    assert result.image.width == pytest.approx(0.6 * (result.box[2] - result.box[0]), abs=1)


def test_all_but_crops_show_the_whole(picture):
    for name, item in ATTACKS.items():
        if item.kind != "crop":
            assert made(name, picture).box == (0, 0, *SIZE)


def test_a_contained_picture_is_a_part_of_the_query(picture):
    for name in ("pad", "letterbox", "screenshot", "collage"):
        result = made(name, picture)
        inverse = np.linalg.inv(np.vstack([result.transform, [0, 0, 1]]))
        (left, right), (top, bottom), _ = inverse @ [[0, SIZE[0]], [0, SIZE[1]], [1, 1]]
        width, height = result.image.size
        assert -1e-6 <= left < right <= width + 1e-6
        assert -1e-6 <= top < bottom <= height + 1e-6
        assert (right - left) * (bottom - top) < 0.75 * width * height
        assert ATTACKS[name].kind == "contains"


def test_queries_are_jpeg_files_of_the_said_quality(picture):
    results = {name: made(name, picture) for name in ("ident", "jpeg75", "jpeg30", "jpeg10")}
    sizes = [len(result.data) for result in results.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert all(result.data.startswith(b"\xff\xd8\xff") for result in results.values())


def test_pictures_of_any_mode_and_size_can_be_attacked():
    for mode, size in (("L", (1, 1)), ("RGBA", (3, 70)), ("P", (70, 3))):
        for name in ATTACKS:
            made(name, Image.new(mode, size))


def test_an_unknown_attack_is_refused_by_name(picture):
    with pytest.raises(ParameterError, match="'crop33'; known are ident, jpeg75"):
        made("crop33", picture)


def test_backgrounds_are_drawn_from_the_seed():
    drawn = {name: background(name, seed=0) for name in BACKGROUNDS}
    assert drawn == {name: background(name, seed=0) for name in BACKGROUNDS}
    assert drawn["disc 1 on black"] not in (
        background("disc 1 on black", seed=1),
        drawn["disc 2 on black"],
    )
    assert len(set(drawn.values())) == len(drawn)


def test_backgrounds_show_nothing():
    for name, draw in BACKGROUNDS.items():
        image = draw(stream(0, name))
        assert image.size[0] >= BACKGROUND_SIZE[0]
        if name.startswith(("disc", "square", "word")):
            ground = 0 if name.endswith("black") else 255
            pixels = np.asarray(image.convert("L"))
            assert 0 < (pixels != ground).mean() < 0.1
