"""What a Gaussian process says of a function after its training points."""

from collections.abc import Iterator

import numpy as np

from .._typing import Array
from ._covariance import Covariance, diagonal
from ._solvers import Cholesky, ConjugateGradients


class Posterior:
    """The posterior of f, in the units of the target: its covariance function before, the training
    points, A⁻¹ y, and a solver for other right-hand sides."""

    def __init__(
        self,
        covariance: Covariance,
        X: Array,
        alpha: Array,
        solver: Cholesky | ConjugateGradients,
    ) -> None:
        self.before, self.X, self.alpha, self.solver = covariance, X, alpha, solver

    def mean(self, X: Array) -> Array:
        """The mean at each point, of the shape of alpha but for its length."""
        mean: Array = self.before.operator(X, self.X) @ self.alpha
        return mean

    def covariance(self, X: Array, noise: float = 0.0) -> Array:
        """The covariance matrix of the points, with noise on its diagonal."""
        covariance = self.before(X)
        if len(X):
            covariance -= self.solver.explained_covariance(self.before(X, self.X))
        variances = diagonal(covariance)
        np.maximum(variances, 0, out=variances)
        variances += noise
        return covariance

    def variances(self, X: Array) -> Array:
        """The variance at each point."""
        variances = np.empty(len(X))
        for rows in self._batches(X):
            cross = self.before(X[rows], self.X)
            variances[rows] = self.before.variance - self.solver.explained(cross)
        return np.maximum(variances, 0)

    def gradients(self, X: Array) -> tuple[Array, Array]:
        """The gradients at each point of the mean, shape (n, D, n_targets), and of the standard
        deviation, shape (n, D)."""
        alpha = self.alpha.reshape(len(self.X), -1)
        mean, std = np.empty((*X.shape, alpha.shape[1])), np.full(X.shape, np.nan)
        for rows in self._batches(X):
            for target, weights in enumerate(alpha.T):
                all_rows = np.broadcast_to(weights, (len(X[rows]), len(weights)))
                mean[rows, :, target] = self._pull(all_rows, X[rows])
            weights, explained = self.solver.weights(self.before(X[rows], self.X))
            deviation = np.sqrt(np.maximum(self.before.variance - explained, 0))[:, None]
            pulled = self._pull(weights, X[rows])
            np.divide(-pulled, deviation, out=std[rows], where=deviation > 0)
        return mean, std

    def _pull(self, weights: Array, X: Array) -> Array:
        """The gradients of Σ_j weights[i, j] k(x_i, x_j)."""
        gradients: Array = self.before.pull(weights, X, self.X, wrt=["X"])["X"]
        return gradients

    def _batches(self, X: Array) -> Iterator[slice]:
        """The rows of X in pieces that the solver takes at once."""
        size = self.solver.batch
        return (slice(start, start + size) for start in range(0, len(X), size))
