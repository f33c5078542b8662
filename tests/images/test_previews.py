"""RAW files and pyramids: a preview is never taken for the picture."""

from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from drawing import draw
from hashlens import ImageError, ImageIndex
from hashlens.images.decode import decode

WHOLE = np.asarray(draw(3).convert("RGB").resize((640, 480)))
SMALL = np.asarray(draw(3).convert("RGB").resize((160, 120)))


def written(first, *, below=(), after=(), **options):
    """Return a TIFF: its first picture, pictures in directories below it, and further pages."""
    file = BytesIO()
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff", False)) as writer:
        writer.write(first, subifds=len(below), photometric="rgb", metadata=None, **options)
        for picture in (*below, *after):
            writer.write(picture, photometric="rgb", metadata=None)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        written(SMALL, below=[WHOLE], subfiletype=1),
        written(SMALL, below=[WHOLE]),
        written(SMALL, below=[WHOLE], bigtiff=True, subfiletype=1),
        written(SMALL, below=[SMALL[:60], WHOLE]),
        written(SMALL, below=[SMALL], subfiletype=1),
        written(SMALL, after=[WHOLE], subfiletype=1),
        written(SMALL, below=[WHOLE], extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
    ],
)
def test_a_preview_is_refused_with_its_size(data):
    with pytest.raises(ImageError, match="160 x 120, is a preview"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        written(WHOLE, below=[SMALL]),
        written(WHOLE, below=[SMALL], bigtiff=True),
        written(WHOLE, after=[SMALL]),
        written(SMALL, after=[WHOLE]),
        written(WHOLE, extratags=[(271, 2, 6, "Scanner", True)]),
        written(WHOLE, subfiletype=1),
    ],
)
def test_pyramids_that_begin_with_the_whole_and_pages_are_read(data):
    with Image.open(BytesIO(data)) as image:
        assert decode(data).size == image.size


def test_a_damaged_directory_is_no_reason():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[330] = 4_000_000_000
    file = BytesIO()
    Image.fromarray(WHOLE).save(file, "TIFF", tiffinfo=tags)
    assert decode(file.getvalue()).size == (640, 480)


def test_the_raw_file_is_named_and_not_given_up_for_its_jpeg(tmp_path):
    (tmp_path / "1.dng").write_bytes(written(SMALL, below=[WHOLE], subfiletype=1))
    Image.fromarray(WHOLE).save(tmp_path / "1.jpg")
    with ImageIndex.open(tmp_path / "index") as index:
        report = index.index([tmp_path], extensions=["dng", "jpg"])
        assert "is a preview" in report.skipped[0].reason
        assert index.groups(10).groups == ()
