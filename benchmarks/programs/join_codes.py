"""Join codes in a fresh process; print the seconds of each call, the pairs and the memory.

Usage: python join_codes.py CODES.npy LIMIT CALLS CORES WARM_UP

CORES: cores that may be used, 0 for all. WARM_UP: with a number, that many codes are joined first,
so that numba is loaded, and the peak memory on top of it is measured.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def memory(name: str) -> int:
    """Return a figure of /proc/self/status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main() -> None:
    """Join, and print."""
    path = sys.argv[1]
    limit, calls, cores, warm_up = map(int, sys.argv[2:])
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from hashlens.neighbors.join import connected  # it counts the cores

    codes = np.load(path)
    before = 0
    if warm_up:
        connected(codes[:warm_up].copy(), limit)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = memory("VmRSS")
    times = []
    pairs = 0
    for _ in range(calls):
        began = time.perf_counter()
        pairs = connected(codes, limit).pairs
        times.append(time.perf_counter() - began)
    peak = memory("VmHWM") - before if warm_up else 0
    print(json.dumps({"times": times, "pairs": pairs, "memory": peak}))


if __name__ == "__main__":
    main()
