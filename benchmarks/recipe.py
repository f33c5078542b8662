"""Measure recall and precision by the recipe that imagededup publishes.

    python benchmarks/recipe.py FOLDER [--photos N] [--searched N] [--dry]

Each photo of the folder has six variants, as JPEG of quality 95: the photo, the middle with 87.5 %
of its width and height, left and right exchanged, top and bottom exchanged, turned by 25 degrees in
a frame of the same size, and resized to a square. All pairs of variants of one photo are right, all
other pairs are wrong: the photos of the folder are taken to be of different scenes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageOps
from results import Page, table, verdict
from runs import options

from hashlens import ImageIndex
from hashlens.images.walk import find_images

COMMAND = "python benchmarks/recipe.py FOLDER"
RECALL, PRECISION = 0.97, 0.998
CROP = 0.875
DEGREES = 25
LIMIT = 20  # matches of a search

Pairs = set[frozenset[str]]


def cropped(image: Image.Image) -> Image.Image:
    """Return the middle of an image."""
    left, top = (round(side * (1 - CROP) / 2) for side in image.size)
    return image.crop((left, top, image.width - left, image.height - top))


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "photo": lambda image: image,
    "crop": cropped,
    "mirrored": ImageOps.mirror,
    "flipped": ImageOps.flip,
    "turned": lambda image: image.rotate(DEGREES, Image.Resampling.BICUBIC),
    "square": lambda image: image.resize((min(image.size),) * 2, Image.Resampling.LANCZOS),
}


def write_variants(photos: list[str], folder: Path) -> None:
    """Write the variants of each photo: NUMBER-VARIANT.jpg."""
    for number, path in enumerate(photos):
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        for name, change in VARIANTS.items():
            change(image).save(folder / f"{number}-{name}.jpg", quality=95)


def by_hash(index: ImageIndex, *, turned: bool) -> Pairs:
    """Return the pairs whose fingerprints are within the bound of groups."""
    found = index.groups(turned=turned).pairs()
    return {frozenset((pair.first, pair.second)) for pair in found}


def by_links(index: ImageIndex) -> Pairs:
    """Return the pairs of fingerprints, and the links: pictures that show a part of another."""
    groups = index.groups(turned=True, crops=True)
    links = {frozenset((link.part.path, link.whole.path)) for link in groups.links}
    return links | {frozenset((pair.first, pair.second)) for pair in groups.pairs()}


def by_search(index: ImageIndex, paths: list[str]) -> Pairs:
    """Return each picture with the matches that a search for it finds, except the nearest."""
    return {
        frozenset((path, match.path))
        for path in paths
        for match in index.search(path, limit=LIMIT, max_distance="auto", crops=True)
        if match.path != path
    }


def parts_of(pair: frozenset[str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return number of the photo, and variant, of both files."""
    first, second = (tuple(Path(path).stem.split("-")) for path in sorted(pair))
    return (first[0], first[1]), (second[0], second[1])


def scored(found: Pairs, right: Pairs) -> tuple[float, float]:
    """Return recall and precision."""
    hits = len(found & right)
    return hits / len(right), hits / len(found) if found else 1.0


def missed(found: Pairs, right: Pairs) -> Iterator[tuple[str, str, int]]:
    """Yield pairs of variants, and how many were missed, the most first."""
    names = list(VARIANTS)
    count: Counter[tuple[str, ...]] = Counter()
    for pair in right - found:
        (_, first), (_, second) = parts_of(pair)
        count[tuple(sorted((first, second), key=names.index))] += 1
    for (one, other), times in count.most_common():
        yield one, other, times


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--photos", type=int, default=100, help="photos to vary")
    parser.add_argument("--searched", type=int, default=100, help="photos to search for")
    asked = parser.parse_args()
    photos = sorted(find_images([asked.folder]))[: asked.photos]
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch).resolve()
        (home / "variants").mkdir()
        write_variants(photos, home / "variants")
        paths = sorted(map(str, (home / "variants").iterdir()))
        right = {
            frozenset(str(home / "variants" / f"{number}-{name}.jpg") for name in names)
            for number in range(len(photos))
            for names in combinations(VARIANTS, 2)
        }
        searched = {path for path in paths if int(Path(path).stem.split("-")[0]) < asked.searched}
        with ImageIndex.open(home / "index", keypoints=200) as index:
            index.index([home / "variants"])
            ways: dict[str, Callable[[], Pairs]] = {
                "fingerprints: `groups()`": partial(by_hash, index, turned=False),
                "fingerprints, turned: `groups(turned=True)`": partial(by_hash, index, turned=True),
                "and links: `groups(turned=True, crops=True)`": partial(by_links, index),
                "`search(picture, max_distance='auto', crops=True)` for each": partial(
                    by_search, index, sorted(searched)
                ),
            }
            rows, scores, lost = [], {}, []
            for name, way in ways.items():
                start = perf_counter()
                found = way()
                seconds = perf_counter() - start
                asked_for = {pair for pair in right if pair <= searched or "search" not in name}
                recall, precision = scores[name] = scored(found, asked_for)
                wrong = len(found - right)
                rows.append((name, f"{recall:.3f}", f"{precision:.4f}", wrong, f"{seconds:.1f}"))
                lost = list(missed(found, right)) if "links" in name else lost
    recall, precision = scores["and links: `groups(turned=True, crops=True)`"]
    text = (
        f"{len(photos)} photos, {len(paths)} files, {len(right):,} right pairs. An index with "
        "`keypoints=200`; all else is as it comes. Found are the pairs of `Groups.pairs()`; with "
        f"crops, also `Groups.links`. A search has {LIMIT} matches at most; searched for are the "
        f"{len(searched):,} files of the first photos."
    )
    head = ("found by", "recall", "precision", "wrong pairs", "s")
    text += f"\n\n{table(head, rows)}\n\nPairs that groups and links miss:\n\n"
    text += table(("variant", "variant", f"of {len(photos)}"), lost)
    met = verdict(recall >= RECALL and precision >= PRECISION)
    Page("recipe", COMMAND, asked.dry).publish(
        "imagededup's recipe",
        text,
        f"groups and links: recall {recall:.3f} at precision {precision:.4f}; target {RECALL} at "
        f"{PRECISION}: {met}",
    )


if __name__ == "__main__":
    main()
