import copy
import functools
import pickle
import tracemalloc

import mpmath
import numpy as np
import pytest
import scipy.sparse.linalg
from hotloops.kernels.ard import SE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import hotloops as hl
from hotloops import _backends
from hotloops._run import resolve

DTYPES = [np.float32, np.float64]


def points(seed, n, d, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def exact_quadform(X, Y, length_scale):
    """In 60 digits, for the inputs as given."""
    with mpmath.workdps(60):
        scale = [1 / mpmath.mpf(float(s)) for s in length_scale]
        return np.array([
            [
                sum((s * (mpmath.mpf(float(a)) - mpmath.mpf(float(b)))) ** 2
                    for s, a, b in zip(scale, x, y, strict=True))
                for y in Y
            ]
            for x in X
        ])  # fmt: skip


# --- against the truth ----------------------------------------------------------------------


def test_gpml_ard(backend):
    # GPML toolbox 3.x, covSEard
    X = [[-0.81263, -0.5], [-0.99976, 5.4576], [1.17037, 7.17637]]
    Y = [[1, 3], [23, 2], [4, -5]]
    expected = [
        [0.483748918128241, 0.000268463258484, 0.235348892827356],
        [0.676321622589282, 0.000172691024978, 0.001624066485753],
        [0.379307967154712, 0.000301388413582, 0.000236847574321],
    ]
    k = hl.ard_kernel(X, Y, length_scale=[6, 3], backend=backend)
    np.testing.assert_allclose(k, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("d", [1, 2, 5, 6, 9, 40])
@pytest.mark.parametrize(
    ("n", "m"), [(1, 1), (3, 31), (65, 32), (130, 33), (513, 257), (300, 1), (150, 15), (150, 16)]
)
def test_scipy_distances(backend, n, m, d):
    X, Y = points(1, n, d), points(2, m, d)
    scale = np.linspace(0.5, 2, d)
    expected = cdist(X / scale, Y / scale, "sqeuclidean")
    np.testing.assert_allclose(
        hl.quadform(X, Y, length_scale=scale, backend=backend), expected, rtol=1e-13
    )
    np.testing.assert_allclose(
        hl.ard_kernel(X, Y, length_scale=scale, variance=2.5, backend=backend),
        2.5 * np.exp(-expected / 2), rtol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_metrics_against_mahalanobis(backend, dtype):
    X, Y = points(1, 40, 5), points(2, 70, 5)
    factors, scale = points(3, 5, 2), np.array([0.5, 1, 2, 3, 4])
    metric = np.diag(scale**-2) + factors @ factors.T
    expected = cdist(X, Y, "mahalanobis", VI=metric) ** 2
    rtol = 1e4 * np.finfo(dtype).eps
    X, Y = X.astype(dtype), Y.astype(dtype)
    for keywords in ({"length_scale": scale, "factors": factors}, {"metric": metric}):
        q = hl.quadform(X, Y, backend=backend, **keywords)
        assert q.dtype == dtype
        np.testing.assert_allclose(q, expected, rtol=rtol)
    alone = cdist(X @ factors, Y @ factors, "sqeuclidean")
    np.testing.assert_allclose(
        hl.quadform(X, Y, factors=factors, backend=backend), alone, rtol=rtol, atol=rtol
    )


def test_the_questions_kernel(backend):
    rng = np.random.default_rng(4)
    X1, X2 = rng.normal(size=(30, 6)), rng.normal(size=(40, 6))
    Lambda, L_inv = rng.normal(size=(6, 2)), np.diag(rng.uniform(0.2, 1, 6))
    sigma_f = 1.7
    metric = Lambda @ Lambda.T + L_inv**2
    expected = np.empty((30, 40))
    for i, x in enumerate(X1):
        for j, y in enumerate(X2):
            expected[i, j] = sigma_f**2 * np.exp(-0.5 * (x - y) @ metric @ (x - y))
    k = hl.ard_kernel(
        X1, X2, length_scale=1 / np.diag(L_inv), factors=Lambda, variance=sigma_f**2,
        backend=backend,
    )  # fmt: skip
    np.testing.assert_allclose(k, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
def test_relative_error_at_any_offset(backend, dtype, offset):
    d = 7
    X = (points(1, 9, d) + offset).astype(dtype)
    Y = (points(2, 11, d) + offset).astype(dtype)
    Y[0, 0] = 1e15  # an outlier
    scale = np.linspace(0.3, 3, d).astype(dtype)
    q = hl.quadform(X, Y, length_scale=scale, backend=backend)
    exact = exact_quadform(X, Y, scale)
    error = [
        abs(float((mpmath.mpf(float(a)) - b) / b)) if b else float(a)
        for a, b in zip(q.ravel(), exact.ravel(), strict=True)
    ]
    assert max(error) < 8 * d * np.finfo(dtype).eps


PROFILES = {
    "se": lambda q, alpha: mpmath.exp(-q / 2),
    "matern12": lambda q, alpha: mpmath.exp(-mpmath.sqrt(q)),
    "matern32": lambda q, alpha: (1 + mpmath.sqrt(3 * q)) * mpmath.exp(-mpmath.sqrt(3 * q)),
    "matern52": lambda q, alpha: (
        (1 + mpmath.sqrt(5 * q) + 5 * q / 3) * mpmath.exp(-mpmath.sqrt(5 * q))
    ),
    "rq": lambda q, alpha: (1 + q / (2 * alpha)) ** -alpha,
}


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


ALPHAS = [1e-300, 1e-8, 0.3, 1, 30, 300, 1000, 3000, 1e6, 1e12, 2.0**57, 1e300]


@functools.cache
def rational_quadratic(dtype, alpha, count):
    """X whose squares reach from those that are lost in alpha to those whose profile is 0, and
    the extremes; q, their squares; and at each q the exact profile with its derivatives by q and
    alpha."""
    a = mpmath.mpf(alpha)
    with mpmath.workdps(60):
        # q = 2 alpha (exp(e / alpha) - 1) has the profile exp(-e)
        logs = [np.geomspace(1e-300, 1e-3, count), np.geomspace(1e-3, 760, count),
                np.linspace(600, 760, count), np.linspace(80, 110, count)]  # fmt: skip
        q = [2 * a * mpmath.expm1(min(e / a, 2000)) for e in np.concatenate(logs)]
        q += [0, 1e-320, 1e300]
        largest = mpmath.mpf(float(np.finfo(dtype).max))
        X = np.array([float(mpmath.sqrt(form)) for form in q if form < largest / 2], dtype)[:, None]
        q = hl.quadform(X, np.zeros((1, 1), dtype)).ravel()
        exact = []
        for form in map(float, q):
            t = form / (2 * a)
            p = mpmath.exp(-a * mpmath.log1p(t))
            log = mpmath.log1p(t) - t / (1 + t) if t > 1e-10 else t**2 / 2 - 2 * t**3 / 3
            exact.append((p, -p / (2 + 2 * t), -p * log))
    return X, q, exact


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


# --- many features: matrix products -----------------------------------------------------------


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


# --- gradients --------------------------------------------------------------------------------

METRICS = {
    "identity": {},
    "scalar": {"length_scale": 1.4},
    "length_scale": {"length_scale": np.array([0.7, 1.3, 2.0])},
    "factors": {"factors": np.array([[0.5, -0.2], [0.1, 0.9], [-0.3, 0.4]])},
    "both": {
        "length_scale": np.array([0.7, 1.3, 2.0]),
        "factors": np.array([[0.5, -0.2], [0.1, 0.9], [-0.3, 0.4]]),
    },
    "metric": {"metric": np.array([[1.4, 0.4, 0.1], [0.4, 2.4, 0.2], [0.1, 0.2, 3.0]])},
}


def finite_differences(function, value, step=1e-5):
    """Of the fourth order."""
    value = np.asarray(value, float)
    gradient = np.zeros(value.shape)
    for index in np.ndindex(value.shape):
        for k, weight in ((1, 8), (2, -1)):
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * k * step
                gradient[index] += sign * weight * function(moved if moved.ndim else float(moved))
    return gradient / (12 * step)


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("one", [True, False], ids=["X", "X,Y"])
@pytest.mark.parametrize("metric", METRICS)
def test_gradients_by_finite_differences(backend, kind, one, metric):
    X, Y = points(1, 9, 3), None if one else points(2, 35, 3)
    cotangent = points(3, 9, 9 if one else 35)
    keywords = {"kind": kind, "variance": 1.7, **METRICS[metric]}
    names = ["variance", "X", *METRICS[metric]]
    if kind == "rq":
        keywords["rq_alpha"] = 0.8
        names.append("rq_alpha")
    if one:
        keywords["noise_variance"] = 0.3
        names.append("noise_variance")
    else:
        names.append("Y")
    inputs = {"X": X, "Y": Y, **keywords}
    gradients = hl.ard_kernel_vjp(cotangent, **inputs, wrt=names, backend=backend)
    assert list(gradients) == names
    for name in names:

        def total(value, name=name):
            given = {**inputs, name: value}
            if name == "metric":  # the form itself: it takes an unsymmetric matrix
                difference = X[:, None] - (X if one else Y)
                q = np.einsum("ijk,kl,ijl->ij", difference, given.pop("metric"), difference)
                given.update(X=np.sqrt(q).reshape(-1, 1), Y=[[0.0]], noise_variance=0.0)
            return (cotangent * hl.ard_kernel(**given, backend="numpy").reshape(
                cotangent.shape)).sum()  # fmt: skip

        expected = finite_differences(total, inputs[name])
        assert np.shape(gradients[name]) == expected.shape
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-7, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (33, 65), (70, 1100)])
def test_gradients_agree_with_the_reference(backend, dtype, kind, n, m):
    X, Y = points(1, n, 5, dtype), points(2, m, 5, dtype)
    cotangent = points(3, n, m, dtype)
    keywords = {"kind": kind, "length_scale": np.linspace(0.5, 2, 5), "factors": points(4, 5, 2)}
    wrt = ["length_scale", "factors", "variance", "X", "Y"] + ["rq_alpha"] * (kind == "rq")
    given = (cotangent, X, Y)
    exact = [array.astype(np.float64) for array in given]
    expected = hl.ard_kernel_vjp(*exact, **keywords, wrt=wrt, backend="numpy")
    result = hl.ard_kernel_vjp(*given, **keywords, wrt=wrt, backend=backend)
    again = hl.ard_kernel_vjp(*given, **keywords, wrt=wrt, backend=backend, workers=1)
    tolerance = 100 * np.finfo(dtype).eps
    for name in wrt:
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(result[name], expected[name], atol=tolerance * max(size, 1),
                                   rtol=0, err_msg=name)  # fmt: skip
        if name in ("X", "Y"):
            assert result[name].dtype == dtype
        assert np.array_equal(result[name], again[name])


@pytest.mark.parametrize("kind", PROFILES)
def test_gradients_where_points_coincide(backend, kind):
    X = np.zeros((4, 2))
    gradients = hl.ard_kernel_vjp(np.ones((4, 4)), X, kind=kind, length_scale=[1.0, 2.0],
                                  wrt=["X", "length_scale"], backend=backend)  # fmt: skip
    assert (gradients["X"] == 0).all()
    assert (gradients["length_scale"] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [3, 20])
@pytest.mark.parametrize("data", ["offset", "clusters", "outlier"])
@pytest.mark.parametrize("one_set", [True, False])
def test_gradients_keep_their_digits(backend, dtype, d, data, one_set):
    rng = np.random.default_rng(d)
    X = rng.normal(size=(150, d))
    if data == "offset":
        X += 1e4
    elif data == "clusters":
        X[::2] += 1e4
    else:
        X[3] = 1e9
    X = X.astype(dtype)
    Y = X if one_set else X[:140] + np.asarray(rng.normal(size=(140, d)) / 4, dtype)
    cotangent = rng.normal(size=(150, len(Y))).astype(dtype)
    scale = (2 + np.arange(d)).astype(dtype)
    wrt = ["length_scale", "X"]
    result = hl.ard_kernel_vjp(cotangent, X, None if one_set else Y, length_scale=scale, wrt=wrt,
                               backend=backend)  # fmt: skip
    x, y, s = (array.astype(np.longdouble) for array in (X, Y, scale))
    difference = (x[:, None] - y) / s
    pull = cotangent * np.exp(-0.5 * (difference**2).sum(-1))
    by_scale = pull[..., None] * difference**2 / s
    by_point = -pull[..., None] * difference / s
    terms = np.concatenate([by_point, -by_point.swapaxes(0, 1)], axis=1) if one_set else by_point
    error = 40 * np.finfo(dtype).eps  # of each term: that of the exponential is 8 D eps q
    for gradient, parts in (
        (result["length_scale"], by_scale.reshape(-1, d)),
        (result["X"], terms.swapaxes(0, 1)),
    ):
        assert (np.abs(gradient - parts.sum(0)) <= error * np.abs(parts).sum(0)).all()


def test_gradients_of_the_shortest_length_scales(backend):
    X = points(1, 4, 2)
    gradients = hl.ard_kernel_vjp(np.ones((4, 4)), X, length_scale=[1e-160, 1.0],
                                  wrt=["X", "length_scale"], backend=backend)  # fmt: skip
    assert (gradients["X"] == 0).all()
    assert (gradients["length_scale"] == 0).all()


def test_gradients_of_what_was_given():
    X = points(1, 4, 3)
    one = np.ones((4, 4))
    assert set(hl.ard_kernel_vjp(one, X)) == {"variance", "noise_variance"}
    assert set(hl.ard_kernel_vjp(one, X, X, kind="rq", length_scale=1)) == {
        "length_scale", "variance", "rq_alpha",
    }  # fmt: skip
    assert isinstance(hl.ard_kernel_vjp(one, X, length_scale=1)["length_scale"], float)
    assert hl.ard_kernel_vjp(one, X, wrt=()) == {}
    for wrt, error, message in [
        ("X", TypeError, "wrt must be a sequence of names, got 'X'"),
        (["gamma"], ValueError, "wrt must be one of 'length_scale', .* got 'gamma'"),
        (["Y"], ValueError, "wrt must name what the kernel depends on, got 'Y'"),
        (["rq_alpha"], ValueError, "wrt must name what the kernel depends on, got 'rq_alpha'"),
        (["metric"], ValueError, "wrt must name what the kernel depends on, got 'metric'"),
    ]:
        with pytest.raises(error, match=message):
            hl.ard_kernel_vjp(one, X, wrt=wrt)
    with pytest.raises(ValueError, match=r"cotangent must have the shape of the kernel, \(4, 4\)"):
        hl.ard_kernel_vjp(np.ones((4, 3)), X)


# --- products without the matrix --------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (65, 513), (700, 130)])
def test_operator(backend, dtype, kind, n, m):
    X, Y, V = points(1, n, 4, dtype), points(2, m, 4, dtype), points(3, m, 3, dtype)
    keywords = {"kind": kind, "length_scale": 1.5, "variance": 2.0}
    op = hl.KernelOperator(X, Y, **keywords, backend=backend)
    k = hl.ard_kernel(X, Y, **keywords, backend=backend).astype(np.float64)
    assert op.shape == (n, m)
    assert op.dtype == dtype
    tolerance = {"rtol": 0, "atol": 20 * np.finfo(dtype).eps * m}
    np.testing.assert_allclose(op @ V, k @ V, **tolerance)
    np.testing.assert_allclose(op @ V[:, 0], k @ V[:, 0], **tolerance)
    W = points(4, n, 2, dtype)
    np.testing.assert_allclose(op.T @ W, k.T @ W, rtol=0, atol=20 * np.finfo(dtype).eps * n)
    np.testing.assert_allclose(op.rmatvec(W[:, 0]), k.T @ W[:, 0], rtol=0,
                               atol=20 * np.finfo(dtype).eps * n)  # fmt: skip
    np.testing.assert_allclose(op.diagonal(), np.diag(k), rtol=10 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(op.toarray(), k)
    one = hl.KernelOperator(X, Y, **keywords, backend=backend, workers=1)
    assert (op @ V).tobytes() == (one @ V).tobytes()


def test_operator_of_one_set(backend):
    X, V = points(1, 300, 3), points(2, 300, 2)
    op = hl.KernelOperator(X, noise_variance=0.25, backend=backend)
    k = hl.ard_kernel(X, noise_variance=0.25, backend=backend)
    np.testing.assert_allclose(op @ V, k @ V, atol=1e-12)
    np.testing.assert_allclose(op.T @ V, k @ V, atol=1e-12)
    np.testing.assert_allclose(op @ (V + 1j), k @ (V + 1j), atol=1e-12)
    assert (op.diagonal() == 1.25).all()
    assert (op @ np.zeros((300, 0))).shape == (300, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [3, 24])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (70, 70), (700, 130), (130, 700), (400, 5000)])
def test_the_diagonal_is_that_of_the_array(backend, dtype, d, n, m):
    X, Y = points(1, n, d, dtype), points(2, m, d, dtype)
    Y[: min(n, m)] = X[: min(n, m)] + 0.1 * Y[: min(n, m)]
    X[-1, 0] = np.nan
    X[n // 2, -1] = np.inf
    keywords = {"kind": "matern32", "length_scale": 1.5 * np.sqrt(d), "variance": 1.3,
                "backend": backend}  # fmt: skip
    operators = [hl.KernelOperator(X, Y, **keywords)]
    if n == m:
        operators.append(hl.KernelOperator(X, noise_variance=0.1, **keywords))
        assert np.isnan(operators[1].diagonal()[[-1, n // 2]]).all()
    for op in operators:
        for each in (op, op.T):
            diagonal = each.diagonal()
            np.testing.assert_array_equal(diagonal, each.toarray().diagonal())
            assert diagonal.dtype == dtype


@pytest.mark.parametrize("d", [3, 24])
def test_the_transposed_operator(backend, d):
    X, Y, V = points(1, 70, d), points(2, 90, d), points(3, 70, 2)
    op = hl.KernelOperator(X, Y, length_scale=2.0, backend=backend)
    for turned in (op.T, op.H, op.transpose(), op.adjoint()):
        assert isinstance(turned, hl.KernelOperator)
        assert turned.shape == (90, 70)
        k = hl.ard_kernel(Y, X, length_scale=2.0, backend=backend)
        np.testing.assert_array_equal(turned.toarray(), k)
        np.testing.assert_allclose(turned @ V, k @ V, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(turned @ V, (V.T @ op).T)
        np.testing.assert_array_equal(turned @ V, op.rmatmat(V))
    np.testing.assert_array_equal(op.T.T.toarray(), op.toarray())
    assert op.shape == op.T.T.shape == (70, 90)
    one = hl.KernelOperator(X, length_scale=2.0, noise_variance=0.1, backend=backend)
    np.testing.assert_array_equal(one.T.toarray(), one.toarray())
    np.testing.assert_array_equal(one.T.diagonal(), one.diagonal())
    np.testing.assert_array_equal(one.T @ V, one @ V)


@pytest.mark.parametrize("remake", [
    copy.copy, copy.deepcopy, lambda op: pickle.loads(pickle.dumps(op)),
])  # fmt: skip
def test_operators_can_be_copied_and_pickled(backend, remake):
    X, Y, V = points(1, 30, 3), points(2, 40, 3), points(3, 40, 2)
    op = hl.KernelOperator(X, Y, factors=points(4, 3, 1), backend=backend, workers=2)
    with hl.set_backend(_backends.NAMES[_backends.NAMES.index(backend) - 1]):  # another one
        again = remake(op)
        np.testing.assert_array_equal(again @ V, op @ V)
        np.testing.assert_array_equal(again.T.toarray(), op.T.toarray())
    assert again._kept == op._kept == (backend, 2)
    assert (again.shape, again.dtype) == (op.shape, op.dtype)


def test_an_operator_whose_backend_is_missing(monkeypatch):
    op = hl.KernelOperator(points(1, 3, 2), backend="numba")
    pickled = pickle.dumps(op)
    monkeypatch.setattr(resolve("numba", "ard"), "_blocks", {})
    monkeypatch.setitem(resolve("numba", "ard")._loaded, "ard", ImportError("the reason"))
    with pytest.raises(ImportError, match="the reason"):
        pickle.loads(pickled) @ np.ones(3)
    with pytest.raises(ImportError, match="the reason"):
        hl.KernelOperator(points(1, 3, 2), backend="numba")


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("dtype", DTYPES)
def test_operator_takes_what_scipys_operators_take(backend, dtype):
    X, Y = points(1, 30, 3, dtype), points(2, 40, 3, dtype)
    op = hl.KernelOperator(X, Y, length_scale=2.0, backend=backend)
    dense = scipy.sparse.linalg.aslinearoperator(op.toarray())
    V = points(3, 40, 2, dtype)
    complex_dtype = np.result_type(dtype, np.complex64)
    tolerance = {"rtol": 0, "atol": 500 * np.finfo(dtype).eps}
    for v in (V, V[:, 0], V[:, :1], V[:, :0], np.asfortranarray(V), V[::-1], V.tolist(),
              V[:, 0].tolist(), np.matrix(V), np.matrix(V[:, :1]), V.astype(int), V > 0,
              V - 2j * V[:, ::-1], (1j * V)[:, 0], (1j * V)[:, :0], np.asfortranarray(1j * V),
              (1j * V).tolist()):  # fmt: skip
        result, expected = op @ v, dense @ np.asarray(v)
        assert type(result) is type(expected)
        assert result.shape == expected.shape
        assert result.dtype == (complex_dtype if np.iscomplexobj(v) else dtype)
        np.testing.assert_allclose(result, expected, **tolerance)
    column = op.matvec(np.matrix(V[:, :1]))
    assert type(column) is np.matrix
    np.testing.assert_array_equal(np.asarray(column), op @ V[:, :1])
    np.testing.assert_array_equal(op.matmat(np.matrix(V)), op @ V)
    np.testing.assert_allclose((2 * op) @ V, 2 * (op @ V), **tolerance)
    np.testing.assert_allclose((op @ op.T) @ X, op @ (op.T @ X), **tolerance)


def test_a_complex_products_parts_are_apart(backend):
    op = hl.KernelOperator(points(1, 5, 2), backend=backend)
    V = np.ones(5, complex)
    V[3] = complex(1, np.inf)
    product = op @ V
    np.testing.assert_allclose(product.real, op @ np.ones(5), rtol=1e-14)
    assert (product.imag == np.inf).all()


def test_operator_names_what_it_refuses():
    op = hl.KernelOperator(np.zeros((3, 1)), np.zeros((4, 1)))
    for product, V, error, message in [
        (op.dot, np.ones(3), ValueError, r"V must have shape \(4\) or \(4, columns\), got \(3,\)"),
        (op.__matmul__, np.ones((3, 4)), ValueError, r"V must have shape .* got \(3, 4\)"),
        (op.dot, np.ones((4, 1, 1)), ValueError, r"V must have shape .* got \(4, 1, 1\)"),
        (op.dot, np.array(3.0), ValueError, r"V must have shape .* got \(\)"),
        (op, np.ones(5), ValueError, r"V must have shape .* got \(5,\)"),
        (
            op.matvec,
            np.ones((4, 2)),
            ValueError,
            r"V .* \(4\) or \(4, 1\), got \(4, 2\)",
        ),
        (op.matmat, np.ones(4), ValueError, r"V must have shape \(4, columns\), got \(4,\)"),
        (op.rmatvec, np.ones(4), ValueError, r"V must have shape \(3\) or \(3, 1\), got \(4,\)"),
        (op.rmatmat, np.ones((4, 1)), ValueError, r"V must have shape \(3, columns\), got"),
        (op.T.dot, np.ones(4), ValueError, r"V must have shape \(3\) or \(3, columns\), got \(4,"),
        (op.dot, np.ones(4, "f2"), TypeError, "V must be .* got dtype float16"),
        (op.dot, np.ones(4, "G"), TypeError, "V must be .* got dtype c"),
        (op.dot, ["a"] * 4, TypeError, "V must be .* got strings"),
        (
            op.dot,
            scipy.sparse.eye(4).tocsr(),
            TypeError,
            r"V .* sparse, pass V.toarray\(\)",
        ),
    ]:
        with pytest.raises(error, match=message):
            product(V)


def test_operator_in_scipy():
    X = points(1, 200, 2)
    op = hl.KernelOperator(X, length_scale=0.5, noise_variance=0.1)
    k = op.toarray()
    b = points(2, 200, 1).ravel()
    solution, info = scipy.sparse.linalg.cg(op, b, rtol=1e-10)
    assert info == 0
    np.testing.assert_allclose(solution, np.linalg.solve(k, b), atol=1e-7)
    values = scipy.sparse.linalg.eigsh(op, 3, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(k)[-3:], rtol=1e-9)


def test_operator_holds_no_matrix():
    X, V = points(1, 6000, 4), points(2, 6000, 2)
    op = hl.KernelOperator(X)
    op @ V
    tracemalloc.start()
    try:
        op @ V
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * X.nbytes


@pytest.mark.parametrize("d", [2, 20])
def test_empty_operators(backend, d):
    for n, m in [(0, 3), (3, 0), (0, 0)]:
        op = hl.KernelOperator(np.zeros((n, d)), np.zeros((m, d)), backend=backend)
        np.testing.assert_array_equal(op.T @ np.ones(n), np.zeros(m))
        np.testing.assert_array_equal(op @ np.ones(m), np.zeros(n))
        assert op.toarray().shape == (n, m)
        assert op.diagonal().shape == (0,)


# --- what is exact --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200, 700, 1537])
@pytest.mark.parametrize("metric", ["length_scale", "factors", "metric"])
def test_one_set_is_exactly_symmetric(backend, dtype, n, metric):
    X = points(5, n, 3, dtype) + 1000
    value = {
        "length_scale": np.array([1.0, 2.0, 0.5]),
        "factors": points(6, 3, 2),
        "metric": np.array([[2, 1, 0], [1, 2, 0], [0, 0, 1.0]]),
    }[metric]
    k = hl.ard_kernel(
        X, **{metric: value}, variance=1.3, noise_variance=0.1, backend=backend
    )  # fmt: skip
    assert np.array_equal(k, k.T)
    assert (np.diag(k) == dtype(1.3) + dtype(0.1)).all()
    two = hl.ard_kernel(X, X.copy(), **{metric: value}, variance=1.3, backend=backend)
    np.fill_diagonal(k, np.diag(two))
    np.testing.assert_allclose(k, two, rtol=200 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_identical_rows_are_at_distance_zero(backend, dtype):
    X = points(7, 90, 6, dtype) * 100 + 1e6
    X = X[np.random.default_rng(1).integers(0, 90, 333)]
    for keywords in ({}, {"factors": points(8, 6, 3)}, {"metric": np.eye(6) + 0.3}):
        q = hl.quadform(X, X[::-1].copy(), backend=backend, **keywords)
        same = (X[:, None] == X[None, ::-1]).all(-1)
        assert (q[same] == 0).all()
        assert (q >= 0).all()


def test_no_feature_is_no_distance(backend):
    expected = np.full((2, 3), 2.0)
    for X, Y, keywords in [
        (np.empty((2, 0)), np.empty((3, 0)), {}),
        (np.ones((2, 4)), np.zeros((3, 4)), {"factors": np.empty((4, 0))}),
        (np.ones((2, 1)), np.zeros((3, 1)), {"length_scale": np.inf}),
    ]:
        assert (hl.quadform(X, Y, backend=backend, **keywords) == 0).all()
        k = hl.ard_kernel(X, Y, variance=2.0, backend=backend, **keywords)
        np.testing.assert_array_equal(k, expected)


def test_inf_drops_a_dimension(backend):
    X, Y = points(1, 20, 3), points(2, 30, 3)
    np.testing.assert_array_equal(
        hl.quadform(X, Y, length_scale=[2, np.inf, 3], backend=backend),
        hl.quadform(X[:, [0, 2]], Y[:, [0, 2]], length_scale=[2, 3], backend=backend),
    )


def test_single_precision_parameters_are_exact(backend):
    X, scale = points(1, 5, 3), np.array([3, 7, 0.1], np.float32)
    np.testing.assert_array_equal(
        hl.quadform(X, length_scale=scale, backend=backend),
        hl.quadform(X, length_scale=scale.astype(np.float64), backend=backend),
    )


def test_extreme_magnitudes(backend):
    X = np.array([[0.0], [1e150], [5e-324], [1e-160]])
    q = hl.quadform(X, [[0.0]], backend=backend).ravel()
    np.testing.assert_array_equal(q, [0, 1e150**2, 0, 1e-160**2])
    tiny = hl.quadform([[0.0], [3e-200]], length_scale=1e-200, backend=backend)
    np.testing.assert_allclose(tiny[0, 1], 9, rtol=1e-15)


def test_nan_and_inf_travel(backend):
    X = np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0]])
    with np.errstate(invalid="ignore"):
        expected = ((X[:, None] - X[None]) ** 2).sum(-1)
    np.testing.assert_array_equal(hl.quadform(X, backend=backend), expected)
    k = hl.ard_kernel(X, factors=[[1.0], [2.0]], backend=backend)
    np.testing.assert_array_equal(k, [[1, np.nan, 0], [np.nan] * 3, [0, np.nan, np.nan]])


# --- metamorphic properties -----------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 90), m=st.integers(1, 90), d=st.integers(1, 9), seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)  # fmt: skip
def test_metamorphic(n, m, d, seed, cut):
    rng = np.random.default_rng(seed)
    X, Y, scale = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.uniform(0.5, 2, d)
    for backend in ("cython", "numba"):
        k = hl.ard_kernel(X, Y, length_scale=scale, backend=backend)
        a = int(cut * n)
        parts = [hl.ard_kernel(p, Y, length_scale=scale, backend=backend) for p in (X[:a], X[a:])]
        np.testing.assert_array_equal(np.vstack(parts), k)
        rows, columns = rng.permutation(n), rng.permutation(m)
        np.testing.assert_array_equal(
            hl.ard_kernel(X[rows], Y[columns], length_scale=scale, backend=backend),
            k[np.ix_(rows, columns)],
        )
        np.testing.assert_array_equal(hl.ard_kernel(Y, X, length_scale=scale, backend=backend), k.T)
        shift = rng.integers(-8, 8, d)
        np.testing.assert_allclose(
            hl.ard_kernel(X + shift, Y + shift, length_scale=scale, backend=backend), k, rtol=1e-12
        )
        one = hl.ard_kernel(X, length_scale=scale, noise_variance=1e-9, backend=backend)
        assert np.linalg.eigvalsh(one)[0] > 0


# --- what bad input gets --------------------------------------------------------------------

X3 = np.zeros((4, 3))


def test_an_array_of_one_length_scale(backend):
    one, number = ({"length_scale": scale, "backend": backend} for scale in ([1.5], 1.5))
    np.testing.assert_array_equal(hl.quadform(X3, **one), hl.quadform(X3, **number))
    cotangent = np.arange(16.0).reshape(4, 4)
    gradient = hl.ard_kernel_vjp(cotangent, X3, **one)["length_scale"]
    assert gradient.shape == (1,)
    assert gradient[0] == hl.ard_kernel_vjp(cotangent, X3, **number)["length_scale"]
    with pytest.raises(ValueError, match=r"length_scale must be positive, got \[0.\]"):
        hl.quadform(X3, length_scale=[0.0])


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"X": np.zeros(3)}, ValueError, r"X must have 2 dimension\(s\), got shape \(3,\)"),
        ({"Y": np.zeros((2, 5))}, ValueError, r"columns, got shapes \(4, 3\) and \(2, 5\)"),
        ({"X": X3 + 1j}, TypeError, "X must be real .* got dtype complex128"),
        ({"X": X3.astype(np.float16)}, TypeError, "X must be real .* got dtype float16"),
        ({"X": X3.astype(np.longdouble)}, TypeError, "X must be real"),
        ({"X": X3.astype(str)}, TypeError, "X must be real .* got strings: encode"),
        ({"X": [[1, 2], [3]]}, ValueError, "X must be an array, got list"),
        ({"X": np.ma.masked_array(X3, X3 == 0)}, TypeError, "X must not be a masked array"),
        ({"length_scale": [1, 2]}, ValueError, r"length_scale must .* shape \(3,\).* got shape"),
        ({"length_scale": [1, 0, 1]}, ValueError, "length_scale must be positive, got"),
        ({"length_scale": -1}, ValueError, "length_scale must be positive, got -1"),
        ({"length_scale": np.nan}, ValueError, "length_scale must be positive, got nan"),
        ({"length_scale": 1e-310}, ValueError, "length_scale must be at least .* in float64"),
        ({"factors": np.zeros((2, 3))}, ValueError, "factors must have one row for each of the 3"),
        ({"metric": np.eye(2)}, ValueError, r"metric must have shape \(3, 3\)"),
        ({"metric": np.eye(3), "factors": X3.T}, ValueError, "got factors too"),
        ({"metric": np.eye(3), "length_scale": 1}, ValueError, "got length_scale too"),
        ({"metric": np.tri(3)}, ValueError, "metric must be symmetric.*pass F as factors"),
        (
            {"metric": [[1e12, 0.04, 0], [0, 1, 0], [0, 0, 1]]},
            ValueError,
            "metric must be symmetric",
        ),
        ({"metric": np.ones((3, 3))}, ValueError, "positive definite.*pass F as factors"),
        ({"metric": np.full((3, 3), np.nan)}, ValueError, "metric must be symmetric"),
        ({"backend": "fortran"}, ValueError, "backend must be one of 'cython', 'numba', 'numpy'"),
        ({"workers": 0}, ValueError, "workers must be at least 1, or -1 for all CPUs, got 0"),
        ({"workers": 1.5}, TypeError, "workers must be an integer, got 1.5"),
        ({"out": np.zeros((4, 3))}, ValueError, r"shape \(4, 4\) and dtype float64, got shape"),
        ({"out": np.zeros((4, 4), "f4")}, ValueError, "dtype float64, got .* float32"),
        ({"out": np.zeros((4, 4), order="F")}, ValueError, "C-contiguous.*got strides"),
        ({"out": [[0.0] * 4] * 4}, TypeError, "out must be .* got list"),
    ],
)
@pytest.mark.parametrize("function", [hl.quadform, hl.ard_kernel])
def test_bad_input(function, keywords, error, message):
    with pytest.raises(error, match=message):
        function(**{"X": X3, **keywords})


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"kind": "rbf"}, ValueError, r"kind must be one of 'se'.*gamma .* 1 / \(2 length_scale"),
        ({"kind": "matern"}, ValueError, '"matern12", "matern32", "matern52" for 1/2, 3/2, 5/2'),
        ({"rq_alpha": 0}, ValueError, "rq_alpha must be finite and > 0, got 0"),
        ({"variance": -1}, ValueError, "variance must be finite and >= 0, got -1"),
        ({"variance": np.nan}, ValueError, "variance must be finite"),
        ({"variance": 1 + 0j}, TypeError, r"variance must be a real number, got \(1\+0j\)"),
        ({"kind": ["se"]}, ValueError, r"kind must be one of .* got \['se'\]"),
        ({"variance": "one"}, TypeError, "variance must be a real number, got 'one'"),
        ({"noise_variance": -1}, ValueError, "noise_variance must be finite and >= 0"),
        ({"noise_variance": 1, "Y": X3}, ValueError, "noise_variance must be 0 where Y is given"),
    ],
)
def test_bad_kernel(keywords, error, message):
    with pytest.raises(error, match=message):
        hl.ard_kernel(X3, **keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"variance": 1e39}, r"variance must be within ±3.4e\+38 in float32, got 1e\+39"),
        ({"noise_variance": 1e39}, r"noise_variance must be within ±3.4e\+38 in float32"),
        ({"factors": [[1.0], [-1e40], [0.0]]}, r"factors must be within ±3.4e\+38 in float32"),
        ({"metric": 1e80 * np.eye(3)}, r"the Cholesky factor of metric must be within ±3.4e\+38"),
    ],
)
def test_parameters_in_the_range_of_single_precision(keywords, message):
    with pytest.raises(ValueError, match=message):
        hl.ard_kernel(X3.astype(np.float32), **keywords)
    assert np.isfinite(hl.ard_kernel(X3, **keywords)).all()


def test_read_only_out():
    out = np.zeros((4, 4))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writeable=False"):
        hl.quadform(X3, out=out)


@pytest.mark.parametrize("name", ["X", "Y", "length_scale", "factors"])
def test_out_must_not_share_memory(name):
    out = np.ones((3, 3))
    keywords = {"X": np.ones((3, 3)), "Y": np.ones((3, 3)), name: out}
    if name == "length_scale":
        keywords[name] = out[1]
    with pytest.raises(ValueError, match=f"out must not share memory with {name}"):
        hl.quadform(**keywords, out=out)
    assert (out == 1).all()


@pytest.mark.parametrize("bounds", [(3, 10, 0, 8), (0, 4, 2, 9), (5, 8, 0, 3), (2, 8, 2, 8)])
def test_noise_is_on_the_diagonal_of_the_matrix_and_not_of_a_tile(backend, bounds):
    i0, i1, j0, j1 = bounds
    X = points(1, 12, 3)
    distances = cdist(X, X, "sqeuclidean")
    expected = (np.exp(-distances / 2) + 0.5 * np.eye(12))[i0:i1, j0:j1]
    version, none = resolve(backend, "ard"), np.empty(0)
    block = version.block("ard", "fill", X.dtype)

    def tile(bounds, x, y, out):
        none_yet = np.empty((0, 0)), none, np.empty((0, 0)), none
        arrays = [version.ready(a) for a in (x, y, np.ones(3), *none_yet)]
        block(*bounds, *arrays, SE, 1.0, 1.0, 0.5, i0 - j0, False, out)
        return out

    whole = tile(bounds, X, X, np.full((12, 12), np.nan))
    np.testing.assert_allclose(whole[i0:i1, j0:j1], expected, rtol=1e-14)
    assert np.isnan(whole).sum() == 144 - expected.size
    piece = tile((0, i1 - i0, 0, j1 - j0), X[i0:i1], X[j0:j1], np.empty(expected.shape))
    np.testing.assert_array_equal(piece, whole[i0:i1, j0:j1])
