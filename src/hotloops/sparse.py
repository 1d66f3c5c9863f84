"""Products of a dense tensor with a sparse matrix."""

import contextlib
import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arrays
from ._run import Form, Output, Step, by_shape, run, tiles
from ._run.tiles import Tile
from ._typing import Array
from .kernels.sparse import LANES

__all__ = ["sparse_tensordot"]

_Number = TypeVar("_Number", bound=np.bool | np.number[Any])
_Number_co = TypeVar("_Number_co", bound=np.bool | np.number[Any], covariant=True)
_Dtype: TypeAlias = np.dtype[Any]
_Shape: TypeAlias = tuple[int, ...]
#: What `axes` may be: how many, or the axes of X and those of A, one or a list of each.
_Axes: TypeAlias = (
    SupportsIndex
    | tuple[SupportsIndex | Sequence[SupportsIndex], SupportsIndex | Sequence[SupportsIndex]]
    | Sequence[Sequence[SupportsIndex]]
)

_UNSIGNED: dict[_Dtype, _Dtype] = {  # those of the indices that kernels take, of the same widths
    np.dtype(np.int32): np.dtype(np.uint32),
    np.dtype(np.int64): np.dtype(np.uint64),
}
_HELD = 8192  # rows of a matrix whose numbers stay in the second cache
_MOVED, _MULTIPLIED = 0.08, 0.025  # ns a byte
_SCATTERED = 8  # rows up to which a matrix in another order is cheaper to use than to convert
_SENT = 2  # ns of a nonzero that a row is scattered by
_CONVERTED = 100e3  # ns that SciPy takes at least to bring a matrix into another order


def __dir__() -> list[str]:
    return __all__


class _Sparse(Protocol[_Number_co]):
    """A sparse matrix or array of SciPy's, as far as type checkers see it."""

    @property
    def dtype(self) -> np.dtype[_Number_co]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def format(self) -> str: ...


@overload
def sparse_tensordot(
    X: NDArray[_Number],
    A: _Sparse[_Number],
    axes: _Axes = 1,
    *,
    out: NDArray[_Number] | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> NDArray[_Number]: ...
@overload
def sparse_tensordot(
    X: ArrayLike,
    A: _Sparse[Any],
    axes: _Axes = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Array: ...
def sparse_tensordot(
    X: ArrayLike,
    A: Any,
    axes: _Axes = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Array:
    """The product of a dense tensor and a sparse matrix: a tensor dot product.

    .. math:: Y_{\\ldots m} = \\sum_n X_{\\ldots n} A_{nm}

    Parameters
    ----------
    X : array_like
        Dense, of any dimension, in any memory order.
    A : SciPy sparse matrix or array
        Of any format. CSC is used as it is (CSR, if its last axis is summed over: A.T of a CSC
        array is one, and free), and so are CSR, CSC and COO for up to 8 rows of X, and for so
        little work that a copy would take longer; otherwise a copy in CSC format is made in each
        call.
    axes : int or pair of axes or lists of axes, optional
        What is summed over, as in `numpy.tensordot`: the last axes of X with the first of A, as
        many as this number, or the axes named for X and for A; with 0 nothing is, and the result is
        the outer product. Unlike NumPy's the default is 1.
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
    cache, so that one element of A meets as many numbers as fill 128 bytes. A's indices are checked
    in each call. Memory: the result, and up to 4 MiB a worker; no copy of X, unless it has another
    dtype than the result or lies unaligned; A's three arrays where a copy is made of it.

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
    _check_operands(X, A, axes)
    x, of_A = _arrays.number("X", X), A.shape
    number = _number(A.dtype)
    dtype = number if x.dtype is number else np.result_type(x.dtype, number)
    summed, summed_of_A = _axes(axes, x.shape, of_A)
    free = [a for a in range(x.ndim) if a not in summed]
    lengths = [x.shape[a] for a in free]
    n = math.prod(lengths)
    rows, values, indices, starts, (k, m) = _stored(A, summed_of_A, number, dtype, n)
    left = [size for a, size in enumerate(of_A) if a not in summed_of_A]

    suffix, part = _arithmetic(dtype)
    memory, origin, strides = _memory(x, dtype, part)
    # the axis that the kernel takes steps along; of several, or none, its rows are places
    step = strides[summed[0]] if len(summed) == 1 else 1
    if len(summed) != 1:
        sizes, steps = [x.shape[a] for a in summed], [strides[a] for a in summed]
        if rows is None:
            indices = _places(indices, sizes, steps)
        else:
            rows = _places(rows, sizes, steps)
    places = [indices, starts] if rows is None else [rows, indices, starts]
    form = _form(suffix, dtype, part, (*lengths, *left), (n, m, k), len(values), rows is not None)
    call = form.of(
        _row_axes(lengths, [strides[a] for a in free]),
        memory,
        origin,
        step,
        values if dtype is part else values.view(part),
        *_of_one_dtype(*places),
    )
    given = {} if out is None else {"X": x, **_arrays_of(A)}
    result: Array = run(call, backend, workers, out=out, **given)
    return result


@by_shape
def _form(
    suffix: str,
    dtype: _Dtype,
    part: _Dtype,
    shape: tuple[int, ...],
    sizes: tuple[int, int, int],
    stored: int,
    scattered: bool,
) -> Form:
    """The form of the calls that multiply n rows by a matrix (k, m) which stores so many elements,
    by their columns, or scattered over rows and columns: `sizes` is (n, m, k)."""
    n, m, k = sizes
    places = ["indices", "starts"]
    if scattered:
        places = ["rows", *places]
        step = Step(f"scatter{suffix}", tiles.rows(n, _SENT * stored))
    else:
        step = Step(f"fill{suffix}", _bounds(n, m, k, stored, dtype.itemsize))
    inputs = ["axes", "x", "origin", "step", "values", *places]
    return Form(inputs, "sparse", part, {"out": Output(shape, dtype, (n, m), part)}, [step])


@functools.cache
def _number(dtype: _Dtype) -> _Dtype:
    """The dtype of A in native byte order, which must be a number's."""
    number: _Dtype = _arrays.number("A", np.empty(0, dtype)).dtype
    return number


def _places(rows: Array, sizes: list[int], steps: list[int]) -> Array:
    """The places in X of the rows of a matrix by which several axes, or none, are summed over."""
    places = np.zeros(len(rows), np.int64)
    if sizes:
        indices = np.unravel_index(rows, sizes)
        for step, index in zip(steps, indices, strict=True):
            places += step * index
    return places


def _of_one_dtype(*integers: Array) -> list[Array]:
    """The arrays of integers as kernels take them."""
    index = _arrays.common_dtype(*integers)
    return [array if array.dtype is index else array.astype(index) for array in integers]


# --- checks ---------------------------------------------------------------------------------


def _check_operands(X: Any, A: Any, axes: Any) -> None:
    """Refuse an X that is sparse, and an A that is not a sparse one of SciPy's."""
    sparse = _is_scipys(A)
    if sparse and type(X) is np.ndarray:
        return
    stored = _conversions("X", X)
    if stored is not None:
        raise TypeError(f"X must be dense, got {_kind(X)}: {_advice_for_X(X, A, axes, *stored)}")
    if not sparse:
        raise TypeError(
            f"A must be a sparse matrix or array of SciPy, got {_kind(A)}{_advice_for_A(A)}"
        )


def _is_scipys(value: Any) -> bool:
    """Whether this is a sparse matrix or array of SciPy's."""
    kind: Any = type(value)
    return _has_scipys(kind)


@functools.cache
def _has_scipys(kind: type) -> bool:
    """Whether objects of this type are sparse matrices or arrays of SciPy's."""
    import scipy.sparse

    return issubclass(kind, (scipy.sparse.sparray, scipy.sparse.spmatrix))


def _kind(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _conversions(name: str, value: Any) -> tuple[str, str] | None:
    """The code that makes an array of SciPy's of something sparse, and a dense one; None of what is
    not sparse."""
    package = type(value).__module__.partition(".")[0]
    if _is_scipys(value):
        return name, f"{name}.toarray()"
    if package == "sparse":
        return f"{name}.asformat('coo').to_scipy_sparse()", f"{name}.todense()"
    if package == "torch" and str(getattr(value, "layout", "")).startswith("torch.sparse"):
        value = f"{name}.detach().cpu()"
        own = f"{value}.to_sparse_coo().coalesce()"
        parts = f"({own}.values(), tuple({own}.indices()))"
        return f"scipy.sparse.coo_array({parts}, tuple({name}.shape))", f"{value}.to_dense()"
    if package == "xarray" and hasattr(value, "data"):
        return _conversions(f"{name}.data", value.data)
    if package == "dask" and hasattr(value, "_meta"):
        return _conversions(f"{name}.compute()", value._meta)
    if package == "scipy":
        from scipy.sparse.linalg import LinearOperator

        if isinstance(value, LinearOperator):
            dense = f"{name} @ np.eye({name}.shape[1])"
            return f"scipy.sparse.csc_array({dense})", dense
    return None


def _advice_for_A(A: Any) -> str:
    """What to pass in place of an A that is not a sparse one of SciPy's."""
    stored = _conversions("A", A)
    if stored is not None:
        return f": {stored[0]} makes one"
    if type(A).__module__.startswith("dask."):
        return ": dask.array.tensordot(X, A, axes) multiplies by dense chunks"
    with contextlib.suppress(Exception):  # whatever another library raises: there is no advice
        if np.asarray(A).dtype.kind in "biufc":
            return ": np.tensordot(X, A, axes) multiplies by a dense one"
    return ""


def _advice_for_X(X: Any, A: Any, axes: Any, stored: str, dense: str) -> str:
    """What to call in place of a product with a sparse X: it gives the same numbers, if with other
    axes first."""
    if _is_scipys(A):
        if len(X.shape) == len(A.shape) == 2 and np.ndim(axes) == 0 and axes == 1:
            return f"{stored} @ A multiplies two sparse ones"
        return f"sparse_tensordot({dense}, A, {axes!r}) takes a dense copy"
    of_X, of_A = _axes(axes, tuple(X.shape), np.shape(A))
    return (
        f"swap the operands, sparse_tensordot(A, {stored}, ({of_A}, {of_X})) sums over the same "
        f"axes and puts those that are left of A before those of X"
    )


def _axes(axes: Any, of_X: _Shape, of_A: _Shape) -> tuple[list[int], list[int]]:
    """The axes of X and of A that are summed over, counted from 0 on."""
    try:
        count = operator.index(axes)
    except TypeError:
        found = _listed_axes(axes, of_X, of_A)
    else:
        if not 0 <= count <= min(len(of_X), len(of_A)):
            raise ValueError(
                f"axes must be >= 0 and at most the number of dimensions "
                f"{_shapes(of_X, of_A)}, got {axes}"
            )
        found = [*range(len(of_X) - count, len(of_X))], [*range(count)]
    sizes = [of_X[a] for a in found[0]], [of_A[a] for a in found[1]]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"axes must have the same sizes, got {sizes[0]} along axes {found[0]} of X and "
            f"{sizes[1]} along axes {found[1]} of A, {_shapes(of_X, of_A)}"
        )
    return found


def _listed_axes(axes: Any, of_X: _Shape, of_A: _Shape) -> tuple[list[int], list[int]]:
    """The axes of X and of A that are named, counted from 0 on."""
    found: list[list[int]] = []
    for name, shape, listed in zip("XA", (of_X, of_A), _pair(axes), strict=True):
        if any(not -len(shape) <= a < len(shape) for a in listed):
            raise ValueError(f"axes of {name} must be in range {_shapes(of_X, of_A)}, got {axes}")
        found.append([a % len(shape) for a in listed])
        if len(set(found[-1])) < len(found[-1]):
            raise ValueError(
                f"axes of {name} must not be repeated {_shapes(of_X, of_A)}, got {axes}"
            )
    return found[0], found[1]


def _shapes(of_X: _Shape, of_A: _Shape) -> str:
    return f"for X of shape {of_X} and A of shape {of_A}"


def _pair(axes: Any) -> list[list[int]]:
    """A list of axes for X and one for A, as many."""
    try:
        pair = [[operator.index(a) for a in (np.atleast_1d(list_).tolist())] for list_ in axes]
        if len(pair) == 2 and len(pair[0]) == len(pair[1]):
            return pair
    except (TypeError, ValueError):  # lists of lists of several lengths
        pass
    raise ValueError(
        f"axes must be a number or a pair of axes or lists of axes, as many for X as for A, "
        f"got {axes!r}"
    )


def _arrays_of(A: Any) -> dict[str, Any]:
    """The arrays that A consists of, by their names."""
    stored = {f"A.{name}": getattr(A, name, None) for name in ("data", "indices", "indptr")}
    return stored | {f"A.coords[{a}]": c for a, c in enumerate(getattr(A, "coords", ()))}


def _integers(name: str, array: Array) -> Array:
    """The array as int32 or int64, in native byte order."""
    if array.dtype in _UNSIGNED and array.ndim == 1:
        return array
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(
            f"{name} must be a vector of integers, got {array.dtype} of shape {array.shape}: A is "
            f"damaged"
        )
    return array.astype(np.int32 if array.dtype.itemsize < 4 else np.int64)


def _indices(name: str, array: Array, count: int, size: int) -> Array:
    """The array of integers, which must be as many as `count` and in [0, size)."""
    indices = _integers(name, array)
    if len(indices) != count:
        raise ValueError(
            f"{name} must be one for each of {count} stored elements, got {len(indices)}: A is "
            f"damaged"
        )
    unsigned = indices.view(_UNSIGNED[indices.dtype])  # negative ones are the largest
    if count and unsigned[unsigned.argmax()] >= size:
        wrong = indices[(indices < 0) | (indices >= size)][0]
        raise ValueError(f"{name} must be in [0, {size}), got {wrong}: A is damaged")
    return indices


def _starts(array: Array, groups: int, stored: int) -> Array:
    """The array of where the groups start, which must ascend from 0 to no more than are stored."""
    starts = _integers("A.indptr", array)
    if (
        len(starts) != groups + 1
        or starts[0] != 0
        or starts[-1] > stored
        or np.count_nonzero(starts[1:] < starts[:-1])
    ):
        raise ValueError(
            f"A.indptr must be {groups + 1} numbers that ascend from 0 to at most {stored}, as "
            f"many as are stored: A is damaged"
        )
    return starts


def _compressed(A: Any) -> tuple[Array, Array, Array]:
    """The data, indices and starts of A in format CSC, CSR or BSR, without what lies beyond the
    last start, checked: SciPy would trust them."""
    data, indices, format = A.data, A.indices, A.format
    groups, size = (1, *A.shape)[-2:]
    if format == "csc":
        groups, size = size, groups
    elif format == "bsr":
        groups, size = groups // A.blocksize[0], size // A.blocksize[1]
    if data.ndim != (3 if format == "bsr" else 1):
        raise ValueError(f"A.data must be a vector, got shape {data.shape}: A is damaged")
    if len(indices) != len(data):
        _indices("A.indices", indices, len(data), size)  # raises
    starts = _starts(A.indptr, groups, len(data))
    stored = int(starts[-1])
    if stored < len(data):
        data, indices = data[:stored], indices[:stored]
    return data, _indices("A.indices", indices, stored, size), starts


def _coordinates(A: Any, number: _Dtype) -> tuple[Array, list[Array]]:
    """The data of A in COO format, and the indices along each axis, checked."""
    import scipy.sparse

    if A.format in ("csc", "csr", "bsr"):
        data, *places = _compressed(A)
        data = data.astype(number, copy=False)
        A = getattr(scipy.sparse, f"{A.format}_array")((data, *places), shape=A.shape)
    try:
        if A.format == "lil":
            lengths = [*map(len, A.rows)]
            if len(lengths) != A.shape[0] or lengths != [*map(len, A.data)]:
                raise ValueError("A.rows and A.data must be lists of the same lengths")
        if A.format != "coo":
            A = A.astype(number, copy=False)
        A = A.tocoo(copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A is damaged: {error}") from None
    return A.data, [
        _indices(f"A.coords[{a}]", places, len(A.data), size)
        for a, (places, size) in enumerate(zip(A.coords, A.shape, strict=True))
    ]


# --- as kernels take it ---------------------------------------------------------------------


def _stored(
    A: Any, summed: list[int], number: _Dtype, dtype: _Dtype, n: int
) -> tuple[Array | None, Array, Array, Array, tuple[int, int]]:
    """A as a matrix with the axes `summed` for its rows: the row of each group of its nonzeros,
    None where the groups are columns; values, columns (else rows), starts of the groups; its shape.

    number: the dtype of A in native byte order; n: rows of X.
    """
    shape: tuple[int, int]
    rows: Array | None
    if len(summed) == 1 and A.ndim == 2 and A.format in ("csc", "csr"):
        data, indices, starts = _compressed(A)
        shape = A.shape if summed == [0] else A.shape[::-1]
        by_columns = (A.format == "csc") == (summed == [0])
        rows = None if by_columns else np.arange(shape[0], dtype=starts.dtype)
    else:
        data, places = _coordinates(A, number)
        left = [a for a in range(A.ndim) if a not in summed]
        sizes = [[A.shape[a] for a in axes] for axes in (summed, left)]
        shape = math.prod(sizes[0]), math.prod(sizes[1])
        rows, indices = (
            _flat([places[a] for a in axes], lengths, len(data))
            for axes, lengths in zip((summed, left), sizes, strict=True)
        )
        starts = np.arange(len(data) + 1, dtype=np.int32 if len(data) < 2**31 else np.int64)
    values = _arrays.ready(data, number)
    wraps = number.kind in "biu" and number != dtype  # duplicates add up as A's own numbers do
    work = n * len(values) * _SENT
    if rows is not None and ((n > _SCATTERED and work > _CONVERTED) or wraps):
        import scipy.sparse

        # one row of another matrix for each group: SciPy keeps their order
        groups = scipy.sparse.csr_array((values, indices, starts), shape=(len(rows), shape[1]))
        columns = groups.tocsc()
        values, indices, starts = columns.data, rows[columns.indices], columns.indptr
        rows = None
    if wraps and len(values):
        import scipy.sparse

        columns = scipy.sparse.csc_array((values, indices, starts), shape=shape, copy=True)
        columns.sum_duplicates()
        values, indices, starts = columns.data, columns.indices, columns.indptr
    return rows, values.astype(dtype, copy=False), indices, starts, shape


def _flat(places: list[Array], sizes: list[int], count: int) -> Array:
    """For each of `count` elements, one index into several axes of these sizes taken as one axis;
    zeros where there is no axis."""
    if not places:
        return np.zeros(count, np.int32)
    return places[0] if len(places) == 1 else np.ravel_multi_index(places, sizes)


def _memory(x: Array, dtype: _Dtype, part: _Dtype) -> tuple[Array, int, list[int]]:
    """The memory in which x lies, as numbers of the dtype `part`, the place of its first element
    there, and its strides, in such numbers."""
    size = part.itemsize
    if x.dtype is not dtype:
        x = x.astype(dtype, copy=False)
    flags = x.flags
    if not flags.aligned or not (
        flags.c_contiguous
        or all(s % size == 0 for s, length in zip(x.strides, x.shape, strict=True) if length > 1)
    ):
        x = x.copy()
        flags = x.flags
    strides = [s // size if length > 1 else 0 for s, length in zip(x.strides, x.shape, strict=True)]
    if flags.c_contiguous:
        memory = x.reshape(-1)
        return memory if dtype is part else memory.view(part), 0, strides
    last = [(length - 1) * s for length, s in zip(x.shape, strides, strict=True)]
    first = x[tuple(slice(-1, None) if s < 0 else slice(1) for s in strides)].reshape(1).view(part)
    extent = (sum(map(abs, last)) + len(first),)
    memory = np.lib.stride_tricks.as_strided(first, extent, (size,), writeable=False)
    return memory, -sum(place for place in last if place < 0), strides


def _row_axes(lengths: list[int], strides: list[int]) -> Array:
    """Lengths, strides in X and strides in rows of the result of the axes along which rows count:
    in the order of X in memory, those that follow upon each other as one."""
    if len(lengths) == 1:
        return np.array([lengths, strides, [1]], np.intp)
    axes: list[tuple[int, int, int]] = []
    merged: list[tuple[int, int, int]] = []
    rows = 1
    for length, stride in zip(reversed(lengths), reversed(strides), strict=True):
        axes.append((length, stride, rows))
        rows *= length
    for length, stride, rows in sorted(reversed(axes), key=lambda axis: -abs(axis[1])):
        if merged and merged[-1][1:] == (length * stride, length * rows):
            length *= merged.pop()[0]
        if length > 1:
            merged.append((length, stride, rows))
    return np.array(merged or [(1, 0, 0)], np.intp).T.copy()


@functools.cache
def _arithmetic(dtype: _Dtype) -> tuple[str, _Dtype]:
    """The ending of the names of blocks for numbers of this dtype, and the dtype as which they see
    them."""
    if dtype.kind == "c":
        return "_complex", np.dtype(f"f{dtype.itemsize // 2}")
    if dtype.kind == "f":
        return "", dtype
    if dtype.kind == "b":
        return "_bool", np.dtype(np.uint8)
    return "_integer", np.dtype(f"u{dtype.itemsize}")


def _bounds(n: int, m: int, k: int, stored: int, size: int) -> list[Tile]:
    """Bounds of tiles of rows, and of as many columns as, where A is local, need few rows of A."""
    cost = size * ((k + m) * _MOVED + stored * _MULTIPLIED)  # of a row
    if not m or tiles.is_short(n * cost):
        return [(0, n, 0, m)]
    columns = m if k <= _HELD else -(-m * _HELD // k)
    tile = LANES // size
    rows = -(-tiles.split(n, cost * columns / m) // tile) * tile
    if rows >= n:
        columns = min(columns, tiles.split(m, n * cost / m))
    return tiles.grid((n, m), (rows, columns))
