import math

import numpy as np

from .._blas_numba import gemm
from .._jit_numba import inlined, jit, summed
from .._vmath_numba import exp, expm1
from . import RELU, ROWS, SIGMOID, SOFTMAX, STRIPE, TANH, TILE

PIECE = 1024  # terms after which a sum is added to that of the row
LANES = 64  # maxima at a time: a loop over one is not vectorised


@jit
def root(i0, i1, q):
    for i in range(i0, i1):
        q[i] = math.sqrt(q[i])


@jit
def _largest(x, lanes):
    lanes[:] = -np.inf
    whole = len(x) - len(x) % LANES
    for j in range(0, whole, LANES):
        for w in range(LANES):
            lanes[w] = x[j + w] if x[j + w] > lanes[w] else lanes[w]
    for j in range(whole, len(x)):
        lanes[j - whole] = x[j] if x[j] > lanes[j - whole] else lanes[j - whole]
    largest = lanes[0]
    for w in range(1, LANES):
        largest = lanes[w] if lanes[w] > largest else largest
    return largest


@inlined
def _exp_less(x, largest, zero):
    # exp(x - largest): d + low is the difference, and low is not finite where d is not
    d = x - largest
    back = d - x
    low = (x - (d - back)) - (largest + back)
    low = low if low == low else zero
    e = exp(d)
    return e + e * low


@summed
def _sum(x):
    total = x.dtype.type(0)
    for j in range(len(x)):
        total += x[j]
    return total


@jit
def _softmax(x, lanes, out):
    # of a row; out may be x
    largest, zero, total = _largest(x, lanes), x.dtype.type(0), 0.0
    for a in range(0, len(x), PIECE):
        b = min(a + PIECE, len(x))
        for j in range(a, b):
            out[j] = _exp_less(x[j], largest, zero)
        total += _sum(out[a:b])
    inverse = x.dtype.type(1 / total)
    for j in range(len(x)):
        out[j] *= inverse


@jit
def softmax(i0, i1, x, out):
    lanes = np.empty(LANES, out.dtype)
    for i in range(i0, i1):
        _softmax(x[i], lanes, out[i])


@jit
def _softmax_across(x, largest, sums, totals, out):
    # along the rows of x
    m, n, zero = len(x), len(largest), out.dtype.type(0)
    largest[:] = -np.inf
    sums[:] = 0
    totals[:] = 0
    for i in range(m):
        for j in range(n):
            largest[j] = x[i, j] if x[i, j] > largest[j] else largest[j]
    for i in range(m):
        for j in range(n):
            e = _exp_less(x[i, j], largest[j], zero)
            out[i, j] = e
            sums[j] += e
        if i % 32 == 31 or i == m - 1:
            for j in range(n):
                totals[j] += sums[j]
                sums[j] = 0
    for j in range(n):
        sums[j] = 1 / totals[j]
    for i in range(m):
        for j in range(n):
            out[i, j] *= sums[j]


@jit
def softmax_across(i0, i1, j0, j1, x, out):
    largest, sums = np.empty(LANES, out.dtype), np.empty(LANES, out.dtype)
    totals = np.empty(LANES)
    for i in range(i0, i1):
        for a in range(j0, j1, LANES):
            b = min(a + LANES, j1)
            _softmax_across(x[i, :, a:b], largest[: b - a], sums, totals, out[i, :, a:b])


@summed
def _squares(x):
    total = x.dtype.type(0)
    for j in range(len(x)):
        total += x[j] * x[j]
    return total


@jit
def _normalize_carefully(x, small, out):
    # without overflow or underflow
    up, down, total = 1.0, 1.0, 0.0
    if out.itemsize == 8:
        up, down = (2.0**600, 1.0) if small else (1.0, 2.0**-600)
    for j in range(len(x)):
        length = up * down * x[j]
        total += length * length
    norm = math.sqrt(total) if total != 0 else 1.0
    for j in range(len(x)):
        out[j] = up * x[j] / norm * down


@jit
def normalize_rows(i0, i1, x, out):
    least = 1e-25 if out.itemsize == 4 else 1e-280
    for i in range(i0, i1):
        row, total = x[i], 0.0
        for a in range(0, x.shape[1], PIECE):
            total += _squares(row[a : a + PIECE])
        if least < total < np.inf:
            inverse = out.dtype.type(1 / math.sqrt(total))
            for j in range(x.shape[1]):
                out[i, j] = x[i, j] * inverse
        else:
            _normalize_carefully(row, total < 1, out[i])


@jit
def _mean(x, rest, mean):
    rest[:] = 0
    for i in range(len(x)):
        for f in range(len(mean)):
            rest[f] += x[i, f]
    for f in range(len(mean)):
        mean[f] = rest[f] / len(x)
    rest[:] = 0


@jit
def _deviations(x, mean, tile, rest):
    for i in range(len(x)):
        for f in range(len(mean)):
            tile[i, f] = x[i, f] - mean[f]
        for f in range(len(mean)):
            rest[f] += tile[i, f]


@jit
def _scatter(x, mean, tile, product, rest, total):
    # total += the scatter of the rows, on and below the diagonal; their mean is mean + rest / n
    n, d = x.shape
    _mean(x, rest, mean)
    for a in range(0, n, TILE):
        m = min(TILE, n - a)
        _deviations(x[a : a + m], mean, tile, rest)
        for f in range(0, d, STRIPE):
            stop = min(f + STRIPE, d)
            gemm(stop - f, stop, m, tile[:, f:], d, tile, d, product, d, False, True, False)
            for g in range(f, stop):
                for h in range(g + 1):
                    total[g, h] += product[g - f, h]
    for f in range(d):
        for g in range(f + 1):
            total[f, g] -= rest[f] * rest[g] / n


@jit
def covariances(k0, k1, x, freedom, out):
    d = x.shape[2]
    mean, rest, tile = np.empty(d, x.dtype), np.empty(d), np.empty((TILE, d), x.dtype)
    product, total = np.empty((STRIPE, d), x.dtype), np.empty((d, d))
    for k in range(k0, k1):
        total[:] = 0
        _scatter(x[k], mean, tile, product, rest, total)
        for f in range(d):
            for g in range(f + 1):
                out[k, f, g] = out[k, g, f] = total[f, g] / freedom


@jit
def scatter(t0, t1, x, means, total):
    n, d = x.shape
    mean, rest, tile = np.empty(d, x.dtype), np.empty(d), np.empty((TILE, d), x.dtype)
    product = np.empty((STRIPE, d), x.dtype)
    for t in range(t0, t1):
        rows = x[t * TILE : min((t + 1) * TILE, n)]
        _scatter(rows, mean, tile, product, rest, total)
        for f in range(d):
            means[t, f] = (mean[f] - x[0, f]) + rest[f] / len(rows)


@jit
def centre(n, means):
    tiles, d = means.shape
    mean = np.zeros(d)
    for t in range(tiles):
        for f in range(d):
            mean[f] += min(TILE, n - t * TILE) * means[t, f]
    for f in range(d):
        mean[f] /= n
    for t in range(tiles):
        root_of_count = math.sqrt(min(TILE, n - t * TILE))
        for f in range(d):
            means[t, f] = (means[t, f] - mean[f]) * root_of_count


@jit
def join(i0, i1, total, means, freedom, out):
    d = means.shape[1]
    product = np.empty((STRIPE, d))
    for f0 in range(i0, i1, STRIPE):
        f1 = min(f0 + STRIPE, i1)
        gemm(f1 - f0, f1, len(means), means[:, f0:], d, means, d, product, d, False, True, False)
        for f in range(f0, f1):
            for g in range(f + 1):
                out[f, g] = out[g, f] = (total[f, g] + product[f - f0, g]) / freedom


@jit
def _activate(bias, activation, a):
    # a = f(a + bias), but for the softmax
    zero, one, two = a.dtype.type(0), a.dtype.type(1), a.dtype.type(2)
    if activation == RELU:
        for j in range(len(bias)):
            v = a[j] + bias[j]
            a[j] = zero if v < zero else v
    elif activation == TANH:
        for j in range(len(bias)):
            v = a[j] + bias[j]
            e = expm1(v * two if v < zero else v * -two)
            e = e / (two + e)
            a[j] = e if v < zero else -e
    elif activation == SIGMOID:
        for j in range(len(bias)):
            v = a[j] + bias[j]
            e = exp(v if v < zero else -v)
            a[j] = (e if v < zero else one) / (one + e)
    else:
        for j in range(len(bias)):
            a[j] += bias[j]


@jit
def forward(i0, i1, x, parameters, widths, activation, output_activation, out):
    widest = max(1, widths[1:].max())
    lanes, values = np.empty(LANES, out.dtype), np.empty((2, ROWS, widest), out.dtype)
    for i in range(i0, i1, ROWS):
        m, used = min(ROWS, i1 - i), 0
        for l in range(len(widths) - 1):
            k, n, p, a = widths[l], widths[l + 1], parameters[used:], values[l % 2]
            if l == 0:  # a leading dimension is not 0
                gemm(m, n, k, x[i:], max(k, 1), p, max(n, 1), a, widest, False, False, False)
            else:
                before = values[1 - l % 2]
                gemm(m, n, k, before, widest, p, max(n, 1), a, widest, False, False, False)
            f = output_activation if l == len(widths) - 2 else activation
            for r in range(m):
                _activate(p[k * n : (k + 1) * n], f, a[r, :n])
                if f == SOFTMAX:
                    _softmax(a[r, :n], lanes, a[r, :n])
            used += (k + 1) * n
        out[i : i + m] = a[:m, :n]
