"""Many small systems of linear equations."""

import math

import numpy as np

from . import _arrays, _backends, _blocks

_SMALL = 48  # rows, and columns of b, up to which systems side by side are faster than LAPACK
_FEW = 4  # systems that take LAPACK as long as a group takes
_GROUP = 32  # systems, a multiple of the lanes of every backend
_LAPACK_LIMIT = 2**31  # rows and columns
_NAMED = 8  # systems that an error names


def solve_many(A, b, *, assume_a="gen", vectors=False, out=None, backend=None, workers=None):
    """Solve each system of a batch, most of all of small ones.

    .. math:: A_s x_s = b_s

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Real or complex.
    b : array_like, shape (n,) or (..., n, c); with `vectors`, (..., n)
        As in `numpy.linalg.solve` from NumPy 2 on, a vector only if it has one dimension; otherwise
        its last two axes are a matrix, whatever the shape of A. The axes before, and those of A
        before its last two, are broadcast: one A meets many b, and one b many A.
    assume_a : {"gen", "pos"}
        "gen": any A, by elimination with row exchanges. "pos": Hermitian and positive definite A,
        of which only the lower triangle is read, by Cholesky decomposition: about half the work.
    vectors : bool, optional
        Whether b has a vector for each system, along its last axis: short for ``b[..., None]``,
        and for ``[..., 0]`` of the solution.
    out : ndarray, shape of the solution, optional
        Where to put the result.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (..., n, c), or (..., n) where b has vectors
        Of the result_type of A and b, at least float32; integers become float64.

    Raises
    ------
    numpy.linalg.LinAlgError
        For systems that are singular, a pivot being exactly 0, or with "pos" not positive definite;
        it names the indices of the first ones and, with "pos", the smallest eigenvalue of the first
        or that it is singular. `out` then has the solutions of the others, and NaN for these.
    TypeError
        For an array of other than integers, or real or complex numbers in single or double
        precision.
    ValueError
        For shapes that do not meet, another `assume_a`, an unfit `out`.

    Notes
    -----
    NaN and infinity travel, as in `numpy.linalg.solve`, and raise nothing: a system with one in A
    has NaN for its solution; one in b reaches the columns of x that it belongs to. The other
    systems are not concerned.

    Accuracy: LAPACK's. x solves exactly a system whose A differs by a small multiple of n eps times
    the largest number of the elimination; what that changes in x grows with the condition number.
    A matrix that is close to singular is not reported.

    Cost: n³ / 3 + c n² multiplications for each system, with "pos" n³ / 6 + c n². Four and more
    systems of up to 48 rows and columns of b are eliminated side by side, in the lanes of the CPU's
    vectors; others take a call to LAPACK each, on one thread. The workers share the systems: for
    one large system `numpy.linalg.solve`, whose threads share its matrix, is faster. An A that is
    broadcast is eliminated for each b it meets: as columns of one b they are solved sooner.

    Memory: the result; copies of A and b where they are broadcast or are not C-contiguous arrays of
    the result's dtype; and for each worker a matrix and 2.5 MB.

    Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., 2002).

    Examples
    --------
    >>> import hotloops as hl
    >>> A = [[[2.0, 1.0], [1.0, 3.0]], [[0.0, 4.0], [1.0, 0.0]]]
    >>> hl.solve_many(A, [[3.0, 4.0], [8.0, 5.0]], vectors=True)
    array([[1., 1.],
           [5., 2.]])

    One vector meets both matrices:

    >>> hl.solve_many(A, [3.0, 4.0])
    array([[1.  , 1.  ],
           [4.  , 0.75]])
    """
    matrices, given = _arrays.floating("A", A), _arrays.floating("b", b)
    _arrays.choice("assume_a", assume_a, ("gen", "pos"))
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise ValueError(f"A must have shape (..., n, n), got {matrices.shape}")
    vector = bool(vectors) or given.ndim == 1
    n, right = matrices.shape[-1], given[..., None] if vector and given.ndim else given
    if right.ndim < 2 or right.shape[-2] != n:
        raise ValueError(_unfit(given.shape, matrices.shape, vectors))
    try:
        batch = np.broadcast_shapes(matrices.shape[:-2], right.shape[:-2])
    except ValueError:
        raise ValueError(
            f"the leading axes of A and b, {matrices.shape[:-2]} and {right.shape[:-2]}, must be "
            f"equal or 1, got shapes {matrices.shape} and {given.shape}"
        ) from None
    columns = right.shape[-1]
    if max(n, columns) >= _LAPACK_LIMIT:
        raise ValueError(
            f"A and b must have less than 2**31 rows and columns, got shapes {matrices.shape} and "
            f"{given.shape}"
        )
    dtype = _arrays.common_dtype(matrices, right)
    kernel = _backends.kernel("solve", backend)
    workers = _blocks.workers(workers)
    shape = (*batch, n) if vector else (*batch, n, columns)
    result = _arrays.output(out, shape, dtype, A=matrices, b=given)
    if not result.size:
        return result
    a, right = (
        _arrays.read_only(_arrays.ready(np.broadcast_to(array, (*batch, n, size)), dtype))
        .reshape(-1, n, size)
        for array, size in ((matrices, n), (right, columns))
    )  # fmt: skip
    failed = np.empty(math.prod(batch), np.uint8)
    arrays = a, right, np.asarray(result).reshape(*a.shape[:2], columns)
    piece = _blocks.split(len(a), 20 + n * n * (2 + 0.1 * (n + columns)))
    if max(n, columns) <= _SMALL and len(a) >= _FEW:
        block, piece = kernel.side_by_side, -(-piece // _GROUP) * _GROUP
        part = np.dtype(f"f{dtype.itemsize // (2 if dtype.kind == 'c' else 1)}")
        arrays = (array.view(part).reshape(*array.shape, -1) for array in arrays)
    else:
        block = kernel.one_by_one
    bounds, args = _blocks.grid((len(a),), (piece,)), (*arrays, failed, assume_a == "pos")
    blas = _blocks.threads_blas(n * n * max(n, columns), dtype)
    _blocks.fill(block, bounds, args, workers=workers, blas=blas)
    if failed.any():
        raise np.linalg.LinAlgError(_complaint(failed, batch, assume_a, a))
    return result


def _unfit(of_b, of_A, vectors):
    n = of_A[-1]
    expected = "(..., n) with vectors=True" if vectors else "(n,) or (..., n, c)"
    hint = ""
    if not vectors and len(of_b) > 1 and of_b[-1] == n:
        hint = ": vectors=True takes a vector for each system from the last axis of b"
    return f"b must have shape {expected}, n = {n}, got {of_b} for A of shape {of_A}{hint}"


def _complaint(failed, batch, assume_a, matrices):
    what = "singular" if assume_a == "gen" else "not positive definite"
    indices = np.argwhere(failed.reshape(batch))
    where = ""
    if batch:
        names = [str(tuple(map(int, i)) if len(i) > 1 else int(i[0])) for i in indices[:_NAMED]]
        more = f" and {len(indices) - _NAMED} more" if len(indices) > _NAMED else ""
        where = f" at {len(indices)} of {failed.size} indices: {', '.join(names)}{more}"
    if assume_a == "pos":
        where += f"; {'the first' if batch else 'it'} {_spectrum(matrices[failed.argmax()])}"
    return f"A is {what}{where}"


def _spectrum(matrix):
    """What keeps it from being positive definite."""
    values = np.linalg.eigvalsh(matrix, UPLO="L")
    rounding = len(values) * np.finfo(values.dtype).eps * np.abs(values).max()
    if values[0] >= -rounding:
        return "is singular"
    return f"has the eigenvalue {values[0]:.3g}"
