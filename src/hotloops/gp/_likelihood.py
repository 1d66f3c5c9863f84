"""The log marginal likelihood of a Gaussian process."""

from typing import Any

import numpy as np

from .._factors import cholesky as factors
from .._typing import Array
from .._warnings import warn
from ._covariance import Covariance, diagonal
from ._parameters import Parameters, Values


class Likelihood:
    """The log marginal likelihood of the targets y at the points X, as a function of theta."""

    def __init__(
        self, X: Array, y: Array, kind: str, parameters: Parameters, jitter: float
    ) -> None:
        self.X, self.shape, self.kind = X, y.shape, kind
        self.y = y.reshape(len(y), -1)
        self.parameters, self.jitter = parameters, jitter

    def scaled(self, units: Values) -> "Likelihood":
        """This likelihood of X and y in units, which have the names of the hyperparameters."""
        return Likelihood(
            self.X / units["length_scale"],
            self.y.reshape(self.shape) / np.sqrt(units["variance"]),
            self.kind,
            self.parameters.scaled(units),
            self.jitter / units["variance"],
        )

    def scratch(self) -> Array:
        """Memory for the two matrices of one evaluation at a time."""
        return np.empty((2, len(self.X), len(self.X)))

    def covariance(self, values: Values) -> Covariance:
        """The covariance function of these values, without the noise."""
        parameters = {name: value for name, value in values.items() if name != "noise_variance"}
        return Covariance(kind=self.kind, **parameters)

    def cholesky(self, covariance: Covariance, noise: Any, scratch: Array) -> Array | None:
        """L of A = K + noise, in the lower triangle of the first matrix of `scratch`; None where A
        is not positive definite."""
        a = covariance(self.X, out=scratch[0])
        diagonal(a)[:] += noise + self.jitter
        factor, share = factors.factor(a)
        return factor if (share > 0).all() else None

    def value(self, factor: Array) -> tuple[Array, float]:
        """A⁻¹ y and the log marginal likelihood, from the Cholesky factor of A."""
        n, targets = self.y.shape
        rows = np.array(self.y.T, order="C")
        for adjoint in (True, False):
            factors.solve(factor, rows, adjoint=adjoint)
        alpha = np.ascontiguousarray(rows.T)
        half_determinant = np.log(factor.diagonal()).sum()
        constant = targets * (half_determinant + n / 2 * np.log(2 * np.pi))
        return alpha, float(np.vdot(self.y, alpha) / -2 - constant)

    def __call__(self, theta: Array, eval_gradient: bool, scratch: Array) -> tuple[float, Array]:
        """The value at theta, and its gradient, which is empty where it is not asked for."""
        parameters = self.parameters
        nowhere = -np.inf, np.zeros(len(theta))
        if not parameters.possible(theta).all():  # a line search may go anywhere
            return nowhere
        values = parameters.at(theta)
        covariance = self.covariance(values)
        factor = self.cholesky(covariance, values["noise_variance"], scratch)
        if factor is None:
            return nowhere
        alpha, value = self.value(factor)
        if not np.isfinite(value):
            return nowhere
        if not eval_gradient:
            return value, np.empty(0)
        # ∂/∂A = ½ Σ αᵢ αᵢᵀ − ½ targets · A⁻¹
        targets = alpha.shape[1]
        cotangent = factors.inverse(
            factor, factor, scratch[1], scale=-targets / 2, x=alpha, y=alpha / 2
        )
        gradients = covariance.pull(cotangent, self.X, wrt=parameters.free)
        return value, parameters.chain(values, gradients)

    def find_jitter(self) -> None:
        """Set the least jitter, in powers of ten times the rounding error, that makes A positive
        definite at the start."""
        values, scratch = self.parameters.values, self.scratch()
        covariance, noise = self.covariance(values), values["noise_variance"]
        unit = np.finfo(np.float64).eps * (values["variance"] + np.mean(noise))
        for jitter in (0.0, *(10.0**k * unit for k in range(16))):
            self.jitter = jitter
            if self.cholesky(covariance, noise, scratch) is not None:
                break
        if self.jitter:
            warn(
                f"the covariance matrix of the training points is not positive definite: "
                f'jitter="auto" added {self.jitter:.3g} to its diagonal',
                RuntimeWarning,
            )
