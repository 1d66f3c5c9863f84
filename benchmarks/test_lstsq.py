import importlib.util

import numpy as np
import pytest
import scipy.linalg
from contenders import parametrize

import hotloops as hl


def scipy_lstsq(A, b, alphas=None):
    return None if alphas is not None else lambda: scipy.linalg.lstsq(A, b)[0]


def scikit_learn(A, b, alphas=None):
    from sklearn.linear_model import LinearRegression, Ridge

    if alphas is None:
        model = LinearRegression(fit_intercept=False)
        return lambda: model.fit(A, b).coef_.T

    def loop():
        models = (Ridge(alpha=alpha, fit_intercept=False) for alpha in alphas)
        return np.stack([model.fit(A, b).coef_.reshape(-1, A.shape[1]).T for model in models])

    return loop


def torch(A, b, alphas=None):
    if alphas is not None:
        return None
    import torch

    a, b = torch.from_numpy(A), torch.from_numpy(b)
    return lambda: torch.linalg.lstsq(a, b).solution.numpy()


def jax(A, b, alphas=None):
    if alphas is not None:
        return None
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    solve = jax.jit(lambda a, b: jnp.linalg.lstsq(a, b)[0])
    return lambda: np.asarray(solve(A, b))


PEERS = {
    "scipy lstsq": ("scipy", scipy_lstsq),
    "scikit-learn": ("sklearn", scikit_learn),
    "torch": ("torch", torch),
    "jax": ("jax", jax),
}


@parametrize("lstsq", PEERS)
def test_lstsq(contend, case, name, make):
    contend(case, name, make)


# --- one right-hand side after the other ----------------------------------------------------


def _problem(m, n, p):
    rng = np.random.default_rng(7)
    return rng.normal(size=(m, n)), rng.normal(size=(p, m))


def _one_at_a_time(solve, b):
    return np.stack([solve(column) for column in b], axis=1)


def _ours(a, b, **options):
    def run():
        fit = hl.LeastSquares(a, **options)
        return _one_at_a_time(fit.solve, b)

    return run


def _square():
    a, b = _problem(100, 100, 10)

    def lu():
        factor = scipy.linalg.lu_factor(a)
        return _one_at_a_time(lambda column: scipy.linalg.lu_solve(factor, column), b)

    def qr():
        q, r, order = scipy.linalg.qr(a, pivoting=True)
        pivots = np.abs(r.diagonal())
        assert pivots[-1] > 100 * np.finfo(float).eps * pivots[0]
        x = np.empty(100)

        def solve(column):
            x[order] = scipy.linalg.solve_triangular(r, q.T @ column)
            return x.copy()

        return _one_at_a_time(solve, b)

    found = {"scipy, QR": qr, "scipy, LU": lu}
    for backend in ("numba", "cython"):
        found[f"{backend}, QR"] = _ours(a, b, method="qr", backend=backend)
        found[f"{backend}, LU"] = _ours(a, b, method="lu", backend=backend)
    return found


def _tall():
    a, b = _problem(2000, 100, 200)
    columns = np.ascontiguousarray(b.T)
    found = {
        "numpy, all at once": lambda: np.linalg.lstsq(a, columns, rcond=None)[0],
        "scipy, all at once": lambda: scipy.linalg.lstsq(a, columns)[0],
    }
    if importlib.util.find_spec("sklearn"):
        found["scikit-learn, all at once"] = scikit_learn(a, columns)
    for backend in ("numba", "cython"):
        found[f"{backend}, all at once"] = lambda backend=backend: hl.LeastSquares(
            a, backend=backend
        ).solve(columns)
        found[f"{backend}, one at a time"] = _ours(a, b, backend=backend)
    return found


SCENES = {"100×100, 10 one at a time": _square, "2000×100, 200 right-hand sides": _tall}


@pytest.mark.parametrize("scene", SCENES)
def test_contenders(take_turns, scene):
    take_turns("lstsq", scene, SCENES[scene]())
