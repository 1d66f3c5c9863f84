"""The profiles of kernels: their values, and derivatives of the rational quadratic's."""

import mpmath
import numpy as np
import pytest
from ard_oracles import ALPHAS, DTYPES, PROFILES, rational_quadratic

import hotloops as hl


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "alpha"),
    [("se", 1), ("matern12", 1), ("matern32", 1), ("matern52", 1), *(
        ("rq", alpha) for alpha in (0.03, 1, 7.5, 1e4, 1e9)
    )],
)  # fmt: skip
def test_profiles_are_within_four_ulps(backend, dtype, kind, alpha):
    # variance 1: the kernel is the profile of the q that quadform gives
    last = {"se": 1600, "matern12": 600_000, "rq": 1e6}.get(kind, 200_000)
    q = np.concatenate([[0], np.geomspace(1e-30, last, 500), np.linspace(0, 20, 300),
                        np.linspace(1300, 1600, 100)])  # fmt: skip
    if dtype == np.float32:
        q = np.concatenate([q[q < 1e4], np.linspace(150, 230, 100)])
    X = np.sqrt(q).astype(dtype)[:, None]
    q = hl.quadform(X, np.zeros((1, 1), dtype), backend=backend).ravel()
    k = hl.ard_kernel(X, np.zeros((1, 1), dtype), kind=kind, rq_alpha=alpha, backend=backend)
    assert k.dtype == dtype
    with mpmath.workdps(60):
        for value, form in zip(k.ravel(), q, strict=True):
            exact = PROFILES[kind](mpmath.mpf(float(form)), mpmath.mpf(alpha))
            spacing = float(np.spacing(dtype(float(exact))))
            assert abs(mpmath.mpf(float(value)) - exact) <= 4 * spacing, (form, value)
    assert k[0] == 1
    if kind == "se":
        assert k.min() == 0
        assert ((k > 0) & (k < np.finfo(dtype).tiny)).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_rational_quadratic_is_within_four_ulps(backend, dtype, alpha):
    X, _, exact = rational_quadratic(dtype, alpha, 60)
    k = hl.ard_kernel(X, np.zeros((1, 1), dtype), kind="rq", rq_alpha=alpha, backend=backend)
    for x, value, (p, _, _) in zip(X[:, 0], k[:, 0], exact, strict=True):
        spacing = float(np.spacing(dtype(float(p))))
        assert abs(mpmath.mpf(float(value)) - p) <= 4 * spacing, (x, value)
    X = 2 * np.array([[np.sqrt(np.finfo(dtype).max)], [np.nan]], dtype)
    far = hl.ard_kernel(X, np.zeros((1, 1), dtype), kind="rq", rq_alpha=alpha, backend=backend)
    np.testing.assert_array_equal(far, [[0], [np.nan]])


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradients_of_the_rational_quadratic(backend, alpha):
    X, _, exact = rational_quadratic(np.float64, alpha, 15)
    keywords = {"kind": "rq", "rq_alpha": alpha, "backend": backend}
    Y, one = np.zeros((1, 1)), np.ones((len(X), 1))
    moved = hl.ard_kernel_vjp(one, X, Y, **keywords, wrt=["X"])["X"]
    for x, by_x, (_, by_q, by_alpha) in zip(X[:, 0], moved[:, 0], exact, strict=True):
        change = hl.ard_kernel_vjp([[1.0]], [[x]], Y, **keywords, wrt=["rq_alpha"])["rq_alpha"]
        for value, truth in ((by_x, 2 * mpmath.mpf(x) * by_q), (change, by_alpha)):
            bound = 1e-13 * abs(truth) + 1e-290 * max(1, x)
            assert abs(mpmath.mpf(float(value)) - truth) <= bound, x
    for x in (1e200, np.nan):
        gradients = hl.ard_kernel_vjp([[1.0]], [[x]], Y, **keywords, wrt=["X", "rq_alpha"])
        expected = 0 if x == 1e200 else np.nan
        np.testing.assert_array_equal(gradients["X"], [[expected]])
        np.testing.assert_array_equal(gradients["rq_alpha"], expected)


@pytest.mark.parametrize("kind", PROFILES)
def test_profiles_at_the_ends(backend, kind):
    X = np.array([[0.0], [1e200], [np.inf], [np.nan]])
    k = hl.ard_kernel(X, [[0.0]], kind=kind, rq_alpha=2.0, backend=backend).ravel()
    np.testing.assert_array_equal(k, [1, 0, 0, np.nan])


@pytest.mark.parametrize(("kind", "nu"), [("matern12", 0.5), ("matern32", 1.5), ("matern52", 2.5)])
def test_matern_is_the_bessel_function(backend, kind, nu):
    X = np.array([[0.1], [0.9], [2.5], [8.0]])
    k = hl.ard_kernel(X, [[0.0]], kind=kind, backend=backend).ravel()
    for value, r in zip(k, X.ravel(), strict=True):
        a = mpmath.sqrt(2 * nu) * r
        bessel = mpmath.mpf(2) ** (1 - nu) / mpmath.gamma(nu) * a**nu * mpmath.besselk(nu, a)
        np.testing.assert_allclose(value, float(bessel), rtol=1e-14)
