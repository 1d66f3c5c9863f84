"""Covariances of automatic relevance determination: the kernel, its products and its gradients."""

import functools
from typing import Any

import numpy as np

from .. import ard
from .._typing import Array
from .case import Arguments, Case, DType, Generator


def _ard_make(rng: Generator, dtype: DType, n: int, m: int, d: int) -> Arguments:
    return {
        "X": rng.normal(size=(n, d)).astype(dtype),
        "Y": rng.normal(size=(m, d)).astype(dtype),
        "length_scale": rng.uniform(1, 3, d),
        "variance": 1.5,
    }


def _ard_question(X: Array, Y: Array, length_scale: Array, variance: float) -> Array:
    difference = (X[:, None, :] - Y[None, :, :]) / length_scale.astype(X.dtype)
    return variance * np.exp(-0.5 * (difference**2).sum(axis=-1))


def _ard_numpy(X: Array, Y: Array, length_scale: Array, variance: float) -> Array:
    x, y = X / length_scale.astype(X.dtype), Y / length_scale.astype(X.dtype)
    k = x @ y.T
    k -= 0.5 * np.einsum("ij,ij->i", x, x)[:, None]
    k -= 0.5 * np.einsum("ij,ij->i", y, y)
    np.minimum(k, 0, out=k)
    np.exp(k, out=k)
    k *= variance
    return k


def _m3_make(rng: Generator, dtype: DType, n: int, m: int, d: int, r: int) -> Arguments:
    arguments = _ard_make(rng, dtype, n, m, d)
    return arguments | {"factors": rng.normal(size=(d, r)) / d}


def _m3_metric(length_scale: Array, factors: Array, dtype: DType) -> Array:
    return (np.diag(length_scale**-2) + factors @ factors.T).astype(dtype)


def _m3_question(X: Array, Y: Array, length_scale: Array, factors: Array, variance: float) -> Array:
    metric = _m3_metric(length_scale, factors, X.dtype)
    difference = X[:, None, :] - Y[None, :, :]
    return variance * np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", difference, metric, difference))


def _m3_numpy(X: Array, Y: Array, length_scale: Array, factors: Array, variance: float) -> Array:
    root = np.linalg.cholesky(_m3_metric(length_scale, factors, X.dtype))
    return _ard_numpy(X @ root, Y @ root, np.ones(X.shape[1]), variance)


def _kernel_make(
    rng: Generator,
    dtype: DType,
    n: int,
    d: int,
    m: int | None = None,
    r: int | None = None,
    full_metric: bool = False,
    **others: Any,
) -> Arguments:
    """Arguments of any function of the subject: of one set without m."""
    arguments = {"X": rng.normal(size=(n, d)).astype(dtype)} | others
    if m is not None:
        arguments["Y"] = rng.normal(size=(m, d)).astype(dtype)
    if full_metric:
        root = rng.normal(size=(d, d)) / d
        arguments["metric"] = root @ root.T + np.eye(d) / d
    else:
        arguments["length_scale"] = np.sqrt(d) * rng.uniform(0.5, 1.5, d)
    if r is not None:
        arguments["factors"] = rng.normal(size=(d, r)) / d
    return arguments


_PROFILES = {
    "quadform": lambda q, alpha: q,
    "se": lambda q, alpha: np.exp(-q / 2),
    "matern12": lambda q, alpha: np.exp(-np.sqrt(q)),
    "matern32": lambda q, alpha: (1 + np.sqrt(3 * q)) * np.exp(-np.sqrt(3 * q)),
    "matern52": lambda q, alpha: (1 + np.sqrt(5 * q) + 5 * q / 3) * np.exp(-np.sqrt(5 * q)),
    "rq": lambda q, alpha: (1 + q / (2 * alpha)) ** -alpha,
}


def _kernel_formula(
    X: Array,
    Y: Array | None = None,
    kind: str = "se",
    length_scale: Any = None,
    factors: Array | None = None,
    metric: Any = None,
    rq_alpha: Any = 1.0,
    variance: Any = 1.0,
    noise_variance: Any = 0.0,
) -> Array:
    """The kernel's definition, in double precision; analytic in all its arguments."""
    if metric is None:
        metric = np.diag(length_scale**-2.0)
        if factors is not None:
            metric = metric + factors @ factors.T
    x = X.astype(np.result_type(X, np.float64))
    difference = x[:, None] - (x if Y is None else Y)
    q = ((difference @ metric) * difference).sum(axis=-1)
    k = variance * _PROFILES[kind](q, rq_alpha)
    return k + noise_variance * np.eye(len(x)) if Y is None else k


def _product(
    V: Array, *, backend: str | None = None, workers: int | None = None, **kernel: Any
) -> Array:
    return ard.KernelOperator(**kernel, backend=backend, workers=workers) @ V


def _product_make(
    rng: Generator, dtype: DType, n: int, columns: int, m: int | None = None, **others: Any
) -> Arguments:
    arguments = _kernel_make(rng, dtype, n, m=m, **others)
    return arguments | {"V": rng.normal(size=(m or n, columns)).astype(dtype)}


def _diagonal(*, backend: str | None = None, workers: int | None = None, **kernel: Any) -> Array:
    return ard.KernelOperator(**kernel, backend=backend, workers=workers).diagonal()


def _vjp(
    cotangent: Array, *, backend: str | None = None, workers: int | None = None, **kernel: Any
) -> Array:
    """All gradients in one array."""
    gradients: Arguments = ard.ard_kernel_vjp(cotangent, **kernel, backend=backend, workers=workers)
    return np.concatenate([np.ravel(gradient) for gradient in gradients.values()])


def _vjp_make(
    rng: Generator, dtype: DType, n: int, m: int | None = None, **others: Any
) -> Arguments:
    arguments = _kernel_make(rng, dtype, n, m=m, **others)
    return arguments | {"cotangent": rng.normal(size=(n, m or n)).astype(dtype)}


def _vjp_formula(cotangent: Array, wrt: tuple[str, ...], **kernel: Any) -> Array:
    # f'(t) = Im f(t + i h) / h: without a difference, h can be as small as to be exact
    gradients, h = [], 1e-50
    for name in wrt:
        values = np.asarray(kernel[name])
        for index in np.ndindex(values.shape):
            moved = values.astype(np.complex128)
            moved[index] += 1j * h
            with_moved: Arguments = kernel | {name: moved}
            k = _kernel_formula(**with_moved)
            gradients.append((cotangent * np.imag(k)).sum() / h)
    return np.array(gradients)


_ARD_TOLERANCE = {np.float32: 3e-6, np.float64: 3e-15}

CASES = (
    Case(
        "ard", "ARD kernel, 6 dimensions", ard.ard_kernel, _ard_make,
        {"n": 203, "m": 150, "d": 6}, _ARD_TOLERANCE,
        _ard_question, _ard_numpy, {"n": 4000, "m": 4000, "d": 6}, {"n": 800, "m": 800, "d": 6},
    ),
    Case(
        "ard", "ARD kernel, low rank plus diagonal", ard.ard_kernel, _m3_make,
        {"n": 67, "m": 130, "d": 6, "r": 2}, _ARD_TOLERANCE,
        _m3_question, _m3_numpy, {"n": 300, "m": 400, "d": 6, "r": 2},
    ),
    *(
        Case("ard", name, ard.ard_kernel, _kernel_make, size, _ARD_TOLERANCE, _kernel_formula)
        for name, size in {
            "Matérn 1/2": {"n": 40, "m": 70, "d": 3, "kind": "matern12"},
            "Matérn 3/2": {"n": 40, "m": 70, "d": 3, "kind": "matern32"},
            "Matérn 5/2": {"n": 40, "m": 70, "d": 3, "kind": "matern52"},
            "rational quadratic": {"n": 40, "m": 70, "d": 3, "kind": "rq", "rq_alpha": 0.7},
            "one set with noise": {"n": 130, "d": 3, "variance": 1.5, "noise_variance": 0.1},
            "full metric": {"n": 40, "m": 70, "d": 3, "full_metric": True},
            "20 dimensions": {"n": 130, "m": 140, "d": 20},
            "20 dimensions, one set, full metric": {"n": 130, "d": 20, "full_metric": True},
        }.items()
    ),
    Case(
        "ard", "quadratic forms, low rank plus diagonal", ard.quadform, _kernel_make,
        {"n": 40, "m": 70, "d": 3, "r": 2}, _ARD_TOLERANCE,
        functools.partial(_kernel_formula, kind="quadform"),
    ),
    *(
        Case(
            "ard", name, _product, _product_make, size, {np.float32: 1e-6, np.float64: 3e-15},
            lambda V, **kernel: _kernel_formula(**kernel) @ V,
        )
        for name, size in {
            "operator": {"n": 70, "m": 530, "d": 3, "columns": 3, "kind": "matern32"},
            "operator, one set": {"n": 130, "d": 20, "columns": 1, "noise_variance": 0.1},
        }.items()
    ),
    *(
        Case(
            "ard", name, _diagonal, _kernel_make, size, _ARD_TOLERANCE,
            lambda **kernel: _kernel_formula(**kernel).diagonal(),
        )
        for name, size in {
            "diagonal of an operator": {"n": 530, "m": 140, "d": 20, "kind": "rq"},
            "diagonal of an operator, one set": {"n": 130, "d": 3, "noise_variance": 0.1},
        }.items()
    ),
    *(
        Case(
            "ard", name, _vjp, _vjp_make, size, {np.float32: 3e-6, np.float64: 1e-14}, _vjp_formula
        )
        for name, size in {
            "gradients": {
                "n": 23, "m": 70, "d": 3, "r": 2, "kind": "rq", "rq_alpha": 0.7, "variance": 1.5,
                "wrt": ("length_scale", "factors", "variance", "rq_alpha", "X", "Y"),
            },
            "gradients, one set": {
                "n": 130, "d": 2, "variance": 1.5, "wrt": ("length_scale", "variance"),
            },
            "gradients, one set, full metric": {
                "n": 40, "d": 3, "full_metric": True, "kind": "matern52", "noise_variance": 0.1,
                "wrt": ("metric", "noise_variance", "X"),
            },
            "gradients, 20 dimensions": {
                "n": 40, "m": 70, "d": 20, "wrt": ("length_scale", "X"),
            },
            "gradients, 33 dimensions": {
                "n": 20, "m": 70, "d": 33, "variance": 1.5,
                "wrt": ("length_scale", "variance", "X"),
            },
        }.items()
    ),
)  # fmt: skip
