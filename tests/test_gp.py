"""Gaussian-process regression: against GPML, scikit-learn, dense formulas and differences."""

import doctest
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from scipy.spatial.distance import cdist
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor as Sklearn
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.utils.estimator_checks import check_estimator

import hotloops as hl
import hotloops.gp.regressor
from hotloops.gp import GaussianProcessRegressor
from hotloops.gp._parameters import exp_within
from hotloops.gp._solvers import ConjugateGradients

KINDS = ("se", "matern12", "matern32", "matern52", "rq")


def data(n=40, d=3, targets=(), seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    weights = rng.normal(size=(d, *targets))
    return X, np.sin(X @ weights) + 0.1 * rng.normal(size=(n, *targets))


START = {
    "length_scale": 1.0, "length_scale_bounds": (1e-5, 1e5),
    "variance": 1.0, "variance_bounds": (1e-5, 1e5),
    "noise_variance": 1e-2, "noise_variance_bounds": (1e-10, 1e5),
}  # fmt: skip


def started(**keywords):
    """From given numbers, not from the data."""
    return GaussianProcessRegressor(**{**START, **keywords})


def fixed(**keywords):
    return started(optimizer=None, **keywords)


def same_in_sklearn(
    kind, length_scale, rq_alpha=1.0, variance=1.0, noise_variance=1e-2, **keywords
):
    """The estimator there, and where the entries of its theta are in ours."""
    d, nu = np.size(length_scale), {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}
    if kind == "se":
        kernel = RBF(length_scale)
    elif kind == "rq":
        kernel = RationalQuadratic(length_scale, rq_alpha)
    else:
        kernel = Matern(length_scale, nu=nu[kind])
    kernel = ConstantKernel(variance) * kernel
    ours = [d, *range(d)]
    if kind == "rq":
        ours = [2, 1, 0]
    if noise_variance is not None:
        kernel += WhiteKernel(noise_variance, (1e-10, 1e5))
        ours.append(len(ours))
    return Sklearn(kernel, alpha=keywords.pop("alpha", 0), **keywords), ours


def metric(values):
    return np.diag(values.length_scale_**-2.0) + values.factors_ @ values.factors_.T


def differences(function, x, step=1e-5):
    """Central ones, of fourth order."""

    def along(direction):
        near, far = (function(x + k * direction) - function(x - k * direction) for k in (1, 2))
        return (8 * near - far) / (12 * step)

    return np.array([along(step * unit) for unit in np.eye(x.size).reshape(-1, *x.shape)])


# --- the likelihood -------------------------------------------------------------------------


def test_gpml(backend):
    # GPML toolbox 3.x
    X = np.array([[0], [1.1], [2.2]])
    with hl.set_backend(backend):
        gp = fixed(noise_variance=1.0).fit(X, np.sin(X[:, 0]))
        mean = gp.predict(np.array([[0.3], [1.3], [2.5], [2.7], [3.1]]))
    assert gp.log_marginal_likelihood_value_ == pytest.approx(-4.017065867797999, rel=1e-14)
    alpha = [-0.121668320184276, 0.396533145765454, 0.301389368713216]
    np.testing.assert_allclose(gp.alpha_, alpha, rtol=1e-13)
    expected = [
        0.221198406887592,
        0.537437461176145,
        0.431605035301329,
        0.373048041692408,
        0.253688340068952,
    ]
    np.testing.assert_allclose(mean, expected, rtol=1e-13)


@pytest.mark.parametrize("targets", [(), (3,)])
@pytest.mark.parametrize(
    ("kind", "ard"),
    # RationalQuadratic has one length scale
    [("rq", False), *((kind, ard) for kind in KINDS if kind != "rq" for ard in (False, True))],
)
def test_likelihood_and_gradient_against_scikit_learn(kind, ard, targets):
    X, y = data(targets=targets)
    length_scale = [0.7, 1.5, 3.0] if ard else 1.3
    start = {"length_scale": length_scale, "variance": 1.7, "noise_variance": 0.03}
    theirs, order = same_in_sklearn(kind, rq_alpha=0.6, optimizer=None, **start)
    theirs.fit(X, y)
    ours = fixed(kind=kind, ard=ard, rq_alpha=0.6, **start).fit(X, y)
    assert ours.log_marginal_likelihood() == pytest.approx(
        theirs.log_marginal_likelihood(), rel=1e-12
    )
    for shift in (0.0, 0.3):
        value, gradient = ours.log_marginal_likelihood(ours.theta_ + shift, eval_gradient=True)
        expected, slope = theirs.log_marginal_likelihood(theirs.kernel_.theta + shift, True)
        np.testing.assert_allclose(theirs.kernel_.theta, ours.theta_[order], rtol=1e-13)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient[order], slope, rtol=1e-10, atol=1e-10)
    assert ours.log_marginal_likelihood(ours.theta_ + shift) == value


@pytest.mark.parametrize("kind", KINDS)
def test_likelihood_with_factors(kind, backend):
    X, y = data(n=25)
    with hl.set_backend(backend):
        gp = started(kind=kind, n_factors=2, random_state=0, optimizer=_stay)
        gp.fit(X, y)
        theta = gp.theta_ + np.random.default_rng(2).normal(size=gp.theta_.shape) / 3
        _, gradient = gp.log_marginal_likelihood(theta, eval_gradient=True)
        expected = differences(gp.log_marginal_likelihood, theta, 1e-3)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)
    r = cdist(X, X, "mahalanobis", VI=metric(gp))
    k = {
        "se": np.exp(-(r**2) / 2),
        "matern12": np.exp(-r),
        "matern32": (1 + 3**0.5 * r) * np.exp(-(3**0.5) * r),
        "matern52": (1 + 5**0.5 * r + 5 * r**2 / 3) * np.exp(-(5**0.5) * r),
        "rq": 1 / (1 + r**2 / 2),
    }[kind]
    direct = scipy.stats.multivariate_normal.logpdf(y, cov=k + 0.01 * np.eye(25))
    assert gp.log_marginal_likelihood_value_ == pytest.approx(direct, rel=1e-11)


def _stay(obj_func, initial_theta, bounds):
    return initial_theta, obj_func(initial_theta, eval_gradient=False)


def test_theta_is_named_in_order():
    X, y = data(d=2)
    gp = started(
        kind="rq", n_factors=1, optimizer=_stay, variance_bounds="fixed", random_state=3
    ).fit(X, y)
    names = ["length_scale[0]", "length_scale[1]", "factors[0, 0]", "factors[1, 0]"]
    assert gp.theta_names_ == [*names, "rq_alpha", "noise_variance"]
    expected = np.r_[0, 0, gp.factors_[:, 0], 0, np.log(0.01)]
    np.testing.assert_array_equal(gp.theta_, expected)
    assert (gp.factors_ != 0).all()
    assert np.abs(gp.factors_).max() < 0.5
    assert fixed(ard=False).fit(X, y).theta_names_ == ["length_scale", "variance", "noise_variance"]


def test_what_has_no_logarithm_is_not_in_theta():
    X, y = data(n=5)
    gp = fixed(noise_variance=0.0, length_scale=[1.0, np.inf, 2.0]).fit(X, y)
    assert gp.theta_names_ == ["variance"]
    np.testing.assert_array_equal(gp.length_scale_, [1.0, np.inf, 2.0])
    np.testing.assert_allclose(gp.predict(X), y, rtol=1e-10)


def test_likelihood_where_the_covariance_is_singular():
    X = np.linspace(0, 1, 50)[:, None]
    gp = fixed(noise_variance=1e-3).fit(X, X[:, 0])
    value, gradient = gp.log_marginal_likelihood([5.0, 3.0, -60.0], eval_gradient=True)
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, np.zeros(3))


# --- fit ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The optimal value found")  # theirs
@pytest.mark.filterwarnings("ignore:the likelihood is highest with rq_alpha")
@pytest.mark.parametrize("kind", KINDS)
def test_same_optimum_as_scikit_learn(kind):
    X, y = data(n=60)
    start = {"length_scale": 1.0 if kind == "rq" else np.ones(3), "noise_variance": 0.01}
    theirs, order = same_in_sklearn(kind, **start)
    theirs.fit(X, y)
    ours = started(kind=kind, ard=kind != "rq", **start).fit(X, y)
    assert ours.log_marginal_likelihood_value_ == pytest.approx(
        theirs.log_marginal_likelihood_value_, abs=1e-6
    )
    # the likelihood is flat at its top
    np.testing.assert_allclose(ours.theta_[order], theirs.kernel_.theta, rtol=0, atol=2e-3)
    _, gradient = ours.log_marginal_likelihood(eval_gradient=True)
    inside = np.abs(ours.theta_) < np.log(1e5)
    np.testing.assert_allclose(gradient[inside], 0, atol=0.02)


def test_factors_find_a_rotated_direction():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    direction = np.array([1.0, -2.0, 1.0])
    y = np.sin(X @ direction) + 0.01 * rng.normal(size=80)
    plain = started().fit(X, y)
    gp = started(n_factors=1, random_state=0).fit(X, y)
    assert gp.factors_.shape == (3, 1)
    assert gp.log_marginal_likelihood_value_ > plain.log_marginal_likelihood_value_ + 50
    found = gp.factors_[:, 0] / np.linalg.norm(gp.factors_)
    assert abs(found @ direction) / np.linalg.norm(direction) > 0.9999
    assert gp.score(rng.normal(size=(50, 3)), np.sin(X[:50] @ direction)) < 0.5
    T = rng.normal(size=(50, 3))
    assert gp.score(T, np.sin(T @ direction)) > 0.99


def test_fixed_hyperparameters_stay():
    X, y = data()
    noise = np.linspace(0.01, 0.1, len(X))
    gp = started(
        length_scale=[1.0, np.inf, 2.0], length_scale_bounds="fixed",
        noise_variance=noise, noise_variance_bounds="fixed", variance=0.3,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_array_equal(gp.length_scale_, [1.0, np.inf, 2.0])
    np.testing.assert_array_equal(gp.noise_variance_, noise)
    assert gp.theta_names_ == ["variance"]
    assert gp.variance_ != 0.3
    all_fixed = started(
        length_scale_bounds="fixed", noise_variance_bounds="fixed", variance_bounds="fixed"
    ).fit(X, y)
    assert all_fixed.theta_.shape == (0,)
    assert all_fixed.log_marginal_likelihood_value_ == fixed().fit(X, y).log_marginal_likelihood()


def test_bounds_hold():
    X, y = data()
    gp = started(length_scale_bounds=(0.9, 1.1), noise_variance_bounds=(1e-2, 2e-2))
    with pytest.warns(ConvergenceWarning, match=r"length_scale\[1\].* at the lower bound: "):
        gp.fit(X, y)
    assert ((gp.length_scale_ >= 0.9) & (gp.length_scale_ <= 1.1)).all()
    assert 1e-2 <= gp.noise_variance_ <= 2e-2


def test_restarts_do_not_depend_on_the_workers():
    X, y = data(n=30)
    gp = GaussianProcessRegressor(n_restarts_optimizer=3, n_factors=1, random_state=5)
    with hl.set_workers(1):
        one = clone(gp).fit(X, y)
    with hl.set_workers(2):
        two = clone(gp).fit(X, y)
    np.testing.assert_array_equal(one.theta_, two.theta_)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


def test_restarts_find_a_better_optimum():
    # the start takes all for noise
    X = np.linspace(0, 6, 40)[:, None]
    y = np.sin(5 * X[:, 0]) + 0.01 * np.random.default_rng(0).normal(size=40)
    start = {"length_scale": 900.0, "length_scale_bounds": (1e-2, 1e3), "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="variance at the lower bound: y is hardly more"):
        alone = started(**start).fit(X, y)
    several = started(n_restarts_optimizer=8, **start).fit(X, y)
    assert several.log_marginal_likelihood_value_ > alone.log_marginal_likelihood_value_ + 50
    assert several.predict([[3.03]])[0] == pytest.approx(np.sin(15.15), abs=0.03)


def test_restarts_are_drawn_within_the_bounds():
    X, y = data(n=10)
    seen = []

    def optimizer(obj_func, initial_theta, bounds):
        seen.append(initial_theta)
        assert bounds.shape == (len(initial_theta), 2)
        return initial_theta, obj_func(initial_theta, eval_gradient=False)

    started(optimizer=optimizer, n_restarts_optimizer=20, length_scale_bounds=(0.1, 10.0)).fit(X, y)
    scales = np.exp([theta[:3] for theta in seen])
    assert len(seen) == 21
    assert scales.min() >= 0.1
    assert scales.max() <= 10
    assert len(np.unique(scales)) == 61


def test_a_callable_optimizer():
    X, y = data()
    calls = []

    def optimizer(obj_func, initial_theta, bounds):
        value, gradient = obj_func(initial_theta, eval_gradient=True)
        assert value == obj_func(initial_theta, eval_gradient=False)
        calls.append((initial_theta, bounds, gradient))
        result = scipy.optimize.minimize(
            obj_func, initial_theta, jac=True, bounds=bounds, method="L-BFGS-B"
        )
        return result.x, result.fun

    gp = started(optimizer=optimizer, n_factors=1, random_state=1).fit(X, y)
    [(theta, bounds, gradient)] = calls
    factors = [name.startswith("factors") for name in gp.theta_names_]
    np.testing.assert_array_equal(np.isinf(bounds).all(axis=1), factors)
    np.testing.assert_allclose(
        bounds[np.invert(factors)],
        np.log([(1e-5, 1e5)] * 4 + [(1e-10, 1e5)]),
    )
    _, slope = gp.log_marginal_likelihood(theta, eval_gradient=True)
    np.testing.assert_allclose(gradient, -slope, rtol=1e-12)
    builtin = started(n_factors=1, random_state=1).fit(X, y)
    assert gp.log_marginal_likelihood_value_ == pytest.approx(
        builtin.log_marginal_likelihood_value_, abs=1e-4
    )


def test_an_optimizer_that_returns_nonsense():
    X, y = data()
    gp = started(optimizer=lambda obj_func, initial_theta, bounds: ([1.0], 0.0))
    with pytest.raises(ValueError, match=r"optimizer's theta must be 5 finite.*got \[1\.\]"):
        gp.fit(X, y)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_a_start_of_no_finite_value_is_left_out(value):
    X, y = data(n=15)

    def optimizer(obj_func, initial_theta, bounds):
        if (initial_theta == np.log([1, 1, 1, 1, 0.01])).all():
            return initial_theta, value
        return _stay(obj_func, initial_theta, bounds)

    gp = started(
        optimizer=optimizer, n_restarts_optimizer=2, random_state=0, length_scale_bounds=(0.5, 2)
    )
    with pytest.warns(ConvergenceWarning, match=rf"1 of 3 start.*the value {value} of theta=\["):
        gp.fit(X, y)
    assert gp.length_scale_[0] != 1
    assert np.isfinite(gp.log_marginal_likelihood_value_)
    with pytest.raises(ValueError, match=rf"a finite theta .* 1 start.*returned the value {value}"):
        gp.set_params(n_restarts_optimizer=0).fit(X, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_start_of_no_finite_theta_is_left_out(bad):
    X, y = data(n=15)

    def optimizer(obj_func, initial_theta, bounds):
        if (initial_theta == np.log([1, 1, 1, 1, 0.01])).all():
            return np.r_[initial_theta[:4], bad], -1e9
        return _stay(obj_func, initial_theta, bounds)

    gp = started(optimizer=optimizer, n_restarts_optimizer=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match=rf"1 of 2 start.*of theta=\[.* {bad}\]"):
        gp.fit(X, y)
    assert np.isfinite(gp.theta_).all()
    with pytest.raises(ValueError, match="optimizer must return a finite theta of finite value"):
        gp.set_params(n_restarts_optimizer=0).fit(X, y)


def test_the_objective_is_infinite_where_a_value_is_not_possible():
    X, y = data(n=10)

    def optimizer(obj_func, initial_theta, bounds):
        for far in (-800.0, 800.0, np.inf, np.nan):
            theta = initial_theta.copy()
            theta[3] = far
            value, gradient = obj_func(theta)
            assert value == np.inf
            np.testing.assert_array_equal(gradient, np.zeros(5))
        return _stay(obj_func, initial_theta, bounds)

    gp = started(optimizer=optimizer).fit(X, y)
    assert gp.variance_ == 1


def test_an_error_in_one_start_ends_the_others():
    X, y = data(n=10)

    def optimizer(obj_func, initial_theta, bounds):
        if (initial_theta == np.log([1, 1, 1, 1, 0.01])).all():
            raise RuntimeError("mine")
        while True:
            obj_func(initial_theta)

    gp = started(optimizer=optimizer, n_restarts_optimizer=2)
    for workers in (1, 3):
        with hl.set_workers(workers), pytest.raises(RuntimeError, match="mine"):
            gp.fit(X, y)


def test_a_failed_optimisation_keeps_the_best_point(monkeypatch):
    X, y = data()
    minimize = scipy.optimize.minimize

    def three_steps(*args, **keywords):
        return minimize(*args, **{**keywords, "options": {"maxiter": 3}})

    monkeypatch.setattr(scipy.optimize, "minimize", three_steps)
    start = fixed().fit(X, y).log_marginal_likelihood_value_
    with pytest.warns(ConvergenceWarning, match=r"failed from 1 of 1 start.*ITERATIONS") as record:
        gp = started().fit(X, y)
    assert record[0].filename == __file__
    assert gp.log_marginal_likelihood_value_ > start + 1
    assert gp.log_marginal_likelihood(gp.theta_) == gp.log_marginal_likelihood_value_


@pytest.mark.filterwarnings("ignore:the optimizer failed")
def test_trial_points_without_a_factor_are_survived():
    # without noise the likelihood rises until the matrix is singular
    X = np.linspace(0, 1, 15)[:, None]
    y = np.sin(3 * X[:, 0])
    gp = started(noise_variance=0.0, noise_variance_bounds="fixed", length_scale=0.05).fit(X, y)
    start = fixed(noise_variance=0.0, length_scale=0.05).fit(X, y)
    assert np.isfinite(gp.log_marginal_likelihood_value_)
    assert gp.log_marginal_likelihood_value_ > start.log_marginal_likelihood_value_


def test_one_point():
    gp = started().fit([[1.0]], [2.0])
    # one number is most likely where it is one standard deviation
    assert gp.variance_ + gp.noise_variance_ == pytest.approx(4, rel=1e-4)


def test_the_input_is_copied_and_kept():
    X, y = data(n=10)
    X32, before = X.astype(np.float32), y.copy()
    gp = fixed().fit(X32, y)
    assert gp.X_train_.dtype == gp.predict(X32).dtype == np.float64
    X32[:] = 0
    np.testing.assert_array_equal(gp.X_train_, X.astype(np.float32))
    np.testing.assert_array_equal(y, before)
    y[:] = 0
    np.testing.assert_array_equal(gp.y_train_, before)


# --- what the data give ---------------------------------------------------------------------

# the means of R² over ten splits into halves that benchmarks/gp_reference.py prints
REFERENCE = {"diabetes": 0.4680, "friedman1": 0.9404, "friedman2": 0.9830, "friedman3": 0.9295}


def real_data(name):
    if name == "diabetes":
        return datasets.load_diabetes(return_X_y=True)
    noise = {"friedman1": 1.0, "friedman2": 50.0, "friedman3": 0.05}[name]
    return getattr(datasets, f"make_{name}")(200, noise=noise, random_state=0)


def halves(X, y, seed):
    return train_test_split(X, y, test_size=0.5, random_state=seed)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_default_fit_is_as_good_as_many_restarts(name):
    # R² of the first two splits, of the best likelihood of 20 restarts of scikit-learn's
    expected = {
        "diabetes": (0.4408, 0.3642), "friedman1": (0.9273, 0.9487),
        "friedman2": (0.9832, 0.9803), "friedman3": (0.9392, 0.9040),
    }[name]  # fmt: skip
    scores = []
    for seed in (0, 1):
        X, T, y, t = halves(*real_data(name), seed)
        scores.append(r2_score(t, GaussianProcessRegressor().fit(X, y).predict(T)))
    assert np.mean(scores) > np.mean(expected) - 0.02


@pytest.mark.parametrize("name", ["friedman1", "friedman3"])
def test_units_of_the_data_do_not_matter(name, backend):
    X, T, y, _ = (part[:60] for part in halves(*real_data(name), 0))
    columns = np.arange(X.shape[1])
    with hl.set_backend(backend):
        mean, std = GaussianProcessRegressor().fit(X, y).predict(T, return_std=True)
        # powers of two to the bit, others to rounding
        for of_x, of_y, tolerance in (
            (2.0 ** (columns - 20), 2.0**17, 0),
            (2.0 ** (30 - columns), 2.0**-13, 0),
            (3.7 * 10.0 ** (columns - 4), 1e5, 1e-6),
            (0.3 ** (columns + 1), 7e-9, 1e-6),
        ):
            gp = GaussianProcessRegressor().fit(X * of_x, y * of_y)
            for found, expected in zip(gp.predict(T * of_x, True), (mean, std), strict=True):
                np.testing.assert_allclose(found / of_y, expected, rtol=tolerance, atol=0)


def test_what_is_none_comes_from_the_data():
    rng = np.random.default_rng(0)
    X, y = np.stack([rng.normal(size=50), 1e6 * rng.uniform(size=50)], axis=1), rng.normal(size=50)
    gp = GaussianProcessRegressor(optimizer=None).fit(X, y + 7)
    np.testing.assert_allclose(gp.length_scale_, 2**0.5 * X.std(axis=0), rtol=1e-14)
    np.testing.assert_allclose([gp.variance_, gp.noise_variance_], y.var() * np.r_[1, 1 / 128])
    assert gp.y_mean_ == pytest.approx(y.mean() + 7)
    gp = GaussianProcessRegressor(optimizer=None, normalize_y=False).fit(X, y + 7)
    assert gp.variance_ == pytest.approx(np.mean((y + 7) ** 2))
    assert gp.y_mean_ == 0
    # a number is of y about 0
    assert GaussianProcessRegressor(optimizer=None, variance=1.0).fit(X, y + 7).y_mean_ == 0


def test_an_offset_and_targets_of_different_size():
    X, y = data(n=60)
    T, t = X[40:], y[40:]
    gp = GaussianProcessRegressor().fit(X[:40], 1e8 + y[:40])
    plain = GaussianProcessRegressor().fit(X[:40], y[:40])
    np.testing.assert_allclose(gp.predict(T) - 1e8, plain.predict(T), atol=1e-4)
    both = GaussianProcessRegressor().fit(X[:40], np.stack([y[:40], 1e5 * y[:40] + 3], axis=1))
    np.testing.assert_allclose(both.predict(T)[:, 0], plain.predict(T), atol=1e-4)
    np.testing.assert_allclose(both.predict(T)[:, 1], 1e5 * plain.predict(T) + 3, atol=10)
    assert r2_score(t, plain.predict(T)) > 0.8


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[3.0]], [5.0]),
        ([[1.0], [2.0], [3.0]], [4.0, 4.0, 4.0]),
        ([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [0.0, 0.0, 0.0]),
    ],
)
def test_a_constant_y_says_so(X, y):
    with pytest.warns(ConvergenceWarning, match="y is constant"):
        gp = GaussianProcessRegressor().fit(X, y)
    np.testing.assert_array_equal(gp.predict(X), y)
    assert GaussianProcessRegressor(optimizer=None).fit(X, y).predict(X)[0] == y[0]


def test_constant_columns_and_repeated_rows():
    X, y = data(n=40)
    X = np.column_stack([np.repeat(X[::2], 2, axis=0), np.full(40, 3.0), np.zeros(40)])
    gp = GaussianProcessRegressor().fit(X, np.repeat(y[::2], 2) + 0.1 * y[::-1])
    assert np.isfinite(gp.predict(X)).all()


def test_a_y_whose_squares_overflow():
    X, y = data(n=10)
    with pytest.raises(ValueError, match=r"y must have squares .*: pass normalize_y=True"):
        GaussianProcessRegressor().fit(X, 1e200 * y)
    gp = GaussianProcessRegressor(normalize_y=True, optimizer=None).fit(X, 1e200 * y)
    assert np.isfinite(gp.predict(X)).all()


# --- bounds, and what goes wrong ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:the optimizer failed")  # so little noise is near rounding
def test_what_fit_returns_starts_again():
    # exp(log(1e-10)) is less than 1e-10
    x = np.linspace(0, 1, 12)
    X = np.stack(np.meshgrid(x[:6], x[:4]), axis=-1).reshape(-1, 2)
    given = {"noise_variance": 1e-9, "noise_variance_bounds": (1e-10, 1.0)}
    with pytest.warns(ConvergenceWarning, match="noise_variance at the lower bound") as record:
        gp = GaussianProcessRegressor(**given).fit(X, np.sin(3 * X[:, 0]) + X[:, 1])
    assert record[0].filename == __file__
    assert gp.noise_variance_ == 1e-10
    assert "noise_variance" in gp.at_bounds_
    again = GaussianProcessRegressor(
        length_scale=gp.length_scale_, variance=gp.variance_, normalize_y="mean", optimizer=_stay,
        noise_variance=gp.noise_variance_, noise_variance_bounds=(1e-10, 1.0),
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="noise_variance at the lower bound"):
        again.fit(X, gp.y_train_ + gp.y_mean_)
    np.testing.assert_array_equal(again.theta_, gp.theta_)
    np.testing.assert_array_equal(again.length_scale_, gp.length_scale_)


@pytest.mark.parametrize("bound", [1e-10, 1e-3, 0.1, 3.0, 1e5])
def test_values_at_a_bound_are_within(bound):
    for low, high in ((bound, 10 * bound), (bound / 10, bound)):
        theta = np.log([low, high])
        found = exp_within(theta, 1.0, low, high)
        assert (low <= found).all()
        assert (found <= high).all()
    assert exp_within(np.log(bound), bound, 0.0 + bound / 2, 2 * bound) == bound


def test_a_kernel_that_is_diagonal():
    X = np.linspace(0, 2e6, 30)[:, None]
    y = np.sin(X[:, 0] / 3e5) + 0.01 * np.random.default_rng(0).normal(size=30)
    with pytest.warns(ConvergenceWarning, match="kernel is 0 between all points at the start.*Non"):
        gp = started(length_scale=1.0).fit(X, y)
    assert gp.length_scale_[0] == 1
    # what the message says
    assert GaussianProcessRegressor(variance=1.0).fit(X, y).score(X, y) > 0.99
    assert GaussianProcessRegressor(length_scale=7e4).fit(X, y).score(X, y) > 0.99


def test_too_few_points_for_a_length_scale():
    # of one length for all, none is more likely than that of noise
    with pytest.warns(ConvergenceWarning, match="None takes the most likely one, and if that is"):
        gp = GaussianProcessRegressor().fit([[0.0], [1.0]], [-1.0, 1.0])
    np.testing.assert_allclose(gp.variance_ + gp.noise_variance_, 1, rtol=1e-4)  # the mean of y²


def test_an_irrelevant_input_is_listed_alone():
    X, _ = data(n=60, d=2)
    y = np.sin(2 * X[:, 0]) + 0.1 * np.random.default_rng(3).normal(size=60)
    gp = GaussianProcessRegressor().fit(X, y)
    assert gp.at_bounds_ == ["length_scale[1]"]
    assert fixed().fit(X, y).at_bounds_ == []


def test_a_search_that_rounding_ends(monkeypatch):
    X, y = data(n=20)

    def abnormal(objective, start, **keywords):
        value, gradient = objective(start)
        return scipy.optimize.OptimizeResult(
            x=start, fun=value, jac=gradient, success=False, status=2, message="ABNORMAL: "
        )

    monkeypatch.setattr(scipy.optimize, "minimize", abnormal)
    with pytest.warns(ConvergenceWarning, match=r"no higher likelihood .*raise noise_variance"):
        started().fit(X, y)


def test_an_optimizer_that_ignores_its_bounds():
    X, y = data(n=10)
    gp = started(optimizer=lambda f, theta, bounds: (bounds[:, 1] + 1, 0.0))
    with pytest.raises(
        ValueError, match=r"within the bounds, .*length_scale\[0\], outside its bou"
    ):
        gp.fit(X, y)


def test_starts_are_compared_by_the_likelihood():
    X, y = data(n=10)

    gp = started(
        optimizer=_liar, n_restarts_optimizer=1, random_state=0, length_scale_bounds=(1, 1.001),
        variance_bounds=(1e4, 1e5), variance=1e4, noise_variance_bounds=(1e-2, 1e4),
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="at the lower bound"):
        gp.fit(X, y)
    assert gp.variance_ == 1e4


def _liar(obj_func, initial_theta, bounds):
    return initial_theta, -initial_theta[3]


# --- predictions ----------------------------------------------------------------------------


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("targets", [(), (2,)])
@pytest.mark.parametrize("kind", ["se", "matern32", "rq"])
def test_predictions_against_scikit_learn(kind, targets, normalize_y):
    X, y = data(targets=targets)
    y = 3 * y + 5
    T = data(n=7, seed=2)[0]
    # there the noise is added to the training points alone as alpha
    theirs, _ = same_in_sklearn(
        kind, 1.3, variance=1.7, noise_variance=None, alpha=0.03, optimizer=None,
        normalize_y=normalize_y,
    )  # fmt: skip
    theirs.fit(X, y)
    ours = fixed(
        kind=kind, ard=False, length_scale=1.3, variance=1.7, noise_variance=0.03,
        normalize_y=normalize_y,
    ).fit(X, y)  # fmt: skip
    close = {"rtol": 1e-10, "atol": 1e-11}
    np.testing.assert_allclose(ours.y_train_, theirs.y_train_, **close)
    np.testing.assert_allclose(ours.alpha_, theirs.alpha_, **close)
    np.testing.assert_allclose(ours.L_, theirs.L_, **close)
    for flags in ({}, {"return_std": True}, {"return_cov": True}):
        results = zip(
            np.atleast_1d(ours.predict(T, **flags)) if not flags else ours.predict(T, **flags),
            np.atleast_1d(theirs.predict(T, **flags)) if not flags else theirs.predict(T, **flags),
            strict=True,
        )
        for a, b in results:
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, **close)
    draws = ours.sample_y(T, 4, np.random.RandomState(3))
    expected = theirs.sample_y(T, 4, np.random.RandomState(3))
    np.testing.assert_allclose(draws, expected, rtol=1e-7, atol=1e-8)


def test_noise_of_each_point_against_scikit_learn():
    X, y = data()
    noise = np.linspace(0.001, 0.5, len(X))
    theirs, _ = same_in_sklearn("se", 1.3, noise_variance=None, alpha=noise, optimizer=None)
    theirs.fit(X, y)
    gp = fixed(length_scale=1.3, noise_variance=noise, noise_variance_bounds="fixed").fit(X, y)
    T = data(n=7, seed=2)[0]
    for a, b in zip(gp.predict(T, True), theirs.predict(T, True), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    with pytest.raises(ValueError, match="include_noise must be False"):
        gp.predict(T, return_std=True, include_noise=True)


def test_noise_is_included_when_asked_for():
    X, y = data(targets=(2,))
    gp = fixed(noise_variance=0.3, normalize_y=True).fit(X, y)
    T = data(n=7, seed=2)[0]
    latent, noisy = (gp.predict(T, return_std=True, include_noise=n)[1] for n in (False, True))
    np.testing.assert_allclose(noisy**2 - latent**2, np.tile(0.3 * gp.y_std_**2, (7, 1)))
    latent, noisy = (gp.predict(T, return_cov=True, include_noise=n)[1] for n in (False, True))
    expected = 0.3 * np.eye(7)[..., None] * gp.y_std_**2
    np.testing.assert_allclose(noisy - latent, expected, atol=1e-14)


def test_many_test_points_come_in_batches():
    X, y = data()
    gp = fixed().fit(X, y)
    T = data(n=2100, seed=2)[0]
    mean, std = gp.predict(T, return_std=True)
    parts = [gp.predict(part, return_std=True) for part in np.array_split(T, 7)]
    np.testing.assert_allclose(mean, np.concatenate([m for m, _ in parts]), rtol=1e-10)
    np.testing.assert_allclose(std, np.concatenate([s for _, s in parts]), rtol=1e-10)


def test_variances_are_not_negative():
    X = np.linspace(0, 1, 60)[:, None]
    gp = fixed(noise_variance=1e-14, jitter=1e-13).fit(X, np.sin(X[:, 0]))
    _, std = gp.predict(X, return_std=True)
    _, covariance = gp.predict(X, return_cov=True)
    assert (std >= 0).all()
    assert (covariance.diagonal() >= 0).all()
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.isfinite(gp.sample_y(X)).all()


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e300, 1e-300])
def test_a_constant_target_has_no_scale(constant):
    X, y = data()
    gp = fixed(normalize_y=True).fit(X, np.full(len(X), constant))
    theirs = Sklearn(normalize_y=True, optimizer=None).fit(X, gp.y_train_ + constant)
    assert gp.y_std_ == theirs._y_train_std == 1
    np.testing.assert_array_equal(gp.predict(X), np.full(len(X), constant))
    several = fixed(normalize_y=True).fit(X, np.stack([y, np.full(len(X), constant)], axis=1))
    np.testing.assert_allclose(several.y_std_, [y.std(), 1], rtol=1e-14)
    np.testing.assert_array_equal(several.predict(X)[:, 1], np.full(len(X), constant))


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
@pytest.mark.parametrize("exponent", [-1000, -140, 120, 1000, 1022])
def test_normalised_targets_of_any_scale(exponent, solver):
    # a power of two: all but the last bits are as at scale 1
    X, y = data(targets=(2,))
    y, T = np.stack([y[:, 0], y[:, 1] + 5], axis=1) / 8, data(n=7, seed=2)[0]
    plain = fixed(normalize_y=True, solver=solver).fit(X, y)
    gp = fixed(normalize_y=True, solver=solver).fit(X, np.ldexp(y, exponent))
    np.testing.assert_array_equal(gp.y_train_, plain.y_train_)
    np.testing.assert_array_equal(gp.alpha_, plain.alpha_)
    for name in ("y_mean_", "y_std_"):
        np.testing.assert_array_equal(np.ldexp(getattr(gp, name), -exponent), getattr(plain, name))
    for a, b in zip(gp.predict(T, True), plain.predict(T, True), strict=True):
        np.testing.assert_array_equal(np.ldexp(a, -exponent), b)
    for a, b in zip(gp.predict_gradient(T), plain.predict_gradient(T), strict=True):
        np.testing.assert_array_equal(np.ldexp(a, -exponent), b)
    np.testing.assert_array_equal(np.ldexp(gp.sample_y(T, 3), -exponent), plain.sample_y(T, 3))
    assert gp.score(X, np.ldexp(y, exponent)) == plain.score(X, y)


def test_normalised_targets_of_single_precision():
    X, y = data()
    for scale in (1e-38, 1e38):
        y32 = (scale * y).astype(np.float32)
        gp = fixed(normalize_y=True).fit(X, y32)
        assert gp.y_std_ == pytest.approx(y32.astype(np.float64).std(), rel=1e-14)
        np.testing.assert_allclose(gp.predict(X), y32, atol=0.3 * scale)


def test_a_covariance_too_large_to_hold_has_no_nan():
    X = np.array([[0.0], [1e6]])
    gp = fixed(normalize_y=True).fit(X, [1e300, 3e300])
    with np.errstate(over="ignore"):
        _, covariance = gp.predict([[0.5], [5e5]], return_cov=True)
    np.testing.assert_array_equal(covariance, [[np.inf, 0], [0, np.inf]])


def test_no_test_points():
    for targets in ((), (2,)):
        X, y = data(targets=targets)
        gp = fixed().fit(X, y)
        empty = np.empty((0, 3))
        assert gp.predict(empty).shape == (0, *targets)
        mean, std = gp.predict(empty, return_std=True)
        assert mean.shape == std.shape == (0, *targets)
        assert gp.predict(empty, return_cov=True)[1].shape == (0, 0, *targets)
        assert gp.predict_gradient(empty)[1].shape == (0, 3, *targets)
        assert gp.sample_y(empty, 2).shape == (0, *targets, 2)


def test_samples_have_the_posterior_moments():
    X, y = data(targets=(2,))
    T = data(n=4, seed=2)[0]
    gp = fixed().fit(X, y)
    mean, covariance = gp.predict(T, return_cov=True)
    draws = gp.sample_y(T, 100_000, random_state=1)
    assert draws.shape == (4, 2, 100_000)
    std = np.sqrt(np.einsum("iit->it", covariance))
    np.testing.assert_array_less(np.abs(draws.mean(axis=-1) - mean), 5 * std / 300)
    found = np.cov(draws[:, 1])
    np.testing.assert_allclose(found, covariance[..., 1], atol=5 * std.max() ** 2 * 2 / 300)
    np.testing.assert_array_equal(draws, gp.sample_y(T, 100_000, random_state=1))
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(draws, gp.sample_y(T, 100_000, random_state=generator))


def test_samples_of_many_targets_factor_once():
    class Counted(np.random.RandomState):
        calls = 0

        def multivariate_normal(self, *args, **keywords):
            self.calls += 1
            return super().multivariate_normal(*args, **keywords)

    X, y = data(targets=(5,))
    T = data(n=6, seed=2)[0]
    gp, rng = fixed(normalize_y=True).fit(X, y), Counted(4)
    draws = gp.sample_y(T, 3, rng)
    assert rng.calls == 1
    # target after target, from one stream
    mean, covariance = gp.predict(T, return_cov=True)
    rng = np.random.RandomState(4)
    for k in range(5):
        expected = rng.multivariate_normal(mean[:, k], covariance[..., k], 3).T
        np.testing.assert_allclose(draws[:, k], expected, rtol=1e-7, atol=1e-8)


def test_arrays_of_one_number_are_for_all():
    X, y = data()
    T = data(n=7, seed=2)[0]
    expected = fixed(length_scale=2.0, noise_variance=0.1).fit(X, y).predict(T, True)
    for ard in (True, False):
        gp = fixed(length_scale=[2.0], noise_variance=[0.1], ard=ard).fit(X, y)
        np.testing.assert_array_equal(gp.predict(T, True), expected)
    theirs = Sklearn(RBF([2.0]), alpha=np.array([0.1]), optimizer=None).fit(X, y)
    np.testing.assert_allclose(theirs.predict(T), expected[0], rtol=1e-9)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
@pytest.mark.parametrize("targets", [(), (2,)])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_prediction(kind, targets, solver):
    X, y = data(targets=targets)
    gp = fixed(kind=kind, length_scale=[1.0, 2.0, 3.0], normalize_y=True, solver=solver)
    gp.fit(X, y)
    T = data(n=5, seed=2)[0]
    found = gp.predict_gradient(T)
    for k, flags in enumerate(({}, {"return_std": True})):
        # a point's prediction moves with that point alone
        def predict(t, flags=flags):
            result = gp.predict(t, **flags)
            return result[1] if flags else result

        expected = np.stack([differences(lambda t: predict(t[None])[0], row, 1e-3) for row in T])
        assert found[k].shape == expected.shape == (*T.shape, *targets)
        np.testing.assert_allclose(found[k], expected, rtol=1e-6, atol=1e-6)


def test_gradients_where_the_deviation_is_0():
    X = np.array([[0.0], [1.0], [3.0]])
    gp = fixed(noise_variance=0.0, length_scale=0.01).fit(X, [1.0, 2.0, 0.0])
    mean, std = gp.predict_gradient([[0.0], [0.003]])
    assert np.isfinite(mean).all()
    np.testing.assert_array_equal(np.isnan(std), [[True], [False]])


# --- jitter ---------------------------------------------------------------------------------


def repeated(n=20):
    X = np.repeat(np.linspace(0, 1, n), 2)[:, None]
    return X, np.sin(X[:, 0])


def test_singular_covariance():
    X, y = repeated()
    with pytest.raises(np.linalg.LinAlgError, match=r"raise noise_variance or jitter \(now 0\)"):
        fixed(noise_variance=0.0).fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match=r"length_scale=.*variance=1.0"):
        started(noise_variance=0.0, noise_variance_bounds="fixed", jitter=0.0).fit(X, y)


def test_jitter_is_added_and_reported():
    X, y = repeated()
    gp = fixed(noise_variance=0.0, jitter=1e-6).fit(X, y)
    assert gp.jitter_ == 1e-6
    as_noise = fixed(noise_variance=1e-6).fit(X, y)
    assert as_noise.jitter_ == 0
    np.testing.assert_array_equal(gp.L_, as_noise.L_)


@pytest.mark.parametrize("optimizer", [None, "fmin_l_bfgs_b"])
@pytest.mark.filterwarnings("ignore:the optimizer failed")
def test_automatic_jitter(optimizer):
    X, y = repeated()
    keywords = {"noise_variance": 0.0, "noise_variance_bounds": "fixed"}
    gp = started(jitter="auto", optimizer=optimizer, **keywords)
    with pytest.warns(
        RuntimeWarning, match=r"not positive definite.*added .* to its diagonal"
    ) as record:
        gp.fit(X, y)
    assert record[0].filename == __file__
    assert 1e-16 < gp.jitter_ < 1e-12
    assert gp.predict(X) == pytest.approx(y, abs=1e-4)
    with pytest.raises(np.linalg.LinAlgError):
        fixed(jitter=gp.jitter_ / 10, **keywords).fit(X, y)
    assert fixed(jitter=gp.jitter_, **keywords).fit(X, y).jitter_ == gp.jitter_


def test_advice_where_automatic_jitter_is_not_enough():
    X, y = data(n=10)
    nothing = fixed(variance=0.0, noise_variance=0.0, jitter="auto")
    advice = 'raise noise_variance, or pass as jitter a number above the 0 that "auto" found'
    with pytest.raises(np.linalg.LinAlgError, match=advice):
        nothing.fit(X, y)
    assert nothing.set_params(jitter=1e-6).fit(X, y).jitter_ == 1e-6

    def far(obj_func, initial_theta, bounds):
        return bounds[:, 1], 0.0

    keywords = {"noise_variance": 0.0, "noise_variance_bounds": "fixed", "jitter": "auto"}
    gp = started(optimizer=far, variance_bounds="fixed", **keywords)
    with pytest.raises(np.linalg.LinAlgError, match=advice):
        gp.fit(X, y)
    assert gp.set_params(jitter=1e-6).fit(X, y).length_scale_[0] == pytest.approx(1e5)


def test_automatic_jitter_adds_nothing_where_nothing_is_needed():
    X, y = data()
    assert started(jitter="auto").fit(X, y).jitter_ == 0


# --- conjugate gradients --------------------------------------------------------------------


@pytest.mark.parametrize("targets", [(), (2,)])
@pytest.mark.parametrize("kind", KINDS)
def test_cg_against_cholesky(kind, targets):
    X, y = data(n=300, targets=targets)
    noise = np.linspace(0.01, 0.05, len(X))
    keywords = {"kind": kind, "noise_variance": noise, "noise_variance_bounds": "fixed",
                "length_scale": [1.0, 2.0, 3.0], "jitter": 1e-3, "normalize_y": True}  # fmt: skip
    cg = fixed(solver="cg", **keywords).fit(X, y)
    direct = fixed(**keywords).fit(X, y)
    assert cg.jitter_ == 1e-3
    assert cg.cg_residual_ < 1e-9
    assert 0 < cg.cg_iterations_ < 60
    assert cg.alpha_.shape == y.shape
    np.testing.assert_allclose(cg.alpha_, direct.alpha_, atol=1e-7)
    T = data(n=70, seed=2)[0]
    for flags in ({"return_std": True}, {"return_cov": True}):
        for a, b in zip(cg.predict(T, **flags), direct.predict(T, **flags), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)
    for a, b in zip(cg.predict_gradient(T), direct.predict_gradient(T), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert not hasattr(cg, "L_")


def test_the_preconditioner_saves_steps(monkeypatch):
    X, y = data(n=400, d=1)
    keywords = {"solver": "cg", "noise_variance": 1e-4, "length_scale": 0.1}
    gp = fixed(**keywords).fit(X, y)
    assert gp.cg_iterations_ < 10
    monkeypatch.setattr(ConjugateGradients, "rank", 0)
    plain = fixed(**keywords).fit(X, y)
    assert plain.cg_iterations_ > 50
    np.testing.assert_allclose(plain.predict(X), gp.predict(X), atol=1e-7)


def test_cg_holds_no_matrix():
    X, y = data(n=4000, d=2)
    gp = fixed(solver="cg", noise_variance=0.1, length_scale=2.0)
    gp.fit(X[:100], y[:100])
    tracemalloc.start()
    try:
        gp.fit(X, y).predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * 8 * len(X) ** 2


def test_cg_that_does_not_converge(monkeypatch):
    X, y = data(n=200)
    monkeypatch.setattr(ConjugateGradients, "most", 2)
    monkeypatch.setattr(ConjugateGradients, "rank", 3)
    with pytest.warns(ConvergenceWarning, match="relative residual of .* in 2 steps") as record:
        gp = fixed(solver="cg", noise_variance=1e-4).fit(X, y)
    assert record[0].filename == __file__
    k = hl.ard_kernel(X, length_scale=1.0, noise_variance=1e-4)
    residual = np.linalg.norm(y - k @ gp.alpha_) / np.linalg.norm(y)
    assert gp.cg_residual_ == pytest.approx(residual, rel=1e-9)
    assert gp.cg_residual_ > 1e-6
    assert gp.cg_iterations_ == 2


def nearly_singular(noise_variance):
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(300, 1))
    y = np.sin(3 * X[:, 0]) + 0.01 * rng.normal(size=300)
    k = hl.ard_kernel(X, length_scale=0.5, noise_variance=noise_variance)
    return X, y, k, fixed(solver="cg", length_scale=0.5, noise_variance=noise_variance)


def test_cg_keeps_the_best_where_it_diverges():
    X, y, k, gp = nearly_singular(1e-15)
    with pytest.warns(ConvergenceWarning, match="raise noise_variance or jitter, or use solver="):
        gp.fit(X, y)
    residual = np.linalg.norm(y - k @ gp.alpha_) / np.linalg.norm(y)
    assert gp.cg_residual_ == pytest.approx(residual, rel=1e-9)
    assert gp.cg_residual_ <= 1
    assert gp.cg_iterations_ < 1000


def test_cg_reports_the_residual_of_what_it_returns():
    # the recursion's own residual gets below the tolerance, which rounding keeps the true one from
    X, y, k, gp = nearly_singular(1e-12)
    with pytest.warns(ConvergenceWarning, match="reached a relative residual of .*e-05 in"):
        gp.fit(X, y)
    residual = np.linalg.norm(y - k @ gp.alpha_) / np.linalg.norm(y)
    # the sums of the product round differently from those of k @ alpha
    rounding = 1e-16 * np.linalg.norm(np.abs(k) @ np.abs(gp.alpha_)) / np.linalg.norm(y)
    assert 1e-6 < residual < 1e-4
    assert gp.cg_residual_ == pytest.approx(residual, abs=rounding)


def test_cg_takes_each_target_by_itself(monkeypatch):
    # without the preconditioner an eigenvector takes one step; the second target never gets there
    monkeypatch.setattr(ConjugateGradients, "rank", 0)
    X, y, k, gp = nearly_singular(1e-15)
    easy = np.linalg.eigh(k)[1][:, -1]
    with pytest.warns(ConvergenceWarning):
        gp.fit(X, np.stack([easy, y, 0 * y], axis=1))
    residuals = np.linalg.norm(np.stack([easy, y], axis=1) - k @ gp.alpha_[:, :2], axis=0)
    residuals /= np.linalg.norm(easy), np.linalg.norm(y)
    assert residuals[0] < 1e-10 < gp.cg_residual_
    assert gp.cg_residual_ == pytest.approx(residuals[1], rel=1e-9)
    np.testing.assert_array_equal(gp.alpha_[:, 2], np.zeros(len(X)))


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_cg_of_targets_of_any_scale(exponent):
    X, y = data()
    plain, scaled = (fixed(solver="cg").fit(X, np.ldexp(y, e)) for e in (0, exponent))
    np.testing.assert_array_equal(np.ldexp(scaled.alpha_, -exponent), plain.alpha_)
    assert scaled.cg_residual_ == plain.cg_residual_ > 0


def test_cg_of_nothing():
    X, _ = data()
    gp = fixed(solver="cg").fit(X, np.zeros(len(X)))
    assert gp.cg_residual_ == gp.cg_iterations_ == 0
    np.testing.assert_array_equal(gp.predict(X), np.zeros(len(X)))


def test_cg_gives_no_likelihood():
    X, y = data()
    gp = fixed().fit(X, y).set_params(solver="cg").fit(X, y)
    with pytest.raises(ValueError, match='log_marginal_likelihood needs a fit with solver="chol'):
        gp.log_marginal_likelihood()
    assert not hasattr(gp, "log_marginal_likelihood_value_")


# --- as an estimator ------------------------------------------------------------------------


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
