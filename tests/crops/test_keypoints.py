from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import ParameterError
from hashlens.crops.extract import VERSION, extract, extractor, frame
from hashlens.crops.keypoints import FULL, OCTAVE, PLACE, SIDE, TURN, Keypoints

PHOTOS = Path(skimage.__file__).parent / "data"


def of(image: Image.Image, most: int = 200, side: int = SIDE) -> Keypoints:
    return extract(frame(image, None, side), image.size, most)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    with Image.open(PHOTOS / "coffee.png") as opened:  # 600 x 400
        return opened.convert("RGB")


def same(left: Keypoints, right: Keypoints) -> bool:
    return left.to_bytes() == right.to_bytes() and np.array_equal(left.doubtful, right.doubtful)


def paired(left: Keypoints, right: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of places with near codes."""
    distances = np.bitwise_count(left.codes[:, None] ^ right.codes[None])
    nearest = distances.argmin(axis=1)
    near = np.flatnonzero(distances[np.arange(len(nearest)), nearest] <= 14)
    return left.places[near], right.places[nearest[near]]


def steps(difference: np.ndarray, full: int) -> np.ndarray:
    """Differences of angles, the shorter way round."""
    return (difference + full // 2) % full - full // 2


def test_keypoints_do_not_depend_on_the_run_nor_on_threads(photo: Image.Image) -> None:
    first = of(photo)
    threads = cv2.getNumThreads()
    try:
        for number in (1, 2, 4):
            cv2.setNumThreads(number)
            assert same(of(photo), first)
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "rocket.jpg", "text.png"])
def test_the_first_of_more_are_those_of_fewer(name: str) -> None:
    with Image.open(PHOTOS / name) as image:
        grey = frame(image)
    all_of_them = extract(grey, (1, 1), 2000)
    assert len(all_of_them.codes) > 120
    for most in (1, 2, 3, 7, 20, 64, 100, 119):
        some = extract(grey, (1, 1), most)
        assert np.array_equal(some.codes, all_of_them.codes[:most])
        assert np.array_equal(some.places, all_of_them.places[:most])
        assert np.array_equal(some.doubtful, all_of_them.doubtful[:most])


def test_no_two_keypoints_are_at_one_place(photo: Image.Image) -> None:
    lattice = np.zeros((256, 256), np.uint8)
    lattice[::16, ::16] = lattice[8::16, 8::16] = 255
    squares = np.kron(np.random.default_rng(0).integers(0, 2, (32, 32)) * 255, np.ones((8, 8)))
    stripes = np.tile(np.arange(256) // 8 % 2 * 255, (256, 1))
    for picture in (np.asarray(photo.convert("L"))[:, :400], lattice, squares, stripes):
        found = extract(picture.astype(np.uint8), (1, 1), 2000)
        assert len(np.unique(found.places)) == len(found.places)
        corners = np.stack([found.places["x"], found.places["y"]], axis=1) // 128
        assert not len(corners) or np.unique(corners, axis=0, return_counts=True)[1].max() <= 4


def test_doubtful_has_one_bit_of_each_band(photo: Image.Image) -> None:
    doubtful = of(photo).doubtful
    assert doubtful is not None
    for band in range(4):
        assert set(np.bitwise_count(doubtful >> np.uint64(16 * band) & np.uint64(65535))) == {1}


def test_bits_are_balanced(photo: Image.Image) -> None:
    bits = np.unpackbits(of(photo, 2000).codes.view(np.uint8).reshape(-1, 8), axis=1)
    assert 0.2 < bits.mean(axis=0).min() <= bits.mean(axis=0).max() < 0.8


def test_hex_is_of_16_digits(photo: Image.Image) -> None:
    found = of(photo, 20)
    assert [int(text, 16) for text in found.hex] == found.codes.tolist()
    assert all(len(text) == 16 and text == text.lower() for text in found.hex)


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=20),
    st.data(),
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    st.binary(max_size=50),
)
def test_bytes_come_back(
    codes: list[int], data: st.DataObject, size: tuple[int, int], thumbnail: bytes
) -> None:
    raw = data.draw(st.binary(min_size=6 * len(codes), max_size=6 * len(codes)))
    places = np.frombuffer(raw, PLACE)
    before = Keypoints(np.array(codes, np.uint64), places, size, thumbnail)
    after = Keypoints.from_bytes(before.to_bytes())
    assert np.array_equal(after.codes, before.codes)
    assert np.array_equal(after.places, before.places)
    assert (after.size, after.thumbnail, after.doubtful) == (size, thumbnail, None)


def test_damaged_bytes_are_refused(photo: Image.Image) -> None:
    good = of(photo, 20).to_bytes()
    for bad in (b"", good[:5], good[:-1], good + b"x", b"\xff\xff" + good[2:]):
        with pytest.raises(ParameterError, match="are not keypoints: expected"):
            Keypoints.from_bytes(bad)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 300), (5000, 3), (640, 480)])
def test_pictures_without_texture_have_none(mode: str, size: tuple[int, int]) -> None:
    found = of(Image.new(mode, size))
    assert not len(found.codes)
    assert not len(found.places)
    assert found.doubtful is not None
    assert not len(found.doubtful)
    assert found.size == size
    assert Keypoints.from_bytes(found.to_bytes()).size == size


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (8, 8), (16, 16), (1, 300), (5000, 3), (3, 5000)])
def test_tiny_and_extreme_pictures_have_none(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, size[::-1]).astype(np.uint8)
    assert not len(of(Image.fromarray(noise)).codes)


@pytest.mark.parametrize("size", [(17, 400), (400, 17), (33, 33), (120, 80), (200, 200), (201, 99)])
def test_small_and_narrow_pictures_are_taken(size: tuple[int, int]) -> None:
    found = of(draw(3, size), 2000)
    long = max(size)
    assert (found.places["x"] <= size[0] / long * FULL).all()
    assert (found.places["y"] <= size[1] / long * FULL).all()


def test_small_pictures_have_keypoints_too(photo: Image.Image) -> None:
    assert len(of(photo.resize((90, 60))).codes) > 20


@pytest.mark.parametrize(
    "bad", [np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5)), np.zeros((5, 2049), np.uint8)]
)
def test_what_is_no_frame_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="a frame is grey"):
        extract(bad, (5, 5))


@pytest.mark.parametrize("most", [0, -1, 2001])
def test_a_count_out_of_bounds_is_refused(most: int) -> None:
    with pytest.raises(ParameterError, match="most must be 1 to 2000"):
        extract(np.zeros((50, 50), np.uint8), (50, 50), most)


def test_a_smaller_copy_has_most_codes_at_the_same_places(photo: Image.Image) -> None:
    found, smaller = of(photo), of(photo.resize((300, 200), Image.Resampling.LANCZOS), 400)
    left, right = paired(found, smaller)
    assert len(left) > 60
    across = left["x"].astype(float) - right["x"]
    down = left["y"].astype(float) - right["y"]
    # Half a percent of the longer side; scales and angles are in the picture's own units.
    assert np.median(np.hypot(across, down)) < 0.002 * FULL
    assert np.median(np.abs(left["scale"].astype(int) - right["scale"])) <= 2
    assert np.median(np.abs(steps(left["angle"].astype(int) - right["angle"], TURN))) <= 3


def test_a_jpeg_has_most_codes_at_the_same_places(photo: Image.Image) -> None:
    output = BytesIO()
    photo.save(output, "JPEG", quality=30)
    left, right = paired(of(photo), of(Image.open(output), 400))
    assert len(left) > 120
    moved = np.hypot(left["x"].astype(float) - right["x"], left["y"].astype(float) - right["y"])
    assert (moved < 0.005 * FULL).mean() > 0.9  # the rest are alike by chance


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turn_turns_places_and_angles(photo: Image.Image, turns: int) -> None:
    left, right = paired(of(photo), of(photo.rotate(90 * turns, expand=True), 400))
    assert len(left) > 150
    x, y = left["x"] / FULL, left["y"] / FULL
    width, height = 1.0, photo.height / photo.width
    for _ in range(turns):  # against the clock
        x, y, width, height = y, width - x, height, width
    assert np.median(np.hypot(right["x"] / FULL - x, right["y"] / FULL - y)) < 0.001
    # Angles run with the clock, since y runs down.
    turned = steps(right["angle"].astype(int) - left["angle"] + 64 * turns, TURN)
    assert np.median(np.abs(turned)) <= 1
    assert np.median(np.abs(left["scale"].astype(int) - right["scale"])) <= 1


def test_a_crop_moves_places_and_enlarges_scales(photo: Image.Image) -> None:
    box = (150, 80, 450, 280)
    left, right = paired(of(photo), of(photo.crop(box), 400))
    inside = (left["x"] / FULL * 600 > 160) & (left["x"] / FULL * 600 < 440)
    inside &= (left["y"] / FULL * 600 > 90) & (left["y"] / FULL * 600 < 270)
    left, right = left[inside], right[inside]
    assert len(left) > 20
    across = left["x"] / FULL * 600 - 150 - right["x"] / FULL * 300
    down = left["y"] / FULL * 600 - 80 - right["y"] / FULL * 300
    assert np.median(np.hypot(across, down)) < 1.5
    scaled = right["scale"].astype(int) - left["scale"]
    assert abs(np.median(scaled) - OCTAVE) <= 3


def test_pictures_that_have_nothing_in_common_share_few_codes(photo: Image.Image) -> None:
    with Image.open(PHOTOS / "chelsea.png") as other:
        left, _ = paired(of(photo), of(other))
    assert len(left) <= 15  # of 200: by chance


def test_frames_are_reduced_and_never_enlarged(photo: Image.Image) -> None:
    assert frame(photo).shape == (267, 400)
    assert frame(photo, None, 800).shape == (400, 600)
    assert np.array_equal(frame(photo, None, 800), np.asarray(photo.convert("L")))
    assert frame(photo.convert("L"), (0, 0, 300, 200)).shape == (200, 300)
    assert frame(Image.new("RGB", (5000, 3))).shape == (1, 400)


def test_frames_average_areas() -> None:
    board = np.indices((800, 800)).sum(axis=0) % 2 * 200
    assert np.ptp(frame(Image.fromarray(board.astype(np.uint8)))[5:-5, 5:-5].astype(int)) <= 2


def test_a_box_leaves_out_what_is_no_part_of_the_picture(photo: Image.Image) -> None:
    wide = Image.new("L", (610, 410), 255)
    wide.paste(photo.convert("L"), (10, 5))
    whole = frame(photo)
    assert np.array_equal(frame(wide, (10, 5, 610, 405)), whole)
    # A fraction of a pixel less, at any side, as in a JPEG that was decoded at a reduced size.
    for box in ((10, 5, 609.5, 404.75), (10.5, 5.25, 610, 405)):
        assert np.array_equal(frame(wide, box), whole)
    assert frame(wide, (10, 5, 10.5, 5.5)).shape == (1, 1)


def test_thumbnails_are_small_pictures_of_the_frame(photo: Image.Image) -> None:
    thumbnail = Image.open(BytesIO(of(photo).thumbnail))
    assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("JPEG", "L", (96, 64))
    small = photo.convert("L").resize((96, 64), Image.Resampling.BOX)
    difference = np.asarray(small).astype(int) - np.asarray(thumbnail)
    assert np.abs(difference).mean() < 5


def test_the_extractor_is_named_with_all_that_makes_the_codes() -> None:
    assert str(VERSION) in extractor()
    assert cv2.__version__ in extractor()


def test_opencv_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, hashlens.crops.extract; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(
    (cv2.__version__, platform.machine()) != ("5.0.0", "x86_64"),
    reason="other versions may round in another way",
)
def test_codes_stay_what_they_are() -> None:
    noise = np.random.default_rng(7).integers(0, 256, (30, 40)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)
    found = of(picture)
    made = hashlib.sha256(found.codes.tobytes() + found.places.tobytes()).hexdigest()
    assert (VERSION, len(found.codes), made[:16]) == (2, 200, "4311632dde673df2")
