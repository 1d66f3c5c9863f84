"""Features of inputs, on which the covariances then act."""

import numpy as np
from numpy.typing import ArrayLike

from . import _arrays
from ._typing import Floats

__all__ = ["periodic_features"]


def __dir__() -> list[str]:
    return __all__


def periodic_features(x: ArrayLike, period: ArrayLike) -> Floats:
    """Cosines and sines that turn a kernel of distances into a periodic one.

    .. math:: \\varphi(x) = \\left(\\cos\\frac{2\\pi x}{p}, \\sin\\frac{2\\pi x}{p}\\right), \\quad
              |\\varphi(x) - \\varphi(y)|^2 = 4 \\sin^2\\frac{\\pi (x - y)}{p}

    The squared exponential on φ is therefore MacKay's periodic kernel
    exp(−2 sin²(π (x − y) / p) / ℓ²), with its length scale ℓ as `length_scale`; so it is with any
    other kind of `ard_kernel`.

    Parameters
    ----------
    x : array_like, shape (N,) or (N, D)
        Points on a line, or with D coordinates.
    period : float or array_like, shape (D,) or (1,)
        p, positive and finite, in the units of x; one for each coordinate, or the same for all.

    Returns
    -------
    ndarray, shape (N, 2) or (N, 2 D)
        The cosine and the sine of each coordinate, side by side. float32 if x is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For another number of dimensions or of periods, or a period that is not positive.

    Notes
    -----
    Accuracy: x is reduced to half a period on either side of 0, without rounding, so that the
    features are exactly periodic and within a few ulps of 1 however large x is. All is computed in
    double precision. NaN travels, and an infinite x gives NaN. Cost: O(N D).

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, eq. 4.31, after
    MacKay, *Introduction to Gaussian Processes*, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> phi = hl.periodic_features([0.0, 3.0, 12.0], period=12.0)
    >>> k = hl.ard_kernel(phi, length_scale=0.5)
    >>> bool(np.isclose(k[0, 1], np.exp(-2 * np.sin(np.pi * 3 / 12) ** 2 / 0.5**2)))
    True
    >>> float(k[0, 2])
    1.0
    """
    given = _arrays.real("x", x)
    if given.ndim not in (1, 2):
        raise ValueError(f"x must have shape (N,) or (N, D), got shape {given.shape}")
    points = (given[:, None] if given.ndim == 1 else given).astype(np.float64, copy=False)
    n, d = points.shape
    periods = _arrays.real("period", period).astype(np.float64)
    if periods.shape not in ((), (1,), (d,)):
        raise ValueError(
            f"period must be a scalar or have shape ({d},), one for each coordinate of x, "
            f"got shape {periods.shape}"
        )
    if not ((periods > 0) & np.isfinite(periods)).all():
        raise ValueError(f"period must be positive and finite, got {periods}")
    features: Floats = np.empty((n, 2 * d), given.dtype)
    with np.errstate(all="ignore"):
        # both steps are exact: the second subtracts nothing, or a number within a factor of two
        rest = np.fmod(points, periods)
        rest -= periods * np.rint(rest / periods)
        angle = 2 * np.pi * (rest / periods)
        features[:, 0::2] = np.cos(angle)
        features[:, 1::2] = np.sin(angle)
    return features
