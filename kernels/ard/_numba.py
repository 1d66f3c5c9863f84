import math

import numpy as np

from ..blas_numba import gemm
from ..jit_numba import jit
from ..vmath_numba import exp, exp_128, log, product_rest
from . import MATERN12, MATERN32, MATERN52, RQ, SE

STRIP = 128  # columns finished together: the first cache holds them
SQUARE = 32  # side of what is transposed at a time
ROWS = 64  # rows of a strip that stay in the second cache


@jit
def _scale(scale, f):
    return scale[f] if f < len(scale) else scale.dtype.type(1)


@jit
def _add(x, y, s, q):
    # q[j] += (s (x - y[j]))^2
    for j in range(len(q)):
        a = s * (x - y[j])
        q[j] += a * a


@jit
def _add_four(x, y, s, q):
    # the same for four rows of y: q is loaded and stored a quarter as often
    x0, x1, x2, x3 = x
    y0, y1, y2, y3 = y
    s0, s1, s2, s3 = s
    for j in range(len(q)):
        a = s0 * (x0 - y0[j])
        b = s1 * (x1 - y1[j])
        c = s2 * (x2 - y2[j])
        d = s3 * (x3 - y3[j])
        q[j] += (a * a + b * b) + (c * c + d * d)


@jit
def _quadform(x, i, y, a, b, scale, q):
    # q = sum over f of (scale[f] (x[f, i] - y[f, a:b]))^2
    q[:] = 0
    whole = len(x) // 4 * 4
    for f in range(0, whole, 4):
        _add_four(
            (x[f, i], x[f + 1, i], x[f + 2, i], x[f + 3, i]),
            (y[f, a:b], y[f + 1, a:b], y[f + 2, a:b], y[f + 3, a:b]),
            (_scale(scale, f), _scale(scale, f + 1), _scale(scale, f + 2), _scale(scale, f + 3)),
            q,
        )
    for f in range(whole, len(x)):
        _add(x[f, i], y[f, a:b], _scale(scale, f), q)


@jit
def _root(c, q):
    # sqrt(c q) as a sum of two, for c = 1, 3 or 5: (c - 1) q is exact
    q = 1e6 if q > 1e6 else q  # where the profiles are 0
    high = (c - 1) * q + q
    rest = ((c - 1) * q - high) + q
    r = math.sqrt(high)
    rest += (high - r * r) - product_rest(r, r, r * r)
    return r, rest / (2 * r + 1e-300)


@jit
def _rational(alpha, q):
    # t = q / 2 alpha, s = 1 + t, and what their rounding lost
    b = 2 * alpha
    t = q / b
    low = ((q - t * b) - product_rest(t, b, t * b)) / b
    s = 1 + t
    low += (1 - (s - (s - 1))) + (t - (s - 1))
    # exp(-alpha log(s + low))
    r, rest = log(s, low)
    e = -alpha * r
    k = exp_128(e) * (1 - (product_rest(alpha, r, -e) + alpha * rest)) * 2.0**-128
    return (0.0 if q == np.inf else k), s, t, r


@jit
def _profile(profile, alpha, variance, q):
    # q = variance · profile(q)
    number = q.dtype.type
    if profile == SE:
        half = number(-0.5)
        for j in range(len(q)):
            q[j] = variance * exp(q[j] * half)
    elif profile == MATERN12:
        for j in range(len(q)):
            r, low = _root(1.0, np.float64(q[j]))
            q[j] = variance * number(exp_128(-r) * (1 - low) * 2.0**-128)
    elif profile == MATERN32:
        for j in range(len(q)):
            r, low = _root(3.0, np.float64(q[j]))
            q[j] = variance * number(exp_128(-r) * (1 - low) * (1 + r + low) * 2.0**-128)
    elif profile == MATERN52:
        for j in range(len(q)):
            r, low = _root(5.0, np.float64(q[j]))
            p = exp_128(-r) * (1 - low) * (1 + r + low + (r * r + 2 * r * low) / 3)
            q[j] = variance * number(p * 2.0**-128)
    elif profile == RQ:
        for j in range(len(q)):
            q[j] = variance * number(_rational(alpha, np.float64(q[j]))[0])


@jit
def _slope(profile, alpha, p, slope, by_alpha):
    # from p = q, slope = dp/dq and, of the rational quadratic, dp/dalpha; then p = profile(q)
    number = p.dtype.type
    if profile == SE:
        half, one = number(-0.5), number(1)
        _profile(profile, alpha, one, p)
        for j in range(len(p)):
            slope[j] = p[j] * half
    elif profile == MATERN12:
        for j in range(len(p)):
            r, low = _root(1.0, np.float64(p[j]))
            k = exp_128(-r) * (1 - low) * 2.0**-128
            p[j] = number(k)
            slope[j] = number(k / (-2 * r) if r > 0 else 0.0)
    elif profile == MATERN32:
        for j in range(len(p)):
            r, low = _root(3.0, np.float64(p[j]))
            e = exp_128(-r) * (1 - low)
            p[j] = number(e * (1 + r + low) * 2.0**-128)
            slope[j] = number(e * -1.5 * 2.0**-128)
    elif profile == MATERN52:
        for j in range(len(p)):
            r, low = _root(5.0, np.float64(p[j]))
            e = exp_128(-r) * (1 - low)
            p[j] = number(e * (1 + r + low + (r * r + 2 * r * low) / 3) * 2.0**-128)
            slope[j] = number(e * (1 + r + low) * (-5.0 / 6 * 2.0**-128))
    elif profile == RQ:
        for j in range(len(p)):
            k, s, t, r = _rational(alpha, np.float64(p[j]))
            p[j] = number(k)
            slope[j] = number(k / (-2 * s))
            by_alpha[j] = number(k * (t / s - r) if k > 0 else k)
    else:
        slope[:] = 1


@jit
def prepare(start, stop, x, plain, centre, projection, features):
    d, r = projection.shape
    for a in range(start, stop, 64):  # rows that stay in the cache while they are transposed
        for f in range(plain):
            for i in range(a, min(a + 64, stop)):
                features[f, i] = x[i, f]
    sums = np.empty(r, features.dtype)
    for i in range(start, stop):
        sums[:] = 0
        for j in range(d):
            difference = x[i, j] - centre[j]
            for k in range(r):
                sums[k] += difference * projection[j, k]
        for k in range(r):
            features[plain + k, i] = sums[k]


@jit
def _strip(x, i, y, a, b, scale, profile, alpha, variance, q):
    # q = variance · profile(q[i, a:b])
    _quadform(x, i, y, a, b, scale, q)
    _profile(profile, alpha, variance, q)


@jit
def _mirror(i0, i1, j0, j1, out):
    # out[j, i] = out[i, j] for i < j, in squares that the first cache holds
    for a in range(i0, i1, SQUARE):
        for b in range(j0, j1, SQUARE):
            for j in range(b, min(b + SQUARE, j1)):
                for i in range(a, min(a + SQUARE, i1, j)):
                    out[j, i] = out[i, j]


@jit
def _complete(i0, i1, j0, j1, noise, out):
    # the mirror of a tile of a symmetric result, and the noise on the diagonal
    _mirror(i0, i1, j0, j1, out)
    if i0 == j0:
        for i in range(i0, i1):
            out[i, i] += noise


@jit
def fill(i0, i1, j0, j1, x, y, scale, profile, alpha, variance, noise, symmetric, out):
    variance, noise = out.dtype.type(variance), out.dtype.type(noise)
    if j1 - j0 < 16 and i1 - i0 > j1 - j0:  # too few columns for a strip: strips of rows
        q = np.empty(min(STRIP, i1 - i0), out.dtype)
        for a in range(i0, i1, STRIP):
            b = min(a + STRIP, i1)
            for j in range(j0, j1):
                _strip(y, j, x, a, b, scale, profile, alpha, variance, q[: b - a])
                for i in range(a, b):
                    out[i, j] = q[i - a]
    else:
        for a in range(j0, j1, STRIP):
            b = min(a + STRIP, j1)
            for i in range(i0, min(i1, b) if symmetric else i1):
                _strip(x, i, y, a, b, scale, profile, alpha, variance, out[i, a:b])
    if symmetric:
        _complete(i0, i1, j0, j1, noise, out)


@jit
def prepare_products(start, stop, features, centre, scale, columns, norms):
    norms[start:stop] = 0
    for f in range(len(features)):
        s = _scale(scale, f)
        for i in range(start, stop):
            z = s * (features[f, i] - centre[f])
            columns[f, i] = z
            norms[i] += z * z


@jit
def _rows(start, stop, x, centre, scale, rows, norms):
    # the same for some points, row by row
    for a in range(start, stop, 64):  # points that stay in the cache while they are transposed
        for f in range(len(x)):
            s = _scale(scale, f)
            for i in range(a, min(a + 64, stop)):
                rows[i - start, f] = s * (x[f, i] - centre[f])
    for i in range(stop - start):
        total = rows.dtype.type(0)
        for f in range(len(x)):
            total += rows[i, f] * rows[i, f]
        norms[i] = total


@jit
def _norms(norm, norms, q):
    # q = |x|^2 + |y|^2 - 2 q, and whether that cancelled
    cancelled, limit, two = 0, q.dtype.type(0.4), q.dtype.type(2)
    for j in range(len(q)):
        both = norm + norms[j]
        q[j] = both - two * q[j]
        cancelled += 0 if q[j] >= limit * both else 1
    return cancelled > 0


@jit
def fill_products(i0, i1, j0, j1, x, y, scale, centre, columns, norms, profile, alpha, variance,
                  noise, symmetric, out):  # fmt: skip
    variance, noise = out.dtype.type(variance), out.dtype.type(noise)
    count = len(x)
    height = max(1, min(128, 2**20 // count))  # of 8 MB at most
    rows, x_norms = np.empty((height, count), out.dtype), np.empty(height, out.dtype)
    for i in range(i0, i1, height):
        m = min(height, i1 - i)
        _rows(i, i + m, x, centre, scale, rows, x_norms)
        for j in range(j0, j1, 512):
            n = min(512, j1 - j)
            gemm(m, n, count, rows, count, columns[:, j:], columns.shape[1], out[i:, j:],
                 out.shape[1], False)  # fmt: skip
            for r in range(i, i + m):
                for a in range(j, j + n, STRIP):
                    b = min(a + STRIP, j + n)
                    q = out[r, a:b]
                    if _norms(x_norms[r - i], norms[a:b], q):
                        _quadform(x, r, y, a, b, scale, q)
                    _profile(profile, alpha, variance, q)
    if symmetric:
        _complete(i0, i1, j0, j1, noise, out)


@jit
def apply(i0, i1, x, y, scale, profile, alpha, variance, v, out):
    variance = out.dtype.type(variance)
    count, columns = v.shape
    tile = np.empty((ROWS, STRIP), out.dtype)
    for i in range(i0, i1, ROWS):
        m = min(ROWS, i1 - i)
        for a in range(0, count, STRIP):
            b = min(a + STRIP, count)
            for r in range(m):
                _strip(x, i + r, y, a, b, scale, profile, alpha, variance, tile[r, : b - a])
            gemm(m, columns, b - a, tile, STRIP, v[a:], columns, out[i:], columns, a > 0)


@jit
def _weigh(c, p):
    total = 0.0
    for j in range(len(c)):
        total += c[j] * p[j]
    return total


@jit
def _moment(x, y, c):
    # sum over j of c[j] (x - y[j]), in eight sums side by side
    sums = np.zeros(8, c.dtype)
    whole = len(c) // 8 * 8
    for j in range(0, whole, 8):
        for w in range(8):
            sums[w] += c[j + w] * (x - y[j + w])
    total = 0.0
    for w in range(8):
        total += sums[w]
    for j in range(whole, len(c)):
        total += c[j] * (x - y[j])
    return total


@jit
def pull(i0, i1, x, y, scale, profile, alpha, variance, cotangent, gradient, sums):
    count, m = len(x), cotangent.shape[1]
    buffers = np.zeros((4, STRIP), cotangent.dtype)
    totals = np.empty(count)
    for i in range(i0, i1):
        totals[:] = 0
        sums[0, i] = sums[1, i] = 0
        for a in range(0, m, STRIP):
            b = min(a + STRIP, m)
            p, slope = buffers[0, : b - a], buffers[1, : b - a]
            by_alpha, c = buffers[2, : b - a], buffers[3, : b - a]
            _quadform(x, i, y, a, b, scale, p)
            _slope(profile, alpha, p, slope, by_alpha)
            c[:] = cotangent[i, a:b]
            sums[0, i] += _weigh(c, p)
            sums[1, i] += _weigh(c, by_alpha)
            for j in range(b - a):
                c[j] *= slope[j]
            for f in range(count):
                totals[f] += _moment(x[f, i], y[f, a:b], c)
        for f in range(count):
            s = np.float64(_scale(scale, f))
            gradient[f, i] = 2 * variance * s * s * totals[f]
