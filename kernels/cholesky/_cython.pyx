from libc.stdlib cimport free, malloc
from libc.string cimport memset

from blas cimport (
    gemm, multiply_adjoint, number, potrf, subtract, subtract_gram, trsm_lower, trsv_lower,
)

from hotloops.kernels import cholesky as kernel


cdef Py_ssize_t PANEL = kernel.PANEL


cdef inline double _real(number z) noexcept nogil:
    if number is float or number is double:
        return z
    else:
        return z.real


cdef inline number _conj(number z) noexcept nogil:
    if number is float or number is double:
        return z
    else:
        return z.conjugate()


# --- the factor -----------------------------------------------------------------------------


def update(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1,
    const number[:, ::1] left, const number[:, ::1] right, number[:, ::1] a,
):
    with nogil:
        _update[number](i0, i1, j0, j1, k0, k1, left, right, a)


cdef void _update(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1,
    const number[:, ::1] left, const number[:, ::1] right, number[:, ::1] a,
) noexcept nogil:
    if k1 > k0:
        subtract[number](i1 - i0, j1 - j0, k1 - k0, &left[i0, k0], left.shape[1], &right[j0, k0],
                         right.shape[1], &a[i0, j0], a.shape[1], True)


def factor(
    Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] left,
    number[:, ::1] a, double[::1] share,
):
    cdef Py_ssize_t j, bad
    cdef double pivot
    with nogil:
        if k1 > k0:
            subtract_gram[number](j1 - j0, k1 - k0, &left[j0, k0], left.shape[1], &a[j0, j0],
                                  a.shape[1])
        bad = j0 + potrf[number](j1 - j0, &a[j0, j0], a.shape[1], True) - 1
        for j in range(j0, j1):
            pivot = _real[number](a[j, j])
            share[j] = pivot * pivot / share[j] if bad < j0 or j < bad else 0


def column(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1,
    const number[:, ::1] left, const number[:, ::1] right, const number[:, ::1] corner,
    number[:, ::1] a,
):
    with nogil:
        _update[number](i0, i1, j0, j1, k0, k1, left, right, a)
        trsm_lower[number](i1 - i0, j1 - j0, &corner[j0, j0], corner.shape[1], &a[i0, j0],
                           a.shape[1], True)


# --- what follows from it -------------------------------------------------------------------


cdef void _solve(
    Py_ssize_t m, Py_ssize_t n, const number* l, Py_ssize_t ldl, bint adjoint, number* b,
    Py_ssize_t ldb,
) noexcept nogil:
    # B (m, n) becomes B L^-H, panel by panel from the first, or B L^-1 from the last
    cdef Py_ssize_t j, width, end
    if m == 1:
        trsv_lower[number](n, l, ldl, b, adjoint)
        return
    if adjoint:
        j = 0
        while j < n:
            width = min(PANEL, n - j)
            if j:
                subtract[number](m, width, j, b, ldb, l + j * ldl, ldl, b + j, ldb, True)
            trsm_lower[number](m, width, l + j * ldl + j, ldl, b + j, ldb, True)
            j += PANEL
        return
    j = (n - 1) // PANEL * PANEL
    while j >= 0:
        end = min(j + PANEL, n)
        width = end - j
        if end < n:
            subtract[number](m, width, n - end, b + end, ldb, l + end * ldl + j, ldl, b + j, ldb,
                             False)
        trsm_lower[number](m, width, l + j * ldl + j, ldl, b + j, ldb, False)
        j -= PANEL


def solve(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] lower, bint adjoint, number[:, ::1] b,
):
    with nogil:
        _solve[number](i1 - i0, b.shape[1], &lower[0, 0], lower.shape[1], adjoint, &b[i0, 0],
                       b.shape[1])


def back(
    Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] behind,
    const number[:, ::1] lower, const number[:, ::1] corner, number[:, ::1] b,
):
    cdef Py_ssize_t m = b.shape[0], ldb = b.shape[1]
    with nogil:
        if k1 > k0:
            subtract[number](m, j1 - j0, k1 - k0, &behind[0, k0], behind.shape[1], &lower[k0, j0],
                             lower.shape[1], &b[0, j0], ldb, False)
        trsm_lower[number](m, j1 - j0, &corner[j0, j0], corner.shape[1], &b[0, j0], ldb, False)


# --- the inverse ----------------------------------------------------------------------------


def corner(Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] lower, number[:, ::1] v):
    cdef Py_ssize_t j
    with nogil:
        for j in range(j0, j1):
            memset(&v[j, 0], 0, (j1 - j0) * sizeof(number))
            v[j, j - j0] = 1
        trsm_lower[number](j1 - j0, j1 - j0, &lower[j0, j0], lower.shape[1], &v[j0, 0],
                           v.shape[1], True)


cdef number* _scratch(Py_ssize_t size, number like) except? NULL:
    cdef number* scratch = <number*> malloc(size * sizeof(number))
    if scratch == NULL:
        raise MemoryError
    return scratch


def invert(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1,
    const number[:, ::1] start, const number[:, ::1] first, const number[:, ::1] left,
    const number[:, ::1] right, const number[:, ::1] corner, number[:, ::1] v,
):
    cdef Py_ssize_t m = i1 - i0, n = j1 - j0
    cdef number* tile = _scratch[number](m * n, start[i0, 0])
    with nogil:
        memset(tile, 0, m * n * sizeof(number))
        subtract[number](m, n, m, &start[i0, 0], start.shape[1], &first[j0, i0], first.shape[1],
                         tile, n, True)
        if k1 > k0:
            subtract[number](m, n, k1 - k0, &left[i0, k0], left.shape[1], &right[j0, k0],
                             right.shape[1], tile, n, True)
        gemm[number](m, n, n, tile, n, &corner[j0, 0], corner.shape[1], &v[i0, j0], v.shape[1])
    free(tile)


def square(
    Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] corner,
    const number[:, ::1] right, const number[:, ::1] x, double scale, double weight,
    number[:, ::1] out,
):
    cdef Py_ssize_t i, j, t
    cdef number z
    with nogil:
        for i in range(j0, j1):
            memset(&out[i, j0], 0, (j1 - j0) * sizeof(number))
        subtract_gram[number](j1 - j0, j1 - j0, &corner[j0, 0], corner.shape[1], &out[j0, j0],
                              out.shape[1])
        if k1 > k0:
            subtract_gram[number](j1 - j0, k1 - k0, &right[j0, k0], right.shape[1], &out[j0, j0],
                                  out.shape[1])
        for i in range(j0, j1):
            for j in range(j0, i + 1):
                z = <number> -scale * out[i, j]
                for t in range(x.shape[0]):
                    z = z + <number> weight * _conj[number](x[t, i]) * x[t, j]
                out[i, j], out[j, i] = z, _conj[number](z)


def product(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1,
    const number[:, ::1] corner, const number[:, ::1] left, const number[:, ::1] right,
    const number[:, ::1] x, const number[:, ::1] y, double scale, double weight,
    number[:, ::1] out,
):
    cdef Py_ssize_t i, j, t, m = i1 - i0, n = j1 - j0
    cdef number z
    cdef number* tile = _scratch[number](m * n, corner[j0, 0])
    with nogil:
        for i in range(m):
            for j in range(n):
                tile[i * n + j] = -out[i0 + i, j0 + j]
        multiply_adjoint[number](m, n, n, tile, n, &corner[j0, 0], corner.shape[1], &out[i0, j0],
                                 out.shape[1])
        if k1 > k0:
            subtract[number](m, n, k1 - k0, &left[i0, k0], left.shape[1], &right[j0, k0],
                             right.shape[1], &out[i0, j0], out.shape[1], True)
        for i in range(i0, i1):
            for j in range(j0, j1):
                out[i, j] = <number> -scale * out[i, j]
            for t in range(x.shape[0]):
                z = <number> weight * _conj[number](x[t, i])
                for j in range(j0, j1):
                    out[i, j] = out[i, j] + z * y[t, j]
    free(tile)


def gram(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] left,
    const number[:, ::1] right, bint mirror, number[:, ::1] out,
):
    cdef Py_ssize_t i, j, n = left.shape[1]
    with nogil:
        multiply_adjoint[number](i1 - i0, j1 - j0, n, &left[i0, 0], n, &right[j0, 0], n,
                                 &out[i0, j0], out.shape[1])
        if mirror:
            for i in range(i0, i1):
                for j in range(j0, j1):
                    out[j, i] = _conj[number](out[i, j])
