from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from blas cimport gemqrt, geqrt, gram, number, trsm
from memory cimport scratch, transpose


def columns(Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] a, number[:, ::1] columns):
    cdef Py_ssize_t m = a.shape[0]
    with nogil:
        transpose[number](m, j1 - j0, &a[0, j0], a.shape[1], &columns[j0, 0], m)


def panel(
    Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t first, number[:, ::1] columns, number[:, ::1] t,
):
    cdef Py_ssize_t m = columns.shape[1], width = k1 - k0
    cdef number* work = <number*> scratch(width * width, sizeof(number))
    with nogil:
        memset(&t[k0, 0], 0, width * t.shape[1] * sizeof(number))
        geqrt[number](m - first, width, &columns[k0, first], m, &t[k0, 0], t.shape[1], work)
        free(work)


def update(
    Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t k1, const number[:, ::1] panel,
    const number[:, ::1] t, Py_ssize_t first, number[:, ::1] columns,
):
    cdef Py_ssize_t m = columns.shape[1]
    cdef number* work = <number*> scratch((j1 - j0) * (k1 - k0), sizeof(number))
    with nogil:
        gemqrt[number](m - first, j1 - j0, k1 - k0, <number*> &panel[k0, first], m,
                       <number*> &t[k0, 0], t.shape[1], &columns[j0, first], m, work, True)
        free(work)


def orthogonal(
    Py_ssize_t j0, Py_ssize_t j1, const number[:, ::1] columns, const number[:, ::1] t,
    Py_ssize_t first, number[:, ::1] q, number[:, ::1] r,
):
    cdef Py_ssize_t i, j, m = q.shape[0], n = r.shape[0], width = t.shape[1], count = j1 - j0
    cdef Py_ssize_t k = (first + count - 1) // width * width  # the reflections behind do nothing
    cdef number* y = <number*> scratch(count * (m + width), sizeof(number))
    cdef number* work = y + count * m
    with nogil:
        memset(y, 0, count * m * sizeof(number))
        for j in range(count):
            y[j * m + first + j] = 1
        while k >= 0:
            gemqrt[number](m - k, count, min(width, n - k), <number*> &columns[k, k], m,
                           <number*> &t[k, 0], width, y + k, m, work, False)
            k -= width
        transpose[number](count, m, y, m, &q[0, j0], q.shape[1])
        transpose[number](count, n, &columns[first, 0], m, &r[0, j0], r.shape[1])
        for i in range(first, n):
            for j in range(min(i - first, count)):
                r[i, j0 + j] = 0
        free(y)


def divide(
    Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] a, const number[:, ::1] r,
    number[:, ::1] q, number[:, ::1] product,
):
    cdef Py_ssize_t i, j, m = i1 - i0, n = a.shape[1]
    cdef number* part = <number*> scratch(n * n, sizeof(number))
    with nogil:
        memcpy(&q[i0, 0], &a[i0, 0], m * n * sizeof(number))
        trsm[number](m, n, <number*> &r[0, 0], n, &q[i0, 0], n, True)
        gram[number](m, n, &q[i0, 0], n, part, n)
        for i in range(n):
            for j in range(i, n):
                product[i, j] = product[i, j] + part[i * n + j]
        free(part)


def correct(Py_ssize_t i0, Py_ssize_t i1, const number[:, ::1] r, number[:, ::1] q):
    cdef Py_ssize_t n = r.shape[0]
    with nogil:
        trsm[number](i1 - i0, n, <number*> &r[0, 0], n, &q[i0, 0], n, True)
