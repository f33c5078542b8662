"""Files without the extension of a picture: their kinds, and the pictures among them."""

from __future__ import annotations

import os
from io import BytesIO

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens.images.formats import EXTENSIONS, FORMATS, START, format_of
from hashlens.images.kinds import holds_picture, kind_of, seems_picture
from hashlens.images.partners import RAW
from hashlens.images.walk import PassedOver, find_images

# By Pillow's name: the mode of a picture that the format can hold. Others are not written here.
WRITTEN = {
    **dict.fromkeys(
        ("AVIF", "BMP", "DIB", "DDS", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG"), "RGB"
    ),
    **dict.fromkeys(("PPM", "SGI", "TIFF", "WEBP"), "RGB"),
}
HEADERS = {  # of formats that Pillow reads only, or only in recent versions
    "PSD": b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x10\0\0\0\x10\0\x08\0\3",
    "QOI": b"qoif\0\0\0\x10\0\0\0\x10\3\0",
    "SUN": b"\x59\xa6\x6a\x95\0\0\0\x10\0\0\0\x10\0\0\0\x18",
    "JXL": b"\xff\x0a\xfa\x1f",
}


def start_of(style):
    if style in HEADERS:
        return HEADERS[style]
    output = BytesIO()
    if style == "HEIF":
        pillow_heif.from_pillow(draw(1)).save(output)
    else:
        draw(1).save(output, style)
    return output.getvalue()[:START]


@pytest.mark.parametrize("style", [item.name for item in FORMATS if item.name != "TGA"])
def test_a_format_is_known_by_its_first_bytes_and_by_its_reader(style):
    assert format_of(start_of(style)).name == style
    if style in WRITTEN:
        Image.init()
        accepts = Image.OPEN[style][1]
        assert accepts is None or accepts(start_of(style))


@pytest.mark.parametrize(
    ("mode", "style"),
    [
        *(("1", "PPM"), ("L", "PPM"), ("L", "BMP"), ("1", "BMP"), ("P", "PCX"), ("L", "SGI")),
        *(("I;16", "TIFF"), ("RGBA", "ICO"), ("RGBA", "DDS"), ("1", "DIB"), ("L", "DIB")),
    ],
)
def test_a_format_is_known_in_each_mode(mode, style):
    output = BytesIO()
    draw(1).convert("L" if mode == "I;16" else mode).convert(mode).save(output, style)
    assert format_of(output.getvalue()[:START]).name == style


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"BMW and other cars, a list of them",
        b"P1 is the first of the parameters",
        b"\n\n\1 a text",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
        b"\0\0\0\x14ftypqt  ",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",  # CR3
        b"II*\0\x10\0\0\0CR\2\0",  # CR2
        b"8BPS\0\2",
        b"\0\0\1\xba",  # MPEG
        b"%PDF-1.7",
        b"PK\3\4",
        b"\x7fELF\2\1\1",
        b"<?xml version",
        b"ID3\3\0",
        b"\xff\xfb\x90\x64",  # MP3
    ],
)
def test_no_format_is_seen_in_other_files(start):
    assert format_of(start) is None


@given(st.binary(max_size=START))
def test_random_bytes_are_seldom_a_picture_and_never_an_error(start):
    found = format_of(start)
    assert found is None or len(start) >= 2


@pytest.mark.parametrize(
    ("name", "kind", "seems"),
    [
        ("a.MOV", ".mov", False),
        ("a.jpg", ".jpg", False),
        ("photo.jpg.1", ".jpg.N", True),
        ("photo.JPG.12", ".jpg.N", True),
        ("x.jpeg.bak", ".jpeg.bak", True),
        ("a.png~", ".png~", True),
        ("IMG_1.jpg_original", ".jpg_original", True),
        ("IMG_1.jpg (2)", ".jpg (N)", True),
        ("IMG_1.jpg.xmp", ".xmp", False),
        ("IMG_1.jpg.supplemental-metadata.json", ".json", False),
        ("a.gif.mp4", ".mp4", False),
        ("DSC_1.nef", ".nef", False),
        ("DSC_1.nef~", ".nef~", False),
        ("a.pngx", ".pngx", False),
        ("app.log.7", ".N", False),
        ("README", "without extension", False),
        (".jpg", "without extension", False),
        (".bashrc", "without extension", False),
        ("Mr. Smith goes to town", "without extension", False),
        ("a.tmp", ".tmp", False),
        ("x.jpg" + ".x" * 50, ".x", False),
        ("\udcff.\udcff", "without extension", False),
    ],
)
def test_a_kind_is_the_extension_or_that_of_a_picture_and_what_follows(name, kind, seems):
    assert kind_of(f"/photos.jpg.d/{name}") == kind
    assert seems_picture(kind) is seems


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_name_has_a_kind(name):
    kind_of(name)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(("a.jpg", "b", "c.jpg.1", "d.png~", "e.tmp", "f.mov", "g.nef~")):
        draw(number).save(folder / name, "PNG" if name == "d.png~" else "JPEG")
    (folder / "h").write_text("a text")
    (folder / "i").touch()
    (folder / "j").symlink_to("nowhere")
    return folder


def names(found):
    return [os.path.basename(item) for item in found if isinstance(item, str)]


def test_pictures_of_any_name_are_found_when_asked(photos):
    found = list(find_images([photos]))
    assert names(found) == ["a.jpg"]
    kinds = [item.kind for item in found if isinstance(item, PassedOver)]
    assert (
        kinds
        == ["without extension", ".jpg.N", ".png~", ".tmp", ".mov", ".nef~"]
        + ["without extension"] * 3
    )
    found = list(find_images([photos], any_name=True))
    assert names(found) == ["a.jpg", "b", "c.jpg.1", "d.png~", "e.tmp"]
    assert len([item for item in found if isinstance(item, PassedOver)]) == 5


def test_only_formats_that_were_chosen_are_found(photos):
    chosen = {"extensions": frozenset([".png"]), "any_name": True}
    assert names(find_images([photos], **chosen)) == ["d.png~"]


def test_a_raw_file_or_sidecar_is_no_picture_whatever_it_begins_with(tmp_path):
    for ending in (*sorted(RAW), ".thm", ".xmp"):
        draw(1).save(tmp_path / f"a{ending}", "TIFF")
        assert not holds_picture(str(tmp_path / f"a{ending}"), EXTENSIONS)


def test_a_file_that_cannot_be_looked_at_is_found_for_the_reason(tmp_path, monkeypatch):
    (tmp_path / "a").touch()

    def fail(*_, **__):
        raise PermissionError

    monkeypatch.setattr("builtins.open", fail)
    assert holds_picture(str(tmp_path / "a"), EXTENSIONS)
