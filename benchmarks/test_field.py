import numpy as np
from contenders import parametrize

import hotloops as hl


def _profile(z, interfaces, kz, amplitudes, vectors):
    """The depth profile, (Nz, 3), backward waves referenced to the near interface."""
    n = np.searchsorted(interfaces, z, side="right")
    path = z - interfaces[np.maximum(n - 1, 0)]
    waves = amplitudes[n] * np.exp(1j * kz[n, None] * np.stack([path, -path], axis=1))
    return (waves[:, :, None] * vectors[n]).sum(axis=1)


def torch(z, interfaces, kz, amplitudes, vectors, backward_reference, x=None, kx=None, **rest):
    if rest:
        return None
    import torch

    def run():
        profile = torch.from_numpy(_profile(z, interfaces, kz, amplitudes, vectors))
        phase = torch.from_numpy(np.exp(1j * kx * x))
        return (profile[:, None, :] * phase[:, None]).numpy()

    return run


def jax(z, interfaces, kz, amplitudes, vectors, backward_reference, x=None, kx=None, **rest):
    if rest:
        return None
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def outer(profile, phase):
        return profile[:, None, :] * phase[:, None]

    return lambda: np.asarray(
        outer(
            jnp.asarray(_profile(z, interfaces, kz, amplitudes, vectors)),
            jnp.asarray(np.exp(1j * kx * x)),
        )
    )


def product(backward_reference, x=None, kx=None, coherent_weights=None, **stack):
    """Of a beam the matrix product alone, of waves that are there already."""
    if coherent_weights is None:
        return None
    fields = hl.layered_field(**stack, backward_reference=backward_reference)
    left = np.ascontiguousarray(fields.reshape(len(kx), -1).T)
    right = coherent_weights[:, None] * np.exp(1j * kx[:, None] * x)
    out = np.empty((left.shape[0], len(x)), np.complex128)
    return lambda: np.matmul(left, right, out=out).reshape(-1, 3, len(x)).swapaxes(1, 2)


PEERS = {"torch": ("torch", torch), "jax": ("jax", jax), "ZGEMM alone": ("numpy", product)}


@parametrize("field", PEERS)
def test_field(contend, case, name, make):
    contend(case, name, make)
