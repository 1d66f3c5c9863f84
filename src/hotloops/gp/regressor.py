"""The estimator of Gaussian-process regression.

It keeps to scikit-learn's conventions, and works without scikit-learn.
"""

import functools
import inspect

import numpy as np

from .. import _arrays, _feature_names
from .._warnings import warn
from ..ard import KernelOperator, ard_kernel, ard_kernel_vjp
from ._bounds import warn_of_bounds
from ._checks import exception, generator, interval, numbers, points, scale_exponent
from ._likelihood import Likelihood
from ._maximise import maximise, most_promising
from ._parameters import Parameters
from ._solvers import Cholesky, ConjugateGradients
from ._start import EVERYTHING, Start, centred, normalised, rounded, starts

_OF_A_SOLVER = ("L_", "log_marginal_likelihood_value_", "cg_residual_", "cg_iterations_")

_CONSTANT = (
    "y is constant, and the likelihood of no variance at all is the highest: the hyperparameters "
    "stay where the fit starts; pass optimizer=None if that is meant"
)


class GaussianProcessRegressor:
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
        The kernel's profile, as in `ard_kernel`.
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
    step of the optimizer, 2 N² numbers of memory for each start at work; with "cg", O(N² D) for
    each product and O(N · 200) numbers. LAPACK runs on the threads that BLAS is set to (on one
    where there are restarts, or fewer than 400 points), and its last bits may depend on their
    number; Ctrl-C waits for it.

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

    def __init__(
        self,
        *,
        kind="se",
        length_scale=None,
        ard=True,
        n_factors=0,
        rq_alpha=1.0,
        variance=None,
        noise_variance=None,
        length_scale_bounds=None,
        rq_alpha_bounds=(1e-5, 1e5),
        variance_bounds=None,
        noise_variance_bounds=None,
        optimizer="fmin_l_bfgs_b",
        n_restarts_optimizer=0,
        normalize_y=None,
        jitter=None,
        solver="cholesky",
        random_state=None,
    ):
        self.kind = kind
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

    # --- what scikit-learn expects of an estimator ------------------------------------------

    def get_params(self, deep=True):
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params):
        """Set parameters by name, and return the estimator."""
        known = self.get_params()
        for name, value in params.items():
            _arrays.choice("the name of a parameter", name, known)
            setattr(self, name, value)
        return self

    def __repr__(self):
        given = [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if repr(getattr(self, name)) != repr(parameter.default)
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    def __sklearn_tags__(self):
        from sklearn.utils import RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
        )

    def score(self, X, y, sample_weight=None):
        """The coefficient of determination R² of the prediction, the mean of those of the targets.

        Parameters
        ----------
        X : array_like, shape (n, D)
        y : array_like, shape (n,) or (n, n_targets)
        sample_weight : array_like, shape (n,), optional

        Returns
        -------
        float
            1 − Σ (y − prediction)² / Σ (y − mean)². Of a constant target 1 if it is met exactly,
            else 0.
        """
        prediction = self.predict(X)
        y = numbers("y", y)
        if y.shape != prediction.shape:
            raise ValueError(f"y must have shape {prediction.shape}, got {y.shape}")
        if sample_weight is not None:
            sample_weight = numbers("sample_weight", sample_weight)
            if sample_weight.shape != y.shape[:1]:
                raise ValueError(
                    f"sample_weight must have shape {y.shape[:1]}, got {sample_weight.shape}"
                )
        mean = functools.partial(np.average, axis=0, weights=sample_weight)
        exponent = scale_exponent(y)
        y, prediction = np.ldexp(y, -exponent), np.ldexp(prediction, -exponent)
        errors = np.atleast_1d(mean((y - prediction) ** 2))
        # of a constant, rounding of the mean would leave something
        spread = np.atleast_1d(np.where(np.ptp(y, axis=0) > 0, mean((y - mean(y)) ** 2), 0))
        unexplained = (errors > 0).astype(np.float64)
        np.divide(errors, spread, out=unexplained, where=spread > 0)
        return float(np.mean(1 - unexplained))

    # --- fit --------------------------------------------------------------------------------

    def fit(self, X, y):
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
        X, y = self._training_data(X, y)
        rng = generator(self.random_state)
        target, mean, std = self._target(y)
        ard = self.ard or np.size(self.length_scale) > 1
        start = Start(X, y, target, ard)
        parameters = self._parameters(X, start, rng)
        jitter = self._settings(parameters)
        likelihood = Likelihood(X, target, self.kind, parameters, jitter)
        if self.solver == "cg":
            self._fit_cg(likelihood)
        else:
            self._fit_cholesky(likelihood, start, rng)

        values = parameters.values
        self.length_scale_, self.variance_ = values["length_scale"], values["variance"]
        self.noise_variance_ = values["noise_variance"]
        self.factors_ = values.get("factors", np.empty((X.shape[1], 0)))
        self.rq_alpha_ = values.get("rq_alpha", float(self.rq_alpha))
        self.jitter_ = likelihood.jitter
        self.theta_, self.theta_names_ = parameters.theta, parameters.names
        self.X_train_, self.y_train_, self.y_mean_, self.y_std_ = X, target, mean, std
        self.n_features_in_ = X.shape[1]
        _feature_names.keep(self, names)
        self._likelihood = likelihood
        return self

    def _training_data(self, X, y):
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        X, y = points(X), numbers("y", y)
        if not len(X):
            raise ValueError(f"X must have at least one row, got shape {X.shape}")
        if y.ndim not in (1, 2) or not y.size:
            raise ValueError(f"y must have shape (N,) or (N, n_targets), got {y.shape}")
        if len(X) != len(y):
            raise ValueError(f"X and y must be of one length, got shapes {X.shape} and {y.shape}")
        return X.copy(), y.copy()

    def _target(self, y):
        """What is fitted, and the mean and the standard deviation that were taken out of y."""
        how = self.normalize_y
        if how is None:
            how = "mean" if self.variance is None else False
        if isinstance(how, str):
            _arrays.choice("normalize_y", how, ("mean",), ", and not None, True or False")
            return centred(y)
        return normalised(y) if how else (y, np.zeros(y.shape[1:]), np.ones(y.shape[1:]))

    def _parameters(self, X, start, rng):
        """The hyperparameters where the fit starts."""
        (n, d), optimise = X.shape, self.optimizer is not None
        values = {
            name: start.value(name) if getattr(self, name) is None else getattr(self, name)
            for name in ("length_scale", "rq_alpha", "variance", "noise_variance")
        }
        noise = _arrays.real("noise_variance", values.pop("noise_variance"))
        if noise.shape == (1,):
            noise = noise[0]
        if noise.shape not in ((), (n,)):
            raise ValueError(
                f"noise_variance must be a number or have shape ({n},), one for each point, "
                f"got shape {noise.shape}"
            )
        if not (np.isfinite(noise) & (noise >= 0)).all():
            raise ValueError(f"noise_variance must be finite and >= 0, got {noise}")
        ard_kernel(X[:0], kind=self.kind, **values)  # checks them
        values = {name: np.asarray(value, np.float64) for name, value in values.items()}
        if self.ard:
            values["length_scale"] = np.broadcast_to(values["length_scale"], d).copy()
        values["noise_variance"] = noise.astype(np.float64)

        n_factors = _arrays.integer("n_factors", self.n_factors, maximum=d)
        if n_factors and not optimise:
            raise ValueError(
                f"n_factors must be 0 with optimizer=None, got {n_factors}: factors have no value "
                f"to keep"
            )
        bounds = {}
        for name, value in values.items():
            bounds[name] = getattr(self, f"{name}_bounds")
            if bounds[name] is not None:
                bounds[name] = interval(name, bounds[name])
            else:
                bounds[name] = start.bounds(name, value) if optimise else EVERYTHING
        if noise.ndim and bounds["noise_variance"] is not None:
            raise ValueError(
                'noise_variance_bounds must be "fixed" where noise_variance is an array'
            )
        if self.kind != "rq":
            del values["rq_alpha"]
        for name, value in values.items():
            if bounds[name] is None:
                continue
            low, high = bounds[name]
            if optimise and getattr(self, name) is None:
                values[name] = value = np.clip(value, low, high)
            if optimise and not ((low <= value) & (value <= high)).all():
                raise ValueError(
                    f"{name}_bounds must contain the start, {name}={value}, got "
                    f'({np.min(low):g}, {np.max(high):g}); "fixed" keeps it as it is'
                )
            if not (np.isfinite(value) & (value > 0)).all():
                bounds[name] = None  # it has no logarithm
        return Parameters(values, bounds, d, n_factors, rng)

    def _settings(self, parameters):
        """The jitter to start from, after the checks of everything but the hyperparameters."""
        _arrays.choice("solver", self.solver, ("cholesky", "cg"))
        _arrays.integer("n_restarts_optimizer", self.n_restarts_optimizer)
        if not (self.optimizer in (None, "fmin_l_bfgs_b") or callable(self.optimizer)):
            raise ValueError(
                f'optimizer must be "fmin_l_bfgs_b", a callable or None, got {self.optimizer!r}'
            )
        automatic = isinstance(self.jitter, str)
        if automatic and self.jitter != "auto":
            raise ValueError(f'jitter must be a number, "auto" or None, got {self.jitter!r}')
        given = 0.0 if automatic or self.jitter is None else self.jitter
        jitter = _arrays.scalar("jitter", given, minimum=0)
        if self.solver == "cg":
            if self.optimizer is not None:
                raise ValueError(
                    'optimizer must be None with solver="cg", which gives no likelihood to '
                    f"maximise, got {self.optimizer!r}"
                )
            if automatic:
                raise ValueError('jitter must be a number or None with solver="cg", got "auto"')
            if not np.min(parameters.values["noise_variance"]) + jitter > 0:
                raise ValueError(
                    'noise_variance (or jitter) must be positive with solver="cg": without noise '
                    "conjugate gradients do not converge"
                )
        return jitter

    def _fit_cholesky(self, likelihood, start, rng):
        parameters, at_bounds = likelihood.parameters, []
        if isinstance(self.jitter, str):
            likelihood.find_jitter()
        if self.optimizer is not None and parameters.names:
            if likelihood.y.any():
                parameters.values = self._best(likelihood, start, rng)
                at_bounds = warn_of_bounds(parameters)
            else:
                warn(_CONSTANT, exception("ConvergenceWarning"))
        factor = likelihood.cholesky(parameters.values, likelihood.scratch())
        if factor is None:
            if isinstance(self.jitter, str):
                advice = (
                    f"raise noise_variance, or pass as jitter a number above the "
                    f'{likelihood.jitter:.3g} that "auto" found for the start'
                )
            else:
                advice = (
                    f"raise noise_variance or jitter (now {likelihood.jitter:g}), or pass "
                    f'jitter="auto" to add the least that the start needs'
                )
            raise np.linalg.LinAlgError(
                f"the covariance matrix of the training points is not positive definite with "
                f"{parameters}: {advice}"
            )
        alpha, value = likelihood.value(factor)
        self._keep(
            alpha_=alpha.reshape(likelihood.shape), L_=factor,
            log_marginal_likelihood_value_=value, at_bounds_=at_bounds, _solver=Cholesky(factor),
        )  # fmt: skip

    def _best(self, likelihood, start, rng):
        """The most likely hyperparameters, of what is not given from the best of a grid.

        The search runs in units of the data. Where all comes from the data these are rounded there:
        the steps are the same then, whatever the user's units are. Where numbers are given, the
        units are powers of two, which change no digit.
        """
        hyperparameters = "length_scale", "variance", "noise_variance"
        given = any(
            value is not None
            for name in hyperparameters
            for value in (getattr(self, name), getattr(self, f"{name}_bounds"))
        )
        units = start.units(exact=given)
        standard = likelihood.scaled(units)
        if not given:
            standard.X, standard.y = rounded(standard.X), rounded(standard.y)
        names = [name for name in hyperparameters
                 if getattr(self, name) is None and name in standard.parameters.bounds]  # fmt: skip
        begin = starts(standard, names) if names else [standard.parameters.values]

        parameters = likelihood.parameters
        if callable(self.optimizer):  # it sees theta as it will be
            if names:
                parameters.values = parameters.unscaled(begin[0], units)
            thetas = [parameters.theta]
            thetas += [parameters.draw(rng) for _ in range(self.n_restarts_optimizer)]
            return parameters.at(maximise(likelihood, self.optimizer, thetas))
        thetas = [standard.parameters.theta_of(values) for values in begin]
        if len(thetas) > 1:
            thetas = [most_promising(standard, thetas)]
        thetas += [standard.parameters.draw(rng) for _ in range(self.n_restarts_optimizer)]
        theta = maximise(standard, self.optimizer, thetas)
        return parameters.unscaled(standard.parameters.at(theta), units)

    def _fit_cg(self, likelihood):
        solver = ConjugateGradients(
            likelihood.X,
            likelihood.kernel(likelihood.parameters.values),
            likelihood.parameters.values["noise_variance"] + likelihood.jitter,
        )
        alpha, residual, steps = solver.solve(likelihood.y)
        self._keep(
            alpha_=alpha.reshape(likelihood.shape), cg_residual_=residual, cg_iterations_=steps,
            at_bounds_=[], _solver=solver,
        )  # fmt: skip

    def _keep(self, **fitted):
        """Put what a solver found in place of what the last one left."""
        for name in _OF_A_SOLVER:
            vars(self).pop(name, None)
        vars(self).update(fitted)

    # --- what the fit knows -----------------------------------------------------------------

    def predict(self, X, return_std=False, return_cov=False, include_noise=False):
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
        X = self._test_points(X)
        if return_std and return_cov:
            raise ValueError("return_std and return_cov must not both be true")
        noise = self._noise() if include_noise else 0.0
        mean = self.y_std_ * self._mean(X) + self.y_mean_
        if return_cov:
            # y_std_ twice: by its square, where that is inf, 0 would become NaN
            return mean, np.multiply.outer(self._covariance(X, noise), self.y_std_) * self.y_std_
        if return_std:
            return mean, np.multiply.outer(np.sqrt(self._variances(X) + noise), self.y_std_)
        return mean

    def sample_y(self, X, n_samples=1, random_state=0):
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
        rng = generator(random_state)
        X = self._test_points(X)
        mean, n = self._mean(X), len(X)
        targets = int(np.prod(mean.shape[1:]))
        if not n:
            return np.empty((*mean.shape, n_samples))
        covariance = self._covariance(X)
        # semidefinite it is to rounding, which a fixed tolerance does not know
        draws = rng.multivariate_normal(
            np.zeros(n), covariance, (targets, n_samples), check_valid="ignore"
        )
        draws = mean[..., None] + np.moveaxis(draws, -1, 0).reshape(*mean.shape, n_samples)
        return self.y_std_[..., None] * draws + self.y_mean_[..., None]

    def log_marginal_likelihood(self, theta=None, eval_gradient=False):
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
        if isinstance(self._solver, ConjugateGradients):
            raise ValueError(
                'log_marginal_likelihood needs a fit with solver="cholesky": conjugate gradients '
                "give no determinant"
            )
        if theta is None:
            if not eval_gradient:
                return self.log_marginal_likelihood_value_
            theta = self.theta_
        theta = likelihood.parameters.check("theta", theta)
        value, gradient = likelihood(theta, eval_gradient, likelihood.scratch())
        return (value, gradient) if eval_gradient else value

    def predict_gradient(self, X):
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
        X = self._test_points(X)
        alpha = self.alpha_.reshape(len(self.X_train_), -1)
        mean, std = np.empty((*X.shape, alpha.shape[1])), np.full(X.shape, np.nan)
        for rows in self._batches(X):
            pull = functools.partial(self._pull, X[rows])
            for target, weights in enumerate(alpha.T):
                mean[rows, :, target] = pull(np.broadcast_to(weights, (len(X[rows]), len(weights))))
            cross = ard_kernel(X[rows], self.X_train_, **self._kernel())
            weights, explained = self._solver.weights(cross)
            deviation = np.sqrt(np.maximum(self.variance_ - explained, 0))[:, None]
            np.divide(-pull(weights), deviation, out=std[rows], where=deviation > 0)
        mean = mean.reshape(*X.shape, *self.alpha_.shape[1:])
        return mean * self.y_std_, np.multiply.outer(std, self.y_std_)

    def _pull(self, X, weights):
        """The gradients of Σ_j weights[i, j] k(x_i, x_j)."""
        return ard_kernel_vjp(weights, X, self.X_train_, **self._kernel(), wrt=["X"])["X"]

    def _mean(self, X):
        """The posterior mean in the units of y_train_, as all that follows."""
        return KernelOperator(X, self.X_train_, **self._kernel()) @ self.alpha_

    def _covariance(self, X, noise=0.0):
        kernel = self._kernel()
        covariance = ard_kernel(X, **kernel)
        if len(X):
            cross = ard_kernel(X, self.X_train_, **kernel)
            covariance -= self._solver.explained_covariance(cross)
        diagonal = np.einsum("ii->i", covariance)
        np.maximum(diagonal, 0, out=diagonal)
        diagonal += noise
        return covariance

    def _variances(self, X):
        variances = np.empty(len(X))
        for rows in self._batches(X):
            cross = ard_kernel(X[rows], self.X_train_, **self._kernel())
            variances[rows] = self.variance_ - self._solver.explained(cross)
        return np.maximum(variances, 0)

    def _batches(self, X):
        size = self._solver.batch
        return (slice(start, start + size) for start in range(0, len(X), size))

    def _kernel(self):
        return self._likelihood.kernel(self._likelihood.parameters.values)

    def _noise(self):
        if np.ndim(self.noise_variance_):
            raise ValueError(
                "include_noise must be False where each training point has a noise_variance of "
                "its own: none is known for others"
            )
        return self.noise_variance_

    def _test_points(self, X):
        self._check_fitted()
        _feature_names.check(self, X)
        X, d = points(X), self.n_features_in_
        if X.shape[1] != d:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {d} "
                f"features as input"
            )
        return X

    def _check_fitted(self):
        if not hasattr(self, "alpha_"):
            name = type(self).__name__
            raise exception("NotFittedError")(f"this {name} is not fitted yet: call fit first")
