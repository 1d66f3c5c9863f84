"""Row operations, distances, covariances and layers of `hotloops.linalg`."""

import itertools
from typing import Any

import numpy as np

from .. import linalg
from .._typing import Array
from .case import Arguments, Case, DType, Generator


def _rows_make(
    rng: Generator, dtype: DType, n: int, m: int, spread: float = 3.0, **others: Any
) -> Arguments:
    return {"X": rng.normal(0, spread, (n, m)).astype(dtype, copy=False)} | others


def _distances_make(rng: Generator, dtype: DType, n: int, m: int, d: int) -> Arguments:
    return {name: rng.normal(size=(k, d)).astype(dtype) for name, k in (("X", n), ("Y", m))}


def _distances_question(X: Array, Y: Array) -> Array:
    differences = X.astype(np.float64)[:, None] - Y
    return np.sqrt((differences**2).sum(axis=-1))


def _distances_numpy(X: Array, Y: Array) -> Array:
    q = X @ Y.T
    q *= -2
    q += np.einsum("if,if->i", X, X)[:, None]
    q += np.einsum("jf,jf->j", Y, Y)
    np.maximum(q, 0, out=q)
    return np.sqrt(q, out=q)


def _softmax_question(X: Array, axis: int = -1) -> Array:
    e = np.exp(X - X.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _softmax_numpy(X: Array, axis: int = -1) -> Array:
    e = X - X.max(axis, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(axis, keepdims=True)
    return e


def _normalize_question(X: Array) -> Array:
    return X / np.linalg.norm(X, axis=1)[:, None]


def _normalize_numpy(X: Array) -> Array:
    return X * (1 / np.sqrt(np.einsum("ij,ij->i", X, X)))[:, None]


def _covariance_make(
    rng: Generator, dtype: DType, n: int, d: int, batch: tuple[int, ...] = ()
) -> Arguments:
    mixed = rng.normal(size=(*batch, n, d)) @ rng.normal(size=(d, d))
    return {"X": (mixed + rng.normal(size=d)).astype(dtype)}


def _covariance_question(X: Array) -> Array:
    X = X.astype(np.float64)
    flat = X.reshape(-1, *X.shape[-2:])
    return np.array([np.cov(x, rowvar=False) for x in flat]).reshape(
        *X.shape[:-2], *X.shape[-1:] * 2
    )


def _covariance_numpy(X: Array) -> Array:
    centred = X - X.mean(axis=-2, keepdims=True)
    c = centred.swapaxes(-1, -2) @ centred
    c /= X.shape[-2] - 1
    return c


def _mlp_make(
    rng: Generator, dtype: DType, n: int, widths: tuple[int, ...], **others: Any
) -> Arguments:
    layers = list(itertools.pairwise(widths))
    return others | {
        "X": rng.normal(size=(n, widths[0])).astype(dtype),
        "weights": [(rng.normal(size=layer) / layer[0] ** 0.5).astype(dtype) for layer in layers],
        "biases": [rng.normal(size=layer[1]).astype(dtype) for layer in layers],
    }


_FUNCTIONS: dict[str, Any] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
    "softmax": _softmax_question,
}


def _mlp_question(
    X: Array,
    weights: list[Array],
    biases: list[Array],
    activation: str = "relu",
    output_activation: str = "softmax",
) -> Array:
    last = len(weights) - 1
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        X = _FUNCTIONS[output_activation if k == last else activation](X @ w + b)
    return X


def _mlp_numpy(X: Array, weights: list[Array], biases: list[Array]) -> Array:
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        X = X @ w
        X += b
        np.maximum(X, 0, out=X)
    return _softmax_numpy(X @ weights[-1] + biases[-1])


_ROWS_TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}
_MLP_TOLERANCE = {np.float64: 3e-15, np.float32: 2e-6}

CASES = (
    Case(
        "linalg", "distances", linalg.distances, _distances_make,
        {"n": 50, "m": 37, "d": 20}, {np.float32: 1e-6, np.float64: 1e-14},
        _distances_question, _distances_numpy, {"n": 2000, "m": 2000, "d": 20},
        {"n": 500, "m": 500, "d": 20},
    ),
    Case(
        "linalg", "softmax", linalg.softmax, _rows_make,
        {"n": 130, "m": 99}, _ROWS_TOLERANCE,
        _softmax_question, _softmax_numpy, {"n": 4000, "m": 1000}, {"n": 500, "m": 1000},
    ),
    Case(
        "linalg", "softmax of columns", linalg.softmax, _rows_make,
        {"n": 99, "m": 130, "axis": 0}, _ROWS_TOLERANCE,
        _softmax_question, _softmax_numpy, {"n": 1000, "m": 4000, "axis": 0},
        {"n": 500, "m": 1000, "axis": 0},
    ),
    Case(
        "linalg", "rows of length 1", linalg.normalize_rows, _rows_make,
        {"n": 130, "m": 99}, _ROWS_TOLERANCE,
        _normalize_question, _normalize_numpy, {"n": 4000, "m": 1000}, {"n": 500, "m": 1000},
    ),
    Case(
        "linalg", "covariance", linalg.covariance, _covariance_make,
        {"n": 1100, "d": 70}, _ROWS_TOLERANCE,
        _covariance_question, _covariance_numpy, {"n": 100_000, "d": 50}, {"n": 20_000, "d": 50},
    ),
    Case(
        "linalg", "covariances of a batch", linalg.covariance, _covariance_make,
        {"batch": (7,), "n": 300, "d": 5}, _ROWS_TOLERANCE,
        _covariance_question, _covariance_numpy, {"batch": (1000,), "n": 200, "d": 20},
        {"batch": (100,), "n": 200, "d": 20},
    ),
    Case(
        "linalg", "multilayer perceptron", linalg.mlp_forward, _mlp_make,
        {"n": 300, "widths": (20, 16, 5)}, _MLP_TOLERANCE,
        _mlp_question, _mlp_numpy, {"n": 4096, "widths": (784, 256, 128, 10)},
        {"n": 512, "widths": (784, 256, 128, 10)},
    ),
    *(
        Case(
            "linalg", f"multilayer perceptron, {name}", linalg.mlp_forward, _mlp_make,
            {"n": 40, "widths": (20, 16, 5), "activation": name, "output_activation": "identity"},
            _MLP_TOLERANCE, _mlp_question,
        )
        for name in ("tanh", "sigmoid")
    ),
    Case(
        "linalg", "multilayer perceptron of no features", linalg.mlp_forward, _mlp_make,
        {"n": 40, "widths": (0, 5)}, {np.float64: 3e-15}, _mlp_question,
    ),
)  # fmt: skip
