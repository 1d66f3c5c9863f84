"""Wrong calls, each of which a type checker must flag: it reports an ignore without an error."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

import numpy as np

import hotloops as hl

X, b, kz = np.eye(3), np.ones(3), np.ones(2)
amplitudes, vectors = np.ones((2, 2)), np.ones((2, 2, 3))

hl.ard_kernel(X, kind="nonsense")  # type: ignore[arg-type]
hl.ard_kernel(X, lengthscale=1.0)  # type: ignore[call-arg]
hl.ard_kernel(X, out=[0.0])  # type: ignore[arg-type]
hl.ard_kernel(X, backend=1)  # type: ignore[arg-type]
hl.ard_kernel(X, workers="all")  # type: ignore[arg-type]
hl.ard_kernel_vjp(X, X, kind="matern")  # type: ignore[arg-type]
hl.ard_kernel_vjp(X, X, wrt=1)  # type: ignore[arg-type]
hl.KernelOperator(X, kind="nonsense")  # type: ignore[arg-type]
hl.quadform(X, X, 2.0)  # type: ignore[call-arg]
hl.layered_field(b, [1.0], kz, amplitudes, vectors)  # type: ignore[call-overload]
hl.layered_field(b, [1.0], kz, amplitudes, vectors, backward_reference="left")  # type: ignore[call-overload]
hl.layered_field(b, [1.0], kz, amplitudes, vectors, backward_reference="far", what="E")  # type: ignore[call-overload]
hl.optics.solve_stack([1, 1.5, 1], [100], 500)  # type: ignore[call-arg]
hl.optics.solve_stack([1, 1.5, 1], [100], 500, pol="x")  # type: ignore[arg-type]
hl.optics.from_tmm([1, 1.5, 1])  # type: ignore[arg-type]
hl.LeastSquares(X, method="qr2")  # type: ignore[arg-type]
hl.LeastSquares(X, refine="yes")  # type: ignore[arg-type]
hl.LeastSquares(X).solve(b, out="x")  # type: ignore[arg-type]
hl.LeastSquares(X).solution(b)  # type: ignore[attr-defined]
hl.solve_many(X, b, assume_a="sym")  # type: ignore[call-overload]
hl.binomial_counts(5, 0.3, 100, method="sum")  # type: ignore[arg-type]
hl.binomial_counts(5.5, 0.3, 100)  # type: ignore[arg-type]
hl.binomial_counts(5, 0.3, 100, rng="seed")  # type: ignore[arg-type]
hl.binomial_probabilities(5, 0.3, 100, method="sum")  # type: ignore[arg-type]
hl.rolled_matmul(X, X, 1.5)  # type: ignore[call-overload]
hl.sparse_tensordot(X, X)  # type: ignore[call-overload]
hl.linalg.softmax(X, axis="rows")  # type: ignore[call-overload]
hl.linalg.covariance(X, ddof=0.5)  # type: ignore[arg-type]
hl.linalg.mlp_forward(X, [X], [b], activation="gelu")  # type: ignore[arg-type]
hl.linalg.whiten(X, method="ZCA")  # type: ignore[arg-type]
hl.linalg.pca(X, n_components="mle")  # type: ignore[arg-type]
hl.linalg.low_rank(X, 0.5)  # type: ignore[arg-type]
hl.linalg.safe_solve(X, b, on_ill="ignore")  # type: ignore[arg-type]
hl.linalg.solve(X, b)  # type: ignore[attr-defined]
hl.gp.GaussianProcessRegressor(kind="nonsense")  # type: ignore[arg-type]
hl.gp.GaussianProcessRegressor(solver="lu")  # type: ignore[arg-type]
hl.gp.GaussianProcessRegressor().fit(X)  # type: ignore[call-arg]
hl.sklearn.ARD("nonsense")  # type: ignore[arg-type]
hl.set_backend(1)  # type: ignore[arg-type]
hl.set_workers("two")  # type: ignore[arg-type]
hl.quad_form(X)  # type: ignore[attr-defined]
