import numpy as np

from ..jit_numba import jit
from ..vmath_numba import exp
from . import SE

STRIP = 128  # columns finished together: the first cache holds them
SQUARE = 32  # side of what is transposed at a time


@jit
def prepare(start, stop, x, plain, centre, projection, features):
    d, r = projection.shape
    for f in range(plain):
        for i in range(start, stop):
            features[f, i] = x[i, f]
    for k in range(r):
        for i in range(start, stop):
            total = features.dtype.type(0)
            for j in range(d):
                total += (x[i, j] - centre[j]) * projection[j, k]
            features[plain + k, i] = total


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
def _profile(profile, variance, q):
    half = q.dtype.type(-0.5)
    if profile == SE:
        for j in range(len(q)):
            q[j] = variance * exp(q[j] * half)


@jit
def _mirror(i0, i1, j0, j1, out):
    # out[j, i] = out[i, j] for i < j, in squares that the first cache holds
    for a in range(i0, i1, SQUARE):
        for b in range(j0, j1, SQUARE):
            for j in range(b, min(b + SQUARE, j1)):
                for i in range(a, min(a + SQUARE, i1, j)):
                    out[j, i] = out[i, j]


@jit
def _strip(x, i, y, a, b, scale, profile, variance, q):
    # q = variance · profile(sum over f of (scale[f] (x[f, i] - y[f, a:b]))^2)
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
    _profile(profile, variance, q)


@jit
def fill(i0, i1, j0, j1, x, y, scale, profile, variance, noise, symmetric, out):
    if j1 - j0 < 16 and i1 - i0 > j1 - j0:  # too few columns for a strip: strips of rows
        q = np.empty(min(STRIP, i1 - i0), out.dtype)
        for a in range(i0, i1, STRIP):
            b = min(a + STRIP, i1)
            for j in range(j0, j1):
                _strip(y, j, x, a, b, scale, profile, variance, q[: b - a])
                for i in range(a, b):
                    out[i, j] = q[i - a]
    else:
        for a in range(j0, j1, STRIP):
            b = min(a + STRIP, j1)
            for i in range(i0, min(i1, b) if symmetric else i1):
                _strip(x, i, y, a, b, scale, profile, variance, out[i, a:b])
    if symmetric:
        _mirror(i0, i1, j0, j1, out)
        if i0 == j0:
            for i in range(i0, i1):
                out[i, i] += noise
