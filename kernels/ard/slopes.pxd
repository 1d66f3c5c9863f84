# Sums over pairs of weights times what the derivatives of the forms and their profile are made of.
# `totals` are, if `squared`, those of squares of scaled differences, (count,), else of the
# differences themselves for each row, (m, count); `ends` those of weights · p and
# weights · dp/dalpha.
from cython cimport floating
from libc.stdint cimport int64_t

from ard.pairs cimport GROUP, LANES, PENDING, add_up, distance, evaluate, quadform
from ard.products cimport judge


cdef extern from "vmath.h" nogil:
    ctypedef void inlined "HL_INLINE void"


cdef inline inlined add_differences(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, Py_ssize_t stride,
    bint squared, double* totals, double* ends,
) noexcept nogil:
    # weights (m, n), zeros up to a whole group, become those times dp/dq; a scale of ones is NULL
    cdef Py_ssize_t f, i, j, w
    cdef floating d, s, xf
    cdef floating p[LANES]
    cdef floating slope[LANES]
    cdef floating change[LANES]
    cdef floating values[LANES]
    cdef floating changes[LANES]
    cdef floating group[LANES]
    cdef floating* c
    cdef const floating* y
    cdef double total
    for w in range(GROUP // sizeof(floating)):
        change[w] = 0
    for i in range(m):
        c = weights + i * stride
        for w in range(GROUP // sizeof(floating)):
            values[w] = changes[w] = 0
        j = 0
        while j < n:
            quadform(count, x + i * count, strip + j * count, scale, p)
            evaluate(profile, alpha, p, slope, change)
            for w in range(GROUP // sizeof(floating)):
                values[w] += c[j + w] * p[w]
                changes[w] += c[j + w] * change[w]
                c[j + w] *= slope[w]
            j += GROUP // sizeof(floating)
        add_up(values, ends)
        add_up(changes, ends + 1)
        for f in range(count):
            xf, s = x[i * count + f], scale[f] if scale != NULL else 1
            for w in range(GROUP // sizeof(floating)):
                group[w] = 0
            j = 0
            while j < n:
                y = strip + j * count + f * (GROUP // sizeof(floating))
                if squared:
                    for w in range(GROUP // sizeof(floating)):
                        d = s * (xf - y[w])
                        group[w] += c[j + w] * d * d
                else:
                    for w in range(GROUP // sizeof(floating)):
                        group[w] += c[j + w] * (xf - y[w])
                j += GROUP // sizeof(floating)
            if squared:
                add_up(group, totals + f)
            else:
                total = 0
                add_up(group, &total)
                totals[i * count + f] += s * total


cdef inline inlined add_late(
    Py_ssize_t pairs, const Py_ssize_t* i, const Py_ssize_t* j, const floating* weights,
    Py_ssize_t count, const floating* x, const floating* y, const floating* scale, int profile,
    double alpha, bint squared, double* totals, double* ends,
) noexcept nogil:
    # a group of pairs or less, from differences
    cdef Py_ssize_t f, w
    cdef floating d
    cdef floating p[LANES]
    cdef floating slope[LANES]
    cdef floating change[LANES]
    cdef const floating* xi
    cdef const floating* yj
    cdef double weight
    cdef double* total
    for w in range(GROUP // sizeof(floating)):
        p[w] = change[w] = 0
    for w in range(pairs):
        distance(count, x + i[w] * count, y + j[w] * count, scale, p + w)
    evaluate(profile, alpha, p, slope, change)
    for w in range(pairs):
        ends[0] += weights[w] * p[w]
        ends[1] += weights[w] * change[w]
        weight = weights[w] * slope[w]
        xi, yj = x + i[w] * count, y + j[w] * count
        total = totals if squared else totals + i[w] * count
        for f in range(count):
            d = xi[f] - yj[f]
            if scale != NULL:
                d *= scale[f]
            total[f] += weight * d * d if squared else weight * d


cdef inline inlined weigh(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, const floating* products, floating* weights, Py_ssize_t stride, bint squared,
    floating* row_sums, floating* column_sums, double* totals, double* ends,
) noexcept nogil:
    # The weights become those times dp/dq, q from the products, and 0 where that is not accurate
    # enough: such pairs are added from differences. The others' sums by row and, up to a whole
    # group, by column.
    cdef Py_ssize_t i, j, w, rest, pending = 0
    cdef Py_ssize_t late_i[PENDING]
    cdef Py_ssize_t late_j[PENDING]
    cdef floating late_weights[PENDING]
    cdef floating p[LANES]
    cdef floating q[LANES]
    cdef floating norms[LANES]
    cdef floating slope[LANES]
    cdef floating change[LANES]
    cdef floating values[LANES]
    cdef floating changes[LANES]
    cdef floating group[LANES]
    cdef int64_t anew[LANES]
    cdef int64_t any_anew
    cdef const floating* o
    cdef floating* c
    cdef double total
    for w in range(GROUP // sizeof(floating)):
        change[w] = 0
    j = 0
    while j < n:
        for w in range(GROUP // sizeof(floating)):
            column_sums[j + w] = 0
        j += GROUP // sizeof(floating)
    for i in range(m):
        for w in range(GROUP // sizeof(floating)):
            values[w] = changes[w] = group[w] = 0
        j = 0
        while j < n:
            o, c, rest = products + i * stride + j, weights + i * stride + j, n - j
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
                q[w] = p[w] = q[w] if q[w] > 0 else 0
            evaluate(profile, alpha, p, slope, change)
            judge(profile, count, q, norms, slope, anew)
            any_anew = 0
            for w in range(GROUP // sizeof(floating)):
                any_anew |= anew[w]
            if any_anew:
                for w in range(GROUP // sizeof(floating)):
                    late_i[pending], late_j[pending], late_weights[pending] = i, j + w, c[w]
                    pending += anew[w]
                    c[w] = 0 if anew[w] else c[w]
                if pending >= <Py_ssize_t> (GROUP // sizeof(floating)):
                    pending -= GROUP // sizeof(floating)
                    add_late(GROUP // sizeof(floating), late_i + pending, late_j + pending,
                             late_weights + pending, count, x, y, scale, profile, alpha, squared,
                             totals, ends)
            for w in range(GROUP // sizeof(floating)):
                values[w] += c[w] * p[w]
                changes[w] += c[w] * change[w]
                c[w] *= slope[w]
                group[w] += c[w]
                column_sums[j + w] += c[w]
            j += GROUP // sizeof(floating)
        add_up(values, ends)
        add_up(changes, ends + 1)
        total = 0
        add_up(group, &total)
        row_sums[i] = <floating> total
    add_late(pending, late_i, late_j, late_weights, count, x, y, scale, profile, alpha, squared,
             totals, ends)


cdef inline inlined add_products(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* rows, const floating* columns,
    const floating* row_sums, const floating* column_sums, const floating* products, bint squared,
    double* totals,
) noexcept nogil:
    # what weights W with these sums add, products = W @ columns
    cdef Py_ssize_t f, i, j
    cdef double x, y
    for i in range(m):
        for f in range(count):
            x = rows[i * count + f]
            if squared:
                totals[f] += (row_sums[i] * x - 2 * <double> products[i * count + f]) * x
            else:
                totals[i * count + f] += row_sums[i] * x - products[i * count + f]
    if squared:
        for j in range(n):
            for f in range(count):
                y = columns[j * count + f]
                totals[f] += column_sums[j] * y * y
