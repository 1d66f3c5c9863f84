"""Matrices of many rows, taken a piece of rows at a time, and in double precision.

A sum of m rounded terms loses up to m eps, one of some thousands in pieces, or in twice the
precision, next to nothing. LAPACK's own sums run over all rows: its factorisations get pieces of
them here, and then what those leave, n rows of each. The pieces follow from the shape alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._run import Call, Output, Step, run, tiles
from ._run.tiles import Tile
from ._typing import Array

_HEIGHT = 4096  # rows of a piece of many that is factored, at least
_PIECES = 8  # of fewer rows, for several workers
_LEAST = 256  # rows of such a piece
_LOW = 512  # rows of a piece that is summed, at least
_LARGE = 1e7  # multiplications from which on there are such pieces


def are_many(m: int, n: int) -> bool:
    """Whether sums over the rows of a matrix (m, n) are to be made in pieces."""
    return m > 2 * max(_HEIGHT, 4 * n)


def are_factored_in_pieces(m: int, n: int) -> bool:
    """Whether the triangular factor of a matrix (m, n) is made of those of pieces of its rows."""
    return are_many(m, n) or (m >= 4 * n and m * n * n > _LARGE)


def double(array: Array) -> Array:
    """`array` in double precision, itself if it is."""
    return array if array.dtype.char in "dD" else array.astype(_wide(array))


def _wide(*arrays: Array) -> np.dtype[Any]:
    return np.result_type(*(array.dtype for array in arrays), np.float64)


# --- sums -----------------------------------------------------------------------------------


def products(a: Array, b: Array, backend: str | None = None, workers: int | None = None) -> Array:
    """aᵀ b in double precision: a (m, n), b (m, p)."""
    (m, n), p = a.shape, b.shape[1]
    dtype = np.result_type(a.dtype, b.dtype)
    arrays = {"a": a.astype(dtype, copy=False), "b": b.astype(dtype, copy=False)}
    cost = 0.3 * (n + p) + 0.1 * n * p
    return _summed("products", dtype, arrays, (n, p), m, cost, m * n * p, backend, workers)


def inner_products(a: Array, backend: str | None = None, workers: int | None = None) -> Array:
    """The upper triangle of aᴴ a in double precision: a (m, n)."""
    m, n = a.shape
    cost = 0.3 * n + 0.05 * n * n
    return _summed(
        "inner_products", a.dtype, {"a": a}, (n, n), m, cost, m * n * n, backend, workers
    )


def sums(
    a: Array, less: Sequence[Array] = (), backend: str | None = None, workers: int | None = None
) -> Array:
    """The sums of the columns of ((a − l) − …) for each l (n,) of `less`, in double precision."""
    (m, n), arrays = a.shape, {"a": a, "less": _parts(less, a)}
    return _summed("sums", a.dtype, arrays, (n,), m, 0.5 * n, 0, backend, workers)


def _summed(
    block: str, dtype: np.dtype[Any], arrays: dict[str, Any], shape: tuple[int, ...], m: int,
    cost: float, work: int, backend: str | None, workers: int | None,
) -> Array:  # fmt: skip
    """What a block adds up over m rows, each of `cost` ns."""
    arrays["total"] = _output(shape, dtype)
    step = Step(block, _pieces(m, cost), m * cost, work)
    total: Array = run(Call("rows", dtype, arrays, [step], ("total",)), backend, workers)
    return total


def _pieces(m: int, cost: float) -> list[Tile]:
    """Pieces of m rows, each of `cost` ns, that have sums of their own: so high that these cost
    less than the piece, whatever the number of columns."""
    if tiles.is_short(m * cost):
        return [(0, m)]
    return tiles.grid((m,), (max(_LOW, tiles.split(m, cost)),))


def _output(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Output:
    """An output in double precision, which blocks see as real numbers."""
    wide = np.result_type(dtype, np.float64)
    return Output(shape, wide, (*shape, 1), np.dtype(np.float64))


def _parts(less: Sequence[Array], a: Array) -> Array:
    """The rows of `less` in double precision, as real numbers."""
    rows = np.array([*less], _wide(a)).reshape(len(less), a.shape[1], 1)
    return rows.view(np.float64)


# --- factors --------------------------------------------------------------------------------


def short(a: Array, backend: str | None = None, workers: int | None = None) -> Array:
    """A matrix with the singular values of a, in double precision and of few rows."""
    return triangular(a, backend, workers) if are_factored_in_pieces(*a.shape) else double(a)


def triangular(
    a: Array,
    backend: str | None = None,
    workers: int | None = None,
    *,
    less: Sequence[Array] = (),
    q: Array | None = None,
) -> Array:
    """R (n, n) in double precision, with Q R = ((a − l) − …) for each l (n,) of `less`: a (m, n),
    m ≥ n. `q` (m, n), if given, is filled with Q."""
    m, n = a.shape
    count = 1
    if are_factored_in_pieces(m, n):
        count = max(1, m // max(min(_HEIGHT, max(_LEAST, m // _PIECES)), 4 * n))
    ends = [m * k // count for k in range(count + 1)]
    pieces = [(ends[k], ends[k + 1], k, k + 1) for k in range(count)]
    work, time = (ends[1] - ends[0]) * n * n, 0.2 * m * n * (n + 5)
    arrays = {
        "a": a, "less": _parts(less, a), "q": Output((0 if q is None else m, n), a.dtype),
        "factors": _output((count, n, n), a.dtype),
    }  # fmt: skip
    call = Call("rows", a.dtype, arrays, [Step("triangular", pieces, time, work)], ("q", "factors"))
    factors: Array = run(call, backend, workers, out=q)[1]
    if count == 1:
        r: Array = factors[0]
        return r
    # the R of all pieces below one another, and the Q of that for the pieces' own
    stack = factors.reshape(count * n, n)
    inner = None if q is None else np.empty_like(stack)
    r = triangular(stack, backend, workers, q=inner)
    if q is not None and inner is not None:
        _multiply(q, inner.reshape(count, n, n), pieces, backend, workers)
    return r


def multiply(
    q: Array, factor: Array, backend: str | None = None, workers: int | None = None
) -> None:
    """q = q · factor, in the precision of q (m, n), summed in double; factor (n, n)."""
    m, n = q.shape
    pieces = [(*rows, 0, 1) for rows in tiles.rows(m, 0.1 * n * n)]
    _multiply(q, factor[None], pieces, backend, workers)


def _multiply(
    q: Array, factors: Array, pieces: Any, backend: str | None, workers: int | None
) -> None:
    """Multiply pieces of the rows of q, each by a factor of its own, in their place."""
    n = q.shape[1]
    parts = double(factors)[..., None].view(np.float64)
    step = Step("multiply", pieces, 0.1 * len(q) * n * n, (pieces[0][1] - pieces[0][0]) * n * n)
    arrays = {"factors": parts, "q": Output(q.shape, q.dtype)}
    run(Call("rows", q.dtype, arrays, [step], ("q",)), backend, workers, out=q)
