import fractions
import json
import pathlib
import pickle
import warnings

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import hotloops as hl
from hotloops.lstsq import factors
from hotloops.lstsq.problem import METHODS

NIST = json.loads((pathlib.Path(__file__).parent / "data/nist_strd.json").read_text())
EPS = np.finfo(float).eps


def nist(name):
    """A, y and the exact solution of one of NIST's data sets."""
    problem = NIST[name]
    if problem["X"] is None:
        x = np.array(problem["x"], float)
        a = x[:, None] ** np.arange(problem["degree"] + 1)
    else:
        a = np.array(problem["X"], float)
        if a.shape[1] < problem["p"]:
            a = np.column_stack([np.ones(len(a)), a])
    return a, np.array(problem["y"], float), np.array(problem["exact_beta_30d"], float)


def digits(x, exact):
    return -np.log10(max(np.abs(x / exact - 1).max(), 1e-17))


def make(shape, dtype=float, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape)
    return (a + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else a).astype(dtype)


def adjoint(a):
    return a.conj().swapaxes(-1, -2)


def exactly(x):
    """In rational numbers."""
    return np.vectorize(fractions.Fraction, otypes=[object])(x)


def inverted(a):
    """The inverse, by elimination in rational numbers."""
    n = len(a)
    rows = np.concatenate([a, exactly(np.eye(n))], axis=1)
    for k in range(n):
        pivot = k + np.flatnonzero(rows[k:, k])[0]
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] /= rows[k, k]
        others = np.arange(n) != k
        rows[others] -= rows[others, k, None] * rows[k]
    return rows[:, n:]


def solved_exactly(a, b, weights=1, alpha=0):
    """The minimum, by the normal equations in rational numbers."""
    a, b, w, alpha = map(exactly, (a, b, weights, alpha))
    adjoint = a.T * w
    return (inverted(adjoint @ a + alpha * exactly(np.eye(a.shape[1]))) @ adjoint @ b).astype(float)


def least_norm(a, b, rank):
    """The minimum of least norm, if A's first columns are independent: by A = A_k F,
    x = Fᵀ (F Fᵀ)⁻¹ (A_kᵀ A_k)⁻¹ A_kᵀ b."""
    a, b = exactly(a), exactly(b)
    first = a[:, :rank]
    inverse = inverted(first.T @ first)
    f = inverse @ first.T @ a
    return (f.T @ inverted(f @ f.T) @ inverse @ first.T @ b).astype(float)


# --- true values ----------------------------------------------------------------------------

REACHED = {"Wampler1": 13, "Wampler2": 13, "Wampler3": 13, "Longley": 14, "Norris": 13.5,
           "Filip": 7.5}  # fmt: skip


@pytest.mark.parametrize("name", REACHED)
@pytest.mark.parametrize("method", ["auto", "svd"])
def test_nist_with_refinement(name, method, backend):
    a, y, exact = nist(name)
    x = hl.LeastSquares(a, method=method, refine=True, backend=backend).solve(y)
    assert digits(x, exact) >= REACHED[name]


@pytest.mark.parametrize("name", REACHED)
def test_nist_as_certified(name, backend):
    a, y, _ = nist(name)
    fit = hl.LeastSquares(a, backend=backend)
    certified = np.array(NIST[name]["certified_beta"], float)
    assert digits(fit.solve(y), certified) >= (7 if name == "Filip" else 9)
    deviation = np.sqrt(np.diagonal(fit.covariance(y)))
    expected = np.array(NIST[name]["certified_sd"], float)
    assert_allclose(deviation, expected, rtol=1e-6, atol=1e-5 * np.abs(certified).max())


def test_nist_by_normal_equations(backend):
    a, y, exact = nist("Longley")
    plain = hl.LeastSquares(a, method="normal", backend=backend).solve(y)
    refined = hl.LeastSquares(a, method="normal", refine=True, backend=backend).solve(y)
    assert 6 < digits(plain, exact) < 9
    assert digits(refined, exact) >= 14
    with pytest.raises(np.linalg.LinAlgError, match="'normal': \"qr\" copes with a larger"):
        hl.LeastSquares(nist("Filip")[0], method="normal", backend=backend)


@pytest.mark.parametrize("alpha", [0, 0.25])
@pytest.mark.parametrize("method", ["qr", "normal", "svd"])
def test_refined_solutions_are_exact(method, alpha, backend):
    a, b = make((9, 4)), 1e4 * make(9, seed=1)
    a[:, 3] = a[:, 0] + 1e-5 * a[:, 3]
    weights = np.random.default_rng(2).uniform(0.1, 3, 9)
    options = {"weights": weights, "alpha": alpha, "method": method, "backend": backend}
    exact = solved_exactly(a, b, weights, alpha)
    x = hl.LeastSquares(a, refine=True, **options).solve(b)
    assert_allclose(x, exact, rtol=4 * EPS)
    assert digits(hl.LeastSquares(a, **options).solve(b), exact) < digits(x, exact)


@pytest.mark.parametrize("method", ["lu", "qr"])
def test_refined_hilbert(method, backend):
    a = scipy.linalg.hilbert(9)
    b = np.arange(1.0, 10)
    x = hl.LeastSquares(a, method=method, refine=True, backend=backend).solve(b)
    assert_allclose(x, solved_exactly(a, b), rtol=4 * EPS)


@pytest.mark.parametrize("method", ["qr", "normal", "svd"])
def test_refined_from_no_digits(method, backend):
    # x is far below the rounding errors of b
    a = np.stack([np.ones(4), np.arange(4.0)], axis=1)
    b = 2.0**52 * np.array([1.0, -3, 3, -1]) + np.array([1.0, 2, 3, 5])
    exact = solved_exactly(a, b)
    assert np.abs(exact).max() < 1e-15 * b.max()
    x = hl.LeastSquares(a, method=method, refine=True, backend=backend).solve(b)
    assert_allclose(x, exact, rtol=4 * EPS)


@pytest.mark.parametrize("size", [1e-160, 1e200])
def test_refined_where_squares_are_out_of_range(size, backend):
    a, b = make((9, 4)), make(9, seed=1)
    x = hl.LeastSquares(size * a, refine=True, backend=backend).solve(size * b)
    assert_allclose(x, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-12)


def far_apart(kind, dtype=float):
    """A, b and weights of a problem whose rows are of very different size."""
    a, b, weights = make((12, 5), dtype), make(12, dtype, 1), np.ones(12)
    if kind == "rows":
        a, b = a * np.geomspace(1e-12, 1, 12)[:, None], b * np.geomspace(1e-12, 1, 12)
    elif kind == "levels":
        weights[[2, 5]], weights[11] = 1e20, 1e28
    else:
        weights[[4, 11]] = kind
    return a, b, weights


@pytest.mark.parametrize("kind", [1e16, 1e24, 1e28, 1e32, "levels", "rows"])
def test_rows_far_apart_in_size(kind, backend):
    # heavy ones are constraints: not less of the others' digits is right
    a, b, weights = far_apart(kind)
    exact = solved_exactly(a, b, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = hl.LeastSquares(a, weights=weights, backend=backend)
        refined = hl.LeastSquares(a, weights=weights, refine=True, backend=backend)
    assert fit.rank == 5
    assert_allclose(fit.solve(b), exact, rtol=1e-13)
    assert_allclose(refined.solve(b), exact, rtol=0, atol=4 * EPS * np.abs(exact).max())


@pytest.mark.parametrize("kind", [1e16, 1e24])
@pytest.mark.parametrize("method", ["svd", "qr"])
def test_refined_complex_rows_far_apart_in_size(method, kind, backend):
    a, b, weights = far_apart(kind, complex)
    # in real numbers: (re, im) of x from those of b
    real = np.block([[a.real, -a.imag], [a.imag, a.real]])
    exact = solved_exactly(real, np.append(b.real, b.imag), np.append(weights, weights))
    x = hl.LeastSquares(a, weights=weights, method=method, refine=True, backend=backend).solve(b)
    assert_allclose(np.append(x.real, x.imag), exact, rtol=0, atol=8 * EPS * np.abs(x).max())


def backward_error(a, b, x, exact):
    """Of x: the largest |A (x − x*)|_i in proportion to |b|_i + |r*|_i + (|A| |x*|)_i."""
    a, b, x, exact = map(exactly, (a, b, x, exact))
    sizes = np.abs(b) + np.abs(b - a @ exact) + np.abs(a) @ np.abs(exact)
    return float((np.abs(a @ (x - exact)) / sizes).max())


@pytest.mark.parametrize("dependence", [1e-2, 1e-6])
@pytest.mark.parametrize("weight", [1, 1e24, 1e40])
def test_refinement_makes_nothing_worse(weight, dependence, backend):
    # beyond what residuals in twice the precision can reach, too
    for seed in range(2):
        a, b = make((12, 5), seed=seed), make(12, seed=seed + 10)
        a[:, 4] = a[:, 3] + dependence * a[:, 4]
        weights = np.ones(12)
        weights[[2, 5]] = weight
        exact = solved_exactly(a, b, weights)
        options = {"weights": weights, "backend": backend}
        plain = hl.LeastSquares(a, **options).solve(b)
        refined = hl.LeastSquares(a, refine=True, **options).solve(b)
        # of columns together, each by itself
        both = hl.LeastSquares(a, refine=True, **options).solve(np.stack([a[:, 0], b], axis=1))
        assert_allclose(both[:, 0], [1, 0, 0, 0, 0], atol=10 * EPS / dependence)
        for x in (refined, both[:, 1]):
            size = np.abs(exact).max()
            error, before = np.abs(x - exact).max(), np.abs(plain - exact).max()
            assert error <= max(2 * before, 4 * EPS * size)
            before = backward_error(a, b, plain, exact)
            assert backward_error(a, b, x, exact) <= max(2 * before, 2 * EPS)


@pytest.mark.parametrize(("seed", "n"), [(131, 1), (30, 4), (83, 4)])
def test_refined_columns_together_and_alone(seed, n, backend):
    # from a first correction that is near 0 by chance, and from no right digit
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(11, n)), 1e3 * rng.normal(size=11)
    weights = 10.0 ** rng.choice([0, 0, 0, 8, -5], 11) if n == 1 else np.ones(11)
    if n > 1:
        a[:, -1] = a[:, 0] + 3e-7 * a[:, -1]
    exact = solved_exactly(a, b, weights)
    fit = hl.LeastSquares(a, weights=weights, method="normal", refine=True, backend=backend)
    together = fit.solve(np.stack([a[:, 0], b, 0 * b, 2 * b], axis=1))
    for x in (fit.solve(b), together[:, 1], together[:, 3] / 2):
        assert_allclose(x, exact, rtol=0, atol=2 * EPS * np.abs(exact).max())
    assert not together[:, 2].any()


def test_residuals_that_cancel(backend):
    # x is right to the last bit, and b − A x is some rounding errors of products
    a = np.array([[1 + 2.0**-30, 0], [0, 1.0]])
    x = np.array([1 - 2.0**-31, 3.0])
    b = a @ x
    fit = hl.LeastSquares(a, backend=backend)
    expected = fractions.Fraction(b[0]) - fractions.Fraction(a[0, 0]) * fractions.Fraction(
        fit.solve(b)[0]
    )
    assert fit.residuals(b)[0] == float(expected)


# --- against another algorithm --------------------------------------------------------------


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


# --- ridge ----------------------------------------------------------------------------------


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


# --- shapes, dtypes, objects ----------------------------------------------------------------


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
    monkeypatch.setattr(factors, "_solution_blocks", lambda *shape: (blocks, 0.0, 0))
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
