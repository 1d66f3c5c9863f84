"""The log marginal likelihood of a Gaussian process."""

from typing import Any

import numpy as np
from scipy.linalg import blas, lapack

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
        """Memory for the matrix of one evaluation at a time."""
        return np.empty((len(self.X), len(self.X)))

    def covariance(self, values: Values) -> Covariance:
        """The covariance function of these values, without the noise."""
        parameters = {name: value for name, value in values.items() if name != "noise_variance"}
        return Covariance(kind=self.kind, **parameters)

    def cholesky(self, covariance: Covariance, noise: Any, scratch: Array) -> Array | None:
        """L, over `scratch`, of A = K + noise; None where A is not positive definite."""
        a = covariance(self.X, out=scratch)
        diagonal(a)[:] += noise + self.jitter
        # LAPACK's columns are rows here: its upper triangle is the lower one
        factor, info = lapack.dpotrf(a.T, lower=0, clean=1, overwrite_a=1)
        return factor.T if info == 0 else None

    def value(self, factor: Array) -> tuple[Array, float]:
        """A⁻¹ y and the log marginal likelihood, from the Cholesky factor of A."""
        n, targets = self.y.shape
        alpha, _ = lapack.dpotrs(factor.T, self.y, lower=0)
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
        # ∂/∂A = ½ Σ αᵢ αᵢᵀ − ½ targets · A⁻¹: twice that below the diagonal stands for both sides
        inverse, _ = lapack.dpotri(factor.T, lower=0, overwrite_c=1)
        cotangent = blas.dsyrk(1, alpha, beta=-alpha.shape[1], c=inverse, overwrite_c=1).T
        diagonal(cotangent)[:] /= 2
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
