"""Stacks of thin films: reflection, transmission, absorption, the field inside."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from .. import optics
from .._typing import Array
from .case import Arguments, Case, DType, Generator

_Solved: TypeAlias = tuple[Any, Any, Array, Array, Array]


def _stack_make(
    rng: Generator,
    dtype: DType,
    layers: int,
    wavelengths: int,
    angles: int,
    nz: int | None = None,
    pol: str | None = None,
) -> Arguments:
    """Dispersive, absorbing layers between air and glass, and planes in and around them."""
    lam = np.linspace(0.4, 0.8, wavelengths).reshape(-1, 1)
    first, last = np.ones((len(lam), 1)), np.full((len(lam), 1), 1.5)
    index = rng.uniform(1.3, 2.5, layers) + 0.05 / lam**2 + 0.02j * rng.random(layers)
    d = rng.uniform(0.02, 0.2, layers)
    arguments: Arguments = {
        "n": np.concatenate([first, index, last], axis=1).astype(dtype)[:, None],
        "d": d,
        "wavelength": lam,
        "theta": np.linspace(0, 1.4, angles),
    }
    if nz is not None:
        arguments["z"] = np.linspace(-0.1, d.sum() + 0.1, nz)
    if pol is not None:
        arguments["pol"] = pol
    return arguments


def _along_make(rng: Generator, dtype: DType, **size: Any) -> Arguments:
    """The same stacks for waves that are given by kx."""
    arguments = _stack_make(rng, dtype, **size)
    sine = np.sin(arguments.pop("theta"))  # in air
    return arguments | {"kx": 2 * np.pi / arguments["wavelength"] * sine}


def _powers(
    pol: Any = "both",
    *,
    backend: str | None = None,
    workers: int | None = None,
    **stack: Any,
) -> Array:
    found = optics.solve_stack(**stack, pol=pol, backend=backend, workers=workers)
    return np.stack([found.R, found.T])


def _absorption(
    z: Array, *, backend: str | None = None, workers: int | None = None, **stack: Any
) -> Array:
    found = optics.solve_stack(**stack, pol="p", backend=backend, workers=workers)
    return found.absorption(z)


def _intensity(
    z: Array, *, backend: str | None = None, workers: int | None = None, **stack: Any
) -> Array:
    """Of natural light from all angles."""
    found = optics.solve_stack(**stack, pol="both", backend=backend, workers=workers)
    weights = np.full(found.R.shape[-1], 0.5)
    return found.intensity(z, incoherent_weights=weights).sum(axis=0)


def _amplitudes(*, backend: str | None = None, workers: int | None = None, **stack: Any) -> Array:
    found = optics.solve_stack(**stack, pol="s", backend=backend, workers=workers)
    return found.amplitudes


def _layer_absorption(
    *, backend: str | None = None, workers: int | None = None, **stack: Any
) -> Array:
    found = optics.solve_stack(**stack, pol="p", backend=backend, workers=workers)
    return found.layer_absorption


def _one_stack(n: Array, d: Array, wavelength: float, theta: float, pol: str) -> _Solved:
    """r, t, kz, cosines, and the waves at the near interfaces, from products of matrices."""
    sine = n[0] * np.sin(theta) / n
    cosine = np.sqrt(1 - sine**2)
    kz = 2 * np.pi / wavelength * n * cosine
    a, b = (n * cosine, n * cosine) if pol == "s" else (n, cosine)
    matrices = []
    for j in range(len(n) - 1):
        if pol == "s":
            total, rest = a[j] + a[j + 1], a[j] - a[j + 1]
            transmitted = 2 * a[j] / total
        else:
            total, rest = a[j + 1] * b[j] + a[j] * b[j + 1], a[j + 1] * b[j] - a[j] * b[j + 1]
            transmitted = 2 * a[j] * b[j] / total
        r = rest / total
        phase = np.exp(1j * kz[j] * d[j - 1]) if j else 1
        matrices.append(np.array([[1 / phase, r / phase], [r * phase, phase]]) / transmitted)
    product = functools.reduce(np.matmul, matrices)
    waves = [np.array([1 / product[0, 0], 0])]
    for matrix in reversed(matrices):
        waves.append(matrix @ waves[-1])
    return product[1, 0] / product[0, 0], 1 / product[0, 0], kz, cosine, np.array(waves[::-1])


def _stacks(
    n: Array, wavelength: Array, theta: Array
) -> Iterator[tuple[int, int, Array, Any, Any]]:
    for w, a in np.ndindex(len(wavelength), len(theta)):
        yield w, a, n[w, 0], wavelength[w, 0], theta[a]


def _both(powers: Callable[[str], Array], pol: str) -> Array:
    """R and T of one polarisation, or, with an axis for them, of both."""
    return powers(pol) if pol != "both" else np.stack([powers("s"), powers("p")], axis=1)


def _powers_question(
    n: Array, d: Array, wavelength: Array, theta: Array, pol: str = "both"
) -> Array:
    def powers(pol: str) -> Array:
        found = np.empty((2, len(wavelength), len(theta)))
        for w, a, index, lam, angle in _stacks(n, wavelength, theta):
            r, t, _, cosine, _ = _one_stack(index, d, lam, angle, pol)
            flux = index * (cosine if pol == "s" else np.conj(cosine))
            found[:, w, a] = abs(r) ** 2, abs(t) ** 2 * flux[-1].real / flux[0].real
        return found

    return _both(powers, pol)


def _angles(wavelength: Array, kx: Array) -> Array:
    angles: Array = np.arcsin(kx * wavelength / (2 * np.pi))[0]  # the same at each wavelength
    return angles


def _along_question(n: Array, d: Array, wavelength: Array, kx: Array) -> Array:
    return _powers_question(n, d, wavelength, _angles(wavelength, kx))


def _amplitudes_along_question(n: Array, d: Array, wavelength: Array, kx: Array) -> Array:
    return _amplitudes_question(n, d, wavelength, _angles(wavelength, kx))


def _amplitudes_question(n: Array, d: Array, wavelength: Array, theta: Array) -> Array:
    amplitudes = np.empty((len(wavelength), len(theta), n.shape[-1], 2), complex)
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        *_, kz, _, waves = _one_stack(index, d, lam, angle, "s")
        amplitudes[w, a] = waves
        amplitudes[w, a, 1:-1, 1] *= np.exp(-1j * kz[1:-1] * d)  # the backward one's, far away
    return amplitudes


def _layer_absorption_question(n: Array, d: Array, wavelength: Array, theta: Array) -> Array:
    absorbed = np.empty((len(wavelength), len(theta), len(d)))
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        *_, cosine, waves = _one_stack(index, d, lam, angle, "p")
        forward, backward = waves.T
        admittance = index * np.conj(cosine)
        flux = (admittance * (forward + backward) * np.conj(forward - backward)).real
        absorbed[w, a] = -np.diff(flux[1:]) / admittance[0].real
    return absorbed


def _parratt(
    n: Array, d: Array, wavelength: Array, theta: Array, pol: str
) -> tuple[Array, Array, Array, Array]:
    """q, the reflection at each interface, and t, of all stacks at once: the media first."""
    n = np.moveaxis(n, -1, 0)
    q = np.sqrt(n**2 - (n[0] * np.sin(theta)) ** 2)
    h = q if pol == "s" else q / n**2
    phase = np.exp(2j * np.pi / wavelength * d[:, None, None] * q[1:-1])
    reflection = np.empty((len(h) - 1, *h.shape[1:]), complex)
    behind, t = 0, np.ones(h.shape[1:], complex)
    for j in range(len(h) - 2, -1, -1):
        r = (h[j] - h[j + 1]) / (h[j] + h[j + 1])
        if j < len(h) - 2:
            behind = reflection[j + 1] * phase[j] ** 2
            t *= phase[j]
        t *= (1 + r) / (1 + r * behind)
        reflection[j] = (r + behind) / (1 + r * behind)
    return q, reflection, phase, t


def _powers_numpy(n: Array, d: Array, wavelength: Array, theta: Array, pol: str = "both") -> Array:
    def powers(pol: str) -> Array:
        q, reflection, _, t = _parratt(n, d, wavelength, theta, pol)
        h = q if pol == "s" else q / np.moveaxis(n, -1, 0) ** 2
        return np.array([np.abs(reflection[0]) ** 2, np.abs(t) ** 2 * h[-1].real / h[0].real])

    return _both(powers, pol)


def _at_plane(
    z: float,
    n: Array,
    edges: Array,
    k0: float,
    solved: _Solved,
    pol: str,
) -> tuple[float, float]:
    """|E|² in the plane z, and what is absorbed in it."""
    _, _, kz, cosine, waves = solved
    j = int(np.searchsorted(edges, z, side="right"))
    path = 1j * kz[j] * (z - edges[max(j - 1, 0)])
    forward, backward = waves[j] * np.exp([path, -path])
    if pol == "s":
        square, incident = abs(forward + backward) ** 2, n[0] * cosine[0]
    else:
        sine = np.sqrt(1 - cosine[j] ** 2)
        square = abs((forward - backward) * cosine[j]) ** 2 + abs((forward + backward) * sine) ** 2
        incident = n[0] * np.conj(cosine[0])
    return square, k0 * (n[j] ** 2).imag * square / incident.real


def _absorption_question(z: Array, **stack: Any) -> Array:
    return _planes_question(z, **stack, pols="p")[1][0]


def _planes_question(
    z: Array, n: Array, d: Array, wavelength: Array, theta: Array, pols: str
) -> Array:
    profiles = np.empty((2, len(pols), len(wavelength), len(theta), len(z)))
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        edges, k0 = np.append(0, d.cumsum()), 2 * np.pi / lam
        for p, pol in enumerate(pols):
            solved = _one_stack(index, d, lam, angle, pol)
            for k, depth in enumerate(z):
                profiles[:, p, w, a, k] = _at_plane(depth, index, edges, k0, solved, pol)
    return profiles


def _intensity_question(z: Array, **stack: Any) -> Array:
    return _planes_question(z, **stack, pols="sp")[0].sum(axis=(0, 2)) / 2


def _profiles_numpy(
    z: Array, n: Array, d: Array, wavelength: Array, theta: Array, pol: str
) -> tuple[Array, Array, Array]:
    """|E|² at all planes of all stacks, and n there."""
    q, reflection, phase, _ = _parratt(n, d, wavelength, theta, pol)
    n, batch = np.broadcast_to(np.moveaxis(n, -1, 0), q.shape), q.shape[1:]
    h = q if pol == "s" else q / n**2
    # u = forward + backward is continuous: from it the waves at the near interfaces
    waves = np.zeros((len(n), 2, *batch), complex)
    waves[0] = np.ones(batch), reflection[0]
    for k in range(1, len(n)):
        u = waves[k - 1].sum(axis=0)
        if k > 1:
            u = waves[k - 1, 0] * phase[k - 2] + waves[k - 1, 1] / phase[k - 2]
        behind = reflection[k] * phase[k - 1] ** 2 if k < len(n) - 1 else 0
        waves[k] = u / (1 + behind), u * behind / (1 + behind)
    edges = np.append(0, d.cumsum())
    j = np.searchsorted(edges, z, side="right")
    path = (z - edges[np.maximum(j - 1, 0)]).reshape(-1, *[1] * len(batch))
    exponential = np.exp(2j * np.pi / wavelength * q[j] * path)
    forward, backward = waves[j, 0] * exponential, waves[j, 1] / exponential
    if pol == "s":
        return np.abs(forward + backward) ** 2, n[j], h[0].real
    ratio = np.abs(n[0] / n[j] ** 2) ** 2
    square = np.abs(q[j]) ** 2 * np.abs(forward - backward) ** 2
    square += np.abs(n[0] * np.sin(theta)) ** 2 * np.abs(forward + backward) ** 2
    return square * ratio, n[j], h[0].real * np.abs(n[0]) ** 2


def _absorption_numpy(z: Array, wavelength: Array, **stack: Any) -> Array:
    square, n, incident = _profiles_numpy(z, **stack, wavelength=wavelength, pol="p")
    profile = 2 * np.pi / wavelength * np.imag(n**2) * square / incident
    return np.moveaxis(profile, 0, -1)


def _intensity_numpy(z: Array, n: Array, wavelength: Array, **stack: Any) -> Array:
    sums = np.zeros((len(wavelength), len(z)))
    for k, total in enumerate(sums):  # all at once would take gigabytes
        one = {"n": n[k : k + 1], "wavelength": wavelength[k : k + 1]} | stack
        for pol in "sp":
            total += _profiles_numpy(z, **one, pol=pol)[0].sum(axis=(1, 2)) / 2
    return sums


_OPTICS_TOLERANCE = {np.complex128: 1e-12}

CASES = (
    Case(
        "optics", "R and T of stacks", _powers, _stack_make,
        {"layers": 5, "wavelengths": 9, "angles": 7}, _OPTICS_TOLERANCE,
        _powers_question, _powers_numpy, {"layers": 20, "wavelengths": 200, "angles": 50},
        {"layers": 20, "wavelengths": 30, "angles": 10},
    ),
    *(
        Case(
            "optics", f"R and T of stacks, {pol} alone", _powers, _stack_make,
            {"layers": 5, "wavelengths": 9, "angles": 7, "pol": pol}, _OPTICS_TOLERANCE,
            _powers_question, _powers_numpy,
            {"layers": 20, "wavelengths": 200, "angles": 50, "pol": pol},
            {"layers": 20, "wavelengths": 30, "angles": 10, "pol": pol},
        )
        for pol in "sp"
    ),
    Case(
        "optics", "R and T of stacks by kx", _powers, _along_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE, _along_question,
    ),
    Case(
        "optics", "absorption in the depth of a stack", _absorption, _stack_make,
        {"layers": 5, "wavelengths": 1, "angles": 1, "nz": 150}, _OPTICS_TOLERANCE,
        _absorption_question, _absorption_numpy,
        {"layers": 20, "wavelengths": 1, "angles": 1, "nz": 1000},
    ),
    Case(
        "optics", "intensity in the depth, summed over angles", _intensity, _stack_make,
        {"layers": 5, "wavelengths": 3, "angles": 4, "nz": 50}, _OPTICS_TOLERANCE,
        _intensity_question, _intensity_numpy,
        {"layers": 20, "wavelengths": 20, "angles": 10, "nz": 1000},
        {"layers": 20, "wavelengths": 4, "angles": 5, "nz": 300},
    ),
    Case(
        "optics", "amplitudes of the waves in stacks", _amplitudes, _stack_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE, _amplitudes_question,
    ),
    Case(
        "optics", "amplitudes of the waves in stacks by kx", _amplitudes, _along_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE,
        _amplitudes_along_question,
    ),
    Case(
        "optics", "absorption in each layer of stacks", _layer_absorption, _stack_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE,
        _layer_absorption_question,
    ),
)  # fmt: skip
