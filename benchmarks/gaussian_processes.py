"""Gaussian processes of ours, scikit-learn's and the best NumPy's, on the same points."""

import contextlib

import numpy as np
import scipy.optimize
from scipy.linalg import lapack

import hotloops as hl


def data(n, d):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, d))
    return X, np.sin(X[:, :3]).sum(axis=1) + 0.1 * rng.normal(size=n)


BOUNDS = {"length_scale": (1e-3, 1e3), "variance": (1e-3, 1e3), "noise_variance": (1e-6, 1e1)}
EVALUATIONS = 20


def search(objective, theta, bounds):
    """L-BFGS-B as far as EVALUATIONS evaluations, so that whoever fits makes as many."""
    found = []

    def evaluate(theta):
        value, gradient = objective(theta)
        found.append((np.array(theta), value))
        if len(found) == EVALUATIONS:
            raise StopIteration
        return value, gradient

    with contextlib.suppress(StopIteration):
        scipy.optimize.minimize(evaluate, theta, jac=True, method="L-BFGS-B", bounds=bounds)
    assert len(found) == EVALUATIONS
    return found[-1]


def ours(X, optimizer=None):
    start = {"length_scale": np.full(X.shape[1], 2.0), "variance": 1.0, "noise_variance": 0.01}
    start |= {f"{name}_bounds": bounds for name, bounds in BOUNDS.items()}
    return hl.gp.GaussianProcessRegressor(optimizer=optimizer, **start)


def theirs(X, optimizer=None):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    scale, variance, noise = BOUNDS.values()
    kernel = ConstantKernel(1.0, variance) * RBF(np.full(X.shape[1], 2.0), scale)
    kernel += WhiteKernel(0.01, noise)
    return GaussianProcessRegressor(kernel, alpha=0, optimizer=optimizer)


def contraction(X, y, theta):
    """The best NumPy: one GEMM for the kernel, one for all the length scales' derivatives."""
    n, d = X.shape
    variance, noise = np.exp(theta[d:])
    z = X / np.exp(theta[:d])
    norms = (z**2).sum(axis=1) / 2
    k = z @ z.T
    k -= norms[:, None]
    k -= norms
    np.minimum(k, 0, out=k)
    np.exp(k, out=k)
    k *= variance
    a = k.copy()
    a[np.diag_indices(n)] += noise
    factor, _ = lapack.dpotrf(a.T, lower=0, clean=1, overwrite_a=1)
    alpha, _ = lapack.dpotrs(factor, y, lower=0)
    value = y @ alpha / -2 - np.log(factor.diagonal()).sum() - n / 2 * np.log(2 * np.pi)
    inverse, _ = lapack.dpotri(factor, lower=0, overwrite_c=1)
    w = np.outer(alpha, alpha)
    w -= inverse
    w -= inverse.T
    w[np.diag_indices(n)] += inverse.diagonal()
    w /= 2
    trace = np.trace(w)
    w *= k
    slopes = 2 * (w.sum(axis=1) @ z**2 - np.einsum("nd,nd->d", z, w @ z))
    return value, np.r_[slopes, w.sum(), noise * trace]
