import doctest
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    Exponentiation,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import hotloops as hl
from hotloops.sklearn import ARD

KINDS = ("se", "matern12", "matern32", "matern52", "rq")
SCALES = {"scalar": 0.7, "one a column": np.array([0.5, 1.0, 2.5])}


@pytest.fixture
def everywhere(backend):
    with hl.set_backend(backend):
        yield


def points(seed, n=30, d=3):
    return np.random.default_rng(seed).normal(size=(n, d))


def theirs(kind, length_scale):
    if kind == "se":
        return RBF(length_scale)
    if kind == "rq":
        return RationalQuadratic(length_scale, alpha=0.6)
    return Matern(length_scale, nu={"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}[kind])


def ours(kind, length_scale, **keywords):
    return ARD(kind, length_scale, rq_alpha=0.6, **keywords)


PAIRS = [
    pytest.param(ours(kind, scale), theirs(kind, scale), id=f"{kind}, {name}")
    for kind in KINDS
    for name, scale in {**SCALES, "one in an array": [0.7]}.items()
    if kind != "rq" or name == "scalar"  # scikit-learn has the scalar alone
]
KERNELS = [
    ours(kind, scale, **keywords)
    for kind in KINDS
    for scale, keywords in [
        *((scale, {}) for scale in SCALES.values()),
        (SCALES["one a column"], {"factors": points(5, 3, 2)}),
        (0.7, {"factors": points(6, 3, 1)}),
        (np.array([0.8, np.inf, 1.3]), {}),
        (np.array([0.8, np.inf, np.inf]), {"factors": points(7, 3, 1)}),
        (np.inf, {"factors": points(8, 3, 2)}),
        (1.5, {"length_scale_bounds": "fixed"}),
    ]
]
kernels = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


# --- values and gradients -------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_agrees_with_scikit_learn(ours, theirs, everywhere):
    X, Y = points(1), points(2, 20)
    X[7] = X[3]  # where a Matérn kernel's r is 0 off the diagonal too
    K, gradient = ours(X, eval_gradient=True)
    expected, expected_gradient = theirs(X, eval_gradient=True)
    if ours.kind == "rq":  # their alpha comes before length_scale
        expected_gradient = expected_gradient[..., ::-1]
    np.testing.assert_allclose(K, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(ours(X), K)
    np.testing.assert_allclose(ours(X, Y), theirs(X, Y), rtol=0, atol=1e-12)


@kernels
def test_gradient_is_the_derivative(kernel):
    X = points(3, 8)
    K, gradient = kernel(X, eval_gradient=True)
    assert gradient.shape == (8, 8, kernel.n_dims)
    if kernel.n_dims:
        numeric = approx_fprime(
            kernel.theta, lambda theta: kernel.clone_with_theta(theta)(X).ravel(), 1e-7
        )
        np.testing.assert_allclose(gradient.reshape(64, -1), numeric, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(gradient, gradient.transpose(1, 0, 2))
    np.testing.assert_array_equal(K.diagonal(), 1)
    np.testing.assert_array_equal(np.diagonal(gradient), 0)


@kernels
def test_values_are_those_of_ard_kernel(kernel):
    X, Y = points(1), points(2, 20)
    metric = {"length_scale": kernel.length_scale, "factors": kernel.factors}
    expected = hl.ard_kernel(X, Y, kind=kernel.kind, rq_alpha=0.6, **metric)
    np.testing.assert_array_equal(kernel(X, Y), expected)
    np.testing.assert_allclose(kernel(X, X), kernel(X), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(kernel.diag(X), np.diag(kernel(X)))
    assert kernel.is_stationary()
    assert kernel.requires_vector_input


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_where_points_coincide_and_where_they_are_far(kind):
    X = np.array([[0.0], [0.0], [1e-200], [1e6], [1e100]])
    with np.errstate(all="raise"):
        K, gradient = ours(kind, 1.0)(X, eval_gradient=True)
    assert np.isfinite(gradient).all()
    assert (gradient[:3, :3] == 0).all()
    assert (K[:3, :3] == 1).all()


def test_everything_is_double_precision():
    X = points(1)
    single = X.astype(np.float32)
    K, gradient = ARD()(single, eval_gradient=True)
    assert K.dtype == gradient.dtype == np.float64
    np.testing.assert_array_equal(K, ARD()(single.astype(np.float64)))
    np.testing.assert_array_equal(ARD()(X.tolist(), X[:4].tolist()), ARD()(X, X[:4]))
    np.testing.assert_array_equal(ARD()(X[0], X), ARD()(X[:1], X))


# --- the contract of a Kernel ---------------------------------------------------------------


def test_hyperparameters():
    kernel = ARD("rq", [1.0, 2.0], rq_alpha=3.0, rq_alpha_bounds=(0.1, 10))
    length_scale, alpha = kernel.hyperparameters
    assert (length_scale.name, length_scale.n_elements) == ("length_scale", 2)
    assert (alpha.name, alpha.n_elements) == ("rq_alpha", 1)
    np.testing.assert_allclose(kernel.theta, np.log([1, 2, 3]))
    np.testing.assert_allclose(np.exp(kernel.bounds), [(1e-5, 1e5), (1e-5, 1e5), (0.1, 10)])


def test_alpha_is_a_hyperparameter_of_the_rational_quadratic_alone():
    assert ARD("se").n_dims == 1
    assert ARD("rq").n_dims == 2
    assert ARD("rq", rq_alpha_bounds="fixed").n_dims == 1


def test_fixed():
    kernel = ARD("rq", [1.0, 2.0], "fixed", rq_alpha_bounds="fixed")
    assert kernel.theta.shape == (0,)
    assert kernel.bounds.shape == (0,)
    np.testing.assert_array_equal(kernel.clone_with_theta([]).length_scale, [1, 2])


def test_a_dropped_column_is_no_hyperparameter():
    bounds = [(1, 2), (3, 4), (5, 6)]
    kernel = ARD("se", [1.5, np.inf, 5.5], bounds)
    np.testing.assert_allclose(kernel.theta, np.log([1.5, 5.5]))
    np.testing.assert_allclose(np.exp(kernel.bounds), [(1, 2), (5, 6)])
    other = kernel.clone_with_theta(np.log([1.25, 6]))
    np.testing.assert_allclose(other.length_scale, [1.25, np.inf, 6])
    np.testing.assert_array_equal(kernel.length_scale, [1.5, np.inf, 5.5])
    one = ARD("se", [np.inf, 2.0]).clone_with_theta(np.log([3.0]))
    np.testing.assert_allclose(one.length_scale, [np.inf, 3])
    X = points(1)
    np.testing.assert_array_equal(
        kernel(X), ARD("se", [1.5, 5.5])(X[:, [0, 2]])
    )  # fmt: skip


@pytest.mark.parametrize("bounds", [(1, 2), [(1, 2)], np.array([(1, 2), (1, 2)])])
def test_bounds(bounds):
    np.testing.assert_allclose(np.exp(ARD("se", [1, 1], bounds).bounds), [(1, 2), (1, 2)])


@kernels
def test_theta_goes_round(kernel):
    theta = kernel.theta + 0.25
    other = kernel.clone_with_theta(theta)
    np.testing.assert_allclose(other.theta, theta, rtol=1e-15)
    assert np.shape(other.length_scale) == np.shape(kernel.length_scale)
    assert len(kernel.bounds) == len(theta)
    assert (other == kernel) is (len(theta) == 0)


@kernels
def test_clone_and_pickle(kernel):
    for copy in (clone(kernel), pickle.loads(pickle.dumps(kernel))):
        assert copy is not kernel
        assert copy == kernel
        assert repr(copy) == repr(kernel)
        np.testing.assert_array_equal(copy(points(1)), kernel(points(1)))


def test_arguments_are_kept_as_they_are():
    arguments = {
        "kind": "rq",
        "length_scale": [1, 2],
        "length_scale_bounds": [(1, 2), (1, 3)],
        "factors": [[1], [2]],
        "rq_alpha": 2,
        "rq_alpha_bounds": "fixed",
    }
    kernel = ARD(**arguments)
    assert all(kernel.get_params()[name] is value for name, value in arguments.items())
    assert kernel.set_params(rq_alpha=3).rq_alpha == 3


def test_equality():
    different = [
        ARD(),
        ARD("rq"),
        ARD("se", 2.0),
        ARD("se", [1.0, 2.0]),
        ARD("se", np.array([1.0, 2.0, 3.0])),
        ARD("se", 1.0, "fixed"),
        ARD("se", factors=np.ones((2, 1))),
        ARD("se", factors=np.ones((2, 2))),
        RBF(),
    ]
    for i, one in enumerate(different):
        for j, other in enumerate(different):
            assert (one == other) is (i == j)
    assert ARD("se", [1.0, 2.0]) == ARD("se", np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (ARD(), "ARD('se', length_scale=1)"),
        (ARD("matern32", [0.123456, np.inf]), "ARD('matern32', length_scale=[0.123, inf])"),
        (ARD("rq", 2.0, rq_alpha=0.5), "ARD('rq', length_scale=2, rq_alpha=0.5)"),
        (ARD("se", 2.0, factors=np.ones((3, 1))), "ARD('se', length_scale=2, factors=3×1)"),
    ],
)
def test_repr(kernel, text):
    assert repr(kernel) == text


@pytest.mark.parametrize(
    "combine",
    [
        lambda k: k + 2.0,
        lambda k: 2.0 * k,
        lambda k: k**2,
        lambda k: ConstantKernel(3.0) * k + WhiteKernel(0.1),
        lambda k: k * RBF(0.5) + Matern(2.0) ** 1.5,
        lambda k: Exponentiation(k + k, 3),
    ],
)
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_sums_products_and_powers(combine, scale):
    X, Y = points(1), points(2)
    one, other = combine(ARD("matern52", scale)), combine(Matern(scale, nu=2.5))
    K, gradient = one(X, eval_gradient=True)
    expected, expected_gradient = other(X, eval_gradient=True)
    np.testing.assert_allclose(K, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one(X, Y), other(X, Y), rtol=1e-12)
    np.testing.assert_array_equal(one.diag(X), other.diag(X))
    np.testing.assert_array_equal(one.theta, other.theta)
    np.testing.assert_array_equal(one.bounds, other.bounds)


def test_theta_leaves_values_and_bounds_alone():
    rng = np.random.default_rng(0)
    for low in 10 ** rng.uniform(-10, 3, 40):
        kernel = ARD("rq", [low, 2 * low, 3 * low], (low, 3 * low), rq_alpha=low,
                     rq_alpha_bounds=(low, 9 * low))  # fmt: skip
        other = kernel.clone_with_theta(kernel.theta)
        np.testing.assert_array_equal(other.length_scale, kernel.length_scale)
        assert other.rq_alpha == low
        for bounds in kernel.bounds.T:
            moved = clone(kernel).set_params(length_scale=[1.7 * low] * 3, rq_alpha=1.3 * low)
            moved.theta = bounds
            assert (low <= moved.length_scale).all()
            assert (moved.length_scale <= 3 * low).all()
            assert low <= moved.rq_alpha <= 9 * low


# --- inside scikit-learn's estimators -------------------------------------------------------


def data(n=50, d=3):
    X = points(4, n, d)
    noise = 0.1 * np.random.default_rng(5).normal(size=n)
    return X, np.sin(1.5 * X[:, 0]) + np.cos(0.7 * X[:, 1]) + 0.4 * X[:, 2] + noise


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_regression_reaches_the_same_optimum(ours, theirs):
    X, y = data()
    Z = points(6, 15)
    models = [
        GaussianProcessRegressor(2.0 * kernel + WhiteKernel(0.01, "fixed")).fit(X, y)
        for kernel in (
            clone(ours).set_params(rq_alpha_bounds="fixed"),
            clone(theirs).set_params(**({"alpha_bounds": "fixed"} if ours.kind == "rq" else {})),
        )
    ]
    mine, other = models
    np.testing.assert_allclose(mine.kernel_.theta, other.kernel_.theta, rtol=0, atol=1e-6)
    for theta in (mine.kernel_.theta, mine.kernel_.theta + 0.3):
        for a, b in zip(
            mine.log_marginal_likelihood(theta, eval_gradient=True),
            other.log_marginal_likelihood(theta, eval_gradient=True),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    for a, b in zip(mine.predict(Z, return_std=True), other.predict(Z, return_std=True),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    assert mine.sample_y(Z, 3, random_state=0).shape == (15, 3)


def test_regression_leaves_dropped_columns_and_factors_alone():
    X, y = data()
    factors = np.array([[0.0], [0.5], [-0.5]])
    kernel = 2.0 * ARD("se", [1.0, np.inf, np.inf], factors=factors) + WhiteKernel(0.1)
    fitted = GaussianProcessRegressor(kernel, n_restarts_optimizer=1, random_state=0).fit(X, y)
    ard = fitted.kernel_.k1.k2
    assert ard.length_scale[0] != 1
    np.testing.assert_array_equal(ard.length_scale[1:], np.inf)
    np.testing.assert_array_equal(ard.factors, factors)
    assert fitted.score(X, y) > 0.9


def test_classification():
    X, y = data()
    y = y > np.median(y)
    one, other = (
        GaussianProcessClassifier(2.0 * kernel, optimizer=None).fit(X, y)
        for kernel in (ARD("matern32", 1.5), Matern(1.5, nu=1.5))
    )
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=0, atol=1e-9)


def test_support_vectors():
    X, y = data()
    y, Z = y > np.median(y), points(6, 15)
    one = SVC(kernel=ARD("se", 0.8)).fit(X, y)
    other = SVC(kernel="rbf", gamma=1 / (2 * 0.8**2)).fit(X, y)
    np.testing.assert_allclose(
        one.decision_function(Z), other.decision_function(Z), rtol=0, atol=1e-9
    )
    search = GridSearchCV(SVC(kernel=ARD()), {"kernel__length_scale": [0.1, 0.8, 3.0]}).fit(X, y)
    assert search.best_params_["kernel__length_scale"] in (0.1, 0.8, 3.0)


# --- what goes wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (ARD("rbf"), ValueError, "kind must be one of 'se'"),
        (ARD("se", -1.0), ValueError, "length_scale must be positive, got -1"),
        (ARD("se", [1.0, 2.0]), ValueError, r"length_scale must .* shape \(3,\)"),
        (ARD("se", "long"), TypeError, "length_scale must be real"),
        (ARD("se", factors=np.ones((2, 1))), ValueError, "factors must have one row for each of"),
        (ARD("rq", rq_alpha=0.0), ValueError, "rq_alpha must be finite and > 0"),
    ],
)
def test_bad_arguments_are_named_by_the_call(kernel, error, message):
    with pytest.raises(error, match=message):
        kernel(points(1))


@pytest.mark.parametrize("bounds", ["fix", (1, 2, 3), [(1, 2)] * 3, 5.0])
def test_bad_bounds(bounds):
    with pytest.raises(ValueError, match="length_scale_bounds must be a pair, one pair for each"):
        ARD("se", [1.0, np.inf], bounds).bounds  # noqa: B018


def test_bad_input():
    X = points(1)
    with pytest.raises(ValueError, match="eval_gradient must be False where Y is given"):
        ARD()(X, X, eval_gradient=True)
    with pytest.raises(TypeError, match=r"X must be real .* complex128"):
        ARD()(X + 1j)
    with pytest.raises(ValueError, match="X and Y must have the same number of columns"):
        ARD()(X, X[:, :2])
    with pytest.raises(ValueError, match="theta has not the correct number of entries"):
        ARD("se", [1.0, np.inf]).clone_with_theta([1.0, 2.0])


# --- the module -----------------------------------------------------------------------------


def in_new_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    ).stdout.split()


def test_scikit_learn_is_imported_only_when_asked_for():
    code = """
import sys, hotloops
print("sklearn" in sys.modules)
print(hotloops.sklearn.ARD.__module__, "sklearn" in sys.modules)
"""
    assert in_new_python(code) == ["False", "hotloops.sklearn", "True"]


def test_the_module_lists_its_public_names():
    assert dir(hl.sklearn) == ["ARD"]


def test_without_scikit_learn():
    code = """
import sys, hotloops
sys.modules["sklearn"] = None
try:
    hotloops.sklearn
except ImportError as error:
    print("pip install 'hotloops[sklearn]'" in str(error))
"""
    assert in_new_python(code) == ["True"]


def test_the_example_of_the_docstring():
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(ARD, "ARD", globs={}):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.summarize(verbose=False).attempted > 0
