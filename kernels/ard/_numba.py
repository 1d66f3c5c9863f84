import math

import numpy as np

from .._blas_numba import gemm
from .._jit_numba import inlined, jit, summed
from .._profiles_numba import evaluate, evaluate_slope
from . import (
    LATE,
    MANY,
    MATERN12,
    MATERN32,
    NOWHERE,
    PROJECTED,
    QUADFORM,
    ROWS,
    RQ,
    SAMPLE,
    SE,
    SMALL,
    STRIP,
)

# features of a strip that the first cache holds for so many rows
PIECE, HIGH = 8, 16


@jit
def _load(a, b, x, strip):
    # strip[f, i] = x[a + i, f] for a + i < b
    for f in range(x.shape[1]):
        for i in range(a, b):
            strip[f, i - a] = x[i, f]


@jit
def _unless_ones(scale):
    # the scale, empty if it is one of ones
    return scale[:0] if (scale == 1).all() else scale


@jit
def _add_squares(x, i, first, stop, strip, scale, q):
    # q[j] += sum over f from first to stop of (scale[f] (x[i, f] - strip[f, j]))^2; four at a
    # time, so that q is loaded and stored a quarter as often. An empty scale is one of ones.
    n, whole = len(q), first + (stop - first) // 4 * 4
    for f in range(first, whole, 4):
        x0, x1, x2, x3 = x[i, f], x[i, f + 1], x[i, f + 2], x[i, f + 3]
        y0, y1, y2, y3 = strip[f, :n], strip[f + 1, :n], strip[f + 2, :n], strip[f + 3, :n]
        if len(scale):
            s0, s1, s2, s3 = scale[f], scale[f + 1], scale[f + 2], scale[f + 3]
            for j in range(len(q)):
                d0, d1 = s0 * (x0 - y0[j]), s1 * (x1 - y1[j])
                d2, d3 = s2 * (x2 - y2[j]), s3 * (x3 - y3[j])
                q[j] = q[j] + d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        else:
            for j in range(len(q)):
                d0, d1 = x0 - y0[j], x1 - y1[j]
                d2, d3 = x2 - y2[j], x3 - y3[j]
                q[j] = q[j] + d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    for f in range(whole, stop):
        x0, y0, s0 = x[i, f], strip[f, :n], scale[f] if len(scale) else scale.dtype.type(1)
        for j in range(len(q)):
            d0 = s0 * (x0 - y0[j])
            q[j] += d0 * d0


@jit
def _tile(x, i0, i1, strip, scale, profile, alpha, variance, tile, i, j, n):
    # the part of tile from [i, j] on = k of the points x[i0:i1] and n of the strip, from their
    # differences
    count = x.shape[1]
    for first in range(i0, i1, HIGH):
        stop = min(first + HIGH, i1)
        for r in range(first, stop):
            tile[i + r - i0, j : j + n] = 0
        for f in range(0, count, PIECE):
            for r in range(first, stop):
                _add_squares(x, r, f, min(f + PIECE, count), strip, scale,
                             tile[i + r - i0, j : j + n])  # fmt: skip
        for r in range(first, stop):
            evaluate(profile, alpha, variance, tile[i + r - i0, j : j + n])


@jit
def prepare(i0, i1, x, plain, centre, projection, features):
    d, r = projection.shape
    away = np.zeros((PROJECTED, d), features.dtype)
    product = np.empty((PROJECTED, r), features.dtype)
    for a in range(i0, i1, PROJECTED):
        n = min(PROJECTED, i1 - a)
        away[n:] = 0
        for i in range(n):
            for j in range(d):
                away[i, j] = x[a + i, j] - centre[j]
        gemm(PROJECTED, r, d, away, d, projection, r, product, r, False, False, False)
        for i in range(n):
            features[a + i, :plain] = x[a + i, :plain]
            features[a + i, plain:] = product[i]


@jit
def prepare_products(i0, i1, x, scale, centre, rows, norms):
    for i in range(i0, i1):
        norm = 0.0
        for f in range(len(scale)):
            z = scale[f] * (x[i, f] - centre[f])
            rows[i, f] = z
            norm += z * z
        norms[i] = norm


@jit
def _mirror(i0, i1, j0, j1, shift, out):
    # out[j + shift, i - shift] = out[i, j] above the diagonal, where that is beside the former;
    # written in long runs, read from lines the first cache holds
    for a in range(i0, i1, 128):
        for b in range(j0, j1, 8):
            for j in range(b, min(b + 8, j1)):
                for i in range(a, min(a + 128, i1, j + shift)):
                    out[j + shift, i - shift] = out[i, j]


@summed
def _squares(scale, x, y):
    # sum of (scale (x - y))^2; an empty scale is one of ones
    total = 0.0
    if len(scale):
        for f in range(len(x)):
            d = scale[f] * (x[f] - y[f])
            total += d * d
    else:
        for f in range(len(x)):
            d = x[f] - y[f]
            total += d * d
    return total


@inlined
def _is_late(number, profile, alpha, most, norms, q, k):
    # whether the rounding of q, some ulps of norms = |x|^2 + |y|^2, is too much for k, or one of
    # them is not finite
    if profile in (QUADFORM, MATERN12):
        return not q >= number(0.4) * norms
    if profile == SE:
        slope = number(0.5) * k
    elif profile == RQ:
        slope = k * number(alpha / (2 * alpha + q))
    elif profile == MATERN32:
        slope = number(1.5) * k / (number(1) + math.sqrt(number(3) * q))
    else:
        a = math.sqrt(number(5) * q)
        slope = number(5 / 6) * k * (number(1) + a) / (number(1) + a + a * a / number(3))
    return not norms * slope <= most


@inlined
def _forms(norm, norms, q):
    # q = |x|^2 + |y|^2 - 2 q, not less than 0; NaN where the norms are not finite
    zero, two = q.dtype.type(0), q.dtype.type(2)
    for j in range(len(q)):
        both = norm + norms[j]
        form = both - two * q[j]
        q[j] = (form if form > zero else zero) + (both - both)


@jit
def _count_late(profile, alpha, most, norm, norms, q, k):
    late = 0
    for j in range(len(q)):
        late += (
            1 if _is_late(k.dtype.type, profile, alpha, most, norm + norms[j], q[j], k[j]) else 0
        )
    return late


@jit
def _sample(m, n, x, y, scale, row_norms, column_norms, profile, alpha, most, buffers):
    # how many of SAMPLE pairs, spread over a tile, would be made anew
    q, k, late = buffers[0], buffers[1, :SAMPLE], 0
    for a in range(SAMPLE):
        q[a] = _squares(scale, x[a * m // SAMPLE], y[a * 37 % SAMPLE * n // SAMPLE])
        k[a] = q[a]
    evaluate(profile, alpha, k.dtype.type(1), k)
    for a in range(SAMPLE):
        norms = row_norms[a * m // SAMPLE] + column_norms[a * 37 % SAMPLE * n // SAMPLE]
        late += 1 if _is_late(k.dtype.type, profile, alpha, most, norms, q[a], k[a]) else 0
    return late


@jit
def _width(count):
    # columns of a strip of which the second cache holds all features
    return max(256, min(STRIP, 2**15 // count // 64 * 64))


@jit
def _are_near(profile, row_norms, column_norms):
    # whether the differences of rows and columns, which are rounded, are as good as those of points
    if profile in (QUADFORM, MATERN12):
        return False
    largest = row_norms.max() + column_norms.max()  # NaN if one is
    return largest <= SMALL


@jit
def _product(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
             variance, diagonal, strip, buffers, tile, i, j):  # fmt: skip
    # the part of tile from [i, j] on = k[i0:i1, j0:j1]; in it `diagonal` is the diagonal's offset
    count, m, n = x.shape[1], i1 - i0, j1 - j0
    one, late = tile.dtype.type(1), 0
    most = tile.dtype.type(LATE if count < MANY else LATE // 2)
    if _are_near(profile, row_norms[i0:i1], column_norms[j0:j1]):
        x, y, scale = rows, columns, scale[:0]
    if m * n > 64 * SAMPLE:
        late = _sample(m, n, x[i0:], y[j0:], scale, row_norms[i0:], column_norms[j0:], profile,
                       alpha, most, buffers)  # fmt: skip
    if late > SAMPLE // 32:
        width = strip.shape[1]
        for a in range(j0, j1, width):
            b = min(a + width, j1)
            _load(a, b, y, strip)
            _tile(x, i0, i1, strip, scale, profile, alpha, variance, tile, i, j + a - j0, b - a)
        return
    gemm(m, n, count, rows[i0:], count, columns[j0:], count, tile[i:, j:], tile.shape[1], False,
         False, True)  # fmt: skip
    q, places = buffers[0, :n], np.empty(n, np.intp)
    for r in range(m):
        k, norm, norms = tile[i + r, j : j + n], row_norms[i0 + r], column_norms[j0:j1]
        _forms(norm, norms, k)
        if 0 <= r + diagonal < n and k[r + diagonal] >= 0:
            k[r + diagonal] = 0
        q[:] = k
        evaluate(profile, alpha, one, k)
        if _count_late(profile, alpha, most, norm, norms, q, k):
            late = 0
            for c in range(n):
                if _is_late(k.dtype.type, profile, alpha, most, norm + norms[c], q[c], k[c]):
                    places[late] = c
                    q[late] = _squares(scale, x[i0 + r], y[j0 + c])
                    late += 1
            evaluate(profile, alpha, one, q[:late])
            for c in range(late):
                k[places[c]] = q[c]
        if variance != one:
            k *= variance


@jit
def fill(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
         variance, noise, diagonal, mirror, out):  # fmt: skip
    variance, noise = out.dtype.type(variance), out.dtype.type(noise)
    count, scale = len(scale), _unless_ones(scale)
    strip = np.empty((count, _width(count) if len(rows) else STRIP), out.dtype)
    # a product of many terms is worth more rows than the second cache holds
    height, width = (ROWS, STRIP) if count < MANY else (4 * ROWS, 8 * STRIP)
    buffers = np.empty((2, width), out.dtype)
    # a symmetric tile is its own mirror image: of [i, j] that is [j + shift, i - shift]
    symmetric = diagonal == 0 and i1 - i0 == j1 - j0
    shift = i0 - j0 if symmetric else 0
    if len(rows):
        for j in range(j0, j1, width):
            b = min(j + width, j1)
            for i in range(i0, min(i1, b + shift) if symmetric else i1, height):
                a, stop = max(i - shift, j) if symmetric else j, min(i + height, i1)
                _product(i, stop, a, b, x, y, scale, rows, row_norms, columns, column_norms,
                         profile, alpha, variance, diagonal - (a - j0) + (i - i0), strip, buffers,
                         out, i, a)  # fmt: skip
                if symmetric or mirror:
                    _mirror(i, stop, a, b, shift, out)
    elif j1 - j0 < 16 and i1 - i0 > j1 - j0:  # too few columns for a strip: strips of rows
        tile = np.empty((j1 - j0, min(STRIP, i1 - i0)), out.dtype)
        for a in range(i0, i1, STRIP):
            b = min(a + STRIP, i1)
            _load(a, b, x, strip)
            _tile(y, j0, j1, strip, scale, profile, alpha, variance, tile, 0, 0, b - a)
            for i in range(a, b):
                out[i, j0:j1] = tile[:, i - a]
        if mirror:
            _mirror(i0, i1, j0, j1, shift, out)
    else:
        for a in range(j0, j1, STRIP):
            b = min(a + STRIP, j1)
            stop = min(i1, b + shift) if symmetric else i1
            _load(a, b, y, strip)
            _tile(x, i0, stop, strip, scale, profile, alpha, variance, out, i0, a, b - a)
            if symmetric or mirror:
                _mirror(i0, stop, a, b, shift, out)
    for a in range(max(0, -diagonal), min(i1 - i0, j1 - j0 - diagonal)):
        out[i0 + a, j0 + a + diagonal] += noise


@jit
def fill_diagonal(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile,
                  alpha, variance, noise, diagonal, out):  # fmt: skip
    tile = np.empty((i1 - i0, j1 - j0), out.dtype)
    fill(0, i1 - i0, 0, j1 - j0, x[i0:i1], y[j0:j1], scale, rows[i0:i1], row_norms[i0:i1],
         columns[j0:j1], column_norms[j0:j1], profile, alpha, variance, 0.0, diagonal, False,
         tile)  # fmt: skip
    for i in range(max(i0, j0), min(i1, j1)):
        out[i] = tile[i - i0, i - j0] + out.dtype.type(noise)


@jit
def apply(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
          variance, v, mirror, out):  # fmt: skip
    variance, width = out.dtype.type(variance), v.shape[1]
    tile = np.empty((ROWS, STRIP), out.dtype)
    count, scale = len(scale), _unless_ones(scale)
    strip = np.empty((count, _width(count) if len(rows) else STRIP), out.dtype)
    buffers = np.empty((2, STRIP), out.dtype)
    for a in range(j0, j1, STRIP):
        b = min(a + STRIP, j1)
        n = b - a
        if not len(rows):
            _load(a, b, y, strip)
        for i in range(i0, i1, ROWS):
            m = min(ROWS, i1 - i)
            if len(rows):
                _product(i, i + m, a, b, x, y, scale, rows, row_norms, columns, column_norms,
                         profile, alpha, variance, NOWHERE, strip, buffers, tile, 0,
                         0)  # fmt: skip
            else:
                _tile(x, i, i + m, strip, scale, profile, alpha, variance, tile, 0, 0, n)
            gemm(m, width, n, tile, STRIP, v[a:], width, out[i:], width, True, False, False)
            if mirror:
                gemm(n, width, m, tile, STRIP, v[i:], width, out[a:], width, True, True, False)


@summed
def _dot(c, p):
    total = c.dtype.type(0)
    for j in range(len(c)):
        total += c[j] * p[j]
    return total


@jit
def _differences(x, s, strip, f, d):
    # d[j] = s (x - strip[f, j])
    for j in range(len(d)):
        d[j] = s * (x - strip[f, j])


@jit
def _weights(i, m, j, n, straight, transposed, weights):
    # weights[a, b] = straight[i + a, j + b] + transposed[j + b, i + a], one of which may be empty
    weights[:m, :n] = 0
    if straight.size:
        weights[:m, :n] = straight[i : i + m, j : j + n]
    if transposed.size:
        for a in range(0, m, 32):
            for b in range(0, n, 32):  # squares that the first cache holds
                for k in range(a, min(a + 32, m)):
                    for c in range(b, min(b + 32, n)):
                        weights[k, c] += transposed[j + c, i + k]


@jit
def _add_differences(x, i, n, strip, scale, profile, alpha, weights, buffers, squared, totals,
                     ends):  # fmt: skip
    # For rows of weights of the points from x[i] on and n of the strip: totals are, if `squared`,
    # (1, count), of squares of scaled differences, else of the differences themselves for each row;
    # ends those of weights · p and weights · dp/dalpha.
    p, slope, by_alpha, d = buffers[0, :n], buffers[1, :n], buffers[2, :n], buffers[3, :n]
    for a in range(len(weights)):
        c = weights[a, :n]
        p[:] = 0
        _add_squares(x, i + a, 0, x.shape[1], strip, scale, p)
        evaluate_slope(profile, alpha, p, slope, by_alpha)
        ends[0] += _dot(c, p)
        ends[1] += _dot(c, by_alpha)
        for j in range(n):
            c[j] *= slope[j]
        for f in range(x.shape[1]):
            s = scale[f] if len(scale) else scale.dtype.type(1)
            _differences(x[i + a, f], s, strip, f, d)
            if squared:
                for j in range(n):
                    p[j] = c[j] * d[j]
                totals[0, f] += _dot(p, d)
            else:
                totals[a, f] += _dot(c, d)


@jit
def _weigh(i, j, x, y, scale, row_norms, column_norms, profile, alpha, products, weights, strip,
           buffers, squared, sums, totals, ends):  # fmt: skip
    # The weights become those times dp/dq, q from the products, and 0 where that is not accurate
    # enough: such pairs are added from differences. The sums of the others by row and by column.
    m, n = weights.shape
    number = weights.dtype.type
    most = number(LATE if x.shape[1] < MANY else LATE // 2)
    q, p, apart = buffers[4, :n], buffers[0, :n], buffers[5:6]
    slope, by_alpha, norms = buffers[1, :n], buffers[2, :n], column_norms[j : j + n]
    sums[1, :n] = 0
    for a in range(m):
        c, norm = weights[a], row_norms[i + a]
        q[:] = products[a, :n]
        _forms(norm, norms, q)
        p[:] = q
        evaluate_slope(profile, alpha, p, slope, by_alpha)
        if _count_late(profile, alpha, most, norm, norms, q, p):
            late = 0
            for b in range(n):
                if _is_late(number, profile, alpha, most, norm + norms[b], q[b], p[b]):
                    strip[:, late] = y[j + b]
                    apart[0, late], c[b] = c[b], 0
                    late += 1
                if late == strip.shape[1] or b == n - 1:
                    _add_differences(x, i + a, late, strip, scale, profile, alpha, apart,
                                     buffers[6:], squared, totals[0 if squared else a :],
                                     ends)  # fmt: skip
                    late = 0
        ends[0] += _dot(c, p)
        ends[1] += _dot(c, by_alpha)
        for b in range(n):
            c[b] *= slope[b]
            sums[1, b] += c[b]
        sums[0, a] = c.sum()


@jit
def _pull(i, m, j, n, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha, weights,
          strip, buffers, products, squared, totals, ends):  # fmt: skip
    # add up for m points from x[i] and n from y[j] on; from products where there are rows, unless
    # many pairs would be made anew
    count, late = x.shape[1], SAMPLE
    most = weights.dtype.type(LATE if count < MANY else LATE // 2)
    if len(rows):
        late = 0
        if _are_near(profile, row_norms[i : i + m], column_norms[j : j + n]):
            x, y, scale = rows, columns, scale[:0]
        if m * n > 64 * SAMPLE:
            late = _sample(m, n, x[i:], y[j:], scale, row_norms[i:], column_norms[j:], profile,
                           alpha, most, buffers)  # fmt: skip
    if late > SAMPLE // 32:
        width = _width(count)
        for a in range(0, n, width):
            b = min(a + width, n)
            _load(j + a, j + b, y, strip)
            _add_differences(x, i, b - a, strip, scale, profile, alpha, weights[:m, a:], buffers,
                             squared, totals, ends)  # fmt: skip
        return
    gemm(m, n, count, rows[i:], count, columns[j:], count, products, STRIP, False, False, True)
    tile, sums = products[: ROWS * STRIP].reshape(ROWS, STRIP), buffers[10:]
    _weigh(i, j, x, y, scale, row_norms, column_norms, profile, alpha, tile, weights[:m, :n], strip,
           buffers, squared, sums, totals, ends)  # fmt: skip
    gemm(m, count, n, weights, STRIP, columns[j:], count, products, count, False, False, False)
    for a in range(m):
        total, norm = totals[0 if squared else a], np.float64(sums[0, a])
        for f in range(count):
            z, product = np.float64(rows[i + a, f]), np.float64(products[a * count + f])
            total[f] += (norm * z - 2 * product) * z if squared else norm * z - product
    if squared:
        for b in range(n):
            norm = np.float64(sums[1, b])
            for f in range(count):
                z = np.float64(columns[j + b, f])
                totals[0, f] += norm * z * z


@jit
def _pull_scratch(like, count):
    # weights, a strip, buffers and products of _pull
    return (np.empty((ROWS, STRIP), like.dtype), np.empty((count, _width(count)), like.dtype),
            np.zeros((12, STRIP), like.dtype), np.empty(ROWS * max(STRIP, count),
            like.dtype))  # fmt: skip


@jit
def pull(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
         cotangent, mirror, sums):  # fmt: skip
    count = len(scale)
    weights, strip, buffers, products = _pull_scratch(scale, count)
    scale = _unless_ones(scale)
    totals, image = sums[:count].reshape(1, count), cotangent if mirror else cotangent[:0]
    for j in range(j0, j1, STRIP):
        n = min(STRIP, j1 - j)
        for i in range(i0, i1, ROWS):
            m = min(ROWS, i1 - i)
            _weights(i, m, j, n, cotangent, image, weights)
            _pull(i, m, j, n, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
                  weights, strip, buffers, products, True, totals, sums[count:])  # fmt: skip


@jit
def pull_points(i0, i1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
                variance, straight, transposed, gradient):  # fmt: skip
    count, ends = len(scale), np.zeros(2)
    weights, strip, buffers, products = _pull_scratch(scale, count)
    factor = _unless_ones(scale)
    totals = np.empty((ROWS, count))
    for i in range(i0, i1, ROWS):
        m = min(ROWS, i1 - i)
        totals[:] = 0
        for j in range(0, len(y), STRIP):
            n = min(STRIP, len(y) - j)
            _weights(i, m, j, n, straight, transposed, weights)
            _pull(i, m, j, n, x, y, factor, rows, row_norms, columns, column_norms, profile, alpha,
                  weights, strip, buffers, products, False, totals, ends)  # fmt: skip
        for a in range(m):
            for f in range(count):
                gradient[i + a, f] = 2 * variance * np.float64(scale[f]) * totals[a, f]


@jit
def pull_features(i0, i1, gradient, plain, projection, points):
    d, r = projection.shape
    gemm(i1 - i0, d, r, gradient[i0:, plain:], gradient.shape[1], projection, r, points[i0:], d,
         False, False, True)  # fmt: skip
    for i in range(i0, i1):
        for f in range(plain):
            points[i, f] += gradient[i, f]
