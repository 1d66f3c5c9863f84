import numpy as np
from contenders import parametrize


def _ring(d, k):
    return (np.arange(d)[:, None] + np.arange(k)) % d


def torch(A, B, k):
    import torch

    a, b = torch.from_numpy(A), torch.from_numpy(B)
    index = torch.from_numpy(_ring(len(A), k))
    return lambda: torch.matmul(a[:, None], b[index]).numpy()


def jax(A, B, k):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    index = _ring(len(A), k)

    @jax.jit
    def products(a, b):
        return jnp.matmul(a[:, None], b[index])

    return lambda: np.asarray(products(A, B))


PEERS = {"torch": ("torch", torch), "jax": ("jax", jax)}


@parametrize("rolled", PEERS)
def test_rolled(contend, case, name, make):
    contend(case, name, make)
