"""What the tests of Gaussian processes share: data, starts, and scikit-learn's estimators."""

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor as Sklearn
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)

from hotloops.gp import GaussianProcessRegressor

KINDS = ("se", "matern12", "matern32", "matern52", "rq")


def data(n=40, d=3, targets=(), seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    weights = rng.normal(size=(d, *targets))
    return X, np.sin(X @ weights) + 0.1 * rng.normal(size=(n, *targets))


START = {
    "length_scale": 1.0, "length_scale_bounds": (1e-5, 1e5),
    "variance": 1.0, "variance_bounds": (1e-5, 1e5),
    "noise_variance": 1e-2, "noise_variance_bounds": (1e-10, 1e5),
}  # fmt: skip


def started(**keywords):
    """From given numbers, not from the data."""
    return GaussianProcessRegressor(**{**START, **keywords})


def fixed(**keywords):
    return started(optimizer=None, **keywords)


def same_in_sklearn(
    kind, length_scale, rq_alpha=1.0, variance=1.0, noise_variance=1e-2, **keywords
):
    """The estimator there, and where the entries of its theta are in ours."""
    d, nu = np.size(length_scale), {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}
    if kind == "se":
        kernel = RBF(length_scale)
    elif kind == "rq":
        kernel = RationalQuadratic(length_scale, rq_alpha)
    else:
        kernel = Matern(length_scale, nu=nu[kind])
    kernel = ConstantKernel(variance) * kernel
    ours = [d, *range(d)]
    if kind == "rq":
        ours = [2, 1, 0]
    if noise_variance is not None:
        kernel += WhiteKernel(noise_variance, (1e-10, 1e5))
        ours.append(len(ours))
    return Sklearn(kernel, alpha=keywords.pop("alpha", 0), **keywords), ours


def metric(values):
    return np.diag(values.length_scale_**-2.0) + values.factors_ @ values.factors_.T


def differences(function, x, step=1e-5):
    """Central ones, of fourth order."""

    def along(direction):
        near, far = (function(x + k * direction) - function(x - k * direction) for k in (1, 2))
        return (8 * near - far) / (12 * step)

    return np.array([along(step * unit) for unit in np.eye(x.size).reshape(-1, *x.shape)])


def stay(obj_func, initial_theta, bounds):
    return initial_theta, obj_func(initial_theta, eval_gradient=False)


def repeated(n=20):
    X = np.repeat(np.linspace(0, 1, n), 2)[:, None]
    return X, np.sin(X[:, 0])
