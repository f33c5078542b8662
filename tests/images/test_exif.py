from __future__ import annotations

import struct
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import ImageIndex
from hashlens.images.exif import LONGEST, REWRITTEN, Exif, exif

WHEN = "2021:07:03 14:05:09"
CAMERA = {0x10F: "Canon", 0x110: "Canon EOS 80D", 0x131: "Firmware 1.0.2", 0x132: WHEN}
MORE = {0x9003: WHEN, 0x9004: WHEN, 0x9291: "120", 0xA002: 120, 0xA003: 80}
FORMATS = ["jpg", "png", "webp", "tif", "avif"]


def block(own=CAMERA, more=MORE, place=None):
    """Return EXIF; `more` is its part on the picture, `place` that on where it was taken."""
    made = Image.Exif()
    for tag, value in own.items():
        made[tag] = value
    made.get_ifd(0x8769).update(more)
    if place:
        made.get_ifd(0x8825).update(place)
    return made


def read(own=CAMERA, more=MORE, place=None, size=(120, 80)):
    """Return what is read of a JPEG that begins with EXIF, as those of cameras do."""
    data = block(own, more, place).tobytes()
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    return exif(head + b"\xff\xda\0\0", "JPEG", size)


def test_it_says_who_took_the_picture_and_when():
    place = {1: "N", 2: (48.0, 8.0, 2.5), 3: "E", 4: (11.0, 34.0, 1.0)}
    assert read(place=place) == Exif(
        taken="2021-07-03T14:05:09.12",
        camera="Canon EOS 80D",
        software="Firmware 1.0.2",
        gps=True,
        taken_pixels=9600,
        derived="",
    )
    assert not read().gps


@pytest.mark.parametrize("ending", FORMATS)
def test_an_index_has_its_columns_in_each_format(ending, tmp_path):
    draw(1, (120, 80)).save(tmp_path / f"one.{ending}", exif=block().tobytes())
    draw(2, (120, 80)).save(tmp_path / f"two.{ending}")
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([tmp_path])
        one, two = index.sql(
            "select taken, camera, software, gps, taken_pixels, derived from txtai order by path"
        )
    assert one == {
        "taken": "2021-07-03T14:05:09.12",
        "camera": "Canon EOS 80D",
        "software": "Firmware 1.0.2",
        "gps": 0,
        "taken_pixels": 9600,
        "derived": REWRITTEN if ending == "jpg" else None,
    }
    assert two == dict.fromkeys(one, None) | {"gps": 0}


@pytest.mark.parametrize(("package", "ending"), [("pillow_heif", "heic"), ("pillow_jxl", "jxl")])
def test_an_index_has_its_columns_in_formats_of_other_packages(package, ending, tmp_path):
    plugin = pytest.importorskip(package)
    if ending == "heic":
        plugin.register_heif_opener()
    draw(1, (120, 80)).save(tmp_path / f"one.{ending}", exif=block().tobytes())
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([tmp_path])
        [row] = index.sql("select taken, camera, derived from txtai")
    assert row == {
        "taken": "2021-07-03T14:05:09.12", "camera": "Canon EOS 80D", "derived": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 80D", "Canon EOS 80D"),
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("Apple", "", "Apple"),
        ("", "X100", "X100"),
        ("SONY\0rest", " ILCE-7M3 \n", "SONY ILCE-7M3"),
    ],
)
def test_the_make_is_named_once(make, model, camera):
    assert read({0x10F: make, 0x110: model}).camera == camera


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({0x9003: WHEN}, "2021-07-03T14:05:09"),
        ({0x9003: WHEN, 0x9291: "00"}, "2021-07-03T14:05:09.0"),
        ({0x9003: WHEN, 0x9291: "  "}, "2021-07-03T14:05:09"),
        ({0x9003: "0000:00:00 00:00:00", 0x9004: WHEN, 0x9292: "5"}, "2021-07-03T14:05:09.5"),
        ({0x9003: "    :  :     :  :  "}, ""),
        ({0x9003: "2021:13:03 14:05:09"}, ""),
        ({0x9003: "2021:02:30 14:05:09"}, ""),
        ({0x9003: "0001:01:01 00:00:00"}, ""),
        ({0x9003: "yesterday"}, ""),
        ({}, ""),
    ],
)
def test_only_a_date_that_can_be_is_one(more, taken):
    assert read(CAMERA, more).taken == taken


@pytest.mark.parametrize(
    "software",
    [
        *("Adobe Photoshop 25.1 (Windows)", "Adobe Lightroom 6.0", "GIMP 2.10.34", "Snapseed 2.0"),
        *("Picasa", "Google", "Windows Photo Editor 10.0.10011.16384", "paint.net 5.0", "PAINT"),
        *("Affinity Photo 2.1", "Capture One 22", "darktable 4.2.1", "RawTherapee 5.9"),
        *("digiKam-7.9.0", "ImageMagick 7.1", "Microsoft Windows Photo Viewer 6.1", "Photos 8.0"),
    ],
)
def test_files_of_editors_are_derived(software):
    found = read(CAMERA | {0x131: software})
    assert found.derived == f"saved by {software}"
    assert found.software == software


@pytest.mark.parametrize(
    "software",
    [
        *("Ver.1.00", "17.1.1", "G991BXXU5DVJC", "HDR+ 1.0.382532599zd", "Firmware Version 1.0.2"),
        *("ILCE-7M3 v4.01", "Digital Camera X-T3 Ver4.10", "MediaTek Camera Application", ""),
        *("Exif Software Version 2.2", "bengal-user 10 QKQ1", "Windows Phone"),
    ],
)
def test_firmware_is_no_editor(software):
    assert read(CAMERA | {0x131: software}).derived == ""


@pytest.mark.parametrize(
    ("size", "derived"),
    [
        ((120, 80), ""),
        ((80, 120), ""),
        ((118, 80), ""),
        ((60, 40), "smaller than taken (120x80)"),
        ((240, 160), "larger than taken (120x80)"),
    ],
)
def test_a_picture_of_another_size_than_was_taken_is_derived(size, derived):
    assert read(size=size).derived == derived


@pytest.mark.parametrize(
    ("later", "derived"),
    [
        (timedelta(), ""),
        (timedelta(minutes=3), ""),
        (timedelta(hours=-5), ""),
        (timedelta(hours=2), ""),
        (timedelta(hours=5, minutes=45), ""),
        (timedelta(hours=2, seconds=1), "changed 2021-07-03"),
        (timedelta(days=1), "changed 2021-07-04"),
    ],
)
def test_a_file_that_was_changed_later_is_derived(later, derived):
    when = datetime(2021, 7, 3, 14, 5, 9) + later
    assert read(CAMERA | {0x132: f"{when:%Y:%m:%d %H:%M:%S}"}).derived == derived


def test_texts_are_one_line_of_visible_characters_and_bounded():
    found = read({0x10F: "a\x1b[31m\tb\r\n\x7fc", 0x131: "x" * 10_000})
    assert found.camera == "a [31m b c"
    assert found.software == "x" * LONGEST
    data = block({0x110: "name"}).tobytes().replace(b"name", b"\xff\xfe\xfdz")
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    assert exif(head, "JPEG", (1, 1)).camera == "���z"


@given(st.data())
def test_no_bytes_lead_to_an_error(data):
    whole = bytearray(block().tobytes()[6:])
    for _ in range(data.draw(st.integers(0, 12))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, whole[place] ^ 1]))
    end = data.draw(st.integers(0, len(whole)))
    found = exif(bytes(whole[:end]), "TIFF", (120, 80))
    texts = (found.taken, found.camera, found.software)
    assert all(len(text) <= 2 * LONGEST + 1 and text.isprintable() for text in texts)
    assert isinstance(found.taken_pixels, int)


@given(st.binary(max_size=60), st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", None]))
def test_files_without_exif_say_nothing(data, kind):
    starts = {"JPEG": b"\xff\xd8\xff\xe1", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF\0\0\0\0WEBP"}
    assert exif(starts.get(kind or "", b"") + data, kind, (1, 1)) == Exif()


def test_a_directory_that_names_itself_is_read_once():
    data = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + b"\0\0\0\0"
    assert exif(data, "TIFF", (1, 1)) == Exif()
