"""What a call costs at the least: the smallest useful inputs, beside a line of NumPy or SciPy."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.special
import scipy.stats
from scipy.spatial.distance import cdist

import hotloops as hl
from hotloops.cli.compare import interleave

rng = np.random.default_rng(0)
X, Y, weights = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(5, 4))
V, b = rng.normal(size=(5, 2)), rng.normal(size=5)
A, next_ones = rng.normal(size=(3, 2, 2)), (np.arange(3)[:, None] + np.arange(2)) % 3
systems, sides = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 3))
rows, matrix = rng.normal(size=(2, 4)), scipy.sparse.csc_array(np.eye(4))
W, bias, hours = rng.normal(size=(3, 2)), rng.normal(size=2), np.arange(6.0)
probabilities = scipy.stats.binom.pmf(np.arange(6), 5, 0.3)


def gaussian():
    return np.exp(-0.5 * cdist(X, X, "sqeuclidean"))


# a call, and the line that does the same, if there is one
SCENES = {
    "ard_kernel": (lambda: hl.ard_kernel(X), gaussian),
    "ard_kernel_vjp": (
        lambda: hl.ard_kernel_vjp(weights, X, Y, wrt=["variance"])["variance"],
        lambda: np.vdot(weights, np.exp(-0.5 * cdist(X, Y, "sqeuclidean"))),
    ),
    "KernelOperator, product": (lambda: hl.KernelOperator(X) @ V, lambda: gaussian() @ V),
    "quadform": (lambda: hl.quadform(X, Y), lambda: cdist(X, Y, "sqeuclidean")),
    "rolled_matmul": (lambda: hl.rolled_matmul(A, A, 2), lambda: A[:, None] @ A[next_ones]),
    "sparse_tensordot": (lambda: hl.sparse_tensordot(rows, matrix), lambda: rows @ matrix),
    "solve_many": (
        lambda: hl.solve_many(systems, sides, vectors=True),
        lambda: np.linalg.solve(systems, sides[..., None])[..., 0],
    ),
    "LeastSquares, solve": (
        lambda: hl.LeastSquares(X).solve(b),
        lambda: np.linalg.lstsq(X, b, rcond=None)[0],
    ),
    "binomial_counts": (
        lambda: hl.binomial_counts(5, 0.3, 1000, rng=rng),
        lambda: rng.multinomial(1000, probabilities),
    ),
    "binomial_pmf": (
        lambda: hl.binomial_pmf(5, 0.3),
        lambda: scipy.stats.binom.pmf(np.arange(6), 5, 0.3),
    ),
    "periodic_features": (
        lambda: hl.periodic_features(hours, 24.0),
        lambda: np.stack([np.cos(hours * (np.pi / 12)), np.sin(hours * (np.pi / 12))], axis=-1),
    ),
    "linalg.covariance": (lambda: hl.linalg.covariance(X), lambda: np.cov(X, rowvar=False)),
    "linalg.distances": (lambda: hl.linalg.distances(X, Y), lambda: cdist(X, Y)),
    "linalg.softmax": (lambda: hl.linalg.softmax(X), lambda: scipy.special.softmax(X, axis=-1)),
    "linalg.normalize_rows": (
        lambda: hl.linalg.normalize_rows(X),
        lambda: X / np.linalg.norm(X, axis=1, keepdims=True),
    ),
    "linalg.mlp_forward": (
        lambda: hl.linalg.mlp_forward(X, [W], [bias]),
        lambda: scipy.special.softmax(X @ W + bias, axis=-1),
    ),
    "optics.solve_stack": (
        lambda: hl.optics.solve_stack([1, 1.5, 1], [100.0], 500.0, pol="s").R, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENES)
def test_tiny(name, benchmark):
    call, line = SCENES[name]
    result = np.asarray(call())
    calls = {"hotloops": call}
    if line is not None:
        calls["line"] = line
        expected = np.asarray(line())
        if result.dtype.kind == "i":  # draws
            assert result.sum() == expected.sum()
        else:
            np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)
    seconds = interleave(calls, 0.05, bursts=7)
    benchmark.group = "tiny calls"
    benchmark.extra_info.update(tiny=name, **seconds)
    benchmark(call)
