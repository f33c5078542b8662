from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from drawing import draw
from hashlens import ImageError, ParameterError, PerceptualHash
from hashlens.report.bits import GAP, draw_hash

SQUARE = {
    "average": imagehash.average_hash,
    "perceptual": imagehash.phash,
    "perceptual-simple": imagehash.phash_simple,
    "difference": imagehash.dhash,
    "difference-vertical": imagehash.dhash_vertical,
    "wavelet": imagehash.whash,
}
PICTURES = [draw(seed, size) for seed, size in enumerate([(300, 200), (120, 310), (64, 64)])]


def cells(drawn, left, cell, shape, tall=None):
    """Return the colours in the middle of cells whose frame begins at `left`."""
    tall = tall or cell
    pixels = np.asarray(drawn)
    rows = GAP + 1 + tall * np.arange(shape[0]) + tall // 2
    columns = left + 1 + cell * np.arange(shape[1]) + cell // 2
    found = pixels[np.ix_(rows, columns)]
    assert set(np.unique(found)) <= {0, 255}
    return found[:, :, 0] == 255


def small_width(image, side):
    return max(1, round(image.width * side / max(image.size)))


@pytest.mark.parametrize("algorithm", SQUARE)
@pytest.mark.parametrize("hash_size", [8, 16])
def test_cells_are_the_bits_of_imagehash(algorithm, hash_size):
    for image in PICTURES:
        drawn = draw_hash(image, algorithm=algorithm, hash_size=hash_size)
        left = 2 * GAP + small_width(image, 256)
        expected = SQUARE[algorithm](image, hash_size=hash_size).hash
        shown = cells(drawn, left, 256 // hash_size, expected.shape)
        assert (shown == expected).all()


@given(st.integers(0, 99), st.sampled_from(sorted(SQUARE)), st.sampled_from([2, 4, 8]))
def test_cells_are_the_bits_of_imagehash_for_any_picture(seed, algorithm, hash_size):
    image = draw(seed)
    drawn = draw_hash(image, algorithm=algorithm, hash_size=hash_size, side=64)
    expected = SQUARE[algorithm](image, hash_size=hash_size).hash
    shown = cells(drawn, 2 * GAP + 64, 64 // hash_size, expected.shape)
    assert (shown == expected).all()


@pytest.mark.parametrize("binbits", [3, 5])
def test_the_bits_of_colors_are_a_row(binbits):
    image = PICTURES[0]
    drawn = draw_hash(image, algorithm="color", binbits=binbits)
    expected = imagehash.colorhash(image, binbits=binbits).hash.reshape(1, -1)
    cell = 256 // expected.size
    shown = cells(drawn, 2 * GAP + 256, cell, expected.shape, tall=256 // 8)
    assert (shown == expected).all()


def test_each_segment_has_its_cells():
    image = PICTURES[0]
    segments = imagehash.crop_resistant_hash(image, min_segment_size=200).segment_hashes
    drawn = draw_hash(image, algorithm="crop-resistant", min_segment_size=200)
    assert len(segments) > 1
    for number, segment in enumerate(segments):
        left = 2 * GAP + 256 + number * (256 + 2 + GAP)
        assert (cells(drawn, left, 32, (8, 8)) == segment.hash).all()


def test_the_image_is_beside_the_bits(tmp_path):
    path = tmp_path / "picture.png"
    PICTURES[0].save(path)
    drawn = draw_hash(path, side=150)
    shown = drawn.crop((GAP, GAP, GAP + 150, GAP + 100))
    apart = np.asarray(shown, int) - np.asarray(PICTURES[0].resize((150, 100)), int)
    assert abs(apart).mean() < 3
    assert drawn.mode == "RGB"
    with open(path, "rb") as file:
        for source in (str(path), path.read_bytes(), file, np.asarray(PICTURES[0])):
            assert draw_hash(source, side=150).tobytes() == drawn.tobytes()


def test_the_hash_is_below_however_long():
    for hash_size in (4, 8, 32):
        drawn = draw_hash(PICTURES[1], hash_size=hash_size, side=64)
        other = draw_hash(ImageOps.mirror(PICTURES[1]), hash_size=hash_size, side=64)
        pixels, below = np.asarray(drawn), GAP + 66 + GAP
        assert (pixels[below:] < 128).any()
        assert (pixels[below:] != np.asarray(other)[below:]).any()
        assert (pixels[:, -4:] == 255).all()
    digits = len(PerceptualHash("perceptual", hash_size=32)(PICTURES[1]))
    assert drawn.height > below + digits // 20 * 14


def test_more_bits_than_pixels_are_drawn_all():
    drawn = draw_hash(draw(0), side=16, hash_size=32)
    expected = imagehash.phash(draw(0), hash_size=32).hash
    assert (cells(drawn, 2 * GAP + 16, 1, (32, 32)) == expected).all()


def test_a_picture_is_hashed_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(3, (300, 200)).save(tmp_path / "turned.png", exif=exif)
    drawn = draw_hash(tmp_path / "turned.png")
    turned = draw(3, (300, 200)).transpose(Image.Transpose.ROTATE_270)
    assert drawn.tobytes() == draw_hash(turned).tobytes()


def test_what_is_unknown_or_out_of_range_is_an_error(tmp_path):
    with pytest.raises(ParameterError, match="unknown algorithm 'best'; known are average"):
        draw_hash(draw(0), algorithm="best")
    with pytest.raises(ParameterError, match="no parameter 'size'"):
        draw_hash(draw(0), size=8)
    for side in (15, 5000, 64.0, True):
        with pytest.raises(ParameterError, match="side must be a whole number 16 to 4096"):
            draw_hash(draw(0), side=side)
    with pytest.raises(ImageError, match="No such file"):
        draw_hash(tmp_path / "gone.png")
