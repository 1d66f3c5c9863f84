"""The least-squares object: what a user may pass, and what comes back in which shape."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._factors.serial import serial
from .._run import kept
from .._typing import Array, Floats, Numbers
from .problem import (
    Method,
    Problem,
    check_is_finite,
    checked_alpha,
    checked_matrices,
    checked_weights,
)
from .ridge import RidgePath
from .sides import Sides
from .singular import condition, rank_tolerance
from .solver import Solver


class LeastSquares:
    """Solutions of one least-squares problem for many right-hand sides.

    .. math:: \\min_x \\; \\sum_i w_i |b_i - a_i x|^2 + \\alpha \\lVert x \\rVert^2

    A, of the rows a_i, is factored once, here; `solve` takes right-hand sides, as often as they
    come. Where the minimum is not unique, because A has fewer rows than columns or dependent ones,
    x is the solution of least norm, in the units of x as given, and a warning names the rank.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        A matrix or a batch of them, real or complex. It is copied.
    method : {"auto", "lu", "cholesky", "normal", "qr", "svd"}
        - "lu": elimination with row pivoting; A is square and not singular.
        - "cholesky": of A itself, which is Hermitian and positive definite.
        - "normal": the Cholesky factor of AᴴWA + alpha I. Quickest for tall A, but the condition
          of A counts twice: half the digits go, and beyond 1e7 all.
        - "qr": an orthogonal factor, with column pivoting where the columns are nearly dependent,
          and then, if A is tall, an error of each row in proportion to that row: rows far heavier
          than the others are constraints, and cost the others no digits.
        - "svd": singular values. Slowest, and sure of the rank.
        - "auto": "qr", and "svd" for what is wide or rank-deficient; so does "qr" itself.
    weights : float or array_like, shape (m,) or (..., m), optional
        w_i = 1 / σ_i², not negative: what scikit-learn calls sample_weight; ``np.polyfit`` takes
        the square roots. With "lu" and "cholesky", which solve A x = b, they are positive and show
        in `covariance` alone.
    alpha : float
        The penalty, not negative. "normal", "qr" and "svd" take it, the latter two by rows
        sqrt(alpha) I below A: they do not square the condition. With it, "svd" takes the singular
        values of the R of these rows for the rank, and their vectors only where that is not full.
    rcond : float, optional
        A singular value, or a pivot, of A with its columns scaled to the same norm is taken for
        zero where it is below `rcond` times the largest: max(10, min(m, n)) eps by default. The
        scaling decides on the rank only. A pivot that small is kept where the rows that it is of
        are as small.
    refine : bool
        Improve each solution by steps of refinement, with residuals in twice the working
        precision, until they gain nothing: nearly all digits of an x that is unique are right,
        unless sqrt(W) A is singular in working precision; of a solution of least norm, A x gains.
        A step is kept where the next one shows that it was one towards x. A few times the cost of
        a solution.
    check_finite : bool
        Refuse NaN and inf, here and in `solve`.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Attributes
    ----------
    rank : int, or array of int for a batch
        That of sqrt(W) A.
    cond : float, or array for a batch
        The condition number of A as given, without weights and alpha: its largest singular value
        over its smallest, in double precision where it is large. No method estimates it: the
        singular values are computed when it is first asked for, about the time of "svd" without
        its vectors.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the method cannot cope with A: the message names one that can.
    ValueError
        For NaN or inf, a negative weight, alpha or rcond, and shapes that do not fit.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        Where A, without the rows whose weight is 0, is rank-deficient.

    Notes
    -----
    Accuracy: that of LAPACK's methods of these names, which is eps times the condition of A with
    scaled columns ("normal": times its square); with `refine`, some eps. For A in single precision
    "normal", "qr" and "svd" factor in double precision, and x is rounded: all its digits are right
    up to a condition of 1e4, for any number of rows. For "qr" these are inner products, which
    single-precision columns have exactly, up to that condition, and else orthogonal factors; of
    many thousands of rows, for "svd" too, factors of pieces of the rows. They are made anew when a
    right-hand side in double precision comes.

    Cost: a factor 2/3 n³ ("lu") to 4 m n² ("qr") multiplications, which the workers share where a
    matrix is large ("lu" and "qr" from some 400 rows and columns on, or for tall A from m n² = 5e7
    on). Singular values, and the column pivoting of nearly dependent columns, are found on one
    thread, for which Ctrl-C waits. No result depends on the number of workers.
    A right-hand side m n + n². Memory: A and a copy or two of it.

    Björck, *Iterative refinement of linear least squares solutions*, BIT 7 (1967) 257, BIT 8
    (1968) 8; Cox & Higham, *Stability of Householder QR factorization for weighted least squares
    problems*, in Numerical Analysis 1997 (1998) 57; Yamamoto et al., *Roundoff error analysis of
    the CholeskyQR2 algorithm*, ETNA 44 (2015) 306.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> t = np.arange(5.0)
    >>> line = hl.LeastSquares(np.stack([np.ones(5), t], axis=1))
    >>> line.solve(3 - 2 * t)
    array([ 3., -2.])
    >>> b = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    >>> line.solve(b).round(12), line.residuals(b).round(12)
    (array([1.4, 0.8]), array([-0.4,  0.8, -1. ,  1.2, -0.6]))
    >>> line.rank, line.covariance(b).round(3)
    (2, array([[ 0.72, -0.24],
           [-0.24,  0.12]]))
    """

    def __init__(
        self,
        A: ArrayLike,
        *,
        method: Method = "auto",
        weights: ArrayLike | None = None,
        alpha: float = 0.0,
        rcond: float | None = None,
        refine: bool = False,
        check_finite: bool = True,
        backend: str | None = None,
        workers: int | None = None,
    ) -> None:
        a = checked_matrices(A, method)
        self.method: Method = method
        self.alpha: float = checked_alpha(alpha, method)
        if check_finite:
            check_is_finite("A", a)
        w = checked_weights(weights, a.shape, method)
        self.rcond: float = (
            rank_tolerance(a) if rcond is None else _arrays.scalar("rcond", rcond, minimum=0)
        )
        *batch, m, n = a.shape
        self._solver = Solver(
            Problem(
                np.array(a, order="C").reshape(len(w), m, n), w, self.alpha, self.rcond, method,
                bool(refine), bool(check_finite), (*batch,), *kept("lstsq", backend, workers),
                **self._differences(a.dtype),
            )
        )  # fmt: skip
        self._wider: Solver | None = None
        self._cond: Array | None = None
        if not self.alpha:
            self._warn()

    def _differences(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """What a problem is told besides of columns that a subtraction left."""
        return {}

    def _warn(self) -> None:
        self._solver.warn_of_rank()

    def _for(self, b: Array) -> Solver:
        """The solver of this problem, in double precision for a b in that."""
        problem = self._solver.problem
        if b.dtype is problem.dtype or _is_double(problem.dtype) or not _is_double(b.dtype):
            return self._solver
        if self._wider is None:
            self._wider = Solver(problem.in_double())
        return self._wider

    # --- what A is --------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of A."""
        return self._solver.problem.dtype

    @property
    def rank(self) -> Any:
        """The rank of √W A, an int or an array of a batch's shape."""
        return self._shaped(self._solver.rank)

    @property
    def cond(self) -> Any:
        """The condition number of A, a float or an array of a batch's shape."""
        if self._cond is None:
            problem = self._solver.problem
            self._cond = condition(problem.a, *problem.kept)
        return self._shaped(self._cond)

    def _shaped(self, values: Array) -> Any:
        batch = self._solver.problem.batch
        return values.reshape(batch).copy() if batch else values[0].item()

    # --- solutions --------------------------------------------------------------------------

    def solve(self, b: ArrayLike, *, out: Numbers | None = None) -> Numbers:
        """x for the right-hand side b.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p)
            A vector, for each matrix of the batch the same, or matrices of p columns. The axes
            before are those of the batch, or broadcast to them; a single A takes any.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray, shape (..., n) or (..., n, p)
            Of the dtype that products of A and b have.

        Raises
        ------
        ValueError
            For shapes that do not fit, NaN or inf, an unfit `out`.

        Notes
        -----
        Columns are solved in blocks over the workers. Of one 100×100 matrix and one vector the
        overhead is some microseconds.
        """
        b = _arrays.floating("b", b)
        solver = self._for(b)
        sides = Sides(b, solver.problem)
        if out is not None:
            _arrays.output(out, sides.shape(solver.problem.a.shape[2]), sides.dtype, b=b)
        x = sides.restored(solver.solution(sides.columns))
        if out is None:
            return x
        out[...] = x
        return out

    def residuals(self, b: ArrayLike) -> Numbers:
        """b − A x, not weighted, for the solution x; its sums are in twice the working precision.

        Returns
        -------
        ndarray, of the shape of b, with the axes of a batch before
        """
        b = _arrays.floating("b", b)
        solver = self._for(b)
        sides = Sides(b, solver.problem)
        return sides.restored(solver.residuals(sides.columns))

    def covariance(self, b: ArrayLike | None = None) -> Numbers:
        """s² (AᴴWA)⁻¹, the covariance of x; of a rank-deficient A the pseudo-inverse.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p), optional
            s² is the weighted sum of the squared residuals of b over m − rank. Without b it is 1:
            the weights are the reciprocals of known variances.

        Returns
        -------
        ndarray, shape (..., n, n), or (..., p, n, n) for columns

        Raises
        ------
        ValueError
            For alpha > 0, whose x is biased; for a b where m − rank is 0.
        """
        if self.alpha:
            raise ValueError(f"covariance is for alpha = 0, got alpha = {self.alpha:g}")
        solver = self._solver
        problem, (_, m, n) = solver.problem, solver.problem.a.shape
        if b is None:
            return solver.inverse_of_normal().reshape(*problem.batch, n, n)
        b = _arrays.floating("b", b)
        rank = solver.rank
        if (rank >= m).any():
            raise ValueError(
                f"covariance(b) needs more rows than the rank of A, got {m} and {self.rank}: "
                f"covariance() does without s²"
            )
        solver = self._for(b)
        sides = Sides(b, solver.problem)
        square = np.abs(sides.restored(solver.residuals(sides.columns))) ** 2
        square = square[..., None] if sides.vector else square
        if problem.weights.size:
            square = square * problem.weights.reshape(*problem.batch, m, 1)
        freedom = (m - rank).reshape(*problem.batch, 1)
        variance = (square.sum(axis=-2, dtype=float) / freedom).astype(square.dtype)
        inverse = solver.inverse_of_normal().reshape(*problem.batch, 1, n, n)
        result: Array = variance[..., None, None] * inverse
        return result[..., 0, :, :] if sides.vector else result

    def leverage(self) -> Floats:
        """How much of each b_i is in its own fit: the diagonal of √W A (AᴴWA + alpha I)⁻¹ Aᴴ √W.

        Returns
        -------
        ndarray, shape (..., m)
            In [0, 1]; their sum is the effective number of parameters, the rank if alpha = 0.
        """
        leverage = self._solver.leverage()
        return leverage.reshape(*self._solver.problem.batch, leverage.shape[1])

    def slogdet(self) -> Any:
        """The sign of A's determinant, for complex A a number of modulus 1, and the logarithm of
        its absolute value, as `numpy.linalg.slogdet` has them. A is square."""
        problem = self._solver.problem
        shape = (*problem.batch, *problem.a.shape[1:])
        if shape[-1] != shape[-2]:
            raise ValueError(f"slogdet needs a square A, got shape {shape}")
        a = problem.a.reshape(shape)
        return serial(lambda: np.linalg.slogdet(a), a.size * shape[-1])

    def pinv(self) -> Numbers:
        """The matrix that takes b to x: the pseudo-inverse A⁺ where there are no weights and no
        alpha.

        Returns
        -------
        ndarray, shape (..., n, m)
        """
        pinv = self._solver.pinv()
        return pinv.reshape(*self._solver.problem.batch, *pinv.shape[1:])

    def ridge_path(self, b: ArrayLike, alphas: ArrayLike) -> RidgePath:
        """Solutions for many penalties, from one singular value decomposition, that of R where
        there is one, with the errors of leaving out each row.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p)
        alphas : array_like, shape (k,)
            Penalties, not negative, that take the place of `alpha`. 0 gives the solution of least
            norm.

        Returns
        -------
        x : ndarray, shape (k, ..., n) or (k, ..., n, p)
        loo_errors : ndarray, shape (k, ..., m) or (k, ..., m, p)
            b_i − a_i x, for the x of all rows but i: (b_i − a_i x) / (1 − h_i), h the leverage, or
            its limit where h_i is 1, as for a wide A at alpha = 0. Their weighted mean square tells
            the best alpha.
        """
        b = _arrays.floating("b", b)
        penalties = _arrays.real("alphas", alphas, 1).astype(np.float64)
        if not ((penalties >= 0) & np.isfinite(penalties)).all():
            raise ValueError(f"alphas must be finite and not negative, got {penalties}")
        solver = self._for(b)
        sides = Sides(b, solver.problem)
        found = solver.ridge_path(sides.columns, penalties)
        if not len(penalties):
            lengths = reversed(solver.problem.a.shape[1:])
            return RidgePath(*(np.empty((0, *sides.shape(n)), sides.dtype) for n in lengths))
        return RidgePath(*map(sides.all_restored, found))

    def __repr__(self) -> str:
        problem = self._solver.problem
        shape = (*problem.batch, *problem.a.shape[1:])
        return f"<LeastSquares of {shape}, {self.dtype}, method={self.method!r}, rank {self.rank}>"


def _is_double(dtype: np.dtype[Any]) -> bool:
    return dtype.char in "dD"
