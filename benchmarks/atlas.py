"""Measure how long a map of 10,000 images takes, and whether near-duplicates lie near each other.

    python benchmarks/atlas.py PHOTOS [--images N] [--keep MAP.png] [--dry]

PHOTOS holds photos. Each photo is made into pictures: the photo, and parts of it. Each picture is
written as JPEG in four versions: as it is, brighter, halved, and with its edges cut off.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance
from results import Page, table
from runs import options
from scipy.spatial import cKDTree
from timing import timed

from hashlens import hash_files
from hashlens.report.layout import layout
from hashlens.report.map import save_atlas

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
    """Return a part of a photo, about half as wide and high."""
    width, height = (round(side * pick.uniform(0.4, 0.6)) for side in image.size)
    left, top = pick.randrange(image.width - width), pick.randrange(image.height - height)
    return image.crop((left, top, left + width, top + height))


def write(folder: Path, parts: int, photo: Path) -> None:
    """Write the pictures of a photo, in all versions."""
    pick = random.Random(photo.name)
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    for number in range(parts):
        picture = part(image, pick) if number else image
        for version, (made, quality) in enumerate(zip(versions(picture), QUALITIES, strict=True)):
            made.save(folder / f"{photo.stem}-{number}-{version}.jpg", quality=quality)


def together(paths: list[str], points: Any) -> float:
    """Return the share of the other versions of a picture that are among its nearest on the map."""
    families = np.unique([path.rpartition("-")[0] for path in paths], return_inverse=True)[1]
    near = cKDTree(points).query(points, NEIGHBOURS + VERSIONS)[1].tolist()
    # Pictures at the very same point come first, in any order, the picture itself among them.
    others = [[other for other in row if other != own] for own, row in enumerate(near)]
    nearest = np.array([row[:NEIGHBOURS] for row in others])
    return float((families[nearest] == families[:, None]).sum() / (VERSIONS - 1) / len(paths))


def measured(folder: Path, keep: Path | None) -> tuple[str, str]:
    """Hash a folder, lay it out and draw it; return text and ratios."""
    hashing, rows = timed(lambda: [row for row in hash_files(folder) if "skipped" not in row])
    paths = [row["path"] for row in rows]
    fingerprints = [row["perceptual"] for row in rows]
    laying, points = timed(lambda: layout(fingerprints))
    sheet = folder / "map.png"
    drawing, skipped = timed(lambda: save_atlas(sheet, folder / "map.csv", paths, points))
    assert not skipped
    assert np.array_equal(points, layout(fingerprints))
    if keep:
        shutil.copy(sheet, keep)
    head = ("images", "distinct fingerprints", "hashing, s", "layout, s", "drawing, s", "all, s")
    whole = hashing + laying + drawing
    cells = (
        *(f"{len(paths):,}", f"{len(set(fingerprints)):,}"),
        *(f"{seconds:.1f}" for seconds in (hashing, laying, drawing, whole)),
    )
    near = f"{100 * together(paths, points):.1f} %"
    text = (
        "Pictures of the photos and of parts of them, each in four versions (as it is, brighter, "
        "halved, edges cut off). *Drawing* is a sheet of 4000 x 3000 pixels, saved as PNG, and the "
        "CSV. A second layout was the same, bit by bit. Target: a minute.\n\n"
        f"{table(head, [cells])}\n\nOf the other versions of a picture, {near} are "
        f"among the {NEIGHBOURS} nearest to it on the map."
    )
    return text, f"{len(paths):,} images in {whole:.1f} s"


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--images", type=int, default=10_000, help="pictures to make, about")
    parser.add_argument("--keep", type=Path, help="copy the map to this file")
    given = parser.parse_args()
    photos = sorted(path for path in given.folder.iterdir() if path.is_file())
    parts = -(-given.images // (VERSIONS * len(photos)))
    photos = photos[: -(-given.images // (VERSIONS * parts))]
    with tempfile.TemporaryDirectory() as home, ProcessPoolExecutor() as pool:
        list(pool.map(partial(write, Path(home), parts), photos))
        text, ratios = measured(Path(home), given.keep)
    Page("map", COMMAND, given.dry).publish("Many images", text, ratios)


if __name__ == "__main__":
    main()
