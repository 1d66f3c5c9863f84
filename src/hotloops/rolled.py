"""Matrix products round a ring."""

from typing import Any, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arrays
from ._run import Form, Output, Step, by_shape, run, tiles
from ._run.tiles import Tile
from ._typing import Array
from .kernels.rolled import LIMIT

__all__ = ["rolled_matmul"]

_Number = TypeVar("_Number", bound=np.bool | np.number[Any])
_Dtype: TypeAlias = np.dtype[Any]

_BLAS_LIMIT = 2**31  # rows and columns
_FLOAT64 = np.dtype(np.float64)
_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
_COST = {"f": 0.05, "c": 0.2, "i": 0.2, "u": 0.2, "b": 0.1}  # ns a multiplication


def __dir__() -> list[str]:
    return __all__


@overload
def rolled_matmul(
    A: NDArray[_Number],
    B: NDArray[_Number],
    k: SupportsIndex,
    *,
    out: NDArray[_Number] | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> NDArray[_Number]: ...
@overload
def rolled_matmul(
    A: ArrayLike,
    B: ArrayLike,
    k: SupportsIndex,
    *,
    out: Array | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Array: ...
def rolled_matmul(
    A: ArrayLike,
    B: ArrayLike,
    k: SupportsIndex,
    *,
    out: Array | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Array:
    """Products of each matrix with a run of others, round a ring.

    .. math:: \\mathrm{out}_{ij} = A_i B_{(i + j) \\bmod d}, \\quad 0 \\le i < d, \\; 0 \\le j < k

    Parameters
    ----------
    A : array_like, shape (d, m, n)
    B : array_like, shape (d, n, l)
    k : int
        Products for each matrix of A; beyond d they go round again.
    out : ndarray, shape (d, k, m, l), optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (d, k, m, l)
        Of the dtype that ``np.matmul(A, B)`` has: booleans multiply by "and" and add by "or",
        integers wrap.

    Raises
    ------
    TypeError
        For an array of other than booleans, integers, or real or complex numbers in single or
        double precision; for a k that is no integer.
    ValueError
        For shapes that do not meet, a k that is negative or makes the result larger than any array,
        an unfit `out`.

    Notes
    -----
    Accuracy: that of a sum of n products in the result's dtype; integers are exact modulo their
    width. NaN travels.

    Cost: d k m n l multiplications. Matrices of up to 16 rows and columns, 32 of complex numbers,
    are multiplied in registers; larger ones take a call to BLAS each. Integers are multiplied as
    integers, except that those of 64 bits go through float64 where no sum can reach 2**51 and the
    products are enough to make up for the conversion. With small matrices the limit is the memory
    that takes the result: the page faults of a new array last longer than the products.

    Memory: the result, and copies of A and B where they are not C-contiguous arrays of the dtype
    that is multiplied. B is not repeated.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.rolled_matmul([[[2]], [[3]], [[5]]], [[[1]], [[10]], [[100]]], 2)[..., 0, 0]
    array([[  2,  20],
           [ 30, 300],
           [500,   5]])
    """
    a = _arrays.number("A", A, 3)
    b = _arrays.number("B", B, 3)
    (d, m, n), l = a.shape, b.shape[2]
    if b.shape[:2] != (d, n):
        raise ValueError(
            f"A must have shape (d, m, n) and B (d, n, l), with the same d and n, "
            f"got {a.shape} and {b.shape}"
        )
    dtype = _arrays.common_dtype(a, b)
    k = _arrays.integer("k", k, maximum=_arrays.most(dtype, (d, m, l)))
    if max(m, n, l) >= _BLAS_LIMIT and dtype.kind in "fc":
        raise ValueError(
            f"A and B must have matrices of less than 2**31 rows and columns, "
            f"got shapes {a.shape} and {b.shape}"
        )
    block, multiplied, seen_as = _arithmetic(a, b, k, dtype)
    form = _rolling(block, dtype, multiplied, seen_as, (d, k, m, l), m * n * l)
    call = form.of(_seen(a, multiplied, seen_as), _seen(b, multiplied, seen_as))
    result: Array = run(call, backend, workers, out=out, A=a, B=b)
    return result


@by_shape
def _rolling(
    block: str,
    dtype: _Dtype,
    multiplied: _Dtype,
    seen_as: _Dtype,
    shape: tuple[int, int, int, int],
    volume: int,
) -> Form:
    """The form of the calls that make products of shape (d, k, m, l), each of the d k matrices by
    `volume` multiplications."""
    d, k, m, l = shape
    step = Step(block, _bounds(d * k, m, l, volume, multiplied), multiplications=volume)
    arrays = {"k": k, "out": Output(shape, dtype, (d * k, m, l), seen_as)}
    return Form(("a", "b"), "rolled", seen_as, arrays, [step])


def _arithmetic(a: Array, b: Array, k: int, dtype: _Dtype) -> tuple[str, _Dtype, _Dtype]:
    """The block that multiplies numbers of this dtype, the dtype to which they are converted for
    it, and the dtype as which it sees those."""
    if dtype.kind in "fc":
        return "fill", dtype, dtype
    if dtype.kind == "b":
        return "fill_bool", dtype, _UNSIGNED[1]
    if _exact_in_float64(a, b, k, dtype):
        return "fill_exact", _FLOAT64, _FLOAT64
    return "fill_integer", dtype, _UNSIGNED[dtype.itemsize]


def _seen(array: Array, dtype: _Dtype, seen_as: _Dtype) -> Array:
    return array if array.dtype is seen_as else _arrays.ready(array, dtype).view(seen_as)


def _exact_in_float64(a: Array, b: Array, k: int, dtype: _Dtype) -> bool:
    """Whether the products of these integers are as exact in float64, and made faster there."""
    (d, m, n), l = a.shape, b.shape[2]
    made, read = k * m * l, m + l  # times d n
    if made < 16 * read or d * n * made < 2**18:
        return False
    if dtype.itemsize < 8 or max(m, n, l) >= _BLAS_LIMIT:
        return False
    return bool(n * _largest(a) * _largest(b) < LIMIT)


def _largest(array: Array) -> int:
    """The largest absolute value among these integers."""
    return max(-int(array.min()), int(array.max()))


def _bounds(products: int, m: int, l: int, volume: int, dtype: _Dtype) -> list[Tile]:
    """Tiles of whole products where there are enough of them, else of rows of one product; each
    product takes `volume` multiplications."""
    cost = 5 + volume * _COST[dtype.kind]
    if tiles.is_short(products * cost) or not m * l:
        return [(0, products, 0, m)]
    length = tiles.split(products, cost)
    rows = tiles.split(m, cost / m) if length == 1 else m
    return tiles.grid((products, m), (length, rows))
