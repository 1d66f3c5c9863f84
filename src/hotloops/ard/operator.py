"""The covariance matrix as a linear operator."""

import copy

import numpy as np
import scipy.sparse.linalg

from .. import _arrays, _run
from .._run import run
from ._pairs import Pairs, profile_of


class KernelOperator(scipy.sparse.linalg.LinearOperator):
    """The matrix of `ard_kernel` as a linear operator, whose entries are made as they are used.

    .. math:: (K V)_{ic} = \\sum_j k_{ij} V_{jc}

    Parameters
    ----------
    X, Y, kind, length_scale, factors, metric, rq_alpha, variance, noise_variance
        As in `ard_kernel`.
    backend, workers
        As in `quadform`.

    Attributes
    ----------
    shape : (N, M)
    dtype : float32 if all of X and Y is, else float64; products are computed in it.

    Raises
    ------
    TypeError, ValueError
        As `ard_kernel`.

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

    def __init__(
        self,
        X,
        Y=None,
        *,
        kind="se",
        length_scale=None,
        factors=None,
        metric=None,
        rq_alpha=1.0,
        variance=1.0,
        noise_variance=0.0,
        backend=None,
        workers=None,
    ):
        self._pairs = Pairs(X, Y, length_scale, factors, metric)
        self._profile = profile_of(kind, rq_alpha, variance, noise_variance, self._pairs)
        self._kept = _run.kept("ard", backend, workers)
        self._pairs.keep(*self._kept)
        super().__init__(self._pairs.dtype, self._pairs.shape)

    def matvec(self, V):
        """The product with a vector, of shape (M,) or (M, 1)."""
        _check_factor(V, (self.shape[1],), (self.shape[1], 1))
        return super().matvec(V)

    def matmat(self, V):
        """The product with a matrix, of shape (M, columns)."""
        _check_factor(V, (self.shape[1], "columns"))
        return super().matmat(V)

    def rmatvec(self, V):
        """The adjoint's product with a vector, of shape (N,) or (N, 1)."""
        return self.H.matvec(V)

    def rmatmat(self, V):
        """The adjoint's product with a matrix, of shape (N, columns)."""
        return self.H.matmat(V)

    def dot(self, V):
        """The product with a vector, a matrix, a scalar or an operator."""
        if not (np.isscalar(V) or isinstance(V, scipy.sparse.linalg.LinearOperator)):
            _check_factor(V, (self.shape[1],), (self.shape[1], "columns"))
        return super().dot(V)

    def _matmat(self, V):
        if np.iscomplexobj(V):
            v = _arrays.ready(_arrays.complex_("V", V), np.result_type(self.dtype, np.complex64))
            return self._matmat(v.view(self.dtype)).view(v.dtype)
        v = _arrays.ready(_arrays.real("V", V), self.dtype)
        profile, alpha, variance, noise = self._profile
        product = run(self._pairs.apply(profile, alpha, variance, v), *self._kept)
        if noise:
            product += self.dtype.type(noise) * v
        return product

    def _transpose(self):
        other = copy.copy(self)
        other._pairs, other.shape = self._pairs.transposed(), self.shape[::-1]
        return other

    _adjoint = _transpose  # the entries are real

    def diagonal(self):
        """The entries k[i, i], to the bit those of the array; of two sets with 16 features or more
        at the cost of the tiles that hold them."""
        return run(self._pairs.diagonal(*self._profile), *self._kept)

    def toarray(self):
        """The matrix itself, as `ard_kernel` gives it."""
        return run(self._pairs.fill(*self._profile), *self._kept)


def _check_factor(V, *shapes):
    """SciPy does not name what it refuses."""
    got = _arrays.number("V", V).shape
    if not {got, (*got[:-1], "columns")} & set(shapes):
        expected = " or ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
        raise ValueError(f"V must have shape {expected}, got {got}")
