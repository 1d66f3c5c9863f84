"""Every public function, class, method and option, called as the README and the docstrings say.

Type checkers read it, and the tests run it.
"""

from typing import Any, assert_type

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

import hotloops as hl
from hotloops.gp import ConvergenceWarning, GaussianProcessRegressor, NotFittedError
from hotloops.linalg import ConditionReport, LinearModel, PrincipalComponents, softmax
from hotloops.optics import StackSolution, solve_stack
from hotloops.sklearn import ARD

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Complexes = NDArray[np.complexfloating[Any, Any]]
Numbers = NDArray[np.inexact[Any]]


def readme(
    X: Array, Y: Array, V: Array, y: Array, ell: Array, Lambda: Array, sigma: float,
    z: Array, interfaces: Array, kz: Array, amplitudes: Array, vectors: Array, x: Array, kx: Array,
    n: Array, d: Array, wavelength: Array, theta: Array,
    A: Any, b: Array, B: Array, k: int, scores: Array, rng: np.random.Generator,
) -> None:  # fmt: skip
    """The README's first example, as it stands there."""
    # σ² exp(−½ (x−y)ᵀ (ΛΛᵀ + diag(ℓ)⁻²) (x−y)) for all pairs of rows
    K = hl.ard_kernel(X, Y, length_scale=ell, factors=Lambda, variance=sigma**2)

    # K @ V without K, and a Gaussian process by scikit-learn's conventions
    KV = hl.KernelOperator(X, kind="matern52", length_scale=ell) @ V
    model = hl.gp.GaussianProcessRegressor(kind="matern52").fit(X, y)

    # E(z, x) of a plane wave in a stack, layer by layer
    E = hl.layered_field(
        z, interfaces, kz, amplitudes, vectors, x=x, kx=kx, backward_reference="far"
    )

    # R, T and absorption of a stack for a spectrum and angles, and its fields, at any thickness
    stack = hl.optics.solve_stack(n, d, wavelength[:, None], theta, pol="p")
    flux = stack.poynting(z)

    # least squares, factored once: x for any b, its covariance, to the last digits
    fit = hl.LeastSquares(A, weights=1 / sigma**2, refine=True)
    x = fit.solve(b)

    # A[i] @ x[i] = b[i] for thousands of small systems
    x = hl.solve_many(A, b, vectors=True)

    # out[i, j] = A[i] @ B[(i + j) % d]
    products = hl.rolled_matmul(A, B, k)

    # softmax, covariances, whitening, … without the slips and the passes of the usual one-liners
    P = hl.linalg.softmax(scores, axis=1)
    C = hl.linalg.covariance(X)  # (..., n_samples, n_features)
    Z = hl.linalg.whiten(X, eps=1e-3).transform(X)

    # Y[..., m] = Σ X[..., n] A[n, m] for a sparse matrix of SciPy's
    Y = hl.sparse_tensordot(X, A)

    # how many of a million draws gave 0, 1, …, n, without the draws
    counts = hl.binomial_counts(n=55, p=0.05, draws=10**6, rng=1)

    # or those of the very draws that rng.binomial would make, a tenth of its time, on every core
    counts = hl.binomial_counts(n=55, p=0.05, draws=10**6, method="stream", rng=rng)
    del K, KV, model, E, flux, products, P, C, Z, counts


def ard(rng: np.random.Generator) -> None:
    X, Y, V = rng.normal(size=(6, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    ell, Lambda = np.array([1.0, 2.0, 0.5]), rng.normal(size=(3, 2))
    metric, out = np.eye(3), np.empty((6, 4))

    q = hl.quadform(X, Y, length_scale=ell, factors=Lambda, out=out, backend="numpy", workers=1)
    assert_type(q, Floats)
    assert_type(hl.quadform([[0.0], [2.0]], metric=[[2.0]]), Floats)

    K = hl.ard_kernel(
        X, Y, kind="rq", length_scale=ell, factors=Lambda, rq_alpha=2.0, variance=0.5, out=out,
        backend="cython", workers=-1,
    )  # fmt: skip
    assert_type(K, Floats)
    n, m = hl.ard_kernel(X, Y, kind="se").shape
    assert (n, m) == (6, 4)
    hl.ard_kernel(X, kind="matern12", metric=metric, noise_variance=0.1)
    hl.ard_kernel(X, kind="matern32", length_scale=2)
    hl.ard_kernel(X, kind="matern52", length_scale=[1, 2, np.inf])

    gradients = hl.ard_kernel_vjp(
        K, X, Y, kind="rq", length_scale=ell, factors=Lambda, rq_alpha=2.0, variance=0.5,
        wrt=["length_scale", "factors", "variance", "rq_alpha", "X", "Y"], backend="numpy",
        workers=1,
    )  # fmt: skip
    assert_type(gradients, dict[str, Any])
    hl.ard_kernel_vjp(np.eye(6), X, metric=metric, noise_variance=0.1, wrt=("metric",))

    op = hl.KernelOperator(
        X, Y, kind="rq", length_scale=ell, factors=Lambda, rq_alpha=2.0, variance=0.5,
        backend="numpy", workers=1,
    )  # fmt: skip
    hl.KernelOperator(X, metric=metric, noise_variance=0.1)
    assert_type(op @ V, Numbers)
    assert_type(op.matvec(V[:, 0]), Numbers)
    assert_type(op.matmat(V), Numbers)
    assert_type(op.rmatvec(X[:, 0]), Numbers)
    assert_type(op.rmatmat(X), Numbers)
    assert op.dot(V).shape == (6, 2)
    assert_type(op.diagonal(), Floats)
    assert_type(op.toarray(), Floats)
    assert op.T.shape == op.H.shape == (4, 6)
    assert op.transpose().shape == op.adjoint().shape == (4, 6)
    assert op.dtype == np.float64

    x = hl.periodic_features(X[:, 0], 2.0)
    assert_type(x, Floats)
    assert_type(hl.periodic_features(x, period=[1.0, 2.0]), Floats)


def field(rng: np.random.Generator) -> None:
    z, x, interfaces = np.linspace(-1, 2, 5), np.linspace(0, 1, 3), [0.0, 1.0]
    kz, kx = rng.normal(size=(2, 3)) + 1j, np.array([0.1, 0.2])
    amplitudes, vectors = rng.normal(size=(2, 3, 2)), rng.normal(size=(3, 2, 3))
    E = hl.layered_field(
        z, interfaces, kz, amplitudes, vectors, backward_reference="far", x=x, kx=kx, grid=True,
        coherent_weights=[1.0, 1j], out=np.empty((5, 3, 3), complex), backend="numpy", workers=1,
    )  # fmt: skip
    assert_type(E, Complexes)
    intensity = hl.layered_field(
        x, interfaces, kz, amplitudes, vectors, backward_reference="near", x=x, kx=kx, grid=False,
        what="intensity", incoherent_weights=[0.5, 0.5],
    )  # fmt: skip
    assert_type(intensity, Floats)
    assert intensity.shape == (3,)


def gaussian_process(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    model = GaussianProcessRegressor(
        kind="matern52", length_scale=[1.0, 2.0], ard=True, n_factors=0, rq_alpha=1.0,
        variance=1.0, noise_variance=0.1, length_scale_bounds=(1e-2, 1e2),
        variance_bounds="fixed", noise_variance_bounds="fixed", rq_alpha_bounds=(1e-5, 1e5),
        optimizer=None, n_restarts_optimizer=0, normalize_y="mean", jitter=None, solver="cholesky",
        random_state=0,
    )  # fmt: skip
    assert_type(model.fit(X, y), GaussianProcessRegressor)
    assert_type(model.predict(X), Floats)
    mean, std = model.predict(X, return_std=True, include_noise=True)
    assert_type(mean, Floats)
    assert_type(std, Floats)
    mean, covariance = model.predict(X, return_cov=True)
    assert_type(covariance, Floats)
    assert_type(model.sample_y(X, n_samples=3, random_state=0), Floats)
    assert_type(model.log_marginal_likelihood(), float)
    value, gradient = model.log_marginal_likelihood(model.theta_, eval_gradient=True)
    assert_type(value, float)
    assert_type(gradient, Floats)
    mean, std = model.predict_gradient(X)
    assert_type(std, Floats)
    assert_type(model.score(X, y, sample_weight=np.ones(12)), float)
    assert_type(model.get_params(deep=True), dict[str, Any])
    assert_type(model.set_params(variance=2.0), GaussianProcessRegressor)
    assert_type(model.L_, Floats)
    assert_type(model.at_bounds_, list[str])
    assert issubclass(NotFittedError, ValueError)
    assert issubclass(ConvergenceWarning, UserWarning)
    hl.gp.GaussianProcessRegressor(n_restarts_optimizer=2, jitter="auto", solver="cg")


def optics() -> None:
    z, x = np.linspace(0, 200, 4), [0.0, 1.0]
    stack = solve_stack(
        [1, 2 + 0.1j, 1.5], [200], [[500.0], [600.0]], [0.1, 0.2], pol="p", backend="numpy",
        workers=1,
    )  # fmt: skip
    assert_type(stack, StackSolution)
    hl.optics.solve_stack([1, 1.5, 1], [100], 500, kx=0.001, pol="s")
    both = hl.optics.solve_stack([1, 1.5, 1], [100], [500.0], theta=0.3, pol="both")
    assert both.R.shape == (2, 1)
    assert_type(stack.r, NDArray[np.complex128])
    assert_type(stack.t, NDArray[np.complex128])
    for power in (stack.R, stack.T, stack.A, stack.power_entering, stack.layer_absorption):
        assert_type(power, Doubles)
    assert_type(stack.kx, NDArray[np.complex128])
    assert_type(stack.kz, NDArray[np.complex128])
    assert_type(stack.amplitudes, NDArray[np.complex128])
    assert_type(stack.vectors, NDArray[np.complex128])
    assert_type(stack.interfaces, Doubles)
    assert_type(stack.field(z, x, coherent_weights=[1.0, 1.0]), NDArray[np.complex128])
    assert_type(stack.magnetic_field(z, x), NDArray[np.complex128])
    weights = [0.5, 0.5]
    assert_type(stack.intensity(z, x, incoherent_weights=weights), Doubles)
    assert_type(stack.intensity(z, coherent_weights=weights), Doubles)
    assert_type(stack.poynting(z, incoherent_weights=weights), Doubles)
    assert_type(stack.absorption(z, incoherent_weights=weights), Doubles)
    data = {
        "pol": "s", "n_list": [1, 1.5, 1], "d_list": [np.inf, 100, np.inf], "th_0": 0.1,
        "lam_vac": 400,
    }  # fmt: skip
    assert_type(hl.optics.from_tmm(data, backend="numpy", workers=1), StackSolution)


def least_squares(rng: np.random.Generator) -> None:
    A, b = rng.normal(size=(6, 3)), rng.normal(size=6)
    fit = hl.LeastSquares(
        A, method="qr", weights=np.ones(6), alpha=0.1, rcond=1e-12, refine=True, check_finite=True,
        backend="numpy", workers=1,
    )  # fmt: skip
    assert_type(fit.solve(b, out=np.empty(3)), Numbers)
    assert_type(fit.residuals(b), Numbers)
    assert_type(fit.leverage(), Floats)
    assert_type(fit.pinv(), Numbers)
    assert_type(hl.LeastSquares(A).covariance(), Numbers)
    assert_type(hl.LeastSquares(A).covariance(b), Numbers)
    assert fit.rank == 3
    assert fit.cond > 1
    assert fit.dtype == np.float64
    x, loo_errors = hl.LeastSquares(A, method="svd").ridge_path(b, [0.1, 1.0])
    assert_type(x, Numbers)
    assert_type(loo_errors, Numbers)
    sign, logarithm = hl.LeastSquares(np.eye(3), method="lu").slogdet()
    assert (sign, logarithm) == (1, 0)

    systems, sides = np.stack([np.eye(3)] * 4), rng.normal(size=(4, 3))
    solutions = hl.solve_many(
        systems, sides, assume_a="pos", vectors=True, out=np.empty((4, 3)), backend="numba",
        workers=1,
    )  # fmt: skip
    assert_type(solutions, Doubles)


def products(rng: np.random.Generator) -> None:
    A, B = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 4, 2))
    C = hl.rolled_matmul(A, B, 2, out=np.empty((3, 2, 2, 2)), backend="numpy", workers=1)
    assert_type(C, Doubles)
    sparse = scipy.sparse.csc_array(np.eye(4))
    Y = hl.sparse_tensordot(A, sparse, out=np.empty((3, 2, 4)), backend="numpy", workers=1)
    assert Y.shape == (3, 2, 4)
    hl.sparse_tensordot(A, sparse, axes=([2], [0]))


def binomial(rng: np.random.Generator) -> None:
    counts = hl.binomial_counts(
        n=5, p=0.3, draws=100, method="stream", rng=rng, out=np.empty(6, np.int64),
        backend="numpy", workers=1,
    )  # fmt: skip
    assert_type(counts, NDArray[np.int64])
    hl.binomial_counts(5, [0.3, 0.4], 100, rng=1)
    assert_type(hl.binomial_pmf(5, 0.3, out=np.empty(6), backend="numpy", workers=1), Doubles)
    estimate, lower, upper = hl.binomial_probabilities(
        5, 0.3, 100, confidence=0.9, method="multinomial", rng=1, backend="numpy", workers=1
    )
    for probability in (estimate, lower, upper):
        assert_type(probability, Doubles)


def linear_algebra(rng: np.random.Generator) -> None:
    X, out = rng.normal(size=(5, 3)), np.empty((5, 3))
    assert_type(softmax(X, axis=1, out=out, backend="numpy", workers=1), Floats)
    assert_type(hl.linalg.softmax([0.0, 1.0], axis=None), Floats)
    assert_type(hl.linalg.softmax(X, axis=(0, 1)), Floats)
    assert_type(hl.linalg.softmax(1.0), np.floating[Any])
    assert_type(hl.linalg.normalize_rows(X, out=out, backend="numpy", workers=1), Floats)
    square = np.empty((3, 3))
    assert_type(hl.linalg.covariance(X, ddof=0, out=square, backend="numpy", workers=1), Floats)
    distances = hl.linalg.distances(
        X, X[:2], squared=True, out=np.empty((5, 2)), backend="numpy", workers=1
    )
    assert_type(distances, Floats)
    perceptron = hl.linalg.mlp_forward(
        X, [np.ones((3, 2)), np.ones((2, 2))], [[0.0, 0.0], [1.0, 1.0]], activation="tanh",
        output_activation="identity", out=np.empty((5, 2)), backend="numpy", workers=1,
    )  # fmt: skip
    assert_type(perceptron, Floats)

    found = hl.linalg.pca(X, n_components=2)
    assert_type(found, PrincipalComponents)
    assert_type(hl.linalg.whiten(X, method="pca", n_components=0.9, eps=1e-3), PrincipalComponents)
    Z = found.transform(X)
    assert_type(Z, Floats)
    assert_type(found.inverse_transform(Z), Floats)
    assert_type(found.components_, Floats)
    assert_type(found.explained_variance_, Floats)
    assert_type(found.explained_variance_ratio_, Floats)
    assert_type(found.mean_, Floats)

    assert_type(hl.linalg.low_rank(X, k=1), Floats)
    assert_type(hl.linalg.projection(X), Floats)
    report = hl.linalg.condition_report(X)
    assert_type(report, ConditionReport)
    assert_type(report.condition, float)
    assert_type(report.rank, int)
    assert_type(report.advice, str)
    b = np.ones(3)
    assert_type(hl.linalg.safe_solve(np.eye(3), b, max_cond=1e6, on_ill="raise"), Floats)
    model = hl.linalg.linear_regression(X, X[:, 0])
    assert_type(model, LinearModel)
    coef, intercept = hl.linalg.ridge_regression(X, X[:, :2], alpha=2.0)
    assert_type(coef, Floats)
    assert intercept.shape == (2,)
    assert_type(model.predict(X), Floats)


def for_all_calls() -> None:
    hl.set_backend("numpy")
    hl.set_backend(None)
    assert_type(hl.get_backend(), str)
    hl.set_workers(2)
    hl.set_workers(None)
    assert_type(hl.get_workers(), int)
    with hl.set_backend("numba"), hl.set_workers(workers=1), hl.progress(desc="a bar"):
        hl.quadform([[0.0], [2.0]])

    @hl.set_backend(backend="numpy")
    @hl.set_workers(1)
    @hl.progress()
    def decorated(points: Floats, *, power: int) -> Floats:
        return hl.quadform(points) ** power

    assert_type(decorated(np.eye(2), power=2), Floats)
    hl.show_config()
    assert_type(hl.__version__, str)


def with_scikit_learn(rng: np.random.Generator) -> None:
    X = rng.normal(size=(5, 2))
    kernel = ARD(
        "rq", length_scale=[1.0, 2.0], length_scale_bounds=(1e-3, 1e3), factors=None, rq_alpha=2.0,
        rq_alpha_bounds="fixed",
    )  # fmt: skip
    assert_type(kernel(X), Floats)
    K, gradient = kernel(X, eval_gradient=True)
    assert_type(K, Floats)
    assert_type(gradient, Floats)
    assert kernel.theta.shape == (2,)
    assert not kernel.hyperparameter_length_scale.fixed
    assert kernel.hyperparameter_rq_alpha.fixed
    hl.sklearn.ARD(length_scale=2.0)


if __name__ == "__main__":
    numbers = np.random.default_rng(0)
    ard(numbers)
    field(numbers)
    gaussian_process(numbers)
    optics()
    least_squares(numbers)
    products(numbers)
    binomial(numbers)
    linear_algebra(numbers)
    for_all_calls()
    with_scikit_learn(numbers)
