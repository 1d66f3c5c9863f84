"""Where the fit of a Gaussian process starts, and its bounds, from the data.

All of it follows the units of the data: of 2ᵏ times the values what is in their units comes out
2ᵏ times as large, to the bit.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _arrays
from .._factors.serial import serial
from .._typing import Array
from ._checks import scale_exponent
from ._likelihood import Likelihood
from ._parameters import Values

# in units of the data; all are powers of two, so that dividing by these gives them back exactly
_NOISE = 2.0**-7
_BOUNDS = {
    "length_scale": (2.0**-7, 2.0**10),
    "variance": (2.0**-20, 2.0**13),
    "noise_variance": (2.0**-27, 2.0**7),
}
FROM_DATA = tuple(_BOUNDS)  # the hyperparameters that have a start if none is given
EVERYTHING = np.finfo(np.float64).tiny, np.finfo(np.float64).max  # bounds

# the multiples of the start, and the number of points, by which the best start is chosen
_LENGTHS = 2.0 ** np.arange(-6, 4)
_VARIANCES = 10.0 ** np.arange(-1, 2.1, 0.5)
_NOISES = 10.0 ** np.arange(-5, 2.1, 0.5)
_MOST = 128


# --- the target ------------------------------------------------------------------------------


def target_of(y: Array, normalize_y: Any, variance: Any) -> tuple[Array, Array, Array]:
    """What is fitted, and the mean and the standard deviation that were taken out of y."""
    if normalize_y is None:
        normalize_y = "mean" if variance is None else False
    if isinstance(normalize_y, str):
        _arrays.choice("normalize_y", normalize_y, ("mean",), ", and not None, True or False")
        return _centred(y)
    return _normalised(y) if normalize_y else (y, np.zeros(y.shape[1:]), np.ones(y.shape[1:]))


def _normalised(y: Array) -> tuple[Array, Array, Array]:
    """y less its mean and over its standard deviation, and these two."""
    exponent, y, mean, std, varies = _moments(y)
    scale = np.where(varies, np.ldexp(std, exponent), 1.0)
    return (y - mean) / std, np.ldexp(mean, exponent), scale


def _centred(y: Array) -> tuple[Array, Array, Array]:
    """y less its mean, and several targets over what makes their deviations equal and keeps the
    mean of the squares of these; the means and the divisors."""
    exponent, _, mean, std, varies = _moments(y)
    mean = np.ldexp(mean, exponent)
    if not varies.any():
        return y - mean, mean, np.ones(y.shape[1:])
    most = exponent[varies].max() if y.ndim > 1 else exponent
    std = np.ldexp(std, exponent - most)
    divisor = np.where(varies, std / np.sqrt(np.mean(std[varies] ** 2)), 1.0)
    return (y - mean) / divisor, mean, divisor


def _moments(y: Array) -> tuple[Array, Array, Array, Array, Array]:
    """The power of two, y over it, mean and standard deviation of that, and where it varies."""
    exponent = scale_exponent(y)
    y = np.ldexp(y, -exponent)
    # a constant has no scale, whatever rounding makes of its mean and deviation
    varies = _varies(y)
    mean, std = np.where(varies, y.mean(axis=0), y[0]), np.where(varies, y.std(axis=0), 1.0)
    return exponent, y, mean, std, varies


# --- hyperparameters and bounds --------------------------------------------------------------


class Start:
    """What the data give for hyperparameters and bounds that are None.

    `length` is √D times the standard deviation of each column, or without `ard` of all of them
    together: the mean of q over all pairs of points is about 2. `square` is the mean of the squares
    of the target.
    """

    def __init__(self, X: Array, y: Array, target: Array, ard: bool) -> None:
        spread = _spread(X)
        if not ard:
            exponent = scale_exponent(spread)
            spread = np.ldexp(np.sqrt(np.mean(np.ldexp(spread, -exponent) ** 2)), exponent)
        self.length = np.sqrt(X.shape[1]) * spread
        self.square, self.n = _mean_square(target if target.any() else y), len(X)

    def value(self, name: str) -> Any:
        """Where the hyperparameter of this name starts."""
        if name == "length_scale":
            return self.length
        self._check()
        return {"variance": self.square, "noise_variance": _NOISE * self.square}[name]

    def bounds(self, name: str, value: Any) -> tuple[Any, Any]:
        """Bounds that contain the value, if that is positive."""
        low, high = _BOUNDS[name]
        unit: Any = self.length
        if name == "length_scale":
            low = min(low, 0.5 ** np.ceil(np.log2(self.n)))  # as near as points on a line may be
        else:
            self._check()
            unit = self.square
        possible = (value > 0) & np.isfinite(value)
        lowest = np.where(possible, np.minimum(low * unit, value), low * unit)
        highest = np.where(possible, np.maximum(high * unit, value), high * unit)
        return lowest[()], highest[()]

    def _check(self) -> None:
        """An error if there is no variance in the units of y."""
        if not 1e-280 < self.square < 1e280:
            raise ValueError(
                f"y must have squares that double precision holds, got a mean square of "
                f"{self.square:g}: pass normalize_y=True, or y in other units"
            )

    def units(self, *, exact: bool) -> Values:
        """By the name of the hyperparameter; with `exact` the powers of two near these."""
        length, square = self.length, self.square
        if exact:
            length = np.ldexp(1.0, np.frexp(length)[1])
            square = np.ldexp(1.0, 2 * (np.frexp(square)[1] // 2))  # that of y is its root
        return {"length_scale": length, "factors": 1 / np.reshape(length, (-1, 1)),
                "rq_alpha": 1.0, "variance": square, "noise_variance": square}  # fmt: skip


def _varies(y: Array) -> Array:
    """Which columns are not constant, but for rounding."""
    varies: Array = np.ptp(y, axis=0) > 4 * np.finfo(y.dtype).eps * np.abs(y).max(axis=0)
    return varies


def _spread(X: Array) -> Array:
    """The standard deviation of each column; of a constant one its size, and 1 where that is 0."""
    exponent = scale_exponent(X)
    scaled = np.ldexp(X, -exponent)
    varies, size = _varies(scaled), np.abs(scaled[0])
    constant = np.where(size > 0, size, 1.0)
    return np.ldexp(np.where(varies, scaled.std(axis=0), constant), exponent)


def _mean_square(y: Array) -> float:
    """The mean of y²; of zeros 1."""
    exponent = int(scale_exponent(y.ravel()))
    with np.errstate(over="ignore"):
        square = np.ldexp(np.mean(np.ldexp(y, -exponent) ** 2), 2 * exponent)
    return float(square) if y.any() else 1.0


def rounded(values: Array) -> Array:
    """Data in units of their own to 2⁻³²: the same in any units that they came in, which leave
    their rounding errors of 2⁻⁵³ behind."""
    return np.ldexp(np.rint(np.ldexp(values, 32)), -32)


# --- the best of a grid ----------------------------------------------------------------------


def starts(likelihood: Likelihood, names: Sequence[str]) -> list[Values]:
    """The values that a fit starts from: what `names` names takes the best multiples of a grid.
    Where the likelihood has several maxima along the length scale, those of the best two.

    With the covariance K = U diag(d) Uᵀ of unit variance, the log likelihood of a variance v and a
    noise s is −½ Σ (Uᵀy)² / (v d + s) − ½ Σ log(v d + s): each length scale takes one
    decomposition, which all variances and noises share.
    """
    parameters = likelihood.parameters
    values = parameters.values
    rows = _some(likelihood.X)
    X, y = likelihood.X[rows], likelihood.y[rows]

    def multiples(name: str, factors: Array) -> Array:
        found: Array = np.mean(values[name]) * (factors if name in names else np.ones(1))
        return found

    v, s = np.meshgrid(multiples("variance", _VARIANCES), multiples("noise_variance", _NOISES))
    v, s = v.reshape(-1, 1), s.reshape(-1, 1)
    found = []
    for factor in _LENGTHS if "length_scale" in names else np.ones(1):
        trial = parameters.inside(values | {"length_scale": factor * values["length_scale"]})
        k = likelihood.covariance(trial | {"variance": 1.0})(X)
        d, u = serial(functools.partial(np.linalg.eigh, k), len(k) ** 3)
        power = ((u.T @ y) ** 2).sum(axis=1)
        # what rounding leaves of an eigenvalue of 0 may be negative
        a = v * np.maximum(d, 1e-15 * len(d)) + s + likelihood.jitter
        level = -0.5 * (power / a + y.shape[1] * np.log(a)).sum(axis=1)
        best = int(np.argmax(level))
        chosen = {"variance": float(v[best, 0]), "noise_variance": float(s[best, 0])}
        trial |= {name: value for name, value in chosen.items() if name in names}
        found.append((level[best], parameters.inside(trial)))
    level = np.array([-np.inf, *(level for level, _ in found), -np.inf])
    peaks = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]))
    highest = peaks[np.argsort(-level[1:-1][peaks], kind="stable")[:2]]
    return [found[k][1] for k in highest]


def _some(X: Array) -> Array:
    """Which rows stand for all: at most _MOST, half of them at random, and half the nearest to one
    of these, for what is fine is seen from near."""
    if len(X) <= _MOST:
        return np.arange(len(X))
    order, half = np.random.default_rng(0).permutation(len(X)), _MOST // 2
    chosen, rest = order[:half], order[half:]
    distances = ((X[rest] - X[chosen[0]]) ** 2).sum(axis=1)
    return np.append(chosen, rest[np.argsort(distances, kind="stable")[:half]])
