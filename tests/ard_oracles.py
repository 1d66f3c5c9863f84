"""Points, and the truth about the forms and profiles of pairs of them."""

import functools

import mpmath
import numpy as np

import hotloops as hl

DTYPES = [np.float32, np.float64]


def points(seed, n, d, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def exact_quadform(X, Y, length_scale):
    """In 60 digits, for the inputs as given."""
    with mpmath.workdps(60):
        scale = [1 / mpmath.mpf(float(s)) for s in length_scale]
        return np.array([
            [
                sum((s * (mpmath.mpf(float(a)) - mpmath.mpf(float(b)))) ** 2
                    for s, a, b in zip(scale, x, y, strict=True))
                for y in Y
            ]
            for x in X
        ])  # fmt: skip


PROFILES = {
    "se": lambda q, alpha: mpmath.exp(-q / 2),
    "matern12": lambda q, alpha: mpmath.exp(-mpmath.sqrt(q)),
    "matern32": lambda q, alpha: (1 + mpmath.sqrt(3 * q)) * mpmath.exp(-mpmath.sqrt(3 * q)),
    "matern52": lambda q, alpha: (
        (1 + mpmath.sqrt(5 * q) + 5 * q / 3) * mpmath.exp(-mpmath.sqrt(5 * q))
    ),
    "rq": lambda q, alpha: (1 + q / (2 * alpha)) ** -alpha,
}


ALPHAS = [1e-300, 1e-8, 0.3, 1, 30, 300, 1000, 3000, 1e6, 1e12, 2.0**57, 1e300]


@functools.cache
def rational_quadratic(dtype, alpha, count):
    """X whose squares reach from those that are lost in alpha to those whose profile is 0, and
    the extremes; q, their squares; and at each q the exact profile with its derivatives by q and
    alpha."""
    a = mpmath.mpf(alpha)
    with mpmath.workdps(60):
        # q = 2 alpha (exp(e / alpha) - 1) has the profile exp(-e)
        logs = [np.geomspace(1e-300, 1e-3, count), np.geomspace(1e-3, 760, count),
                np.linspace(600, 760, count), np.linspace(80, 110, count)]  # fmt: skip
        q = [2 * a * mpmath.expm1(min(e / a, 2000)) for e in np.concatenate(logs)]
        q += [0, 1e-320, 1e300]
        largest = mpmath.mpf(float(np.finfo(dtype).max))
        X = np.array([float(mpmath.sqrt(form)) for form in q if form < largest / 2], dtype)[:, None]
        q = hl.quadform(X, np.zeros((1, 1), dtype)).ravel()
        exact = []
        for form in map(float, q):
            t = form / (2 * a)
            p = mpmath.exp(-a * mpmath.log1p(t))
            log = mpmath.log1p(t) - t / (1 + t) if t > 1e-10 else t**2 / 2 - 2 * t**3 / 3
            exact.append((p, -p / (2 + 2 * t), -p * log))
    return X, q, exact


def _latent(rng, n, d):
    weights = np.random.default_rng(d).uniform(0.7, 1.3, d)
    return rng.normal(size=(n, 1)) * weights + 0.1 * rng.normal(size=(n, d))


def _clusters(rng, n, d):
    centres = np.random.default_rng(d).normal(size=(5, d))
    return centres[rng.integers(5, size=n)] + 0.1 * rng.normal(size=(n, d))


#: Points of unit variance: n of d features.
DATA = {
    "independent": lambda rng, n, d: rng.normal(size=(n, d)),
    "latent": _latent,
    "clusters": _clusters,
    "offset": lambda rng, n, d: rng.normal(size=(n, d)) + 1e4,
    "duplicates": lambda rng, n, d: np.random.default_rng(d).normal(size=(9, d))[
        rng.integers(9, size=n)
    ],
}  # fmt: skip


@functools.cache
def wide_quadform(dtype, data, d, length_scale):
    """100 and 90 points, and the quadratic forms of their pairs in extended precision."""
    rng = np.random.default_rng(1)
    X, Y = (DATA[data](rng, n, d).astype(dtype) for n in (100, 90))
    X[:9], Y[5] = X[9:18], X[4]
    scale = 1 / np.longdouble(length_scale)
    difference = (X.astype(np.longdouble)[:, None] - Y) * scale
    return X, Y, (difference**2).sum(axis=-1)
