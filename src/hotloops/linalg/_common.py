"""Checks, centred data and the cost of a product, which the families of functions share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _arrays
from .._typing import Floats

FLOP = 0.02  # ns a multiplication in a matrix product


class Named:
    """A result that may keep the names of the columns it was fitted to."""

    feature_names_in_: NDArray[np.object_]


def real(name: str, value: Any, ndim: int) -> Floats:
    """`value` as a real array of `ndim` dimensions or more."""
    array = _arrays.real(name, value)
    if array.ndim < ndim:
        raise ValueError(f"{name} must have at least {ndim} dimension(s), got shape {array.shape}")
    return array


def finite(name: str, array: Floats) -> Floats:
    """The array, after a check that all of it is finite."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or inf")
    return array


def centred(x: Floats) -> tuple[Floats, Floats]:
    """x less the mean of its rows, which is taken twice, as its rounding leaves a mean of its own;
    and the mean in double precision."""
    count = len(x)
    mean = (np.add.reduce(x, dtype=np.float64) / count).astype(x.dtype)
    deviations = np.subtract(x, mean, order="F")  # LAPACK overwrites it: no copy
    rest = (np.add.reduce(deviations, dtype=np.float64) / count).astype(x.dtype)
    deviations -= rest
    return deviations, mean + rest.astype(np.float64)
