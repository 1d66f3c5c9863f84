"""Fields, intensities, fluxes and their sums: Maxwell's equations, and what must not matter."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optics_oracles import BACKENDS, POLS, smooth_stack, solve, spectrum

# --- identities -----------------------------------------------------------------------------


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
@example(seed=0)
def test_conservation(seed):
    stack = smooth_stack(seed)
    n, d, _, _ = stack
    nodes, weights = np.polynomial.legendre.leggauss(30)
    for backend in BACKENDS:
        film = solve(*stack, pol="both", backend=backend)
        np.testing.assert_allclose(film.R + film.T + film.A, 1, rtol=1e-14)
        layers = film.layer_absorption
        np.testing.assert_allclose(layers.sum(axis=-1), film.A, rtol=0, atol=1e-14)
        assert (np.abs(layers[:, n[1:-1].imag == 0]) < 1e-14).all()
        edges = film.interfaces
        np.testing.assert_allclose(film.poynting([0])[:, 0], 1 - film.R, rtol=0, atol=1e-14)
        behind = film.poynting(edges[-1:])[:, 0]
        np.testing.assert_allclose(behind, film.T, rtol=1e-12, atol=1e-15)
        # each layer's share is the integral of the profile
        z = edges[:-1, None] + d[:, None] * (nodes + 1) / 2
        profile = film.absorption(z.ravel()).reshape(2, *z.shape)
        integral = (profile * weights).sum(axis=-1) * d / 2
        np.testing.assert_allclose(integral, layers, rtol=0, atol=1e-12)
        # and what is absorbed at a depth goes with |E|²
        k0 = 2 * np.pi / stack[2]
        z = edges[:-1] + 0.3 * d
        incident = np.array([np.cos(stack[3]) * n[0].real] * 2)
        expected = k0 * (n[1:-1] ** 2).imag * film.intensity(z) / incident[:, None]
        np.testing.assert_allclose(film.absorption(z), expected, rtol=1e-10, atol=1e-14)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_continuity(seed):
    stack = smooth_stack(seed)
    eps = stack[0] ** 2
    for backend in BACKENDS:
        film = solve(*stack, pol="both", backend=backend)
        edges = film.interfaces
        sides = np.nextafter(edges, -np.inf), edges
        before, after = (film.field(z) for z in sides)
        np.testing.assert_allclose(before[..., :2], after[..., :2], rtol=0, atol=1e-12)
        normal = eps[:-1] * before[..., 2], eps[1:] * after[..., 2]
        np.testing.assert_allclose(*normal, rtol=0, atol=1e-11)
        before, after = (film.magnetic_field(z) for z in sides)
        np.testing.assert_allclose(before, after, rtol=0, atol=1e-11)
        before, after = (film.poynting(z) for z in sides)
        np.testing.assert_allclose(before, after, rtol=0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, layer=st.integers(1, 5), share=st.floats(0, 1))
def test_cutting_a_layer_in_two(seed, layer, share):
    n, d, wavelength, theta = smooth_stack(seed)
    whole_d = d[layer - 1]
    cut_d = np.insert(d, layer - 1, share * whole_d)
    cut_d[layer] = whole_d - share * whole_d
    z = np.linspace(-0.3, d.sum() + 0.3, 20)
    for backend in BACKENDS:
        whole = solve(n, d, wavelength, theta, pol="both", backend=backend)
        cut = solve(np.insert(n, layer, n[layer]), cut_d, wavelength, theta, pol="both",
                    backend=backend)  # fmt: skip
        np.testing.assert_allclose(cut.r, whole.r, rtol=0, atol=1e-13)
        np.testing.assert_allclose(cut.t, whole.t, rtol=1e-12)
        np.testing.assert_allclose(cut.field(z), whole.field(z), rtol=0, atol=1e-11)
        halves = cut.layer_absorption[:, layer - 1 : layer + 1].sum(axis=-1)
        np.testing.assert_allclose(halves, whole.layer_absorption[:, layer - 1], atol=1e-13)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_units_and_directions(seed):
    n, d, wavelength, theta = smooth_stack(seed)
    for backend in BACKENDS:
        film = solve(n, d, wavelength, theta, pol="both", backend=backend)
        metres = solve(n, d * 2**-20, wavelength * 2**-20, theta, pol="both", backend=backend)
        np.testing.assert_array_equal(metres.r, film.r)
        mirrored = solve(n, d, wavelength, -theta, pol="both", backend=backend)
        np.testing.assert_allclose(mirrored.r, film.r, rtol=1e-12)
        # from the other side as much is let through
        back = np.arcsin(n[0].real * np.sin(theta) / n[-1].real + 0j)
        if back.imag == 0:
            reverse = solve(n[::-1], d[::-1], wavelength, back.real, pol="both", backend=backend)
            np.testing.assert_allclose(reverse.T, film.T, rtol=1e-8)


@POLS
def test_maxwell(backend, pol):
    # curl E = i k0 Z0 H and curl Z0 H = -i k0 n² E by differences
    n, d, k0, step = np.array([1, 2 + 0.1j, 1.5]), [0.4], 2 * np.pi, 1e-5
    film = solve(n, d, 1, 0.6, pol=pol, backend=backend)
    for z, medium in ((-0.2, 0), (0.15, 1), (0.9, 2)):
        planes, places = z + step * np.array([-1, 0, 1]), step * np.array([-1, 0, 1])
        E, H = film.field(planes, places), film.magnetic_field(planes, places)
        for F, G, factor in ((E, H, 1j * k0), (H, E, -1j * k0 * n[medium] ** 2)):
            by_z = (F[2, 1] - F[0, 1]) / (2 * step)
            by_x = (F[1, 2] - F[1, 0]) / (2 * step)
            curl = [-by_z[1], by_z[0] - by_x[2], by_x[1]]
            np.testing.assert_allclose(curl, factor * G[1, 1], rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_intensity_is_that_of_the_field(backend, pol):
    z, x = np.linspace(-0.3, 0.8, 23), np.linspace(-1, 1, 3)
    for n, how in (
        ([1.5, 2 + 0.1j, 1.2], {"theta": 0.8}),
        ([1.5 + 0.1j, 2 + 0.1j, 1.2], {"theta": 0.8}),  # kx is complex
        ([1.5, 2 + 0.1j, 1.2], {"kx": 20.0}),
    ):
        film = solve(n, [0.4], 1, pol=pol, backend=backend, **how)
        expected = (np.abs(film.field(z)) ** 2).sum(axis=-1)
        np.testing.assert_allclose(film.intensity(z), expected, rtol=1e-12)
        expected = (np.abs(film.field(z, x)) ** 2).sum(axis=-1)
        np.testing.assert_allclose(film.intensity(z, x), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_flux_and_absorption_are_those_of_the_field(backend, pol):
    z, n = np.linspace(-0.3, 0.8, 24), np.array([1.5 + 0.1j, 2 + 0.1j, 1.2])
    for how in ({"theta": 0.8}, {"kx": 7.0}):  # of complex and real kx
        film = solve(n, [0.4], 1, pol=pol, backend=backend, **how)
        E, H = film.field(z), film.magnetic_field(z)
        kz = film.kz[0] / (2 * np.pi)
        incident = (kz if pol == "s" else kz * np.conj(n[0]) / n[0]).real
        flux = np.cross(E, np.conj(H))[..., 2].real
        np.testing.assert_allclose(film.poynting(z), flux / incident, rtol=1e-12)
        medium = np.searchsorted([0, 0.4], z, side="right")
        square = (np.abs(E) ** 2).sum(axis=-1)
        absorbed = 2 * np.pi * (n[medium] ** 2).imag * square / incident
        np.testing.assert_allclose(film.absorption(z), absorbed, rtol=1e-12)
        assert (film.absorption(z)[z > 0.4] == 0).all()
    # of real kx that is what the flux loses
    step = 2e-4
    steps = {2: -1, 1: 8, -1: -8, -2: 1}
    slope = sum(c * film.poynting(z + k * step) for k, c in steps.items()) / (12 * step)
    np.testing.assert_allclose(film.absorption(z), -slope, rtol=0, atol=1e-8)


# --- sums -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pol", ["s", "p", "both"])
def test_weighted_sums(backend, pol):
    n, d, wavelength, theta = spectrum()
    film = solve(n[:, None, :], d, wavelength[:, None], theta, pol=pol, backend=backend)
    rng = np.random.default_rng(1)
    z, x = np.linspace(-0.1, 0.9, 13), np.linspace(-1, 1, 4)
    weights, amplitudes = rng.random(7), rng.random(7) + 1j * rng.random(7)
    for method in (film.intensity, film.poynting, film.absorption):
        profiles = method(z)
        found = method(z, incoherent_weights=weights)
        expected = np.einsum("...kz,k->...z", profiles, weights)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        by_stack = rng.random(film.R.shape)
        found = method(z, incoherent_weights=by_stack)
        np.testing.assert_allclose(found, (profiles * by_stack[..., None]).sum(axis=-2), rtol=1e-12)
    found = film.intensity(z, x, incoherent_weights=weights)
    expected = np.einsum("...kzx,k->...zx", film.intensity(z, x), weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    fields = film.field(z, x)
    beam = np.einsum("...kzxc,k->...zxc", fields, amplitudes)
    found = film.field(z, x, coherent_weights=amplitudes)
    np.testing.assert_allclose(found, beam, rtol=0, atol=1e-13)
    found = film.intensity(z, x, coherent_weights=amplitudes)
    expected = (np.abs(beam) ** 2).sum(axis=-1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    # beams of all wavelengths, incoherently
    spectral = rng.random(6)
    found = film.intensity(z, x, coherent_weights=amplitudes, incoherent_weights=spectral)
    expected = np.einsum("...kzx,k->...zx", expected, spectral)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
def test_several_sums(backend):
    z, x, rng = np.linspace(-0.2, 0.5, 5), np.array([0.0, 0.1]), np.random.default_rng(0)
    spectra = rng.random((4, 2, 1, 3))
    for first in (1.5, 1.5 + 0.1j):  # kx is real, and not
        n, theta = [first, 2 + 0.1j, 1.5], [0.1, 0.2, 0.3]
        film = solve(n, [0.3], 0.5, theta, pol="both", backend=backend)
        profiles = {film.intensity: (x,), film.poynting: (), film.absorption: ()}
        for method, where in profiles.items():
            found = method(z, *where, incoherent_weights=spectra)
            each = [[method(z, *where, incoherent_weights=w) for w in pair] for pair in spectra]
            np.testing.assert_allclose(found, each, rtol=1e-13)
        nothing = film.absorption(z, incoherent_weights=np.ones((0, 2, 3)))
        assert nothing.shape == (0, 2, 5)


def test_natural_light(backend):
    film = solve([1, 2 + 0.1j, 1.5], [0.3], 0.5, 0.7, pol="both", backend=backend)
    z = np.linspace(-0.2, 0.5, 11)
    found = film.poynting(z, incoherent_weights=[0.5, 0.5])
    np.testing.assert_allclose(found, film.poynting(z).mean(axis=0), rtol=1e-14)


def test_memory_of_a_sum(backend):
    wavelength, theta = np.linspace(0.4, 0.8, 40), np.linspace(0, 1.4, 25)
    rng = np.random.default_rng(2)
    n, d = [1, *rng.uniform(1.3, 2.5, 10), 1.5], rng.uniform(0, 0.3, 10)
    film = solve(n, d, wavelength, theta[:, None], pol="both", backend=backend)
    film.intensity([0.1], incoherent_weights=np.ones(40))  # imports and compiles
    z = np.linspace(0, 3, 1000)
    tracemalloc.start()
    try:
        result = film.intensity(z, incoherent_weights=np.ones(40))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.shape == (2, 25, 1000)
    assert peak < result.nbytes + 4 * 2**20  # all profiles are 16 MB


# --- planes ---------------------------------------------------------------------------------


def test_planes_in_any_order(backend):
    film = solve([1, 2 + 0.1j, 1.5], [0.3], 0.5, 0.7, pol="both", backend=backend)
    z = np.random.default_rng(0).permutation(np.linspace(-1, 1, 301))
    for method in (film.intensity, film.poynting, film.absorption):
        np.testing.assert_allclose(method(z), method(np.sort(z))[:, z.argsort().argsort()])
    z[[3, 200, 300]] = np.nan, np.inf, -np.inf
    nothing = np.isnan(film.poynting(z))
    np.testing.assert_array_equal(nothing, [~np.isfinite(z)] * 2)


def test_one_plane(backend):
    # a number z or x makes no axis
    film = solve([1, 2 + 0.1j, 1.5], [0.3], 0.5, [0.1, 0.7], pol="both", backend=backend)
    z, x = np.array([0.1, 0.2]), np.array([0.3, 0.4, 0.5])
    for method in (film.intensity, film.poynting, film.absorption):
        np.testing.assert_array_equal(method(0.1), method(z[:1])[..., 0])
        found = method(0.1, incoherent_weights=[0.5, 0.5])
        np.testing.assert_array_equal(found, method(z[:1], incoherent_weights=[0.5, 0.5])[..., 0])
    for method in (film.field, film.magnetic_field):
        np.testing.assert_array_equal(method(0.1), method(z[:1])[..., 0, :])
        np.testing.assert_array_equal(method(0.1, x), method(z[:1], x)[..., 0, :, :])
        np.testing.assert_array_equal(method(z, 0.3), method(z, x[:1])[..., 0, :])
        np.testing.assert_array_equal(method(0.1, 0.3), method(z[:1], x[:1])[..., 0, 0, :])
    np.testing.assert_array_equal(film.intensity(0.1, x), film.intensity(z[:1], x)[..., 0, :])
    assert film.intensity(z, 0.3).shape == (2, 2, 2)
    one = solve([1, 2 + 0.1j, 1.5], [0.3], 0.5, pol="s", backend=backend)
    assert isinstance(one.poynting(0.1), float)
    assert isinstance(one.intensity(0.1, 0.3), float)
