"""The profiles of ard/pairs.pxd and ard/profiles.h for Numba: the same steps, explained there."""

import math

import numpy as np

from ._jit_numba import inlined, jit
from ._vmath_numba import exp, exp_128, exponent, leading, product_rest
from .ard import MATERN12, MATERN32, MATERN52, RQ, SE

LARGEST = np.finfo(np.float64).max
LOG2 = 0.6931471805599453
LOG8, LOG8_LOW = 2.079441541678534, 1.3018060677774115e-12  # log 8 as a sum: n LOG8 is exact


@jit
def _root(c, q):
    # sqrt(c q) as a sum of two, for c = 1, 3 or 5: (c - 1) q is exact
    q = 1e6 if q > 1e6 else q  # where the profiles are 0
    high = (c - 1) * q + q
    rest = ((c - 1) * q - high) + q
    r = math.sqrt(high)
    rest += (high - r * r) - product_rest(r, r, r * r)
    return r, rest / (2 * r + 1e-300)


@inlined
def _rational(alpha, q):
    # p = s^-alpha = exp(-alpha / 3 · log s^3), s = 1 + q / 2 alpha, dp/dq and dp/dalpha
    alpha = min(alpha, 2.0**600)  # where p is exp(-q / 2), and dp/dalpha 0
    power, c = exponent(alpha * 2.0**512 if alpha < 1 else alpha)
    part = (alpha * 2.0**512 if alpha < 1 else alpha) * c
    power -= 511 if alpha < 1 else -1  # 2 alpha = 2^power part
    # s = (unit + t + low) / unit, t of 26 bits; with `scale` no quotient leaves the range
    scale = 2.0**256 if q < 1 else 2.0**-256
    unit = scale * (2 * alpha / part)
    x = scale * (LARGEST if q > LARGEST else q)
    t = leading(x * (1 / part), 26)
    low = ((x - t * leading(part, 26)) - t * (part - leading(part, 26))) * (1 / part)
    # s = 2^n (1 + f + low), 1 + f in [sqrt(1/2), sqrt(2)], c = 2^-n; f has 30 bits
    n, c = exponent(unit + t)
    n -= power + 256 if q < 1 else power - 256
    t, low, c = t * c, low * c, unit * c
    head = (c + 2.0**22) - 2.0**22
    f = t + (head - 1)
    low += c - head
    # y = z + dz = (f + low) / (2 + f + low); z has 17 bits: z^3 is exact
    inverse = 1 / (2 + (f + low))
    z = leading(f * inverse, 17)
    dz = (((f - 2 * z) - z * f) + (1 - z) * low) * inverse
    y = z + dz
    u = y * y
    # log s^3 = n log 8 + 6 y + 2 y^3 + y^5 series = log + rest; log has 26 bits
    series = 6.0 / 27
    series = series * u + 6.0 / 25
    series = series * u + 6.0 / 23
    series = series * u + 6.0 / 21
    series = series * u + 6.0 / 19
    series = series * u + 6.0 / 17
    series = series * u + 6.0 / 15
    series = series * u + 6.0 / 13
    series = series * u + 6.0 / 11
    series = series * u + 6.0 / 9
    series = series * u + 6.0 / 7
    series = series * u + 6.0 / 5
    cube = z * z * z
    rest = n * LOG8_LOW + 6 * dz + 2 * dz * (3 * z * y + dz * dz) + y * (u * u) * series
    log = leading(n * LOG8 + 6 * z + 2 * cube, 26)
    rest += ((n * LOG8 - log) + 6 * z) + 2 * cube
    # e + low = alpha / 3 · log s^3
    third = leading(alpha / 3, 26)
    rest = (alpha - 3 * third) / 3 * log + alpha / 3 * rest
    e = third * log + rest
    low = (third * log - e) + rest
    p = exp_128(-e) * (1 - low) * 2.0**-128
    p = 0.0 if e > 760 or q == np.inf else p
    # log s - (s - 1) / s
    change = n * LOG2 + y * u * (2.0 / 3 + u * series / 3)
    change += (2 * u + (c - 1) * (1 - y)) / (1 + y)
    return p, -p * (alpha / (2 * alpha + q)), -p * change


@jit
def evaluate(profile, alpha, variance, q):
    """q = variance · profile(q)."""
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
def evaluate_slope(profile, alpha, p, slope, by_alpha):
    """From p = q, slope = dp/dq and, of the rational quadratic, dp/dalpha; then p = profile(q)."""
    number = p.dtype.type
    if profile == SE:
        half, one = number(-0.5), number(1)
        evaluate(profile, alpha, one, p)
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
            k, by_q, change = _rational(alpha, np.float64(p[j]))
            p[j], slope[j], by_alpha[j] = number(k), number(by_q), number(change)
