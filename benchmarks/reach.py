"""Measure how far copies lie from their originals, for each hash: the reach of copies.

    python benchmarks/reach.py FOLDER [--photos N] [--workers N] [--dry]

Copies are re-encoded, resized, brightened or darkened, sent through a chat twice, or stored turned
with an EXIF note. Each is compared with its original, in both grades. Half of the photos choose the
table `hashlens.neighbors.reach`, the other half confirm it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from results import Page, table
from runs import options

from hashlens.hashing.hasher import Hasher
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.parallel.process import processors

COMMAND = "python benchmarks/reach.py FOLDER"
SIZES = (8, 16, 32)
SQUARE = (
    "perceptual",
    "perceptual-simple",
    "perceptual-signs",
    "average",
    "difference",
    "difference-vertical",
    "wavelet",
)
QUANTILE = 0.995
HASHES = (
    *(PerceptualHash(name, hash_size=size) for name in SQUARE for size in SIZES),
    *(PerceptualHash("color", binbits=bits) for bits in (3, 8)),
)
# Where EXIF says how a stored picture is turned: the way to store one so that it shows as before.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}

Distances = NDArray[np.int64]  # copies by hashes


def stored(image: Image.Image, style: str = "JPEG", quality: int = 90, turn: int = 1) -> bytes:
    """Return the file of an image."""
    exif = Image.Exif()
    if turn > 1:
        exif[0x0112] = turn
    output = BytesIO()
    image.save(output, style, quality=quality, exif=exif)
    return output.getvalue()


def resized(image: Image.Image, share: float) -> Image.Image:
    """Return an image at a share of its size."""
    size = tuple(max(1, round(side * share)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def sent(image: Image.Image, share: float, quality: int) -> bytes:
    """Return an image as a chat leaves it when it was sent on: smaller, re-encoded, and again."""
    once = Image.open(BytesIO(stored(resized(image, share), quality=quality)))
    return stored(resized(once, share), quality=quality)


def copies(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield the copies of an image: kind and file."""
    for quality in (30, 50, 70, 95):
        yield "re-encoded", stored(image, quality=quality)
    for quality in (30, 80):
        yield "re-encoded", stored(image, "WEBP", quality)
    for share in (0.25, 0.35, 0.5, 0.75):
        yield "resized", stored(resized(image, share))
    for factor in (0.7, 0.85, 1.15, 1.3):
        yield "brightness", stored(ImageEnhance.Brightness(image).enhance(factor))
    for share, quality in ((0.8, 75), (0.7, 68), (0.6, 60)):
        yield "chat", sent(image, share, quality)
    for turn, how in TURNS.items():
        yield "EXIF turn", stored(image.transpose(how), turn=turn)


def measured(path: Path, *, grade: str) -> tuple[list[str], Distances]:
    """Return the kinds of a photo's copies, and their distances from it by each hash."""
    hashers = [Hasher((item,), grade) for item in HASHES]  # each decodes as it does alone
    kinds: list[str] = []
    files = [path.read_bytes()]
    with Image.open(path) as opened:
        for kind, file in copies(opened.convert("RGB")):
            kinds.append(kind)
            files.append(file)
    columns = [_distances(hasher, files) for hasher in hashers]
    return kinds, np.array(columns).T


def _distances(hasher: Hasher, files: list[bytes]) -> list[int]:
    samples = [hasher.samples(hasher.decode(file)) for file in files]
    first, *others = (int(text, 16) for (text,) in hasher.fingerprints(samples))
    return [(first ^ other).bit_count() for other in others]


def distances(
    files: list[Path], grade: str, workers: int
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return kind and distances of the copies of some photos; shapes (n,) and (n, hashes)."""
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(partial(measured, grade=grade), files, chunksize=4))
    kinds = np.array([kind for some, _ in found for kind in some])
    return kinds, np.concatenate([bits for _, bits in found])


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--photos", type=int, help="photos to copy (all)")
    parser.add_argument("--workers", type=int, default=processors(), help="processes")
    asked = parser.parse_args()
    files = sorted(path for path in asked.folder.rglob("*") if path.is_file())[: asked.photos]
    halves = files[::2], files[1::2]
    chosen, confirmed = (
        {grade: distances(half, grade, asked.workers) for grade in ("fast", "exact")}
        for half in halves
    )
    kinds = list(dict.fromkeys(chosen["fast"][0].tolist()))
    rows = []
    for number, item in enumerate(HASHES):
        bits = item.bits or 1
        reach = [
            int(np.quantile(chosen[grade][1][:, number], QUANTILE, method="higher"))
            for grade in chosen
        ]
        most = max(reach)
        held = np.concatenate([confirmed[grade][1][:, number] for grade in confirmed])
        by_kind = [
            max(
                int(np.quantile(bits_[of == kind, number], QUANTILE, method="higher"))
                for of, bits_ in chosen.values()
            )
            for kind in kinds
        ]
        size = item.params.get("hash_size") or item.params.get("binbits")
        rows.append(
            (
                f"{item.algorithm} {size}",
                bits,
                *by_kind,
                *reach,
                f"{most / bits:.3f}",
                f"{(held <= most).mean():.2%}",
            )
        )
    head = ("hash", "bits", *kinds, "fast", "exact", "share of bits", "confirmed")
    count = len(chosen["fast"][0]) + len(confirmed["fast"][0])
    text = (
        f"{len(files)} photos, {count:,} copies of them in each grade. Bits that hold "
        f"{QUANTILE:.1%} of the copies of the first half of the photos; then the share of the "
        "copies of the other half that are within the larger of the two grades."
    )
    Page("copies", COMMAND, asked.dry).publish(
        "The reach of copies",
        f"{text}\n\n{table(head, rows)}",
        f"{rows[0][0]}: {QUANTILE:.1%} of copies within {max(rows[0][-4:-2])} of {rows[0][1]} bits",
    )


if __name__ == "__main__":
    main()
