"""Least squares: shapes, dtypes and layouts, the object itself, and what bad input gets."""

import pickle

import numpy as np
import pytest
from lstsq_oracles import make
from numpy.testing import assert_allclose, assert_array_equal

import hotloops as hl
from hotloops._run import Step
from hotloops.lstsq import factors
from hotloops.lstsq.problem import METHODS


def test_shapes_of_right_hand_sides(backend):
    a = make((6, 3))
    fit, pinv = hl.LeastSquares(a, backend=backend), np.linalg.pinv(a)
    for shape in [(6,), (6, 1), (6, 0), (4, 6, 2), (2, 4, 6, 2), (0, 6, 2)]:
        b = make(shape, seed=1)
        expected = pinv @ b
        found = fit.solve(b)
        assert found.shape == expected.shape
        assert_allclose(found, expected, atol=1e-13)
        assert fit.residuals(b).shape == b.shape
    batch = hl.LeastSquares(np.stack([a, 2 * a]), backend=backend)
    assert_allclose(batch.solve(np.ones(6)), [pinv @ np.ones(6), pinv @ np.ones(6) / 2])
    assert batch.solve(make((6, 5))).shape == (2, 3, 5)
    assert batch.solve(make((1, 6, 5))).shape == (2, 3, 5)


def test_residuals_without_columns(backend):
    b = make((5, 2), seed=1)
    fit = hl.LeastSquares(np.empty((3, 5, 0)), backend=backend)
    assert_array_equal(fit.residuals(b), [b, b, b])
    found = hl.LeastSquares(np.empty((5, 0)), backend=backend).residuals(b)
    assert_array_equal(found, b)
    assert not np.shares_memory(found, b)


def test_many_columns_in_blocks(backend):
    a, b = make((40, 7)), make((40, 3000), seed=1)
    fit = hl.LeastSquares(a, backend=backend, workers=2)
    assert_allclose(fit.solve(b), np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-13)
    out = np.empty((7, 3000))
    assert fit.solve(b, out=out) is out
    assert_array_equal(out, hl.LeastSquares(a, backend=backend, workers=1).solve(b))


@pytest.mark.parametrize("method", METHODS)
def test_a_column_alone_in_its_block(method, backend, monkeypatch):
    blocks = [(0, 1, 0, 2), (0, 1, 2, 3)]
    monkeypatch.setattr(factors, "_solution", lambda *shape: Step("solve", blocks))
    a, b = make((7, 7)), make((7, 3), seed=1)
    a = a @ a.T + np.eye(7)
    x = hl.LeastSquares(a, method=method, backend=backend).solve(b)
    assert_allclose(x, np.linalg.solve(a, b), atol=1e-11)


def test_dtypes_of_right_hand_sides():
    a = make((6, 3), np.float32)
    fit = hl.LeastSquares(a)
    assert fit.solve(np.ones(6, np.float32)).dtype == np.float32
    double = fit.solve(make(6))
    assert double.dtype == np.float64
    assert_allclose(double, np.linalg.lstsq(a.astype(float), make(6), rcond=None)[0], rtol=1e-13)
    assert fit.solve([1, 2, 3, 4, 5, 6]).dtype == np.float64
    expected = hl.LeastSquares(a.astype(float)).covariance(make(6))
    assert_allclose(fit.covariance(make(6)), expected, rtol=1e-13)
    for dtype in (np.complex64, np.complex128):
        b = make((6, 2), dtype)
        assert fit.solve(b).dtype == dtype
        assert_allclose(fit.solve(b), np.linalg.pinv(a) @ b, rtol=1e-4)
        assert fit.residuals(b[:, 0]).dtype == dtype


def test_empty():
    for shape in [(0, 3), (3, 0), (0, 0), (0, 4, 2)]:
        fit = hl.LeastSquares(np.empty(shape))
        x = fit.solve(np.empty((*shape[:-1], 2)))
        assert x.shape == (*shape[:-2], shape[-1], 2)
        assert not x.any()
        assert np.all(np.equal(fit.rank, 0))
        assert fit.pinv().shape == (*shape[:-2], *shape[:-3:-1])
    b = make(3)
    assert_array_equal(hl.LeastSquares(np.empty((3, 0))).ridge_path(b, [0, 1]).loo_errors, [b, b])
    path = hl.LeastSquares(make((3, 2))).ridge_path(b, [])
    assert path.x.shape == (0, 2)
    assert path.loo_errors.shape == (0, 3)


def test_it_is_of_the_matrix_as_it_was():
    a, b = make((6, 3)), make(6)
    fit = hl.LeastSquares(a, refine=True)
    expected = fit.solve(b)
    a[:] = 0
    assert_array_equal(fit.solve(b), expected)
    assert_array_equal(pickle.loads(pickle.dumps(fit)).solve(b), expected)
    assert repr(fit) == "<LeastSquares of (6, 3), float64, method='auto', rank 3>"


def test_it_keeps_the_backend_and_the_workers_it_was_made_with():
    a, b = make((6, 3)), make((6, 2))
    with hl.set_backend("numpy"), hl.set_workers(2):
        fit = hl.LeastSquares(a)
    for one in (fit, pickle.loads(pickle.dumps(fit))):
        problem = one._solver.problem
        assert (problem.backend, problem.workers) == ("numpy", 2)
        assert_array_equal(one.solve(b), fit.solve(b))
        assert_array_equal(one.solve(b[:, 0]), fit.solve(b[:, 0]))


def test_slogdet():
    for dtype in (float, complex):
        a = make((3, 4, 4), dtype)
        for method in ("lu", "auto"):
            sign, size = hl.LeastSquares(a, method=method).slogdet()
            assert_allclose(sign * np.exp(size), np.linalg.det(a))
    with pytest.raises(ValueError, match=r"slogdet needs a square A, got shape \(4, 3\)"):
        hl.LeastSquares(make((4, 3))).slogdet()


# --- errors ---------------------------------------------------------------------------------

SINGULAR = np.arange(1.0, 10).reshape(3, 3)


@pytest.mark.parametrize(
    ("method", "advice"),
    [("lu", '"qr", "svd" and "auto"'), ("normal", '"qr" copes'), ("cholesky", '"lu" copes')],
)
def test_singular(method, advice, backend):
    a = SINGULAR.T @ SINGULAR if method == "cholesky" else SINGULAR
    with pytest.raises(np.linalg.LinAlgError, match=f"^A is singular.*'{method}': {advice}"):
        hl.LeastSquares(a, method=method, backend=backend)
    batch = np.stack([np.eye(3), a, np.eye(3), a])
    with pytest.raises(np.linalg.LinAlgError, match=r"^A\[1\], A\[3\] is singular"):
        hl.LeastSquares(batch, method=method, backend=backend)


def test_indefinite(backend):
    with pytest.raises(np.linalg.LinAlgError, match='"lu" copes if it is not singular'):
        hl.LeastSquares(np.diag([1.0, -1]), method="cholesky", backend=backend)
    with pytest.raises(ValueError, match=r'A must be symmetric .*: "lu" does without'):
        hl.LeastSquares([[2.0, 1], [0, 2]], method="cholesky", backend=backend)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "gels"}, ValueError, "method must be one of 'auto', 'lu'"),
        ({"method": "lu"}, ValueError, r"method='lu' needs a square A, got shape \(4, 2\)"),
        ({"alpha": -1}, ValueError, "alpha must be finite and >= 0, got -1"),
        ({"alpha": "1"}, TypeError, "alpha must be a real number"),
        ({"rcond": -1}, ValueError, "rcond must be finite and >= 0"),
        ({"weights": [1, 1, 1, -1]}, ValueError, "weights must be finite and not negative"),
        ({"weights": [1, 1, 1, np.nan]}, ValueError, "weights must be finite and not negative"),
        ({"weights": [1, 1]}, ValueError, r"one number or have shape \(4,\), one for each"),
        ({"backend": "fortran"}, ValueError, "backend must be one of"),
        ({"workers": 0}, ValueError, "workers must be at least 1"),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        hl.LeastSquares(make((4, 2)), **options)


def test_wrong_arrays():
    with pytest.raises(ValueError, match=r"A must have at least 2 dimensions, got shape \(3,\)"):
        hl.LeastSquares(np.ones(3))
    with pytest.raises(ValueError, match="A must be finite, got NaN or inf"):
        hl.LeastSquares([[1, np.nan], [0, 1]])
    with pytest.raises(ValueError, match=r"alpha must be 0 with method='lu'.*\"normal\""):
        hl.LeastSquares(np.eye(2), method="lu", alpha=1)
    with pytest.raises(np.linalg.LinAlgError, match="weights of 0 leave fewer equations"):
        hl.LeastSquares(np.eye(2), method="lu", weights=[1, 0])
    fit = hl.LeastSquares(make((4, 2)))
    for b in (np.ones(3), np.ones((3, 4)), np.float64(1)):
        with pytest.raises(ValueError, match=r"b must have shape \(4,\) or \(\.\.\., 4, p\)"):
            fit.solve(b)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="b must be finite"):
            fit.solve(np.array([1, 2, bad, 4]))
    large = np.array([1e200, 0, 0, 0])
    assert_allclose(fit.solve(large), fit.pinv()[:, 0] * 1e200)
    with pytest.raises(ValueError, match=r"out must be .* of shape \(2,\) and dtype float64"):
        fit.solve(np.ones(4), out=np.empty(3))
    with pytest.raises(ValueError, match=r"must broadcast to \(3,\), the batch of A"):
        hl.LeastSquares(make((3, 4, 2))).solve(np.ones((2, 4, 1)))
    with pytest.raises(ValueError, match="covariance is for alpha = 0, got alpha = 2"):
        hl.LeastSquares(make((4, 2)), alpha=2).covariance()
    with pytest.raises(ValueError, match="alphas must be finite and not negative"):
        fit.ridge_path(np.ones(4), [1, -1])


def test_nan_is_let_through_where_it_is_not_looked_for(backend):
    fit = hl.LeastSquares(make((4, 2)), check_finite=False, backend=backend)
    assert np.isnan(fit.solve(np.array([1, 2, np.nan, 4]))).all()
    a = make((2, 4, 4))
    a[1, 2, 1] = np.nan
    for method in ("auto", "qr", "svd", "lu"):
        fit = hl.LeastSquares(a, method=method, check_finite=False, backend=backend)
        x = fit.solve(np.ones(4))
        assert_allclose(x[0], np.linalg.solve(a[0], np.ones(4)))
        assert np.isnan(x[1]).all()
        assert_array_equal(np.isnan(fit.cond), [False, True])
