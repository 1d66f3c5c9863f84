from libc.math cimport fabs
from libc.stdlib cimport free

from blas cimport eliminate, getrf_panel, getrs, laswp, number
from blas_types cimport blas_int
from memory cimport scratch, transpose


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef void _number(
    Py_ssize_t count, const Py_ssize_t* order, Py_ssize_t first, blas_int* pivots,
) noexcept nogil:
    # as LAPACK counts the rows from `first` on
    cdef Py_ssize_t k
    for k in range(count):
        pivots[k] = order[k] - first + 1


cdef inline double _larger(double x, double y) noexcept nogil:
    # NaN if one of them is; two choices without a branch, which the compiler makes of vectors
    cdef double larger = x if x >= y else y
    return x if x != x else larger


cdef cloned _largest(
    Py_ssize_t m, Py_ssize_t n, const number* a, Py_ssize_t lda, double* largest,
) noexcept nogil:
    # the largest part of an element in each column of A (m, n), NaN where one is
    cdef Py_ssize_t i, j
    cdef double size
    for j in range(n):
        largest[j] = 0
    for i in range(m):
        for j in range(n):
            if number is float or number is double:
                size = fabs(a[i * lda + j])
            else:
                size = _larger(fabs(a[i * lda + j].real), fabs(a[i * lda + j].imag))
            largest[j] = _larger(largest[j], size)


def columns(
    Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] a, number[:, ::1] lu, double[::1] largest,
):
    cdef Py_ssize_t m = a.shape[0]
    with nogil:
        transpose[number](m, j1 - j0, &a[0, j0], a.shape[1], &lu[j0, 0], m)
        _largest[number](m, j1 - j0, &a[0, j0], a.shape[1], &largest[j0])


def panel(
    Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t first, number[:, ::1] lu, Py_ssize_t[::1] order,
):
    cdef Py_ssize_t k, n = lu.shape[1]
    cdef blas_int* pivots = <blas_int*> scratch(k1 - k0, sizeof(blas_int))
    with nogil:
        getrf_panel[number](n - first, k1 - k0, &lu[k0, first], n, pivots)
        for k in range(k1 - k0):
            order[k0 + k] = first + pivots[k] - 1
        free(pivots)


def update(
    Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] panel,
    const Py_ssize_t[::1] order, Py_ssize_t first, number[:, ::1] lu,
):
    cdef Py_ssize_t n = lu.shape[1]
    cdef blas_int* pivots = <blas_int*> scratch(k1 - k0, sizeof(blas_int))
    with nogil:
        _number(k1 - k0, &order[k0], first, pivots)
        laswp[number](j1 - j0, &lu[j0, first], n, k1 - k0, pivots)
        eliminate[number](n - first, j1 - j0, k1 - k0, <number*> &panel[k0, first],
                          &lu[j0, first], n)
        free(pivots)


def exchange(
    Py_ssize_t j0, Py_ssize_t j1, const Py_ssize_t[::1] order, Py_ssize_t first,
    number[:, ::1] lu,
):
    cdef Py_ssize_t n = lu.shape[1]
    cdef blas_int* pivots = <blas_int*> scratch(n - first, sizeof(blas_int))
    with nogil:
        _number(n - first, &order[first], first, pivots)
        laswp[number](j1 - j0, &lu[j0, first], n, n - first, pivots)
        free(pivots)


def solve(
    Py_ssize_t c0, Py_ssize_t c1, const number[:, ::1] lu, const Py_ssize_t[::1] order,
    const number[:, ::1] b, number[:, ::1] x,
):
    cdef Py_ssize_t n = lu.shape[0], count = c1 - c0, p = b.shape[1]
    cdef blas_int* pivots = <blas_int*> scratch(n, sizeof(blas_int))
    cdef number* y = NULL
    try:
        y = <number*> scratch(n * count, sizeof(number))
        with nogil:
            _number(n, &order[0], 0, pivots)
            transpose[number](n, count, &b[0, c0], p, y, n)
            getrs[number](n, count, <number*> &lu[0, 0], n, pivots, y, n)
            transpose[number](count, n, y, n, &x[0, c0], p)
    finally:
        free(y)
        free(pivots)
