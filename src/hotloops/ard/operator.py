"""The covariance matrix as a linear operator."""

import copy
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import scipy.sparse.linalg
from numpy.typing import ArrayLike

from .. import _arrays, _run
from .._run import run
from .._typing import Floats, Numbers
from ._pairs import Pairs
from ._profile import Kind, profile_of


class KernelOperator(scipy.sparse.linalg.LinearOperator):  # type: ignore[misc]  # it has no types
    """The matrix of `ard_kernel` as a linear operator, whose entries are made as they are used.

    .. math:: (K V)_{ic} = \\sum_j k_{ij} V_{jc}, \\quad
              k_{ij} = \\sigma_f^2\\, p\\left((x_i - y_j)^T M (x_i - y_j)\\right)
              + \\sigma_n^2 \\delta_{ij}, \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None.
    kind : {"se", "matern12", "matern32", "matern52", "rq"}
        The profile p, of q = r²: the squared exponential exp(−q/2), also called RBF or Gaussian;
        Matérn's exp(−r), (1 + √3 r) exp(−√3 r), (1 + √5 r + 5q/3) exp(−√5 r) for ν = 1/2, 3/2,
        5/2; the rational quadratic (1 + q/2α)^−α.
    length_scale : float or array_like, shape (D,) or (1,), optional
        ℓ, positive, in the units of X; inf drops a dimension. M = I where neither this nor
        `factors` nor `metric` is given.
    factors : array_like, shape (D, R), optional
        Λ. Without `length_scale`, M = ΛΛᵀ alone.
    metric : array_like, shape (D, D), optional
        M itself, symmetric positive definite, in place of the other two.
    rq_alpha : float
        α, positive; of kind "rq" alone.
    variance : float
        σ_f², not negative, in the units of the function squared.
    noise_variance : float
        σ_n², not negative. δ is one for a point and itself, so with Y this must be 0.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Attributes
    ----------
    shape : (N, M)
    dtype : float32 if all of X and Y is, else float64; products are computed in it.

    Raises
    ------
    TypeError
        For an array that is not real, a number that is none.
    ValueError
        For what `ard_kernel` refuses.

    Notes
    -----
    It is a `scipy.sparse.linalg.LinearOperator`: ``op @ V``, and SciPy's iterative methods
    (``cg``, ``eigsh``) take it. ``op.T`` is a KernelOperator too; both can be copied and pickled.
    Accuracy: each entry as in `ard_kernel`, and the rounding of a sum of M terms; the bits do not
    depend on the number of workers.

    Cost: O(N M (D + R + columns)) a product. Memory: O((N + M)(D + R + columns)); K is never held.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> X = np.linspace(0, 1, 5)[:, None]
    >>> op = hl.KernelOperator(X, length_scale=0.5, noise_variance=0.1)
    >>> bool(np.allclose(op @ np.ones(5), op.toarray() @ np.ones(5)))
    True
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.floating[Any]]

    if TYPE_CHECKING:  # SciPy's LinearOperator has these

        @property
        def T(self) -> Self: ...
        @property
        def H(self) -> Self: ...
        def transpose(self) -> Self: ...
        def adjoint(self) -> Self: ...
        @overload
        def __matmul__(self, V: ArrayLike) -> Numbers: ...
        @overload
        def __matmul__(self, V: Any) -> Any: ...
        def __matmul__(self, V: Any) -> Any: ...

    def __init__(
        self,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        kind: Kind = "se",
        length_scale: ArrayLike | None = None,
        factors: ArrayLike | None = None,
        metric: ArrayLike | None = None,
        rq_alpha: float = 1.0,
        variance: float = 1.0,
        noise_variance: float = 0.0,
        backend: str | None = None,
        workers: int | None = None,
    ) -> None:
        self._pairs = Pairs(X, Y, length_scale, factors, metric)
        self._profile = profile_of(
            kind, rq_alpha, variance, noise_variance, self._pairs.dtype, self._pairs.one_set
        )
        self._kept = _run.kept("ard", backend, workers)
        self._pairs.keep(*self._kept)
        super().__init__(self._pairs.dtype, self._pairs.shape)

    def matvec(self, V: ArrayLike) -> Numbers:
        """The product with a vector, of shape (M,) or (M, 1)."""
        _check_factor(V, (self.shape[1],), (self.shape[1], 1))
        product: Numbers = super().matvec(V)
        return product

    def matmat(self, V: ArrayLike) -> Numbers:
        """The product with a matrix, of shape (M, columns)."""
        _check_factor(V, (self.shape[1], "columns"))
        product: Numbers = super().matmat(V)
        return product

    def rmatvec(self, V: ArrayLike) -> Numbers:
        """The adjoint's product with a vector, of shape (N,) or (N, 1)."""
        return self.H.matvec(V)

    def rmatmat(self, V: ArrayLike) -> Numbers:
        """The adjoint's product with a matrix, of shape (N, columns)."""
        return self.H.matmat(V)

    def dot(self, V: Any) -> Any:
        """The product with a vector, a matrix, a scalar or an operator."""
        plain = type(V) is np.ndarray and V.ndim == 2 and V.dtype is self.dtype
        if plain and len(V) == self.shape[1]:  # SciPy would look at it four times
            return self._product(_arrays.ready(V))
        if not (np.isscalar(V) or isinstance(V, scipy.sparse.linalg.LinearOperator)):
            _check_factor(V, (self.shape[1],), (self.shape[1], "columns"))
        return super().dot(V)

    def _matmat(self, V: ArrayLike) -> Numbers:
        if np.iscomplexobj(V):
            v = _arrays.ready(_arrays.complex_("V", V), np.result_type(self.dtype, np.complex64))
            parts = self._matmat(v.view(self.dtype))
            return parts.view(v.dtype)
        return self._product(_arrays.ready(_arrays.real("V", V), self.dtype))

    def _product(self, v: Floats) -> Floats:
        """The product with a matrix as kernels take it."""
        product: Floats = run(self._pairs.apply(self._profile, v), *self._kept)
        if noise := self._profile["noise"]:
            product += self.dtype.type(noise) * v
        return product

    def _transpose(self) -> Self:
        other = copy.copy(self)
        other._pairs = self._pairs.transposed()
        other.shape = other._pairs.shape
        return other

    _adjoint = _transpose  # the entries are real

    def diagonal(self) -> Floats:
        """The entries k[i, i], to the bit those of the array; of two sets with 16 features or more
        at the cost of the tiles that hold them."""
        diagonal: Floats = run(self._pairs.diagonal(self._profile), *self._kept)
        return diagonal

    def toarray(self) -> Floats:
        """The matrix itself, as `ard_kernel` gives it."""
        matrix: Floats = run(self._pairs.fill(self._profile), *self._kept)
        return matrix


def _check_factor(V: ArrayLike, *shapes: tuple[int | str, ...]) -> None:
    """Refuse a V of another shape than these: the errors of SciPy do not name it."""
    got = _arrays.number("V", V).shape
    if not {got, (*got[:-1], "columns")} & set(shapes):
        expected = " or ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
        raise ValueError(f"V must have shape {expected}, got {got}")
