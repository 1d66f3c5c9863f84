"""The hyperparameters of a Gaussian process, and theta, the vector of those that are free."""

import numpy as np

from . import _arrays

_LOGARITHMS = -708.0, 709.0  # of numbers that double precision holds in full


class Parameters:
    """The hyperparameters by name, and theta, the vector of those that are free."""

    def __init__(self, values, bounds, d, n_factors, rng):
        values = {name: value if value.ndim else float(value) for name, value in values.items()}
        self.bounds = {name: bounds[name] for name in values if bounds[name] is not None}
        if n_factors:
            # an inverse length is the unit of a factor
            scale = np.broadcast_to(values["length_scale"], d)
            self.unit = np.where(np.isfinite(scale), 1 / scale, 1)[:, None]
            factors = 0.1 * self.unit * rng.normal(size=(d, n_factors))
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
        return self._join(
            self.values[name] if name == "factors" else np.log(self.values[name])
            for name in self.free
        )

    @property
    def limits(self):
        """The bounds of theta, shape (len(theta), 2)."""
        unbounded = -np.inf, np.inf
        return np.stack([
            self._join(
                np.full(np.shape(self.values[name]), unbounded[k] if name == "factors"
                        else np.log(self.bounds[name][k]))
                for name in self.free
            )
            for k in (0, 1)
        ], axis=1)  # fmt: skip

    def draw(self, rng):
        """A theta from anywhere within the bounds."""
        parts = []
        for name in self.free:
            shape = np.shape(self.values[name])
            if name == "factors":
                parts.append(self.unit * rng.normal(size=shape))
            else:
                parts.append(rng.uniform(*np.log(self.bounds[name]), size=shape))
        return self._join(parts)

    def at(self, theta):
        """The values that theta stands for."""
        values, start = dict(self.values), 0
        for name in self.free:
            shape = np.shape(values[name])
            stop = start + int(np.prod(shape))
            part = theta[start:stop].reshape(shape)
            part = part.copy() if name == "factors" else np.exp(part)
            values[name], start = part if shape else float(part), stop
        return values

    def chain(self, values, gradients):
        """The gradient with respect to theta, from those with respect to the values."""
        return self._join(
            gradients[name] if name == "factors" else values[name] * gradients[name]
            for name in self.free
        )

    def possible(self, theta):
        """Which entries of theta stand for a number that double precision holds."""
        factors = np.array([name.startswith("factors") for name in self.names], bool)
        low, high = _LOGARITHMS
        return np.where(factors, np.isfinite(theta), (low <= theta) & (theta <= high))

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
