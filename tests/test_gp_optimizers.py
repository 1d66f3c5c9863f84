"""The search for the most likely hyperparameters: restarts, callables, failures."""

import numpy as np
import pytest
import scipy.optimize
from gp_oracles import data, fixed, started, stay
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import hotloops as hl
from hotloops.gp import GaussianProcessRegressor


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
        return stay(obj_func, initial_theta, bounds)

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
        return stay(obj_func, initial_theta, bounds)

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
        return stay(obj_func, initial_theta, bounds)

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
