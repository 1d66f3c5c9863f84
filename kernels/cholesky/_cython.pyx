from libc.string cimport memset

from blas cimport (
    multiply_adjoint, number, potrf, subtract, subtract_gram, trsm_lower, trsv_lower,
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


def invert(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] lower, Py_ssize_t place, number[:, ::1] v,
):
    cdef Py_ssize_t i, n = lower.shape[1]
    with nogil:
        for i in range(i0, i1):
            memset(&v[i, place], 0, (n - place) * sizeof(number))
            v[i, place + i - i0] = 1
        _solve[number](i1 - i0, n - place, &lower[place, place], n, True, &v[i0, place], n)


def product(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] left,
    const number[:, ::1] right, const number[:, ::1] x, const number[:, ::1] y, double scale,
    Py_ssize_t start, bint mirror, number[:, ::1] out,
):
    cdef Py_ssize_t i, j, t, n = left.shape[1]
    cdef number factor = <number> scale
    with nogil:
        multiply_adjoint[number](i1 - i0, j1 - j0, n - start, &left[i0, start], n,
                                 &right[j0, start], n, &out[i0, j0], out.shape[1])
        for i in range(i0, i1):
            for j in range(j0, j1):
                out[i, j] = factor * out[i, j]
            for t in range(x.shape[1]):
                for j in range(j0, j1):
                    out[i, j] = out[i, j] + x[i, t] * _conj[number](y[j, t])
        if mirror:
            for i in range(i0, i1):
                for j in range(j0, j1):
                    out[j, i] = _conj[number](out[i, j])
