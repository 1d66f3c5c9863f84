"""Singular values of the matrices of a batch, and what they say of ranks and conditions."""

import math
from typing import Any

import numpy as np
from scipy.linalg import qr

from .. import _rows
from .._factors.serial import serial
from .._typing import Array

_REAL = {code: np.dtype(code.lower()) for code in "fdFD"}
_EPSILONS = {code: float(np.finfo(code).eps) for code in "fdFD"}


def epsilon(dtype: np.dtype[Any]) -> float:
    """The distance from 1 to the next number of this dtype."""
    return _EPSILONS[dtype.char]


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of numbers of this dtype."""
    return _REAL[dtype.char]


def rank_tolerance(a: Array) -> float:
    """The size to which rounding, of the elements of A and in its factorisation, may bring a
    singular value that is 0, as a share of the largest one. It grows with the shorter side of A
    alone: sums over the longer side are made in pieces, and their rounding does not grow."""
    m, n = a.shape[-2:]
    return int(max(10, min(m, n))) * epsilon(a.dtype)


def singular_values(a: Array, *kept: Any) -> Array:
    """The singular values of each matrix, (K, min(m, n)); NaN where it is not finite. `kept`: the
    backend and the workers for sums over many rows."""
    finite = np.isfinite(a).all(axis=(1, 2))
    values = np.full((len(a), min(a.shape[1:])), np.nan)
    if finite.any():
        few = np.stack([_rows.short(one, *kept) for one in a[finite]])
        work = few.size * min(few.shape[1:])
        values[finite] = serial(lambda: np.linalg.svd(few, compute_uv=False), work)
    return values


def scaled_singular_values(a: Array, *kept: Any) -> Array:
    """The singular values of each matrix, its columns scaled to a largest element in [½, 1)."""
    _, exponent = np.frexp(np.abs(a).max(axis=1, keepdims=True))
    largest = np.finfo(a.dtype).maxexp - 1
    factor = np.ldexp(real_dtype(a.dtype).type(1), -exponent.clip(-largest, largest))
    return singular_values(a * factor, *kept)


def condition(a: Array, *kept: Any) -> Array:
    """The largest singular value of each matrix over its smallest."""
    values = singular_values(a, *kept).astype(np.float64)
    largest, least = values.max(axis=1, initial=0), values.min(axis=1, initial=np.inf)
    with np.errstate(all="ignore"):
        for k in np.flatnonzero(least < math.sqrt(epsilon(a.dtype)) * largest):
            largest[k], least[k] = _graded_singular_values(a[k])[[0, -1]]
        return np.where(least == 0, np.inf, largest / least)


def _graded_singular_values(a: Array) -> Array:
    """The singular values of one matrix, in double precision: small ones, of small rows or columns,
    are as accurate as large."""
    a = a[np.abs(a).max(axis=1).argsort()[::-1]]
    a = a.astype(np.result_type(a.dtype, np.float64), copy=False)

    def values() -> Array:
        r = qr(a, mode="r", pivoting=True, check_finite=False)[0][: min(a.shape)]
        return np.linalg.svd(r.conj().T, compute_uv=False)

    return serial(values, a.size * min(a.shape))
