"""Functions that make probabilities or unit vectors of rows."""

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._run import Call, Form, Output, Step, by_shape, run
from .._run.tiles import grid, rows, split
from .._typing import Floats
from ._common import real


@overload
def softmax(
    X: float | np.floating[Any],
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> np.floating[Any]: ...
@overload
def softmax(
    X: ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats: ...
def softmax(
    X: ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Any:
    """Exponentials of the entries over their sum, along one axis or several.

    .. math:: p_j = \\frac{\\exp(x_j - \\max x)}{\\sum_k \\exp(x_k - \\max x)}

    Parameters
    ----------
    X : array_like
    axis : int, tuple of ints, or None
        The axis or axes along which the result adds up to 1; None is all of them, SciPy's default.
    out : ndarray of the shape of X, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray of the shape of X, or number
        float32 if X is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real, an axis that is not an integer.
    ValueError
        For an axis that X does not have, or named twice, an unfit `out`.

    Notes
    -----
    Accuracy: each value within a few ulps, however far below the largest, through the subnormals
    to 0: the rounding of x − max x is carried along. Nothing overflows. −inf gives 0; NaN, inf, or
    nothing but −inf give NaN along their whole line, as in NumPy.

    Cost: one pass over X and one over the result, a row staying in the cache in between. Memory:
    the result, and of an X that is not C-contiguous a copy; over several axes the result once more.

    Source: Blanchard, Higham & Higham, IMA J. Numer. Anal. 41 (2021) 2311.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.softmax([1000.0, 1000.0, -1000.0])
    array([0.5, 0.5, 0. ])
    """
    x = _arrays.real("X", X)
    if axis is None or isinstance(axis, tuple) or not x.ndim:
        return _softmax_over(_arrays.axes("axis", axis, x.ndim), x, out, backend, workers)
    k = _arrays.integer("axis", axis, minimum=-x.ndim, maximum=x.ndim - 1) % x.ndim
    inner = math.prod(x.shape[k + 1 :])
    call = _of_rows("softmax", x, k, 0.7) if inner == 1 else _across(x, k, inner)
    return run(call, backend, workers, out=out, X=x)


def _of_rows(block: str, x: Floats, axis: int, cost: float) -> Call:
    """The call of a block that makes a row of each row along an axis, which only axes of length 1
    follow, in about `cost` ns an element."""
    shape = x.shape
    if x.ndim != 2 or axis != 1:
        x = x.reshape(math.prod(shape[:axis]), shape[axis])
    return _row_by_row(block, x.dtype, shape, x.shape, cost).of(x)


@by_shape
def _row_by_row(
    block: str, dtype: np.dtype[Any], shape: tuple[int, ...], seen: tuple[int, int], cost: float
) -> Form:
    """The form of the calls that make a row of each row of an array of this shape, which blocks see
    in the shape `seen`, in about `cost` ns an element."""
    out = Output(shape, dtype, None if seen == shape else seen)
    step = Step(block, rows(seen[0], 20 + cost * seen[1]))
    return Form(("x",), "linalg", dtype, {"out": out}, [step])


def _across(x: Floats, axis: int, inner: int) -> Call:
    """The call of a softmax along an axis that others of `inner` elements follow."""
    shape = outer, m, _ = math.prod(x.shape[:axis]), x.shape[axis], inner
    height = split(outer, m * inner)
    width = inner if height > 1 else -(-split(inner, m) // 64) * 64
    step = Step("softmax_across", grid((outer, inner), (height, width)))
    arrays = {"x": x.reshape(shape), "out": Output(x.shape, x.dtype, shape)}
    return Call("linalg", x.dtype, arrays, [step])


def _softmax_over(
    axes: tuple[int, ...],
    x: Floats,
    out: Floats | None,
    backend: str | None,
    workers: int | None,
) -> Any:
    """The softmax over several axes, all of them or none, which are made one."""
    result = _arrays.output(out, x.shape, x.dtype, X=x)
    others = [k for k in range(x.ndim) if k not in axes]
    order = [*others, *axes] if x.ndim else []
    moved = x.transpose(order)
    lines = moved.reshape(
        math.prod(x.shape[k] for k in others), math.prod(moved.shape[len(others) :])
    )
    lines = softmax(lines, backend=backend, workers=workers)
    result.transpose(order)[...] = lines.reshape(moved.shape)
    return result if result.ndim or out is not None else result[()]


def normalize_rows(
    X: ArrayLike,
    *,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """Rows of length 1 in the directions of those given.

    .. math:: y_i = x_i / |x_i|_2, \\quad 0 \\text{ for } 0

    Parameters
    ----------
    X : array_like, shape (..., D)
    out : ndarray of the shape of X, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray of the shape of X
        float32 if X is, else float64. Rows of zeros stay what they are.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For a number in place of rows, an unfit `out`.

    Notes
    -----
    Accuracy: a few ulps, for rows of any length that is not 0: where squares would overflow or
    vanish the row is scaled first. A row with NaN is NaN; beside inf, finite entries become 0 and
    inf NaN, as inf / inf.

    Cost: one pass over X and the result. Memory: the result; of an X that is not C-contiguous a
    copy.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.normalize_rows([[3e200, 4e200], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = real("X", X, 1)
    call = _of_rows("normalize_rows", x, x.ndim - 1, 0.5)
    result: Floats = run(call, backend, workers, out=out, X=x)
    return result
