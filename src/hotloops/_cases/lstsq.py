"""Least squares by each factor, and the ridge path."""

import math
from typing import Any

import numpy as np

from .. import lstsq
from .._typing import Array
from .case import Arguments, Case, DType, Generator, numbers


def _lstsq_make(
    rng: Generator,
    dtype: DType,
    m: int,
    n: int,
    p: int,
    alphas: int | None = None,
    batch: tuple[int, ...] = (),
    definite: bool = False,
    weighted: bool = False,
    **others: Any,
) -> Arguments:
    a = numbers(rng, dtype, *batch, m, n)
    if definite:
        a = a @ a.conj().swapaxes(-1, -2) + np.eye(n, dtype=dtype)
    arguments = {"A": a, "b": numbers(rng, dtype, *batch, m, p)} | others
    if weighted:
        arguments["weights"] = rng.uniform(0.5, 2, m)
    if alphas is not None:
        arguments["alphas"] = np.geomspace(1e-3, 1e3, alphas)
    return arguments


def _lstsq(A: Array, b: Array, out: Array | None = None, **keywords: Any) -> Array:
    return lstsq.LeastSquares(A, **keywords).solve(b, out=out)


def _lstsq_question(A: Array, b: Array) -> Array:
    return np.stack([np.linalg.lstsq(A, column, rcond=None)[0] for column in b.T], axis=1)


def _lstsq_numpy(A: Array, b: Array) -> Array:
    return np.linalg.lstsq(A, b, rcond=None)[0]


def _lu_question(A: Array, b: Array, method: str) -> Array:
    return np.linalg.inv(A) @ b


def _lu_numpy(A: Array, b: Array, method: str) -> Array:
    return np.linalg.solve(A, b)


def _cholesky_question(A: Array, b: Array, method: str) -> Array:
    values, vectors = np.linalg.eigh(A)
    return vectors @ (vectors.conj().swapaxes(-1, -2) @ b / values[..., None])


def _normal_question(A: Array, b: Array, method: str) -> Array:
    return np.stack([_lstsq_question(*problem) for problem in zip(A, b, strict=True)])


def _normal_numpy(A: Array, b: Array, method: str) -> Array:
    adjoint = A.conj().swapaxes(-1, -2)
    return np.linalg.solve(adjoint @ A, adjoint @ b)


def _least_norm_question(A: Array, b: Array, method: str) -> Array:
    adjoint = A.conj().swapaxes(-1, -2)
    return adjoint @ np.linalg.inv(A @ adjoint) @ b


def _least_norm_numpy(A: Array, b: Array, method: str) -> Array:
    return np.stack([_lstsq_numpy(*problem) for problem in zip(A, b, strict=True)])


def _refined_question(
    A: Array, b: Array, refine: bool, weights: Any = 1.0, alpha: float = 0.0
) -> Array:
    weighted = A.conj().T * weights
    return np.linalg.inv(weighted @ A + alpha * np.eye(A.shape[1])) @ (weighted @ b)


def _refined_numpy(A: Array, b: Array, weights: Array, alpha: float, refine: bool) -> Array:
    n, root = A.shape[1], np.sqrt(weights)[:, None]
    rows = np.concatenate([root * A, math.sqrt(alpha) * np.eye(n)])
    return _lstsq_numpy(rows, np.concatenate([root * b, np.zeros((n, b.shape[1]))]))


def _ridge(A: Array, b: Array, alphas: Array, **keywords: Any) -> Array:
    return lstsq.LeastSquares(A, **keywords).ridge_path(b, alphas).x


def _ridge_question(A: Array, b: Array, alphas: Array) -> Array:
    unit = np.eye(A.shape[1])
    return np.stack([np.linalg.inv(A.T @ A + alpha * unit) @ A.T @ b for alpha in alphas])


def _left_out(A: Array, b: Array, alphas: Array, **keywords: Any) -> Array:
    return lstsq.LeastSquares(A, **keywords).ridge_path(b, alphas).loo_errors


def _left_out_question(A: Array, b: Array, alphas: Array) -> Array:
    errors = np.empty((len(alphas), *b.shape), b.dtype)
    for k, alpha in enumerate(alphas):
        for i in range(len(A)):
            rows = np.delete(A, i, 0)
            gram = rows.conj().T @ rows + alpha * np.eye(A.shape[1])
            errors[k, i] = b[i] - A[i] @ np.linalg.inv(gram) @ rows.conj().T @ np.delete(b, i, 0)
    return errors


def _ridge_numpy(A: Array, b: Array, alphas: Array) -> Array:
    values, vectors = np.linalg.eigh(A.T @ A)
    y = vectors.T @ (A.T @ b)
    return vectors @ (y / (values[:, None] + alphas[:, None, None]))


CASES = (
    Case(
        "lstsq", "least squares, many right-hand sides", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5}, {np.complex128: 1e-13, np.float64: 1e-13},
        _lstsq_question, _lstsq_numpy, {"m": 2000, "n": 100, "p": 200},
        {"m": 500, "n": 50, "p": 20},
    ),
    Case(
        "lstsq", "elimination", _lstsq, _lstsq_make,
        {"m": 6, "n": 6, "p": 5, "batch": (3,), "method": "lu"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _lu_question, _lu_numpy,
    ),
    Case(
        "lstsq", "Cholesky's factor", _lstsq, _lstsq_make,
        {"m": 6, "n": 6, "p": 5, "batch": (3,), "definite": True, "method": "cholesky"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _cholesky_question, _lu_numpy,
    ),
    Case(
        "lstsq", "normal equations", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5, "batch": (3,), "method": "normal"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _normal_question, _normal_numpy,
    ),
    Case(
        "lstsq", "least norm", _lstsq, _lstsq_make,
        {"m": 6, "n": 40, "p": 5, "batch": (3,), "method": "svd"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _least_norm_question, _least_norm_numpy,
    ),
    Case(
        "lstsq", "refined, of weighted rows with a penalty", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5, "weighted": True, "alpha": 0.1, "refine": True},
        {np.complex128: 1e-13, np.float64: 1e-13}, _refined_question, _refined_numpy,
    ),
    Case(
        "lstsq", "refined", _lstsq, _lstsq_make, {"m": 40, "n": 6, "p": 5, "refine": True},
        {np.complex128: 1e-13, np.float64: 1e-13}, _refined_question,
    ),
    Case(
        "lstsq", "ridge path", _ridge, _lstsq_make,
        {"m": 40, "n": 6, "p": 1, "alphas": 4}, {np.float64: 1e-13},
        _ridge_question, _ridge_numpy, {"m": 2000, "n": 100, "p": 1, "alphas": 100},
        {"m": 500, "n": 50, "p": 1, "alphas": 50},
    ),
    Case(
        "lstsq", "errors of leaving out", _left_out, _lstsq_make,
        {"m": 20, "n": 6, "p": 3, "alphas": 4}, {np.complex128: 1e-12, np.float64: 1e-12},
        _left_out_question,
    ),
)  # fmt: skip
