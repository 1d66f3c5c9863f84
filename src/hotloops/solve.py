"""Many small systems of linear equations."""

import math
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arrays
from ._factors import cholesky, lu
from ._factors.serial import serial
from ._run import Call, Form, Output, Step, by_shape, run, tiles
from ._run.tiles import Tile
from ._typing import Array, Numbers
from .kernels.solve import GROUP

__all__ = ["solve_many"]

_Inexact = TypeVar("_Inexact", bound=np.inexact[Any])
_Kind: TypeAlias = Literal["gen", "pos"]
_Shape: TypeAlias = tuple[int, ...]

_SMALL = 48  # rows, and columns of b, up to which systems side by side are faster than LAPACK
_FEW = 4  # systems that take LAPACK as long as a group takes
_LARGE = 2500  # rows from which on several systems are solved in turn, each by all workers
_LAPACK_LIMIT = 2**31  # rows and columns
_NAMED = 8  # systems without a solution that an error names
_BYTE = np.dtype(np.uint8)
_REAL = {np.dtype(c): np.dtype(c.lower()) for c in "fdFD"}  # what a number has one or two of


def __dir__() -> list[str]:
    return __all__


@overload
def solve_many(
    A: NDArray[_Inexact],
    b: NDArray[_Inexact],
    *,
    assume_a: _Kind = "gen",
    vectors: bool = False,
    out: NDArray[_Inexact] | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> NDArray[_Inexact]: ...
@overload
def solve_many(
    A: ArrayLike,
    b: ArrayLike,
    *,
    assume_a: _Kind = "gen",
    vectors: bool = False,
    out: Numbers | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Numbers: ...
def solve_many(
    A: ArrayLike,
    b: ArrayLike,
    *,
    assume_a: _Kind = "gen",
    vectors: bool = False,
    out: Numbers | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Numbers:
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
    vectors; others take a call to LAPACK each, on one thread. The workers share the systems; of one
    system of some hundreds of rows, and of each of 2500 and more, they share the matrix. An A that
    is broadcast is eliminated for each b it meets: as columns of one b they are solved sooner.

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
    of_A, of_b = matrices.shape, given.shape
    if len(of_A) < 2 or of_A[-1] != of_A[-2]:
        raise ValueError(f"A must have shape (..., n, n), got {of_A}")
    vector = bool(vectors) or len(of_b) == 1
    if vector:
        of_b = (*of_b, 1)
    n = of_A[-1]
    if len(of_b) < 2 or of_b[-2] != n:
        raise ValueError(_unfit(given.shape, of_A, vectors))
    batch, columns = _batch(of_A[:-2], of_b[:-2], of_A, given.shape), of_b[-1]
    if max(n, columns) >= _LAPACK_LIMIT:
        raise ValueError(
            f"A and b must have less than 2**31 rows and columns, got shapes {of_A} and "
            f"{given.shape}"
        )
    dtype = _arrays.common_dtype(matrices, given)
    shape = (*batch, n) if vector else (*batch, n, columns)
    systems = math.prod(batch)
    if not (systems and n and columns):
        nothing = Call("solve", dtype, {"x": Output(shape, dtype)}, [], ("x",))
        x: Numbers = run(nothing, backend, workers, out=out, A=matrices, b=given)
        return x
    all_A = _of_all(matrices, of_A, batch, dtype).reshape(systems, n, n)
    all_b = _of_all(given, of_b, batch, dtype).reshape(systems, n, columns)
    positive = assume_a == "pos"
    failed: Array
    if n >= (_LARGE if systems > 1 else cholesky.LARGE if positive else lu.LARGE):
        x = _arrays.output(out, shape, dtype, A=matrices, b=given)
        every = zip(all_A, all_b, np.asarray(x).reshape(all_b.shape), strict=True)
        solve = _by_cholesky if positive else _by_lu
        failed = np.array([solve(*one, backend, workers) for one in every])
    else:
        call = _small(all_A, all_b, positive, shape)
        x, failed = run(call, backend, workers, out=out, A=matrices, b=given)
    if np.count_nonzero(failed):
        raise np.linalg.LinAlgError(_complaint(failed, batch, assume_a, all_A))
    return x


def _small(a: Array, b: Array, positive: bool, shape: _Shape) -> Call:
    """The call that solves each system on one thread, from a (S, n, n) and b (S, n, c)."""
    systems, n, columns = b.shape
    dtype = seen_as = b.dtype
    if max(n, columns) <= _SMALL and systems >= _FEW:  # the parts of a number have an axis
        a, b, seen_as = a.reshape(*a.shape, 1), b.reshape(*b.shape, 1), _REAL[dtype]
    form = _solving(shape, dtype, b.shape, seen_as)
    if seen_as is not dtype:
        a, b = a.view(seen_as), b.view(seen_as)
    return form.of(a, b, positive)


def _by_lu(a: Array, b: Array, x: Array, backend: str | None, workers: int | None) -> bool:
    """Solve one system by factors that all workers make; whether it has failed, in which case x
    has NaN, as it has where A is not finite."""
    factors, order, largest = lu.factor(a, backend, workers)
    finite, regular = np.isfinite(largest).all(), factors.diagonal().all()
    if finite and regular:
        lu.solve(factors, order, b, backend, workers, out=x)
    else:
        x[...] = np.nan
    return bool(finite and not regular)


def _by_cholesky(a: Array, b: Array, x: Array, backend: str | None, workers: int | None) -> bool:
    """The same of a positive definite A, of which the lower triangle is read."""
    lower, share = cholesky.factor(a.copy(), backend, workers)
    if not (share > 0).all():  # as where A is not finite
        x[...] = np.nan
        return bool(np.isfinite(np.tril(a)).all())
    rows = np.array(b.conj().T, order="C")
    for adjoint in (True, False):
        cholesky.solve(lower, rows, adjoint=adjoint, backend=backend, workers=workers)
    x[...] = rows.conj().T
    return False


def _batch(before_A: _Shape, before_b: _Shape, of_A: _Shape, of_b: _Shape) -> _Shape:
    """The shape of the batch, from the axes of A and of b before their matrices, and for the error
    from their shapes as they were given."""
    if before_A == before_b:
        return before_A
    try:
        return np.broadcast_shapes(before_A, before_b)
    except ValueError:
        raise ValueError(
            f"the leading axes of A and b, {before_A} and {before_b}, must be equal or 1, got "
            f"shapes {of_A} and {of_b}"
        ) from None


def _of_all(array: Array, shape: _Shape, batch: _Shape, dtype: np.dtype[Any]) -> Array:
    """The matrices of all systems in one C-contiguous array; `shape` has the columns that an array
    of vectors lacks."""
    if shape[:-2] != batch:
        array = np.broadcast_to(array.reshape(shape), (*batch, *shape[-2:]))
    return _arrays.ready(array, dtype)


@by_shape
def _solving(shape: _Shape, dtype: np.dtype[Any], seen: _Shape, seen_as: np.dtype[Any]) -> Form:
    """The form of the calls that solve for right-hand sides of this shape, which blocks see in the
    shape `seen`: it has a last axis for the parts of numbers where systems are solved side by side.
    """
    systems, n, columns, *side_by_side = seen
    if side_by_side:
        step = Step("side_by_side", _bounds(systems, n, columns, GROUP))
    else:
        # LAPACK exchanges rows of several columns
        multiplications = n**3 if columns == 1 else math.inf
        step = Step("one_by_one", _bounds(systems, n, columns, 1), multiplications=multiplications)
    outputs = {"x": Output(shape, dtype, seen, seen_as), "failed": Output((systems,), _BYTE)}
    return Form(("a", "b", "positive"), "solve", seen_as, outputs, [step], ("x", "failed"))


def _bounds(systems: int, n: int, columns: int, group: int) -> list[Tile]:
    """Tiles of the batch, of whole groups."""
    cost = 20 + n * n * (2 + 0.1 * (n + columns))
    if tiles.is_short(systems * cost):
        return [(0, systems)]
    length = -(-tiles.split(systems, cost) // group) * group
    return tiles.grid((systems,), (length,))


def _unfit(of_b: _Shape, of_A: _Shape, vectors: bool) -> str:
    """What is wrong with the shape of b."""
    n = of_A[-1]
    expected = "(..., n) with vectors=True" if vectors else "(n,) or (..., n, c)"
    hint = ""
    if not vectors and len(of_b) > 1 and of_b[-1] == n:
        hint = ": vectors=True takes a vector for each system from the last axis of b"
    return f"b must have shape {expected}, n = {n}, got {of_b} for A of shape {of_A}{hint}"


def _complaint(failed: Array, batch: _Shape, assume_a: _Kind, matrices: Array) -> str:
    """Which systems have no solution, and with "pos" why the first has none."""
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


def _spectrum(matrix: Array) -> str:
    """What keeps a matrix from being positive definite."""
    values = serial(lambda: np.linalg.eigvalsh(matrix, UPLO="L"), len(matrix) ** 3)
    rounding = len(values) * np.finfo(values.dtype).eps * np.abs(values).max()
    if values[0] >= -rounding:
        return "is singular"
    return f"has the eigenvalue {values[0]:.3g}"
