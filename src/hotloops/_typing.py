"""The names that annotations use for arrays, and for what makes random numbers."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: An array of any numbers, as private code hands it on.
Array: TypeAlias = np.ndarray[tuple[Any, ...], Any]
#: Real floating-point results: float32 or float64 as the data were.
Floats: TypeAlias = NDArray[np.floating[Any]]
#: Complex results: complex64 or complex128 as the data were.
Complexes: TypeAlias = NDArray[np.complexfloating[Any, Any]]
#: Results that are real or complex as the data were.
Numbers: TypeAlias = NDArray[np.inexact[Any]]
#: Numbers of draws.
Counts: TypeAlias = NDArray[np.int64]
#: What `numpy.random.default_rng` takes.
Rng: TypeAlias = (
    int
    | Sequence[int]
    | np.random.SeedSequence
    | np.random.BitGenerator
    | np.random.Generator
    | np.random.RandomState
    | None
)
