"""ARD kernels: quadratic forms, covariance matrices, their gradients and products."""

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from . import _arrays, _backends, _blocks
from .kernels.ard import MATERN12, MATERN32, MATERN52, QUADFORM, RQ, SE

_KINDS = {
    "se": SE,
    "matern12": MATERN12,
    "matern32": MATERN32,
    "matern52": MATERN52,
    "rq": RQ,
}
_MANY = 16  # features from which on a matrix product beats differences
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
    pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
    return pairs.fill(QUADFORM, 1.0, 1.0, 0.0, out)


def ard_kernel(
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
    out=None,
    backend=None,
    workers=None,
):
    """Covariance matrix of a Gaussian process with automatic relevance determination.

    .. math:: k_{ij} = \\sigma_f^2\\, p\\left((x_i - y_j)^T M (x_i - y_j)\\right)
              + \\sigma_n^2 \\delta_{ij}

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
    length_scale, factors, metric
        The metric M, as in `quadform`.
    rq_alpha : float
        α, positive; of kind "rq" alone.
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
    Accuracy: the quadratic form as in `quadform`; the profile within 4 ulps of that of the rounded
    form, through the subnormals to 0. Cost and memory: as in `quadform`, the profile in the same
    pass over the result.

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
    profile = _profile(kind, rq_alpha, variance, noise_variance, Y)
    pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
    return pairs.fill(*profile, out)


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
    taken as 0. Accuracy: that of X and Y is a sum of terms each within a few ulps. Those of the
    metric are contracted from it and from the points less their mean: they lose the digits by which
    the points' spread exceeds the distances between those that are correlated.

    Cost: O(N M (D + R)), once for X and once for Y. Memory: O(N M), for the cotangent's transpose.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.4.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.ard_kernel_vjp([[1.0]], [[0.0]], [[2.0]], length_scale=2.0, wrt=["variance"])
    {'variance': 0.6065306597126334}
    """
    profile, alpha, variance, _ = _profile(kind, rq_alpha, variance, noise_variance, Y)
    given = {"length_scale": length_scale, "factors": factors, "metric": metric, "Y": Y}
    wrt = _names(wrt, kind, given)
    pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
    cotangent = _arrays.ready(_arrays.real("cotangent", cotangent, 2), pairs.dtype)
    if cotangent.shape != pairs.shape:
        raise ValueError(
            f"cotangent must have the shape of the kernel, {pairs.shape}, got {cotangent.shape}"
        )
    gradients = {"noise_variance": float(np.trace(cotangent)) if pairs.symmetric else 0.0}
    parts, sums = pairs.pull(profile, alpha, variance, cotangent, "Y" in wrt)
    gradients["variance"] = float(sums[0])
    gradients["rq_alpha"] = float(variance * sums[1])
    pairs.chain(parts, length_scale, gradients)
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


def _profile(kind, rq_alpha, variance, noise_variance, Y):
    """(profile, alpha, variance, noise) as kernels take them."""
    profile = _KINDS[_arrays.choice("kind", kind, _KINDS, _KIND_HINT)]
    alpha = _arrays.scalar("rq_alpha", rq_alpha, minimum=0, strict=True)
    variance = _arrays.scalar("variance", variance, minimum=0)
    noise = _arrays.scalar("noise_variance", noise_variance, minimum=0)
    if noise and Y is not None:
        raise ValueError(
            f"noise_variance must be 0 where Y is given, got {noise}: noise belongs to a point "
            f"and itself. Pass Y=None, or add it to the diagonal"
        )
    return profile, alpha, variance, noise


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
    It is a `scipy.sparse.linalg.LinearOperator`: ``op @ V``, ``op.T``, and SciPy's iterative
    methods (``cg``, ``eigsh``) take it. Accuracy: each entry as in `ard_kernel`, and the rounding
    of a sum of M terms; the bits do not depend on the number of workers.

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
        self._profile = _profile(kind, rq_alpha, variance, noise_variance, Y)
        self._pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
        self._pairs.features()  # of X and Y as they are now
        super().__init__(self._pairs.dtype, self._pairs.shape)

    def _matmat(self, V):
        return self._product(self._pairs, V)

    def _matvec(self, v):
        return self._product(self._pairs, v.reshape(-1, 1)).reshape(-1)

    def _rmatmat(self, V):
        return self._product(self._pairs.transposed(), V)

    def _rmatvec(self, v):
        return self._product(self._pairs.transposed(), v.reshape(-1, 1)).reshape(-1)

    def _product(self, pairs, V):
        V = np.asarray(V)
        if V.dtype.kind == "c":
            return self._product(pairs, V.real) + 1j * self._product(pairs, V.imag)
        v = _arrays.ready(_arrays.real("V", V, 2), self.dtype)
        profile, alpha, variance, noise = self._profile
        product = pairs.apply(profile, alpha, variance, v)
        if noise:
            product += self.dtype.type(noise) * v
        return product

    def diagonal(self):
        """The entries k[i, i]."""
        return self._pairs.diagonal(*self._profile)

    def toarray(self):
        """The matrix itself, as `ard_kernel` gives it."""
        return self._pairs.fill(*self._profile, None)


class _Pairs:
    """Two sets of points and a metric, as the kernels take them."""

    def __init__(self, X, Y, length_scale, factors, metric, backend, workers):
        x = _arrays.real("X", X, 2)
        y = x if Y is None else _arrays.real("Y", Y, 2)
        if x.shape[1] != y.shape[1]:
            raise ValueError(
                f"X and Y must have the same number of columns, got shapes {x.shape} and {y.shape}"
            )
        self.inputs = {"X": x, "Y": y, "length_scale": length_scale, "factors": factors,
                       "metric": metric}  # fmt: skip
        self.shape = len(x), len(y)
        self.dtype = _arrays.common_dtype(x, y)
        self.symmetric = Y is None
        self.plain, self.scale, self.projection = _metric(
            self.dtype, x.shape[1], length_scale, factors, metric
        )
        self.kernel = _backends.kernel("ard", backend)
        self.workers = _blocks.workers(workers)
        self._features = None

    def features(self):
        """Those of x and of y, made when they are first asked for."""
        if self._features is None:
            x = _arrays.ready(self.inputs["X"], self.dtype)
            y = x if self.symmetric else _arrays.ready(self.inputs["Y"], self.dtype)
            if self.projection.shape[1]:
                self.centre = _centre(self.dtype, x, y, self.symmetric)
            else:
                self.centre = np.zeros(x.shape[1], self.dtype)
            first = self._prepare(x)
            self._features = first, first if self.symmetric else self._prepare(y)
        return self._features

    def _prepare(self, points):
        d, r = self.projection.shape
        # rows are padded with zeros: kernels work on groups of up to 64 points
        shape = max(1, self.plain + r), -(-len(points) // 64) * 64
        features = np.zeros(shape, points.dtype)
        args = points, self.plain, self.centre, self.projection, features
        cost = 2 * d * (1 + r)
        _blocks.fill_rows(self.kernel.prepare, len(points), cost, args, workers=self.workers)
        return features

    def _cost(self, extra=0):
        """About how many ns a pair takes."""
        return 1 + 0.15 * (self.plain + self.projection.shape[1] + extra)

    def transposed(self):
        """The same with the two sets exchanged."""
        if self.symmetric:
            return self
        x, y = self.features()
        other = object.__new__(_Pairs)
        other.__dict__.update(self.__dict__, shape=self.shape[::-1], _features=(y, x))
        return other

    def fill(self, profile, alpha, variance, noise, out):
        """The matrix of the pairs."""
        if out is None:  # without the arguments of a check
            result = np.empty(self.shape, self.dtype)
        else:
            result = _arrays.output(out, self.shape, self.dtype, **self.inputs)
        if not result.size:
            return result
        x, y = self.features()
        block, args = self.kernel.fill, (x, y, self.scale)
        products = len(x) >= _MANY
        if products:
            block, args = self.kernel.fill_products, args + self._products()
        args += profile, alpha, variance, noise, self.symmetric, np.asarray(result)
        _blocks.fill(block, self._tiles(), args, workers=self.workers, blas=products)
        return result

    def _products(self):
        """What `fill_products` takes: a centre, and y's scaled features less it, with their
        norms."""
        x, y = self.features()
        n, m = self.shape
        centre = _centre(x.dtype, x[:, :n].T, y[:, :m].T, self.symmetric)
        columns, norms = np.zeros_like(y), np.zeros(y.shape[1], self.dtype)
        args, cost = (y, centre, self.scale, columns, norms), 2 * len(y)
        _blocks.fill_rows(self.kernel.prepare_products, m, cost, args, workers=self.workers)
        return centre, columns, norms

    def _tiles(self):
        """Tiles of the result: wide ones, so that rows of `out` are written in long runs, and high
        enough for a matrix product to be worth its preparation."""
        (n, m), features = self.shape, self.plain + self.projection.shape[1]
        width, height, cost = 4096, 1, self._cost()
        if _blocks.is_short(n * m * cost):
            return [(0, n, 0, m)]
        if features >= _MANY:
            cost = 1.5 + 0.045 * features
            height = 128
            width = min(width, max(512, int(20e6 / (height * cost))))
        if self.symmetric:
            side = max(min(n, height), _blocks.square(n, cost, 64))
            return _blocks.grid(self.shape, (side, side), upper=True)
        width = min(m, width)
        return _blocks.grid(self.shape, (max(height, _blocks.split(n, cost * width)), width))

    def apply(self, profile, alpha, variance, v):
        """The matrix times v."""
        n, m = self.shape
        product = np.zeros((n, v.shape[1]), self.dtype)
        if product.size and m:
            args = *self.features(), self.scale, profile, alpha, variance, v, product
            cost = self._cost(v.shape[1]) * m
            _blocks.fill_rows(self.kernel.apply, n, cost, args, workers=self.workers, blas=True)
        return product

    def diagonal(self, profile, alpha, variance, noise):
        n = min(self.shape)
        if self.symmetric:
            return np.full(n, variance + noise, self.dtype)
        diagonal, tile = np.empty(n, self.dtype), np.empty((64, 64), self.dtype)
        x, y = self.features() if n else (None, None)
        for start in range(0, n, 64):
            k = min(64, n - start)
            columns = slice(start, start + 64)
            parts = np.ascontiguousarray(x[:, columns]), np.ascontiguousarray(y[:, columns])
            args = *parts, self.scale, profile, alpha, variance, 0.0, False, tile
            self.kernel.fill(0, k, 0, k, *args)
            diagonal[start : start + k] = tile.diagonal()[:k]
        return diagonal

    def pull(self, profile, alpha, variance, cotangent, both):
        """The gradients with respect to the features of x and, if asked for or needed, of y; and
        the sums of cotangent · profile and of its derivative by alpha."""
        if self.symmetric:
            # k[i, j] and k[j, i] both move with x[i]
            first, sums = self._pull(profile, alpha, variance, cotangent + cotangent.T)
            return (first,), sums / 2
        first, sums = self._pull(profile, alpha, variance, cotangent)
        turned = np.ascontiguousarray(cotangent.T)
        second, _ = self.transposed()._pull(profile, alpha, variance, turned)
        return (first, second), sums

    def _pull(self, profile, alpha, variance, cotangent):
        n, m = self.shape
        x, y = (
            self.features()
            if n and m
            else (np.zeros((self.plain + self.projection.shape[1], 0)),) * 2
        )
        gradient, sums = np.zeros((len(x), n), self.dtype), np.zeros((2, n))
        if n and m:
            args = x, y, self.scale, profile, alpha, variance, cotangent, gradient, sums
            cost = 2 * self._cost() * m
            _blocks.fill_rows(self.kernel.pull, n, cost, args, workers=self.workers)
        return gradient, sums.sum(axis=1)

    def chain(self, parts, length_scale, gradients):
        """Add the gradients of what the features are made of, from those of the features."""
        points = [_arrays.ready(self.inputs[name], self.dtype) for name in ("X", "Y")]
        centre = _centre(self.dtype, *points, self.symmetric)
        p, plain = self.projection, self.plain
        moment, projected = np.zeros(plain), np.zeros(p.shape)
        for name, x, part in zip(("X", "Y"), points, parts, strict=False):
            first, last = part[:plain], part[plain : plain + p.shape[1]]
            gradients[name] = last.T @ p.T
            if plain:
                gradients[name] += first.T
            moment += np.einsum("nd,dn->d", x[:, :plain] - centre[:plain], first)
            projected += (x - centre).T @ last.T
        if length_scale is not None:
            # the scale s = 1 / length_scale multiplies its feature
            gradient = -self.scale * moment
            scalar = np.ndim(length_scale) == 0
            gradients["length_scale"] = float(gradient.sum()) if scalar else self._cast(gradient)
        gradients["factors"] = self._cast(projected)
        if self.inputs["metric"] is not None:
            # M = P Pᵀ, and for any symmetric S the gradient S of M is 2 S P of P
            half = scipy.linalg.solve_triangular(p.T, projected.T, lower=False).T / 2
            gradients["metric"] = self._cast((half + half.T) / 2)

    def _cast(self, array):
        return array.astype(self.dtype)


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
    advice, eps = "if M = F Fᵀ, pass F as factors", np.finfo(metric.dtype).eps
    # an inverse or a product carries rounding; x^T M x sees the symmetric part only
    metric = metric.astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.sqrt(np.abs(np.diagonal(metric)))
        asymmetry = np.abs(metric - metric.T) / (size[:, None] * size)
    if not (asymmetry[metric != metric.T] <= 100 * d * eps).all():
        raise ValueError(
            f"metric must be symmetric, got entries that differ from those across the diagonal by "
            f"{asymmetry[metric != metric.T].max():.3g} of the geometric mean of theirs on the "
            f"diagonal; {advice}"
        )
    try:
        return np.linalg.cholesky(metric / 2 + metric.T / 2)
    except np.linalg.LinAlgError:
        raise ValueError(f"metric must be positive definite, and is not; {advice}") from None


def _centre(dtype, x, y, symmetric):
    """The mean of the finite rows."""
    points = (x,) if symmetric else (x, y)
    with np.errstate(all="ignore"):
        sums = [
            np.einsum("nd->d", p, dtype=np.float64) for p in points
        ]  # a third of sum's overhead
        centre = sum(sums) / sum(map(len, points))
        if not np.isfinite(centre).all():
            rows = [p[np.isfinite(p).all(axis=1)] for p in points]
            count = max(1, sum(map(len, rows)))
            centre = sum((r / count).sum(axis=0, dtype=np.float64) for r in rows)
        return centre.astype(dtype)
