import numpy as np

from .._blas_numba import gemqrt, geqrt, gram, trsm
from .._jit_numba import inlined, jit

_N, _T, _C = map(ord, "NTC")


@inlined
def _transpose(a, out):
    # out = a^T, in squares of 16, of which the rows are in cache
    for c in range(0, len(out), 16):
        for r in range(0, len(a), 16):
            for j in range(c, min(c + 16, len(out))):
                for i in range(r, min(r + 16, len(a))):
                    out[j, i] = a[i, j]


@jit
def columns(j0, j1, a, columns):
    _transpose(a[:, j0:j1], columns[j0:j1])


@jit
def panel(k0, k1, first, columns, t):
    m, width = columns.shape[1], k1 - k0
    t[k0:k1] = 0
    work = np.empty((width, width), t.dtype)
    geqrt(m - first, width, columns[k0:, first:], m, t[k0:], t.shape[1], work)


@jit
def update(j0, j1, k0, k1, panel, t, first, columns):
    m, width = columns.shape[1], k1 - k0
    work = np.empty((j1 - j0, width), t.dtype)
    adjoint = _C if np.iscomplexobj(t) else _T
    gemqrt(m - first, j1 - j0, width, panel[k0:, first:], m, t[k0:], t.shape[1],
           columns[j0:, first:], m, work, adjoint)  # fmt: skip


@jit
def orthogonal(j0, j1, columns, t, first, q, r):
    m, n, width, count = len(q), len(r), t.shape[1], j1 - j0
    y, work = np.zeros((count, m), t.dtype), np.empty((count, width), t.dtype)
    for j in range(count):
        y[j, first + j] = 1
    # the reflections behind do nothing
    for k in range((first + count - 1) // width * width, -1, -width):
        gemqrt(m - k, count, min(width, n - k), columns[k:, k:], m, t[k:], width, y[:, k:], m,
               work, _N)  # fmt: skip
    _transpose(y, q[:, j0:j1])
    _transpose(columns[first : first + count, :n], r[:, j0:j1])
    for i in range(first, n):
        r[i, j0 : j0 + min(i - first, count)] = 0


@jit
def divide(i0, i1, a, r, q, product):
    m, n = i1 - i0, a.shape[1]
    part = np.empty((n, n), q.dtype)
    q[i0:i1] = a[i0:i1]
    trsm(m, n, r, n, q[i0:], n, True, False)
    gram(m, n, q[i0:], n, part, n)
    for i in range(n):
        for j in range(i, n):
            product[i, j] += part[i, j]


@jit
def correct(i0, i1, r, q):
    n = len(r)
    trsm(i1 - i0, n, r, n, q[i0:], n, True, False)
