"""Which factors the methods "qr", "svd" and "auto" are, for each matrix of a batch."""

import numpy as np

from .._typing import Array
from .factors import QR, SVD, Cholesky, Factor, Normal
from .prepared import Prepared
from .problem import Problem
from .singular import epsilon, rank_tolerance, singular_values

_DOUBLE = epsilon(np.dtype(np.float64))
_NONE = np.empty(0, np.intp)
_LEAST = 1e-7  # eigenvalue of inner products in double precision, for a single-precision x


def orthogonal_factors(problem: Problem) -> list[Factor]:
    """One kind of factor for the matrices of full rank, and SVD's for the others, after it: the
    first has places for those too."""
    prepared = Prepared(problem)
    found: Factor | None = None
    deficient: Array | None = None
    single = epsilon(problem.dtype) > _DOUBLE
    if single and prepared.are_tall and (prepared.many or problem.method != "svd"):
        found, deficient = _by_inner_products(prepared)
    # beside a heavy penalty, A is what an SVD of both rounds away, and R does not
    if found is None and prepared.are_tall and (problem.method != "svd" or problem.alpha):
        found, deficient = _by_qr(prepared)
    factors: list[Factor] = []
    if deficient is None:
        deficient = np.arange(len(prepared.rows))
    if len(deficient):
        factors.append(SVD.of(prepared, deficient))
    if found is not None and len(deficient) < len(prepared.rows):
        found.left = prepared.left(found.left)
        factors.insert(0, found)
    return factors


def _by_inner_products(prepared: Prepared) -> tuple[Factor | None, Array]:
    """Cholesky's factors of a single-precision problem's inner products in double precision, where
    their condition may count twice, and the places of those whose rank is deficient; None and all
    places if the condition is too large."""
    problem, deficient = prepared.problem, np.arange(len(prepared.rows))
    right, ratio = prepared.cholesky()
    independent = _are_independent(problem, right, ratio)
    if prepared.many and not independent and prepared.are_far_apart():
        prepared.take_at_once()
    if not (prepared.many or independent):
        return None, deficient
    if problem.method != "svd":
        deficient = _doubtful(problem, np.sqrt(ratio), right)
    if prepared.many:
        values = prepared.singular_values(deficient)
        dependent = values[:, -1] <= problem.least(values[:, 0])
        deficient = deficient[dependent | (ratio[deficient] <= epsilon(problem.dtype) ** 2)]
    return Normal(problem, right, left=prepared.rows, scale=prepared.scale), deficient


def _by_qr(prepared: Prepared) -> tuple[Factor, Array]:
    """Orthogonal factors, and the places of those whose rank is deficient."""
    problem = prepared.problem
    left, right, order, ratio = prepared.qr()
    deficient = _doubtful(problem, ratio, right, None if prepared.many else prepared.rows)
    if prepared.many and len(deficient) and prepared.are_far_apart():
        prepared.take_at_once()
        left, right, order, ratio = prepared.qr()
        deficient = _doubtful(problem, ratio, right, prepared.rows)
    return QR(problem, right, left=left, order=order, scale=prepared.scale), deficient


def _are_independent(problem: Problem, right: Array, ratio: Array) -> bool:
    """Whether the condition of RᴴR costs double precision no digit of a single-precision x."""
    count, n, _ = right.shape
    e = np.empty((count, n, 1), right.dtype)
    # one step of inverse iteration: x of about the reciprocal of the least eigenvalue
    e[:] = np.cos(np.arange(n))[:, None]
    x = Cholesky(problem, right).solve(e)
    return bool(ratio.min() > _LEAST and np.abs(x).max() * n < 1 / _LEAST)


def _doubtful(problem: Problem, ratio: Array, right: Array, prepared: Array | None = None) -> Array:
    """The places of the matrices whose rank singular values are to tell."""
    # pivots may be far above the least singular value
    coarse = problem.rcond > rank_tolerance(problem.a) or problem.method == "svd"
    if min(ratio.tolist()) > 100 * problem.rcond and not (coarse or problem.floor):
        return _NONE
    doubtful = ratio <= 100 * problem.rcond
    if prepared is not None and doubtful.any():
        some = np.flatnonzero(doubtful)
        doubtful[some] = _ratio_by_rows(prepared[some], right[some]) <= 100 * problem.rcond
    if problem.floor:
        pivots = np.abs(right.diagonal(axis1=1, axis2=2))
        doubtful |= pivots.min(axis=1) <= 100 * problem.floor
    if coarse:
        values = singular_values(np.triu(right))
        doubtful |= values[:, -1] <= problem.least(values[:, 0])
    return np.flatnonzero(doubtful)


def _ratio_by_rows(a: Array, right: Array) -> Array:
    """The least pivot in proportion to the rows of which it is: the largest went to those before,
    and rounding leaves an error of each row's size."""
    sizes = np.sort(np.abs(a).max(axis=2).astype(np.float64), axis=1)
    left = np.hypot.accumulate(sizes, axis=1)[:, : -right.shape[2] - 1 : -1]
    pivots = np.abs(right.diagonal(axis1=1, axis2=2))
    shares = np.divide(pivots, left, out=np.zeros(pivots.shape), where=left > 0)
    least: Array = shares.min(axis=1)
    return least
