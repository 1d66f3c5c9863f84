"""The cases that compare, selftest, the tests and the benchmarks share.

Each has its inputs at two sizes, the code of the one who asked for it, the best that NumPy does,
and how far a backend may be from the reference.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

SIZES = ("full", "small")


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a public function, and what it is compared with."""

    subject: str
    name: str
    function: str
    make: Callable  # make(rng, dtype, **size) -> the function's arguments by name
    full: dict
    small: dict
    question: Callable  # the same arguments -> the same result, as it was first written
    numpy: Callable  # the same, as fast as NumPy can
    tolerance: dict  # dtype -> largest error over the largest element; no dtype: {None: …}
    random: bool = False  # question and numpy draw numbers of their own

    def arguments(self, size="full", dtype=None):
        """The arguments by name, the same at every call."""
        dtype = np.dtype(dtype or next(reversed(self.tolerance)) or np.float64)
        return self.make(np.random.default_rng(7), dtype, **getattr(self, size))

    def call(self, arguments, **keywords):
        """The public function on these arguments."""
        import hotloops

        if self.random:
            keywords.setdefault("rng", 7)
        return getattr(hotloops, self.function)(**arguments, **keywords)

    def error(self, result, reference):
        """The largest difference over the reference's largest element."""
        scale = np.abs(reference).max(initial=0)
        return float(np.abs(result - reference).max(initial=0) / (scale if scale > 0 else 1))


def select(subjects=()):
    """The cases of these subjects, all if none is named."""
    return [case for case in CASES if not subjects or case.subject in subjects]


# --- ard ------------------------------------------------------------------------------------


def _ard_make(rng, dtype, n, m, d):
    return {
        "X": rng.normal(size=(n, d)).astype(dtype),
        "Y": rng.normal(size=(m, d)).astype(dtype),
        "length_scale": rng.uniform(1, 3, d),
        "variance": 1.5,
    }


def _ard_question(X, Y, length_scale, variance):
    difference = (X[:, None, :] - Y[None, :, :]) / length_scale.astype(X.dtype)
    return variance * np.exp(-0.5 * (difference**2).sum(axis=-1))


def _ard_numpy(X, Y, length_scale, variance):
    x, y = X / length_scale.astype(X.dtype), Y / length_scale.astype(X.dtype)
    k = x @ y.T
    k -= 0.5 * np.einsum("ij,ij->i", x, x)[:, None]
    k -= 0.5 * np.einsum("ij,ij->i", y, y)
    np.minimum(k, 0, out=k)
    np.exp(k, out=k)
    k *= variance
    return k


def _m3_make(rng, dtype, n, m, d, r):
    arguments = _ard_make(rng, dtype, n, m, d)
    return arguments | {"factors": rng.normal(size=(d, r)) / d}


def _m3_metric(length_scale, factors, dtype):
    return (np.diag(length_scale**-2) + factors @ factors.T).astype(dtype)


def _m3_question(X, Y, length_scale, factors, variance):
    metric = _m3_metric(length_scale, factors, X.dtype)
    difference = X[:, None, :] - Y[None, :, :]
    return variance * np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", difference, metric, difference))


def _m3_numpy(X, Y, length_scale, factors, variance):
    root = np.linalg.cholesky(_m3_metric(length_scale, factors, X.dtype))
    return _ard_numpy(X @ root, Y @ root, np.ones(X.shape[1]), variance)


_ARD_TOLERANCE = {np.float32: 3e-6, np.float64: 3e-15}

_ARD = (
    Case(
        "ard", "ARD kernel, 6 dimensions", "ard_kernel", _ard_make,
        {"n": 4000, "m": 4000, "d": 6}, {"n": 203, "m": 150, "d": 6},
        _ard_question, _ard_numpy, _ARD_TOLERANCE,
    ),
    Case(
        "ard", "ARD kernel, low rank plus diagonal", "ard_kernel", _m3_make,
        {"n": 300, "m": 400, "d": 6, "r": 2}, {"n": 67, "m": 130, "d": 6, "r": 2},
        _m3_question, _m3_numpy, _ARD_TOLERANCE,
    ),
)  # fmt: skip


# --- field ----------------------------------------------------------------------------------


def _field_make(rng, dtype, nz, nx, n):
    # a stack 4 wavelengths thick, seen from its first interface to one wavelength behind the last
    k0, sine = 2 * np.pi, np.sin(0.5)
    index = rng.uniform(1.3, 2.5, n) + 1j * rng.uniform(0, 0.05, n)
    interfaces = np.append(0.0, np.sort(rng.uniform(0, 4, n - 2)))
    amplitudes = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
    cosine = np.sqrt(1 - (sine / index) ** 2)
    forward = np.stack([cosine, np.ones(n), -sine / index], axis=-1)  # s and p together
    backward = forward * [-1, 1, 1]
    return {
        "z": np.linspace(0, 5, nz),
        "interfaces": interfaces,
        "kz": k0 * index * cosine,
        "amplitudes": amplitudes.astype(dtype),
        "vectors": np.stack([forward, backward], axis=1).astype(dtype),
        "backward_reference": "near",
        "x": np.linspace(-3, 3, nx),
        "kx": k0 * sine,
    }


def _field_question(z, interfaces, kz, amplitudes, vectors, backward_reference, x, kx):
    d_cum = np.append(interfaces, z[-1] + 1)  # the question's last layer ends too
    zz, xx = np.meshgrid(z, x, indexing="ij")
    field = np.zeros((len(z), len(x), 3), np.complex128)
    for n in range(len(kz)):
        inside = (zz >= d_cum[n - 1]) & (zz < d_cum[n])
        phase = 1j * kz[n] * (zz - d_cum[n - 1])
        forward = amplitudes[n, 0] * np.exp(phase) * np.exp(1j * kx * xx) * inside
        backward = amplitudes[n, 1] * np.exp(-phase) * np.exp(1j * kx * xx) * inside
        field += forward[..., None] * vectors[n, 0] + backward[..., None] * vectors[n, 1]
    return field


def _field_numpy(z, interfaces, kz, amplitudes, vectors, backward_reference, x, kx):
    n = np.searchsorted(interfaces, z, side="right")
    phase = 1j * kz[n] * (z - interfaces[np.maximum(n - 1, 0)])
    waves = amplitudes[n] * np.exp(np.stack([phase, -phase], axis=1))
    profile = np.einsum("zw,zwc->zc", waves, vectors[n])
    # the outer product as a matrix product: BLAS writes faster than multiply does
    phases = np.kron(np.exp(1j * kx * x), np.eye(3))
    return (profile @ phases).astype(vectors.dtype, copy=False).reshape(len(z), len(x), 3)


_FIELD_TOLERANCE = {np.complex64: 2e-7, np.complex128: 5e-15}

_FIELD = tuple(
    Case(
        "field", f"field map, {n} media", "layered_field", _field_make,
        {"nz": 2000, "nx": 1000, "n": n}, {"nz": 61, "nx": 40, "n": n},
        _field_question, _field_numpy, _FIELD_TOLERANCE,
    )
    for n in (5, 100)
)  # fmt: skip


# --- rolled ---------------------------------------------------------------------------------


def _rolled_make(rng, dtype, d, k, m, n, l):
    def numbers(*shape):
        real = rng.normal(size=shape)
        return (real + 1j * rng.normal(size=shape) if dtype.kind == "c" else real).astype(dtype)

    return {"A": numbers(d, m, n), "B": numbers(d, n, l), "k": k}


def _rolled_question(A, B, k):
    d = len(A)
    out = np.empty((d, k, A.shape[1], B.shape[2]), A.dtype)
    for i in range(d):
        for j in range(k):
            out[i, j] = A[i] @ B[(i + j) % d]
    return out


def _rolled_numpy(A, B, k):
    d = len(A)
    ring = B[np.arange(d + k - 1) % d]
    shape, strides = (d, k, *B.shape[1:]), (ring.strides[0], *ring.strides)
    return np.matmul(A[:, None], np.lib.stride_tricks.as_strided(ring, shape, strides))


_ROLLED_TOLERANCE = {np.complex128: 2e-15, np.float32: 1e-6, np.float64: 2e-15}

_ROLLED = (
    Case(
        "rolled", "rolled products, tiny", "rolled_matmul", _rolled_make,
        {"d": 64, "k": 16, "m": 4, "n": 4, "l": 4}, {"d": 7, "k": 9, "m": 3, "n": 5, "l": 2},
        _rolled_question, _rolled_numpy, _ROLLED_TOLERANCE,
    ),
    Case(
        "rolled", "rolled products", "rolled_matmul", _rolled_make,
        {"d": 128, "k": 32, "m": 32, "n": 32, "l": 32},
        {"d": 3, "k": 4, "m": 33, "n": 17, "l": 20},
        _rolled_question, _rolled_numpy, _ROLLED_TOLERANCE,
    ),
)  # fmt: skip


# --- binomial -------------------------------------------------------------------------------


def _binomial_make(rng, dtype, n, p, draws):
    return {"n": n, "p": p, "draws": draws}


def _binomial_question(n, p, draws):
    samples = np.random.default_rng().binomial(n, p, draws)
    counts = np.zeros(n + 1, np.int64)
    for value in range(n + 1):
        counts[value] = np.sum(samples == value)
    return counts


def _binomial_numpy(n, p, draws):
    import scipy.stats

    probabilities = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    return np.random.default_rng().multinomial(draws, probabilities)


_BINOMIAL = (
    Case(
        "binomial", "binomial counts", "binomial_counts", _binomial_make,
        {"n": 55, "p": 0.05, "draws": 10**6}, {"n": 55, "p": 0.05, "draws": 10**4},
        _binomial_question, _binomial_numpy, {None: 0.0}, random=True,
    ),
)  # fmt: skip


CASES = _ARD + _FIELD + _ROLLED + _BINOMIAL
