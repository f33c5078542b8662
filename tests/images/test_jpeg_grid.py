from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from drawing import draw
from hashlens.errors import ImageError
from hashlens.images.jpeg_grid import DCT, Brightness, read_grid


def photo(seed):
    """Draw a picture with noise, as photos have it."""
    pixels = np.asarray(draw(seed, (320, 240)), np.float64)
    noise = np.random.default_rng(seed).normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


@pytest.fixture
def made(tmp_path):
    """Return what saves a picture, and tells whether another file came from it."""

    def save(image, name, **options):
        image.save(tmp_path / name, **options)
        return str(tmp_path / name)

    return save


def comes_from(copy, source):
    return Brightness(copy).comes_from(read_grid(source))


def test_the_transform_is_the_cosine_transform_of_jpeg():
    assert np.allclose(DCT @ DCT.T, np.eye(8))
    flat = DCT @ np.full((8, 8), 7.0) @ DCT.T
    assert flat[0, 0] == pytest.approx(56)
    assert np.abs(flat).sum() == pytest.approx(56)


@pytest.mark.parametrize("quality", [50, 75, 85, 90, 95])
def test_a_lossless_copy_comes_from_its_jpeg_also_if_it_was_turned(quality, made):
    jpeg = made(photo(1), "a.jpg", quality=quality)
    pixels = Image.open(jpeg)
    assert comes_from(made(pixels, "a.png"), jpeg)
    assert comes_from(made(pixels, "a.tif"), jpeg)
    for turn in Image.Transpose:
        assert comes_from(made(pixels.transpose(turn), "b.png"), jpeg)


@pytest.mark.parametrize("size", [(317, 240), (320, 235), (317, 235), (317, 317)])
def test_a_mirrored_copy_is_known_though_blocks_begin_elsewhere(size, made):
    jpeg = made(photo(1).crop((0, 0, *size)).resize(size), "a.jpg", quality=85)
    pixels = Image.open(jpeg)
    for turn in Image.Transpose:
        assert comes_from(made(pixels.transpose(turn), "b.png"), jpeg)
    assert not comes_from(made(pixels.crop((1, 1, *size)).resize(size), "c.png"), jpeg)


@pytest.mark.parametrize("quality", [50, 75, 85, 90, 95, 100])
def test_a_jpeg_of_a_lossless_file_is_not_its_source(quality, made):
    png = made(photo(2), "a.png")
    assert not comes_from(png, made(Image.open(png), "a.jpg", quality=quality))


def test_a_drawing_does_not_come_from_its_jpeg(made):
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    for number in range(40):
        draw.ellipse((number * 7, number * 5, number * 7 + 60, number * 5 + 40), outline="navy")
        draw.text((number * 6, 200 - number * 4), "text", fill="black")
    png = made(image, "a.png")
    for quality in (75, 90, 98):
        assert not comes_from(png, made(image, "a.jpg", quality=quality))


def test_a_jpeg_that_was_saved_again_with_finer_steps_comes_from_the_first(made):
    first = made(photo(3), "a.jpg", quality=85)
    again = made(Image.open(first), "b.jpg", quality=97)
    assert comes_from(again, first)
    assert not comes_from(first, again)
    assert not comes_from(made(photo(3), "c.jpg", quality=97), first)


def test_an_edited_copy_or_another_picture_does_not_come_from_it(made):
    jpeg = made(photo(4), "a.jpg", quality=85)
    sharp = Image.open(jpeg).filter(ImageFilter.UnsharpMask(2, 80))
    assert not comes_from(made(sharp, "a.png"), jpeg)
    assert not comes_from(made(photo(5), "b.png"), jpeg)
    assert not comes_from(made(Image.open(jpeg).crop((1, 0, 320, 240)), "c.png"), jpeg)


def test_pictures_that_say_nothing_come_from_none(made):
    flat = Image.new("RGB", (320, 240), "red")
    assert not comes_from(made(flat, "a.png"), made(flat, "a.jpg"))
    small = draw(1, (7, 5))
    assert not comes_from(made(small, "b.png"), made(small, "b.jpg"))


def test_only_a_jpeg_has_a_grid_and_what_cannot_be_read_is_an_error(made, tmp_path):
    assert read_grid(made(photo(1), "a.png")) is None
    grid = read_grid(made(photo(1), "a.jpg", quality=75))
    assert grid.size == (320, 240)
    assert grid.steps[0].tolist() == [8, 6, 5, 8, 12, 20, 26, 31]  # of the standard, halved
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    for name in ("broken.jpg", "gone.jpg"):
        with pytest.raises(ImageError):
            Brightness(str(tmp_path / name))
