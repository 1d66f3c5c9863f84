from cython cimport floating
from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, sqrt
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blas cimport gemm


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    ctypedef void inlined "HL_INLINE void"
    double hl_exp(double x)
    float hl_expf(float x)
    double hl_exp_128(double x)
    double hl_leading(double x, int bits)
    double hl_product_rest(double x, double y, double product)
    double hl_exponent(double x, double* scale)


cdef enum:
    SE = 1
    MATERN12 = 2
    MATERN32 = 3
    MATERN52 = 4
    RQ = 5
    STRIP = 512  # columns whose features, or values, stay in the first cache
    ROWS = 128  # rows of a strip that stay in the second
    MANY = 128  # features whose products take longer than all the rest

cdef double SMALLEST = 2.0**-128  # what hl_exp_128 leaves to do
cdef double LOG2 = 0.6931471805599453
cdef double LOG8 = 2.079441541678534, LOG8_LOW = 1.3018060677774115e-12  # their sum is log 8


# A group is 256 bytes of pairs, four registers: the loops over w are unrolled into them.


cdef inline inlined _quadform(
    Py_ssize_t count, const floating* x, const floating* strip, const floating* scale, floating* q,
) noexcept nogil:
    # q[w] = sum over f of (scale[f] (x[f] - strip[f, w]))^2 for a group
    cdef Py_ssize_t f, w
    cdef floating d, s, xf
    cdef const floating* yf
    for w in range(256 // sizeof(floating)):
        q[w] = 0
    for f in range(count):
        xf, s, yf = x[f], scale[f], strip + f * STRIP
        for w in range(256 // sizeof(floating)):
            d = s * (xf - yf[w])
            q[w] += d * d


cdef inline inlined _total(floating* group, double* total) noexcept nogil:
    # total += the sum of a group
    cdef Py_ssize_t w
    for w in range(128 // sizeof(floating)):
        group[w] += group[128 // sizeof(floating) + w]
    for w in range(64 // sizeof(floating)):
        group[w] += group[64 // sizeof(floating) + w]
    for w in range(64 // sizeof(floating)):
        total[0] += group[w]


cdef inline inlined _root(double c, double q, double* root, double* low) noexcept nogil:
    # sqrt(c q) as a sum of two, for c = 1, 3 or 5: (c - 1) q is exact
    cdef double high, rest, r
    q = 1e6 if 1e6 < q else q  # where the profiles are 0
    high = (c - 1) * q + q
    rest = ((c - 1) * q - high) + q
    r = sqrt(high)
    rest += (high - r * r) - hl_product_rest(r, r, r * r)
    root[0], low[0] = r, rest / (2 * r + 1e-300)


cdef inline inlined _rational(
    double alpha, double part, double power, double q, double* p, double* slope, double* by_alpha,
) noexcept nogil:
    # *p = s^-alpha = exp(-alpha / 3 · log s^3), s = 1 + q / 2 alpha, 2 alpha = 2^power part; and
    # its derivatives by q and alpha
    cdef double c, cube, dz, e, f, head, inverse, k, log, low, n, rest, scale, series, t, third
    cdef double u, unit, x, y, z
    # s = (unit + t + low) / unit, t of 26 bits; with `scale` no quotient leaves the range
    scale = 2.0**256 if q < 1 else 2.0**-256
    unit = scale * (2 * alpha / part)
    x = scale * (DBL_MAX if q > DBL_MAX else q)
    t = hl_leading(x * (1 / part), 26)
    low = ((x - t * hl_leading(part, 26)) - t * (part - hl_leading(part, 26))) * (1 / part)
    # s = 2^n (1 + f + low), 1 + f in [sqrt(1/2), sqrt(2)], c = 2^-n; f has 30 bits
    n = hl_exponent(unit + t, &c) - (power + 256 if q < 1 else power - 256)
    t, low, c = t * c, low * c, unit * c
    head = (c + 2.0**22) - 2.0**22
    f = t + (head - 1)
    low += c - head
    # y = z + dz = (f + low) / (2 + f + low); z has 17 bits: z^3 is exact
    inverse = 1 / (2 + (f + low))
    z = hl_leading(f * inverse, 17)
    dz = (((f - 2 * z) - z * f) + (1 - z) * low) * inverse
    y = z + dz
    u = y * y
    # log s^3 = n log 8 + 6 y + 2 y^3 + y^5 series = log + rest; log has 26 bits
    series = 6.0 / 27
    series = series * u + 6.0 / 25
    series = series * u + 6.0 / 23
    series = series * u + 6.0 / 21
    series = series * u + 6.0 / 19
    series = series * u + 6.0 / 17
    series = series * u + 6.0 / 15
    series = series * u + 6.0 / 13
    series = series * u + 6.0 / 11
    series = series * u + 6.0 / 9
    series = series * u + 6.0 / 7
    series = series * u + 6.0 / 5
    cube = z * z * z
    rest = n * LOG8_LOW + 6 * dz + 2 * dz * (3 * z * y + dz * dz) + y * (u * u) * series
    log = hl_leading(n * LOG8 + 6 * z + 2 * cube, 26)
    rest += ((n * LOG8 - log) + 6 * z) + 2 * cube
    # e + low = alpha / 3 · log s^3
    third = hl_leading(alpha / 3, 26)
    rest = (alpha - 3 * third) / 3 * log + alpha / 3 * rest
    e = third * log + rest
    low = (third * log - e) + rest
    k = hl_exp_128(-e) * (1 - low) * SMALLEST
    k = 0 if e > 760 else k
    k = 0 if q == INFINITY else k
    p[0] = k
    slope[0] = -k * (alpha / (2 * alpha + q))
    # log s - (s - 1) / s
    by_alpha[0] = -k * (n * LOG2 + y * u * (2.0 / 3 + u * series / 3)
                        + (2 * u + (c - 1) * (1 - y)) / (1 + y))


cdef inline inlined _profile(
    int profile, double alpha, floating* p, floating* slope, floating* by_alpha,
) noexcept nogil:
    # from p = q of a group, p = profile(q), slope = dp/dq and, of the rational quadratic, dp/dalpha
    cdef Py_ssize_t w
    cdef double by_q, change, e, k, low, part, power, r
    if profile == SE:
        for w in range(256 // sizeof(floating)):
            if floating is float:
                p[w] = hl_expf(p[w] * -0.5)
            else:
                p[w] = hl_exp(p[w] * -0.5)
            slope[w] = p[w] * <floating> -0.5
    elif profile == MATERN12:
        for w in range(256 // sizeof(floating)):
            _root(1, p[w], &r, &low)
            k = hl_exp_128(-r) * (1 - low) * SMALLEST
            p[w] = <floating> k
            slope[w] = <floating> (k / (-2 * r) if r > 0 else 0)
    elif profile == MATERN32:
        for w in range(256 // sizeof(floating)):
            _root(3, p[w], &r, &low)
            e = hl_exp_128(-r) * (1 - low)
            p[w] = <floating> (e * (1 + r + low) * SMALLEST)
            slope[w] = <floating> (e * -1.5 * SMALLEST)
    elif profile == MATERN52:
        for w in range(256 // sizeof(floating)):
            _root(5, p[w], &r, &low)
            e = hl_exp_128(-r) * (1 - low)
            p[w] = <floating> (e * (1 + r + low + (r * r + 2 * r * low) / 3) * SMALLEST)
            slope[w] = <floating> (e * (1 + r + low) * (-5.0 / 6 * SMALLEST))
    elif profile == RQ:
        alpha = min(alpha, 2.0**600)  # where p is exp(-q / 2), and dp/dalpha 0
        part = alpha * (2.0**512 if alpha < 1 else 1.0)
        power = hl_exponent(part, &e) - (511 if alpha < 1 else -1)
        part *= e
        for w in range(256 // sizeof(floating)):
            _rational(alpha, part, power, p[w], &k, &by_q, &change)
            p[w] = <floating> k
            if slope != by_alpha:  # else neither is wanted
                slope[w], by_alpha[w] = <floating> by_q, <floating> change
    else:
        for w in range(256 // sizeof(floating)):
            slope[w] = 1


cdef cloned _project(
    Py_ssize_t n, Py_ssize_t d, Py_ssize_t r, const floating* x, const floating* centre,
    const floating* projection, floating* features, Py_ssize_t stride,
) noexcept nogil:
    # features (n, r) = (x - centre) @ projection, each sum over d in order
    cdef Py_ssize_t i, j, k
    cdef floating difference
    for i in range(n):
        for k in range(r):
            features[i * stride + k] = 0
        for j in range(d):
            difference = x[i * d + j] - centre[j]
            for k in range(r):
                features[i * stride + k] += difference * projection[j * r + k]


def prepare(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, Py_ssize_t plain,
    const floating[::1] centre, const floating[:, ::1] projection, floating[:, ::1] features,
):
    cdef Py_ssize_t i, f
    with nogil:
        for i in range(i0, i1):
            for f in range(plain):
                features[i, f] = x[i, f]
        _project(i1 - i0, x.shape[1], projection.shape[1], &x[i0, 0], &centre[0],
                 &projection[0, 0], &features[i0, plain], features.shape[1])


cdef cloned _normalise(
    Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* scale,
    const floating* centre, floating* rows, floating* norms,
) noexcept nogil:
    cdef Py_ssize_t f, i, w, whole = count - count % (256 // sizeof(floating))
    cdef floating group[64]
    cdef floating z
    cdef double norm
    for i in range(n):
        norm = 0
        for w in range(256 // sizeof(floating)):
            group[w] = 0
        f = 0
        while f < whole:
            for w in range(256 // sizeof(floating)):
                z = scale[f + w] * (x[i * count + f + w] - centre[f + w])
                rows[i * count + f + w] = z
                group[w] += z * z
            f += 256 // sizeof(floating)
        for f in range(whole, count):
            z = scale[f] * (x[i * count + f] - centre[f])
            rows[i * count + f] = z
            norm += z * z
        _total(group, &norm)
        norms[i] = <floating> norm


def prepare_products(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[::1] scale,
    const floating[::1] centre, floating[:, ::1] rows, floating[::1] norms,
):
    with nogil:
        _normalise(i1 - i0, x.shape[1], &x[i0, 0], &scale[0], &centre[0], &rows[i0, 0],
                   &norms[i0])


cdef void _load(
    Py_ssize_t n, Py_ssize_t count, const floating* x, floating* strip,
) noexcept nogil:
    # strip[f, i] = x[i, f] for n points of `count` features, the last one again up to a whole group
    cdef Py_ssize_t a, f, i, padded = n + (-n) % (256 // sizeof(floating))
    for a in range(0, n, 64):
        for f in range(count):
            for i in range(a, min(a + 64, n)):
                strip[f * STRIP + i] = x[i * count + f]
    for f in range(count):
        for i in range(n, padded):
            strip[f * STRIP + i] = x[(n - 1) * count + f]


cdef inline inlined _tile_of(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating variance, floating* out,
    Py_ssize_t i_stride, Py_ssize_t j_stride,
) noexcept nogil:
    # out[i, j] = variance · profile(q[i, j]), i < m, j < n
    cdef Py_ssize_t i, j, w
    cdef floating q[64]
    cdef floating slope[64]
    for i in range(m):
        j = 0
        while j < n:
            _quadform(count, x + i * count, strip + j, scale, q)
            _profile(profile, alpha, q, slope, slope)
            if j_stride == 1 and n - j >= <Py_ssize_t> (256 // sizeof(floating)):
                for w in range(256 // sizeof(floating)):
                    out[i * i_stride + j + w] = variance * q[w]
            else:
                for w in range(min(n - j, <Py_ssize_t> (256 // sizeof(floating)))):
                    out[i * i_stride + (j + w) * j_stride] = variance * q[w]
            j += 256 // sizeof(floating)


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


cdef inline inlined _distance(
    Py_ssize_t count, const floating* x, const floating* y, const floating* scale, floating* q,
) noexcept nogil:
    # q of one pair
    cdef Py_ssize_t f, w, whole = count - count % (256 // sizeof(floating))
    cdef floating group[64]
    cdef floating d
    cdef double total = 0
    for w in range(256 // sizeof(floating)):
        group[w] = 0
    f = 0
    while f < whole:
        for w in range(256 // sizeof(floating)):
            d = scale[f + w] * (x[f + w] - y[f + w])
            group[w] += d * d
        f += 256 // sizeof(floating)
    for f in range(whole, count):
        d = scale[f] * (x[f] - y[f])
        total += d * d
    _total(group, &total)
    q[0] = <floating> total


cdef inline inlined _finish_of(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, floating variance, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # The same as _tile from out[i, j] = the product of the two: q = |x|^2 + |y|^2 - 2 x y. Its
    # error is 1.5 (count + 3) roundings of |x|^2 + |y|^2; where q is less than 0.4 of that, or that
    # is not finite, the pair is made anew.
    cdef Py_ssize_t i, j, w, rest
    cdef floating norms
    cdef floating q[64]
    cdef floating slope[64]
    cdef floating limit[64]
    cdef int64_t cancelled
    cdef floating* o
    for i in range(m):
        j = 0
        while j < n:
            o, rest, cancelled = out + i * stride + j, n - j, 0
            if rest >= <Py_ssize_t> (256 // sizeof(floating)):
                for w in range(256 // sizeof(floating)):
                    norms = row_norms[i] + column_norms[j + w]
                    q[w] = norms - 2 * o[w]
                    limit[w] = <floating> 0.4 * norms + (norms - norms)
                    cancelled |= not (q[w] >= limit[w])
            else:
                for w in range(rest):
                    norms = row_norms[i] + column_norms[j + w]
                    q[w] = norms - 2 * o[w]
                    limit[w] = <floating> 0.4 * norms + (norms - norms)
                    cancelled |= not (q[w] >= limit[w])
                for w in range(rest, 256 // sizeof(floating)):
                    q[w] = limit[w] = 0
            if cancelled:
                for w in range(256 // sizeof(floating)):
                    if not (q[w] >= limit[w]):
                        _distance(count, x + i * count, y + (j + w) * count, scale, q + w)
            _profile(profile, alpha, q, slope, slope)
            if rest >= <Py_ssize_t> (256 // sizeof(floating)):
                for w in range(256 // sizeof(floating)):
                    o[w] = variance * q[w]
            else:
                for w in range(rest):
                    o[w] = variance * q[w]
            j += 256 // sizeof(floating)


cdef cloned _finish(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* row_norms, const floating* column_norms, int profile,
    double alpha, floating variance, floating* out, Py_ssize_t stride,
) noexcept nogil:
    if profile == SE:
        _finish_of(m, n, count, x, y, scale, row_norms, column_norms, SE, alpha, variance, out,
                   stride)
    else:
        _finish_of(m, n, count, x, y, scale, row_norms, column_norms, profile, alpha, variance,
                   out, stride)


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


cdef floating* _scratch(Py_ssize_t size, floating like) except? NULL:
    cdef floating* scratch = <floating*> malloc(size * sizeof(floating))
    if scratch == NULL:
        raise MemoryError
    return scratch


cdef floating* _strip(bint products, Py_ssize_t count, floating like) except? NULL:
    # what _fill needs beside its arguments
    return _scratch[floating](1 if products else count * STRIP, like)


cdef void _fill(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* y,
    const floating* scale, const floating* rows, const floating* row_norms,
    const floating* columns, const floating* column_norms, int profile, double alpha,
    floating variance, floating* strip, bint symmetric, floating* out, floating* image,
    Py_ssize_t stride,
) noexcept nogil:
    # The tile out (m, n) of the points from x and y on, with rows from products; if `symmetric`
    # its upper half. image[j, i] = out[i, j], where image is not NULL.
    cdef Py_ssize_t first, i, j, high, wide
    cdef bint products = rows != NULL
    # a product of many terms is worth more rows than the second cache holds
    cdef Py_ssize_t height = 512 if products and count >= MANY else ROWS
    cdef Py_ssize_t width = 4096 if products and count >= MANY else STRIP
    if not products and n < 16 and m > n:
        for i in range(0, m, 512):  # too few columns for a group: groups of rows
            high = min(STRIP, m - i)
            _load(high, count, x + i * count, strip)
            _tile(n, high, count, y, strip, scale, profile, alpha, variance, out + i * stride, 1,
                  stride)
        if image != NULL:
            _mirror(0, m, 0, n, out, image, stride, symmetric)
        return
    j = 0
    while j < n:
        wide, i = min(width, n - j), 0
        if not products:
            _load(wide, count, y + j * count, strip)
        while i < (min(m, j + wide) if symmetric else m):
            high = min(height, m - i)
            first = max(i, j) if symmetric else j
            if products:
                gemm[floating](high, j + wide - first, count, rows + i * count, count,
                               columns + first * count, count, out + i * stride + first, stride,
                               False, False, True)
                _finish(high, j + wide - first, count, x + i * count, y + first * count, scale,
                        row_norms + i, column_norms + first, profile, alpha, variance,
                        out + i * stride + first, stride)
            else:
                _tile(high, j + wide - first, count, x + i * count, strip + (first - j), scale,
                      profile, alpha, variance, out + i * stride + first, stride, 1)
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
              &column_norms[j0] if products else NULL, profile, alpha, variance, strip, symmetric,
              &out[i0, j0], image, out.shape[1])
        for a in range(max(0, -diagonal), min(m, n - diagonal)):
            out[i0 + a, j0 + a + diagonal] += noise
    free(strip)


def fill_diagonal(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[:, ::1] rows,
    const floating[::1] row_norms, const floating[:, ::1] columns,
    const floating[::1] column_norms, int profile, double alpha, floating variance,
    floating noise, floating[::1] out,
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
                  profile, alpha, variance, strip, False, tile, NULL, n)
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
    cdef floating* tile = _scratch[floating](
        ROWS * STRIP + (0 if products else count * STRIP), variance
    )
    cdef floating* strip = tile + ROWS * STRIP
    with nogil:
        for j in range(j0, j1, 512):
            n = min(STRIP, j1 - j)
            if not products:
                _load(n, count, &y[j, 0], strip)
            for i in range(i0, i1, 128):
                m = min(ROWS, i1 - i)
                if products:
                    gemm[floating](m, n, count, &rows[i, 0], count, &columns[j, 0], count, tile,
                                   STRIP, False, False, True)
                    _finish(m, n, count, &x[i, 0], &y[j, 0], &scale[0], &row_norms[i],
                            &column_norms[j], profile, alpha, variance, tile, STRIP)
                else:
                    _tile(m, n, count, &x[i, 0], strip, &scale[0], profile, alpha, variance, tile,
                          STRIP, 1)
                gemm[floating](m, width, n, tile, STRIP, &v[j, 0], width, &out[i, 0], width, True)
                if mirror:
                    gemm[floating](n, width, m, tile, STRIP, &v[i, 0], width, &out[j, 0], width,
                                   True, True)
    free(tile)


cdef Py_ssize_t _width(Py_ssize_t count) noexcept nogil:
    # columns of a strip of which the second cache holds all features
    return max(64, min(STRIP, 2**15 // count // 64 * 64))


cdef void _weights(
    Py_ssize_t m, Py_ssize_t n, const floating* straight, Py_ssize_t stride,
    const floating* transposed, Py_ssize_t transposed_stride, floating* weights,
) noexcept nogil:
    # weights[i, j] = straight[i, j] + transposed[j, i], one of which may be NULL; zeros up to a
    # whole group
    cdef Py_ssize_t a, b, i, j, padded = n + (-n) % (256 // sizeof(floating))
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


cdef inline inlined _slopes_of(
    Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, double* by_variance,
    double* by_alpha,
) noexcept nogil:
    # weights *= dp/dq for a row, from which *by_variance += sum of weights · p, and *by_alpha that
    # of weights · dp/dalpha
    cdef Py_ssize_t j, w
    cdef floating p[64]
    cdef floating slope[64]
    cdef floating change[64]
    cdef floating values[64]
    cdef floating changes[64]
    for w in range(256 // sizeof(floating)):
        change[w] = values[w] = changes[w] = 0
    j = 0
    while j < n:
        _quadform(count, x, strip + j, scale, p)
        _profile(profile, alpha, p, slope, change)
        for w in range(256 // sizeof(floating)):
            values[w] += weights[j + w] * p[w]
            changes[w] += weights[j + w] * change[w]
            weights[j + w] *= slope[w]
        j += 256 // sizeof(floating)
    _total(values, by_variance)
    _total(changes, by_alpha)


cdef inline inlined _slopes(
    Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, double* by_variance,
    double* by_alpha,
) noexcept nogil:
    if profile == SE:
        _slopes_of(n, count, x, strip, scale, SE, alpha, weights, by_variance, by_alpha)
    else:
        _slopes_of(n, count, x, strip, scale, profile, alpha, weights, by_variance, by_alpha)


cdef cloned _pull(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, double* sums,
) noexcept nogil:
    # sums[f] += sum of weights · dp/dq (scale[f] (x[i, f] - strip[f, j]))^2, then the two others
    cdef Py_ssize_t f, i, j, w
    cdef floating d, s, xf
    cdef floating group[64]
    cdef const floating* c
    for i in range(m):
        c = weights + i * STRIP
        _slopes(n, count, x + i * count, strip, scale, profile, alpha, weights + i * STRIP,
                sums + count, sums + count + 1)
        for f in range(count):
            xf, s = x[i * count + f], scale[f]
            for w in range(256 // sizeof(floating)):
                group[w] = 0
            j = 0
            while j < n:
                for w in range(256 // sizeof(floating)):
                    d = s * (xf - strip[f * STRIP + j + w])
                    group[w] += c[j + w] * d * d
                j += 256 // sizeof(floating)
            _total(group, sums + f)


def pull(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, int profile, double alpha,
    const floating[:, ::1] cotangent, bint mirror, double[::1] sums,
):
    cdef Py_ssize_t i, j, m, n, count = x.shape[1], stride = cotangent.shape[1]
    cdef floating* weights = _scratch[floating](ROWS * STRIP + count * STRIP, scale[0])
    cdef floating* strip = weights + ROWS * STRIP
    with nogil:
        j = j0
        while j < j1:
            n = min(_width(count), j1 - j)
            _load(n, count, &y[j, 0], strip)
            for i in range(i0, i1, 128):
                m = min(ROWS, i1 - i)
                _weights(m, n, &cotangent[i, j], stride, &cotangent[j, i] if mirror else NULL,
                         stride, weights)
                _pull(m, n, count, &x[i, 0], strip, &scale[0], profile, alpha, weights, &sums[0])
            j += n
    free(weights)


cdef cloned _pull_points(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, const floating* strip,
    const floating* scale, int profile, double alpha, floating* weights, double* totals,
) noexcept nogil:
    # totals[i, f] += the sum over j of weights · dp/dq (x[i, f] - strip[f, j])
    cdef Py_ssize_t f, i, j, w
    cdef double unused = 0
    cdef floating xf
    cdef floating group[64]
    cdef const floating* c
    for i in range(m):
        c = weights + i * STRIP
        _slopes(n, count, x + i * count, strip, scale, profile, alpha, weights + i * STRIP,
                &unused, &unused)
        for f in range(count):
            xf = x[i * count + f]
            for w in range(256 // sizeof(floating)):
                group[w] = 0
            j = 0
            while j < n:
                for w in range(256 // sizeof(floating)):
                    group[w] += c[j + w] * (xf - strip[f * STRIP + j + w])
                j += 256 // sizeof(floating)
            _total(group, totals + i * count + f)


def pull_points(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[:, ::1] y,
    const floating[::1] scale, int profile, double alpha, floating variance,
    const floating[:, ::1] straight, const floating[:, ::1] transposed,
    floating[:, ::1] gradient,
):
    cdef Py_ssize_t f, i, j, k, m, n, count = x.shape[1]
    cdef floating* weights = _scratch[floating](ROWS * STRIP + count * STRIP, variance)
    cdef floating* strip = weights + ROWS * STRIP
    cdef double* totals = <double*> malloc(ROWS * count * sizeof(double))
    cdef double s
    if totals == NULL:
        free(weights)
        raise MemoryError
    with nogil:
        for i in range(i0, i1, 128):
            m = min(ROWS, i1 - i)
            for k in range(m * count):
                totals[k] = 0
            j = 0
            while j < y.shape[0]:
                n = min(_width(count), y.shape[0] - j)
                _load(n, count, &y[j, 0], strip)
                _weights(m, n, &straight[i, j] if straight.shape[0] else NULL, straight.shape[1],
                         &transposed[j, i] if transposed.shape[0] else NULL, transposed.shape[1],
                         weights)
                _pull_points(m, n, count, &x[i, 0], strip, &scale[0], profile, alpha, weights,
                             totals)
                j += n
            for k in range(m):
                for f in range(count):
                    s = scale[f]
                    gradient[i + k, f] = <floating> (2 * variance * s * (s * totals[k * count + f]))
    free(totals)
    free(weights)


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
