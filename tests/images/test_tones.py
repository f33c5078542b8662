"""Colours of goods on one ground, and pictures of little contrast."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from drawing import draw
from hashlens.images.look import Look
from hashlens.images.second_look import TOO_FLAT, difference

COLORS = {
    "black": (25, 25, 27),
    "anthracite": (55, 56, 58),
    "navy": (28, 32, 58),
    "brown": (78, 55, 40),
    "olive": (80, 82, 50),
    "grey": (128, 128, 130),
    "cream": (245, 236, 212),
    "rose": (240, 205, 205),
    "red": (200, 30, 30),
    "other red": (190, 40, 40),
}
GROUNDS = {"white": (255, 255, 255), "grey": (232, 230, 226), "black": (4, 4, 4)}


def saved(picture, **options):
    file = BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def looked(one, other):
    return difference(Look(one), Look(other))


def shirt(color, ground, seed):
    """Draw a shirt with folds and noise: it has many tones."""
    side = 400
    mask = Image.new("L", (side, side))
    ends = [(20 * x, 20 * y) for x, y in ((6, 2), (14, 2), (18, 8), (15, 18), (5, 18), (2, 8))]
    ImageDraw.Draw(mask).polygon(ends, 255)
    cover = np.asarray(mask.filter(ImageFilter.GaussianBlur(1)), float)[..., None] / 255
    grid = np.random.default_rng(7).integers(0, 255, (9, 9)).astype(np.uint8)
    folds = np.asarray(Image.fromarray(grid).resize((side, side)), float)[..., None] / 255
    noise = np.random.default_rng(seed).normal(0, 3, (side, side, 1))
    cloth = np.array(color) * (0.75 + 0.5 * folds) + noise
    pixels = np.array(ground) * (1 - cover) + cloth * cover
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("ground", GROUNDS)
def test_goods_of_other_colours_on_one_ground_differ(ground):
    shirts = [shirt(color, GROUNDS[ground], seed) for seed, color in enumerate(COLORS.values())]
    files = [saved(picture, quality=90) for picture in shirts]
    assert all(looked(one, other) for one, other in combinations(files, 2))
    for picture, file in zip(shirts, files, strict=True):
        half = picture.resize((200, 200))
        assert looked(file, saved(half, quality=70)) == ""
        assert looked(file, saved(picture, quality=30)) == ""


def test_a_small_emblem_of_another_shade_is_seen():
    def emblem(tone):
        picture = Image.new("RGB", (600, 400), "white")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((40, 40, 300, 360), (60, 60, 200))
        pen.rectangle((400, 80, 500, 180), (tone, tone, tone))
        return saved(picture, quality=90)

    assert looked(emblem(60), emblem(60)) == ""
    assert looked(emblem(60), emblem(71)) == "shades of a colour differ"


@pytest.mark.parametrize("brightness", [0.05, 0.1, 0.2])
def test_dark_pictures_are_told_apart(brightness):
    files = [
        saved(ImageEnhance.Brightness(draw(seed, (300, 200))).enhance(brightness), quality=92)
        for seed in range(6)
    ]
    assert all(looked(one, other) for one, other in combinations(files, 2))


@pytest.mark.parametrize("contrast", [0.02, 0.06])
def test_a_picture_with_next_to_no_contrast_is_no_copy_of_any(contrast):
    for seed in range(4):
        flat = saved(ImageEnhance.Contrast(draw(seed + 9, (300, 200))).enhance(contrast))
        rich = saved(draw(seed, (300, 200)))
        assert looked(flat, rich) != ""
        assert looked(rich, flat) != ""
    grey = saved(Image.new("RGB", (300, 200), (90, 90, 90)))
    assert looked(grey, grey) == TOO_FLAT


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.25])
def test_a_brighter_or_darker_copy_passes_either_way(factor):
    for seed in range(4):
        picture = ImageEnhance.Brightness(draw(seed, (300, 200))).enhance(0.75)
        copy = saved(ImageEnhance.Brightness(picture).enhance(factor), quality=85)
        assert looked(saved(picture), copy) == ""
        assert looked(copy, saved(picture)) == ""
