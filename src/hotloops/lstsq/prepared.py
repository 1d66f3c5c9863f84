"""What "normal", "qr" and "svd" factor: weighted rows, those of the penalty, in scaled columns."""

import numpy as np

from .. import _rows
from .._factors import qr
from .._factors.cholesky import LARGE, upper
from .._typing import Array
from .problem import Problem
from .singular import real_dtype, singular_values


class Prepared:
    """The rows (K, r, n) of √W A over √alpha I, their columns times `scale` (K, n), powers of two.

    `many` says whether sums over these rows are made in pieces, in double precision; else the rows
    themselves are in that.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        _, m, n = problem.a.shape
        height = m + n if problem.alpha else m
        self.rows: Array
        self.scale: Array
        self.rows, self.scale = problem.made(
            "prepare", 10 * height * n,
            {"a": problem.a, "root": problem.root, "alpha": problem.alpha},
            out=(height, n), scale=(n,),
        )  # fmt: skip
        if problem.offsets is not None:
            self._rescale(problem.offsets)
        self.many: bool = _rows.are_many(height, n)
        if not self.many:
            self.rows = _rows.double(self.rows)

    def _rescale(self, offsets: Array) -> None:
        """Give the columns the scales of what they were before a subtraction, its norm in [½, 1):
        the rounding is then eps in each."""
        exponent = np.frexp(offsets * self.scale)[1].clip(0)
        if exponent.any():
            self.rows *= np.ldexp(real_dtype(self.rows.dtype).type(1), -exponent)[:, None]
            self.scale *= np.ldexp(1.0, -exponent)

    def of(self, which: Array) -> "Prepared":
        """The rows of the matrices `which` alone."""
        if len(which) == len(self.rows):
            return self
        part = object.__new__(Prepared)
        part.problem, part.many = self.problem.of(which), self.many
        part.rows, part.scale = self.rows[which], self.scale[which]
        return part

    def take_at_once(self) -> None:
        """Let sums run over all rows, many as they are."""
        self.many, self.rows = False, _rows.double(self.rows)

    @property
    def are_tall(self) -> bool:
        """Whether there are as many rows as columns."""
        return bool(self.rows.shape[1] >= self.rows.shape[2])

    @property
    def _is_large(self) -> bool:
        """Whether this is one matrix, in double precision, whose factors several workers make."""
        count, height, n = self.rows.shape
        alone = count == 1 and self.are_tall and self.rows.dtype.char in "dD"
        return alone and qr.is_large(height, n)

    def are_far_apart(self) -> bool:
        """Whether some rows are so much larger than most that these are to keep digits of their
        own."""
        sizes = np.abs(self.rows).max(axis=2)
        small = np.count_nonzero(1e4 * sizes < sizes.max(axis=1, keepdims=True), axis=1)
        return bool((2 * small > sizes.shape[1]).any())

    # --- factors ----------------------------------------------------------------------------

    def cholesky(self) -> tuple[Array, Array]:
        """R (K, n, n) in double precision, RᴴR the columns' inner products, and of each matrix the
        smallest share of a column that those before it leave."""
        problem, (_, height, n) = self.problem, self.rows.shape
        if self.many or _in_tiles(self.rows):
            products = [_rows.inner_products(one, *problem.kept) for one in self.rows]
            return cholesky(problem, np.stack(products))
        inputs = {"a": self.rows}
        found: tuple[Array, Array] = problem.made(
            "factor_normal", height * n**2, inputs, right=(n, n), ratio=()
        )
        return found

    def qr(self) -> tuple[Array, Array, Array, Array]:
        """Q, R, the order of the columns and the ratio of the smallest pivot to the largest; 0 for
        dependent columns of many rows, which have no Q."""
        height, n = self.rows.shape[1:]
        large = self._is_large
        if large and (factors := qr.factor(self.rows[0], *self.problem.kept)):
            left, right = factors
            pivots = np.abs(right.diagonal())
            ratio = pivots.min(keepdims=True) / pivots.max()
            return left[None], right[None], np.arange(n)[None], ratio
        inputs = {"a": self.rows, "products": not large, "householder": not self.many}
        found: tuple[Array, Array, Array, Array] = self.problem.made(
            "factor_qr", 3 * height * n**2, inputs,
            left=(height, n), right=(n, n), order=(n,), ratio=(),
        )  # fmt: skip
        return found

    def svd(self) -> tuple[Array, Array, Array]:
        """U, Σ and Vᴴ; of many rows, or one large matrix of several for each column, by those of
        R."""
        short, left = self.rows, None
        alone = len(self.rows) == 1
        if self.many or (alone and _rows.are_factored_in_pieces(*self.rows.shape[1:])):
            left = np.empty_like(self.rows)
            short = np.stack(
                [_rows.triangular(one, *self.problem.kept, q=q)
                 for one, q in zip(self.rows, left, strict=True)]
            )  # fmt: skip
        height, n = short.shape[1:]
        q = min(height, n)
        inner, sigma, right = self.problem.made(
            "factor_svd", 8 * height * q * n, {"a": short},
            left=(height, q), sigma=(q,), right=(q, n),
        )  # fmt: skip
        if left is None:
            return inner, sigma, right
        for one, u in zip(left, inner, strict=True):
            _rows.multiply(one, u, *self.problem.kept)
        return left, sigma, right

    def singular_values(self, which: Array) -> Array:
        """The singular values of the matrices `which`."""
        rows = self.rows if len(which) == len(self.rows) else self.rows[which]
        return singular_values(rows, *self.problem.kept)

    def left(self, basis: Array) -> Array:
        """What a right-hand side is multiplied by: the basis (K, r, q) without the penalty's rows,
        conjugated in its place, and times the weights' roots."""
        if basis.dtype.kind == "c":
            np.conjugate(basis, out=basis)
        m = self.problem.a.shape[1]
        if basis.shape[1] > m:
            basis = np.ascontiguousarray(basis[:, :m])
        root = self.problem.root
        if root.size:
            basis *= root[:, :, None].astype(real_dtype(basis.dtype))
        return basis


def cholesky(problem: Problem, a: Array) -> tuple[Array, Array]:
    """R (K, n, n) with RᴴR = A, and of each matrix the smallest share of a diagonal element that
    the elimination of those before it leaves."""
    n = a.shape[2]
    if _in_tiles(a):
        right, share = upper(a[0], *problem.kept)
        return right[None], share.min(keepdims=True)
    found: tuple[Array, Array] = problem.made(
        "factor_cholesky", n**3 / 6, {"a": a}, right=(n, n), ratio=()
    )
    return found


def _in_tiles(a: Array) -> bool:
    """Whether this is one matrix, whose Cholesky factor several workers make."""
    return len(a) == 1 and a.shape[2] >= LARGE
