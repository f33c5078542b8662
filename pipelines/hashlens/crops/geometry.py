"""Find the map that takes the keypoints of a query to the keypoints of a picture.

Places are complex numbers: a similarity is then `z -> turn * z + shift`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.crops.keypoints import FULL, OCTAVE, TURN, Keypoints

MOST_BITS = 18  # in which the codes of a pair may differ
MOST_PAIRS = 100  # nearest pairs, each of which proposes a map
TOLERANCE = 0.012  # diagonals, in both pictures: distance of an inlier from its place on the map
MOST_SCALING = 20  # steps of scale between two pairs that agree
MOST_TURNING = 20  # steps of angle, likewise
MOST_ANISOTROPY = 1.6  # of an affine map: ratio of its singular values
CELLS = 64  # along the longer side: inliers in the same cell count once
LEAST_INLIERS = 4

Floats = NDArray[np.float64]


class Points(NamedTuple):
    """Keypoints in numbers.

    codes: 64 bits each
    places: x + iy, in longer sides of the picture
    scales, angles: in the steps of `Keypoints`
    diagonal: of the picture, in longer sides
    """

    codes: NDArray[np.uint64]
    places: NDArray[np.complex128]
    scales: NDArray[np.int16]
    angles: NDArray[np.uint8]
    diagonal: float

    @classmethod
    def of(cls, keypoints: Keypoints) -> Points:
        """Convert keypoints as they are stored."""
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
    """An affine map from a query to a picture: `z -> turn * z + shear * conj(z) + shift`.

    turn: rotation and scale; the map is a similarity if `shear` is 0
    shear: the rest of the linear part
    shift: in longer sides of the picture, while z is in longer sides of the query
    inliers: number of pairs, in different cells, that agree with the map
    """

    turn: complex
    shear: complex
    shift: complex
    inliers: int

    def __call__(self, places: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the places in the picture of places in the query."""
        return self.turn * places + self.shear * places.conj() + self.shift


def align(query: Points, candidate: Points) -> Map | None:
    """Find the map that takes most keypoints of a query to keypoints of a candidate.

    Each pair of keypoints with near codes proposes a similarity, by its places, scales and angles.
    All proposals are tried, so the result does not depend on chance. The proposal with most
    supporters is fitted to them, as a similarity and as an affine map. Returns None if the map has
    fewer than LEAST_INLIERS inliers.
    """
    left, right = pairs(query.codes, candidate.codes)
    if len(left) < LEAST_INLIERS:
        return None
    source, target = query.places[left], candidate.places[right]
    scaling = candidate.scales[right] - query.scales[left]
    turning = candidate.angles[right] - query.angles[left]
    turns = np.exp(scaling * (np.log(2) / OCTAVE) + turning * (2j * np.pi / TURN))
    tolerance = TOLERANCE * np.minimum(candidate.diagonal, query.diagonal * np.abs(turns))
    # A pair can support a proposal only if both scale and rotate by about the same amount.
    alike = _agree(scaling[:, None], turning[:, None], scaling, turning)
    proposal, other = np.nonzero(alike)
    residual = (
        target[other] - target[proposal] - turns[proposal] * (source[other] - source[proposal])
    )
    fits = np.flatnonzero(np.abs(residual) <= tolerance[proposal])
    proposal, other = proposal[fits], other[fits]
    counts = np.bincount(proposal, minlength=len(left))
    best = int(counts.argmax())
    if counts[best] < LEAST_INLIERS:
        return None
    inside = np.zeros(len(left), bool)
    inside[other[proposal == best]] = True
    # An affine map scales and rotates by different amounts in different directions.
    near = _agree(scaling[best], turning[best], scaling, turning, 2)
    return _fitted(query, candidate, source, target, inside, near)


def _agree(
    scaling: Any,
    turning: Any,
    scalings: NDArray[np.int16],
    turnings: NDArray[np.uint8],
    times: int = 1,
) -> NDArray[np.bool_]:
    """Return which pairs scale and turn by about as much as other pairs, in `times` the bounds."""
    turned = np.uint8(times * MOST_TURNING)  # bytes overflow, and so go round as angles do
    agree: NDArray[np.bool_] = np.abs(scalings - scaling) <= times * MOST_SCALING
    agree &= turnings - turning + turned <= 2 * turned
    return agree


def _fitted(
    query: Points,
    candidate: Points,
    source: NDArray[np.complex128],
    target: NDArray[np.complex128],
    inside: NDArray[np.bool_],
    near: NDArray[np.bool_],
) -> Map | None:
    """Fit a map to the pairs inside of its tolerance, several times: each fit may gain pairs.

    `near` are the pairs that may ever count as inliers.
    """
    best: Map | None = None
    for affine in (False, False, True, True):
        if inside.sum() < LEAST_INLIERS:
            break
        found = fit(source[inside], target[inside], affine=affine)
        if found is None:
            continue
        residual = np.abs(found(source) - target)
        smallest = abs(found.turn) - abs(found.shear)
        tolerance = min(TOLERANCE * candidate.diagonal, TOLERANCE * query.diagonal * smallest)
        now = (residual <= tolerance) & near
        count = min(_cells(source[now]), _cells(target[now]))
        if best is None or count >= best.inliers:
            best = found._replace(inliers=count)
            inside = now
    return best if best and best.inliers >= LEAST_INLIERS else None


def fit(
    source: NDArray[np.complex128], target: NDArray[np.complex128], *, affine: bool
) -> Map | None:
    """Fit a map by least squares.

    Returns None if the places do not determine it, and for an affine map that mirrors, or whose
    anisotropy is over MOST_ANISOTROPY.
    """
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
    """Pair each code with its nearest, one to one: at most MOST_PAIRS, the nearest pairs first."""
    if not len(left) or not len(right):
        none = np.empty(0, np.int64)
        return none, none
    distances = np.bitwise_count(left[:, None] ^ right[None])
    bits = distances.min(axis=1)
    order = np.argsort(bits, kind="stable")
    order = order[bits[order] <= MOST_BITS]
    nearest = distances[order].argmin(axis=1)
    _, first = np.unique(nearest, return_index=True)  # each right code is taken once
    chosen = np.sort(first)[:MOST_PAIRS]
    return order[chosen], nearest[chosen]


def _cells(places: NDArray[np.complex128]) -> int:
    """Count the cells of a grid that have a place."""
    across, down = (np.floor(part * CELLS).astype(np.int64) for part in (places.real, places.imag))
    return len(np.unique(across * 4 * CELLS + down))


def inverse(found: Map) -> Map:
    """Return the map from the picture back to the query."""
    size = abs(found.turn) ** 2 - abs(found.shear) ** 2
    turn, shear = found.turn.conjugate() / size, -found.shear / size
    shift = -(turn * found.shift + shear * found.shift.conjugate())
    return Map(turn, shear, shift, found.inliers)
