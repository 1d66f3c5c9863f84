"""Gradients of what depends on a covariance matrix."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from .. import _arrays, _rows, _run
from .._factors.serial import serial
from .._run import Call, Output, Step, run, tiles
from .._typing import Array
from ..kernels.ard import ROWS
from ._pairs import Pairs, exchanged, pulling, slope_multiplications
from ._profile import Kind, Profile, profile_of

Parameter: TypeAlias = Literal[
    "length_scale", "factors", "metric", "variance", "noise_variance", "rq_alpha", "X", "Y"
]
_KNOWN: tuple[str, ...] = get_args(Parameter)


def ard_kernel_vjp(
    cotangent: ArrayLike,
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
    wrt: Sequence[Parameter] | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Gradients of Σ cotangent ∘ K, K the `ard_kernel` of the same arguments.

    .. math:: g_\\theta = \\sum_{ij} c_{ij} \\frac{\\partial k_{ij}}{\\partial \\theta}, \\quad
              k_{ij} = \\sigma_f^2\\, p\\left((x_i - y_j)^T M (x_i - y_j)\\right)
              + \\sigma_n^2 \\delta_{ij}, \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    This is the adjoint (vector-Jacobian product) of the kernel: with c = ∂L/∂K it gives ∂L/∂θ for
    all parameters at the cost of a few kernels, where the derivatives of K itself would need an
    array of N·M numbers for each parameter.

    Parameters
    ----------
    cotangent : array_like, shape (N, M)
        c, a weight for each entry of K.
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
    wrt : sequence of str, optional
        Of "length_scale", "factors", "metric", "variance", "noise_variance", "rq_alpha", "X", "Y".
        By default all the parameters that K depends on, without X and Y.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    dict of str to ndarray or float
        The gradients, in the shapes of what they belong to, with respect to the values themselves
        and not their logarithms. Of `metric` all entries are taken as independent; the gradient is
        symmetric.

    Raises
    ------
    TypeError
        For an array that is not real, a number that is none, a `wrt` that is no sequence of names.
    ValueError
        For what `ard_kernel` refuses, a cotangent of another shape or out of the range of K, an
        unknown name in `wrt` or that of an argument on which K does not depend.

    Notes
    -----
    Where r = 0 the gradients are their limits; Matérn's with ν = 1/2, which has a cusp there, is
    taken as 0. Accuracy: a gradient is a sum of N M terms, each within a few ulps of those of the
    `quadform`. For 32 features or more the sums come from matrix products, and from differences
    wherever the rounding of those would be seen: a term of the gradient by ℓ_f or x_if has then
    an error of 4 of its ulps and 16 ulps of σ_f² c_ij / ℓ_f. Those of factors and metric are
    contracted from that of the points, and lose the digits by which the points' spread exceeds the
    distances between those that are correlated.

    Cost: one pass over the pairs, O(N M (D + R)), for all of length_scale, variance and rq_alpha,
    half of one if Y is None; one for X, one for Y, and both for factors and metric. A pass takes
    two to three times as long as the kernel. Memory: O((N + M)(D + R)), and a copy of a cotangent
    that is not C-contiguous or of another dtype.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.4.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.ard_kernel_vjp([[1.0]], [[0.0]], [[2.0]], length_scale=2.0, wrt=["variance"])
    {'variance': 0.6065306597126334}
    """
    pairs = Pairs(X, Y, length_scale, factors, metric)
    profile = profile_of(kind, rq_alpha, variance, noise_variance, pairs.dtype, pairs.one_set)
    names = _names(wrt, kind, pairs.given)
    c = _arrays.real("cotangent", cotangent, 2)
    _arrays.in_range("cotangent", c, pairs.dtype)
    c = _arrays.ready(c, pairs.dtype)
    if c.shape != pairs.shape:
        raise ValueError(
            f"cotangent must have the shape of the kernel, {pairs.shape}, got {c.shape}"
        )
    return _gradients(pairs, profile, c, names, 0, backend, workers)


def vjp_of_folded(
    cotangent: Array, side: int, X: Array, *, kind: Kind, rq_alpha: float = 1.0,
    variance: float = 1.0, wrt: Sequence[Parameter], **metric: ArrayLike | None,
) -> dict[str, Any]:  # fmt: skip
    """What `ard_kernel_vjp` makes of a symmetric cotangent (N, N), of which only the square tiles
    on the diagonal, `side` wide, are given, and two times what is above these; the rest may be
    anything, and may be written."""
    given = {"length_scale": None, "factors": None, "metric": None, **metric}
    pairs = Pairs(X, None, **given)
    profile = profile_of(kind, rq_alpha, variance, 0.0, pairs.dtype, one_set=True)
    names = _names(wrt, kind, pairs.given)
    return _gradients(pairs, profile, cotangent, names, side, None, None)


def _gradients(
    pairs: Pairs, profile: Profile, c: Array, names: list[str], side: int,
    backend: str | None, workers: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The gradients of these names, of a cotangent that is folded if it has a `side`."""
    kept = _run.kept("ard", backend, workers)
    pairs.keep_steep(*kept)
    gradients: dict[str, Any] = {}
    if "noise_variance" in names:
        gradients["noise_variance"] = float(np.trace(c, dtype=np.float64))
    if {"length_scale", "variance", "rq_alpha"} & set(names):
        sums = run(_pull(pairs, profile, c, side), *kept)
        gradients |= _by_parameters(pairs, sums, profile["variance"])
    if {"X", "Y", "factors", "metric"} & set(names):
        if side:
            _unfold(c, side)
        gradients |= _by_points(pairs, profile, c, names, *kept)
    return {name: gradients[name] for name in names}


def _unfold(c: Array, side: int) -> None:
    """Make a folded cotangent whole, in its place."""
    for start in range(0, len(c), side):
        stop = start + side
        c[start:stop, stop:] /= 2
        c[stop:, start:stop] = c[start:stop, stop:].T


def _names(wrt: Sequence[str] | None, kind: str, given: Mapping[str, Any]) -> list[str]:
    """The names in `wrt`, each of which must be of something that K depends on; by default those
    of all parameters that it does."""
    absent = {name for name, value in given.items() if value is None}
    if kind != "rq":
        absent.add("rq_alpha")
    if given["Y"] is not None:
        absent.add("noise_variance")
    if wrt is None:
        return [name for name in _KNOWN if name not in {*absent, "X", "Y"}]
    if isinstance(wrt, str) or not np.iterable(wrt):
        raise TypeError(f"wrt must be a sequence of names, got {wrt!r}")
    names = list(wrt)
    for name in names:
        _arrays.choice("wrt", name, _KNOWN)
        if name in absent:
            raise ValueError(f"wrt must name what the kernel depends on, got {name!r}")
    return names


def _pull(pairs: Pairs, profile: Profile, cotangent: Array, side: int) -> Call:
    """The call that makes the sums of which the gradients by length_scale, variance and rq_alpha
    are multiples."""
    x, y, scale = pairs.features["x"], pairs.features["y"], pairs.scale
    form = pulling(pairs.shape, pairs.dtype, len(scale), pairs.one_set, pairs.steep, side)
    return form.of(x, y, scale, *pairs.products.values(), *profile.values(), cotangent)


def _by_parameters(pairs: Pairs, sums: Array, variance: float) -> dict[str, Any]:
    """The gradients with respect to length_scale, variance and rq_alpha."""
    length_scale = pairs.given["length_scale"]
    gradients: dict[str, Any] = {"variance": float(sums[-2]),
                                 "rq_alpha": float(variance * sums[-1])}  # fmt: skip
    if length_scale is not None:
        # q moves with the scale s = 1 / length_scale by 2 / s of its part
        d = pairs.projection.shape[0]
        gradient = -2 * variance * sums[:d] * pairs.scale[:d]
        if np.size(length_scale) == 1:
            gradient = gradient.sum(keepdims=True)
        scalar = np.ndim(length_scale) == 0
        gradients["length_scale"] = float(gradient[0]) if scalar else gradient.astype(pairs.dtype)
    return gradients


def _by_points(
    pairs: Pairs, profile: Profile, cotangent: Array, wrt: list[str], backend: str, workers: int
) -> dict[str, Any]:
    """The gradients with respect to X, Y, factors and metric."""
    p, none = pairs.projection, np.empty((0, 0), pairs.dtype)
    x, y = pairs.features["x"], pairs.features["y"]
    # with one set k[i, j] and k[j, i] both move with x[i]
    transposed = cotangent if pairs.one_set else none
    sides = [
        ("X", "points", {"x": x, "y": y, "straight": cotangent, "transposed": transposed,
                         **pairs.products}),
        ("Y", "others", {"x": y, "y": x, "straight": none, "transposed": cotangent,
                         **exchanged(pairs.products)}),
    ]  # fmt: skip
    chained = {"factors", "metric"} & set(wrt)
    gradients: dict[str, Any] = {}
    projected = np.zeros(p.shape)
    for name, points, arrays in sides:
        if name not in wrt and not (chained and (name == "X" or not pairs.one_set)):
            continue
        gradients[name], by_features = _by_set(pairs, profile, arrays, backend, workers)
        if chained and p.shape[1]:
            away = pairs.features[points] - pairs.features["centre"]
            projected += _rows.products(away, by_features[:, pairs.plain :], backend, workers)
    gradients["factors"] = projected.astype(pairs.dtype)
    if pairs.given["metric"] is not None:
        # M = P Pᵀ, and for any symmetric S the gradient S of M is 2 S P of P
        half = serial(
            lambda: scipy.linalg.solve_triangular(p.T, projected.T, lower=False).T / 2,
            math.inf,  # triangular solutions start threads
        )
        gradients["metric"] = ((half + half.T) / 2).astype(pairs.dtype)
    return gradients


def _by_set(
    pairs: Pairs, profile: Profile, arrays: dict[str, Any], backend: str, workers: int
) -> tuple[Array, Array]:
    """The gradients with respect to the points of one set, and to its features."""
    n, m, (d, r) = len(arrays["x"]), len(arrays["y"]), pairs.projection.shape
    arrays |= {**profile, "scale": pairs.scale,
               "gradient": Output((n, len(pairs.scale)), pairs.dtype)}  # fmt: skip
    cost = m * pairs.slope_cost()
    bounds = tiles.grid((n,), (ROWS,)) if pairs.steep else tiles.rows(n, cost)
    multiplications = slope_multiplications(len(pairs.scale), pairs.steep)
    steps = [Step("pull_points", bounds, n * cost, multiplications)]
    if not r:
        gradient = run(Call("ard", pairs.dtype, arrays, steps, ["gradient"]), backend, workers)
        return gradient if pairs.plain else np.zeros((n, d), pairs.dtype), gradient
    arrays |= {"plain": pairs.plain, "projection": pairs.projection,
               "points": Output((n, d), pairs.dtype)}  # fmt: skip
    cost = d * r / 10
    bounds = tiles.rows(n, cost)
    steps.append(Step("pull_features", bounds, n * cost, bounds[0][1] * d * r))
    returns = ["points", "gradient"]
    points, gradient = run(Call("ard", pairs.dtype, arrays, steps, returns), backend, workers)
    return points, gradient
