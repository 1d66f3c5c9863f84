"""The likelihood: against GPML, scikit-learn, dense formulas and differences; and jitter."""

import numpy as np
import pytest
import scipy.stats
from gp_oracles import (
    KINDS,
    data,
    differences,
    fixed,
    metric,
    repeated,
    same_in_sklearn,
    started,
    stay,
)
from scipy.spatial.distance import cdist

import hotloops as hl


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
        gp = started(kind=kind, n_factors=2, random_state=0, optimizer=stay)
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


def test_theta_is_named_in_order():
    X, y = data(d=2)
    gp = started(
        kind="rq", n_factors=1, optimizer=stay, variance_bounds="fixed", random_state=3
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


# --- jitter ---------------------------------------------------------------------------------


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
