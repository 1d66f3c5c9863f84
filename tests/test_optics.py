"""Amplitudes, powers and absorption of stacks, against the truth."""

import functools
import itertools
import math

import mpmath
import numpy as np
import pytest
from optics_oracles import POLS, Oracle, as_exact, compare, random_stack, solve

CASES = [(seed, seed % 8, pol) for seed in range(24) for pol in "sp"]
CASES += [(seed, layers, pol) for seed, layers in ((100, 25), (101, 60)) for pol in "sp"]


@functools.cache
def truth(seed, layers, pol):
    """A random stack, its oracle, and planes with the oracle's fields there."""
    stack = random_stack(seed, layers)
    oracle = Oracle(*stack, pol)
    rng = np.random.default_rng(seed)
    edges = [float(edge) for edge in oracle.edges]
    ends = [edges[0] - 0.7, *edges, edges[-1] + 0.7]
    z = np.concatenate([
        np.clip(rng.uniform(a, b, 5), a, np.nextafter(b, a)) if b - a > 1e-6 else np.empty(0)
        for a, b in itertools.pairwise(ends)
    ])  # fmt: skip
    return stack, oracle, z, [oracle.at(depth) for depth in z]


@pytest.mark.filterwarnings("ignore:n has gain")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_oracle(backend, case):
    (n, d, wavelength, theta), oracle, z, expected = truth(*case)
    solution = solve(n, d, wavelength, theta, pol=case[2], backend=backend)
    assert abs(solution.r - oracle.r) < 1e-13 * max(1, abs(oracle.r))
    assert abs(solution.t - oracle.t) <= 1e-12 * abs(oracle.t) + 1e-300
    found = solution.R, solution.T, solution.power_entering
    for value, exact in zip(found, oracle.powers(), strict=True):
        assert abs(value - exact) < 1e-13 * max(1, abs(oracle.r) ** 2)
    field = solution.field(z)
    largest = {}
    for j, E, _ in expected:
        largest[j] = max(largest.get(j, 0), *map(abs, E))
    for row, (j, E, waves) in zip(field, expected, strict=True):
        for value, exact in zip(row, E, strict=True):
            error = abs(as_exact(value) - exact)
            assert error <= 1e-12 * largest[j] + 1e-300
            assert error <= 1e-9 * waves + 1e-300


@pytest.mark.parametrize("size", [math.pi / 2, 0.75, 1e-3])
def test_sines_in_twice_as_many_digits(backend, size):
    from hotloops._run import resolve

    rng = np.random.default_rng(20)
    near = math.pi / 2 - 10.0 ** rng.uniform(-17, -1, 50)
    ends = [0, math.pi / 4, np.nextafter(math.pi / 4, 1), math.pi / 2, np.float32(math.pi / 2)]
    theta = np.concatenate([rng.uniform(-size, size, 200), near, ends])
    # n = 1, so that kx / k0 is the sine
    count = len(theta)
    arguments = {
        "rows": np.zeros((count, 2), np.intp), "n": np.ones((1, 2), complex),
        "wavelength": np.ones(count), "theta": theta, "kx": np.empty(0, complex),
    }  # fmt: skip
    incidence = np.empty((count, 5))
    resolve(backend, "optics").load("optics").incidence(0, count, *arguments.values(), incidence)
    assert not incidence[:, [2, 4]].any()
    sine, low = incidence[:, 1], incidence[:, 3]
    with mpmath.workdps(60):
        for angle, number, rest in zip(theta, sine, low, strict=True):
            exact = mpmath.sin(mpmath.mpf(float(angle)))
            assert abs(exact - mpmath.mpf(number)) <= np.spacing(abs(number))
            assert abs(exact - mpmath.mpf(number) - mpmath.mpf(rest)) <= 1e-31 * abs(exact)
            if number == 1:  # grazing: cos² = -2 rest
                assert abs(exact - 1 - mpmath.mpf(rest)) <= 1e-15 * abs(rest)


@pytest.mark.parametrize(
    ("pol", "r", "t", "R", "T"),
    [
        ("s", -0.60331226568845775 - 0.093522181653632019j,
         0.44429533471192989 + 0.16921936169383078j, 0.37273208839139516, 0.22604491247079261),
        ("p", 0.60102654255772481 + 0.094489146845323682j,
         0.4461816467503148 + 0.17061408427088917j, 0.37016110373044969, 0.22824374314132009),
    ],
)  # fmt: skip
@pytest.mark.parametrize("d", [[2, 3], [np.inf, 2, 3, np.inf]])
def test_values_from_mathematica(backend, pol, r, t, R, T, d):
    # in the tests of tmm 0.2
    found = solve([1, 2 + 4j, 3 + 0.3j, 1 + 0.1j], d, 100, 0.1, pol=pol, backend=backend)
    np.testing.assert_allclose([found.r, found.t], [r, t], rtol=0, atol=1e-15)
    np.testing.assert_allclose([found.R, found.T], [R, T], rtol=0, atol=2e-15)


def test_values_of_tmm_at_a_depth(backend):
    film = solve([1, 2.2 + 0.2j, 3.3 + 0.3j, 1], [100, 300], 400, np.pi / 4, pol="both",
                 backend=backend)  # fmt: skip
    s = [0, 0.15461823546068888 + 0.42761494484243927j, 0]
    p = [0.15591534070574697 + 0.46480451476668496j, 0, -0.087895250702909169 - 0.1208371763840378j]
    np.testing.assert_allclose(film.field([37])[:, 0], [s, p], rtol=0, atol=1e-15)
    expected = [[0.5422594735025152], [0.7094950598055798]]
    np.testing.assert_allclose(film.poynting([37]), expected, rtol=0, atol=2e-15)
    expected = [[0.004041912286816303], [0.005135049118053356]]
    np.testing.assert_allclose(film.absorption([37]), expected, rtol=1e-14)


def test_plasmon(backend):
    angles = np.deg2rad([45, 43])
    film = solve([1.517, 3.719 + 4.362j, 0.130 + 3.162j, 1], [5, 30], 633, angles, pol="p",
                 backend=backend)  # fmt: skip
    expected = [0.014346317543765442, 0.84617709818125144]
    np.testing.assert_allclose(film.R, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pol", ["s", "p"])
def test_quarter_wave_mirror(backend, pol):
    high, low = 2.3, 1.46
    n = [1, *[high, low] * 5, 1.52]
    mirror = solve(n, [0.25 / m for m in n[1:-1]], 1, pol=pol, backend=backend)
    np.testing.assert_allclose(mirror.R, 0.972431237941331476, rtol=1e-15)
    np.testing.assert_allclose(mirror.T, 1 - 0.972431237941331476, rtol=1e-13)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_no_layer(backend, pol):
    for theta in (0, 0.7, -1.5):
        compare(([1, 1.5], [], 1, theta), pol, backend)
        compare(([1.5, 1], [], 1, theta), pol, backend)
        compare(([1.5 + 0.1j, 0.2 + 3j], [], 1, theta), pol, backend)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_grazing_incidence(backend, pol):
    for sign in (-1, 1):
        film = solve([1, 1.5 + 0.1j, 2], [0.3], 1, sign * np.pi / 2, pol=pol, backend=backend)
        np.testing.assert_allclose(film.r, -1, rtol=0, atol=1e-14)
        assert 0 < film.T < 1e-15
        nothing = solve([1, 1, 1], [0.3], 1, sign * np.pi / 2, pol=pol, backend=backend)
        assert nothing.r == 0
        np.testing.assert_allclose(nothing.t, 1, rtol=1e-15)
        # mirrors for X rays, a milliradian above the surface
        for cosine in (1e-3, 3e-3):
            n = [1, 1 - 1e-5 + 1e-7j, 1 - 3e-6 + 1e-9j, 1 - 1e-5 + 1e-7j]
            theta = sign * np.arccos(cosine)
            compare((n, [20, 30], 1, theta), pol, backend, 1e-11, planes=[-10, 5, 25, 60])
        # where s d is left of terms 1e10 times as large, unless they are chosen well
        n = [1e-3 + 1e-3j, 50 + 80j, 1.5]
        compare((n, [0.001], 1, sign * (np.pi / 2 - 1e-6)), pol, backend, 1e-12)


@functools.cache
def critical(pol):
    """Interfaces (n, how) at and beside their critical angle, with r, t, R and T."""
    rng = np.random.default_rng(21)
    first = np.array([1.5, *rng.uniform(1, 4, 159)])
    last = np.array([1, *first[1:] * rng.uniform(0.1, 0.999, 159)])
    theta = np.arcsin(last / first)
    theta[1:40] += rng.choice([0, 1e-16, -1e-16, -1e-15, 1e-12, -1e-9], 39)
    theta[40:] *= rng.choice([-1, 1], 120)
    theta[40:] += rng.integers(-2, 3, 120) * np.spacing(theta[40:])
    n = np.stack([first, last], axis=1)
    cases = []
    for name, along in (("theta", theta), ("kx", 2 * np.pi / 0.7 * first * np.sin(theta))):
        solved = [
            Oracle(media, [], 0.7, pol=pol, **{name: float(x)})
            for media, x in zip(n, along, strict=True)
        ]
        cases.append((n, {name: along}, [(o.r, o.t, *o.powers()[:2]) for o in solved]))
    return cases


@POLS
def test_critical_angle_of_the_last_medium(backend, pol):
    # kz is the root of what rounding leaves of kz²: r and T are those of the angle as given
    for n, how, truths in critical(pol):
        film = solve(n, [], 0.7, pol=pol, backend=backend, **how)
        assert 60 < np.count_nonzero(film.T) < 120
        for r, t, R, T, exact_ones in zip(film.r, film.t, film.R, film.T, truths, strict=True):
            assert abs(as_exact(r) - exact_ones[0]) < 6e-16
            assert abs(as_exact(t) - exact_ones[1]) < 8e-16 * abs(exact_ones[1])
            assert abs(R - exact_ones[2]) < 1e-15
            assert abs(T - exact_ones[3]) <= 1.6e-15 * exact_ones[3]


@POLS
def test_critical_angle(backend, pol):
    # of a layer, of the last medium, and of both: kz = 0 there, exactly or but for rounding
    k0 = 2 * np.pi
    for n in ([2, 1.5, 1], [2, 1.5, 3], [2, 1.5], [2, 1, 1.5], [2, 3, 1.5, 1.5, 1 + 1j]):
        d = [0.3, 0.8, 0.4][: len(n) - 2]
        planes = np.linspace(-0.5, 1.75, 9)
        for how in ({"theta": np.arcsin(1.5 / 2)}, {"kx": 1.5 * k0}):
            film = solve(n, d, 1, pol=pol, backend=backend, **how)
            oracle = Oracle(n, d, 1, pol=pol, **how)
            tolerance = 1e-10 if 1.5 in n[1:-1] else 1e-14
            assert abs(film.r - oracle.r) < tolerance
            exact = np.array([oracle.at(depth)[1] for depth in planes], complex)
            np.testing.assert_allclose(film.field(planes), exact, rtol=0, atol=20 * tolerance)
            assert np.isfinite(film.amplitudes).all()
            entering = film.R + film.T + film.A
            np.testing.assert_allclose(entering, 1, rtol=1e-12)
    alike = solve([1.5, 1.5], [], 1, kx=1.5 * k0, pol=pol, backend=backend)
    assert alike.r == 0
    np.testing.assert_allclose(alike.t, 1, rtol=1e-15)


@functools.cache
def critical_gaps(count, pol):
    """A stack of gaps at their critical angle, with r and t."""
    stack = [2, *[1.5, 2] * count], [0.05] * (2 * count - 1), 1, np.arcsin(1.5 / 2)
    oracle = Oracle(*stack, pol)
    return stack, oracle.r, oracle.t


@pytest.mark.parametrize("count", [1, 20, 200])
@POLS
def test_many_layers_at_their_critical_angle(backend, pol, count):
    # the error of each adds up
    stack, r, t = critical_gaps(count, pol)
    film = solve(*stack, pol=pol, backend=backend)
    assert abs(as_exact(film.r) - r) < 4e-11 * count
    assert abs(as_exact(film.t) - t) < 4e-11 * count


@POLS
def test_index_near_zero(backend, pol):
    # in p, where a layer's kz² is over n², even a small kz makes a large difference
    d, planes = [0.1], [-0.4, 0.02, 0.07, 0.9]
    for size in (0.3, 0.03, 3e-3):
        kx = 2 * np.pi * size * (1 + 1e-12)
        compare(([1, size, 1.5], d, 1), pol, backend, 1e-10 / size, planes, kx=kx)
    for size in (1e-2, 1e-4, 1e-6):
        n = size * (1 + 1j)
        compare(([1, n, 1.5], d, 1), pol, backend, 1e-15 / size, planes)


@POLS
def test_total_reflection(backend, pol):
    film = solve([1.5, 1.2, 1], [0.4], 1, 1.1, pol=pol, backend=backend)
    np.testing.assert_allclose(film.R, 1, rtol=1e-14)
    assert film.T == 0
    # frustrated, through gaps of which tmm makes NaN of the widest
    for gap in (0.1, 1, 10, 50, 1000):
        solution, _ = compare(([1.5, 1, 1.5], [gap], 1, 1.2), pol, backend, 1e-12)
        np.testing.assert_allclose(solution.R + solution.T, 1, rtol=1e-14)


@POLS
def test_opaque_films(backend, pol):
    silver = 0.13 + 3.16j
    bare = solve([1, silver], [], 633, 0.5, pol=pol, backend=backend)
    for thickness in (1e3, 1e4, 1e6, 1e9, 1e18):
        film = solve([1, silver, 1.5], [thickness], 633, 0.5, pol=pol, backend=backend)
        np.testing.assert_allclose(film.r, bare.r, rtol=1e-14)
        assert film.T < 1e-25 if thickness < 1e5 else film.T == 0
        planes = thickness * np.array([-1e-3, 0, 1e-3, 0.5, 1 - 1e-9, 1, 2])
        assert np.isfinite(film.field(planes)).all()
        np.testing.assert_allclose(film.layer_absorption, [film.A], rtol=1e-13)
    stack = ([1, silver, 1.5, silver, 1.5], [2e3, 500, 3e3], 633, 0.5)
    compare(stack, pol, backend, 1e-11, planes=[-9, 0, 600, 1999, 2300, 2600, 4000, 5000, 7000])


@POLS
def test_a_thousand_layers(backend, pol):
    rng = np.random.default_rng(3)
    n = [1, *rng.uniform(1.3, 2.5, 1000), 1.5]
    clear = solve(n, rng.uniform(0, 0.4, 1000), 1, 0.4, pol=pol, backend=backend)
    np.testing.assert_allclose(clear.R + clear.T, 1, rtol=1e-12)
    n = [1, *rng.uniform(1.3, 2.5, 300) + 0.01j * rng.random(300), 1.5]
    d = rng.uniform(0, 0.4, 300)
    compare((n, d, 1, 0.4), pol, backend, 1e-11, planes=np.linspace(0.01, 60, 7))
    # each within tmm's limit for one layer, together far beyond what a number can hold
    metal = solve([1, *[0.1 + 3j, 0.2 + 3j] * 500, 1], [1.0] * 1000, 1, 0.4, pol=pol,
                  backend=backend)  # fmt: skip
    assert metal.T == 0
    assert np.isfinite(metal.r)
    assert np.isfinite(metal.field(np.linspace(0, 1000, 1001))).all()


@pytest.mark.filterwarnings("ignore:n has gain")
@POLS
def test_gain_inside(backend, pol):
    for n in ([1, 1.5 - 0.01j, 1], [1, 1.5 - 1e-10j, 1.5 - 1e-17j, 1.5], [1, 2, 1.5 - 0.1j, 1.5]):
        d = [1.3, 0.6][: len(n) - 2]
        for theta in (0, 0.5):
            film, _ = compare((n, d, 1, theta), pol, backend, 1e-13, planes=[-0.2, 0.4, 1.5])
            assert film.A < 1e-15
    # total reflection by a medium with gain is amplified
    compare(([2, 1.5, 1 - 0.01j, 1], [0.2, 3], 1, 0.9), pol, backend, planes=[0.1, 0.7, 2.9])


@POLS
def test_real_angle_in_an_absorbing_first_medium(backend, pol):
    # of the field all is right, but R, T and A are no balance: the warning says what is
    n, theta = [3.6 + 0.01j, 1.46, 1], np.deg2rad(17)
    with pytest.warns(RuntimeWarning, match=r"theta in a first medium.*R may exceed 1.*\.real \*"):
        film = solve(n, [200], 850, theta, pol=pol, backend=backend)
    R, T, entering = Oracle(n, [200], 850, theta, pol).powers()
    found, expected = [film.R, film.T, film.A], [R, T, entering - T]
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)
    if pol == "s":
        assert film.R > 1
        assert film.T < 0
    assert film.layer_absorption == 0
    # what the warning advises: a wave of constant strength along the layers
    theta = np.deg2rad(10)
    kx = 2 * np.pi / 850 * n[0].real * np.sin(theta)
    film = solve(n, [200], 850, kx=kx, pol=pol, backend=backend)
    assert film.T > 0.2
    np.testing.assert_allclose(film.power_entering, film.T, rtol=1e-12)
    # and the angle in a transparent medium outside
    outside = np.arcsin(n[0].real * np.sin(theta) / 1.6)
    film = solve([1.6, *n], [500, 200], 850, outside, pol=pol, backend=backend)
    np.testing.assert_allclose(film.kx, kx, rtol=1e-15)
    np.testing.assert_allclose(film.R + film.T + film.layer_absorption.sum(), 1, rtol=1e-14)


OPAQUE, WEAK = 0.13 + 3.16j, 1.5 + 1e-12j
ABSORBERS = [
    ([1, WEAK, 1.5], [0.7], {"theta": 0.3}),
    ([1, 2, WEAK, OPAQUE, 1.5], [0.2, 1, 0.02], {"theta": 0.9}),
    ([1, OPAQUE, 2 + 0.1j, OPAQUE, 1], [1, 0.3, 0.1], {"theta": 0.4}),
    ([2, 1.2 + 1e-9j, 2], [1.0], {"theta": 1.0}),  # evanescent
    ([1, 1.5 - 0.02j, 1], [0.4], {"theta": 0.5}),
    ([1.5 + 0.1j, 2 + 0.1j, 1.4, 1.2], [0.4, 0.2], {"theta": 0.6}),  # kx is complex
    ([1.5, 2 + 0.1j, 1.4, 1.2], [0.4, 0.2], {"kx": 5 + 0.3j}),
    ([1, 2 + 0.1j, 1.4, 1.2], [1e-9, 0], {"theta": 0.6}),
]


@functools.cache
def absorbed(case, pol):
    n, d, how = ABSORBERS[case]
    return Oracle(n, d, 1, pol=pol, **how).absorbed()


@pytest.mark.filterwarnings("ignore:theta in a first medium", "ignore:n has gain")
@pytest.mark.parametrize("case", range(len(ABSORBERS)))
@POLS
def test_layer_absorption_is_the_integral_of_the_field(backend, pol, case):
    n, d, how = ABSORBERS[case]
    film = solve(n, d, 1, pol=pol, backend=backend, **how)
    layers = zip(n[1:-1], film.layer_absorption, absorbed(case, pol), strict=True)
    for index, found, expected in layers:
        assert abs(found - expected) <= 2e-13 * abs(expected)
        assert found == 0 if np.imag(index) == 0 else found != 0 or expected == 0


def test_absorption_of_a_weak_absorber(backend):
    # where the difference of the fluxes has four digits
    film = solve([1, 1.5 + 1e-12j, 1], [1], 1, pol="both", backend=backend)
    expected = float(Oracle([1, 1.5 + 1e-12j, 1], [1], 1).absorbed()[0])
    np.testing.assert_allclose(film.layer_absorption[:, 0], expected, rtol=1e-14)
    assert abs(film.A[0] - expected) < 1e-15


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_lossy_first_medium(backend, pol):
    stack = ([1.5 + 0.1j, 2 + 0.3j, 1.2], [0.4], 1, 0.6)
    film, oracle = compare(stack, pol, backend, planes=[-0.3, 0, 0.2, 0.4, 0.9])
    R, T, entering = map(float, oracle.powers())
    np.testing.assert_allclose(
        [film.R, film.T, film.power_entering, film.A], [R, T, entering, entering - T], rtol=1e-13
    )
    assert abs(film.R + film.T + film.A - 1) > 1e-3  # the incident and the reflected wave mix
    np.testing.assert_allclose(film.poynting([0, 0.4]), [entering, T], rtol=1e-13)
    # the last medium is the one before it
    whole = solve([1.5 + 0.1j, 1.2], [], 1, 0.6, pol=pol, backend=backend)
    cut = solve([1.5 + 0.1j, 1.2, 1.2], [0.7], 1, 0.6, pol=pol, backend=backend)
    np.testing.assert_allclose(cut.r, whole.r, rtol=1e-14)


@pytest.mark.filterwarnings("ignore:theta in a first medium")
@POLS
def test_first_medium_that_absorbs_a_little(backend, pol):
    # all is as without absorption, on either side of the critical angle of the last medium
    for n, d in (([1.5, 1], []), ([1.5, 2 + 0.1j, 1], [0.3]), ([1.5, 0.2 + 3j, 1.2], [0.02])):
        for theta in (-0.4, np.pi / 6, 1.2):
            clear = solve(n, d, 1, theta, pol=pol, backend=backend)
            z = np.linspace(-0.3, 0.9, 7)
            for k in (1e-17, 1e-12, 1e-6, 1e-3):
                film, _ = compare(([n[0] + 1j * k, *n[1:]], d, 1, theta), pol, backend)
                close = {"rtol": 0, "atol": 30 * k + 1e-13}
                for name in ("r", "t", "R", "T", "kz"):
                    expected = getattr(clear, name)
                    np.testing.assert_allclose(getattr(film, name), expected, **close)
                np.testing.assert_allclose(film.field(z), clear.field(z), **close)
    # kx is real but for what rounding leaves
    n, k0 = [1.5 + 0.1j, 2 + 0.1j, 1], 2 * np.pi
    expected = solve(n, [0.3], 1, kx=0.4 * k0, pol=pol, backend=backend)
    assert expected.R < 1
    for rest in (-1e-17j, 1e-17j):
        film = solve(n, [0.3], 1, kx=(0.4 + rest) * k0, pol=pol, backend=backend)
        np.testing.assert_allclose([film.r, film.t], [expected.r, expected.t], rtol=1e-14)


@POLS
def test_kx(backend, pol):
    n, d, k0 = [1.5, 0.13 + 3.16j, 1], [0.05], 2 * np.pi
    theta = np.array([-1.1, 0, 0.7])
    by_angle = solve(n, d, 1, theta, pol=pol, backend=backend)
    by_kx = solve(n, d, 1, kx=k0 * 1.5 * np.sin(theta), pol=pol, backend=backend)
    for name in ("r", "t", "R", "T", "A", "kx", "kz", "amplitudes"):
        expected = getattr(by_angle, name)
        np.testing.assert_allclose(getattr(by_kx, name), expected, rtol=1e-12, atol=1e-14)
    # beyond the light line of the first medium nothing is incident
    film, oracle = compare((n, d, 1), pol, backend, kx=1.7 * k0, planes=[-0.1, 0.02, 0.1])
    np.testing.assert_allclose(film.R, float(abs(oracle.r) ** 2), rtol=1e-13)
    assert np.isnan([film.T, film.A, film.power_entering]).all()
    assert np.isnan(film.poynting([0.0])).all()
    assert np.isnan(film.layer_absorption).all()
    assert np.isfinite(film.intensity([-1, 0.01, 1])).all()
    # on it, but for what rounding of k0 leaves
    film = solve(n, d, 1, kx=1.5 * k0, pol=pol, backend=backend)
    R, T, entering = Oracle(n, d, 1, pol=pol, kx=1.5 * k0).powers()
    expected = np.array([R, T, entering - T], float)
    np.testing.assert_allclose([film.R, film.T, film.A], expected, rtol=1e-12, atol=1e-15)
    assert 0 < 1 - film.R < 1e-8


@POLS
def test_small_reflections_keep_their_digits(backend, pol):
    for n, d in (
        ([1, 1 + 1e-10], []),
        ([1.5, 1.5 + 1e-12j, 1.5], [0.3]),
        ([2, 2 + 1e-9, 2 + 2e-9, 2 + 1e-9], [0.2, 0.15]),
    ):
        _, oracle = compare((n, d, 1, 0.4), pol, backend)
        assert 0 < abs(oracle.r) < 1e-8


def test_empty_layers_change_nothing(backend):
    n, d = [1, 2 + 0.1j, 0.2 + 3j, 1.5], [0.3, 0.02]
    expected = solve(n, d, 1, 0.5, pol="both", backend=backend)
    more = solve([1, 3, 2 + 0.1j, 7j, 1, 0.2 + 3j, 1.5], [0, 0.3, 0, 0, 0.02], 1, 0.5, pol="both",
                 backend=backend)  # fmt: skip
    np.testing.assert_allclose(more.r, expected.r, rtol=1e-14)
    np.testing.assert_allclose(more.t, expected.t, rtol=1e-14)
    z = np.array([-0.1, 0, 0.1, 0.3, 0.31, 0.32, 0.5])
    np.testing.assert_allclose(more.field(z), expected.field(z), rtol=0, atol=1e-13)


def test_signed_zeros(backend):
    # an imaginary part of -0 is none, in media and in what they make of it
    for n in ([1, 2, 1.5], [3.5, 1.5, 1]):
        plain = solve(n, [0.3], 1, 0.5, pol="both", backend=backend)
        signed = np.conj(np.array(n, complex))
        assert np.signbit(signed.imag).all()
        film = solve(signed, [0.3], 1, 0.5, pol="both", backend=backend)
        np.testing.assert_array_equal(film.r, plain.r)
        np.testing.assert_array_equal(film.kz, plain.kz)
        assert (film.kz.imag >= 0).all()
        assert (film.kz.real >= 0).all()


def test_rounding_in_the_outer_media(backend):
    # an imaginary part that rounding has left neither is gain nor changes more than rounding
    clear = solve([1.5, 2, 1], [0.3], 0.5, 0.4, pol="both", backend=backend)
    for n in (
        [1.5 - 1e-18j, 2, 1],
        [1.5, 2, 1 - 1e-16j],
        [1.5, 2 - 1e-17j, 1],
        [1.5, 2, -1 + 1e-17j],
    ):
        film = solve(n, [0.3], 0.5, 0.4, pol="both", backend=backend)
        np.testing.assert_allclose(film.R, clear.R, rtol=1e-14)
        np.testing.assert_allclose(film.T, clear.T, rtol=1e-14)
    single = np.array([1.5 - 1e-8j, 2, 1], np.complex64)
    solve(single, [0.3], 0.5, pol="s", backend=backend)
    with pytest.raises(ValueError, match="k >= 0 in the first medium"):
        solve(single.astype(complex), [0.3], 0.5, pol="s", backend=backend)


@POLS
def test_the_largest_and_the_smallest(backend, pol):
    # absorbing layers: a phase of 1e50 radians has no digits
    for n in itertools.product((1.1e-50, 1, 0.9e50), repeat=3):
        n = np.array(n) * [1, np.exp(0.7j) / 1.45, 1]
        n[1] *= 1.45 if abs(n[1]) < 1 else 1
        film = solve(n, [0.3], 1, 0.3, pol=pol, backend=backend)
        assert np.isfinite([film.r, film.t, film.power_entering, *film.layer_absorption]).all()
        if abs(n[1]) > 1e-3 or pol == "s":  # in p a layer of small n loses digits
            oracle = Oracle(n, [0.3], 1, 0.3, pol)
            assert abs(as_exact(film.r) - oracle.r) < 1e-15
            assert abs(film.T - oracle.powers()[1]) < 1e-15
    film = solve([1, 1 + 1j, 1], [1e200], 1, 0.3, pol=pol, backend=backend)
    assert np.isfinite([film.R, film.T, *film.layer_absorption]).all()
