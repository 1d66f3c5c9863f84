"""The checks of what a Gaussian process takes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._typing import Array, Rng


def numbers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of float64, all of it finite."""
    array = _arrays.any_array(name, value)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must be real, got {array.dtype}")
    array = _arrays.ready(
        _arrays.real(name, value if array.dtype.kind == "O" else array), np.dtype(np.float64)
    )
    finite = np.isfinite(array)
    if not finite.all():
        index = [int(i) for i in np.argwhere(~finite)[0]]
        bad = array[tuple(index)]
        bad = "NaN" if np.isnan(bad) else bad
        raise ValueError(f"{name} must be finite, got {bad} at {name}{index}")
    return array


def points(X: ArrayLike) -> Array:
    """`X` as rows of at least one finite number."""
    X = numbers("X", X)
    if X.ndim != 2:
        raise ValueError(
            f"X must have shape (N, D), got {X.shape}. Reshape your data: X.reshape(-1, 1) if it "
            f"is one feature, X.reshape(1, -1) if it is one point"
        )
    if not X.shape[1]:
        raise ValueError(f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X


def training_data(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Copies of the points, at least one, and of their targets."""
    X, y = points(X), numbers("y", y)
    if not len(X):
        raise ValueError(f"X must have at least one row, got shape {X.shape}")
    if y.ndim not in (1, 2) or not y.size:
        raise ValueError(f"y must have shape (N,) or (N, n_targets), got {y.shape}")
    if len(X) != len(y):
        raise ValueError(f"X and y must be of one length, got shapes {X.shape} and {y.shape}")
    return X.copy(), y.copy()


def interval(name: str, bounds: Any) -> tuple[float, float] | None:
    """The pair (low, high) of `bounds`; None for "fixed"."""
    if isinstance(bounds, str) and bounds == "fixed":
        return None
    try:
        low, high = map(float, bounds)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 < low <= high < np.inf:
        raise ValueError(
            f"{name}_bounds must be a pair of positive numbers, the lower one first, or "
            f'"fixed", got {bounds!r}'
        )
    return low, high


def generator(random_state: Rng) -> np.random.Generator | np.random.RandomState:
    """`random_state` as what draws numbers: itself, or a generator made from a seed."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return _arrays.generator("random_state", random_state)


def scale_exponent(y: Array) -> Array:
    """The e with which y / 2ᵉ has entries around 1, whose squares neither overflow nor underflow:
    one for each column."""
    exponent: Array = np.frexp(np.abs(y).max(axis=0, initial=0))[1]
    return exponent
