"""What solves a least-squares problem: a class for each kind of factor, of the same methods."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import qr, solve_triangular

from .. import _rows
from .._factors import lu
from .._factors.serial import serial
from .._run import Call, Form, Output, Step, bound, by_shape, run, tiles
from .._run.guard import TRIANGULAR
from .._typing import Array
from ..kernels import lstsq as kernel
from .prepared import Prepared, cholesky
from .problem import Problem, hermitian
from .singular import epsilon, rank_tolerance, real_dtype, scaled_singular_values

_COLUMNS = 50  # of a block, at least


class Factor:
    """Factors of a problem's matrices, which are those at the places `which` of a batch, all of it
    if that is None.

    `left`, `right`, `order` and `scale` are what the kernel's block `solve` takes: see
    `hotloops.kernels.lstsq`. `rank` is that of each matrix, or of all.
    """

    problem: Problem
    which: Array | None
    left: Array
    right: Array
    order: Array
    scale: Array
    rank: Array | int
    #: What stands for a left factor, or for a gradient, where there is none.
    none: Array
    #: What the block calls this kind.
    code: ClassVar[int]
    #: Whether x solves A x = b, with weights or without, instead of a minimum alone.
    exact: ClassVar[bool] = False

    def __init__(
        self,
        problem: Problem,
        right: Array,
        *,
        left: Array | None = None,
        order: Array | None = None,
        scale: Array | None = None,
        rank: Array | int | None = None,
        which: Array | None = None,
    ) -> None:
        count, _, n = right.shape
        self.problem, self.which = problem, which
        self.none = np.empty((count, 0, 0), right.dtype)
        self.right = right
        self.left = self.none if left is None else left
        self.order = np.empty((count, n), np.intp) if order is None else order
        self.scale = np.ones((count, n)) if scale is None else scale
        self.rank = n if rank is None else rank

    @property
    def places(self) -> Array | slice:
        """The places of its matrices in the batch."""
        return slice(None) if self.which is None else self.which

    # --- solutions --------------------------------------------------------------------------

    def solve(self, b: Array, h: Array | None = None, x: Array | None = None) -> Array:
        """x (K, n, p) for b (K, m, p) and a gradient h besides, in blocks of matrices and columns;
        of the dtype of b."""
        dtype = self.right.dtype
        if dtype != b.dtype:
            return self._solve_in_double(b, h, x)
        solution: Array = run(self._solving(b, h), *self.problem.kept, out=x)
        return solution

    def _solving(self, b: Array, h: Array | None) -> Call:
        """The call that solves for b and a gradient h besides."""
        count, rows, p = b.shape
        _, q, n = self.right.shape
        form = _form(self.code, self.right.dtype, count, p, rows if self.left.size else 0, q, n)
        return form.of(
            self.left, self.right, self.order, self.scale, b, self.none if h is None else h
        )

    def for_vectors(self, b: Array) -> Callable[[Array], Array]:
        """The function that solves for one vector like b, from (1, m, 1) to x (1, n, 1)."""
        if self.right.dtype != b.dtype:
            return self.solve
        return bound(self._solving(b, None), "b", *self.problem.kept)

    def _solve_in_double(self, b: Array, h: Array | None, x: Array | None) -> Array:
        """x of a single-precision problem, whose factors are in double precision."""
        factor = self
        if self.left.size and self.left.dtype != self.right.dtype:
            sides = zip(self.left, b, strict=True)
            products = np.stack([_rows.products(*one, *self.problem.kept) for one in sides])
            factor = self.without_left()
        else:
            products = _rows.double(b)
        double = factor.solve(products, None if h is None else _rows.double(h))
        if x is None:
            return _cast(double, b.dtype)
        x[...] = _cast(double, b.dtype)
        return x

    def solve_rounding(self, h: Array, x: Array) -> None:
        """Write into x the solution for a gradient that is as large as the rounding of h may
        be."""
        dtype = self.problem.dtype
        none = np.zeros((len(h), self.right.shape[1], h.shape[2]), dtype)
        signs = np.cos(np.arange(h.shape[1]))[:, None].astype(real_dtype(h.dtype))
        self.without_left().solve(none, np.finfo(dtype).eps * signs * h, x)

    def without_left(self) -> Self:
        """The same, for right-hand sides that have been multiplied by `left`."""
        factor = copy.copy(self)
        factor.left = self.none
        return factor

    @functools.cached_property
    def is_rough(self) -> bool:
        """Whether the rounding of a gradient may be all of a correction."""
        pivots = np.abs(self.right.diagonal(axis1=1, axis2=2))
        return bool(pivots.min() < epsilon(self.problem.dtype) ** 0.25 * pivots.max())

    # --- what else follows ------------------------------------------------------------------

    def inverse_of_normal(self) -> Array:
        """(AᴴWA + alpha I)⁻¹, but for roundings that leave it not Hermitian."""
        count, q, n = self.right.shape
        dtype = self.problem.dtype
        unit = np.zeros((count, n, n), dtype)
        unit[:] = np.eye(n) * self.scale[:, None]
        return self.without_left().solve(np.zeros((count, q, n), dtype), unit)

    def pinv(self) -> Array:
        """The pseudoinverses, (K, n, m), whose products with b are x."""
        b = np.ascontiguousarray(self.left.swapaxes(1, 2))
        return _cast(self.without_left().solve(b), self.problem.dtype)

    def leverage(self) -> Array:
        """How much of each element of b is in its own fit, (K, m)."""
        left = self._orthogonal()
        squares: Array = np.einsum("kmq,kmq->km", left, left.conj()).real
        w = self.problem.weights
        if w.size:
            squares = np.divide(squares, w, out=np.zeros_like(squares), where=w > 0)
        return squares

    def _orthogonal(self) -> Array:
        """conj(Q), of orthogonal columns, times the roots of the weights."""
        return self.left

    def reduced(self, k: int) -> tuple[Array, Array] | None:
        """Q, of orthogonal columns, and a smaller matrix: their product is √W A of the k-th
        matrix; None where they are not at hand."""
        return None


class _Exact(Factor):
    """Factors of A itself, square and not singular."""

    exact: ClassVar[bool] = True

    def inverse_of_normal(self) -> Array:
        # A⁻¹ W⁻¹ A⁻ᴴ
        n = self.right.shape[1]
        unit = np.zeros((len(self.right), n, n), self.problem.dtype)
        unit[:] = np.eye(n)
        inverse, weights = self.solve(unit), self.problem.weights
        half = inverse / np.sqrt(weights)[:, None] if weights.size else inverse
        return serial(lambda: half @ half.conj().swapaxes(1, 2), n**3)

    def pinv(self) -> Array:
        count, n, _ = self.right.shape
        return self.solve(np.broadcast_to(np.eye(n, dtype=self.problem.dtype), (count, n, n)))

    def leverage(self) -> Array:
        return np.ones(self.problem.a.shape[:2], real_dtype(self.problem.a.dtype))


class LU(_Exact):
    """P L U = A."""

    code: ClassVar[int] = kernel.LU

    @classmethod
    def of(cls, problem: Problem) -> list[Factor]:
        a, n = problem.a, problem.a.shape[1]
        if len(a) == 1 and n >= lu.LARGE:
            right, order, ratio = _large_lu(problem)
        else:
            right, order, ratio = problem.made(
                "factor_lu", n**3 / 3, {"a": a}, right=(n, n), order=(n,), ratio=()
            )
        suspect = np.flatnonzero(ratio < math.sqrt(epsilon(a.dtype)))
        if len(suspect):  # a small pivot says little, singular values all
            values = scaled_singular_values(a[suspect], *problem.kept)
            problem.refuse(suspect[values[:, -1] <= problem.rcond * values[:, 0]])
        return [cls(problem, right, order=order)]


def _large_lu(problem: Problem) -> tuple[Array, Array, Array]:
    """What the block "factor_lu" makes, of one large matrix."""
    factors, order, largest = lu.factor(problem.a[0], *problem.kept)
    diagonal = factors.diagonal()
    pivots = np.maximum(np.abs(diagonal.real), np.abs(diagonal.imag))
    shares = np.divide(pivots, largest, out=np.zeros(len(order)), where=pivots != 0)
    return factors[None], order[None], shares.min(keepdims=True)


class Cholesky(_Exact):
    """RᴴR = A."""

    code: ClassVar[int] = kernel.CHOLESKY

    @classmethod
    def of(cls, problem: Problem) -> list[Factor]:
        right, ratio = cholesky(problem, hermitian(problem.a))
        problem.refuse(np.flatnonzero(ratio <= problem.rcond))
        return [cls(problem, right)]


class Normal(Factor):
    """RᴴR = AᴴWA + alpha I, in scaled columns."""

    code: ClassVar[int] = kernel.CHOLESKY

    @classmethod
    def of(cls, problem: Problem) -> list[Factor]:
        prepared = Prepared(problem)
        right, ratio = prepared.cholesky()
        problem.refuse(np.flatnonzero(ratio <= max(problem.rcond**2, rank_tolerance(right))))
        return [cls(problem, right, left=prepared.left(prepared.rows), scale=prepared.scale)]

    def _orthogonal(self) -> Array:
        def solved() -> Array:
            sides = zip(self.right, self.left, strict=True)
            return np.stack(
                [solve_triangular(r, rows.T, trans="C", check_finite=False).T for r, rows in sides]
            )

        return serial(solved, math.inf)  # triangular solutions start threads


class QR(Factor):
    """Q R = A with weights and penalty, in scaled columns and in an order of them."""

    code: ClassVar[int] = kernel.QR

    def reduced(self, k: int) -> tuple[Array, Array] | None:
        problem = self.problem
        if problem.alpha:
            return None
        q, order = np.conjugate(self.left[k]), self.order[k]
        if problem.weights.size:
            root = problem.root[k].astype(real_dtype(q.dtype))[:, None]
            q = np.divide(q, root, out=np.zeros_like(q), where=root > 0)
        a = np.empty_like(self.right[k])  # R Pᵀ S⁻¹
        a[:, order] = np.triu(self.right[k])
        a /= self.scale[k].astype(real_dtype(a.dtype))
        return q, a


class SVD(Factor):
    """U Σ Vᴴ = A with weights and penalty, in scaled columns, without what is beyond the rank."""

    code: ClassVar[int] = kernel.SVD

    @classmethod
    def of(cls, prepared: Prepared, which: Array) -> Self:
        """The factors of the matrices `which`."""
        problem, part = prepared.problem, prepared.of(which)
        left, sigma, right = part.svd()
        lost = ~np.isfinite(sigma).all(axis=1)
        if problem.check_finite and lost.any():
            raise LinAlgError(
                f"the singular values of {problem.names(which[lost])} did not converge: "
                f'"qr" does without them'
            )
        scale, rank = part.scale, np.full(len(which), sigma.shape[1])
        left[lost], right[lost] = 0, np.nan
        for k in np.flatnonzero(~lost):
            rank[k] = np.count_nonzero(sigma[k] > problem.least(sigma[k, 0]))
            left[k, :, rank[k] :] = 0
            right[k], scale[k] = _inverse_half(right[k], sigma[k], scale[k], rank[k])
        every = len(which) == len(prepared.rows)
        return cls(
            part.problem, right, left=part.left(left), scale=scale, rank=rank,
            which=None if every else which,
        )  # fmt: skip

    @functools.cached_property
    def is_rough(self) -> bool:
        return True


def _inverse_half(vh: Array, sigma: Array, scale: Array, rank: int) -> tuple[Array, Array | float]:
    """Mᵀ and C, with x = C M Uᴴ b: M = V Σ⁻¹ and C = S for full column rank. Else C is a number and
    C M = Z of least norm with (Σ Vᴴ S⁻¹) Z = I: by S⁻¹ V P = Q R, Z = Q R⁻ᴴ Pᵀ Σ⁻¹."""
    q, n = vh.shape
    if rank == n:
        return vh.conj() / sigma[:, None], scale
    half = np.zeros((q, n), vh.dtype)
    if not rank:
        return half, scale
    # rows that grow smaller, and pivots: however far apart, each has all its digits
    rows = scale.argsort()
    v = (vh[:rank] / scale).conj().T[rows]

    def least() -> Array:
        basis, factor, order = qr(v, mode="economic", pivoting=True, check_finite=False)
        inverse = np.diag(1 / sigma[:rank])[order]
        inverse = solve_triangular(factor, inverse, trans="C", check_finite=False)
        product: Array = basis @ inverse
        return product

    half[:rank, rows] = serial(least, math.inf).T  # triangular solutions start threads
    size = 2.0 ** min(np.frexp(np.abs(half).max())[1], 1020)
    return half / size, size


def _cast(x: Array, dtype: np.dtype[Any]) -> Array:
    """x in `dtype`, inf where that has no such number."""
    if x.dtype == dtype:
        return x
    with np.errstate(over="ignore"):
        return x.astype(dtype)


@by_shape
def _form(kind: int, dtype: np.dtype[Any], count: int, p: int, rows: int, q: int, n: int) -> Form:
    """The form of the calls that solve with factors of this kind: `count` of them, for p columns
    each, where the left factor has so many rows and the right is (q, n)."""
    arrays = {"kind": kind, "x": Output((count, n, p), dtype)}
    steps = [_solution(kind, count, p, rows, q, n)]
    inputs = "left", "right", "order", "scale", "b", "h"
    return Form(inputs, "lstsq", dtype, arrays, steps, ("x",))


def _solution(kind: int, count: int, p: int, rows: int, q: int, n: int) -> Step:
    """The step of the block `solve`, over tiles (matrices, columns)."""
    work = q * (n + rows)
    cost = 300 + 0.2 * work * p
    matrices, columns = tiles.split(count, cost), p
    if count == 1:  # some for BLAS to be fast, as many in each block
        columns = -(-p // -(-p // max(_COLUMNS, tiles.split(p, 0.2 * work))))
    multiplications: float = 0
    if columns > 1:
        multiplications = max(max(rows, n) * q, TRIANGULAR * n) * columns
    if columns > 1 and kind == kernel.LU:
        multiplications = math.inf
    bounds = tiles.grid((count, p), (matrices, columns))
    return Step("solve", bounds, count * cost, multiplications)
