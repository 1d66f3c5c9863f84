from .._blas_numba import multiply_adjoint, potrf, subtract, subtract_gram, trsm_lower, trsv_lower
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
def invert(i0, i1, lower, place, v):
    n = lower.shape[1]
    v[i0:i1, place:] = 0
    for i in range(i0, i1):
        v[i, place + i - i0] = 1
    _solve(i1 - i0, n - place, lower[place:, place:], n, True, v[i0:, place:], n)


@jit
def product(i0, i1, j0, j1, left, right, x, y, scale, start, mirror, out):
    n = left.shape[1]
    multiply_adjoint(i1 - i0, j1 - j0, n - start, left[i0:, start:], n, right[j0:, start:], n,
                     out[i0:, j0:], out.shape[1])  # fmt: skip
    for i in range(i0, i1):
        for j in range(j0, j1):
            out[i, j] = scale * out[i, j]
        for t in range(x.shape[1]):
            for j in range(j0, j1):
                out[i, j] += x[i, t] * y[j, t].conjugate()
    if mirror:
        for i in range(i0, i1):
            for j in range(j0, j1):
                out[j, i] = out[i, j].conjugate()
