"""Hyperparameters at their bounds, and what a fit says of them."""

import numpy as np
import pytest
from gp_oracles import data, fixed, started, stay
from sklearn.exceptions import ConvergenceWarning

from hotloops._logarithms import exp_within
from hotloops.gp import GaussianProcessRegressor


def test_bounds_hold():
    X, y = data()
    gp = started(length_scale_bounds=(0.9, 1.1), noise_variance_bounds=(1e-2, 2e-2))
    with pytest.warns(ConvergenceWarning, match=r"length_scale\[1\].* at the lower bound: "):
        gp.fit(X, y)
    assert ((gp.length_scale_ >= 0.9) & (gp.length_scale_ <= 1.1)).all()
    assert 1e-2 <= gp.noise_variance_ <= 2e-2


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
        length_scale=gp.length_scale_, variance=gp.variance_, normalize_y="mean", optimizer=stay,
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


def test_a_covariance_that_is_diagonal():
    X = np.linspace(0, 2e6, 30)[:, None]
    y = np.sin(X[:, 0] / 3e5) + 0.01 * np.random.default_rng(0).normal(size=30)
    with pytest.warns(ConvergenceWarning, match=r"is 0 between all points at the start.*Non"):
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
