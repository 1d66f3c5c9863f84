from cython cimport floating
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc

from ard.pairs cimport (
    GROUP, LANES, LATE, MANY, MATERN12, MATERN32, MATERN52, PROJECTED, QUADFORM, RQ, ROWS, SAMPLE,
    SE, SMALL, STRIP, add_up, evaluate, load, quadform,
)
from ard.products cimport finish, sample
from ard.slopes cimport add_differences, add_products, weigh
from blas cimport gemm

from hotloops.kernels import ard as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    ctypedef void inlined "HL_INLINE void"


# what C must know when it compiles
if (
    (QUADFORM, SE, MATERN12, MATERN32, MATERN52, RQ)
    != (kernel.QUADFORM, kernel.SE, kernel.MATERN12, kernel.MATERN32, kernel.MATERN52, kernel.RQ)
    or (STRIP, ROWS, MANY, PROJECTED, LATE, SAMPLE, SMALL)
    != (kernel.STRIP, kernel.ROWS, kernel.MANY, kernel.PROJECTED, kernel.LATE, kernel.SAMPLE,
        kernel.SMALL)
):
    raise ImportError("pairs.pxd and __init__.py have different numbers")

cdef Py_ssize_t NOWHERE = kernel.NOWHERE


cdef floating* _scratch(Py_ssize_t size, floating like) except? NULL:
    cdef floating* scratch = <floating*> malloc(size * sizeof(floating))
    if scratch == NULL:
        raise MemoryError
    return scratch


def prepare(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, Py_ssize_t plain,
    const floating[::1] centre, const floating[:, ::1] projection, floating[:, ::1] features,
):
    cdef Py_ssize_t f, i, k, n, d = projection.shape[0], r = projection.shape[1]
    cdef floating* away = _scratch[floating](PROJECTED * (d + r), centre[0])
    cdef floating* product = away + PROJECTED * d
    with nogil:
        i = i0
        while i < i1:
            n = min(PROJECTED, i1 - i)
            for k in range(n):
                for f in range(d):
                    away[k * d + f] = x[i + k, f] - centre[f]
            for k in range(n * d, PROJECTED * d):
                away[k] = 0
            gemm[floating](PROJECTED, r, d, away, d, &projection[0, 0], r, product, r)
            for k in range(n):
                for f in range(plain):
                    features[i + k, f] = x[i + k, f]
                for f in range(r):
                    features[i + k, plain + f] = product[k * r + f]
            i += n
    free(away)


cdef cloned _normalise(
    Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* scale,
    const floating* centre, floating* rows, floating* norms,
) noexcept nogil:
    cdef Py_ssize_t f, i, w, whole = count - count % (GROUP // sizeof(floating))
    cdef floating group[LANES]
    cdef floating z
    cdef double norm
    for i in range(n):
        norm = 0
        for w in range(GROUP // sizeof(floating)):
            group[w] = 0
        f = 0
        while f < whole:
            for w in range(GROUP // sizeof(floating)):
                z = scale[f + w] * (x[i * count + f + w] - centre[f + w])
                rows[i * count + f + w] = z
                group[w] += z * z
            f += GROUP // sizeof(floating)
        for f in range(whole, count):
            z = scale[f] * (x[i * count + f] - centre[f])
            rows[i * count + f] = z
            norm += z * z
        add_up(group, &norm)
        norms[i] = <floating> norm


def prepare_products(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[::1] scale,
    const floating[::1] centre, floating[:, ::1] rows, floating[::1] norms,
):
    with nogil:
        _normalise(i1 - i0, x.shape[1], &x[i0, 0], &scale[0], &centre[0], &rows[i0, 0],
                   &norms[i0])


cdef inline inlined _tile_of(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating variance, floating* out,
    Py_ssize_t i_stride, Py_ssize_t j_stride,
) noexcept nogil:
    # out[i, j] = variance · profile(q[i, j]), i < m, j < n; a group of columns stays in the first
    # cache for some rows
    cdef Py_ssize_t a, i, j, w
    cdef floating q[LANES]
    cdef floating slope[LANES]
    for a in range(0, m, 16):
        j = 0
        while j < n:
            for i in range(a, min(a + 16, m)):
                quadform(count, x + i * count, strip + j * count, scale, q)
                evaluate(profile, alpha, q, slope, slope)
                if j_stride == 1 and n - j >= <Py_ssize_t> (GROUP // sizeof(floating)):
                    for w in range(GROUP // sizeof(floating)):
                        out[i * i_stride + j + w] = variance * q[w]
                else:
                    for w in range(min(n - j, <Py_ssize_t> (GROUP // sizeof(floating)))):
                        out[i * i_stride + (j + w) * j_stride] = variance * q[w]
            j += GROUP // sizeof(floating)


cdef cloned _tile(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating variance, floating* out,
    Py_ssize_t i_stride, Py_ssize_t j_stride,
) noexcept nogil:
    # with a constant the loop holds what its profile needs, and no more
    if profile == SE:
        _tile_of(m, n, count, x, strip, scale, SE, alpha, variance, out, i_stride, j_stride)
    elif profile == MATERN32:
        _tile_of(m, n, count, x, strip, scale, MATERN32, alpha, variance, out, i_stride, j_stride)
    elif profile == MATERN52:
        _tile_of(m, n, count, x, strip, scale, MATERN52, alpha, variance, out, i_stride, j_stride)
    else:
        _tile_of(m, n, count, x, strip, scale, profile, alpha, variance, out, i_stride, j_stride)


cdef cloned _finish(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, floating variance, Py_ssize_t diagonal, floating* out, Py_ssize_t stride,
) noexcept nogil:
    if profile == SE:
        finish(m, n, count, x, y, scale, row_norms, column_norms, SE, alpha, variance,
               diagonal, out, stride)
    elif profile == MATERN32:
        finish(m, n, count, x, y, scale, row_norms, column_norms, MATERN32, alpha, variance,
               diagonal, out, stride)
    elif profile == MATERN52:
        finish(m, n, count, x, y, scale, row_norms, column_norms, MATERN52, alpha, variance,
               diagonal, out, stride)
    else:
        finish(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, variance,
               diagonal, out, stride)


cdef cloned _sample(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, Py_ssize_t* late,
) noexcept nogil:
    sample(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, late)


cdef const floating* _none_if_ones(Py_ssize_t count, const floating* scale) noexcept nogil:
    cdef Py_ssize_t f
    for f in range(count):
        if scale[f] != 1:
            return scale
    return NULL


cdef floating _largest(Py_ssize_t n, const floating* norms) noexcept nogil:
    # the largest of n norms, or infinity
    cdef Py_ssize_t i
    cdef floating largest = 0
    for i in range(n):
        largest = largest if norms[i] <= largest else norms[i]
    return largest if largest - largest == 0 else <floating> INFINITY


cdef Py_ssize_t _width(Py_ssize_t count) noexcept nogil:
    # columns of a strip of which the second cache holds all features
    return max(LANES, min(STRIP, 2**15 // count // LANES * LANES))


cdef bint _are_near(
    int profile, Py_ssize_t m, Py_ssize_t n, const floating* row_norms,
    const floating* column_norms,
) noexcept nogil:
    # whether the differences of rows and columns, which are rounded, are as good as those of points
    return (profile != QUADFORM and profile != MATERN12
            and _largest(m, row_norms) + _largest(n, column_norms) <= SMALL)


cdef bint _are_late(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha,
) noexcept nogil:
    # whether many pairs of a tile would be made anew
    cdef Py_ssize_t late = 0
    if m * n > 64 * SAMPLE:
        _sample(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, &late)
    return late > SAMPLE // 32


cdef void _pairs(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* rows, const floating* row_norms,
    const floating* columns, const floating* column_norms, int profile, double alpha,
    floating variance, Py_ssize_t diagonal, floating* strip, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # out (m, n) from products, or from differences where many pairs would be made anew
    cdef Py_ssize_t j, wide
    if _are_near(profile, m, n, row_norms, column_norms):
        x, y, scale = rows, columns, NULL
    if not _are_late(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha):
        gemm[floating](m, n, count, rows, count, columns, count, out, stride, False, False, True)
        _finish(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, variance,
                diagonal, out, stride)
        return
    j = 0
    while j < n:
        wide = min(_width(count), n - j)
        load(wide, count, y + j * count, strip)
        _tile(m, wide, count, x, strip, scale, profile, alpha, variance, out + j, stride, 1)
        j += wide


cdef void _mirror(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating* out,
    floating* image, Py_ssize_t stride, bint symmetric,
) noexcept nogil:
    # image[j, i] = out[i, j], if `symmetric` for i < j; written in long runs, read from lines the
    # first cache holds
    cdef Py_ssize_t a, b, i, j
    for a in range(i0, i1, 128):
        for b in range(j0, j1, 8):
            for j in range(b, min(b + 8, j1)):
                for i in range(a, min(a + 128, i1, j) if symmetric else min(a + 128, i1)):
                    image[j * stride + i] = out[i * stride + j]


cdef floating* _strip(bint products, Py_ssize_t count, floating like) except? NULL:
    # the columns of _fill, or of _pairs where there are products
    return _scratch[floating](count * (_width(count) if products else STRIP), like)


cdef void _fill(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* rows, const floating* row_norms,
    const floating* columns, const floating* column_norms, int profile, double alpha,
    floating variance, Py_ssize_t diagonal, floating* strip, bint symmetric, floating* out,
    floating* image, Py_ssize_t stride,
) noexcept nogil:
    # The tile out (m, n) of the points from x and y on, with rows from products; if `symmetric`
    # its upper half. image[j, i] = out[i, j], where image is not NULL.
    cdef Py_ssize_t first, i, j, high, wide
    cdef bint products = rows != NULL
    # a product of many terms is worth more rows than the second cache holds
    cdef Py_ssize_t height = 4 * ROWS if products and count >= MANY else ROWS
    cdef Py_ssize_t width = 8 * STRIP if products and count >= MANY else STRIP
    scale = _none_if_ones(count, scale)
    if not products and n < 16 and m > n:
        i = 0
        while i < m:  # too few columns for a group: groups of rows
            high = min(STRIP, m - i)
            load(high, count, x + i * count, strip)
            _tile(n, high, count, y, strip, scale, profile, alpha, variance, out + i * stride, 1,
                  stride)
            i += high
        if image != NULL:
            _mirror(0, m, 0, n, out, image, stride, symmetric)
        return
    j = 0
    while j < n:
        wide, i = min(width, n - j), 0
        if not products:
            load(wide, count, y + j * count, strip)
        while i < (min(m, j + wide) if symmetric else m):
            high = min(height, m - i)
            first = max(i, j) if symmetric else j
            if products:
                _pairs(high, j + wide - first, count, x + i * count, y + first * count, scale,
                       rows + i * count, row_norms + i, columns + first * count,
                       column_norms + first, profile, alpha, variance, diagonal + i - first,
                       strip, out + i * stride + first, stride)
            else:
                _tile(high, j + wide - first, count, x + i * count, strip + (first - j) * count,
                      scale, profile, alpha, variance, out + i * stride + first, stride, 1)
            if image != NULL:
                _mirror(i, i + high, first, j + wide, out, image, stride, symmetric)
            i += high
        j += wide


def fill(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[:, ::1] rows,
    const floating[::1] row_norms, const floating[:, ::1] columns,
    const floating[::1] column_norms, int profile, double alpha, floating variance,
    floating noise, Py_ssize_t diagonal, bint mirror, floating[:, ::1] out,
):
    cdef Py_ssize_t a, m = i1 - i0, n = j1 - j0, count = x.shape[1]
    cdef bint products = rows.shape[0] > 0, symmetric = diagonal == 0 and m == n
    cdef floating* strip = _strip[floating](products, count, variance)
    cdef floating* image = NULL
    with nogil:
        if symmetric:
            image = &out[i0, j0]
        elif mirror:
            image = &out[j0, i0]
        _fill(m, n, count, &x[i0, 0], &y[j0, 0], &scale[0], &rows[i0, 0] if products else NULL,
              &row_norms[i0] if products else NULL, &columns[j0, 0] if products else NULL,
              &column_norms[j0] if products else NULL, profile, alpha, variance, diagonal, strip,
              symmetric, &out[i0, j0], image, out.shape[1])
        for a in range(max(0, -diagonal), min(m, n - diagonal)):
            out[i0 + a, j0 + a + diagonal] += noise
    free(strip)


def fill_diagonal(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[:, ::1] rows,
    const floating[::1] row_norms, const floating[:, ::1] columns,
    const floating[::1] column_norms, int profile, double alpha, floating variance,
    floating noise, Py_ssize_t diagonal, floating[::1] out,
):
    cdef Py_ssize_t i, m = i1 - i0, n = j1 - j0, count = x.shape[1]
    cdef bint products = rows.shape[0] > 0
    cdef floating* tile = _scratch[floating](m * n, variance)
    cdef floating* strip = NULL
    try:
        strip = _strip[floating](products, count, variance)
        with nogil:
            _fill(m, n, count, &x[i0, 0], &y[j0, 0], &scale[0],
                  &rows[i0, 0] if products else NULL, &row_norms[i0] if products else NULL,
                  &columns[j0, 0] if products else NULL, &column_norms[j0] if products else NULL,
                  profile, alpha, variance, diagonal, strip, False, tile, NULL, n)
            for i in range(max(i0, j0), min(i1, j1)):
                out[i] = tile[(i - i0) * n + i - j0] + noise
    finally:
        free(strip)
        free(tile)


def apply(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[:, ::1] rows,
    const floating[::1] row_norms, const floating[:, ::1] columns,
    const floating[::1] column_norms, int profile, double alpha, floating variance,
    const floating[:, ::1] v, bint mirror, floating[:, ::1] out,
):
    cdef Py_ssize_t i, j, m, n, count = x.shape[1], width = v.shape[1]
    cdef bint products = rows.shape[0] > 0
    cdef floating* tile = _scratch[floating](ROWS * STRIP, variance)
    cdef floating* strip = NULL
    cdef const floating* factor = _none_if_ones(count, &scale[0])
    try:
        strip = _strip[floating](products, count, variance)
        with nogil:
            j = j0
            while j < j1:
                n = min(STRIP, j1 - j)
                if not products:
                    load(n, count, &y[j, 0], strip)
                i = i0
                while i < i1:
                    m = min(ROWS, i1 - i)
                    if products:
                        _pairs(m, n, count, &x[i, 0], &y[j, 0], factor, &rows[i, 0], &row_norms[i],
                               &columns[j, 0], &column_norms[j], profile, alpha, variance,
                               NOWHERE, strip, tile, STRIP)
                    else:
                        _tile(m, n, count, &x[i, 0], strip, factor, profile, alpha, variance, tile,
                              STRIP, 1)
                    gemm[floating](m, width, n, tile, STRIP, &v[j, 0], width, &out[i, 0], width,
                                   True)
                    if mirror:
                        gemm[floating](n, width, m, tile, STRIP, &v[i, 0], width, &out[j, 0],
                                       width, True, True)
                    i += m
                j += n
    finally:
        free(strip)
        free(tile)


cdef void _weights(
    Py_ssize_t m, Py_ssize_t n, const floating* straight, Py_ssize_t stride,
    const floating* transposed, Py_ssize_t transposed_stride, floating* weights,
) noexcept nogil:
    # weights[i, j] = straight[i, j] + transposed[j, i], one of which may be NULL; zeros up to a
    # whole group
    cdef Py_ssize_t a, b, i, j, padded = n + (-n) % (GROUP // sizeof(floating))
    for i in range(m):
        for j in range(n):
            weights[i * STRIP + j] = straight[i * stride + j] if straight != NULL else 0
        for j in range(n, padded):
            weights[i * STRIP + j] = 0
    if transposed != NULL:
        for a in range(0, m, 32):
            for b in range(0, n, 32):  # squares that the first cache holds
                for i in range(a, min(a + 32, m)):
                    for j in range(b, min(b + 32, n)):
                        weights[i * STRIP + j] += transposed[j * transposed_stride + i]


cdef cloned _add_differences(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, bint squared,
    double* totals, double* ends,
) noexcept nogil:
    if profile == SE and squared:
        add_differences(m, n, count, x, strip, scale, SE, alpha, weights, STRIP, True, totals,
                        ends)
    elif profile == SE:
        add_differences(m, n, count, x, strip, scale, SE, alpha, weights, STRIP, False, totals,
                        ends)
    elif squared:
        add_differences(m, n, count, x, strip, scale, profile, alpha, weights, STRIP, True, totals,
                        ends)
    else:
        add_differences(m, n, count, x, strip, scale, profile, alpha, weights, STRIP, False,
                        totals, ends)


cdef cloned _weigh(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, const floating* products, floating* weights, bint squared, floating* row_sums,
    floating* column_sums, double* totals, double* ends,
) noexcept nogil:
    if profile == SE:
        weigh(m, n, count, x, y, scale, row_norms, column_norms, SE, alpha, products, weights,
              STRIP, squared, row_sums, column_sums, totals, ends)
    else:
        weigh(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, products, weights,
              STRIP, squared, row_sums, column_sums, totals, ends)


cdef cloned _add_products(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* rows, const floating* columns,
    const floating* row_sums, const floating* column_sums, const floating* products, bint squared,
    double* totals,
) noexcept nogil:
    add_products(m, n, count, rows, columns, row_sums, column_sums, products, squared, totals)


cdef floating* _pull_scratch(Py_ssize_t count, floating like) except? NULL:
    # weights, a strip or the sums of rows and columns, and products of _pull
    return _scratch[floating](ROWS * STRIP + (count + 2) * STRIP + ROWS * max(STRIP, count), like)


cdef void _pull(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* rows, const floating* row_norms,
    const floating* columns, const floating* column_norms, int profile, double alpha,
    floating* scratch, bint squared, double* totals, double* ends,
) noexcept nogil:
    # Add up for m points from x and n from y on, whose weights are the scratch's first; from
    # products where rows is not NULL, unless many pairs would be made anew.
    cdef Py_ssize_t j = 0, wide
    cdef floating* weights = scratch
    cdef floating* strip = weights + ROWS * STRIP
    cdef floating* products = strip + (count + 2) * STRIP
    cdef floating* sums = strip
    cdef bint late = True
    if rows != NULL:
        if _are_near(profile, m, n, row_norms, column_norms):
            x, y, scale = rows, columns, NULL
        late = _are_late(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha)
    if late:
        while j < n:
            wide = min(_width(count), n - j)
            load(wide, count, y + j * count, strip)
            _add_differences(m, wide, count, x, strip, scale, profile, alpha, weights + j, squared,
                             totals, ends)
            j += wide
        return
    gemm[floating](m, n, count, rows, count, columns, count, products, STRIP, False, False, True)
    _weigh(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, products, weights,
           squared, sums, sums + STRIP, totals, ends)
    gemm[floating](m, count, n, weights, STRIP, columns, count, products, count)
    _add_products(m, n, count, rows, columns, sums, sums + STRIP, products, squared, totals)


def pull(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[:, ::1] rows,
    const floating[::1] row_norms, const floating[:, ::1] columns,
    const floating[::1] column_norms, int profile, double alpha,
    const floating[:, ::1] cotangent, bint mirror, double[::1] sums,
):
    cdef Py_ssize_t i, j, m, n, count = x.shape[1], stride = cotangent.shape[1]
    cdef bint products = rows.shape[0] > 0
    cdef floating* scratch = _pull_scratch[floating](count, scale[0])
    cdef const floating* factor = _none_if_ones(count, &scale[0])
    with nogil:
        j = j0
        while j < j1:
            n = min(STRIP, j1 - j)
            i = i0
            while i < i1:
                m = min(ROWS, i1 - i)
                _weights(m, n, &cotangent[i, j], stride, &cotangent[j, i] if mirror else NULL,
                         stride, scratch)
                _pull(m, n, count, &x[i, 0], &y[j, 0], factor, &rows[i, 0] if products else NULL,
                      &row_norms[i] if products else NULL, &columns[j, 0] if products else NULL,
                      &column_norms[j] if products else NULL, profile, alpha, scratch, True,
                      &sums[0], &sums[count])
                i += m
            j += n
    free(scratch)


def pull_points(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[:, ::1] y,
    const floating[::1] scale, const floating[:, ::1] rows, const floating[::1] row_norms,
    const floating[:, ::1] columns, const floating[::1] column_norms, int profile, double alpha,
    floating variance, const floating[:, ::1] straight, const floating[:, ::1] transposed,
    floating[:, ::1] gradient,
):
    cdef Py_ssize_t f, i, j, k, m, n, count = x.shape[1]
    cdef bint products = rows.shape[0] > 0
    cdef floating* scratch = _pull_scratch[floating](count, variance)
    cdef const floating* factor = _none_if_ones(count, &scale[0])
    cdef double* totals = <double*> malloc(ROWS * count * sizeof(double))
    cdef double[2] ends
    if totals == NULL:
        free(scratch)
        raise MemoryError
    with nogil:
        ends[0] = ends[1] = 0
        i = i0
        while i < i1:
            m = min(ROWS, i1 - i)
            for k in range(m * count):
                totals[k] = 0
            j = 0
            while j < y.shape[0]:
                n = min(STRIP, y.shape[0] - j)
                _weights(m, n, &straight[i, j] if straight.shape[0] else NULL, straight.shape[1],
                         &transposed[j, i] if transposed.shape[0] else NULL, transposed.shape[1],
                         scratch)
                _pull(m, n, count, &x[i, 0], &y[j, 0], factor, &rows[i, 0] if products else NULL,
                      &row_norms[i] if products else NULL, &columns[j, 0] if products else NULL,
                      &column_norms[j] if products else NULL, profile, alpha, scratch, False,
                      totals, ends)
                j += n
            for k in range(m):
                for f in range(count):
                    gradient[i + k, f] = <floating> (2 * variance * scale[f]
                                                     * totals[k * count + f])
            i += m
    free(totals)
    free(scratch)


def pull_features(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] gradient, Py_ssize_t plain,
    const floating[:, ::1] projection, floating[:, ::1] points,
):
    cdef Py_ssize_t f, i, d = projection.shape[0], r = projection.shape[1]
    with nogil:
        gemm[floating](i1 - i0, d, r, &gradient[i0, plain], gradient.shape[1], &projection[0, 0],
                       r, &points[i0, 0], d, False, False, True)
        for i in range(i0, i1):
            for f in range(plain):
                points[i, f] += gradient[i, f]
