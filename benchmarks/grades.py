"""Count the bits in which fingerprints differ: exact from ImageHash's, and fast from exact.

    python benchmarks/grades.py FOLDER …

Each FOLDER holds photos. ImageHash hashes every one, with all algorithms at two sizes, and so does
hashlens in both grades, as decoded.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import warnings
from pathlib import Path
from typing import Any

import imagehash
from PIL import Image
from results import record

from hashlens import ImageError, PerceptualHash
from hashlens.hashing.hasher import Hasher

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
    """Return the differing bits, exact from theirs and fast from exact, for each of WAYS.

    Nothing where lengths differ: segments, or wavelets of images of another size.
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
    """Count differing bits."""
    if len(a) != len(b):
        return None
    pairs = zip(a.split(","), b.split(","), strict=True)
    return sum((int(x, 16) ^ int(y, 16)).bit_count() for x, y in pairs)


def main() -> None:
    """Run the measurement."""
    sets = [Path(name) for name in sys.argv[1:]]
    for folder in sets:
        paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png")
        )
        readable = []
        for path in paths:
            try:
                Hasher((PerceptualHash(),))(path)
                readable.append(path)
            except ImageError:
                continue
        with multiprocessing.Pool() as pool:
            found = pool.map(compared, readable, chunksize=4)
        lines = [
            f"{len(readable)} pictures. *Exact*: bits that differ from ImageHash's, in all of "
            "them. *Fast*: bits that differ from exact.",
            "",
            "| hash | exact, sum | fast: draft | mean | most | equal |",
            "|---|---|---|---|---|---|",
        ]
        for number, (name, params) in enumerate(WAYS):
            exact = [bits[number][0] for bits in found]
            fast = [bits[number][1] for bits in found]
            assert None not in exact, f"{name} has not ImageHash's number of bits"
            known = [bits for bits in fast if bits is not None]
            others = f", {len(fast) - len(known)} of other length" if len(known) < len(fast) else ""
            mode, side = PerceptualHash(name, **params).draft
            title = " ".join([name, *map(str, params.values())])
            lines.append(
                f"| {title} | {sum(exact)} | {mode} {side} | {statistics.mean(known):.3f}{others} "
                f"| {max(known)} | {fast.count(0) / len(fast):.0%} |"
            )
        title = f"Grades: {folder.name}"
        record(title, "python benchmarks/grades.py FOLDER …", "\n".join(lines))


if __name__ == "__main__":
    main()
