from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from hashlens.images.palette import is_reduced_photo

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")


def photo(name):
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def dithered(image, colors):
    return image.quantize(palette=image.quantize(colors), dither=Image.Dither.FLOYDSTEINBERG)


def is_reduced(image):
    return is_reduced_photo(np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("colors", [256, 128, 64])
def test_a_photo_in_few_colours_was_reduced(name, colors):
    image = photo(name)
    assert is_reduced(image.quantize(colors))
    assert is_reduced(dithered(image, colors))
    assert not is_reduced(image)


def test_a_photo_on_a_white_ground_was_reduced_too():
    image = Image.new("RGB", (700, 700), "white")
    image.paste(photo("astronaut"), (94, 94))
    assert is_reduced(image.quantize(256))


def page():
    image = Image.new("RGB", (480, 640), "white")
    draw = ImageDraw.Draw(image)
    for line in range(44):
        draw.text((20, 14 * line), "some words of a page, in black", fill="black")
    return image


def diagram():
    image = Image.new("RGB", (480, 320), "beige")
    draw = ImageDraw.Draw(image)
    for number in range(20):
        x, y = 20 * number, 11 * number
        draw.ellipse((x, y, x + 70, y + 40), fill=(10 * number, 90, 200), outline="black")
        draw.text((x, 300 - y), f"Figure {number}", fill="navy")
    return image


def ramp():
    blues = np.linspace(0, 199, 400).astype(np.uint8)
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[..., 2] = blues
    return Image.fromarray(pixels)


@pytest.mark.parametrize("make", [page, diagram, ramp])
@pytest.mark.parametrize("colors", [256, 64])
def test_a_drawing_was_not(make, colors):
    assert not is_reduced(make())
    assert not is_reduced(make().quantize(colors))


def test_grey_and_few_pixels_say_nothing():
    assert not is_reduced(photo("coffee").convert("L"))
    assert not is_reduced(Image.new("RGB", (1, 1)))
    assert not is_reduced(photo("coffee").quantize(256).resize((1, 300)))
