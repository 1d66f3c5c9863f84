import math

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from .._blas_numba import BLAS_INT, gemm, geqp3, gesdd, getrf, getrs, gram, orgqr, potrf, trsm, trsv
from .._jit_numba import inlined, jit
from . import CHOLESKY, LU, QR, SVD


@inlined
def _size(z):
    # within a factor of sqrt(2) of |z|
    return max(abs(float(z.real)), abs(float(z.imag)))


@inlined
def _square(z):
    return float(z.real) * float(z.real) + float(z.imag) * float(z.imag)


@inlined
def _exponent(x):
    # that of the power of two that is just above x > 0, from -1020 to 1020
    exponent = 0
    if x > 0 and math.isfinite(x):
        exponent = math.frexp(x)[1]
    return max(-1020, min(1020, exponent))


@inlined
def _reciprocal(x):
    # the power of two that takes x > 0 to [½, 1)
    return math.ldexp(1.0, -_exponent(x))


@jit
def prepare(k0, k1, a, root, alpha, out, scale):
    m, n = a.shape[1:]
    total = np.empty(n)
    for k in range(k0, k1):
        total[:] = math.sqrt(alpha)
        for i in range(m):
            w = root[k, i] if root.shape[1] else 1.0
            for j in range(n):
                total[j] = max(total[j], w * _size(a[k, i, j]))
        for j in range(n):  # first so that squares stay in range
            scale[k, j] = _reciprocal(total[j])
            total[j] = alpha * scale[k, j] * scale[k, j]
        for i in range(m):
            w = root[k, i] if root.shape[1] else 1.0
            for j in range(n):
                out[k, i, j] = a[k, i, j] * (w * scale[k, j])
                total[j] += _square(out[k, i, j])
        for j in range(n):
            total[j] = min(_reciprocal(math.sqrt(total[j])), 2.0**1020 / scale[k, j])
            scale[k, j] *= total[j]
        for i in range(m):
            for j in range(n):
                out[k, i, j] = out[k, i, j] * total[j]
        if alpha > 0:
            out[k, m:] = 0
            for i in range(n):
                out[k, m + i, i] = math.sqrt(alpha) * scale[k, i]


# --- factors --------------------------------------------------------------------------------


@jit
def _columns(a, out):
    # out = a^T, both of rows in memory
    for start in range(0, len(a), 16):
        for j in range(len(out)):
            for i in range(start, min(start + 16, len(a))):
                out[j, i] = a[i, j]


@inlined
def _widen(order):
    # the pivots that LAPACK left there, counted from 0: from the last, as each may be narrower than
    # its place
    pivots = order.view(BLAS_INT)
    for j in range(len(order) - 1, -1, -1):
        order[j] = pivots[j] - 1


@jit
def factor_lu(k0, k1, a, right, order, ratio):
    n = a.shape[1]
    largest = np.empty(n)
    for k in range(k0, k1):
        lu = right[k]
        _columns(a[k], lu)
        for j in range(n):
            largest[j] = 0
            for i in range(n):
                largest[j] = max(largest[j], _size(lu[j, i]))
        getrf(n, lu, n, order[k])
        _widen(order[k])
        ratio[k] = 1
        for j in range(n):
            pivot = _size(lu[j, j])
            share = pivot / largest[j] if pivot != 0 else 0.0
            ratio[k] = share if share < ratio[k] else ratio[k]


@jit
def _cholesky(a):
    # R in place of the upper triangle of A; the smallest share of a diagonal element that is left
    # when those before it are eliminated, 0 if none is
    n = len(a)
    diagonal = np.empty(n)
    for j in range(n):
        diagonal[j] = a[j, j].real
    share = 0.0 if potrf(n, a, n) > 0 else 1.0
    for j in range(n):
        left = _square(a[j, j]) / diagonal[j]
        share = left if left < share else share
    return share


@jit
def factor_cholesky(k0, k1, a, right, ratio):
    for k in range(k0, k1):
        right[k] = a[k]
        ratio[k] = _cholesky(right[k])


@jit
def factor_normal(k0, k1, a, right, ratio):
    m, n = a.shape[1:]
    for k in range(k0, k1):
        gram(m, n, a[k], n, right[k], n)
        ratio[k] = _cholesky(right[k])


@jit
def _triangular_product(a, b):
    # b becomes a @ b, both upper triangular
    n = len(a)
    for i in range(n):
        for j in range(i, n):
            b[i, j] = a[i, i] * b[i, j]
        for q in range(i + 1, n):
            for j in range(q, n):
                b[i, j] += a[i, q] * b[q, j]


@jit
def _cholesky_qr(q, r, product, enough):
    # Q R = A in the place of A and r; whether the columns were independent enough for that
    m, n = q.shape
    gram(m, n, q, n, r, n)
    if not _cholesky(r) > enough:
        return False
    trsm(m, n, r, n, q, n, True, False)
    gram(m, n, q, n, product, n)
    for i in range(n):
        for j in range(i, n):
            if not _size(product[i, j] - (1 if i == j else 0)) < 0.01:
                return False
    potrf(n, product, n)
    trsm(m, n, product, n, q, n, True, False)
    _triangular_product(product, r)
    return True


@jit
def _sorted(a):
    # the rows of A, the largest first, as they come where they are within a factor of 16
    m, n = a.shape
    exponent = np.empty(m, np.int64)
    for i in range(m):
        size = 0.0
        for j in range(n):
            size = max(size, _size(a[i, j]))
        exponent[i] = _exponent(size) if size != 0 else -1024
    return np.argsort((exponent.max() - exponent) // 4, kind="mergesort")


@jit
def _householder(q, r, order, real):
    m, n = q.shape
    columns, tau = np.empty((n, m), q.dtype), np.empty(n, q.dtype)
    rows = _sorted(q)
    size = 2 * n + 64 * (n + 1)
    work = np.empty(size, q.dtype)
    for start in range(0, m, 16):
        for j in range(n):
            for i in range(start, min(start + 16, m)):
                columns[j, i] = q[rows[i], j]
    order[:] = 0
    geqp3(m, n, columns, order, tau, work, size, real)
    _widen(order)
    for j in range(n):
        for i in range(j + 1):
            r[i, j] = columns[j, i]
    orgqr(m, n, columns, tau, work, size)
    for start in range(0, m, 16):
        for j in range(n):
            for i in range(start, min(start + 16, m)):
                q[rows[i], j] = columns[j, i]


@jit
def factor_qr(k0, k1, a, products, householder, left, right, order, ratio):
    n = left.shape[2]
    product = np.empty((n, n), left.dtype)
    real = np.empty(2 * n)
    enough = 3.4e-4 if np.abs(a[k0, 0]).itemsize == 4 else 1.5e-8  # the root of eps
    for k in range(k0, k1):
        left[k] = a[k]
        for j in range(n):
            order[k, j] = j
        if not (products and _cholesky_qr(left[k], right[k], product, enough)):
            ratio[k] = 0
            if not householder:
                continue
            left[k] = a[k]
            _householder(left[k], right[k], order[k], real)
        least = most = math.sqrt(_square(right[k, 0, 0]))
        for j in range(n):
            pivot = math.sqrt(_square(right[k, j, j]))
            least = pivot if pivot < least else least
            most = pivot if pivot > most else most
        ratio[k] = least / most if most != 0 else 0.0


@jit
def factor_svd(k0, k1, a, left, sigma, right):
    m, n = a.shape[1:]
    q = min(m, n)
    values = np.abs(a[k0, 0])  # real, and not shorter than q
    real = np.empty(5 * q * q + 5 * q + 2 * max(m, n) * q + 2 * q * q + q)
    integer = np.empty(8 * q, np.int64)
    best, copy = np.zeros(1, a.dtype), np.empty((m, n), a.dtype)
    gesdd(m, n, copy, values, left[k0], right[k0], best, -1, real, integer)
    size = int(_size(best[0])) + 1
    work = np.empty(size, a.dtype)
    for k in range(k0, k1):
        copy[:] = a[k]
        info = gesdd(m, n, copy, values, left[k], right[k], work, size, real, integer)
        for j in range(q):
            sigma[k, j] = math.nan if info != 0 else values[j]


# --- solutions ------------------------------------------------------------------------------


@jit
def _apply(left, b, ldb, y):
    # y = left^T b: BLAS would start threads for it
    m, n = left.shape
    y[:n] = 0
    i = 0
    while i + 4 <= m:
        b0, b1, b2, b3 = b[i * ldb], b[(i + 1) * ldb], b[(i + 2) * ldb], b[(i + 3) * ldb]
        r0, r1, r2, r3 = left[i], left[i + 1], left[i + 2], left[i + 3]
        for j in range(n):
            y[j] += (b0 * r0[j] + b1 * r1[j]) + (b2 * r2[j] + b3 * r3[j])
        i += 4
    while i < m:
        for j in range(n):
            y[j] += b[i * ldb] * left[i, j]
        i += 1


@jit
def _left_times(left, b, ldb, y, columns):
    # Y (n, columns) = left^T B
    m, n = left.shape
    if columns == 1:
        _apply(left, b, ldb, y)
    else:
        gemm(n, columns, m, left, n, b, ldb, y, columns, False, True, False)


@jit
def _add_gradient(kind, columns, right, order, h, c0, y):
    q, n = right.shape
    if kind == SVD:  # y += conj(right) h
        for j in range(q):
            for s in range(n):
                for c in range(columns):
                    y[j * columns + c] += np.conj(right[j, s]) * h[s, c0 + c]
        return
    g = np.empty((n, columns), y.dtype)
    for j in range(n):
        s = order[j] if kind == QR else j
        for c in range(columns):
            g[j, c] = h[s, c0 + c]
    if kind == QR:
        trsm(n, columns, right, n, g, columns, False, True)
    for j in range(n):
        for c in range(columns):
            y[j * columns + c] += g[j, c]


@jit
def solve(k0, k1, c0, c1, kind, left, right, order, scale, b, h, x):
    p, n, q, columns = b.shape[2], x.shape[1], right.shape[1], c1 - c0
    y, z = np.empty(max(n, q) * columns, x.dtype), np.empty(n * columns, x.dtype)
    pivots = np.empty(n, BLAS_INT)
    for k in range(k0, k1):
        if kind == LU:
            for j in range(n):
                pivots[j] = order[k, j] + 1
                for c in range(columns):
                    y[c * n + j] = b[k, j, c0 + c]
            getrs(n, columns, right[k], n, pivots, y, n)
            for j in range(n):
                for c in range(columns):
                    x[k, j, c0 + c] = y[c * n + j]
            continue
        if left.shape[1]:
            _left_times(left[k], b[k].ravel()[c0:], p, y, columns)
        else:
            for j in range(q):
                for c in range(columns):
                    y[j * columns + c] = b[k, j, c0 + c]
        if h.shape[1]:
            _add_gradient(kind, columns, right[k], order[k], h[k], c0, y)
        if kind == SVD:
            _left_times(right[k], y, columns, z, columns)
            for j in range(n):
                for c in range(columns):
                    x[k, j, c0 + c] = z[j * columns + c] * scale[k, j]
            continue
        if kind == CHOLESKY:
            trsm(n, columns, right[k], n, y, columns, False, True)
        if columns == 1:
            trsv(n, right[k], n, y)
        else:
            trsm(n, columns, right[k], n, y, columns, False, False)
        for j in range(n):
            s = order[k, j] if kind == QR else j
            for c in range(columns):
                x[k, s, c0 + c] = y[j * columns + c] * scale[k, s]


# --- residuals ------------------------------------------------------------------------------


def _exact(function):
    # nothing may be fused or reordered here
    return jit(function, fastmath=False, forceinline=True)


@intrinsic
def _fma(typing, x, y, z):
    """x y + z, rounded once."""

    def codegen(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), codegen


def _number(like, re, im):
    """The number of the dtype of `like`."""
    return complex(re, im) if np.iscomplexobj(like) else re


@overload(_number, inline="always")
def _number_of(like, re, im):
    if isinstance(like.dtype, types.Complex):
        return lambda like, re, im: complex(re, im)
    return lambda like, re, im: re


@_exact
def _add(head, rest, x):
    # head + rest gains x; Knuth's sum
    total = head + x
    part = total - head
    return total, rest + ((head - (total - part)) + (x - part))


@_exact
def _add_product(head, rest, x, y):
    product = x * y
    return _add(head, rest + _fma(x, y, -product), product)


@jit
def left_out(s0, s1, gap, limit, y, u, squares, beyond, rest, errors):
    (p, q), m, count = y.shape, len(u), s1 - s0
    outside = (beyond > 0).any()
    shares = gap[s0:s1] if outside else limit[s0:s1]
    left, share = np.empty((count * p, q), y.dtype), np.empty((count, m))
    for s in range(count):
        for c in range(p):
            for j in range(q):
                left[s * p + c, j] = y[c, j] * shares[s, j]
    gemm(count * p, m, q, left, q, u, q, errors[s0], m, False, False, True)
    gemm(count, m, q, shares, q, squares, q, share, m, False, False, True)
    for i in range(m):
        if outside and beyond[i] == 0:
            for s in range(count):
                share[s, i] = 0
                for c in range(p):
                    errors[s0 + s, c, i] = 0
                for j in range(q):
                    share[s, i] += limit[s0 + s, j] * squares[i, j]
                    for c in range(p):
                        errors[s0 + s, c, i] += limit[s0 + s, j] * y[c, j] * u[i, j]
    for s in range(count):
        for c in range(p):
            for i in range(m):
                total = errors[s0 + s, c, i] + rest[c, i]
                errors[s0 + s, c, i] = total / (share[s, i] + beyond[i])


@_exact
def residual(k0, k1, c0, c1, a, weights, alpha, scale, b, x, r, f, h):
    m, n = a.shape[1:]
    # h: heads and rests of the real and the imaginary parts
    sums = np.empty((n, 4))
    two = np.iscomplexobj(a)
    for k in range(k0, k1):
        for c in range(c0, c1):
            for i in range(m):
                re, re_rest, im, im_rest = float(b[k, i, c].real), 0.0, float(b[k, i, c].imag), 0.0
                re, re_rest = _add(re, re_rest, -float(r[k, i, c].real))
                im, im_rest = _add(im, im_rest, -float(r[k, i, c].imag))
                for j in range(n):
                    y, z = a[k, i, j], x[k, j, c]
                    re, re_rest = _add_product(re, re_rest, -float(y.real), float(z.real))
                    if two:
                        re, re_rest = _add_product(re, re_rest, float(y.imag), float(z.imag))
                        im, im_rest = _add_product(im, im_rest, -float(y.real), float(z.imag))
                        im, im_rest = _add_product(im, im_rest, -float(y.imag), float(z.real))
                f[k, i, c] = _number(f, re + re_rest, im + im_rest)
            if not h.shape[1]:
                continue
            for j in range(n):
                z, s = x[k, j, c], sums[j]
                s[0], s[1] = _add_product(0.0, 0.0, -alpha * scale[k, j], float(z.real))
                s[2], s[3] = _add_product(0.0, 0.0, -alpha * scale[k, j], float(z.imag))
            for i in range(m):
                w = weights[k, i] if weights.shape[1] else 1.0
                # conj(w r), its head and its rest
                z = np.conj(r[k, i, c])
                re, im = w * float(z.real), w * float(z.imag)
                re_rest, im_rest = _fma(w, float(z.real), -re), _fma(w, float(z.imag), -im)
                for j in range(n):
                    y, s = a[k, i, j] * scale[k, j], sums[j]
                    y_re, y_im = float(y.real), float(y.imag)
                    s[0], s[1] = _add_product(s[0], s[1], y_re, re)
                    s[1] += y_re * re_rest
                    if two:
                        # conj(a) w r = conj(a conj(w r))
                        s[0], s[1] = _add_product(s[0], s[1], -y_im, im)
                        s[2], s[3] = _add_product(s[2], s[3], -y_re, im)
                        s[2], s[3] = _add_product(s[2], s[3], -y_im, re)
                        s[1] -= y_im * im_rest
                        s[3] -= y_re * im_rest + y_im * re_rest
            for j in range(n):
                h[k, j, c] = _number(h, sums[j, 0] + sums[j, 1], sums[j, 2] + sums[j, 3])
