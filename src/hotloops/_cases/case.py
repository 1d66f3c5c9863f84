"""What a case is."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .._typing import Array

Arguments: TypeAlias = dict[str, Any]
DType: TypeAlias = np.dtype[Any]
Generator: TypeAlias = np.random.Generator


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One call of a public function, and what it is compared with."""

    subject: str
    name: str
    function: Callable[..., Any]
    make: Callable[..., Arguments]  # make(rng, dtype, **size) -> the function's arguments by name
    tiny: Any  # the size that is checked, by name
    #: The largest error over the largest element, for each dtype; {None: …} where there is none.
    tolerance: dict[Any, float]
    question: Callable[..., Any]  # the same arguments -> the same result, as it was first written
    numpy: Callable[..., Any] | None = None  # the same, as fast as NumPy can
    full: Arguments | None = None  # the size that is timed
    small: Arguments | None = None  # that of a quick look, where the work still decides
    random: bool = False  # question and numpy draw numbers of their own

    @property
    def dtype(self) -> Any:
        """That of the arguments where none is asked for."""
        return next(reversed(self.tolerance))

    def size(self, name: str) -> Arguments:
        """The sizes by name: "tiny", "small" or "full"; tiny where the case is not timed."""
        return getattr(self, name) or self.full or self.tiny

    def arguments(self, size: str = "full", dtype: Any = None) -> Arguments:
        """The arguments by name, the same at every call."""
        dtype = np.dtype(dtype or self.dtype or np.float64)
        return self.make(np.random.default_rng(7), dtype, **self.size(size))

    def call(self, arguments: Arguments, **keywords: Any) -> Array:
        """The function on these arguments."""
        if self.random:
            keywords.setdefault("rng", 7)
        return self.function(**arguments, **keywords)

    def error(self, result: Array, reference: Array) -> float:
        """The largest difference over the reference's largest element; of integers and booleans
        the share that differs."""
        if reference.dtype.kind in "biu":
            return float(np.mean(result != reference))
        scale = np.abs(reference).max(initial=0)
        return float(np.abs(result - reference).max(initial=0) / (scale if scale > 0 else 1))


def numbers(rng: Generator, dtype: DType, *shape: int, below: int | None = None) -> Array:
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
