"""ARD quadratic forms and Gaussian-process kernels."""

import numpy as np

from . import _arrays, _backends, _blocks
from .kernels.ard import QUADFORM, SE

_KINDS = {"se": SE}
_KIND_HINT = '. "se" is what others call RBF: the gamma of rbf_kernel is 1 / (2 length_scale**2)'


def quadform(
    X, Y=None, *, length_scale=None, factors=None, metric=None, out=None, backend=None, workers=None
):
    """Quadratic forms of all pairs of differences.

    .. math:: q_{ij} = (x_i - y_j)^T M (x_i - y_j), \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, and an exactly symmetric result.
    length_scale : float or array_like, shape (D,), optional
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
        others or not symmetric positive definite, an unfit `out`.

    Notes
    -----
    Accuracy: with M = I or `length_scale`, each value is within a few D ulps, at any offset of the
    data; `factors` and `metric` are applied to the data less their mean, and the error is that of
    the product. Identical rows give exactly 0. NaN travels.

    Cost: O(N M (D + R)) operations, and O((N + M) D (R + 1)) before; with `metric`, R = D and
    no other features. Memory: the result and (N + M)(D + R) numbers.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.1.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.quadform([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]], length_scale=[1.0, 2.0])
    array([[ 0.],
           [13.]])
    """
    return _evaluate(QUADFORM, X, Y, length_scale, factors, metric, 1.0, 0.0, out, backend, workers)


def ard_kernel(
    X,
    Y=None,
    *,
    kind="se",
    length_scale=None,
    factors=None,
    metric=None,
    variance=1.0,
    noise_variance=0.0,
    out=None,
    backend=None,
    workers=None,
):
    """Covariance matrix of a Gaussian process with automatic relevance determination.

    .. math:: k_{ij} = \\sigma_f^2 \\exp(-\\tfrac12 (x_i - y_j)^T M (x_i - y_j))
              + \\sigma_n^2 \\delta_{ij}

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, an exactly symmetric result, and exactly
        ``variance + noise_variance`` on the diagonal.
    kind : {"se"}
        "se" is the squared exponential, also called RBF or Gaussian.
    length_scale, factors, metric
        The metric M, as in `quadform`.
    variance : float
        σ_f², not negative, in the units of the function squared.
    noise_variance : float
        σ_n², not negative. δ is one for a point and itself, so with Y this must be 0.
    out, backend, workers
        As in `quadform`.

    Returns
    -------
    ndarray, shape (N, M)
        float32 if all of X and Y is, else float64.

    Raises
    ------
    TypeError, ValueError
        As `quadform`; and for an unknown kind, a negative variance, noise with Y.

    Notes
    -----
    Accuracy: the quadratic form as in `quadform`; the exponential within 2 ulps of that of the
    rounded form, through the subnormals to 0. Cost and memory: as in `quadform`, with one
    exponential for each element, in the same pass over the result.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, eq. 5.1 and 5.2.

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
    profile = _KINDS[_arrays.choice("kind", kind, _KINDS, _KIND_HINT)]
    variance = _arrays.scalar("variance", variance, minimum=0)
    noise = _arrays.scalar("noise_variance", noise_variance, minimum=0)
    if noise and Y is not None:
        raise ValueError(
            f"noise_variance must be 0 where Y is given, got {noise}: noise belongs to a point "
            f"and itself. Pass Y=None, or add it to the diagonal"
        )
    return _evaluate(
        profile, X, Y, length_scale, factors, metric, variance, noise, out, backend, workers
    )


def _evaluate(profile, X, Y, length_scale, factors, metric, variance, noise, out, backend, workers):
    x = _arrays.real("X", X, 2)
    y = x if Y is None else _arrays.real("Y", Y, 2)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"X and Y must have the same number of columns, got shapes {x.shape} and {y.shape}"
        )
    dtype = _arrays.common_dtype(x, y)
    plain, scale, projection = _metric(dtype, x.shape[1], length_scale, factors, metric)
    kernel = _backends.kernel("ard", backend)
    workers = _blocks.workers(workers)
    shape = len(x), len(y)
    result = _arrays.output(out, shape, dtype, X=x, Y=y, length_scale=length_scale,
                            factors=factors, metric=metric)  # fmt: skip
    if not result.size:
        return result
    symmetric = Y is None
    x_ready = _arrays.ready(x, dtype)
    y_ready = x_ready if symmetric else _arrays.ready(y, dtype)
    centre = _centre(dtype, x_ready, y_ready, symmetric, projection)
    x_features = _features(kernel, x_ready, plain, centre, projection, workers)
    y_features = x_features
    if not symmetric:
        y_features = _features(kernel, y_ready, plain, centre, projection, workers)
    args = (x_features, y_features, scale, profile, variance, noise, symmetric, np.asarray(result))
    _blocks.fill(kernel.fill, _tiles(shape, len(x_features), symmetric), args, workers=workers)
    return result


def _metric(dtype, d, length_scale, factors, metric):
    """How many features are the coordinates themselves, the scales of the first features, and the
    projection (D, R) that makes the last of them."""
    scale = np.empty(0, dtype)
    if metric is not None:
        if length_scale is not None or factors is not None:
            other = "factors" if length_scale is None else "length_scale"
            raise ValueError(f"metric must come without length_scale and factors, got {other} too")
        return 0, scale, _cholesky(_arrays.real("metric", metric, 2), d).astype(dtype)
    if length_scale is not None:
        scale = _inverse(dtype, d, length_scale)
    if factors is None:
        return d, scale, np.empty((d, 0), dtype)
    projection = _arrays.ready(_arrays.real("factors", factors, 2), dtype)
    if len(projection) != d:
        raise ValueError(
            f"factors must have one row for each of the {d} columns of X, "
            f"got shape {projection.shape}"
        )
    return len(scale), scale, projection


def _inverse(dtype, d, length_scale):
    length_scale = _arrays.real("length_scale", length_scale)
    if length_scale.shape not in ((), (d,)):
        raise ValueError(
            f"length_scale must be a scalar or have shape ({d},), one for each column of X, "
            f"got shape {length_scale.shape}"
        )
    if not (length_scale > 0).all():
        raise ValueError(f"length_scale must be positive, got {length_scale}")
    with np.errstate(over="ignore"):
        inverse = (1 / length_scale.astype(np.float64)).astype(dtype)
    inverse = np.full(d, inverse) if inverse.ndim == 0 else inverse
    if not np.isfinite(inverse).all():
        raise ValueError(
            f"length_scale must be at least {1 / np.finfo(dtype).max:.3g} in {dtype}, "
            f"got {length_scale}"
        )
    return inverse


def _cholesky(metric, d):
    """P with P Pᵀ = metric."""
    if metric.shape != (d, d):
        raise ValueError(
            f"metric must have shape ({d}, {d}) for {d} columns of X, got {metric.shape}"
        )
    advice = "if M = F Fᵀ, pass F as factors"
    # an inverse or a product carries rounding; x^T M x sees the symmetric part only
    rounding = 100 * d * np.finfo(metric.dtype).eps * np.abs(metric).max(initial=0)
    asymmetry = np.abs(metric - metric.T).max(initial=0)
    if not asymmetry <= rounding:
        raise ValueError(
            f"metric must be symmetric, got entries that differ by {asymmetry:.3g} from those "
            f"across the diagonal; {advice}"
        )
    try:
        return np.linalg.cholesky((metric.astype(np.float64) + metric.T) / 2)
    except np.linalg.LinAlgError:
        raise ValueError(f"metric must be positive definite, and is not; {advice}") from None


def _centre(dtype, x, y, symmetric, projection):
    """The mean of the finite rows, where features are projected."""
    if not projection.shape[1]:
        return np.zeros(x.shape[1], dtype)
    points = (x,) if symmetric else (x, y)
    with np.errstate(all="ignore"):
        centre = sum(p.sum(axis=0, dtype=np.float64) for p in points) / sum(map(len, points))
        if not np.isfinite(centre).all():
            rows = [p[np.isfinite(p).all(axis=1)] for p in points]
            count = max(1, sum(map(len, rows)))
            centre = sum((r / count).sum(axis=0, dtype=np.float64) for r in rows)
        return centre.astype(dtype)


def _features(kernel, points, plain, centre, projection, workers):
    d, r = projection.shape
    # rows are padded with zeros: kernels work on groups of up to 64 points
    features = np.zeros((max(1, plain + r), -(-len(points) // 64) * 64), points.dtype)
    bounds = _blocks.grid(points.shape[:1], (_blocks.split(len(points), 2 * d * (1 + r)),))
    args = points, plain, centre, projection, features
    _blocks.fill(kernel.prepare, bounds, args, workers=workers)
    return features


def _tiles(shape, features, symmetric):
    """Tiles of the result: wide ones, so that rows of `out` are written in long runs."""
    cost = 1 + 0.15 * features
    if symmetric:
        side = _blocks.square(shape[0], cost, 64)
        return _blocks.grid(shape, (side, side), upper=True)
    width = min(shape[1], 4096)
    return _blocks.grid(shape, (_blocks.split(shape[0], cost * width), width))
