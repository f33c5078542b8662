"""What is looked at in a file: its frames, transparency, long pictures, and how it is turned."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from drawing import draw
from hashlens.hashing.looking import Looker, Question, differences
from hashlens.images.look import LARGE, SMALL, Look, scale
from hashlens.images.second_look import difference


def saved(picture, kind="PNG", **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def looked(one, other):
    return difference(Look(one), Look(other))


def page(text, size=(500, 700)):
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((50, 60), text, "black", ImageFont.load_default(24))
    return picture


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_frames_behind_the_first_are_compared(kind):
    def film(*numbers):
        first, *others = [draw(number, (240, 160)) for number in numbers]
        return saved(first, kind, save_all=True, append_images=others)

    assert looked(film(1, 2, 3), film(1, 2, 3)) == ""
    assert looked(film(1, 2, 3), film(1, 2, 4)).startswith("frame 3: ")
    assert looked(film(1, 2, 3), film(1, 2)) == "numbers of frames differ"


def test_documents_with_one_cover_differ_in_their_second_page():
    def document(text):
        return saved(draw(1), "TIFF", save_all=True, append_images=[page(text), page("")])

    assert looked(document("Invoice 48113"), document("Invoice 48113")) == ""
    reason = looked(document("Invoice 48113"), document("Invoice 48173"))
    assert reason.startswith("frame 2: differs in detail at ")


def test_of_many_frames_some_that_are_spread_are_compared():
    def film(last):
        frames = [draw(1, (64, 48)) for _ in range(39)] + [draw(last, (64, 48))]
        return saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])

    assert looked(film(1), film(1)) == ""
    assert looked(film(1), film(2)).startswith("frame 40: ")


def test_a_cut_out_is_not_its_flattened_copy():
    logo = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    ImageDraw.Draw(logo).ellipse((60, 30, 240, 170), (200, 30, 40, 255))
    white = Image.new("RGBA", logo.size, "white")
    white.alpha_composite(logo)
    flat = white.convert("RGB")
    assert looked(saved(logo), saved(flat)) == "transparency differs"
    assert looked(saved(flat, "JPEG"), saved(logo)) == "transparency differs"
    assert looked(saved(logo), saved(logo, "WEBP", lossless=True)) == ""
    flat.putalpha(255)  # nothing shows through
    assert looked(saved(flat), saved(flat.convert("RGB"))) == ""


def receipt(total, height):
    picture = Image.new("RGB", (600, height), "white")
    pen, letters = ImageDraw.Draw(picture), ImageFont.load_default(24)
    for number, top in enumerate(range(40, height - 60, 60)):
        text = f"Total {total}" if top == 40 + 60 * 20 else f"Item {number * 7919 % 1000}"
        pen.text((40, top), text, "black", letters)
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_long_receipts_keep_their_letters(kind):
    one, other = (saved(receipt(total, 6000), kind) for total in ("120.50", "120.90"))
    assert looked(one, other).startswith("differs in detail at ")
    assert looked(one, saved(receipt("120.50", 6000), "JPEG", quality=60)) == ""


@pytest.mark.parametrize("size", [(481, 321), (4000, 3000), (600, 6000), (100, 100_000), (30, 20)])
@pytest.mark.parametrize("side", [SMALL, LARGE])
def test_pictures_are_reduced_to_a_bounded_number_of_pixels(size, side):
    factor = scale(size, side)
    area = size[0] * size[1] * factor**2
    assert factor <= 1
    assert area <= 4.01 * side**2
    assert factor == 1 or max(size) * factor >= side - 1
    assert scale(size[::-1], side) == factor


def test_a_png_is_decoded_once_and_held_small(monkeypatch):
    picture = Image.fromarray(np.zeros((4500, 4500, 3), np.uint8))
    look = Look(saved(picture, compress_level=1))
    small = look.pixels(SMALL)
    assert look.pixels(LARGE) is small
    assert look.size == picture.size
    assert small.shape == (2250, 2250, 3)
    small_jpeg = Look(saved(picture, "JPEG"))
    assert small_jpeg.pixels(SMALL).size < small_jpeg.pixels(LARGE).size <= small.size


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_are_turned_by_exif_only_where_the_index_does(tmp_path, workers):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = draw(3, (300, 200))
    picture.save(tmp_path / "lies.jpg", exif=exif, quality=90)
    picture.save(tmp_path / "stands.jpg", quality=80)
    pair = str(tmp_path / "lies.jpg"), str(tmp_path / "stands.jpg")
    assert differences([pair], workers) == ["shapes differ"]
    assert differences([pair], workers, upright=False) == [""]


def test_threads_that_look_at_one_animation_do_not_move_its_frames_for_each_other(tmp_path):
    frames = [draw(seed, (320, 240)) for seed in range(6)]
    for name in ("a.png", "b.png", "c.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    questions = [
        Question(str(tmp_path / "a.png"), str(tmp_path / name), 1) for name in ("b.png", "c.webp")
    ]
    looker = Looker(dedicated=False, upright=True)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(looker, questions * 10)) == {""}
