import numpy as np
import scipy.linalg


def columns(j0, j1, a, lu, largest):
    lu[j0:j1] = a[:, j0:j1].T
    parts = np.maximum(np.abs(lu[j0:j1].real), np.abs(lu[j0:j1].imag))
    largest[j0:j1] = parts.max(axis=1)


def panel(k0, k1, first, lu, order):
    getrf = scipy.linalg.get_lapack_funcs("getrf", (lu,))
    with np.errstate(all="ignore"):
        factors, pivots, _ = getrf(lu[k0:k1, first:].T)
    lu[k0:k1, first:], order[k0:k1] = factors.T, first + pivots


def _exchange(columns, order, first):
    for row, other in enumerate(order, first):
        columns[:, [row, other]] = columns[:, [other, row]]


def update(j0, j1, k0, k1, panel, order, first, lu):
    some, lower, middle = lu[j0:j1], panel[k0:k1, first:].T, k1 - k0
    _exchange(some, order[k0:k1], first)
    with np.errstate(all="ignore"):
        a = some[:, first:].T
        a[:middle] = scipy.linalg.solve_triangular(
            lower[:middle], a[:middle], lower=True, unit_diagonal=True, check_finite=False
        )
        a[middle:] -= lower[middle:] @ a[:middle]


def exchange(j0, j1, order, first, lu):
    _exchange(lu[j0:j1], order[first:], first)


def solve(c0, c1, lu, order, b, x):
    getrs = scipy.linalg.get_lapack_funcs("getrs", (lu,))
    with np.errstate(all="ignore"):
        x[:, c0:c1] = getrs(lu.T, order, b[:, c0:c1])[0]
