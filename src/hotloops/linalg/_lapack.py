"""LAPACK's factorisations without SciPy's checks, which take longer than a small matrix does; each
is a task by itself, with BLAS on one thread."""

import functools
import math
from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs

from .._factors.serial import serial
from .._typing import Floats


@functools.cache
def _routines(name: str, dtype: np.dtype[Any]) -> Any:
    """A routine for numbers of this dtype, and the one that says how much room it wants."""
    return get_lapack_funcs((name, f"{name}_lwork"), dtype=dtype, ilp64="preferred")


def _length(room: float) -> int:
    """The room as a length: a large one may have been rounded down to single precision."""
    return math.ceil(room * (1 + 1e-7))


def svd(a: Floats, full: bool) -> tuple[Floats, Floats]:
    """The singular values of a matrix (m, n), which it overwrites where that is in columns, and its
    right singular vectors in rows: min(m, n) of them, or n where all are wanted (`full`)."""
    gesdd, gesdd_lwork = _routines("gesdd", a.dtype)
    room, _ = gesdd_lwork(*a.shape, full_matrices=full)
    _, values, vectors, info = serial(
        lambda: gesdd(a, full_matrices=full, lwork=_length(room), overwrite_a=True),
        a.size * max(a.shape) if full else a.size * min(a.shape),
    )
    _check(info)
    return values, vectors


def singular_values(a: Floats) -> Floats:
    """The singular values of a matrix, which stays as it is."""
    gesdd, gesdd_lwork = _routines("gesdd", a.dtype)
    room, _ = gesdd_lwork(*a.shape, compute_uv=False)
    values: Floats
    _, values, _, info = serial(
        lambda: gesdd(a, compute_uv=False, lwork=_length(room)), a.size * min(a.shape)
    )
    _check(info)
    return values


def _check(info: int) -> None:
    if info:
        raise np.linalg.LinAlgError(f"the singular values did not converge (LAPACK's info: {info})")
