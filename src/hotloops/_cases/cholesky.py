"""Cholesky's factor of a matrix in tiles, its solutions and its inverse."""

from typing import Any

import numpy as np

from .. import _arrays
from .._factors import cholesky
from .._typing import Array
from .case import Arguments, Case, numbers


def _make(rng: Any, dtype: Any, n: int, p: int, width: int) -> Arguments:
    half = numbers(rng, dtype, n, n)
    a = half @ half.conj().T + n * np.eye(n, dtype=dtype)
    return {"a": a, "b": numbers(rng, dtype, n, p), "width": width}


def _factor(a: Any, width: int, **kept: Any) -> Array:
    lower, share = cholesky.factor(_copy("a", a), **kept, width=width)
    if not (share > 0).all():
        raise np.linalg.LinAlgError("a must be positive definite")
    return lower


def _copy(name: str, array: Any) -> Array:
    array = _arrays.floating(name, array)
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def _solved(a: Any, b: Any, width: int, **kept: Any) -> Any:
    lower, x = _factor(a, width, **kept), _copy("b", np.conjugate(np.transpose(b)))
    for adjoint in (True, False):
        cholesky.solve(lower, x, adjoint=adjoint, **kept)
    return np.conjugate(x.T)


def _question(a: Any, b: Any, width: int) -> Any:
    return np.linalg.inv(a) @ b


def _numpy(a: Any, b: Any, width: int) -> Any:
    return np.linalg.solve(a, b)


def _inverse(a: Any, b: Any, width: int, **kept: Any) -> Any:
    rows = _copy("b", np.conjugate(np.transpose(b)))
    found, share, _ = cholesky.inverse(_copy("a", a), rows, scale=-2, weight=1, **kept, width=width)
    if not (share > 0).all():
        raise np.linalg.LinAlgError("a must be positive definite")
    upper = np.triu(found)
    return upper + np.conjugate(np.triu(upper, 1).T)


def _inverse_question(a: Any, b: Any, width: int) -> Any:
    x = np.linalg.inv(a) @ b
    return x @ np.conjugate(np.transpose(x)) - 2 * np.linalg.inv(a)


def _gram_make(rng: Any, dtype: Any, p: int, n: int) -> Arguments:
    return {"v": numbers(rng, dtype, p, n)}


def _gram(v: Any, **kept: Any) -> Array:
    return cholesky.gram(np.require(_arrays.floating("v", v), requirements="C"), **kept)


def _gram_question(v: Any) -> Any:
    return np.array([[sum(row * np.conjugate(other)) for other in v] for row in v])


def _gram_numpy(v: Any) -> Any:
    return v @ np.conjugate(np.transpose(v))


CASES = (
    Case(
        "cholesky", "solutions by tiles", _solved, _make, {"n": 43, "p": 3, "width": 8},
        {np.complex64: 1e-5, np.float32: 1e-5, np.complex128: 1e-14, np.float64: 1e-14},
        _question, _numpy,
    ),
    Case(
        "cholesky", "inverse by tiles", _inverse, _make, {"n": 43, "p": 3, "width": 8},
        {np.complex64: 1e-5, np.float32: 1e-5, np.complex128: 1e-14, np.float64: 1e-14},
        _inverse_question,
    ),
    Case(
        "cholesky", "inner products of rows", _gram, _gram_make, {"p": 131, "n": 3},
        {np.complex128: 1e-14, np.float64: 1e-14}, _gram_question, _gram_numpy,
    ),
)  # fmt: skip
