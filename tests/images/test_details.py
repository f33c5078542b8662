"""Small details: captions on one picture, and text of pages with shade on them."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from drawing import draw
from hashlens.images.details import Patch, is_flat, largest_patch
from hashlens.images.look import Look
from hashlens.images.second_look import difference

CAPTIONS = ("Happy birthday Ada", "See you on Monday", "Lisbon, June 2019")


def saved(picture, **options):
    file = BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def looked(one, other):
    return difference(Look(one), Look(other))


def captioned(seed, text, share):
    picture = draw(seed, (480, 320))
    letters = ImageFont.load_default(round(320 * share))
    pen = ImageDraw.Draw(picture)
    pen.text((48, 260), text, "white", letters, stroke_width=1, stroke_fill="black")
    return picture


@pytest.mark.parametrize("share", [0.04, 0.05, 0.07])
def test_other_captions_on_one_picture_differ(share):
    for seed in range(4):
        pictures = [captioned(seed, text, share) for text in CAPTIONS]
        files = [saved(picture, quality=90) for picture in pictures]
        assert all(looked(one, other) for one, other in combinations(files, 2))
        half = pictures[0].resize((240, 160))
        assert looked(files[0], saved(half, quality=80)) == ""


def test_closed_eyes_differ_from_open_ones():
    for seed in range(4):
        closed = draw(seed, (480, 320))
        opened = closed.copy()
        pen, lids = ImageDraw.Draw(opened), ImageDraw.Draw(closed)
        for left in (200, 232):
            pen.ellipse((left, 150, left + 16, 158), "white")
            pen.ellipse((left + 5, 150, left + 11, 158), (40, 30, 20))
            lids.ellipse((left, 150, left + 16, 158), (190, 150, 130))
        assert looked(saved(closed, quality=92), saved(opened, quality=92)) != ""


def shaded(number, seed, width=700):
    """Draw a photo of a page: shade from one side, a vignette, noise."""
    of, height = np.random.default_rng(seed), width * 7 // 5
    ink = Image.new("L", (width, height), 255)
    pen, size = ImageDraw.Draw(ink), width // 36
    for line in range(3, 25):
        words = "".join(of.choice(list("abcdefghijk mnopqrs 0123456789"), 30))
        text = f"Invoice {number}" if line == 6 else words
        pen.text((width // 10, line * size * 1.8), text, 0, ImageFont.load_default(size))
    down, across = np.mgrid[0:height, 0:width]
    light = 0.8 + of.uniform(-0.3, 0.3) * (across / width - 0.5) + 0.2 * (down / height - 0.5)
    noise = np.random.default_rng(number).normal(0, 2, (height, width, 1))
    paper = np.clip(light, 0, 1)[..., None] * np.array([250, 245, 232])
    pixels = paper * (0.15 + 0.85 * np.asarray(ink, float)[..., None] / 255) + noise
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def test_one_other_digit_on_a_page_with_shade_is_seen():
    for seed in range(4):
        one = shaded(48113, seed)
        file = saved(one, quality=88)
        assert is_flat(Look(file).pixels(192))
        reason = looked(file, saved(shaded(48173, seed), quality=88))
        assert reason.startswith("differs in detail at ")
        assert looked(file, saved(one, quality=60)) == ""
        assert looked(file, saved(one.resize((490, 686)), quality=85)) == ""


def test_the_largest_patch_leaves_the_rim_out():
    differs = np.zeros((200, 300), bool)
    differs[0, :] = True
    assert largest_patch(differs) == Patch()
    differs[50:53, 60:64] = True
    differs[100, 100] = True
    assert largest_patch(differs) == Patch(12, 60, 50, 4, 3)
    assert Patch(12, 60, 50, 4, 3).words(2) == "differs in detail at 120,100 (8x6)"
