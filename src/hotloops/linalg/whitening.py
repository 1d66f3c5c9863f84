"""Principal components, and data made white by them."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays, _feature_names, _rows
from .._factors.serial import serial
from .._typing import Floats
from ..lstsq import rank_tolerance
from . import _lapack
from ._common import Named, centred, finite


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrincipalComponents(Named):
    """The linear map of centred rows that `pca` and `whiten` return, and its way back.

    Attributes
    ----------
    components_ : ndarray, shape (k, D)
        Orthonormal rows, by decreasing variance; in each the entry of largest modulus is positive.
    explained_variance_ : ndarray, shape (k,)
        Variances of the data along them, with n − 1 in the denominator.
    explained_variance_ratio_ : ndarray, shape (k,)
        The same over the sum of all variances.
    mean_ : ndarray, shape (D,)
    feature_names_in_ : ndarray of str, shape (D,)
        The names of X's columns, if all have names that are strings. `transform` refuses a frame
        whose columns are others, or in another order; for a frame without such names, or after a
        fit without, it warns.

    Examples
    --------
    >>> import hotloops as hl
    >>> found = hl.linalg.pca([[1.0, 2.0], [3.0, 6.0], [5.0, 10.0]], 1)
    >>> found
    <PrincipalComponents: 1 of 2, 100.0% of the variance>
    >>> found.inverse_transform(found.transform([[3.0, 6.0]]))
    array([[3., 6.]])
    """

    components_: Floats
    explained_variance_: Floats
    explained_variance_ratio_: Floats
    mean_: Floats
    _forward: Floats  # (D, width)
    _backward: Floats  # (width, D)

    def transform(self, X: ArrayLike) -> Floats:
        """The rows X (..., D) less the mean, times the map."""
        _feature_names.check(self, X)
        return (self._rows(X, len(self._forward)) - self.mean_) @ self._forward

    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """The rows that `transform` would make Z (..., width) of: those closest to the mean."""
        return self._rows(Z, len(self._backward), "Z") @ self._backward + self.mean_

    def _rows(self, X: ArrayLike, width: int, name: str = "X") -> Floats:
        """X as an array of rows of this width."""
        x = _arrays.real(name, X)
        if not x.ndim or x.shape[-1] != width:
            raise ValueError(f"{name} must have {width} column(s), got shape {x.shape}")
        return x

    def __repr__(self) -> str:
        k, d = self.components_.shape
        share = self.explained_variance_ratio_.sum()
        return f"<PrincipalComponents: {k} of {d}, {share:.1%} of the variance>"


def pca(X: ArrayLike, n_components: float | None = None) -> PrincipalComponents:
    """Principal components of rows.

    Parameters
    ----------
    X : array_like, shape (N, D)
        N ≥ 2 samples, finite.
    n_components : int or float, optional
        k, from 1 to min(N, D), which is the default; or, between 0 and 1, a share of the variance:
        as few components as have more than it together.

    Returns
    -------
    PrincipalComponents
        Its `transform` is (x − mean) @ components_.T.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape, an unfit n_components.

    Notes
    -----
    The components are singular vectors of the centred data, by way of its QR factor, not of the
    covariance, whose eigenvalues lose twice the digits. Signs are those of scikit-learn's PCA
    (``svd_flip`` with ``u_based_decision=False``): in each component the entry of largest modulus
    is positive. Components of equal variances are any basis of theirs.

    Cost: 2 N D² operations for the QR factor, which the workers share where X is large and N at
    least 4 D; then a singular value decomposition of that factor, or where N ≤ D of the centred
    data, on one thread. Memory: a centred copy of X, which is not made where N exceeds 8192 and
    8 D.

    Source: Jolliffe, *Principal Component Analysis*, 2002, section 3.5.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.pca([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], 1).components_
    array([[0.6, 0.8]])
    """
    names, x = _feature_names.of(X), _samples(X)
    k = _number_of_components(n_components, min(x.shape))
    vectors, deviations, mean = _principal(x, k)
    found = _components(vectors, deviations, mean, vectors.T, vectors)
    return _feature_names.keep(found, names)


def whiten(
    X: ArrayLike,
    *,
    method: Literal["zca", "pca"] = "zca",
    n_components: float | None = None,
    eps: float = 0.0,
) -> PrincipalComponents:
    """A linear map that makes the covariance of the rows the identity.

    .. math:: z = (x - \\bar x) W, \\quad W^T C W = 1, \\quad C = V \\Lambda V^T

    Parameters
    ----------
    X : array_like, shape (N, D)
        N ≥ 2 samples, finite.
    method : {"zca", "pca"}
        W = V (Λ + eps)^−½ Vᵀ, which moves the data least; or V (Λ + eps)^−½, in the axes of the
        components.
    n_components : int or float, optional
        Only the k components of largest variance, all by default, or those of a share of the
        variance as in `pca`. With "pca" the result has k columns, with "zca" D, of rank k.
    eps : float
        Added to the variances Λ, in the units of X squared.

    Returns
    -------
    PrincipalComponents
        Its `transform` gives z.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape, an unfit parameter.
    numpy.linalg.LinAlgError
        With eps = 0, for a covariance that is singular, as rounding goes, on these components.

    Notes
    -----
    A variance counts as 0 where the standard deviation is below max(10, min(N, D))·eps of the
    largest, or, in data far from 0, below 4 eps of the mean: what rounding leaves of a dependence.
    Signs, cost and memory: as in `pca`.

    Source: Kessy, Lewin & Strimmer, The American Statistician 72 (2018) 309.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> X = np.random.default_rng(0).normal(size=(100, 3)) @ [[2, 1, 0], [0, 3, 0], [0, 0, 9]]
    >>> Z = hl.linalg.whiten(X).transform(X)
    >>> bool(np.allclose(hl.linalg.covariance(Z), np.eye(3)))
    True
    """
    names, x = _feature_names.of(X), _samples(X)
    _arrays.choice("method", method, ("zca", "pca"))
    k = _number_of_components(n_components, x.shape[1])
    eps = _arrays.scalar("eps", eps, minimum=0)
    _arrays.in_range("eps", eps, x.dtype)
    vectors, deviations, mean = _principal(x, k)
    k = len(vectors)
    # what rounding makes of a variance that is 0: in the decomposition, and in the data
    offset = np.abs(mean).max() or x.dtype.type(1)  # so that no square overflows
    rounded = 4 * np.finfo(x.dtype).eps * np.linalg.norm(vectors * (mean / offset), axis=1)
    varies = deviations[:k] > np.maximum(rank_tolerance(x) * deviations[0], rounded * offset)
    rank = k if varies.all() else int(varies.argmin())
    if eps == 0 and rank < k:
        remedy = f"n_components={rank} or less, or eps > 0" if rank else "eps > 0"
        raise np.linalg.LinAlgError(
            f"the covariance of X is singular: {rank} of {k} components have a variance. "
            f"Pass {remedy}"
        )
    # a hypotenuse does not overflow or vanish where its square does
    root = np.hypot(deviations[:k], x.dtype.type(math.sqrt(eps)))
    forward, backward = vectors.T / root, root[:, None] * vectors
    if method == "zca":
        forward, backward = serial(
            lambda: (forward @ vectors, vectors.T @ backward), 2 * k * vectors.size
        )
    found = _components(vectors, deviations, mean, forward, backward)
    return _feature_names.keep(found, names)


def _number_of_components(value: Any, most: int) -> float:
    """What n_components asks for: an int from 1 to `most`, the default, or a float, a share of the
    variance."""
    if value is None:
        return most
    share = isinstance(value, float | np.floating)
    if share and 0 < value < 1:
        return float(value)
    if share or isinstance(value, str):
        raise (ValueError if share else TypeError)(
            f"n_components must be an integer, or a share of the variance between 0 and 1, "
            f"got {value!r}"
        )
    return _arrays.integer("n_components", value, minimum=1, maximum=most)


def _samples(X: ArrayLike) -> Floats:
    """X as finite rows, at least two."""
    x = _arrays.real("X", X, 2)
    if len(x) < 2 or not x.shape[1]:
        raise ValueError(f"X must have at least 2 rows and 1 column, got shape {x.shape}")
    return finite("X", x)


def _principal(x: Floats, k: float) -> tuple[Floats, Floats, Floats]:
    """The first k right singular vectors of the centred data as rows, or those of a share k of the
    variance; the standard deviations along all D axes; and the mean."""
    n, d = x.shape
    if _rows.are_many(n, d):
        mean = _rows.sums(x) / n
        rest = _rows.sums(x, (mean,)) / n
        r = _rows.triangular(x, less=(mean, rest))
        mean = mean + rest
    else:
        r, mean = centred(x)
        if n > d:
            r = _rows.triangular(r)
    singular, vectors = _lapack.svd(r, full=not isinstance(k, float) and k > min(n, d))
    vectors = vectors[: _enough(singular, k) if isinstance(k, float) else k]
    largest = np.abs(vectors).argmax(axis=1)
    vectors *= np.sign(vectors[np.arange(len(vectors)), largest])[:, None]
    deviations = np.zeros(d, x.dtype)
    deviations[: len(singular)] = singular / singular.dtype.type(math.sqrt(n - 1))
    return vectors.astype(x.dtype, copy=False), deviations, mean.astype(x.dtype)


def _enough(singular: Floats, share: float) -> int:
    """How many of the largest singular values have more than a share of the sum of squares."""
    largest = float(singular[0])
    if not largest:
        return 1
    sums = np.cumsum((singular.astype(np.float64) / largest) ** 2)
    return 1 + int(np.count_nonzero(sums[:-1] <= share * sums[-1]))


def _components(
    vectors: Floats, deviations: Floats, mean: Floats, forward: Floats, backward: Floats
) -> PrincipalComponents:
    """The result with these components, standard deviations of all D axes, mean and maps."""
    k = len(vectors)
    with np.errstate(all="ignore"):
        variances = deviations[:k] ** 2
        shares = (deviations / (deviations[0] or 1)) ** 2
    ratio = shares[:k] / (shares.sum() or 1)
    return PrincipalComponents(vectors, variances, ratio, mean, forward, backward)
