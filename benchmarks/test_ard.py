import functools
import importlib.util

import numpy as np
import pytest
from contenders import parametrize

import hotloops as hl


def _metric(length_scale, factors):
    metric = np.diag(length_scale**-2)
    return metric if factors is None else metric + factors @ factors.T


def _projected(X, Y, length_scale, factors):
    """Points whose Euclidean distance is the metric's."""
    if factors is None:
        return X / length_scale, Y / length_scale
    root = np.linalg.cholesky(_metric(length_scale, factors))
    return X @ root, Y @ root


def scikit_learn(X, Y, length_scale, variance, factors=None):
    from sklearn.metrics.pairwise import rbf_kernel

    def run():
        k = rbf_kernel(*_projected(X, Y, length_scale, factors), gamma=0.5)
        k *= variance
        return k

    return run


def scipy(X, Y, length_scale, variance, factors=None):
    from scipy.spatial.distance import cdist

    def run():
        k = cdist(*_projected(X, Y, length_scale, factors), "sqeuclidean")
        k *= -0.5
        np.exp(k, out=k)
        k *= variance
        return k

    return run


def torch(X, Y, length_scale, variance, factors=None):
    import torch

    def run():
        x, y = map(torch.from_numpy, _projected(X, Y, length_scale, factors))
        return torch.cdist(x, y).square_().mul_(-0.5).exp_().mul_(variance).numpy()

    return run


def jax(X, Y, length_scale, variance, factors=None):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def kernel(x, y):
        norms = (x**2).sum(1)[:, None] + (y**2).sum(1)
        return variance * jnp.exp(jnp.minimum(x @ y.T - norms / 2, 0))

    return lambda: np.asarray(kernel(*_projected(X, Y, length_scale, factors)))


def torch_compiled(X, Y, length_scale, variance, factors=None):
    import torch

    @torch.compile
    def kernel(x, y):
        norms = (x**2).sum(1)[:, None] + (y**2).sum(1)
        return variance * torch.exp(torch.clamp(x @ y.T - norms / 2, max=0))

    def run():
        x, y = map(torch.from_numpy, _projected(X, Y, length_scale, factors))
        return kernel(x, y).numpy()

    return run


PEERS = {
    "scikit-learn": ("sklearn", scikit_learn),
    "scipy cdist": ("scipy", scipy),
    "torch cdist": ("torch", torch),
    "jax": ("jax", jax),
}


@parametrize("ard", PEERS)
def test_ard(contend, case, name, make):
    contend(case, name, make)


# --- beyond the shared cases ------------------------------------------------------------------


def _points(n, d, dtype=np.float64):
    rng = np.random.default_rng(7)
    return rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(n, d)).astype(dtype)


def _kernels(X, Y, metric=None, **keywords):
    """Contenders for one covariance matrix: hotloops with new and with reused output, and peers."""
    out = np.empty((len(X), len(Y)), X.dtype)
    found = {}
    for backend in ("numba", "cython"):
        given = {"metric": metric, "backend": backend, **keywords}
        found[backend] = lambda given=given: hl.ard_kernel(X, Y, **given)
        found[f"{backend}, out="] = lambda given=given: hl.ard_kernel(X, Y, out=out, **given)
    root = np.eye(X.shape[1]) if metric is None else np.linalg.cholesky(metric)
    scale = keywords.get("length_scale", 1.0)
    x, y = ((p @ root / scale).astype(X.dtype) for p in (X, Y))
    for name, (package, make) in PEERS.items():
        if importlib.util.find_spec(package):
            found[name] = make(x, y, np.ones(X.shape[1], X.dtype), 1.0)
    return found


def _single_precision():
    return _kernels(*_points(4000, 6, np.float32), length_scale=2.0)


def _full_metric():
    X, Y = _points(4000, 32)
    metric = (np.eye(32) + 0.1) / 32
    found = _kernels(X, Y, metric=metric)
    if importlib.util.find_spec("torch"):
        root = np.linalg.cholesky(metric)
        found["torch.compile"] = torch_compiled(X @ root, Y @ root, np.ones(32), 1.0)
    return found


def _data(d, latent, noise):
    """Points of unit variance: one latent variable behind all features, and noise."""
    X, Y = _points(4000, d)
    hidden = np.random.default_rng(8).normal(size=(2, 4000, 1))
    X, Y = (latent * hidden[0] + noise * X, latent * hidden[1] + noise * Y)
    return _kernels(X, Y, length_scale=np.sqrt(d))


def _gradients():
    """The gradients by 64 length scales and by the points that they belong to."""
    X, Y = _points(2000, 64)
    C = np.random.default_rng(9).normal(size=(2000, 2000))

    def numpy():
        x, y = X / 8, Y / 8
        W = x @ y.T
        W -= (x**2).sum(1)[:, None] / 2
        W -= (y**2).sum(1) / 2
        np.minimum(W, 0, out=W)
        np.exp(W, out=W)
        W *= C
        r, c, product = W.sum(1), W.sum(0), W @ y
        squares = r @ x**2 + c @ y**2 - 2 * (x * product).sum(0)
        return np.concatenate([squares / 8, ((product - r[:, None] * x) / 8).ravel()])

    def ours(backend):
        found = hl.ard_kernel_vjp(C, X, Y, length_scale=np.full(64, 8.0), backend=backend,
                                  wrt=["length_scale", "X"])  # fmt: skip
        return np.concatenate([found["length_scale"], found["X"].ravel()])

    found = {"NumPy": numpy}
    for backend in ("numba", "cython"):
        found[backend] = functools.partial(ours, backend)
    return found


def _many_dimensions():
    return _kernels(*_points(3000, 784), length_scale=28.0)


def _one_set():
    X, _ = _points(4000, 32)
    metric, Y, out = (np.eye(32) + 0.1) / 32, X.copy(), np.empty((4000, 4000))
    return {
        "one set": lambda: hl.ard_kernel(X, metric=metric, out=out),
        "two sets": lambda: hl.ard_kernel(X, Y, metric=metric, out=out),
    }


def _matrix_free():
    X, _ = _points(20_000, 6)
    V = np.random.default_rng(8).normal(size=(20_000, 8))

    def blocked_numpy():
        norms, product = (X**2).sum(1) / 2, np.empty_like(V)
        for start in range(0, len(X), 500):
            rows = slice(start, start + 500)
            k = X[rows] @ X.T
            k -= norms[rows, None]
            k -= norms
            np.exp(np.minimum(k, 0, out=k), out=k)
            product[rows] = k @ V
        return product

    def blocked_torch():
        import torch

        x, v = torch.from_numpy(X), torch.from_numpy(V)
        parts = (torch.cdist(p, x).square_().mul_(-0.5).exp_() @ v for p in x.split(500))
        return torch.cat(list(parts)).numpy()

    found = {"NumPy in blocks": blocked_numpy}
    if importlib.util.find_spec("torch"):
        found["torch in blocks"] = blocked_torch
    for backend in ("numba", "cython"):
        found[backend] = (lambda op: lambda: op @ V)(hl.KernelOperator(X, backend=backend))
    return found


SCENES = {
    "float32, 6 dimensions": _single_precision,
    "full metric, 32 dimensions": _full_metric,
    "784 dimensions": _many_dimensions,
    **{
        f"32 dimensions, {data}": functools.partial(_data, 32, latent, noise)
        for data, latent, noise in [
            ("independent", 0, 1),
            ("correlated", np.sqrt(0.5), np.sqrt(0.5)),
            ("one latent variable", 1, 1e-2),
        ]
    },
    "gradients, 64 dimensions": _gradients,
    "one set and two": _one_set,
    "kernel times 8 columns, never held": _matrix_free,
}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # by torch.compile
@pytest.mark.parametrize("scene", SCENES)
def test_contenders(take_turns, scene):
    take_turns("ard", scene, SCENES[scene](), units=50)
