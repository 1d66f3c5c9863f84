"""Least squares: factor a matrix once, solve for many right-hand sides."""

import cmath
import copy
import functools
import math
import typing

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import LinAlgWarning, qr, solve_triangular

from . import _arrays, _rows
from ._run import Call, Output, Step, each, kept, number_of_workers, resolve, run, tiles
from ._run.guard import threads_blas
from ._warnings import warn
from .kernels.lstsq import CHOLESKY, LU, QR, SVD

_COLUMNS = 50  # of a block, at least
_PENALTIES = 16  # whose errors are made together
_LEAST = 1e-7  # eigenvalue of inner products in double precision, for a single-precision x
_STEPS = 60  # of refinement: each halves the error at least, or it is one of the last two
_DTYPES = {"order": np.intp, "scale": float, "ratio": float, "sigma": float}  # else the blocks'
METHODS = ("auto", "lu", "cholesky", "normal", "qr", "svd")
_INSTEAD = {
    "lu": '"qr", "svd" and "auto" find the solution of least norm',
    "cholesky": '"lu" copes if it is not singular, "auto" in any case',
    "normal": '"qr" copes with a larger condition, "svd" and "auto" with any',
}


class RidgePath(typing.NamedTuple):
    """What `LeastSquares.ridge_path` returns, one row for each alpha."""

    x: np.ndarray
    loo_errors: np.ndarray


class LeastSquares:
    """Solutions of one least-squares problem for many right-hand sides.

    .. math:: \\min_x \\; \\sum_i w_i |b_i - a_i x|^2 + \\alpha \\lVert x \\rVert^2

    A, of the rows a_i, is factored once, here; `solve` takes right-hand sides, as often as they
    come. Where the minimum is not unique, because A has fewer rows than columns or dependent ones,
    x is the solution of least norm, in the units of x as given, and a warning names the rank.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        A matrix or a batch of them, real or complex. It is copied.
    method : {"auto", "lu", "cholesky", "normal", "qr", "svd"}
        - "lu": elimination with row pivoting; A is square and not singular.
        - "cholesky": of A itself, which is Hermitian and positive definite.
        - "normal": the Cholesky factor of AᴴWA + alpha I. Quickest for tall A, but the condition
          of A counts twice: half the digits go, and beyond 1e7 all.
        - "qr": an orthogonal factor, with column pivoting where the columns are nearly dependent,
          and then, if A is tall, an error of each row in proportion to that row: rows far heavier
          than the others are constraints, and cost the others no digits.
        - "svd": singular values. Slowest, and sure of the rank.
        - "auto": "qr", and "svd" for what is wide or rank-deficient; so does "qr" itself.
    weights : float or array_like, shape (m,) or (..., m), optional
        w_i = 1 / σ_i², not negative: what scikit-learn calls sample_weight; ``np.polyfit`` takes
        the square roots. With "lu" and "cholesky", which solve A x = b, they are positive and show
        in `covariance` alone.
    alpha : float
        The penalty, not negative. "normal", "qr" and "svd" take it, the latter two by rows
        sqrt(alpha) I below A: they do not square the condition. With it, "svd" takes the singular
        values of the R of these rows for the rank, and their vectors only where that is not full.
    rcond : float, optional
        A singular value, or a pivot, of A with its columns scaled to the same norm is taken for
        zero where it is below `rcond` times the largest: max(10, min(m, n)) eps by default. The
        scaling decides on the rank only. A pivot that small is kept where the rows that it is of
        are as small.
    refine : bool
        Improve each solution by steps of refinement, with residuals in twice the working
        precision, until they gain nothing: nearly all digits of an x that is unique are right,
        unless sqrt(W) A is singular in working precision; of a solution of least norm, A x gains.
        A step is kept where the next one shows that it was one towards x. A few times the cost of
        a solution.
    check_finite : bool
        Refuse NaN and inf, here and in `solve`.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Attributes
    ----------
    rank : int, or array of int for a batch
        That of sqrt(W) A.
    cond : float, or array for a batch
        The condition number of A as given, without weights and alpha: its largest singular value
        over its smallest, in double precision where it is large. No method estimates it: the
        singular values are computed when it is first asked for, about the time of "svd" without
        its vectors.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the method cannot cope with A: the message names one that can.
    ValueError
        For NaN or inf, a negative weight, alpha or rcond, and shapes that do not fit.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        Where A, without the rows whose weight is 0, is rank-deficient.

    Notes
    -----
    Accuracy: that of LAPACK's methods of these names, which is eps times the condition of A with
    scaled columns ("normal": times its square); with `refine`, some eps. For A in single precision
    "normal", "qr" and "svd" factor in double precision, and x is rounded: all its digits are right
    up to a condition of 1e4, for any number of rows. For "qr" these are inner products, which
    single-precision columns have exactly, up to that condition, and else orthogonal factors; of
    many thousands of rows, for "svd" too, factors of pieces of the rows. They are made anew when a
    right-hand side in double precision comes.

    Cost: a factor 2/3 n³ ("lu") to 4 m n² ("qr") multiplications, one at a time on the threads that
    BLAS has, several on one thread each: its last bits may depend on BLAS's number of threads, and
    Ctrl-C waits for it. A right-hand side m n + n². Memory: A and a copy or two of it.

    Björck, *Iterative refinement of linear least squares solutions*, BIT 7 (1967) 257, BIT 8
    (1968) 8; Cox & Higham, *Stability of Householder QR factorization for weighted least squares
    problems*, in Numerical Analysis 1997 (1998) 57; Yamamoto et al., *Roundoff error analysis of
    the CholeskyQR2 algorithm*, ETNA 44 (2015) 306.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> t = np.arange(5.0)
    >>> line = hl.LeastSquares(np.stack([np.ones(5), t], axis=1))
    >>> line.solve(3 - 2 * t)
    array([ 3., -2.])
    >>> b = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    >>> line.solve(b).round(12), line.residuals(b).round(12)
    (array([1.4, 0.8]), array([-0.4,  0.8, -1. ,  1.2, -0.6]))
    >>> line.rank, line.covariance(b).round(3)
    (2, array([[ 0.72, -0.24],
           [-0.24,  0.12]]))
    """

    _floor = 0.0  # of a singular value that counts

    def __init__(
        self,
        A,
        *,
        method="auto",
        weights=None,
        alpha=0.0,
        rcond=None,
        refine=False,
        check_finite=True,
        backend=None,
        workers=None,
    ):
        a = _arrays.floating("A", A)
        if a.ndim < 2:
            raise ValueError(f"A must have at least 2 dimensions, got shape {a.shape}")
        self.method = _arrays.choice("method", method, METHODS)
        self._batch, (m, n) = a.shape[:-2], a.shape[-2:]
        if max(m, n) >= 2**31:
            raise ValueError(f"A must have less than 2**31 rows and columns, got shape {a.shape}")
        if m != n and method in ("lu", "cholesky"):
            raise ValueError(f"method={method!r} needs a square A, got shape {a.shape}")
        self.alpha = _arrays.scalar("alpha", alpha, minimum=0)
        if self.alpha and method in ("lu", "cholesky"):
            raise ValueError(
                f'alpha must be 0 with method={method!r}, which solves A x = b: "auto", "normal", '
                f'"qr" and "svd" take it, got {alpha!r}'
            )
        self._check_finite, self._refine = bool(check_finite), bool(refine)
        if self._check_finite and not np.isfinite(a).all():
            raise ValueError("A must be finite, got NaN or inf")
        count = math.prod(self._batch)
        self._weights = self._check_weights(weights, count, m)
        self.rcond = (
            rank_tolerance(a) if rcond is None else _arrays.scalar("rcond", rcond, minimum=0)
        )
        self._backend, self._workers = kept("lstsq", backend, workers)
        self._take(np.array(a, order="C").reshape(count, m, n))
        if not self.alpha:
            self._warn()

    def _take(self, a):
        self._a, self.dtype = a, a.dtype
        self._rank, self._rank_known = np.zeros(len(a), int), False
        self._cond = self._wider = None
        self._parts = []
        if a.size:
            self._factor()
        self._direct = self._direct_solve()

    def _check_weights(self, weights, count, m):
        if weights is None:
            return np.empty((count, 0))
        w = _arrays.real("weights", weights)
        if w.shape not in ((), (m,), (*self._batch, m)):
            each = f" or {(*self._batch, m)}" if self._batch else ""
            raise ValueError(
                f"weights must be one number or have shape ({m},){each}, one for each row of A, "
                f"got {w.shape}"
            )
        if not ((w >= 0) & np.isfinite(w)).all():
            raise ValueError("weights must be finite and not negative")
        if self.method in ("lu", "cholesky") and not (w > 0).all():
            raise LinAlgError(
                f"weights of 0 leave fewer equations than unknowns: method={self.method!r} needs "
                f'them positive, "qr", "svd" and "auto" do not'
            )
        w = np.broadcast_to(w, (*self._batch, m)).reshape(count, m)
        return np.array(w, np.float64, order="C")

    # --- factors ----------------------------------------------------------------------------

    def _made(self, block, work, count, dtype, inputs, **outputs):
        """What a block makes of each matrix, by `work` multiplications: arrays (count, ...) of the
        shapes given, in the blocks' dtype, the order of columns and numbers of its own apart."""
        arrays = {
            name: Output((count, *shape), _DTYPES.get(name, dtype))
            for name, shape in outputs.items()
        }
        # a single matrix is factored on BLAS's own threads
        guarded = 0 if count == 1 and self._workers > 1 else work
        cost = 1000 + 0.1 * work
        step = Step(block, tiles.rows(count, cost), count * cost, guarded)
        return self._run(step, dtype, inputs, arrays)

    def _run(self, step, dtype, inputs, outputs, out=None):
        """The outputs of one step, whose inputs and outputs are in the order of its line; `out`:
        for a single one."""
        work = step.multiplications
        if len(step.tiles) > 1 or not tiles.is_short(step.time) or threads_blas(work, dtype):
            call = Call("lstsq", dtype, inputs | outputs, [step], tuple(outputs))
            return run(call, self._backend, self._workers, out=out)
        # a block shorter than what it takes to carry out a call
        backend = resolve(self._backend, "lstsq")
        ready = [backend.ready(x) if type(x) is np.ndarray else x for x in inputs.values()]
        results = [out]
        if out is None:
            results = [np.empty(one.shape, one.dtype) for one in outputs.values()]
        backend.block("lstsq", step.block, dtype)(*step.tiles[0], *ready, *results)
        return results if len(results) > 1 else results[0]

    def _factor(self):
        a = self._a
        (count, m, n), dtype = a.shape, a.dtype
        eps = float(np.finfo(dtype).eps)
        order = np.empty((count, n), np.intp)
        if self.method in ("lu", "cholesky"):
            self._rank[:] = n
            scale, left = np.ones((count, n)), np.empty((count, 0, 0), dtype)
            if self.method == "lu":
                right, order, ratio = self._made(
                    "factor_lu", n**3 / 3, count, dtype, {"a": a},
                    right=(n, n), order=(n,), ratio=(),
                )  # fmt: skip
                suspect = np.flatnonzero(ratio < math.sqrt(eps))
                if len(suspect):  # a small pivot says little, singular values all
                    values = _scaled_singular_values(a[suspect])
                    singular = values[:, -1] <= self.rcond * values[:, 0]
                    self._refuse(suspect[singular])
                self._parts.append(_Part(LU, left, right, order, scale))
            else:
                _check_hermitian(a, eps)
                right, ratio = self._factor_cholesky(a)
                self._refuse(np.flatnonzero(ratio <= self.rcond))
                self._parts.append(_Part(CHOLESKY, left, right, order, scale))
            return
        root = np.sqrt(self._weights)
        rows = m + n if self.alpha else m
        inputs = {"a": a, "root": root, "alpha": self.alpha}
        prepared, scale = self._made(
            "prepare", 10 * rows * n, count, dtype, inputs, out=(rows, n), scale=(n,)
        )
        self._rescale(prepared, scale)
        many, single = _rows.are_many(rows, n), eps > np.finfo(float).eps
        if not many:
            prepared = _rows.double(prepared)
        if self.method == "normal":
            right, ratio = self._factor_normal(prepared, many)
            self._refuse(np.flatnonzero(ratio <= max(self.rcond**2, rank_tolerance(right))))
            self._rank[:] = n
            left = self._left(prepared, root)
            self._parts.append(_Part(CHOLESKY, left, right, order, scale))
            return
        kind, deficient = None, np.arange(count)
        self._rank[:] = n
        if single and rows >= n and (many or self.method != "svd"):
            # inner products in double precision: their condition may count twice
            right, ratio = self._factor_normal(prepared, many)
            independent = self._are_independent(right, ratio)
            if many and not independent and _far_apart(prepared):
                many, prepared = False, _rows.double(prepared)
            if many or independent:
                kind, left = CHOLESKY, prepared
                if self.method != "svd":
                    deficient = self._doubtful(np.sqrt(ratio), right)
            if many:
                suspects = prepared if len(deficient) == count else prepared[deficient]
                values = _singular_values(suspects)
                dependent = values[:, -1] <= self._least(values[:, 0])
                deficient = deficient[dependent | (ratio[deficient] <= eps**2)]
        # beside a heavy penalty, A is what an SVD of both rounds away, and R does not
        if kind is None and (self.method != "svd" or self.alpha) and rows >= n:
            kind = QR
            left, right, order, ratio = self._factor_qr(prepared, not many)
            deficient = self._doubtful(ratio, right, None if many else prepared)
            if many and len(deficient) and _far_apart(prepared):
                many = False
                left, right, order, ratio = self._factor_qr(prepared, True)
                deficient = self._doubtful(ratio, right, prepared)
        if len(deficient):
            self._factor_svd(deficient, prepared, root, scale, many)
        if len(deficient) < count:  # first, as it fills in the others' places
            left = self._left(left, root)
            self._parts.insert(0, _Part(kind, left, right, order, scale))

    def _factor_cholesky(self, a):
        """R (K, n, n) with Rᴴ R = A, and the ratio."""
        count, n, _ = a.shape
        return self._made(
            "factor_cholesky", n**3 / 6, count, a.dtype, {"a": a}, right=(n, n), ratio=()
        )

    def _factor_normal(self, prepared, many=True):
        """R (K, n, n) in double precision, Rᴴ R the columns' inner products, and the ratio."""
        count, rows, n = prepared.shape
        if many:
            products = [_rows.inner_products(one, self._workers) for one in prepared]
            return self._factor_cholesky(np.stack(products))
        return self._made(
            "factor_normal", rows * n**2, count, prepared.dtype, {"a": prepared},
            right=(n, n), ratio=(),
        )  # fmt: skip

    def _factor_qr(self, prepared, householder):
        count, rows, n = prepared.shape
        return self._made(
            "factor_qr", 3 * rows * n**2, count, prepared.dtype,
            {"a": prepared, "householder": householder},
            left=(rows, n), right=(n, n), order=(n,), ratio=(),
        )  # fmt: skip

    def _are_independent(self, right, ratio):
        """Whether the condition of RᴴR costs double precision no digit of a single-precision x."""
        count, n, _ = right.shape
        order, scale = np.zeros((count, n), np.intp), np.ones((count, n))
        left, e = np.empty((count, 0, 0), right.dtype), np.empty((count, n, 1), right.dtype)
        # one step of inverse iteration: x of about the reciprocal of the least eigenvalue
        e[:] = np.cos(np.arange(n))[:, None]
        x = self._by(_Part(CHOLESKY, left, right, order, scale), e)
        return ratio.min() > _LEAST and np.abs(x).max() * n < 1 / _LEAST

    def _rescale(self, prepared, scale):
        """Give the prepared columns other scales, where norms are not what decides on the rank."""

    def _least(self, largest):
        """What a singular value must exceed to count, beside the largest."""
        return np.maximum(self.rcond * largest, self._floor)

    def _doubtful(self, ratio, right, prepared=None):
        """The matrices whose rank singular values are to tell."""
        doubtful = ratio <= 100 * self.rcond
        if prepared is not None and doubtful.any():
            some = np.flatnonzero(doubtful)
            doubtful[some] = _ratio_by_rows(prepared[some], right[some]) <= 100 * self.rcond
        if self._floor:
            pivots = np.abs(right.diagonal(axis1=1, axis2=2))
            doubtful |= pivots.min(axis=1) <= 100 * self._floor
        # pivots may be far above the least singular value
        if self.rcond > rank_tolerance(self._a) or self.method == "svd":
            values = _singular_values(np.triu(right))
            doubtful |= values[:, -1] <= self._least(values[:, 0])
        return np.flatnonzero(doubtful)

    def _left(self, left, root):
        """What a right-hand side is multiplied by: without the penalty's rows, conjugated, and
        with the weights' roots."""
        if left.dtype.kind == "c":
            np.conjugate(left, out=left)
        m = self._a.shape[1]
        if left.shape[1] > m:
            left = np.ascontiguousarray(left[:, :m])
        if root.size:
            left *= root[:, :, None].astype(left.real.dtype)
        return left

    def _factor_svd(self, which, prepared, root, scale, many):
        every = len(which) == len(prepared)
        if not every:
            prepared, scale = prepared[which], scale[which]
            root = root[which]
        count, rows, n = prepared.shape
        q, short = min(rows, n), prepared
        if many:
            left = np.empty_like(prepared)
            short = np.stack(
                [_rows.triangular(one, self._workers, q=basis)
                 for one, basis in zip(prepared, left, strict=True)]
            )  # fmt: skip
        rows = short.shape[1]
        inner, sigma, right = self._made(
            "factor_svd", 8 * rows * q * n, count, short.dtype, {"a": short},
            left=(rows, q), sigma=(q,), right=(q, n),
        )  # fmt: skip
        if many:
            for one, u in zip(left, inner, strict=True):
                one[...] = _rows.times(one, u, self._workers)
        else:
            left = inner
        lost = ~np.isfinite(sigma).all(axis=1)
        if self._check_finite and lost.any():
            raise LinAlgError(
                f"the singular values of {self._names(which[lost])} did not converge: "
                f'"qr" does without them'
            )
        left[lost], right[lost], self._rank[which[lost]] = 0, np.nan, q
        for k, index in enumerate(which):
            if lost[k]:
                continue
            rank = np.count_nonzero(sigma[k] > self._least(sigma[k, 0]))
            self._rank[index] = rank
            left[k, :, rank:] = 0
            right[k], scale[k] = _inverse_half(right[k], sigma[k], scale[k], rank)
        left, order = self._left(left, root), np.empty((count, n), np.intp)
        self._parts.append(_Part(SVD, left, right, order, scale, None if every else which))

    def _refuse(self, singular):
        if len(singular):
            raise LinAlgError(
                f"{self._names(singular)} is singular, or nearly, for method={self.method!r}: "
                f"{_INSTEAD[self.method]}"
            )

    def _names(self, indices):
        if not self._batch:
            return "A"
        names = [
            f"A[{', '.join(str(int(i)) for i in np.unravel_index(k, self._batch))}]"
            for k in indices[:5]
        ]
        more = f" and {len(indices) - 5} more" if len(indices) > 5 else ""
        return ", ".join(names) + more

    def _warn(self):
        count, m, n = self._a.shape
        rows = (self._weights > 0).sum(axis=1) if self._weights.size else np.full(count, m)
        full = np.minimum(rows, n)
        deficient = np.flatnonzero(self._rank < full)
        if len(deficient):
            worst, weighted = deficient[self._rank[deficient].argmin()], ""
            a = self._a[worst, None]
            if self._weights.size:
                weighted, w = " with its weights", self._weights[worst]
                a = a[:, w > 0] * np.sqrt(w[w > 0, None])
            warn(
                f"{self._names(deficient)} is rank-deficient{weighted}: rank {self._rank[worst]} "
                f"of {full[worst]}, condition {_condition(a)[0]:.3g}; x is the solution of least "
                f"norm",
                LinAlgWarning,
            )

    # --- what A is --------------------------------------------------------------------------

    def _shaped(self, values):
        return values.reshape(self._batch).copy() if self._batch else values[0].item()

    @property
    def rank(self):
        return self._shaped(self._ranks())

    def _ranks(self):
        """Of √W A: where there is a penalty, the factors do not tell."""
        if self.alpha and self._a.size and not self._rank_known:
            a = self._a
            if self._weights.size:
                a = np.sqrt(self._weights)[:, :, None].astype(a.real.dtype) * a
            values = _scaled_singular_values(a)
            self._rank = (values > self._least(values[:, :1])).sum(axis=1)
            self._rank_known = True
        return self._rank

    @property
    def cond(self):
        if self._cond is None:
            self._cond = _condition(self._a)
        return self._shaped(self._cond)

    # --- solutions --------------------------------------------------------------------------

    def solve(self, b, *, out=None):
        """x for the right-hand side b.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p)
            A vector, for each matrix of the batch the same, or matrices of p columns. The axes
            before are those of the batch, or broadcast to them; a single A takes any.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray, shape (..., n) or (..., n, p)
            Of the dtype that products of A and b have.

        Raises
        ------
        ValueError
            For shapes that do not fit, NaN or inf, an unfit `out`.

        Notes
        -----
        Columns are solved in blocks over the workers. Of one 100×100 matrix and one vector the
        overhead is some microseconds.
        """
        if self._direct is not None and out is None and type(b) is np.ndarray:
            m, n, dtype, ready, block, before, after = self._direct
            if b.shape == (m,) and b.dtype == self.dtype:
                # where its square is finite, b is
                if self._check_finite and not cmath.isfinite(np.vdot(b, b)):
                    self._check_b(b)
                x = np.empty((1, n, 1), dtype)
                b = b if dtype is b.dtype else b.astype(dtype)
                block(*before, ready(b.reshape(1, m, 1)), after, x)
                return _cast(x, self.dtype).reshape(n)
        b = _arrays.floating("b", b)
        solver = self._for(b)
        sides = _Sides(b, solver)
        result = _arrays.output(out, sides.shape(self._a.shape[2]), sides.dtype, b=b)
        result[...] = sides.restored(solver._solution(sides.columns))
        return result

    def _direct_solve(self):
        """What takes one vector straight to the kernel: a check here costs as much as its work."""
        if self._batch or self._refine or len(self._parts) != 1:
            return None
        backend, part = resolve(self._backend, "lstsq"), self._parts[0]
        dtype, ready = part.right.dtype, backend.ready
        if part.left.size and part.left.dtype != dtype:
            return None
        block = backend.block("lstsq", "solve", dtype)
        before = 0, 1, 0, 1, part.kind, *map(ready, (part.left, part.right, part.order, part.scale))
        return *self._a.shape[1:], dtype, ready, block, before, ready(part.no_gradient)

    def _for(self, b):
        """This object, or the same in double precision for a b in that."""
        eps = np.finfo(self.dtype).eps
        if np.finfo(np.result_type(self.dtype, b.dtype)).eps == eps:
            return self
        if self._wider is None:
            wider = copy.copy(self)
            wider._take(self._a.astype(np.result_type(self.dtype, np.float64)))
            self._wider = wider
        return self._wider

    def _check_b(self, b):
        if self._check_finite and not np.isfinite(b).all():
            raise ValueError("b must be finite, got NaN or inf")

    def _solution(self, b):
        """x (K, n, p) of b (K, m, p)."""
        x = np.zeros((len(b), self._a.shape[2], b.shape[2]), self.dtype)
        if x.size:
            for part in self._parts:
                if part.which is None:
                    x = self._solve_part(part, self._a, self._weights, b)
                else:
                    k = part.which
                    x[k] = self._solve_part(part, self._a[k], self._weights[k], b[k])
        return x

    def _solve_part(self, part, a, weights, b):
        x = self._by(part, b)
        if not self._refine:
            return x
        square = part.kind == LU or (part.kind == CHOLESKY and not part.left.size)
        r, n = np.zeros(b.shape, b.dtype), 0 if square else x.shape[1]
        eps, least = float(np.finfo(x.dtype).eps), math.inf
        rounds = part.kind == SVD or part.pivots < eps**0.25
        # The correction of x, and what h's rounding makes of it, tell how far off x is: of all x
        # the last of the least is kept. r is 0 at first, as the roundings of b − A x, times a heavy
        # weight, would drown h
        steps = np.zeros((3, *x.shape), x.dtype)
        now, correction, noise = steps
        now[...] = x
        one = len(b) * b.shape[2] == 1  # column, of which numbers are quicker than arrays
        active = gained = True if one else np.ones((len(b), 1, b.shape[2]), bool)
        with np.errstate(all="ignore"):
            for step in range(_STEPS):
                wanted = n if step or self.alpha else 0
                f, gradient = self._residual(a, weights, self.alpha, part.scale, b, now, r, wanted)
                self._by(part, f, gradient, correction)
                if rounds and gradient.size:
                    self._by_rounding(part, gradient, noise)
                norms = _norms(steps, part.scale)
                whole, size, rest = norms.ravel().tolist() if one else norms
                size, rounding = size + rest, eps * whole
                again = not step and not square  # another solution: it may meet x by chance
                if again:
                    size = max(size, rounding) if one else np.maximum(size, rounding)
                _put(x, now, active & ((size <= least) | (size <= rounding)))
                better, after = size < least / 2, now + correction
                changed = (after != now).any(axis=1, keepdims=True)
                changed = changed.item() if one else changed
                active = active & (again | changed) & (better | (gained & (size > rounding)))
                if not (active if one else active.any()):
                    break
                _put(now, after, active)
                if not square:
                    r += f - a @ correction
                gained = better
                least = min(size, least) if one else np.minimum(size, least)
        return x

    def _by_rounding(self, part, h, x):
        """x = the solution for what rounding may be in h."""
        alone = part.without_left()
        none = np.zeros((len(h), part.right.shape[1], h.shape[2]), self.dtype)
        signs = np.cos(np.arange(h.shape[1]))[:, None].astype(h.real.dtype)
        self._by(alone, none, np.finfo(self.dtype).eps * signs * h, x)

    def _by(self, part, b, h=None, x=None):
        """x (K, n, p), the solution by one factor, in blocks of matrices and columns."""
        dtype = part.right.dtype
        if dtype != b.dtype:
            if part.left.size and part.left.dtype != dtype:
                sides = zip(part.left, b, strict=True)
                products = np.stack([_rows.products(*one, self._workers) for one in sides])
                part = part.without_left()
            else:
                products = _rows.double(b)
            double = self._by(part, products, None if h is None else _rows.double(h))
            if x is None:
                return _cast(double, b.dtype)
            x[...] = _cast(double, b.dtype)
            return x
        count, rows, p = b.shape
        _, q, n = part.right.shape
        left = rows if part.left.size else 0
        bounds, time, multiplications = _solution_blocks(count, p, left, q, n)
        h = part.no_gradient if h is None else h
        step = Step("solve", bounds, time, multiplications)
        return self._run(step, dtype, part.inputs(b, h), {"x": Output((count, n, p), dtype)}, x)

    def _residual(self, a, weights, alpha, scale, b, x, r, n):
        """The kernel's f, and h of n rows, in blocks of matrices and columns."""
        count, _, p = b.shape
        step = Step("residual", _residual_blocks(*a.shape, p), 10.0 * a.size * p)
        inputs = {
            "a": a, "weights": weights, "alpha": alpha, "scale": scale, "b": b, "x": x, "r": r,
        }  # fmt: skip
        f, h = Output(b.shape, b.dtype), Output((count, n, p if n else 0), b.dtype)
        return self._run(step, b.dtype, inputs, {"f": f, "h": h})

    def residuals(self, b):
        """b − A x, not weighted, for the solution x; its sums are in twice the working precision.

        Returns
        -------
        ndarray, of the shape of b, with the axes of a batch before
        """
        b = _arrays.floating("b", b)
        solver = self._for(b)
        sides = _Sides(b, solver)
        return sides.restored(solver._residuals(sides.columns))

    def _residuals(self, b):
        if not b.size:
            return np.zeros_like(b)
        scale, r = np.ones((len(b), self._a.shape[2])), np.zeros_like(b)
        arguments = self._a, self._weights, self.alpha, scale, b, self._solution(b), r
        return self._residual(*arguments, 0)[0]

    def covariance(self, b=None):
        """s² (AᴴWA)⁻¹, the covariance of x; of a rank-deficient A the pseudo-inverse.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p), optional
            s² is the weighted sum of the squared residuals of b over m − rank. Without b it is 1:
            the weights are the reciprocals of known variances.

        Returns
        -------
        ndarray, shape (..., n, n), or (..., p, n, n) for columns

        Raises
        ------
        ValueError
            For alpha > 0, whose x is biased; for a b where m − rank is 0.
        """
        if self.alpha:
            raise ValueError(f"covariance is for alpha = 0, got alpha = {self.alpha:g}")
        _, m, n = self._a.shape
        if b is None:
            return self._inverse_of_normal().reshape(*self._batch, n, n)
        b = _arrays.floating("b", b)
        solver = self._for(b)
        if (self._rank >= m).any():
            raise ValueError(
                f"covariance(b) needs more rows than the rank of A, got {m} and {self.rank}: "
                f"covariance() does without s²"
            )
        sides = _Sides(b, solver)
        square = np.abs(sides.restored(solver._residuals(sides.columns))) ** 2
        vector = b.ndim == 1
        square = square[..., None] if vector else square
        if self._weights.size:
            square = square * self._weights.reshape(*self._batch, m, 1)
        freedom = (m - self._rank).reshape(*self._batch, 1)
        variance = (square.sum(axis=-2, dtype=float) / freedom).astype(square.dtype)
        inverse = solver._inverse_of_normal().reshape(*self._batch, 1, n, n)
        result = variance[..., None, None] * inverse
        return result[..., 0, :, :] if vector else result

    def _inverse_of_normal(self):
        """(AᴴWA + alpha)⁻¹, (K, n, n)."""
        count, _, n = self._a.shape
        inverse = np.zeros((count, n, n), self.dtype)
        for part in self._parts if self._a.size else ():
            which = slice(None) if part.which is None else part.which
            size, q = len(part.right), part.right.shape[1]
            unit = np.zeros((size, n, n), self.dtype)
            unit[:] = np.eye(n) * part.scale[:, None]
            if part.kind == LU or (part.kind == CHOLESKY and not part.left.size):
                result = self._by(part, unit)
                half = result / np.sqrt(self._weights)[:, None] if self._weights.size else result
                result = half @ half.conj().swapaxes(1, 2)
            else:
                zeros = np.zeros((size, q, n), self.dtype)
                result = self._by(part.without_left(), zeros, unit)
            inverse[which] = result
        return (inverse + inverse.conj().swapaxes(1, 2)) / 2

    def leverage(self):
        """How much of each b_i is in its own fit: the diagonal of √W A (AᴴWA + alpha I)⁻¹ Aᴴ √W.

        Returns
        -------
        ndarray, shape (..., m)
            In [0, 1]; their sum is the effective number of parameters, the rank if alpha = 0.
        """
        count, m, _ = self._a.shape
        leverage = np.zeros((count, m), self._a.real.dtype)
        for part in self._parts if self._a.size else ():
            which = slice(None) if part.which is None else part.which
            left = part.left
            if not left.size:  # A x = b holds for any b
                leverage[which] = 1
                continue
            if part.kind == CHOLESKY:
                left = np.stack(
                    [solve_triangular(r.conj(), rows.T, trans="C", check_finite=False).T
                     for r, rows in zip(part.right.conj(), left, strict=True)]
                )  # fmt: skip
            squares = np.einsum("kmq,kmq->km", left, left.conj()).real
            if self._weights.size:
                w = self._weights[which]
                squares = np.divide(squares, w, out=np.zeros_like(squares), where=w > 0)
            leverage[which] = squares
        return leverage.reshape(*self._batch, m)

    def slogdet(self):
        """The sign of A's determinant, for complex A a number of modulus 1, and the logarithm of
        its absolute value, as `numpy.linalg.slogdet` has them. A is square."""
        _, m, n = self._a.shape
        if m != n:
            raise ValueError(f"slogdet needs a square A, got shape {(*self._batch, m, n)}")
        return np.linalg.slogdet(self._a.reshape(*self._batch, m, n))

    def pinv(self):
        """The matrix that takes b to x: the pseudo-inverse A⁺ where there are no weights and no
        alpha.

        Returns
        -------
        ndarray, shape (..., n, m)
        """
        count, m, n = self._a.shape
        pinv = np.zeros((count, n, m), self.dtype)
        for part in self._parts if self._a.size else ():
            which = slice(None) if part.which is None else part.which
            if part.left.size:
                b = np.ascontiguousarray(part.left.swapaxes(1, 2))
            else:
                b = np.broadcast_to(np.eye(n, dtype=self.dtype), (count, n, n)).copy()
            pinv[which] = _cast(self._by(part.without_left(), b), self.dtype)
        return pinv.reshape(*self._batch, n, m)

    def ridge_path(self, b, alphas):
        """Solutions for many penalties, from one singular value decomposition, that of R where
        there is one, with the errors of leaving out each row.

        Parameters
        ----------
        b : array_like, shape (m,) or (..., m, p)
        alphas : array_like, shape (k,)
            Penalties, not negative, that take the place of `alpha`. 0 gives the solution of least
            norm.

        Returns
        -------
        x : ndarray, shape (k, ..., n) or (k, ..., n, p)
        loo_errors : ndarray, shape (k, ..., m) or (k, ..., m, p)
            b_i − a_i x, for the x of all rows but i: (b_i − a_i x) / (1 − h_i), h the leverage, or
            its limit where h_i is 1, as for a wide A at alpha = 0. Their weighted mean square tells
            the best alpha.
        """
        b = _arrays.floating("b", b)
        alphas = _arrays.real("alphas", alphas, 1).astype(np.float64)
        if not ((alphas >= 0) & np.isfinite(alphas)).all():
            raise ValueError(f"alphas must be finite and not negative, got {alphas}")
        solver = self._for(b)
        sides = _Sides(b, solver)
        x, errors = solver._ridge_path(sides.columns, alphas)
        return RidgePath(
            np.stack([sides.restored(one) for one in x])
            if len(x) else np.empty((0, *sides.shape(self._a.shape[2])), sides.dtype),
            np.stack([sides.restored(one) for one in errors])
            if len(x) else np.empty((0, *sides.shape(self._a.shape[1])), sides.dtype),
        )  # fmt: skip

    def _ridge_path(self, b, alphas):
        count, _, n = self._a.shape
        x = np.zeros((len(alphas), count, n, b.shape[2]), self.dtype)
        errors = np.array(np.broadcast_to(b, (len(alphas), *b.shape)), order="C")
        items = np.flatnonzero(self._ranks()) if b.size else ()
        path = functools.partial(self._path_of, items, b, alphas, x, errors)
        # SciPy's BLAS and NumPy's, one after the other, would wait for each other's threads
        each(path, len(items), self._workers, blas=True)
        return x, errors

    def _path_of(self, items, b, alphas, x, errors, place):
        item = items[place]
        n, p, k, real = self._a.shape[2], b.shape[2], len(alphas), self._a.real.dtype
        root = np.sqrt(self._weights[item]).astype(real)[:, None] if self._weights.size else 1
        u, sigma, vh = self._singular(item, root)
        sigma = sigma.astype(np.float64)
        # a penalty takes `gap` of each singular value's share
        with np.errstate(all="ignore"):
            ratio = alphas[:, None] / sigma / sigma
            inverse = 1 / (sigma * (1 + ratio))
            gap = 1 / (1 + 1 / ratio)
        y = _rows.products(u.conj(), root * b[item], self._workers).T.astype(u.dtype)
        rows = (inverse.astype(real)[:, None] * y).reshape(k * p, len(vh)) @ vh.conj()
        x[:, item] = rows.reshape(k, p, n).swapaxes(1, 2)
        with np.errstate(all="ignore"):
            _left_out(u, sigma, gap, y, root * b[item], errors[:, item])
            errors[:, item] /= root
        if self._weights.size:
            none = self._weights[item] == 0
            errors[:, item, none] = b[item, none] - self._a[item, none] @ x[:, item]

    def _singular(self, item, root):
        """U, Σ and Vᴴ of √W A up to its rank, by those of R where there is one."""
        part = self._parts[0]
        if self.alpha or part.kind != QR or self._rank[item] < self._a.shape[2]:
            q, a = None, root * self._a[item]
        else:  # √W A = Q R Pᵀ S⁻¹
            q, order = part.left[item], part.order[item]
            q = q.conj() if q.dtype.kind == "c" else q
            if self._weights.size:
                q = np.divide(q, root, out=np.zeros_like(q), where=root > 0)
            a = np.empty_like(part.right[item])
            a[:, order] = np.triu(part.right[item])
            a /= part.scale[item].astype(a.real.dtype)
        if q is None and _rows.are_many(*a.shape):
            q = np.empty_like(a)
            a = _rows.triangular(a, self._workers, q=q)
        a = _rows.double(a)
        # transposed, with rows that grow smaller: small singular values are as accurate as large
        basis, r, order = qr(a, mode="economic", pivoting=True, check_finite=False)
        v, sigma, u = np.linalg.svd(r.conj().T, full_matrices=False)
        rank = self._ranks()[item]
        u, vh = basis @ u[:rank].conj().T, np.empty_like(r[:rank])
        vh[:, order] = v[:, :rank].conj().T
        return u if q is None else _rows.times(q, u, self._workers), sigma[:rank], vh

    # --- as an object -----------------------------------------------------------------------

    def __repr__(self):
        shape = (*self._batch, *self._a.shape[1:])
        return f"<LeastSquares of {shape}, {self.dtype}, method={self.method!r}, rank {self.rank}>"

    def __getstate__(self):
        return self.__dict__ | {"_direct": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._direct = self._direct_solve()


@functools.lru_cache
def _solution_blocks(count, p, rows, q, n):
    """Bounds (matrices, columns) for `solve` with a left factor of so many rows, the time in ns,
    and how many multiplications BLAS has in one of several columns."""
    work = q * (n + rows)
    cost = 300 + 0.2 * work * p
    matrices, columns = tiles.split(count, cost), p
    if count == 1:  # some for BLAS to be fast, as many in each block
        columns = -(-p // -(-p // max(_COLUMNS, tiles.split(p, 0.2 * work))))
    multiplications = max(rows, n) * q * columns if columns > 1 else 0
    return tiles.grid((count, p), (matrices, columns)), count * cost, multiplications


@functools.lru_cache
def _residual_blocks(count, m, n, p):
    matrices = tiles.split(count, 10.0 * m * n * p)
    columns = p if matrices > 1 else tiles.split(p, 10.0 * m * n)
    return tiles.grid((count, p), (matrices, columns))


class _Part:
    """The factors of the matrices `which` of a batch, of all if it is None."""

    def __init__(self, kind, left, right, order, scale, which=None):
        self.kind, self.left, self.right = kind, left, right
        self.order, self.scale, self.which = order, scale, which
        self.no_gradient = np.empty((len(right), 0, 0), right.dtype)

    @functools.cached_property
    def pivots(self):
        """The least over the largest."""
        pivots = np.abs(self.right.diagonal(axis1=1, axis2=2))
        return float(pivots.min() / pivots.max())

    def without_left(self):
        left = np.empty((len(self.right), 0, 0), self.right.dtype)
        return _Part(self.kind, left, self.right, self.order, self.scale, self.which)

    def inputs(self, b, h):
        """What `solve` takes by name."""
        return {
            "kind": self.kind, "left": self.left, "right": self.right, "order": self.order,
            "scale": self.scale, "b": b, "h": h,
        }  # fmt: skip


class _Sides:
    """Right-hand sides b as the kernels take them, columns (K, m, p) of the factor's dtype."""

    def __init__(self, b, solver):
        batch, (count, m, _) = solver._batch, solver._a.shape
        self.vector = b.ndim == 1
        if not b.ndim or b.shape[0 if self.vector else -2] != m:
            raise ValueError(
                f"b must have shape ({m},) or (..., {m}, p) for A of shape "
                f"{(*batch, *solver._a.shape[1:])}, got {b.shape}"
            )
        solver._check_b(b)
        self.dtype = np.result_type(solver.dtype, b.dtype)
        columns = b[:, None] if self.vector else b
        self.batch, self.lead, p = batch, (), columns.shape[-1]
        if not batch and columns.ndim > 2:
            self.lead = columns.shape[:-2]
            columns = np.moveaxis(columns, -2, 0)
        elif batch:
            try:
                columns = np.broadcast_to(columns, (*batch, m, p))
            except ValueError:
                raise ValueError(
                    f"the axes of b before its last two must broadcast to {batch}, the batch of A, "
                    f"got shape {b.shape}"
                ) from None
        self.p = p
        complex_in_real = self.dtype.kind == "c" and solver.dtype.kind != "c"
        columns = np.ascontiguousarray(columns, self.dtype if complex_in_real else solver.dtype)
        self.columns = columns.view(solver.dtype).reshape(
            count, m, math.prod(self.lead) * p * (1 + complex_in_real)
        )

    def shape(self, n):
        """Of the result, with n rows."""
        return (*self.batch, *self.lead, n) if self.vector else (*self.batch, *self.lead, n, self.p)

    def restored(self, x):
        """x (K, n, p) in the shape and dtype of the result."""
        n = x.shape[1]
        x = x.view(self.dtype) if x.dtype != self.dtype else x
        if self.lead:
            return np.moveaxis(x.reshape(n, *self.lead, self.p), 0, -2)
        return x.reshape(self.shape(n))


class Differences(LeastSquares):
    """Least squares by columns that are what subtracting others, of norms `offsets`, left: theirs
    is the rounding that decides on the rank."""

    def __init__(self, A, offsets, **options):
        self._offsets, self._floor = offsets, 4 * float(np.finfo(A.dtype).eps)
        super().__init__(A, **options)

    def _rescale(self, prepared, scale):
        # what a column was, in [½, 1) too: the rounding is then eps in each
        exponent = np.frexp(self._offsets * scale)[1].clip(0)
        if exponent.any():
            prepared *= np.ldexp(prepared.real.dtype.type(1), -exponent)[:, None]
            scale *= np.ldexp(1.0, -exponent)

    def _warn(self):
        rank, full = self._rank[0], min(self._a.shape[1:])
        if rank < full:
            warn(
                f"X less the mean of each column is rank-deficient, but for what rounding makes of "
                f"a number as large as that mean: rank {rank} of {full}; coef is the solution of "
                f"least norm",
                LinAlgWarning,
            )


def rank_tolerance(a):
    """What the roundings of the elements of A, and of its factorisation, may make of a singular
    value that is 0, in units of the largest: sums over its longer side cost nothing."""
    return max(10, min(a.shape[-2:])) * float(np.finfo(a.dtype).eps)


def _cast(x, dtype):
    """x in `dtype`, inf where that has no such number."""
    if x.dtype == dtype:
        return x
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def _ratio_by_rows(a, right):
    """The least pivot in proportion to the rows of which it is: the largest went to those before,
    and rounding leaves an error of each row's size."""
    sizes = np.sort(np.abs(a).max(axis=2).astype(np.float64), axis=1)
    left = np.hypot.accumulate(sizes, axis=1)[:, : -right.shape[2] - 1 : -1]
    pivots = np.abs(right.diagonal(axis1=1, axis2=2))
    return np.divide(pivots, left, out=np.zeros(pivots.shape), where=left > 0).min(axis=1)


def _far_apart(a):
    """Whether some rows are so much larger than most that these are to keep digits of their own."""
    sizes = np.abs(a).max(axis=2)
    small = np.count_nonzero(1e4 * sizes < sizes.max(axis=1, keepdims=True), axis=1)
    return bool((2 * small > sizes.shape[1]).any())


def _singular_values(a):
    """Those of each matrix, (K, min(m, n)); NaN where it is not finite."""
    finite = np.isfinite(a).all(axis=(1, 2))
    values = np.full((len(a), min(a.shape[1:])), np.nan)
    if finite.any():
        few = np.stack([_rows.short(one, number_of_workers()) for one in a[finite]])
        values[finite] = np.linalg.svd(few, compute_uv=False)
    return values


def _scaled_singular_values(a):
    """Those of each matrix with its columns scaled to a largest element in [½, 1)."""
    _, exponent = np.frexp(np.abs(a).max(axis=1, keepdims=True))
    largest = np.finfo(a.dtype).maxexp - 1
    return _singular_values(a * np.ldexp(a.real.dtype.type(1), -exponent.clip(-largest, largest)))


def _condition(a):
    """The largest singular value of each matrix over its smallest."""
    values = _singular_values(a).astype(np.float64)
    largest, least = values.max(axis=1, initial=0), values.min(axis=1, initial=np.inf)
    with np.errstate(all="ignore"):
        for k in np.flatnonzero(least < math.sqrt(np.finfo(a.dtype).eps) * largest):
            largest[k], least[k] = _graded_singular_values(a[k])[[0, -1]]
        return np.where(least == 0, np.inf, largest / least)


def _graded_singular_values(a):
    """Those of one matrix, in double precision: small ones, of small rows or columns, as accurate
    as large."""
    a = a[np.abs(a).max(axis=1).argsort()[::-1]]
    a = a.astype(np.result_type(a.dtype, np.float64), copy=False)
    r = qr(a, mode="r", pivoting=True, check_finite=False)[0][: min(a.shape)]
    return np.linalg.svd(r.conj().T, compute_uv=False)


def _norms(x, scale):
    """The largest elements of the columns of x (..., K, n, p), in the units of scaled columns."""
    return (np.abs(x) / scale[:, :, None]).max(axis=-2, keepdims=True)


def _put(x, values, where):
    """x = values, where `where` is true: a bool or an array of them."""
    if where is True:
        x[...] = values
    elif where is not False:
        np.copyto(x, values, where=where)


def _check_hermitian(a, eps):
    with np.errstate(all="ignore"):
        size = np.sqrt(np.abs(a.diagonal(axis1=1, axis2=2)))
        difference = np.abs(a - a.conj().swapaxes(1, 2))
        if (difference > 100 * len(size[0]) * eps * size[:, :, None] * size[:, None]).any():
            raise ValueError(
                'A must be symmetric (Hermitian) with method="cholesky", and is not: "lu" does '
                "without"
            )


def _left_out(u, sigma, gap, y, b, errors):
    """Fill in the errors (k, m, p) of leaving out each row of b (m, p), from U Σ Vᴴ and
    y = (Uᴴ b)ᵀ: the residuals over 1 − h. Both have a part beyond U, and one of the shares that
    penalties leave."""
    m, q = u.shape
    real, squares = u.real.dtype, np.abs(u) ** 2
    beyond, rest = np.zeros(m, real), np.zeros_like(b)
    if m > q:
        beyond, rest = 1 - squares.sum(axis=1), b - u @ y.T
        inside = beyond < 10 * q * np.finfo(real).eps
        beyond[inside], rest[inside] = 0, 0
    # of a row inside U both go to 0 with the penalty, and their ratio does not
    limit = np.where(gap.any(axis=1, keepdims=True), gap, (sigma[-1] / sigma) ** 2)
    for rows, shares in ((beyond > 0, gap), (beyond == 0, limit)):
        if not rows.any():
            continue
        rows, shares = slice(None) if rows.all() else rows, shares.astype(real)
        for k in range(0, len(shares), _PENALTIES):
            some = shares[k : k + _PENALTIES]
            left = (some[:, None] * y).reshape(-1, q) @ u[rows].T
            left = left.reshape(len(some), len(y), -1).swapaxes(1, 2) + rest[rows]
            left /= (beyond[rows] + some @ squares[rows].T)[:, :, None]
            errors[k : k + _PENALTIES, rows] = left


def _inverse_half(vh, sigma, scale, rank):
    """Mᵀ and C, with x = C M Uᴴ b: M = V Σ⁻¹ and C = S for full column rank. Else C is a number and
    C M = Z of least norm with (Σ Vᴴ S⁻¹) Z = I: by S⁻¹ V P = Q R, Z = Q R⁻ᴴ Pᵀ Σ⁻¹."""
    q, n = vh.shape
    half = np.zeros((q, n), np.result_type(vh.dtype, np.float64))
    if rank == n:
        half[:] = vh.conj() / sigma[:, None]
    elif rank:
        # rows that grow smaller, and pivots: however far apart, each has all its digits
        rows = scale.argsort()
        v = (vh[:rank] / scale).conj().T[rows]
        basis, factor, order = qr(v, mode="economic", pivoting=True, check_finite=False)
        inverse = np.diag(1 / sigma[:rank])[order]
        inverse = solve_triangular(factor, inverse, trans="C", check_finite=False)
        half[:rank, rows] = (basis @ inverse).T
        scale = 2.0 ** min(np.frexp(np.abs(half).max())[1], 1020)
        half /= scale
    return half.astype(vh.dtype), scale
