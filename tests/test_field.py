"""The field of waves in a stack: the definition, its digits, and its edges."""

import itertools

import mpmath
import numpy as np
import pytest
from field_oracles import (
    DTYPES,
    REFERENCES,
    largest_error,
    layer,
    normal,
    stack,
    wave_by_wave,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl

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


# --- sines and exponentials -----------------------------------------------------------------


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


@pytest.mark.parametrize("n", [7, 600])
@pytest.mark.parametrize("what", ["field", "intensity"])
def test_points_in_any_order(backend, n, what):
    rng = np.random.default_rng(15)
    waves = stack(16, n)
    z = np.sort(rng.uniform(-1, waves["interfaces"][-1] + 1, 1300))
    z[-1], x = np.nan, rng.uniform(-2, 2, 1300)
    keywords = {"kx": 0.7, "grid": False, "what": what, "backward_reference": "far"}
    keywords |= {"backend": backend, **waves}
    expected = hl.layered_field(z, x=[0.0], **keywords | {"grid": True})[:, 0]
    if what == "field":
        expected = expected * np.exp(0.7j * x)[:, None]
    allowed = {"rtol": 0, "atol": 3e-15 * np.nanmax(np.abs(expected))}
    for order in (np.arange(1300), rng.permutation(1300)):
        result = hl.layered_field(z[order], x=x[order], **keywords)
        np.testing.assert_allclose(result, expected[order], **allowed)


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
