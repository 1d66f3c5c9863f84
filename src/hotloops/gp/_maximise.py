"""Where the likelihood of a Gaussian process is largest."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike

from .. import _arrays, _run
from .._typing import Array
from .._warnings import warn
from ._exceptions import exception
from ._likelihood import Likelihood
from ._parameters import Parameters

#: The optimizer's name, or a function that is called as scikit-learn calls it.
Optimizer: TypeAlias = Literal["fmin_l_bfgs_b"] | Callable[..., tuple[Any, float]]

_Found = TypeVar("_Found")

_FLAT = 0.1  # a slope by a logarithm that tells nothing more, where rounding ends the search
_FEW = 10  # steps that show which of several starts is the best

_SINGULAR = (
    "the covariance matrix is not positive definite at the start: raise noise_variance or jitter"
)
_DIAGONAL = (
    "the covariance is 0 between all points at the start, and so is its gradient by the length "
    "scale: start from a length_scale near the distances between points. None takes the most "
    "likely one, and if that is it, y is like noise: too few points, or none near another"
)


class _Stopped(Exception):
    """Another start's error, or Ctrl-C, is on its way to the caller."""


def maximise(likelihood: Likelihood, optimizer: Optimizer, starts: Sequence[Array]) -> Array:
    """The best theta that the optimizer finds from any of the starts."""
    found = _each(starts, lambda start: _optimise(likelihood, optimizer, start))
    messages = [message for _, _, message in found if message]
    if callable(optimizer) and not any(np.isfinite(value) for value, _, _ in found) and messages:
        raise ValueError(
            f"optimizer must return a finite theta of finite value, within the bounds, from at "
            f"least one of {len(starts)} start(s): {messages[0]}. The objective is inf where the "
            f"covariance matrix is not positive definite; more noise_variance or jitter makes it so"
        )
    values = [value for value, _, _ in found]
    if messages and np.isfinite(min(values)):  # else a LinAlgError follows
        warn(
            f"the optimizer failed from {len(messages)} of {len(starts)} start(s), and the "
            f"best point found is kept: {messages[0]}",
            exception("ConvergenceWarning"),
        )
    return found[int(np.argmin(values))][1]


def most_promising(likelihood: Likelihood, starts: Sequence[Array]) -> Array:
    """The best theta of a few steps from each of the starts."""

    def climb(start: Array) -> tuple[float, Array]:
        objective = _Objective(likelihood, start)
        objective.climb(start, maxiter=_FEW)
        return objective.best

    found = _each(starts, climb)
    return min(found, key=lambda best: best[0])[1]


def _each(starts: Sequence[Array], function: Callable[[Array], _Found]) -> list[_Found]:
    """What the function finds from each of the starts, which run side by side."""
    if len(starts) == 1:  # the threads are for the tiles of its matrices
        return [function(starts[0])]
    found: dict[int, _Found] = {}

    def run(k: int) -> None:
        with contextlib.suppress(_Stopped):
            found[k] = function(starts[k])

    _run.each(run, len(starts), blas=True)
    return [found[k] for k in range(len(starts))]


class _Objective:
    """The negative log marginal likelihood; the least value seen, and the first gradient."""

    def __init__(self, likelihood: Likelihood, start: Array) -> None:
        self.start = np.array(start)
        self.likelihood, self.scratch = likelihood, likelihood.scratch()
        self.best: tuple[float, Array] = np.inf, self.start
        self.first: tuple[float, Array] | None = None

    def evaluate(self, theta: ArrayLike, eval_gradient: bool = True) -> tuple[float, Array]:
        """The value at theta and its gradient, which is empty where it is not asked for."""
        if _run.stopped():
            raise _Stopped
        theta = np.array(theta, np.float64)
        value, gradient = self.likelihood(theta, eval_gradient, self.scratch)
        if -value < self.best[0]:
            self.best = -value, theta
        if eval_gradient and self.first is None and np.array_equal(theta, self.start):
            self.first = value, gradient
        return -value, -gradient

    def __call__(self, theta: ArrayLike, eval_gradient: bool = True) -> Any:
        """The value, and the gradient beside it if asked for, as scikit-learn gives them."""
        value, gradient = self.evaluate(theta, eval_gradient)
        return (value, gradient) if eval_gradient else value

    def climb(self, start: Array, **options: Any) -> Any:
        """L-BFGS-B from `start`, until a slope is below 1e-5.

        Its first step is the gradient itself, as it comes: the objective is divided by that, so
        that this step is no longer than a factor e. A point without a value is a high one to it,
        from which it turns back.
        """
        value, gradient = self.evaluate(start)
        unit = max(1.0, float(np.linalg.norm(gradient)))
        high = value + 10 * unit
        seen = {start.tobytes(): (value, gradient)}

        def objective(theta: Array) -> tuple[float, Array]:
            key = theta.tobytes()
            value, gradient = seen.pop(key) if key in seen else self.evaluate(theta)
            return min(value, high) / unit, gradient / unit

        result = scipy.optimize.minimize(
            objective, start, method="L-BFGS-B", jac=True,
            bounds=self.likelihood.parameters.limits, options={"gtol": 1e-5 / unit, **options},
        )  # fmt: skip
        result.jac = result.jac * unit
        return result

    def useless(self) -> str:
        """Why the first gradient leads nowhere, if it does not."""
        if self.first is None:
            return ""
        value, gradient = self.first
        if value == -np.inf:
            return _SINGULAR
        parameters, n = self.likelihood.parameters, len(self.likelihood.X)
        of_lengths = gradient[parameters.are("length_scale", "factors")]
        if n > 1 and of_lengths.size and not of_lengths.any():
            values = parameters.at(self.start)
            k = self.likelihood.covariance(values)(self.likelihood.X, out=self.scratch)
            if values["variance"] and np.count_nonzero(k) == n:
                return _DIAGONAL
        return ""


def _optimise(
    likelihood: Likelihood, optimizer: Optimizer, start: Array
) -> tuple[float, Array, str]:
    """The least value found from `start`, where it is, and why the optimizer failed."""
    objective, limits = _Objective(likelihood, start), likelihood.parameters.limits
    if callable(optimizer):
        theta, value = optimizer(objective, start.copy(), bounds=limits.copy())
        reason = _refused(likelihood.parameters, theta, value)
        if reason:
            return np.inf, start, reason
        theta = np.clip(np.asarray(theta, np.float64), *limits.T)
        # several starts are compared by the likelihood, not by what the optimizer says of it
        value = -likelihood(theta, False, objective.scratch)[0]
        return value, theta, objective.useless()
    result = objective.climb(start)
    while result.status == 2:  # it finds no step; with its memory emptied it may
        before, result = objective.best[0], objective.climb(objective.best[1])
        if not objective.best[0] < before:
            break
    return *objective.best, objective.useless() or _failed(result, limits.T)


def _refused(parameters: Parameters, theta: Any, value: float) -> str:
    """Why what a callable returned is not taken, if it is not."""
    name = "the optimizer's theta"
    if not (np.isfinite(value) and np.isfinite(_arrays.real(name, theta)).all()):
        return f"it returned the value {value} of theta={theta}"
    theta = parameters.check(name, theta)
    low, high = parameters.limits.T
    rounding = 1e-12 * (1 + np.abs(theta))
    outside = (theta < low - rounding) | (theta > high + rounding)
    for k in np.flatnonzero(outside):
        return (
            f"it returned theta[{k}]={theta[k]:g}, the logarithm of {parameters.names[k]}, outside "
            f"its bounds ({low[k]:g}, {high[k]:g})"
        )
    return ""


def _failed(result: Any, limits: Array) -> str:
    """Why L-BFGS-B failed, and what to do, if it did."""
    slope = np.abs(np.clip(result.x - result.jac, *limits) - result.x).max()
    if result.success or (result.status == 2 and slope < _FLAT):
        return ""
    if result.status == 2:
        return (
            f"L-BFGS-B found no higher likelihood along the gradient ({result.message.strip()}), "
            f"as where rounding decides: raise noise_variance, its lower bound or jitter"
        )
    return (
        f"L-BFGS-B stopped early ({result.message.strip()}): fit again from the values found, or "
        f"pass an optimizer with other limits"
    )
