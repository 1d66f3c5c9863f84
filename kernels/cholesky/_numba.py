import numpy as np

from .._blas_numba import (
    gemm,
    multiply_adjoint,
    potrf,
    subtract,
    subtract_gram,
    trsm_lower,
    trsv_lower,
)  # fmt: skip
from .._jit_numba import inlined, jit
from . import PANEL

# --- the factor -----------------------------------------------------------------------------


@jit
def update(i0, i1, j0, j1, k0, k1, left, right, a):
    _update(i0, i1, j0, j1, k0, k1, left, right, a)


@inlined
def _update(i0, i1, j0, j1, k0, k1, left, right, a):
    if k1 > k0:
        subtract(i1 - i0, j1 - j0, k1 - k0, left[i0:, k0:], left.shape[1], right[j0:, k0:],
                 right.shape[1], a[i0:, j0:], a.shape[1], True)  # fmt: skip


@jit
def factor(j0, j1, k0, k1, left, a, share):
    if k1 > k0:
        subtract_gram(j1 - j0, k1 - k0, left[j0:, k0:], left.shape[1], a[j0:, j0:], a.shape[1])
    bad = j0 + potrf(j1 - j0, a[j0:, j0:], a.shape[1], True) - 1
    for j in range(j0, j1):
        pivot = a[j, j].real
        share[j] = pivot * pivot / share[j] if bad < j0 or j < bad else 0.0


@jit
def column(i0, i1, j0, j1, k0, k1, left, right, corner, a):
    _update(i0, i1, j0, j1, k0, k1, left, right, a)
    trsm_lower(i1 - i0, j1 - j0, corner[j0:, j0:], corner.shape[1], a[i0:, j0:], a.shape[1], True)


# --- what follows from it -------------------------------------------------------------------


@inlined
def _solve(m, n, lower, ldl, adjoint, b, ldb):
    # B (m, n) becomes B L^-H, panel by panel from the first, or B L^-1 from the last
    if m == 1:
        trsv_lower(n, lower, ldl, b, adjoint)
        return
    if adjoint:
        for j in range(0, n, PANEL):
            width = min(PANEL, n - j)
            if j:
                subtract(m, width, j, b, ldb, lower[j:], ldl, b[:, j:], ldb, True)
            trsm_lower(m, width, lower[j:, j:], ldl, b[:, j:], ldb, True)
        return
    for j in range((n - 1) // PANEL * PANEL, -1, -PANEL):
        end = min(j + PANEL, n)
        if end < n:
            subtract(m, end - j, n - end, b[:, end:], ldb, lower[end:, j:], ldl, b[:, j:], ldb,
                     False)  # fmt: skip
        trsm_lower(m, end - j, lower[j:, j:], ldl, b[:, j:], ldb, False)


@jit
def solve(i0, i1, lower, adjoint, b):
    _solve(i1 - i0, b.shape[1], lower, lower.shape[1], adjoint, b[i0:], b.shape[1])


@jit
def back(j0, j1, k0, k1, behind, lower, corner, b):
    m, ldb = b.shape
    if k1 > k0:
        subtract(m, j1 - j0, k1 - k0, behind[:, k0:], behind.shape[1], lower[k0:, j0:],
                 lower.shape[1], b[:, j0:], ldb, False)  # fmt: skip
    trsm_lower(m, j1 - j0, corner[j0:, j0:], corner.shape[1], b[:, j0:], ldb, False)


# --- the inverse ----------------------------------------------------------------------------


@jit
def corner(j0, j1, lower, v):
    v[j0:j1, : j1 - j0] = 0
    for j in range(j0, j1):
        v[j, j - j0] = 1
    trsm_lower(j1 - j0, j1 - j0, lower[j0:, j0:], lower.shape[1], v[j0:], v.shape[1], True)


@jit
def invert(i0, i1, j0, j1, k0, k1, start, first, left, right, corner, v):
    m, n = i1 - i0, j1 - j0
    tile = np.zeros((m, n), v.dtype)
    subtract(m, n, m, start[i0:], start.shape[1], first[j0:, i0:], first.shape[1], tile, n, True)
    if k1 > k0:
        subtract(m, n, k1 - k0, left[i0:, k0:], left.shape[1], right[j0:, k0:], right.shape[1],
                 tile, n, True)  # fmt: skip
    gemm(m, n, n, tile, n, corner[j0:], corner.shape[1], v[i0:, j0:], v.shape[1], False, False,
         False)  # fmt: skip


@jit
def square(j0, j1, k0, k1, corner, right, x, scale, weight, out):
    n = j1 - j0
    out[j0:j1, j0:j1] = 0
    subtract_gram(n, n, corner[j0:], corner.shape[1], out[j0:, j0:], out.shape[1])
    if k1 > k0:
        subtract_gram(n, k1 - k0, right[j0:, k0:], right.shape[1], out[j0:, j0:], out.shape[1])
    for i in range(j0, j1):
        for j in range(j0, i + 1):
            z = -scale * out[i, j]
            for t in range(len(x)):
                z += weight * x[t, i].conjugate() * x[t, j]
            out[i, j], out[j, i] = z, z.conjugate()


@jit
def product(i0, i1, j0, j1, k0, k1, corner, left, right, x, y, scale, weight, out):
    m, n = i1 - i0, j1 - j0
    tile = -out[i0:i1, j0:j1]
    multiply_adjoint(m, n, n, tile, n, corner[j0:], corner.shape[1], out[i0:, j0:], out.shape[1])
    if k1 > k0:
        subtract(m, n, k1 - k0, left[i0:, k0:], left.shape[1], right[j0:, k0:], right.shape[1],
                 out[i0:, j0:], out.shape[1], True)  # fmt: skip
    for i in range(i0, i1):
        for j in range(j0, j1):
            out[i, j] = -scale * out[i, j]
        for t in range(len(x)):
            z = weight * x[t, i].conjugate()
            for j in range(j0, j1):
                out[i, j] += z * y[t, j]


@jit
def gram(i0, i1, j0, j1, left, right, mirror, out):
    n = left.shape[1]
    multiply_adjoint(i1 - i0, j1 - j0, n, left[i0:], n, right[j0:], n, out[i0:, j0:], out.shape[1])
    if mirror:
        for i in range(i0, i1):
            for j in range(j0, j1):
                out[j, i] = out[i, j].conjugate()
