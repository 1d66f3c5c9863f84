"""What Gaussian processes take, and the classes of what they raise."""

import functools

import numpy as np

from .. import _arrays

BASES = {"NotFittedError": (ValueError, AttributeError), "ConvergenceWarning": (UserWarning,)}


@functools.cache
def exception(name):
    """scikit-learn's class of this name; without scikit-learn one like it."""
    try:
        from sklearn import exceptions
    except ImportError:
        return type(name, BASES[name], {"__module__": "hotloops.gp"})
    return getattr(exceptions, name)


def numbers(name, value):
    """`value` as an array of float64, finite."""
    array = _arrays.any_array(name, value)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must be real, got {array.dtype}")
    array = _arrays.ready(
        _arrays.real(name, value if array.dtype.kind == "O" else array), np.float64
    )
    finite = np.isfinite(array)
    if not finite.all():
        index = [int(i) for i in np.argwhere(~finite)[0]]
        bad = array[tuple(index)]
        bad = "NaN" if np.isnan(bad) else bad
        raise ValueError(f"{name} must be finite, got {bad} at {name}{index}")
    return array


def scale_exponent(y):
    """The e with which y / 2ᵉ has entries around 1, whose squares neither overflow nor underflow:
    one for each column."""
    return np.frexp(np.abs(y).max(axis=0, initial=0))[1]


def points(X):
    X = numbers("X", X)
    if X.ndim != 2:
        raise ValueError(
            f"X must have shape (N, D), got {X.shape}. Reshape your data: X.reshape(-1, 1) if it "
            f"is one feature, X.reshape(1, -1) if it is one point"
        )
    if not X.shape[1]:
        raise ValueError(f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X


def interval(name, bounds):
    """(low, high); None for "fixed"."""
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


def generator(random_state):
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return _arrays.generator("random_state", random_state)
