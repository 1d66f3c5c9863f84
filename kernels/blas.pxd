# Row-major BLAS and LAPACK over SciPy's. _blas_numba.py has the same functions for Numba.
from scipy.linalg.cython_blas cimport (
    cgemm, cherk, ctrsm, ctrsv, dgemm, dsyrk, dtrsm, dtrsv, sgemm, ssyrk, strsm, strsv, zgemm,
    zherk, ztrsm, ztrsv,
)
from scipy.linalg.cython_lapack cimport (
    cgemqrt, cgeqp3, cgeqrt, cgesdd, cgetrf, cgetrs, claswp, cpotrf, cpotrs, cungqr, dgemqrt,
    dgeqp3, dgeqrt, dgesdd, dgetrf, dgetrs, dlaswp, dorgqr, dpotrf, dpotrs, sgemqrt, sgeqp3,
    sgeqrt, sgesdd, sgetrf, sgetrs, slaswp, sorgqr, spotrf, spotrs, zgemqrt, zgeqp3, zgeqrt,
    zgesdd, zgetrf, zgetrs, zlaswp, zpotrf, zpotrs, zungqr,
)

from blas_types cimport blas_int

ctypedef fused number:
    float
    double
    float complex
    double complex


cdef inline void gemm(
    blas_int m, blas_int n, blas_int k,
    const number* a, blas_int lda, const number* b, blas_int ldb, number* c, blas_int ldc,
    bint add=False, bint a_transposed=False, bint b_transposed=False,
) noexcept nogil:
    # C (m, n) = A (m, k) @ B (k, n), or with `add` C +=; A is stored as (k, m) if `a_transposed`, B
    # as (n, k) if `b_transposed`. By columns, as BLAS reads, it is C^T = B^T A^T.
    cdef number one = 1, beta = 1 if add else 0
    cdef char ta = b"T" if a_transposed else b"N", tb = b"T" if b_transposed else b"N"
    if number is float:
        sgemm(&tb, &ta, &n, &m, &k, &one, <float*> b, &ldb, <float*> a, &lda, &beta, c, &ldc)
    elif number is double:
        dgemm(&tb, &ta, &n, &m, &k, &one, <double*> b, &ldb, <double*> a, &lda, &beta, c, &ldc)
    elif number is floatcomplex:
        cgemm(&tb, &ta, &n, &m, &k, &one, <float complex*> b, &ldb, <float complex*> a, &lda,
              &beta, c, &ldc)
    else:
        zgemm(&tb, &ta, &n, &m, &k, &one, <double complex*> b, &ldb, <double complex*> a, &lda,
              &beta, c, &ldc)


# --- for least squares and systems ----------------------------------------------------------


cdef inline void gram(
    blas_int m, blas_int n, number* a, blas_int lda, number* c, blas_int ldc,
) noexcept nogil:
    # the upper triangle of C (n, n) = A^H A, A (m, n)
    cdef float one = 1, none = 0
    cdef double done = 1, dnone = 0
    cdef char lower = b"L", plain = b"N"
    if number is float:
        ssyrk(&lower, &plain, &n, &m, &one, a, &lda, &none, c, &ldc)
    elif number is double:
        dsyrk(&lower, &plain, &n, &m, &done, a, &lda, &dnone, c, &ldc)
    elif number is floatcomplex:
        cherk(&lower, &plain, &n, &m, &one, a, &lda, &none, c, &ldc)
    else:
        zherk(&lower, &plain, &n, &m, &done, a, &lda, &dnone, c, &ldc)


cdef inline blas_int potrf(
    blas_int n, number* a, blas_int lda, bint by_rows=False,
) noexcept nogil:
    # R in place of the upper triangle of A = R^H R; or L, if `by_rows`, in place of the lower one
    # of A = L L^H; 0, or the order of a minor that is not positive
    cdef blas_int info = 0
    cdef char lower = b"U" if by_rows else b"L"
    if number is float:
        spotrf(&lower, &n, a, &lda, &info)
    elif number is double:
        dpotrf(&lower, &n, a, &lda, &info)
    elif number is floatcomplex:
        cpotrf(&lower, &n, a, &lda, &info)
    else:
        zpotrf(&lower, &n, a, &lda, &info)
    return info


cdef inline void potrs(
    blas_int n, blas_int columns, number* r, blas_int ldr, number* b, blas_int ldb,
) noexcept nogil:
    # each row of B (columns, n) becomes the x with A^T x = b, A = R^H R as from potrf
    cdef blas_int info = 0
    cdef char lower = b"L"
    if number is float:
        spotrs(&lower, &n, &columns, r, &ldr, b, &ldb, &info)
    elif number is double:
        dpotrs(&lower, &n, &columns, r, &ldr, b, &ldb, &info)
    elif number is floatcomplex:
        cpotrs(&lower, &n, &columns, r, &ldr, b, &ldb, &info)
    else:
        zpotrs(&lower, &n, &columns, r, &ldr, b, &ldb, &info)


cdef inline void trsm(
    blas_int m, blas_int n, number* r, blas_int ldr, number* b, blas_int ldb, bint right=False,
    bint adjoint=False,
) noexcept nogil:
    # B (m, n) becomes R^-1 B, or R^-H B if `adjoint`, or B R^-1 if `right`; R is upper triangular
    cdef number one = 1
    cdef char side = b"L" if right else b"R", lower = b"L", not_one = b"N"
    cdef char operation = b"C" if adjoint else b"N"
    if number is float:
        strsm(&side, &lower, &operation, &not_one, &n, &m, &one, r, &ldr, b, &ldb)
    elif number is double:
        dtrsm(&side, &lower, &operation, &not_one, &n, &m, &one, r, &ldr, b, &ldb)
    elif number is floatcomplex:
        ctrsm(&side, &lower, &operation, &not_one, &n, &m, &one, r, &ldr, b, &ldb)
    else:
        ztrsm(&side, &lower, &operation, &not_one, &n, &m, &one, r, &ldr, b, &ldb)


cdef inline void trsv(blas_int n, number* r, blas_int ldr, number* x) noexcept nogil:
    # the vector x becomes R^-1 x
    cdef char lower = b"L", transposed = b"T", not_one = b"N"
    cdef blas_int step = 1
    if number is float:
        strsv(&lower, &transposed, &not_one, &n, r, &ldr, x, &step)
    elif number is double:
        dtrsv(&lower, &transposed, &not_one, &n, r, &ldr, x, &step)
    elif number is floatcomplex:
        ctrsv(&lower, &transposed, &not_one, &n, r, &ldr, x, &step)
    else:
        ztrsv(&lower, &transposed, &not_one, &n, r, &ldr, x, &step)


cdef inline blas_int getrf(blas_int n, number* a, blas_int lda, blas_int* pivots) noexcept nogil:
    # P L U = A^T in its place, A as it is stored by rows
    cdef blas_int info = 0
    if number is float:
        sgetrf(&n, &n, a, &lda, pivots, &info)
    elif number is double:
        dgetrf(&n, &n, a, &lda, pivots, &info)
    elif number is floatcomplex:
        cgetrf(&n, &n, a, &lda, pivots, &info)
    else:
        zgetrf(&n, &n, a, &lda, pivots, &info)
    return info


cdef inline void getrs(
    blas_int n, blas_int columns, number* lu, blas_int ldlu, blas_int* pivots, number* b,
    blas_int ldb,
) noexcept nogil:
    # each row of B (columns, n) becomes the x with A^T x = b, P L U = A^T as from getrf
    cdef blas_int info = 0
    cdef char plain = b"N"
    if number is float:
        sgetrs(&plain, &n, &columns, lu, &ldlu, pivots, b, &ldb, &info)
    elif number is double:
        dgetrs(&plain, &n, &columns, lu, &ldlu, pivots, b, &ldb, &info)
    elif number is floatcomplex:
        cgetrs(&plain, &n, &columns, lu, &ldlu, pivots, b, &ldb, &info)
    else:
        zgetrs(&plain, &n, &columns, lu, &ldlu, pivots, b, &ldb, &info)


cdef inline blas_int geqp3(
    blas_int m, blas_int n, number* a, blas_int* order, number* tau, number* work, blas_int size,
    void* rwork,
) noexcept nogil:
    # A P = Q R of A stored by columns (n, m), in its place; order counts from 1, zeros before;
    # `size` -1 asks for that of `work`
    cdef blas_int info = 0
    if number is float:
        sgeqp3(&m, &n, a, &m, order, tau, work, &size, &info)
    elif number is double:
        dgeqp3(&m, &n, a, &m, order, tau, work, &size, &info)
    elif number is floatcomplex:
        cgeqp3(&m, &n, a, &m, order, tau, work, &size, <float*> rwork, &info)
    else:
        zgeqp3(&m, &n, a, &m, order, tau, work, &size, <double*> rwork, &info)
    return info


cdef inline blas_int orgqr(
    blas_int m, blas_int n, number* a, number* tau, number* work, blas_int size,
) noexcept nogil:
    # the first n columns of Q, stored by columns (n, m), from what geqp3 left there
    cdef blas_int info = 0
    if number is float:
        sorgqr(&m, &n, &n, a, &m, tau, work, &size, &info)
    elif number is double:
        dorgqr(&m, &n, &n, a, &m, tau, work, &size, &info)
    elif number is floatcomplex:
        cungqr(&m, &n, &n, a, &m, tau, work, &size, &info)
    else:
        zungqr(&m, &n, &n, a, &m, tau, work, &size, &info)
    return info


cdef inline blas_int gesdd(
    blas_int m, blas_int n, number* a, void* sigma, number* u, number* vh, number* work,
    blas_int size, void* rwork, blas_int* iwork,
) noexcept nogil:
    # A (m, n) = U diag(sigma) V^H, U (m, q), V^H (q, n), q = min(m, n), sigma real; A is lost;
    # `size` -1 asks for that of `work`
    cdef blas_int info = 0, q = min(m, n)
    cdef char thin = b"S"
    if number is float:
        sgesdd(&thin, &n, &m, a, &n, <float*> sigma, vh, &n, u, &q, work, &size, iwork, &info)
    elif number is double:
        dgesdd(&thin, &n, &m, a, &n, <double*> sigma, vh, &n, u, &q, work, &size, iwork, &info)
    elif number is floatcomplex:
        cgesdd(&thin, &n, &m, a, &n, <float*> sigma, vh, &n, u, &q, work, &size, <float*> rwork,
               iwork, &info)
    else:
        zgesdd(&thin, &n, &m, a, &n, <double*> sigma, vh, &n, u, &q, work, &size, <double*> rwork,
               iwork, &info)
    return info


# --- for factors made of panels, by columns: array (columns, rows) ----------------------------


cdef inline blas_int getrf_panel(
    blas_int m, blas_int n, number* a, blas_int lda, blas_int* pivots,
) noexcept nogil:
    # P L U = A (m, n), stored by columns (n, m), in its place
    cdef blas_int info = 0
    if number is float:
        sgetrf(&m, &n, a, &lda, pivots, &info)
    elif number is double:
        dgetrf(&m, &n, a, &lda, pivots, &info)
    elif number is floatcomplex:
        cgetrf(&m, &n, a, &lda, pivots, &info)
    else:
        zgetrf(&m, &n, a, &lda, pivots, &info)
    return info


cdef inline void laswp(
    blas_int n, number* a, blas_int lda, blas_int count, blas_int* pivots,
) noexcept nogil:
    # the first `count` rows of A, stored by columns (n, m), change places with those that the
    # pivots name, as from getrf
    cdef blas_int one = 1
    if number is float:
        slaswp(&n, a, &lda, &one, &count, pivots, &one)
    elif number is double:
        dlaswp(&n, a, &lda, &one, &count, pivots, &one)
    elif number is floatcomplex:
        claswp(&n, a, &lda, &one, &count, pivots, &one)
    else:
        zlaswp(&n, a, &lda, &one, &count, pivots, &one)


cdef inline void eliminate(
    blas_int m, blas_int n, blas_int k, number* panel, number* a, blas_int lda,
) noexcept nogil:
    # A (m, n), stored by columns, of which a panel's L (m, k) takes the first k unknowns: the
    # first k rows become U = L1^-1 A1, L1 the panel's first k rows with 1 on the diagonal, the
    # others A2 - L2 U
    cdef number one = 1, minus = -1
    cdef char left = b"L", lower = b"L", plain = b"N", unit = b"U"
    cdef blas_int rest = m - k
    if number is float:
        strsm(&left, &lower, &plain, &unit, &k, &n, &one, panel, &lda, a, &lda)
        sgemm(&plain, &plain, &rest, &n, &k, &minus, panel + k, &lda, a, &lda, &one, a + k, &lda)
    elif number is double:
        dtrsm(&left, &lower, &plain, &unit, &k, &n, &one, panel, &lda, a, &lda)
        dgemm(&plain, &plain, &rest, &n, &k, &minus, panel + k, &lda, a, &lda, &one, a + k, &lda)
    elif number is floatcomplex:
        ctrsm(&left, &lower, &plain, &unit, &k, &n, &one, panel, &lda, a, &lda)
        cgemm(&plain, &plain, &rest, &n, &k, &minus, panel + k, &lda, a, &lda, &one, a + k, &lda)
    else:
        ztrsm(&left, &lower, &plain, &unit, &k, &n, &one, panel, &lda, a, &lda)
        zgemm(&plain, &plain, &rest, &n, &k, &minus, panel + k, &lda, a, &lda, &one, a + k, &lda)


cdef inline void geqrt(
    blas_int m, blas_int n, number* a, blas_int lda, number* t, blas_int ldt, number* work,
) noexcept nogil:
    # reflections I - V T V^H that leave R of A (m, n), stored by columns: V below R in its place,
    # T by columns; work: n * n
    cdef blas_int info = 0
    if number is float:
        sgeqrt(&m, &n, &n, a, &lda, t, &ldt, work, &info)
    elif number is double:
        dgeqrt(&m, &n, &n, a, &lda, t, &ldt, work, &info)
    elif number is floatcomplex:
        cgeqrt(&m, &n, &n, a, &lda, t, &ldt, work, &info)
    else:
        zgeqrt(&m, &n, &n, a, &lda, t, &ldt, work, &info)


cdef inline void gemqrt(
    blas_int m, blas_int n, blas_int k, number* v, blas_int ldv, number* t, blas_int ldt,
    number* c, blas_int ldc, number* work, bint adjoint,
) noexcept nogil:
    # C (m, n), stored by columns, becomes (I - V T V^H) C, or its adjoint's product, of the k
    # reflections of a panel; work: n * k
    cdef blas_int info = 0
    cdef char left = b"L", operation = b"N"
    if number is float:
        operation = b"T" if adjoint else b"N"
        sgemqrt(&left, &operation, &m, &n, &k, &k, v, &ldv, t, &ldt, c, &ldc, work, &info)
    elif number is double:
        operation = b"T" if adjoint else b"N"
        dgemqrt(&left, &operation, &m, &n, &k, &k, v, &ldv, t, &ldt, c, &ldc, work, &info)
    elif number is floatcomplex:
        operation = b"C" if adjoint else b"N"
        cgemqrt(&left, &operation, &m, &n, &k, &k, v, &ldv, t, &ldt, c, &ldc, work, &info)
    else:
        operation = b"C" if adjoint else b"N"
        zgemqrt(&left, &operation, &m, &n, &k, &k, v, &ldv, t, &ldt, c, &ldc, work, &info)


# --- for Cholesky's factor by tiles -----------------------------------------------------------


cdef inline void subtract(
    blas_int m, blas_int n, blas_int k, const number* a, blas_int lda, const number* b,
    blas_int ldb, number* c, blas_int ldc, bint b_adjoint,
) noexcept nogil:
    # C (m, n) -= A (m, k) B, or A B^H if `b_adjoint`
    cdef number minus = -1, one = 1
    cdef char ta = b"N", tb = b"C" if b_adjoint else b"N"
    if number is float:
        sgemm(&tb, &ta, &n, &m, &k, &minus, <float*> b, &ldb, <float*> a, &lda, &one, c, &ldc)
    elif number is double:
        dgemm(&tb, &ta, &n, &m, &k, &minus, <double*> b, &ldb, <double*> a, &lda, &one, c, &ldc)
    elif number is floatcomplex:
        cgemm(&tb, &ta, &n, &m, &k, &minus, <float complex*> b, &ldb, <float complex*> a, &lda,
              &one, c, &ldc)
    else:
        zgemm(&tb, &ta, &n, &m, &k, &minus, <double complex*> b, &ldb, <double complex*> a, &lda,
              &one, c, &ldc)


cdef inline void multiply_adjoint(
    blas_int m, blas_int n, blas_int k, const number* a, blas_int lda, const number* b,
    blas_int ldb, number* c, blas_int ldc,
) noexcept nogil:
    # C (m, n) = A (m, k) B^H
    cdef number one = 1, none = 0
    cdef char plain = b"N", adjoint = b"C"
    if number is float:
        sgemm(&adjoint, &plain, &n, &m, &k, &one, <float*> b, &ldb, <float*> a, &lda, &none, c,
              &ldc)
    elif number is double:
        dgemm(&adjoint, &plain, &n, &m, &k, &one, <double*> b, &ldb, <double*> a, &lda, &none, c,
              &ldc)
    elif number is floatcomplex:
        cgemm(&adjoint, &plain, &n, &m, &k, &one, <float complex*> b, &ldb, <float complex*> a,
              &lda, &none, c, &ldc)
    else:
        zgemm(&adjoint, &plain, &n, &m, &k, &one, <double complex*> b, &ldb, <double complex*> a,
              &lda, &none, c, &ldc)


cdef inline void subtract_gram(
    blas_int n, blas_int k, const number* a, blas_int lda, number* c, blas_int ldc,
) noexcept nogil:
    # of C (n, n) -= A A^H, A (n, k), the lower triangle
    cdef float minus = -1, one = 1
    cdef double dminus = -1, done = 1
    cdef char upper = b"U", adjoint = b"C"
    if number is float:
        ssyrk(&upper, &adjoint, &n, &k, &minus, <float*> a, &lda, &one, c, &ldc)
    elif number is double:
        dsyrk(&upper, &adjoint, &n, &k, &dminus, <double*> a, &lda, &done, c, &ldc)
    elif number is floatcomplex:
        cherk(&upper, &adjoint, &n, &k, &minus, <float complex*> a, &lda, &one, c, &ldc)
    else:
        zherk(&upper, &adjoint, &n, &k, &dminus, <double complex*> a, &lda, &done, c, &ldc)


cdef inline void trsm_lower(
    blas_int m, blas_int n, const number* l, blas_int ldl, number* b, blas_int ldb, bint adjoint,
) noexcept nogil:
    # B (m, n) becomes B L^-1, or B L^-H if `adjoint`; L is lower triangular
    cdef number one = 1
    cdef char side = b"L", upper = b"U", not_one = b"N", operation = b"C" if adjoint else b"N"
    if number is float:
        strsm(&side, &upper, &operation, &not_one, &n, &m, &one, <float*> l, &ldl, b, &ldb)
    elif number is double:
        dtrsm(&side, &upper, &operation, &not_one, &n, &m, &one, <double*> l, &ldl, b, &ldb)
    elif number is floatcomplex:
        ctrsm(&side, &upper, &operation, &not_one, &n, &m, &one, <float complex*> l, &ldl, b,
              &ldb)
    else:
        ztrsm(&side, &upper, &operation, &not_one, &n, &m, &one, <double complex*> l, &ldl, b,
              &ldb)


cdef inline void trsv_lower(
    blas_int n, const number* l, blas_int ldl, number* x, bint adjoint,
) noexcept nogil:
    # the row x becomes x L^-1, or x L^-H if `adjoint`
    cdef char upper = b"U", not_one = b"N", operation = b"C" if adjoint else b"N"
    cdef blas_int step = 1
    if number is float:
        strsv(&upper, &operation, &not_one, &n, <float*> l, &ldl, x, &step)
    elif number is double:
        dtrsv(&upper, &operation, &not_one, &n, <double*> l, &ldl, x, &step)
    elif number is floatcomplex:
        ctrsv(&upper, &operation, &not_one, &n, <float complex*> l, &ldl, x, &step)
    else:
        ztrsv(&upper, &operation, &not_one, &n, <double complex*> l, &ldl, x, &step)
