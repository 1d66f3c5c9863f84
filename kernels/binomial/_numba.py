import ctypes
import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._jit_numba import entry, jit
from . import LEAST, MOST, SHIFT


@jit
def _upper(x):
    # x rounded to 26 bits
    bits = np.float64(x).view(np.int64)
    return np.int64((bits + 2**26) & -(2**27)).view(np.float64)


@jit
def _times(x, y):
    # x y, for pairs; every product is exact, but for what low leaves out
    a, b = _upper(x[0]), _upper(y[0])
    c, d = x[0] - a, y[0] - b
    low = (a * d + c * b) + (c * d + (a * _upper(y[1]) + _upper(x[1]) * b))
    high = a * b + low
    return high, low - (high - a * b)


@jit
def _over(x, y):
    quotient = x[0] / y[0]
    product = _times((quotient, 0.0), y)
    return quotient, (((x[0] - product[0]) + x[1]) - product[1]) / y[0]


@jit
def _next(weight, n, v, odds):
    # the weight of v + 1 from that of v
    if v == n:
        return 0.0, 0.0
    ratio = _over((float(n - v), 0.0), (float(v + 1), 0.0))
    return _times(weight, _times(odds, ratio))


@jit
def _table(n, p, values, probabilities):
    # without `values` the probability of v stands at v; returns where the first one stands, and
    # where the last one ends
    success, failure = (p, 0.0), (1 - p, (1 - (1 - p)) - p)
    up, down = _over(success, failure), _over(failure, success)
    v = min(n, int((n + 1) * p))
    u = n - v  # downwards we count failures
    ascending = len(values) > 0
    column = len(values) - 1
    if ascending:
        values[column], probabilities[column] = v, MOST
    else:
        probabilities[v] = MOST
    high, low = MOST, 0.0
    above, below = _next((MOST, 0.0), n, v, up), _next((MOST, 0.0), n, u, down)
    while max(above[0], below[0]) >= LEAST:
        if above[0] >= below[0]:
            weight, v = above, v + 1
            above, value = _next(above, n, v, up), v
        else:
            weight, u = below, u + 1
            below, value = _next(below, n, u, down), n - u
        if ascending:
            column -= 1
            values[column], probabilities[column] = value, weight[0]
        else:
            probabilities[value] = weight[0]
        total = high + weight[0]
        low += (weight[0] - (total - high)) + weight[1]
        high = total
    first, end = (column, len(values)) if ascending else (n - u, v + 1)
    scale = 1 / ((high + low) / MOST)
    for k in range(first, end):
        probabilities[k] = probabilities[k] * scale / MOST
    return first, end


@jit
def tables(i0, i1, p, n, first, values, probabilities):
    for i in range(i0, i1):
        first[i], _ = _table(n, p[i], values[i], probabilities[i])


@jit
def pmf(i0, i1, p, n, out):
    nowhere = np.empty(0, np.int64)
    for i in range(i0, i1):
        first, end = _table(n, p[i], nowhere, out[i])
        out[i, :first] = 0
        out[i, end:] = 0


@jit
def intervals(c0, c1, counts, draws, z, estimate, lower, upper):
    for k in range(c0, c1):
        c = counts[k]
        rarer = float(min(c, draws - c))
        larger = rarer + z * z / 2 + z * math.sqrt(rarer * (1 - rarer / draws) + z * z / 4)
        # a root that underflows is one of a count of 0
        low, high = rarer * rarer / (draws * max(larger, 1.0)), larger / (draws + z * z)
        if c > draws // 2:
            low, high = 1 - high, 1 - low
        estimate[k] = c / draws
        # rounding may put the end of a narrow interval on the other side
        lower[k], upper[k] = min(low, estimate[k]), max(high, estimate[k])


def _call(result, llvm):
    """Calls of a C function, by its address, with a bit generator's state, by its address."""

    @intrinsic
    def call(typing, function, state):
        def codegen(context, builder, signature, arguments):
            pointer = ir.IntType(8).as_pointer()
            function, state = arguments
            function = builder.inttoptr(function, ir.FunctionType(llvm, [pointer]).as_pointer())
            return builder.call(function, [builder.inttoptr(state, pointer)])

        return result(types.intp, types.intp), codegen

    return call


_next_uint64 = _call(types.uint64, ir.IntType(64))
_next_double = _call(types.float64, ir.DoubleType())


@entry
def _sort(count, words, function, state, guide, thresholds, hits):
    for _ in range(count):
        if words:
            k = np.int64(_next_uint64(function, state) >> np.uint64(11))
        else:
            k = np.int64(_next_double(function, state) * 2.0**53)
        x = np.intp(guide[k >> SHIFT])
        while k >= thresholds[x]:
            x += 1
        hits[x] += 1


def count(t0, t1, bit_generator, words, guide, thresholds, hits):
    interface = bit_generator.ctypes
    function = interface.next_uint64 if words else interface.next_double
    address = ctypes.cast(function, ctypes.c_void_p).value
    _sort(t1 - t0, words, address, interface.state_address, guide, thresholds, hits)
