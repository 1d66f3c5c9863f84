"""What the parameters of a regressor say: hyperparameters with their bounds, and jitter."""

from typing import TYPE_CHECKING

import numpy as np

from .. import _arrays
from .._typing import Array
from ..ard import ard_kernel
from ._checks import interval
from ._parameters import Bounds, Parameters, Values
from ._start import EVERYTHING, FROM_DATA, Start

if TYPE_CHECKING:
    from .regressor import GaussianProcessRegressor


def hyperparameters(
    regressor: "GaussianProcessRegressor",
    X: Array,
    start: Start,
    rng: np.random.Generator | np.random.RandomState,
) -> Parameters:
    """The hyperparameters where the fit starts, and the bounds of those that it may move."""
    d, optimise = X.shape[1], regressor.optimizer is not None
    values = _values(regressor, X, start)
    n_factors = _arrays.integer("n_factors", regressor.n_factors, maximum=d)
    if n_factors and not optimise:
        raise ValueError(
            f"n_factors must be 0 with optimizer=None, got {n_factors}: factors have no value "
            f"to keep"
        )
    bounds = {name: _bounds(regressor, name, value, start) for name, value in values.items()}
    if np.ndim(values["noise_variance"]) and bounds["noise_variance"] is not None:
        raise ValueError('noise_variance_bounds must be "fixed" where noise_variance is an array')
    if regressor.kind != "rq":
        del values["rq_alpha"]
    free: Bounds = {}
    for name, value in values.items():
        pair = bounds[name]
        if pair is None:
            continue
        low, high = pair
        if optimise and getattr(regressor, name) is None:
            values[name] = value = np.clip(value, low, high)
        if optimise and not ((low <= value) & (value <= high)).all():
            raise ValueError(
                f"{name}_bounds must contain the start, {name}={value}, got "
                f'({np.min(low):g}, {np.max(high):g}); "fixed" keeps it as it is'
            )
        if (np.isfinite(value) & (value > 0)).all():  # else it has no logarithm
            free[name] = pair
    values = {name: value if value.ndim else float(value) for name, value in values.items()}
    return Parameters(values, free).with_factors(d, n_factors, rng)


def _values(regressor: "GaussianProcessRegressor", X: Array, start: Start) -> Values:
    """Arrays of the hyperparameters by name, after their checks."""
    n, d = X.shape
    values: Values = {
        name: start.value(name)
        if getattr(regressor, name) is None and name in FROM_DATA
        else getattr(regressor, name)
        for name in ("length_scale", "rq_alpha", "variance", "noise_variance")
    }
    noise = _arrays.real("noise_variance", values.pop("noise_variance"))
    if noise.shape == (1,):
        noise = noise[0]
    if noise.shape not in ((), (n,)):
        raise ValueError(
            f"noise_variance must be a number or have shape ({n},), one for each point, "
            f"got shape {noise.shape}"
        )
    if not (np.isfinite(noise) & (noise >= 0)).all():
        raise ValueError(f"noise_variance must be finite and >= 0, got {noise}")
    ard_kernel(X[:0], kind=regressor.kind, **values)  # checks them
    values = {name: np.asarray(value, np.float64) for name, value in values.items()}
    if regressor.ard:
        values["length_scale"] = np.broadcast_to(values["length_scale"], d).copy()
    return values | {"noise_variance": noise.astype(np.float64)}


def _bounds(
    regressor: "GaussianProcessRegressor", name: str, value: Array, start: Start
) -> tuple[Array, Array] | tuple[float, float] | None:
    """The bounds of a hyperparameter, which None takes from the data; None for "fixed"."""
    bounds = getattr(regressor, f"{name}_bounds")
    if bounds is not None or name not in FROM_DATA:
        return interval(name, bounds)
    return start.bounds(name, value) if regressor.optimizer is not None else EVERYTHING


def jitter_of(regressor: "GaussianProcessRegressor", noise: Array | float) -> float:
    """The jitter to start from, after the checks of everything but the hyperparameters."""
    _arrays.choice("solver", regressor.solver, ("cholesky", "cg"))
    _arrays.integer("n_restarts_optimizer", regressor.n_restarts_optimizer)
    if not (regressor.optimizer in (None, "fmin_l_bfgs_b") or callable(regressor.optimizer)):
        raise ValueError(
            f'optimizer must be "fmin_l_bfgs_b", a callable or None, got {regressor.optimizer!r}'
        )
    given = regressor.jitter
    automatic = isinstance(given, str)
    if automatic and given != "auto":
        raise ValueError(f'jitter must be a number, "auto" or None, got {given!r}')
    jitter = _arrays.scalar("jitter", 0.0 if automatic or given is None else given, minimum=0)
    if regressor.solver == "cg":
        if regressor.optimizer is not None:
            raise ValueError(
                'optimizer must be None with solver="cg", which gives no likelihood to '
                f"maximise, got {regressor.optimizer!r}"
            )
        if automatic:
            raise ValueError('jitter must be a number or None with solver="cg", got "auto"')
        if not np.min(noise) + jitter > 0:
            raise ValueError(
                'noise_variance (or jitter) must be positive with solver="cg": without noise '
                "conjugate gradients do not converge"
            )
    return jitter
