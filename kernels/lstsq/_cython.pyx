from libc.math cimport NAN, fabs, fma, frexp, isfinite, ldexp, sqrt
from libc.stdlib cimport free
from libc.string cimport memcpy

from blas cimport gemm, geqp3, gesdd, getrf, getrs, gram, number, orgqr, potrf, trsm, trsv
from blas_types cimport blas_int
from lstsq.twofold cimport add_product, begin, number_of, subtract, subtract_product
from memory cimport scratch, transpose

from hotloops.kernels import lstsq as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef int LU = kernel.LU, CHOLESKY = kernel.CHOLESKY, QR = kernel.QR, SVD = kernel.SVD


cdef inline double _size(number z) noexcept nogil:
    # within a factor of sqrt(2) of |z|
    if number is float or number is double:
        return fabs(z)
    else:
        return max(fabs(z.real), fabs(z.imag))


cdef inline double _square(number z) noexcept nogil:
    # |z|²
    if number is float or number is double:
        return <double> z * z
    else:
        return <double> z.real * z.real + <double> z.imag * z.imag


cdef inline number _conj(number z) noexcept nogil:
    if number is floatcomplex or number is doublecomplex:
        z.imag = -z.imag
    return z


cdef inline number _times(number z, double s) noexcept nogil:
    if number is float or number is double:
        return <number> (z * s)
    else:
        z.real = z.real * s
        z.imag = z.imag * s
        return z


cdef inline number _over(number z, double s) noexcept nogil:
    if number is float or number is double:
        return <number> (z / s)
    else:
        z.real = z.real / s
        z.imag = z.imag / s
        return z


cdef inline int _exponent(double x) noexcept nogil:
    # that of the power of two that is just above x > 0, from -1020 to 1020
    cdef int exponent = 0
    if x > 0 and isfinite(x):
        frexp(x, &exponent)
    return max(-1020, min(1020, exponent))


cdef inline double _reciprocal(double x) noexcept nogil:
    # the power of two that takes x > 0 to [½, 1)
    return ldexp(1, -_exponent(x))


cdef cloned _prepare(
    Py_ssize_t m, Py_ssize_t n, const number* a, const double* root, double alpha, number* out,
    double* scale, double* total,
) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double w = 1
    for j in range(n):
        total[j] = sqrt(alpha)
    for i in range(m):
        w = root[i] if root != NULL else 1
        for j in range(n):
            total[j] = max(total[j], w * _size[number](a[i * n + j]))
    for j in range(n):  # first so that squares stay in range
        scale[j] = _reciprocal(total[j])
        total[j] = alpha * scale[j] * scale[j]
    for i in range(m):
        w = root[i] if root != NULL else 1
        for j in range(n):
            out[i * n + j] = _times[number](a[i * n + j], w * scale[j])
            total[j] += _square[number](out[i * n + j])
    for j in range(n):
        total[j] = min(_reciprocal(sqrt(total[j])), ldexp(1, 1020) / scale[j])
        scale[j] *= total[j]
    for i in range(m):
        for j in range(n):
            out[i * n + j] = _times[number](out[i * n + j], total[j])
    if alpha > 0:
        for i in range(n):
            for j in range(n):
                out[(m + i) * n + j] = 0
            out[(m + i) * n + i] = <number> (sqrt(alpha) * scale[i])


def prepare(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, const double[:, ::1] root,
    double alpha, number[:, :, ::1] out, double[:, ::1] scale,
):
    cdef Py_ssize_t k, m = a.shape[1], n = a.shape[2]
    cdef double* total = <double*> scratch(n, sizeof(double))
    with nogil:
        for k in range(k0, k1):
            _prepare[number](m, n, &a[k, 0, 0], &root[k, 0] if root.shape[1] else NULL, alpha,
                             &out[k, 0, 0], &scale[k, 0], total)
        free(total)


# --- factors --------------------------------------------------------------------------------


def factor_lu(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, number[:, :, ::1] right,
    Py_ssize_t[:, ::1] order, double[::1] ratio,
):
    cdef Py_ssize_t k, i, j, n = a.shape[1]
    cdef double* largest = <double*> scratch(n, sizeof(double))
    cdef double pivot
    cdef blas_int* pivots
    with nogil:
        for k in range(k0, k1):
            pivots = <blas_int*> &order[k, 0]
            transpose[number](n, n, &a[k, 0, 0], n, &right[k, 0, 0], n)
            for j in range(n):
                largest[j] = 0
                for i in range(n):
                    largest[j] = max(largest[j], _size[number](right[k, j, i]))
            getrf[number](n, &right[k, 0, 0], n, pivots)
            for j in range(n - 1, -1, -1):  # from the last: a pivot may be narrower than its place
                order[k, j] = pivots[j] - 1
            ratio[k] = 1
            for j in range(n):
                pivot = _size[number](right[k, j, j])
                ratio[k] = min(ratio[k], pivot / largest[j] if pivot != 0 else 0)
        free(largest)


cdef double _cholesky(Py_ssize_t n, number* a, double* diagonal) noexcept nogil:
    # R in place of the upper triangle of A; the smallest share of a diagonal element that is left
    # when those before it are eliminated, 0 if none is
    cdef double share
    cdef Py_ssize_t j
    for j in range(n):
        if number is float or number is double:
            diagonal[j] = a[j * n + j]
        else:
            diagonal[j] = a[j * n + j].real
    share = 0 if potrf[number](n, a, n) > 0 else 1
    for j in range(n):
        share = min(share, _square[number](a[j * n + j]) / diagonal[j])
    return share


def factor_cholesky(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, number[:, :, ::1] right,
    double[::1] ratio,
):
    cdef Py_ssize_t k, n = a.shape[1]
    cdef double* diagonal = <double*> scratch(n, sizeof(double))
    with nogil:
        for k in range(k0, k1):
            memcpy(&right[k, 0, 0], &a[k, 0, 0], n * n * sizeof(number))
            ratio[k] = _cholesky[number](n, &right[k, 0, 0], diagonal)
        free(diagonal)


def factor_normal(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, number[:, :, ::1] right,
    double[::1] ratio,
):
    cdef Py_ssize_t k, m = a.shape[1], n = a.shape[2]
    cdef double* diagonal = <double*> scratch(n, sizeof(double))
    with nogil:
        for k in range(k0, k1):
            gram[number](m, n, <number*> &a[k, 0, 0], n, &right[k, 0, 0], n)
            ratio[k] = _cholesky[number](n, &right[k, 0, 0], diagonal)
        free(diagonal)


cdef cloned _triangular_product(Py_ssize_t n, const number* a, number* b) noexcept nogil:
    # b becomes a @ b, both upper triangular
    cdef Py_ssize_t i, j, q
    for i in range(n):
        for j in range(i, n):
            b[i * n + j] = a[i * n + i] * b[i * n + j]
        for q in range(i + 1, n):
            for j in range(q, n):
                b[i * n + j] += a[i * n + q] * b[q * n + j]


cdef bint _cholesky_qr(
    Py_ssize_t m, Py_ssize_t n, number* q, number* r, number* product, double* diagonal,
    double enough,
) noexcept nogil:
    # Q R = A in the place of A and r; whether the columns were independent enough for that
    cdef Py_ssize_t i, j
    gram[number](m, n, q, n, r, n)
    if not _cholesky[number](n, r, diagonal) > enough:
        return False
    trsm[number](m, n, r, n, q, n, True)
    gram[number](m, n, q, n, product, n)
    for i in range(n):
        for j in range(i, n):
            if not _size[number](product[i * n + j] - (1 if i == j else 0)) < 0.01:
                return False
    potrf[number](n, product, n)
    trsm[number](m, n, product, n, q, n, True)
    _triangular_product[number](n, product, r)
    return True


cdef void _places(Py_ssize_t m, Py_ssize_t n, const number* a, Py_ssize_t* place) noexcept nogil:
    # of the rows of A, the largest first, as they come where they are within a factor of 16
    cdef Py_ssize_t first[513]
    cdef Py_ssize_t i, j, largest = -1024, taken
    cdef double size
    for j in range(513):
        first[j] = 0
    for i in range(m):
        size = 0
        for j in range(n):
            size = max(size, _size[number](a[i * n + j]))
        place[i] = _exponent(size) if size != 0 else -1024
        largest = max(largest, place[i])
    for i in range(m):
        place[i] = (largest - place[i]) // 4  # a class: those after it begin later
        first[place[i] + 1] += 1
    for j in range(512):
        first[j + 1] += first[j]
    for i in range(m):
        taken = first[place[i]]
        first[place[i]] += 1
        place[i] = taken


cdef void _householder(
    Py_ssize_t m, Py_ssize_t n, number* q, number* r, Py_ssize_t* order, number* columns,
    number* tau, number* work, blas_int size, void* rwork, Py_ssize_t* place,
) noexcept nogil:
    # place: scratch of m
    cdef blas_int* pivots = <blas_int*> order
    cdef Py_ssize_t i, j, start
    for j in range(n):
        pivots[j] = 0
    _places[number](m, n, q, place)
    for start in range(0, m, 16):
        for j in range(n):
            for i in range(start, min(start + 16, m)):
                columns[j * m + place[i]] = q[i * n + j]
    geqp3[number](m, n, columns, pivots, tau, work, size, rwork)
    for j in range(n - 1, -1, -1):  # from the last: a pivot may be narrower than its place
        order[j] = pivots[j] - 1
        for i in range(j + 1):
            r[i * n + j] = columns[j * m + i]
    orgqr[number](m, n, columns, tau, work, size)
    for start in range(0, m, 16):
        for j in range(n):
            for i in range(start, min(start + 16, m)):
                q[i * n + j] = columns[j * m + place[i]]


def factor_qr(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, bint products, bint householder,
    number[:, :, ::1] left, number[:, :, ::1] right, Py_ssize_t[:, ::1] order, double[::1] ratio,
):
    cdef Py_ssize_t k, j, m = left.shape[1], n = left.shape[2], size = 2 * n + 64 * (n + 1)
    cdef double root_of_epsilon = 3.4e-4 if number is float or number is floatcomplex else 1.5e-8
    cdef double* real = <double*> scratch(2 * n, sizeof(double))
    cdef Py_ssize_t* place = NULL
    cdef number* product = NULL
    cdef number* tau
    cdef double least, most, pivot
    try:
        product = <number*> scratch(n * n + (n + size + m * n if householder else 0),
                                    sizeof(number))
        place = <Py_ssize_t*> scratch(m, sizeof(Py_ssize_t))
        with nogil:
            tau = product + n * n
            for k in range(k0, k1):
                memcpy(&left[k, 0, 0], &a[k, 0, 0], m * n * sizeof(number))
                for j in range(n):
                    order[k, j] = j
                if not (products and _cholesky_qr[number](
                        m, n, &left[k, 0, 0], &right[k, 0, 0], product, real, root_of_epsilon)):
                    ratio[k] = 0
                    if not householder:
                        continue
                    memcpy(&left[k, 0, 0], &a[k, 0, 0], m * n * sizeof(number))
                    _householder[number](m, n, &left[k, 0, 0], &right[k, 0, 0], &order[k, 0],
                                         tau + n + size, tau, tau + n, size, real, place)
                least = most = sqrt(_square[number](right[k, 0, 0]))
                for j in range(n):
                    pivot = sqrt(_square[number](right[k, j, j]))
                    least = min(least, pivot)
                    most = max(most, pivot)
                ratio[k] = least / most if most != 0 else 0
    finally:
        free(product)
        free(place)
        free(real)


def factor_svd(
    Py_ssize_t k0, Py_ssize_t k1, const number[:, :, ::1] a, number[:, :, ::1] left,
    double[:, ::1] sigma, number[:, :, ::1] right,
):
    cdef Py_ssize_t k, j, m = a.shape[1], n = a.shape[2], q = min(m, n)
    cdef Py_ssize_t reals = q + 5 * q * q + 5 * q + 2 * max(m, n) * q + 2 * q * q + q, size
    cdef number best = 0
    cdef blas_int info = gesdd[number](m, n, &best, NULL, &left[0, 0, 0], &right[0, 0, 0], &best,
                                       -1, NULL, NULL)
    cdef double* real = <double*> scratch(reals + 8 * q, sizeof(double))
    cdef void* values = real
    cdef number* work = NULL
    try:
        size = <Py_ssize_t> _size[number](best) + 1
        work = <number*> scratch(size + m * n, sizeof(number))
        with nogil:
            for k in range(k0, k1):
                memcpy(work + size, &a[k, 0, 0], m * n * sizeof(number))
                info = gesdd[number](
                    m, n, work + size, values, &left[k, 0, 0], &right[k, 0, 0], work, size,
                    real + q, <blas_int*> (real + reals))
                for j in range(q):
                    if info != 0:
                        sigma[k, j] = NAN
                    elif number is float or number is floatcomplex:
                        sigma[k, j] = (<float*> values)[j]
                    else:
                        sigma[k, j] = (<double*> values)[j]
    finally:
        free(work)
        free(real)


# --- solutions ------------------------------------------------------------------------------


cdef cloned _apply(
    Py_ssize_t m, Py_ssize_t n, const number* left, const number* b, Py_ssize_t ldb, number* y,
) noexcept nogil:
    # y = left^T b: BLAS would start threads for it
    cdef Py_ssize_t i = 0, j
    cdef number b0, b1, b2, b3
    cdef const number* row = left
    for j in range(n):
        y[j] = 0
    while i + 4 <= m:
        b0, b1, b2, b3 = b[i * ldb], b[(i + 1) * ldb], b[(i + 2) * ldb], b[(i + 3) * ldb]
        for j in range(n):
            y[j] += ((b0 * row[j] + b1 * row[n + j])
                     + (b2 * row[2 * n + j] + b3 * row[3 * n + j]))
        i += 4
        row += 4 * n
    while i < m:
        for j in range(n):
            y[j] += b[i * ldb] * row[j]
        i += 1
        row += n


cdef void _left_times(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t columns, const number* left, const number* b,
    Py_ssize_t ldb, number* y,
) noexcept nogil:
    # Y (n, columns) = left^T B
    if columns == 1:
        _apply[number](m, n, left, b, ldb, y)
    else:
        gemm[number](n, columns, m, left, n, b, ldb, y, columns, False, True)


cdef void _add_gradient(
    int kind, Py_ssize_t n, Py_ssize_t q, Py_ssize_t columns, const number* right,
    const Py_ssize_t* order, const number* h, Py_ssize_t ldh, number* g, number* y,
) noexcept nogil:
    cdef Py_ssize_t j, c, s
    if kind == SVD:  # y += conj(right) h
        for j in range(q):
            for s in range(n):
                for c in range(columns):
                    y[j * columns + c] += _conj[number](right[j * n + s]) * h[s * ldh + c]
        return
    for j in range(n):
        s = order[j] if kind == QR else j
        for c in range(columns):
            g[j * columns + c] = h[s * ldh + c]
    if kind == QR:
        trsm[number](n, columns, <number*> right, n, g, columns, False, True)
    for j in range(n * columns):
        y[j] += g[j]


cdef void _solve(
    int kind, Py_ssize_t m, Py_ssize_t n, Py_ssize_t q, Py_ssize_t columns, const number* left,
    number* right, const Py_ssize_t* order, const double* scale, const number* b, Py_ssize_t ldb,
    const number* h, number* x, number* y, blas_int* pivots,
) noexcept nogil:
    # of `columns` columns; the rows of B, H and X are ldb apart; y: scratch of n + q rows; pivots:
    # n numbers
    cdef Py_ssize_t j, c, s
    cdef number* z = y + q * columns
    if kind == LU:
        for j in range(n):
            pivots[j] = order[j] + 1
            for c in range(columns):
                y[c * n + j] = b[j * ldb + c]
        getrs[number](n, columns, right, n, pivots, y, n)
        for j in range(n):
            for c in range(columns):
                x[j * ldb + c] = y[c * n + j]
        return
    if left != NULL:
        _left_times[number](m, q, columns, left, b, ldb, y)
    else:
        for j in range(n):
            for c in range(columns):
                y[j * columns + c] = b[j * ldb + c]
    if h != NULL:
        _add_gradient[number](kind, n, q, columns, right, order, h, ldb, z, y)
    if kind == SVD:
        _left_times[number](q, n, columns, right, y, columns, z)
        for j in range(n):
            for c in range(columns):
                x[j * ldb + c] = _times[number](z[j * columns + c], scale[j])
        return
    if kind == CHOLESKY:
        trsm[number](n, columns, right, n, y, columns, False, True)
    if columns == 1:
        trsv[number](n, right, n, y)
    else:
        trsm[number](n, columns, right, n, y, columns)
    for j in range(n):
        s = order[j] if kind == QR else j
        for c in range(columns):
            x[s * ldb + c] = _times[number](y[j * columns + c], scale[s])


def solve(
    Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t c0, Py_ssize_t c1, int kind,
    const number[:, :, ::1] left, const number[:, :, ::1] right, const Py_ssize_t[:, ::1] order,
    const double[:, ::1] scale, const number[:, :, ::1] b, const number[:, :, ::1] h,
    number[:, :, ::1] x,
):
    cdef Py_ssize_t k, m = b.shape[1], n = x.shape[1], q = right.shape[1], columns = c1 - c0
    # numbers, and in the place of n of twice their size as many integers
    cdef number* y = <number*> scratch((n + q) * columns + 2 * n, sizeof(number))
    cdef blas_int* pivots = <blas_int*> (y + (n + q) * columns)
    with nogil:
        for k in range(k0, k1):
            _solve[number](
                kind, m, n, q, columns, &left[k, 0, 0] if left.shape[1] else NULL,
                <number*> &right[k, 0, 0], &order[k, 0], &scale[k, 0], &b[k, 0, c0], b.shape[2],
                &h[k, 0, c0] if h.shape[1] else NULL, &x[k, 0, c0], y, pivots)
        free(y)


# --- residuals ------------------------------------------------------------------------------


cdef cloned _residual(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t p, const number* a, const double* weights, double alpha,
    const double* scale, const number* b, const number* x, const number* r, number* f, number* h,
    double* sums,
) noexcept nogil:
    # of one column; sums: scratch of 4 n
    cdef double re[2]
    cdef double im[2]
    cdef Py_ssize_t i, j
    cdef number z
    cdef double w
    for i in range(m):
        begin[number](re, im, b[i * p])
        subtract[number](re, im, r[i * p])
        for j in range(n):
            subtract_product[number](re, im, a[i * n + j], x[j * p])
        f[i * p] = number_of[number](re[0] + re[1], im[0] + im[1], f[i * p])
    if h == NULL:
        return
    for j in range(n):
        z = x[j * p]
        begin[number](sums + 4 * j, sums + 4 * j + 2, 0)
        if number is float or number is double:
            add_product(sums + 4 * j, -alpha * scale[j], z)
        else:
            add_product(sums + 4 * j, -alpha * scale[j], z.real)
            add_product(sums + 4 * j + 2, -alpha * scale[j], z.imag)
    for i in range(m):
        w = weights[i] if weights != NULL else 1
        # conj(w r), its head and its rest
        z = _conj[number](r[i * p])
        if number is float or number is double:
            re[0] = w * z
            re[1] = fma(w, z, -re[0])
        else:
            re[0] = w * z.real
            re[1] = fma(w, z.real, -re[0])
            im[0] = w * z.imag
            im[1] = fma(w, z.imag, -im[0])
        for j in range(n):
            z = _times[number](a[i * n + j], scale[j])
            if number is float or number is double:
                add_product(sums + 4 * j, z, re[0])
                sums[4 * j + 1] += z * re[1]
            else:
                # conj(a) w r = conj(a conj(w r))
                add_product(sums + 4 * j, z.real, re[0])
                add_product(sums + 4 * j, -(<double> z.imag), im[0])
                add_product(sums + 4 * j + 2, -(<double> z.real), im[0])
                add_product(sums + 4 * j + 2, -(<double> z.imag), re[0])
                sums[4 * j + 1] += z.real * re[1] - z.imag * im[1]
                sums[4 * j + 3] -= z.real * im[1] + z.imag * re[1]
    for j in range(n):
        h[j * p] = number_of[number](sums[4 * j] + sums[4 * j + 1],
                                     sums[4 * j + 2] + sums[4 * j + 3], h[j * p])


cdef cloned _add_and_divide(
    Py_ssize_t m, const number* rest, const double* share, const double* beyond, number* errors,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(m):
        errors[i] = _over[number](errors[i] + rest[i], share[i] + beyond[i])


def left_out(
    Py_ssize_t s0, Py_ssize_t s1, const double[:, ::1] gap, const double[:, ::1] limit,
    const number[:, ::1] y, const number[:, ::1] u, const double[:, ::1] squares,
    const double[::1] beyond, const number[:, ::1] rest, number[:, :, ::1] errors,
):
    cdef Py_ssize_t s, c, i, j, p = y.shape[0], q = y.shape[1], m = u.shape[0], count = s1 - s0
    cdef const double* shares = &limit[s0, 0]
    cdef number* left = <number*> scratch(count * p * q, sizeof(number))
    cdef double* share = <double*> scratch(count * m, sizeof(double))
    cdef number* z
    with nogil:
        for i in range(m):
            if beyond[i] > 0:
                shares = &gap[s0, 0]
        for s in range(count):
            for c in range(p):
                for j in range(q):
                    left[(s * p + c) * q + j] = _times[number](y[c, j], shares[s * q + j])
        gemm[number](count * p, m, q, left, q, &u[0, 0], q, &errors[s0, 0, 0], m, False, False,
                     True)
        gemm[double](count, m, q, shares, q, &squares[0, 0], q, share, m, False, False, True)
        for i in range(m):
            if beyond[i] == 0 and shares != &limit[s0, 0]:
                for s in range(count):
                    share[s * m + i] = 0
                    for j in range(q):
                        share[s * m + i] += limit[s0 + s, j] * squares[i, j]
                    for c in range(p):
                        z = &errors[s0 + s, c, i]
                        z[0] = 0
                        for j in range(q):
                            z[0] = z[0] + _times[number](y[c, j] * u[i, j], limit[s0 + s, j])
        for s in range(count):
            for c in range(p):
                _add_and_divide[number](m, &rest[c, 0], share + s * m, &beyond[0],
                                        &errors[s0 + s, c, 0])
    free(left)
    free(share)


def residual(
    Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t c0, Py_ssize_t c1, const number[:, :, ::1] a,
    const double[:, ::1] weights, double alpha, const double[:, ::1] scale,
    const number[:, :, ::1] b, const number[:, :, ::1] x, const number[:, :, ::1] r,
    number[:, :, ::1] f, number[:, :, ::1] h,
):
    cdef Py_ssize_t k, c, m = a.shape[1], n = a.shape[2], p = b.shape[2]
    cdef double* sums = <double*> scratch(4 * n, sizeof(double))
    with nogil:
        for k in range(k0, k1):
            for c in range(c0, c1):
                _residual[number](
                    m, n, p, &a[k, 0, 0], &weights[k, 0] if weights.shape[1] else NULL, alpha,
                    &scale[k, 0], &b[k, 0, c], &x[k, 0, c], &r[k, 0, c], &f[k, 0, c],
                    &h[k, 0, c] if h.shape[1] else NULL, sums)
        free(sums)
