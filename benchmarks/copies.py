"""Count how often a copy finds its original first, among the photos of a folder.

    python benchmarks/copies.py FOLDER [--copies N] [--dry]

Each copy is re-encoded (JPEG quality 40), halved in size and brightened by a fifth, all at once.
The perceptual hash is compared with the article's average hash and Levenshtein distance, and the
copies with the article's crop (a third of the width, three quarters of the height).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance
from results import Page, table
from runs import options

from hashlens import ImageIndex

COMMAND = "python benchmarks/copies.py FOLDER"
SETUPS: dict[str, dict[str, Any]] = {
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
    """Count the paths that are the first match of their changed image."""
    count = 0
    for path in paths:
        with Image.open(path) as image:
            match = index.search(change(image.convert("RGB")), limit=1)[0]
        count += match.path == str(path.resolve())
    return count


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--copies", type=int, default=50, help="photos to copy")
    asked = parser.parse_args()
    files = sorted(path for path in asked.folder.rglob("*") if path.is_file())
    picked = random.Random(0).sample(files, asked.copies)
    rows = []
    for what, settings in SETUPS.items():
        with tempfile.TemporaryDirectory() as home, ImageIndex.open(home, **settings) as index:
            report = index.index([asked.folder])
            assert report.images == len(files), report
            copies, crops = found(index, picked, copied), found(index, picked, middle)
        rows.append((what, f"{copies} of {len(picked)}", f"{crops} of {len(picked)}"))
    text = f"{len(picked)} of {len(files)} photos, chosen at random with a fixed seed."
    head = ("hash and metric", "copy finds its original first", "the article's crop does")
    Page("copies", COMMAND, asked.dry).publish(
        "Copies and crops",
        f"{text}\n\n{table(head, rows)}",
        f"{rows[0][0]}: {rows[0][1]} copies find their original first",
    )


if __name__ == "__main__":
    main()
