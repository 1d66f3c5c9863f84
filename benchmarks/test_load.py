"""What else runs: calls alone, beside processes that factor matrices, after calls of torch's in the
same process, and beside a thread of Python code."""

import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.linalg
from gaussian_processes import contraction, data
from gaussian_processes import ours as gaussian_process

import hotloops as hl

LEAST, MOST = 0.15, 4  # seconds of calls of a contender, in a round and in all
ROUNDS = 7
FACTORING = """
import numpy, scipy.linalg
a = numpy.random.default_rng(0).normal(size=(1000, 1000))
while True:
    scipy.linalg.lu_factor(a)
    print(flush=True)
"""


# --- what the others do ---------------------------------------------------------------------


@contextlib.contextmanager
def factoring():
    """One process a CPU that factors matrices, with its BLAS's own threads."""
    command = [sys.executable, "-c", FACTORING]
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count()):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout.readline()  # it is at work; a pipe that is full would stop it
            threading.Thread(target=process.stdout.read, daemon=True).start()
        yield


@contextlib.contextmanager
def python_thread():
    """A thread of this process in Python code."""
    stop = threading.Event()

    def count():
        number = 0
        while not stop.is_set():
            number += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def after_torch():
    """A call of torch's, whose threads spin for a while after it."""
    import torch

    a = torch.from_numpy(np.random.default_rng(0).normal(size=(1000, 1000)))
    return lambda: torch.linalg.solve(a, a)


def medians(calls, before=None):
    """The median time of a call of each of {name: function}. They take turns with some calls, after
    a pause or, each single call, after `before()`."""
    times = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            if sum(times[name]) > MOST:
                continue
            end = time.perf_counter() + LEAST
            if before is None:
                time.sleep(0.05)  # idle threads of the last contender's library spin for a while
            while True:
                if before is not None:
                    before()
                start = time.perf_counter()
                call()
                now = time.perf_counter()
                times[name].append(now - start)
                if now > end:
                    break
    return {name: statistics.median(some) for name, some in times.items()}


# --- the calls ------------------------------------------------------------------------------

rng = np.random.default_rng(7)


def torch_peer(make):
    """{"torch": the function that `make(torch)` returns}, where torch is installed."""
    if not importlib.util.find_spec("torch"):
        return {}
    import torch

    return {"torch": make(torch)}


def likelihood():
    X, y = data(1500, 10)
    gp = gaussian_process(X).fit(X, y)

    def log_marginal_likelihood():
        value, gradient = gp.log_marginal_likelihood(eval_gradient=True)
        return np.r_[value, gradient]

    return {
        "hotloops": log_marginal_likelihood,
        "NumPy": lambda: np.r_[contraction(X, y, gp.theta_)],
    }


def least_squares(method):
    def peers():
        A, b = rng.normal(size=(2000, 100)), rng.normal(size=(2000, 200))

        def qr():
            q, r = scipy.linalg.qr(A, mode="economic")
            return scipy.linalg.solve_triangular(r, q.T @ b)

        def svd():
            u, s, vh = np.linalg.svd(A, full_matrices=False)
            return vh.T @ ((u.T @ b) / s[:, None])

        def torch_qr(torch):
            a, columns = torch.from_numpy(A), torch.from_numpy(b)

            def solve():
                q, r = torch.linalg.qr(a)
                return torch.linalg.solve_triangular(r, q.T @ columns, upper=True).numpy()

            return solve

        def torch_svd(torch):
            a, columns = torch.from_numpy(A), torch.from_numpy(b)

            def solve():
                u, s, vh = torch.linalg.svd(a, full_matrices=False)
                return (vh.T @ ((u.T @ columns) / s[:, None])).numpy()

            return solve

        rivals = {"qr": (("SciPy", qr), torch_qr), "svd": (("NumPy", svd), torch_svd)}
        (name, function), of_torch = rivals[method]
        return {
            "hotloops": lambda: hl.LeastSquares(A, method=method).solve(b),
            name: function,
            **torch_peer(of_torch),
        }

    return peers


def lu():
    A, b = rng.normal(size=(1000, 1000)), rng.normal(size=1000)

    def of_torch(torch):
        a, column = torch.from_numpy(A), torch.from_numpy(b)
        return lambda: torch.linalg.solve(a, column).numpy()

    return {
        "hotloops": lambda: hl.LeastSquares(A, method="lu").solve(b),
        "SciPy": lambda: scipy.linalg.lu_solve(scipy.linalg.lu_factor(A), b),
        **torch_peer(of_torch),
    }


def components():
    X = rng.normal(size=(20_000, 200)) * np.linspace(1, 3, 200)
    found = {"hotloops": lambda: hl.linalg.pca(X, 10).explained_variance_}
    if importlib.util.find_spec("sklearn"):
        from sklearn.decomposition import PCA

        for solver in ("full", "covariance_eigh"):
            found[f"scikit-learn, {solver}"] = lambda solver=solver: (
                PCA(10, svd_solver=solver).fit(X).explained_variance_
            )
    return found


def kernel():
    X = rng.normal(size=(4000, 6))

    def of_torch(torch):
        x = torch.from_numpy(X)
        return lambda: torch.cdist(x, x).square_().mul_(-0.5).exp_().numpy()

    return {"hotloops": lambda: hl.ard_kernel(X), **torch_peer(of_torch)}


SCENES = {
    "log_marginal_likelihood and its gradient, 1500×10": likelihood,
    'LeastSquares, "qr", 2000×100, 200 right-hand sides': least_squares("qr"),
    'LeastSquares, "svd", 2000×100, 200 right-hand sides': least_squares("svd"),
    'LeastSquares, "lu", 1000×1000': lu,
    "linalg.pca, 20000×200": components,
    "ard_kernel, 4000×4000×6": kernel,
}


@pytest.mark.parametrize("scene", SCENES)
def test_load(scene, benchmark):
    calls = SCENES[scene]()
    expected = np.array(calls["hotloops"]())
    for name, call in calls.items():
        np.testing.assert_allclose(
            call(), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max(), err_msg=name
        )
    # what other calls are measured by: it has no factors
    X, out = rng.normal(size=(4000, 6)), np.empty((4000, 4000))
    ruler = {"ruler": lambda: hl.ard_kernel(X, out=out)}
    ours = {"hotloops": calls["hotloops"]}
    figures = {"alone": medians(ruler | calls)}
    with factoring():
        figures["beside processes"] = medians(ruler | calls)
    with python_thread():
        figures["beside Python"] = medians(ours)
    if importlib.util.find_spec("torch"):
        before = after_torch()
        before()
        figures["after torch"] = medians(ours, before)
    benchmark.group = "load"
    benchmark.extra_info.update(load=scene, seconds=figures)
    benchmark(calls["hotloops"])
