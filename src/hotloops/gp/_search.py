"""From where, and in which units, the likelihood of a Gaussian process is maximised."""

from typing import TYPE_CHECKING

import numpy as np

from ._likelihood import Likelihood
from ._maximise import maximise, most_promising
from ._parameters import Parameters
from ._start import FROM_DATA, Start, rounded, starts

if TYPE_CHECKING:
    from .regressor import GaussianProcessRegressor


def most_likely(
    regressor: "GaussianProcessRegressor",
    likelihood: Likelihood,
    start: Start,
    rng: np.random.Generator | np.random.RandomState,
) -> Parameters:
    """The most likely hyperparameters. The search begins where the user says; for those of which
    the user gives no value, at the best point of a grid.

    The search runs in units of the data. Where all comes from the data these are rounded there:
    the steps are the same then, whatever the user's units are. Where numbers are given, the
    units are powers of two, which change no digit.
    """
    optimizer, restarts = regressor.optimizer, range(regressor.n_restarts_optimizer)
    assert optimizer is not None
    given = any(
        getattr(regressor, of) is not None for name in FROM_DATA for of in (name, f"{name}_bounds")
    )
    units = start.units(exact=given)
    standard = likelihood.scaled(units)
    if not given:
        standard.X, standard.y = rounded(standard.X), rounded(standard.y)
    names = [
        name
        for name in FROM_DATA
        if getattr(regressor, name) is None and name in standard.parameters.bounds
    ]
    begin = starts(standard, names) if names else [standard.parameters.values]

    parameters = likelihood.parameters
    if callable(optimizer):  # it sees theta as it will be
        if names:
            parameters = parameters.with_values(parameters.unscaled(begin[0], units))
            likelihood.parameters = parameters
        thetas = [parameters.theta, *(parameters.draw(rng) for _ in restarts)]
        return parameters.with_values(parameters.at(maximise(likelihood, optimizer, thetas)))
    thetas = [standard.parameters.theta_of(values) for values in begin]
    if len(thetas) > 1:
        thetas = [most_promising(standard, thetas)]
    thetas += [standard.parameters.draw(rng) for _ in restarts]
    theta = maximise(standard, optimizer, thetas)
    return parameters.with_values(parameters.unscaled(standard.parameters.at(theta), units))
