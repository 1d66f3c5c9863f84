from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from hotloops.kernels import binomial as kernel


cdef extern from "numpy/random/bitgen.h" nogil:
    ctypedef struct bitgen_t:
        void* state
        uint64_t (*next_uint64)(void* state) noexcept nogil
        double (*next_double)(void* state) noexcept nogil


cdef extern from "vmath.h" nogil:
    ctypedef void inlined "HL_INLINE void"
    double hl_double(uint64_t bits)
    uint64_t hl_bits(double x)


cdef double MOST = kernel.MOST
cdef double LEAST = kernel.LEAST
cdef int SHIFT = kernel.SHIFT


cdef struct pair:
    double high
    double low


cdef inline double _upper(double x) noexcept nogil:
    # x rounded to 26 bits
    return hl_double((hl_bits(x) + (<uint64_t> 1 << 26)) & ~((<uint64_t> 1 << 27) - 1))


cdef inline pair _times(pair x, pair y) noexcept nogil:
    # every product is exact, but for what low leaves out
    cdef double a = _upper(x.high), b = _upper(y.high)
    cdef double c = x.high - a, d = y.high - b
    cdef double low = (a * d + c * b) + (c * d + (a * _upper(y.low) + _upper(x.low) * b))
    cdef double high = a * b + low
    return pair(high, low - (high - a * b))


cdef inline pair _over(pair x, pair y) noexcept nogil:
    cdef double quotient = x.high / y.high
    cdef pair product = _times(pair(quotient, 0), y)
    return pair(quotient, (((x.high - product.high) + x.low) - product.low) / y.high)


cdef inline pair _next(pair weight, Py_ssize_t n, Py_ssize_t v, pair odds) noexcept nogil:
    # the weight of v + 1 from that of v
    if v == n:
        return pair(0, 0)
    cdef pair ratio = _over(pair(<double> (n - v), 0), pair(<double> (v + 1), 0))
    return _times(weight, _times(odds, ratio))


cdef struct span:
    Py_ssize_t first
    Py_ssize_t end


cdef span _table(
    Py_ssize_t n, double p, Py_ssize_t columns, int64_t* values, double* probabilities,
) noexcept nogil:
    # without `values` the probability of v stands at v
    cdef pair success = pair(p, 0), failure = pair(1 - p, (1 - (1 - p)) - p)
    cdef pair up = _over(success, failure), down = _over(failure, success)
    cdef Py_ssize_t v = min(n, <Py_ssize_t> (<double> (n + 1) * p)), u = n - v
    cdef Py_ssize_t column = columns - 1, value, k
    cdef pair weight = pair(MOST, 0)
    cdef pair above = _next(weight, n, v, up)
    cdef pair below = _next(weight, n, u, down)  # downwards we count failures
    cdef double high = MOST, low = 0, total, scale
    cdef span its
    if values != NULL:
        values[column], probabilities[column] = v, MOST
    else:
        probabilities[v] = MOST
    while max(above.high, below.high) >= LEAST:
        if above.high >= below.high:
            v += 1
            weight, value, above = above, v, _next(above, n, v, up)
        else:
            u += 1
            weight, value, below = below, n - u, _next(below, n, u, down)
        if values != NULL:
            column -= 1
            values[column], probabilities[column] = value, weight.high
        else:
            probabilities[value] = weight.high
        total = high + weight.high
        low += (weight.high - (total - high)) + weight.low
        high = total
    its = span(column, columns) if values != NULL else span(n - u, v + 1)
    scale = 1 / ((high + low) / MOST)
    for k in range(its.first, its.end):
        probabilities[k] = probabilities[k] * scale / MOST
    return its


def tables(
    Py_ssize_t i0, Py_ssize_t i1, const double[::1] p, Py_ssize_t n, int64_t[::1] first,
    int64_t[:, ::1] values, double[:, ::1] probabilities,
):
    cdef Py_ssize_t i, columns = values.shape[1]
    with nogil:
        for i in range(i0, i1):
            first[i] = _table(n, p[i], columns, &values[i, 0], &probabilities[i, 0]).first


def pmf(
    Py_ssize_t i0, Py_ssize_t i1, const double[::1] p, Py_ssize_t n, double[:, ::1] out,
):
    cdef Py_ssize_t i
    cdef span its
    with nogil:
        for i in range(i0, i1):
            its = _table(n, p[i], 0, NULL, &out[i, 0])
            memset(&out[i, 0], 0, its.first * sizeof(double))
            memset(&out[i, 0] + its.end, 0, (n + 1 - its.end) * sizeof(double))


def intervals(
    Py_ssize_t c0, Py_ssize_t c1, const int64_t[::1] counts, int64_t draws, double z,
    double[::1] estimate, double[::1] lower, double[::1] upper,
):
    cdef Py_ssize_t k
    cdef int64_t c
    cdef double rarer, larger, low, high
    with nogil:
        for k in range(c0, c1):
            c = counts[k]
            rarer = <double> min(c, draws - c)
            larger = rarer + z * z / 2 + z * sqrt(rarer * (1 - rarer / draws) + z * z / 4)
            # a root that underflows is one of a count of 0
            low, high = rarer * rarer / (draws * max(larger, 1.0)), larger / (draws + z * z)
            if c > draws // 2:
                low, high = 1 - high, 1 - low
            estimate[k] = <double> c / draws
            # rounding may put the end of a narrow interval on the other side
            lower[k], upper[k] = min(low, estimate[k]), max(high, estimate[k])


cdef inline inlined _sort_of(
    Py_ssize_t count, bitgen_t* bits, bint words, const uint8_t* guide, const int64_t* thresholds,
    int64_t* hits,
) noexcept nogil:
    cdef Py_ssize_t _, x
    cdef int64_t k
    cdef void* state = bits.state
    cdef int shift = SHIFT
    for _ in range(count):
        if words:
            k = <int64_t> (bits.next_uint64(state) >> 11)
        else:
            k = <int64_t> (bits.next_double(state) * 2.0**53)
        x = guide[k >> shift]
        while k >= thresholds[x]:
            x += 1
        hits[x] += 1


cdef void _sort(
    Py_ssize_t count, bitgen_t* bits, bint words, const uint8_t* guide, const int64_t* thresholds,
    int64_t* hits,
) noexcept nogil:
    # with a constant each loop makes one call
    if words:
        _sort_of(count, bits, True, guide, thresholds, hits)
    else:
        _sort_of(count, bits, False, guide, thresholds, hits)


def count(
    Py_ssize_t t0, Py_ssize_t t1, bit_generator, bint words, const uint8_t[::1] guide,
    const int64_t[::1] thresholds, int64_t[::1] hits,
):
    cdef bitgen_t* bits = <bitgen_t*> PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
    with nogil:
        _sort(t1 - t0, bits, words, &guide[0], &thresholds[0], &hits[0])
