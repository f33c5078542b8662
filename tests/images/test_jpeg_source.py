from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from skimage import data

from hashlens.errors import ImageError
from hashlens.images.jpeg_grid import read_grid
from hashlens.images.jpeg_source import JpegSource, upright_pixels
from hashlens.images.upright import TURNS

EDITS = {
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "more colour": lambda image: ImageEnhance.Color(image).enhance(1.5),
    "sharper": lambda image: image.filter(ImageFilter.UnsharpMask(2, 80)),
    "a curve": lambda image: image.point(
        [*(round(255 * (v / 255) ** 0.8) for v in range(256))] * 3
    ),
}


@pytest.fixture(scope="module")
def photo():
    """Return a photo without traces of a JPEG's blocks."""
    return Image.fromarray(data.astronaut()).resize((461, 459), Image.Resampling.LANCZOS)


@pytest.fixture
def save(tmp_path):
    def saved(image, name, **options):
        image.save(tmp_path / name, **options)
        return str(tmp_path / name)

    return saved


def is_edit(path, source):
    return JpegSource(source).is_edited_in(upright_pixels(path), read_grid(path))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("quality", [75, 88, 92])
@pytest.mark.parametrize(("name", "options"), [("b.png", {}), ("b.jpg", {"quality": 98})])
def test_an_edit_is_known_by_its_source_and_never_the_other_way(
    edit, quality, name, options, photo, save
):
    source = save(photo, "a.jpg", quality=quality)
    edited = save(EDITS[edit](Image.open(source)), name, **options)
    assert is_edit(edited, source)
    original = save(photo, name, **options)
    export = save(EDITS[edit](Image.open(original).convert("RGB")), "c.jpg", quality=quality)
    assert not is_edit(original, export)
    beside = save(EDITS[edit](photo), "d.jpg", quality=quality)  # of the same pixels
    assert not is_edit(original, beside)


@pytest.mark.parametrize("quality", [60, 70, 80, 90])
def test_steps_of_its_own_are_not_taken_for_those_of_a_source(quality, photo, save):
    for own in range(quality, 100, 4):
        original = save(photo, "a.jpg", quality=own)
        for edit in EDITS.values():
            copy = save(edit(Image.open(original)), "b.jpg", quality=quality)
            assert not is_edit(original, copy)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_source_that_exif_turns_is_known(orientation, photo, save):
    exif = Image.Exif()
    exif[0x112] = orientation
    source = save(photo, "a.jpg", quality=85, exif=exif)
    pixels = Image.fromarray(upright_pixels(source))
    assert is_edit(save(EDITS["sharper"](pixels), "b.png"), source)
    larger = np.asarray(pixels.resize([2 * side for side in pixels.size]))
    assert JpegSource(source).is_enlarged_in(larger)
    assert not JpegSource(source).is_enlarged_in(np.asarray(photo.resize((922, 918))))


def test_what_says_nothing_is_no_source(photo, save):
    other = Image.fromarray(data.coffee()).resize(photo.size)
    source = save(photo, "a.jpg", quality=85)
    assert not is_edit(save(other, "b.png"), source)
    assert not is_edit(save(photo.resize((400, 400)), "b.png"), source)
    assert not is_edit(save(photo, "b.png"), save(photo, "c.png"))  # no JPEG
    flat = Image.new("RGB", (320, 240), "red")
    assert not is_edit(save(flat, "b.png"), save(flat, "c.jpg"))
    small = photo.resize((7, 5))
    assert not is_edit(save(small, "b.png"), save(small, "c.jpg"))


def test_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        JpegSource(str(tmp_path / "a.jpg"))
