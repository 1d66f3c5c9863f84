"""Linear models with an intercept."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays, _feature_names
from .._typing import Floats
from ..lstsq import Differences, LeastSquares
from ._common import Named, centred, finite, real


class _Pair(NamedTuple):
    coef: Floats
    intercept: Any  # a number or an array, as y has one dimension or two


class LinearModel(_Pair, Named):
    """The pair (coef, intercept) that `linear_regression` and `ridge_regression` return.

    Attributes
    ----------
    coef : ndarray, shape (d,) or (d, t)
    intercept : number or ndarray, shape (t,)
    feature_names_in_ : ndarray of str, shape (d,)
        The names of X's columns, if all have names that are strings. `predict` refuses a frame
        whose columns are others, or in another order; for a frame without such names, or after a
        fit without, it warns.

    Examples
    --------
    >>> import hotloops as hl
    >>> model = hl.linalg.linear_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.predict([[3.0]]).round(12)
    array([7.])
    """

    def predict(self, X: ArrayLike) -> Floats:
        """The predictions X @ coef + intercept for rows X (..., d)."""
        _feature_names.check(self, X)
        x, d = real("X", X, 1), len(self.coef)
        if x.shape[-1] != d:
            raise ValueError(f"X must have {d} column(s), got shape {x.shape}")
        predictions: Floats = x @ self.coef + self.intercept
        return predictions


def linear_regression(X: ArrayLike, y: ArrayLike) -> LinearModel:
    """Ordinary least squares with an intercept.

    .. math:: \\min_{w, c} \\sum_i |y_i - x_i w - c|^2

    Parameters
    ----------
    X : array_like, shape (n, d)
        Finite, without a column of ones.
    y : array_like, shape (n,) or (n, t)
        Finite.

    Returns
    -------
    LinearModel
        The pair (coef, intercept), whose `predict(X)` is ``X @ coef + intercept``. coef is an
        ndarray of shape (d,) or (d, t): of the w that fit equally well that of least norm;
        intercept is a number, or an ndarray of shape (t,). float32 if X and y are, else float64.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not real, not finite or not of these shapes.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        Where more than one w fits best: X has columns that are dependent, or constant but for
        rounding, or n ≤ d. It names the rank of the centred X.

    Notes
    -----
    X and y are centred first, as the intercept then follows, and an offset of the data does not
    spoil the condition. The rest is `LeastSquares`, which has weights, covariances and leverages
    too: the units of X's columns do not matter to the rank, and their offsets do, as they would
    beside a column of ones: what is left of a dependence is below 4 eps of the mean.

    Cost and memory: as `LeastSquares`, and a centred copy of X and y.

    Source: Björck, *Numerical Methods for Least Squares Problems*, 1996, section 2.7.

    Examples
    --------
    >>> import hotloops as hl
    >>> coef, intercept = hl.linalg.linear_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> print(f"{coef[0]:.3f} {intercept:.3f}")
    2.000 1.000
    """
    return _regression(X, y, 0.0)


def ridge_regression(X: ArrayLike, y: ArrayLike, alpha: float) -> LinearModel:
    """Least squares with a penalty on the coefficients, not on the intercept.

    .. math:: \\min_{w, c} \\sum_i |y_i - x_i w - c|^2 + \\alpha |w|^2

    Parameters
    ----------
    X, y
        As in `linear_regression`.
    alpha : float
        α, not negative, as in scikit-learn's `Ridge`.

    Returns
    -------
    LinearModel
        As in `linear_regression`.

    Raises
    ------
    TypeError, ValueError
        As in `linear_regression`, and for a negative alpha.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        As `linear_regression`, with alpha = 0 alone.

    Notes
    -----
    As in `linear_regression`, with √α times the identity, of size d, below the centred X. The
    penalty depends on the units of X: scale its columns first if they are of different kinds. Many
    penalties cost little more than one with `LeastSquares.ridge_path`.

    Source: Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, 2009, section
    3.4.1.

    Examples
    --------
    >>> import hotloops as hl
    >>> coef, intercept = hl.linalg.ridge_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], 2.0)
    >>> print(f"{coef[0]:.3f} {intercept:.3f}")
    1.000 2.000
    """
    return _regression(X, y, _arrays.scalar("alpha", alpha, minimum=0))


def _regression(X: ArrayLike, y: ArrayLike, alpha: float) -> LinearModel:
    """The linear model of centred data, with a penalty alpha on its coefficients."""
    names = _feature_names.of(X)
    x, target = _arrays.real("X", X, 2), _arrays.real("y", y)
    if target.ndim not in (1, 2) or len(target) != len(x) or not len(x):
        raise ValueError(
            f"X must have shape (n, d) and y (n,) or (n, t), n > 0, "
            f"got {x.shape} and {target.shape}"
        )
    dtype = _arrays.common_dtype(x, target)
    _arrays.in_range("alpha", alpha, dtype)
    x, x_mean = centred(finite("X", x).astype(dtype, copy=False))
    target, y_mean = centred(finite("y", target).astype(dtype, copy=False))
    # LeastSquares sees columns of any size, and rounding leaves something of a constant one
    x[:, np.ptp(x, axis=0) <= 4 * np.finfo(dtype).eps * np.abs(x_mean)] = 0
    if alpha:
        fit = LeastSquares(x, alpha=alpha)
    else:
        fit = Differences(x, math.sqrt(len(x)) * np.abs(x_mean))
    coef: Any = fit.solve(target)  # real, as x and y are
    intercept = (y_mean - x_mean @ coef).astype(dtype)
    return _feature_names.keep(LinearModel(coef, intercept), names)
