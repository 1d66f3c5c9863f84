"""Matrix products round a ring."""

import numpy as np

from . import _arrays
from ._run import Call, Output, Step, run, tiles

__all__ = ["rolled_matmul"]

_BLAS_LIMIT = 2**31  # rows and columns
_FLOAT64 = np.dtype(np.float64)
_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
_COST = {"f": 0.05, "c": 0.2, "i": 0.2, "u": 0.2, "b": 0.1}  # ns a multiplication


def __dir__() -> list[str]:
    return __all__


def rolled_matmul(A, B, k, *, out=None, backend=None, workers=None):
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
    volume = m * n * l
    cost = 5 + volume * _COST[multiplied.kind]
    call = Call(
        "rolled",
        seen_as,
        {
            "a": _seen(a, multiplied, seen_as),
            "b": _seen(b, multiplied, seen_as),
            "k": k,
            "out": Output((d, k, m, l), dtype, (d * k, m, l), seen_as),
        },
        [Step(block, _bounds(d * k, m, cost if m * l else 0), multiplications=volume)],
    )
    return run(call, backend, workers, out=out, A=a, B=b)


def _arithmetic(a, b, k, dtype):
    """The block that multiplies numbers of this dtype, the dtype in which it takes them, and the
    one as which it sees them."""
    if dtype.kind in "fc":
        return "fill", dtype, dtype
    if dtype.kind == "b":
        return "fill_bool", dtype, _UNSIGNED[1]
    if _exact_in_float64(a, b, k, dtype):
        return "fill_exact", _FLOAT64, _FLOAT64
    return "fill_integer", dtype, _UNSIGNED[dtype.itemsize]


def _seen(array, dtype, seen_as):
    return array if array.dtype is seen_as else _arrays.ready(array, dtype).view(seen_as)


def _exact_in_float64(a, b, k, dtype):
    """Whether the products of these integers are as exact in float64, and made faster there."""
    (d, m, n), l = a.shape, b.shape[2]
    made, read = k * m * l, m + l  # times d n
    if made < 16 * read or d * n * made < 2**18:
        return False
    if dtype.itemsize < 8 or max(m, n, l) >= _BLAS_LIMIT:
        return False
    return n * _largest(a) * _largest(b) < 2**51


def _largest(array):
    return max(-int(array.min()), int(array.max()))


def _bounds(products, m, cost):
    """Whole products where there are enough of them, else rows of one."""
    if tiles.is_short(products * cost):
        return [(0, products, 0, m)]
    piece = tiles.split(products, cost)
    rows = tiles.split(m, cost / m) if piece == 1 else m
    return tiles.grid((products, m), (piece, rows))
