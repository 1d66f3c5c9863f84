import numpy as np

from .._blas_numba import BLAS_INT, eliminate, getrf_panel, getrs, laswp
from .._jit_numba import inlined, jit


@inlined
def _larger(x, y):
    # NaN if one of them is
    return x if x >= y or x != x else y


@jit
def columns(j0, j1, a, lu, largest):
    # in squares of 16, of which the rows are in cache
    for c in range(j0, j1, 16):
        for r in range(0, len(a), 16):
            for j in range(c, min(c + 16, j1)):
                for i in range(r, min(r + 16, len(a))):
                    lu[j, i] = a[i, j]
    for j in range(j0, j1):
        size = 0.0
        for i in range(len(a)):
            size = _larger(size, abs(float(lu[j, i].real)))
            size = _larger(size, abs(float(lu[j, i].imag)))
        largest[j] = size


@inlined
def _numbered(order, first):
    # as LAPACK counts the rows from `first` on
    pivots = np.empty(len(order), BLAS_INT)
    for k in range(len(order)):
        pivots[k] = order[k] - first + 1
    return pivots


@jit
def panel(k0, k1, first, lu, order):
    n, pivots = lu.shape[1], np.empty(k1 - k0, BLAS_INT)
    getrf_panel(n - first, k1 - k0, lu[k0:, first:], n, pivots)
    for k in range(k1 - k0):
        order[k0 + k] = first + pivots[k] - 1


@jit
def update(j0, j1, k0, k1, panel, order, first, lu):
    n, some = lu.shape[1], lu[j0:, first:]
    laswp(j1 - j0, some, n, k1 - k0, _numbered(order[k0:k1], first))
    eliminate(n - first, j1 - j0, k1 - k0, panel[k0:, first:], some, n)


@jit
def exchange(j0, j1, order, first, lu):
    n = lu.shape[1]
    laswp(j1 - j0, lu[j0:, first:], n, n - first, _numbered(order[first:], first))


@jit
def solve(c0, c1, lu, order, b, x):
    n = len(lu)
    y = b[:, c0:c1].T.copy()
    getrs(n, c1 - c0, lu, n, _numbered(order, 0), y, n)
    x[:, c0:c1] = y.T
