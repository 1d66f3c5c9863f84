"""hotloops' kernels for scikit-learn."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

try:
    from sklearn.gaussian_process.kernels import (
        Hyperparameter,
        Kernel,
        NormalizedKernelMixin,
        StationaryKernelMixin,
    )
except ImportError as _error:
    raise ImportError(
        f"hotloops.sklearn needs scikit-learn: pip install 'hotloops[sklearn]' ({_error})"
    ) from _error

from . import _arrays
from ._logarithms import exp_within
from ._typing import Array, Floats
from .ard import ard_kernel, quadform
from .ard._profile import Kind

__all__ = ["ARD"]

#: The lowest and the highest value, or pairs of them, or that there is nothing to find.
_Bounds: TypeAlias = Sequence[float] | Sequence[Sequence[float]] | Floats | Literal["fixed"]


def __dir__() -> list[str]:
    return __all__


class ARD(StationaryKernelMixin, NormalizedKernelMixin, Kernel):
    """`ard_kernel` as a kernel of scikit-learn.

    .. math:: k(x, y) = p\\left((x - y)^T M (x - y)\\right), \\quad
              M = \\mathrm{diag}(\\ell)^{-2} + \\Lambda \\Lambda^T

    It takes the place of ``RBF``, ``Matern`` (ν = 1/2, 3/2, 5/2) and ``RationalQuadratic`` in
    ``GaussianProcessRegressor``, ``GaussianProcessClassifier`` and ``SVC``, alone or in sums,
    products and powers with others. A variance is ``ConstantKernel``'s, noise ``WhiteKernel``'s.

    Parameters
    ----------
    kind : {"se", "matern12", "matern32", "matern52", "rq"}
        The profile p, as in `ard_kernel`; "se" is what scikit-learn calls RBF.
    length_scale : float or array_like, shape (D,) or (1,)
        ℓ, one for all columns of X, as a number or an array of one, or one for each. inf drops a
        column, and stays as it is: the others are the hyperparameters.
    length_scale_bounds : pair of floats, array_like of shape (D, 2), or "fixed"
        Where the optimiser may look for ℓ.
    factors : array_like, shape (D, R), optional
        Λ. The optimiser leaves it alone: scikit-learn's hyperparameters are logarithms, and these
        entries have signs. `hotloops.gp.GaussianProcessRegressor` fits them.
    rq_alpha : float
        α of the rational quadratic; a hyperparameter of that kind alone.
    rq_alpha_bounds : pair of floats or "fixed"
        Where the optimiser may look for α.

    Raises
    ------
    TypeError, ValueError
        When called: as `ard_kernel`, and for `eval_gradient` with Y.

    Notes
    -----
    theta holds log ℓ (of the columns that are not dropped), then log α. What it sets stays
    within the bounds, and ``kernel.theta = kernel.theta`` changes no bit. All is computed in double
    precision, as in scikit-learn's own kernels, and agrees with them to 1e-12. `set_backend` and
    `set_workers` choose what computes it.

    Cost: as `ard_kernel`; the gradient, an array of N²·n_dims numbers by scikit-learn's contract,
    takes the time of writing it. Without that array, and faster: `ard_kernel_vjp`, on which
    `hotloops.gp.GaussianProcessRegressor` is built.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, chapters 4, 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import WhiteKernel
    >>> from hotloops.sklearn import ARD
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-3, 3, size=(60, 2))
    >>> y = np.sin(X[:, 0]) + 0.1 * X[:, 1] + 0.1 * rng.normal(size=60)
    >>> kernel = 1.0 * ARD("matern52", length_scale=[1.0, 1.0]) + WhiteKernel(0.1)
    >>> gp = GaussianProcessRegressor(kernel).fit(X, y)
    >>> first, second = gp.kernel_.k1.k2.length_scale
    >>> bool(second > 3 * first)  # the function varies less along the second column
    True
    """

    kind: Kind
    length_scale: Floats | Any  # what came, or what the optimiser found
    rq_alpha: float

    def __init__(
        self,
        kind: Kind = "se",
        length_scale: ArrayLike = 1.0,
        length_scale_bounds: _Bounds = (1e-5, 1e5),
        factors: ArrayLike | None = None,
        rq_alpha: float = 1.0,
        rq_alpha_bounds: _Bounds = (1e-5, 1e5),
    ) -> None:
        self.kind: Kind = kind
        self.length_scale = length_scale
        self.length_scale_bounds = length_scale_bounds
        self.factors = factors
        self.rq_alpha = rq_alpha
        self.rq_alpha_bounds = rq_alpha_bounds

    @property
    def _kept(self) -> Array:
        """Which of the length scales are finite: those that are hyperparameters."""
        kept: Array = np.isfinite(_arrays.real("length_scale", self.length_scale))
        return kept

    @property
    def hyperparameter_length_scale(self) -> Any:
        """The length scales that are finite, and their bounds, as scikit-learn asks for them."""
        kept, bounds = self._kept, self.length_scale_bounds
        count = np.count_nonzero(kept)
        if not count or (isinstance(bounds, str) and bounds == "fixed"):
            return Hyperparameter("length_scale", "numeric", "fixed", count)
        if np.shape(bounds) not in ((2,), (1, 2), (kept.size, 2)):
            raise ValueError(
                f"length_scale_bounds must be a pair, one pair for each of the {kept.size} length "
                f"scales, or 'fixed', got {bounds!r}"
            )
        bounds = np.broadcast_to(bounds, (kept.size, 2))[kept.ravel()]
        return Hyperparameter("length_scale", "numeric", bounds, count)

    @property
    def hyperparameter_rq_alpha(self) -> Any:
        """α and its bounds, as scikit-learn asks for them; fixed for other kinds than "rq"."""
        bounds = self.rq_alpha_bounds if self.kind == "rq" else "fixed"
        return Hyperparameter("rq_alpha", "numeric", bounds)

    @property
    def theta(self) -> Array:
        """The logarithms of the hyperparameters."""
        theta: Array = super().theta
        return theta[~np.isposinf(theta)]

    @theta.setter
    def theta(self, theta: ArrayLike) -> None:
        length_scale, kept = np.array(self.length_scale, np.float64), self._kept
        held: dict[str, Any] = {"length_scale": length_scale[kept], "rq_alpha": self.rq_alpha}
        free = [parameter for parameter in self.hyperparameters if not parameter.fixed]
        Kernel.theta.fset(self, theta)  # which leaves what rounding makes of exp and log
        stops = np.cumsum([parameter.n_elements for parameter in free])
        for parameter, part in zip(free, np.split(np.asarray(theta), stops), strict=False):
            value = exp_within(part, held[parameter.name], *parameter.bounds.T)
            if parameter.name == "rq_alpha":
                self.rq_alpha = float(value[0])
            else:
                length_scale[kept] = value
                self.length_scale = length_scale[()]

    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: Literal[False] = False
    ) -> Floats: ...
    @overload
    def __call__(
        self, X: ArrayLike, Y: None, eval_gradient: Literal[True]
    ) -> tuple[Floats, Floats]: ...
    @overload
    def __call__(
        self, X: ArrayLike, Y: None = None, *, eval_gradient: Literal[True]
    ) -> tuple[Floats, Floats]: ...
    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Floats | tuple[Floats, Floats]: ...
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Floats | tuple[Floats, Floats]:
        """The matrix k(X, Y), and its gradient if asked for.

        Parameters
        ----------
        X : array_like, shape (N, D)
        Y : array_like, shape (M, D), optional
            X itself if None.
        eval_gradient : bool
            Whether to return the gradient too; without Y alone.

        Returns
        -------
        K : ndarray, shape (N, M)
        gradient : ndarray, shape (N, N, n_dims)
            ∂K/∂theta, only with `eval_gradient`.
        """
        if eval_gradient and Y is not None:
            raise ValueError("eval_gradient must be False where Y is given: pass Y=None")
        x, y = _points("X", X), None if Y is None else _points("Y", Y)
        metric: dict[str, Any] = {"length_scale": self.length_scale, "factors": self.factors}
        K: Floats = ard_kernel(x, y, kind=self.kind, rq_alpha=self.rq_alpha, **metric)
        if not eval_gradient:
            return K
        with np.errstate(all="ignore"):
            return K, np.moveaxis(self._gradient(x, K, quadform(x, **metric)), 0, -1)

    def _gradient(self, X: Array, K: Array, q: Array) -> Array:
        """∂K/∂theta, shape (n_dims, N, N)."""
        gradient: Array = np.empty((self.n_dims, *K.shape))
        if not self.hyperparameter_length_scale.fixed:
            # -2 p'(q) times the part of q that each length scale makes
            scale = np.broadcast_to(self.length_scale, X.shape[1:])
            several = np.size(self.length_scale) > 1
            columns: Any = np.flatnonzero(self._kept)[:, None] if several else [...]
            for k, column in enumerate(columns):
                quadform(X[:, column], length_scale=scale[column], out=gradient[k])
            gradient[: len(columns)] *= self._slope(K, q)
        if not self.hyperparameter_rq_alpha.fixed:
            t = q / (2 * self.rq_alpha)
            gradient[-1] = self.rq_alpha * K * (t / (1 + t) - np.log1p(t))
        return gradient

    def _slope(self, K: Array, q: Array) -> Array:
        """-2 p'(q) where p(q) = K; 0 at the cusp of Matérn's kernel with ν = 1/2."""
        slope: Array
        if self.kind == "se":
            return K
        if self.kind == "rq":
            slope = K / (1 + q / (2 * self.rq_alpha))
            return slope
        if self.kind == "matern12":
            return np.divide(K, np.sqrt(q), out=np.zeros_like(K), where=q > 0)
        if self.kind == "matern32":
            slope = 3 * K / (1 + np.sqrt(3 * q))
            return slope
        a = 1 + np.sqrt(5 * q)
        slope = 5 / 3 * K * (a / (a + 5 / 3 * q))
        return slope

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ARD) or type(self) is not type(other):
            return False
        mine, others = self.get_params(), other.get_params()
        return all(np.array_equal(mine[name], others[name]) for name in mine)

    def __repr__(self) -> str:
        scale = ", ".join(f"{length:.3g}" for length in np.ravel(self.length_scale))
        scale = f"[{scale}]" if np.ndim(self.length_scale) else scale
        parts = [f"{self.kind!r}, length_scale={scale}"]
        if self.factors is not None:
            parts.append("factors={}×{}".format(*np.shape(self.factors)))
        if self.kind == "rq":
            parts.append(f"rq_alpha={self.rq_alpha:.3g}")
        return f"ARD({', '.join(parts)})"


def _points(name: str, value: ArrayLike) -> Array:
    """`value` as rows of numbers in double precision; a line of them is one row."""
    return np.atleast_2d(_arrays.real(name, value)).astype(np.float64, copy=False)
