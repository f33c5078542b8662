"""Count how often a copy finds its original first, among the photos of a folder.

    python benchmarks/copies.py FOLDER [COPIES]

Each copy is re-encoded (JPEG quality 40), halved in size and brightened by a fifth, all at once.
Beside our perceptual hash stand the article's own average hash with Levenshtein distance, and the
article's own crop (a third of the width, three quarters of the height).
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageEnhance
from results import record

from hashlens import ImageIndex

SETUPS = {
    "perceptual, Hamming": {"algorithm": "perceptual"},
    "perceptual, Hamming, 256 bits": {"algorithm": "perceptual", "hash_size": 16},
    "difference, Hamming": {"algorithm": "difference"},
    "average, Levenshtein (the article)": {"algorithm": "average", "metric": "levenshtein"},
}


def copied(image: Image.Image) -> Image.Image:
    """Re-encode, halve and brighten."""
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    output = BytesIO()
    ImageEnhance.Brightness(small).enhance(1.2).save(output, "JPEG", quality=40)
    return Image.open(output)


def middle(image: Image.Image) -> Image.Image:
    """Cut out the middle, as the article does."""
    width, height = image.size
    left, top = (width - width / 3) / 2, (height - height / 1.35) / 2
    return image.crop((left, top, (width + width / 3) / 2, (height + height / 1.35) / 2))


def found(
    index: ImageIndex, paths: list[Path], change: Callable[[Image.Image], Image.Image]
) -> int:
    """Count the paths whose changed image has them as its first match."""
    count = 0
    for path in paths:
        with Image.open(path) as image:
            match = index.search(change(image.convert("RGB")), limit=1)[0]
        count += match.path == str(path.resolve())
    return count


def main() -> None:
    """Run the measurement."""
    folder = Path(sys.argv[1])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    picked = random.Random(0).sample(files, int(sys.argv[2]) if len(sys.argv) > 2 else 50)
    lines = [
        f"{len(picked)} of {len(files)} photos, chosen at random with a fixed seed.",
        "",
        "| hash and metric | copy finds its original first | the article's crop does |",
        "|---|---|---|",
    ]
    for what, settings in SETUPS.items():
        with tempfile.TemporaryDirectory() as home, ImageIndex.open(home, **settings) as index:
            report = index.index([folder])
            assert report.images == len(files), report
            copies, crops = found(index, picked, copied), found(index, picked, middle)
        lines.append(f"| {what} | {copies} of {len(picked)} | {crops} of {len(picked)} |")
    record("Copies and crops", "python benchmarks/copies.py FOLDER", "\n".join(lines))


if __name__ == "__main__":
    main()
