"""Matrices of many rows, taken a piece of rows at a time, and in double precision.

A sum of m rounded terms loses up to m eps, one of some thousands in pieces, or in twice the
precision, next to nothing. LAPACK's own sums run over all rows: its factorisations get pieces of
them here, and then what those leave, n rows of each. The pieces follow from the shape alone.
"""

import functools
import operator

import numpy as np
from scipy.linalg import get_lapack_funcs

from ._run import each, stopped, tiles

_HEIGHT = 4096  # rows of a piece, at least
_SIZE = 2**17  # elements of a piece in double precision, some of which the cache holds
_PARTIALS = 8  # sums of pieces, which are then added up


def are_many(m, n):
    """Whether sums over the rows of a matrix (m, n) are to be made in pieces."""
    return m > 2 * max(_HEIGHT, 4 * n)


def double(array):
    """`array` in double precision, itself if it is."""
    return array.astype(np.result_type(array.dtype, np.float64), copy=False)


def _reduce(add, args, shape, dtype, height, cost, workers, blas=True):
    """The sum of what add(start, stop, *args, partial) adds for pieces of `height` rows of each."""
    pieces = tiles.grid((len(args[0]),), (height,))
    count = min(_PARTIALS, len(pieces))
    partials = np.zeros((max(1, count), *shape), dtype)

    def add_some(k):
        for piece in pieces[len(pieces) * k // count : len(pieces) * (k + 1) // count]:
            if stopped():
                return
            add(*piece, *args, partials[k])

    workers = 1 if tiles.is_short(len(args[0]) * cost) else workers
    each(add_some, count, workers, blas=blas)
    return functools.reduce(operator.add, partials)


def products(a, b, workers):
    """aᵀ b in double precision: a (m, n), b (m, p)."""
    n, p = a.shape[1], b.shape[1]
    dtype = np.result_type(a.dtype, b.dtype, np.float64)
    height = max(256, _SIZE // (n + p))
    return _reduce(_add_products, (a, b), (n, p), dtype, height, n + p, workers)


def _add_products(start, stop, a, b, total):
    with np.errstate(all="ignore"):
        total += double(a[start:stop]).T @ double(b[start:stop])


def inner_products(a, workers):
    """aᴴ a in double precision: a (m, n)."""
    n, dtype = a.shape[1], np.result_type(a.dtype, np.float64)
    height = max(256, _SIZE // n)
    return _reduce(_add_inner_products, (a,), (n, n), dtype, height, n * (1 + 0.02 * n), workers)


def _add_inner_products(start, stop, a, total):
    piece = double(a[start:stop])
    with np.errstate(all="ignore"):
        total += (piece.conj() if piece.dtype.kind == "c" else piece).T @ piece


def sums(a, less, workers):
    """Of the columns of ((a − l) − …) for each l (n,) of `less`, in double precision: (n,)."""
    n, dtype = a.shape[1], np.result_type(a.dtype, np.float64)
    block = functools.partial(_add_sums, less)
    return _reduce(block, (a,), (n,), dtype, max(256, _SIZE // n), n, workers, blas=False)


def _add_sums(less, start, stop, a, total):
    with np.errstate(all="ignore"):
        total += _less(a[start:stop], less).sum(axis=0)


def _less(piece, less):
    """A copy in columns, as LAPACK reads: NumPy's loops run over the rows, of which there are more
    than of columns."""
    columns = piece.T.astype(np.result_type(piece.dtype, np.float64), order="C")
    for one in less:
        columns -= one[:, None]
    return columns.T


# --- factors --------------------------------------------------------------------------------


def short(a, workers):
    """A matrix with the singular values of a, in double precision and of few rows."""
    return triangular(a, workers) if are_many(*a.shape) else double(a)


def triangular(a, workers, *, less=(), q=None):
    """R (n, n) in double precision, with Q R = ((a − l) − …) for each l (n,) of `less`: a (m, n)
    of many rows. `q` (m, n), if given, is filled with Q."""
    m, n = a.shape
    count = m // max(_HEIGHT, 4 * n)
    ends = [m * k // count for k in range(count + 1)]
    factors = np.empty((count, n, n), np.result_type(a.dtype, np.float64))
    each(functools.partial(_factor, ends, less, a, q, factors), count, workers, blas=True)
    stack = factors.reshape(count * n, n)
    inner = None if q is None else np.empty_like(stack)
    if are_many(*stack.shape):
        r = triangular(stack, workers, q=inner)
    elif q is None:
        r = np.linalg.qr(stack, mode="r")
    else:
        inner, r = np.linalg.qr(stack)
    if q is not None:
        multiply = functools.partial(_multiply, ends, q, inner.reshape(count, n, n), q)
        each(multiply, count, workers, blas=True)
    return r


def _factor(ends, less, a, q, factors, k):
    """R of the k-th piece of rows, and Q."""
    n = a.shape[1]
    names = "geqrf", "ungqr" if factors.dtype.kind == "c" else "orgqr"
    geqrf, orgqr = get_lapack_funcs(names, dtype=factors.dtype)
    options = {"lwork": 64 * n, "overwrite_a": True}  # for blocks of 64 columns
    rows = slice(ends[k], ends[k + 1])
    reflectors, tau, _, _ = geqrf(_less(a[rows], less), **options)
    factors[k] = np.triu(reflectors[:n])
    if q is not None:
        q[rows] = orgqr(reflectors, tau, **options)[0]


def _multiply(ends, q, factors, product, k):
    """Each piece of rows times a factor of its own."""
    rows = slice(ends[k], ends[k + 1])
    product[rows] = double(q[rows]) @ factors[k]


def times(a, b, workers):
    """a b in the precision of a (m, n), summed in double; b (n, p)."""
    m, (n, p) = len(a), b.shape
    count = -(-m // _HEIGHT)
    ends = [*range(0, m, _HEIGHT), m]
    product = np.empty((m, p), a.dtype)
    multiply = functools.partial(_multiply, ends, a, np.broadcast_to(b, (count, n, p)), product)
    each(multiply, count, workers, blas=True)
    return product
