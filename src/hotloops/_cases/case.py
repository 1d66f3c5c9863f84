"""What a case is."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One call of a public function, and what it is compared with."""

    subject: str
    name: str
    function: Callable
    make: Callable  # make(rng, dtype, **size) -> the function's arguments by name
    tiny: dict  # the size that is checked
    tolerance: dict  # dtype -> largest error over the largest element; no dtype: {None: …}
    question: Callable  # the same arguments -> the same result, as it was first written
    numpy: Callable | None = None  # the same, as fast as NumPy can
    full: dict | None = None  # the size that is timed
    small: dict | None = None  # that of a quick look, where the work still decides; else the full
    random: bool = False  # question and numpy draw numbers of their own

    @property
    def dtype(self):
        """That of the arguments where none is asked for."""
        return next(reversed(self.tolerance))

    def size(self, name):
        """The sizes by name: "tiny", "small" or "full"."""
        return getattr(self, name) or self.full

    def arguments(self, size="full", dtype=None):
        """The arguments by name, the same at every call."""
        dtype = np.dtype(dtype or self.dtype or np.float64)
        return self.make(np.random.default_rng(7), dtype, **self.size(size))

    def call(self, arguments, **keywords):
        """The function on these arguments."""
        if self.random:
            keywords.setdefault("rng", 7)
        return self.function(**arguments, **keywords)

    def error(self, result, reference):
        """The largest difference over the reference's largest element; of integers and booleans
        the share that differs."""
        if reference.dtype.kind in "biu":
            return float(np.mean(result != reference))
        scale = np.abs(reference).max(initial=0)
        return float(np.abs(result - reference).max(initial=0) / (scale if scale > 0 else 1))


def numbers(rng, dtype, *shape, below=None):
    """Random numbers of this dtype: normal ones; booleans of which a fifth is true; any integers,
    or those of absolute values less than `below`."""
    if dtype.kind == "b":
        return rng.random(shape) < 0.2
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (limits.min, limits.max) if below is None else (1 - below, below - 1)
        return rng.integers(low, high, shape, dtype, endpoint=True)
    real = rng.normal(size=shape)
    return (real + 1j * rng.normal(size=shape) if dtype.kind == "c" else real).astype(dtype)
