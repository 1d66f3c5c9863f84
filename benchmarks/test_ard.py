import numpy as np
from contenders import parametrize


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


PEERS = {
    "scikit-learn": ("sklearn", scikit_learn),
    "scipy cdist": ("scipy", scipy),
    "torch cdist": ("torch", torch),
    "jax": ("jax", jax),
}


@parametrize("ard", PEERS)
def test_ard(contend, case, name, make):
    contend(case, name, make)
