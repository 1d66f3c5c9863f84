import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process.kernels import ExpSineSquared

import hotloops as hl

DTYPES = [np.float32, np.float64]
finite = st.floats(-1e300, 1e300)


def exact(x, period):
    """(cos, sin) of 2π x / period, for the numbers as given."""
    with mpmath.workdps(700):
        turns = mpmath.mpf(float(x)) / mpmath.mpf(float(period))
        angle = 2 * mpmath.pi * (turns - mpmath.nint(turns))
        return float(mpmath.cos(angle)), float(mpmath.sin(angle))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("period", [1.0, 365.25, 0.1, 7, 1e-5])
def test_against_mpmath_however_large_x_is(dtype, period):
    x = np.array([0, 0.3, -2.5, 12.125, 1e6 / 3, -1e15 / 7, 3e37, -1e-30], dtype)
    features = hl.periodic_features(x, period)
    assert features.dtype == dtype
    expected = [exact(value, period) for value in x]
    np.testing.assert_allclose(features, expected, rtol=0, atol=4 * np.finfo(dtype).eps)


@given(finite, st.floats(1e-300, 1e300))
@settings(max_examples=100, deadline=None)
def test_any_number_and_period(x, period):
    features = hl.periodic_features([x], period)
    np.testing.assert_allclose(features, [exact(x, period)], rtol=0, atol=1e-15)


@given(st.integers(-(2**50), 2**50), st.integers(1, 2**20), st.integers(-(2**20), 2**20))
@settings(max_examples=100, deadline=None)
def test_exactly_periodic(x, period, k):
    # integers up to 2^51 are exact, and so are their sums
    one, other = hl.periodic_features([x, x + k * period], period)
    if 2 * x % period:  # half a period on either side of 0 is the same point but for a rounding
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, other, rtol=0, atol=5e-16)


def test_distances_are_those_of_the_circle():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 30, size=(2, 50))
    q = hl.quadform(hl.periodic_features(x, 12.5), hl.periodic_features(y, 12.5))
    expected = 4 * np.sin(np.pi * (x[:, None] - y) / 12.5) ** 2
    np.testing.assert_allclose(q, expected, rtol=0, atol=1e-14)


def test_it_makes_mackays_kernel():
    x = np.random.default_rng(2).uniform(0, 40, 60)
    k = hl.ard_kernel(hl.periodic_features(x, 1.7), length_scale=0.6)
    theirs = ExpSineSquared(length_scale=0.6, periodicity=1.7)(x[:, None])
    np.testing.assert_allclose(k, theirs, rtol=0, atol=1e-12)


def test_coordinates_stand_side_by_side():
    x = np.random.default_rng(3).normal(size=(20, 3))
    period = np.array([1.0, 2.5, 7.0])
    features = hl.periodic_features(x, period)
    assert features.shape == (20, 6)
    for d in range(3):
        alone = hl.periodic_features(x[:, d], period[d])
        np.testing.assert_array_equal(features[:, 2 * d : 2 * d + 2], alone)
    np.testing.assert_array_equal(
        hl.periodic_features(x, 2.5), hl.periodic_features(x, [2.5, 2.5, 2.5])
    )


@pytest.mark.parametrize(
    ("shape", "expected"), [((0,), (0, 2)), ((0, 3), (0, 6)), ((4, 0), (4, 0)), ((1,), (1, 2))]
)
def test_shapes(shape, expected):
    assert hl.periodic_features(np.zeros(shape), 2.0).shape == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.tolist(),
        lambda x: x.astype(">f8"),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x[:, None],
    ],
)
def test_layouts(change):
    x = np.linspace(-3, 8, 13)
    before = x.copy()
    features = hl.periodic_features(change(x), 2.0)
    assert features.dtype.isnative
    np.testing.assert_array_equal(features, hl.periodic_features(x, 2.0))
    np.testing.assert_array_equal(x, before)


def test_an_array_of_one_period():
    x = np.random.default_rng(1).normal(size=(6, 3))
    expected = hl.periodic_features(x, 1.5)
    np.testing.assert_array_equal(hl.periodic_features(x, [1.5]), expected)


def test_integers_are_float64():
    assert hl.periodic_features([1, 2, 3], 12).dtype == np.float64


def test_nan_and_inf_give_nan():
    with np.errstate(all="raise"):
        features = hl.periodic_features([np.nan, np.inf, -np.inf, 1.0], 3.0)
    assert np.isnan(features[:3]).all()
    assert np.isfinite(features[3]).all()


@pytest.mark.parametrize(
    ("x", "period", "error", "message"),
    [
        (1.0, 1.0, ValueError, r"x must have shape \(N,\) or \(N, D\), got shape \(\)"),
        (np.ones((2, 2, 2)), 1.0, ValueError, r"x must have shape .* got shape \(2, 2, 2\)"),
        ([1j], 1.0, TypeError, "x must be real .* got dtype complex128"),
        ([1.0], 0.0, ValueError, "period must be positive and finite, got 0.0"),
        ([1.0], -1, ValueError, "period must be positive and finite, got -1.0"),
        ([1.0], np.inf, ValueError, "period must be positive and finite, got inf"),
        ([1.0], np.nan, ValueError, "period must be positive and finite, got nan"),
        ([1.0], "year", TypeError, "period must be real"),
        ([[1.0, 2.0]], [1, 2, 3], ValueError,
         r"period must be a scalar or have shape \(2,\).* got shape \(3,\)"),
        ([1.0, 2.0], [1.0, 2.0], ValueError, r"have shape \(1,\).* got shape \(2,\)"),
    ],
)  # fmt: skip
def test_bad_input(x, period, error, message):
    with pytest.raises(error, match=message):
        hl.periodic_features(x, period)
