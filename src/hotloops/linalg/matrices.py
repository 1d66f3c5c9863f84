"""Questions about one matrix: its rank, its condition, its column space, its solution."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from .. import _arrays, _rows
from .._factors import lu
from .._factors.serial import serial
from .._typing import Floats
from .._warnings import warn
from ..lstsq import rank_tolerance
from . import _lapack
from ._common import finite, real
from .rows import normalize_rows


def low_rank(A: ArrayLike, k: int) -> Floats:
    """The matrix of rank k that is closest to A, in the 2-norm and in Frobenius'.

    .. math:: A_k = \\sum_{i \\le k} \\sigma_i u_i v_i^T

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Finite.
    k : int
        From 0 to min(m, n).

    Returns
    -------
    ndarray, shape (..., m, n)
        float32 if A is, else float64.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape, an unfit k.

    Notes
    -----
    By `numpy.linalg.svd`, on one thread, for which Ctrl-C waits; for some components of a huge
    matrix see `scipy.sparse.linalg.svds`.

    Source: Eckart & Young, Psychometrika 1 (1936) 211.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.low_rank([[3.0, 0.0], [0.0, 1.0]], 1)
    array([[3., 0.],
           [0., 0.]])
    """
    a = finite("A", real("A", A, 2))
    k = _arrays.integer("k", k, maximum=min(a.shape[-2:]))
    if not a.size or not k:
        return np.zeros_like(a)

    def closest() -> Floats:
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        product: Floats = (u[..., :k] * s[..., None, :k]) @ vt[..., :k, :]
        return product

    return serial(closest, a.size * min(a.shape[-2:]))


def projection(A: ArrayLike) -> Floats:
    """The orthogonal projection on the space that the columns of A span.

    .. math:: P = U_r U_r^T = A A^+

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Finite, of any rank.

    Returns
    -------
    ndarray, shape (..., m, m)
        Symmetric, P² = P. float32 if A is, else float64.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape.

    Notes
    -----
    By singular vectors of A with columns scaled to length 1, those above max(10, min(m, n))·eps of
    the largest; A (AᵀA)⁻¹ Aᵀ squares the condition, and fails for dependent columns. To project a
    few vectors b takes no P: ``b - hl.LeastSquares(A).residuals(b)``.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.projection([[1.0], [1.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    a = finite("A", real("A", A, 2))
    if not a.size:
        return np.zeros((*a.shape[:-1], a.shape[-2]), a.dtype)
    scaled = normalize_rows(a.swapaxes(-1, -2)).swapaxes(-1, -2)

    def product() -> Floats:
        u, s, _ = np.linalg.svd(scaled, full_matrices=False)
        u *= (s > s[..., :1] * rank_tolerance(a))[..., None, :]
        p: Floats = u @ u.swapaxes(-1, -2)
        return p

    return serial(product, a.size * max(a.shape[-2:]))


@dataclasses.dataclass(frozen=True)
class ConditionReport:
    """The findings of `condition_report`, which print as a paragraph.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    condition : float
        σ_max / σ_min of A, inf for a singular matrix.
    scaled_condition : float
        The same with the columns scaled to length 1.
    rank : int
        Singular values of the scaled matrix above max(10, min(m, n))·eps of its largest.
    digits_lost : float
        log10 of the condition: decimal digits of a solution that rounding of the input may cost.
    digits : float
        Decimal digits of the dtype, 15.7 or 6.9.
    advice : str
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    condition: float
    scaled_condition: float
    rank: int
    digits_lost: float
    digits: float
    advice: str

    def __repr__(self) -> str:
        return (
            f"{' × '.join(map(str, self.shape))}, {self.dtype}, rank {self.rank}\n"
            f"condition {self.condition:.3g}, "
            f"with columns of length 1 {self.scaled_condition:.3g}\n"
            f"digits lost {self.digits_lost:.1f} of {self.digits:.1f}\n"
            f"{self.advice}"
        )


def condition_report(A: ArrayLike) -> ConditionReport:
    """How many digits solving with A costs, and what to do about it.

    Parameters
    ----------
    A : array_like, shape (m, n)
        Finite, not empty.

    Returns
    -------
    ConditionReport

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape.

    Notes
    -----
    The condition is that of the 2-norm, from all singular values; an estimate at a fraction of the
    cost is LAPACK's gecon, which `safe_solve` uses.

    Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, chapter 7.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.condition_report([[1.0, 0.0], [0.0, 1e-9]])
    2 × 2, float64, rank 2
    condition 1e+09, with columns of length 1 1
    digits lost 9.0 of 15.7
    The columns differ in size: in other units, or divided by their lengths, 0.0 digits are lost.
    """
    a = finite("A", _arrays.real("A", A, 2))
    if not a.size:
        raise ValueError(f"A must not be empty, got shape {a.shape}")
    eps = float(np.finfo(a.dtype).eps)
    plain, scaled = (
        _lapack.singular_values(_rows.short(matrix)) for matrix in (a, normalize_rows(a.T).T)
    )
    rank = int((scaled > scaled[0] * rank_tolerance(a)).sum())
    condition, scaled_condition = (
        float(s[0]) / float(s[-1]) if s[-1] > 0 else math.inf for s in (plain, scaled)
    )
    digits, lost, after = -math.log10(eps), math.log10(condition), math.log10(scaled_condition)
    if rank < min(a.shape):
        advice = (
            f"Its columns are dependent, or its rows: rank {rank} of {min(a.shape)}. Take the "
            f"solution of least norm (hl.LeastSquares), drop columns, or regularise (its alpha)."
        )
    elif lost < 3:
        advice = "Well conditioned."
    elif after < lost - 1:
        advice = (
            f"The columns differ in size: in other units, or divided by their lengths, "
            f"{after:.1f} digits are lost."
        )
    elif lost < digits / 2:
        advice = f"Some {max(0, digits - lost):.0f} digits are left; AᵀA would lose twice as many."
    else:
        advice = (
            f"Some {max(0, digits - lost):.0f} digits are left. Do not form AᵀA; centre the "
            f"columns, choose a better basis (orthogonal polynomials, say), or regularise. Where A "
            f"and b are exact, hl.LeastSquares with refine=True keeps the solver's rounding out."
        )
    return ConditionReport(
        a.shape, a.dtype, condition, scaled_condition, rank, lost, digits, advice
    )


def safe_solve(
    A: ArrayLike,
    b: ArrayLike,
    *,
    max_cond: float = 1e12,
    on_ill: Literal["warn", "raise"] = "warn",
) -> Floats:
    """Solve A x = b, and say so where the solution means little.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Finite.
    b : array_like, shape (n,) or (n, k)
        Finite.
    max_cond : float
        The condition number, in the 1-norm, beyond which the system is ill-conditioned; 1 / eps of
        the dtype (4.5e15 or 8.4e6) if that is less.
    on_ill : {"warn", "raise"}
        Then a `scipy.linalg.LinAlgWarning`, or a `numpy.linalg.LinAlgError`.

    Returns
    -------
    ndarray of the shape of b
        float32 if A and b are, else float64.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not real, not finite or not of these shapes, an unfit parameter.
    numpy.linalg.LinAlgError
        For a matrix that is singular, to the last bit; with on_ill="raise", ill-conditioned.

    Notes
    -----
    LAPACK's LU decomposition, and its estimate of the condition (gecon), which is rarely more than
    3 times too small. `numpy.linalg.solve` solves in silence up to a pivot that is exactly 0. For
    right-hand sides that come one after the other see `LeastSquares`, for many small systems
    `solve_many`.

    Cost: that of `scipy.linalg.solve`; the workers share a large matrix.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.safe_solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5])
    """
    a, right = _arrays.real("A", A, 2), _arrays.real("b", b)
    if a.shape[0] != a.shape[1]:
        raise ValueError(
            f"A must be square, got shape {a.shape}: for least squares see hl.LeastSquares"
        )
    if right.ndim not in (1, 2) or len(right) != len(a):
        raise ValueError(
            f"b must have shape ({len(a)},) or ({len(a)}, k) for A of shape {a.shape}, "
            f"got {right.shape}"
        )
    max_cond = _arrays.scalar("max_cond", max_cond, minimum=1)
    _arrays.choice("on_ill", on_ill, ("warn", "raise"))
    dtype = _arrays.common_dtype(a, right)
    a, right = finite("A", a.astype(dtype, order="C")), finite("b", right.astype(dtype))
    if not right.size:
        return right
    names = "getrf", "getrs", "gecon", "lange"
    getrf, getrs, gecon, lange = scipy.linalg.get_lapack_funcs(names, (a,))
    large = len(a) >= lu.LARGE
    if large:
        by_columns, order, _ = lu.factor(a)
        factors = by_columns.T
    else:
        factors, order, _ = serial(lambda: getrf(a), a.size * len(a))
    zeros = np.flatnonzero(factors.diagonal() == 0)
    if len(zeros):
        raise np.linalg.LinAlgError(
            f"A is singular: pivot {zeros[0] + 1} of {len(a)} is 0. hl.LeastSquares(A).solve(b) is "
            f"the least-squares solution of least norm; see hl.linalg.condition_report(A)"
        )
    norm = lange("I", a.T)
    reciprocal, _ = serial(lambda: gecon(factors, norm), a.size)
    limit = min(max_cond, 1 / float(np.finfo(dtype).eps))
    if reciprocal * limit < 1:
        condition = f"about {1 / reciprocal:.1e}" if reciprocal > 0 else "beyond all numbers"
        message = (
            f"A is ill-conditioned: its condition number is {condition}, above {limit:.1e}. "
            f"See hl.linalg.condition_report(A)"
        )
        if on_ill == "raise":
            raise np.linalg.LinAlgError(message)
        warn(message, scipy.linalg.LinAlgWarning)
    x: Floats
    if large:
        x = lu.solve(factors.T, order, right.reshape(len(a), -1)).reshape(right.shape)
    else:
        x = serial(lambda: getrs(factors, order, right)[0], math.inf)  # it exchanges rows
    return x
