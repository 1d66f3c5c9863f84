import importlib.util
import time

import numpy as np
import pytest
from contenders import BACKENDS
from gaussian_processes import contraction, data, ours, search, theirs

import hotloops as hl


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
    gp = (theirs if name == "scikit-learn" else ours)(X, search)
    return lambda: (gp.fit(X, y).log_marginal_likelihood_value_,)


PEERS = ["scikit-learn"] if importlib.util.find_spec("sklearn") else []
CASES = {
    "log marginal likelihood and gradient": (likelihood, {"n": 1500, "d": 10}, 1e-9),
    "log marginal likelihood and gradient, 5000 points": (likelihood, {"n": 5000, "d": 10}, 1e-9),
    "fit": (fit, {"n": 1000, "d": 8}, 1e-6),
}
CONTENDERS = [
    *((case, name) for case in CASES for name in BACKENDS),
    # scikit-learn takes 2 GB for the slopes at 5000 points
    *((case, name) for case, (_, size, _) in CASES.items() if size["n"] < 5000 for name in PEERS),
    *((case, "best NumPy") for case, (make, *_) in CASES.items() if make is likelihood),
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
