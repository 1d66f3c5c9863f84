import doctest
import functools
import itertools
import pathlib
import tracemalloc
import warnings

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.special
import sklearn.decomposition
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops import linalg
from hotloops._run import tiles

DTYPES = [np.float32, np.float64]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES = [1, 2, 7, 31, 32, 33, 63, 64, 65, 100, 1023, 1025, 2100]


def numbers(seed, shape, dtype=np.float64, spread=1.0):
    return (spread * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def ulps(result, exact):
    """The largest error in units in the last place of the exact values, mpmath numbers."""
    result = np.asarray(result).ravel()
    worst = 0.0
    for value, truth in zip(result, exact, strict=True):
        unit = float(np.spacing(np.abs(result.dtype.type(float(truth)))))
        worst = max(worst, float(abs(mpmath.mpf(float(value)) - truth)) / unit)
    return worst


def exactly(values):
    return [mpmath.mpf(float(value)) for value in np.ravel(values)]


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


# --- multilayer perceptrons -----------------------------------------------------------------


def layers(seed, widths, dtype=np.float64):
    pairs = list(itertools.pairwise(widths))
    weights = [
        numbers(seed + k, pair, dtype, max(pair[0], 1) ** -0.5) for k, pair in enumerate(pairs)
    ]
    return weights, [numbers(seed - k, pair[1], dtype) for k, pair in enumerate(pairs)]


@dtypes
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity", "softmax"])
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_perceptron(backend, dtype, activation, rows):
    x, (weights, biases) = numbers(8, (rows, 7), dtype), layers(9, (7, 40, 3, 70), dtype)
    result = linalg.mlp_forward(
        x, weights, biases, activation=activation, output_activation=activation, backend=backend
    )
    assert result.dtype == dtype
    functions = {
        "relu": lambda a: a * (a > 0),
        "tanh": np.tanh,
        "sigmoid": scipy.special.expit,
        "identity": lambda a: a,
        "softmax": lambda a: scipy.special.softmax(a, axis=1),
    }
    a = x.astype(np.float64)
    for w, b in zip(weights, biases, strict=True):
        a = functions[activation](a @ w + b)
    np.testing.assert_allclose(result, a, rtol=0, atol=40 * np.finfo(dtype).eps)


@dtypes
def test_activations_within_ulps(backend, dtype):
    # one layer that multiplies by 1 and adds 0
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.concatenate([
        numbers(10, 40), numbers(11, 40, spread=20), np.geomspace(1e-30, 100, 60), [0, tiny, -tiny]
    ]).astype(dtype)  # fmt: skip
    x = np.concatenate([x, -x])
    exact = {"tanh": mpmath.tanh, "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v))}
    for name, function in exact.items():
        result = linalg.mlp_forward(
            x[:, None], [np.ones((1, 1), dtype)], [np.zeros(1, dtype)], output_activation=name,
            backend=backend,
        )  # fmt: skip
        with mpmath.workdps(60):
            assert ulps(result, [function(v) for v in exactly(x)]) < 4


def test_activations_at_the_ends(backend):
    x = np.array([[-np.inf], [-1e300], [-800], [0], [800], [1e300], [np.inf], [np.nan]])
    ends = {
        "relu": [0, 0, 0, 0, 800, 1e300, np.inf, np.nan],
        "tanh": [-1, -1, -1, 0, 1, 1, 1, np.nan],
        "sigmoid": [0, 0, 0, 0.5, 1, 1, 1, np.nan],
        "identity": x[:, 0],
    }
    for name, expected in ends.items():
        with np.errstate(all="raise"):
            result = linalg.mlp_forward(
                x, [[[1.0]]], [[0.0]], output_activation=name, backend=backend
            )
        np.testing.assert_array_equal(result[:, 0], expected)


def test_perceptron_of_one_vector_and_of_a_batch(backend):
    x, (weights, biases) = numbers(8, (2, 3, 7)), layers(9, (7, 5, 4))
    result = linalg.mlp_forward(x, weights, biases, backend=backend)
    assert result.shape == (2, 3, 4)
    one = linalg.mlp_forward(x[1, 2], weights, biases, backend=backend)
    np.testing.assert_allclose(result[1, 2], one, rtol=1e-14)


def test_perceptron_with_empty_layers(backend):
    x = numbers(8, (5, 7))
    for widths in ((7, 0, 3), (7, 4, 0)):
        weights, biases = layers(9, widths)
        result = linalg.mlp_forward(x, weights, biases, backend=backend)
        expected = np.tile(np.exp(biases[-1]) / np.exp(biases[-1]).sum(), (5, 1))
        np.testing.assert_allclose(result, expected, rtol=1e-14)


# --- principal components -------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("shape", [(200, 6), (6, 20), (7, 7)])
def test_pca_is_scikit_learns(dtype, shape):
    from sklearn.decomposition import PCA

    x = numbers(12, shape, dtype) * np.arange(1, shape[1] + 1, dtype=dtype) + dtype(3)
    k = min(shape) - 1
    theirs = PCA(k, svd_solver="full").fit(x.astype(np.float64))
    ours = linalg.pca(x, k)
    tolerance = 500 * np.finfo(dtype).eps
    for name in ("components_", "explained_variance_", "explained_variance_ratio_", "mean_"):
        result, expected = getattr(ours, name), getattr(theirs, name)
        assert result.dtype == dtype
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
    z = ours.transform(x)
    np.testing.assert_allclose(z, theirs.transform(x.astype(np.float64)), atol=30 * tolerance)
    expected = theirs.inverse_transform(z.astype(np.float64))
    np.testing.assert_allclose(ours.inverse_transform(z), expected, atol=30 * tolerance)


@dtypes
@pytest.mark.parametrize("shape", [(50, 6), (6, 50)])
def test_pca_of_a_share_of_the_variance(dtype, shape):
    x = numbers(8, shape, dtype) * np.geomspace(1, 20, shape[1]).astype(dtype)
    for share in (1e-9, 0.3, 0.5, 0.8, 0.95, 0.999, np.float32(0.9)):
        theirs = sklearn.decomposition.PCA(float(share), svd_solver="full").fit(x.astype(float))
        found = linalg.pca(x, share)
        assert found.components_.shape == theirs.components_.shape
        assert found.explained_variance_ratio_.sum() > share
        same = linalg.pca(x, len(found.components_))
        np.testing.assert_array_equal(found.components_, same.components_)
        for method in ("pca", "zca"):
            z = linalg.whiten(x, method=method, n_components=share, eps=0.1)
            assert z.components_.shape == theirs.components_.shape
    assert len(linalg.pca(x).components_) == min(shape)
    assert len(linalg.pca(np.ones((5, 3), dtype), 0.5).components_) == 1


def test_pca_keeps_small_components():
    # a variance of 1e-24 of the largest, which the eigenvalues of the covariance do not see
    q, _ = np.linalg.qr(numbers(13, (3, 3)))
    z = numbers(14, (500, 3)) * [1, 1e-6, 1e-12]
    found = linalg.pca(z @ q.T, 3)
    expected = linalg.pca(z, 3).explained_variance_
    np.testing.assert_allclose(found.explained_variance_, expected, rtol=1e-3)


def test_components_take_one_copy_of_the_data():
    x = numbers(14, (20_000, 8))
    tracemalloc.start()
    linalg.whiten(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * x.nbytes


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_components_of_any_size(scale):
    x = numbers(14, (60, 3)) @ numbers(13, (3, 3))
    expected, found = linalg.pca(x, 3), linalg.pca(scale * x, 3)
    for name in ("components_", "explained_variance_ratio_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12)
    for method in ("zca", "pca"):
        found = linalg.whiten(scale * x, method=method)
        z = found.transform(scale * x)
        np.testing.assert_allclose(z, linalg.whiten(x, method=method).transform(x), rtol=1e-10)
        np.testing.assert_allclose(found.inverse_transform(z), scale * x, rtol=1e-12)


@pytest.mark.parametrize("method", ["zca", "pca"])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_whitened_covariance_is_the_identity(method, offset):
    x = numbers(15, (300, 5)) @ numbers(16, (5, 5)) + offset
    found = linalg.whiten(x, method=method)
    z = found.transform(x)
    tolerance = 1e-12 if offset == 0 else 1e-7
    np.testing.assert_allclose(linalg.covariance(z), np.eye(5), atol=tolerance)
    np.testing.assert_allclose(found.inverse_transform(z), x, rtol=1e-12, atol=1e-12)
    if method == "zca":  # the whitening that is symmetric
        w = found.transform(np.eye(5) + found.mean_)
        np.testing.assert_allclose(w, w.T, atol=100 * tolerance)


@pytest.mark.parametrize("method", ["zca", "pca"])
def test_whitening_a_singular_covariance(method):
    x = numbers(17, (50, 3))
    x = np.column_stack([x, x.sum(axis=1)])
    with pytest.raises(np.linalg.LinAlgError, match=r"3 of 4 .* n_components=3 .* eps > 0"):
        linalg.whiten(x, method=method)
    with pytest.raises(np.linalg.LinAlgError, match=r"4 of 9 .* n_components=4 "):
        linalg.whiten(numbers(1, (5, 9)), method=method)
    with pytest.raises(np.linalg.LinAlgError, match="eps > 0"):
        linalg.whiten(np.ones((5, 2)), method=method)
    part = linalg.whiten(x, method=method, n_components=3)
    assert part.components_.shape == (3, 4)
    spectrum = np.linalg.eigvalsh(linalg.covariance(part.transform(x)))
    np.testing.assert_allclose(spectrum[-3:], 1, rtol=1e-12)
    np.testing.assert_allclose(part.inverse_transform(part.transform(x)), x, atol=1e-12)
    soft = linalg.whiten(x, method=method, eps=0.1)
    values = np.linalg.eigvalsh(linalg.covariance(x))
    spectrum = np.linalg.eigvalsh(linalg.covariance(soft.transform(x)))
    np.testing.assert_allclose(spectrum, values / (values + 0.1), atol=1e-12)
    wide = linalg.whiten(numbers(1, (5, 9)), method=method, eps=0.1)
    assert wide.components_.shape == (9, 9)
    assert wide.explained_variance_.shape == (9,)
    np.testing.assert_allclose(wide.components_ @ wide.components_.T, np.eye(9), atol=1e-14)


def test_components_of_constant_data():
    found = linalg.pca(np.ones((4, 2)), 1)
    np.testing.assert_array_equal(found.explained_variance_ratio_, [0])
    np.testing.assert_array_equal(found.transform(np.ones((4, 2))), np.zeros((4, 1)))


# --- matrices -------------------------------------------------------------------------------


@dtypes
def test_low_rank_is_the_closest(dtype):
    a = numbers(18, (2, 7, 5), dtype)
    s = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    for k in range(6):
        result = linalg.low_rank(a, k)
        assert result.dtype == dtype
        for x, y, values in zip(a, result, s, strict=True):
            assert np.linalg.matrix_rank(y) == k
            distance = np.linalg.norm(x.astype(np.float64) - y, 2)
            tolerance = 100 * values[0] * np.finfo(dtype).eps
            np.testing.assert_allclose(distance, [*values, 0][k], rtol=0, atol=tolerance)


def test_projection():
    a = numbers(19, (3, 8, 4))
    a[1, :, 3] = a[1, :, :3].sum(axis=1)
    a[2] = 0
    a[0] *= [1, 1e-200, 1e200, 1e-9]  # only the columns' directions matter
    p = linalg.projection(a)
    np.testing.assert_allclose(p, p.swapaxes(1, 2), atol=1e-15)
    np.testing.assert_allclose(p @ p, p, atol=1e-14)
    np.testing.assert_allclose(np.trace(p, axis1=1, axis2=2), [4, 3, 0], atol=1e-14)
    directions = linalg.normalize_rows(a.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(p @ directions, directions, atol=1e-14)
    assert linalg.projection(np.empty((3, 0))).tolist() == np.zeros((3, 3)).tolist()


def test_condition_reports():
    hilbert = linalg.condition_report(scipy.linalg.hilbert(6))
    np.testing.assert_allclose(hilbert.condition, 14951058.642, rtol=1e-9)
    assert abs(hilbert.digits_lost - 7.17) < 0.01
    assert "8 digits are left" in repr(hilbert)
    assert "Well conditioned" in linalg.condition_report(np.eye(3)).advice
    assert "differ in size" in linalg.condition_report(np.diag([1, 1e-9])).advice
    singular = linalg.condition_report([[1.0, 1.0], [1.0, 1.0]])
    assert singular.rank == 1
    assert "rank 1 of 2. Take the solution of least norm (hl.LeastSquares)" in singular.advice
    assert linalg.condition_report(np.zeros((2, 3))).condition == np.inf
    assert linalg.condition_report(np.eye(2, dtype=np.float32)).digits < 7
    assert "Do not form" in linalg.condition_report(scipy.linalg.hilbert(9)).advice


@dtypes
def test_safe_solve(dtype):
    a, x = numbers(20, (6, 6), dtype), numbers(21, (6, 2), dtype)
    for right in (x, x[:, 0]):
        b = a @ right
        result = linalg.safe_solve(a, b)
        assert (result.dtype, result.shape) == (dtype, right.shape)
        np.testing.assert_allclose(result, right, rtol=2000 * np.finfo(dtype).eps)
    assert linalg.safe_solve(np.empty((0, 0)), np.empty(0)).shape == (0,)


def test_safe_solve_says_what_is_ill():
    a, b = scipy.linalg.hilbert(12), np.ones(12)
    message = r"about [34]\.\de\+16, above 1\.0e\+12"
    with pytest.warns(scipy.linalg.LinAlgWarning, match=message) as record:
        linalg.safe_solve(a, b)
    assert record[0].filename == __file__
    with pytest.raises(np.linalg.LinAlgError, match="ill-conditioned"):
        linalg.safe_solve(a, b, on_ill="raise")
    with pytest.raises(np.linalg.LinAlgError, match=r"pivot 2 of 2 is 0\. hl\.LeastSquares"):
        linalg.safe_solve(np.ones((2, 2)), [1, 1])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="above 1.0e\\+03"):
        linalg.safe_solve(np.diag([1, 1e-4]), [1, 1], max_cond=1e3)
    single = np.array([[1, 1], [1, 1 + 2e-7]], np.float32)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="above 8.4e\\+06"):
        linalg.safe_solve(single, np.ones(2, np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linalg.safe_solve(scipy.linalg.hilbert(5), np.ones(5))


def test_safe_solve_of_a_norm_that_overflows():
    a = 1.7e308 * np.array([[1, 1], [-1, 1]])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="beyond all numbers"):
        linalg.safe_solve(a, [1, 1])


# --- regression -----------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("targets", [(), (3,)])
def test_regressions_are_scikit_learns(dtype, targets):
    from sklearn.linear_model import LinearRegression, Ridge

    x, y = numbers(22, (60, 4), dtype) + dtype(5), numbers(23, (60, *targets), dtype) + dtype(2)
    exact = x.astype(np.float64), y.astype(np.float64)
    for ours, theirs in [
        (linalg.linear_regression(x, y), LinearRegression().fit(*exact)),
        (linalg.ridge_regression(x, y, 7.0), Ridge(7.0).fit(*exact)),
        (linalg.ridge_regression(x, y, 0), LinearRegression().fit(*exact)),
    ]:
        coef, intercept = ours
        assert coef.dtype == intercept.dtype == dtype
        tolerance = 200 * np.finfo(dtype).eps
        np.testing.assert_allclose(coef.T, theirs.coef_, atol=tolerance)
        np.testing.assert_allclose(intercept, theirs.intercept_, atol=5 * tolerance)


def test_ridge_adds_an_identity_of_the_features():
    # the usual slip is an identity with one row for each sample
    x, y, alpha = numbers(24, (30, 3)), numbers(25, 30), 2.5
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + alpha * np.eye(3), centred.T @ (y - y.mean()))
    coef, intercept = linalg.ridge_regression(x, y, alpha)
    np.testing.assert_allclose(coef, expected, rtol=1e-12)
    np.testing.assert_allclose(intercept, y.mean() - x.mean(axis=0) @ expected, rtol=1e-12)


def test_the_intercept_is_not_penalised():
    x, y = numbers(26, (40, 2)), numbers(27, 40) + 1e6
    coef, intercept = linalg.ridge_regression(x, y, 1e12)
    np.testing.assert_allclose(coef, 0, atol=1e-9)
    np.testing.assert_allclose(intercept, y.mean(), rtol=1e-12)


def test_regression_at_an_offset():
    # columns of ones beside years lose twelve digits
    t = np.arange(40.0) + 1e9
    coef, intercept = linalg.linear_regression(t[:, None], 3 * (t - 1e9) + 7)
    np.testing.assert_allclose(coef, 3, rtol=1e-15)
    np.testing.assert_allclose(intercept + 3e9, 7, rtol=1e-6)


def test_regression_of_dependent_columns_has_least_norm():
    x = numbers(28, 20)
    twice = np.column_stack([x, x])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 1 of 2") as record:
        coef, _ = linalg.linear_regression(twice, 4 * x + 1)
    assert record[0].filename == __file__
    assert str(record[0].message).startswith("X less the mean of each column is rank-deficient")
    np.testing.assert_allclose(coef, [2, 2], rtol=1e-12)
    coef, _ = linalg.ridge_regression(twice, 4 * x + 1, 1e-12)  # which is unique
    np.testing.assert_allclose(coef, [2, 2], rtol=1e-12)


def test_regression_of_a_column_that_is_constant_but_for_rounding():
    x = numbers(28, 20)
    constant = np.where(x > 0, 0.1 + 0.2, 0.3)
    assert np.ptp(constant) > 0
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 1 of 2"):
        coef, intercept = linalg.linear_regression(np.column_stack([x, constant]), 4 * x + 1)
    np.testing.assert_allclose([*coef, intercept], [4, 0, 1], rtol=1e-14)


def test_regression_of_fewer_rows_than_columns():
    x, y = numbers(28, (4, 6)), numbers(29, 4)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 3 of 4"):
        coef, intercept = linalg.linear_regression(x, y)
    np.testing.assert_allclose(coef, np.linalg.pinv(x - x.mean(axis=0)) @ y, rtol=1e-12)
    np.testing.assert_allclose(x @ coef + intercept, y, rtol=1e-12)
    coef, intercept = linalg.linear_regression(np.empty((4, 0)), y)
    assert (coef.shape, float(intercept)) == ((0,), pytest.approx(y.mean()))


@pytest.mark.parametrize("units", [(1e-20, 1), (1e200, 1e-200)])
def test_regression_in_any_units(units):
    x = numbers(28, (30, 2))
    coef, intercept = linalg.linear_regression(x * units, x @ [2, 3] + 1)
    np.testing.assert_allclose(coef * units, [2, 3], rtol=1e-12)
    np.testing.assert_allclose(intercept, 1, rtol=1e-12)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linalg.softmax(1.0, axis=1), ValueError, "axis must be <= 0, got 1"),
        (lambda: linalg.softmax([[1.0]], axis=(0, -2)), ValueError, r"each axis once, got \(0, -2"),
        (lambda: linalg.softmax([[1.0]], axis=(0, 2)), ValueError, "axis must be <= 1, got 2"),
        (lambda: linalg.softmax([[1.0]], axis=(0, 0.5)), TypeError, "axis must be an integer"),
        (lambda: linalg.softmax([1.0], axis=1), ValueError, "axis must be <= 0, got 1"),
        (lambda: linalg.softmax([1.0], axis=0.5), TypeError, "axis must be an integer"),
        (lambda: linalg.softmax([1j]), TypeError, "X must be real"),
        (lambda: linalg.normalize_rows(1.0), ValueError, "X must have at least 1 dimension"),
        (lambda: linalg.covariance([1.0]), ValueError, "X must have at least 2 dimension"),
        (lambda: linalg.covariance([[1.0]]), ValueError, "more than ddof=1 samples"),
        (lambda: linalg.covariance([[1.0]], ddof=-1), ValueError, "ddof must be >= 0"),
        (lambda: linalg.distances([[1.0]], [[1.0, 2.0]]), ValueError, "same number of columns"),
        (lambda: linalg.mlp_forward([[1.0]], [], []), ValueError, "one layer at least, got 0"),
        (lambda: linalg.mlp_forward([[1.0]], 3, []), TypeError, "weights must be a sequence"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], []), ValueError, "got 1 and 0"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0], [2.0]]], [[1.0]]), ValueError,
         r"weights\[0\] must have 1 row"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], [[1.0, 2.0]]), ValueError,
         r"biases\[0\] must have 1 element"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], [[1.0]], activation="gelu"), ValueError,
         "activation must be one of 'identity', 'relu'"),
        (lambda: linalg.pca([[1.0], [2.0]], 2), ValueError, "n_components must be 1, got 2"),
        (lambda: linalg.pca([[1.0], [2.0]], 1.0), ValueError, "a share .* 0 and 1, got 1.0"),
        (lambda: linalg.pca([[1.0], [2.0]], 0.0), ValueError, "a share .* 0 and 1, got 0.0"),
        (lambda: linalg.whiten([[1.0], [2.0]], n_components=np.nan), ValueError, "a share .* nan"),
        (lambda: linalg.pca([[1.0], [2.0]], "mle"), TypeError, "n_components must be an integer"),
        (lambda: linalg.pca([[1.0]], 1), ValueError, "at least 2 rows"),
        (lambda: linalg.pca([[1.0], [np.nan]], 1), ValueError, "X must be finite"),
        (lambda: linalg.whiten([[1.0], [2.0]], method="ZCA"), ValueError, "'pca', got 'ZCA'"),
        (lambda: linalg.whiten([[1.0], [2.0]], eps=-1), ValueError, "eps must be finite and >= 0"),
        (lambda: linalg.pca([[1.0], [2.0]], 1).transform([[1.0, 2.0]]), ValueError, "1 column"),
        (lambda: linalg.low_rank([[1.0]], 2), ValueError, "k must be <= 1"),
        (lambda: linalg.projection([1.0]), ValueError, "A must have at least 2 dimension"),
        (lambda: linalg.condition_report(np.empty((0, 2))), ValueError, "A must not be empty"),
        (lambda: linalg.safe_solve([[1.0, 2.0]], [1.0]), ValueError, "A must be square"),
        (lambda: linalg.safe_solve([[1.0]], [1.0, 2.0]), ValueError, r"b must have shape \(1,\)"),
        (lambda: linalg.safe_solve([[np.inf]], [1.0]), ValueError, "A must be finite"),
        (lambda: linalg.safe_solve([[1.0]], [1.0], max_cond=0), ValueError, "max_cond must be"),
        (lambda: linalg.linear_regression([[1.0]], [1.0, 2.0]), ValueError, "y \\(n,\\)"),
        (lambda: linalg.ridge_regression([[1.0]], [1.0], -1), ValueError, "alpha must be"),
    ],
)  # fmt: skip
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["softmax", "normalize_rows", "covariance", "distances"])
def test_out_is_checked(name):
    function, x = getattr(linalg, name), np.ones((3, 3))
    with pytest.raises(ValueError, match="out must not share memory with X"):
        function(x, out=x)
    for unfit in (np.empty((3, 4)), np.empty((3, 3), np.float32), np.empty((3, 3), order="F")):
        with pytest.raises(ValueError, match=r"out must be .* shape \(3, 3\)"):
            function(x, out=unfit)


def test_perceptrons_out_is_checked():
    x, weights, biases = np.ones((3, 3)), np.ones((2, 3, 3)), np.ones((2, 3))
    for name, out in (("X", x), (r"weights\[1\]", weights[1])):
        with pytest.raises(ValueError, match=f"out must not share memory with {name}"):
            linalg.mlp_forward(x, weights, biases, out=out)
    with pytest.raises(ValueError, match=r"share memory with biases\[1\]"):
        linalg.mlp_forward(x[:1], weights, biases, out=biases[1:])
    with pytest.raises(ValueError, match=r"out must be .* shape \(3, 3\)"):
        linalg.mlp_forward(x, weights, biases, out=np.empty((3, 2)))


def test_zero_sizes(backend):
    for shape in [(0,), (0, 3), (3, 0), (2, 0, 3)]:
        x = np.empty(shape, np.float32)
        for function in (linalg.softmax, linalg.normalize_rows):
            result = function(x, backend=backend)
            assert (result.shape, result.dtype) == (shape, np.float32)
    assert linalg.covariance(np.empty((0, 5, 3)), backend=backend).shape == (0, 3, 3)
    assert linalg.covariance(np.empty((5, 0)), backend=backend).shape == (0, 0)
    empty = linalg.mlp_forward(np.empty((0, 2)), [np.ones((2, 3))], [np.ones(3)], backend=backend)
    assert empty.shape == (0, 3)


# --- the documentation ----------------------------------------------------------------------

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "linalg.md"


@pytest.mark.parametrize("name", [name for name in linalg.__all__ if name != "ConditionReport"])
def test_every_name_has_a_running_example(name):
    tests = doctest.DocTestFinder().find(getattr(linalg, name), name)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_the_page_runs():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_module_is_imported_when_it_is_asked_for():
    assert hl.linalg is linalg
    assert "linalg" in dir(hl)
    assert dir(linalg) == sorted(set(linalg.__all__))
    assert linalg.distances([[0.0], [2.0]])[0, 1] == 2  # the function, not its file
