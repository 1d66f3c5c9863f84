from libc.stdlib cimport free, malloc

from blas cimport gemm, geqp3, gram, number, orgqr
from blas_types cimport blas_int


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    ctypedef void inlined "HL_INLINE void"


cdef enum:
    CHUNK = 65536  # numbers in double precision that are at work at a time: a cache holds them


cdef double* _scratch(Py_ssize_t size) except? NULL:
    cdef void* scratch = malloc(max(size, 1) * sizeof(double))
    if scratch == NULL:
        raise MemoryError(f"{size} numbers of scratch")
    return <double*> scratch


cdef inline Py_ssize_t _height(Py_ssize_t width) noexcept nogil:
    # how many rows of so many numbers are taken at a time
    return max(256, CHUNK // width)


cdef cloned _convert(Py_ssize_t size, const number* a, double* out) noexcept nogil:
    cdef Py_ssize_t i
    if number is float or number is double:
        for i in range(size):
            out[i] = a[i]
    else:
        for i in range(size):
            out[2 * i] = a[i].real
            out[2 * i + 1] = a[i].imag


cdef cloned _convert_back(Py_ssize_t size, const double* a, number* out) noexcept nogil:
    cdef Py_ssize_t i
    if number is float or number is double:
        for i in range(size):
            out[i] = <number> a[i]
    else:
        for i in range(size):
            out[i].real = a[2 * i]
            out[i].imag = a[2 * i + 1]


cdef inline double* _double(
    Py_ssize_t size, const number* a, double* scratch,
) noexcept nogil:
    # the numbers in double precision, in scratch if they are not
    if number is double or number is doublecomplex:
        return <double*> a
    else:
        _convert[number](size, a, scratch)
        return scratch


cdef cloned _add(Py_ssize_t size, const double* a, double* total) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        total[i] += a[i]


# --- sums -----------------------------------------------------------------------------------


cdef cloned _add_rows(
    Py_ssize_t m, Py_ssize_t width, Py_ssize_t count, const double* a, const double* less,
    double* sum,
) noexcept nogil:
    # sum = that of the rows of A, less the `count` rows of `less`; sum has a place for a row more
    cdef Py_ssize_t i, j, s
    cdef double* row = sum + width
    for j in range(width):
        sum[j] = 0
    for i in range(m):
        for j in range(width):
            row[j] = a[i * width + j]
        for s in range(count):
            for j in range(width):
                row[j] -= less[s * width + j]
        for j in range(width):
            sum[j] += row[j]


def sums(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] a, const double[:, :, ::1] less,
    double[:, ::1] total,
):
    cdef Py_ssize_t i, m, n = a.shape[1], width = n * total.shape[1], height = _height(width)
    cdef double* scratch = _scratch((height + 2) * width)
    cdef double* sum = scratch + height * width
    with nogil:
        i = i0
        while i < i1:
            m = min(height, i1 - i)
            _add_rows(m, width, less.shape[0], _double[number](m * n, &a[i, 0], scratch),
                      &less[0, 0, 0] if less.shape[0] else NULL, sum)
            _add(width, sum, &total[0, 0])
            i += m
        free(scratch)


ctypedef fused real:
    float
    double


cdef inline inlined _apply_few(
    Py_ssize_t m, Py_ssize_t n, const real* a, const real* b, double* y,
) noexcept nogil:
    # of so few columns that registers hold their sums, four of each
    cdef double sums[24]
    cdef Py_ssize_t i, j, s, even = m - m % 4
    for j in range(4 * n):
        sums[j] = 0
    for i in range(0, even, 4):
        for s in range(4):
            for j in range(n):
                sums[s * n + j] += <double> b[i + s] * a[(i + s) * n + j]
    for i in range(even, m):
        for j in range(n):
            sums[j] += <double> b[i] * a[i * n + j]
    for j in range(n):
        y[j] = (sums[j] + sums[n + j]) + (sums[2 * n + j] + sums[3 * n + j])


cdef cloned _apply(
    Py_ssize_t m, Py_ssize_t n, const real* a, const real* b, double* y,
) noexcept nogil:
    # y = a^T b of one column: each number becomes double as it is read
    cdef Py_ssize_t i, j, even = m - m % 4
    cdef double b0, b1, b2, b3
    if n == 1:
        _apply_few[real](m, 1, a, b, y)
        return
    if n == 2:
        _apply_few[real](m, 2, a, b, y)
        return
    if n == 3:
        _apply_few[real](m, 3, a, b, y)
        return
    if n == 4:
        _apply_few[real](m, 4, a, b, y)
        return
    for j in range(n):
        y[j] = 0
    for i in range(0, even, 4):
        b0, b1, b2, b3 = b[i], b[i + 1], b[i + 2], b[i + 3]
        for j in range(n):
            y[j] += ((b0 * a[i * n + j] + b1 * a[(i + 1) * n + j])
                     + (b2 * a[(i + 2) * n + j] + b3 * a[(i + 3) * n + j]))
    for i in range(even, m):
        b0 = b[i]
        for j in range(n):
            y[j] += b0 * a[i * n + j]


cdef void _products(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t p, const number* a, const number* b, double* rows,
    double* columns, double* y,
) noexcept nogil:
    # y = a^T b; rows and columns: scratch for a and b
    if number is float or number is double:
        if p == 1:
            _apply[number](m, n, a, b, y)
        else:
            gemm[double](n, p, m, _double[number](m * n, a, rows), n,
                         _double[number](m * p, b, columns), p, y, p, False, True)
    else:
        gemm[doublecomplex](
            n, p, m, <double complex*> _double[number](m * n, a, rows), n,
            <double complex*> _double[number](m * p, b, columns), p, <double complex*> y, p, False,
            True)


def products(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] a, const number[:, ::1] b,
    double[:, :, ::1] total,
):
    cdef Py_ssize_t i, m, n = a.shape[1], p = b.shape[1], parts = total.shape[2]
    cdef Py_ssize_t width = (n + p) * parts, height = _height(width)
    cdef double* scratch = _scratch(height * width + n * p * parts)
    cdef double* others = scratch + height * n * parts
    cdef double* product = scratch + height * width
    with nogil:
        i = i0
        while i < i1:
            m = min(height, i1 - i)
            _products[number](m, n, p, &a[i, 0], &b[i, 0], scratch, others, product)
            _add(n * p * parts, product, &total[0, 0, 0])
            i += m
        free(scratch)


def inner_products(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] a, double[:, :, ::1] total,
):
    cdef Py_ssize_t i, j, m, n = a.shape[1], parts = total.shape[2]
    cdef Py_ssize_t width = n * parts, height = _height(width)
    cdef double* scratch = _scratch((height + n) * width)
    cdef double* product = scratch + height * width
    cdef double* rows
    with nogil:
        i = i0
        while i < i1:
            m = min(height, i1 - i)
            rows = _double[number](m * n, &a[i, 0], scratch)
            if number is float or number is double:
                gram[double](m, n, rows, n, product, n)
            else:
                gram[doublecomplex](m, n, <double complex*> rows, n, <double complex*> product, n)
            for j in range(n):
                _add((n - j) * parts, product + (j * n + j) * parts, &total[j, j, 0])
            i += m
        free(scratch)


# --- factors --------------------------------------------------------------------------------


cdef cloned _columns(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const double* a, Py_ssize_t parts,
    const double* less, Py_ssize_t stride, double* out,
) noexcept nogil:
    # the columns of A, less those of `less`, below each other, `stride` apart
    cdef Py_ssize_t i, j, s, c
    cdef double x
    for j in range(n):
        for i in range(m):
            for c in range(parts):
                x = a[(i * n + j) * parts + c]
                for s in range(count):
                    x -= less[(s * n + j) * parts + c]
                out[(j * stride + i) * parts + c] = x


cdef cloned _rows(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t parts, const double* columns, Py_ssize_t stride,
    double* out,
) noexcept nogil:
    cdef Py_ssize_t i, j, c
    for i in range(m):
        for j in range(n):
            for c in range(parts):
                out[(i * n + j) * parts + c] = columns[(j * stride + i) * parts + c]


def triangular(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] a,
    const double[:, :, ::1] less, double[:, :, :, ::1] factors, number[:, ::1] q,
):
    cdef Py_ssize_t i, j, s, m = i1 - i0, n = a.shape[1], parts = factors.shape[3]
    cdef Py_ssize_t size = 2 * n + 64 * (n + 1)
    cdef Py_ssize_t height = _height(n * parts), some
    # the matrix by columns, a few of its rows, tau and LAPACK's work, real numbers and integers
    cdef double* columns = _scratch((m * n + height * n + n + size) * parts + 3 * n)
    cdef double* chunk = columns + m * n * parts
    cdef double* tau = chunk + height * n * parts
    cdef double* work = tau + n * parts
    cdef double* reals = work + size * parts
    cdef blas_int* fixed = <blas_int*> (reals + 2 * n)
    with nogil:
        i = 0
        while i < m:
            some = min(height, m - i)
            _columns(some, n, less.shape[0], _double[number](some * n, &a[i0 + i, 0], chunk),
                     parts, &less[0, 0, 0] if less.shape[0] else NULL, m, columns + i * parts)
            i += some
        for j in range(n):  # columns that stay where they are
            fixed[j] = 1
        if number is float or number is double:
            geqp3[double](m, n, columns, fixed, tau, work, size, NULL)
        else:
            geqp3[doublecomplex](m, n, <double complex*> columns, fixed, <double complex*> tau,
                                 <double complex*> work, size, reals)
        for i in range(n):
            for j in range(n):
                for s in range(parts):
                    factors[k0, i, j, s] = columns[(j * m + i) * parts + s] if i <= j else 0
        if q.shape[0]:
            if number is float or number is double:
                orgqr[double](m, n, columns, tau, work, size)
            else:
                orgqr[doublecomplex](m, n, <double complex*> columns, <double complex*> tau,
                                     <double complex*> work, size)
            i = 0
            while i < m:
                some = min(height, m - i)
                _rows(some, n, parts, columns + i * parts, m, chunk)
                _convert_back[number](some * n, chunk, &q[i0 + i, 0])
                i += some
        free(columns)


def multiply(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t k0, Py_ssize_t k1,
    const double[:, :, :, ::1] factors, number[:, ::1] q,
):
    cdef Py_ssize_t i, m, n = q.shape[1], width = n * factors.shape[3], height = _height(width)
    cdef double* scratch = _scratch(2 * height * width)
    cdef double* product = scratch + height * width
    cdef double* factor = <double*> &factors[k0, 0, 0, 0]
    cdef double* rows
    with nogil:
        i = i0
        while i < i1:
            m = min(height, i1 - i)
            rows = _double[number](m * n, &q[i, 0], scratch)
            if number is float or number is double:
                gemm[double](m, n, n, rows, n, factor, n, product, n)
            else:
                gemm[doublecomplex](m, n, n, <double complex*> rows, n, <double complex*> factor,
                                    n, <double complex*> product, n)
            _convert_back[number](m * n, product, &q[i, 0])
            i += m
        free(scratch)
