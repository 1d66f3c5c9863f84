from libc.math cimport NAN
from libc.stdlib cimport free, malloc

from cython cimport floating

from blas cimport getrf, getrs, number, potrf, potrs
from blas_types cimport blas_int
from memory cimport transpose

from hotloops.kernels import solve as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef extern from "solve/systems.h" nogil:
    enum:
        HL_LANES
    void hl_solve_float(
        Py_ssize_t parts, bint positive, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t count,
        const float* a, const float* b, float* x, unsigned char* failed, float* rows)
    void hl_solve_double(
        Py_ssize_t parts, bint positive, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t count,
        const double* a, const double* b, double* x, unsigned char* failed, double* rows)


LANES = HL_LANES
cdef Py_ssize_t PIECE = kernel.PIECE


cdef cloned _group(
    Py_ssize_t parts, bint positive, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t count,
    const floating* a, const floating* b, floating* x, unsigned char* failed, floating* rows,
) noexcept nogil:
    # constants choose the code that is inlined
    if floating is float:
        if parts == 1 and not positive:
            hl_solve_float(1, False, n, columns, count, a, b, x, failed, rows)
        elif parts == 1:
            hl_solve_float(1, True, n, columns, count, a, b, x, failed, rows)
        elif not positive:
            hl_solve_float(2, False, n, columns, count, a, b, x, failed, rows)
        else:
            hl_solve_float(2, True, n, columns, count, a, b, x, failed, rows)
    else:
        if parts == 1 and not positive:
            hl_solve_double(1, False, n, columns, count, a, b, x, failed, rows)
        elif parts == 1:
            hl_solve_double(1, True, n, columns, count, a, b, x, failed, rows)
        elif not positive:
            hl_solve_double(2, False, n, columns, count, a, b, x, failed, rows)
        else:
            hl_solve_double(2, True, n, columns, count, a, b, x, failed, rows)


def side_by_side(
    Py_ssize_t s0, Py_ssize_t s1, const floating[:, :, :, ::1] a, const floating[:, :, :, ::1] b,
    bint positive, floating[:, :, :, ::1] x, unsigned char[::1] failed,
):
    cdef Py_ssize_t s = s0, n = b.shape[1], columns = b.shape[2], parts = b.shape[3]
    cdef floating* rows = <floating*> malloc(
        n * (n + columns) * parts * HL_LANES * sizeof(floating))
    if rows == NULL:
        raise MemoryError
    with nogil:
        while s < s1:
            _group(parts, positive, n, columns, min(s1 - s, HL_LANES), &a[s, 0, 0, 0],
                   &b[s, 0, 0, 0], &x[s, 0, 0, 0], &failed[s], rows)
            s += HL_LANES
    free(rows)


cdef bint _is_finite(bint positive, Py_ssize_t n, const number* a) noexcept nogil:
    cdef number nothing = 0
    cdef Py_ssize_t i, j
    for i in range(n):
        for j in range(i + 1 if positive else n):
            nothing = nothing + 0 * a[i * n + j]
    return nothing == 0


cdef void _by_lapack(
    bint positive, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t width, const number* a,
    const number* b, number* x, unsigned char* failed, number* factor, number* piece,
    blas_int* pivots,
) noexcept nogil:
    cdef Py_ssize_t i, start = 0, count
    cdef bint finite = _is_finite(positive, n, a)
    failed[0] = 0
    if finite:
        transpose(n, n, a, n, factor, n)
        failed[0] = (potrf(n, factor, n) if positive else getrf(n, factor, n, pivots)) != 0
    if failed[0] or not finite:
        for i in range(n * columns):
            x[i] = NAN
        return
    while start < columns:
        count = min(width, columns - start)
        transpose(n, count, b + start, columns, piece, n)
        if positive:
            potrs(n, count, factor, n, piece, n)
        else:
            getrs(n, count, factor, n, pivots, piece, n)
        transpose(count, n, piece, n, x + start, columns)
        start += count


def one_by_one(
    Py_ssize_t s0, Py_ssize_t s1, const number[:, :, ::1] a, const number[:, :, ::1] b,
    bint positive, number[:, :, ::1] x, unsigned char[::1] failed,
):
    cdef Py_ssize_t s, n = a.shape[1], columns = b.shape[2]
    cdef Py_ssize_t width = min(columns, max(1, PIECE // n))
    cdef number* scratch = <number*> malloc(n * (n + width) * sizeof(number))
    cdef blas_int* pivots = <blas_int*> malloc(n * sizeof(blas_int))
    try:
        if scratch == NULL or pivots == NULL:
            raise MemoryError
        with nogil:
            for s in range(s0, s1):
                _by_lapack(positive, n, columns, width, &a[s, 0, 0], &b[s, 0, 0], &x[s, 0, 0],
                           &failed[s], scratch, scratch + n * n, pivots)
    finally:
        free(scratch)
        free(pivots)
