"""The frames of a file: counted, sampled, and part of the digest of its pixels."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from drawing import SEVERAL, draw, sequence
from hashlens.errors import ImageError
from hashlens.images.digests import pixel_digest
from hashlens.images.frames import FIRST, SAMPLED, Frames, sampled


@pytest.mark.parametrize("kind", SEVERAL)
def test_are_counted_and_loaded_one_by_one(kind):
    frames = Frames(sequence(kind, 1, 2, 3))
    assert len(frames) == 3
    shown = [frames.load(number).convert("RGB").copy() for number in range(3)]
    for number, image in enumerate(shown):
        near = [_difference(image, draw(seed, (48, 32))) for seed in (1, 2, 3)]
        assert near.index(min(near)) == number


def _difference(one, other):
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs)


def test_previews_of_an_mpo_and_a_given_image_are_no_further_frames():
    small = draw(2, (24, 16))
    file = BytesIO()
    draw(1, (48, 32)).save(file, "MPO", save_all=True, append_images=[small, draw(3, (48, 32))])
    assert len(Frames(file.getvalue())) == 2
    image = Image.open(BytesIO(sequence("GIF", 1, 2)))
    image.seek(1)
    assert len(Frames(image)) == 1
    assert image.tell() == 1


def test_sizes_of_an_icon_are_frames():
    file = BytesIO()
    draw(1, (64, 64)).save(file, "ICO", sizes=[(16, 16), (32, 32), (64, 64)])
    frames = Frames(file.getvalue())
    assert {frames.load(number).size for number in range(len(frames))} == {
        *((16, 16), (32, 32), (64, 64))
    }


@pytest.mark.parametrize("kind", SEVERAL)
def test_the_digest_of_pixels_covers_all(kind):
    one, same, other = sequence(kind, 1, 2, 3), sequence(kind, 1, 2, 3), sequence(kind, 1, 2, 4)
    assert pixel_digest(one) == pixel_digest(same) != pixel_digest(other)
    assert pixel_digest(one) != pixel_digest(sequence(kind, 1, 2))
    assert pixel_digest(sequence(kind, 1)) != pixel_digest(sequence(kind, 1, 2))


def test_the_digest_of_one_frame_is_that_of_any_format():
    assert pixel_digest(sequence("TIFF", 1)) == pixel_digest(sequence("PNG", 1))
    assert pixel_digest(sequence("TIFF", 1)) == pixel_digest(draw(1, (48, 32)))


def test_all_are_sampled_or_some_spread_with_both_ends():
    assert sampled(1) == [0]
    assert sampled(SAMPLED) == list(range(SAMPLED))
    for count in (SAMPLED + 1, 100, FIRST, FIRST + 1, 10**6):
        numbers = sampled(count)
        assert len(set(numbers)) == SAMPLED
        assert numbers == sorted(numbers)
        assert (numbers[0], numbers[-1]) == (0, min(count, FIRST) - 1)


def test_one_that_cannot_be_read_is_named():
    data = sequence("GIF", 1, 2)
    with pytest.raises(ImageError, match="frame 2"):
        pixel_digest(data[: len(data) * 3 // 4])
