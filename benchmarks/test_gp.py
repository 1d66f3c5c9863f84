import importlib.util
import time

import numpy as np
import pytest
from contenders import BACKENDS
from scipy.linalg import lapack

import hotloops as hl


def data(n, d):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, d))
    return X, np.sin(X[:, :3]).sum(axis=1) + 0.1 * rng.normal(size=n)


def ours(X, optimizer=None):
    start = {"length_scale": np.full(X.shape[1], 2.0), "variance": 1.0, "noise_variance": 0.01}
    return hl.gp.GaussianProcessRegressor(optimizer=optimizer, **start)


def theirs(X, optimizer=None):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(1.0) * RBF(np.full(X.shape[1], 2.0)) + WhiteKernel(0.01, (1e-10, 1e5))
    return GaussianProcessRegressor(kernel, alpha=0, optimizer=optimizer)


# --- the log marginal likelihood and its gradient -------------------------------------------


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


def likelihood_of_scikit_learn(X, y):
    gp = theirs(X).fit(X, y)
    order = [*range(1, X.shape[1] + 1), 0, X.shape[1] + 1]

    def run():
        value, gradient = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
        return value, gradient[order]

    return run


def likelihood(name, X, y):
    if name == "scikit-learn":
        return likelihood_of_scikit_learn(X, y)
    gp = ours(X).fit(X, y)
    if name == "best NumPy":
        return lambda: contraction(X, y, gp.theta_)
    return lambda: gp.log_marginal_likelihood(eval_gradient=True)


def fit(name, X, y):
    gp = (theirs if name == "scikit-learn" else ours)(X, "fmin_l_bfgs_b")
    return lambda: (gp.fit(X, y).log_marginal_likelihood_value_,)


PEERS = ["scikit-learn"] if importlib.util.find_spec("sklearn") else []
CASES = {
    "log marginal likelihood and gradient": (likelihood, {"n": 1500, "d": 10}, 1e-9),
    "fit": (fit, {"n": 1000, "d": 8}, 1e-6),
}
CONTENDERS = [
    *((case, name) for case in CASES for name in [*BACKENDS, *PEERS]),
    ("log marginal likelihood and gradient", "best NumPy"),
]


@pytest.mark.filterwarnings("ignore:The optimal value found")  # scikit-learn's, of bounds
@pytest.mark.parametrize(("case", "name"), CONTENDERS)
def test_gp(benchmark, case, name):
    make, size, tolerance = CASES[case]
    X, y = data(**size)
    reference = make("cython", X, y)()
    with hl.set_backend(name if name in BACKENDS else None):
        run = make(name, X, y)
        start = time.perf_counter()
        for result, expected in zip(run(), reference, strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)
        seconds = time.perf_counter() - start
        benchmark.group = f"gp: {case}"
        benchmark.extra_info.update(
            contender=name, subject="gp", case=case, size=size, dtype="float64"
        )
        time.sleep(0.05)  # idle threads of the last contender's library spin for a while
        if seconds < 2:
            benchmark(run)
        else:
            benchmark.pedantic(run, rounds=1)
