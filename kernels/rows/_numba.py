import numpy as np

from .._blas_numba import gemm, geqp3, gram, orgqr
from .._jit_numba import inlined, jit

_CHUNK = 65536  # numbers in double precision that are at work at a time: a cache holds them


@inlined
def _height(width):
    # how many rows of so many numbers are taken at a time
    return max(256, _CHUNK // width)


@inlined
def _double(a):
    # a copy in double precision
    return a * np.float64(1)


@inlined
def _parts(x):
    # all parts of all numbers in double precision
    return x.reshape(-1).view(np.float64)


@jit
def _subtract(rows, less):
    parts, width = _parts(rows), less.shape[1] * less.shape[2]
    for k in range(len(less)):
        row = less[k].reshape(-1)
        for i in range(len(rows)):
            for j in range(width):
                parts[i * width + j] -= row[j]


@jit
def sums(i0, i1, a, less, total):
    n, into = a.shape[1], total.reshape(-1)
    height = _height(len(into))
    for start in range(i0, i1, height):
        rows = _double(a[start : min(start + height, i1)])
        _subtract(rows, less)
        total_of_rows = np.zeros(n, rows.dtype)
        for i in range(len(rows)):
            for j in range(n):
                total_of_rows[j] += rows[i, j]
        into += _parts(total_of_rows)


@jit
def products(i0, i1, a, b, total):
    n, p, into = a.shape[1], b.shape[1], total.reshape(-1)
    height = _height((n + p) * total.shape[2])
    for start in range(i0, i1, height):
        rows = _double(a[start : min(start + height, i1)])
        columns = _double(b[start : min(start + height, i1)])
        product = np.zeros((n, p), rows.dtype)
        gemm(n, p, len(rows), rows, n, columns, p, product, p, False, True, False)
        into += _parts(product)


@jit
def inner_products(i0, i1, a, total):
    n, into = a.shape[1], total.reshape(-1)
    height = _height(n * total.shape[2])
    product = np.zeros((n, n), _double(a[:0]).dtype)
    for start in range(i0, i1, height):
        rows = _double(a[start : min(start + height, i1)])
        gram(len(rows), n, rows, n, product, n)
        into += _parts(product)


@jit
def triangular(i0, i1, k0, k1, a, less, factors, q):
    m, n = i1 - i0, a.shape[1]
    height = _height(n * factors.shape[3])
    columns = np.empty((n, m), _double(a[:0]).dtype)
    for start in range(0, m, height):
        rows = _double(a[i0 + start : min(i0 + start + height, i1)])
        _subtract(rows, less)
        for j in range(n):
            for i in range(len(rows)):
                columns[j, start + i] = rows[i, j]
    size = 2 * n + 64 * (n + 1)
    tau, work = np.empty(n, columns.dtype), np.empty(size, columns.dtype)
    fixed = np.full(n, -1)  # not 0, whatever the width of LAPACK's integers: columns that stay
    geqp3(m, n, columns, fixed, tau, work, size, np.empty(2 * n))
    r = np.zeros((n, n), columns.dtype)
    for i in range(n):
        for j in range(i, n):
            r[i, j] = columns[j, i]
    factors[k0].reshape(-1)[:] = _parts(r)
    if len(q):
        orgqr(m, n, columns, tau, work, size)
        for start in range(0, m, height):
            for i in range(start, min(start + height, m)):
                for j in range(n):
                    q[i0 + i, j] = columns[j, i]


@jit
def multiply(i0, i1, k0, k1, factors, q):
    n = q.shape[1]
    height = _height(n * factors.shape[3])
    factor = np.empty((n, n), _double(q[:0]).dtype)
    _parts(factor)[:] = factors[k0].reshape(-1)
    product = np.empty((height, n), factor.dtype)
    for start in range(i0, i1, height):
        rows = _double(q[start : min(start + height, i1)])
        gemm(len(rows), n, n, rows, n, factor, n, product, n, False, False, False)
        for i in range(len(rows)):
            for j in range(n):
                q[start + i, j] = product[i, j]
