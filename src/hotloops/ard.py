"""ARD kernels: quadratic forms, covariance matrices, their gradients and products."""

import copy
import functools

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from . import _arrays, _rows, _run
from ._run import Call, HostStep, Output, Step, run, tiles
from .kernels.ard import MATERN12, MATERN32, MATERN52, NOWHERE, QUADFORM, RQ, SE

_KINDS = {
    "se": SE,
    "matern12": MATERN12,
    "matern32": MATERN32,
    "matern52": MATERN52,
    "rq": RQ,
}
_NO_PRODUCTS = {
    np.dtype(number): {
        name: np.empty((0,) * ndim, number)
        for name, ndim in {"rows": 2, "row_norms": 1, "columns": 2, "column_norms": 1}.items()
    }
    for number in (np.float32, np.float64)
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
    pairs = _Pairs(X, Y, length_scale, factors, metric)
    return run(pairs.fill(QUADFORM, 1.0, 1.0, 0.0), backend, workers, out=out, **pairs.given)


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
    pairs = _Pairs(X, Y, length_scale, factors, metric)
    profile = _profile(kind, rq_alpha, variance, noise_variance, pairs)
    return run(pairs.fill(*profile), backend, workers, out=out, **pairs.given)


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
    pairs = _Pairs(X, Y, length_scale, factors, metric)
    profile, alpha, variance, _ = _profile(kind, rq_alpha, variance, noise_variance, pairs)
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
        sums = run(pairs.pull(profile, alpha, cotangent), *kept)
        gradients |= pairs.by_parameters(sums, variance)
    if {"X", "Y", "factors", "metric"} & set(wrt):
        gradients |= pairs.pull_points(profile, alpha, variance, cotangent, wrt, *kept)
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
    if noise and not pairs.one:
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
        self._pairs = _Pairs(X, Y, length_scale, factors, metric)
        self._profile = _profile(kind, rq_alpha, variance, noise_variance, self._pairs)
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


class _Pairs:
    """Two sets of points and a metric, and the calls that they are the arrays of.

    `features` and `products` are named arrays; those that are not there yet are outputs, which the
    steps of the same name (`projecting`, `normalising`) write.
    """

    def __init__(self, X, Y, length_scale, factors, metric):
        x = _arrays.real("X", X, 2)
        y = x if Y is None else _arrays.real("Y", Y, 2)
        if x.shape[1] != y.shape[1]:
            raise ValueError(
                f"X and Y must have the same number of columns, got shapes {x.shape} and {y.shape}"
            )
        self.given = {"X": x, "Y": None if Y is None else y, "length_scale": length_scale,
                      "factors": factors, "metric": metric}  # fmt: skip
        self.shape = len(x), len(y)
        self.one = Y is None
        self.dtype = dtype = _arrays.common_dtype(x, y)
        self.plain, scale, self.projection = _metric(
            dtype, x.shape[1], length_scale, factors, metric
        )
        x = _arrays.ready(x, dtype)
        y = x if self.one else _arrays.ready(y, dtype)
        self.points, self.scale = (x, y), scale
        self.features = {"x": x, "y": y, "scale": scale}
        self.projecting = self.normalising = ()
        self.same = {}  # names of the second set that are other names of the first's
        d, r = self.projection.shape
        if r or self.plain < d:
            self._project()
        if not len(scale):  # no features are as one that is the same for all
            self.projecting, self.same = (), {}
            x, y = (np.zeros((length, 1), dtype) for length in self.shape)
            self.scale = np.ones(1, dtype)
            self.features = {"x": x, "y": y, "scale": self.scale}
        self.many = min(len(self.scale), *self.shape) >= _MANY
        self.products = _NO_PRODUCTS[dtype]
        if self.many:
            self._normalise()

    def _sets(self):
        """(number of points, names of their arrays) of the two sets, or of the only one."""
        names = ("points", "x", "rows", "row_norms"), ("others", "y", "columns", "column_norms")
        return list(zip(self.shape, names, strict=True))[: 1 if self.one else 2]

    def _project(self):
        """Features that are made of the points."""
        (x, y), width = self.points, len(self.scale)
        d, r = self.projection.shape
        sets = self._sets()
        centre = Output((d,), self.dtype)
        self.features |= {"points": x, "others": y, "centre": centre, "plain": self.plain,
                          "projection": self.projection}  # fmt: skip
        steps = [HostStep(_centre, [points for _, (points, *_) in sets], ["centre"])]
        for n, (points, features, *_) in sets:
            self.features[features] = Output((n, width), self.dtype)
            cost = 2 * d * (1 + r)
            steps.append(
                Step("prepare", tiles.rows(n, cost), n * cost, x=points, features=features)
            )
        self.projecting = steps
        if self.one:
            del self.features["y"]
            self.same["y"] = "x"

    def _normalise(self):
        """The scaled features less their centre, and their norms: rows of the one set and columns
        of the other."""
        width, sets = len(self.scale), self._sets()
        self.products = {"middle": Output((width,), self.dtype)}
        steps = [HostStep(_centre, [features for _, (_, features, *_) in sets], ["middle"])]
        for n, (_, features, rows, norms) in sets:
            self.products |= {
                rows: Output((n, width), self.dtype), norms: Output((n,), self.dtype)
            }  # fmt: skip
            names = {"x": features, "centre": "middle", "rows": rows, "norms": norms}
            steps.append(Step("prepare_products", tiles.rows(n, width), n * width, **names))
        self.normalising = steps
        if self.one:
            self.same |= {"columns": "rows", "column_norms": "row_norms"}

    def keep_features(self, backend, workers):
        """Have features that later calls need not make."""
        if self.projecting:
            self.features = self._kept(self.features, self.projecting, backend, workers)
            self.features.setdefault("y", self.features["x"])
            self.projecting = ()

    def keep(self, backend, workers):
        """Have the arrays of later calls as they are now, whatever happens to the points."""
        if self.projecting:
            self.keep_features(backend, workers)
        else:
            x = np.array(self.features["x"])
            y = x if self.one else np.array(self.features["y"])
            self.features |= {"x": x, "y": y}
        if self.normalising:
            arrays = self.features | self.products
            kept = self._kept(arrays, self.normalising, backend, workers)
            self.products = {"rows": kept["rows"], "row_norms": kept["row_norms"]}
            for name, first in ("columns", "rows"), ("column_norms", "row_norms"):
                self.products[name] = kept.get(name, self.products[first])
            self.normalising = ()
        self.features = {name: self.features[name] for name in ("x", "y", "scale")}
        self.given, self.points, self.same = {}, (), {}

    def _kept(self, arrays, steps, backend, workers):
        """The arrays, with those that the steps write."""
        names = [name for name, value in arrays.items() if type(value) is Output]
        results = run(Call("ard", self.dtype, arrays, steps, names), backend, workers)
        return arrays | dict(zip(names, results, strict=True))

    def transposed(self):
        """The same with the two sets exchanged, after `keep`."""
        if self.one:
            return self
        other = copy.copy(self)
        other.shape = self.shape[::-1]
        (x, y, scale), products = self.features.values(), self.products
        other.features = {"x": y, "y": x, "scale": scale}
        exchanged = {"rows": "columns", "row_norms": "column_norms"}
        exchanged |= {name: first for first, name in exchanged.items()}
        other.products = {name: products[exchanged[name]] for name in products}
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
        if tiles.is_short(n * m * cost):
            return [(0, n, 0, m)]
        if self.one:
            side = max(min(n, height), tiles.square(n, cost, 128))
            return tiles.grid(self.shape, (side, side), upper=True)
        width = min(m, max(512, min(4096, int(6e6 / (height * cost)))))
        return tiles.grid(self.shape, (max(height, tiles.split(n, cost * width)), width))

    def _height(self):
        """Rows for which a matrix product is worth its preparation."""
        return 1 if not self.many else 128 if len(self.scale) < 128 else 512

    def _terms(self):
        """Of the products that pairs are made from, if they are."""
        return len(self.scale) if self.many else 0

    def _mirrored(self, bounds):
        """Tiles that say whether they stand for their mirror image too."""
        return [(*tile, self.one and tile[0] != tile[2]) for tile in bounds]

    def _call(self, block, bounds, cost, arrays, out, terms=0):
        """The call of a block over the pairs. `terms`: of the matrix products of a tile's size."""
        if terms:
            i0, i1, j0, j1, *_ = bounds[0]
            terms *= (i1 - i0) * (j1 - j0)
        n, m = self.shape
        step = Step(block, bounds, n * m * cost, terms, **self.same)
        arrays = {**self.features, **self.products, **arrays, "out": out}
        return Call("ard", self.dtype, arrays, [*self.projecting, *self.normalising, step])

    def fill(self, profile, alpha, variance, noise):
        """The matrix of the pairs."""
        cost = self._cost()
        bounds = self._tiles(cost, self._height())
        if self.one:
            bounds = [(i0, i1, j0, j1, i0 - j0, i0 != j0) for i0, i1, j0, j1 in bounds]
        else:
            bounds = [(*tile, NOWHERE, False) for tile in bounds]
        numbers = {"profile": profile, "alpha": alpha, "variance": variance, "noise": noise}
        out = Output(self.shape, self.dtype)
        return self._call("fill", bounds, cost, numbers, out, self._terms())

    def apply(self, profile, alpha, variance, v):
        """The matrix times v."""
        width = v.shape[1]
        cost = self._cost(width)
        bounds = self._mirrored(self._tiles(cost, self._height()))
        arrays = {"profile": profile, "alpha": alpha, "variance": variance, "v": v}
        out = Output((self.shape[0], width), self.dtype)
        return self._call("apply", bounds, cost, arrays, out, max(width, self._terms()))

    def diagonal(self, profile, alpha, variance, noise):
        """That of the matrix, to the bit."""
        n = min(self.shape)
        bounds = [(a, min(a + 64, n)) * 2 for a in range(0, n, 64)]
        if self.many and not self.one:
            # BLAS's rounding depends on the sizes: the tiles of the matrix, as far as they matter
            bounds = self._tiles(self._cost(), self._height())
            bounds = [(i0, i1, j0, j1) for i0, i1, j0, j1 in bounds if i0 < j1 and j0 < i1]
        numbers = {"profile": profile, "alpha": alpha, "variance": variance, "noise": noise}
        out = Output((n,), self.dtype)
        return self._call("fill_diagonal", bounds, self._cost(), numbers, out, self._terms())

    def pull(self, profile, alpha, cotangent):
        """What the gradients with respect to length_scale, variance and rq_alpha are made of."""
        arrays = {**self.features, "profile": profile, "alpha": alpha, "cotangent": cotangent}
        arrays["sums"] = Output((len(self.scale) + 2,), np.dtype(np.float64))
        bounds = self._mirrored(self._tiles(self._slope_cost()))
        step = Step("pull", bounds, cotangent.size * self._slope_cost())
        return Call("ard", self.dtype, arrays, [step], ["sums"])

    def by_parameters(self, sums, variance):
        """The gradients with respect to length_scale, variance and rq_alpha."""
        length_scale = self.given["length_scale"]
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

    def pull_points(self, profile, alpha, variance, cotangent, wrt, *kept):
        """The gradients with respect to X, Y, factors and metric."""
        p, none = self.projection, np.empty((0, 0), self.dtype)
        numbers = {"profile": profile, "alpha": alpha, "variance": variance}
        x, y = self.features["x"], self.features["y"]
        # with one set k[i, j] and k[j, i] both move with x[i]
        sides = {
            "X": {"x": x, "y": y, "straight": cotangent,
                  "transposed": cotangent if self.one else none},
            "Y": {"x": y, "y": x, "straight": none, "transposed": cotangent},
        }  # fmt: skip
        chained = {"factors", "metric"} & set(wrt)
        gradients, projected = {}, np.zeros(p.shape)
        for points, (name, arrays) in zip(self.points, sides.items(), strict=True):
            if name not in wrt and not (chained and (name == "X" or not self.one)):
                continue
            gradients[name], by_features = self._pull_side(arrays | numbers, *kept)
            if chained and p.shape[1]:
                last = by_features[:, self.plain :]
                projected += _rows.products(points - self.features["centre"], last, kept[1])
        gradients["factors"] = self._cast(projected)
        if self.given["metric"] is not None:
            # M = P Pᵀ, and for any symmetric S the gradient S of M is 2 S P of P
            half = scipy.linalg.solve_triangular(p.T, projected.T, lower=False).T / 2
            gradients["metric"] = self._cast((half + half.T) / 2)
        return gradients

    def _pull_side(self, arrays, *kept):
        """The gradients with respect to the points of one set, and to its features."""
        n, m, (d, r) = len(arrays["x"]), len(arrays["y"]), self.projection.shape
        arrays |= {"scale": self.scale, "gradient": Output((n, len(self.scale)), self.dtype)}
        cost = m * self._slope_cost()
        steps = [Step("pull_points", tiles.rows(n, cost), n * cost)]
        if not r:
            gradient = run(Call("ard", self.dtype, arrays, steps, ["gradient"]), *kept)
            return gradient if self.plain else np.zeros((n, d), self.dtype), gradient
        arrays |= {"plain": self.plain, "projection": self.projection,
                   "points": Output((n, d), self.dtype)}  # fmt: skip
        cost = d * r / 10
        bounds = tiles.rows(n, cost)
        steps.append(Step("pull_features", bounds, n * cost, bounds[0][1] * d * r))
        return run(Call("ard", self.dtype, arrays, steps, ["points", "gradient"]), *kept)

    def _cast(self, array):
        return array.astype(self.dtype)


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
    scale, none = _no_metric(dtype, d)
    if length_scale is not None:
        scale = _inverse(dtype, d, length_scale)
    if factors is None:
        return d, scale, none
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


@functools.lru_cache(maxsize=64)
def _no_metric(dtype, d):
    """The scale of features that have none, and a projection to none."""
    return _arrays.read_only(np.ones(d, dtype)), np.empty((d, 0), dtype)


def _inverse(dtype, d, length_scale):
    length_scale = _arrays.real("length_scale", length_scale)
    if length_scale.shape not in ((), (1,), (d,)):
        raise ValueError(
            f"length_scale must be a scalar or have shape ({d},), one for each column of X, "
            f"got shape {length_scale.shape}"
        )
    # most are told in a glance to be positive, with an inverse that every dtype has
    if all(1e-30 < value < 1e30 for value in length_scale.reshape(-1).tolist()):
        inverse = 1 / length_scale.astype(np.float64, copy=False)
        return np.full(d, inverse, dtype) if inverse.size == 1 else inverse.astype(dtype)
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


def _centre(*points_and_centre):
    """centre = the mean of the finite rows of one or two sets of points."""
    *points, result = points_and_centre
    with np.errstate(all="ignore"):
        # a third of sum's overhead
        sums = [np.einsum("nd->d", p, dtype=np.float64) for p in points]
        centre = sum(sums) / sum(map(len, points))
        if not np.isfinite(centre).all():
            rows = [p[np.isfinite(p).all(axis=1)] for p in points]
            count = max(1, sum(map(len, rows)))
            centre = sum((r / count).sum(axis=0, dtype=np.float64) for r in rows)
        result[...] = centre
