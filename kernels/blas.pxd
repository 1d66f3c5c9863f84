# Row-major BLAS over scipy.linalg.cython_blas. blas_numba.py has the same functions for Numba.
from scipy.linalg.cython_blas cimport cgemm, dgemm, sgemm, zgemm

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
