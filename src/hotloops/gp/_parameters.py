"""The hyperparameters of a Gaussian process, and theta, the vector of those that are free."""

import copy

import numpy as np

from .. import _arrays

_LOGARITHMS = -708.0, 709.0  # of numbers that double precision holds in full
_NEAR = 1e-5  # how near to a bound, relatively, is at it: what scikit-learn takes


def exp_within(theta, held, low, high):
    """exp(theta), but of log(held) exactly `held`, and of what is from log(low) to log(high) a
    number from low to high, whatever rounding makes of exp and log."""
    values = np.where(theta == np.log(held), held, np.exp(theta))
    inside = (np.log(low) <= theta) & (theta <= np.log(high))
    return np.where(inside, np.clip(values, low, high), values)


class Parameters:
    """The hyperparameters by name, and theta, the vector of those that are free.

    `bounds` holds (low, high) of each that is free, numbers or arrays of the value's shape.
    """

    def __init__(self, values, bounds, d, n_factors, rng):
        values = {name: value if value.ndim else float(value) for name, value in values.items()}
        self.bounds = {name: bounds[name] for name in values if bounds[name] is not None}
        if n_factors:
            # an inverse length is the unit of a factor
            scale = np.broadcast_to(values["length_scale"], d)
            self.unit = np.where(np.isfinite(scale), 1 / scale, 1)[:, None]
            self.normal = 0.1 * rng.normal(size=(d, n_factors))
            factors = self.unit * self.normal
            values = {"length_scale": values.pop("length_scale"), "factors": factors, **values}
            self.bounds["factors"] = None
        self.values = values
        self.free = [name for name in values if name in self.bounds]
        self.names = [
            name + (str(list(index)) if index else "")
            for name in self.free
            for index in np.ndindex(np.shape(values[name]))
        ]

    @property
    def theta(self):
        return self.theta_of(self.values)

    def theta_of(self, values):
        return self._join(
            values[name] if name == "factors" else np.log(values[name]) for name in self.free
        )

    @property
    def limits(self):
        """The bounds of theta, shape (len(theta), 2)."""
        return np.stack([
            self._join(
                np.broadcast_to(self._limits(name)[k], np.shape(self.values[name]))
                for name in self.free
            )
            for k in (0, 1)
        ], axis=1)  # fmt: skip

    def _limits(self, name):
        return (-np.inf, np.inf) if name == "factors" else np.log(self.bounds[name])

    def draw(self, rng):
        """A theta from anywhere within the bounds."""
        parts = []
        for name in self.free:
            shape = np.shape(self.values[name])
            if name == "factors":
                parts.append(self.unit * rng.normal(size=shape))
            else:
                parts.append(rng.uniform(*self._limits(name), size=shape))
        return self._join(parts)

    def at(self, theta):
        """The values that theta stands for, as `exp_within`."""
        values, start = dict(self.values), 0
        for name in self.free:
            shape = np.shape(values[name])
            stop = start + int(np.prod(shape))
            part = theta[start:stop].reshape(shape)
            part = (
                part.copy()
                if name == "factors"
                else exp_within(part, self.values[name], *self.bounds[name])
            )
            values[name], start = part if shape else float(part), stop
        return values

    def inside(self, values):
        """`values`, where what is free is moved to the nearest within its bounds."""
        moved = {name: np.clip(values[name], *self.bounds[name])
                 for name in self.free if name != "factors"}  # fmt: skip
        return values | {name: v if v.ndim else float(v) for name, v in moved.items()}

    def at_bounds(self):
        """(name of the hyperparameter, of the entry, "lower" or "upper") of what is at a bound and
        could be elsewhere."""
        names, found = iter(self.names), []
        for name in self.free:
            values = np.asarray(self.values[name])
            low, high = (-np.inf, np.inf) if name == "factors" else self.bounds[name]
            lower, upper = values <= low * (1 + _NEAR), values >= high * (1 - _NEAR)
            for is_low, is_high in zip(lower.ravel(), upper.ravel(), strict=True):
                entry = next(names)
                if is_low != is_high:
                    found.append((name, entry, "lower" if is_low else "upper"))
        return found

    def scaled(self, units):
        """The same in these units by name."""
        new = copy.copy(self)
        new.values = in_units(self.values, units)
        low, high = (
            in_units({name: b[k] for name, b in self.bounds.items() if b is not None}, units)
            for k in (0, 1)
        )
        new.bounds = {name: (low[name], high[name]) if name in low else None
                      for name in self.bounds}  # fmt: skip
        if "factors" in self.values:
            new.unit = self.unit / units["factors"]
            new.values["factors"] = new.unit * self.normal
        return new

    def unscaled(self, values, units):
        """Values in these units as they are; what is not free is what it was."""
        free = {name: values[name] * units[name] for name in self.free}
        return self.inside(self.values | free)

    def chain(self, values, gradients):
        """The gradient with respect to theta, from those with respect to the values."""
        return self._join(
            gradients[name] if name == "factors" else values[name] * gradients[name]
            for name in self.free
        )

    def possible(self, theta):
        """Which entries of theta stand for a number that double precision holds."""
        low, high = _LOGARITHMS
        return np.where(self.are("factors"), np.isfinite(theta), (low <= theta) & (theta <= high))

    def are(self, *free):
        """Which entries of theta belong to these."""
        return np.array([name.split("[")[0] in free for name in self.names], bool)

    def check(self, name, theta):
        """`theta` as an array, if there are values that it stands for."""
        theta = _arrays.real(name, theta).astype(np.float64)
        if theta.shape != (len(self.names),) or not np.isfinite(theta).all():
            raise ValueError(
                f"{name} must be {len(self.names)} finite number(s), one for each of "
                f"{self.names}, got {theta}"
            )
        for k in np.flatnonzero(~self.possible(theta)):
            low, high = _LOGARITHMS
            raise ValueError(
                f"{name}[{k}], the logarithm of {self.names[k]}, must be in [{low:g}, {high:g}], "
                f"got {theta[k]:g}"
            )
        return theta

    def __str__(self):
        return ", ".join(f"{name}={value}" for name, value in self.values.items())

    @staticmethod
    def _join(parts):
        return np.concatenate([np.empty(0), *map(np.ravel, parts)])


def in_units(values, units):
    return {name: value / units[name] for name, value in values.items()}
