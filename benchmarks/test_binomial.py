import numpy as np
from contenders import parametrize


def numpy_draws(n, p, draws=None, method=None):
    if draws is None:
        return None
    rng = np.random.default_rng()
    return lambda: np.bincount(rng.binomial(n, p, draws), minlength=n + 1)


def torch(n, p, draws=None, method=None):
    if draws is None:
        return None
    import torch

    variable = torch.distributions.Binomial(n, torch.tensor(p, dtype=torch.float64))
    return lambda: torch.bincount(variable.sample((draws,)).long(), minlength=n + 1).numpy()


def jax(n, p, draws=None, method=None):
    if draws is None:
        return None
    import jax
    import jax.numpy as jnp

    @jax.jit
    def counts(key):
        return jnp.bincount(jax.random.binomial(key, n, p, (draws,)).astype(int), length=n + 1)

    return lambda: np.asarray(counts(jax.random.key(0)))


PEERS = {
    "binomial + bincount": ("numpy", numpy_draws),
    "torch": ("torch", torch),
    "jax": ("jax", jax),
}


@parametrize("binomial", PEERS)
def test_binomial(contend, case, name, make):
    contend(case, name, make)
