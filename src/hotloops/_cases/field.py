"""Fields of plane waves in layered media."""

from typing import Any

import numpy as np

from .. import field
from .._typing import Array
from .case import Arguments, Case, DType, Generator


def _field_make(rng: Generator, dtype: DType, nz: int, nx: int, n: int) -> Arguments:
    # a stack 4 wavelengths thick, seen from its first interface to one wavelength behind the last
    k0, sine = 2 * np.pi, np.sin(0.5)
    index = rng.uniform(1.3, 2.5, n) + 1j * rng.uniform(0, 0.05, n)
    interfaces = np.append(0.0, np.sort(rng.uniform(0, 4, n - 2)))
    amplitudes = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
    cosine = np.sqrt(1 - (sine / index) ** 2)
    forward = np.stack([cosine, np.ones(n), -sine / index], axis=-1)  # s and p together
    backward = forward * [-1, 1, 1]
    return {
        "z": np.linspace(0, 5, nz),
        "interfaces": interfaces,
        "kz": k0 * index * cosine,
        "amplitudes": amplitudes.astype(dtype),
        "vectors": np.stack([forward, backward], axis=1).astype(dtype),
        "backward_reference": "near",
        "x": np.linspace(-3, 3, nx),
        "kx": k0 * sine,
    }


def _field_question(
    z: Array,
    interfaces: Array,
    kz: Array,
    amplitudes: Array,
    vectors: Array,
    backward_reference: str,
    x: Array,
    kx: Array,
) -> Array:
    d_cum = np.append(interfaces, z[-1] + 1)  # the question's last layer ends too
    zz, xx = np.meshgrid(z, x, indexing="ij")
    field = np.zeros((len(z), len(x), 3), np.complex128)
    for n in range(len(kz)):
        inside = (zz >= d_cum[n - 1]) & (zz < d_cum[n])
        phase = 1j * kz[n] * (zz - d_cum[n - 1])
        forward = amplitudes[n, 0] * np.exp(phase) * np.exp(1j * kx * xx) * inside
        backward = amplitudes[n, 1] * np.exp(-phase) * np.exp(1j * kx * xx) * inside
        field += forward[..., None] * vectors[n, 0] + backward[..., None] * vectors[n, 1]
    return field


def _field_numpy(
    z: Array,
    interfaces: Array,
    kz: Array,
    amplitudes: Array,
    vectors: Array,
    backward_reference: str,
    x: Array,
    kx: Array,
) -> Array:
    n = np.searchsorted(interfaces, z, side="right")
    phase = 1j * kz[n] * (z - interfaces[np.maximum(n - 1, 0)])
    waves = amplitudes[n] * np.exp(np.stack([phase, -phase], axis=1))
    profile = np.einsum("zw,zwc->zc", waves, vectors[n])
    # the outer product as a matrix product: BLAS writes faster than multiply does
    phases = np.kron(np.exp(1j * kx * x), np.eye(3))
    return (profile @ phases).astype(vectors.dtype, copy=False).reshape(len(z), len(x), 3)


def _profiles_make(rng: Generator, dtype: DType, stacks: int, nz: int, n: int) -> Arguments:
    """Of several stacks, at depths in any order."""
    every = [_field_make(rng, dtype, nz, 0, n) for _ in range(stacks)]
    arguments = {name: np.stack([one[name] for one in every])
                 for name in ("interfaces", "kz", "amplitudes", "vectors")}  # fmt: skip
    return arguments | {"z": rng.permutation(every[0]["z"]), "backward_reference": "near"}


def _profiles_question(z: Array, backward_reference: str, **stacks: Array) -> Array:
    order, fields = np.argsort(z), np.empty((len(stacks["kz"]), len(z), 3), np.complex128)
    for k, stack in enumerate(zip(*stacks.values(), strict=True)):
        one = dict(zip(stacks, stack, strict=True))
        map_ = _field_question(
            z[order], **one, backward_reference="near", x=np.zeros(1), kx=np.zeros(())
        )
        fields[k, order] = map_[:, 0]
    return fields


def _waves_make(rng: Generator, dtype: DType, n: int, nz: int, **axes: int) -> Arguments:
    # the stack in waves of as many wavelengths and angles as `axes` say
    stack = _field_make(rng, dtype, nz, 1, n)
    batch = tuple(axes.values())
    index = stack["kz"] / stack["kz"][0]
    k0, sine = rng.uniform(8, 10, batch)[..., None], rng.uniform(0, 0.8, batch)[..., None]
    cosine = np.sqrt(1 - (sine / index) ** 2)
    forward = np.stack([cosine, np.ones_like(cosine), -sine / index], axis=-1)
    amplitudes = rng.normal(size=(*batch, n, 2)) + 1j * rng.normal(size=(*batch, n, 2))
    return stack | {
        "kz": k0 * index * cosine,
        "amplitudes": amplitudes.astype(dtype),
        "vectors": np.stack([forward, forward * [-1, 1, 1]], axis=-2).astype(dtype),
        "backward_reference": "far",
        "kx": (k0 * sine)[..., 0],
    }


def _layer_by_layer(
    z: Array, interfaces: Array, kz: Array, amplitudes: Array, vectors: Array
) -> Array:
    edges = np.concatenate([[-np.inf], interfaces, [np.inf]])
    field = np.zeros((*kz.shape[:-1], len(z), 3), np.complex128)
    for n in range(len(edges) - 1):
        inside = (z >= edges[n]) & (z < edges[n + 1])
        near, far = interfaces[max(n - 1, 0)], interfaces[min(n, len(interfaces) - 1)]
        k = 1j * kz[..., n, None]
        forward = amplitudes[..., n, 0, None] * np.exp(k * (z[inside] - near))
        backward = amplitudes[..., n, 1, None] * np.exp(k * (far - z[inside]))
        field[..., inside, :] = (
            forward[..., None] * vectors[..., None, n, 0, :]
            + backward[..., None] * vectors[..., None, n, 1, :]
        )
    return field


def _points_make(rng: Generator, dtype: DType, points: int, n: int) -> Arguments:
    stack = _waves_make(rng, dtype, n, 1)
    places = {"z": rng.uniform(-0.5, 5, points), "x": rng.uniform(-3, 3, points)}
    return stack | places | {"grid": False}


def _points_question(
    x: Array, kx: Array, backward_reference: str, grid: bool, **stack: Any
) -> Array:
    return _layer_by_layer(**stack) * np.exp(1j * kx * x)[:, None]


def _points_numpy(
    z: Array,
    interfaces: Array,
    kz: Array,
    amplitudes: Array,
    vectors: Array,
    backward_reference: str,
    x: Array,
    kx: Array,
    grid: bool,
) -> Array:
    n = np.searchsorted(interfaces, z, side="right")
    media, last = np.arange(len(kz)), len(interfaces) - 1
    k, along = 1j * kz[n], 1j * kx * x
    waves = amplitudes[:, :, None] * vectors
    field, backward = waves[n, 0], waves[n, 1]
    field *= np.exp(k * (z - interfaces[np.maximum(media - 1, 0)][n]) + along)[:, None]
    backward *= np.exp(k * (interfaces[np.minimum(media, last)][n] - z) + along)[:, None]
    field += backward
    return field


def _spectrum_make(
    rng: Generator, dtype: DType, nz: int, n: int, angles: int, wavelengths: int
) -> Arguments:
    stack = _waves_make(rng, dtype, n, nz, angles=angles, wavelengths=wavelengths)
    del stack["x"], stack["kx"]
    weights = rng.uniform(size=wavelengths)
    return stack | {"what": "intensity", "incoherent_weights": weights}


def _spectrum_question(
    what: str, incoherent_weights: Array, backward_reference: str, **stack: Any
) -> Array:
    field = _layer_by_layer(**stack)
    return np.einsum("awz,w->az", (np.abs(field) ** 2).sum(axis=-1), incoherent_weights)


def _spectrum_numpy(
    z: Array,
    interfaces: Array,
    kz: Array,
    amplitudes: Array,
    vectors: Array,
    backward_reference: str,
    what: str,
    incoherent_weights: Array,
) -> Array:
    # each layer's planes in all wavelengths at once, one exponential for both waves
    ends = np.searchsorted(np.searchsorted(interfaces, z, side="right"), range(kz.shape[-1] + 1))
    total = np.empty((len(kz), len(z)), np.real(vectors).dtype)
    for angle, layer in np.ndindex(len(kz), kz.shape[-1]):
        planes = slice(ends[layer], ends[layer + 1])
        near, far = interfaces[max(layer - 1, 0)], interfaces[min(layer, len(interfaces) - 1)]
        k = 1j * kz[angle, :, layer, None]
        forward = np.exp(k * (z[planes] - near))
        backward = np.exp(k * (far - near)) / forward
        waves = amplitudes[angle, :, layer, :, None] * vectors[angle, :, layer]
        squares = np.zeros(1)
        for c in range(3):
            field = forward * waves[:, 0, c, None]
            field += backward * waves[:, 1, c, None]
            squares = squares + np.real(field) ** 2 + np.imag(field) ** 2
        total[angle, planes] = incoherent_weights @ squares
    return total


def _beam_make(rng: Generator, dtype: DType, nz: int, nx: int, n: int, waves: int) -> Arguments:
    stack = _waves_make(rng, dtype, n, nz, waves=waves)
    weights = rng.normal(size=waves) + 1j * rng.normal(size=waves)
    return stack | {"x": np.linspace(-3, 3, nx), "coherent_weights": weights}


def _beam_question(
    x: Array, kx: Array, coherent_weights: Array, backward_reference: str, **stack: Any
) -> Array:
    phases = coherent_weights[:, None] * np.exp(1j * kx[:, None] * x)
    return np.einsum("kzc,kx->zxc", _layer_by_layer(**stack), phases)


def _beam_numpy(
    x: Array, kx: Array, coherent_weights: Array, backward_reference: str, **stack: Any
) -> Array:
    phases = coherent_weights[:, None] * np.exp(1j * kx[:, None] * x)
    profile = _layer_by_layer(**stack).reshape(len(kx), -1).T
    field = np.matmul(profile, phases).reshape(-1, 3, len(x)).swapaxes(1, 2)
    return np.ascontiguousarray(field, stack["vectors"].dtype)


def _beams_make(
    rng: Generator, dtype: DType, nz: int, nx: int, n: int, beams: int, waves: int
) -> Arguments:
    stack = _waves_make(rng, dtype, n, nz, beams=beams, waves=waves)
    weights = rng.normal(size=waves) + 1j * rng.normal(size=waves)
    spectrum = {"coherent_weights": weights, "incoherent_weights": rng.uniform(size=beams)}
    return stack | spectrum | {"x": np.linspace(-3, 3, nx), "what": "intensity"}


def _beams_question(
    x: Array,
    kx: Array,
    coherent_weights: Array,
    incoherent_weights: Array,
    what: str,
    **stack: Any,
) -> Array:
    total = np.zeros((len(stack["z"]), len(x)))
    for beam, weight in enumerate(incoherent_weights):
        one = {name: stack[name][beam] for name in ("kz", "amplitudes", "vectors")}
        field = _beam_question(x, kx[beam], coherent_weights, **stack | one)
        total = total + weight * (np.abs(field) ** 2).sum(axis=-1)
    return total


_FIELD_TOLERANCE = {np.complex64: 2e-7, np.complex128: 5e-15}

CASES = (
    *(
        Case(
            "field", f"field map, {n} media", field.layered_field, _field_make,
            {"nz": 61, "nx": 40, "n": n}, _FIELD_TOLERANCE,
            _field_question, _field_numpy, {"nz": 2000, "nx": 1000, "n": n},
            {"nz": 150, "nx": 200, "n": n},
        )
        for n in (5, 100)
    ),
    Case(
        "field", "depth profiles of 3 stacks", field.layered_field, _profiles_make,
        {"stacks": 3, "nz": 61, "n": 5}, _FIELD_TOLERANCE, _profiles_question,
    ),
    Case(
        "field", "field at points, 20 media", field.layered_field, _points_make,
        {"points": 501, "n": 20}, _FIELD_TOLERANCE,
        _points_question, _points_numpy, {"points": 10**6, "n": 20}, {"points": 50_000, "n": 20},
    ),
    Case(
        "field", "intensity over a spectrum, 20 media", field.layered_field, _spectrum_make,
        {"nz": 130, "n": 20, "angles": 3, "wavelengths": 7}, _FIELD_TOLERANCE,
        _spectrum_question, _spectrum_numpy, {"nz": 1000, "n": 20, "angles": 5, "wavelengths": 200},
        {"nz": 500, "n": 20, "angles": 3, "wavelengths": 60},
    ),
    Case(
        "field", "beam of plane waves, 20 media", field.layered_field, _beam_make,
        {"nz": 61, "nx": 40, "n": 20, "waves": 9}, _FIELD_TOLERANCE,
        _beam_question, _beam_numpy, {"nz": 1000, "nx": 1000, "n": 20, "waves": 512},
        {"nz": 200, "nx": 200, "n": 20, "waves": 64},
    ),
    Case(
        "field", "intensity of two beams", field.layered_field, _beams_make,
        {"nz": 61, "nx": 40, "n": 5, "beams": 2, "waves": 3}, _FIELD_TOLERANCE, _beams_question,
    ),
)  # fmt: skip
