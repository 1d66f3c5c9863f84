"""The estimator of Gaussian-process regression.

It keeps to scikit-learn's conventions, and works without scikit-learn.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays, _feature_names
from .._factors.serial import serial
from .._typing import Floats, Rng
from .._warnings import warn
from ..ard._profile import Kind
from . import _checks
from ._bounds import warn_of_bounds
from ._covariance import Covariance
from ._estimator import Regressor
from ._exceptions import exception
from ._likelihood import Likelihood
from ._maximise import Optimizer
from ._posterior import Posterior
from ._search import most_likely
from ._settings import hyperparameters, jitter_of
from ._solvers import Cholesky, ConjugateGradients
from ._start import Start, target_of

#: The lowest and the highest value, or that there is nothing to find.
_Bounds: TypeAlias = Sequence[float] | Floats | Literal["fixed"]

_OF_A_SOLVER = ("L_", "log_marginal_likelihood_value_", "cg_residual_", "cg_iterations_")

_CONSTANT = (
    "y is constant, and the likelihood of no variance at all is the highest: the hyperparameters "
    "stay where the fit starts; pass optimizer=None if that is meant"
)


class GaussianProcessRegressor(Regressor):
    """Gaussian-process regression, its hyperparameters fitted by the analytic gradient.

    .. math:: y = m + f(x) + \\varepsilon, \\quad f \\sim \\mathcal{GP}(0, k), \\quad
              \\varepsilon \\sim \\mathcal{N}(0, \\sigma_n^2)

    with k the `ard_kernel` of the hyperparameters, which maximise the log marginal likelihood

    .. math:: \\log p(y) = -\\tfrac12 y^T A^{-1} y - \\tfrac12 \\log|A| - \\tfrac{N}{2} \\log 2\\pi,
              \\quad A = K + \\sigma_n^2 I

    m is the mean of y or 0, as `normalize_y` says. All parameters are keywords, and are checked by
    `fit`. Hyperparameters and bounds that are None come from the data, in whose units they are
    then: with s_d the standard deviation of column d (of a constant one its size), L_d = √D s_d,
    and V the mean of the squares of what is fitted.

    Parameters
    ----------
    kind : {"se", "matern12", "matern32", "matern52", "rq"}
        The profile of the covariance function, as in `ard_kernel`.
    length_scale : float or array_like, shape (D,) or (1,), optional
        ℓ, in the units of X, where the fit starts: L where it is None. inf drops a dimension, if it
        is fixed.
    ard : bool
        Give each dimension its own length scale, where `length_scale` is one number.
    n_factors : int
        The rank of Λ in the metric ΛΛᵀ + diag(ℓ)⁻², from 0 to D. Its entries are always fitted,
        from small random ones.
    rq_alpha : float
        α of kind "rq", where the fit starts.
    variance : float, optional
        σ_f², where the fit starts: V where it is None.
    noise_variance : float or array_like, shape (N,) or (1,), optional
        σ_n², where the fit starts: V / 128 where it is None; one for each training point, if it is
        fixed.
    length_scale_bounds, variance_bounds, noise_variance_bounds : optional
        (lowest, highest) of each, or "fixed" to keep it as it is. None stands for 1/128 (or the
        power of two below 1/N, if that is less) to 1024 times L, 2⁻²⁰ to 2¹³ times V, and 2⁻²⁷ to
        2⁷ times V, each wide enough for a start that is given.
    rq_alpha_bounds
        The same of α.
    optimizer : {"fmin_l_bfgs_b"}, callable or None
        None keeps all as it is. A callable is called as in scikit-learn, as
        ``optimizer(obj_func, initial_theta, bounds=bounds)``, and returns the best theta and its
        value; ``obj_func(theta, eval_gradient=True)`` is the negative log marginal likelihood and
        its gradient. It is called from several threads at once where there are restarts; one that
        ends at a theta or a value that is not finite is left out.
    n_restarts_optimizer : int
        How many more starts, drawn log-uniformly within the bounds, and factors from a normal
        distribution. They run in parallel; the result does not depend on how many at once.
    normalize_y : {"mean", True, False}, optional
        "mean" fits y less its mean; several targets are brought to one standard deviation, the root
        of the mean of their squares. True fits y less its mean over its standard deviation, and the
        variances are in these units then. False fits y as it is. None is "mean" where `variance` is
        None, and False where that is a number, which is of y about 0 then: a fit that starts from a
        fitted `variance_` again takes "mean".
    jitter : float, "auto" or None
        What to add to the diagonal of A to make it positive definite: so much, or the least power
        of ten times the rounding error that does at the start, or nothing.
    solver : {"cholesky", "cg"}
        "cg" is for an N too large for N² numbers: preconditioned conjugate gradients, on products
        with a matrix that is never held, to a relative residual of 1e-10, for 1000 steps or until
        rounding lets it fall no further; the best solution is kept. It needs ``optimizer=None`` and
        noise, and gives no likelihood.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState
        Where restarts and factors are drawn from.

    Attributes
    ----------
    length_scale_, rq_alpha_, variance_, noise_variance_ : float or ndarray
        The hyperparameters found: within the bounds, so that a fit can start from them.
    at_bounds_ : list of str
        Which entries of theta_names_ the fit left at a bound, to 1e-5 of it.
    factors_ : ndarray, shape (D, n_factors)
        Λ.
    jitter_ : float
        What was added to the diagonal beside the noise.
    theta_ : ndarray
        All that is not fixed, in one vector: the logarithms of what is positive, and the factors
        themselves.
    theta_names_ : list of str
        What each entry of theta_ is (the logarithm) of, such as "length_scale[0]".
    X_train_, y_train_ : ndarray
        What was fitted: y less `y_mean_` and over `y_std_`, as `normalize_y` says.
    L_ : ndarray, shape (N, N)
        The lower Cholesky factor of A (solver "cholesky").
    alpha_ : ndarray, of y's shape
        A⁻¹ y.
    log_marginal_likelihood_value_ : float
        That of theta_, summed over the targets (solver "cholesky").
    cg_residual_, cg_iterations_ : float, int
        The largest ‖y − A alpha_‖ / ‖y‖ of a target, and the number of steps (solver "cg").
    n_features_in_ : int
        D.
    feature_names_in_ : ndarray of str, shape (D,)
        The names of X's columns, if all have names that are strings. A frame whose columns are
        others, or in another order, is refused from then on.

    Notes
    -----
    The fit starts from the best of a grid of multiples of what is None (1/64 to 8 of L, 1/10 to 100
    of V, 1e-5 to 100 of V / 128) by the likelihood of at most 128 points; where that has two maxima
    along the length scale, from the better of both after ten steps each. With no hyperparameters
    and no bounds given it sees the data in units of L and √V, rounded to 2⁻³². So predictions
    follow the units of X and y: to the bit for powers of two, and for others as far as rounding
    allows. A y that is constant leaves the hyperparameters where they start.

    Computed in double precision. Cost of a fit: N³ and O(N² (D + n_factors)) operations for each
    step of the optimizer, N² numbers of memory for each start at work; with "cg", O(N² D) for
    each product and O(N · 200) numbers. Ctrl-C stops a fit between two tiles of a matrix.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, algorithm 2.1
    and section 5.4.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> X = np.linspace(0, 6, 25)[:, None]
    >>> y = np.sin(X[:, 0]) + 0.01 * np.random.default_rng(0).normal(size=25)
    >>> gp = hl.gp.GaussianProcessRegressor().fit(X, y)
    >>> mean, std = gp.predict([[1.0], [9.0]], return_std=True)
    >>> bool(abs(mean[0] - np.sin(1)) < 0.01), bool(std[0] < 0.01 < std[1])
    (True, True)
    >>> gp.theta_names_
    ['length_scale[0]', 'variance', 'noise_variance']
    """

    kind: Kind
    optimizer: Optimizer | None

    length_scale_: Floats | Any
    rq_alpha_: float
    variance_: float
    noise_variance_: float | Any
    at_bounds_: list[str]
    factors_: Floats
    jitter_: float
    theta_: Floats
    theta_names_: list[str]
    X_train_: Floats
    y_train_: Floats
    y_mean_: Floats
    y_std_: Floats
    L_: Floats
    alpha_: Floats
    log_marginal_likelihood_value_: float
    cg_residual_: float
    cg_iterations_: int
    n_features_in_: int

    _likelihood: Likelihood
    _posterior: Posterior

    def __init__(
        self,
        *,
        kind: Kind = "se",
        length_scale: ArrayLike | None = None,
        ard: bool = True,
        n_factors: int = 0,
        rq_alpha: float = 1.0,
        variance: float | None = None,
        noise_variance: ArrayLike | None = None,
        length_scale_bounds: _Bounds | None = None,
        rq_alpha_bounds: _Bounds = (1e-5, 1e5),
        variance_bounds: _Bounds | None = None,
        noise_variance_bounds: _Bounds | None = None,
        optimizer: Optimizer | None = "fmin_l_bfgs_b",
        n_restarts_optimizer: int = 0,
        normalize_y: Literal["mean"] | bool | None = None,
        jitter: float | Literal["auto"] | None = None,
        solver: Literal["cholesky", "cg"] = "cholesky",
        random_state: Rng = None,
    ) -> None:
        self.kind: Kind = kind
        self.length_scale = length_scale
        self.ard = ard
        self.n_factors = n_factors
        self.rq_alpha = rq_alpha
        self.variance = variance
        self.noise_variance = noise_variance
        self.length_scale_bounds = length_scale_bounds
        self.rq_alpha_bounds = rq_alpha_bounds
        self.variance_bounds = variance_bounds
        self.noise_variance_bounds = noise_variance_bounds
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.normalize_y = normalize_y
        self.jitter = jitter
        self.solver = solver
        self.random_state = random_state

    # --- fit --------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the hyperparameters, and factor the covariance of the training points.

        Parameters
        ----------
        X : array_like, shape (N, D)
            At least one point.
        y : array_like, shape (N,) or (N, n_targets)
            Several targets share the hyperparameters.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters and data that are not as described, or not finite.
            Also where a callable optimizer returns nothing finite, or nothing within the bounds.
        numpy.linalg.LinAlgError
            Where A is not positive definite at the hyperparameters found.

        Warns
        -----
        ConvergenceWarning
            Where the optimizer, or "cg", gives up: the best that it found is kept. Where a
            hyperparameter ends at a bound, but for the upper one of a length scale, which an input
            without relevance rightly has. Where y is constant. It is scikit-learn's class where
            that is installed.
        RuntimeWarning
            Where ``jitter="auto"`` adds something.
        """
        names = _feature_names.of(X)
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        points, y = _checks.training_data(X, y)
        rng = _checks.generator(self.random_state)
        target, mean, std = target_of(y, self.normalize_y, self.variance)
        several = self.length_scale is not None and np.size(self.length_scale) > 1
        start = Start(points, y, target, self.ard or several)
        parameters = hyperparameters(self, points, start, rng)
        jitter = jitter_of(self, parameters.values["noise_variance"])
        likelihood = Likelihood(points, target, self.kind, parameters, jitter)
        if self.solver == "cg":
            self._fit_cg(likelihood)
        else:
            self._fit_cholesky(likelihood, start, rng)

        parameters = likelihood.parameters
        values = parameters.values
        self.length_scale_, self.variance_ = values["length_scale"], values["variance"]
        self.noise_variance_ = values["noise_variance"]
        self.factors_ = values.get("factors", np.empty((points.shape[1], 0)))
        self.rq_alpha_ = values.get("rq_alpha", float(self.rq_alpha))
        self.jitter_ = likelihood.jitter
        self.theta_, self.theta_names_ = parameters.theta, parameters.names
        self.X_train_, self.y_train_, self.y_mean_, self.y_std_ = points, target, mean, std
        self.n_features_in_ = points.shape[1]
        _feature_names.keep(self, names)
        self._likelihood = likelihood
        return self

    def _fit_cholesky(
        self, likelihood: Likelihood, start: Start, rng: np.random.Generator | np.random.RandomState
    ) -> None:
        at_bounds: list[str] = []
        if isinstance(self.jitter, str):
            likelihood.find_jitter()
        if self.optimizer is not None and likelihood.parameters.names:
            if likelihood.y.any():
                likelihood.parameters = most_likely(self, likelihood, start, rng)
                at_bounds = warn_of_bounds(likelihood.parameters)
            else:
                warn(_CONSTANT, exception("ConvergenceWarning"))
        values = likelihood.parameters.values
        covariance = likelihood.covariance(values)
        found = likelihood.solved(covariance, values["noise_variance"], likelihood.scratch())
        if found is None:
            raise np.linalg.LinAlgError(
                f"the covariance matrix of the training points is not positive definite with "
                f"{likelihood.parameters}: {self._remedy(likelihood.jitter)}"
            )
        factor, alpha, value = found
        factor = np.tril(factor)
        self._keep(
            likelihood, covariance, alpha, Cholesky(factor), at_bounds_=at_bounds,
            L_=factor, log_marginal_likelihood_value_=value,
        )  # fmt: skip

    def _remedy(self, jitter: float) -> str:
        """What to do where this jitter does not make the matrix positive definite."""
        if isinstance(self.jitter, str):
            return (
                f"raise noise_variance, or pass as jitter a number above the {jitter:.3g} that "
                f'"auto" found for the start'
            )
        return (
            f'raise noise_variance or jitter (now {jitter:g}), or pass jitter="auto" to add the '
            f"least that the start needs"
        )

    def _fit_cg(self, likelihood: Likelihood) -> None:
        values = likelihood.parameters.values
        noise = values["noise_variance"] + likelihood.jitter
        covariance = likelihood.covariance(values)
        solver = ConjugateGradients(likelihood.X, covariance, noise)
        alpha, residual, steps = solver.solve(likelihood.y)
        self._keep(
            likelihood, covariance, alpha, solver, at_bounds_=[],
            cg_residual_=residual, cg_iterations_=steps,
        )  # fmt: skip

    def _keep(
        self,
        likelihood: Likelihood,
        covariance: Covariance,
        alpha: Floats,
        solver: Cholesky | ConjugateGradients,
        **of_the_solver: Any,
    ) -> None:
        """Put what a solver found in place of what the last one left."""
        for name in _OF_A_SOLVER:
            vars(self).pop(name, None)
        vars(self).update(of_the_solver)
        self.alpha_ = alpha.reshape(likelihood.shape)
        self._posterior = Posterior(covariance, likelihood.X, self.alpha_, solver)

    # --- what the fit knows -----------------------------------------------------------------

    @overload
    def predict(
        self,
        X: ArrayLike,
        return_std: Literal[False] = False,
        return_cov: Literal[False] = False,
        include_noise: bool = False,
    ) -> Floats: ...
    @overload
    def predict(
        self,
        X: ArrayLike,
        return_std: Literal[True],
        return_cov: Literal[False] = False,
        include_noise: bool = False,
    ) -> tuple[Floats, Floats]: ...
    @overload
    def predict(
        self,
        X: ArrayLike,
        return_std: Literal[False] = False,
        *,
        return_cov: Literal[True],
        include_noise: bool = False,
    ) -> tuple[Floats, Floats]: ...
    @overload
    def predict(
        self,
        X: ArrayLike,
        return_std: bool = False,
        return_cov: bool = False,
        include_noise: bool = False,
    ) -> Floats | tuple[Floats, Floats]: ...
    def predict(
        self,
        X: ArrayLike,
        return_std: bool = False,
        return_cov: bool = False,
        include_noise: bool = False,
    ) -> Floats | tuple[Floats, Floats]:
        """Mean, and standard deviation or covariance, of the posterior of f.

        Parameters
        ----------
        X : array_like, shape (n, D)
        return_std, return_cov : bool
            Return the standard deviations, or the covariance matrix, too; not both.
        include_noise : bool
            Of an observation y, not of f: add `noise_variance_`, which must be one number.

        Returns
        -------
        mean : ndarray, shape (n,) or (n, n_targets)
            As y.
        std : ndarray, of the same shape
        covariance : ndarray, shape (n, n) or (n, n, n_targets)

        Raises
        ------
        NotFittedError
            Before `fit`. It is scikit-learn's class where that is installed.
        TypeError, ValueError
            For an X of another number of columns, of other names of columns, or that is not
            finite.

        Warns
        -----
        UserWarning
            For a frame after a fit to an array, or an array after one to a frame.

        Notes
        -----
        A variance is the prior's less what the training points explain. It is never negative, but
        the difference rounds where they explain all of it: what comes out below 0 is then 0.

        Cost: O(n N D) for the mean, which holds no n × N matrix; n N² more for the others. With
        solver "cg" a standard deviation, or a row of the covariance, costs one solve for each
        test point, as much as the fit; 64 of them share their products.
        """
        points, posterior = self._test_points(X), self._posterior
        if return_std and return_cov:
            raise ValueError("return_std and return_cov must not both be true")
        noise = self._noise() if include_noise else 0.0
        mean: Floats = self.y_std_ * posterior.mean(points) + self.y_mean_
        if return_cov:
            covariance = np.multiply.outer(posterior.covariance(points, noise), self.y_std_)
            # y_std_ twice: by its square, where that is inf, 0 would become NaN
            return mean, covariance * self.y_std_
        if return_std:
            std = np.sqrt(posterior.variances(points) + noise)
            return mean, np.multiply.outer(std, self.y_std_)
        return mean

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Rng = 0) -> Floats:
        """Draw functions from the posterior of f, at the points X.

        Parameters
        ----------
        X : array_like, shape (n, D)
        n_samples : int
        random_state : None, int, numpy.random.Generator or numpy.random.RandomState

        Returns
        -------
        ndarray, shape (n, n_samples) or (n, n_targets, n_samples)
            Of f, without noise. The targets are independent, given the hyperparameters, as the
            draws are.

        Notes
        -----
        Each draw is mean + F z with F Fᵀ the posterior covariance and z from
        ``random_state.standard_normal``: the n numbers of a draw stand together there, and all
        draws of a target before those of the next. F, from NumPy's ``multivariate_normal``, is
        computed once: cost n N² + O(n³), and n² for each draw.
        """
        n_samples = _arrays.integer("n_samples", n_samples)
        rng = _checks.generator(random_state)
        points = self._test_points(X)
        mean, n = self._posterior.mean(points), len(points)
        targets = int(np.prod(mean.shape[1:]))
        if not n:
            return np.empty((*mean.shape, n_samples))
        covariance = self._posterior.covariance(points)
        # semidefinite it is to rounding, which a fixed tolerance does not know
        shape = targets, n_samples
        draws: Floats = serial(
            lambda: rng.multivariate_normal(np.zeros(n), covariance, shape, check_valid="ignore"),
            n**3,
        )
        draws = mean[..., None] + np.moveaxis(draws, -1, 0).reshape(*mean.shape, n_samples)
        samples: Floats = self.y_std_[..., None] * draws + self.y_mean_[..., None]
        return samples

    @overload
    def log_marginal_likelihood(
        self, theta: ArrayLike | None = None, eval_gradient: Literal[False] = False
    ) -> float: ...
    @overload
    def log_marginal_likelihood(
        self, theta: ArrayLike | None, eval_gradient: Literal[True]
    ) -> tuple[float, Floats]: ...
    @overload
    def log_marginal_likelihood(
        self, theta: ArrayLike | None = None, *, eval_gradient: Literal[True]
    ) -> tuple[float, Floats]: ...
    @overload
    def log_marginal_likelihood(
        self, theta: ArrayLike | None = None, eval_gradient: bool = False
    ) -> float | tuple[float, Floats]: ...
    def log_marginal_likelihood(
        self, theta: ArrayLike | None = None, eval_gradient: bool = False
    ) -> float | tuple[float, Floats]:
        """The log marginal likelihood of the training data, summed over the targets.

        Parameters
        ----------
        theta : array_like, shape (len(theta_names_),), optional
            Hyperparameters as in `theta_`, which is the default; logarithms in [−708, 709].
        eval_gradient : bool
            Return the gradient too.

        Returns
        -------
        value : float
            −inf where the covariance matrix is not positive definite.
        gradient : ndarray
            With respect to theta as it is: to the logarithms of what is positive, and to the
            factors themselves. 0 where the value is −inf.
        """
        self._check_fitted()
        likelihood = self._likelihood
        if isinstance(self._posterior.solver, ConjugateGradients):
            raise ValueError(
                'log_marginal_likelihood needs a fit with solver="cholesky": conjugate gradients '
                "give no determinant"
            )
        if theta is None:
            if not eval_gradient:
                return self.log_marginal_likelihood_value_
            theta = self.theta_
        vector = likelihood.parameters.check("theta", theta)
        value, gradient = likelihood(vector, eval_gradient, likelihood.scratch())
        return (value, gradient) if eval_gradient else value

    def predict_gradient(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """Gradients of the posterior mean and standard deviation of f with respect to X.

        Parameters
        ----------
        X : array_like, shape (n, D)

        Returns
        -------
        mean : ndarray, shape (n, D) or (n, D, n_targets)
            ∂ mean[i] / ∂ X[i, d].
        std : ndarray, of the same shape
            NaN where the standard deviation is 0, for it has a cusp there.

        Notes
        -----
        Cost: as `predict` with `return_std`, and one solve more. Kind "matern12" has no gradient
        at a training point; 0 stands for that point's part in it, as in `ard_kernel_vjp`.
        """
        points = self._test_points(X)
        mean, std = self._posterior.gradients(points)
        mean = mean.reshape(*points.shape, *self.alpha_.shape[1:])
        return mean * self.y_std_, np.multiply.outer(std, self.y_std_)

    def _noise(self) -> float:
        """The variance of the noise that any point has."""
        if np.ndim(self.noise_variance_):
            raise ValueError(
                "include_noise must be False where each training point has a noise_variance of "
                "its own: none is known for others"
            )
        return float(self.noise_variance_)

    def _test_points(self, X: ArrayLike) -> Floats:
        """X as an array, after its checks."""
        self._check_fitted()
        _feature_names.check(self, X)
        points, d = _checks.points(X), self.n_features_in_
        if points.shape[1] != d:
            raise ValueError(
                f"X has {points.shape[1]} features, but {type(self).__name__} is expecting {d} "
                f"features as input"
            )
        return points

    def _check_fitted(self) -> None:
        if not hasattr(self, "alpha_"):
            name = type(self).__name__
            raise exception("NotFittedError")(f"this {name} is not fitted yet: call fit first")
