"""Where the likelihood of a Gaussian process is largest."""

import numpy as np
import scipy.optimize

from .. import _arrays, _run
from .._warnings import warn
from ..ard import ard_kernel
from ._checks import exception

_FLAT = 0.1  # a slope by a logarithm that tells nothing more, where rounding ends the search
_FEW = 10  # steps that show which of several starts is the best

_SINGULAR = (
    "the covariance matrix is not positive definite at the start: raise noise_variance or jitter"
)
_DIAGONAL = (
    "the kernel is 0 between all points at the start, and so is its gradient by the length scale: "
    "start from a length_scale near the distances between points. None takes the most likely one, "
    "and if that is it, y is like noise: too few points, or none near another"
)


class _Stopped(Exception):
    pass


def maximise(likelihood, optimizer, starts):
    """The best theta that the optimizer finds from any of the starts."""
    found = _each(likelihood, starts, lambda start: _optimise(likelihood, optimizer, start))
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


def most_promising(likelihood, starts):
    """The best theta of a few steps from each of the starts."""

    def climb(start):
        objective = _Objective(likelihood, start)
        try:
            objective.climb(start, maxiter=_FEW)
        except _Stopped:
            return None
        return objective.best

    found = _each(likelihood, starts, climb)
    return min(found, key=lambda best: best[0])[1]


def _each(likelihood, starts, function):
    # a start alone leaves the threads to BLAS, where the matrix is worth them
    if len(starts) == 1 and len(likelihood.X) >= 400:
        return [function(starts[0])]
    found = [None] * len(starts)

    def run(k):
        found[k] = function(starts[k])

    _run.each(run, len(starts), blas=True)
    return found


class _Objective:
    """The negative log marginal likelihood; the least value seen, and the first gradient."""

    def __init__(self, likelihood, start):
        self.start = np.array(start)
        self.likelihood, self.scratch = likelihood, likelihood.scratch()
        self.best, self.first = (np.inf, None), None

    def __call__(self, theta, eval_gradient=True):
        if _run.stopped():
            raise _Stopped
        theta = np.array(theta, np.float64)
        value, gradient = self.likelihood(theta, eval_gradient, self.scratch)
        if self.best[1] is None or -value < self.best[0]:
            self.best = -value, theta
        if eval_gradient and self.first is None and np.array_equal(theta, self.start):
            self.first = theta, value, gradient
        return (-value, -gradient) if eval_gradient else -value

    def climb(self, start, **options):
        """L-BFGS-B from `start`, until a slope is below 1e-5.

        Its first step is the gradient itself, as it comes: the objective is divided by that, so
        that this step is no longer than a factor e. A point without a value is a high one to it,
        from which it turns back.
        """
        value, gradient = self(start)
        unit = max(1.0, float(np.linalg.norm(gradient)))
        high = value + 10 * unit
        seen = {start.tobytes(): (value, gradient)}

        def objective(theta):
            value, gradient = seen.pop(theta.tobytes(), None) or self(theta)
            return min(value, high) / unit, gradient / unit

        result = scipy.optimize.minimize(
            objective, start, method="L-BFGS-B", jac=True,
            bounds=self.likelihood.parameters.limits, options={"gtol": 1e-5 / unit, **options},
        )  # fmt: skip
        result.jac = result.jac * unit
        return result

    def useless(self):
        """Why the first gradient leads nowhere, if it does not."""
        if self.first is None:
            return ""
        theta, value, gradient = self.first
        if value == -np.inf:
            return _SINGULAR
        parameters, n = self.likelihood.parameters, len(self.likelihood.X)
        of_lengths = gradient[parameters.are("length_scale", "factors")]
        if n > 1 and of_lengths.size and not of_lengths.any():
            values = parameters.at(theta)
            k = ard_kernel(self.likelihood.X, **self.likelihood.kernel(values), out=self.scratch)
            if values["variance"] and np.count_nonzero(k) == n:
                return _DIAGONAL
        return ""


def _optimise(likelihood, optimizer, start):
    """The least value found from `start`, where it is, and why the optimizer failed."""
    objective = _Objective(likelihood, start)
    try:
        if callable(optimizer):
            theta, value = optimizer(objective, start, bounds=likelihood.parameters.limits)
            reason = _refused(likelihood.parameters, theta, value)
            if reason:
                return np.inf, start, reason
            theta = np.clip(np.asarray(theta, np.float64), *likelihood.parameters.limits.T)
            # several starts are compared by the likelihood, not by what the optimizer says of it
            value = -likelihood(theta, False, objective.scratch)[0]
            return value, theta, objective.useless()
        result = objective.climb(start)
        while result.status == 2:  # it finds no step; with its memory emptied it may
            before, result = objective.best[0], objective.climb(objective.best[1])
            if not objective.best[0] < before:
                break
    except _Stopped:  # another start's error, or Ctrl-C, is on its way to the caller
        return None
    return *objective.best, objective.useless() or _failed(result, likelihood.parameters.limits.T)


def _refused(parameters, theta, value):
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


def _failed(result, bounds):
    """Why L-BFGS-B failed, and what to do, if it did."""
    slope = np.abs(np.clip(result.x - result.jac, *bounds) - result.x).max()
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
