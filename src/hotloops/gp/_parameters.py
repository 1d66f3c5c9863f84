"""The hyperparameters of a Gaussian process, and theta, the vector of those that are free."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._logarithms import exp_of
from .._typing import Array

#: A number or an array of numbers for each hyperparameter, by its name.
Values: TypeAlias = dict[str, Any]
#: The lowest and the highest of these.
Bounds: TypeAlias = dict[str, tuple[Any, Any]]

_LOGARITHMS = -708.0, 709.0  # of numbers that double precision holds in full
_LARGEST = float(np.finfo(np.float64).max)
_NEAR = 1e-5  # how near to a bound, relatively, is at it: what scikit-learn takes


class Parameters:
    """The hyperparameters by name, and theta, the vector of those that are free.

    Theta holds the logarithms of what is positive, and factors as they are.

    Attributes
    ----------
    values : of all hyperparameters; a new set of values is a new object, by `with_values`
    bounds : of those that are free, numbers or arrays of the value's shape; of factors infinite
    names : what each entry of theta is, such as "length_scale[0]"
    free : the names of the hyperparameters that are free, in the order of theta
    factor_unit, factor_draws : factors start as the product of these two
    """

    def __init__(
        self,
        values: Values,
        bounds: Bounds,
        factor_unit: Array | float = 1.0,
        factor_draws: Array | float = 0.0,
    ) -> None:
        self.values, self.bounds = values, bounds
        self.factor_unit, self.factor_draws = factor_unit, factor_draws
        self.free = [name for name in values if name in bounds]
        self.names: list[str] = []
        self._positive: Array | bool
        self._places: list[tuple[str, slice, tuple[int, ...]]] = []
        for name in self.free:
            shape, start = np.shape(values[name]), len(self.names)
            self._places.append((name, slice(start, start + math.prod(shape)), shape))
            indices = itertools.product(*map(range, shape))
            self.names += [f"{name}{list(k)}" if k else name for k in indices]
        self._positive = ~self.are("factors") if "factors" in bounds else True
        low, high = (
            _join(np.zeros(shape) + bounds[name][k] for name, _, shape in self._places)
            for k in (0, 1)
        )
        self._numbers = _join(values[name] for name in self.free), low, high
        self._logarithms = tuple(
            np.log(number, out=number.copy(), where=self._positive) for number in self._numbers
        )
        self._possible = (
            np.where(self._positive, _LOGARITHMS[0], -_LARGEST),
            np.where(self._positive, _LOGARITHMS[1], _LARGEST),
        )

    def with_factors(
        self, d: int, n_factors: int, rng: np.random.Generator | np.random.RandomState
    ) -> "Parameters":
        """These hyperparameters, and factors of shape (d, n_factors), small random numbers."""
        if not n_factors:
            return self
        # an inverse length is the unit of a factor
        length = np.broadcast_to(self.values["length_scale"], d)
        unit = np.where(np.isfinite(length), 1 / length, 1)[:, None]
        draws = 0.1 * rng.normal(size=(d, n_factors))
        first = {"length_scale": self.values["length_scale"], "factors": unit * draws}
        return Parameters(
            first | {name: value for name, value in self.values.items() if name not in first},
            self.bounds | {"factors": (-np.inf, np.inf)},
            unit,
            draws,
        )

    def with_values(self, values: Values) -> "Parameters":
        """Hyperparameters with these values and the bounds that are here."""
        return Parameters(values, self.bounds, self.factor_unit, self.factor_draws)

    @property
    def theta(self) -> Array:
        """The vector of what is free, shape (size,)."""
        return self._logarithms[0].copy()

    @property
    def limits(self) -> Array:
        """The bounds of theta, shape (size, 2)."""
        return np.stack(self._logarithms[1:], axis=1)

    def theta_of(self, values: Values) -> Array:
        """The theta that stands for these values."""
        return self.with_values(values).theta

    def draw(self, rng: np.random.Generator | np.random.RandomState) -> Array:
        """A theta from anywhere within the bounds."""
        parts = []
        for name, _, shape in self._places:
            if name == "factors":
                parts.append(self.factor_unit * rng.normal(size=shape))
            else:
                low, high = np.log(self.bounds[name])
                parts.append(rng.uniform(low, high, shape))
        return _join(parts)

    def at(self, theta: Array) -> Values:
        """The values that theta stands for, as `exp_within`."""
        entries = exp_of(theta, self._numbers, self._logarithms, self._positive)
        values = dict(self.values)
        for name, place, shape in self._places:
            values[name] = entries[place].reshape(shape) if shape else float(entries[place][0])
        return values

    def inside(self, values: Values) -> Values:
        """`values`, where each that is free is moved to the nearest number within its bounds."""
        moved = dict(values)
        for name, _, shape in self._places:
            low, high = self.bounds[name]
            value = np.minimum(np.maximum(values[name], low), high)
            moved[name] = value if shape else float(value)
        return moved

    def at_bounds(self) -> list[tuple[str, str, str]]:
        """(name of the hyperparameter, of the entry, "lower" or "upper") of what is at a bound and
        could be elsewhere."""
        held, low, high = self._numbers
        lower, upper = held <= low * (1 + _NEAR), held >= high * (1 - _NEAR)
        return [
            (entry.partition("[")[0], entry, "lower" if lower[k] else "upper")
            for k, entry in enumerate(self.names)
            if lower[k] != upper[k]
        ]

    def scaled(self, units: Values) -> "Parameters":
        """These hyperparameters in units, which have their names."""
        values = in_units(self.values, units)
        bounds = {
            name: (low / units[name], high / units[name])
            for name, (low, high) in self.bounds.items()
        }
        unit = self.factor_unit / units["factors"]
        if "factors" in values:
            values["factors"] = unit * self.factor_draws
        return Parameters(values, bounds, unit, self.factor_draws)

    def unscaled(self, values: Values, units: Values) -> Values:
        """Values that came in these units, without them; what is not free is what it was."""
        free = {name: values[name] * units[name] for name in self.free}
        return self.inside(self.values | free)

    def chain(self, values: Values, gradients: Mapping[str, Any]) -> Array:
        """The gradient with respect to theta, from those with respect to the values."""
        return _join(
            gradients[name] if name == "factors" else values[name] * gradients[name]
            for name in self.free
        )

    def possible(self, theta: Array) -> Array:
        """Which entries of theta stand for a number that double precision holds."""
        least, largest = self._possible
        return (least <= theta) & (theta <= largest)

    def are(self, *free: str) -> Array:
        """Which entries of theta belong to these."""
        return np.array([name.partition("[")[0] in free for name in self.names], bool)

    def check(self, name: str, theta: ArrayLike) -> Array:
        """`theta` as an array, if there are values that it stands for."""
        vector: Array = _arrays.real(name, theta).astype(np.float64)
        if vector.shape != (len(self.names),) or not np.isfinite(vector).all():
            raise ValueError(
                f"{name} must be {len(self.names)} finite number(s), one for each of "
                f"{self.names}, got {vector}"
            )
        for k in np.flatnonzero(~self.possible(vector)):
            low, high = _LOGARITHMS
            raise ValueError(
                f"{name}[{k}], the logarithm of {self.names[k]}, must be in [{low:g}, {high:g}], "
                f"got {vector[k]:g}"
            )
        return vector

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


def in_units(values: Values, units: Values) -> Values:
    """The values over the units of the same names."""
    return {name: value / units[name] for name, value in values.items()}


def _join(parts: Iterable[ArrayLike]) -> Array:
    """All numbers of the parts in one vector."""
    return np.concatenate([np.empty(0), *(np.asarray(part).reshape(-1) for part in parts)])
