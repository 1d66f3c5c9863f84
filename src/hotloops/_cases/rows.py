"""Sums over many rows, and factors of them, in double precision."""

from typing import Any

import numpy as np

from .. import _arrays, _rows
from .case import Arguments, Case, numbers


def _make(rng: Any, dtype: Any, m: int, n: int, p: int = 0, less: int = 0) -> Arguments:
    arguments = {"a": numbers(rng, dtype, m, n)}
    if p:
        arguments["b"] = numbers(rng, dtype, m, p)
    if less:
        arguments["less"] = numbers(rng, np.result_type(dtype, np.float64), less, n)
    return arguments


def _double(array: Any) -> Any:
    return array.astype(np.result_type(array.dtype, np.float64))


# --- sums -----------------------------------------------------------------------------------


def _sums(a: Any, less: Any = (), **kept: Any) -> Any:
    return _rows.sums(_arrays.floating("a", a), [*_arrays.floating("less", less)], **kept)


def _sums_question(a: Any, less: Any = ()) -> Any:
    return np.array([sum(column) for column in (_double(a) - np.sum(less, axis=0)).T])


def _sums_numpy(a: Any, less: Any = ()) -> Any:
    return _double(a).sum(axis=0) - len(a) * np.sum(less, axis=0)


def _products(a: Any, b: Any, **kept: Any) -> Any:
    return _rows.products(_arrays.floating("a", a), _arrays.floating("b", b), **kept)


def _products_question(a: Any, b: Any) -> Any:
    return sum(np.outer(*rows) for rows in zip(_double(a), _double(b), strict=True))


def _products_numpy(a: Any, b: Any) -> Any:
    return _double(a).T @ _double(b)


def _inner_products(a: Any, **kept: Any) -> Any:
    return _rows.inner_products(_arrays.floating("a", a), **kept)


def _inner_products_question(a: Any) -> Any:
    return np.triu(_products_question(a.conj(), a))


def _inner_products_numpy(a: Any) -> Any:
    return np.triu(_products_numpy(a.conj(), a))


# --- factors --------------------------------------------------------------------------------


def _factors(a: Any, less: Any, **kept: Any) -> Any:
    """R over Q, R with a positive diagonal: there is one such."""
    a = np.require(_arrays.floating("a", a), requirements="C")
    q = np.empty(a.shape, a.dtype)
    r = _rows.triangular(a, less=[*_arrays.floating("less", less)], q=q, **kept)
    signs = np.sign(r.diagonal().real)
    return _of_one_size(signs[:, None] * r, signs * q)


def _of_one_size(r: Any, q: Any) -> Any:
    root = np.sqrt(len(q))
    return np.concatenate([r / root, q * root])


def _factors_question(a: Any, less: Any = ()) -> Any:
    q = _double(a) - np.sum(less, axis=0)
    r = np.zeros((a.shape[1],) * 2, q.dtype)
    for k in range(len(r)):  # Gram and Schmidt
        r[k, k] = np.linalg.norm(q[:, k])
        q[:, k] /= r[k, k]
        r[k, k + 1 :] = q[:, k].conj() @ q[:, k + 1 :]
        q[:, k + 1 :] -= q[:, k, None] * r[k, k + 1 :]
    return _of_one_size(r, q)


def _factors_numpy(a: Any, less: Any) -> Any:
    rows = _double(a) - less.sum(axis=0)
    r = np.linalg.cholesky(rows.conj().T @ rows).conj().T
    return _of_one_size(r, rows @ np.linalg.inv(r))


def _triangular(a: Any, **kept: Any) -> Any:
    """R with a positive diagonal."""
    r = _rows.triangular(np.require(_arrays.floating("a", a), requirements="C"), **kept)
    return np.sign(r.diagonal().real)[:, None] * r


def _triangular_question(a: Any) -> Any:
    return _factors_question(a)[: a.shape[1]] * np.sqrt(len(a))


def _triangular_numpy(a: Any) -> Any:
    return np.linalg.cholesky(_double(a).conj().T @ _double(a)).conj().T


_SUMS = {np.complex64: 1e-13, np.float32: 1e-13, np.complex128: 1e-13, np.float64: 1e-13}
_FACTORS = {np.complex64: 1e-7, np.float32: 1e-7, np.complex128: 1e-13, np.float64: 1e-13}

CASES = (
    Case(
        "rows", "sums of columns", _sums, _make, {"m": 900, "n": 5, "less": 2}, _SUMS,
        _sums_question, _sums_numpy,
    ),
    Case(
        "rows", "sums of columns as they are", _sums, _make, {"m": 903, "n": 5},
        {np.complex64: 1e-13, np.float64: 1e-13}, _sums_question, _sums_numpy,
    ),
    Case(
        "rows", "products", _products, _make, {"m": 900, "n": 5, "p": 3}, _SUMS,
        _products_question, _products_numpy,
    ),
    Case(
        "rows", "products with one column", _products, _make, {"m": 903, "n": 5, "p": 1}, _SUMS,
        _products_question, _products_numpy,
    ),
    Case(
        "rows", "inner products", _inner_products, _make, {"m": 900, "n": 5}, _SUMS,
        _inner_products_question, _inner_products_numpy,
    ),
    Case(
        "rows", "orthogonal factors of pieces", _factors, _make, {"m": 9000, "n": 3, "less": 2},
        _FACTORS, _factors_question, _factors_numpy,
    ),
    Case(
        "rows", "triangular factors of pieces", _triangular, _make, {"m": 9000, "n": 3},
        {np.complex128: 1e-13, np.float64: 1e-13}, _triangular_question, _triangular_numpy,
    ),
)  # fmt: skip
