from __future__ import annotations

import pickle
import warnings
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.fftpack import dct

from drawing import draw
from hashlens import ParameterError, PerceptualHash
from hashlens.hashing import samples
from hashlens.hashing.algorithms import ALGORITHMS
from hashlens.hashing.kernels import information, to_hex, wavelet_bits

PHOTOS = Path(skimage.__file__).parent / "data"

# What ImageHash 4.3.2 says, on Pillow 13.0, of photos that scikit-image ships.
GOLDEN = {
    "astronaut.png": {
        "average": "7f7f7fc744f8d050",
        "perceptual": "c2924c5532bddfc8",
        "perceptual-simple": "b7a7276565454585",
        "difference": "cd8dd91d897293a7",
        "difference-vertical": "01bd8660389b4130",
        "wavelet": "7f775fc744f80040",
        "wavelet db4": "fbf3efcfbf3efcfbf02fe03ac0fbfc3c008fc000000003e00",
        "color": "0b400018000",
    },
    "chelsea.png": {
        "average": "82808e4b09a373e7",
        "perceptual": "b15fe6465121175e",
        "perceptual-simple": "a9a9a9a9a9e9e9ed",
        "difference": "5414589aab6fa785",
        "difference-vertical": "ddaf4a73b4f354ee",
        "wavelet": "c2c08e4b09a377f7",
        "wavelet db4": "ff13fc4ff13fc4ff13f04fe03f1d0258010011c0e7039c0ff",
        "color": "02c00000000",
    },
    "coffee.png": {
        "average": "3f3fbfbb818081c3",
        "perceptual": "bb8320376c0f3637",
        "perceptual-simple": "5f1f1b1f17173636",
        "difference": "f3e96933160b1b36",
        "difference-vertical": "fc859ac0000dc1db",
        "wavelet": "3f7f3fbb818080c1",
        "wavelet db4": "00fc03f007c03f003c03f01fc07ff4fff83fc07f01fe0bf86",
        "color": "08400038000",
        "crop-resistant": (
            "cfc763337357a6cf,f0a169e4a6f3b8f4,f3e96933160b1b36,c7c5c707cf4c3bb6,0f0f17336974f0e2"
        ),
    },
    "rocket.jpg": {
        "average": "00002078f8fcfc7c",
        "perceptual": "c0371bec1be51267",
        "perceptual-simple": "8f8f8f8f8f8b8b8b",
        "difference": "e0c0c090909090d1",
        "difference-vertical": "ffffffffffff6c0c",
        "wavelet": "000070fcfcfcfc7c",
        "wavelet db4": "000000000000000000020ffe3ffcfff3ffefffffff07f7eff",
        "color": "01007000000",
    },
}


def theirs(algorithm: str, image: Image.Image, **params: object) -> str:
    """Ask ImageHash."""
    functions = {
        "average": imagehash.average_hash,
        "perceptual": imagehash.phash,
        "perceptual-simple": imagehash.phash_simple,
        "difference": imagehash.dhash,
        "difference-vertical": imagehash.dhash_vertical,
        "wavelet": imagehash.whash,
        "color": imagehash.colorhash,
        "crop-resistant": imagehash.crop_resistant_hash,
    }
    if algorithm == "crop-resistant" and "hash_size" in params:
        hash_func = partial(imagehash.dhash, hash_size=params.pop("hash_size"))
        return str(imagehash.crop_resistant_hash(image, hash_func, **params))
    return str(functions[algorithm](image, **params))


def edge_cases() -> dict[str, Image.Image]:
    """Draw pictures where hashes go wrong: ties, odd modes, extreme sizes."""
    random = np.random.default_rng(7)
    wide = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    cases = {
        "one pixel": Image.new("RGB", (1, 1), (9, 8, 7)),
        "one row": draw(1, (300, 1)),
        "one column": draw(1, (1, 300)),
        "flat black": Image.new("RGB", (50, 40)),
        "flat white": Image.new("L", (50, 40), 255),
        "transparent": Image.new("RGBA", (50, 40), (0, 0, 0, 0)),
        "half transparent": draw(2).convert("RGBA").rotate(30),
        "grey": draw(3, mode="L"),
        "grey with alpha": draw(3, mode="LA"),
        "bilevel": draw(4, mode="1"),
        "palette": draw(5, mode="P"),
        "CMYK": draw(6, mode="CMYK"),
        "YCbCr": draw(6, mode="YCbCr"),
        "16-bit": Image.fromarray(wide),
        "32-bit": Image.fromarray(wide.astype(np.int32)),
        "float": Image.fromarray((wide / 65535).astype(np.float32)),
        "ramp": Image.linear_gradient("L"),
        "noise": Image.fromarray(random.integers(0, 2, (33, 47), dtype=np.uint8) * 255),
    }
    for n in range(6):
        blocks = np.kron(random.integers(0, 2, (8, 8)), np.ones((8, 8)))
        cases[f"blocks {n}"] = Image.fromarray((blocks * 255).astype(np.uint8))
    rotated = draw(8)
    rotated.getexif()[0x0112] = 6
    cases["EXIF rotated"] = rotated
    return cases


EDGES = edge_cases()
VARIANTS = [
    *(
        (name, {"hash_size": size})
        for name in (
            "average",
            "perceptual",
            "perceptual-simple",
            "difference",
            "difference-vertical",
        )
        for size in (2, 3, 8, 16, 32)
    ),
    ("perceptual", {"highfreq_factor": 1}),
    ("perceptual", {"hash_size": 5, "highfreq_factor": 7}),
    ("perceptual-simple", {"highfreq_factor": 1}),
    ("wavelet", {}),
    ("wavelet", {"hash_size": 16}),
    ("wavelet", {"image_scale": 64}),
    ("wavelet", {"mode": "db4"}),
    ("wavelet", {"mode": "db4", "image_scale": 128, "hash_size": 16}),
    ("wavelet", {"remove_max_haar_ll": False}),
    ("color", {}),
    ("color", {"binbits": 1}),
    ("color", {"binbits": 8}),
]


class TestSameBitsAsImageHash:
    @pytest.mark.parametrize("photo", GOLDEN)
    def test_golden_vectors_hold(self, photo):
        image = Image.open(PHOTOS / photo)
        for name, expected in GOLDEN[photo].items():
            algorithm, _, mode = name.partition(" ")
            hashed = PerceptualHash(algorithm, **({"mode": mode} if mode else {}))
            assert hashed(image) == expected, name

    @pytest.mark.parametrize(("algorithm", "params"), VARIANTS)
    @pytest.mark.parametrize("case", EDGES)
    def test_on_edge_cases(self, algorithm, params, case):
        image = EDGES[case]
        hashed = PerceptualHash(algorithm, **params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyWavelets warns of levels, for both alike
            assert hashed(image) == theirs(algorithm, image, **params)

    @pytest.mark.parametrize("seed", range(40))
    def test_on_drawn_pictures_of_odd_sizes(self, seed):
        image = draw(seed, (17 + 13 * seed % 200, 11 + 29 * seed % 170))
        for algorithm in ("average", "perceptual", "perceptual-simple", "difference"):
            for size in (4, 8, 16):
                assert PerceptualHash(algorithm, hash_size=size)(image) == theirs(
                    algorithm, image, hash_size=size
                )

    @pytest.mark.parametrize(
        "params", [{}, {"hash_size": 4}, {"limit_segments": 1}, {"min_segment_size": 50}]
    )
    def test_crop_resistant(self, params):
        image = draw(5, (80, 60))
        params = {"segmentation_image_size": 60, "min_segment_size": 30, **params}
        hashed = PerceptualHash("crop-resistant", **params)
        assert hashed(image) == theirs("crop-resistant", image, **dict(params))

    def test_ties_are_left_to_imagehash(self, monkeypatch):
        asked = []
        monkeypatch.setattr(imagehash, "phash", lambda *a: asked.append(a) or _Fixed())
        PerceptualHash("perceptual")(draw(1))
        assert not asked
        PerceptualHash("perceptual")(EDGES["flat black"])
        assert asked


pictures = arrays(
    np.uint8,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    elements=st.one_of(st.sampled_from([0, 127, 128, 255]), st.integers(0, 255)),
    fill=st.sampled_from([0, 128, 255]),
)


class TestBatches:
    """Many images at once give what each gives alone, and what ImageHash gives."""

    @pytest.mark.parametrize(("algorithm", "params"), VARIANTS)
    def test_of_edge_cases(self, algorithm, params):
        hashed = PerceptualHash(algorithm, **params)
        images = list(EDGES.values())
        alone = [hashed(image) for image in images]
        assert hashed.fingerprints([hashed.sample(image) for image in images]) == alone
        assert hashed.fingerprints([]) == []

    def test_of_segments(self):
        hashed = PerceptualHash("crop-resistant", min_segment_size=20)
        images = [EDGES[name] for name in ("noise", "flat white", "blocks 1", "palette", "ramp")]
        alone = [theirs("crop-resistant", image, min_segment_size=20) for image in images]
        assert hashed.fingerprints([hashed.sample(image) for image in images]) == alone

    @given(st.lists(pictures, min_size=1, max_size=4), st.sampled_from([2, 3, 8, 16]))
    def test_of_adversarial_pictures(self, stack, size):
        images = [Image.fromarray(picture) for picture in stack]
        for algorithm in (
            "average", "perceptual", "perceptual-simple", "difference", "difference-vertical",
        ):  # fmt: skip
            hashed = PerceptualHash(algorithm, hash_size=size)
            expected = [theirs(algorithm, image, hash_size=size) for image in images]
            assert hashed.fingerprints([hashed.sample(image) for image in images]) == expected

    @given(st.lists(pictures, min_size=1, max_size=4), st.sampled_from(["haar", "db4"]))
    def test_of_adversarial_pictures_in_wavelets_and_colors(self, stack, mode):
        images = [Image.fromarray(picture) for picture in stack]
        wavelet, color = PerceptualHash("wavelet", mode=mode), PerceptualHash("color")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [theirs("wavelet", image, mode=mode) for image in images]
        assert wavelet.fingerprints([wavelet.sample(image) for image in images]) == expected
        expected = [theirs("color", image) for image in images]
        assert color.fingerprints([color.sample(image) for image in images]) == expected

    @given(
        arrays(np.uint8, (3, 16, 16), elements=st.sampled_from([0, 1, 128, 255])),
        st.sampled_from([2, 4, 8, 16]),
        st.sampled_from(["haar", "db4"]),
    )
    def test_of_wavelets(self, stack, size, mode):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bits = wavelet_bits(stack, size, mode, True)
            for picture, found in zip(stack, bits, strict=True):
                image = Image.fromarray(picture)
                assert np.array_equal(found, imagehash.whash(image, size, 16, mode).hash)

    @given(arrays(np.uint8, (8, 8, 3), elements=st.sampled_from([0, 31, 32, 85, 170, 171, 255])))
    def test_of_colors(self, pixels):
        image = Image.fromarray(pixels)
        for binbits in (1, 3, 7):
            assert PerceptualHash("color", binbits=binbits)(image) == theirs(
                "color", image, binbits=binbits
            )

    @given(
        arrays(np.uint8, (24, 24), elements=st.sampled_from([0, 255]), fill=st.just(0)),
        st.integers(0, 30),
        st.sampled_from([None, 1, 2]),
    )
    def test_of_adversarial_segments(self, pixels, least, limit):
        image = Image.fromarray(pixels).resize((48, 48), Image.Resampling.NEAREST)
        params = {
            "segmentation_image_size": 24,
            "min_segment_size": least,
            "limit_segments": limit,
        }
        try:
            expected = theirs("crop-resistant", image, **params)
        except IndexError:
            return  # ImageHash looks for one more segment, where single pixels are many
        assert PerceptualHash("crop-resistant", **params)(image) == expected


class TestInformation:
    @pytest.mark.parametrize("case", ["flat black", "flat white", "one pixel"])
    def test_is_none_in_flat_pictures(self, case):
        assert information([samples.information(EDGES[case], None)]) == [0]

    def test_is_high_in_photographs(self):
        photos = [Image.open(PHOTOS / photo) for photo in GOLDEN]
        scores = information([samples.information(photo, None) for photo in photos])
        assert min(scores) > 3
        assert max(scores) < 100


class _Fixed:
    hash = np.zeros((8, 8), dtype=bool)


class TestBits:
    @pytest.mark.parametrize(("algorithm", "params"), VARIANTS)
    def test_are_as_many_as_said(self, algorithm, params):
        hashed = PerceptualHash(algorithm, **params)
        found = hashed.segments(EDGES["grey"])[0].size
        if params == {"mode": "db4"}:
            assert hashed.bits is None
        else:
            assert hashed.bits == found
            assert hashed.digits == len(hashed(EDGES["grey"]))

    @pytest.mark.parametrize("size", [1, 3, 4, 7, 8, 13, 64, 196])
    def test_are_written_as_imagehash_writes_them(self, size):
        bits = np.random.default_rng(size).integers(0, 2, size).astype(bool)
        assert to_hex(bits[None]) == [str(imagehash.ImageHash(bits))]


class TestParameters:
    @pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
    def test_aliases_mean_the_same(self, algorithm):
        for alias in (*algorithm.aliases, algorithm.name.upper(), algorithm.name.replace("-", "_")):
            assert PerceptualHash(alias).settings() == PerceptualHash(algorithm.name).settings()

    def test_survive_pickling_and_numpy(self):
        made = PerceptualHash("whash", hash_size=np.int64(16))
        again = pickle.loads(pickle.dumps(made))  # noqa: S301  our own
        assert again.settings() == made.settings()
        assert type(again.params["hash_size"]) is int

    @pytest.mark.parametrize("name", ["bogus", "", "perceptual hash", None, 8])
    def test_an_unknown_algorithm_is_refused_with_the_known(self, name):
        with pytest.raises(ParameterError, match=r"unknown algorithm .*average.*crop-resistant"):
            PerceptualHash(name)

    @pytest.mark.parametrize(
        ("algorithm", "params", "message"),
        [
            ("average", {"hash_size": 1}, "hash_size must be a whole number 2 to 1024"),
            ("average", {"hash_size": 8.0}, "hash_size must be a whole number 2 to 1024"),
            ("average", {"hash_size": True}, "hash_size must be a whole number 2 to 1024"),
            ("average", {"hash_size": "8"}, "not '8'"),
            ("average", {"binbits": 3}, "no parameter 'binbits'; it has hash_size"),
            (
                "perceptual",
                {"highfreq_factor": 0},
                "highfreq_factor must be a whole number 1",
            ),
            ("wavelet", {"hash_size": 12}, "hash_size must be a power of two"),
            ("wavelet", {"image_scale": 100}, "image_scale must be None or a power of two"),
            ("wavelet", {"image_scale": 4}, "image_scale must be at least hash_size"),
            ("wavelet", {"mode": "haar2"}, "mode must be one of haar, db4"),
            ("wavelet", {"remove_max_haar_ll": "False"}, "remove_max_haar_ll must be True or"),
            ("color", {"binbits": 0}, "binbits must be a whole number 1 to 32"),
            ("color", {"hash_size": 8}, "no parameter 'hash_size'; it has binbits"),
            ("crop-resistant", {"segment_threshold": 256}, "a whole number 0 to 255"),
            ("crop-resistant", {"limit_segments": 0}, "limit_segments must be None or"),
        ],
    )
    def test_wrong_ones_are_refused_by_name(self, algorithm, params, message):
        with pytest.raises(ParameterError) as caught:
            PerceptualHash(algorithm, **params)
        assert message in str(caught.value)
        assert algorithm in str(caught.value)


def _signs(image, size):
    """Return the signs by scipy's cosine transform, of a pattern above an eighth of a level."""
    side = 4 * size
    pixels = np.asarray(image.convert("L").resize((side, side), Image.Resampling.LANCZOS), float)
    found = dct(dct(pixels, axis=0), axis=1)[:size, :size]
    return found > side * side / 8


@pytest.mark.parametrize("size", [5, 8, 16])
@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
def test_the_turn_hash_of_perceptual_has_the_signs_of_its_frequencies(name, size):
    image = Image.open(PHOTOS / name)
    item = PerceptualHash("perceptual", hash_size=size).turn_hash
    assert item(image) == to_hex(_signs(image, size)[None])[0]


def test_noise_does_not_decide_the_signs_of_a_symmetric_picture():
    left = draw(3, (200, 400)).convert("RGB")
    picture = Image.new("RGB", (400, 400))
    picture.paste(left, (0, 0))
    picture.paste(left.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (200, 0))
    noise = np.random.default_rng(1).integers(-1, 2, (400, 400, 3))
    noisy = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    item = PerceptualHash().turn_hash
    assert item(picture) == item(noisy)
    bits = item.segments(noisy)[0]
    assert not bits[:, 1::2].any()  # a mirror would invert these frequencies: there are none
