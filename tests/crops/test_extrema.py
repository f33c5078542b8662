from __future__ import annotations

import numpy as np
import pytest

from hashlens.crops import extrema
from hashlens.crops.extrema import MAX_OFFSET, Matrix, Vector
from hashlens.crops.pyramid import UNITS


def parabolas(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks of random parabolas over x, y and s: gradients (n, 3), Hessians (n, 3, 3), cubes."""
    random = np.random.default_rng(seed)
    gradients = random.normal(size=(count, 3))
    roots = random.normal(size=(count, 3, 3))
    hessians = -(roots @ roots.transpose(0, 2, 1)) - 3 * np.eye(3)
    s, y, x = np.meshgrid(*[np.arange(-1.0, 2)] * 3, indexing="ij")
    at = np.stack([x, y, s], axis=-1)
    cubes = 5 + at @ gradients.T + np.einsum("abci,nij,abcj->abcn", at, hessians, at) / 2
    return gradients, hessians, cubes


def test_derivatives_of_a_parabola_are_its_own() -> None:
    gradients, hessians, cubes = parabolas(1, 50)
    assert np.allclose(np.stack(extrema._gradient(cubes), axis=1), gradients)
    found = extrema._hessian(cubes)
    for i, first in enumerate("xys"):
        for j, second in list(enumerate("xys"))[i:]:
            assert np.allclose(getattr(found, first + second), hessians[:, i, j])


def test_offsets_lead_to_the_extremum() -> None:
    gradients, hessians, cubes = parabolas(2, 50)
    offset = extrema._offset(extrema._gradient(cubes), extrema._hessian(cubes))
    exact = -np.linalg.solve(hessians, gradients[..., None])[..., 0]
    assert np.allclose(np.stack(offset, axis=1), np.clip(exact, -MAX_OFFSET, MAX_OFFSET))


def test_the_contrast_is_that_of_the_extremum() -> None:
    gradients, hessians, cubes = parabolas(3, 50)
    gradient = extrema._gradient(cubes)
    exact = -np.linalg.solve(hessians, gradients[..., None])[..., 0]
    values = 5 + np.einsum("ni,ni->n", gradients, exact) / 2
    assert np.allclose(extrema._contrast(cubes, gradient, Vector(*exact.T)), np.abs(values) / UNITS)


def test_a_singular_hessian_gives_no_offset() -> None:
    zero, one = np.zeros(1), np.ones(1)
    offset = extrema._offset(Vector(one, one, one), Matrix(one, one, zero, zero, zero, zero))
    assert [float(value[0]) for value in offset] == [0, 0, 0]


@pytest.mark.parametrize(("ratio", "passes"), [(1, True), (14.9, True), (15.1, False), (-1, False)])
def test_edges_are_bent_one_way_only(ratio: float, passes: bool) -> None:
    zero, one = np.zeros(1), np.ones(1)
    hessian = Matrix(xx=ratio * one, yy=one, ss=zero, xy=zero, xs=zero, ys=zero)
    assert extrema._passes_edge_test(hessian).tolist() == [passes]
