"""Quadratic forms and covariance matrices of few features; what is exact; what bad input gets."""

import inspect

import mpmath
import numpy as np
import pytest
from ard_oracles import DTYPES, exact_quadform, points
from hotloops.kernels.ard import SE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import hotloops as hl
from hotloops._run import resolve

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


# --- what help() says -----------------------------------------------------------------------


def described(function):
    """The description of each parameter in a docstring."""
    text = inspect.getdoc(function).partition("Parameters\n----------\n")[2]
    descriptions = {}
    for line in text.partition("\n\n")[0].splitlines():
        if not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            descriptions[name] = kind
        else:
            descriptions[name] += line
    return descriptions


def test_every_docstring_describes_all_parameters_in_the_same_words():
    functions = hl.quadform, hl.ard_kernel, hl.ard_kernel_vjp, hl.KernelOperator
    descriptions = [described(function) for function in functions]
    for function, names in zip(functions, descriptions, strict=True):
        assert list(names) == list(inspect.signature(function).parameters)
    for name in descriptions[2].keys() - {"cotangent", "Y", "wrt"}:
        assert len({names[name] for names in descriptions if name in names}) == 1


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
