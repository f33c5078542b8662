"""Call one thing again and again, once for each line of the input, and print what each call took.

Usage: python version_calls.py NAME INDEX [IMAGE …]

Prints a line when all is loaded, then a line of JSON for each call: wall seconds, CPU seconds of
all threads, and a digest of the answer. It runs with each of two versions of hashlens, so it uses
only what both have.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence

from hashlens import ImageIndex

NEAREST = "select id, distance(text, :q) d from txtai order by distance(text, :q) limit 10"
TIMES = 20  # queries of a call


def nearest(index: ImageIndex, _images: Sequence[str]) -> object:
    """Find the ten nearest rows of some hashes."""
    codes = (format(n * 0x9E3779B97F4A7C15 % 2**64, "016x") for n in range(1, TIMES + 1))
    return [index.sql(NEAREST, {"q": code}, limit=10) for code in codes]


def crops(index: ImageIndex, images: Sequence[str]) -> object:
    """Search for crops."""
    return [[match.path for match in index.search(image)] for image in images]


CALLS: dict[str, Callable[[ImageIndex, Sequence[str]], object]] = {
    "nearest": nearest,
    "crops": crops,
}


def main() -> None:
    """Load, and serve."""
    name, path, *images = sys.argv[1:]
    with ImageIndex.open(path, create=False) as index:
        CALLS[name](index, images)
        print("ready", flush=True)
        for _ in sys.stdin:
            began, cpu = time.perf_counter(), time.process_time()
            answer = CALLS[name](index, images)
            used = time.perf_counter() - began, time.process_time() - cpu
            digest = hashlib.sha256(repr(answer).encode()).hexdigest()
            print(json.dumps([*used, digest]), flush=True)


if __name__ == "__main__":
    main()
