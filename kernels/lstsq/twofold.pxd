# Sums in twice the precision: a head and, besides, what rounding has left of it (Knuth's sum, and
# products whose rounding errors a fused multiply-add gives); of complex numbers by their parts.
from libc.math cimport fma

from blas cimport number


cdef extern from "vmath.h" nogil:
    ctypedef void inlined "HL_INLINE void"


cdef inline inlined add(double* sum, double x) noexcept nogil:
    # sum[0] + sum[1] gains x; Knuth's sum
    cdef double total = sum[0] + x, part = total - sum[0]
    sum[1] += (sum[0] - (total - part)) + (x - part)
    sum[0] = total


cdef inline inlined add_product(double* sum, double x, double y) noexcept nogil:
    # and x y. `product` has more uses than the sum, and so no compiler fuses it into that
    cdef double product = x * y
    sum[1] += fma(x, y, -product)
    add(sum, product)


cdef inline inlined subtract_product(double* re, double* im, number x, number y) noexcept nogil:
    if number is float or number is double:
        add_product(re, -(<double> x), y)
    else:
        add_product(re, -(<double> x.real), y.real)
        add_product(re, x.imag, y.imag)
        add_product(im, -(<double> x.real), y.imag)
        add_product(im, -(<double> x.imag), y.real)


cdef inline number number_of(double re, double im, number like) noexcept nogil:
    if number is float or number is double:
        return <number> re
    else:
        like.real = re
        like.imag = im
        return like


cdef inline inlined begin(double* re, double* im, number z) noexcept nogil:
    re[1] = im[1] = im[0] = 0
    if number is float or number is double:
        re[0] = z
    else:
        re[0] = z.real
        im[0] = z.imag


cdef inline inlined subtract(double* re, double* im, number z) noexcept nogil:
    if number is float or number is double:
        add(re, -(<double> z))
    else:
        add(re, -(<double> z.real))
        add(im, -(<double> z.imag))
