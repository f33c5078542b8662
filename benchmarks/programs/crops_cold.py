"""Open an index in a fresh process and ask for a picture, twice; print seconds and memory.

python crops_cold.py INDEX PICTURE
"""

import json
import sys
import time
from pathlib import Path

import cv2

from hashlens import ImageIndex


def memory() -> dict[str, int]:
    """Return resident, anonymous and peak memory, bytes; zeros on systems other than Linux."""
    names = ("VmRSS", "RssAnon", "VmHWM")
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return dict.fromkeys(names, 0)
    found = dict(line.split(":", 1) for line in lines)
    return {name: int(found[name].split()[0]) * 1024 for name in names}


def main() -> None:
    """Ask, and print."""
    cv2.setNumThreads(1)
    picture = Path(sys.argv[2]).read_bytes()
    before, began = memory(), time.perf_counter()
    index = ImageIndex.open(sys.argv[1])
    opened = time.perf_counter() - began
    index.search(picture)
    first = time.perf_counter() - began
    asked = time.perf_counter()
    found = index.search(picture)
    again = time.perf_counter() - asked
    if not found:
        sys.exit("the picture was not found")
    print(
        json.dumps(
            {"opened": opened, "first": first, "again": again, "before": before, "after": memory()}
        )
    )


if __name__ == "__main__":
    main()
