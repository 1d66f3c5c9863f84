import functools

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from linalg_oracles import SIZES, dtypes, exactly, numbers, ulps

from hotloops import linalg

# --- softmax --------------------------------------------------------------------------------


def exact_softmax(row):
    with mpmath.workdps(40):
        e = [mpmath.exp(x) for x in exactly(row)]
        total = mpmath.fsum(e)
        return [x / total for x in e]


@dtypes
@pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0, 200.0])
def test_softmax_within_ulps(backend, dtype, spread):
    x = numbers(1, (3, 77), dtype, spread)
    result = linalg.softmax(x, backend=backend)
    assert result.dtype == dtype
    for row, values in zip(x, result, strict=True):
        assert ulps(values, exact_softmax(row)) < (6 if backend == "numpy" else 4)


@functools.cache
def softmax_case(m, dtype):
    x = numbers(m, (2, m), dtype, 5)
    return x, np.array([exact_softmax(row) for row in x], np.float64)


@dtypes
@pytest.mark.parametrize("m", SIZES)
def test_softmax_of_every_length_and_axis(backend, dtype, m):
    x, expected = softmax_case(m, dtype)
    tolerance = 8 * np.finfo(dtype).eps
    rows = linalg.softmax(x, backend=backend)
    np.testing.assert_allclose(rows, expected, rtol=tolerance)
    for inner in (2, 70):
        tall = np.repeat(x[:, :, None], inner, axis=2)
        tall[:, :, 1] = x[::-1]
        result = linalg.softmax(tall, axis=1, backend=backend)
        for k in range(inner):
            values = expected[::-1] if k == 1 else expected
            np.testing.assert_allclose(result[:, :, k], values, rtol=tolerance)


def test_softmax_of_many_rows_along_the_first_axis(backend):
    x = numbers(1, 5000, spread=5)  # more than a group of each row in the cache
    result = linalg.softmax(np.stack([x, x[::-1]], axis=1), axis=0, backend=backend)
    expected = np.array(exact_softmax(x), np.float64)
    np.testing.assert_allclose(result[:, 0], expected, rtol=4e-15)
    np.testing.assert_allclose(result[::-1, 1], expected, rtol=4e-15)


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_softmax_axis(backend, axis):
    x = numbers(2, (4, 5, 6))
    expected = scipy.special.softmax(x, axis=axis)
    np.testing.assert_allclose(linalg.softmax(x, axis, backend=backend), expected, rtol=1e-14)


@dtypes
@pytest.mark.parametrize("axis", [None, (), (0,), (0, 1), (-1, 1), (2, 0), (0, -3, 2), (3, 0)])
def test_softmax_over_several_axes(backend, dtype, axis):
    x = numbers(3, (4, 5, 6, 3), dtype, spread=3)
    expected = scipy.special.softmax(x.astype(float), axis=axis)
    out = np.empty_like(x)
    result = linalg.softmax(x, axis, backend=backend)
    np.testing.assert_allclose(result, expected, rtol=16 * np.finfo(dtype).eps)
    assert linalg.softmax(x[::-1].swapaxes(0, 1), axis, out=out.reshape(5, 4, 6, 3),
                          backend=backend).dtype == dtype  # fmt: skip
    turned = scipy.special.softmax(x[::-1].swapaxes(0, 1).astype(float), axis=axis)
    np.testing.assert_allclose(out.reshape(turned.shape), turned, rtol=16 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("axis", [-1, 0, None, ()])
def test_softmax_of_a_number(backend, dtype, axis):
    for x in (3.0, -np.inf, np.nan):
        result = linalg.softmax(dtype(x), axis, backend=backend)
        with np.errstate(invalid="ignore"):
            expected = scipy.special.softmax(dtype(x), axis=axis)
        np.testing.assert_array_equal(result, expected)
        assert type(result) is type(expected) is dtype
    out = np.empty((), dtype)
    assert linalg.softmax(dtype(1), axis, out=out, backend=backend) is out
    assert out == 1


@dtypes
def test_softmax_does_not_overflow(backend, dtype):
    largest = np.finfo(dtype).max
    x = np.array([[1e4, 1e4, 1e4 - 1], [-1e4, -1e4, -1e4 - 1], [largest, -largest, 0]], dtype)
    e = np.exp(-1)
    expected = [[1 / (2 + e), 1 / (2 + e), e / (2 + e)]] * 2 + [[1, 0, 0]]
    with np.errstate(all="raise"):
        result = linalg.softmax(x, backend=backend)
    np.testing.assert_allclose(result, expected, rtol=4 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_nan_and_inf(backend, dtype, axis):
    inf, nan = np.inf, np.nan
    x = np.array([[0, -inf, 0], [nan, 0, 1], [inf, 0, 1], [-inf, -inf, -inf], [nan, inf, 0]], dtype)
    given = x if axis else np.ascontiguousarray(x.T)
    result = linalg.softmax(given, axis, backend=backend)
    expected = np.full((5, 3), nan)
    expected[0] = 0.5, 0, 0.5
    np.testing.assert_array_equal(result if axis else result.T, expected)


def test_softmax_through_the_subnormals(backend):
    x = np.array([0.0, -700.0, -720.0, -744.0, -760.0, -1e9])
    exact = [mpmath.exp(value) for value in exactly(x)]
    total = mpmath.fsum(exact)
    assert ulps(linalg.softmax(x, backend=backend), [e / total for e in exact]) < 4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40), st.integers(-(2**20), 2**20))
def test_softmax_is_the_same_after_a_shift(values, shift):
    x = np.round(np.array(values) * 2**20) / 2**20  # a shift is exact
    np.testing.assert_allclose(linalg.softmax(x + shift), linalg.softmax(x), rtol=4e-15)


# --- normalize_rows -------------------------------------------------------------------------


def exact_unit(row):
    with mpmath.workdps(40):
        norm = mpmath.sqrt(mpmath.fsum(x * x for x in exactly(row)))
        return [x / norm for x in exactly(row)]


@dtypes
@pytest.mark.parametrize("m", SIZES)
def test_normalize_rows_within_ulps(backend, dtype, m):
    x = numbers(m, (2, m), dtype)
    result = linalg.normalize_rows(x, backend=backend)
    assert result.dtype == dtype
    for row, values in zip(x, result, strict=True):
        assert ulps(values, exact_unit(row)) < 8


@pytest.mark.parametrize(
    ("dtype", "powers"),
    [(np.float32, (-149, -140, -100, -64, -30, 30, 63, 100, 127)),
     (np.float64, (-1074, -1060, -900, -511, -400, 400, 511, 900, 1023))],
)  # fmt: skip
def test_normalize_rows_of_any_length(backend, dtype, powers):
    base = np.array([1, -0.75, 0, 0.5, 1.5], np.float64)
    for power in powers:
        row = np.ldexp(base, power).astype(dtype)
        with np.errstate(all="raise"):
            result = linalg.normalize_rows(row, backend=backend)
        assert ulps(result, exact_unit(row)) < 3, power


@dtypes
def test_normalize_rows_with_small_entries_beside_huge_ones(backend, dtype):
    info = np.finfo(dtype)
    row = np.array([info.max, info.max / 4, 1, info.tiny, info.smallest_subnormal], dtype)
    for factor in (1, dtype(1e-3) / info.max ** dtype(0.5)):
        exact = exact_unit(row * factor)
        assert ulps(linalg.normalize_rows(row * factor, backend=backend), exact) < 3


@dtypes
def test_normalize_rows_zero_nan_and_inf(backend, dtype):
    inf, nan = np.inf, np.nan
    x = np.array([[0, 0, 0], [3, 0, 4], [nan, 1, 0], [inf, 1, 0], [-inf, nan, 1]], dtype)
    result = linalg.normalize_rows(x, backend=backend)
    expected = [[0, 0, 0], [0.6, 0, 0.8], [nan] * 3, [nan, 0, 0], [nan] * 3]
    np.testing.assert_allclose(result, np.array(expected), rtol=2e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(-300, 300), st.integers(0, 2**32 - 1))
def test_normalize_rows_does_not_see_a_power_of_two(power, seed):
    x = numbers(seed, (3, 5))
    scaled = linalg.normalize_rows(np.ldexp(x, power))
    np.testing.assert_array_equal(scaled, linalg.normalize_rows(x))
