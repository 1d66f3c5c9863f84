"""The functions of vmath.h for Numba: the same steps and constants, explained there."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ._jit_numba import inlined, jit

_AS_INTEGER = {
    types.float64: (types.uint64, ir.IntType(64)),
    types.float32: (types.uint32, ir.IntType(32)),
}
_AS_FLOAT = {
    types.uint64: (types.float64, ir.DoubleType()),
    types.uint32: (types.float32, ir.FloatType()),
}


def _bitcast(result, llvm, x):
    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], llvm)

    return result(x), codegen


@intrinsic
def _bits(typing, x):
    return _bitcast(*_AS_INTEGER[x], x)


@intrinsic
def _float(typing, x):
    return _bitcast(*_AS_FLOAT[x], x)


@inlined
def _exp_rest(x):
    # q and t of exp(x) = 2^n (1 + q)
    shift = 6755399441055744.0
    t = x * 1.4426950408889634 + shift
    n = t - shift
    r = (x - n * 0.6931471805582987) - n * 1.6465949582897082e-12
    p = 2.500006162553128e-08
    p = p * r + 2.763024838532302e-07
    p = p * r + 2.755758637378518e-06
    p = p * r + 2.480149309888739e-05
    p = p * r + 0.00019841269506578723
    p = p * r + 0.0013888888943630134
    p = p * r + 0.008333333333494461
    p = p * r + 0.041666666666530155
    p = p * r + 0.16666666666666413
    p = p * r + 0.5000000000000011
    return p * (r * r) + r, t


@inlined
def exp_128(x):
    """2^128 exp(x)."""
    q, t = _exp_rest(-790.0 if x < -790.0 else x)  # NaN stays
    return (q + 1.0) * _float((_bits(t) << np.uint64(52)) + np.uint64(0x47F0000000000000))


@inlined
def _expm1(x):
    q, t = _exp_rest(-40.0 if x < -40.0 else x)
    power = _float((_bits(t) << np.uint64(52)) + np.uint64(0x3FF0000000000000))
    return power * q + (power - 1.0)


@jit
def _exp(x):
    return exp_128(x) * 2.0**-128


SINCOS_LIMIT = 1048576.0


@inlined
def sincos(x):
    """sin(x) and cos(x) for |x| <= SINCOS_LIMIT."""
    shift = 6755399441055744.0
    t = x * 0.6366197723675814 + shift
    n = t - shift
    a = x - n * 1.5707963267341256
    second, third = n * 6.077100506303966e-11, n * 2.0222662487959506e-21
    b = a - second
    c = b - a
    r = b - third
    low = ((a - (b - c)) - (second + c)) + ((b - r) - third)
    u = r * r
    h = 0.5 * u
    w = 1 - h
    p = 1.5917988979397435e-10
    p = p * u - 2.5051129896450185e-08
    p = p * u + 2.7557316093198404e-06
    p = p * u - 0.00019841269836740532
    p = p * u + 0.008333333333330936
    p = p * u - 0.16666666666666666
    q = -1.138254464534925e-11
    q = q * u + 2.087614504941318e-09
    q = q * u - 2.755731726587808e-07
    q = q * u + 2.48015872987544e-05
    q = q * u - 0.0013888888888887389
    q = q * u + 0.041666666666666664
    p = r + (u * r * p + low * w)
    q = w + (((1 - w) - h) + (u * u * q - r * low))
    quadrant = _bits(t)
    odd = quadrant & np.uint64(1)
    sine = _bits(q if odd else p) ^ ((quadrant & np.uint64(2)) << np.uint64(62))
    cosine = _bits(p if odd else q) ^ (((quadrant + np.uint64(1)) & np.uint64(2)) << np.uint64(62))
    return _float(sine), _float(cosine)


@jit
def leading(x, bits):
    """The first bits of x."""
    rest = np.uint64(53 - bits)
    return _float(_bits(x) >> rest << rest)


@jit
def product_rest(x, y, product):
    """x y - product, exactly, for a product = x y as rounded."""
    a, b = leading(x, 26), leading(y, 26)
    return ((a * b - product) + a * (y - b) + (x - a) * b) + (x - a) * (y - b)


@jit
def exponent(x):
    """k and 2^-k for x = 2^k m."""
    k = (_bits(x) - np.uint64(0x0006A09E667F3BCD)) >> np.uint64(52)  # k + 1022
    scale = _float((np.uint64(2045) - k) << np.uint64(52))
    return _float(k | np.uint64(0x4330000000000000)) - (2.0**52 + 1022), scale


# A Python float in the code would make the arithmetic double.
_F_SHIFT, _F_LOW, _F_FLAT, _F_LOG2E, _F_LN2_HIGH, _F_LN2_LOW, _F_ONE, _F_LAST = map(
    np.float32,
    (12582912.0, -110.0, -20.0, 1.442695, 0.69311523, 3.1946184e-05, 1.0, 2.0**-64),
)
_F_P = tuple(map(np.float32, (0.0013814598, 0.008368717, 0.04166839, 0.16666521, 0.49999994)))


@inlined
def _expf_rest(x):
    t = x * _F_LOG2E + _F_SHIFT
    n = t - _F_SHIFT
    r = (x - n * _F_LN2_HIGH) - n * _F_LN2_LOW
    p = _F_P[0]
    p = p * r + _F_P[1]
    p = p * r + _F_P[2]
    p = p * r + _F_P[3]
    p = p * r + _F_P[4]
    return p * (r * r) + r, t


@inlined
def _powerf(t, bias):
    # Numba's own integers are wider
    return _float(np.uint32((_bits(t) << np.uint32(23)) + np.uint32(bias)))


@inlined
def _expf(x):
    q, t = _expf_rest(_F_LOW if x < _F_LOW else x)
    return (q + _F_ONE) * _powerf(t, 0x5F800000) * _F_LAST


@inlined
def _expm1f(x):
    q, t = _expf_rest(_F_FLAT if x < _F_FLAT else x)
    power = _powerf(t, 0x3F800000)
    return power * q + (power - _F_ONE)


def exp(x):
    """exp(x) in the precision of x."""
    raise TypeError("exp runs in compiled code only")


def expm1(x):
    """exp(x) - 1 in the precision of x."""
    raise TypeError("expm1 runs in compiled code only")


@overload(exp)
def _overload_exp(x):
    return (lambda x: _expf(x)) if x == types.float32 else (lambda x: _exp(x))


@overload(expm1)
def _overload_expm1(x):
    return (lambda x: _expm1f(x)) if x == types.float32 else (lambda x: _expm1(x))
