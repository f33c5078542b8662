"""Measure hashing on one core, within this process, beside the decoding of the JPEGs alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it

import imagehash
import simplejpeg
from PIL import Image
from results import Page, ratio, table
from timing import in_turns, medians, seconds_of

from hashlens import PerceptualHash
from hashlens.hashing.hasher import Hasher
from hashlens.images import jpeg_draft

BATCH = 256  # images that are hashed at once
CROP_RESISTANT = 20  # photos
FLOOR = "floor: simplejpeg, grey, an eighth, no hash"
QUICKEST = "hashlens, fast, with simplejpeg"
IMAGEHASH = "ImageHash loop"

Paths = list[str]


def one_core(folders: dict[str, Path], page: Page, rounds: int) -> None:
    """Measure the ways to hash each folder, and several hashes of the first."""
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    found = {what: sorted(map(str, folder.rglob("*.jpg"))) for what, folder in folders.items()}
    tables, short = [], []
    for what, paths in found.items():
        times = taken(ways(), paths, rounds)
        floor, naive = times[FLOOR], times[IMAGEHASH]
        rows = [
            (
                *(name, f"{seconds / len(paths) * 1000:.3f}"),
                *(f"{floor / seconds:.0%}", ratio(naive, seconds)),
            )
            for name, seconds in times.items()
        ]
        tables.append(
            table((what, "ms an image", "of the floor's speed", "of ImageHash's speed"), rows)
        )
        quickest = times[QUICKEST]
        short.append(
            f"{what}: {IMAGEHASH} {ratio(naive, quickest)}, "
            f"hashlens at {floor / quickest:.0%} of the floor's speed"
        )
    first = next(iter(found.values()))
    parts = ["`perceptual`, one core, one process, warm.", *tables]
    parts += [several(first, rounds), crop_resistant(first)]
    page.publish("One core", "\n\n".join(parts), "; ".join(short))


def ways() -> dict[str, Callable[[Paths], object]]:
    """Return the ways to hash."""
    return {
        FLOOR: decoded,
        QUICKEST: partial(in_batches, Hasher((PerceptualHash(),), "fast"), True),
        "hashlens, fast, Pillow alone": partial(
            in_batches, Hasher((PerceptualHash(),), "fast"), False
        ),
        "hashlens, exact": partial(in_batches, Hasher((PerceptualHash(),), "exact"), False),
        IMAGEHASH: by_imagehash,
    }


def decoded(paths: Paths) -> None:
    """Decode only, as fast as simplejpeg can."""
    for path in paths:
        data = Path(path).read_bytes()
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)


def by_imagehash(paths: Paths) -> None:
    """Hash by a loop over ImageHash."""
    for path in paths:
        str(imagehash.phash(Image.open(path)))


def in_batches(hasher: Hasher, with_simplejpeg: bool, paths: Paths) -> None:
    """Hash in batches, with simplejpeg or with Pillow alone."""
    jpeg_draft._simplejpeg = simplejpeg if with_simplejpeg else None
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        hasher.fingerprints([hasher.samples(hasher.decode(path)) for path in batch])


def several(paths: Paths, rounds: int) -> str:
    """Measure several hashes from one decode."""
    perceptual, average, difference, vertical = (
        PerceptualHash(name)
        for name in ("perceptual", "average", "difference", "difference-vertical")
    )
    wavelet, color = PerceptualHash("wavelet", image_scale=64), PerceptualHash("color")
    sets: dict[str, Sequence[PerceptualHash]] = {
        "perceptual": [perceptual],
        "difference": [difference],
        "perceptual, average, difference, difference-vertical, wavelet": [
            *(perceptual, average, difference, vertical, wavelet)
        ],
        "color": [color],
        "perceptual, average, difference, wavelet, color": [
            *(perceptual, average, difference, wavelet, color)
        ],
    }
    # The single hash that needs the same decode.
    alike = dict(
        zip(sets, ("perceptual", "difference", "difference", "color", "color"), strict=True)
    )
    times = taken(
        {name: partial(in_batches, Hasher(tuple(hashes)), True) for name, hashes in sets.items()},
        paths,
        rounds,
    )
    rows = [
        (
            *(name, f"{seconds / len(paths) * 1000:.3f}"),
            f"{ratio(seconds, times[alike[name]])} ({alike[name]})",
        )
        for name, seconds in times.items()
    ]
    head = "hashes from one decode, fast, small", "ms an image", "of one from the same decode"
    return table(head, rows)


def crop_resistant(paths: Paths) -> str:
    """Measure crop-resistant hashes of decoded photos."""
    images = [Image.open(path).convert("RGB") for path in paths[:CROP_RESISTANT]]
    ours = PerceptualHash("crop-resistant")

    def by_imagehash() -> list[str]:
        return [str(imagehash.crop_resistant_hash(image)) for image in images]

    def by_hashlens() -> list[str]:
        return [ours(image) for image in images]

    assert by_imagehash() == by_hashlens()
    both = {"theirs": seconds_of(by_imagehash), "ours": seconds_of(by_hashlens)}
    times = medians(in_turns(both, 3, warm_up=1))
    return (
        f"crop-resistant after decoding, {len(images)} photos, equal strings: "
        f"ImageHash {times['theirs'] / len(images) * 1000:.0f} ms, "
        f"hashlens {times['ours'] / len(images) * 1000:.1f} ms: "
        f"{ratio(times['theirs'], times['ours'])}."
    )


def taken(
    ways: dict[str, Callable[[Paths], object]], paths: Paths, rounds: int
) -> dict[str, float]:
    """Return the median seconds of each way; they take turns, after a round to warm up."""
    calls = {name: seconds_of(partial(way, paths)) for name, way in ways.items()}
    return medians(in_turns(calls, rounds, warm_up=1))
