"""What `layered_field` takes, refuses and returns."""

import numpy as np
import pytest
from field_oracles import stack

import hotloops as hl


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
