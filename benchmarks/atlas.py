"""Measure how long it takes to draw a map of 10,000 images, and whether like lies beside like.

    python benchmarks/atlas.py PHOTOS [--images N] [--keep MAP.png] [--dry]

PHOTOS holds photos. Of each are made pictures (the photo, and parts of it) and of each picture four
versions: as it is, brighter, halved, and with its edges cut off, all written as JPEG.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance
from results import printed, record
from scipy.spatial import cKDTree

from hashlens import hash_files
from hashlens.report.layout import layout
from hashlens.report.map import save_atlas

TITLE = "A map of many images"
COMMAND = "python benchmarks/atlas.py PHOTOS"
VERSIONS = 4
QUALITIES = (90, 80, 60, 40)
NEIGHBOURS = 10


def versions(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield a picture and near-duplicates of it."""
    across, down = (max(1, side // 50) for side in picture.size)
    yield picture
    yield ImageEnhance.Brightness(picture).enhance(1.2)
    yield picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
    yield picture.crop((across, down, picture.width - across, picture.height - down))


def part(image: Image.Image, pick: random.Random) -> Image.Image:
    """Return a part of a photo, half as wide and high, about."""
    width, height = (round(side * pick.uniform(0.4, 0.6)) for side in image.size)
    left, top = pick.randrange(image.width - width), pick.randrange(image.height - height)
    return image.crop((left, top, left + width, top + height))


def write(folder: Path, parts: int, photo: Path) -> None:
    """Write the pictures that are made of a photo, in all versions."""
    pick = random.Random(photo.name)
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    for number in range(parts):
        picture = part(image, pick) if number else image
        for version, (made, quality) in enumerate(zip(versions(picture), QUALITIES, strict=True)):
            made.save(folder / f"{photo.stem}-{number}-{version}.jpg", quality=quality)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call gives, and its seconds."""
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def together(paths: list[str], points: Any) -> float:
    """Return the share of versions that are among the nearest of a picture on the map."""
    families = np.unique([path.rpartition("-")[0] for path in paths], return_inverse=True)[1]
    near = cKDTree(points).query(points, NEIGHBOURS + VERSIONS)[1].tolist()
    # Those at the very same point come first in any order: the picture itself is one of them.
    others = [[other for other in row if other != own] for own, row in enumerate(near)]
    nearest = np.array([row[:NEIGHBOURS] for row in others])
    return float((families[nearest] == families[:, None]).sum() / (VERSIONS - 1) / len(paths))


def told(folder: Path, keep: Path | None) -> str:
    """Hash a folder, lay it out and draw it; return the figures."""
    rows, hashing = timed(lambda: [row for row in hash_files(folder) if "skipped" not in row])
    paths = [row["path"] for row in rows]
    fingerprints = [row["perceptual"] for row in rows]
    points, laying = timed(lambda: layout(fingerprints))
    sheet = folder / "map.png"
    skipped, drawing = timed(lambda: save_atlas(sheet, folder / "map.csv", paths, points))
    assert not skipped
    assert np.array_equal(points, layout(fingerprints))
    if keep:
        shutil.copy(sheet, keep)
    head = ("images", "distinct fingerprints", "hashing, s", "layout, s", "drawing, s", "all, s")
    cells = (
        *(f"{len(paths):,}", f"{len(set(fingerprints)):,}"),
        *(f"{seconds:.1f}" for seconds in (hashing, laying, drawing, hashing + laying + drawing)),
    )
    table = [head, ("---",) * len(head), cells]
    return (
        "Pictures of the photos and of parts of them, each in four versions (as it is, brighter, "
        "halved, edges cut off). *Drawing* is a sheet of 4000 x 3000 pixels, saved as PNG, and the "
        "CSV. A second layout was the same, bit by bit. Target: a minute.\n\n"
        + "\n".join(f"| {' | '.join(row)} |" for row in table)
        + f"\n\nOf the other versions of a picture, {100 * together(paths, points):.1f} % are "
        f"among the {NEIGHBOURS} nearest to it on the map."
    )


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="copy the map to this file")
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    photos = sorted(path for path in given.folder.iterdir() if path.is_file())
    parts = -(-given.images // (VERSIONS * len(photos)))
    photos = photos[: -(-given.images // (VERSIONS * parts))]
    with tempfile.TemporaryDirectory() as home, ProcessPoolExecutor() as pool:
        list(pool.map(partial(write, Path(home), parts), photos))
        text = told(Path(home), given.keep)
    (printed if given.dry else record)(TITLE, COMMAND, text)


if __name__ == "__main__":
    main()
