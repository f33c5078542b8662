"""From a candidate to a match.

Does one map take the keypoints of a query to those of a picture, and if so, do the two look alike
where they overlap?
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import FULL, OCTAVE, TURN, Keypoints

MOST_BITS = 18  # by which the codes of one place may differ
MOST_PAIRS = 100  # nearest pairs of keypoints, each of which proposes a map
TOLERANCE = 0.012  # of the diagonal, in both pictures
MOST_SCALING = 20  # of OCTAVE, between the scale of one pair and of the map
MOST_TURNING = 20  # of TURN, likewise
MOST_ANISOTROPY = 1.6  # of an affine map
CELL = 64  # places closer than a 64th of the longer side count once
LEAST_INLIERS = 4

Floats = NDArray[np.float64]


class Points(NamedTuple):
    """Keypoints in numbers: complex places in longer sides; scales and angles in their steps."""

    codes: NDArray[np.uint64]
    places: NDArray[np.complex128]
    scales: NDArray[np.int16]
    angles: NDArray[np.uint8]
    diagonal: float

    @classmethod
    def of(cls, keypoints: Keypoints) -> Points:
        """Convert what is stored."""
        places = keypoints.places
        width, height = keypoints.size
        return cls(
            keypoints.codes,
            (places["x"] + 1j * places["y"]) / FULL,
            places["scale"].astype(np.int16),
            places["angle"],
            float(np.hypot(width, height)) / max(width, height),
        )


class Map(NamedTuple):
    """A map from the query to a picture, both in units of their longer sides.

    It takes z to `turn * z + shear * conj(z) + shift`: any affine map is of this form.
    """

    turn: complex
    shear: complex
    shift: complex
    inliers: int

    def __call__(self, places: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Map places."""
        return self.turn * places + self.shear * places.conj() + self.shift


def align(query: Points, candidate: Points) -> Map | None:
    """Find the map that takes most of a query's keypoints to those of a candidate.

    Each pair of keypoints with near codes proposes a similarity, by its places, scales and angles;
    all proposals are tried, so nothing is left to chance. The best is fitted to its supporters, as
    a similarity and as an affine map. None where fewer than `LEAST_INLIERS` support it.
    """
    left, right = pairs(query.codes, candidate.codes)
    if len(left) < LEAST_INLIERS:
        return None
    source, target = query.places[left], candidate.places[right]
    scaling = candidate.scales[right] - query.scales[left]
    turning = candidate.angles[right] - query.angles[left]
    turns = np.exp(scaling * (np.log(2) / OCTAVE) + turning * (2j * np.pi / TURN))
    most = TOLERANCE * np.minimum(candidate.diagonal, query.diagonal * np.abs(turns))
    # Those pairs may support a proposal that scale and turn alike.
    alike = _alike(scaling[:, None], turning[:, None], scaling, turning)
    proposal, other = np.nonzero(alike)
    residual = (
        target[other] - target[proposal] - turns[proposal] * (source[other] - source[proposal])
    )
    fits = np.flatnonzero(np.abs(residual) <= most[proposal])
    proposal, other = proposal[fits], other[fits]
    counts = np.bincount(proposal, minlength=len(left))
    best = int(counts.argmax())
    if counts[best] < LEAST_INLIERS:
        return None
    inside = np.zeros(len(left), bool)
    inside[other[proposal == best]] = True
    # An affine map need not scale and turn all pairs alike.
    near = _alike(scaling[best], turning[best], scaling, turning, 2)
    return _refined(query, candidate, source, target, inside, near)


def _alike(
    scaling: Any,
    turning: Any,
    scalings: NDArray[np.int16],
    turnings: NDArray[np.uint8],
    times: int = 1,
) -> NDArray[np.bool_]:
    """Tell which of some pairs scale and turn as much as others do."""
    turned = np.uint8(times * MOST_TURNING)  # angles are bytes, which go round as angles do
    alike: NDArray[np.bool_] = np.abs(scalings - scaling) <= times * MOST_SCALING
    alike &= turnings - turning + turned <= 2 * turned
    return alike


def _refined(
    query: Points,
    candidate: Points,
    source: NDArray[np.complex128],
    target: NDArray[np.complex128],
    inside: NDArray[np.bool_],
    near: NDArray[np.bool_],
) -> Map | None:
    """Fit a map to its supporters, which may be more then, and count them."""
    best: Map | None = None
    for affine in (False, False, True, True):
        if inside.sum() < LEAST_INLIERS:
            break
        found = fit(source[inside], target[inside], affine=affine)
        if found is None:
            continue
        residual = np.abs(found(source) - target)
        smallest = abs(found.turn) - abs(found.shear)
        most = min(TOLERANCE * candidate.diagonal, TOLERANCE * query.diagonal * smallest)
        now = (residual <= most) & near
        count = min(_cells(source[now]), _cells(target[now]))
        if best is None or count >= best.inliers:
            best = found._replace(inliers=count)
            inside = now
    return best if best and best.inliers >= LEAST_INLIERS else None


def fit(
    source: NDArray[np.complex128], target: NDArray[np.complex128], *, affine: bool
) -> Map | None:
    """Fit a map by least squares; None for an affine one that mirrors or stretches too much."""
    middle, aim = source.mean(), target.mean()
    z, w = source - middle, target - aim
    square = float((z.real**2 + z.imag**2).sum())
    if square == 0:
        return None
    straight, crossed = np.vdot(z, w), np.vdot(z.conj(), w)
    if not affine:
        turn, shear = straight / square, 0j
    else:
        # Normal equations of turn and shear: [[square, own*], [own, square]].
        own = (z * z).sum()
        determinant = square * square - abs(own) ** 2
        if determinant <= 1e-9 * square * square:
            return None
        turn = (square * straight - own.conjugate() * crossed) / determinant
        shear = (square * crossed - own * straight) / determinant
        large, small = abs(turn) + abs(shear), abs(turn) - abs(shear)
        if small <= 0 or large > MOST_ANISOTROPY * small:
            return None
    shift = aim - turn * middle - shear * middle.conjugate()
    return Map(complex(turn), complex(shear), complex(shift), 0)


def pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair codes one to one: each with its nearest, the nearer first, at most `MOST_PAIRS`."""
    if not len(left) or not len(right):
        none = np.empty(0, np.int64)
        return none, none
    distances = np.bitwise_count(left[:, None] ^ right[None])
    bits = distances.min(axis=1)
    order = np.argsort(bits, kind="stable")
    order = order[bits[order] <= MOST_BITS]
    nearest = distances[order].argmin(axis=1)
    _, first = np.unique(nearest, return_index=True)  # each of the right is taken once
    chosen = np.sort(first)[:MOST_PAIRS]
    return order[chosen], nearest[chosen]


def _cells(places: NDArray[np.complex128]) -> int:
    """Count places that are apart."""
    across, down = (np.floor(part * CELL).astype(np.int64) for part in (places.real, places.imag))
    return len(np.unique(across * 4 * CELL + down))


def inverse(found: Map) -> Map:
    """Return the map back."""
    size = abs(found.turn) ** 2 - abs(found.shear) ** 2
    turn, shear = found.turn.conjugate() / size, -found.shear / size
    shift = -(turn * found.shift + shear * found.shift.conjugate())
    return Map(turn, shear, shift, found.inliers)
