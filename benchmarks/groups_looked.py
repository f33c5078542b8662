"""Groups of many rows, some of which have copies: what rules and the second look add."""

from __future__ import annotations

import shutil
import statistics
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from codes import any_codes
from groups_indexes import grouped, picture, write
from PIL import Image
from results import load, table, verdict
from runs import Run
from timing import in_turns, once

from hashlens import ImageIndex
from hashlens.images.walk import find_images

MOST = 1.3  # times as long with rules and a second look
COPIES = (100, 500, 2_000)  # pairs of files that are looked at; each photo has four quarters
HOW: dict[str, dict[str, object]] = {
    "size only": {"keep_only": "pixels"},
    "rules": {},
    "rules and look": {"verify": True},
}
HEAD = (
    *("rows", "pairs", "groups", *(f"{name} s" for name in HOW), "times"),
    *("ms a pair of rules", "of the look"),
)


def looked(run: Run) -> None:
    """Publish how long groups take without rules that read files, with them, and with a look."""
    count = max(run.rows)
    index = run.scratch / f"single-{count}"
    if not index.exists():
        pictures = [picture(run.scratch / "pictures", number) for number in range(count)]
        write(index, any_codes(count, np.random.default_rng(count)), pictures)
    photos = sorted(find_images([run.folder]))
    lines, short = [], []
    for pairs in COPIES:
        folder = run.place("pairs")
        write_pairs(photos, pairs, folder)
        with_copies = run.place("with-copies")
        shutil.copytree(index, with_copies, dirs_exist_ok=True)
        with ImageIndex.open(with_copies) as opened:
            opened.index([folder])
        before = load()
        ways = {name: once(partial(grouped, with_copies, **how)) for name, how in HOW.items()}
        found = in_turns(ways, run.rounds)
        seconds = [statistics.median(each.seconds for each in found[name]) for name in HOW]
        groups = found["rules and look"][0].answer["groups"]
        times = seconds[2] / seconds[0]
        each = (1000 * (more - less) / pairs for less, more in pairwise(seconds))
        cells = (
            *(f"{one:.3g}" for one in seconds),
            f"{times:.2f}",
            *(f"{one:.2f}" for one in each),
        )
        lines.append((f"{count:,}", f"{pairs:,}", f"{groups:,}", *cells))
        print(*lines[-1], before, sep=" | ", flush=True)
        short.append(f"{pairs:,} pairs {times:.2f}x ({verdict(times <= MOST)})")
    text = (
        "Random hashes, whose files are empty and in hardly any group, beside photos of a folder, "
        "cut in four, each quarter with a copy of 60 % of its size. Neither has EXIF, so the rules "
        "read both files, and the look reads them again. *Size only* keeps the file with the most "
        f"pixels and reads none. Whole processes, median of {run.rounds}. Target: at most {MOST} "
        "times as long with rules and look as by size only."
    )
    run.page.publish(
        "With rules and a second look", f"{text}\n\n{table(HEAD, lines)}", "; ".join(short)
    )


def write_pairs(photos: list[Path], count: int, folder: Path) -> None:
    """Write quarters of photos, and a copy of each."""
    for number in range(count):
        photo = Image.open(photos[number % len(photos)]).convert("RGB")
        across, down = (side // 2 for side in photo.size)
        left, top = across * (number // len(photos) % 2), down * (number // len(photos) // 2)
        quarter = photo.crop((left, top, left + across, top + down))
        quarter.save(folder / f"{number}.jpg", quality=95)
        smaller = quarter.resize(
            [round(0.6 * side) for side in quarter.size], Image.Resampling.LANCZOS
        )
        smaller.save(folder / f"{number}-copy.jpg", quality=75)
