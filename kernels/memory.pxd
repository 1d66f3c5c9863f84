# What several kernels need beside BLAS: scratch, and transposition for LAPACK's columns.
from libc.stdlib cimport malloc

from blas cimport number


cdef inline void* scratch(Py_ssize_t size, Py_ssize_t item) except? NULL:
    # so many items of so many bytes, at least one
    cdef void* found = malloc(max(size, 1) * item)
    if found == NULL:
        raise MemoryError(f"{size * item} bytes of scratch")
    return found


cdef inline void transpose(
    Py_ssize_t m, Py_ssize_t n, const number* a, Py_ssize_t lda, number* out, Py_ssize_t ldout,
) noexcept nogil:
    # out (n, m) = A^T, in squares of 16, of which the rows are in cache
    cdef Py_ssize_t r, c, i, j
    for c in range(0, n, 16):
        for r in range(0, m, 16):
            for j in range(c, min(c + 16, n)):
                for i in range(r, min(r + 16, m)):
                    out[j * ldout + i] = a[i * lda + j]
