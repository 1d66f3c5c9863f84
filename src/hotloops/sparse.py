"""Products of a dense tensor with a sparse matrix."""

import math
import operator

import numpy as np

from . import _arrays, _backends, _blocks

_TILE = 128  # bytes of a number of its rows that a kernel works on together
_HELD = 8192  # rows of a matrix whose numbers stay in the second cache
_MOVED, _MULTIPLIED = 0.08, 0.025  # ns a byte


def sparse_tensordot(X, A, axes=1, *, out=None, backend=None, workers=None):
    """The product of a dense tensor and a sparse matrix: a tensor dot product.

    .. math:: Y_{\\ldots m} = \\sum_n X_{\\ldots n} A_{nm}

    Parameters
    ----------
    X : array_like
        Dense, of any dimension, in any memory order.
    A : SciPy sparse matrix or array
        Of any format. CSC is used as it is (CSR, if its last axis is summed over: A.T of a CSC
        array is one, and free); other formats are converted in each call.
    axes : int or pair of axes or lists of axes, optional
        What is summed over, as in `numpy.tensordot`: the last axes of X with the first of A, as
        many as this number, or the axes named for X and for A. Unlike NumPy's the default is 1.
    out : ndarray, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray
        ``np.tensordot(X, A.toarray(), axes)``: the axes of X that are left, then those of A, in C
        order, of the dtype that NumPy gives: booleans multiply by "and" and add by "or", integers
        wrap.

    Raises
    ------
    TypeError
        For a sparse X, an A that is not a sparse matrix or array of SciPy's; for numbers other than
        booleans, integers, or real or complex ones in single or double precision.
    ValueError
        For axes that are out of range, repeated or of different sizes, an A with indices out of
        bounds, an unfit `out`.

    Notes
    -----
    What A does not store is 0 whatever it is multiplied with: NaN and infinity in X travel through
    stored elements alone, as in SciPy.

    Accuracy: that of a sum in the result's dtype, in the order in which A stores its elements;
    integers are exact modulo their width.

    Cost: a multiplication for each row of X and stored element of A. A tile of rows is turned in
    cache, so that one element of A meets as many numbers as fill two registers. Memory: the result,
    and up to 4 MiB a worker; no copy of X, unless it has another dtype than the result or lies
    unaligned; A's three arrays in CSC format, unless they are so.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import hotloops as hl
    >>> A = scipy.sparse.csc_array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]])
    >>> hl.sparse_tensordot(np.arange(6.0).reshape(2, 1, 3), A)
    array([[[ 1. ,  3. ]],
    <BLANKLINE>
           [[ 5.5, 10.5]]])

    The product of a matrix with every vector X[i, j]:

    >>> X = np.ones((4, 5, 2))
    >>> hl.sparse_tensordot(X, A.T)[0, 0]
    array([1., 2., 1.])
    """
    _check_operands(X, A)
    x = _arrays.number("X", X)
    number = _arrays.number("A", np.empty(0, A.dtype)).dtype
    dtype = np.result_type(x.dtype, number)
    summed, of_A = _axes(axes, x.shape, A.shape)
    kernel = _backends.kernel("sparse", backend)
    workers = _blocks.workers(workers)
    values, indices, starts, k = _columns(A, of_A, number, dtype)
    free = [a for a in range(x.ndim) if a not in summed]
    lengths = [x.shape[a] for a in free]
    m, n = len(starts) - 1, math.prod(lengths)
    shape = (*lengths, *(size for a, size in enumerate(A.shape) if a not in of_A))
    stored = {f"A.{name}": getattr(A, name, None) for name in ("data", "indices", "indptr")}
    stored |= {f"A.coords[{a}]": places for a, places in enumerate(getattr(A, "coords", ()))}
    result = _arrays.output(out, shape, dtype, X=x, **stored)
    if not result.size:
        return result
    if not len(values) or not x.size:
        result[...] = 0
        return result

    block, part = _block(kernel, dtype)
    memory, origin, strides = _memory(x, dtype, part)
    if len(summed) == 1:
        step = strides[summed[0]]
    else:  # the indices themselves are places
        sizes = [x.shape[a] for a in summed]
        places = np.unravel_index(indices, sizes)
        step = 1
        indices = sum(strides[a] * place for a, place in zip(summed, places, strict=True))
        starts = starts.astype(np.int64)
    rows = _row_axes(lengths, [strides[a] for a in free])
    products = np.asarray(result).reshape(n, m).view(part)
    values, indices, starts = map(_arrays.read_only, (values.view(part), indices, starts))
    bounds = _bounds(n, m, k, len(values), dtype.itemsize)
    _blocks.fill(
        block, bounds, (rows, memory, origin, step, values, indices, starts, products),
        workers=workers,
    )  # fmt: skip
    return result


# --- checks ---------------------------------------------------------------------------------


def _check_operands(X, A):
    import scipy.sparse

    kind = f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}"
    if scipy.sparse.issparse(X) or kind.startswith("sparse."):
        raise TypeError(
            f"X must be dense, got {kind}: swap the operands, sparse_tensordot(A, X, (0, -1)) sums "
            f"over the same axes and puts those of the dense one first"
        )
    if scipy.sparse.issparse(A):
        return
    kind = f"{type(A).__module__.partition('.')[0]}.{type(A).__name__}"
    hint = "scipy.sparse.csc_array(A) makes one"
    if kind.startswith("sparse."):
        hint = "A.to_scipy_sparse() makes one"
    elif kind.startswith("dask."):
        hint = "A.compute() makes one of sparse chunks, dask.array.tensordot takes dense ones"
    elif kind == "numpy.ndarray":
        hint = "np.tensordot(X, A, axes) multiplies by a dense one"
    raise TypeError(f"A must be a sparse matrix or array of SciPy, got {kind}: {hint}")


def _axes(axes, of_X, of_A):
    """The axes of X and of A that are summed over, from 0 on."""
    shapes = f"for X of shape {of_X} and A of shape {of_A}"
    try:
        count = operator.index(axes)
    except TypeError:
        pair = _pair(axes)
    else:
        if not 1 <= count <= min(len(of_X), len(of_A)):
            most = min(len(of_X), len(of_A))
            raise ValueError(f"axes must be a number from 1 to {most} {shapes}, got {axes}")
        pair = range(-count, 0), range(count)
    found = []
    for name, shape, listed in zip("XA", (of_X, of_A), pair, strict=True):
        if any(not -len(shape) <= a < len(shape) for a in listed):
            raise ValueError(f"axes of {name} must be in range {shapes}, got {axes}")
        found.append([a % len(shape) for a in listed])
        if len(set(found[-1])) < len(found[-1]):
            raise ValueError(f"axes of {name} must not be repeated {shapes}, got {axes}")
    if [of_X[a] for a in found[0]] != [of_A[a] for a in found[1]]:
        raise ValueError(f"axes must have the same sizes {shapes}, got {axes}")
    return found


def _pair(axes):
    try:
        pair = [[operator.index(a) for a in (np.atleast_1d(list_).tolist())] for list_ in axes]
        if len(pair) == 2 and len(pair[0]) == len(pair[1]) > 0:
            return pair
    except (TypeError, ValueError):  # lists of lists of several lengths
        pass
    raise ValueError(
        f"axes must be a number or a pair of axes or lists of axes, as many for X as for A and at "
        f"least one, got {axes!r}"
    )


def _check_places(name, places, data):
    if data.ndim != 1 or places.shape != data.shape or places.dtype not in (np.int32, np.int64):
        raise ValueError(
            f"{name} must be int32 or int64, one for each element of A.data, of shape "
            f"{data.shape}, got {places.dtype} of shape {places.shape}: A is damaged"
        )


def _check_range(name, indices, size):
    if len(indices):
        low, high = indices.min(), indices.max()
        if low < 0 or high >= size:
            raise ValueError(
                f"{name} must be in [0, {size}), got {low if low < 0 else high}: A is damaged"
            )


def _check_compressed(A):
    shape, data = (1, *A.shape)[-2:], A.data
    if A.format == "bsr":
        shape = [size // part for size, part in zip(shape, A.blocksize, strict=True)]
        data = data[:, 0, 0]
    groups, size = shape[::-1] if A.format == "csc" else shape
    _check_places("A.indices", A.indices, data)
    stored, starts = len(A.data), A.indptr
    if (
        starts.dtype not in (np.int32, np.int64)
        or starts.shape != (groups + 1,)
        or starts[0] != 0
        or starts[-1] > stored
        or (starts[1:] < starts[:-1]).any()
    ):
        raise ValueError(
            f"A.indptr must be {groups + 1} numbers that ascend from 0 to at most {stored}, as "
            f"many as are stored, int32 or int64: A is damaged"
        )
    _check_range("A.indices", A.indices[: starts[-1]], size)


def _coordinates(A, dtype):
    """A in COO format, checked."""
    try:
        if A.format == "lil":
            lengths = [*map(len, A.rows)]
            if len(lengths) != A.shape[0] or lengths != [*map(len, A.data)]:
                raise ValueError("A.rows and A.data must be lists of the same lengths")
        if A.format != "coo":
            A = A.astype(dtype, copy=False)
        A = A.tocoo(copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A is damaged: {error}") from None
    for places, size in zip(A.coords, A.shape, strict=True):
        _check_places("A.coords", places, A.data)
        _check_range("A.coords", places, size)
    return A


# --- as kernels take it ---------------------------------------------------------------------


def _columns(A, summed, number, dtype):
    """The values, indices and starts of A in CSC format, with the axes `summed` for its rows, and
    the number of its rows. `number`: the dtype of A in native byte order."""
    # checked before SciPy does anything with it, because SciPy trusts it
    if A.format in ("csc", "csr", "bsr"):
        _check_compressed(A)
    compressed = A.format in ("csc", "csr")
    if not compressed:
        A = _coordinates(A, number)
    A = A.astype(number, copy=False)
    if compressed and A.ndim == 2 and len(summed) == 1:
        A = (A.T if summed == [1] else A).tocsc()
    else:
        A = _matrix(A, summed).tocsc()
    if A.dtype != dtype and A.dtype.kind in "biu":
        # duplicates add up as A's own numbers do, which may wrap
        A = A.copy()
        A.sum_duplicates()
    index = np.result_type(A.indices, A.indptr)
    starts = _arrays.ready(A.indptr, index)
    stored = starts[-1]
    values = _arrays.ready(A.data[:stored], dtype)
    return values, _arrays.ready(A.indices[:stored], index), starts, A.shape[0]


def _matrix(A, summed):
    """A of any dimension as a matrix in COO format."""
    import scipy.sparse

    if A.format in ("csc", "csr") and len(A.indices) > A.indptr[-1]:
        A = A.copy()
        A.prune()  # what lies beyond the last start belongs to no column
    A = A.tocoo(copy=False)

    def flat(axes):
        if not axes:
            return np.zeros(A.nnz, np.int32), 1
        sizes = [A.shape[a] for a in axes]
        if len(axes) == 1:
            return A.coords[axes[0]], sizes[0]
        return np.ravel_multi_index([A.coords[a] for a in axes], sizes), math.prod(sizes)

    rows, k = flat(summed)
    columns, m = flat([a for a in range(A.ndim) if a not in summed])
    return scipy.sparse.coo_array((A.data, (rows, columns)), shape=(k, m))


def _memory(x, dtype, part):
    """The memory in which x lies, as numbers of the dtype `part`, the place of its first element
    there, and its strides, in such numbers."""
    size = np.dtype(part).itemsize
    if x.dtype != dtype:
        x = x.astype(dtype)
    if not x.flags.aligned or any(
        stride % size for stride, length in zip(x.strides, x.shape, strict=True) if length > 1
    ):
        x = x.copy()
    strides = [s // size if length > 1 else 0 for s, length in zip(x.strides, x.shape, strict=True)]
    last = [(length - 1) * s for length, s in zip(x.shape, strides, strict=True)]
    first = x[tuple(slice(-1, None) if s < 0 else slice(1) for s in strides)].reshape(1).view(part)
    extent = (sum(map(abs, last)) + len(first),)
    memory = np.lib.stride_tricks.as_strided(first, extent, (size,), writeable=False)
    return memory, -sum(place for place in last if place < 0), strides


def _row_axes(lengths, strides):
    """Lengths, strides in X and strides in rows of the result of the axes along which rows count:
    in the order of X in memory, those that follow upon each other as one."""
    axes, rows = [], 1
    for length, stride in zip(reversed(lengths), reversed(strides), strict=True):
        axes.append((length, stride, rows))
        rows *= length
    merged = []
    for length, stride, rows in sorted(reversed(axes), key=lambda axis: -abs(axis[1])):
        if merged and merged[-1][1:] == (length * stride, length * rows):
            length *= merged.pop()[0]
        if length > 1:
            merged.append((length, stride, rows))
    return np.array(merged or [(1, 0, 0)], np.intp).T.copy()


def _block(kernel, dtype):
    """The block function for numbers of this dtype, and what they are to it."""
    if dtype.kind == "c":
        return kernel.fill_complex, f"f{dtype.itemsize // 2}"
    if dtype.kind == "f":
        return kernel.fill, dtype
    if dtype.kind == "b":
        return kernel.fill_bool, np.uint8
    return kernel.fill_integer, f"u{dtype.itemsize}"


def _bounds(n, m, k, stored, size):
    """Tiles of rows, and as many columns as, where A is local, need few rows of A."""
    columns = m if k <= _HELD else -(-m * _HELD // k)
    cost = size * ((k + m) * _MOVED + stored * _MULTIPLIED)  # of a row
    tile = _TILE // size
    rows = -(-_blocks.split(n, cost * columns / m) // tile) * tile
    if rows >= n:
        columns = min(columns, _blocks.split(m, n * cost / m))
    return _blocks.grid((n, m), (rows, columns))
