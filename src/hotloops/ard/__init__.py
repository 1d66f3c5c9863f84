"""ARD kernels: quadratic forms, covariance matrices, their gradients and products."""

from numpy.typing import ArrayLike

from .._run import run
from .._typing import Floats
from ._pairs import Pairs
from ._profile import IDENTITY, Kind, profile_of
from .gradients import ard_kernel_vjp
from .operator import KernelOperator

__all__ = ["KernelOperator", "ard_kernel", "ard_kernel_vjp", "quadform"]


def __dir__() -> list[str]:
    return __all__


def quadform(
    X: ArrayLike,
    Y: ArrayLike | None = None,
    *,
    length_scale: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """Quadratic forms of all pairs of differences.

    .. math:: q_{ij} = (x_i - y_j)^T M (x_i - y_j), \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, and an exactly symmetric result.
    length_scale : float or array_like, shape (D,) or (1,), optional
        ℓ, positive, in the units of X; inf drops a dimension. M = I where neither this nor
        `factors` nor `metric` is given.
    factors : array_like, shape (D, R), optional
        Λ. Without `length_scale`, M = ΛΛᵀ alone.
    metric : array_like, shape (D, D), optional
        M itself, symmetric positive definite, in place of the other two.
    out : ndarray, shape (N, M), optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (N, M)
        Never negative. float32 if all of X and Y is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For shapes that do not meet, a length_scale that is not positive, `metric` beside the
        others or not symmetric positive definite, a parameter out of the result's range, an unfit
        `out`.

    Notes
    -----
    Accuracy: with M = I or `length_scale`, each value is within a few D ulps, at any offset of the
    data; `factors` and `metric` are applied to the data less their mean, and the error is that of
    the product. Identical rows give exactly 0. NaN travels.

    Cost: O(N M (D + R)) operations, and O((N + M) D (R + 1)) before; with `metric`, R = D and
    no other features. Memory: the result and O((N + M)(D + R)).

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.1.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.quadform([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]], length_scale=[1.0, 2.0])
    array([[ 0.],
           [13.]])
    """
    pairs = Pairs(X, Y, length_scale, factors, metric)
    given = {} if out is None else pairs.given
    forms: Floats = run(pairs.fill(IDENTITY), backend, workers, out=out, **given)
    return forms


def ard_kernel(
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
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """Covariance matrix of a Gaussian process with automatic relevance determination.

    .. math:: k_{ij} = \\sigma_f^2\\, p\\left((x_i - y_j)^T M (x_i - y_j)\\right)
              + \\sigma_n^2 \\delta_{ij}, \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, an exactly symmetric result, and exactly
        ``variance + noise_variance`` on the diagonal.
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
    out : ndarray, shape (N, M), optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (N, M)
        float32 if all of X and Y is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real, a number that is none.
    ValueError
        For shapes that do not meet, a length_scale that is not positive, `metric` beside the
        others or not symmetric positive definite, an unknown kind, a negative variance, noise with
        Y, a parameter out of the result's range, an unfit `out`.

    Notes
    -----
    Accuracy: the profile is within 4 ulps of that of the quadratic form, through the subnormals to
    0. For few features, and of kind "matern12", that form is as accurate as those of `quadform`.
    For 16 features or more the forms come from matrix products, and are made anew wherever their
    rounding would be seen in K: the error of the other kinds is then at most 4 ulps of k_ij and
    16 ulps of σ_f², or D/2 ulps of σ_f² where all features are copies of one. NaN travels.

    Cost: O(N M (D + R)) operations, the profile in the same pass over the result, and
    O((N + M) D (R + 1)) before; with `metric`, R = D and no other features. Memory: the result and
    O((N + M)(D + R)).

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, chapters 4, 5.

    Examples
    --------
    The kernel σ_f² exp(−½ (x−y)ᵀ (ΛΛᵀ + L⁻²) (x−y)), L diagonal:

    >>> import numpy as np
    >>> import hotloops as hl
    >>> X1, X2 = np.array([[0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> Lambda, L_inv, sigma_f = np.array([[1.0], [0.5]]), np.diag([1.0, 0.5]), 2.0
    >>> hl.ard_kernel(
    ...     X1, X2, length_scale=1 / np.diag(L_inv), factors=Lambda, variance=sigma_f**2
    ... )
    array([[1.47151776, 1.47151776]])
    """
    pairs = Pairs(X, Y, length_scale, factors, metric)
    profile = profile_of(kind, rq_alpha, variance, noise_variance, pairs.dtype, pairs.one_set)
    given = {} if out is None else pairs.given
    matrix: Floats = run(pairs.fill(profile), backend, workers, out=out, **given)
    return matrix
