"""ARD kernels: quadratic forms, covariance matrices, their gradients and products."""

import copy

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from . import _arrays, _backends, _blocks, _rows
from .kernels.ard import MATERN12, MATERN32, MATERN52, QUADFORM, RQ, SE

_KINDS = {
    "se": SE,
    "matern12": MATERN12,
    "matern32": MATERN32,
    "matern52": MATERN52,
    "rq": RQ,
}
_MANY = 16  # features, and points, from which on a matrix product beats differences
_KIND_HINT = (
    '. "se" is what others call RBF: the gamma of rbf_kernel is 1 / (2 length_scale**2). A Matérn '
    'kernel has its ν in its name: "matern12", "matern32", "matern52" for 1/2, 3/2, 5/2'
)


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
    pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
    profile = _profile(kind, rq_alpha, variance, noise_variance, pairs)
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
    pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
    profile, alpha, variance, _ = _profile(kind, rq_alpha, variance, noise_variance, pairs)
    given = {"length_scale": length_scale, "factors": factors, "metric": metric, "Y": Y}
    wrt = _names(wrt, kind, given)
    cotangent = _arrays.real("cotangent", cotangent, 2)
    _arrays.in_range("cotangent", cotangent, pairs.dtype)
    cotangent = _arrays.ready(cotangent, pairs.dtype)
    if cotangent.shape != pairs.shape:
        raise ValueError(
            f"cotangent must have the shape of the kernel, {pairs.shape}, got {cotangent.shape}"
        )
    pull = profile, alpha, variance, cotangent
    gradients = {}
    if "noise_variance" in wrt:
        gradients["noise_variance"] = float(np.trace(cotangent, dtype=np.float64))
    if {"length_scale", "variance", "rq_alpha"} & set(wrt):
        gradients |= pairs.pull(*pull, length_scale)
    if {"X", "Y", "factors", "metric"} & set(wrt):
        gradients |= pairs.pull_points(*pull, wrt)
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


def _profile(kind, rq_alpha, variance, noise_variance, pairs):
    """(profile, alpha, variance, noise) as kernels take them."""
    profile = _KINDS[_arrays.choice("kind", kind, _KINDS, _KIND_HINT)]
    alpha = _arrays.scalar("rq_alpha", rq_alpha, minimum=0, strict=True)
    variance = _arrays.scalar("variance", variance, minimum=0)
    noise = _arrays.scalar("noise_variance", noise_variance, minimum=0)
    _arrays.in_range("variance", variance, pairs.dtype)
    _arrays.in_range("noise_variance", noise, pairs.dtype)
    if noise and not pairs.symmetric:
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
        self._pairs = _Pairs(X, Y, length_scale, factors, metric, backend, workers)
        self._profile = _profile(kind, rq_alpha, variance, noise_variance, self._pairs)
        self._pairs.keep()
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
        product = self._pairs.apply(profile, alpha, variance, v)
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
        return self._pairs.diagonal(*self._profile)

    def toarray(self):
        """The matrix itself, as `ard_kernel` gives it."""
        return self._pairs.fill(*self._profile, None)


def _check_factor(V, *shapes):
    """SciPy does not name what it refuses."""
    got = _arrays.number("V", V).shape
    if not {got, (*got[:-1], "columns")} & set(shapes):
        expected = " or ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
        raise ValueError(f"V must have shape {expected}, got {got}")


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
        if not len(self.scale):
            self.scale = np.ones(1, self.dtype)
        self.many = min(len(self.scale), *self.shape) >= _MANY
        self.kernel = _backends.kernel("ard", backend)
        self.workers = _blocks.workers(workers)
        self._features = self._products = None

    def points(self):
        """X and Y as kernels take them."""
        x = _arrays.ready(self.inputs["X"], self.dtype)
        return x, x if self.symmetric else _arrays.ready(self.inputs["Y"], self.dtype)

    def keep(self):
        """Have features of X and Y as they are now, whatever happens to them."""
        x, y = self.features()
        x = np.array(x)
        self._features = x, x if self.symmetric else np.array(y)
        self.inputs = {}

    def __getstate__(self):
        return self.__dict__ | {"kernel": _backends.name(self.kernel), "_products": None}

    def __setstate__(self, state):
        self.__dict__.update(state, kernel=_backends.load("ard", state["kernel"]))

    def features(self):
        """Those of x and of y, made when they are first asked for: the points themselves, unless
        there is a projection."""
        if self._features is None:
            x, y = self.points()
            d, r = self.projection.shape
            if r or self.plain < d:
                centre = _centre(x, y, self.symmetric)
                first = self._project(x, centre)
                x, y = first, first if self.symmetric else self._project(y, centre)
            if not x.shape[1]:  # none are as one that is the same for all
                x, y = (np.zeros((len(points), 1), self.dtype) for points in (x, y))
            self._features = x, y
        return self._features

    def _project(self, points, centre):
        d, r = self.projection.shape
        features = np.empty((len(points), self.plain + r), self.dtype)
        if features.size:
            args, cost = (points, self.plain, centre, self.projection, features), 2 * d * (1 + r)
            _blocks.fill_rows(self.kernel.prepare, len(points), cost, args, workers=self.workers)
        return features

    def products(self):
        """The scaled features less their centre, and their norms, of x and of y; empty where
        differences are as fast."""
        if self._products is None:
            x, y = self.features()
            if not self.many:
                none = np.empty((0, 0), self.dtype), np.empty(0, self.dtype)
                self._products = none + none
            else:
                centre = _centre(x, y, self.symmetric)
                rows = self._normalise(x, centre)
                self._products = rows + (rows if self.symmetric else self._normalise(y, centre))
        return self._products

    def _normalise(self, x, centre):
        rows, norms = np.empty_like(x), np.empty(len(x), x.dtype)
        args, cost = (x, self.scale, centre, rows, norms), x.shape[1]
        _blocks.fill_rows(self.kernel.prepare_products, len(x), cost, args, workers=self.workers)
        return rows, norms

    def transposed(self):
        """The same with the two sets exchanged."""
        if self.symmetric:
            return self
        x, y = self.features()
        a, b, c, d = self.products()
        other = object.__new__(_Pairs)
        other.__dict__.update(
            self.__dict__, shape=self.shape[::-1], _features=(y, x), _products=(c, d, a, b)
        )
        return other

    def _cost(self, columns=0):
        """About how many ns a pair takes, and its products with so many columns."""
        if self.many:
            return 1.5 + 0.045 * len(self.scale) + 0.15 * columns
        return 1 + 0.15 * (len(self.scale) + columns)

    def _slope_cost(self):
        """The same for a pair's derivatives, always from differences."""
        return 2 + 0.8 * len(self.scale)

    def _tiles(self, cost, height=1):
        """Tiles of the result: wide ones, so that rows of it are written in long runs, and at
        least `height` rows high."""
        n, m = self.shape
        if self.symmetric:
            side = max(min(n, height), _blocks.square(n, cost, 128))
            return _blocks.grid(self.shape, (side, side), upper=True)
        if _blocks.is_short(n * m * cost):
            return [(0, n, 0, m)]
        width = min(m, max(512, min(4096, int(6e6 / (height * cost)))))
        return _blocks.grid(self.shape, (max(height, _blocks.split(n, cost * width)), width))

    def _height(self):
        """Rows for which a matrix product is worth its preparation."""
        return 1 if not self.many else 128 if len(self.scale) < 128 else 512

    def fill(self, profile, alpha, variance, noise, out):
        """The matrix of the pairs."""
        if out is None:  # without the arguments of a check
            result = np.empty(self.shape, self.dtype)
        else:
            result = _arrays.output(out, self.shape, self.dtype, **self.inputs)
        if result.size:
            args = *self.features(), self.scale, *self.products(), profile, alpha, variance, noise
            args += self.symmetric, np.asarray(result)
            bounds = self._tiles(self._cost(), self._height())
            _blocks.fill(self.kernel.fill, bounds, args, workers=self.workers, blas=self.many)
        return result

    def apply(self, profile, alpha, variance, v):
        """The matrix times v."""
        n, width = len(self.features()[0]), v.shape[1]
        if not (n and v.size):
            return np.zeros((n, width), self.dtype)
        args = *self.features(), self.scale, *self.products(), profile, alpha, variance, v
        return _blocks.reduce(
            self.kernel.apply,
            self._tiles(self._cost(width), self._height()),
            (*args, self.symmetric),
            lambda count: np.zeros((count, n, width), self.dtype),
            workers=self.workers,
            blas=True,
        )

    def diagonal(self, profile, alpha, variance, noise):
        """That of the matrix, to the bit."""
        n = min(self.shape)
        diagonal = np.empty(n, self.dtype)
        bounds = [(a, min(a + 64, n)) * 2 for a in range(0, n, 64)]
        if self.many and not self.symmetric:
            # BLAS's rounding depends on the sizes: the tiles of the matrix, as far as they matter
            tiles = self._tiles(self._cost(), self._height())
            bounds = [(i0, i1, j0, j1) for i0, i1, j0, j1 in tiles if i0 < j1 and j0 < i1]
        if n:
            args = self.kernel.fill, *self.features(), self.scale, *self.products()
            args += (profile, alpha, variance, noise, self.symmetric), diagonal
            _blocks.fill(_diagonal, bounds, args, workers=self.workers, blas=self.many)
        return diagonal

    def pull(self, profile, alpha, variance, cotangent, length_scale):
        """The gradients with respect to length_scale, variance and rq_alpha."""
        sums = np.zeros(len(self.scale) + 2)
        if cotangent.size:
            args = *self.features(), self.scale, profile, alpha, cotangent, self.symmetric
            sums = _blocks.reduce(
                self.kernel.pull,
                self._tiles(self._slope_cost()),
                args,
                lambda count: np.zeros((count, len(sums))),
                workers=self.workers,
            )
        gradients = {"variance": float(sums[-2]), "rq_alpha": float(variance * sums[-1])}
        if length_scale is not None:
            # q moves with the scale s = 1 / length_scale by 2 / s of its part
            d = self.projection.shape[0]
            gradient = -2 * variance * sums[:d] * self.scale[:d]
            if np.size(length_scale) == 1:
                gradient = gradient.sum(keepdims=True)
            scalar = np.ndim(length_scale) == 0
            gradients["length_scale"] = float(gradient[0]) if scalar else self._cast(gradient)
        return gradients

    def pull_points(self, profile, alpha, variance, cotangent, wrt):
        """The gradients with respect to X, Y, factors and metric."""
        points, features = self.points(), self.features()
        centre = _centre(*points, self.symmetric)
        p, plain = self.projection, self.plain
        gradients, projected = {}, np.zeros(p.shape)
        # with one set k[i, j] and k[j, i] both move with x[i]
        sides = {"X": (True, self.symmetric), "Y": (False, True)}
        for k, (name, which) in enumerate(sides.items()):
            chained = {"factors", "metric"} & set(wrt)
            if name not in wrt and not (chained and (name == "X" or not self.symmetric)):
                continue
            x, y = features[k], features[1 - k]
            gradient = np.zeros_like(x)
            if cotangent.size:
                args = x, y, self.scale, profile, alpha, variance, cotangent, *which, gradient
                cost = self._slope_cost() * len(y)
                _blocks.fill_rows(self.kernel.pull_points, len(x), cost, args, workers=self.workers)
            first, last = gradient[:, :plain], gradient[:, plain : plain + p.shape[1]]
            gradients[name] = self._product(last, p.T)
            if plain:
                gradients[name] += first
            projected += _rows.products(points[k] - centre, last, self.workers)
        gradients["factors"] = self._cast(projected)
        if self.inputs["metric"] is not None:
            # M = P Pᵀ, and for any symmetric S the gradient S of M is 2 S P of P
            half = scipy.linalg.solve_triangular(p.T, projected.T, lower=False).T / 2
            gradients["metric"] = self._cast((half + half.T) / 2)
        return gradients

    def _product(self, a, b):
        """a @ b, the same bits for any number of workers."""
        product = np.zeros((len(a), b.shape[1]), self.dtype)
        if product.size:
            args, cost = (a, b, product), b.size / 10
            _blocks.fill_rows(_multiply, len(a), cost, args, workers=self.workers, blas=True)
        return product

    def _cast(self, array):
        return array.astype(self.dtype)


def _multiply(start, stop, a, b, product):
    np.matmul(a[start:stop], b, out=product[start:stop])


def _diagonal(
    i0, i1, j0, j1, fill, x, y, scale, rows, row_norms, columns, column_norms, profile, diagonal
):
    """What a tile of the matrix holds of the diagonal."""
    tile = np.empty((i1 - i0, j1 - j0), diagonal.dtype)
    products = rows[i0:i1], row_norms[i0:i1], columns[j0:j1], column_norms[j0:j1]
    fill(0, i1 - i0, 0, j1 - j0, x[i0:i1], y[j0:j1], scale, *products, *profile, tile)
    a, b = max(i0, j0), min(i1, j1)
    diagonal[a:b] = tile[a - i0 : b - i0, a - j0 : b - j0].diagonal()


def _metric(dtype, d, length_scale, factors, metric):
    """How many features are the coordinates themselves, the scale of each feature, and the
    projection (D, R) that makes the last of them."""
    if metric is not None:
        if length_scale is not None or factors is not None:
            other = "factors" if length_scale is None else "length_scale"
            raise ValueError(f"metric must come without length_scale and factors, got {other} too")
        projection = _cholesky(_arrays.real("metric", metric, 2), d)
        _arrays.in_range("the Cholesky factor of metric", projection, dtype)
        return 0, np.ones(d, dtype), projection.astype(dtype)
    scale = np.ones(d, dtype) if length_scale is None else _inverse(dtype, d, length_scale)
    if factors is None:
        return d, scale, np.empty((d, 0), dtype)
    factors = _arrays.real("factors", factors, 2)
    _arrays.in_range("factors", factors, dtype)
    projection = _arrays.ready(factors, dtype)
    if len(projection) != d:
        raise ValueError(
            f"factors must have one row for each of the {d} columns of X, "
            f"got shape {projection.shape}"
        )
    if length_scale is None:
        scale = scale[:0]
    return len(scale), np.append(scale, np.ones(projection.shape[1], dtype)), projection


def _inverse(dtype, d, length_scale):
    length_scale = _arrays.real("length_scale", length_scale)
    if length_scale.shape not in ((), (1,), (d,)):
        raise ValueError(
            f"length_scale must be a scalar or have shape ({d},), one for each column of X, "
            f"got shape {length_scale.shape}"
        )
    if not (length_scale > 0).all():
        raise ValueError(f"length_scale must be positive, got {length_scale}")
    with np.errstate(over="ignore"):
        inverse = (1 / length_scale.astype(np.float64)).astype(dtype)
    inverse = np.full(d, inverse) if inverse.size == 1 else inverse
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


def _centre(x, y, symmetric):
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
        return centre.astype(x.dtype)
