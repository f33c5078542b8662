"""How a fingerprint changes when its picture is turned or mirrored, by a quarter or a half.

Turns have the numbers of EXIF orientations, 1 to 8; 1 is none. Under `average` and `wavelet`, a
turn exchanges bits. Under the signs of `perceptual`, a mirror also inverts every other frequency.
Under the difference hashes, a mirror exchanges and inverts bits, and a quarter turn needs the hash
of the other direction. Rows have signs and other directions in the column `turn_hash`.

>>> sources, inverted = actions(PerceptualHash("average", hash_size=2))
>>> sources[1].tolist(), bool(inverted.any())  # mirrored
([1, 0, 3, 2], False)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashlens.errors import ParameterError
from hashlens.hashing.perceptual import PerceptualHash

Sources = npt.NDArray[np.int64]
Inverted = npt.NDArray[np.bool_]
Action = tuple[Sources, Inverted]

TURNABLE = ("average", "perceptual", "wavelet", "difference", "difference-vertical")


def actions(item: PerceptualHash) -> Action:
    """Return where each bit of a turned fingerprint comes from, and whether it is inverted.

    Both have the shape (8, bits). Of `perceptual`, the bits are those of its `turn_hash`; of the
    difference hashes, those of the hash, followed by those of its `turn_hash`. Raises
    ParameterError for a hash of whose fingerprints turns cannot be computed.
    """
    if item.algorithm not in TURNABLE:
        msg = (
            f"turned copies cannot be found by {item.algorithm} fingerprints; make an index with "
            f"one of {', '.join(TURNABLE)}"
        )
        raise ParameterError(msg)
    if item.params.get("mode") == "db4":
        msg = "turned copies cannot be found by wavelet fingerprints of mode db4; haar can"
        raise ParameterError(msg)
    mirror, flip, transpose = _generators(item.algorithm, item.params["hash_size"])
    every = np.arange(len(mirror[0]))
    upright = every, np.zeros(len(every), bool)
    half = _then(mirror, flip)
    found = [upright, mirror, half, flip]
    found += [_then(transpose, after) for after in (upright, mirror, half, flip)]
    return np.stack([sources for sources, _ in found]), np.stack([which for _, which in found])


def _then(first: Action, second: Action) -> Action:
    """Return the action of one turn followed by another."""
    return first[0][second[0]], first[1][second[0]] ^ second[1]


def _generators(algorithm: str, side: int) -> tuple[Action, Action, Action]:
    """Return how a mirror, a flip upside down, and an exchange of rows and columns act."""
    grid = np.arange(side * side).reshape(side, side)
    none = np.zeros_like(grid, bool)
    across, down = grid[:, ::-1], grid[::-1]
    if algorithm in ("average", "wavelet"):
        return _flat(across, none), _flat(down, none), _flat(grid.T, none)
    if algorithm == "perceptual":
        odd = np.zeros_like(none)
        odd[:, 1::2] = True
        return _flat(grid, odd), _flat(grid, odd.T), _flat(grid.T, none)
    # Two grids, that of the hash and the crosswise one: a mirror inverts steps along its axis.
    other = side * side
    along = algorithm == "difference"
    mirror = _both(across, along, across + other, not along)
    flip = _both(down, not along, down + other, along)
    return mirror, flip, _both(grid.T + other, False, grid.T, False)


def _flat(sources: Any, inverted: Any) -> Action:
    return sources.ravel(), inverted.ravel()


def _both(first: Any, inverts_first: bool, second: Any, inverts_second: bool) -> Action:
    flags = np.repeat([inverts_first, inverts_second], first.size)
    return np.concatenate([first.ravel(), second.ravel()]), flags
