"""The metric: a scale for each feature, and a projection that makes the last of them."""

import functools

import numpy as np

from .. import _arrays


def metric_of(dtype, d, length_scale, factors, metric):
    """How many features are the coordinates themselves, the scale of each feature, and the
    projection (D, R) that makes the last of them."""
    if metric is not None:
        if length_scale is not None or factors is not None:
            other = "factors" if length_scale is None else "length_scale"
            raise ValueError(f"metric must come without length_scale and factors, got {other} too")
        projection = _cholesky(_arrays.real("metric", metric, 2), d)
        _arrays.in_range("the Cholesky factor of metric", projection, dtype)
        return 0, np.ones(d, dtype), projection.astype(dtype)
    scale, none = _no_metric(dtype, d)
    if length_scale is not None:
        scale = _inverse(dtype, d, length_scale)
    if factors is None:
        return d, scale, none
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


@functools.lru_cache(maxsize=64)
def _no_metric(dtype, d):
    """The scale of features that have none, and a projection to none."""
    return _arrays.read_only(np.ones(d, dtype)), np.empty((d, 0), dtype)


def _inverse(dtype, d, length_scale):
    length_scale = _arrays.real("length_scale", length_scale)
    if length_scale.shape not in ((), (1,), (d,)):
        raise ValueError(
            f"length_scale must be a scalar or have shape ({d},), one for each column of X, "
            f"got shape {length_scale.shape}"
        )
    # most are told in a glance to be positive, with an inverse that every dtype has
    if all(1e-30 < value < 1e30 for value in length_scale.reshape(-1).tolist()):
        inverse = 1 / length_scale.astype(np.float64, copy=False)
        return np.full(d, inverse, dtype) if inverse.size == 1 else inverse.astype(dtype)
    if not (length_scale > 0).all():
        raise ValueError(f"length_scale must be positive, got {length_scale}")
    with np.errstate(over="ignore"):
        inverse = (1 / length_scale.astype(np.float64)).astype(dtype)
    inverse = np.full(d, inverse) if inverse.size == 1 else inverse
    if not np.isfinite(inverse).all():
        raise ValueError(
            f"length_scale must be at least {1 / np.finfo(dtype).max:.3g} in {dtype}, "
            f"got {length_scale}"
        )
    return inverse


def _cholesky(metric, d):
    """P with P Pᵀ = metric."""
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
        return np.linalg.cholesky(metric / 2 + metric.T / 2)
    except np.linalg.LinAlgError:
        raise ValueError(f"metric must be positive definite, and is not; {advice}") from None
