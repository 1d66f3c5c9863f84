"""Predictions, samples and gradients: against scikit-learn and differences."""

import numpy as np
import pytest
from gp_oracles import KINDS, data, differences, fixed, same_in_sklearn
from sklearn.gaussian_process import GaussianProcessRegressor as Sklearn
from sklearn.gaussian_process.kernels import (
    RBF,
)


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
