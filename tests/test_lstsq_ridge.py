"""Least squares with penalties: ridge, the path and its errors of leaving out."""

import warnings

import numpy as np
import pytest
import scipy.linalg
from lstsq_oracles import make, solved_exactly
from numpy.testing import assert_allclose

import hotloops as hl


@pytest.mark.parametrize("shape", [(9, 4), (4, 7)])
@pytest.mark.parametrize("alpha", [1, 1e12, 1e20, 1e34])
def test_a_heavy_penalty_leaves_all_digits(alpha, shape, backend):
    a, b = make(shape), make(shape[0], seed=1)
    for units in (1, 10.0 ** np.array([0, -9, 5, 1, 0, 0, 2])[: shape[1]]):
        exact = solved_exactly(a * units, b, alpha=alpha)
        for method in ("qr", "svd"):
            fit = hl.LeastSquares(a * units, alpha=alpha, method=method, backend=backend)
            assert_allclose(fit.solve(b), exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.float32])
def test_ridge_path_and_its_errors(dtype):
    a, b = make((2, 8, 4), dtype), make((2, 8, 3), dtype, 1)
    weights = np.random.default_rng(2).uniform(0.5, 2, 8)
    alphas = [0, 0.1, 10.0]
    fit = hl.LeastSquares(a, weights=weights, backend="cython")
    x, errors = fit.ridge_path(b, alphas)
    assert x.shape == (3, 2, 4, 3)
    assert errors.shape == (3, 2, 8, 3)
    assert x.dtype == errors.dtype == dtype
    tolerance = {"rtol": 0, "atol": 1e4 * np.finfo(dtype).eps}
    for k, alpha in enumerate(alphas):
        one = hl.LeastSquares(a, weights=weights, alpha=alpha, backend="cython")
        assert_allclose(x[k], one.solve(b), **tolerance)
        for i in range(8):
            rest = np.arange(8) != i
            left_out = hl.LeastSquares(
                a[:, rest], weights=weights[rest], alpha=alpha, backend="cython"
            ).solve(b[:, rest])
            expected = b[:, i] - np.einsum("kn,knp->kp", a[:, i], left_out)
            assert_allclose(errors[k, :, i], expected, **tolerance)


def test_ridge_path_of_small_penalties():
    # dependent columns: as alpha goes to 0, the solution of least norm
    a = make((9, 2)) @ make((2, 5), seed=1)
    b = make(9, seed=2)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 2 of 5"):
        fit = hl.LeastSquares(a)
    penalised = hl.LeastSquares(a, alpha=1.0)
    assert penalised.rank == 2
    assert_allclose(penalised.ridge_path(b, [0])[0], fit.ridge_path(b, [0])[0])
    x, errors = fit.ridge_path(b, [0, 1e-9])
    assert x.shape == (2, 5)
    assert errors.shape == (2, 9)
    assert_allclose(x, np.tile(np.linalg.pinv(a, rcond=1e-12) @ b, (2, 1)), rtol=1e-6)


def test_ridge_path_in_units_far_apart():
    t, b = np.linspace(-1, 1, 30), make(30)
    a = (1e5 * t[:, None]) ** np.array([3, 0, 4, 1, 2])
    for method in ("qr", "svd"):
        x = hl.LeastSquares(a, method=method).ridge_path(b, [0, 1, 1e6]).x
        for k, alpha in enumerate([0, 1, 1e6]):
            expected = solved_exactly(a, b, alpha=alpha)
            assert_allclose(x[k], expected, rtol=1e-8)


def left_out(a, b, alpha):
    """b_i − a_i x, for the x of least norm of all rows but i."""
    errors = []
    for i in range(len(b)):
        rows = np.arange(len(b)) != i
        stacked = np.concatenate([a[rows], np.sqrt(alpha) * np.eye(a.shape[1])])
        x = np.linalg.pinv(stacked, rcond=1e-14) @ np.append(b[rows], np.zeros(a.shape[1]))
        errors.append(b[i] - a[i] @ x)
    return errors


@pytest.mark.parametrize("alpha", [0, 1e-20, 1e-10, 1])
@pytest.mark.parametrize("shape", [(9, 4), (6, 6), (5, 8)])
def test_errors_left_out_of_small_penalties(shape, alpha):
    a, b = make(shape), make(shape[0], seed=1)
    errors = hl.LeastSquares(a).ridge_path(b, [alpha]).loo_errors
    assert_allclose(errors[0], left_out(a, b, alpha), rtol=1e-6)


def test_errors_left_out_of_a_row_alone_with_its_unknown():
    a, b = make((6, 3)), make(6, seed=1)
    a[:5, 2] = a[5, :2] = 0
    path = hl.LeastSquares(a).ridge_path(b, [0, 1e-14])
    for errors in path.loo_errors:
        assert_allclose(errors, left_out(a, b, 0), rtol=1e-9)
        assert_allclose(errors[5], b[5])


def test_errors_left_out_of_rows_without_weight():
    weights = np.array([1.0, 2, 0, 1, 1, 0, 3, 1])
    none = weights == 0
    for n in (3, 9):
        a, b = make((8, n)), make((8, 2), seed=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            fit = hl.LeastSquares(a, weights=weights)
        errors = fit.ridge_path(b, [0, 0.5]).loo_errors
        assert_allclose(errors[0, none], fit.residuals(b)[none])
        kept = hl.LeastSquares(a[~none], weights=weights[~none])
        assert_allclose(errors[:, ~none], kept.ridge_path(b[~none], [0, 0.5]).loo_errors)
