# Pairs whose q comes from a matrix product, |x|^2 + |y|^2 - 2 x y, group by group.
from cython cimport floating
from libc.stdint cimport int64_t

from ard.pairs cimport (
    GROUP, LANES, LATE, MANY, MATERN12, PENDING, QUADFORM, SAMPLE, distance, evaluate,
)


cdef extern from "vmath.h" nogil:
    ctypedef void inlined "HL_INLINE void"


cdef inline inlined judge(
    int profile, Py_ssize_t count, const floating* q, const floating* norms, const floating* slope,
    int64_t* anew,
) noexcept nogil:
    # anew[w]: whether the rounding of q, some ulps of norms = |x|^2 + |y|^2, is too much for k, or
    # one of them is not finite
    cdef Py_ssize_t w
    cdef floating most = LATE if count < MANY else LATE // 2
    if profile == QUADFORM or profile == MATERN12:
        for w in range(GROUP // sizeof(floating)):
            anew[w] = not (q[w] >= <floating> 0.4 * norms[w] + (norms[w] - norms[w]))
    else:
        for w in range(GROUP // sizeof(floating)):
            anew[w] = not (norms[w] * -slope[w] <= most)


cdef inline inlined make_anew(
    Py_ssize_t pairs, const Py_ssize_t* i, const Py_ssize_t* j, Py_ssize_t count,
    const floating* x, const floating* y, const floating* scale, int profile, double alpha,
    floating variance, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # out[i, j] of a group of pairs or less, from differences
    cdef Py_ssize_t w
    cdef floating q[LANES]
    cdef floating slope[LANES]
    for w in range(GROUP // sizeof(floating)):
        q[w] = 0
    for w in range(pairs):
        distance(count, x + i[w] * count, y + j[w] * count, scale, q + w)
    evaluate(profile, alpha, q, slope, slope)
    for w in range(pairs):
        out[i[w] * stride + j[w]] = variance * q[w]


cdef inline inlined finish(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, floating variance, Py_ssize_t diagonal, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # k in place of the products out, and anew from differences where that is not accurate enough;
    # on the diagonal q is 0
    cdef Py_ssize_t i, j, on, w, rest, pending = 0
    cdef Py_ssize_t late_i[PENDING]
    cdef Py_ssize_t late_j[PENDING]
    cdef floating q[LANES]
    cdef floating norms[LANES]
    cdef floating slope[LANES]
    cdef floating unused[LANES]
    cdef int64_t anew[LANES]
    cdef int64_t any_anew
    cdef floating* o
    for i in range(m):
        j = 0
        while j < n:
            o, rest = out + i * stride + j, n - j
            if rest >= <Py_ssize_t> (GROUP // sizeof(floating)):
                for w in range(GROUP // sizeof(floating)):
                    norms[w] = row_norms[i] + column_norms[j + w]
                    q[w] = norms[w] - 2 * o[w]
            else:
                for w in range(rest):
                    norms[w] = row_norms[i] + column_norms[j + w]
                    q[w] = norms[w] - 2 * o[w]
                for w in range(rest, GROUP // sizeof(floating)):
                    q[w] = norms[w] = 0
            for w in range(GROUP // sizeof(floating)):
                q[w] = q[w] if q[w] > 0 else 0
            on = i + diagonal - j
            if 0 <= on < <Py_ssize_t> (GROUP // sizeof(floating)) and norms[on] - norms[on] == 0:
                q[on] = norms[on] = 0
            if profile == QUADFORM or profile == MATERN12:
                judge(profile, count, q, norms, slope, anew)
                evaluate(profile, alpha, q, slope, unused)
            else:
                evaluate(profile, alpha, q, slope, unused)
                judge(profile, count, q, norms, slope, anew)
            if rest >= <Py_ssize_t> (GROUP // sizeof(floating)):
                for w in range(GROUP // sizeof(floating)):
                    o[w] = variance * q[w]
            else:
                for w in range(rest):
                    o[w] = variance * q[w]
            any_anew = 0
            for w in range(GROUP // sizeof(floating)):
                any_anew |= anew[w]
            if any_anew:
                for w in range(GROUP // sizeof(floating)):
                    late_i[pending], late_j[pending] = i, j + w
                    pending += anew[w]
                if pending >= <Py_ssize_t> (GROUP // sizeof(floating)):
                    pending -= GROUP // sizeof(floating)
                    make_anew(GROUP // sizeof(floating), late_i + pending, late_j + pending,
                              count, x, y, scale, profile, alpha, variance, out, stride)
            j += GROUP // sizeof(floating)
    make_anew(pending, late_i, late_j, count, x, y, scale, profile, alpha, variance, out, stride)


cdef inline inlined sample(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, Py_ssize_t* late,
) noexcept nogil:
    # how many of SAMPLE pairs, spread over a tile, `finish` would make anew
    cdef Py_ssize_t a = 0, i, j, w
    cdef floating q[LANES]
    cdef floating norms[LANES]
    cdef floating slope[LANES]
    cdef floating unused[LANES]
    cdef int64_t anew[LANES]
    late[0] = 0
    while a < SAMPLE:
        for w in range(GROUP // sizeof(floating)):
            i, j = (a + w) * m // SAMPLE, (a + w) * 37 % SAMPLE * n // SAMPLE
            norms[w] = row_norms[i] + column_norms[j]
            distance(count, x + i * count, y + j * count, scale, q + w)
        if profile == QUADFORM or profile == MATERN12:
            judge(profile, count, q, norms, slope, anew)
        else:
            evaluate(profile, alpha, q, slope, unused)
            judge(profile, count, q, norms, slope, anew)
        for w in range(GROUP // sizeof(floating)):
            late[0] += anew[w]
        a += GROUP // sizeof(floating)
