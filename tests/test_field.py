import cmath
import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops._run import tiles

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


# --- against the truth ----------------------------------------------------------------------


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_definition(backend, dtype, reference):
    waves = stack(1)
    waves["amplitudes"] = waves["amplitudes"].astype(dtype)
    waves["vectors"] = waves["vectors"].astype(dtype)
    rng = np.random.default_rng(2)
    z, x = rng.uniform(-1, 5, 60), rng.uniform(-2, 2, 7)
    keywords = {"backward_reference": reference}
    tolerance = 1e-7 if dtype == np.complex64 else 3e-15

    result = hl.layered_field(z, **waves, x=x, kx=2.5 + 0.1j, **keywords, backend=backend)
    assert result.dtype == dtype
    expected = wave_by_wave(z, **waves, x=x, kx=2.5 + 0.1j, **keywords)
    assert largest_error(result, expected) < tolerance

    result = hl.layered_field(z, **waves, **keywords, backend=backend)
    assert result.dtype == dtype
    assert largest_error(result, wave_by_wave(z, **waves, **keywords)[:, 0]) < tolerance


def test_a_loop_with_masks(backend):
    # as it is often written, with d_cum[n - 1] that wraps round at n = 0
    rng = np.random.default_rng(3)
    d_cum = np.cumsum(rng.uniform(0.2, 1, 6)) - 1
    waves = stack(4, 6)
    waves["amplitudes"][:, 1] = 0
    kz, En, e_uvect, kx = waves["kz"], waves["amplitudes"], waves["vectors"], 1.5
    z, x = np.linspace(d_cum[0], d_cum[-1], 80, endpoint=False), np.linspace(0, 3, 11)
    zz, xx = np.meshgrid(z, x, indexing="ij")
    expected = np.zeros((80, 11, 3), complex)
    for n in range(6):
        mask = (zz >= d_cum[n - 1]) & (zz < d_cum[n])
        phase = np.exp(1j * (kz[n] * (zz - d_cum[n - 1]) + kx * xx))
        expected += (En[n, 0] * phase * mask)[..., None] * e_uvect[n, 0]
    result = hl.layered_field(
        z, d_cum[:-1], kz, En, e_uvect, x=x, kx=kx, backward_reference="near", backend=backend
    )
    assert largest_error(result, expected) < 1e-14


@pytest.mark.parametrize("reference", REFERENCES)
def test_forty_digits(backend, reference):
    interfaces = [0.1, 37.3, 141.7]
    kz = [0.7 + 0.001j, 31.9 + 0.02j, 5.3 + 2j, 12.1 + 0.3j]
    rng = np.random.default_rng(5)
    amplitudes, vectors = normal(rng, 4, 2), normal(rng, 4, 2, 3)
    kx, x, z = 3.3 + 0.01j, [-4.1, 29.7], [-3.7, 0.1, 20.9, 37.2, 141.69, 141.7, 143.9]
    result = hl.layered_field(
        z, interfaces, kz, amplitudes, vectors, x=x, kx=kx, backward_reference=reference,
        backend=backend,
    )  # fmt: skip
    exact = mpmath.mpf
    with mpmath.workdps(40):
        for (i, depth), (j, position) in itertools.product(enumerate(z), enumerate(x)):
            n = layer(depth, interfaces)
            near, far = interfaces[max(n - 1, 0)], interfaces[min(n, 2)]
            back = near if reference == "near" else far
            k = mpmath.mpc(kz[n])
            phase = mpmath.exp(1j * mpmath.mpc(kx) * exact(position))
            terms = [
                complex(a) * mpmath.exp(1j * k * path) * phase
                for a, path in zip(
                    amplitudes[n],
                    (exact(depth) - exact(near), exact(back) - exact(depth)),
                    strict=True,
                )
            ]
            # a radian of phase costs half an ulp
            radians = 10 + abs(kz[n]) * (abs(depth - near) + abs(depth - back)) + abs(kx * position)
            for c in range(3):
                parts = [t * complex(v) for t, v in zip(terms, vectors[n, :, c], strict=True)]
                size = max(abs(p) for p in parts)
                assert abs(result[i, j, c] - complex(sum(parts))) < 2.3e-16 * radians * size


# --- physics --------------------------------------------------------------------------------


def solve(n, d, wavelength, theta, pol):
    """A stack's waves from the continuity of the tangential E and H, in one linear system.

    The medium m has the unknowns f[m] and b[m], the amplitudes at its near and its far interface.
    """
    n = np.asarray(n, complex)
    count, k0 = len(n), 2 * np.pi / wavelength
    kz = k0 * np.sqrt(n**2 - (n[0] * np.sin(theta)) ** 2)
    cosine = kz / (k0 * n)
    sine = n[0] * np.sin(theta) / n
    e, h = (np.ones(count), kz / k0) if pol == "s" else (cosine, n)
    sign = 1 if pol == "s" else -1  # of the backward wave's tangential E
    through = np.exp(1j * kz * np.array([0, *d, 0]))
    matrix, right = np.zeros((2 * count, 2 * count), complex), np.zeros(2 * count, complex)
    for j in range(count - 1):
        for row, (quantity, s) in enumerate(((e, sign), (h, -sign)), start=2 * j):
            matrix[row, 2 * j] = quantity[j] * through[j]
            matrix[row, 2 * j + 1] = quantity[j] * s
            matrix[row, 2 * j + 2] = -quantity[j + 1]
            matrix[row, 2 * j + 3] = -quantity[j + 1] * s * through[j + 1]
    matrix[-2, 0] = right[-2] = matrix[-1, -1] = 1
    waves = {
        "interfaces": np.cumsum([0, *d]),
        "kz": kz,
        "amplitudes": np.linalg.solve(matrix, right).reshape(count, 2),
    }
    if pol == "s":
        vectors = np.broadcast_to([0, 1, 0], (count, 2, 3))
    else:
        zero = np.zeros(count)
        forward = np.stack([cosine, zero, -sine], axis=-1)
        vectors = np.stack([forward, forward * [-1, 1, 1]], axis=1)
    waves["vectors"] = vectors
    return waves


@pytest.mark.parametrize(
    ("pol", "expected"),
    [
        ("s", [0, 0.15461823546068888 + 0.42761494484243927j, 0]),
        (
            "p",
            [
                0.15591534070574697 + 0.46480451476668496j,
                0,
                -0.087895250702909169 - 0.1208371763840378j,
            ],
        ),
    ],
)
def test_values_of_tmm(backend, pol, expected):
    # tmm 0.2, position_resolved in layer 1 at depth 37
    waves = solve([1, 2.2 + 0.2j, 3.3 + 0.3j, 1], [100, 300], 400, np.pi / 4, pol)
    field = hl.layered_field([37], **waves, backward_reference="far", backend=backend)
    np.testing.assert_allclose(field[0], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pol", ["s", "p"])
def test_continuous_at_the_interfaces(backend, pol):
    n = np.array([1.2, 2.2 + 0.2j, 0.1 + 3j, 1.5, 1])
    waves = solve(n, [100, 30, 200], 400, 0.6, pol)
    z = waves["interfaces"]
    before, after = (
        hl.layered_field(side, **waves, backward_reference="far", backend=backend)
        for side in (np.nextafter(z, -np.inf), z)
    )
    np.testing.assert_allclose(before[:, :2], after[:, :2], rtol=0, atol=1e-13)
    eps = n[:, None] ** 2
    np.testing.assert_allclose(eps[:-1] * before[:, 2:], eps[1:] * after[:, 2:], rtol=0, atol=1e-12)


def test_metal_in_a_wide_window(backend):
    # 200 nm of silver: a mask times the exponential of the whole window is inf · 0
    waves = solve([1, 0.13 + 3.16j, 1], [200], 633, 0, "s")
    z = np.arange(-1e4, 1.2e4, 10)
    field = hl.layered_field(z, **waves, backward_reference="far", backend=backend)[:, 1]
    assert np.isfinite(field).all()
    behind = np.abs(field[z >= 200])
    np.testing.assert_allclose(behind, behind[0], rtol=1e-12)
    before = np.abs(field[z < 0])
    reflected = abs(waves["amplitudes"][0, 1])
    assert 0.99 * (1 + reflected) < before.max() <= 1 + reflected
    assert 1 - reflected <= before.min() < 1.1 * (1 - reflected)


def test_opaque_metal(backend):
    # 22 µm of it: the forward wave decays until it is 0, and the backward one towards the front
    waves = solve([1, 0.13 + 3.16j, 1], [22e3], 633, 0, "s")
    z = np.linspace(0, 22e3, 500, endpoint=False)
    field = hl.layered_field(z, **waves, backward_reference="far", backend=backend)[:, 1]
    decay = np.abs(waves["amplitudes"][1, 0]) * np.exp(-waves["kz"][1].imag * z)
    np.testing.assert_allclose(np.abs(field), decay, rtol=1e-12, atol=1e-300)
    assert np.abs(field[-1]) < 1e-200


# --- what must change nothing ---------------------------------------------------------------


def test_near_and_far_amplitudes(backend):
    waves = stack(6, 7)
    z = np.linspace(-1, 5, 200)
    near = hl.layered_field(z, **waves, backward_reference="near", backend=backend)
    thickness = np.diff(waves["interfaces"])
    waves["amplitudes"][1:-1, 1] *= np.exp(-1j * waves["kz"][1:-1] * thickness)
    far = hl.layered_field(z, **waves, backward_reference="far", backend=backend)
    assert largest_error(far, near) < 1e-14


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 4), share=st.floats(0, 1))
def test_cutting_a_medium_in_two(seed, n, share):
    waves = stack(seed)
    edges = np.array([-1, *waves["interfaces"], 5])
    cut = edges[n] + share * (edges[n + 1] - edges[n])
    z = np.random.default_rng(seed).uniform(-1, 5, 50)
    for backend in ("cython", "numba", "numpy"):
        whole = hl.layered_field(z, **waves, backward_reference="near", backend=backend)
        # the reference plane of either half, seen from the whole medium's
        reference = waves["interfaces"][max(n - 1, 0)]
        planes = np.array([cut if n == 0 else reference, cut])
        phase = 1j * waves["kz"][n] * (planes - reference)
        two = {
            "interfaces": np.insert(waves["interfaces"], n, cut),
            "kz": np.insert(waves["kz"], n, waves["kz"][n]),
            "vectors": np.insert(waves["vectors"], n, waves["vectors"][n], axis=0),
            "amplitudes": np.insert(waves["amplitudes"], n, waves["amplitudes"][n], axis=0),
        }
        two["amplitudes"][n : n + 2] *= np.exp(np.stack([phase, -phase], axis=1))
        halves = hl.layered_field(z, **two, backward_reference="near", backend=backend)
        assert largest_error(halves, whole) < 1e-14


@pytest.mark.parametrize("reference", REFERENCES)
def test_translation(backend, reference):
    waves, z = stack(8), np.arange(-64, 320) / 64
    waves["interfaces"] = np.round(waves["interfaces"] * 64) / 64  # so that sums are exact
    expected = hl.layered_field(z, **waves, backward_reference=reference, backend=backend)
    waves["interfaces"] += 1024
    moved = hl.layered_field(z + 1024, **waves, backward_reference=reference, backend=backend)
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("grid", [True, False])
def test_leading_axes_broadcast(backend, grid, reference):
    # wavelength × angle × polarisation, against a loop over them
    rng = np.random.default_rng(9)
    waves = {
        "interfaces": np.sort(rng.uniform(0, 4, (4, 1, 1, 2))),
        "kz": rng.uniform(3, 12, (4, 3, 1, 3)) + 0.1j,
        "amplitudes": normal(rng, 4, 3, 2, 3, 2),
        "vectors": normal(rng, 2, 3, 2, 3),
    }
    z, keywords = np.linspace(-1, 5, 17), {"backward_reference": reference, "backend": backend}
    if grid:
        keywords["x"] = np.linspace(0, 1, 5)
        waves["kx"] = rng.uniform(1, 2, (4, 3, 1))
    result = hl.layered_field(z, **waves, **keywords)
    assert result.shape == ((4, 3, 2, 17, 5, 3) if grid else (4, 3, 2, 17, 3))
    for w, a, p in np.ndindex(4, 3, 2):
        one = {
            "interfaces": waves["interfaces"][w, 0, 0],
            "kz": waves["kz"][w, a, 0],
            "amplitudes": waves["amplitudes"][w, a, p],
            "vectors": waves["vectors"][p],
        }
        if grid:
            one["kx"] = waves["kx"][w, a, 0]
        np.testing.assert_array_equal(result[w, a, p], hl.layered_field(z, **one, **keywords))


def test_profile_is_the_field_at_zero(backend):
    waves, z = stack(10), np.linspace(-1, 5, 100)
    keywords = {"backward_reference": "near", "backend": backend}
    profile = hl.layered_field(z, **waves, **keywords)
    field = hl.layered_field(z, **waves, x=[0], kx=3 + 1j, **keywords)
    np.testing.assert_array_equal(field[:, 0], profile)


# --- points, intensities, sums --------------------------------------------------------------


def squares(field):
    return (field.real**2 + field.imag**2).sum(axis=-1)


def waves_of(seed, *batch, n=4):
    """Random waves in one stack, with their kx."""
    rng = np.random.default_rng(seed)
    waves = stack(seed, n, batch)
    waves["interfaces"] = np.sort(rng.uniform(0, 4, n - 1))
    waves["kx"] = rng.uniform(-2, 2, batch) + 0.1j * rng.uniform(-1, 1, batch)
    return waves


def one_by_one(z, x, waves):
    """The fields (*batch, Nz, Nx, 3) by the definition, for sums in extended precision."""
    batch = waves["kx"].shape
    fields = np.empty((*batch, len(z), len(x), 3), np.clongdouble)
    for b in np.ndindex(*batch):
        one = {name: value[b] for name, value in waves.items() if name != "interfaces"}
        fields[b] = wave_by_wave(z, waves["interfaces"], **one, backward_reference="far", x=x)
    return fields


def summed(fields, what, coherent_weights=None, incoherent_weights=None):
    """What becomes of fields (2, 3, 4, *places, 3)."""
    places = (None,) * (fields.ndim - 4)
    if coherent_weights is not None:
        fields = (fields * coherent_weights[..., *places, None]).sum(axis=2)
    if what == "field":
        return fields
    intensities = squares(fields)
    if incoherent_weights is not None:
        axis = 1 if coherent_weights is not None else 2
        intensities = (intensities * incoherent_weights[..., *places]).sum(axis=axis)
    return intensities


_rng = np.random.default_rng(24)
WEIGHTS = {
    "each": {},
    "coherent": {"coherent_weights": normal(_rng, 2, 3, 4)},
    "incoherent": {"incoherent_weights": _rng.uniform(-1, 1, (2, 3, 4))},
    "both": {
        "coherent_weights": normal(_rng, 2, 3, 4),
        "incoherent_weights": _rng.uniform(-1, 1, (2, 3)),
    },
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("places", ["grid", "points", "profile"])
def test_sums(backend, dtype, weights, places):
    waves = waves_of(23, 2, 3, 4)
    rng = np.random.default_rng(25)
    z, x = rng.uniform(-1, 5, 9), rng.uniform(-2, 2, 9 if places == "points" else 5)
    if places == "profile":
        waves["kx"][:], x = 0, np.zeros(1)
    fields = one_by_one(z, x, waves)
    if places == "grid":
        where = {"x": x}
    elif places == "points":
        where = {"x": x, "grid": False}
        fields = fields[..., np.arange(9), np.arange(9), :]
    else:
        where, fields = {}, fields[..., 0, :]
        del waves["kx"]
    for name in ("amplitudes", "vectors"):
        waves[name] = waves[name].astype(dtype)
    keywords = {"backward_reference": "far", "backend": backend, **WEIGHTS[weights]}
    tolerance = 1e-6 if dtype == np.complex64 else 1e-14
    real = np.zeros(0, dtype).real.dtype
    whats = {"field": dtype, "intensity": real}
    for what in ["intensity"] if "incoherent_weights" in WEIGHTS[weights] else whats:
        result = hl.layered_field(z, **waves, **where, **keywords, what=what)
        assert result.dtype == whats[what]
        assert largest_error(result, summed(fields, what, **WEIGHTS[weights])) < tolerance


@pytest.mark.parametrize("shape", [(), (7,), (1, 3), (2, 3, 4)])
def test_points_of_any_shape(backend, shape):
    rng = np.random.default_rng(21)
    z, x = rng.uniform(-1, 5, shape), rng.uniform(-2, 2, shape)
    keywords = {"grid": False, "backward_reference": "near", "backend": backend}
    waves = waves_of(20, 2)
    field = hl.layered_field(z, **waves, x=x, **keywords)
    assert field.shape == (2, *shape, 3)
    flat = hl.layered_field(z.ravel(), **waves, x=x.ravel(), **keywords)
    np.testing.assert_array_equal(field.reshape(flat.shape), flat)
    intensity = hl.layered_field(z, **waves, x=x, **keywords, what="intensity")
    assert intensity.shape == (2, *shape)
    np.testing.assert_allclose(intensity, squares(field), rtol=1e-14)


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("n", [2, 3, 20, 150])
def test_planes_in_any_order(backend, n, reference):
    waves = stack(22, n)
    rng = np.random.default_rng(22)
    planes = np.concatenate([waves["interfaces"], np.linspace(-1, 5, 301)])
    keywords = {"backward_reference": reference}
    for z in (rng.permutation(planes), np.sort(planes), np.sort(planes)[::-1], np.full(200, 2.0)):
        result = hl.layered_field(z, **waves, **keywords, backend=backend)
        assert largest_error(result, wave_by_wave(z, **waves, **keywords)[:, 0]) < 1e-14


@pytest.mark.parametrize(
    ("waves", "planes", "columns"), [(129, 3, 2), (300, 1, 1), (2, 300, 5), (3, 7, 1100)]
)
def test_beams_of_every_tile(backend, waves, planes, columns):
    beam = waves_of(26, waves)
    weights = normal(np.random.default_rng(27), waves)
    z, x = np.linspace(-1, 5, planes), np.linspace(-2, 2, columns)
    keywords = {"backward_reference": "far", "backend": backend}
    fields = hl.layered_field(z, **beam, x=x, **keywords).astype(np.clongdouble)
    expected = (fields * weights[:, None, None, None]).sum(axis=0)
    keywords["coherent_weights"] = weights
    assert largest_error(hl.layered_field(z, **beam, x=x, **keywords), expected) < 1e-14
    result = hl.layered_field(z, **beam, x=x, **keywords, what="intensity")
    assert largest_error(result, squares(expected)) < 1e-14


@pytest.mark.parametrize("waves", [1, 2, 127, 128, 129, 300])
@pytest.mark.parametrize("kinds", [1, 2, 1000])
def test_intensities_in_absorbing_surroundings(backend, waves, kinds):
    # Im kx, by which an intensity depends on x, is the same in neighbours or not
    several = waves_of(28, waves)
    rng = np.random.default_rng(29)
    several["kx"].imag = np.resize(rng.uniform(-0.3, 0.3, kinds), waves)
    spectrum, z, x = rng.uniform(size=waves), np.linspace(-1, 5, 5), np.linspace(-2, 2, 4)
    keywords = {"backward_reference": "far", "backend": backend, "what": "intensity"}
    each = hl.layered_field(z, **several, x=x, **keywords)
    result = hl.layered_field(z, **several, x=x, **keywords, incoherent_weights=spectrum)
    assert largest_error(result, np.einsum("kzx,k->zx", each, spectrum)) < 1e-14


@pytest.mark.parametrize("planes", [1, 5, 140])
def test_long_sums_at_few_planes(backend, planes, monkeypatch):
    # which are shared out as parts of the sum
    monkeypatch.setattr(tiles, "_SHORT", 1e3)
    monkeypatch.setattr(tiles, "_LONG", 4e3)
    several = stack(30, 3, (2, 50))
    rng = np.random.default_rng(31)
    weights, spectrum = normal(rng, 50), rng.uniform(size=(2, 50))
    z, keywords = np.linspace(-1, 5, planes), {"backward_reference": "near", "backend": backend}
    fields = hl.layered_field(z, **several, **keywords)
    beams = np.einsum("akzc,k->azc", fields, weights)
    for expected, sums in (
        (beams, {"coherent_weights": weights}),
        (
            np.einsum("akz,ak->az", squares(fields), spectrum),
            {"incoherent_weights": spectrum, "what": "intensity"},
        ),
        (
            np.einsum("az,a->z", squares(beams), spectrum[:, 0]),
            {
                "coherent_weights": weights,
                "incoherent_weights": spectrum[:, 0],
                "what": "intensity",
            },
        ),
    ):
        results = [
            hl.layered_field(z, **several, **keywords, **sums, workers=workers)
            for workers in (1, 2, 3)
        ]
        assert largest_error(results[0], expected) < 1e-14
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])


def test_weights_broadcast(backend):
    # one spectrum for all angles, and one beam in each of its waves
    waves, z, x = waves_of(32, 5), np.linspace(-1, 5, 6), np.linspace(0, 1, 3)
    keywords = {"backward_reference": "far", "backend": backend}
    each = hl.layered_field(z, **waves, x=x, **keywords)
    weights = normal(np.random.default_rng(33), 4, 1)
    result = hl.layered_field(z, **waves, x=x, **keywords, coherent_weights=weights)
    assert largest_error(result, weights[..., None, None] * each.sum(axis=0)) < 1e-14
    result = hl.layered_field(
        z, **waves, x=x, **keywords, coherent_weights=weights, incoherent_weights=[1, 2, 0, -1],
        what="intensity",
    )  # fmt: skip
    factor = (np.abs(weights[:, 0]) ** 2 * [1, 2, 0, -1]).sum()
    assert largest_error(result, factor * squares(each.sum(axis=0))) < 1e-14


def test_absent_components_of_a_beam(backend):
    # they are 0, but NaN where anything of their waves is
    waves, z, x = waves_of(34, 3), np.linspace(-1, 5, 40), np.linspace(0, 1, 6)
    waves["vectors"][..., [0, 2]] = 0
    keywords = {"backward_reference": "far", "backend": backend, "coherent_weights": [1, 2, 3]}
    clean = hl.layered_field(z, **waves, x=x, **keywords)
    np.testing.assert_array_equal(clean[..., [0, 2]], 0)
    assert (clean[..., 1] != 0).all()
    z[3], z[7], x[2] = np.nan, np.inf, np.nan
    result = hl.layered_field(z, **waves, x=x, **keywords)
    expected = ~np.isfinite(z)[:, None] | np.isnan(x)
    np.testing.assert_array_equal(np.isnan(result), np.repeat(expected[..., None], 3, axis=2))
    # a product of another shape may be rounded another way
    assert largest_error(result[~expected], clean[~expected]) < 1e-15


@pytest.mark.parametrize("grid", [True, False])
def test_nan_in_intensities(backend, grid):
    waves = waves_of(35)
    waves["kx"] = 1.5
    z, x = np.linspace(-1, 5, 9), np.linspace(0, 1, 9)
    z[3], z[4], x[5], x[6] = np.nan, -np.inf, np.nan, np.inf
    keywords = {"grid": grid, "backward_reference": "far", "backend": backend}
    field = hl.layered_field(z, **waves, x=x, **keywords)
    intensity = hl.layered_field(z, **waves, x=x, **keywords, what="intensity")
    np.testing.assert_array_equal(np.isnan(intensity), np.isnan(field[..., 0]))
    np.testing.assert_allclose(intensity, squares(field), rtol=1e-14)
    np.testing.assert_array_equal(np.isfinite(intensity).sum(), 49 if grid else 5)


def test_nodes_of_a_standing_wave(backend):
    # where two waves cancel nothing is left of their intensities
    k = 2 * np.pi * 3
    result = hl.layered_field(
        np.arange(20) / 12, [0, 9], [k] * 3, [[1, -1]] * 3, np.ones((3, 2, 3)),
        backward_reference="near", what="intensity", backend=backend,
    )  # fmt: skip
    np.testing.assert_allclose(result[1::2], 12, rtol=1e-13)
    assert (result[::2] < 1e-28).all()


def wave(k, z, backend):
    """exp(i k z)."""
    field = hl.layered_field(
        z, [0], [k, k], [[1, 0]] * 2, np.broadcast_to([0, 1, 0], (2, 2, 3)),
        backward_reference="far", backend=backend,
    )  # fmt: skip
    return field[:, 1]


def test_sine_and_cosine(backend):
    rng = np.random.default_rng(36)
    quarters = np.rint(rng.uniform(-6e5, 6e5, 200)) * (np.pi / 2)
    angles = np.concatenate([
        rng.uniform(-1, 1, 200) * 10.0 ** rng.uniform(-9, 1, 200), rng.uniform(-1e6, 1e6, 300),
        np.arange(-20, 20) * (np.pi / 4), quarters, np.nextafter(quarters, 0),
        [0, -0.0, 5e-324, 2.0**20, np.nextafter(2.0**20, np.inf), 1e7, -1e15, 1e300],
        [321307.9594422229],  # the nearest to an odd number of right angles
    ])  # fmt: skip
    result = wave(1, angles, backend)
    for angle, value in zip(angles, result, strict=True):
        with mpmath.workdps(400):  # to subtract 1e300 radians
            cosine, sine = mpmath.cos_sin(mpmath.mpf(angle))
            for part, exact in ((value.real, cosine), (value.imag, sine)):
                assert abs(part - exact) <= max(1.2 * np.spacing(abs(part)), 1e-31)


def test_growth_and_decay(backend):
    # from near the largest number through the subnormals to 0
    paths = np.concatenate([np.linspace(-709.7, 745, 301), [-599.9, -600.1, 800, 1e5]])
    result = wave(1j, paths, backend)
    exact = [float(mpmath.exp(-mpmath.mpf(path))) for path in paths]
    np.testing.assert_allclose(result.real, exact, rtol=4e-16, atol=5e-324)
    np.testing.assert_array_equal(result.imag, 0)


# --- edges ----------------------------------------------------------------------------------


def test_media_are_half_open(backend):
    # each medium's number as its field
    z = [-9, np.nextafter(1, 0), 1, 1.5, np.nextafter(2, 0), 2, 3, np.nextafter(3, 4), 99]
    field = hl.layered_field(
        z, [1, 2, 3], np.zeros(4), [[k, 0] for k in range(4)], np.ones((4, 2, 3)),
        backward_reference="far", backend=backend,
    )  # fmt: skip
    np.testing.assert_array_equal(field[:, 0], [0, 0, 1, 1, 1, 2, 3, 3, 3])


@pytest.mark.parametrize("reference", REFERENCES)
def test_layers_of_no_thickness(backend, reference):
    waves = stack(11, 4)
    z = np.concatenate([np.linspace(-1, 5, 50), waves["interfaces"]])
    keywords = {"backward_reference": reference, "backend": backend}
    expected = hl.layered_field(z, **waves, **keywords)
    nothing = {
        "interfaces": np.insert(waves["interfaces"], 1, [waves["interfaces"][1]] * 2),
        "kz": np.insert(waves["kz"], 2, [np.nan, np.nan]),
        "amplitudes": np.insert(waves["amplitudes"], 2, [[np.nan] * 2] * 2, axis=0),
        "vectors": np.insert(waves["vectors"], 2, [[[np.nan] * 3] * 2] * 2, axis=0),
    }
    np.testing.assert_array_equal(hl.layered_field(z, **nothing, **keywords), expected)


@pytest.mark.parametrize("reference", REFERENCES)
def test_one_medium(backend, reference):
    z, x, k, kx = np.linspace(-2, 2, 9), np.linspace(0, 1, 4), 3 + 0.2j, 0.7
    amplitudes, vectors = [[2, 3j]], [[[1, 0, 2], [0, 1j, 1]]]
    result = hl.layered_field(
        z, [], [k], amplitudes, vectors, x=x, kx=kx, backward_reference=reference, backend=backend
    )
    profile = np.array([
        2 * np.exp(1j * k * z),
        3j * 1j * np.exp(-1j * k * z),
        4 * np.exp(1j * k * z) + 3j * np.exp(-1j * k * z),
    ]).T  # fmt: skip
    assert largest_error(result, profile[:, None] * np.exp(1j * kx * x)[:, None]) < 1e-15


def test_an_absent_wave_is_not_evaluated(backend):
    # an absorbing substrate, its backward wave 0 · inf, and its k and vector whatever
    field = hl.layered_field(
        [1e6], [0], [1, 1 + 1j], [[1, 0], [1, 0]], [[[1] * 3, [np.nan] * 3]] * 2,
        backward_reference="near", backend=backend,
    )  # fmt: skip
    np.testing.assert_array_equal(field, 0)
    field = hl.layered_field(
        [1], [0], [1, np.nan], np.zeros((2, 2)), np.ones((2, 2, 3)),
        backward_reference="near", backend=backend,
    )  # fmt: skip
    np.testing.assert_array_equal(field, 0)


def test_nan_stays_where_it_is(backend):
    waves, z, x = stack(12), np.linspace(-1, 5, 40), np.linspace(0, 1, 6)
    keywords = {"kx": 2, "backward_reference": "near", "backend": backend}
    clean = hl.layered_field(z, **waves, x=x, **keywords)
    z[3], z[7], x[2] = np.nan, np.inf, np.nan
    waves["amplitudes"][2, 1] = np.nan
    expected = np.isin(np.searchsorted(waves["interfaces"], z, side="right"), 2)
    expected[[3, 7]] = True
    expected = expected[:, None] | np.isnan(x)
    result = hl.layered_field(z, **waves, x=x, **keywords)
    np.testing.assert_array_equal(np.isnan(result), np.repeat(expected[..., None], 3, axis=2))
    np.testing.assert_array_equal(result[~expected], clean[~expected])


def test_nothing_is_present_at_nan(backend):
    field = hl.layered_field(
        [np.nan, 0], [0], [1, 1], np.zeros((2, 2)), np.ones((2, 2, 3)),
        backward_reference="near", backend=backend,
    )  # fmt: skip
    np.testing.assert_array_equal(np.isnan(field), [[True] * 3, [False] * 3])


@pytest.mark.parametrize(
    ("batch", "planes", "columns"),
    [
        ((), 1, 1),
        ((), 1, 1024),
        ((), 3, 1025),
        ((), 2, 2500),
        ((), 1003, 70),
        ((3,), 501, 33),
        ((700,), 2, 3),
        ((300, 7), 1, 1),
    ],
)
def test_every_tile(backend, batch, planes, columns):
    waves = stack(13, 3, batch)
    kx = np.random.default_rng(13).uniform(1, 2, batch)
    z, x = np.linspace(-1, 5, planes), np.linspace(-2, 2, columns)
    out = np.full((*batch, planes, columns, 3), np.nan, complex)
    keywords = {"backward_reference": "far", "backend": backend}
    hl.layered_field(z, **waves, x=x, kx=kx, **keywords, out=out)
    profile = hl.layered_field(z, **waves, **keywords)
    phase = np.exp(1j * kx[..., None] * x)
    assert largest_error(out, profile[..., None, :] * phase[..., None, :, None]) < 1e-15


@pytest.mark.parametrize("reference", REFERENCES)
def test_profiles_of_every_length(backend, reference):
    for batch, planes in (((), 1), ((), 9001), ((4,), 3001), ((6001,), 2)):
        waves, z = stack(14, 3, batch), np.linspace(-1, 5, planes)
        result = hl.layered_field(z, **waves, backward_reference=reference, backend=backend)
        for b in np.ndindex(*(min(3, size) for size in batch)):
            last = tuple(-1 - i for i in b)
            one = {name: value[last] for name, value in waves.items()}
            points = np.linspace(0, planes - 1, 20).astype(int)
            expected = wave_by_wave(z[points], **one, backward_reference=reference)[:, 0]
            assert largest_error(result[last][points], expected) < 1e-14


def test_a_number_makes_no_axis(backend):
    x, rng = np.linspace(0, 1, 4), np.random.default_rng(3)
    for batch in ((), (2,)):
        waves = stack(15, batch=batch)
        keywords = {"backward_reference": "near", "backend": backend}
        along = {"kx": 0.7, **keywords}
        for more in ({}, {"what": "intensity"}):
            tail = (slice(None),) * (not more)
            row = hl.layered_field([1.3], **waves, **keywords, **more)
            found = hl.layered_field(1.3, **waves, **keywords, **more)
            np.testing.assert_array_equal(found, row[(..., 0, *tail)])
            grid = hl.layered_field([1.3], **waves, x=x, **along, **more)
            found = hl.layered_field(1.3, **waves, x=x, **along, **more)
            np.testing.assert_array_equal(found, grid[(..., 0, slice(None), *tail)])
            found = hl.layered_field([1.3], **waves, x=x[0], **along, **more)
            np.testing.assert_array_equal(found, grid[(..., 0, *tail)])
            for how in (True, False):
                found = hl.layered_field(1.3, **waves, x=x[0], **along, **more, grid=how)
                np.testing.assert_allclose(found, grid[(..., 0, 0, *tail)], rtol=1e-14)
    one = hl.layered_field(1.3, **stack(15), **keywords, what="intensity")
    assert isinstance(one, float)
    out = np.empty(())
    found = hl.layered_field(1.3, **stack(15), **keywords, what="intensity", out=out)
    assert found is out
    assert out == one
    waves, weights = stack(15, batch=(3,)), rng.random(3)
    sums = {"x": x[0], "kx": 0.7, "coherent_weights": weights, **keywords}
    np.testing.assert_allclose(
        hl.layered_field(1.3, **waves, **sums),
        hl.layered_field([1.3], **waves, **sums | {"x": x[:1]})[0, 0],
        rtol=1e-14,
    )


def test_empty(backend):
    waves, keywords = stack(15), {"backward_reference": "near", "backend": backend}
    assert hl.layered_field([], **waves, **keywords).shape == (0, 3)
    assert hl.layered_field([], **waves, x=[1], kx=1, **keywords).shape == (0, 1, 3)
    assert hl.layered_field([1], **waves, x=[], kx=1, **keywords).shape == (1, 0, 3)
    assert hl.layered_field([], **waves, x=[], kx=1, grid=False, **keywords).shape == (0, 3)
    assert hl.layered_field([], **waves, **keywords, what="intensity").shape == (0,)
    waves = stack(15, batch=(0, 2))
    assert hl.layered_field([1], **waves, **keywords).shape == (0, 2, 1, 3)


def test_sums_of_nothing(backend):
    waves, keywords = stack(15, batch=(2, 0)), {"backward_reference": "near", "backend": backend}
    field = hl.layered_field([1, 2], **waves, **keywords, coherent_weights=np.ones(0))
    np.testing.assert_array_equal(field, np.zeros((2, 2, 3), complex))
    keywords |= {"what": "intensity", "incoherent_weights": np.ones(0)}
    intensity = hl.layered_field([1, 2], **waves, **keywords)
    np.testing.assert_array_equal(intensity, np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("amplitudes", "vectors", "expected"),
    [
        (np.complex64, np.complex64, np.complex64),
        (np.float32, np.float32, np.complex64),
        (np.complex64, np.float64, np.complex128),
        (np.int64, np.complex64, np.complex128),
        (np.complex128, np.complex128, np.complex128),
    ],
)
def test_dtype_is_that_of_amplitudes_and_vectors(backend, amplitudes, vectors, expected):
    # whatever else is double precision is used as such
    z, interfaces, kz = np.array([1e4 + 1e-3]), np.array([1e4]), np.array([1, 1e3])
    field = hl.layered_field(
        z, interfaces, kz, np.ones((2, 2), amplitudes), np.ones((2, 2, 3), vectors),
        x=np.array([1e4]), kx=1.0, backward_reference="far", backend=backend,
    )  # fmt: skip
    assert field.dtype == expected
    exact = 2 * np.cos(1e3 * (z - 1e4)) * np.exp(1e4j)
    np.testing.assert_allclose(field[0, 0], np.repeat(exact, 3), rtol=2 * np.finfo(expected).eps)


# --- errors ---------------------------------------------------------------------------------


GOOD = {
    "z": np.linspace(0, 1, 4),
    "interfaces": [0.2, 0.7],
    "kz": [1, 2, 3],
    "amplitudes": np.ones((3, 2)),
    "vectors": np.ones((3, 2, 3)),
    "backward_reference": "near",
}


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"backward_reference": "tmm"}, ValueError, r"'near', 'far', got 'tmm'.*wrong field"),
        ({"x": [1]}, ValueError, "x and kx must come together, got x without kx"),
        ({"kx": 1}, ValueError, "x and kx must come together, got kx without x"),
        ({"z": np.ones((2, 2))}, ValueError, r"z must have 1 dim.* or be a num.*shape \(2, 2\)"),
        ({"x": np.ones((2, 2)), "kx": 1}, ValueError, r"x must have 1 dimension or be a number"),
        ({"z": [1j]}, TypeError, "z must be real.*complex128"),
        ({"x": [1j], "kx": 1}, TypeError, "x must be real.*complex128"),
        ({"interfaces": [0, 1j]}, TypeError, "interfaces must be real.*complex128"),
        ({"kz": ["a", "b", "c"]}, TypeError, "kz must be complex or real"),
        (
            {"amplitudes": [["a", None]] * 3},
            TypeError,
            "amplitudes must be complex or real.*'a' at",
        ),
        ({"vectors": np.ones((3, 2, 3), np.float16)}, TypeError, "vectors must be.*float16"),
        ({"interfaces": 0.5}, ValueError, "interfaces must have at least 1 dim.*got a scalar"),
        ({"interfaces": [0.7, 0.2]}, ValueError, "interfaces must ascend.*got 0.7 and then 0.2"),
        (
            {"interfaces": [0.2, np.inf]},
            ValueError,
            "interfaces must be finite, got inf.*unbou",
        ),
        ({"interfaces": [np.nan, 0.2]}, ValueError, "interfaces must be finite, got nan"),
        (
            {"interfaces": [0, 1, 2]},
            ValueError,
            r"kz must have shape \(..., 4\) for 4 med.*\(3,\)",
        ),
        ({"kz": [1, 2]}, ValueError, r"kz must have shape \(..., 3\) for 3 media.*\(2,\)"),
        ({"kz": 1}, ValueError, r"kz must have shape \(..., 3\).*got shape \(\)"),
        ({"amplitudes": np.ones((2, 3))}, ValueError, r"amplitudes must have shape \(..., 3, 2\)"),
        ({"amplitudes": np.ones(2)}, ValueError, r"amplitudes must have shape \(..., 3, 2\)"),
        ({"vectors": np.ones((3, 2))}, ValueError, r"vectors must have shape \(..., 3, 2, 3\)"),
        ({"vectors": np.ones((3, 3))}, ValueError, r"vectors must have shape \(..., 3, 2, 3\)"),
        (
            {"kz": np.ones((4, 3)), "amplitudes": np.ones((5, 3, 2))},
            ValueError,
            r"leading axes must broadcast, got.*kz \(4,\), amplitudes \(5,\)",
        ),
        ({"kz": np.ones((4, 3)), "x": [1], "kx": [1, 2]}, ValueError, r"broadcast.*kx \(2,\)"),
        ({"backend": "cuda"}, ValueError, "backend must be one of"),
        ({"workers": 0}, ValueError, "workers must be at least 1"),
    ],
)
def test_errors(change, error, match):
    out = np.full((4, 3), 7.0 + 0j)
    with pytest.raises(error, match=match):
        hl.layered_field(**GOOD | {"out": out} | change)
    np.testing.assert_array_equal(out, 7)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"what": "power"}, ValueError, "what must be one of 'field', 'intensity', got 'power'"),
        ({"grid": False}, ValueError, "grid=False takes points: x in the shape of z.*got no x"),
        (
            {"grid": False, "x": [1, 2], "kx": 1},
            ValueError,
            r"z and x must have one shape, got \(4,\) and \(2,\)",
        ),
        ({"grid": False, "x": np.ones(4)}, ValueError, "x and kx must come together"),
        ({"incoherent_weights": [1]}, ValueError, 'incoherent_weights needs what="intensity"'),
        (
            {"incoherent_weights": [1j], "what": "intensity"},
            TypeError,
            "incoherent_weights must be real",
        ),
        (
            {"incoherent_weights": 1, "what": "intensity"},
            ValueError,
            "incoherent_weights must have at least 1 dimension, got a scalar",
        ),
        ({"coherent_weights": 1}, ValueError, "coherent_weights must have at least 1 dim"),
        ({"coherent_weights": ["a"]}, TypeError, "coherent_weights must be complex or real"),
        (
            {"coherent_weights": [1, 2], "kz": np.ones((3, 3))},
            ValueError,
            r"leading axes must broadcast, got kz \(3,\), coherent_weights \(2,\)$",
        ),
    ],
)
def test_errors_of_points_and_sums(change, error, match):
    with pytest.raises(error, match=match):
        hl.layered_field(**GOOD | change)


def test_the_reference_of_the_backward_wave_is_required():
    without = {name: value for name, value in GOOD.items() if name != "backward_reference"}
    with pytest.raises(TypeError, match="backward_reference"):
        hl.layered_field(**without)


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty((4, 3)), ValueError),
        (np.empty((3, 4), complex), ValueError),
        (np.empty((4, 1, 3), complex), ValueError),
        (np.empty((4, 3), np.complex64), ValueError),
        (np.empty((4, 3), complex, order="F"), ValueError),
        (np.empty((4, 6), complex)[:, ::2], ValueError),
        ([[0j] * 3] * 4, TypeError),
    ],
)
def test_unfit_out(out, error):
    with pytest.raises(error, match=r"out must be .*\(4, 3\) and dtype complex128, got"):
        hl.layered_field(**GOOD, out=out)


def test_out_that_is_an_input():
    memory = np.zeros(200, complex)
    with pytest.raises(ValueError, match="out must not share memory with vectors"):
        hl.layered_field(
            **GOOD | {"vectors": memory[10:28].reshape(3, 2, 3)}, out=memory[:12].reshape(4, 3)
        )
    with pytest.raises(ValueError, match="out must not share memory with z"):
        hl.layered_field(**GOOD | {"z": memory.real[:4]}, out=memory[:12].reshape(4, 3))
