"""Least squares: how many digits are right, with refinement and without."""

import fractions
import warnings

import numpy as np
import pytest
import scipy.linalg
from lstsq_oracles import EPS, NIST, digits, exactly, make, nist, solved_exactly
from numpy.testing import assert_allclose

import hotloops as hl

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
