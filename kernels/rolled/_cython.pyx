from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from blas cimport gemm, number

from hotloops.kernels import rolled as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef extern from "rolled/runs.h" nogil:
    ctypedef struct hl_run:
        Py_ssize_t p0, p1, r0, r1, d, k, m, n, l
    void hl_multiply_float1(const hl_run*, const float*, const float*, float*)
    void hl_multiply_float2(const hl_run*, const float*, const float*, float*)
    void hl_multiply_double1(const hl_run*, const double*, const double*, double*)
    void hl_multiply_double2(const hl_run*, const double*, const double*, double*)
    void hl_multiply_uint81(const hl_run*, const uint8_t*, const uint8_t*, uint8_t*)
    void hl_multiply_uint161(const hl_run*, const uint16_t*, const uint16_t*, uint16_t*)
    void hl_multiply_uint321(const hl_run*, const uint32_t*, const uint32_t*, uint32_t*)
    void hl_multiply_uint641(const hl_run*, const uint64_t*, const uint64_t*, uint64_t*)
    void hl_multiply_bool1(const hl_run*, const uint8_t*, const uint8_t*, uint8_t*)
    void hl_to_integers(double*, Py_ssize_t, double)


cdef Py_ssize_t SMALL = kernel.SMALL
cdef Py_ssize_t SMALL_COMPLEX = kernel.SMALL_COMPLEX
cdef Py_ssize_t CACHED = kernel.CACHED
cdef double LIMIT = kernel.LIMIT


ctypedef fused unsigned_integer:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef void _multiply(
    const hl_run* run, const number* a, const number* b, number* out,
) noexcept nogil:
    # rows r0 to r1 of the products p0 to p1; out begins at the first
    cdef Py_ssize_t p, i, m = run.m, n = run.n, width = run.l, rows = run.r1 - run.r0
    cdef Py_ssize_t small = SMALL if number is float or number is double else SMALL_COMPLEX
    if max(rows, n, width) > small:
        for p in range(run.p0, run.p1):
            i = p // run.k
            gemm[number](rows, width, n, a + (i * m + run.r0) * n, n,
                         b + (i + p % run.k) % run.d * n * width, width,
                         out + (p - run.p0) * m * width, width)
    elif number is float:
        hl_multiply_float1(run, a, b, out)
    elif number is double:
        hl_multiply_double1(run, a, b, out)
    elif number is floatcomplex:
        hl_multiply_float2(run, <const float*> a, <const float*> b, <float*> out)
    else:
        hl_multiply_double2(run, <const double*> a, <const double*> b, <double*> out)


def fill(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1, const number[:, :, ::1] a,
    const number[:, :, ::1] b, Py_ssize_t k, number[:, :, ::1] out,
):
    cdef hl_run run = hl_run(p0, p1, r0, r1, a.shape[0], k, a.shape[1], a.shape[2], b.shape[2])
    with nogil:
        _multiply(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])


cdef cloned _to_integers(double* numbers, Py_ssize_t count) noexcept nogil:
    hl_to_integers(numbers, count, LIMIT)


def fill_exact(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1, const double[:, :, ::1] a,
    const double[:, :, ::1] b, Py_ssize_t k, double[:, :, ::1] out,
):
    cdef hl_run run = hl_run(p0, p1, r0, r1, a.shape[0], k, a.shape[1], a.shape[2], b.shape[2])
    cdef Py_ssize_t count = (r1 - r0) * run.l, step = 1
    if r1 - r0 == run.m:  # a run of whole products is one run of numbers
        step = max(1, CACHED // count)
    with nogil:
        while run.p0 < p1:
            run.p1 = min(run.p0 + step, p1)
            _multiply(&run, &a[0, 0, 0], &b[0, 0, 0], &out[run.p0, r0, 0])
            _to_integers(&out[run.p0, r0, 0], (run.p1 - run.p0) * count)
            run.p0 = run.p1


def fill_integer(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1,
    const unsigned_integer[:, :, ::1] a, const unsigned_integer[:, :, ::1] b, Py_ssize_t k,
    unsigned_integer[:, :, ::1] out,
):
    cdef hl_run run = hl_run(p0, p1, r0, r1, a.shape[0], k, a.shape[1], a.shape[2], b.shape[2])
    with nogil:
        if unsigned_integer is uint8_t:
            hl_multiply_uint81(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])
        elif unsigned_integer is uint16_t:
            hl_multiply_uint161(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])
        elif unsigned_integer is uint32_t:
            hl_multiply_uint321(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])
        else:
            hl_multiply_uint641(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])


def fill_bool(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1, const uint8_t[:, :, ::1] a,
    const uint8_t[:, :, ::1] b, Py_ssize_t k, uint8_t[:, :, ::1] out,
):
    cdef hl_run run = hl_run(p0, p1, r0, r1, a.shape[0], k, a.shape[1], a.shape[2], b.shape[2])
    with nogil:
        hl_multiply_bool1(&run, &a[0, 0, 0], &b[0, 0, 0], &out[p0, r0, 0])
