"""A⁻¹, A the covariance of a Gaussian process at its training points: two ways of solving."""

import math
from collections.abc import Callable

import numpy as np

from .._factors import cholesky as factors
from .._factors.serial import serial
from .._typing import Array
from .._warnings import warn
from ._checks import scale_exponent
from ._covariance import Covariance
from ._exceptions import exception


class Cholesky:
    """A⁻¹ by the Cholesky factor L; `cross` is k(x, x_train), shape (n, N)."""

    batch = 1024

    def __init__(self, factor: Array) -> None:
        self.factor = factor

    def explained(self, cross: Array) -> Array:
        """kᵀ A⁻¹ k of each row k."""
        v = self._solve(cross)
        return _rows(v, v)

    def explained_covariance(self, cross: Array) -> Array:
        """kᵀ A⁻¹ k of all pairs of rows."""
        return factors.gram(self._solve(cross))

    def weights(self, cross: Array) -> tuple[Array, Array]:
        """A⁻¹ k, and kᵀ A⁻¹ k, of each row k."""
        v = self._solve(cross)
        explained = _rows(v, v)
        return factors.solve(self.factor, v, adjoint=False), explained

    def _solve(self, cross: Array) -> Array:
        """L⁻¹ k of each row k, in its place."""
        return factors.solve(self.factor, cross, adjoint=True)


class ConjugateGradients:
    """A⁻¹ by conjugate gradients, on products with a K that is never held.

    The preconditioner is P = S + RᵀR, S the noise and R a pivoted Cholesky factor of K of a low
    rank. With Q = R S^(-1/2) and C the Cholesky factor of I + QQᵀ, T = C⁻¹ Q,
    P⁻¹ = S^(-1/2) (I − TᵀT) S^(-1/2).
    """

    batch = 64  # right-hand sides share the entries of K, which each product makes anew
    rank = 200
    tolerance = 1e-10
    most = 1000
    patience = 300  # steps without a smaller residual; 160 are common before it falls

    def __init__(self, X: Array, covariance: Covariance, noise: Array | float) -> None:
        self.X, self.covariance = X, covariance
        self.noise = np.broadcast_to(noise, len(X))[:, None]
        self.root = np.sqrt(self.noise)
        q = self._pivoted_cholesky() / self.root.T
        inner, _ = factors.factor(np.eye(len(q)) + factors.gram(q))
        self.t = factors.solve(inner, np.array(q.T, order="C"), adjoint=True).T

    def _pivoted_cholesky(self) -> Array:
        """R: K less RᵀR has the diagonal `rest`, of which the largest entry is the next pivot."""
        n, variance = len(self.X), self.covariance.variance
        rows, rest = np.zeros((min(n, self.rank), n)), np.full(n, variance)
        enough = max(1e-14 * variance, 1e-2 * self.noise.min() / n)
        for k, row in enumerate(rows):
            pivot = rest.argmax()
            if rest[pivot] <= enough:
                return rows[:k]
            row[:] = self.covariance(self.X[pivot : pivot + 1], self.X)[0]
            row -= rows[:k, pivot] @ rows[:k]
            row /= np.sqrt(rest[pivot])
            rest -= row**2
            rest[pivot] = 0
        return rows

    def _precondition(self, r: Array) -> Array:
        """P⁻¹ r."""
        w = r / self.root
        work = 2 * self.t.size * math.prod(w.shape[1:])
        x: Array = (w - serial(lambda: self.t.T @ (self.t @ w), work)) / self.root
        return x

    def solve(self, b: Array) -> tuple[Array, float, int]:
        """x with A x = b, the largest relative residual of a column, and how many steps it took.

        Rounding parts the residual from the one that the recursion keeps. So each descent starts
        from the true one, and is kept where it made that smaller.
        """
        operator = self.covariance.operator(self.X)

        def multiply(v: Array) -> Array:
            product: Array = operator @ v + self.noise * v
            return product

        exponent = scale_exponent(b)
        b = np.ldexp(b, -exponent)
        x, r, steps = np.zeros_like(b), b, 0
        norms = left = np.linalg.norm(b, axis=0)
        goal = self.tolerance * norms
        with np.errstate(over="ignore", invalid="ignore"):
            while (left > goal).any() and steps < self.most:
                correction, taken = self._descend(multiply, r, goal, self.most - steps)
                steps += taken
                trial = x + correction
                residual = b - multiply(trial)
                size = np.linalg.norm(residual, axis=0)
                better, worthwhile = size < left, (left > goal) & (size < left / 2)
                x, r = np.where(better, trial, x), np.where(better, residual, r)
                left = np.where(better, size, left)
                if not worthwhile.any():
                    break
        worst = float(np.divide(left, norms, out=np.zeros_like(left), where=norms > 0).max())
        if worst > self.tolerance:
            warn(
                f"conjugate gradients reached a relative residual of {worst:.3g} in {steps} "
                f"steps, not {self.tolerance:g}: raise noise_variance or jitter, or use "
                f'solver="cholesky" if N² numbers fit into memory',
                exception("ConvergenceWarning"),
            )
        return np.ldexp(x, exponent), worst, steps

    def _descend(
        self, multiply: Callable[[Array], Array], r: Array, goal: Array, most: int
    ) -> tuple[Array, int]:
        """Of the steps towards the d with A d = r, the d of each column's smallest residual; and
        how many steps were taken."""
        d, best = np.zeros_like(r), np.zeros_like(r)
        least = np.linalg.norm(r, axis=0)
        active, last = least > goal, np.zeros(r.shape[1])
        p = z = self._precondition(r)
        rz = _columns(r, z)
        step = 0
        for step in range(1, most + 1):
            q = multiply(p)
            curvature = _columns(p, q)
            active &= curvature > 0  # what rounding takes from a positive definite A
            length = np.divide(rz, curvature, out=np.zeros_like(rz), where=active)
            d += length * p
            r = r - length * q
            size = np.linalg.norm(r, axis=0)
            better = active & (size < least)
            np.copyto(best, d, where=better)
            least, last = np.where(better, size, least), np.where(better, step, last)
            active &= (least > goal) & (step - last < self.patience)
            if not active.any():
                break
            z = self._precondition(r)
            before, rz = rz, _columns(r, z)
            p = z + np.divide(rz, before, out=np.zeros_like(rz), where=active) * p
        return best, step

    def explained(self, cross: Array) -> Array:
        """kᵀ A⁻¹ k of each row k."""
        return self.weights(cross)[1]

    def explained_covariance(self, cross: Array) -> Array:
        """kᵀ A⁻¹ k of all pairs of rows."""
        product = np.empty((len(cross), len(cross)))
        for start in range(0, len(cross), self.batch):
            rows = slice(start, start + self.batch)
            product[rows] = self.weights(cross[rows])[0] @ cross.T
        symmetric: Array = (product + product.T) / 2
        return symmetric

    def weights(self, cross: Array) -> tuple[Array, Array]:
        """A⁻¹ k, and kᵀ A⁻¹ k, of each row k."""
        weights = self.solve(np.ascontiguousarray(cross.T))[0].T
        return weights, _columns(cross.T, weights.T)


def _rows(a: Array, b: Array) -> Array:
    """The inner products of the rows."""
    products: Array = np.einsum("ij,ij->i", a, b)
    return products


def _columns(a: Array, b: Array) -> Array:
    """The inner products of the columns."""
    products: Array = np.einsum("ij,ij->j", a, b)
    return products
