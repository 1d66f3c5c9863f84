"""Many rows, above all in single precision: sums, ranks, and what an offset leaves of a rank."""

import itertools
import pathlib
import sys
import warnings

import numpy as np
import pytest
import scipy.linalg

import hotloops as hl
from hotloops import _rows, linalg

MANY = 20_000  # rows that are taken in pieces
# Numba compiles for each type
DTYPES = [
    *itertools.product(["cython", "numpy"], [np.float32, np.complex64, np.float64, np.complex128]),
    *itertools.product(["numba"], [np.float32, np.float64]),
]


def numbers(shape, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    return (values + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else values).astype(
        dtype
    )


def solved(a, b, weights=None, alpha=0.0):
    """By normal equations of inner products in twice the precision, or more than double."""
    wide = np.result_type(a.dtype, np.float64)
    if wide == a.dtype:
        wide = np.clongdouble if a.dtype.kind == "c" else np.longdouble
    w = np.ones(len(a)) if weights is None else weights
    left = (a.astype(wide) * w[:, None].astype(wide)).conj().T
    double = np.result_type(a.dtype, np.float64)
    gram = (left @ a.astype(wide)).astype(double) + alpha * np.eye(a.shape[1])
    return np.linalg.solve(gram, (left @ b.astype(wide)).astype(double))


def line(m, start):
    x = np.linspace(start, start + 1, m, dtype=np.float32)
    a = np.stack([np.ones_like(x), x], axis=1)
    return a, (1 + 3 * x.astype(float) + np.cos(np.arange(m))).astype(np.float32)


def relative(x, exact):
    return np.abs(x - exact).max() / np.abs(exact).max()


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- least squares --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "svd", "normal"])
@pytest.mark.parametrize(("m", "start"), [(1000, 1.48), (500_000, 9.99)])
def test_a_line_through_points_in_single_precision(method, m, start, backend, silent):
    # conditions of 17 and 385
    a, b = line(m, start)
    exact = solved(a, b)
    fit = hl.LeastSquares(a, method=method, backend=backend)
    x = fit.solve(b)
    assert fit.rank == 2
    assert x.dtype == np.float32
    assert relative(x, exact) < 2e-7
    assert relative(fit.solve(np.stack([b, 2 * b], axis=1))[:, 1], 2 * exact) < 2e-7


def test_so_many_rows_have_a_rank(silent):
    a = numbers((9_000_000, 1))
    assert hl.LeastSquares(a).rank == 1
    assert linalg.linear_regression(a, 2 * a[:, 0])[0] == 2


@pytest.mark.parametrize(("backend", "dtype"), DTYPES)
@pytest.mark.parametrize("method", ["auto", "svd", "normal"])
def test_many_rows_with_weights_and_a_penalty(method, dtype, backend):
    a, b = numbers((MANY, 4), dtype), numbers((MANY, 2), dtype, 1)
    weights = np.random.default_rng(2).uniform(0.5, 2, MANY)
    for alpha in (0.0, 3e3):
        options = {"method": method, "backend": backend, "alpha": alpha, "weights": weights}
        exact = solved(a, b, weights, alpha)
        for refine in (False, True)[: 1 if backend == "numpy" else 2]:  # its loops are Python's
            x = hl.LeastSquares(a, refine=refine, **options).solve(b)
            assert x.dtype == dtype
            assert np.abs(x - exact).max() < 2 * np.finfo(dtype).eps


@pytest.mark.parametrize(("backend", "dtype"), DTYPES)
@pytest.mark.parametrize("method", ["auto", "svd"])
def test_dependent_columns_of_many_rows(method, dtype, backend):
    c, f = np.round(8 * numbers((MANY, 3), dtype)), np.round(2 * numbers((3, 5), dtype, 1))
    a = c @ f  # of whole numbers: exactly dependent
    b = numbers(MANY, dtype, 2)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 3 of 5"):
        fit = hl.LeastSquares(a, method=method, backend=backend)
    c, f = (part.astype(np.result_type(dtype, np.float64)) for part in (c, f))
    inverse = f.conj().T @ np.linalg.inv(f @ f.conj().T) @ np.linalg.inv(c.conj().T @ c)
    pinv, eps = inverse @ c.conj().T, np.finfo(dtype).eps
    assert relative(fit.solve(b), pinv @ b) < 200 * eps
    assert relative(fit.solve(b.astype(c.dtype)), pinv @ b) < 1e-12
    assert abs(fit.leverage().sum() - 3) < 1e3 * eps
    assert relative(fit.pinv(), pinv) < 200 * eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearly_dependent_columns_of_many_rows(dtype, backend, silent):
    # which inner products do not tell from dependent ones
    eps = np.finfo(dtype).eps
    a = numbers((MANY, 3), dtype)
    a[:, 2] = a[:, 0] + 1e3 * eps * a[:, 2]
    fit = hl.LeastSquares(a, backend=backend)
    assert fit.rank == 3
    wide = a.astype(np.longdouble)
    exact = a.astype(float) @ [1.0, 2.0, 3.0]
    residuals = exact - wide @ fit.solve(exact.astype(dtype)).astype(np.longdouble)
    assert np.abs(residuals).max() < 1e3 * eps


def test_a_condition_that_no_pivot_tells(backend, silent):
    # R has 1 on the diagonal and −1 above: its condition is 4e5
    r = np.eye(17) - np.triu(np.ones((17, 17)), 1)
    a = (np.linalg.qr(numbers((60, 17), float))[0] @ r).astype(np.float32)
    b = numbers(60, seed=1)
    exact = np.linalg.lstsq(a.astype(float), b.astype(float), rcond=0)[0]
    fit = hl.LeastSquares(np.stack([np.eye(60, 17, dtype=np.float32), a]), backend=backend)
    assert relative(fit.solve(b)[1], exact) < 2e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_few_of_many_rows_are_constraints(dtype, backend, silent):
    a, b = numbers((MANY, 4), dtype), numbers(MANY, dtype, 1)
    a[:2] *= dtype(1e8)
    b[:2] *= dtype(1e8)
    exact = np.linalg.lstsq(a.astype(float), b.astype(float), rcond=0)[0]
    assert relative(hl.LeastSquares(a, backend=backend).solve(b), exact) < 2e-7
    batch = hl.LeastSquares(np.stack([a, a]), backend=backend)
    assert relative(batch.solve(b)[1], exact) < 2e-7


def test_what_else_is_known_of_many_rows(backend):
    a, b = numbers((MANY, 3)), numbers(MANY, seed=1)
    fit, wide = hl.LeastSquares(a, backend=backend), a.astype(np.float64)
    inverse = np.linalg.inv(wide.T @ wide)
    residuals = b - wide @ solved(a, b)
    assert relative(fit.covariance(), inverse) < 1e-6
    variance = (residuals**2).sum() / (MANY - 3)
    assert relative(fit.covariance(b), variance * inverse) < 1e-6
    assert relative(fit.leverage(), np.einsum("ij,jk,ik->i", wide, inverse, wide)) < 1e-6
    assert abs(fit.cond / np.linalg.cond(wide) - 1) < 1e-9
    x, errors = fit.ridge_path(b, [0, 1e4])
    assert relative(x[1], solved(a, b, alpha=1e4)) < 1e-6
    assert relative(errors[0], residuals / (1 - fit.leverage())) < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_workers_do_not_matter_to_many_rows(dtype):
    a, b = numbers((70_000, 5), dtype), numbers((70_000, 3), dtype, 1)
    results = []
    for workers in (1, 2):
        with hl.set_workers(workers):
            whitened = linalg.whiten(a).transform(a[:9])
            factored = _rows.triangular(a), _rows.inner_products(a)
            results.append([whitened, *factored, _rows.products(a, b)])
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_orthogonal_factors_of_pieces_of_pieces(monkeypatch):
    monkeypatch.setattr(_rows, "_HEIGHT", 16)
    a = numbers((3000, 3), np.float64) + np.array([0, 0, 5])
    q = np.empty_like(a)
    r = _rows.triangular(a, less=(np.array([0, 0, 5.0]),), q=q)
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(q @ r, a - [0, 0, 5], atol=1e-13)


# --- what an offset leaves ------------------------------------------------------------------


@pytest.mark.parametrize("m", [50, MANY])
@pytest.mark.parametrize("offset", [1e4, 1e6, 1e9])
def test_regression_of_columns_that_depend_but_for_an_offset(m, offset, backend):
    x = numbers((m, 2), np.float64)
    dependent = np.column_stack([x, x[:, 1] + offset])
    with (
        hl.set_backend(backend),
        pytest.warns(scipy.linalg.LinAlgWarning, match="rank 2 of 3"),
    ):
        coef, _ = linalg.linear_regression(dependent, x @ [1, 2] + 0.5)
    # of least norm; of the rounding, offset · eps, as much is left
    np.testing.assert_allclose(coef, [1, 1, 1], atol=10 * np.finfo(float).eps * offset)
    with pytest.raises(np.linalg.LinAlgError, match="2 of 3"):
        linalg.whiten(dependent)


def test_an_offset_says_nothing_of_other_columns(silent):
    # columns 1e-9 apart, without an offset, beside one with 1e9
    x, noise = numbers((60, 3), np.float64), numbers(60, np.float64, 1)
    x[:, 1] = x[:, 0] + 1e-9 * noise
    x[:, 2] += 1e9
    coef, _ = linalg.linear_regression(x, x[:, 1])
    np.testing.assert_allclose(coef, [0, 1, 0], atol=1e-5)


@pytest.mark.parametrize("m", [300, MANY])
def test_an_offset_that_leaves_digits_is_no_dependence(m, silent):
    # 1e6 is known to 0.06 in single precision
    x = (1e6 + numbers((m, 2), np.float64)).astype(np.float32)
    y = (x.astype(float) @ [1, -1]).astype(np.float32)
    coef, _ = linalg.linear_regression(x, y)
    np.testing.assert_allclose(coef, [1, -1], atol=1e-4)
    z = linalg.whiten(x).transform(x)
    np.testing.assert_allclose(np.cov(z.T.astype(float)), np.eye(2), atol=0.05)


def test_a_target_that_is_constant_but_for_rounding():
    x, y = np.arange(6.0)[:, None], np.where(np.arange(6) % 2, 0.1 + 0.2, 0.3)
    model = hl.gp.GaussianProcessRegressor(optimizer=None, normalize_y=True).fit(x, y)
    assert model.y_std_ == 1
    for value in (0.1, 0.7):  # whose mean rounds
        model.fit(x[:3], np.full(3, value))
        assert model.score(x[:3], np.full(3, value) + 1) == 0


# --- other sums -----------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1e3])
def test_components_of_many_rows(offset, silent):
    x = (numbers((300_000, 3)) * np.array([1, 0.1, 0.01]) + offset).astype(np.float32)
    wide = x.astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(wide.T))
    found = linalg.pca(x, 3)
    np.testing.assert_allclose(found.explained_variance_, values[::-1], rtol=1e-6)
    np.testing.assert_allclose(np.abs(found.components_ @ vectors[:, ::-1]), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.mean_, wide.mean(axis=0), rtol=1e-7, atol=1e-9)
    z = linalg.whiten(x).transform(x)
    np.testing.assert_allclose(np.cov(z.T.astype(float)), np.eye(3), atol=1e-6 * max(1, offset))
    report = linalg.condition_report(x - np.float32(offset))
    assert abs(report.condition / np.linalg.cond(wide - offset) - 1) < 1e-6


def test_gradients_of_many_rows(backend):
    x, centres = numbers((100_000, 2)), np.array([[0, 0], [1, 2]], np.float32)
    p = np.array([[0.5], [1]], np.float32)
    found = hl.ard_kernel_vjp(
        np.ones((len(x), 2), np.float32), x, centres, factors=p, length_scale=[1, 2],
        backend=backend,
    )  # fmt: skip
    difference = x[:, None].astype(float) - centres
    projected = difference @ p
    k = np.exp(-((difference / [1, 2]) ** 2).sum(axis=2) / 2 - (projected**2).sum(axis=2) / 2)
    by_scale = np.einsum("ij,ijd->d", k, difference**2) / np.array([1, 2]) ** 3
    by_factors = -np.einsum("ij,ijd,ijr->dr", k, difference, projected)
    assert relative(found["variance"], k.sum()) < 2e-7
    assert relative(found["length_scale"], by_scale) < 2e-7
    assert relative(found["factors"], by_factors) < 5e-7


# --- the table of errors --------------------------------------------------------------------


@pytest.mark.slow  # Numba compiles for single precision
def test_the_table_of_errors(monkeypatch):
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parents[1] / "benchmarks"))
    accuracy = __import__("accuracy")
    try:
        errors = accuracy.errors(3000)
    finally:
        sys.modules.pop("accuracy")
    ours = {name: value for name, value in errors.items() if "SciPy" not in name}
    assert len(ours) > 10
    assert max(ours.values()) < 3e-6
