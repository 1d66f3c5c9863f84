"""What the tests of stacks share: the truth in 40 digits, and stacks."""

import functools

import mpmath
import numpy as np
import pytest

import hotloops as hl

BACKENDS = ("cython", "numba", "numpy")

solve = hl.optics.solve_stack
POLS = pytest.mark.parametrize("pol", ["s", "p"])


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


def as_exact(number):
    return mpmath.mpmathify(complex(number))


def compare(stack, pol, backend, tolerance=1e-13, planes=(), **keywords):
    """Solve, and hold r, t and the field at planes against the oracle."""
    solution = solve(*stack, pol=pol, backend=backend, **keywords)
    oracle = Oracle(*stack, pol=pol, **keywords)
    for value, exact in ((solution.r, oracle.r), (solution.t, oracle.t)):
        assert abs(as_exact(value) - exact) <= tolerance * abs(exact) + 1e-305
    for depth, field in zip(planes, solution.field(planes), strict=True):
        exact = oracle.at(depth)[1]
        for value, x in zip(field, exact, strict=True):
            error = abs(as_exact(value) - x)
            assert error <= tolerance * max(map(abs, exact)) + 1e-305
    return solution, oracle


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


def smooth_stack(seed, layers=5):
    """Without gain, and thin enough for all of it to count."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(1, 3, layers) + 1j * rng.uniform(0, 0.3, layers) * (rng.random(layers) < 0.5)
    n = np.array([rng.uniform(1, 2), *n, rng.uniform(1, 2)])
    return n, rng.uniform(0, 0.5, layers), rng.uniform(0.5, 2), rng.uniform(-1.4, 1.4)


def spectrum(count=6, layers=4, seed=5):
    """n (count, N), d, wavelengths and angles."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(1.3, 2.5, (count, layers + 2)) + 0.05j * rng.random((count, layers + 2))
    n[:, 0] = 1
    return n, rng.uniform(0.05, 0.3, layers), np.linspace(0.4, 0.8, count), np.linspace(0, 1.4, 7)
