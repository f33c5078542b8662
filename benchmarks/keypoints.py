"""Measure what keypoints cost, step by step, beside other extractors and ImageHash's own.

    python benchmarks/keypoints.py FOLDER [--photos N] [--rounds N] [--dry]

FOLDER holds photos. All ways run on one core, from the decoded picture: grey and reduced to 400
pixels, keypoints, codes or descriptors. The ways take turns at each photo. The quickest of the
rounds counts, and the median of the photos.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import imagehash
import numpy as np
from PIL import Image
from results import Page, ratio, table
from runs import options
from timing import in_turns, seconds_of, timed

from hashlens.crops import extract, keypoints

COMMAND = "python benchmarks/keypoints.py FOLDER"
OURS = "hashlens, 400 px, 200 keypoints and a thumbnail"
SLOW = "ImageHash's crop_resistant_hash, of the whole picture"
SIFT = "SIFT of OpenCV, as shipped"
QUERY = "hashlens, the same photos as queries: 800 px at most, 500 keypoints"
STEPS = {
    "frame": "grey, 400 px",
    "scale_space": "levels and their differences",
    "find_extrema": "extrema, localized",
    "_places": "places and scales",
    "_ranked": "the choice of 200",
    "orientations": "orientations, with their patches",
    "hash_patches": "codes, with their patches",
    "thumbnail": "thumbnail",
}


def reduced(image: Image.Image) -> np.ndarray:
    """Return the picture for the other extractors."""
    return extract.frame(image)


def ours(image: Image.Image) -> None:
    """Extract as for an index."""
    extract.extract(extract.frame(image), image.size)


def query(image: Image.Image) -> None:
    """Extract as for a query."""
    frame = extract.frame(image, None, keypoints.QUERY_SIDE)
    extract.extract(frame, image.size, keypoints.QUERY_KEYPOINTS)


def described_by(extractor: cv2.Feature2D) -> Callable[[Image.Image], None]:
    """Return a way that detects and describes by an extractor of OpenCV."""

    def described(image: Image.Image) -> None:
        extractor.detectAndCompute(reduced(image), None)

    return described


def steps(images: list[Image.Image]) -> dict[str, float]:
    """Return the median milliseconds of the steps of hashlens."""
    taken: dict[str, list[float]] = {name: [] for name in STEPS}
    original = {name: getattr(extract, name) for name in STEPS}

    def watched(name: str) -> Callable[..., object]:
        def step(*args: object, **more: object) -> object:
            seconds, result = timed(partial(original[name], *args, **more))
            spent[name] += seconds
            return result

        return step

    spent = dict.fromkeys(STEPS, 0.0)
    for name in STEPS:
        setattr(extract, name, watched(name))
    for image in images:
        best = dict.fromkeys(STEPS, float("inf"))
        for _ in range(5):
            spent.update(dict.fromkeys(STEPS, 0.0))
            ours(image)
            best = {name: min(best[name], spent[name]) for name in STEPS}
        for name in STEPS:
            taken[name].append(best[name])
    for name, function in original.items():
        setattr(extract, name, function)
    return {name: statistics.median(found) * 1000 for name, found in taken.items()}


def others() -> dict[str, Callable[[Image.Image], object]]:
    """Return the other extractors of this OpenCV."""
    found: dict[str, Callable[[Image.Image], object]] = {
        SIFT: described_by(cv2.SIFT_create()),
        "SIFT of OpenCV, contrast 0.005": described_by(cv2.SIFT_create(0, 3, 0.005, 10, 1.6)),
        "SIFT of OpenCV, the 300 strongest": described_by(cv2.SIFT_create(300)),
    }
    for name in ("ORB_create", "AKAZE_create"):
        create = getattr(cv2, name, None) or getattr(getattr(cv2, "xfeatures2d", None), name, None)
        if create:
            found[f"{name.split('_')[0]} of OpenCV, as shipped"] = described_by(create())
    return found


def measured(images: list[Image.Image], rounds: int) -> dict[str, float]:
    """Return the milliseconds of each way: the quickest of the rounds, the median of the photos."""
    ways = {OURS: ours, QUERY: query, **others()}
    best: dict[str, list[float]] = {name: [] for name in (*ways, SLOW)}
    for image in images:
        calls = {name: seconds_of(partial(way, image)) for name, way in ways.items()}
        slow = {SLOW: seconds_of(partial(imagehash.crop_resistant_hash, image))}
        for name, seconds in (in_turns(calls, rounds) | in_turns(slow, 1)).items():
            best[name].append(min(seconds))
    return {name: statistics.median(seconds) * 1000 for name, seconds in best.items()}


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--photos", type=int, default=40, help="at most")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(asked.folder.rglob("*.jpg"))
    paths = paths[:: max(1, len(paths) // asked.photos)][: asked.photos]
    images = [Image.open(path).convert("RGB") for path in paths]
    found = measured(images, asked.rounds)
    parts = [
        f"{len(images)} photos, one core, OpenCV {cv2.__version__}, without decoding.",
        table(
            ("", "ms a picture", "hashlens is sooner"),
            [(name, f"{each:.1f}", ratio(each, found[OURS])) for name, each in found.items()],
        ),
        table(
            ("step", "ms"),
            [(STEPS[name], f"{each:.2f}") for name, each in steps(images).items()],
        ),
    ]
    short = (
        f"hashlens {found[OURS]:.1f} ms a picture: {SIFT} {ratio(found[SIFT], found[OURS])}; "
        f"ImageHash's crop_resistant_hash {ratio(found[SLOW], found[OURS])}"
    )
    page = Page("keypoints", COMMAND, asked.dry)
    page.publish("What they cost", "\n\n".join(parts), short)


if __name__ == "__main__":
    main()
