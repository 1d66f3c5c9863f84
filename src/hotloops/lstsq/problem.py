"""A least-squares problem: what is to be minimised, in the arrays that blocks take, and how."""

import cmath
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike

from .. import _arrays
from .._run import Form, Output, Step, by_shape, run, tiles
from .._run.guard import TRIANGULAR
from .._typing import Array
from .singular import epsilon

Method = Literal["auto", "lu", "cholesky", "normal", "qr", "svd"]
METHODS: tuple[Method, ...] = get_args(Method)
SQUARE = ("lu", "cholesky")  # the methods that solve A x = b
_INSTEAD = {
    "lu": '"qr", "svd" and "auto" find the solution of least norm',
    "cholesky": '"lu" copes if it is not singular, "auto" in any case',
    "normal": '"qr" copes with a larger condition, "svd" and "auto" with any',
}
_DOUBLE = np.dtype(np.float64)
# the outputs that are not of the blocks' dtype
_DTYPES = {"order": np.dtype(np.intp), "scale": _DOUBLE, "ratio": _DOUBLE, "sigma": _DOUBLE}
_FEW = 1000  # numbers, whose sum of squares is quicker than a look at each


@dataclasses.dataclass(slots=True)
class Problem:
    """The matrices `a` (K, m, n), the weights of their rows (K, m), or (K, 0) for none, the penalty
    `alpha`, and how the minimum is to be found.

    `batch` is the shape of the batch of K matrices as the user sees it. Of columns that are what a
    subtraction left, `offsets` has the norms of what was subtracted, and `floor` says below what
    share of those a singular value is rounding.
    """

    a: Array
    weights: Array
    alpha: float
    rcond: float
    method: Method
    refine: bool
    check_finite: bool
    batch: tuple[int, ...]
    backend: str
    workers: int
    offsets: Array | None = None
    floor: float = 0.0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of A, and of the solutions."""
        dtype: np.dtype[Any] = self.a.dtype
        return dtype

    @property
    def kept(self) -> tuple[str, int]:
        """Who carries it out: the backend, and how many workers."""
        return self.backend, self.workers

    @property
    def root(self) -> Array:
        """√W, of the shape of the weights."""
        return np.sqrt(self.weights) if self.weights.size else self.weights

    def in_double(self) -> "Problem":
        """The same problem in double precision."""
        return dataclasses.replace(self, a=self.a.astype(np.result_type(self.dtype, np.float64)))

    def of(self, which: Array | None) -> "Problem":
        """The same problem of the matrices `which` alone, of all if it is None."""
        if which is None:
            return self
        return dataclasses.replace(self, a=self.a[which], weights=self.weights[which])

    def least(self, largest: Any) -> Any:
        """What a singular value must exceed to count, beside the largest."""
        return np.maximum(self.rcond * largest, self.floor)

    def made(self, block: str, work: float, inputs: Mapping[str, Any], **shapes: Any) -> Any:
        """The outputs of a block that treats each of the K matrices `a` among its inputs by itself,
        with `work` multiplications for each. `shapes` names the outputs, and gives the shape that
        each has for one matrix."""
        a = inputs["a"]
        multiplications = max(work, TRIANGULAR * a.shape[1] * a.shape[2])
        form = _form(
            block, len(a), a.dtype, work, multiplications, tuple(inputs), tuple(shapes.items())
        )
        return run(form.of(*inputs.values()), *self.kept)

    # --- what is wrong with it --------------------------------------------------------------

    def names(self, indices: Array) -> str:
        """The matrices of these indices, in words."""
        if not self.batch:
            return "A"
        names = [
            f"A[{', '.join(str(int(i)) for i in np.unravel_index(k, self.batch))}]"
            for k in indices[:5]
        ]
        more = f" and {len(indices) - 5} more" if len(indices) > 5 else ""
        return ", ".join(names) + more

    def refuse(self, singular: Array) -> None:
        """Raise an error if there are any matrices that the method cannot cope with."""
        if len(singular):
            raise LinAlgError(
                f"{self.names(singular)} is singular, or nearly, for method={self.method!r}: "
                f"{_INSTEAD[self.method]}"
            )


@by_shape
def _form(
    block: str,
    count: int,
    dtype: np.dtype[Any],
    work: float,
    multiplications: float,
    inputs: tuple[str, ...],
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
) -> Form:
    """The form of the calls of a block over `count` matrices, by `work` multiplications each, of
    which so many are BLAS's at once."""
    cost = 1000 + 0.1 * work
    step = Step(block, tiles.rows(count, cost), count * cost, multiplications)
    outputs = {name: Output((count, *shape), _DTYPES.get(name, dtype)) for name, shape in shapes}
    return Form(inputs, "lstsq", dtype, outputs, [step], tuple(outputs))


# --- checks ---------------------------------------------------------------------------------


def check_is_finite(name: str, array: Array) -> None:
    """Refuse NaN and inf."""
    # where the sum of squares is finite, each is
    if array.size < _FEW and cmath.isfinite(np.vdot(array, array)):
        return
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or inf")


def checked_matrices(A: ArrayLike, method: Method) -> Array:
    """A as an array of matrices that the method takes."""
    a = _arrays.floating("A", A)
    if a.ndim < 2:
        raise ValueError(f"A must have at least 2 dimensions, got shape {a.shape}")
    _arrays.choice("method", method, METHODS)
    m, n = a.shape[-2:]
    if max(m, n) >= 2**31:
        raise ValueError(f"A must have less than 2**31 rows and columns, got shape {a.shape}")
    if m != n and method in SQUARE:
        raise ValueError(f"method={method!r} needs a square A, got shape {a.shape}")
    return a


def checked_alpha(alpha: Any, method: Method) -> float:
    """alpha as a number that the method takes."""
    number = _arrays.scalar("alpha", alpha, minimum=0)
    if number and method in SQUARE:
        raise ValueError(
            f'alpha must be 0 with method={method!r}, which solves A x = b: "auto", "normal", '
            f'"qr" and "svd" take it, got {alpha!r}'
        )
    return number


def checked_weights(weights: ArrayLike | None, shape: tuple[int, ...], method: Method) -> Array:
    """The weights of the rows of A of this shape, (K, m); (K, 0) where there are none."""
    *batch, m, _ = shape
    count = math.prod(batch)
    if weights is None:
        return np.empty((count, 0))
    w = _arrays.real("weights", weights)
    if w.shape not in ((), (m,), (*batch, m)):
        each = f" or {(*batch, m)}" if batch else ""
        raise ValueError(
            f"weights must be one number or have shape ({m},){each}, one for each row of A, "
            f"got {w.shape}"
        )
    if not ((w >= 0) & np.isfinite(w)).all():
        raise ValueError("weights must be finite and not negative")
    if method in SQUARE and not (w > 0).all():
        raise LinAlgError(
            f"weights of 0 leave fewer equations than unknowns: method={method!r} needs "
            f'them positive, "qr", "svd" and "auto" do not'
        )
    w = np.broadcast_to(w, (*batch, m)).reshape(count, m)
    return np.array(w, np.float64, order="C")


def hermitian(a: Array) -> Array:
    """The matrices, which are Hermitian but for rounding."""
    with np.errstate(all="ignore"):
        size = np.sqrt(np.abs(a.diagonal(axis1=1, axis2=2)))
        difference = np.abs(a - a.conj().swapaxes(1, 2))
        most = 100 * len(size[0]) * epsilon(a.dtype) * size[:, :, None] * size[:, None]
        if (difference > most).any():
            raise ValueError(
                'A must be symmetric (Hermitian) with method="cholesky", and is not: "lu" does '
                "without"
            )
    return a
