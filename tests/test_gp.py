"""Gaussian-process regression as an estimator of scikit-learn's kind, and its errors."""

import doctest
import pickle
import subprocess
import sys

import numpy as np
import pytest
from gp_oracles import data, fixed, repeated, started
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

import hotloops as hl
import hotloops.gp.regressor
from hotloops.gp import GaussianProcessRegressor


@pytest.mark.filterwarnings("ignore:Estimator GaussianProcessRegressor does not inherit")
@pytest.mark.filterwarnings("ignore:the likelihood is highest with")  # of data without noise
@pytest.mark.filterwarnings("ignore:y is constant")
def test_check_estimator():
    results = check_estimator(GaussianProcessRegressor(), on_skip=None)
    assert len(results) > 40


def test_parameters():
    gp = GaussianProcessRegressor(kind="rq", length_scale=[1, 2])
    assert repr(gp) == "GaussianProcessRegressor(kind='rq', length_scale=[1, 2])"
    again = clone(gp).set_params(n_factors=1)
    assert again.get_params() == {**gp.get_params(), "n_factors": 1}
    with pytest.raises(
        ValueError, match=r"the name of a parameter must be one of 'kind',.*'alpha'"
    ):
        gp.set_params(alpha=1)


@pytest.mark.parametrize("targets", [(), (3,)])
def test_score(targets):
    X, y = data(targets=targets)
    gp = fixed().fit(X[:20], y[:20])
    weights = np.linspace(0, 1, 20)
    for sample_weight in (None, weights):
        expected = r2_score(y[20:], gp.predict(X[20:]), sample_weight=sample_weight)
        assert gp.score(X[20:], y[20:], sample_weight) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r"y must have shape \(20"):
        gp.score(X[20:], y[:5])


def test_score_of_a_constant():
    gp = fixed().fit([[0.0], [1.0]], [0.0, 0.0])
    assert gp.score([[0.0], [2.0]], [0.0, 0.0]) == 1
    assert gp.score([[0.0], [2.0]], [3.0, 3.0]) == 0


def test_grid_search_and_pickle():
    X, y = data()
    search = GridSearchCV(fixed(), {"kind": ["se", "matern12"], "length_scale": [1.0, 100.0]})
    search.fit(X, y)
    assert search.best_params_["length_scale"] == 1
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    cg = fixed(solver="cg").fit(X, y)
    again = pickle.loads(pickle.dumps(cg))
    np.testing.assert_array_equal(again.predict(X, True), cg.predict(X, True))


def test_scikit_learn_is_optional():
    code = """
import sys, hotloops as hl
assert "sklearn" not in sys.modules and "hotloops.gp" not in sys.modules
assert "gp" in dir(hl) and "ard_kernel" in dir(hl)
sys.modules["sklearn"] = None
gp = hl.gp.GaussianProcessRegressor()
try:
    gp.predict([[1.0]])
except hl.gp.NotFittedError as error:
    assert isinstance(error, ValueError) and isinstance(error, AttributeError)
else:
    raise SystemExit("no error")
assert issubclass(hl.gp.ConvergenceWarning, UserWarning)
print(gp.fit([[0.0], [1.0]], [0.0, 1.0]).score([[0.0], [1.0]], [0.0, 1.0]) > 0.9)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr
    assert hl.gp.NotFittedError is NotFittedError
    assert hl.gp.ConvergenceWarning is ConvergenceWarning
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hl.gp.nothing  # noqa: B018


def test_the_module_lists_its_public_names():
    assert dir(hl.gp) == sorted(hl.gp.__all__)
    assert all(getattr(hl.gp, name).__name__ == name for name in hl.gp.__all__)


def test_examples_run():
    result = doctest.testmod(hotloops.gp.regressor)
    assert result.attempted > 0
    assert result.failed == 0


# --- errors ---------------------------------------------------------------------------------


X4, Y4 = data(n=4, d=2)


def spoiled(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (spoiled(X4, (2, 1), np.nan), Y4, ValueError, r"X must be finite, got NaN at X\[2, 1\]"),
        (spoiled(X4, (0, 0), -np.inf), Y4, ValueError, r"X must be finite, got -inf at X\[0, 0\]"),
        (X4, spoiled(Y4, 3, np.inf), ValueError, r"y must be finite, got inf at y\[3\]"),
        (X4[:0], Y4[:0], ValueError, r"X must have at least one row, got shape \(0, 2\)"),
        (X4[:, :0], Y4, ValueError, r"0 feature\(s\) \(shape=\(4, 0\)\) while a minimum of 1"),
        (X4[:, 0], Y4, ValueError, r"X must have shape \(N, D\), got \(4,\)\. Reshape your data"),
        (X4, Y4[:3], ValueError, r"X and y must be of one length, got shapes \(4, 2\) and \(3,\)"),
        (X4, Y4[:, None, None], ValueError, r"y must have shape \(N,\) or \(N, n_targets\)"),
        (X4, None, ValueError, "requires y to be passed, but the target y is None"),
        (X4 + 1j, Y4, ValueError, "Complex data not supported: X must be real, got complex128"),
        (X4, ["a"] * 4, TypeError, "y must be real"),
        ([[1.0, 2.0], [3.0]], Y4, ValueError, "X must be an array"),
        (np.ma.masked_array(X4, X4 > 0), Y4, TypeError, "X must not be a masked array"),
    ],
)
def test_bad_data(X, y, error, message):
    with pytest.raises(error, match=message):
        fixed().fit(X, y)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"kind": "rbf"}, ValueError, r'kind must be one of .*"se" is what others call RBF'),
        ({"length_scale": 0.0}, ValueError, "length_scale must be positive, got 0.0"),
        ({"length_scale": [1.0] * 3}, ValueError, r"length_scale must be a scalar or have shape"),
        ({"length_scale": 1e6}, ValueError, r"length_scale_bounds must contain the start, length_"),
        ({"length_scale_bounds": (1, 0.1)}, ValueError, "length_scale_bounds must be a pair of"),
        ({"length_scale_bounds": "free"}, ValueError, "length_scale_bounds .* got 'free'"),
        ({"variance_bounds": (0, 1)}, ValueError, "variance_bounds must be a pair of positive"),
        ({"variance_bounds": (1, np.inf)}, ValueError, "variance_bounds must be a pair"),
        ({"variance_bounds": (1, 2, 3)}, ValueError, "variance_bounds must be a pair"),
        ({"variance_bounds": 3.0}, ValueError, "variance_bounds must be a pair"),
        ({"variance": -1.0}, ValueError, "variance must be finite and >= 0"),
        ({"variance": 0.0}, ValueError, r"variance_bounds must contain the start, variance=0.0"),
        ({"kind": "rq", "rq_alpha": 1e6}, ValueError, "rq_alpha_bounds must contain the start"),
        ({"rq_alpha": 0}, ValueError, "rq_alpha must be finite and > 0"),
        ({"rq_alpha": None}, TypeError, "rq_alpha must be a real number, got None"),
        ({"rq_alpha_bounds": None}, ValueError, "rq_alpha_bounds must be a pair of positive"),
        ({"noise_variance": -1.0}, ValueError, "noise_variance must be finite and >= 0"),
        ({"noise_variance": np.nan}, ValueError, "noise_variance must be finite and >= 0"),
        ({"noise_variance": 0.0}, ValueError, 'noise_variance_bounds .* "fixed" keeps it as it is'),
        ({"noise_variance": [1.0] * 4}, ValueError, 'noise_variance_bounds must be "fixed"'),
        ({"noise_variance": [1.0] * 3}, ValueError, r"noise_variance .* shape \(4,\)"),
        ({"n_factors": 3}, ValueError, "n_factors must be <= 2, got 3"),
        ({"n_factors": -1}, ValueError, "n_factors must be >= 0, got -1"),
        ({"n_factors": 1.0}, TypeError, "n_factors must be an integer, got 1.0"),
        (
            {"n_factors": 1, "optimizer": None},
            ValueError,
            "n_factors must be 0 with optimizer=None",
        ),
        ({"optimizer": "adam"}, ValueError, "optimizer must be .* callable or None, got 'adam'"),
        ({"n_restarts_optimizer": -1}, ValueError, "n_restarts_optimizer must be >= 0"),
        ({"jitter": "least"}, ValueError, "jitter must be a number, \"auto\" or None, got 'least'"),
        ({"jitter": -1.0}, ValueError, "jitter must be finite and >= 0"),
        ({"solver": "lu"}, ValueError, "solver must be one of 'cholesky', 'cg', got 'lu'"),
        ({"solver": "cg"}, ValueError, 'optimizer must be None with solver="cg"'),
        (
            {"solver": "cg", "optimizer": None, "noise_variance": 0.0},
            ValueError,
            r'noise_variance \(or jitter\) must be positive with solver="cg"',
        ),
        (
            {"solver": "cg", "optimizer": None, "jitter": "auto"},
            ValueError,
            'jitter must be a number or None with solver="cg"',
        ),
    ],
)
def test_bad_parameters(keywords, error, message):
    gp = started(**keywords)
    with pytest.raises(error, match=message):
        gp.fit(X4, Y4)
    assert not hasattr(gp, "alpha_")


def test_a_failed_fit_leaves_the_last_one():
    X, y = repeated()
    gp = fixed().fit(X, y)
    before = gp.predict(X), gp.log_marginal_likelihood()
    with pytest.raises(np.linalg.LinAlgError):
        gp.set_params(noise_variance=0.0).fit(X, y + 1)
    np.testing.assert_array_equal(gp.predict(X), before[0])
    assert gp.log_marginal_likelihood() == before[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda gp: gp.predict(X4),
        lambda gp: gp.sample_y(X4),
        lambda gp: gp.log_marginal_likelihood(),
        lambda gp: gp.predict_gradient(X4),
        lambda gp: gp.score(X4, Y4),
    ],
)
def test_before_fit(call):
    with pytest.raises(NotFittedError, match="this GaussianProcessRegressor is not fitted yet"):
        call(GaussianProcessRegressor())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda gp: gp.predict(X4[:, :1]), ValueError, "X has 1 features, but Gauss.* expecting 2"),
        (lambda gp: gp.predict_gradient(X4[0]), ValueError, "Reshape your data"),
        (lambda gp: gp.predict(spoiled(X4, (1, 0), np.nan)), ValueError, r"got NaN at X\[1, 0\]"),
        (lambda gp: gp.predict(X4, True, True), ValueError, "return_std and return_cov must not"),
        (lambda gp: gp.sample_y(X4, -1), ValueError, "n_samples must be >= 0"),
        (lambda gp: gp.sample_y(X4, 1, "x"), TypeError, "random_state must be None, a seed or"),
        (lambda gp: gp.score(X4, Y4, [1, 2]), ValueError, r"sample_weight must have shape \(4,\)"),
        (
            lambda gp: gp.log_marginal_likelihood([0.0]),
            ValueError,
            r"theta must be 4 finite number\(s\), one for each of \['length_scale\[0\]'",
        ),
        (lambda gp: gp.log_marginal_likelihood([np.nan] * 4), ValueError, "theta must be 4 finite"),
        (
            lambda gp: gp.log_marginal_likelihood([800.0] * 4),
            ValueError,
            r"theta\[0\], the logarithm of length_scale\[0\], must be in \[-708, 709\], got 800",
        ),
        (
            lambda gp: gp.log_marginal_likelihood([0.0, 0.0, 0.0, -800.0]),
            ValueError,
            r"theta\[3\], the logarithm of noise_variance, must be in \[-708, 709\], got -800",
        ),
        (lambda gp: gp.log_marginal_likelihood(["a"] * 4), TypeError, "theta must be real"),
    ],
)
def test_bad_calls(call, error, message):
    gp = fixed().fit(X4, Y4)
    with pytest.raises(error, match=message):
        call(gp)
