"""Measure what keypoints cost, step by step, beside other extractors and ImageHash's own.

    python benchmarks/keypoints.py FOLDER [--photos N] [--rounds N]

FOLDER holds photos. All is done on one core, from the decoded picture: grey and reduced to 400
pixels, keypoints, codes or descriptors. The ways take turns at each photo; of the rounds the
quickest counts, and of the photos the median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import imagehash
import numpy as np
from PIL import Image
from results import record

from hashlens.crops import extract, keypoints

COMMAND = "python benchmarks/keypoints.py FOLDER"
OURS = "hashlens, 400 px, 200 keypoints and a thumbnail"
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
    """Return what detects and describes by an extractor of OpenCV's."""

    def described(image: Image.Image) -> None:
        extractor.detectAndCompute(reduced(image), None)

    return described


def steps(images: list[Image.Image]) -> dict[str, float]:
    """Return the median milliseconds of our steps."""
    taken: dict[str, list[float]] = {name: [] for name in STEPS}
    original = {name: getattr(extract, name) for name in STEPS}

    def timed(name: str) -> Callable[..., object]:
        def step(*args: object, **more: object) -> object:
            began = time.perf_counter()
            result = original[name](*args, **more)
            spent[name] += time.perf_counter() - began
            return result

        return step

    spent = dict.fromkeys(STEPS, 0.0)
    for name in STEPS:
        setattr(extract, name, timed(name))
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


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(asked.folder.rglob("*.jpg"))
    paths = paths[:: max(1, len(paths) // asked.photos)][: asked.photos]
    images = [Image.open(path).convert("RGB") for path in paths]
    ways: dict[str, Callable[[Image.Image], object]] = {
        OURS: ours,
        QUERY: query,
        "SIFT of OpenCV, as shipped": described_by(cv2.SIFT_create()),
        "SIFT of OpenCV, contrast 0.005": described_by(cv2.SIFT_create(0, 3, 0.005, 10, 1.6)),
        "SIFT of OpenCV, the 300 strongest": described_by(cv2.SIFT_create(300)),
    }
    for name in ("ORB_create", "AKAZE_create"):
        create = getattr(cv2, name, None) or getattr(getattr(cv2, "xfeatures2d", None), name, None)
        if create:
            ways[f"{name.split('_')[0]} of OpenCV, as shipped"] = described_by(create())
    slow = "ImageHash's crop_resistant_hash, of the whole picture"
    ways[slow] = imagehash.crop_resistant_hash
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for image in images:
        best = dict.fromkeys(ways, float("inf"))
        for number in range(asked.rounds):
            for name, way in ways.items():
                if name == slow and number:
                    continue
                began = time.perf_counter()
                way(image)
                best[name] = min(best[name], time.perf_counter() - began)
        for name in ways:
            taken[name].append(best[name])
    milliseconds = {name: statistics.median(found) * 1000 for name, found in taken.items()}
    lines = [
        f"{len(images)} photos, one core, OpenCV {cv2.__version__}, without decoding.",
        "",
        "| | ms a picture | hashlens is sooner |",
        "|---|---|---|",
        *(
            f"| {name} | {found:.1f} | {found / milliseconds[OURS]:.1f} x |"
            for name, found in milliseconds.items()
        ),
        "",
        "| step | ms |",
        "|---|---|",
        *(f"| {STEPS[name]} | {found:.2f} |" for name, found in steps(images).items()),
    ]
    record("Keypoints: what they cost", COMMAND, "\n".join(lines))


if __name__ == "__main__":
    main()
