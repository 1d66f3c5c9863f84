"""Least-squares problems whose solutions are known, and other ways to them."""

import fractions
import json
import pathlib

import numpy as np

NIST = json.loads((pathlib.Path(__file__).parent / "data/nist_strd.json").read_text())
EPS = np.finfo(float).eps


def nist(name):
    """A, y and the exact solution of one of NIST's data sets."""
    problem = NIST[name]
    if problem["X"] is None:
        x = np.array(problem["x"], float)
        a = x[:, None] ** np.arange(problem["degree"] + 1)
    else:
        a = np.array(problem["X"], float)
        if a.shape[1] < problem["p"]:
            a = np.column_stack([np.ones(len(a)), a])
    return a, np.array(problem["y"], float), np.array(problem["exact_beta_30d"], float)


def digits(x, exact):
    return -np.log10(max(np.abs(x / exact - 1).max(), 1e-17))


def make(shape, dtype=float, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape)
    return (a + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else a).astype(dtype)


def adjoint(a):
    return a.conj().swapaxes(-1, -2)


def exactly(x):
    """In rational numbers."""
    return np.vectorize(fractions.Fraction, otypes=[object])(x)


def inverted(a):
    """The inverse, by elimination in rational numbers."""
    n = len(a)
    rows = np.concatenate([a, exactly(np.eye(n))], axis=1)
    for k in range(n):
        pivot = k + np.flatnonzero(rows[k:, k])[0]
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] /= rows[k, k]
        others = np.arange(n) != k
        rows[others] -= rows[others, k, None] * rows[k]
    return rows[:, n:]


def solved_exactly(a, b, weights=1, alpha=0):
    """The minimum, by the normal equations in rational numbers."""
    a, b, w, alpha = map(exactly, (a, b, weights, alpha))
    adjoint = a.T * w
    return (inverted(adjoint @ a + alpha * exactly(np.eye(a.shape[1]))) @ adjoint @ b).astype(float)


def least_norm(a, b, rank):
    """The minimum of least norm, if A's first columns are independent: by A = A_k F,
    x = Fᵀ (F Fᵀ)⁻¹ (A_kᵀ A_k)⁻¹ A_kᵀ b."""
    a, b = exactly(a), exactly(b)
    first = a[:, :rank]
    inverse = inverted(first.T @ first)
    f = inverse @ first.T @ a
    return (f.T @ inverted(f @ f.T) @ inverse @ first.T @ b).astype(float)
