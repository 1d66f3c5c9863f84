"""What the families of functions share: checks, centred data, and what a product costs."""

import numpy as np

from .. import _arrays

FLOP = 0.02  # ns a multiplication in a matrix product


def real(name, value, ndim):
    """`value` as a real array of `ndim` dimensions or more."""
    array = _arrays.real(name, value)
    if array.ndim < ndim:
        raise ValueError(f"{name} must have at least {ndim} dimension(s), got shape {array.shape}")
    return array


def finite(name, array):
    """The array, all of it finite."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or inf")
    return array


def centred(x):
    """x less its mean, and the mean in double precision: once more for what its rounding leaves."""
    mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    deviations = np.subtract(x, mean, order="F")  # LAPACK overwrites it: no copy
    rest = deviations.mean(axis=0, dtype=np.float64).astype(x.dtype)
    deviations -= rest
    return deviations, mean + rest.astype(np.float64)
