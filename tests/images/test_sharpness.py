"""The variance of the Laplacian, against OpenCV's own recipe."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from drawing import draw
from hashlens import ImageError, sharpness


def theirs(path):
    """What everyone writes with OpenCV, reading the file included."""
    grey = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
    return cv2.Laplacian(grey, cv2.CV_64F).var()


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee", "chelsea", "page", "rocket"])
@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_it_is_the_value_of_opencv(tmp_path, name, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(getattr(data, name)()).save(path)
    assert sharpness(path) == pytest.approx(theirs(path), rel=0.01)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_modes_of_one_picture_have_one_value(tmp_path, mode):
    image = Image.fromarray(data.astronaut()).convert("L").convert("RGB")
    image.convert(mode, palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.png")
    assert sharpness(tmp_path / "a.png") == pytest.approx(sharpness(image), rel=0.05)


def test_a_blurred_picture_is_less_sharp():
    image = Image.fromarray(data.astronaut())
    values = [sharpness(image.filter(ImageFilter.GaussianBlur(radius))) for radius in range(5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 50 * values[-1]


def test_noise_is_measured_without_overflow():
    random = np.random.default_rng(0)
    noise = random.choice([0, 255], (200, 200)).astype(np.uint8)
    wanted = cv2.Laplacian(noise, cv2.CV_64F).var()
    assert sharpness(noise) == pytest.approx(wanted)
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert sharpness(board) == pytest.approx(1020**2)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 2)])
def test_a_flat_picture_has_none(size):
    assert sharpness(Image.new("RGB", size, "red")) == 0


def test_all_sources_are_taken(tmp_path):
    draw(1).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    values = {sharpness(source) for source in (tmp_path / "a.png", content, BytesIO(content))}
    assert len(values) == 1


def test_wide_pixels_are_those_that_a_person_sees(tmp_path):
    grey = np.asarray(draw(2).convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(tmp_path / "wide.png")
    assert sharpness(tmp_path / "wide.png") == pytest.approx(
        sharpness(draw(2).convert("L")), rel=0.05
    )


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    for path in (tmp_path / "text.jpg", tmp_path / "gone.jpg"):
        with pytest.raises(ImageError, match=path.name):
            sharpness(path)
