# Row-major BLAS and LAPACK over SciPy's. _blas_numba.py has the same functions for Numba.
from scipy.linalg.cython_blas cimport (
    cgemm, cherk, ctrsm, ctrsv, dgemm, dsyrk, dtrsm, dtrsv, sgemm, ssyrk, strsm, strsv, zgemm,
    zherk, ztrsm, ztrsv,
)
from scipy.linalg.cython_lapack cimport (
    cgeqp3, cgesdd, cgetrf, cgetrs, cpotrf, cpotrs, cungqr, dgeqp3, dgesdd, dgetrf, dgetrs, dorgqr,
    dpotrf, dpotrs, sgeqp3, sgesdd, sgetrf, sgetrs, sorgqr, spotrf, spotrs, zgeqp3, zgesdd, zgetrf,
    zgetrs, zpotrf, zpotrs, zungqr,
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


cdef inline blas_int potrf(blas_int n, number* a, blas_int lda) noexcept nogil:
    # R in place of the upper triangle of A = R^H R; 0, or the order of a minor that is not positive
    cdef blas_int info = 0
    cdef char lower = b"L"
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
