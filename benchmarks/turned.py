"""Measure groups with turned copies: recall, false groups, and the join at a million codes.

    python benchmarks/turned.py FOLDER [--copies N] [--rows N] [--dry]

Photos get copies in the seven other orientations, as JPEG of quality 85. The photos of the folder
are taken to be of different scenes: a group with two of them is a false one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image
from results import Page, load, table
from runs import options

from hashlens import ImageIndex
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.hashing.turns import actions
from hashlens.images.upright import TURNS
from hashlens.model import TURN_WORDS
from hashlens.neighbors import pairs
from hashlens.neighbors.turned import turned_pairs
from hashlens.neighbors.turns import Turns

COMMAND = "python benchmarks/turned.py FOLDER"
ALGORITHMS = ("perceptual", "difference", "average", "wavelet")
SIZES = (8, 16)
SCALE = {"wavelet": {"image_scale": 256}}
LIMITS = (2, 4, 8)
ROUNDS = 3


def make_copies(files: list[Path], home: Path) -> dict[str, str]:
    """Write the copies of some photos; return the photo of each copy, and of each photo."""
    photo_of: dict[str, str] = {}
    for number, path in enumerate(files):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        for turn, method in TURNS.items():
            copy = home / f"{number}-{turn}.jpg"
            picture.transpose(method).save(copy, quality=85)
            photo_of[str(copy)] = str(path)
    return photo_of


def recalled(
    folder: Path, home: Path, photo_of: dict[str, str], settings: dict[str, Any]
) -> tuple[str, Counter[int], int]:
    """Return the bound, how many copies of each turn are with their photo, and the false groups."""
    with tempfile.TemporaryDirectory() as where, ImageIndex.open(where, **settings) as index:
        index.index([folder, home])
        groups = index.groups(turned=True, verify=True)
        right: Counter[int] = Counter()
        false = 0
        for group in groups:
            paths = {member.path for member in group.members}
            false += len({photo_of.get(path, path) for path in paths}) > 1
            right.update(int(path[-5]) for path in paths if photo_of.get(path) in paths)
        return f"{groups.max_distance:g}", right, false


def timed(way: Callable[[], Iterator[Any]]) -> tuple[float, int]:
    """Return the seconds that a join takes, and how many pairs it finds."""
    start = perf_counter()
    found = sum(len(block.a) for block in way())
    return perf_counter() - start, found


def join_rows(rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the times of the plain and the turned join, measured in turns."""
    random = np.random.default_rng(0)
    plain, other = random.integers(0, 2**64, (2, rows), dtype=np.uint64)
    for algorithm in ("perceptual", "average", "difference"):
        item = PerceptualHash(algorithm)
        turns = Turns(*actions(item), item.bits or 0)
        codes = np.stack([plain, other], axis=1) if turns.is_crosswise else plain[:, None]
        list(turned_pairs(codes[:60_000], turns, 2))  # compiles
        for limit in LIMITS:
            ways = {
                "plain": lambda limit=limit: pairs(plain, limit),
                "turned": lambda c=codes, t=turns, limit=limit: turned_pairs(c, t, limit),
            }
            rounds = ROUNDS if limit < LIMITS[-1] else 1
            spent = [{name: timed(way)[0] for name, way in ways.items()} for _ in range(rounds)]
            each = {name: median(one[name] for one in spent) for name in ways}
            ratio = median(one["turned"] / one["plain"] for one in spent)
            times = f"{each['plain']:.2f}", f"{each['turned']:.2f}"
            yield algorithm, str(limit), *times, f"{ratio:.1f}x"


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--copies", type=int, default=100, help="photos to copy")
    parser.add_argument("--rows", type=int, default=1_000_000, help="codes to join")
    asked = parser.parse_args()
    files = sorted(path.absolute() for path in asked.folder.rglob("*") if path.is_file())
    page = Page("turned", COMMAND, asked.dry)
    lines = []
    with tempfile.TemporaryDirectory() as home:
        photo_of = make_copies(files[: asked.copies], Path(home))
        for algorithm in ALGORITHMS:
            for size in SIZES:
                settings = {"algorithm": algorithm, "hash_size": size, **SCALE.get(algorithm, {})}
                bound, right, false = recalled(asked.folder, Path(home), photo_of, settings)
                found = f"{sum(right.values()) / len(photo_of):.1%}"
                each = (f"{right[turn] / asked.copies:.0%}" for turn in TURNS)
                lines.append((f"{algorithm} {size}", bound, found, *each, str(false)))
    head = ("hash, size", "bound", "found", *(TURN_WORDS[turn] for turn in TURNS), "false groups")
    text = f"{len(files)} photos, {asked.copies} of them with seven copies each. The bound is auto,"
    text += " and a second look follows, as in the command `hashlens groups --turned`."
    first = f"{lines[0][0]}: {lines[0][2]} of turned copies are grouped with their photo"
    page.publish("Recall", f"{text}\n\n{table(head, lines)}", f"{first}, {lines[0][-1]} false")
    rows = list(join_rows(asked.rows))
    head = ("hash", "bound", "plain s", "turned s", "turned / plain")
    text = f"{asked.rows:,} random codes of 64 bits; the ways in turns. Load: {load()}."
    short = "; ".join(f"{row[0]}, {row[1]} bits: {row[-1]}" for row in rows)
    page.publish("Join", f"{text}\n\n{table(head, rows)}", f"turned against plain: {short}")


if __name__ == "__main__":
    main()
