"""What `solve_stack` and the methods of its solution take, refuse and keep."""

import doctest
import pickle
import types

import numpy as np
import pytest
from optics_oracles import solve, spectrum

import hotloops as hl

# --- many stacks ----------------------------------------------------------------------------


ATTRIBUTES = ("r", "t", "R", "T", "A", "power_entering", "kx", "kz", "amplitudes",
              "layer_absorption")  # fmt: skip


def test_leading_axes(backend):
    n, d, wavelength, theta = spectrum()
    film = solve(n[:, None, :], d, wavelength[:, None], theta, pol="both", backend=backend)
    shapes = {"kx": (6, 7), "kz": (6, 7, 6), "amplitudes": (2, 6, 7, 6, 2)}
    shapes |= {"layer_absorption": (2, 6, 7, 4), "vectors": (2, 6, 7, 6, 2, 3), "interfaces": (5,)}
    for name in (*ATTRIBUTES, "vectors", "interfaces"):
        assert getattr(film, name).shape == shapes.get(name, (2, 6, 7)), name
    z = np.linspace(-0.1, 0.9, 13)
    methods = ("field", "magnetic_field", "intensity", "poynting", "absorption")
    maps = {name: getattr(film, name)(z) for name in methods}
    for p, w, a in np.ndindex(2, 6, 7):
        one = solve(n[w], d, wavelength[w], theta[a], pol="sp"[p], backend=backend)
        for name in ATTRIBUTES:
            found = getattr(film, name)
            found = found[w, a] if name in ("kx", "kz") else found[p, w, a]
            np.testing.assert_allclose(found, getattr(one, name), rtol=1e-12, atol=1e-15)
        for name in methods:
            np.testing.assert_allclose(maps[name][p, w, a], getattr(one, name)(z), atol=1e-12)


def test_thicknesses_broadcast(backend):
    d = np.array([[[0.1, 0.2]], [[0.3, 0.4]]])
    film = solve([1, 1.5, 2, 1], d, [0.5, 0.6, 0.7], 0.3, pol="s", backend=backend)
    assert film.R.shape == (2, 3)
    assert film.interfaces.shape == (2, 1, 3)
    one = solve([1, 1.5, 2, 1], d[1, 0], 0.6, 0.3, pol="s", backend=backend)
    np.testing.assert_allclose(film.R[1, 1], one.R, rtol=1e-14)
    z = np.linspace(0, 1, 9)
    np.testing.assert_allclose(film.field(z)[1, 1], one.field(z), atol=1e-14)
    np.testing.assert_allclose(film.layer_absorption[1, 1], one.layer_absorption, atol=1e-14)


def test_more_stacks_than_a_group_and_a_block_hold(backend):
    wavelength = np.linspace(0.4, 0.8, 5000)
    n, d = [1, 2 + 0.1j, 1.5], [0.3]
    film = solve(n, d, wavelength, 0.4, pol="both", backend=backend)
    for part in (slice(0, 1), slice(31, 33), slice(4990, None)):
        few = solve(n, d, wavelength[part], 0.4, pol="both", backend=backend)
        np.testing.assert_allclose(film.r[:, part], few.r, rtol=1e-13)
        np.testing.assert_allclose(film.amplitudes[:, part], few.amplitudes, rtol=1e-12, atol=1e-15)


def test_any_number_of_workers(backend, monkeypatch):
    from hotloops._run import tiles

    monkeypatch.setattr(tiles, "_SHORT", 1e3)
    monkeypatch.setattr(tiles, "_LONG", 4e3)
    n, d, wavelength, theta = spectrum(9)
    z, weights = np.linspace(-0.1, 0.9, 50), np.linspace(0, 1, 7)
    results = []
    for workers in (1, 2, 3, -1):
        film = solve(n[:, None], d, wavelength[:, None], theta, pol="both", backend=backend,
                     workers=workers)  # fmt: skip
        sums = film.absorption(z, incoherent_weights=weights), film.absorption(z)
        results.append([getattr(film, name).tobytes() for name in ATTRIBUTES])
        results[-1] += [array.tobytes() for array in sums]
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("asked", [False, True])
def test_a_solution_travels(backend, asked):
    n, d, wavelength, theta = spectrum()
    stack = n[:, None], d, wavelength[:, None], theta
    with hl.set_backend("numpy" if asked else backend), hl.set_workers(1):
        film = solve(*stack, pol="both", backend=backend if asked else None)
    z, weights = np.linspace(-0.1, 0.9, 5), np.linspace(0, 1, 7)

    def everything(film):
        found = [getattr(film, name) for name in (*ATTRIBUTES, "interfaces", "vectors")]
        found += [film.field(z), film.poynting(z), film.absorption(z, incoherent_weights=weights)]
        return [array.tobytes() for array in found]

    # whatever is set where it arrives, its blocks are those of its own backend
    with hl.set_backend("numba" if backend == "numpy" else "numpy"):
        arrived = pickle.loads(pickle.dumps(film))
        assert repr(arrived) == repr(film)
        assert everything(arrived) == everything(solve(*stack, pol="both", backend=backend))
        assert everything(arrived) == everything(pickle.loads(pickle.dumps(film)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_all_is_in_double_precision(backend, dtype):
    n, d, wavelength = np.array([1, 2, 3], dtype), np.array([3], dtype), np.array(8, dtype)
    film = solve(n, d, wavelength, np.float32(np.pi / 2), pol="s", backend=backend)
    assert film.r.dtype == film.amplitudes.dtype == np.complex128
    assert film.R.dtype == np.float64
    film = solve(n, d, wavelength, dtype(1), pol="s", backend=backend)
    assert film.r == solve([1, 2, 3], [3], 8, 1, pol="s", backend=backend).r


def test_no_stacks(backend):
    film = solve(np.ones((0, 3)), [1], 1, pol="both", backend=backend)
    assert film.R.shape == film.A.shape == (2, 0)
    assert film.amplitudes.shape == (2, 0, 3, 2)
    assert film.layer_absorption.shape == (2, 0, 1)
    assert film.field([1.0, 2.0]).shape == (2, 0, 2, 3)
    assert film.poynting([1.0, 2.0]).shape == (2, 0, 2)
    weighted = film.poynting([1.0, 2.0], incoherent_weights=np.ones(0))
    np.testing.assert_array_equal(weighted, np.zeros((2, 2)))
    one = solve(np.ones((1, 3)), [1], 1, pol="both", backend=backend)
    assert one.poynting([]).shape == (2, 1, 0)
    assert one.intensity([1.0], []).shape == (2, 1, 1, 0)


def test_nan_stays_in_its_stack(backend):
    n = np.array([[1, 2, 3], [1, np.nan, 3], [1, 2, 3]])
    film = solve(n, [0.1], 0.5, 0.3, pol="both", backend=backend)
    np.testing.assert_array_equal(np.isnan(film.R), [[False, True, False]] * 2)
    assert film.R[0, 0] == film.R[0, 2]


def test_inputs_are_left_alone(backend):
    n, d = np.array([1, 2 + 0.1j, 3]), np.array([np.inf, 0.1, np.inf])
    theta, kept = np.array([0.1, 0.2]), []
    arrays = n, d, theta
    kept = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    film = solve(n, d, 0.5, theta, pol="both", backend=backend)
    assert film.field([0.0]).shape == (2, 2, 1, 3)
    for array, copy in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- tmm's users ----------------------------------------------------------------------------


def coh_tmm_data(pol, n_list, d_list, th_0, lam_vac):
    """What coh_tmm returns, as far as it matters."""
    data = {"pol": pol, "n_list": np.array(n_list), "d_list": np.array(d_list, float)}
    return data | {"th_0": th_0, "lam_vac": lam_vac, "r": 0, "t": 0, "vw_list": None}


def test_from_tmm(backend):
    n, d = [1, 2 + 4j, 3 + 0.3j, 1 + 0.1j], [np.inf, 2, 3, np.inf]
    film = hl.optics.from_tmm(coh_tmm_data("p", n, d, 0.1, 100), backend=backend)
    np.testing.assert_allclose([film.R, film.T], [0.37016110373044969, 0.22824374314132009])
    # with an absorbing first medium tmm has a complex angle, with which n sin(theta) is real
    n[0], theta = 1.5 + 0.2j, np.arcsin(0.4 / (1.5 + 0.2j))
    film = hl.optics.from_tmm(coh_tmm_data("s", n, d, theta, 100), backend=backend)
    expected = solve(n, d, 100, kx=2 * np.pi / 100 * 0.4, pol="s", backend=backend)
    np.testing.assert_allclose(film.r, expected.r, rtol=1e-14)
    # behind which the last one is clear: rounding must not turn its wave round
    n[-1] = 1
    for sine in (0.123, 0.3, 0.4, 0.77, 0.9):
        theta = np.arcsin(sine / n[0])
        film = hl.optics.from_tmm(coh_tmm_data("s", n, d, theta, 100), backend=backend)
        expected = solve(n, d, 100, kx=2 * np.pi / 100 * sine, pol="s", backend=backend)
        np.testing.assert_allclose(film.r, expected.r, rtol=1e-14)
    n[0] = 1.5
    film = hl.optics.from_tmm(coh_tmm_data("s", n, d, 0.1 + 0j, 100), backend=backend)
    assert film.r == solve(n, d, 100, 0.1, pol="s", backend=backend).r


def test_from_any_mapping():
    data = coh_tmm_data("p", [1, 2 + 4j, 1], [np.inf, 2, np.inf], 0.1, 100)
    assert hl.optics.from_tmm(types.MappingProxyType(data)).r == hl.optics.from_tmm(data).r


def test_from_what_is_not_of_tmm():
    with pytest.raises(TypeError, match=r"coh_tmm_data must be the dictionary.*got \['R'\]"):
        hl.optics.from_tmm({"R": 1})
    with pytest.raises(TypeError, match=r"coh_tmm_data must be the dictionary.*got 3"):
        hl.optics.from_tmm(3)


# --- errors ---------------------------------------------------------------------------------


GOOD = {"n": [1, 1.5, 2, 1], "d": [1, 2], "wavelength": 3, "pol": "s"}


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"theta": 45}, ValueError, r"theta must be in radians.*got 45.0: np.deg2rad"),
        ({"theta": [0.1, -1.6]}, ValueError, r"theta must be in radians.*got -1.6"),
        ({"theta": np.nan}, ValueError, "theta must be in radians.*got nan"),
        ({"theta": 0.1j}, TypeError, r"theta must be real.*by kx=2 \* np.pi / wavelength"),
        ({"theta": [0.1 + 0j]}, TypeError, "theta must be real"),
        ({"theta": 0.1, "kx": 1}, ValueError, "kx must come without theta"),
        ({"theta": [0.0], "kx": 1}, ValueError, "kx must come without theta"),
        ({"kx": "1"}, TypeError, "kx must be complex or real"),
        ({"d": [0, 1, 2, 0]}, ValueError, r"d must be inf at both ends.*got 0.0"),
        ({"d": [np.inf, 1, 2, 5]}, ValueError, r"d must be inf at both ends.*got 5.0"),
        ({"d": [1, 2, 3]}, ValueError, r"d must have shape \(..., 2\).*4 media, or \(..., 4\)"),
        ({"d": 1}, ValueError, r"d must have shape.*got shape \(\)"),
        ({"d": [1, -2]}, ValueError, r"d must be finite and >= 0.*got -2.0"),
        ({"d": [1, np.nan]}, ValueError, r"d must be finite and >= 0.*got nan"),
        ({"d": [np.inf, np.inf, 1, np.inf]}, ValueError, r"d must be finite and >= 0.*got inf"),
        ({"d": [1j, 2]}, TypeError, "d must be real"),
        ({"n": [1]}, ValueError, r"n must have .* with N >= 2 media, got shape \(1,\)"),
        ({"n": 1}, ValueError, r"n must have shape.*got shape \(\)"),
        ({"n": [1, 0, 2, 1]}, ValueError, r"n must be from 1e-50 to 1e\+50 in size, got 0"),
        ({"n": [1, 1e77j, 2, 1]}, ValueError, r"n must be from.*got 1e\+77j"),
        ({"n": [np.inf, 1, 2, 1]}, ValueError, r"n must be from.*got \(inf"),
        ({"kx": [1.0, 1e51]}, ValueError, r"kx must be at most 1e\+50 times.*got 1e\+51"),
        (
            {"kx": 1e51, "wavelength": np.float32(1)},
            ValueError,
            r"kx must be at most 1e\+50 times.*got 1e\+51",
        ),
        ({"wavelength": 1e-308}, ValueError, "wavelength must be at least 4e-308, .*got 1e-308"),
        ({"d": [1, 1e201], "wavelength": 1}, ValueError, r"d must be at most 1e\+200 wavelengths"),
        (
            {"n": np.ones((5, 4)), "wavelength": np.ones((5, 1)), "theta": [0.1, 0.2]},
            ValueError,
            r"must broadcast, got n \(5,\).*pass n\[:, None, :\]: its last axis is the media",
        ),
        (
            {"n": np.ones((4, 5))},
            ValueError,
            r"d must have shape \(..., 3\).*last axis of n must be.*np.moveaxis\(n, 0, -1\)",
        ),
        (
            {"d": np.ones((2, 5))},
            ValueError,
            r"d must have shape.*last axis of d must be the layers: np.moveaxis\(d, 0, -1\)",
        ),
        ({"n": [1 - 1j, 1, 2, 1]}, ValueError, r"n must have k >= 0 in the first.*conjugates"),
        ({"n": [1, 1, 2, 1 - 1e-9j]}, ValueError, r"n must have k >= 0 in the last.*\(1-1e-09j"),
        ({"n": [-1 + 1j, 1, 2, 1]}, ValueError, "n must not be negative in the first.*n² has gain"),
        ({"n": [1, 1, 2, -1 + 1j]}, ValueError, "n must not be negative in the last.*n² has gain"),
        ({"n": ["1"]}, TypeError, "n must be complex or real"),
        ({"wavelength": 0}, ValueError, "wavelength must be positive and finite, got 0.0"),
        ({"wavelength": [1, np.inf]}, ValueError, "wavelength must be positive.*got inf"),
        ({"wavelength": 1j}, TypeError, "wavelength must be real"),
        (
            {"wavelength": [1, 2], "theta": [0.1] * 3},
            ValueError,
            r"must broadcast, got n \(\), d \(\), wavelength \(2,\), theta \(3,\)",
        ),
        (
            {"pol": "TE"},
            ValueError,
            "pol must be one of 's', 'p', 'both', got 'TE': \"s\" is TE and \"p\" is TM",
        ),
        ({"pol": "unpolarized"}, ValueError, 'unpolarised light is the mean.*"both"'),
        ({"pol": None}, ValueError, "pol must be one of"),
        ({"backend": "cuda"}, ValueError, "backend must be one of"),
        ({"workers": 0}, ValueError, "workers must be at least 1"),
    ],
)
def test_errors(change, error, match):
    with pytest.raises(error, match=match):
        solve(**GOOD | change)


def test_what_the_hints_advise(backend):
    n, wavelength, theta = spectrum()[0], spectrum()[2][:, None], [0.1, 0.2]
    d = np.ones(4)
    expected = solve(n[:, None, :], d, wavelength, theta, pol="both", backend=backend)
    with pytest.raises(ValueError, match="pass n"):
        solve(n, d, wavelength, theta, pol="both", backend=backend)
    turned = np.moveaxis(n.T[:, :3], 0, -1)[:, None]
    found = solve(turned, d, wavelength[:3], theta, pol="both", backend=backend)
    np.testing.assert_array_equal(found.R, expected.R[:, :3])
    # a complex angle by its kx
    complex_theta = np.arcsin(0.4 / (1.5 + 0.2j))
    media = np.array([1.5 + 0.2j, 2, 1])
    kx = 2 * np.pi / 0.5 * media[..., 0] * np.sin(complex_theta)
    found = solve(media, [0.1], 0.5, kx=kx, pol="s", backend=backend)
    same = solve(media, [0.1], 0.5, kx=2 * np.pi / 0.5 * 0.4, pol="s", backend=backend)
    np.testing.assert_allclose(found.r, same.r, rtol=1e-14)


def test_gain_is_not_silent():
    for n in (2 - 0.1j, -2 + 0.1j):
        with pytest.warns(RuntimeWarning, match=r"n has gain in a layer, got .*2.*conjugates"):
            solve([1, n, 1], [0.3], 0.5, pol="s")


def test_repr():
    one = repr(solve([1, 2 + 0.1j, 1.5], [200], 500, pol="s"))
    assert one.startswith('StackSolution: 3 media, pol="s", stacks of shape ()')
    assert "R = 0.157" in one
    many = repr(solve([1, 2, 1], [0.1], 1, np.linspace(0, 1, 5), pol="both"))
    assert 'pol="both", stacks of shape (2, 5)' in many
    assert " … " in many
    assert "nan" in repr(solve([1, 2, 1], [0.1], 1, kx=[9.0] * 3, pol="p"))
    assert "shape (0,)" in repr(solve(np.ones((0, 3)), [1], 1, pol="p"))


def test_the_polarisation_is_required():
    with pytest.raises(TypeError, match="pol"):
        solve([1, 2], [], 1)


def test_errors_of_methods():
    one, many = solve(**GOOD), solve(**GOOD | {"theta": [0.1, 0.2, 0.3]})
    with pytest.raises(ValueError, match="incoherent_weights needs an axis of stacks"):
        one.absorption([1.0], incoherent_weights=[1.0])
    for weights in (1.0, [1.0, 2.0], np.ones((3, 2))):
        with pytest.raises(ValueError, match=r"incoherent_weights must have shape \(..., 3\)"):
            many.absorption([1.0], incoherent_weights=weights)
    with pytest.raises(TypeError, match="incoherent_weights must be real"):
        many.absorption([1.0], incoherent_weights=[1j] * 3)
    for method in (one.field, one.magnetic_field, one.intensity, one.poynting, one.absorption):
        with pytest.raises(ValueError, match=r"z must have 1 dimension or be.*shape \(1, 1\)"):
            method([[1.0]])
    with pytest.raises(TypeError, match="x must be real"):
        one.intensity([1.0], [1j])


@pytest.mark.parametrize("name", hl.optics.__all__)
def test_examples(name):
    tests = doctest.DocTestFinder().find(getattr(hl.optics, name), name)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
