"""Q R = A of one large matrix: in panels of columns, or in pieces of many rows."""

import functools

import numpy as np

from .. import _rows
from .._run import Call, Output, Step, run, tiles
from .._typing import Array
from . import cholesky
from .panels import panels, tasks

_TALL = 3  # rows for each column, from which on inner products are quicker than reflections
_LARGE = 384  # columns from which on panels on several workers are quicker than LAPACK on one
_LEAST = 5e7  # multiplications from which on several workers are quicker than one

_WIDTH = 64  # of a panel: its reflections are slow, beside the products of the others
_WIDE = 4  # panels of columns that one task updates, at most
_COST = 0.03  # ns: a multiplication


def is_large(m: int, n: int) -> bool:
    """Whether the factors of a matrix (m, n) are to be made here, m ≥ n."""
    return m * n * n > _LEAST and (m >= _TALL * n or n >= _LARGE)


def factor(
    a: Array, backend: str | None = None, workers: int | None = None
) -> tuple[Array, Array] | None:
    """Q (m, n) and R (n, n) of a (m, n) in double precision; None where the columns are nearly
    dependent, so that these are not to be trusted without exchanges of columns."""
    m, n = a.shape
    if m >= _TALL * n:
        return by_inner_products(a, backend, workers)
    q, r = by_panels(a, backend, workers)
    pivots, norms = np.abs(r.diagonal()), np.linalg.norm(r, axis=0)
    independent = pivots > np.finfo(a.dtype).eps ** 0.25 * norms
    return (q, r) if independent.all() else None


# --- by reflections -------------------------------------------------------------------------


def by_panels(
    a: Array, backend: str | None = None, workers: int | None = None, *, width: int = _WIDTH
) -> tuple[Array, Array]:
    """Q and R by Householder's reflections in panels of columns."""
    m, n = a.shape
    arrays = {
        "a": a, "columns": Output((n, m), a.dtype), "t": Output((n, min(n, width)), a.dtype),
        "q": Output((m, n), a.dtype), "r": Output((n, n), a.dtype),
    }  # fmt: skip
    call = Call("qr", a.dtype, arrays, _steps(m, n, width), ("q", "r"))
    found: tuple[Array, Array] = run(call, backend, workers)
    return found


@functools.lru_cache
def _steps(m: int, n: int, width: int) -> list[Step]:
    """The steps of a matrix (m, n), in a valid serial order."""
    wide = panels(n, _WIDE * width)
    steps = [Step("columns", [tile], m * (tile[1] - tile[0])) for tile in wide]
    for columns, panel in tasks(n, width, _WIDE * width):
        first, own = panel[0], panel[1] - panel[0]
        if columns is None:
            work = 2 * own * own * (m - first)
            steps.append(Step("panel", [(*panel, first)], 4 * _COST * work, work))
        else:
            work = 2 * own * (columns[1] - columns[0]) * (m - first)
            tile = (*columns, *panel, first)
            steps.append(Step("update", [tile], _COST * work, work, panel="columns"))
    for tile in panels(n, 2 * width):  # narrower: they do without the reflections behind
        work = 2 * (tile[1] - tile[0]) * tile[1] * m
        steps.append(Step("orthogonal", [(*tile, tile[0])], _COST * work, work))
    return steps


# --- by inner products ----------------------------------------------------------------------


def by_inner_products(
    a: Array, backend: str | None = None, workers: int | None = None
) -> tuple[Array, Array] | None:
    """Q and R by Cholesky's factors of the columns' inner products, and once more; None where the
    columns are too near to dependence for those."""
    (m, n), kept = a.shape, (backend, workers)
    first, share = cholesky.upper(_rows.inner_products(a, *kept), *kept)
    if not share.min() > np.finfo(a.dtype).eps ** 0.5:
        return None
    # so high that the product of a piece, which is summed, costs less than the piece
    rows = tiles.grid((m,), (-(-m // (2 * max(1, min(8, m // (8 * n))))),))
    work = n * n * rows[0][1]
    arrays = {"a": a, "r": first, "q": Output((m, n), a.dtype), "product": Output((n, n), a.dtype)}
    step = Step("divide", rows, 2 * _COST * m * n * n, work)
    q, product = run(Call("qr", a.dtype, arrays, [step], ("q", "product")), *kept)
    if not np.abs(product - np.eye(n)).max() < 0.01:
        return None
    second, _ = cholesky.upper(product, *kept)
    step = Step("correct", rows, _COST * m * n * n, work)
    run(Call("qr", a.dtype, {"r": second, "q": Output((m, n), a.dtype)}, [step], ("q",)), *kept,
        out=q)  # fmt: skip
    r = np.triu(second)
    _rows.multiply(r, np.triu(first), *kept)
    return q, r
