import itertools

import mpmath
import numpy as np
import pytest
from linalg_oracles import dtypes, numbers

from hotloops import linalg
from hotloops._run import tiles

# --- covariance -----------------------------------------------------------------------------


def exact_covariance(x, ddof=1):
    """By integers: entries are multiples of 2^-20."""
    units = [[int(value * 2**20) for value in row] for row in x.astype(np.float64).tolist()]
    n, d = x.shape
    sums = [sum(row[f] for row in units) for f in range(d)]
    c = np.empty((d, d))
    for f, g in itertools.product(range(d), repeat=2):
        products = sum(row[f] * row[g] for row in units)
        c[f, g] = mpmath.mpf(n * products - sums[f] * sums[g]) / n / (n - ddof) / 2**40
    return c


@pytest.fixture(params=["one mean", "a mean for each tile"])
def means(request, monkeypatch):
    """Both ways of a covariance, of which the size of X decides."""
    if request.param != "one mean":
        monkeypatch.setattr(tiles, "_SHORT", 1.0)


@pytest.mark.parametrize("offset", [0, 1e3, 1e8])
@pytest.mark.parametrize("shape", [(2, 1), (255, 3), (256, 3), (257, 3), (1100, 2), (300, 70)])
def test_covariance_is_exact_at_any_offset(backend, means, shape, offset):
    x = np.round(numbers(1, shape) * 2**20) / 2**20 + offset
    c = linalg.covariance(x, backend=backend)
    exact = exact_covariance(x[:, :5])
    np.testing.assert_allclose(c[:5, :5], exact, rtol=0, atol=1e-14 * np.abs(exact).max())
    np.testing.assert_array_equal(c, c.T)


def test_covariance_in_single_precision(backend, means):
    x = (numbers(2, (5000, 3)) + 1e4).astype(np.float32)
    c = linalg.covariance(x, backend=backend)
    assert c.dtype == np.float32
    np.testing.assert_allclose(c, np.cov(x.astype(np.float64), rowvar=False), rtol=0, atol=3e-7)


def test_covariance_of_data_that_drift(backend, means):
    x = numbers(3, (3000, 2)) + 1e7 * np.linspace(-1, 1, 3000)[:, None] + 1e9
    expected = np.cov(x.T)
    np.testing.assert_allclose(linalg.covariance(x, backend=backend), expected, rtol=1e-14)


@dtypes
@pytest.mark.parametrize("ddof", [0, 1, 5])
def test_covariance_of_batches(backend, dtype, ddof):
    x = numbers(4, (2, 3, 270, 6), dtype)
    result = linalg.covariance(x, ddof=ddof, backend=backend)
    assert result.shape == (2, 3, 6, 6)
    for index in np.ndindex(2, 3):
        expected = np.cov(x[index].astype(np.float64), rowvar=False, ddof=ddof)
        np.testing.assert_allclose(result[index], expected, rtol=0, atol=8 * np.finfo(dtype).eps)


def test_covariance_of_a_batch_of_large_ones(backend, monkeypatch):
    x = numbers(4, (2, 700, 6))
    expected = linalg.covariance(x, backend=backend)
    monkeypatch.setattr(tiles, "_SHORT", 100)
    np.testing.assert_allclose(linalg.covariance(x, backend=backend), expected, rtol=0, atol=1e-15)


def test_covariance_of_nan_and_inf(backend, means):
    x = numbers(5, (600, 3))
    expected = np.cov(x.T)
    for value in (np.nan, np.inf):
        x[400, 1] = value
        result = linalg.covariance(x, backend=backend)
        assert np.isnan(result[1]).all()
        assert np.isnan(result[:, 1]).all()
        np.testing.assert_allclose(result[::2, ::2], expected[::2, ::2], rtol=0, atol=1e-15)


def test_covariance_beyond_single_precision(backend, means):
    x = np.repeat(np.float32([-1e20, 1e20]), 256)[:, None]  # only between tiles
    np.testing.assert_array_equal(linalg.covariance(x, backend=backend), [[np.inf]])


# --- distances ------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("d", [3, 30])
def test_distances_are_never_negative_or_nan(backend, dtype, d):
    # |x|^2 + |y|^2 - 2 x y of points far from the origin is noise
    x = (numbers(6, (40, d)) + 1e5).astype(dtype)
    y = x[::-1].copy()
    squares = ((x.astype(np.float64)[:, None] - y) ** 2).sum(axis=-1)
    textbook = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    assert textbook.min() < 0
    result = linalg.distances(x, y, backend=backend)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, np.sqrt(squares), rtol=3 * d * np.finfo(dtype).eps)
    assert (np.diag(result[:, ::-1]) == 0).all()
    square = linalg.distances(x, y, squared=True, backend=backend)
    np.testing.assert_array_equal(np.sqrt(square), result)


def test_distances_of_one_set(backend):
    x = numbers(7, (200, 4))
    out = np.empty((200, 200))
    result = linalg.distances(x, out=out, backend=backend, workers=2)
    assert result is out
    np.testing.assert_array_equal(result, result.T)
    assert (np.diag(result) == 0).all()
    assert linalg.distances(np.empty((0, 3)), x[:, :3]).shape == (0, 200)
