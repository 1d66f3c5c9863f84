"""The log marginal likelihood of a Gaussian process."""

from typing import Any

import numpy as np

from .._factors import cholesky as factors
from .._typing import Array
from .._warnings import warn
from ..kernels.cholesky import PANEL
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

    def matrix(self, covariance: Covariance, noise: Any, scratch: Array) -> Array:
        """A = K + noise in `scratch`."""
        a = covariance(self.X, out=scratch)
        diagonal(a)[:] += noise + self.jitter
        return a

    def solved(
        self, covariance: Covariance, noise: Any, scratch: Array
    ) -> tuple[Array, Array, float] | None:
        """L of A, in the lower triangle of `scratch`, A⁻¹ y, and the log marginal likelihood; None
        where A is not positive definite."""
        a = self.matrix(covariance, noise, scratch)
        variances = a.diagonal().copy()
        factor, share, rows = factors.solved(a, self._rows())
        if not (share > 0).all():
            return None
        return factor, np.ascontiguousarray(rows.T), self._value(share * variances, rows)

    def _rows(self) -> Array:
        """The targets, each in a row."""
        return np.array(self.y.T, order="C")

    def _value(self, squares: Array, rows: Array) -> float:
        """The log marginal likelihood, from the squares of L's diagonal and the rows of A⁻¹ y."""
        n, targets = self.y.shape
        half_determinant = np.log(squares).sum() / 2
        constant = targets * (half_determinant + n / 2 * np.log(2 * np.pi))
        return float(np.vdot(self.y.T, rows) / -2 - constant)

    def __call__(self, theta: Array, eval_gradient: bool, scratch: Array) -> tuple[float, Array]:
        """The value at theta, and its gradient, which is empty where it is not asked for."""
        parameters = self.parameters
        nowhere = -np.inf, np.zeros(len(theta))
        if not parameters.possible(theta).all():  # a line search may go anywhere
            return nowhere
        values = parameters.at(theta)
        covariance, noise = self.covariance(values), values["noise_variance"]
        if not eval_gradient:
            found = self.solved(covariance, noise, scratch)
            if found is None or not np.isfinite(found[2]):
                return nowhere
            return found[2], np.empty(0)
        a = self.matrix(covariance, noise, scratch)
        variances, targets = a.diagonal().copy(), self.y.shape[1]
        # ∂/∂A = ½ Σ αᵢ αᵢᵀ − ½ targets · A⁻¹
        cotangent, share, rows = factors.inverse(
            a, self._rows(), scale=-targets / 2, weight=0.5, twice=True
        )
        if not (share > 0).all():
            return nowhere
        value = self._value(share * variances, rows)
        if not np.isfinite(value):
            return nowhere
        gradients = covariance.pull_folded(cotangent, PANEL, self.X, wrt=parameters.free)
        return value, parameters.chain(values, gradients)

    def find_jitter(self) -> None:
        """Set the least jitter, in powers of ten times the rounding error, that makes A positive
        definite at the start."""
        values, scratch = self.parameters.values, self.scratch()
        covariance, noise = self.covariance(values), values["noise_variance"]
        unit = np.finfo(np.float64).eps * (values["variance"] + np.mean(noise))
        for jitter in (0.0, *(10.0**k * unit for k in range(16))):
            self.jitter = jitter
            share = factors.factor(self.matrix(covariance, noise, scratch))[1]
            if (share > 0).all():
                break
        if self.jitter:
            warn(
                f"the covariance matrix of the training points is not positive definite: "
                f'jitter="auto" added {self.jitter:.3g} to its diagonal',
                RuntimeWarning,
            )
