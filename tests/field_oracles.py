"""What the tests of fields share: the definition, one number at a time, and waves."""

import cmath
import itertools

import numpy as np

DTYPES = [np.complex64, np.complex128]
REFERENCES = ["near", "far"]


def normal(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def stack(seed, n=5, batch=()):
    """A random stack and its waves; every layer absorbs."""
    rng = np.random.default_rng(seed)
    return {
        "interfaces": np.sort(rng.uniform(0, 4, (*batch, n - 1))),
        "kz": rng.uniform(3, 12, (*batch, n)) + 1j * rng.uniform(0, 0.5, (*batch, n)),
        "amplitudes": normal(rng, *batch, n, 2),
        "vectors": normal(rng, *batch, n, 2, 3),
    }


def waves_of(seed, *batch, n=4):
    """Random waves in one stack, with their kx."""
    rng = np.random.default_rng(seed)
    waves = stack(seed, n, batch)
    waves["interfaces"] = np.sort(rng.uniform(0, 4, n - 1))
    waves["kx"] = rng.uniform(-2, 2, batch) + 0.1j * rng.uniform(-1, 1, batch)
    return waves


def layer(z, interfaces):
    n = 0
    while n < len(interfaces) and z >= interfaces[n]:
        n += 1
    return n


def wave_by_wave(z, interfaces, kz, amplitudes, vectors, backward_reference, x=(0,), kx=0):
    """The definition, one number at a time."""
    amplitudes, vectors = np.asarray(amplitudes, complex), np.asarray(vectors, complex)
    field = np.zeros((len(z), len(x), 3), complex)
    last = len(interfaces) - 1
    for (i, depth), (j, position) in itertools.product(enumerate(z), enumerate(x)):
        n = layer(depth, interfaces)
        near = interfaces[n - 1] if n > 0 else interfaces[0]
        far = interfaces[n] if n <= last else interfaces[last]
        reference = {"near": near, "far": far}[backward_reference]
        forward = amplitudes[n, 0] * cmath.exp(1j * kz[n] * (depth - near))
        backward = amplitudes[n, 1] * cmath.exp(-1j * kz[n] * (depth - reference))
        phase = cmath.exp(1j * kx * position)
        for c in range(3):
            field[i, j, c] = phase * (vectors[n, 0, c] * forward + vectors[n, 1, c] * backward)
    return field


def largest_error(result, expected):
    assert result.shape == expected.shape
    return np.abs(result - expected).max() / np.abs(expected).max()


def squares(field):
    return (field.real**2 + field.imag**2).sum(axis=-1)
