from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import imagehash
import numpy as np
import pytest
import skimage
from PIL import Image, ImageOps

from drawing import draw
from hashlens import ImageHash, ImageIndex, ParameterError, PerceptualHash, distance, errors
from hashlens.hashing.algorithms import ALGORITHMS
from hashlens.hashing.hasher import Hasher
from hashlens.images import jpeg_draft as draft_module
from hashlens.images.decode import decode

PHOTOS = [
    Path(skimage.__file__).parent / "data" / name
    for name in ("rocket.jpg", "retina.jpg", "hubble_deep_field.jpg")
]
ALL = tuple(
    PerceptualHash(item.name, **({"image_scale": 64} if item.name == "wavelet" else {}))
    for item in ALGORITHMS
    if item.name != "crop-resistant"
)


def jpeg(image: Image.Image, **options: object) -> bytes:
    output = BytesIO()
    image.save(output, "JPEG", **{"quality": 90, **options})
    return output.getvalue()


def large(seed: int) -> Image.Image:
    return draw(seed, (643, 421))


@pytest.fixture(params=["Pillow", "simplejpeg"])
def decoder(request, monkeypatch):
    """Each decoder of JPEG drafts in turn."""
    monkeypatch.setattr(draft_module, "_simplejpeg", None)
    if request.param == "simplejpeg":
        assert draft_module.use_simplejpeg()


class TestGrades:
    @pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
    def test_exact_has_the_bits_of_imagehash(self, path, decoder):
        image = Image.open(path)
        for item in ALL:
            assert Hasher((item,), "exact", upright=False)(path) == (item(image),)

    def test_fast_differs_in_few_bits_if_any(self, decoder):
        exact, fast = Hasher(ALL, "exact"), Hasher(ALL, "fast")
        for seed in range(10):
            data = jpeg(large(seed))
            for item, a, b in zip(ALL, exact(data), fast(data), strict=True):
                assert distance(a, b) <= 4, item

    def test_fast_is_exact_where_there_is_no_draft(self):
        image = large(1)
        png = BytesIO()
        image.save(png, "PNG")
        for source in (png.getvalue(), image, np.asarray(image)):
            assert Hasher(ALL, "fast")(source) == Hasher(ALL, "exact")(source)

    def test_one_decode_serves_all_hashes(self):
        assert Hasher((PerceptualHash("perceptual"),)).draft == ("L", 32)
        some = (PerceptualHash("perceptual"), PerceptualHash("difference"))
        assert Hasher(some).draft == ("L", 128)
        assert Hasher((*some, PerceptualHash("color"))).draft == ("RGB", 256)
        assert Hasher(some, "exact").draft is None

    def test_a_large_hash_has_a_large_draft(self):
        for item in ALGORITHMS:
            if item.name not in ("color", "crop-resistant"):
                assert PerceptualHash(item.name, hash_size=16).draft[1] >= 256
        assert PerceptualHash("perceptual", highfreq_factor=16).draft[1] == 128
        assert PerceptualHash("wavelet", image_scale=512).draft[1] == 512

    def test_the_callers_image_is_left_as_it_is(self):
        image = Image.open(BytesIO(jpeg(large(1))))
        Hasher(ALL)(image)
        assert image.size == (643, 421)
        assert image.mode == "RGB"

    def test_the_policy_names_the_grade_the_draft_and_the_decoders(self):
        policy = Hasher((PerceptualHash(),)).policy
        assert policy.startswith("fast L 32; pillow ")
        assert "libjpeg" in policy
        others = [
            Hasher((PerceptualHash(),), "exact"),
            Hasher((PerceptualHash(),), upright=False),
            Hasher((PerceptualHash("difference"),)),
        ]
        assert len({policy, *(item.policy for item in others)}) == 4

    @pytest.mark.parametrize(
        "params", [{"grade": "slow"}, {"grade": None}, {"upright": 1}, {"hashes": ()}]
    )
    def test_what_cannot_be_is_refused(self, params):
        with pytest.raises(ParameterError):
            Hasher(**{"hashes": (PerceptualHash(),), **params})


class TestDrafts:
    def test_the_box_leaves_out_what_is_beyond_the_picture(self, decoder):
        pixels = decode(jpeg(large(1)), draft=("L", 32))
        assert pixels.image.size == (81, 53)
        assert pixels.box == (0, 0, 643 / 8, 421 / 8)
        assert pixels.size == (643, 421)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("size", [(643, 421), (421, 643), (640, 480)])
    def test_are_turned_as_the_picture_is(self, orientation, size, decoder):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = jpeg(draw(3, size), exif=exif)
        pixels = decode(data, draft=("L", 64))
        seen = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L")
        assert pixels.size == seen.size
        small = pixels.image.resize((32, 32), Image.Resampling.LANCZOS, box=pixels.box)
        expected = seen.resize((32, 32), Image.Resampling.LANCZOS)
        difference = np.asarray(small).astype(int) - np.asarray(expected)
        assert np.abs(difference).max() <= 6  # without the right box, edges differ by far more
        as_decoded = decode(data, draft=("L", 64), upright=False)
        assert as_decoded.size == size

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("size", [(643, 421), (33, 700), (16, 9)])
    def test_of_simplejpeg_are_those_of_pillow(self, mode, subsampling, progressive, size):
        exif = Image.Exif()
        exif[0x0112] = 6
        image = draw(2, size, mode)
        options = {"subsampling": subsampling, "progressive": progressive}
        plain = jpeg(image, **options)
        variants = [plain, jpeg(image, exif=exif, **options), plain + b"trailing", plain + plain]
        for data in variants:
            for draft in (("L", 32), ("L", 128), ("RGB", 64)):
                draft_module._simplejpeg = None
                theirs = decode(data, draft=draft)
                assert draft_module.use_simplejpeg()
                ours = decode(data, draft=draft)
                assert ours[1:4] == theirs[1:4]
                assert ours.is_sound == (mode != "CMYK")
                assert ours.image.mode == theirs.image.mode
                assert np.array_equal(np.asarray(ours.image), np.asarray(theirs.image))

    def test_are_made_without_simplejpeg_which_is_asked_for_once(self, monkeypatch):
        monkeypatch.setattr(draft_module, "_simplejpeg", None)
        monkeypatch.setitem(sys.modules, "simplejpeg", None)  # as if it were not installed
        assert not draft_module.use_simplejpeg()
        monkeypatch.delitem(sys.modules, "simplejpeg")
        assert not draft_module.use_simplejpeg()
        assert decode(jpeg(large(1)), draft=("L", 32)).image.size == (81, 53)

    def test_of_damaged_files_are_refused_alike(self):
        data = jpeg(large(4))
        for broken in (data[:-2], data[: len(data) // 2], data[:300], data[:20], b"\xff\xd8\xff"):
            said = set()
            for decoder in (None, "simplejpeg"):
                draft_module._simplejpeg = None
                if decoder:
                    draft_module.use_simplejpeg()
                try:
                    decode(broken, draft=("L", 32))
                    said.add("read")
                except errors.ImageError as error:
                    said.add(error.reason)
            assert len(said) == 1, said


def test_the_pipeline_is_exact_and_as_decoded_unless_asked(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg(large(5), exif=exif))
    plain = str(imagehash.phash(Image.open(path)))
    assert ImageHash("perceptual")(path) == plain
    assert ImageHash("perceptual", upright=True)(path) != plain
    fast = ImageHash("perceptual", grade="fast", upright=True)(path)
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([path])
        assert index.sql("select text from txtai")[0]["text"] == fast
        assert index.search(path)[0].distance == 0


def test_an_index_keeps_its_grade(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(large(6)))
    with ImageIndex.open(tmp_path / "index", grade="exact", upright=False) as index:
        index.index([path])
    with ImageIndex.open(tmp_path / "index") as index:
        assert index.settings.hasher.grade == "exact"
        row = index.sql("select text, policy from txtai")[0]
        assert row["text"] == str(imagehash.phash(Image.open(path)))
        assert row["policy"].startswith("exact as decoded; pillow")
