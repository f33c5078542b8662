"""Compile what numba compiles, once for a checkout: else each process of the tests would do it."""

from __future__ import annotations

import numpy as np

from hashlens.grouping import linkage
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.hashing.turns import actions
from hashlens.neighbors import join, kernels, turned
from hashlens.neighbors.turns import Turns


def main() -> None:
    """Compare and group a few codes in each way that is compiled."""
    join.SMALL = turned.SMALL = linkage.FEW_PAIRS = 0
    for words in (1, 2):
        codes = np.arange(64 * words, dtype=np.uint64).reshape(64, words)
        for _ in (
            join.pairs(codes, 8),
            join.pairs(codes, 8, max_bucket=2),
            join.pairs_between(codes, codes, 8),
        ):
            list(_)
        for complete in (True, False):
            linkage.link(codes, 8, complete=complete, apart=np.array([[0, 1]]))
    for kind in (np.uint8, np.uint16):
        kernels.hamming(codes, codes[0], np.empty(64, kind))
    for name in ("average", "difference"):  # without and with crosswise fingerprints
        turns = Turns(*actions(PerceptualHash(name)), 64)
        list(turned.turned_pairs(codes[:, : 1 + turns.is_crosswise], turns, 8))


if __name__ == "__main__":
    main()
