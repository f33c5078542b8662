"""Count in how many groups of a family's pictures the camera's original is kept.

    python benchmarks/family.py FOLDER [--photos N] [--dry]

FOLDER holds photos, of which two collections are made (`family_made.py`). Needs pillow-heif. A
group counts if it has an original. Each collection is measured by the default rules, and by those
of earlier versions; with the times of modification that files had, and with one time for all.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from itertools import islice
from pathlib import Path

from family_made import make
from results import Page, table, verdict
from runs import options

from hashlens import ImageIndex
from hashlens.grouping.keepers import DEFAULT_RULES
from hashlens.images.walk import find_images

COMMAND = "python benchmarks/family.py FOLDER"
EARLIER = ("pixels", "lossless", "bytes", "oldest", "path")
TARGET = 0.98
MAX_DISTANCE = 8

COLLECTIONS = {
    "First collection": {"first": True, "mtimes": True},
    "First collection, one time of modification": {"first": True, "mtimes": False},
    "Second collection": {"first": False, "mtimes": True},
    "Second collection, one time of modification": {"first": False, "mtimes": False},
}


def measured(photos: list[Path], folder: Path, **choices: bool) -> dict[str, list[int]]:
    """Return by kind how many groups there are, and in how many an original is kept: old, new."""
    made = {str(each.path): each for each in make(photos, folder, **choices)}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with ImageIndex.open(folder / "index") as index:
        index.index([folder])
        for place, keep in ((1, EARLIER), (2, DEFAULT_RULES)):
            for group in index.groups(MAX_DISTANCE, keep=keep):
                originals = [each for each in group.members if made[each.path].is_original]
                if originals:
                    count = counts[made[originals[0].path].kind]
                    count[0] += place == 2
                    count[place] += made[group.keeper.path].is_original
    return dict(counts)


def main() -> None:
    """Measure all collections."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--photos", type=int, default=300, help="groups of a collection")
    asked = parser.parse_args()
    page = Page("family", COMMAND, asked.dry)
    photos = [Path(path) for path in islice(find_images([asked.folder]), asked.photos)]
    for title, choices in COLLECTIONS.items():
        with tempfile.TemporaryDirectory() as scratch:
            counts = measured(photos, Path(scratch).resolve(), **choices)
        every = [sum(column) for column in zip(*counts.values(), strict=True)]
        rows = [(kind, *count) for kind, count in counts.items()]
        text = table(
            ("copies", "groups", "earlier rules", "default rules"), [*rows, ("all", *every)]
        )
        shares = [f"{kept / every[0]:.1%}" for kept in every[1:]]
        met = verdict(every[2] >= TARGET * every[0])
        page.publish(
            title,
            text,
            f"the original is kept in {shares[1]} of {every[0]} groups (earlier rules: "
            f"{shares[0]}); target {TARGET:.0%}: {met}",
        )


if __name__ == "__main__":
    main()
