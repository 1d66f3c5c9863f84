"""Fields at points, intensities, and coherent and incoherent sums."""

import numpy as np
import pytest
from field_oracles import (
    DTYPES,
    REFERENCES,
    largest_error,
    normal,
    squares,
    stack,
    wave_by_wave,
    waves_of,
)

import hotloops as hl
from hotloops._run import tiles


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
    ("waves", "planes", "columns"),
    [(129, 3, 2), (257, 3, 2), (300, 1, 1), (2, 300, 5), (3, 7, 1100)],
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
