"""What the compiler and the CPU made of the kernels, for a bug report."""

from blas_types cimport blas_int


cdef extern from "vmath.h" nogil:
    const char* hl_simd_level()


def simd_level():
    """The instructions that the vectorised functions run on this CPU."""
    return hl_simd_level().decode()


def blas_int_bits():
    """The width of the integers that the kernels hand to BLAS."""
    return 8 * sizeof(blas_int)
