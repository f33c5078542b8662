"""Measure crop search by the size of the collection: what it finds, how fast, on how many bytes.

    python benchmarks/crops.py FOLDER [--sizes N,N,…] [--queries N] [--seed S] [--dry]

FOLDER holds some hundreds of photos. A hash of the name of a photo, with the seed, decides whether
it is asked for, kept out of the collection and asked for in vain, or a source of distractors.
One index grows from size to size. Real pictures are indexed from files. Rows with keypoints made of
real ones are written as the indexer writes its rows. All timed work runs in one thread.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
from crops_collection import Collection, Split
from crops_measuring import measured
from crops_queries import queries
from crops_tables import in_short, report
from results import Page
from runs import options

COMMAND = "python benchmarks/crops.py FOLDER"


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--sizes", default="1000,10000,100000", help="images, by commas")
    parser.add_argument("--queries", type=int, default=60, help="photos that are asked for")
    parser.add_argument("--seed", type=int, default=0, help="seed of split, attacks, distractors")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    split = Split.of(given.folder, given.seed)
    asked = queries(split, given.queries, given.seed)
    with tempfile.TemporaryDirectory() as home:
        collection = Collection(Path(home) / "index", split, given.seed)
        sizes = sorted(map(int, given.sizes.split(",")))
        results = [measured(collection, size, asked) for size in sizes]
    text = report(split, results, given.seed)
    page = Page("crops", COMMAND, given.dry)
    page.publish("Recall and speed by collection size", text, in_short(results[-1]))


if __name__ == "__main__":
    main()
