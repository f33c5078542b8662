from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from txtai.pipeline import ImageHash as TxtaiImageHash

from drawing import draw
from hashlens import ImageError, ImageHash, ImageRows, ParameterError

TXTAI_ALGORITHMS = ("average", "perceptual", "difference", "wavelet", "color")


class TestImageHashIsADropIn:
    @pytest.mark.parametrize("algorithm", TXTAI_ALGORITHMS)
    @pytest.mark.parametrize("size", [4, 8, 16])
    @pytest.mark.parametrize("strings", [True, False])
    def test_for_each_algorithm(self, algorithm, size, strings, tmp_path):
        path = tmp_path / "picture.png"
        draw(1, (300, 200)).save(path)
        ours = ImageHash(algorithm, size, strings)
        theirs = TxtaiImageHash(algorithm, size, strings)
        for source in (str(path), Image.open(path), [str(path), draw(2)]):
            found, expected = ours(source), theirs(source)
            assert type(found) is type(expected)
            assert np.array_equal(found, expected)

    def test_without_arguments(self):
        assert ImageHash()(draw(1)) == TxtaiImageHash()(draw(1))

    def test_by_the_names_of_its_arguments(self):
        ours = ImageHash(algorithm="perceptual", size=4, strings=False)(draw(1))
        assert ours.dtype == np.float32
        assert np.array_equal(ours, TxtaiImageHash("perceptual", 4, False)(draw(1)))


def odd_files(folder):
    """Write files whose pixels are not what a person sees, or not all that there is."""
    frames = [draw(n).convert("P") for n in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    rotated = Image.Exif()
    rotated[0x0112] = 6
    draw(1).save(folder / "rotated.jpg", exif=rotated)
    draw(2, mode="CMYK").save(folder / "cmyk.jpg")
    draw(3, mode="L").save(folder / "grey.jpg")
    draw(4).convert("RGBA").rotate(20).save(folder / "transparent.png")
    wide = np.asarray(draw(5, mode="L")).astype(np.uint16) * 257
    Image.fromarray(wide).save(folder / "16-bit.png")
    Image.new("RGB", (1, 1), "red").save(folder / "one-pixel.png")
    Image.new("RGB", (40, 30), "blue").save(folder / "flat.webp")
    return sorted(folder.iterdir())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # txtai's open files
@pytest.mark.parametrize("algorithm", TXTAI_ALGORITHMS)
def test_image_hash_is_a_drop_in_on_odd_files(algorithm, tmp_path):
    paths = [str(path) for path in odd_files(tmp_path)]
    assert ImageHash(algorithm)(paths) == TxtaiImageHash(algorithm)(paths)


class TestImageHash:
    def test_takes_paths_bytes_file_objects_arrays_and_images(self, tmp_path):
        path = tmp_path / "picture.png"
        draw(1).save(path)
        data = path.read_bytes()
        sources = [path, str(path), data, BytesIO(data), np.asarray(draw(1)), draw(1)]
        assert len(set(ImageHash()(sources))) == 1
        assert {ImageHash()(source) for source in sources} == set(ImageHash()(tuple(sources)))

    def test_takes_imagehash_names_and_parameters(self):
        image = draw(1)
        assert ImageHash("phash")(image) == ImageHash("perceptual")(image)
        assert len(ImageHash("colorhash", binbits=3)(image)) == 11
        assert len(ImageHash("dhash", hash_size=16)(image)) == 64
        assert ImageHash("whash", mode="db4")(image) != ImageHash("whash")(image)

    def test_refuses_what_txtai_takes_for_average(self):
        with pytest.raises(ParameterError, match="unknown algorithm 'bogus'"):
            ImageHash("bogus")

    def test_crop_resistant_gives_one_hash_per_segment(self):
        image = draw(5, (300, 300))
        text = ImageHash("crop-resistant")(image)
        arrays = ImageHash("crop-resistant", strings=False)(image)
        assert arrays.shape == (len(text.split(",")), 64)

    def test_names_the_image_that_cannot_be_read(self, tmp_path):
        (tmp_path / "bad.jpg").write_text("no image")
        with pytest.raises(ImageError, match=r"bad\.jpg: not an image"):
            ImageHash()([str(tmp_path / "bad.jpg")])


class TestImageRows:
    def test_makes_documents_of_a_folder_bad_files_too(self, folder):
        (folder / "bad.jpg").write_text("no image")
        documents = ImageRows("dhash")(str(folder))
        assert len(documents) == 12
        rows = {row["path"]: row for _, row, _ in documents}
        assert all(uid == row["id"] for uid, row, _ in documents)
        assert rows[str(folder / "bad.jpg")]["skipped"].startswith("not an image")
        assert rows[str(folder / "0.png")]["text"] == ImageHash("dhash")(draw(0))

    def test_makes_a_list_of_documents_for_each_of_a_list(self, folder):
        first, second = ImageRows(thumbnails=False)([folder, folder / "copies"])
        assert (len(first), len(second)) == (11, 3)
        assert "object" not in second[0][1]

    def test_refuses_a_hash_that_has_no_fixed_length(self):
        for algorithm, params in (("crop-resistant", {}), ("wavelet", {"mode": "db4"})):
            with pytest.raises(ParameterError, match="no fixed number of bits"):
                ImageRows(algorithm, **params)
