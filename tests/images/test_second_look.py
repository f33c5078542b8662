"""A second look: copies of a picture pass, and what only hashes alike does not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from drawing import draw
from hashlens.images import details, second_look
from hashlens.images.details import FINE
from hashlens.images.look import Look
from hashlens.images.second_look import difference
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
        (shirt((180, 40, 40)), shirt((150, 25, 25)), "blocks differ"),
        (draw(1, (480, 320)), draw(2, (480, 320)), "colours differ"),
        (draw(1, (480, 320)), draw(1, (320, 320)), "shapes differ"),
        (page("Invoice No. 48113"), page("Invoice No. 48173"), "differs in detail at "),
        (page("Name:"), page("Name: Ada"), "blocks differ"),
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


FORM = ("Name", "First name", "Date of birth", "Place", "Street", "Phone", "Issued", "Signature")


def form(born, size):
    """Draw a filled form of 320x440 pixels."""
    picture = Image.new("RGB", (320, 440), "white")
    pen = ImageDraw.Draw(picture)
    letters = ImageFont.load_default(size)
    values = "Moreau", "Camille", born, "Lyon", "Rue Verte 12", "0478 5521", "03.02.2011", "C. M."
    for number, (label, value) in enumerate(zip(FORM, values, strict=True)):
        top = 30 + 5 * size * number
        pen.text((20, top), label, "black", letters)
        pen.text((160, top), value, "black", letters)
        pen.line((155, top + size + 3, 305, top + size + 3), (120, 120, 120))
    return picture


CODECS = {
    "PNG": {},
    "WEBP": {"quality": 80},
    "JPEG": {"quality": 80},
}
SMALL_COPIES = {
    "JPEG 60": lambda picture: saved(picture, quality=60),
    "WebP 70": lambda picture: saved(picture, "WEBP", quality=70),
    "three quarters": lambda picture: saved(picture.resize((240, 330)), quality=85),
    "half": lambda picture: saved(picture.resize((160, 220)), quality=85),
    "darker": lambda picture: saved(ImageEnhance.Brightness(picture).enhance(0.8), quality=85),
    "brighter": lambda picture: saved(ImageEnhance.Brightness(picture).enhance(1.2), quality=85),
}


@pytest.mark.parametrize("kind", CODECS)
@pytest.mark.parametrize("size", [7, 9])
@pytest.mark.parametrize("born", ["15.03.1984", "14.02.1984", "21.07.1956"])
def test_small_forms_with_other_dates_differ(kind, size, born):
    one, other = (saved(form(date, size), kind, **CODECS[kind]) for date in ("14.03.1984", born))
    assert looked(one, other).startswith("differs in detail at ")
    assert looked(other, one).startswith("differs in detail at ")


@pytest.mark.parametrize("copy", SMALL_COPIES)
@pytest.mark.parametrize("kind", CODECS)
def test_copies_of_small_forms_are_the_same(kind, copy):
    for size in (7, 9):
        file = saved(form("14.03.1984", size), kind, **CODECS[kind])
        opened = Image.open(BytesIO(file)).convert("RGB")
        assert looked(file, SMALL_COPIES[copy](opened)) == ""


@pytest.mark.parametrize("width", [200, 300])
def test_other_digits_in_a_small_invoice_differ(width):
    for number, other in (("48113", "48173"), ("48113", "90264")):
        pages = [
            page(*(f"Invoice No. {digits}", "Total 120.50")).resize((width, width * 7 // 5))
            for digits in (number, other)
        ]
        for kind in CODECS:
            one, two = (saved(each, kind, **CODECS[kind]) for each in pages)
            assert looked(one, two).startswith("differs in detail at ")


def textures(seed, share, size=(96, 64)):
    """Return two grey pictures: noise of some waves, and the same mixed with other noise."""
    of = np.random.default_rng(seed)
    grids = of.integers(0, 256, (2, *(side // of.integers(2, 17) + 1 for side in size[::-1])))
    one, other = (
        np.asarray(Image.fromarray(grid.astype(np.uint8)).resize(size), np.float64)
        for grid in grids
    )
    contrast = of.uniform(0.1, 1)
    mixed = ((1 - share) * one + share * other - 128) * contrast + 128
    return tuple(np.clip(each, 0, 255).astype(np.uint8) for each in (one, mixed))


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_windows_that_disagree_are_among_those_that_may(seed, share):
    one, other = textures(seed, share)
    off = one.astype(np.float32) - other
    disagree = details.disagree(one, other, off, FINE)
    assert not (disagree & ~details.may_disagree(one, other)).any()


@given(
    st.integers(0, 2**16),
    st.integers(2, 40),
    st.integers(0, 255),
    st.floats(0, 0.6),
    st.floats(0.8, 1.2),
)
def test_what_passes_quickly_passes_the_closer_comparison(seed, side, tone, share, brightness):
    picture = draw(seed % 40, (150, 100))
    painted = picture.copy()
    left, top = seed % 90, seed % 61
    ImageDraw.Draw(painted).ellipse((left, top, left + side, top + side), (tone, tone, tone))
    copy = ImageEnhance.Brightness(Image.blend(picture, painted, share)).enhance(brightness)
    one, other = Look(picture), Look(copy)
    if second_look._is_plainly_same(one.pixels(192), other.pixels(192)):
        assert second_look._compared(one, other, 192, FINE).reason == ""
