"""The camera's original is kept: a group for each kind of copy that people have of it."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from skimage import data

from drawing import draw
from hashlens import ImageIndex
from hashlens.grouping import enlarged as enlarged_copies
from hashlens.grouping.originals import is_copy_name

WHEN = "2021:07:03 14:05:09"
SIZE = (320, 240)


def exif(software="Ver.1.00", date=WHEN, size=SIZE, camera="Canon EOS 80D", taken=WHEN, more=None):
    made = Image.Exif()
    made[0x10F], made[0x110], made[0x132], made[0x131] = "Canon", camera, date, software
    made.get_ifd(0x8769).update({0x9003: taken, 0xA002: size[0], 0xA003: size[1]} | (more or {}))
    return made.tobytes()


def photo(seed=1):
    pixels = np.asarray(draw(seed, SIZE), np.float64)
    noise = np.random.default_rng(seed).normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


class Pictures:
    """A folder of pictures of one motif, all of one time of modification."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, name, image=None, **options):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".heic":
            pytest.importorskip("pillow_heif").register_heif_opener()
        (image or self.pixels).save(path, **options)
        os.utime(path, (1.7e9, 1.7e9))
        return path

    def shoot(self, name="m/DSC_0001.jpg", *, image=None, **options):
        """Add the camera's file, and remember its pixels; its JPEG begins with EXIF."""
        self.pixels = image or photo()
        given = {"quality": 88, "exif": exif()} | options
        path = self.add(name, **given)
        saved = path.read_bytes()
        if saved.startswith(b"\xff\xd8\xff\xe0") and given["exif"]:
            path.write_bytes(saved[:2] + saved[4 + int.from_bytes(saved[4:6], "big") :])
            os.utime(path, (1.7e9, 1.7e9))
        self.pixels = Image.open(path).convert("RGB")
        return path

    def kept(self, **options):
        """Return the name of the file that is kept, and the reason."""
        with ImageIndex.open(self.folder / "index", pixel_digests=True) as index:
            index.index([self.folder])
            [group] = index.groups(12, **options)
        return Path(group.keeper.path).relative_to(self.folder).as_posix(), group.reason


@pytest.fixture
def pictures(tmp_path):
    return Pictures(tmp_path / "photos")


def edited(image):
    return ImageEnhance.Color(image).enhance(1.5)


# Of each kind: name and options of the copy, what changes its pixels, and the reason.
KINDS = {
    "PNG": ("a/b.png", {}, None, "with EXIF of the camera (Canon EOS 80D over none)"),
    "PNG with EXIF": ("a/b.png", {"exif": exif()}, None, "as cameras write files (the other: PNG)"),
    "edited, by software": (
        "a/b.jpg",
        {"exif": exif("Adobe Photoshop 25.1"), "quality": 98},
        edited,
        "not derived (the other: saved by Adobe Photoshop 25.1)",
    ),
    "edited, by name": (
        "m/DSC_0001-edited.jpg",
        {"exif": exif(), "quality": 98},
        edited,
        "not named as a copy (the other: DSC_0001-edited.jpg)",
    ),
    "edited, by date": (
        "a/b.jpg",
        {"exif": exif(date="2022:01:05 10:00:00"), "quality": 98},
        edited,
        "not derived (the other: changed 2022-01-05)",
    ),
    "turned": (
        "a/b.jpg",
        {"quality": 98},
        lambda image: image.rotate(0),
        "with EXIF of the camera (Canon EOS 80D over none)",
    ),
    "saved again": (
        "a/b.jpg",
        {"quality": 98, "exif": exif()},
        None,
        "as cameras write files (the other: JFIF before EXIF)",
    ),
    "web size": (
        "a/b.jpg",
        {"exif": exif(size=(240, 180))},
        lambda image: image.resize((240, 180)),
        "no smaller copy (320x240 over 240x180)",
    ),
    "enlarged": (
        "a/b.jpg",
        {"quality": 97},
        lambda image: image.resize((640, 480)),
        "with EXIF of the camera (Canon EOS 80D over none)",
    ),
    "enlarged, with EXIF": (
        "a/b.jpg",
        {"quality": 97, "exif": exif()},
        lambda image: image.resize((640, 480)),
        "not derived (the other: larger than taken (320x240))",
    ),
    "later frame": (
        "a/b.jpg",
        {"quality": 97, "exif": exif(taken="2021:07:03 14:05:10", date="2021:07:03 14:05:10")},
        edited,
        "as cameras write files (the other: JFIF before EXIF)",
    ),
}


class TestOriginals:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_original_is_kept_before_a_copy(self, kind, pictures):
        name, options, change, reason = KINDS[kind]
        pictures.shoot()
        image = pictures.pixels
        pictures.add(name, change(image) if change else image, **options)
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)
        earlier = pictures.kept(keep=("pixels", "lossless", "bytes", "oldest", "path"))[0]
        assert (earlier == "m/DSC_0001.jpg") == (kind == "web size")

    @pytest.mark.parametrize("options", [{}, {"exif": exif()}, {"exif": exif("Photos 8.0")}])
    def test_a_heic_is_kept_before_its_export(self, options, pictures):
        pictures.shoot("m/IMG_0001.heic")
        pictures.add("a/b.jpg", quality=97, **options)
        pictures.add("a/b.png", **options)
        name, _ = pictures.kept()
        assert name == "m/IMG_0001.heic"

    def test_a_heic_that_was_made_of_an_older_jpeg_is_not(self, pictures):
        pictures.shoot(exif=exif(taken="2009:07:03 14:05:09", date="2009:07:03 14:05:09"))
        pictures.add("a/b.heic", exif=exif(taken="2009:07:03 14:05:09"))
        name, reason = pictures.kept()
        assert name == "m/DSC_0001.jpg"
        assert "HEIC" not in reason

    def as_heic(self, pictures, camera):
        """Add a JPEG as cameras write it, and a HEIC with its EXIF."""
        own = exif(camera=camera)
        if camera.startswith("iPhone"):
            own = own.replace(b"Canon\0", b"Apple\0")
        pictures.shoot(exif=own)
        pictures.add("a/b.heic", quality=50, exif=own)

    def test_a_heic_that_was_made_of_a_cameras_jpeg_is_not(self, pictures):
        self.as_heic(pictures, "SM-G991B")
        name, reason = pictures.kept()
        assert name == "m/DSC_0001.jpg"
        assert "HEIC of the camera" not in reason

    def test_a_camera_that_writes_heic_first_may_export_jpeg_as_cameras_write_it(self, pictures):
        self.as_heic(pictures, "iPhone 12")
        assert pictures.kept() == ("a/b.heic", "HEIC of the camera (over JPEG)")

    def test_a_smaller_export_with_its_own_size_in_exif_is_not_the_cameras_file(self, pictures):
        pictures.pixels = photo()
        pictures.add("m/DSC_0001.jpg", exif=exif(), quality=90)  # JFIF is first
        half = pictures.pixels.resize((160, 120))
        pictures.shoot("a/b.jpg", image=half, exif=exif(size=(160, 120)))
        assert pictures.kept() == ("m/DSC_0001.jpg", "no smaller copy (320x240 over 160x120)")

    @pytest.mark.parametrize("year", [1970, 1980, 2000])
    def test_the_time_of_a_clock_that_was_reset_says_nothing(self, year, pictures):
        reset = f"{year}:01:01 00:00:00"
        pictures.shoot(quality=95)
        image = edited(pictures.pixels)
        pictures.shoot("a/b.jpg", image=image, exif=exif(date=reset, taken=reset), quality=60)
        reason = "taken first (2021-07-03 14:05:09 over unknown)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    def test_numbers_of_pictures_with_no_time_are_no_burst(self, pictures):
        reset = exif(date="2000:01:01 00:00:00", taken="2000:01:01 00:00:00")
        pictures.shoot("m/DSC_2.jpg", exif=reset, quality=95)
        pictures.shoot("m/DSC_1.jpg", image=edited(pictures.pixels), exif=reset, quality=60)
        name, reason = pictures.kept()
        assert name == "m/DSC_2.jpg"
        assert "burst" not in reason

    @pytest.mark.parametrize("ending", [".NEF", ".dng"])
    def test_a_picture_with_its_raw_file_is_kept(self, ending, pictures):
        path = pictures.shoot("m/DSC_0001.JPG".lower(), exif=b"")
        pictures.add("a/b.jpg", exif=exif(), quality=98)
        path.with_name(f"dsc_0001{ending}").write_bytes(b"RAW")
        assert pictures.kept() == ("m/dsc_0001.jpg", "its RAW file lies beside it")

    def test_a_raw_file_beside_an_equal_copy_counts_too(self, pictures):
        path = pictures.shoot()
        (pictures.folder / "a").mkdir()
        shutil.copy2(path, pictures.folder / "a" / "DSC_0001.jpg")
        path.with_suffix(".nef").write_bytes(b"RAW")
        assert pictures.kept()[0] == "m/DSC_0001.jpg"

    def test_a_name_of_a_copy_loses(self, pictures):
        path = pictures.shoot()
        for name in ("m/DSC_0001 (1).jpg", "m/DSC_0001 - Kopie.jpg", "m/DSC_0001~2.jpg"):
            shutil.copy2(path, pictures.folder / name)
        name, reason = pictures.kept()
        assert name == "m/DSC_0001.jpg"
        assert reason.startswith("not named as a copy (the other: ")

    def test_a_file_that_was_written_when_the_picture_was_taken_is_kept(self, pictures):
        path = pictures.shoot()
        other = pictures.shoot("a/b.jpg", image=edited(pictures.pixels), quality=97)
        when = datetime(2021, 7, 3, 12, 5, 12, tzinfo=timezone.utc).timestamp()
        os.utime(path, (when, when))
        assert pictures.kept() == ("m/DSC_0001.jpg", "written when it was taken")
        os.utime(path, (1.7e9, 1.7e9))
        os.utime(other, (when, when))
        assert pictures.kept()[0] == "a/b.jpg"

    def test_the_first_picture_of_a_burst_is_kept(self, pictures):
        pictures.shoot("m/2.jpg", exif=exif(more={0x9291: "31"}))
        pictures.shoot("m/1.jpg", exif=exif(more={0x9291: "73"}), image=edited(pictures.pixels))
        reason = "taken first (2021-07-03 14:05:09.31 over 2021-07-03 14:05:09.73)"
        assert pictures.kept() == ("m/2.jpg", reason)

    def test_of_a_burst_without_fractions_of_seconds_the_lowest_number_is_kept(self, pictures):
        image = photo()
        for number, quality in ((9, 85), (10, 90), (11, 97)):
            pictures.shoot(f"m/DSC_{number}.jpg", image=edited(image), quality=quality)
        reason = "first of its burst (DSC_9.jpg before DSC_10.jpg)"
        assert pictures.kept() == ("m/DSC_9.jpg", reason)

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("a/DSC_0002.jpg", {}),  # in another folder, where files may be numbered anew
            ("m/IMG_0002.jpg", {}),
            ("m/DSC_0002.jpg", {"exif": exif(camera="Canon EOS 5D")}),
        ],
    )
    def test_numbers_that_do_not_belong_together_tell_nothing(self, name, options, pictures):
        pictures.shoot("m/DSC_0003.jpg", quality=97)
        pictures.shoot(name, image=edited(photo()), **{"quality": 80, **options})
        name, reason = pictures.kept()
        assert name == "m/DSC_0003.jpg"
        assert "burst" not in reason

    def test_of_two_equal_pictures_that_with_more_exif_is_kept(self, pictures):
        place = Image.Exif()
        place.load(exif())
        place.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 2.5), 3: "E", 4: (11.0, 34.0, 1.0)})
        pictures.shoot(exif=place.tobytes())
        pictures.shoot("a/b.jpg", image=edited(pictures.pixels), quality=98)
        reason = "most EXIF (camera, taken, gps over camera, taken)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    def test_a_full_picture_without_exif_is_kept_before_a_small_one_with_it(self, pictures):
        pictures.shoot(exif=b"")
        small = pictures.pixels.resize((240, 180))
        pictures.add("a/b.jpg", small, exif=exif(size=(240, 180)))
        assert pictures.kept() == ("m/DSC_0001.jpg", "no smaller copy (320x240 over 240x180)")

    def test_a_thumbnail_is_not_kept_because_exif_of_the_picture_has_its_size(self, pictures):
        pictures.shoot(exif=exif(size=(64, 48)))
        pictures.shoot("a/b.jpg", image=pictures.pixels.resize((64, 48)), exif=exif(size=(64, 48)))
        assert pictures.kept()[0] == "m/DSC_0001.jpg"


class TestEnlarged:
    """Where EXIF does not tell, the steps of a JPEG tell which was made from which."""

    def enlarged(self, pictures, share, kernel="LANCZOS"):
        size = tuple(round(side * share) for side in SIZE)
        return pictures.pixels.resize(size, Image.Resampling[kernel])

    @pytest.mark.parametrize("share", [1.25, 1.5, 2])
    @pytest.mark.parametrize("kernel", ["LANCZOS", "BICUBIC"])
    @pytest.mark.parametrize(("name", "options"), [("a/b.jpg", {"quality": 92}), ("a/b.png", {})])
    def test_a_jpeg_is_kept_before_its_enlarged_copy(self, name, options, kernel, share, pictures):
        pictures.shoot(exif=b"")
        image = self.enlarged(pictures, share, kernel)
        pictures.add(name, image, **options)
        reason = f"not enlarged (as that of {image.width}x{image.height} was)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    @pytest.mark.parametrize("share", [0.25, 0.5, 0.67, 0.8])
    @pytest.mark.parametrize("blur", [0, 0.8, 1.5])
    def test_a_picture_sharp_or_soft_is_kept_before_smaller_copies(self, share, blur, pictures):
        pictures.shoot(exif=b"", image=photo().filter(ImageFilter.GaussianBlur(blur)))
        for kernel in ("LANCZOS", "BICUBIC", "BOX", "BILINEAR"):
            image = self.enlarged(pictures, share, kernel)
            pictures.add(f"a/{kernel}.jpg", image, quality=88)
        size = f"{image.width}x{image.height}"
        assert pictures.kept() == ("m/DSC_0001.jpg", f"no smaller copy (320x240 over {size})")

    def test_both_kinds_of_copies_lose(self, pictures):
        pictures.shoot(exif=b"")
        for share in (0.5, 1.5, 2):
            pictures.add(f"a/{share}.jpg", self.enlarged(pictures, share), quality=90)
        reason = (
            "not enlarged (as that of 640x480 was), then no smaller copy (320x240 over 160x120)"
        )
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    @pytest.mark.parametrize("jfif", [False, True])
    def test_an_enlarged_copy_with_its_own_size_in_exif_loses(self, jfif, pictures):
        pictures.shoot()
        if jfif:
            pictures.add("m/DSC_0001.jpg", photo(), quality=88, exif=exif())
        image = self.enlarged(pictures, 1.5)
        pictures.add("a/b.jpg", image, quality=95, exif=exif(size=image.size))
        reason = f"not enlarged (as that of {image.width}x{image.height} was)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    def test_an_enlarged_copy_loses_to_a_file_of_a_camera_that_writes_as_libraries_do(
        self, pictures
    ):
        pictures.shoot()
        pictures.add("m/DSC_0001.jpg", photo(), quality=88, exif=exif())
        pictures.add("a/b.jpg", self.enlarged(pictures, 2), quality=95)
        pictures.add("a/c.jpg", self.enlarged(pictures, 0.5), quality=95)
        name, reason = pictures.kept()
        assert name == "m/DSC_0001.jpg"
        assert reason.startswith("not enlarged (as that of 640x480 was)")

    @pytest.mark.parametrize("size", [(160, 120), SIZE])
    def test_a_smaller_copy_loses_whatever_size_it_has_in_exif(self, size, pictures):
        pictures.shoot()
        for options in ({"exif": exif()}, {}):
            pictures.add("m/DSC_0001.jpg", photo(), quality=88, **options)
            pictures.add("a/b.jpg", self.enlarged(pictures, 0.5), exif=exif(size=size))
            assert pictures.kept()[0] == "m/DSC_0001.jpg"

    def test_no_file_is_read_where_exif_tells_which_is_whole(self, pictures, monkeypatch):
        monkeypatch.setattr("hashlens.grouping.enlarged.JpegSource", lambda path: pytest.fail(path))
        pictures.shoot()
        pictures.add("a/b.jpg", self.enlarged(pictures, 2), exif=exif())
        pictures.add("a/c.jpg", self.enlarged(pictures, 2))
        pictures.add("a/d.jpg", self.enlarged(pictures, 0.5))
        assert pictures.kept()[0] == "m/DSC_0001.jpg"

    @pytest.mark.parametrize("turn", list(Image.Transpose))
    def test_a_copy_that_was_also_turned_loses(self, turn, pictures):
        pictures.shoot(exif=b"")
        image = self.enlarged(pictures, 1.5).transpose(turn)
        pictures.add("a/b.png", image)
        reason = f"not enlarged (as that of {image.width}x{image.height} was)"
        assert pictures.kept(turned=True) == ("m/DSC_0001.jpg", reason)

    def test_reading_is_told_of(self, pictures):
        pictures.shoot(exif=b"", image=photo(78))
        pictures.add("a/b.png", self.enlarged(pictures, 2))
        pictures.add("a/c.png")
        steps = []
        assert pictures.kept(progress=steps.append)[0] == "m/DSC_0001.jpg"
        assert [(step.done, step.total) for step in steps] == [(3, 3), (2, 2)]
        assert all(os.path.exists(step.path) for step in steps)

    def test_only_so_many_looks_are_remembered(self, monkeypatch):
        monkeypatch.setattr(enlarged_copies, "_SEEN", {})
        monkeypatch.setattr(enlarged_copies, "MOST_SEEN", 3)
        for number in range(9):
            enlarged_copies._remember((b"%d" % number, b"s", 1), found=True)
        assert [key[0] for key in enlarged_copies._SEEN] == [b"6", b"7", b"8"]

    @pytest.mark.parametrize("broken", ["m/DSC_0001.jpg", "a/b.png"])
    def test_files_that_cannot_be_read_count_as_unknown(self, broken, pictures):
        pictures.shoot(exif=b"", image=photo(77))  # no other test has looked at these bytes
        pictures.add("a/b.png", self.enlarged(pictures, 2))
        with ImageIndex.open(pictures.folder / "index") as index:
            index.index([pictures.folder])
            (pictures.folder / broken).write_bytes(b"no picture any more")
            [group] = index.groups(12)
        assert group.reason == "no smaller copy (640x480 over 320x240)"


class TestSource:
    def test_a_jpeg_of_the_web_is_kept_before_a_png_of_it(self, pictures):
        pictures.shoot(exif=b"")
        pictures.add("a/b.png")
        pictures.add("a/c.png", pictures.pixels.transpose(Image.Transpose.ROTATE_180).rotate(180))
        reason = "not made from another JPEG (as the PNG was)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    @pytest.mark.parametrize("turn", list(Image.Transpose))
    def test_a_jpeg_is_kept_before_a_turned_png_of_it(self, turn, pictures):
        pictures.shoot(exif=b"", image=photo().crop((0, 0, 317, 235)))
        pictures.add("a/b.png", pictures.pixels.transpose(turn))
        reason = "not made from another JPEG (as the PNG was)"
        assert pictures.kept(turned=True) == ("m/DSC_0001.jpg", reason)

    @pytest.mark.parametrize("name", ["a/b.png", "a/b.gif"])
    @pytest.mark.parametrize("colors", [256, 64])
    @pytest.mark.parametrize("quality", [75, 100])
    def test_a_jpeg_of_a_photo_is_kept_before_one_in_few_colours(
        self, name, colors, quality, pictures
    ):
        astronaut = Image.fromarray(data.astronaut())
        pictures.shoot(exif=b"", image=astronaut, quality=quality)
        pictures.add(name, pictures.pixels.quantize(colors))
        reason = f"not made from another JPEG (as the {name[-3:].upper()} was)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    @pytest.mark.parametrize("quality", [75, 98])
    def test_a_drawing_in_few_colours_is_kept_before_its_jpeg(self, quality, pictures):
        pictures.pixels = draw(3, SIZE).quantize(6).convert("RGB")
        ImageDraw.Draw(pictures.pixels).text((20, 20), "a line of text", fill="black")
        pictures.add("m/drawing.png", pictures.pixels.quantize(64))
        pictures.add("a/b.jpg", quality=quality)
        assert pictures.kept() == ("m/drawing.png", "lossless format (PNG over JPEG)")

    def test_a_drawing_is_kept_before_its_jpeg(self, pictures):
        pictures.pixels = photo(3)
        pictures.add("m/drawing.png")
        pictures.add("a/b.jpg", quality=98)
        assert pictures.kept() == ("m/drawing.png", "lossless format (PNG over JPEG)")

    @pytest.mark.parametrize(
        ("exif_of_both", "name", "options"),
        [(exif(), "a/b.jpg", {"quality": 98, "exif": exif()}), (b"", "a/b.png", {})],
    )
    def test_a_jpeg_is_kept_before_an_edit_that_names_no_editor(
        self, exif_of_both, name, options, pictures
    ):
        astronaut = Image.fromarray(data.astronaut())
        path = pictures.add("m/1.jpg", astronaut, quality=88, exif=exif_of_both)  # JFIF is first
        lighter = ImageEnhance.Brightness(Image.open(path)).enhance(1.1)
        pictures.add(name, ImageEnhance.Contrast(lighter).enhance(1.1), **options)
        made = "JPEG" if options else "PNG"
        assert pictures.kept() == ("m/1.jpg", f"not made from another JPEG (as the {made} was)")

    def test_a_jpeg_of_a_camera_that_was_saved_again_is_known_by_its_pixels(self, pictures):
        pictures.shoot()
        again = pictures.pixels
        pictures.shoot("a/b.jpg", image=again, quality=98)
        reason = "not made from another JPEG (as the JPEG was)"
        assert pictures.kept() == ("m/DSC_0001.jpg", reason)

    def test_files_that_cannot_be_read_count_as_unknown(self, pictures):
        path = pictures.shoot(exif=b"")
        pictures.add("a/b.png")
        with ImageIndex.open(pictures.folder / "index") as index:
            index.index([pictures.folder])
            path.write_bytes(b"no picture any more")
            [group] = index.groups(12)
        assert group.reason == "lossless format (PNG over JPEG)"


class TestSize:
    """A picture that was stretched, or has a border, holds no more than before."""

    @pytest.fixture
    def photos(self, pictures):
        pictures.shoot("z/1.jpg", exif=b"", image=photo().crop((0, 0, 318, 212)), quality=90)
        return pictures

    def test_a_few_more_columns_are_no_gain(self, photos):
        photos.add("a/b.jpg", photos.pixels.resize((322, 212)), quality=60)
        name, reason = photos.kept()
        assert name == "z/1.jpg"
        assert reason.startswith("most bytes")

    def test_a_narrow_border_is_no_gain(self, photos):
        photos.add("a/b.jpg", ImageOps.expand(photos.pixels, 1, "black"), quality=60)
        assert photos.kept()[0] == "z/1.jpg"

    @pytest.mark.parametrize("size", [(265, 265), (318, 318), (300, 290)])
    def test_a_stretched_copy_counts_by_its_smaller_scale(self, size, photos):
        photos.add("a/b.jpg", photos.pixels.resize(size), quality=99)
        name, reason = photos.kept()
        assert name == "z/1.jpg"
        assert f"over {size[0]}x{size[1]}" in reason

    def test_more_pixels_both_ways_are_more(self, photos):
        photos.pixels = photo(5).resize((424, 424))
        photos.add("z/1.jpg", photos.pixels.resize((318, 212)), quality=90)
        photos.add("a/b.png")
        assert photos.kept(keep_only=["pixels"])[0] == "a/b.png"


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_1-edited.jpg", "IMG_1_edited.jpg", "IMG_1 (edited).jpg", "IMG_1-bearbeitet.jpg"),
        *("IMG_1-modifié.jpg", "IMG_1-editado.jpg", "IMG_1_edit.jpg", "IMG_1-edit2.jpg"),
        *("IMG_E1234.JPG", "IMG_1 copy.jpg", "IMG_1 - Copy.jpg", "IMG_1 Kopie.jpg"),
        *("IMG_1 - Kopie (2).jpg", "IMG_1 - copie.jpg", "Copy of IMG_1.jpg", "IMG_1 (1).jpg"),
        *("IMG_1(1).jpg", "IMG_1~2.jpg", "WhatsApp Image 2021-02-03 at 10.11.jpeg"),
        *("IMG-20210203-WA0001.jpg", "Snapchat-123.jpg", "Screenshot_2021.png", "received_1.jpeg"),
        *("FB_IMG_16.jpg", "signal-2021-02-03-101112.jpg", "IMG_1_small.jpg", "a-thumb.png"),
        *("PXL_2021.PORTRAIT-01.COVER-EDIT.jpg",),
    ],
)
def test_names_of_copies_are_known(name):
    assert is_copy_name(f"/photos/{name}")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "IMG_1234.JPG",
            "DSC_0001.jpg",
            "_MG_1234.CR2",
            "P1000123.JPG",
            "IMG_20210203_101112.jpg",
        ),
        *("PXL_20210203_101112345.jpg", "20210203_101112.jpg", "DSCN0001.JPG", "IMG_0001.HEIC"),
        *("GOPR0001.JPG", "DJI_0001.JPG", "holiday 3.jpg", "credit card.jpg", "Edith at home.jpg"),
        *("copyright.png", "Copenhagen.jpg", "editor's desk.jpg", "webcam.jpg", "smallville.jpg"),
        *("Meredith.jpg", "IMG_1234.edition.jpg", "1.jpg", "mixer.png"),
    ],
)
def test_names_of_originals_are_none_of_copies(name):
    assert not is_copy_name(f"/edited copy (1)/{name}")
