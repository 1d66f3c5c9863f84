"""The advice in the warnings of a fit: who follows it is not warned again."""

import warnings

import numpy as np
import pytest
import scipy.optimize
from gp_oracles import START
from sklearn.exceptions import ConvergenceWarning

import hotloops as hl
from hotloops.gp import GaussianProcessRegressor
from hotloops.gp._bounds import ADVICE
from hotloops.gp._solvers import ConjugateGradients

RNG = np.random.default_rng(0)
LINE = np.linspace(0, 6, 30)[:, None]
NOISE = RNG.normal(size=30)
WAVE = np.sin(LINE[:, 0]) + 0.1 * NOISE
OTHER = RNG.normal(size=(30, 1))  # an input that has nothing to do with WAVE
UNIT = np.linspace(0, 1, 40)[:, None]


def drawn():
    """A function of many length scales, with next to no noise."""
    X = np.linspace(0, 12, 80)[:, None]
    k = hl.ard_kernel(X, kind="rq", rq_alpha=1.0, length_scale=0.5, noise_variance=1e-4)
    return X, np.linalg.cholesky(k) @ np.random.default_rng(0).normal(size=80)


# by the bound: what ends there, and what follows each part of the advice
AT_BOUNDS = {
    ("length_scale", "lower"): (
        {"X": LINE, "y": NOISE, "length_scale": 0.2, "length_scale_bounds": (0.115, 10.0),
         "noise_variance": 1e-3, "variance": 1.0},
        {"raise the lower bound of length_scale_bounds": {"length_scale_bounds": (0.15, 10.0)},
         "give noise_variance a larger start": {"noise_variance": 1.0}},
    ),
    ("variance", "lower"): (
        {"X": OTHER, "y": WAVE, "variance": 0.1, "variance_bounds": (1e-2, 10.0),
         "length_scale": 1.0, "length_scale_bounds": "fixed", "noise_variance": 0.1},
        {"look for other inputs": {"X": LINE},
         "lower the bound in variance_bounds": {"variance_bounds": (1e-12, 10.0)}},
    ),
    ("variance", "upper"): (
        {"X": LINE, "y": 5 + WAVE, "variance": 1.0, "variance_bounds": (1e-3, 4.0),
         "length_scale": 1.0, "noise_variance": 1e-2},
        {"take it out of y": {"y": WAVE}, "normalize_y=True": {"normalize_y": True},
         "raise the bound in variance_bounds": {"variance_bounds": (1e-3, 1e4)}},
    ),
    ("noise_variance", "lower"): (
        {"X": LINE, "y": WAVE, "noise_variance": 0.1, "noise_variance_bounds": (1e-2, 1.0)},
        {"lower the bound in noise_variance_bounds": {"noise_variance_bounds": (1e-5, 1.0)},
         'pass noise_variance=... and noise_variance_bounds="fixed"':
         {"noise_variance": 5e-3, "noise_variance_bounds": "fixed"}},
    ),
    ("noise_variance", "upper"): (
        {"X": LINE, "y": WAVE + NOISE, "noise_variance": 1e-2, "noise_variance_bounds": (1e-3, 0.1),
         "length_scale": 1.0, "length_scale_bounds": "fixed"},
        {"raise the bound in noise_variance_bounds": {"noise_variance_bounds": (1e-3, 10.0)}},
    ),
    ("rq_alpha", "lower"): (
        {"drawn": True, "kind": "rq", "rq_alpha": 6.0, "rq_alpha_bounds": (5.0, 1e5)},
        {"lower the bound in rq_alpha_bounds": {"rq_alpha_bounds": (1e-5, 1e5)}},
    ),
    ("rq_alpha", "upper"): (
        {"drawn": True, "kind": "rq", "rq_alpha": 0.3, "rq_alpha_bounds": (1e-5, 0.5)},
        {'kind="se" is what this tends to: use it': {"kind": "se"},
         "raise the bound in rq_alpha_bounds": {"rq_alpha_bounds": (1e-5, 1e5)}},
    ),
}  # fmt: skip
REMEDIES = [(*bound, part) for bound, (_, remedies) in AT_BOUNDS.items() for part in remedies]


def at_bound(**keywords):
    if keywords.pop("drawn", False):
        X, y = drawn()
        keywords = {"X": X, "y": y, **keywords}
    X, y = keywords.pop("X"), keywords.pop("y")
    return GaussianProcessRegressor(**keywords).fit(X, y)


def test_each_bound_has_its_advice():
    assert AT_BOUNDS.keys() == ADVICE.keys()


@pytest.mark.parametrize(("name", "side", "part"), REMEDIES)
def test_advice_at_a_bound(name, side, part):
    keywords, remedies = AT_BOUNDS[name, side]
    with pytest.warns(ConvergenceWarning, match="the likelihood is highest with") as record:
        at_bound(**keywords)
    message = str(record[0].message)
    assert name in message.partition(f" at the {side} bound: ")[0]
    assert part in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gp = at_bound(**{**keywords, **remedies[part]})
    assert not [entry for entry in gp.at_bounds_ if entry.startswith(name)]


def failing(**keywords):
    """Points so near that without noise the matrix is singular, but to rounding."""
    keywords = {**START, "noise_variance": 0.0, "noise_variance_bounds": "fixed", **keywords}
    return GaussianProcessRegressor(**keywords)


@pytest.mark.parametrize("remedy", [{"noise_variance": 1e-6}, {"jitter": 1e-6}])
def test_advice_where_a_start_is_singular(remedy):
    y = np.sin(3 * UNIT[:, 0]) + 0.01 * np.random.default_rng(0).normal(size=40)
    keywords = {"length_scale": 5.0, "length_scale_bounds": (1e-3, 10.0),
                "n_restarts_optimizer": 4, "random_state": 0}  # fmt: skip
    message = "not positive definite at the start: raise noise_variance or jitter"
    with pytest.warns(ConvergenceWarning, match=message):
        failing(**keywords).fit(UNIT, y)
    failing(**keywords, **remedy).fit(UNIT, y)


def near_points(**keywords):
    """The messages of fits to points so near that rounding decides where some of the searches end;
    which of them, the last bits do."""
    found = []
    for count in (12, 15, 17, 20, 22):
        X = np.linspace(0, 1, count)[:, None]
        for start in (0.03, 0.05, 0.07):
            with warnings.catch_warnings(record=True) as record:
                warnings.simplefilter("always")
                failing(length_scale=start, **keywords).fit(X, np.sin(3 * X[:, 0]))
            found.append([str(warning.message) for warning in record])
    return found


@pytest.mark.parametrize("remedy", [{"noise_variance": 1e-6}, {"jitter": 1e-6}])
def test_advice_where_rounding_decides(remedy):
    warned = list(filter(None, near_points()))
    assert warned
    for [message] in warned:
        assert "rounding decides: raise noise_variance, its lower bound or jitter" in message
    assert not any(near_points(**remedy))


def test_advice_on_the_noise_where_rounding_decides():
    several = near_points(noise_variance=1e-18, noise_variance_bounds=(1e-18, 1.0))
    both = [messages for messages in several if len(messages) == 2]
    assert both
    for rounding, bound in both:
        assert "raise noise_variance, its lower bound or jitter" in rounding
        assert "noise_variance at the lower bound" in bound
    for messages in near_points(noise_variance=1e-6, noise_variance_bounds=(1e-6, 1.0)):
        [bound] = messages
        assert "noise_variance at the lower bound: y has next to no noise" in bound


def test_advice_where_the_search_stopped_early(monkeypatch):
    X, y = LINE, WAVE
    minimize = scipy.optimize.minimize

    def three_steps(*args, **keywords):
        return minimize(*args, **{**keywords, "options": {"maxiter": 3}})

    def longer(obj_func, initial_theta, bounds):
        result = minimize(obj_func, initial_theta, jac=True, bounds=bounds, method="L-BFGS-B",
                          options={"maxiter": 1000})  # fmt: skip
        return result.x, result.fun

    monkeypatch.setattr(scipy.optimize, "minimize", three_steps)
    gp = GaussianProcessRegressor(**START)
    advice = "stopped early .*: fit again from the values found, or pass an optimizer with other"
    with pytest.warns(ConvergenceWarning, match=advice):
        gp.fit(X, y)
    other = GaussianProcessRegressor(**START, optimizer=longer).fit(X, y)
    for _ in range(20):
        gp.set_params(length_scale=gp.length_scale_, variance=gp.variance_,
                      noise_variance=gp.noise_variance_)  # fmt: skip
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            gp.fit(X, y)
        if not record:
            break
    assert not record
    assert gp.log_marginal_likelihood_value_ == pytest.approx(
        other.log_marginal_likelihood_value_, abs=1e-3
    )


@pytest.mark.parametrize("remedy", [{"noise_variance": 1e-3}, {"jitter": 1e-3},
                                    {"solver": "cholesky"}])  # fmt: skip
def test_advice_where_conjugate_gradients_give_up(monkeypatch, remedy):
    monkeypatch.setattr(ConjugateGradients, "rank", 2)
    monkeypatch.setattr(ConjugateGradients, "most", 40)
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(300, 1))
    y = np.sin(3 * X[:, 0]) + 0.01 * rng.normal(size=300)
    keywords = {"optimizer": None, "solver": "cg", "length_scale": 0.5, "variance": 1.0}
    advice = 'raise noise_variance or jitter, or use solver="cholesky" if'
    with pytest.warns(ConvergenceWarning, match=advice):
        GaussianProcessRegressor(**keywords, noise_variance=1e-10).fit(X, y)
    GaussianProcessRegressor(**{**keywords, "noise_variance": 1e-10, **remedy}).fit(X, y)
