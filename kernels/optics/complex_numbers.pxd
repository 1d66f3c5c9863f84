# Complex numbers by their parts: products and quotients that are not made anew where a part is not
# finite, and the square root that a wave vector is.
from libc.math cimport fabs, sqrt


cdef inline double complex scaled(double complex z, double x) noexcept nogil:
    z.real = z.real * x
    z.imag = z.imag * x
    return z


cdef inline double complex conj(double complex z) noexcept nogil:
    z.imag = -z.imag
    return z


cdef inline double norm(double complex z) noexcept nogil:
    # |z|²
    return z.real * z.real + z.imag * z.imag


cdef inline double complex over(double complex x, double complex y) noexcept nogil:
    return scaled(x * conj(y), 1 / norm(y))


cdef inline double complex square_root(double complex square) noexcept nogil:
    # the root in the upper half plane; of 0 a number whose square is not 0
    cdef double complex q
    cdef double larger = sqrt(0.5 * (fabs(square.real) + sqrt(norm(square)))), smaller
    larger = 1e-100 if larger < 1e-100 else larger
    smaller = fabs(square.imag) / (2 * larger)
    q.real = larger if square.real >= 0 else smaller
    q.imag = smaller if square.real >= 0 else larger
    q.real = -q.real if square.imag < 0 and q.imag > 0 else q.real
    return q
