"""Forms of many features, which come from matrix products."""

import numpy as np
import pytest
from ard_oracles import DATA, DTYPES, points, wide_quadform

import hotloops as hl


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [15, 16, 17, 33, 100])
@pytest.mark.parametrize("data", ["spread", "clusters", "offset", "outlier"])
def test_no_cliff_where_products_begin(backend, dtype, d, data):
    rng = np.random.default_rng(d)
    X, Y = rng.normal(size=(40, d)), rng.normal(size=(37, d))
    if data == "clusters":  # pairs close to each other and far from the mean
        X, Y = X * 1e-3, Y * 1e-3
        X[::2] += 100
        Y[::2] += 100
    elif data == "offset":
        X, Y = X + 1e4, Y + 1e4
    elif data == "outlier":
        X[3] = 1e10
    X, Y = X.astype(dtype), Y.astype(dtype)
    Y[5] = X[4]
    for scale in (np.ones(d), np.geomspace(0.1, 10, d)):
        scale = scale.astype(dtype)
        q = hl.quadform(X, Y, length_scale=scale, backend=backend)
        wide = [array.astype(np.longdouble) for array in (X, Y, scale)]
        exact = (((wide[0][:, None] - wide[1]) / wide[2]) ** 2).sum(-1)
        assert (np.abs(q - exact) <= 8 * d * np.finfo(dtype).eps * exact).all()
        assert q[4, 5] == 0
        assert (q >= 0).all()


WIDE_PROFILES = {
    "se": lambda q: np.exp(-q / 2),
    "matern32": lambda q: (1 + np.sqrt(3 * q)) * np.exp(-np.sqrt(3 * q)),
    "matern52": lambda q: (1 + np.sqrt(5 * q) + 5 * q / 3) * np.exp(-np.sqrt(5 * q)),
    "rq": lambda q: 1 / (1 + q / 2),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [20, 64, 200])
@pytest.mark.parametrize("data", DATA)
def test_the_error_that_covariances_may_have(backend, dtype, d, data):
    eps = np.finfo(dtype).eps
    root = 2.0 ** round(np.log2(np.sqrt(d)))
    for length_scale in (root, root / 4, root / 16):
        X, Y, q = wide_quadform(dtype, data, d, length_scale)
        keywords = {"length_scale": length_scale, "backend": backend}
        for kind, profile in WIDE_PROFILES.items():
            exact = 3 * profile(q)
            k = hl.ard_kernel(X, Y, kind=kind, variance=3.0, **keywords)
            assert (abs(k - exact) <= 4 * eps * exact + 16 * eps * 3).all()
            assert (k <= 3).all()
        forms = hl.quadform(X, Y, **keywords)
        assert (abs(forms - q) <= 4 * d * eps * q).all()
        k, exact = hl.ard_kernel(X, Y, kind="matern12", **keywords), np.exp(-np.sqrt(q))
        assert (abs(k - exact) <= (4 + 2 * d * np.sqrt(q)) * eps * exact + 1e-37).all()
        assert (forms[q == 0] == 0).all()
        assert (k[q == 0] == 1).all()


@pytest.mark.parametrize("data", DATA)
def test_the_diagonal_of_one_set_is_exact(backend, data):
    X, _, _ = wide_quadform(np.float64, data, 64, 2.0)
    X = np.vstack([X] * 7)
    k = hl.ard_kernel(X, length_scale=8.0, variance=0.7, noise_variance=0.1, backend=backend)
    assert (np.diag(k) == 0.7 + 0.1).all()
    assert np.array_equal(k, k.T)
    operator = hl.KernelOperator(X, length_scale=8.0, variance=0.7, backend=backend)
    assert (operator.diagonal() == 0.7).all()


def test_identical_points_have_identical_projections(backend):
    X = points(7, 50, 40)[np.random.default_rng(1).integers(50, size=300)] + 1e3
    root, Y = points(8, 40, 40), X[::-1][:217].copy()
    for keywords in ({"metric": root @ root.T}, {"factors": root[:, :19]}):
        q = hl.quadform(X, Y, **keywords, backend=backend)
        same = (X[:, None] == Y).all(-1)
        assert (q[same] == 0).all()
        assert (q[~same] > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 31, 130, 300, 700])
def test_products_are_exactly_symmetric(backend, dtype, n):
    X = points(5, n, 20, dtype)
    X[-1] = X[0]
    k = hl.ard_kernel(X, noise_variance=0.5, kind="matern32", backend=backend)
    assert np.array_equal(k, k.T)
    assert (np.diag(k) == 1.5).all()
    two = hl.ard_kernel(X, X.copy(), kind="matern32", backend=backend)
    np.testing.assert_allclose(k - np.eye(n) / 2, two, rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "m"), [(513, None), (1030, None), (515, 4100), (3, 600)])
def test_products_of_the_most_features(backend, dtype, n, m):
    rng = np.random.default_rng(1)
    X, d = rng.normal(size=(n, 130)).astype(dtype), 130
    Y = X if m is None else rng.normal(size=(m, d)).astype(dtype)
    q = hl.quadform(X, None if m is None else Y, length_scale=3.0, backend=backend)
    rows, columns = rng.integers(n, size=300), rng.integers(len(Y), size=300)
    difference = (X[rows].astype(np.longdouble) - Y[columns]) / 3
    exact = (difference**2).sum(axis=1)
    assert (np.abs(q[rows, columns] - exact) <= 8 * d * np.finfo(dtype).eps * exact).all()
    assert m is not None or np.array_equal(q, q.T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_squares_beyond_the_range(backend, dtype):
    largest = np.sqrt(np.finfo(dtype).max)
    X, Y = np.zeros((16, 16), dtype), np.zeros((17, 16), dtype)
    X[:2, 0] = 0.9 * largest, -0.9 * largest
    Y[:2, 0] = 0.45 * largest, -0.45 * largest
    Y[0, 1] = 0.72 * largest
    expected = (X[0].astype(np.longdouble) - Y[0]) ** 2
    np.testing.assert_allclose(
        hl.quadform(X, Y, backend=backend)[0, 0], float(expected.sum()), rtol=1e-6
    )
    gradient = hl.ard_kernel_vjp(np.ones((2, 2)), np.full((2, 1), 1e10, dtype),
                                 length_scale=[1 / largest], wrt=["length_scale"],
                                 backend=backend)["length_scale"]  # fmt: skip
    assert gradient == 0


@pytest.mark.parametrize("rank", [0, 3, 40])
def test_error_with_a_projection(backend, rank):
    rng = np.random.default_rng(3)
    d, eps = 20, np.finfo(float).eps
    X, Y = rng.normal(size=(15, d)) + 1e3, rng.normal(size=(12, d)) + 1e3
    Y[0] = X[0] + 1e-6 * rng.normal(size=d)
    root = rng.normal(size=(d, rank or d))
    metric = root @ root.T
    keywords = {"factors": root} if rank else {"metric": metric}
    q = hl.quadform(X, Y, backend=backend, **keywords)
    wide = root.astype(np.longdouble)
    difference = X.astype(np.longdouble)[:, None] - Y
    exact = ((difference @ wide) ** 2).sum(-1)
    mean = np.concatenate([X, Y]).mean(0)
    reach = np.linalg.norm(X - mean, axis=1)[:, None] + np.linalg.norm(Y - mean, axis=1)
    length = np.sqrt((difference**2).sum(-1)).astype(float)
    bound = 8 * (d + root.shape[1]) * eps * np.linalg.norm(metric, 2) * length * reach
    if not rank:  # the metric itself is rounded
        bound += 8 * d * eps * np.linalg.norm(metric, 2) * length**2
    assert (np.abs(q - exact) <= bound).all()


def test_nan_and_inf_travel_in_products(backend):
    X = points(1, 50, 20)
    X[3, 2], X[7, 5] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        expected = ((X[:, None] - X) ** 2).sum(-1)
    np.testing.assert_allclose(hl.quadform(X, backend=backend), expected, rtol=1e-13)
