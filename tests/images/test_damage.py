"""What is wrong with a file that can be read all the same."""

from __future__ import annotations

import pytest
from PIL import Image

from drawing import saved, sequence
from hashlens.images import jpeg_draft
from hashlens.images.damage import NO_END, damage


@pytest.fixture(autouse=True)
def libjpeg():
    assert jpeg_draft.use_simplejpeg()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM"])
def test_nothing_is_wrong_with_what_was_written(kind):
    assert damage(saved(kind), kind) == ""


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "MPO"])
def test_nothing_is_wrong_with_an_animation(kind):
    assert damage(sequence(kind, 1, 2, 3), kind) == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "ICO"])
@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_missing_end_is_seen(kind, lost):
    assert damage(saved(kind)[:-lost], kind)


def test_a_jpeg_without_its_end_is_told_without_simplejpeg(monkeypatch):
    monkeypatch.setattr(jpeg_draft, "_simplejpeg", None)
    exif = Image.Exif()
    exif[0x010F] = "a maker \xff\xd9"
    for options in ({}, {"exif": exif}):
        data = saved("JPEG", **options)
        assert damage(data, "JPEG") == ""
        assert damage(data[:-2], "JPEG") == NO_END


@pytest.mark.parametrize("progressive", [False, True])
def test_wrong_bytes_of_a_jpeg_are_told_as_libjpeg_does(progressive):
    data = bytearray(saved("JPEG", progressive=progressive))
    middle = len(data) // 2
    data[middle : middle + 2] = b"\xff\xd0"
    assert damage(bytes(data), "JPEG").startswith("Corrupt JPEG data")


def test_wrong_bytes_of_any_picture_of_an_mpo_are_told():
    data = bytearray(sequence("MPO", 1, 2, 3, size=(320, 240)))
    assert damage(bytes(data), "MPO") == ""
    data[-80:-78] = b"\xff\xd0"
    assert damage(bytes(data), "MPO").startswith("Corrupt JPEG data")


def test_wrong_bytes_of_a_png_are_told_by_their_checksum():
    data = bytearray(saved("PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    assert damage(bytes(data), "PNG") == "the checksum of its part IDAT is wrong"


def test_what_follows_the_end_is_no_damage():
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        assert damage(saved(kind) + b"\0trailing", kind) == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "MPO", "", None])
@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n\xff\xff", b"\0" * 50]
)
def test_any_bytes_are_looked_at(kind, data):
    assert isinstance(damage(data, kind), str)
