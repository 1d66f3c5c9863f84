"""Least squares: every method against another algorithm, ranks and weights."""

import warnings

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from lstsq_oracles import adjoint, least_norm, make, solved_exactly
from numpy.testing import assert_allclose, assert_array_equal

import hotloops as hl
from hotloops.lstsq.problem import METHODS


def check(a, weights, alpha, method, backend, refine=False):
    """Everything by the normal equations, on well-conditioned problems."""
    dtype, (*batch, m, n) = a.dtype, a.shape
    fit = hl.LeastSquares(
        a, weights=weights, alpha=alpha, method=method, refine=refine, backend=backend
    )
    w = np.ones(m) if weights is None else weights
    wide = a.astype(np.result_type(dtype, float))
    inverse = np.linalg.inv(adjoint(wide) @ (w[:, None] * wide) + alpha * np.eye(n))
    pinv = inverse @ (adjoint(wide) * w)
    tolerance = 200 * np.finfo(dtype).eps * np.linalg.cond(wide).max() ** 2
    vector, matrix = make(m, dtype, 3), make((*batch, m, 4), dtype, 4)
    expected = {
        "solve": pinv @ matrix,
        "vector": pinv @ vector,
        "pinv": pinv,
        "leverage": np.einsum("...ij,...ji->...i", wide, pinv).real,
        "residuals": matrix - wide @ (pinv @ matrix),
    }
    found = {
        "solve": fit.solve(matrix),
        "vector": fit.solve(vector),
        "pinv": fit.pinv(),
        "leverage": fit.leverage(),
        "residuals": fit.residuals(matrix),
    }
    if not alpha:
        expected["covariance"], found["covariance"] = inverse, fit.covariance()
    if not alpha and m > n:
        variance = (w[:, None] * np.abs(expected["residuals"]) ** 2).sum(axis=-2) / (m - n)
        expected["scaled"] = variance[..., None, None] * inverse[..., None, :, :]
        found["scaled"] = fit.covariance(matrix)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        scale = max(1, np.abs(value).max())
        assert_allclose(found[name], value, rtol=0, atol=tolerance * scale, err_msg=name)
        assert found[name].dtype == (dtype if value.dtype.kind == "c" or dtype.kind != "c" else
                                     found[name].real.dtype)  # fmt: skip
    assert_array_equal(fit.rank, n)
    assert_allclose(fit.cond, np.linalg.cond(a), rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_every_method(method, dtype, backend):
    weights = np.random.default_rng(1).uniform(0.5, 2, 12)
    square = make((2, 6, 6), dtype)
    if method in ("lu", "cholesky"):
        if method == "cholesky":
            square = square @ adjoint(square) + np.eye(6)
        check(square, None, 0, method, backend)
        check(square[0], weights[:6], 0, method, backend, refine=True)
    else:
        check(make((2, 12, 5), dtype), weights, 0, method, backend, refine=True)
        check(make((12, 5), dtype), None, 0, method, backend)
        check(square, weights[:6], 0.5, method, backend)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", ["cython", "numpy"])
def test_single_precision(method, dtype, backend):
    a = make((7, 7), dtype) + 5 * np.eye(7, dtype=dtype)
    if method == "cholesky":
        a = a @ adjoint(a)
    check(a, None, 0, method, backend)
    check(a, None, 0, method, backend, refine=True)


def test_single_precision_in_numba():
    a, b = make((9, 4), np.float32), make(9, np.float32, 1)
    x = hl.LeastSquares(a, method="svd", backend="numba").solve(b)
    assert x.dtype == np.float32
    assert_allclose(x, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-4)


@pytest.mark.parametrize("method", ["auto", "qr", "svd"])
@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (7, 7)])
def test_rank_deficient_is_of_least_norm(method, shape, backend):
    a = make((shape[0], 3)) @ make((3, shape[1]), seed=1)
    a *= np.geomspace(1e-2, 1e3, shape[1])
    b = make((shape[0], 2), seed=2)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 3 of 7, condition"):
        fit = hl.LeastSquares(a, method=method, backend=backend)
    expected = np.linalg.lstsq(a, b, rcond=1e-12)[0]
    assert fit.rank == 3
    assert_allclose(fit.solve(b), expected, rtol=1e-9, atol=1e-12)
    assert_allclose(fit.pinv(), np.linalg.pinv(a, rcond=1e-12), atol=1e-9)
    assert_allclose(fit.leverage().sum(), 3)
    assert_allclose(fit.covariance(), fit.pinv() @ fit.pinv().T, rtol=1e-9)


def test_least_norm_in_units_far_apart(backend):
    a = np.round(9 * make((9, 3))) @ np.round(9 * make((3, 6), seed=1))
    b = np.round(9 * make(9, seed=2))
    for step in (0, 5, 40, 200):
        units = 2.0 ** (step * np.array([0, 2, -1, 1, -2, 0]))
        with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 3 of 6"):
            x = hl.LeastSquares(a * units, backend=backend).solve(b)
        exact = least_norm(a * units, b, 3)
        assert_allclose(x, exact, rtol=0, atol=1e-13 * np.abs(exact).max())


def test_wide(backend):
    a, b = make((4, 9), complex), make(4, complex, 1)
    fit = hl.LeastSquares(a, backend=backend)
    assert fit.rank == 4
    assert_allclose(fit.solve(b), np.linalg.pinv(a) @ b)
    assert_allclose(fit.leverage(), 1)
    with pytest.raises(ValueError, match="more rows than the rank of A, got 4 and 4"):
        fit.covariance(b)


@pytest.mark.parametrize("method", ["auto", "qr", "svd"])
def test_a_coarse_rcond_is_of_singular_values(method, backend):
    # whose pivots are all of one size
    a = np.eye(14, 12) - np.triu(np.ones((14, 12)), 1)
    values = np.linalg.svd(a / np.linalg.norm(a, axis=0), compute_uv=False)
    assert values[-1] < 5e-4 * values[0] < 2e-3 * values[0] < values[-2]
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 11 of 12"):
        fit = hl.LeastSquares(a, method=method, rcond=1e-3, backend=backend)
    assert fit.rank == 11
    assert hl.LeastSquares(a, method=method, rcond=1e-4, backend=backend).rank == 12


def test_the_warning_is_of_the_line_that_made_the_object(recwarn):
    fit = hl.LeastSquares(np.ones((4, 2), np.float32))
    assert fit.solve(np.ones(4)).dtype == np.float64
    (warning,) = recwarn
    assert warning.filename == __file__


def test_one_of_a_batch_is_deficient(backend):
    a = make((2, 2, 8, 4))
    a[1, 0, :, 3] = a[1, 0, :, 1]
    with pytest.warns(scipy.linalg.LinAlgWarning, match=r"^A\[1, 0\] is rank-deficient: rank 3"):
        fit = hl.LeastSquares(a, backend=backend)
    assert_array_equal(fit.rank, [[4, 4], [3, 4]])
    b = make((2, 2, 8, 3), seed=1)
    for k in np.ndindex(2, 2):
        assert_allclose(fit.solve(b)[k], np.linalg.lstsq(a[k], b[k], rcond=1e-12)[0], atol=1e-12)
        assert_allclose(fit.pinv()[k], np.linalg.pinv(a[k], rcond=1e-12), atol=1e-12)


def test_units_of_columns_do_not_decide_on_rank(backend):
    # a polynomial of well-placed points in units that make its columns 20 orders apart
    t = np.linspace(-1, 1, 30)
    a = (1e5 * t[:, None]) ** np.arange(5)
    b = make(30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = hl.LeastSquares(a, backend=backend)
    assert fit.rank == 5
    assert fit.cond > 1e19
    units = 1e5 ** np.arange(5)
    expected = np.linalg.lstsq(t[:, None] ** np.arange(5), b, rcond=None)[0]
    assert_allclose(fit.solve(b) * units, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_columns_are_no_sign_of_singularity(dtype):
    least = np.finfo(dtype).smallest_subnormal
    a = np.array([[1, least], [1, 2 * least]], dtype)
    fit = hl.LeastSquares(a, method="lu")
    assert_allclose(fit.solve(np.array([1, 1], dtype)), [1, 0], atol=1e-6)
    with pytest.raises(np.linalg.LinAlgError, match=r"^A is singular"):
        hl.LeastSquares(a * [[1], [0]], method="lu")
    with pytest.warns(scipy.linalg.LinAlgWarning, match="condition inf"):
        hl.LeastSquares(np.array([[1e300, 0, 0], [0, 1e-300, 1e-300], [0, 1e-300, 1e-300]]))


def test_extreme_sizes(backend):
    a, b = np.round(1e3 * make((8, 3))), np.round(1e3 * make(8, seed=1))
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    x = hl.LeastSquares(2.0**-1050 * a, backend=backend).solve(2.0**-1050 * b)
    assert_allclose(x, expected, rtol=1e-6)
    for size in (1e-290, 1e290):
        x = hl.LeastSquares(size * a, backend=backend).solve(size * b)
        assert_allclose(x, expected, rtol=1e-12)
        path = hl.LeastSquares(size * a, backend=backend).ridge_path(size * b, [0])
        assert_allclose(path.x[0], x, rtol=1e-12)


def test_nearly_dependent_columns_are_pivoted(backend):
    a = make((20, 4))
    a[:, 3] = a[:, 0] + 1e-10 * a[:, 3]
    b = make(20, seed=1)
    fit = hl.LeastSquares(a, method="qr", backend=backend)
    assert fit.rank == 4
    exact = solved_exactly(a, b)
    assert_allclose(fit.solve(b), exact, rtol=1e-5)
    assert_allclose(fit.residuals(b), b - a @ exact, atol=1e-6)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_condition_of_columns_or_rows_far_apart(dtype):
    a = np.round(9 * make((5, 3)))
    for units in ([1e20, 1e-20, 1], [1, 1e4, 1e9]):
        scaled = (a * units).astype(dtype)
        with mpmath.workdps(100):
            values = mpmath.svd_r(mpmath.matrix(scaled.astype(float).tolist()), compute_uv=False)
            exact = float(max(values) / min(values))
        assert_allclose(hl.LeastSquares(scaled).cond, exact, rtol=1e-13)
        assert_allclose(hl.LeastSquares(scaled.T.copy()).cond, exact, rtol=1e-13)
    stack = np.stack([np.diag(np.array([1e20, 1e-20], dtype)), np.eye(2, dtype=dtype)])
    assert_allclose(hl.LeastSquares(stack).cond, [1e40, 1], rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_properties(m, n, seed):
    a, b = make((m, n), seed=seed), make(m, seed=seed + 1)
    fit = hl.LeastSquares(a)
    x = fit.solve(b)
    assert_allclose(a.T @ fit.residuals(b), 0, atol=1e-10 * np.abs(b).max() * np.abs(a).max() * m)
    assert_allclose(x, np.linalg.pinv(a) @ b, rtol=1e-8, atol=1e-8)
    assert_allclose(fit.leverage().sum(), fit.rank)
    # rows twice are rows of twice the weight
    weighted = hl.LeastSquares(a, weights=np.full(m, 2.0)).solve(b)
    assert_allclose(weighted, x, rtol=1e-8, atol=1e-8)
    if m >= n:
        doubled = hl.LeastSquares(np.concatenate([a, a])).solve(np.concatenate([b, b]))
        assert_allclose(doubled, x, rtol=1e-8, atol=1e-8)


def test_weights_are_those_of_polyfit_squared():
    t, y = np.linspace(0, 1, 9), make(9)
    root = np.random.default_rng(1).uniform(0.5, 2, 9)
    fit = hl.LeastSquares(np.vander(t, 3), weights=root**2)
    x, covariance = np.polyfit(t, y, 2, w=root, cov=True)
    assert_allclose(fit.solve(y), x)
    assert_allclose(fit.covariance(y), covariance)
    zero = np.where(np.arange(9) < 6, 1.0, 0)
    assert_allclose(
        hl.LeastSquares(np.vander(t, 3), weights=zero).solve(y), np.polyfit(t[:6], y[:6], 2)
    )


def test_one_weight_is_that_of_every_row():
    a, b = make((6, 3)), make(6, seed=1)
    one = hl.LeastSquares(a, weights=4.0)
    every = hl.LeastSquares(a, weights=np.full(6, 4.0))
    assert_array_equal(one.solve(b), every.solve(b))
    assert_allclose(one.covariance(), hl.LeastSquares(a).covariance() / 4, rtol=1e-13)
    with pytest.raises(ValueError, match=r"shape \(6,\) or \(2, 6\), one for each row of A"):
        hl.LeastSquares(np.stack([a, a]), weights=np.ones(2))


def test_rows_without_weight_are_no_rows(recwarn):
    a, b = make((6, 3)), make(6, seed=1)
    for weights in ([1, 0, 0, 2, 0, 0], [0] * 6):
        weights = np.array(weights, float)
        kept = weights > 0
        x = hl.LeastSquares(a, weights=weights).solve(b)
        assert_allclose(x, np.linalg.pinv(a[kept]) @ b[kept], atol=1e-14)
    assert not recwarn.list
    # of rank 2 without, of rank 1 for its weights: the condition is that of the rows with weight
    a[3] = a[0] * 2
    with pytest.warns(scipy.linalg.LinAlgWarning, match="with its weights: rank 1 of 2, condition"):
        hl.LeastSquares(a, weights=[1, 0, 0, 2, 0, 0])
    with pytest.warns(scipy.linalg.LinAlgWarning, match=r"rank 1 of 2, condition inf"):
        hl.LeastSquares([[1.0, 0], [0, 1], [0, 0]], weights=[1, 0, 1])
