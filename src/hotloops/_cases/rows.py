"""Sums over many rows, and factors of them, in double precision."""

import numpy as np

from .. import _arrays, _rows
from .case import Case, numbers


def _make(rng, dtype, m, n, p=0, less=0):
    arguments = {"a": numbers(rng, dtype, m, n)}
    if p:
        arguments["b"] = numbers(rng, dtype, m, p)
    if less:
        arguments["less"] = numbers(rng, np.result_type(dtype, np.float64), less, n)
    return arguments


def _double(array):
    return array.astype(np.result_type(array.dtype, np.float64))


# --- sums -----------------------------------------------------------------------------------


def _sums(a, less, **kept):
    return _rows.sums(_arrays.floating("a", a), _arrays.floating("less", less), **kept)


def _sums_question(a, less):
    return np.array([sum(column) for column in (_double(a) - less.sum(axis=0)).T])


def _sums_numpy(a, less):
    return _double(a).sum(axis=0) - len(a) * less.sum(axis=0)


def _products(a, b, **kept):
    return _rows.products(_arrays.floating("a", a), _arrays.floating("b", b), **kept)


def _products_question(a, b):
    return sum(np.outer(*rows) for rows in zip(_double(a), _double(b), strict=True))


def _products_numpy(a, b):
    return _double(a).T @ _double(b)


def _inner_products(a, **kept):
    return _rows.inner_products(_arrays.floating("a", a), **kept)


def _inner_products_question(a):
    return np.triu(_products_question(a.conj(), a))


def _inner_products_numpy(a):
    return np.triu(_products_numpy(a.conj(), a))


# --- factors --------------------------------------------------------------------------------


def _factors(a, less, **kept):
    """R over Q, R with a positive diagonal: there is one such."""
    a = np.require(_arrays.floating("a", a), requirements="C")
    q = np.empty(a.shape, a.dtype)
    r = _rows.triangular(a, less=_arrays.floating("less", less), q=q, **kept)
    signs = np.sign(r.diagonal().real)
    return _of_one_size(signs[:, None] * r, signs * q)


def _of_one_size(r, q):
    root = np.sqrt(len(q))
    return np.concatenate([r / root, q * root])


def _factors_question(a, less):
    q, r = _double(a) - less.sum(axis=0), np.zeros((a.shape[1],) * 2, less.dtype)
    for k in range(len(r)):  # Gram and Schmidt
        r[k, k] = np.linalg.norm(q[:, k])
        q[:, k] /= r[k, k]
        r[k, k + 1 :] = q[:, k].conj() @ q[:, k + 1 :]
        q[:, k + 1 :] -= q[:, k, None] * r[k, k + 1 :]
    return _of_one_size(r, q)


def _factors_numpy(a, less):
    rows = _double(a) - less.sum(axis=0)
    r = np.linalg.cholesky(rows.conj().T @ rows).conj().T
    return _of_one_size(r, rows @ np.linalg.inv(r))


_SUMS = {np.complex64: 1e-13, np.float32: 1e-13, np.complex128: 1e-13, np.float64: 1e-13}
_FACTORS = {np.complex64: 1e-7, np.float32: 1e-7, np.complex128: 1e-13, np.float64: 1e-13}

CASES = (
    Case(
        "rows", "sums of columns", _sums, _make, {"m": 900, "n": 5, "less": 2}, _SUMS,
        _sums_question, _sums_numpy,
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
)  # fmt: skip
