import doctest
import functools
import itertools
import math
import pickle
import tracemalloc

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import hotloops as hl

BACKENDS = ("cython", "numba", "numpy")
solve = hl.optics.solve_stack


# --- the truth ------------------------------------------------------------------------------


class Oracle:
    """The continuity of tangential E and H at each interface, one linear system, in 40 digits.

    The unknowns are the waves' amplitudes: f[j] at the near, b[j] at the far interface of medium j;
    f[0] = 1 and b[-1] = 0.
    """

    def __init__(self, n, d, wavelength, theta=0.0, pol="s", kx=None):
        with mpmath.workdps(40):
            self.n, self.pol = [mpmath.mpmathify(complex(m)) for m in n], pol
            self.d = [mpmath.mpf(0), *(mpmath.mpf(float(x)) for x in d), mpmath.mpf(0)]
            self.k0 = 2 * mpmath.pi / mpmath.mpf(float(wavelength))
            if kx is None:
                kx = self.n[0] * self.k0 * mpmath.sin(mpmath.mpf(float(theta)))
            self.kx = mpmath.mpmathify(kx)
            self.kz = [self.root((self.k0 * m) ** 2 - self.kx**2) for m in self.n]
            for j in (0, -1):  # continuous where the first medium begins to absorb
                self.kz[j] *= -1 if self.kz[j].real + self.kz[j].imag < 0 else 1
            self.edges = [mpmath.fsum(self.d[:j]) for j in range(1, len(n))]
            self.solve()

    @staticmethod
    def root(square):
        k = mpmath.sqrt(square)
        return -k if k.imag < 0 or (k.imag == 0 and k.real < 0) else k

    def solve(self):
        count = len(self.n)
        one, zero = mpmath.mpf(1), mpmath.mpf(0)
        rows = [({0: one}, one), ({2 * count - 1: one}, zero)]
        through = [mpmath.exp(1j * k * d) for k, d in zip(self.kz, self.d, strict=True)]
        for j in range(count - 1):
            for sign in (1, -1):  # Ey (s) or Hy (p), and then the other one
                before, behind = (
                    (1 if self.pol == "s" else n)
                    if sign == 1
                    else (k if self.pol == "s" else k / n)
                    for n, k in ((self.n[j], self.kz[j]), (self.n[j + 1], self.kz[j + 1]))
                )
                row = {
                    2 * j: before * through[j],
                    2 * j + 1: sign * before,
                    2 * j + 2: -behind,
                    2 * j + 3: -sign * behind * through[j + 1],
                }
                rows.append(({key: mpmath.mpmathify(x) for key, x in row.items()}, zero))
        x = eliminate(rows)
        for row, right in rows:
            residual = mpmath.fsum(value * x[key] for key, value in row.items()) - right
            assert abs(residual) <= 1e-30 * max(abs(v * x[key]) for key, v in row.items())
        self.f, self.b = x[::2], x[1::2]
        self.r, self.t = self.b[0], self.f[-1]

    def flux(self, j):
        """Its real part is the flux of a wave E = 1 along z."""
        k, n = self.kz[j] / self.k0, self.n[j]
        return k if self.pol == "s" else k * mpmath.conj(n) / n

    def powers(self):
        """R, T and what enters the stack."""
        with mpmath.workdps(40):
            incident, r = self.flux(0), self.r
            entering = (incident * (1 - r) * mpmath.conj(1 + r)).real / incident.real
            return abs(r) ** 2, abs(self.t) ** 2 * self.flux(-1).real / incident.real, entering

    def absorbed(self):
        """The integral of k0 Im(n²) |E|² over each layer, over the incident flux, by Gauss's rule
        on pieces that are short beside the wave."""
        with mpmath.workdps(40):
            found = []
            for j in range(1, len(self.n) - 1):
                d, k = self.d[j], self.kz[j]
                pieces = int(abs(k) * d) + 1
                total = mpmath.mpf(0)
                for i in range(pieces):
                    for node, weight in gauss():
                        z = d * (i + (node + 1) / 2) / pieces
                        f = self.f[j] * mpmath.exp(1j * k * z)
                        b = self.b[j] * mpmath.exp(1j * k * (d - z))
                        if self.pol == "s":
                            square = abs(f + b) ** 2
                        else:
                            square = abs((f - b) * k) ** 2 + abs((f + b) * self.kx) ** 2
                            square /= abs(self.k0 * self.n[j]) ** 2
                        total += weight * square * d / (2 * pieces)
                incident = self.flux(0).real
                found.append(self.k0 * (self.n[j] ** 2).imag * total / incident)
            return found

    def at(self, z):
        """The medium, E, and |forward| + |backward|."""
        with mpmath.workdps(40):
            z = mpmath.mpf(float(z))
            j = sum(edge <= z for edge in self.edges)
            near, far = self.edges[max(j - 1, 0)], self.edges[min(j, len(self.edges) - 1)]
            f = self.f[j] * mpmath.exp(1j * self.kz[j] * (z - near))
            b = self.b[j] * mpmath.exp(1j * self.kz[j] * (far - z))
            if self.pol == "s":
                return j, [0, f + b, 0], abs(f) + abs(b)
            k = self.k0 * self.n[j]
            return j, [(f - b) * self.kz[j] / k, 0, -(f + b) * self.kx / k], abs(f) + abs(b)


def _horner(coefficients, x):
    """The polynomial of these coefficients, that of the highest power first."""
    return functools.reduce(lambda total, c: total * x + c, coefficients)


@functools.cache
def gauss():
    """Nodes and weights of Gauss's rule of 16 points in 40 digits."""
    with mpmath.workdps(50):
        legendre = mpmath.taylor(lambda x: mpmath.legendre(16, x), 0, 16)[::-1]
        nodes = [mpmath.mpf(x) for x in np.polynomial.legendre.leggauss(16)[0]]
        slope = [c * (16 - k) for k, c in enumerate(legendre[:-1])]
        for _ in range(3):
            nodes = [x - _horner(legendre, x) / _horner(slope, x) for x in nodes]
        return [(x, 2 / ((1 - x**2) * _horner(slope, x) ** 2)) for x in nodes]


def eliminate(rows):
    """The solution of a sparse linear system, by Gauss with the largest pivot in each column."""
    rows = [(dict(row), right) for row, right in rows]
    count, pivots = len(rows), []
    for column in range(count):
        k = max(range(len(rows)), key=lambda k: abs(rows[k][0].get(column, 0)))
        pivot, right = rows.pop(k)
        for i, (row, other) in enumerate(rows):
            if column in row:
                factor = row.pop(column) / pivot[column]
                for key, value in pivot.items():
                    if key > column:
                        row[key] = row.get(key, 0) - factor * value
                rows[i] = row, other - factor * right
        pivots.append((pivot, right))
    x = [mpmath.mpf(0)] * count
    for column in reversed(range(count)):
        row, right = pivots[column]
        known = mpmath.fsum(value * x[key] for key, value in row.items() if key > column)
        x[column] = (right - known) / row[column]
    return x


def random_stack(seed, layers):
    """Dielectrics, absorbers, metals and a little gain; thin, thick, opaque and empty layers; seen
    from a dense or a rare medium, so that reflection is total in some layers or in all."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 5, layers)
    real, tail = rng.uniform(1, 4, layers), rng.uniform(0, 1, layers)
    n = np.choose(kinds, [real, real + 0.1j * tail, 0.1 + tail + 1j * real, real, real - 0.01j])
    d = rng.choice([0.1, 0.3, 1, 5], layers) * rng.uniform(0, 1, layers)
    d[rng.random(layers) < 0.1] = 0
    d[(kinds == 2) & (rng.random(layers) < 0.2)] *= 100
    first = rng.choice([1, 1.5, 3.5])
    last = rng.choice([1, 1.5, 0.2 + 3j, 3.5 + 0.01j])
    return np.array([first, *n, last]), d, rng.uniform(0.4, 2), rng.uniform(-1.5, 1.5)


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
            error = abs(mpmath.mpmathify(complex(value)) - exact)
            assert error <= 1e-12 * largest[j] + 1e-300
            assert error <= 1e-9 * waves + 1e-300


@pytest.mark.parametrize("size", [math.pi / 2, 0.75, 1e-3])
def test_sines_in_twice_as_many_digits(backend, size):
    from hotloops._run import resolve

    rng = np.random.default_rng(20)
    near = math.pi / 2 - 10.0 ** rng.uniform(-17, -1, 50)
    ends = [0, math.pi / 4, np.nextafter(math.pi / 4, 1), math.pi / 2, np.float32(math.pi / 2)]
    theta = np.concatenate([rng.uniform(-size, size, 200), near, ends])
    sine, low = np.empty(len(theta)), np.empty(len(theta))
    resolve(backend, "optics").load("optics").sines(0, len(theta), theta, sine, low)
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


def compare(stack, pol, backend, tolerance=1e-13, planes=(), **keywords):
    """Solve, and hold r, t and the field at planes against the oracle."""
    solution = solve(*stack, pol=pol, backend=backend, **keywords)
    oracle = Oracle(*stack, pol=pol, **keywords)
    for value, exact in ((solution.r, oracle.r), (solution.t, oracle.t)):
        assert abs(mpmath.mpmathify(complex(value)) - exact) <= tolerance * abs(exact) + 1e-305
    for depth, field in zip(planes, solution.field(planes), strict=True):
        exact = oracle.at(depth)[1]
        for value, x in zip(field, exact, strict=True):
            error = abs(mpmath.mpmathify(complex(value)) - x)
            assert error <= tolerance * max(map(abs, exact)) + 1e-305
    return solution, oracle


POLS = pytest.mark.parametrize("pol", ["s", "p"])


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


def exact(number):
    return mpmath.mpmathify(complex(number))


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
            assert abs(exact(r) - exact_ones[0]) < 6e-16
            assert abs(exact(t) - exact_ones[1]) < 8e-16 * abs(exact_ones[1])
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
    assert abs(exact(film.r) - r) < 4e-11 * count
    assert abs(exact(film.t) - t) < 4e-11 * count


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


# --- identities -----------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)


def smooth_stack(seed, layers=5):
    """Without gain, and thin enough for all of it to count."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(1, 3, layers) + 1j * rng.uniform(0, 0.3, layers) * (rng.random(layers) < 0.5)
    n = np.array([rng.uniform(1, 2), *n, rng.uniform(1, 2)])
    return n, rng.uniform(0, 0.5, layers), rng.uniform(0.5, 2), rng.uniform(-1.4, 1.4)


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


# --- many stacks ----------------------------------------------------------------------------


def spectrum(count=6, layers=4, seed=5):
    """n (count, N), d, wavelengths and angles."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(1.3, 2.5, (count, layers + 2)) + 0.05j * rng.random((count, layers + 2))
    n[:, 0] = 1
    return n, rng.uniform(0.05, 0.3, layers), np.linspace(0.4, 0.8, count), np.linspace(0, 1.4, 7)


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


def test_planes_in_any_order(backend):
    film = solve([1, 2 + 0.1j, 1.5], [0.3], 0.5, 0.7, pol="both", backend=backend)
    z = np.random.default_rng(0).permutation(np.linspace(-1, 1, 301))
    for method in (film.intensity, film.poynting, film.absorption):
        np.testing.assert_allclose(method(z), method(np.sort(z))[:, z.argsort().argsort()])
    z[[3, 200, 300]] = np.nan, np.inf, -np.inf
    nothing = np.isnan(film.poynting(z))
    np.testing.assert_array_equal(nothing, [~np.isfinite(z)] * 2)


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


def test_gain_is_not_silent():
    for n in (2 - 0.1j, -2 + 0.1j):
        with pytest.warns(RuntimeWarning, match=r"n has gain in a layer, got .*2.*conjugates"):
            solve([1, n, 1], [0.3], 0.5, pol="s")


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
            assert abs(exact(film.r) - oracle.r) < 1e-15
            assert abs(film.T - oracle.powers()[1]) < 1e-15
    film = solve([1, 1 + 1j, 1], [1e200], 1, 0.3, pol=pol, backend=backend)
    assert np.isfinite([film.R, film.T, *film.layer_absorption]).all()


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
