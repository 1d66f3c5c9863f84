"""Rolled products of matrices."""

import numpy as np

from .. import rolled
from .._typing import Array
from .case import Arguments, Case, DType, Generator, numbers


def _rolled_make(
    rng: Generator, dtype: DType, d: int, k: int, m: int, n: int, l: int, below: int | None = None
) -> Arguments:
    A = numbers(rng, dtype, d, m, n, below=below)
    return {"A": A, "B": numbers(rng, dtype, d, n, l, below=below), "k": k}


def _rolled_question(A: Array, B: Array, k: int) -> Array:
    d = len(A)
    out = np.empty((d, k, A.shape[1], B.shape[2]), A.dtype)
    for i in range(d):
        for j in range(k):
            out[i, j] = A[i] @ B[(i + j) % d]
    return out


def _rolled_numpy(A: Array, B: Array, k: int) -> Array:
    d = len(A)
    ring = B[np.arange(d + k - 1) % d]
    shape, strides = (d, k, *B.shape[1:]), (ring.strides[0], *ring.strides)
    return np.matmul(A[:, None], np.lib.stride_tricks.as_strided(ring, shape, strides))


_ROLLED_TOLERANCE = {np.complex128: 2e-15, np.float32: 1e-6, np.float64: 2e-15}

CASES = (
    Case(
        "rolled", "rolled products, tiny", rolled.rolled_matmul, _rolled_make,
        {"d": 7, "k": 9, "m": 3, "n": 5, "l": 2}, _ROLLED_TOLERANCE,
        _rolled_question, _rolled_numpy, {"d": 64, "k": 16, "m": 4, "n": 4, "l": 4},
    ),
    Case(
        "rolled", "rolled products", rolled.rolled_matmul, _rolled_make,
        {"d": 3, "k": 4, "m": 33, "n": 17, "l": 20}, _ROLLED_TOLERANCE,
        _rolled_question, _rolled_numpy, {"d": 128, "k": 32, "m": 32, "n": 32, "l": 32},
    ),
    *(
        Case(
            "rolled", f"rolled products, {name}", rolled.rolled_matmul, _rolled_make,
            dict(zip("dkmnl", tiny, strict=True)), {np.float64: 2e-15},
            _rolled_question, _rolled_numpy, dict(zip("dkmnl", full, strict=True)),
            dict(zip("dkmnl", small, strict=True)),
        )
        for name, tiny, full, small in (
            (
                "long lists",
                (40, 9, 4, 4, 4), (4096, 16, 4, 4, 4), (1024, 16, 4, 4, 4),
            ),
            (
                "16 rows and columns",
                (5, 7, 16, 16, 16), (256, 32, 16, 16, 16), (128, 16, 16, 16, 16),
            ),
            (
                "128 rows and columns",
                (2, 3, 66, 70, 68), (32, 8, 128, 128, 128), (8, 8, 128, 128, 128),
            ),
        )
    ),
    Case(
        "rolled", "rolled products of integers", rolled.rolled_matmul, _rolled_make,
        {"d": 8, "k": 17, "m": 9, "n": 17, "l": 16, "below": 1000}, {np.int64: 0.0},
        _rolled_question, _rolled_numpy,
        {"d": 128, "k": 32, "m": 8, "n": 8, "l": 8, "below": 1000},
    ),
    Case(
        "rolled", "rolled products of other numbers", rolled.rolled_matmul, _rolled_make,
        {"d": 3, "k": 4, "m": 6, "n": 17, "l": 40},
        {np.bool_: 0.0, np.uint8: 0.0, np.int64: 0.0, np.complex64: 1e-6}, _rolled_question,
    ),
)  # fmt: skip
