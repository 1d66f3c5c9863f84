import numpy as np
from contenders import parametrize


def scipy(A, b, assume_a):
    import scipy.linalg

    return lambda: scipy.linalg.solve(A, b, assume_a=assume_a)


def torch(A, b, assume_a):
    import torch

    a, right = torch.from_numpy(A), torch.from_numpy(b)
    if assume_a == "pos":
        return lambda: torch.cholesky_solve(right, torch.linalg.cholesky(a)).numpy()
    return lambda: torch.linalg.solve(a, right).numpy()


def jax(A, b, assume_a):
    import jax
    import jax.scipy.linalg

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def solve(a, right):
        if assume_a == "pos":
            return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a), right)
        return jax.numpy.linalg.solve(a, right)

    return lambda: np.asarray(solve(A, b))


PEERS = {"scipy": ("scipy", scipy), "torch": ("torch", torch), "jax": ("jax", jax)}


@parametrize("solve", PEERS)
def test_solve(contend, case, name, make):
    contend(case, name, make)
