import numpy as np
import scipy.linalg


def _double(a):
    return a.astype(np.result_type(a.dtype, np.float64))


def _parts(x):
    """The parts of numbers in double precision along a last axis."""
    return np.ascontiguousarray(x)[..., None].view(np.float64)


def _numbers(parts):
    """The numbers of these parts."""
    return parts.view(np.complex128 if parts.shape[-1] == 2 else np.float64)[..., 0]


def _less(a, less):
    rows = _double(a)
    for one in _numbers(less):
        rows -= one
    return rows


def sums(i0, i1, a, less, total):
    with np.errstate(all="ignore"):
        total += _parts(_less(a[i0:i1], less).sum(axis=0))


def products(i0, i1, a, b, total):
    with np.errstate(all="ignore"):
        total += _parts(_double(a[i0:i1]).T @ _double(b[i0:i1]))


def inner_products(i0, i1, a, total):
    rows = _double(a[i0:i1])
    with np.errstate(all="ignore"):
        total += _parts(np.triu(rows.conj().T @ rows))


def triangular(i0, i1, k0, k1, a, less, factors, q):
    rows = _less(a[i0:i1], less)
    with np.errstate(all="ignore"):
        if q.size:
            q[i0:i1], r = scipy.linalg.qr(rows, mode="economic", check_finite=False)
        else:
            r = scipy.linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]
        factors[k0] = _parts(r)


def multiply(i0, i1, k0, k1, factors, q):
    with np.errstate(all="ignore"):
        q[i0:i1] = _double(q[i0:i1]) @ _numbers(factors[k0])
