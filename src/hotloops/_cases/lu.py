"""LU factors of a matrix in panels."""

from typing import Any

import numpy as np

from .. import _arrays
from .._factors import lu
from .case import Arguments, Case, numbers


def _make(rng: Any, dtype: Any, n: int, p: int, width: int) -> Arguments:
    return {"a": numbers(rng, dtype, n, n), "b": numbers(rng, dtype, n, p), "width": width}


def _solved(a: Any, b: Any, width: int, **kept: Any) -> Any:
    a, b = (np.require(_arrays.floating("a", x), requirements="C") for x in (a, b))
    factors, order, _ = lu.factor(a, width=width, **kept)
    return lu.solve(factors, order, b, **kept)


def _question(a: Any, b: Any, width: int) -> Any:
    return np.linalg.inv(a) @ b


def _numpy(a: Any, b: Any, width: int) -> Any:
    return np.linalg.solve(a, b)


CASES = (
    Case(
        "lu", "elimination in panels", _solved, _make, {"n": 43, "p": 3, "width": 8},
        {np.complex64: 2e-4, np.float32: 2e-4, np.complex128: 1e-12, np.float64: 1e-12},
        _question, _numpy,
    ),
)  # fmt: skip
