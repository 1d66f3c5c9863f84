"""Conjugate gradients, against the Cholesky factor and dense residuals."""

import tracemalloc

import numpy as np
import pytest
from gp_oracles import KINDS, data, fixed
from sklearn.exceptions import ConvergenceWarning

import hotloops as hl
from hotloops.gp._solvers import ConjugateGradients


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
