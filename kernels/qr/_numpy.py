import numpy as np
import scipy.linalg


def columns(j0, j1, a, columns):
    columns[j0:j1] = a[:, j0:j1].T


def _reflections(panel):
    """V of a panel's rows, which are columns: unit lower triangular."""
    v = np.tril(panel.T, -1)
    np.fill_diagonal(v, 1)
    return v


def panel(k0, k1, first, columns, t):
    with np.errstate(all="ignore"):
        (raw, tau), _ = scipy.linalg.qr(columns[k0:k1, first:].T, mode="raw", check_finite=False)
        columns[k0:k1, first:] = raw.T
        v, t[k0:k1] = _reflections(raw.T), 0
        for j, factor in enumerate(tau):  # I - V T Vᴴ, times the reflection of one v more
            t[k0 + j, j] = factor
            t[k0 + j, :j] = -factor * np.triu(t[k0 : k0 + j, :j].T) @ (v[:, :j].conj().T @ v[:, j])


def update(j0, j1, k0, k1, panel, t, first, columns):
    v, t = _reflections(panel[k0:k1, first:]), t[k0:k1, : k1 - k0]
    c = columns[j0:j1, first:].T
    with np.errstate(all="ignore"):
        c -= v @ (t.conj() @ (v.conj().T @ c))


def orthogonal(j0, j1, columns, t, first, q, r):
    count, width = j1 - j0, t.shape[1]
    q[:, j0:j1] = np.eye(len(q), count, -first)
    with np.errstate(all="ignore"):
        for k in range((first + count - 1) // width * width, -1, -width):
            v = _reflections(columns[k : k + width, k:])
            c = q[k:, j0:j1]
            c -= v @ (t[k : k + width, : v.shape[1]].T @ (v.conj().T @ c))
    upper = np.tril(columns[first : first + count, : len(r)], first).T
    r[:, j0:j1] = upper


def divide(i0, i1, a, r, q, product):
    with np.errstate(all="ignore"):
        q[i0:i1] = a[i0:i1]
        correct(i0, i1, r, q)
        product += np.triu(q[i0:i1].conj().T @ q[i0:i1])


def correct(i0, i1, r, q):
    with np.errstate(all="ignore"):
        solved = scipy.linalg.solve_triangular(r, q[i0:i1].conj().T, trans="C", check_finite=False)
        q[i0:i1] = solved.conj().T
