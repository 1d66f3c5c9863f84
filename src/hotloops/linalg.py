"""Linear algebra that people write by hand, each in one call, stable and fused where it pays."""

import collections
import dataclasses
import math

import numpy as np
import scipy.linalg

from . import _arrays, _feature_names, _rows
from ._run import Call, Output, Step, number_of_workers, run
from ._run.tiles import grid, is_short, rows, split
from ._warnings import warn
from .ard import quadform
from .kernels.linalg import IDENTITY, RELU, ROWS, SIGMOID, SOFTMAX, STRIPE, TANH, TILE
from .lstsq import Differences, LeastSquares, rank_tolerance

__all__ = [
    "ConditionReport",
    "LinearModel",
    "PrincipalComponents",
    "condition_report",
    "covariance",
    "distances",
    "linear_regression",
    "low_rank",
    "mlp_forward",
    "normalize_rows",
    "pca",
    "projection",
    "ridge_regression",
    "safe_solve",
    "softmax",
    "whiten",
]

_ACTIVATIONS = {
    "identity": IDENTITY,
    "relu": RELU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
    "softmax": SOFTMAX,
}
_FLOP = 0.02  # ns a multiplication in a matrix product
_FEW = 64  # rows of a batch below which unpacking the weights takes longer than using them


# --- rows -----------------------------------------------------------------------------------


def distances(X, Y=None, *, squared=False, out=None, backend=None, workers=None):
    """Euclidean distances of all pairs of rows.

    .. math:: d_{ij} = |x_i - y_j|_2

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, an exactly symmetric result, and 0 on the diagonal.
    squared : bool
        d² in place of d.
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
    TypeError, ValueError
        As `quadform`.

    Notes
    -----
    It is `quadform` and a square root: differences are taken before they are squared, and where a
    matrix product is faster, those pairs for which |x|² + |y|² − 2xy cancels are made anew. That
    formula by itself gives distances of 1e-8 |x| between equal rows, and NaN where rounding makes
    the square negative. Accuracy: a few D ulps at any offset of the data. Where the square lies
    beyond the dtype's range the result is inf, and where below it 0.

    Cost and memory: as `quadform`, and one pass over the result.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.distances([[0.0, 0.0], [3.0, 4.0]])
    array([[0., 5.],
           [5., 0.]])
    """
    q = quadform(X, Y, out=out, backend=backend, workers=workers)
    if squared:
        return q
    call = Call(
        "linalg",
        q.dtype,
        {"q": Output(q.shape, q.dtype, (q.size,))},
        [Step("root", rows(q.size, 0.5))],
        returns=("q",),
    )
    return run(call, backend, workers, out=q)


def softmax(X, axis=-1, *, out=None, backend=None, workers=None):
    """Exponentials of the entries over their sum, along one axis or several.

    .. math:: p_j = \\frac{\\exp(x_j - \\max x)}{\\sum_k \\exp(x_k - \\max x)}

    Parameters
    ----------
    X : array_like
    axis : int, tuple of ints, or None
        The axis or axes along which the result adds up to 1; None is all of them, SciPy's default.
    out : ndarray of the shape of X, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray of the shape of X, or number
        float32 if X is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real, an axis that is not an integer.
    ValueError
        For an axis that X does not have, or named twice, an unfit `out`.

    Notes
    -----
    Accuracy: each value within a few ulps, however far below the largest, through the subnormals
    to 0: the rounding of x − max x is carried along. Nothing overflows. −inf gives 0; NaN, inf, or
    nothing but −inf give NaN along their whole line, as in NumPy.

    Cost: one pass over X and one over the result, a row staying in the cache in between. Memory:
    the result, and of an X that is not C-contiguous a copy; over several axes the result once more.

    Source: Blanchard, Higham & Higham, IMA J. Numer. Anal. 41 (2021) 2311.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.softmax([1000.0, 1000.0, -1000.0])
    array([0.5, 0.5, 0. ])
    """
    x = _arrays.real("X", X)
    if axis is None or isinstance(axis, tuple) or not x.ndim:
        return _softmax_over(_arrays.axes("axis", axis, x.ndim), x, out, backend, workers)
    axis = _arrays.integer("axis", axis, minimum=-x.ndim, maximum=x.ndim - 1) % x.ndim
    shape = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    outer, m, inner = shape
    if inner == 1:
        shape, step = (outer, m), Step("softmax", rows(outer, 20 + 0.7 * m))
    else:
        height = split(outer, m * inner)
        width = inner if height > 1 else -(-split(inner, m) // 64) * 64
        step = Step("softmax_across", grid((outer, inner), (height, width)))
    arrays = {"x": x.reshape(shape), "out": Output(x.shape, x.dtype, shape)}
    return run(Call("linalg", x.dtype, arrays, [step]), backend, workers, out=out, X=x)


def _softmax_over(axes, x, out, backend, workers):
    """`softmax` over any number of axes, made one."""
    result = _arrays.output(out, x.shape, x.dtype, X=x)
    others = [k for k in range(x.ndim) if k not in axes]
    order = [*others, *axes] if x.ndim else []
    moved = x.transpose(order)
    lines = moved.reshape(
        math.prod(x.shape[k] for k in others), math.prod(moved.shape[len(others) :])
    )
    lines = softmax(lines, backend=backend, workers=workers)
    result.transpose(order)[...] = lines.reshape(moved.shape)
    return result if result.ndim or out is not None else result[()]


def normalize_rows(X, *, out=None, backend=None, workers=None):
    """Rows of length 1 in the directions of those given.

    .. math:: y_i = x_i / |x_i|_2, \\quad 0 \\text{ for } 0

    Parameters
    ----------
    X : array_like, shape (..., D)
    out : ndarray of the shape of X, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray of the shape of X
        float32 if X is, else float64. Rows of zeros stay what they are.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For a number in place of rows, an unfit `out`.

    Notes
    -----
    Accuracy: a few ulps, for rows of any length that is not 0: where squares would overflow or
    vanish the row is scaled first. A row with NaN is NaN; beside inf, finite entries become 0 and
    inf NaN, as inf / inf.

    Cost: one pass over X and the result. Memory: the result; of an X that is not C-contiguous a
    copy.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.normalize_rows([[3e200, 4e200], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = _real("X", X, 1)
    shape = n, d = math.prod(x.shape[:-1]), x.shape[-1]
    call = Call(
        "linalg",
        x.dtype,
        {"x": x.reshape(shape), "out": Output(x.shape, x.dtype, shape)},
        [Step("normalize_rows", rows(n, 20 + 0.5 * d))],
    )
    return run(call, backend, workers, out=out, X=x)


def _real(name, value, ndim):
    """`value` as a real array of `ndim` dimensions or more."""
    array = _arrays.real(name, value)
    if array.ndim < ndim:
        raise ValueError(f"{name} must have at least {ndim} dimension(s), got shape {array.shape}")
    return array


def covariance(X, *, ddof=1, out=None, backend=None, workers=None):
    """Covariance matrices of the columns.

    .. math:: C = \\frac{1}{n - \\mathrm{ddof}} \\sum_i (x_i - \\bar x)(x_i - \\bar x)^T

    Parameters
    ----------
    X : array_like, shape (..., n_samples, n_features)
        Each of the leading indices has a covariance of its own. `np.cov` takes one, and without
        ``rowvar=False`` its variables are the rows.
    ddof : int
        Degrees of freedom that the mean takes, not negative: 1 for the unbiased estimate, 0 for
        that of maximal likelihood.
    out : ndarray, shape (..., n_features, n_features), optional
        Where to put the result.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray, shape (..., n_features, n_features)
        Exactly symmetric. float32 if X is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real, a ddof that is not an integer.
    ValueError
        For fewer than two dimensions, no more samples than ddof, an unfit `out`.

    Notes
    -----
    X is not copied: tiles of it are centred on their own mean as they are multiplied, and the
    scatter of those means is added. Accuracy: that of sums of n products of exact deviations, at
    any offset of the data; float32 in sums of 256, which are added up in float64. NaN and inf make
    the rows and columns of their features NaN, and sums of squares beyond the dtype's range inf or
    NaN.

    Cost: n_samples n_features² multiplications. Memory: the result and, for large matrices, up to
    8 partial sums in float64 and n_samples / 256 means.

    Source: Chan, Golub & LeVeque, The American Statistician 37 (1983) 242.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.covariance([[1e9 + 1, 0.0], [1e9 + 2, 2.0], [1e9 + 3, 4.0]])
    array([[1., 2.],
           [2., 4.]])
    """
    x = _real("X", X, 2)
    ddof = _arrays.integer("ddof", ddof)
    *batch, n, d = x.shape
    if n <= ddof:
        raise ValueError(f"X must have more than ddof={ddof} samples, got shape {x.shape}")
    items, shape = math.prod(batch), (*batch, d, d)
    data = x.reshape(items, n, d)
    cost = 500 + n * d * (1 + _FLOP * d)
    if n > TILE and not is_short(cost if items == 1 else cost / 50):
        result = _arrays.output(out, shape, x.dtype, X=x)
        for item, matrix in zip(data, np.asarray(result).reshape(items, d, d), strict=True):
            run(_by_tiles(item, ddof, cost / n), backend, workers, out=matrix)
        return result
    call = Call(
        "linalg",
        x.dtype,
        {"x": data, "freedom": float(n - ddof), "out": Output(shape, x.dtype, (items, d, d))},
        [Step("covariances", rows(items, cost), multiplications=_stripe(n, d))],
    )
    return run(call, backend, workers, out=out, X=x)


def _stripe(n, d):
    """Multiplications of the products that a scatter of so many rows is made of."""
    return min(STRIPE, d) * d * min(TILE, n)


def _by_tiles(x, ddof, cost):
    """The covariance of rows that take `cost` ns each: within tiles of them, and between."""
    n, d = x.shape
    tiles = -(-n // TILE)
    row = d * (2 + _FLOP * tiles)
    return Call(
        "linalg",
        x.dtype,
        {
            "x": x,
            "n": n,
            "freedom": float(n - ddof),
            "means": Output((tiles, d), np.float64),
            "total": Output((d, d), np.float64),
            "out": Output((d, d), x.dtype),
        },
        [
            Step("scatter", rows(tiles, TILE * cost), multiplications=_stripe(n, d)),
            Step("centre", [()], tiles * d),
            Step("join", rows(d, row), d * row, STRIPE * d * tiles),
        ],
    )


def mlp_forward(
    X,
    weights,
    biases,
    *,
    activation="relu",
    output_activation="softmax",
    out=None,
    backend=None,
    workers=None,
):
    """The output of a multilayer perceptron.

    .. math:: a_0 = x, \\quad a_{l+1} = f(a_l W_l + b_l)

    f is `activation`, and `output_activation` after the last layer.

    Parameters
    ----------
    X : array_like, shape (..., n_0)
    weights : sequence of L array_like, shapes (n_0, n_1), (n_1, n_2), …, (n_{L−1}, n_L)
        Inputs by outputs, as in scikit-learn and Keras; `torch.nn.Linear` has the transpose.
    biases : sequence of L array_like, shapes (n_1,), …, (n_L,)
    activation, output_activation : {"relu", "tanh", "sigmoid", "identity", "softmax"}
    out : ndarray, shape (..., n_L), optional
        Where to put the result.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray, shape (..., n_L)
        float32 if all the arrays are, else float64.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For shapes that do not meet, no layer, an unknown activation, an unfit `out`.

    Notes
    -----
    768 rows at a time go through all layers, each a matrix product whose bias and activation are
    added while it is in the cache. Accuracy: that of the products; tanh, sigmoid and softmax
    within a few ulps, without overflow. NaN travels.

    Cost: Σ n_l n_{l+1} multiplications a row. Memory: the result, a copy of the weights, and of an
    X that is not C-contiguous; for each worker 1536 rows of the widest layer.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.mlp_forward(
    ...     [[1.0, -2.0]], [[[1.0, 1.0], [1.0, 0.0]], [[2.0], [3.0]]], [[0.0, 0.5], [1.0]],
    ...     output_activation="identity",
    ... )
    array([[5.5]])
    """
    x = _real("X", X, 1)
    layers = _layers(x, weights, biases)
    hidden = _ACTIVATIONS[_arrays.choice("activation", activation, _ACTIVATIONS)]
    final = _ACTIVATIONS[_arrays.choice("output_activation", output_activation, _ACTIVATIONS)]
    dtype = _arrays.common_dtype(x, *layers)
    widths = np.array([x.shape[-1], *map(len, layers[1::2])], np.int64)
    inputs = {f"{'biases' if k % 2 else 'weights'}[{k // 2}]": a for k, a in enumerate(layers)}
    n, width = math.prod(x.shape[:-1]), int(widths[-1])
    sizes = widths[:-1] * widths[1:]
    step = _rows_together(n, 100 + _FLOP * int(sizes.sum()) + 2 * int(widths[1:].sum()))
    call = Call(
        "linalg",
        dtype,
        {
            "x": _arrays.ready(x, dtype).reshape(n, x.shape[-1]),
            "parameters": np.concatenate([layer.ravel() for layer in layers], dtype=dtype),
            "widths": widths,
            "activation": hidden,
            "output_activation": final,
            "out": Output((*x.shape[:-1], width), dtype, (n, width)),
        },
        [
            Step(
                "forward",
                grid((n,), (step,)),
                multiplications=int(sizes.max()) * min(step, ROWS),
            )
        ],
    )
    return run(call, backend, workers, out=out, X=x, **inputs)


def _rows_together(n, cost):
    """Rows of a block: few blocks, as each has its BLAS unpack the weights."""
    step = split(n, cost)
    if step > ROWS:
        return -(-step // ROWS) * ROWS
    return step if step == n else max(_FEW, min(ROWS, -(-n // 6)))


def _layers(x, weights, biases):
    """[weights[0], biases[0], weights[1], …] after their checks."""
    for name, value in (("weights", weights), ("biases", biases)):
        if isinstance(value, str) or not np.iterable(value):
            raise TypeError(f"{name} must be a sequence of arrays, got {value!r:.40}")
    weights, biases = list(weights), list(biases)
    if not weights or len(weights) != len(biases):
        raise ValueError(
            f"weights and biases must have one array for each layer, and one layer at least, "
            f"got {len(weights)} and {len(biases)}"
        )
    layers, width = [], x.shape[-1]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        w, b = _arrays.real(f"weights[{k}]", w, 2), _arrays.real(f"biases[{k}]", b, 1)
        if w.shape[0] != width:
            raise ValueError(
                f"weights[{k}] must have {width} row(s), one for each column that comes in, "
                f"got shape {w.shape}"
            )
        width = w.shape[1]
        if len(b) != width:
            raise ValueError(
                f"biases[{k}] must have {width} element(s), one for each column of weights[{k}], "
                f"got {len(b)}"
            )
        layers += w, b
    return layers


# --- principal components -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrincipalComponents:
    """What `pca` and `whiten` return: a linear map of centred rows, and its way back.

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

    components_: np.ndarray
    explained_variance_: np.ndarray
    explained_variance_ratio_: np.ndarray
    mean_: np.ndarray
    _forward: np.ndarray  # (D, width)
    _backward: np.ndarray  # (width, D)

    def transform(self, X):
        """(X − mean) times the map, for rows X (..., D)."""
        _feature_names.check(self, X)
        return (self._rows(X, len(self._forward)) - self.mean_) @ self._forward

    def inverse_transform(self, Z):
        """The rows that `transform` would make Z (..., width) of: those closest to the mean."""
        return self._rows(Z, len(self._backward), "Z") @ self._backward + self.mean_

    def _rows(self, X, width, name="X"):
        x = _arrays.real(name, X)
        if not x.ndim or x.shape[-1] != width:
            raise ValueError(f"{name} must have {width} column(s), got shape {x.shape}")
        return x

    def __repr__(self):
        k, d = self.components_.shape
        share = self.explained_variance_ratio_.sum()
        return f"<PrincipalComponents: {k} of {d}, {share:.1%} of the variance>"


def pca(X, n_components=None):
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

    Cost: 2 N D² operations of LAPACK, on the threads of its BLAS. Memory: a centred copy of X.

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


def whiten(X, *, method="zca", n_components=None, eps=0.0):
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
        forward, backward = forward @ vectors, vectors.T @ backward
    found = _components(vectors, deviations, mean, forward, backward)
    return _feature_names.keep(found, names)


def _number_of_components(value, most):
    """`value` as an int from 1 to `most`, the default, or a share of the variance."""
    if value is None:
        return most
    share = isinstance(value, float | np.floating)
    if share and 0 < value < 1:
        return float(value)
    if share or isinstance(value, str):
        raise ValueError(
            f"n_components must be an integer, or a share of the variance between 0 and 1, "
            f"got {value!r}"
        )
    return _arrays.integer("n_components", value, minimum=1, maximum=most)


def _samples(X):
    x = _arrays.real("X", X, 2)
    if len(x) < 2 or not x.shape[1]:
        raise ValueError(f"X must have at least 2 rows and 1 column, got shape {x.shape}")
    return _finite("X", x)


def _finite(name, array):
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or inf")
    return array


def _centred(x):
    """x less its mean, and the mean in double precision: once more for what its rounding leaves."""
    mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    deviations = np.subtract(x, mean, order="F")  # LAPACK overwrites it: no copy
    rest = deviations.mean(axis=0, dtype=np.float64).astype(x.dtype)
    deviations -= rest
    return deviations, mean + rest.astype(np.float64)


def _principal(x, k):
    """The first k right singular vectors of the centred data as rows, or those of a share k of the
    variance, the standard deviations of D components, and the mean."""
    n, d = x.shape
    if _rows.are_many(n, d):
        workers = number_of_workers()
        mean = _rows.sums(x, (), workers) / n
        rest = _rows.sums(x, (mean,), workers) / n
        r = _rows.triangular(x, workers, less=(mean, rest))
        mean = mean + rest
    else:
        r, mean = _centred(x)
        if n > d:
            _, r = scipy.linalg.qr(r, overwrite_a=True, mode="raw", check_finite=False)
    share = k if isinstance(k, float) else None
    if share is not None:
        k = min(n, d)
    _, singular, vectors = scipy.linalg.svd(
        r, full_matrices=k > min(n, d), overwrite_a=True, check_finite=False
    )
    if share is not None:
        k = _enough(singular, share)
    vectors = vectors[:k]
    largest = np.abs(vectors).argmax(axis=1)
    vectors *= np.sign(vectors[range(k), largest])[:, None]
    deviations = np.zeros(d, x.dtype)
    deviations[: len(singular)] = singular / singular.dtype.type(math.sqrt(n - 1))
    return vectors.astype(x.dtype, copy=False), deviations, mean.astype(x.dtype)


def _enough(singular, share):
    """How many of the largest singular values have more than a share of the sum of squares."""
    largest = float(singular[0])
    if not largest:
        return 1
    sums = np.cumsum((singular.astype(np.float64) / largest) ** 2)
    return 1 + int(np.count_nonzero(sums[:-1] <= share * sums[-1]))


def _components(vectors, deviations, mean, forward, backward):
    k = len(vectors)
    with np.errstate(all="ignore"):
        variances = deviations[:k] ** 2
        shares = (deviations / (deviations[0] or 1)) ** 2
    ratio = shares[:k] / (shares.sum() or 1)
    return PrincipalComponents(vectors, variances, ratio, mean, forward, backward)


# --- matrices -------------------------------------------------------------------------------


def low_rank(A, k):
    """The matrix of rank k that is closest to A, in the 2-norm and in Frobenius'.

    .. math:: A_k = \\sum_{i \\le k} \\sigma_i u_i v_i^T

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Finite.
    k : int
        From 0 to min(m, n).

    Returns
    -------
    ndarray, shape (..., m, n)
        float32 if A is, else float64.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape, an unfit k.

    Notes
    -----
    By `numpy.linalg.svd`; for some components of a huge matrix see `scipy.sparse.linalg.svds`.

    Source: Eckart & Young, Psychometrika 1 (1936) 211.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.low_rank([[3.0, 0.0], [0.0, 1.0]], 1)
    array([[3., 0.],
           [0., 0.]])
    """
    a = _finite("A", _real("A", A, 2))
    k = _arrays.integer("k", k, maximum=min(a.shape[-2:]))
    if not a.size or not k:
        return np.zeros_like(a)
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return (u[..., :k] * s[..., None, :k]) @ vt[..., :k, :]


def projection(A):
    """The orthogonal projection on the space that the columns of A span.

    .. math:: P = U_r U_r^T = A A^+

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Finite, of any rank.

    Returns
    -------
    ndarray, shape (..., m, m)
        Symmetric, P² = P. float32 if A is, else float64.

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape.

    Notes
    -----
    By singular vectors of A with columns scaled to length 1, those above max(10, min(m, n))·eps of
    the largest; A (AᵀA)⁻¹ Aᵀ squares the condition, and fails for dependent columns. To project a
    few vectors b takes no P: ``b - hl.LeastSquares(A).residuals(b)``.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.projection([[1.0], [1.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    a = _finite("A", _real("A", A, 2))
    if not a.size:
        return np.zeros((*a.shape[:-1], a.shape[-2]), a.dtype)
    u, s, _ = np.linalg.svd(
        normalize_rows(a.swapaxes(-1, -2)).swapaxes(-1, -2), full_matrices=False
    )
    u *= (s > s[..., :1] * rank_tolerance(a))[..., None, :]
    return u @ u.swapaxes(-1, -2)


@dataclasses.dataclass(frozen=True)
class ConditionReport:
    """What `condition_report` finds; printed, it is a paragraph.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    condition : float
        σ_max / σ_min of A, inf for a singular matrix.
    scaled_condition : float
        The same with the columns scaled to length 1.
    rank : int
        Singular values of the scaled matrix above max(10, min(m, n))·eps of its largest.
    digits_lost : float
        log10 of the condition: decimal digits of a solution that rounding of the input may cost.
    digits : float
        Decimal digits of the dtype, 15.7 or 6.9.
    advice : str
    """

    shape: tuple
    dtype: np.dtype
    condition: float
    scaled_condition: float
    rank: int
    digits_lost: float
    digits: float
    advice: str

    def __repr__(self):
        return (
            f"{' × '.join(map(str, self.shape))}, {self.dtype}, rank {self.rank}\n"
            f"condition {self.condition:.3g}, "
            f"with columns of length 1 {self.scaled_condition:.3g}\n"
            f"digits lost {self.digits_lost:.1f} of {self.digits:.1f}\n"
            f"{self.advice}"
        )


def condition_report(A):
    """How many digits solving with A costs, and what to do about it.

    Parameters
    ----------
    A : array_like, shape (m, n)
        Finite, not empty.

    Returns
    -------
    ConditionReport

    Raises
    ------
    TypeError, ValueError
        For an array that is not real, not finite or not of this shape.

    Notes
    -----
    The condition is that of the 2-norm, from all singular values; an estimate at a fraction of the
    cost is LAPACK's gecon, which `safe_solve` uses.

    Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, chapter 7.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.condition_report([[1.0, 0.0], [0.0, 1e-9]])
    2 × 2, float64, rank 2
    condition 1e+09, with columns of length 1 1
    digits lost 9.0 of 15.7
    The columns differ in size: in other units, or divided by their lengths, 0.0 digits are lost.
    """
    a = _finite("A", _arrays.real("A", A, 2))
    if not a.size:
        raise ValueError(f"A must not be empty, got shape {a.shape}")
    eps = float(np.finfo(a.dtype).eps)
    plain, scaled = (
        scipy.linalg.svdvals(_rows.short(matrix, number_of_workers()), check_finite=False)
        for matrix in (a, normalize_rows(a.T).T)
    )
    rank = int((scaled > scaled[0] * rank_tolerance(a)).sum())
    condition, scaled_condition = (
        float(s[0]) / float(s[-1]) if s[-1] > 0 else math.inf for s in (plain, scaled)
    )
    digits, lost, after = -math.log10(eps), math.log10(condition), math.log10(scaled_condition)
    if rank < min(a.shape):
        advice = (
            f"Its columns are dependent, or its rows: rank {rank} of {min(a.shape)}. Take the "
            f"solution of least norm (hl.LeastSquares), drop columns, or regularise (its alpha)."
        )
    elif lost < 3:
        advice = "Well conditioned."
    elif after < lost - 1:
        advice = (
            f"The columns differ in size: in other units, or divided by their lengths, "
            f"{after:.1f} digits are lost."
        )
    elif lost < digits / 2:
        advice = f"Some {max(0, digits - lost):.0f} digits are left; AᵀA would lose twice as many."
    else:
        advice = (
            f"Some {max(0, digits - lost):.0f} digits are left. Do not form AᵀA; centre the "
            f"columns, choose a better basis (orthogonal polynomials, say), or regularise. Where A "
            f"and b are exact, hl.LeastSquares with refine=True keeps the solver's rounding out."
        )
    return ConditionReport(
        a.shape, a.dtype, condition, scaled_condition, rank, lost, digits, advice
    )


def safe_solve(A, b, *, max_cond=1e12, on_ill="warn"):
    """Solve A x = b, and say so where the solution means little.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Finite.
    b : array_like, shape (n,) or (n, k)
        Finite.
    max_cond : float
        The condition number, in the 1-norm, beyond which the system is ill-conditioned; 1 / eps of
        the dtype (4.5e15 or 8.4e6) if that is less.
    on_ill : {"warn", "raise"}
        Then a `scipy.linalg.LinAlgWarning`, or a `numpy.linalg.LinAlgError`.

    Returns
    -------
    ndarray of the shape of b
        float32 if A and b are, else float64.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not real, not finite or not of these shapes, an unfit parameter.
    numpy.linalg.LinAlgError
        For a matrix that is singular, to the last bit; with on_ill="raise", ill-conditioned.

    Notes
    -----
    LAPACK's LU decomposition, and its estimate of the condition (gecon), which is rarely more than
    3 times too small. `numpy.linalg.solve` solves in silence up to a pivot that is exactly 0. For
    right-hand sides that come one after the other see `LeastSquares`, for many small systems
    `solve_many`.

    Cost: that of `scipy.linalg.solve`.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.safe_solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5])
    """
    a, right = _arrays.real("A", A, 2), _arrays.real("b", b)
    if a.shape[0] != a.shape[1]:
        raise ValueError(
            f"A must be square, got shape {a.shape}: for least squares see hl.LeastSquares"
        )
    if right.ndim not in (1, 2) or len(right) != len(a):
        raise ValueError(
            f"b must have shape ({len(a)},) or ({len(a)}, k) for A of shape {a.shape}, "
            f"got {right.shape}"
        )
    max_cond = _arrays.scalar("max_cond", max_cond, minimum=1)
    _arrays.choice("on_ill", on_ill, ("warn", "raise"))
    dtype = _arrays.common_dtype(a, right)
    a, right = _finite("A", a.astype(dtype)), _finite("b", right.astype(dtype))
    if not right.size:
        return right
    getrf, getrs, gecon = scipy.linalg.get_lapack_funcs(("getrf", "getrs", "gecon"), (a, right))
    with np.errstate(over="ignore"):
        norm = np.abs(a).sum(axis=0).max()
    lu, pivots, zero = getrf(a)
    if zero:
        raise np.linalg.LinAlgError(
            f"A is singular: pivot {zero} of {len(a)} is 0. hl.LeastSquares(A).solve(b) is the "
            f"least-squares solution of least norm; see hl.linalg.condition_report(A)"
        )
    reciprocal, _ = gecon(lu, norm)
    limit = min(max_cond, 1 / float(np.finfo(dtype).eps))
    if reciprocal * limit < 1:
        condition = f"about {1 / reciprocal:.1e}" if reciprocal > 0 else "beyond all numbers"
        message = (
            f"A is ill-conditioned: its condition number is {condition}, above {limit:.1e}. "
            f"See hl.linalg.condition_report(A)"
        )
        if on_ill == "raise":
            raise np.linalg.LinAlgError(message)
        warn(message, scipy.linalg.LinAlgWarning)
    return getrs(lu, pivots, right)[0]


# --- regression -----------------------------------------------------------------------------


class LinearModel(collections.namedtuple("LinearModel", ("coef", "intercept"))):
    """What `linear_regression` and `ridge_regression` return: a pair, and what it predicts.

    Attributes
    ----------
    coef : ndarray, shape (d,) or (d, t)
    intercept : number or ndarray, shape (t,)
    feature_names_in_ : ndarray of str, shape (d,)
        The names of X's columns, if all have names that are strings. `predict` refuses a frame
        whose columns are others, or in another order; for a frame without such names, or after a
        fit without, it warns.

    Examples
    --------
    >>> import hotloops as hl
    >>> model = hl.linalg.linear_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.predict([[3.0]]).round(12)
    array([7.])
    """

    def predict(self, X):
        """X @ coef + intercept, for rows X (..., d)."""
        _feature_names.check(self, X)
        x, d = _real("X", X, 1), len(self.coef)
        if x.shape[-1] != d:
            raise ValueError(f"X must have {d} column(s), got shape {x.shape}")
        return x @ self.coef + self.intercept


def linear_regression(X, y):
    """Ordinary least squares with an intercept.

    .. math:: \\min_{w, c} \\sum_i |y_i - x_i w - c|^2

    Parameters
    ----------
    X : array_like, shape (n, d)
        Finite, without a column of ones.
    y : array_like, shape (n,) or (n, t)
        Finite.

    Returns
    -------
    LinearModel
        The pair (coef, intercept), whose `predict(X)` is ``X @ coef + intercept``. coef is an
        ndarray of shape (d,) or (d, t): of the w that fit equally well that of least norm;
        intercept is a number, or an ndarray of shape (t,). float32 if X and y are, else float64.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not real, not finite or not of these shapes.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        Where more than one w fits best: X has columns that are dependent, or constant but for
        rounding, or n ≤ d. It names the rank of the centred X.

    Notes
    -----
    X and y are centred first, as the intercept then follows, and an offset of the data does not
    spoil the condition. The rest is `LeastSquares`, which has weights, covariances and leverages
    too: the units of X's columns do not matter to the rank, and their offsets do, as they would
    beside a column of ones: what is left of a dependence is below 4 eps of the mean.

    Cost and memory: as `LeastSquares`, and a centred copy of X and y.

    Source: Björck, *Numerical Methods for Least Squares Problems*, 1996, section 2.7.

    Examples
    --------
    >>> import hotloops as hl
    >>> coef, intercept = hl.linalg.linear_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> print(f"{coef[0]:.3f} {intercept:.3f}")
    2.000 1.000
    """
    return _regression(X, y, 0.0)


def ridge_regression(X, y, alpha):
    """Least squares with a penalty on the coefficients, not on the intercept.

    .. math:: \\min_{w, c} \\sum_i |y_i - x_i w - c|^2 + \\alpha |w|^2

    Parameters
    ----------
    X, y
        As in `linear_regression`.
    alpha : float
        α, not negative, as in scikit-learn's `Ridge`.

    Returns
    -------
    LinearModel
        As in `linear_regression`.

    Raises
    ------
    TypeError, ValueError
        As in `linear_regression`, and for a negative alpha.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        As `linear_regression`, with alpha = 0 alone.

    Notes
    -----
    As in `linear_regression`, with √α times the identity, of size d, below the centred X. The
    penalty depends on the units of X: scale its columns first if they are of different kinds. Many
    penalties cost little more than one with `LeastSquares.ridge_path`.

    Source: Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, 2009, section
    3.4.1.

    Examples
    --------
    >>> import hotloops as hl
    >>> coef, intercept = hl.linalg.ridge_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], 2.0)
    >>> print(f"{coef[0]:.3f} {intercept:.3f}")
    1.000 2.000
    """
    return _regression(X, y, _arrays.scalar("alpha", alpha, minimum=0))


def _regression(X, y, alpha):
    names = _feature_names.of(X)
    x, target = _arrays.real("X", X, 2), _arrays.real("y", y)
    if target.ndim not in (1, 2) or len(target) != len(x) or not len(x):
        raise ValueError(
            f"X must have shape (n, d) and y (n,) or (n, t), n > 0, "
            f"got {x.shape} and {target.shape}"
        )
    dtype = _arrays.common_dtype(x, target)
    _arrays.in_range("alpha", alpha, dtype)
    x, x_mean = _centred(_finite("X", x).astype(dtype, copy=False))
    target, y_mean = _centred(_finite("y", target).astype(dtype, copy=False))
    # LeastSquares sees columns of any size, and rounding leaves something of a constant one
    x[:, np.ptp(x, axis=0) <= 4 * np.finfo(dtype).eps * np.abs(x_mean)] = 0
    if alpha:
        fit = LeastSquares(x, alpha=alpha)
    else:
        fit = Differences(x, math.sqrt(len(x)) * np.abs(x_mean))
    coef = fit.solve(target)
    intercept = (y_mean - x_mean @ coef).astype(dtype)
    return _feature_names.keep(LinearModel(coef, intercept), names)
