"""A second look: copies of a picture pass, and what only hashes alike does not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from drawing import draw
from hashlens.images.second_look import Look, difference
from hashlens.images.upright import TURNS


def saved(picture, kind="JPEG", **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def page(*lines, size=(700, 990)):
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((60, 60 + 40 * number), line, "black", ImageFont.load_default(22))
    return picture


def shirt(color):
    picture = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(picture).polygon([(90, 60), (310, 60), (310, 360), (90, 360)], color)
    return picture


def looked(one, other, turn=1):
    return difference(Look(one), Look(other, turn))


PICTURES = {
    "photo": draw(3, (480, 320)),
    "page": page("Invoice No. 48113", "Total 120.50"),
    "shirt": shirt((180, 40, 40)),
}
COPIES = {
    "JPEG 30": lambda picture: saved(picture, quality=30),
    "WebP": lambda picture: saved(picture, "WEBP", quality=60),
    "PNG": lambda picture: saved(picture, "PNG"),
    "half": lambda picture: saved(picture.resize([side // 2 for side in picture.size]), quality=70),
    "darker": lambda picture: saved(ImageEnhance.Brightness(picture).enhance(0.7)),
    "turned": lambda picture: saved(picture.transpose(TURNS[8]), exif=turned(6)),
}


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("name", PICTURES)
def test_copies_show_the_same_picture(name, copy):
    picture = PICTURES[name]
    assert looked(saved(picture, "PNG"), COPIES[copy](picture)) == ""


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (shirt((180, 40, 40)), shirt((40, 60, 180)), "colours differ"),
        (shirt((180, 40, 40)), shirt((150, 25, 25)), "shades of a colour differ"),
        (draw(1, (480, 320)), draw(2, (480, 320)), "colours differ"),
        (draw(1, (480, 320)), draw(1, (320, 320)), "shapes differ"),
        (page("Invoice No. 48113"), page("Invoice No. 48173"), "differs in detail at "),
        (page("Name:"), page("Name: Ada"), "differs in detail at "),
    ],
)
def test_other_pictures_differ_and_the_reason_says_how(one, other, reason):
    for kind in ("PNG", "JPEG"):
        found = looked(saved(one, kind), saved(other, kind))
        assert found.startswith(reason)
        assert looked(saved(other, kind), saved(one, kind)).startswith(reason)


def test_the_place_of_a_difference_is_in_pixels_of_the_first_picture():
    one, other = (page("Total", end) for end in ("120.50", "120.90"))
    reason = looked(saved(one, "PNG"), saved(other.resize((350, 495)), "PNG"))
    left, top = map(int, reason.removeprefix("differs in detail at ").split(" ")[0].split(","))
    differs = np.argwhere(np.asarray(one) != np.asarray(other))
    assert abs(top - differs[:, 0].min()) < 30
    assert abs(left - differs[:, 1].min()) < 30


@given(st.sampled_from(sorted(TURNS)))
def test_the_second_picture_is_turned_as_it_is_said(turn):
    picture = draw(5, (300, 200))
    back = {6: 8, 8: 6}.get(turn, turn)
    copy = saved(picture.transpose(TURNS[back]), "PNG")
    assert looked(saved(picture, "PNG"), copy, turn) == ""
    assert looked(saved(picture, "PNG"), copy) != ""


def test_what_cannot_be_read_is_not_the_same(tmp_path):
    good = saved(draw(1, (300, 200)))
    assert looked(good, good[: len(good) // 2]).startswith("cannot be read: ")
    assert looked(str(tmp_path / "gone.jpg"), good).startswith("cannot be read: ")
