"""From an image to its sample: the few bytes from which kernels make bits, many at a time.

Samples are made where images are decoded, in worker processes. Grey hashes and `color` need only
Pillow for them, which loads in a fraction of numpy's time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageFilter

if TYPE_CHECKING:
    from hashlens.images.pixels import Box

INFORMATION_SIDE = 32
# The hue bins of ImageHash's colorhash: numpy's linspace(0, 255, 7), in whole numbers.
HUE_BINS = ((0, 43), (43, 85), (85, 128), (128, 170), (170, 213), (213, 256))


def grey(image: Image.Image, box: Box | None, width: int, height: int) -> bytes:
    """Return the grey pixels of an image at another size."""
    if image.mode != "L":
        image = image.convert("L")
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box).tobytes()


def information(image: Image.Image, box: Box | None) -> bytes:
    """Return the sample of the information score."""
    return grey(image, box, INFORMATION_SIDE, INFORMATION_SIDE)


def average(image: Image.Image, box: Box | None, hash_size: int) -> bytes:
    """Return one grey pixel per bit."""
    return grey(image, box, hash_size, hash_size)


def perceptual(image: Image.Image, box: Box | None, hash_size: int, highfreq_factor: int) -> bytes:
    """Return the grey square that is transformed."""
    side = hash_size * highfreq_factor
    return grey(image, box, side, side)


def difference(image: Image.Image, box: Box | None, hash_size: int) -> bytes:
    """Return one grey pixel per bit, and one more column."""
    return grey(image, box, hash_size + 1, hash_size)


def difference_vertical(image: Image.Image, box: Box | None, hash_size: int) -> bytes:
    """Return one grey pixel per bit, and one more row."""
    return grey(image, box, hash_size, hash_size + 1)


def wavelet(
    image: Image.Image,
    box: Box | None,
    hash_size: int,
    image_scale: int | None,
    mode: str,
    remove_max_haar_ll: bool,
) -> bytes:
    """Return the bits, one per byte, since they are made of far more pixels than other bits."""
    import numpy as np  # noqa: PLC0415  see the module

    from hashlens.hashing.kernels import wavelet_bits  # noqa: PLC0415

    side = image_scale or max(1 << (min(image.size).bit_length() - 1), hash_size)
    pixels = np.frombuffer(grey(image, box, side, side), np.uint8).reshape(1, side, side)
    return wavelet_bits(pixels, hash_size, mode, remove_max_haar_ll).tobytes()


def color(image: Image.Image, _box: Box | None, binbits: int) -> bytes:  # noqa: ARG001
    """Return 16 counts of pixels: black, grey, coloured, all; faint and bright by hue, 6 each."""
    intensity = image.convert("L")
    hue, saturation, _ = image.convert("HSV").split()
    black = intensity.histogram()[: 256 // 8]
    light = intensity.point([0] * (256 // 8) + [255] * (256 - 256 // 8))
    saturations = saturation.histogram(light)
    low, high = 256 // 3, 256 * 2 // 3  # a saturation of just `high` is neither faint nor bright
    counts = [
        sum(black),
        sum(saturations[:low]),
        sum(saturations[low:]),
        image.width * image.height,
    ]
    for start, stop in ((low, high), (high + 1, 256)):
        mask = saturation.point([255 * (start <= value < stop) for value in range(256)])
        hues = hue.histogram(ImageChops.darker(light, mask))
        counts += [sum(hues[first:last]) for first, last in HUE_BINS]
    return struct.pack("16q", *counts)


def crop_resistant(
    image: Image.Image,
    box: Box | None,
    hash_size: int,
    limit_segments: int | None,
    segment_threshold: int,
    min_segment_size: int,
    segmentation_image_size: int,
) -> bytes:
    """Return the samples of the difference hashes of all bright and dark segments, in order.

    The segments equal ImageHash's, after Steinebach et al., "Efficient Cropping-Resistant Robust
    Image Hashing" (doi:10.1109/ARES.2014.85). They are found by labelling connected components.
    """
    from hashlens.hashing.segments import segments  # noqa: PLC0415  loads scipy

    side = segmentation_image_size
    image = image.convert("L")
    small = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    small = small.filter(ImageFilter.GaussianBlur()).filter(ImageFilter.MedianFilter())
    across, down = image.width / side, image.height / side
    parts = []
    for left, top, right, bottom in segments(
        small, segment_threshold, min_segment_size, limit_segments
    ):
        part = image.crop((left * across, top * down, right * across, bottom * down))
        parts.append(difference(part, None, hash_size))
    return b"".join(parts)


SAMPLES: dict[str, Callable[..., bytes]] = {
    "average": average,
    "perceptual": perceptual,
    "perceptual-simple": perceptual,
    "perceptual-signs": perceptual,
    "difference": difference,
    "difference-vertical": difference_vertical,
    "wavelet": wavelet,
    "color": color,
    "crop-resistant": crop_resistant,
}
