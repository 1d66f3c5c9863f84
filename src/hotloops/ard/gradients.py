"""Gradients of what depends on a covariance matrix."""

import numpy as np
import scipy.linalg

from .. import _arrays, _rows, _run
from .._run import Call, Output, Step, run, tiles
from ._pairs import Pairs, profile_of


def ard_kernel_vjp(
    cotangent,
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
    wrt=None,
    backend=None,
    workers=None,
):
    """Gradients of Σ cotangent ∘ K, K the `ard_kernel` of the same arguments.

    .. math:: g_\\theta = \\sum_{ij} c_{ij} \\frac{\\partial k_{ij}}{\\partial \\theta}

    This is the adjoint (vector-Jacobian product) of the kernel: with c = ∂L/∂K it gives ∂L/∂θ for
    all parameters at the cost of a few kernels, where the derivatives of K itself would need an
    array of N·M numbers for each parameter.

    Parameters
    ----------
    cotangent : array_like, shape (N, M)
    X, Y, kind, length_scale, factors, metric, rq_alpha, variance, noise_variance
        As in `ard_kernel`.
    wrt : sequence of str, optional
        Of "length_scale", "factors", "metric", "variance", "noise_variance", "rq_alpha", "X", "Y".
        By default all the parameters that K depends on, without X and Y.
    backend, workers
        As in `quadform`.

    Returns
    -------
    dict of str to ndarray or float
        The gradients, in the shapes of what they belong to, with respect to the values themselves
        and not their logarithms. Of `metric` all entries are taken as independent; the gradient is
        symmetric.

    Raises
    ------
    TypeError, ValueError
        As `ard_kernel`; and for a cotangent of another shape, an unknown name in `wrt` or one that
        was not given.

    Notes
    -----
    Where r = 0 the gradients are their limits; Matérn's with ν = 1/2, which has a cusp there, is
    taken as 0. Accuracy: a gradient is a sum of N M terms, each within a few ulps of those of the
    `quadform`; those of factors and metric are contracted from that of the points, and lose the
    digits by which the points' spread exceeds the distances between those that are correlated.

    Cost: one pass over the pairs, O(N M (D + R)), for all of length_scale, variance and rq_alpha,
    half of one if Y is None; one for X, one for Y, and both for factors and metric. A pass is in
    differences, so that for many features it takes many times as long as the kernel. Memory:
    O((N + M)(D + R)), and a copy of a cotangent that is not C-contiguous or of another dtype.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.4.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.ard_kernel_vjp([[1.0]], [[0.0]], [[2.0]], length_scale=2.0, wrt=["variance"])
    {'variance': 0.6065306597126334}
    """
    pairs = Pairs(X, Y, length_scale, factors, metric)
    profile, alpha, variance, _ = profile_of(kind, rq_alpha, variance, noise_variance, pairs)
    wrt = _names(wrt, kind, pairs.given)
    cotangent = _arrays.real("cotangent", cotangent, 2)
    _arrays.in_range("cotangent", cotangent, pairs.dtype)
    cotangent = _arrays.ready(cotangent, pairs.dtype)
    if cotangent.shape != pairs.shape:
        raise ValueError(
            f"cotangent must have the shape of the kernel, {pairs.shape}, got {cotangent.shape}"
        )
    kept = _run.kept("ard", backend, workers)
    pairs.keep_features(*kept)
    gradients = {}
    if "noise_variance" in wrt:
        gradients["noise_variance"] = float(np.trace(cotangent, dtype=np.float64))
    if {"length_scale", "variance", "rq_alpha"} & set(wrt):
        sums = run(_pull(pairs, profile, alpha, cotangent), *kept)
        gradients |= _by_parameters(pairs, sums, variance)
    if {"X", "Y", "factors", "metric"} & set(wrt):
        gradients |= _by_points(pairs, profile, alpha, variance, cotangent, wrt, *kept)
    return {name: gradients[name] for name in wrt}


def _names(wrt, kind, given):
    """The names in `wrt`, each of which K depends on."""
    known = (
        "length_scale",
        "factors",
        "metric",
        "variance",
        "noise_variance",
        "rq_alpha",
        "X",
        "Y",
    )
    absent = {name for name, value in given.items() if value is None}
    if kind != "rq":
        absent.add("rq_alpha")
    if given["Y"] is not None:
        absent.add("noise_variance")
    if wrt is None:
        return [name for name in known[:6] if name not in absent]
    if isinstance(wrt, str) or not np.iterable(wrt):
        raise TypeError(f"wrt must be a sequence of names, got {wrt!r}")
    wrt = list(wrt)
    for name in wrt:
        _arrays.choice("wrt", name, known)
        if name in absent:
            raise ValueError(f"wrt must name what the kernel depends on, got {name!r}")
    return wrt


def _pull(pairs, profile, alpha, cotangent):
    """What the gradients with respect to length_scale, variance and rq_alpha are made of."""
    arrays = {**pairs.features, "profile": profile, "alpha": alpha, "cotangent": cotangent}
    arrays["sums"] = Output((len(pairs.scale) + 2,), np.dtype(np.float64))
    bounds = pairs.mirrored(pairs.tiles(pairs.slope_cost()))
    step = Step("pull", bounds, cotangent.size * pairs.slope_cost())
    return Call("ard", pairs.dtype, arrays, [step], ["sums"])


def _by_parameters(pairs, sums, variance):
    """The gradients with respect to length_scale, variance and rq_alpha."""
    length_scale = pairs.given["length_scale"]
    gradients = {"variance": float(sums[-2]), "rq_alpha": float(variance * sums[-1])}
    if length_scale is not None:
        # q moves with the scale s = 1 / length_scale by 2 / s of its part
        d = pairs.projection.shape[0]
        gradient = -2 * variance * sums[:d] * pairs.scale[:d]
        if np.size(length_scale) == 1:
            gradient = gradient.sum(keepdims=True)
        scalar = np.ndim(length_scale) == 0
        gradients["length_scale"] = float(gradient[0]) if scalar else gradient.astype(pairs.dtype)
    return gradients


def _by_points(pairs, profile, alpha, variance, cotangent, wrt, *kept):
    """The gradients with respect to X, Y, factors and metric."""
    p, none = pairs.projection, np.empty((0, 0), pairs.dtype)
    numbers = {"profile": profile, "alpha": alpha, "variance": variance}
    x, y = pairs.features["x"], pairs.features["y"]
    # with one set k[i, j] and k[j, i] both move with x[i]
    sides = {
        "X": {"x": x, "y": y, "straight": cotangent,
              "transposed": cotangent if pairs.one else none},
        "Y": {"x": y, "y": x, "straight": none, "transposed": cotangent},
    }  # fmt: skip
    chained = {"factors", "metric"} & set(wrt)
    gradients, projected = {}, np.zeros(p.shape)
    for points, (name, arrays) in zip(pairs.points, sides.items(), strict=True):
        if name not in wrt and not (chained and (name == "X" or not pairs.one)):
            continue
        gradients[name], by_features = _by_set(pairs, arrays | numbers, *kept)
        if chained and p.shape[1]:
            last = by_features[:, pairs.plain :]
            projected += _rows.products(points - pairs.features["centre"], last, kept[1])
    gradients["factors"] = projected.astype(pairs.dtype)
    if pairs.given["metric"] is not None:
        # M = P Pᵀ, and for any symmetric S the gradient S of M is 2 S P of P
        half = scipy.linalg.solve_triangular(p.T, projected.T, lower=False).T / 2
        gradients["metric"] = ((half + half.T) / 2).astype(pairs.dtype)
    return gradients


def _by_set(pairs, arrays, *kept):
    """The gradients with respect to the points of one set, and to its features."""
    n, m, (d, r) = len(arrays["x"]), len(arrays["y"]), pairs.projection.shape
    arrays |= {"scale": pairs.scale, "gradient": Output((n, len(pairs.scale)), pairs.dtype)}
    cost = m * pairs.slope_cost()
    steps = [Step("pull_points", tiles.rows(n, cost), n * cost)]
    if not r:
        gradient = run(Call("ard", pairs.dtype, arrays, steps, ["gradient"]), *kept)
        return gradient if pairs.plain else np.zeros((n, d), pairs.dtype), gradient
    arrays |= {"plain": pairs.plain, "projection": pairs.projection,
               "points": Output((n, d), pairs.dtype)}  # fmt: skip
    cost = d * r / 10
    bounds = tiles.rows(n, cost)
    steps.append(Step("pull_features", bounds, n * cost, bounds[0][1] * d * r))
    return run(Call("ard", pairs.dtype, arrays, steps, ["points", "gradient"]), *kept)
