"""Solutions for many penalties from one singular value decomposition, and errors of leaving out."""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import qr

from .. import _rows
from .._factors.serial import serial
from .._run import Call, Output, Step, each, run, tiles
from .._typing import Array, Numbers
from .factors import Factor
from .problem import Problem
from .singular import epsilon, real_dtype

_HIGH = 16  # rows of a matrix product, at least


class RidgePath(NamedTuple):
    """What `LeastSquares.ridge_path` returns, one row for each alpha."""

    x: Numbers
    loo_errors: Numbers


def ridge_path(
    problem: Problem, factors: list[Factor], rank: Array, b: Array, alphas: Array
) -> tuple[Array, Array]:
    """x (k, K, n, p) for b (K, m, p) and each penalty, and the errors (k, K, m, p) of leaving out
    each row. The first of the factors is one of all matrices."""
    count, _, n = problem.a.shape
    x = np.zeros((len(alphas), count, n, b.shape[2]), problem.dtype)
    errors = np.empty((len(alphas), *b.shape), problem.dtype)
    if not b.size:
        return x, errors
    errors[:, rank == 0] = b[rank == 0]
    items = np.flatnonzero(rank)

    def path(place: int) -> None:
        k = int(items[place])
        _path_of(problem, factors[0], k, int(rank[k]), b[k], alphas, x[:, k], errors[:, k])

    if len(items) == 1:  # whose penalties the workers share
        path(0)
    else:
        each(path, len(items), problem.workers, blas=True)
    return x, errors


def _path_of(
    problem: Problem, factor: Factor, item: int, rank: int, b: Array, alphas: Array, x: Array,
    errors: Array,
) -> None:  # fmt: skip
    """Write x (k, n, p) and the errors (k, m, p) of leaving out each row, for one matrix and k
    penalties, into the arrays given."""
    n, p, k, real = problem.a.shape[2], b.shape[1], len(alphas), real_dtype(problem.a.dtype)
    weights, root = problem.weights, 1
    if weights.size:
        root = problem.root[item].astype(real)[:, None]
    u, sigma, vh = _singular(problem, factor, item, root, rank)
    sigma = sigma.astype(np.float64)
    # a penalty takes `gap` of each singular value's share
    with np.errstate(all="ignore"):
        ratio = alphas[:, None] / sigma / sigma
        inverse = 1 / (sigma * (1 + ratio))
        gap = 1 / (1 + 1 / ratio)
    y = _rows.products(u.conj(), root * b, *problem.kept).T.astype(u.dtype)
    shares = (inverse.astype(real)[:, None] * y).reshape(k * p, len(vh))
    rows = serial(lambda: shares @ vh.conj(), shares.size * n)
    x[...] = rows.reshape(k, p, n).swapaxes(1, 2)
    with np.errstate(all="ignore"):
        errors[...] = _left_out(problem, u, sigma, gap, y, root * b)
    if weights.size:
        with np.errstate(all="ignore"):
            errors /= root
        none = weights[item] == 0
        unweighted = problem.a[item, none]
        errors[:, none] = b[none] - serial(lambda: unweighted @ x, unweighted.size * k * p)


def _singular(
    problem: Problem, factor: Factor, item: int, root: Any, rank: int
) -> tuple[Array, Array, Array]:
    """U, Σ and Vᴴ of √W A up to its rank, by those of R where there is one."""
    q, reduced = None, factor.reduced(item) if rank == problem.a.shape[2] else None
    if reduced is not None:
        q, a = reduced
    else:
        a = root * problem.a[item]
        if _rows.are_many(*a.shape):
            q = np.empty_like(a)
            a = _rows.triangular(a, *problem.kept, q=q)
    a = _rows.double(a)
    basis, sigma, vh = serial(lambda: _graded(a, rank, q is not None), a.size * a.shape[1])
    if q is None:
        return basis, sigma, vh
    _rows.multiply(q, basis, *problem.kept)
    return q[:, :rank], sigma, vh


def _graded(a: Array, rank: int, square: bool) -> tuple[Array, Array, Array]:
    """U, Σ and Vᴴ up to the rank, or all of U if that is `square`."""
    # transposed, with rows that grow smaller: small singular values are as accurate as large
    basis, r, order = qr(a, mode="economic", pivoting=True, check_finite=False)
    v, sigma, u = np.linalg.svd(r.conj().T, full_matrices=False)
    vh = np.empty_like(r[:rank])
    vh[:, order] = v[:, :rank].conj().T
    return basis @ u[: None if square else rank].conj().T, sigma[:rank], vh


def _left_out(problem: Problem, u: Array, sigma: Array, gap: Array, y: Array, b: Array) -> Array:
    """The errors (k, m, p) of leaving out each row of b (m, p), from U Σ Vᴴ, y = (Uᴴ b)ᵀ and the
    share `gap` (k, q) that each penalty takes of the singular values' parts."""
    (m, q), (p, k) = u.shape, (len(y), len(gap))
    squares = np.real(u * u.conj()).astype(np.float64, copy=False)
    beyond, rest = np.zeros(m), np.zeros_like(b)
    if m > q:
        beyond, rest = 1 - squares.sum(axis=1), b - serial(lambda: u @ y.T, u.size * p)
        inside = beyond < 10 * q * epsilon(real_dtype(u.dtype))
        beyond[inside], rest[inside] = 0, 0
    # of a row inside U residual and 1 − h both go to 0 with the penalty, and their ratio does not
    limit = np.where(gap.any(axis=1, keepdims=True), gap, (sigma[-1] / sigma) ** 2)
    arrays = {
        "gap": gap, "limit": limit, "y": y, "u": u, "squares": squares, "beyond": beyond,
        "rest": np.ascontiguousarray(rest.T), "errors": Output((k, p, m), u.dtype),
    }  # fmt: skip
    cost = 0.1 * m * q * (p + 1)
    penalties = tiles.grid((k,), (max(-(-_HIGH // p), tiles.split(k, cost)),))
    step = Step("left_out", penalties, k * cost, penalties[0][1] * p * m * q)
    errors: Array = run(Call("lstsq", u.dtype, arrays, [step], ("errors",)), *problem.kept)
    return errors.swapaxes(1, 2)
