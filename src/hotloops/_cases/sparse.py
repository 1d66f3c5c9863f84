"""Dense tensors times sparse matrices."""

from typing import Any, Literal

import numpy as np

from .. import sparse
from .._typing import Array
from .case import Arguments, Case, DType, Generator, numbers


def _sparse_make(
    rng: Generator,
    dtype: DType,
    shape: tuple[int, ...],
    columns: int,
    density: float,
    format: str = "csc",
    order: Literal["C", "F"] = "C",
) -> Arguments:
    import scipy.sparse

    places = np.nonzero(rng.random((shape[-1], columns)) < density)
    values = numbers(rng, dtype, len(places[0]))
    A = scipy.sparse.coo_array((values, places), shape=(shape[-1], columns))
    X = np.asarray(numbers(rng, dtype, *shape), order=order)
    return {"X": X, "A": A.asformat(format)}


def _sparse_question(X: Array, A: Any) -> Array:
    out = np.empty((*X.shape[:-1], A.shape[1]), np.result_type(X, A.dtype))
    for index in np.ndindex(X.shape[:-1]):
        out[index] = A.T @ X[index]
    return out


def _sparse_numpy(X: Array, A: Any) -> Array:
    return (X.reshape(-1, X.shape[-1]) @ A).reshape(*X.shape[:-1], A.shape[1])


_SPARSE_TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}

CASES = (
    *(
        Case(
            "sparse", f"tensor × sparse matrix, density {density:g}", sparse.sparse_tensordot,
            _sparse_make, {"shape": tiny, "columns": 70, "density": 20 * density},
            _SPARSE_TOLERANCE, _sparse_question, _sparse_numpy,
            {"shape": full, "columns": full[-1], "density": density},
            {"shape": small, "columns": small[-1], "density": density},
        )
        for density, tiny, full, small in (
            (0.01, (9, 5, 80), (500, 500, 100), (60, 60, 100)),
            (0.001, (9, 5, 300), (200, 200, 1000), (40, 40, 1000)),
            (0.02, (9, 5, 60), (200, 200, 1000), (40, 40, 1000)),
        )
    ),
    Case(
        "sparse", "tensor × sparse matrix of other numbers", sparse.sparse_tensordot, _sparse_make,
        {"shape": (7, 6, 40), "columns": 90, "density": 0.1, "format": "csc", "order": "F"},
        {np.bool_: 0.0, np.uint8: 0.0, np.int64: 0.0, np.complex64: 1e-6, np.complex128: 2e-15},
        _sparse_question,
    ),
    Case(
        "sparse", "few rows × sparse matrix", sparse.sparse_tensordot, _sparse_make,
        {"shape": (2, 40), "columns": 90, "density": 0.1, "format": "coo"},
        {np.bool_: 0.0, np.uint8: 0.0, np.complex64: 1e-6, np.float64: 2e-15}, _sparse_question,
    ),
    *(
        Case(
            "sparse", f"tensor × sparse matrix in format {format}", sparse.sparse_tensordot,
            _sparse_make, {"shape": (7, 40), "columns": 30, "density": 0.1, "format": format},
            {np.float64: 2e-15}, _sparse_question,
        )
        for format in ("csr", "bsr", "dia", "dok", "lil")
    ),
)  # fmt: skip
