"""The cases that compare, selftest, the tests and the benchmarks share.

Each has its inputs at a tiny size, code that says what is asked for, and how far a backend may be
from the reference. Those with a full size too are timed: by compare and the benchmarks, beside the
best that NumPy does. The others are checked alone, by selftest and the tests.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import numpy as np

from . import ard, binomial, field, linalg, lstsq, optics, rolled, solve, sparse

SIZES = ("full", "small")  # those that are timed


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a public function, and what it is compared with."""

    subject: str
    name: str
    function: Callable
    make: Callable  # make(rng, dtype, **size) -> the function's arguments by name
    tiny: dict  # the size that is checked
    tolerance: dict  # dtype -> largest error over the largest element; no dtype: {None: …}
    question: Callable  # the same arguments -> the same result, as it was first written
    numpy: Callable | None = None  # the same, as fast as NumPy can
    full: dict | None = None  # the size that is timed
    small: dict | None = None  # that of a quick look, where the work still decides; else the full
    random: bool = False  # question and numpy draw numbers of their own

    @property
    def dtype(self):
        """That of the arguments where none is asked for."""
        return next(reversed(self.tolerance))

    def size(self, name):
        """The sizes by name: "tiny", "small" or "full"."""
        return getattr(self, name) or self.full

    def arguments(self, size="full", dtype=None):
        """The arguments by name, the same at every call."""
        dtype = np.dtype(dtype or self.dtype or np.float64)
        return self.make(np.random.default_rng(7), dtype, **self.size(size))

    def call(self, arguments, **keywords):
        """The function on these arguments."""
        if self.random:
            keywords.setdefault("rng", 7)
        return self.function(**arguments, **keywords)

    def error(self, result, reference):
        """The largest difference over the reference's largest element; of integers and booleans
        the share that differs."""
        if reference.dtype.kind in "biu":
            return float(np.mean(result != reference))
        scale = np.abs(reference).max(initial=0)
        return float(np.abs(result - reference).max(initial=0) / (scale if scale > 0 else 1))


def timed(subjects=()):
    """The cases of these subjects that are timed, all if none is named."""
    return [case for case in CASES if case.full and (not subjects or case.subject in subjects)]


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


def _kernel_make(rng, dtype, n, d, m=None, r=None, full_metric=False, **others):
    """Arguments of any function of the subject: of one set without m."""
    arguments = {"X": rng.normal(size=(n, d)).astype(dtype)} | others
    if m is not None:
        arguments["Y"] = rng.normal(size=(m, d)).astype(dtype)
    if full_metric:
        root = rng.normal(size=(d, d)) / d
        arguments["metric"] = root @ root.T + np.eye(d) / d
    else:
        arguments["length_scale"] = np.sqrt(d) * rng.uniform(0.5, 1.5, d)
    if r is not None:
        arguments["factors"] = rng.normal(size=(d, r)) / d
    return arguments


_PROFILES = {
    "quadform": lambda q, alpha: q,
    "se": lambda q, alpha: np.exp(-q / 2),
    "matern12": lambda q, alpha: np.exp(-np.sqrt(q)),
    "matern32": lambda q, alpha: (1 + np.sqrt(3 * q)) * np.exp(-np.sqrt(3 * q)),
    "matern52": lambda q, alpha: (1 + np.sqrt(5 * q) + 5 * q / 3) * np.exp(-np.sqrt(5 * q)),
    "rq": lambda q, alpha: (1 + q / (2 * alpha)) ** -alpha,
}


def _kernel_formula(
    X, Y=None, kind="se", length_scale=None, factors=None, metric=None,
    rq_alpha=1.0, variance=1.0, noise_variance=0.0,
):  # fmt: skip
    """The kernel's definition, in double precision; analytic in all its arguments."""
    if metric is None:
        metric = np.diag(length_scale**-2.0)
        if factors is not None:
            metric = metric + factors @ factors.T
    x = X.astype(np.result_type(X, np.float64))
    difference = x[:, None] - (x if Y is None else Y)
    q = ((difference @ metric) * difference).sum(axis=-1)
    k = variance * _PROFILES[kind](q, rq_alpha)
    return k + noise_variance * np.eye(len(x)) if Y is None else k


def _product(V, *, backend=None, workers=None, **kernel):
    return ard.KernelOperator(**kernel, backend=backend, workers=workers) @ V


def _product_make(rng, dtype, n, columns, m=None, **others):
    arguments = _kernel_make(rng, dtype, n, m=m, **others)
    return arguments | {"V": rng.normal(size=(m or n, columns)).astype(dtype)}


def _diagonal(*, backend=None, workers=None, **kernel):
    return ard.KernelOperator(**kernel, backend=backend, workers=workers).diagonal()


def _vjp(cotangent, *, backend=None, workers=None, **kernel):
    """All gradients in one array."""
    gradients = ard.ard_kernel_vjp(cotangent, **kernel, backend=backend, workers=workers)
    return np.concatenate([np.ravel(gradient) for gradient in gradients.values()])


def _vjp_make(rng, dtype, n, m=None, **others):
    arguments = _kernel_make(rng, dtype, n, m=m, **others)
    return arguments | {"cotangent": rng.normal(size=(n, m or n)).astype(dtype)}


def _vjp_formula(cotangent, wrt, **kernel):
    # f'(t) = Im f(t + i h) / h: without a difference, h can be as small as to be exact
    gradients, h = [], 1e-50
    for name in wrt:
        values = np.asarray(kernel[name])
        for index in np.ndindex(values.shape):
            moved = values.astype(np.complex128)
            moved[index] += 1j * h
            k = _kernel_formula(**kernel | {name: moved})
            gradients.append((cotangent * k.imag).sum() / h)
    return np.array(gradients)


_ARD_TOLERANCE = {np.float32: 3e-6, np.float64: 3e-15}

_ARD = (
    Case(
        "ard", "ARD kernel, 6 dimensions", ard.ard_kernel, _ard_make,
        {"n": 203, "m": 150, "d": 6}, _ARD_TOLERANCE,
        _ard_question, _ard_numpy, {"n": 4000, "m": 4000, "d": 6}, {"n": 800, "m": 800, "d": 6},
    ),
    Case(
        "ard", "ARD kernel, low rank plus diagonal", ard.ard_kernel, _m3_make,
        {"n": 67, "m": 130, "d": 6, "r": 2}, _ARD_TOLERANCE,
        _m3_question, _m3_numpy, {"n": 300, "m": 400, "d": 6, "r": 2},
    ),
    *(
        Case("ard", name, ard.ard_kernel, _kernel_make, size, _ARD_TOLERANCE, _kernel_formula)
        for name, size in {
            "Matérn 1/2": {"n": 40, "m": 70, "d": 3, "kind": "matern12"},
            "Matérn 3/2": {"n": 40, "m": 70, "d": 3, "kind": "matern32"},
            "Matérn 5/2": {"n": 40, "m": 70, "d": 3, "kind": "matern52"},
            "rational quadratic": {"n": 40, "m": 70, "d": 3, "kind": "rq", "rq_alpha": 0.7},
            "one set with noise": {"n": 130, "d": 3, "variance": 1.5, "noise_variance": 0.1},
            "full metric": {"n": 40, "m": 70, "d": 3, "full_metric": True},
            "20 dimensions": {"n": 130, "m": 140, "d": 20},
            "20 dimensions, one set, full metric": {"n": 130, "d": 20, "full_metric": True},
        }.items()
    ),
    Case(
        "ard", "quadratic forms, low rank plus diagonal", ard.quadform, _kernel_make,
        {"n": 40, "m": 70, "d": 3, "r": 2}, _ARD_TOLERANCE,
        functools.partial(_kernel_formula, kind="quadform"),
    ),
    *(
        Case(
            "ard", name, _product, _product_make, size, {np.float32: 1e-6, np.float64: 3e-15},
            lambda V, **kernel: _kernel_formula(**kernel) @ V,
        )
        for name, size in {
            "operator": {"n": 70, "m": 530, "d": 3, "columns": 3, "kind": "matern32"},
            "operator, one set": {"n": 130, "d": 20, "columns": 1, "noise_variance": 0.1},
        }.items()
    ),
    *(
        Case(
            "ard", name, _diagonal, _kernel_make, size, _ARD_TOLERANCE,
            lambda **kernel: _kernel_formula(**kernel).diagonal(),
        )
        for name, size in {
            "diagonal of an operator": {"n": 530, "m": 140, "d": 20, "kind": "rq"},
            "diagonal of an operator, one set": {"n": 130, "d": 3, "noise_variance": 0.1},
        }.items()
    ),
    *(
        Case(
            "ard", name, _vjp, _vjp_make, size, {np.float32: 3e-6, np.float64: 1e-14}, _vjp_formula
        )
        for name, size in {
            "gradients": {
                "n": 23, "m": 70, "d": 3, "r": 2, "kind": "rq", "rq_alpha": 0.7, "variance": 1.5,
                "wrt": ("length_scale", "factors", "variance", "rq_alpha", "X", "Y"),
            },
            "gradients, one set": {
                "n": 130, "d": 2, "variance": 1.5, "wrt": ("length_scale", "variance"),
            },
            "gradients, one set, full metric": {
                "n": 40, "d": 3, "full_metric": True, "kind": "matern52", "noise_variance": 0.1,
                "wrt": ("metric", "noise_variance", "X"),
            },
            "gradients, 20 dimensions": {
                "n": 40, "m": 70, "d": 20, "wrt": ("length_scale", "X"),
            },
        }.items()
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


def _profiles_make(rng, dtype, stacks, nz, n):
    """Of several stacks, at depths in any order."""
    every = [_field_make(rng, dtype, nz, 0, n) for _ in range(stacks)]
    arguments = {name: np.stack([one[name] for one in every])
                 for name in ("interfaces", "kz", "amplitudes", "vectors")}  # fmt: skip
    return arguments | {"z": rng.permutation(every[0]["z"]), "backward_reference": "near"}


def _profiles_question(z, backward_reference, **stacks):
    order, fields = np.argsort(z), np.empty((len(stacks["kz"]), len(z), 3), np.complex128)
    for k, stack in enumerate(zip(*stacks.values(), strict=True)):
        one = dict(zip(stacks, stack, strict=True))
        map_ = _field_question(z[order], **one, backward_reference="near", x=np.zeros(1), kx=0)
        fields[k, order] = map_[:, 0]
    return fields


def _waves_make(rng, dtype, n, nz, **axes):
    # the stack in waves of as many wavelengths and angles as `axes` say
    stack = _field_make(rng, dtype, nz, 1, n)
    batch = tuple(axes.values())
    index = stack["kz"] / stack["kz"][0]
    k0, sine = rng.uniform(8, 10, batch)[..., None], rng.uniform(0, 0.8, batch)[..., None]
    cosine = np.sqrt(1 - (sine / index) ** 2)
    forward = np.stack([cosine, np.ones_like(cosine), -sine / index], axis=-1)
    amplitudes = rng.normal(size=(*batch, n, 2)) + 1j * rng.normal(size=(*batch, n, 2))
    return stack | {
        "kz": k0 * index * cosine,
        "amplitudes": amplitudes.astype(dtype),
        "vectors": np.stack([forward, forward * [-1, 1, 1]], axis=-2).astype(dtype),
        "backward_reference": "far",
        "kx": (k0 * sine)[..., 0],
    }


def _layer_by_layer(z, interfaces, kz, amplitudes, vectors):
    edges = np.concatenate([[-np.inf], interfaces, [np.inf]])
    field = np.zeros((*kz.shape[:-1], len(z), 3), np.complex128)
    for n in range(len(edges) - 1):
        inside = (z >= edges[n]) & (z < edges[n + 1])
        near, far = interfaces[max(n - 1, 0)], interfaces[min(n, len(interfaces) - 1)]
        k = 1j * kz[..., n, None]
        forward = amplitudes[..., n, 0, None] * np.exp(k * (z[inside] - near))
        backward = amplitudes[..., n, 1, None] * np.exp(k * (far - z[inside]))
        field[..., inside, :] = (
            forward[..., None] * vectors[..., None, n, 0, :]
            + backward[..., None] * vectors[..., None, n, 1, :]
        )
    return field


def _points_make(rng, dtype, points, n):
    stack = _waves_make(rng, dtype, n, 1)
    places = {"z": rng.uniform(-0.5, 5, points), "x": rng.uniform(-3, 3, points)}
    return stack | places | {"grid": False}


def _points_question(x, kx, backward_reference, grid, **stack):
    return _layer_by_layer(**stack) * np.exp(1j * kx * x)[:, None]


def _points_numpy(z, interfaces, kz, amplitudes, vectors, backward_reference, x, kx, grid):
    n = np.searchsorted(interfaces, z, side="right")
    media, last = np.arange(len(kz)), len(interfaces) - 1
    k, along = 1j * kz[n], 1j * kx * x
    waves = amplitudes[:, :, None] * vectors
    field, backward = waves[n, 0], waves[n, 1]
    field *= np.exp(k * (z - interfaces[np.maximum(media - 1, 0)][n]) + along)[:, None]
    backward *= np.exp(k * (interfaces[np.minimum(media, last)][n] - z) + along)[:, None]
    field += backward
    return field


def _spectrum_make(rng, dtype, nz, n, angles, wavelengths):
    stack = _waves_make(rng, dtype, n, nz, angles=angles, wavelengths=wavelengths)
    del stack["x"], stack["kx"]
    weights = rng.uniform(size=wavelengths)
    return stack | {"what": "intensity", "incoherent_weights": weights}


def _spectrum_question(what, incoherent_weights, backward_reference, **stack):
    field = _layer_by_layer(**stack)
    return np.einsum("awz,w->az", (np.abs(field) ** 2).sum(axis=-1), incoherent_weights)


def _spectrum_numpy(
    z, interfaces, kz, amplitudes, vectors, backward_reference, what, incoherent_weights
):
    # each layer's planes in all wavelengths at once, one exponential for both waves
    ends = np.searchsorted(np.searchsorted(interfaces, z, side="right"), range(kz.shape[-1] + 1))
    total = np.empty((len(kz), len(z)), vectors.real.dtype)
    for angle, layer in np.ndindex(len(kz), kz.shape[-1]):
        planes = slice(ends[layer], ends[layer + 1])
        near, far = interfaces[max(layer - 1, 0)], interfaces[min(layer, len(interfaces) - 1)]
        k = 1j * kz[angle, :, layer, None]
        forward = np.exp(k * (z[planes] - near))
        backward = np.exp(k * (far - near)) / forward
        waves = amplitudes[angle, :, layer, :, None] * vectors[angle, :, layer]
        squares = 0
        for c in range(3):
            field = forward * waves[:, 0, c, None]
            field += backward * waves[:, 1, c, None]
            squares = squares + field.real**2 + field.imag**2
        total[angle, planes] = incoherent_weights @ squares
    return total


def _beam_make(rng, dtype, nz, nx, n, waves):
    stack = _waves_make(rng, dtype, n, nz, waves=waves)
    weights = rng.normal(size=waves) + 1j * rng.normal(size=waves)
    return stack | {"x": np.linspace(-3, 3, nx), "coherent_weights": weights}


def _beam_question(x, kx, coherent_weights, backward_reference, **stack):
    phases = coherent_weights[:, None] * np.exp(1j * kx[:, None] * x)
    return np.einsum("kzc,kx->zxc", _layer_by_layer(**stack), phases)


def _beam_numpy(x, kx, coherent_weights, backward_reference, **stack):
    phases = coherent_weights[:, None] * np.exp(1j * kx[:, None] * x)
    profile = _layer_by_layer(**stack).reshape(len(kx), -1).T
    field = np.matmul(profile, phases).reshape(-1, 3, len(x)).swapaxes(1, 2)
    return np.ascontiguousarray(field, stack["vectors"].dtype)


def _beams_make(rng, dtype, nz, nx, n, beams, waves):
    stack = _waves_make(rng, dtype, n, nz, beams=beams, waves=waves)
    weights = rng.normal(size=waves) + 1j * rng.normal(size=waves)
    spectrum = {"coherent_weights": weights, "incoherent_weights": rng.uniform(size=beams)}
    return stack | spectrum | {"x": np.linspace(-3, 3, nx), "what": "intensity"}


def _beams_question(x, kx, coherent_weights, incoherent_weights, what, **stack):
    total = 0
    for beam, weight in enumerate(incoherent_weights):
        one = {name: stack[name][beam] for name in ("kz", "amplitudes", "vectors")}
        field = _beam_question(x, kx[beam], coherent_weights, **stack | one)
        total = total + weight * (np.abs(field) ** 2).sum(axis=-1)
    return total


_FIELD_TOLERANCE = {np.complex64: 2e-7, np.complex128: 5e-15}

_FIELD = (
    *(
        Case(
            "field", f"field map, {n} media", field.layered_field, _field_make,
            {"nz": 61, "nx": 40, "n": n}, _FIELD_TOLERANCE,
            _field_question, _field_numpy, {"nz": 2000, "nx": 1000, "n": n},
            {"nz": 150, "nx": 200, "n": n},
        )
        for n in (5, 100)
    ),
    Case(
        "field", "depth profiles of 3 stacks", field.layered_field, _profiles_make,
        {"stacks": 3, "nz": 61, "n": 5}, _FIELD_TOLERANCE, _profiles_question,
    ),
    Case(
        "field", "field at points, 20 media", field.layered_field, _points_make,
        {"points": 501, "n": 20}, _FIELD_TOLERANCE,
        _points_question, _points_numpy, {"points": 10**6, "n": 20}, {"points": 50_000, "n": 20},
    ),
    Case(
        "field", "intensity over a spectrum, 20 media", field.layered_field, _spectrum_make,
        {"nz": 130, "n": 20, "angles": 3, "wavelengths": 7}, _FIELD_TOLERANCE,
        _spectrum_question, _spectrum_numpy, {"nz": 1000, "n": 20, "angles": 5, "wavelengths": 200},
        {"nz": 500, "n": 20, "angles": 3, "wavelengths": 60},
    ),
    Case(
        "field", "beam of plane waves, 20 media", field.layered_field, _beam_make,
        {"nz": 61, "nx": 40, "n": 20, "waves": 9}, _FIELD_TOLERANCE,
        _beam_question, _beam_numpy, {"nz": 1000, "nx": 1000, "n": 20, "waves": 512},
        {"nz": 200, "nx": 200, "n": 20, "waves": 64},
    ),
    Case(
        "field", "intensity of two beams", field.layered_field, _beams_make,
        {"nz": 61, "nx": 40, "n": 5, "beams": 2, "waves": 3}, _FIELD_TOLERANCE, _beams_question,
    ),
)  # fmt: skip


# --- lstsq ----------------------------------------------------------------------------------


def _lstsq_make(
    rng, dtype, m, n, p, alphas=None, batch=(), definite=False, weighted=False, **others
):
    def numbers(*shape):
        real = rng.normal(size=shape)
        return (real + 1j * rng.normal(size=shape) if dtype.kind == "c" else real).astype(dtype)

    a = numbers(*batch, m, n)
    if definite:
        a = a @ a.conj().swapaxes(-1, -2) + np.eye(n, dtype=dtype)
    arguments = {"A": a, "b": numbers(*batch, m, p)} | others
    if weighted:
        arguments["weights"] = rng.uniform(0.5, 2, m)
    if alphas is not None:
        arguments["alphas"] = np.geomspace(1e-3, 1e3, alphas)
    return arguments


def _lstsq(A, b, out=None, **keywords):
    return lstsq.LeastSquares(A, **keywords).solve(b, out=out)


def _lstsq_question(A, b):
    return np.stack([np.linalg.lstsq(A, column, rcond=None)[0] for column in b.T], axis=1)


def _lstsq_numpy(A, b):
    return np.linalg.lstsq(A, b, rcond=None)[0]


def _lu_question(A, b, method):
    return np.linalg.inv(A) @ b


def _lu_numpy(A, b, method):
    return np.linalg.solve(A, b)


def _cholesky_question(A, b, method):
    values, vectors = np.linalg.eigh(A)
    return vectors @ (vectors.conj().swapaxes(-1, -2) @ b / values[..., None])


def _normal_question(A, b, method):
    return np.stack([_lstsq_question(*problem) for problem in zip(A, b, strict=True)])


def _normal_numpy(A, b, method):
    adjoint = A.conj().swapaxes(-1, -2)
    return np.linalg.solve(adjoint @ A, adjoint @ b)


def _least_norm_question(A, b, method):
    adjoint = A.conj().swapaxes(-1, -2)
    return adjoint @ np.linalg.inv(A @ adjoint) @ b


def _least_norm_numpy(A, b, method):
    return np.stack([_lstsq_numpy(*problem) for problem in zip(A, b, strict=True)])


def _refined_question(A, b, weights, alpha, refine):
    weighted = A.conj().T * weights
    return np.linalg.inv(weighted @ A + alpha * np.eye(A.shape[1])) @ (weighted @ b)


def _refined_numpy(A, b, weights, alpha, refine):
    n, root = A.shape[1], np.sqrt(weights)[:, None]
    rows = np.concatenate([root * A, math.sqrt(alpha) * np.eye(n)])
    return _lstsq_numpy(rows, np.concatenate([root * b, np.zeros((n, b.shape[1]))]))


def _ridge(A, b, alphas, **keywords):
    return lstsq.LeastSquares(A, **keywords).ridge_path(b, alphas).x


def _ridge_question(A, b, alphas):
    unit = np.eye(A.shape[1])
    return np.stack([np.linalg.inv(A.T @ A + alpha * unit) @ A.T @ b for alpha in alphas])


def _ridge_numpy(A, b, alphas):
    values, vectors = np.linalg.eigh(A.T @ A)
    y = vectors.T @ (A.T @ b)
    return vectors @ (y / (values[:, None] + alphas[:, None, None]))


_LSTSQ = (
    Case(
        "lstsq", "least squares, many right-hand sides", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5}, {np.complex128: 1e-13, np.float64: 1e-13},
        _lstsq_question, _lstsq_numpy, {"m": 2000, "n": 100, "p": 200},
        {"m": 500, "n": 50, "p": 20},
    ),
    Case(
        "lstsq", "elimination", _lstsq, _lstsq_make,
        {"m": 6, "n": 6, "p": 5, "batch": (3,), "method": "lu"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _lu_question, _lu_numpy,
    ),
    Case(
        "lstsq", "Cholesky's factor", _lstsq, _lstsq_make,
        {"m": 6, "n": 6, "p": 5, "batch": (3,), "definite": True, "method": "cholesky"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _cholesky_question, _lu_numpy,
    ),
    Case(
        "lstsq", "normal equations", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5, "batch": (3,), "method": "normal"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _normal_question, _normal_numpy,
    ),
    Case(
        "lstsq", "least norm", _lstsq, _lstsq_make,
        {"m": 6, "n": 40, "p": 5, "batch": (3,), "method": "svd"},
        {np.complex128: 1e-13, np.float64: 1e-13}, _least_norm_question, _least_norm_numpy,
    ),
    Case(
        "lstsq", "refined, of weighted rows with a penalty", _lstsq, _lstsq_make,
        {"m": 40, "n": 6, "p": 5, "weighted": True, "alpha": 0.1, "refine": True},
        {np.complex128: 1e-13, np.float64: 1e-13}, _refined_question, _refined_numpy,
    ),
    Case(
        "lstsq", "ridge path", _ridge, _lstsq_make,
        {"m": 40, "n": 6, "p": 1, "alphas": 4}, {np.float64: 1e-13},
        _ridge_question, _ridge_numpy, {"m": 2000, "n": 100, "p": 1, "alphas": 100},
        {"m": 500, "n": 50, "p": 1, "alphas": 50},
    ),
)  # fmt: skip


# --- optics ---------------------------------------------------------------------------------


def _stack_make(rng, dtype, layers, wavelengths, angles, nz=None):
    """Dispersive, absorbing layers between air and glass, and planes in and around them."""
    lam = np.linspace(0.4, 0.8, wavelengths).reshape(-1, 1)
    first, last = np.ones((len(lam), 1)), np.full((len(lam), 1), 1.5)
    index = rng.uniform(1.3, 2.5, layers) + 0.05 / lam**2 + 0.02j * rng.random(layers)
    d = rng.uniform(0.02, 0.2, layers)
    arguments = {
        "n": np.concatenate([first, index, last], axis=1).astype(dtype)[:, None],
        "d": d,
        "wavelength": lam,
        "theta": np.linspace(0, 1.4, angles),
    }
    return arguments if nz is None else arguments | {"z": np.linspace(-0.1, d.sum() + 0.1, nz)}


def _powers(n, d, wavelength, theta, *, backend=None, workers=None):
    found = optics.solve_stack(
        n, d, wavelength, theta, pol="both", backend=backend, workers=workers
    )
    return np.stack([found.R, found.T])


def _absorption(z, *, backend=None, workers=None, **stack):
    found = optics.solve_stack(**stack, pol="p", backend=backend, workers=workers)
    return found.absorption(z)


def _intensity(z, *, backend=None, workers=None, **stack):
    """Of natural light from all angles."""
    found = optics.solve_stack(**stack, pol="both", backend=backend, workers=workers)
    weights = np.full(found.R.shape[-1], 0.5)
    return found.intensity(z, incoherent_weights=weights).sum(axis=0)


def _amplitudes(*, backend=None, workers=None, **stack):
    found = optics.solve_stack(**stack, pol="s", backend=backend, workers=workers)
    return found.amplitudes


def _layer_absorption(*, backend=None, workers=None, **stack):
    found = optics.solve_stack(**stack, pol="p", backend=backend, workers=workers)
    return found.layer_absorption


def _one_stack(n, d, wavelength, theta, pol):
    """r, t, kz, cosines, and the waves at the near interfaces, from products of matrices."""
    sine = n[0] * np.sin(theta) / n
    cosine = np.sqrt(1 - sine**2)
    kz = 2 * np.pi / wavelength * n * cosine
    a, b = (n * cosine, n * cosine) if pol == "s" else (n, cosine)
    matrices = []
    for j in range(len(n) - 1):
        if pol == "s":
            total, rest = a[j] + a[j + 1], a[j] - a[j + 1]
            transmitted = 2 * a[j] / total
        else:
            total, rest = a[j + 1] * b[j] + a[j] * b[j + 1], a[j + 1] * b[j] - a[j] * b[j + 1]
            transmitted = 2 * a[j] * b[j] / total
        r = rest / total
        phase = np.exp(1j * kz[j] * d[j - 1]) if j else 1
        matrices.append(np.array([[1 / phase, r / phase], [r * phase, phase]]) / transmitted)
    product = functools.reduce(np.matmul, matrices)
    waves = [np.array([1 / product[0, 0], 0])]
    for matrix in reversed(matrices):
        waves.append(matrix @ waves[-1])
    waves = np.array(waves[::-1])
    return product[1, 0] / product[0, 0], 1 / product[0, 0], kz, cosine, waves


def _stacks(n, wavelength, theta):
    for w, a in np.ndindex(len(wavelength), len(theta)):
        yield w, a, n[w, 0], wavelength[w, 0], theta[a]


def _powers_question(n, d, wavelength, theta):
    powers = np.empty((2, 2, len(wavelength), len(theta)))
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        for p, pol in enumerate("sp"):
            r, t, _, cosine, _ = _one_stack(index, d, lam, angle, pol)
            flux = index * (cosine if pol == "s" else np.conj(cosine))
            powers[:, p, w, a] = abs(r) ** 2, abs(t) ** 2 * flux[-1].real / flux[0].real
    return powers


def _amplitudes_question(n, d, wavelength, theta):
    amplitudes = np.empty((len(wavelength), len(theta), n.shape[-1], 2), complex)
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        *_, kz, _, waves = _one_stack(index, d, lam, angle, "s")
        amplitudes[w, a] = waves
        amplitudes[w, a, 1:-1, 1] *= np.exp(-1j * kz[1:-1] * d)  # the backward one's, far away
    return amplitudes


def _layer_absorption_question(n, d, wavelength, theta):
    absorbed = np.empty((len(wavelength), len(theta), len(d)))
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        *_, cosine, waves = _one_stack(index, d, lam, angle, "p")
        forward, backward = waves.T
        admittance = index * np.conj(cosine)
        flux = (admittance * (forward + backward) * np.conj(forward - backward)).real
        absorbed[w, a] = -np.diff(flux[1:]) / admittance[0].real
    return absorbed


def _parratt(n, d, wavelength, theta, pol):
    """q, the reflection at each interface, and t, of all stacks at once: the media first."""
    n = np.moveaxis(n, -1, 0)
    q = np.sqrt(n**2 - (n[0] * np.sin(theta)) ** 2)
    h = q if pol == "s" else q / n**2
    phase = np.exp(2j * np.pi / wavelength * d[:, None, None] * q[1:-1])
    reflection = np.empty((len(h) - 1, *h.shape[1:]), complex)
    behind, t = 0, np.ones(h.shape[1:], complex)
    for j in range(len(h) - 2, -1, -1):
        r = (h[j] - h[j + 1]) / (h[j] + h[j + 1])
        if j < len(h) - 2:
            behind = reflection[j + 1] * phase[j] ** 2
            t *= phase[j]
        t *= (1 + r) / (1 + r * behind)
        reflection[j] = (r + behind) / (1 + r * behind)
    return q, reflection, phase, t


def _powers_numpy(n, d, wavelength, theta):
    powers = np.empty((2, 2, len(wavelength), len(theta)))
    for p, pol in enumerate("sp"):
        q, reflection, _, t = _parratt(n, d, wavelength, theta, pol)
        h = q if pol == "s" else q / np.moveaxis(n, -1, 0) ** 2
        powers[0, p], powers[1, p] = np.abs(reflection[0]) ** 2, np.abs(t) ** 2
        powers[1, p] *= h[-1].real / h[0].real
    return powers


def _at_plane(z, n, edges, k0, solved, pol):
    """|E|² in the plane z, and what is absorbed in it."""
    _, _, kz, cosine, waves = solved
    j = np.searchsorted(edges, z, side="right")
    path = 1j * kz[j] * (z - edges[max(j - 1, 0)])
    forward, backward = waves[j] * np.exp([path, -path])
    if pol == "s":
        square, incident = abs(forward + backward) ** 2, n[0] * cosine[0]
    else:
        sine = np.sqrt(1 - cosine[j] ** 2)
        square = abs((forward - backward) * cosine[j]) ** 2 + abs((forward + backward) * sine) ** 2
        incident = n[0] * np.conj(cosine[0])
    return square, k0 * (n[j] ** 2).imag * square / incident.real


def _absorption_question(z, **stack):
    return _planes_question(z, **stack, pols="p")[1][0]


def _planes_question(z, n, d, wavelength, theta, pols):
    profiles = np.empty((2, len(pols), len(wavelength), len(theta), len(z)))
    for w, a, index, lam, angle in _stacks(n, wavelength, theta):
        edges, k0 = np.append(0, d.cumsum()), 2 * np.pi / lam
        for p, pol in enumerate(pols):
            solved = _one_stack(index, d, lam, angle, pol)
            for k, depth in enumerate(z):
                profiles[:, p, w, a, k] = _at_plane(depth, index, edges, k0, solved, pol)
    return profiles


def _intensity_question(z, **stack):
    return _planes_question(z, **stack, pols="sp")[0].sum(axis=(0, 2)) / 2


def _profiles_numpy(z, n, d, wavelength, theta, pol):
    """|E|² at all planes of all stacks, and n there."""
    q, reflection, phase, _ = _parratt(n, d, wavelength, theta, pol)
    n, batch = np.broadcast_to(np.moveaxis(n, -1, 0), q.shape), q.shape[1:]
    h = q if pol == "s" else q / n**2
    # u = forward + backward is continuous: from it the waves at the near interfaces
    waves = np.zeros((len(n), 2, *batch), complex)
    waves[0] = np.ones(batch), reflection[0]
    for j in range(1, len(n)):
        u = waves[j - 1].sum(axis=0)
        if j > 1:
            u = waves[j - 1, 0] * phase[j - 2] + waves[j - 1, 1] / phase[j - 2]
        behind = reflection[j] * phase[j - 1] ** 2 if j < len(n) - 1 else 0
        waves[j] = u / (1 + behind), u * behind / (1 + behind)
    edges = np.append(0, d.cumsum())
    j = np.searchsorted(edges, z, side="right")
    path = (z - edges[np.maximum(j - 1, 0)]).reshape(-1, *[1] * len(batch))
    exponential = np.exp(2j * np.pi / wavelength * q[j] * path)
    forward, backward = waves[j, 0] * exponential, waves[j, 1] / exponential
    if pol == "s":
        return np.abs(forward + backward) ** 2, n[j], h[0].real
    ratio = np.abs(n[0] / n[j] ** 2) ** 2
    square = np.abs(q[j]) ** 2 * np.abs(forward - backward) ** 2
    square += np.abs(n[0] * np.sin(theta)) ** 2 * np.abs(forward + backward) ** 2
    return square * ratio, n[j], h[0].real * np.abs(n[0]) ** 2


def _absorption_numpy(z, wavelength, **stack):
    square, n, incident = _profiles_numpy(z, **stack, wavelength=wavelength, pol="p")
    profile = 2 * np.pi / wavelength * (n**2).imag * square / incident
    return np.moveaxis(profile, 0, -1)


def _intensity_numpy(z, n, wavelength, **stack):
    sums = np.zeros((len(wavelength), len(z)))
    for k, total in enumerate(sums):  # all at once would take gigabytes
        one = {"n": n[k : k + 1], "wavelength": wavelength[k : k + 1]} | stack
        for pol in "sp":
            total += _profiles_numpy(z, **one, pol=pol)[0].sum(axis=(1, 2)) / 2
    return sums


_OPTICS_TOLERANCE = {np.complex128: 1e-12}

_OPTICS = (
    Case(
        "optics", "R and T of stacks", _powers, _stack_make,
        {"layers": 5, "wavelengths": 9, "angles": 7}, _OPTICS_TOLERANCE,
        _powers_question, _powers_numpy, {"layers": 20, "wavelengths": 200, "angles": 50},
        {"layers": 20, "wavelengths": 30, "angles": 10},
    ),
    Case(
        "optics", "absorption in the depth of a stack", _absorption, _stack_make,
        {"layers": 5, "wavelengths": 1, "angles": 1, "nz": 150}, _OPTICS_TOLERANCE,
        _absorption_question, _absorption_numpy,
        {"layers": 20, "wavelengths": 1, "angles": 1, "nz": 1000},
    ),
    Case(
        "optics", "intensity in the depth, summed over angles", _intensity, _stack_make,
        {"layers": 5, "wavelengths": 3, "angles": 4, "nz": 50}, _OPTICS_TOLERANCE,
        _intensity_question, _intensity_numpy,
        {"layers": 20, "wavelengths": 20, "angles": 10, "nz": 1000},
        {"layers": 20, "wavelengths": 4, "angles": 5, "nz": 300},
    ),
    Case(
        "optics", "amplitudes of the waves in stacks", _amplitudes, _stack_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE, _amplitudes_question,
    ),
    Case(
        "optics", "absorption in each layer of stacks", _layer_absorption, _stack_make,
        {"layers": 5, "wavelengths": 4, "angles": 5}, _OPTICS_TOLERANCE,
        _layer_absorption_question,
    ),
)  # fmt: skip


# --- rolled ---------------------------------------------------------------------------------


def _numbers(rng, dtype, *shape, below=None):
    """Integers are any, or less than `below`."""
    if dtype.kind == "b":
        return rng.random(shape) < 0.2
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (limits.min, limits.max) if below is None else (1 - below, below - 1)
        return rng.integers(low, high, shape, dtype, endpoint=True)
    real = rng.normal(size=shape)
    return (real + 1j * rng.normal(size=shape) if dtype.kind == "c" else real).astype(dtype)


def _rolled_make(rng, dtype, d, k, m, n, l, below=None):
    A = _numbers(rng, dtype, d, m, n, below=below)
    return {"A": A, "B": _numbers(rng, dtype, d, n, l, below=below), "k": k}


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
        "rolled", "rolled products, tiny", rolled.rolled_matmul, _rolled_make,
        {"d": 7, "k": 9, "m": 3, "n": 5, "l": 2}, _ROLLED_TOLERANCE,
        _rolled_question, _rolled_numpy, {"d": 64, "k": 16, "m": 4, "n": 4, "l": 4},
    ),
    Case(
        "rolled", "rolled products", rolled.rolled_matmul, _rolled_make,
        {"d": 3, "k": 4, "m": 33, "n": 17, "l": 20}, _ROLLED_TOLERANCE,
        _rolled_question, _rolled_numpy, {"d": 128, "k": 32, "m": 32, "n": 32, "l": 32},
    ),
    *(
        Case(
            "rolled", f"rolled products, {name}", rolled.rolled_matmul, _rolled_make,
            dict(zip("dkmnl", tiny, strict=True)), {np.float64: 2e-15},
            _rolled_question, _rolled_numpy, dict(zip("dkmnl", full, strict=True)),
            dict(zip("dkmnl", small, strict=True)),
        )
        for name, tiny, full, small in (
            (
                "long lists",
                (40, 9, 4, 4, 4), (4096, 16, 4, 4, 4), (1024, 16, 4, 4, 4),
            ),
            (
                "16 rows and columns",
                (5, 7, 16, 16, 16), (256, 32, 16, 16, 16), (128, 16, 16, 16, 16),
            ),
            (
                "128 rows and columns",
                (2, 3, 66, 70, 68), (32, 8, 128, 128, 128), (8, 8, 128, 128, 128),
            ),
        )
    ),
    Case(
        "rolled", "rolled products of integers", rolled.rolled_matmul, _rolled_make,
        {"d": 8, "k": 17, "m": 9, "n": 17, "l": 16, "below": 1000}, {np.int64: 0.0},
        _rolled_question, _rolled_numpy,
        {"d": 128, "k": 32, "m": 8, "n": 8, "l": 8, "below": 1000},
    ),
    Case(
        "rolled", "rolled products of other numbers", rolled.rolled_matmul, _rolled_make,
        {"d": 3, "k": 4, "m": 6, "n": 17, "l": 40},
        {np.bool_: 0.0, np.uint8: 0.0, np.int64: 0.0, np.complex64: 1e-6}, _rolled_question,
    ),
)  # fmt: skip


# --- binomial -------------------------------------------------------------------------------


def _binomial_make(rng, dtype, **arguments):
    return arguments


def _binomial_question(n, p, draws, method=None):
    samples = np.random.default_rng().binomial(n, p, draws)
    counts = np.zeros(n + 1, np.int64)
    for value in range(n + 1):
        counts[value] = np.sum(samples == value)
    return counts


def _binomial_numpy(n, p, draws):
    import scipy.stats

    probabilities = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    return np.random.default_rng().multinomial(draws, probabilities)


def _stream_numpy(n, p, draws, method):
    return np.bincount(np.random.default_rng().binomial(n, p, draws), minlength=n + 1)


def _stream(name, n, p):
    arguments = {"n": n, "p": p, "method": "stream"}
    return Case(
        "binomial", name, binomial.binomial_counts, _binomial_make,
        arguments | {"draws": 40_003}, {None: 0.0}, _binomial_question, _stream_numpy,
        arguments | {"draws": 10**6}, arguments | {"draws": 10**5}, random=True,
    )  # fmt: skip


def _pmf_question(n, p):
    return np.array([math.comb(n, v) * p**v * (1 - p) ** (n - v) for v in range(n + 1)])


def _pmf_numpy(n, p):
    import scipy.stats

    return scipy.stats.binom.pmf(np.arange(n + 1), n, p)


_BINOMIAL = (
    Case(
        "binomial", "binomial counts", binomial.binomial_counts, _binomial_make,
        {"n": 55, "p": 0.05, "draws": 10**4}, {None: 0.0},
        _binomial_question, _binomial_numpy, {"n": 55, "p": 0.05, "draws": 10**6},
        {"n": 55, "p": 0.05, "draws": 10**5}, random=True,
    ),
    _stream("binomial stream", 55, 0.05),
    _stream("binomial stream, few values", 9, 0.1),
    _stream("binomial stream, mean 25", 100, 0.25),
    _stream("binomial stream, mean 300", 1000, 0.3),
    Case(
        "binomial", "binomial probabilities", binomial.binomial_pmf, _binomial_make,
        {"n": 50, "p": 0.3}, {None: 1e-14}, _pmf_question, _pmf_numpy, {"n": 1000, "p": 0.3},
    ),
)  # fmt: skip


# --- sparse ---------------------------------------------------------------------------------


def _sparse_make(rng, dtype, shape, columns, density, format="csc", order="C"):
    import scipy.sparse

    places = np.nonzero(rng.random((shape[-1], columns)) < density)
    values = _numbers(rng, dtype, len(places[0]))
    A = scipy.sparse.coo_array((values, places), shape=(shape[-1], columns))
    X = np.asarray(_numbers(rng, dtype, *shape), order=order)
    return {"X": X, "A": A.asformat(format)}


def _sparse_question(X, A):
    out = np.empty((*X.shape[:-1], A.shape[1]), np.result_type(X, A.dtype))
    for index in np.ndindex(X.shape[:-1]):
        out[index] = A.T @ X[index]
    return out


def _sparse_numpy(X, A):
    return (X.reshape(-1, X.shape[-1]) @ A).reshape(*X.shape[:-1], A.shape[1])


_SPARSE_TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}

_SPARSE = (
    *(
        Case(
            "sparse", f"tensor × sparse matrix, density {density:g}", sparse.sparse_tensordot,
            _sparse_make, {"shape": tiny, "columns": 70, "density": 20 * density},
            _SPARSE_TOLERANCE, _sparse_question, _sparse_numpy,
            {"shape": full, "columns": full[-1], "density": density},
            {"shape": small, "columns": small[-1], "density": density},
        )
        for density, tiny, full, small in (
            (0.01, (9, 5, 80), (500, 500, 100), (60, 60, 100)),
            (0.001, (9, 5, 300), (200, 200, 1000), (40, 40, 1000)),
            (0.02, (9, 5, 60), (200, 200, 1000), (40, 40, 1000)),
        )
    ),
    Case(
        "sparse", "tensor × sparse matrix of other numbers", sparse.sparse_tensordot, _sparse_make,
        {"shape": (7, 6, 40), "columns": 90, "density": 0.1, "format": "csc", "order": "F"},
        {np.bool_: 0.0, np.uint8: 0.0, np.int64: 0.0, np.complex64: 1e-6, np.complex128: 2e-15},
        _sparse_question,
    ),
    Case(
        "sparse", "few rows × sparse matrix", sparse.sparse_tensordot, _sparse_make,
        {"shape": (2, 40), "columns": 90, "density": 0.1, "format": "coo"},
        {np.bool_: 0.0, np.uint8: 0.0, np.complex64: 1e-6, np.float64: 2e-15}, _sparse_question,
    ),
    *(
        Case(
            "sparse", f"tensor × sparse matrix in format {format}", sparse.sparse_tensordot,
            _sparse_make, {"shape": (7, 40), "columns": 30, "density": 0.1, "format": format},
            {np.float64: 2e-15}, _sparse_question,
        )
        for format in ("csr", "bsr", "dia", "dok", "lil")
    ),
)  # fmt: skip


# --- solve ----------------------------------------------------------------------------------


def _solve_make(rng, dtype, count, n, columns, assume_a="gen"):
    def numbers(*shape):
        real = rng.normal(size=shape)
        return (real + 1j * rng.normal(size=shape) if dtype.kind == "c" else real).astype(dtype)

    A = numbers(count, n, n) + 2 * n * np.eye(n, dtype=dtype)
    if assume_a == "pos":
        A = A @ A.conj().swapaxes(1, 2)
    return {"A": A, "b": numbers(count, n, columns), "assume_a": assume_a}


def _solve_question(A, b, assume_a):
    return np.stack([np.linalg.solve(*system) for system in zip(A, b, strict=True)])


def _solve_numpy(A, b, assume_a):
    return np.linalg.solve(A, b)


_SOLVE = (
    Case(
        "solve", "small systems", solve.solve_many, _solve_make,
        {"count": 37, "n": 5, "columns": 2}, {np.complex64: 1e-5, np.float64: 2e-14},
        _solve_question, _solve_numpy, {"count": 10_000, "n": 8, "columns": 1},
        {"count": 1000, "n": 8, "columns": 1},
    ),
    Case(
        "solve", "small positive definite systems", solve.solve_many, _solve_make,
        {"count": 37, "n": 5, "columns": 2, "assume_a": "pos"},
        {np.complex128: 2e-14, np.float64: 2e-14}, _solve_question, _solve_numpy,
        {"count": 10_000, "n": 8, "columns": 1, "assume_a": "pos"},
        {"count": 1000, "n": 8, "columns": 1, "assume_a": "pos"},
    ),
    Case(
        "solve", "systems of 32 rows", solve.solve_many, _solve_make,
        {"count": 3, "n": 9, "columns": 4}, {np.float64: 2e-14},
        _solve_question, _solve_numpy, {"count": 1000, "n": 32, "columns": 1},
        {"count": 200, "n": 32, "columns": 1},
    ),
    Case(
        "solve", "positive definite systems by LAPACK", solve.solve_many, _solve_make,
        {"count": 5, "n": 50, "columns": 2, "assume_a": "pos"}, {np.float64: 2e-14},
        _solve_question,
    ),
)  # fmt: skip


# --- linalg ---------------------------------------------------------------------------------


def _rows_make(rng, dtype, n, m, spread=3.0, **others):
    return {"X": rng.normal(0, spread, (n, m)).astype(dtype, copy=False)} | others


def _distances_make(rng, dtype, n, m, d):
    return {name: rng.normal(size=(k, d)).astype(dtype) for name, k in (("X", n), ("Y", m))}


def _distances_question(X, Y):
    differences = X.astype(np.float64)[:, None] - Y
    return np.sqrt((differences**2).sum(axis=-1))


def _distances_numpy(X, Y):
    q = X @ Y.T
    q *= -2
    q += np.einsum("if,if->i", X, X)[:, None]
    q += np.einsum("jf,jf->j", Y, Y)
    np.maximum(q, 0, out=q)
    return np.sqrt(q, out=q)


def _softmax_question(X, axis=-1):
    e = np.exp(X - X.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _softmax_numpy(X, axis=-1):
    e = X - X.max(axis, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(axis, keepdims=True)
    return e


def _normalize_question(X):
    return X / np.linalg.norm(X, axis=1)[:, None]


def _normalize_numpy(X):
    return X * (1 / np.sqrt(np.einsum("ij,ij->i", X, X)))[:, None]


def _covariance_make(rng, dtype, n, d, batch=()):
    mixed = rng.normal(size=(*batch, n, d)) @ rng.normal(size=(d, d))
    return {"X": (mixed + rng.normal(size=d)).astype(dtype)}


def _covariance_question(X):
    X = X.astype(np.float64)
    flat = X.reshape(-1, *X.shape[-2:])
    return np.array([np.cov(x, rowvar=False) for x in flat]).reshape(
        *X.shape[:-2], *X.shape[-1:] * 2
    )


def _covariance_numpy(X):
    centred = X - X.mean(axis=-2, keepdims=True)
    c = centred.swapaxes(-1, -2) @ centred
    c /= X.shape[-2] - 1
    return c


def _mlp_make(rng, dtype, n, widths, **others):
    layers = list(itertools.pairwise(widths))
    return others | {
        "X": rng.normal(size=(n, widths[0])).astype(dtype),
        "weights": [(rng.normal(size=layer) / layer[0] ** 0.5).astype(dtype) for layer in layers],
        "biases": [rng.normal(size=layer[1]).astype(dtype) for layer in layers],
    }


_FUNCTIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
    "softmax": _softmax_question,
}


def _mlp_question(X, weights, biases, activation="relu", output_activation="softmax"):
    last = len(weights) - 1
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        X = _FUNCTIONS[output_activation if k == last else activation](X @ w + b)
    return X


def _mlp_numpy(X, weights, biases):
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        X = X @ w
        X += b
        np.maximum(X, 0, out=X)
    return _softmax_numpy(X @ weights[-1] + biases[-1])


_ROWS_TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}
_MLP_TOLERANCE = {np.float64: 3e-15, np.float32: 2e-6}

_LINALG = (
    Case(
        "linalg", "distances", linalg.distances, _distances_make,
        {"n": 50, "m": 37, "d": 20}, {np.float32: 1e-6, np.float64: 1e-14},
        _distances_question, _distances_numpy, {"n": 2000, "m": 2000, "d": 20},
        {"n": 500, "m": 500, "d": 20},
    ),
    Case(
        "linalg", "softmax", linalg.softmax, _rows_make,
        {"n": 130, "m": 99}, _ROWS_TOLERANCE,
        _softmax_question, _softmax_numpy, {"n": 4000, "m": 1000}, {"n": 500, "m": 1000},
    ),
    Case(
        "linalg", "softmax of columns", linalg.softmax, _rows_make,
        {"n": 99, "m": 130, "axis": 0}, _ROWS_TOLERANCE,
        _softmax_question, _softmax_numpy, {"n": 1000, "m": 4000, "axis": 0},
        {"n": 500, "m": 1000, "axis": 0},
    ),
    Case(
        "linalg", "rows of length 1", linalg.normalize_rows, _rows_make,
        {"n": 130, "m": 99}, _ROWS_TOLERANCE,
        _normalize_question, _normalize_numpy, {"n": 4000, "m": 1000}, {"n": 500, "m": 1000},
    ),
    Case(
        "linalg", "covariance", linalg.covariance, _covariance_make,
        {"n": 1100, "d": 70}, _ROWS_TOLERANCE,
        _covariance_question, _covariance_numpy, {"n": 100_000, "d": 50}, {"n": 20_000, "d": 50},
    ),
    Case(
        "linalg", "covariances of a batch", linalg.covariance, _covariance_make,
        {"batch": (7,), "n": 300, "d": 5}, _ROWS_TOLERANCE,
        _covariance_question, _covariance_numpy, {"batch": (1000,), "n": 200, "d": 20},
        {"batch": (100,), "n": 200, "d": 20},
    ),
    Case(
        "linalg", "multilayer perceptron", linalg.mlp_forward, _mlp_make,
        {"n": 300, "widths": (20, 16, 5)}, _MLP_TOLERANCE,
        _mlp_question, _mlp_numpy, {"n": 4096, "widths": (784, 256, 128, 10)},
        {"n": 512, "widths": (784, 256, 128, 10)},
    ),
    *(
        Case(
            "linalg", f"multilayer perceptron, {name}", linalg.mlp_forward, _mlp_make,
            {"n": 40, "widths": (20, 16, 5), "activation": name, "output_activation": "identity"},
            _MLP_TOLERANCE, _mlp_question,
        )
        for name in ("tanh", "sigmoid")
    ),
)  # fmt: skip


CASES = _ARD + _FIELD + _LSTSQ + _OPTICS + _ROLLED + _BINOMIAL + _SPARSE + _SOLVE + _LINALG
