"""Many small systems of equations."""

import numpy as np

from .. import solve
from .._typing import Array
from .case import Arguments, Case, DType, Generator, numbers


def _solve_make(
    rng: Generator, dtype: DType, count: int, n: int, columns: int, assume_a: str = "gen"
) -> Arguments:
    A = numbers(rng, dtype, count, n, n) + 2 * n * np.eye(n, dtype=dtype)
    if assume_a == "pos":
        A = A @ A.conj().swapaxes(1, 2)
    return {"A": A, "b": numbers(rng, dtype, count, n, columns), "assume_a": assume_a}


def _solve_question(A: Array, b: Array, assume_a: str) -> Array:
    return np.stack([np.linalg.solve(*system) for system in zip(A, b, strict=True)])


def _solve_numpy(A: Array, b: Array, assume_a: str) -> Array:
    return np.linalg.solve(A, b)


CASES = (
    Case(
        "solve", "small systems", solve.solve_many, _solve_make,
        {"count": 37, "n": 5, "columns": 2}, {np.complex64: 1e-5, np.float64: 2e-14},
        _solve_question, _solve_numpy, {"count": 10_000, "n": 8, "columns": 1},
        {"count": 1000, "n": 8, "columns": 1},
    ),
    Case(
        "solve", "small positive definite systems", solve.solve_many, _solve_make,
        {"count": 37, "n": 5, "columns": 2, "assume_a": "pos"},
        {np.complex128: 2e-14, np.float64: 2e-14}, _solve_question, _solve_numpy,
        {"count": 10_000, "n": 8, "columns": 1, "assume_a": "pos"},
        {"count": 1000, "n": 8, "columns": 1, "assume_a": "pos"},
    ),
    Case(
        "solve", "systems of 32 rows", solve.solve_many, _solve_make,
        {"count": 3, "n": 9, "columns": 4}, {np.float64: 2e-14},
        _solve_question, _solve_numpy, {"count": 1000, "n": 32, "columns": 1},
        {"count": 200, "n": 32, "columns": 1},
    ),
    Case(
        "solve", "one large system", solve.solve_many, _solve_make,
        {"count": 1, "n": 40, "columns": 3}, {np.float64: 2e-14},
        _solve_question, _solve_numpy, {"count": 1, "n": 1000, "columns": 1},
        {"count": 1, "n": 500, "columns": 1},
    ),
    Case(
        "solve", "positive definite systems by LAPACK", solve.solve_many, _solve_make,
        {"count": 5, "n": 50, "columns": 2, "assume_a": "pos"}, {np.float64: 2e-14},
        _solve_question,
    ),
)  # fmt: skip
