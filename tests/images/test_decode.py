from __future__ import annotations

import hashlib
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from drawing import draw
from hashlens import ImageError, ParameterError, Skipped
from hashlens.images.decode import open_image, thumbnail
from hashlens.images.digests import file_digest, pixel_digest
from hashlens.images.pixels import MAX_PIXELS
from hashlens.images.upright import upright
from hashlens.images.walk import IGNORE, has_extension, walk


def saved(image: Image.Image, style: str, **options: object) -> bytes:
    output = BytesIO()
    image.save(output, style, **options)
    return output.getvalue()


class TestWalk:
    def test_finds_files_sorted_each_once_below_folders_and_by_name(self, tmp_path):
        for name in ("b/2.jpg", "b/10.jpg", "a.png", "c.txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        found = list(walk([tmp_path / "c.txt", tmp_path, tmp_path / "b", tmp_path / "a.png"]))
        names = [os.path.relpath(path, tmp_path) for path in found]
        assert names == ["c.txt", "a.png", "b/10.jpg", "b/2.jpg"]

    def test_a_path_that_does_not_exist_is_refused_before_any_is_found(self, tmp_path):
        with pytest.raises(ParameterError, match=r"no such file or directory: .*nowhere"):
            walk([tmp_path, tmp_path / "nowhere"])

    def test_real_folders_come_before_links_and_loops_end(self, tmp_path):
        real = tmp_path / "z"
        real.mkdir()
        (real / "1.jpg").touch()
        (tmp_path / "a").symlink_to(real)
        (real / "loop").symlink_to(tmp_path)
        found = list(walk([tmp_path]))
        assert str(real / "1.jpg") in found
        reasons = {Path(s.path).name: s.reason for s in found if isinstance(s, Skipped)}
        assert list(walk([tmp_path, real])) == found  # a folder given twice is no news
        assert reasons == {
            "a": f"directory was visited already, as {real}",
            "loop": f"directory was visited already, as {tmp_path}",
        }

    def test_no_depth_is_too_deep(self, tmp_path):
        deep = tmp_path
        for _ in range(300):
            deep = deep / "d"
            deep.mkdir()
        (deep / "a.jpg").touch()
        assert list(walk([tmp_path])) == [str(deep / "a.jpg")]

    def test_links_to_files_are_found_dead_ones_too_and_pipes_are_not(self, tmp_path):
        (tmp_path / "real.jpg").touch()
        (tmp_path / "link.jpg").symlink_to("real.jpg")
        (tmp_path / "dead.jpg").symlink_to("nowhere")
        os.mkfifo(tmp_path / "pipe.jpg")
        (tmp_path / "to-pipe.jpg").symlink_to("pipe.jpg")
        names = [os.path.basename(path) for path in walk([tmp_path])]
        assert names == ["dead.jpg", "link.jpg", "real.jpg"]

    def test_links_that_lead_in_circles_are_found_too(self, tmp_path):
        (tmp_path / "self.jpg").symlink_to("self.jpg")
        (tmp_path / "long.jpg").symlink_to("x" * 300)
        (tmp_path / "a.jpg").touch()
        names = [os.path.basename(path) for path in walk([tmp_path])]
        assert names == ["a.jpg", "long.jpg", "self.jpg"]

    def test_folders_that_are_marked_are_passed_over_unless_they_are_named(self, tmp_path):
        for name in ("a/1.jpg", "aside/2.jpg", "aside/deeper/3.jpg", "z/4.jpg"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "aside" / IGNORE).touch()

        def names(*paths):
            found = [os.path.relpath(path, tmp_path) for path in walk(paths)]
            return [name for name in found if not name.endswith(IGNORE)]

        assert names(tmp_path) == ["a/1.jpg", "z/4.jpg"]
        assert names(tmp_path / "aside") == ["aside/2.jpg", "aside/deeper/3.jpg"]
        assert names(tmp_path / "aside" / "deeper") == ["aside/deeper/3.jpg"]
        assert names(tmp_path / "aside" / "2.jpg") == ["aside/2.jpg"]
        every = ["a/1.jpg", "aside/2.jpg", "aside/deeper/3.jpg", "z/4.jpg"]
        assert sorted(names(tmp_path, tmp_path / "aside")) == every
        assert sorted(names(tmp_path / "aside", tmp_path)) == every
        assert names(tmp_path, tmp_path / "aside" / "deeper")[-1] == "aside/deeper/3.jpg"
        (tmp_path / IGNORE).touch()
        assert names(tmp_path) == ["a/1.jpg", "z/4.jpg"]

    def test_links_do_not_lead_into_marked_folders(self, tmp_path):
        photos, aside = tmp_path / "photos", tmp_path / "aside"
        for folder in (photos, aside):
            folder.mkdir()
            (folder / "1.jpg").touch()
        (aside / IGNORE).touch()
        (photos / "link").symlink_to(aside)
        assert list(walk([photos])) == [str(photos / "1.jpg")]
        assert str(photos / "link" / "1.jpg") in list(walk([photos / "link"]))

    @pytest.mark.parametrize(
        ("name", "known"),
        [("a.JPG", True), ("a.jpeg", True), ("a.heic", True), ("a.txt", False), ("jpg", False)],
    )
    def test_image_names(self, name, known):
        assert has_extension(name) is known


class TestOpenImage:
    @pytest.mark.parametrize("style", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM"])
    def test_takes_all_sources_and_gives_the_same_pixels(self, style, tmp_path):
        data = saved(draw(1), style)
        path = tmp_path / "picture"
        path.write_bytes(data)
        expected = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
        sources = [path, str(path), data, bytearray(data), BytesIO(data), Image.open(BytesIO(data))]
        for source in [*sources, expected]:
            assert np.array_equal(np.asarray(open_image(source).convert("RGB")), expected)

    def test_takes_the_first_frame(self, tmp_path):
        frames = [draw(n).convert("P") for n in range(3)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        first = np.asarray(open_image(tmp_path / "a.gif").convert("RGB"))
        assert np.array_equal(first, np.asarray(frames[0].convert("RGB")))

    def test_says_what_is_wrong_and_with_what(self, tmp_path):
        jpeg = saved(draw(1), "JPEG")
        broken = {
            "empty.jpg": (b"", "empty file"),
            "text.jpg": (b"hello", "not an image in a format that Pillow can read"),
            "short.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
            "header.jpg": (jpeg[:30], "cannot be read as an image"),
            "start.jpg": (jpeg[:3], "its header is damaged"),
            "lies.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, ""),
        }
        for name, (data, reason) in broken.items():
            (tmp_path / name).write_bytes(data)
            with pytest.raises(ImageError) as caught:
                open_image(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)
            assert reason in caught.value.reason

    def test_a_missing_file_a_folder_and_a_strange_object_are_errors(self, tmp_path):
        for source in (tmp_path / "nowhere.jpg", tmp_path, BytesIO(b"x"), b"", "", None, 5):
            with pytest.raises(ImageError):
                open_image(source)

    def test_arrays_are_of_bytes_and_other_ones_are_refused(self):
        pixels = np.asarray(draw(1))
        grey = np.asarray(draw(1, mode="L"))
        for array in (pixels, grey, grey[:, :, None], np.asarray(draw(1).convert("RGBA"))):
            assert open_image(array).size == (96, 64)
        wrong = (grey / 255, grey.astype(np.uint16), pixels.astype(int), np.zeros((2, 2, 9), "u1"))
        for array in wrong:
            with pytest.raises(ImageError, match=r"expected an array of uint8, .* not "):
                open_image(array)

    def test_a_decompression_bomb_is_refused_unread(self):
        bomb = saved(Image.new("1", (20_000, 20_000)), "PNG")
        with pytest.raises(ImageError, match="too many pixels"):
            open_image(bomb)

    def test_a_picture_without_pixels_is_refused(self):
        with pytest.raises(ImageError, match="its size is 0 x 5"):
            open_image(Image.new("RGB", (0, 5)))

    def test_a_picture_that_pillow_only_warns_of_is_opened(self):
        large = Image.new("1", (10_000, 10_000))
        assert MAX_PIXELS / 2 < 10_000 * 10_000 < MAX_PIXELS
        assert open_image(saved(large, "PNG")).size == (10_000, 10_000)


class TestUpright:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turns_as_exif_says(self, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(draw(1), "PNG", exif=exif)
        turned = upright(open_image(data))
        assert turned.size == ((96, 64) if orientation < 5 else (64, 96))

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
    def test_puts_transparency_on_white(self, mode):
        clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0)).convert("LA" if "L" in mode else "RGBA")
        assert upright(clear).convert("RGB").getcolors() == [(16, (255, 255, 255))]

    def test_scales_wide_pixels(self):
        ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
        expected = (ramp / 257).astype(np.uint8)
        for wide in (ramp, ramp.astype(np.int32), (ramp / 65535).astype(np.float32)):
            found = np.asarray(upright(Image.fromarray(wide))).astype(int)
            assert np.abs(found - expected).max() <= 1

    def test_scales_what_is_finite(self):
        values = np.array([[0.0, 1.0, np.nan], [np.inf, -np.inf, 0.5]], dtype=np.float32)
        found = np.asarray(upright(Image.fromarray(values)))
        assert found.tolist() == [[0, 255, 0], [255, 0, 127]]

    def test_leaves_an_ordinary_image_alone(self):
        image = draw(1)
        assert upright(image) is image

    def test_survives_damaged_exif(self):
        image = draw(1)
        image.info["exif"] = b"Exif\0\0nonsense"
        assert upright(image).size == image.size


class TestDigests:
    def test_of_a_file_is_sha256_of_its_bytes(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        for source in (tmp_path / "a", str(tmp_path / "a"), b"abc"):
            assert file_digest(source) == hashlib.sha256(b"abc").hexdigest()

    def test_of_pixels_is_equal_where_only_metadata_differs(self):
        image = Image.new("RGB", (128, 128), "red")
        note = PngImagePlugin.PngInfo()
        note.add_text("comment", "another file, the same picture")
        plain, noted = saved(image, "PNG"), saved(image, "PNG", pnginfo=note)
        assert file_digest(plain) != file_digest(noted)
        assert pixel_digest(plain) == pixel_digest(noted) == pixel_digest(image)

    def test_of_pixels_ignores_how_a_picture_is_stored(self):
        image = draw(3, mode="L")
        same = [image, image.convert("RGB"), image.convert("RGBA"), image.convert("LA")]
        same += [open_image(saved(image, style)) for style in ("PNG", "BMP", "TIFF")]
        turned = Image.Exif()
        turned[0x0112] = 8
        lying = saved(image.transpose(Image.Transpose.ROTATE_270), "PNG", exif=turned)
        assert len({pixel_digest(picture) for picture in [*same, open_image(lying)]}) == 1

    def test_of_pixels_differs_with_any_pixel_and_with_the_size(self):
        image = draw(3)
        other = image.copy()
        other.putpixel((5, 5), (1, 2, 3))
        wide = Image.new("RGB", (8, 2))
        tall = Image.new("RGB", (2, 8))
        clear = Image.new("RGBA", (8, 2), (0, 0, 0, 0))
        pictures = (image, other, wide, tall, clear)
        assert len({pixel_digest(picture) for picture in pictures}) == len(pictures)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK"])
def test_a_thumbnail_is_a_small_jpeg(mode):
    small = Image.open(BytesIO(thumbnail(draw(1, (640, 320), mode))))
    assert (small.format, small.size) == ("JPEG", (160, 80))
