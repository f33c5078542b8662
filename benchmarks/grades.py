"""Count the bits in which fingerprints differ: exact from ImageHash's, and fast from exact.

    python benchmarks/grades.py FOLDER … [--dry]

Each FOLDER holds photos. ImageHash hashes each photo with all algorithms at two sizes. hashlens
does so too, in both grades, from the pixels as decoded.
"""

from __future__ import annotations

import multiprocessing
import statistics
import warnings
from pathlib import Path
from typing import Any

import imagehash
from PIL import Image
from results import Page, table
from runs import options

from hashlens import ImageError, PerceptualHash
from hashlens.hashing.hasher import Hasher

COMMAND = "python benchmarks/grades.py FOLDER …"
THEIRS = {
    "average": imagehash.average_hash,
    "perceptual": imagehash.phash,
    "perceptual-simple": imagehash.phash_simple,
    "difference": imagehash.dhash,
    "difference-vertical": imagehash.dhash_vertical,
    "wavelet": imagehash.whash,
    "color": imagehash.colorhash,
    "crop-resistant": imagehash.crop_resistant_hash,
}
WAYS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"hash_size": size}) for size in (8, 16) for name in list(THEIRS)[:6]),
    ("wavelet", {"mode": "db4"}),
    ("color", {}),
    ("crop-resistant", {}),
]


def compared(path: Path) -> list[tuple[int | None, int | None]]:
    """Return the number of differing bits, exact from theirs and fast from exact, for each of WAYS.

    The number is None if lengths differ: segments, or wavelets of images of another size.
    """
    warnings.simplefilter("ignore")
    bits = []
    for name, params in WAYS:
        image = Image.open(path)
        expected = str(THEIRS[name](image, **params))
        item = PerceptualHash(name, **params)
        exact, fast = (
            Hasher((item,), grade, upright=False)(path)[0] for grade in ("exact", "fast")
        )
        bits.append((differing(expected, exact), differing(exact, fast)))
    return bits


def differing(a: str, b: str) -> int | None:
    """Count differing bits; return None if lengths differ."""
    if len(a) != len(b):
        return None
    pairs = zip(a.split(","), b.split(","), strict=True)
    return sum((int(x, 16) ^ int(y, 16)).bit_count() for x, y in pairs)


def readable(folder: Path) -> list[Path]:
    """Return the paths of the pictures in a folder that can be decoded."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".jpg", ".png"))
    return [path for path in paths if is_readable(path)]


def is_readable(path: Path) -> bool:
    """Return whether a picture can be decoded."""
    try:
        Hasher((PerceptualHash(),))(path)
    except ImageError:
        return False
    return True


def measured(folder: Path) -> tuple[str, str]:
    """Compare the hashes of a folder; return text and ratios."""
    paths = readable(folder)
    with multiprocessing.Pool() as pool:
        found = pool.map(compared, paths, chunksize=4)
    rows = []
    for number, (name, params) in enumerate(WAYS):
        exact = [bits[number][0] for bits in found]
        fast = [bits[number][1] for bits in found]
        assert None not in exact, f"{name} has not ImageHash's number of bits"
        known = [bits for bits in fast if bits is not None]
        others = f", {len(fast) - len(known)} of other length" if len(known) < len(fast) else ""
        mode, side = PerceptualHash(name, **params).draft
        rows.append(
            (
                *(" ".join([name, *map(str, params.values())]), sum(exact), f"{mode} {side}"),
                *(f"{statistics.mean(known):.3f}{others}", max(known)),
                f"{fast.count(0) / len(fast):.0%}",
            )
        )
    text = (
        f"{len(paths)} pictures. *Exact*: bits that differ from ImageHash's, in all of "
        "them. *Fast*: bits that differ from exact."
    )
    head = ("hash", "exact, sum", "fast: draft", "mean", "most", "equal")
    total = sum(row[1] for row in rows)
    default = next(row for row in rows if row[0] == "perceptual 8")
    ratios = (
        f"{len(paths)} pictures, {len(rows)} hashes: exact differs from ImageHash in {total} bits; "
        f"fast from exact, {default[0]}, in {default[3]} of 64 bits on average"
    )
    return f"{text}\n\n{table(head, rows)}", ratios


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="photos")
    asked = parser.parse_args()
    page = Page("grades", COMMAND, asked.dry)
    for folder in asked.folders:
        page.publish(folder.name, *measured(folder))


if __name__ == "__main__":
    main()
