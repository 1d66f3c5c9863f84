"""Matrix products round a ring."""

import numpy as np

from . import _arrays, _backends, _blocks

_BLAS_LIMIT = 2**31  # rows and columns
_COST = {"f": 0.05, "c": 0.2, "i": 0.2, "u": 0.2, "b": 0.1}  # ns a multiplication


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
    kernel = _backends.kernel("rolled", backend)
    workers = _blocks.workers(workers)
    if max(m, n, l) >= _BLAS_LIMIT and dtype.kind in "fc":
        raise ValueError(
            f"A and B must have matrices of less than 2**31 rows and columns, "
            f"got shapes {a.shape} and {b.shape}"
        )
    result = _arrays.output(out, (d, k, m, l), dtype, A=a, B=b)
    if not result.size:
        return result
    if not n:
        result[...] = 0
        return result
    products = np.asarray(result).reshape(d * k, m, l)
    if dtype.kind in "fc":
        block, seen_as = kernel.fill, dtype
    elif dtype.kind == "b":
        block, seen_as = kernel.fill_bool, np.dtype(np.uint8)
    elif _exact_in_float64(a, b, k, dtype):
        block, seen_as = kernel.fill_exact, np.dtype(np.float64)
        dtype = seen_as
    else:
        block, seen_as = kernel.fill_integer, np.dtype(f"u{dtype.itemsize}")
    a, b = (_arrays.ready(array, dtype).view(seen_as) for array in (a, b))
    args = a, b, k, products.view(seen_as)
    volume = m * n * l
    bounds = _bounds(d * k, m, 5 + volume * _COST[dtype.kind])
    blas = _blocks.threads_blas(volume, dtype)
    _blocks.fill(block, bounds, args, workers=workers, blas=blas)
    return result


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
    piece = _blocks.split(products, cost)
    rows = _blocks.split(m, cost / m) if piece == 1 else m
    return _blocks.grid((products, m), (piece, rows))
