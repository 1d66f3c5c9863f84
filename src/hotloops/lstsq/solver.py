"""A least-squares problem with its factors, and what they tell."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning

from .._typing import Array
from .._warnings import warn
from .factors import LU, Cholesky, Factor, Normal
from .orthogonal import orthogonal_factors
from .problem import Problem
from .refinement import refined, residual
from .ridge import ridge_path
from .singular import condition, real_dtype, scaled_singular_values

_FACTORS = {"lu": LU.of, "cholesky": Cholesky.of, "normal": Normal.of}


class Solver:
    """A problem and its factors: one for all matrices, or a second for some of them, after it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.factors: list[Factor] = []
        if problem.a.size:
            self.factors = _FACTORS.get(problem.method, orthogonal_factors)(problem)
        self._rank: Array | None = None
        self._bound: Callable[[Array], Array] | None = None
        self._has_solved_for_a_vector = False

    @property
    def rank(self) -> Array:
        """The rank of each √W A."""
        if self._rank is None:
            self._rank = self._ranks()
        return self._rank

    def _ranks(self) -> Array:
        problem, a = self.problem, self.problem.a
        rank = np.zeros(len(a), int)
        if problem.alpha and a.size:  # the factors do not tell
            if problem.weights.size:
                a = problem.root[:, :, None].astype(real_dtype(a.dtype)) * a
            values = scaled_singular_values(a, *problem.kept)
            rank[:] = (values > problem.least(values[:, :1])).sum(axis=1)
            return rank
        for factor in self.factors:
            rank[factor.places] = factor.rank
        return rank

    @property
    def has_full_rank(self) -> bool:
        """Whether the rank of each matrix is known to be the number of its columns."""
        return len(self.factors) == 1 and isinstance(self.factors[0].rank, int)

    # --- solutions --------------------------------------------------------------------------

    def solution(self, b: Array) -> Array:
        """x (K, n, p) for b (K, m, p)."""
        if len(self.factors) == 1 and b.size:
            if len(b) == b.shape[2] == 1 and not self.problem.refine:
                return self._of_vector(b)
            return self._by(self.factors[0], b)
        x = np.zeros((len(b), self.problem.a.shape[2], b.shape[2]), self.problem.dtype)
        for factor in self.factors if b.size else ():
            x[factor.places] = self._by(factor, b if factor.which is None else b[factor.which])
        return x

    def _of_vector(self, b: Array) -> Array:
        """x (1, n, 1) for b (1, m, 1): what such calls share is worth finding where there are
        two."""
        if self._bound is not None:
            return self._bound(b)
        if self._has_solved_for_a_vector:
            self._bound = self.factors[0].for_vectors(b)
        self._has_solved_for_a_vector = True
        return self.factors[0].solve(b)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_bound": None}

    def _by(self, factor: Factor, b: Array) -> Array:
        return refined(factor, b) if self.problem.refine else factor.solve(b)

    def residuals(self, b: Array) -> Array:
        """b − A x (K, m, p) for the solution x, its sums in twice the working precision."""
        if not (b.size and self.problem.a.size):
            return b.copy()
        scale, r = np.ones((len(b), self.problem.a.shape[2])), np.zeros_like(b)
        return residual(self.problem, scale, b, self.solution(b), r, 0)[0]

    def inverse_of_normal(self) -> Array:
        """(AᴴWA + alpha I)⁻¹, (K, n, n)."""
        count, _, n = self.problem.a.shape
        inverse = np.zeros((count, n, n), self.problem.dtype)
        for factor in self.factors:
            inverse[factor.places] = factor.inverse_of_normal()
        return (inverse + inverse.conj().swapaxes(1, 2)) / 2

    def leverage(self) -> Array:
        """How much of each element of b is in its own fit, (K, m)."""
        leverage = np.zeros(self.problem.a.shape[:2], real_dtype(self.problem.a.dtype))
        for factor in self.factors:
            leverage[factor.places] = factor.leverage()
        return leverage

    def pinv(self) -> Array:
        """What takes b to x, (K, n, m)."""
        count, m, n = self.problem.a.shape
        pinv = np.zeros((count, n, m), self.problem.dtype)
        for factor in self.factors:
            pinv[factor.places] = factor.pinv()
        return pinv

    def ridge_path(self, b: Array, alphas: Array) -> tuple[Array, Array]:
        """x (k, K, n, p) and the errors (k, K, m, p) of leaving out each row, for each penalty."""
        return ridge_path(self.problem, self.factors, self.rank, b, alphas)

    # --- warnings ---------------------------------------------------------------------------

    def warn_of_rank(self) -> None:
        """Warn if there are matrices of less than full rank, but for rows without weight."""
        problem, (count, m, n) = self.problem, self.problem.a.shape
        if self.has_full_rank:
            return
        weights = problem.weights
        rows = (weights > 0).sum(axis=1) if weights.size else np.full(count, m)
        full = np.minimum(rows, n)
        deficient = np.flatnonzero(self.rank < full)
        if not len(deficient):
            return
        worst, weighted = deficient[self.rank[deficient].argmin()], ""
        a = problem.a[worst, None]
        if weights.size:
            weighted, w = " with its weights", weights[worst]
            a = a[:, w > 0] * np.sqrt(w[w > 0, None])
        warn(
            f"{problem.names(deficient)} is rank-deficient{weighted}: rank {self.rank[worst]} "
            f"of {full[worst]}, condition {condition(a, *problem.kept)[0]:.3g}; x is the "
            f"solution of least norm",
            LinAlgWarning,
        )
