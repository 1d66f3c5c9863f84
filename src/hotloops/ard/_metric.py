"""The metric: a scale for each feature, and a projection that makes the last of them."""

import functools
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._factors.serial import serial
from .._typing import Array, Floats

#: How many features are the coordinates themselves, D or 0; the scale of each feature; and the
#: matrix (D, R) that makes the other features of the coordinates.
Metric: TypeAlias = tuple[int, Floats, Floats]


def metric_of(
    dtype: np.dtype[Any],
    d: int,
    length_scale: ArrayLike | None,
    factors: ArrayLike | None,
    metric: ArrayLike | None,
) -> Metric:
    """The metric that a user's arguments ask for, after their checks."""
    if metric is not None:
        if length_scale is not None or factors is not None:
            other = "factors" if length_scale is None else "length_scale"
            raise ValueError(f"metric must come without length_scale and factors, got {other} too")
        projection = _cholesky(_arrays.real("metric", metric, 2), d)
        _arrays.in_range("the Cholesky factor of metric", projection, dtype)
        return 0, np.ones(d, dtype), projection.astype(dtype)
    identity = _identity(dtype, d)
    if length_scale is None and factors is None:
        return identity
    _, scale, projection = identity
    if type(length_scale) is float:
        scale = _inverse_of_number(dtype, d, length_scale)
    elif length_scale is not None:
        scale = _inverse(dtype, d, length_scale)
    if factors is None:
        return d, scale, projection
    factors = _arrays.real("factors", factors, 2)
    _arrays.in_range("factors", factors, dtype)
    projection = _arrays.ready(factors, dtype)
    if len(projection) != d:
        raise ValueError(
            f"factors must have one row for each of the {d} columns of X, "
            f"got shape {projection.shape}"
        )
    if length_scale is None:
        scale = scale[:0]
    return len(scale), np.append(scale, np.ones(projection.shape[1], dtype)), projection


@functools.lru_cache(maxsize=16)
def _identity(dtype: np.dtype[Any], d: int) -> Metric:
    """The metric of what has none: arrays that all calls share."""
    return d, _arrays.read_only(np.ones(d, dtype)), np.empty((d, 0), dtype)


_FLOAT64 = np.dtype(np.float64)


def _inverse(dtype: np.dtype[Any], d: int, length_scale: ArrayLike) -> Floats:
    """1 / length_scale for each of the D features."""
    lengths = _arrays.real("length_scale", length_scale)
    if lengths.shape not in ((), (1,), (d,)):
        raise ValueError(
            f"length_scale must be a scalar or have shape ({d},), one for each column of X, "
            f"got shape {lengths.shape}"
        )
    _, ones, _ = _identity(_FLOAT64, d)
    # most are told in a glance to be positive, with an inverse that every dtype has
    if all(1e-30 < length < 1e30 for length in lengths.ravel().tolist()):
        inverse: Floats = (ones / lengths).astype(dtype, copy=False)
        return inverse
    if not (lengths > 0).all():
        raise ValueError(f"length_scale must be positive, got {lengths}")
    with np.errstate(over="ignore"):
        inverse = (ones / lengths).astype(dtype)
    if not np.isfinite(inverse).all():
        raise ValueError(
            f"length_scale must be at least {1 / np.finfo(dtype).max:.3g} in {dtype}, got {lengths}"
        )
    return inverse


@functools.lru_cache(maxsize=16)
def _inverse_of_number(dtype: np.dtype[Any], d: int, length_scale: float) -> Floats:
    """The inverse of one number for each of the D features, the same array for many calls."""
    return _arrays.read_only(_inverse(dtype, d, length_scale))


def _cholesky(metric: Array, d: int) -> Array:
    """The matrix P with P Pᵀ = metric."""
    if metric.shape != (d, d):
        raise ValueError(
            f"metric must have shape ({d}, {d}) for {d} columns of X, got {metric.shape}"
        )
    advice, eps = "if M = F Fᵀ, pass F as factors", np.finfo(metric.dtype).eps
    # an inverse or a product carries rounding; x^T M x sees the symmetric part only
    metric = metric.astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.sqrt(np.abs(np.diagonal(metric)))
        asymmetry = np.abs(metric - metric.T) / (size[:, None] * size)
    if not (asymmetry[metric != metric.T] <= 100 * d * eps).all():
        raise ValueError(
            f"metric must be symmetric, got entries that differ from those across the diagonal by "
            f"{asymmetry[metric != metric.T].max():.3g} of the geometric mean of theirs on the "
            f"diagonal; {advice}"
        )
    try:
        return serial(lambda: np.linalg.cholesky(metric / 2 + metric.T / 2), d**3)
    except np.linalg.LinAlgError:
        raise ValueError(f"metric must be positive definite, and is not; {advice}") from None
