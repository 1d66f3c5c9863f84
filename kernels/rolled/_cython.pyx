from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from blas cimport gemm, number


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef extern from "rolled/strips.h" nogil:
    ctypedef void inlined "HL_INLINE void"
    void hl_product_float(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t l, const float* a, const float* b, float* out)
    void hl_product_double(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t l, const double* a, const double* b, double* out)


cdef enum:
    SMALL = 12  # rows and columns; above, BLAS is faster


ctypedef fused real:
    float
    double


ctypedef fused unsigned_integer:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef inline inlined _product(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t l, const real* a, const real* b, real* out,
) noexcept nogil:
    if real is float:
        hl_product_float(m, n, l, a, b, out)
    else:
        hl_product_double(m, n, l, a, b, out)


cdef inline inlined _ring(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t d, Py_ssize_t k, Py_ssize_t m, Py_ssize_t n,
    Py_ssize_t l, const real* a, const real* b, real* out,
) noexcept nogil:
    cdef Py_ssize_t p, i = p0 // k, j = p0 % k, s = (i + j) % d
    for p in range(p0, p1):
        _product[real](m, n, l, a + i * m * n, b + s * n * l, out + p * m * l)
        j += 1
        s += 1
        if s == d:
            s = 0
        if j == k:
            j = 0
            i += 1
            s = i


cdef cloned _real(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t d, Py_ssize_t k, Py_ssize_t m, Py_ssize_t n,
    Py_ssize_t l, const real* a, const real* b, real* out,
) noexcept nogil:
    # with constants a product is unrolled whole
    if m == n == l == 2:
        _ring[real](p0, p1, d, k, 2, 2, 2, a, b, out)
    elif m == n == l == 3:
        _ring[real](p0, p1, d, k, 3, 3, 3, a, b, out)
    elif m == n == l == 4:
        _ring[real](p0, p1, d, k, 4, 4, 4, a, b, out)
    else:
        _ring[real](p0, p1, d, k, m, n, l, a, b, out)


cdef cloned _complex(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t d, Py_ssize_t k, Py_ssize_t m, Py_ssize_t n,
    Py_ssize_t l, const real* a, const real* b, real* out,
) noexcept nogil:
    # (a (m, 2n) as reals) @ (b and i b by turns, (2n, 2l)) is the product as reals
    cdef real turns[4 * SMALL * SMALL]
    cdef const real* y
    cdef Py_ssize_t p, i, q, w
    for p in range(p0, p1):
        i = p // k
        y = b + 2 * ((i + p % k) % d) * n * l
        for q in range(n):
            for w in range(l):
                turns[4 * q * l + 2 * w] = y[2 * (q * l + w)]
                turns[4 * q * l + 2 * w + 1] = y[2 * (q * l + w) + 1]
                turns[(4 * q + 2) * l + 2 * w] = -y[2 * (q * l + w) + 1]
                turns[(4 * q + 2) * l + 2 * w + 1] = y[2 * (q * l + w)]
        _product[real](m, 2 * n, 2 * l, a + 2 * i * m * n, turns, out + 2 * p * m * l)


def fill(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1, const number[:, :, ::1] a,
    const number[:, :, ::1] b, Py_ssize_t k, number[:, :, ::1] out,
):
    cdef Py_ssize_t d = a.shape[0], m = a.shape[1], n = a.shape[2], p, i
    cdef Py_ssize_t width = b.shape[2]
    with nogil:
        if max(m, n, width) > SMALL or r1 - r0 < m:
            for p in range(p0, p1):
                i = p // k
                gemm[number](r1 - r0, width, n, &a[i, r0, 0], n, &b[(i + p % k) % d, 0, 0], width,
                             &out[p, r0, 0], width)
        elif number is float:
            _real[float](p0, p1, d, k, m, n, width, &a[0, 0, 0], &b[0, 0, 0], &out[0, 0, 0])
        elif number is double:
            _real[double](p0, p1, d, k, m, n, width, &a[0, 0, 0], &b[0, 0, 0], &out[0, 0, 0])
        elif number is floatcomplex:
            _complex[float](p0, p1, d, k, m, n, width, <float*> &a[0, 0, 0], <float*> &b[0, 0, 0],
                            <float*> &out[0, 0, 0])
        else:
            _complex[double](p0, p1, d, k, m, n, width, <double*> &a[0, 0, 0],
                             <double*> &b[0, 0, 0], <double*> &out[0, 0, 0])


cdef cloned _integer(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t l, const unsigned_integer* a, const unsigned_integer* b,
    unsigned_integer* out,
) noexcept nogil:
    cdef Py_ssize_t i, q, w
    for i in range(m):
        for w in range(l):
            out[i * l + w] = 0
        for q in range(n):
            for w in range(l):
                # times 1u: what is shorter than an int would become a signed one, and overflow
                out[i * l + w] += <unsigned_integer> (1u * a[i * n + q] * b[q * l + w])


def fill_integer(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1,
    const unsigned_integer[:, :, ::1] a, const unsigned_integer[:, :, ::1] b, Py_ssize_t k,
    unsigned_integer[:, :, ::1] out,
):
    cdef Py_ssize_t p, i
    with nogil:
        for p in range(p0, p1):
            i = p // k
            _integer(r1 - r0, a.shape[2], b.shape[2], &a[i, r0, 0],
                     &b[(i + p % k) % a.shape[0], 0, 0], &out[p, r0, 0])


cdef cloned _bool(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t l, const uint8_t* a, const uint8_t* b, uint8_t* out,
) noexcept nogil:
    cdef Py_ssize_t i, q, w
    for i in range(m):
        for w in range(l):
            out[i * l + w] = 0
        for q in range(n):
            for w in range(l):
                out[i * l + w] |= a[i * n + q] & b[q * l + w]


def fill_bool(
    Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t r0, Py_ssize_t r1, const uint8_t[:, :, ::1] a,
    const uint8_t[:, :, ::1] b, Py_ssize_t k, uint8_t[:, :, ::1] out,
):
    cdef Py_ssize_t p, i
    with nogil:
        for p in range(p0, p1):
            i = p // k
            _bool(r1 - r0, a.shape[2], b.shape[2], &a[i, r0, 0],
                  &b[(i + p % k) % a.shape[0], 0, 0], &out[p, r0, 0])
