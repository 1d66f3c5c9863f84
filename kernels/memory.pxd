# What several kernels need beside BLAS: scratch, and transposition for LAPACK's columns.
from libc.stdlib cimport malloc

from blas cimport number


cdef inline void* scratch(Py_ssize_t size, Py_ssize_t item) except? NULL:
    # so many items of so many bytes, at least one
    cdef void* found = malloc(max(size, 1) * item)
    if found == NULL:
        raise MemoryError(f"{size * item} bytes of scratch")
    return found


cdef inline void _square(
    const number* a, Py_ssize_t lda, number* out, Py_ssize_t ldout,
) noexcept nogil:
    # out (4, 4) = A^T, which has its place in registers: what is written is whole vectors
    cdef Py_ssize_t i, j
    cdef number square[4][4]
    for i in range(4):
        for j in range(4):
            square[i][j] = a[i * lda + j]
    for j in range(4):
        for i in range(4):
            out[j * ldout + i] = square[i][j]


cdef inline void _rest(
    Py_ssize_t m, Py_ssize_t n, const number* a, Py_ssize_t lda, number* out, Py_ssize_t ldout,
) noexcept nogil:
    # out (n, m) = A^T
    cdef Py_ssize_t i, j
    for j in range(n):
        for i in range(m):
            out[j * ldout + i] = a[i * lda + j]


cdef inline void transpose(
    Py_ssize_t m, Py_ssize_t n, const number* a, Py_ssize_t lda, number* out, Py_ssize_t ldout,
) noexcept nogil:
    # out (n, m) = A^T, in squares of 16, of which the rows are in cache, and these in squares of 4
    cdef Py_ssize_t r, c, i, j
    for r in range(0, m, 16):
        for c in range(0, n, 16):
            for j in range(c, min(c + 16, n), 4):
                for i in range(r, min(r + 16, m), 4):
                    if i + 4 <= m and j + 4 <= n:
                        _square(a + i * lda + j, lda, out + j * ldout + i, ldout)
                    else:
                        _rest(min(4, m - i), min(4, n - j), a + i * lda + j, lda,
                              out + j * ldout + i, ldout)
