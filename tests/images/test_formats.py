from __future__ import annotations

import os
import sys
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from drawing import draw
from hashlens import FORMATS, ImageError, ImageIndex, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images import formats
from hashlens.images.decode import decode, open_image

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "PPM": {}, "WEBP": {"lossless": True}}
LOSSY = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}, "JPEG2000": {}, "GIF": {}}


def saved(image, style, **options):
    output = BytesIO()
    image.save(output, style, **options)
    return output.getvalue()


@pytest.mark.parametrize(("style", "options"), {**LOSSLESS, **LOSSY}.items())
def test_the_same_picture_has_the_same_hash_in_every_format(style, options):
    picture = draw(1, (320, 240))
    data = saved(picture, style, **options)
    hasher = Hasher((PerceptualHash("average"),), "exact")
    expected, found = (int(hasher(source)[0], 16) for source in (picture, data))
    assert (expected ^ found).bit_count() <= (0 if style in LOSSLESS else 2)
    assert decode(data).format == style


def test_heif_and_jpeg_xl_are_read_by_their_packages():
    picture = draw(2, (320, 240))
    output = BytesIO()
    pillow_heif.from_pillow(picture).save(output, quality=95)
    import pillow_jxl  # noqa: F401  registers itself, for saving

    for data in (output.getvalue(), saved(picture, "JXL", quality=95)):
        found = np.asarray(open_image(data).convert("RGB")).astype(int)
        assert np.abs(found - np.asarray(picture)).mean() < 6


@pytest.mark.parametrize(
    ("start", "extra"),
    [
        (b"\0\0\0\x1cftypheic\0\0\0\0", "heif"),
        (b"\xff\x0a\xfa\x1f", "jxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    ],
)
def test_without_its_package_the_error_names_the_extra(start, extra, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    monkeypatch.setattr(Image, "OPEN", {})
    monkeypatch.setattr(Image, "ID", [])
    monkeypatch.setattr(Image, "init", lambda: False)
    monkeypatch.setattr(Image, "preinit", lambda: None)
    with pytest.raises(ImageError, match=rf"photo: .* needs a package: .*hashlens\[{extra}\]"):
        open_image(start + bytes(100), name="photo")


def test_every_format_that_is_read_is_known_to_pillow():
    Image.init()
    for item in FORMATS:
        if item.readable and not item.package:
            assert item.name in Image.OPEN
            for ending in set(item.extensions) & set(Image.registered_extensions()):
                assert Image.registered_extensions()[ending] in (item.name, "BMP", "JPEG", "MPO")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, formats.EXTENSIONS),
        (["jpg"], {".jpg"}),
        ([".JPG", "png"], {".jpg", ".png"}),
        ("tiff", {".tiff"}),
    ],
)
def test_extensions_are_compared_in_one_form(given, expected):
    assert formats.extensions(given) == expected


@pytest.mark.parametrize("given", [[], ["."], [""], [None], ["a/b"]])
def test_what_is_no_extension_is_refused(given):
    with pytest.raises(ParameterError, match="extension"):
        formats.extensions(given)


def test_excluded_files_are_never_opened(folder, tmp_path):
    pipe = folder / "pipe.png"
    os.mkfifo(tmp_path / "fifo")
    pipe.symlink_to(tmp_path / "fifo")  # opening it would wait for ever
    opened = set()
    sys.addaudithook(lambda name, details: name == "open" and opened.add(str(details[0])))
    with ImageIndex.open(tmp_path / "index") as index:
        report = index.index([folder], extensions=["jpg"], workers=1)
        assert (report.hashed, report.ignored) == (1, 10)
    assert not {path for path in opened if path.startswith(str(folder)) and "png" in path}
