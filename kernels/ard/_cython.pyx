from cython cimport floating
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
    double hl_upper(double x)
    double hl_product_rest(double x, double y, double product)
    double hl_log(double x, double low, double* rest)


cdef enum:
    SE = 1
    MATERN12 = 2
    MATERN32 = 3
    MATERN52 = 4
    RQ = 5
    STRIP = 512  # columns whose features stay in the first cache
    ROWS = 64  # rows of a strip that stay in the second

cdef double SMALLEST = 2.0**-128  # what hl_exp_128 leaves to do


# A group is 256 bytes of pairs, four registers: the loops over w are unrolled into them.


cdef inline inlined _quadform(
    Py_ssize_t count, const floating* x, Py_ssize_t x_stride, const floating* y,
    Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale, floating* q,
) noexcept nogil:
    # q[w] = sum over f of (scale[f] (x[f] - y[f, w]))^2 for a group
    cdef Py_ssize_t f, w
    cdef floating d, s, xf
    cdef const floating* yf
    for w in range(256 // sizeof(floating)):
        q[w] = 0
    for f in range(scaled):
        xf, s, yf = x[f * x_stride], scale[f], y + f * y_stride
        for w in range(256 // sizeof(floating)):
            d = s * (xf - yf[w])
            q[w] += d * d
    for f in range(scaled, count):
        xf, yf = x[f * x_stride], y + f * y_stride
        for w in range(256 // sizeof(floating)):
            d = xf - yf[w]
            q[w] += d * d


cdef inline inlined _root(double c, double q, double* root, double* low) noexcept nogil:
    # sqrt(c q) as a sum of two, for c = 1, 3 or 5: (c - 1) q is exact
    cdef double high, rest, r
    q = 1e6 if 1e6 < q else q  # where the profiles are 0
    high = (c - 1) * q + q
    rest = ((c - 1) * q - high) + q
    r = sqrt(high)
    rest += (high - r * r) - hl_product_rest(r, r, r * r)
    root[0], low[0] = r, rest / (2 * r + 1e-300)


cdef inline inlined _profile(
    int profile, double alpha, floating* p, floating* slope, floating* by_alpha,
) noexcept nogil:
    # from p = q of a group, p = profile(q), slope = dp/dq and, of the rational quadratic, dp/dalpha
    cdef Py_ssize_t w
    cdef double b = 2 * alpha, e, k, low, q, r, rest, s, t
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
        for w in range(256 // sizeof(floating)):
            # t = q / 2 alpha, s = 1 + t, and what their rounding lost
            q = p[w]
            t = q / b
            low = ((q - t * b) - hl_product_rest(t, b, t * b)) / b
            s = 1 + t
            low += (1 - (s - (s - 1))) + (t - (s - 1))
            # exp(-alpha log(s + low))
            r = hl_log(s, low, &rest)
            e = -alpha * r
            k = hl_exp_128(e) * (1 - (hl_product_rest(alpha, r, -e) + alpha * rest)) * SMALLEST
            k = 0 if q == INFINITY else k
            p[w] = <floating> k
            slope[w] = <floating> (k / (-2 * s))
            by_alpha[w] = <floating> (k * (t / s - r) if k > 0 else k)
    else:
        for w in range(256 // sizeof(floating)):
            slope[w] = 1


cdef cloned _project(
    Py_ssize_t n, Py_ssize_t d, Py_ssize_t r, const floating* x, const floating* centre,
    const floating* projection, floating* features, Py_ssize_t stride,
) noexcept nogil:
    # features (r, n) = ((x - centre) @ projection)^T, each sum over d in order
    cdef Py_ssize_t i, j, k, start, width
    cdef floating sums[64]
    cdef floating difference
    for i in range(n):
        for start in range(0, r, 64):
            width = min(r - start, <Py_ssize_t> 64)
            for k in range(width):
                sums[k] = 0
            for j in range(d):
                difference = x[i * d + j] - centre[j]
                for k in range(width):
                    sums[k] += difference * projection[j * r + start + k]
            for k in range(width):
                features[(start + k) * stride + i] = sums[k]


def prepare(
    Py_ssize_t start, Py_ssize_t stop, const floating[:, ::1] x, Py_ssize_t plain,
    const floating[::1] centre, const floating[:, ::1] projection, floating[:, ::1] features,
):
    cdef Py_ssize_t a, i, f, d = x.shape[1], r = projection.shape[1]
    with nogil:
        for a in range(start, stop, 64):  # rows that stay in the cache while they are transposed
            for f in range(plain):
                for i in range(a, min(a + 64, stop)):
                    features[f, i] = x[i, f]
        if r:
            _project(stop - start, d, r, &x[start, 0], &centre[0], &projection[0, 0],
                     &features[plain, start], features.shape[1])


cdef inline inlined _tile_of(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, Py_ssize_t x_stride,
    const floating* y, Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale,
    int profile, double alpha, floating variance, floating* out, Py_ssize_t i_stride,
    Py_ssize_t j_stride,
) noexcept nogil:
    # out[i, j] = variance · profile(q[i, j]), i < m, j < n; what a group reads past n is padding
    cdef Py_ssize_t i, j, w
    cdef floating q[64]
    cdef floating slope[64]
    for i in range(m):
        j = 0
        while j < n:
            _quadform(count, x + i, x_stride, y + j, y_stride, scaled, scale, q)
            _profile(profile, alpha, q, slope, slope)
            if j_stride == 1 and n - j >= <Py_ssize_t> (256 // sizeof(floating)):
                for w in range(256 // sizeof(floating)):
                    out[i * i_stride + j + w] = variance * q[w]
            else:
                for w in range(min(n - j, <Py_ssize_t> (256 // sizeof(floating)))):
                    out[i * i_stride + (j + w) * j_stride] = variance * q[w]
            j += 256 // sizeof(floating)


cdef cloned _tile(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, Py_ssize_t x_stride,
    const floating* y, Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale,
    int profile, double alpha, floating variance, floating* out, Py_ssize_t i_stride,
    Py_ssize_t j_stride,
) noexcept nogil:
    # with a constant the loop holds what its profile needs, and no more
    if profile == SE:
        _tile_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, SE, alpha, variance, out,
                 i_stride, j_stride)
    elif profile == MATERN32:
        _tile_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, MATERN32, alpha, variance,
                 out, i_stride, j_stride)
    elif profile == MATERN52:
        _tile_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, MATERN52, alpha, variance,
                 out, i_stride, j_stride)
    else:
        _tile_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, profile, alpha, variance,
                 out, i_stride, j_stride)


cdef void _mirror(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # out[j, i] = out[i, j] for i < j, in squares of 32 that the first cache holds
    cdef Py_ssize_t a, b, i, j
    for a in range(i0, i1, 32):
        for b in range(j0, j1, 32):
            for j in range(b, min(b + 32, j1)):
                for i in range(a, min(a + 32, i1, j)):
                    out[j * stride + i] = out[i * stride + j]


def fill(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, int profile, double alpha,
    floating variance, floating noise, bint symmetric, floating[:, ::1] out,
):
    cdef Py_ssize_t i, j, stop, x_stride = x.shape[1], y_stride = y.shape[1]
    cdef Py_ssize_t count = x.shape[0], scaled = scale.shape[0]
    cdef const floating* scales = &scale[0] if scaled else NULL
    with nogil:
        if j1 - j0 < 16 and i1 - i0 > j1 - j0:  # too few columns for a group: groups of rows
            _tile(j1 - j0, i1 - i0, count, &y[0, j0], y_stride, &x[0, i0], x_stride, scaled,
                  scales, profile, alpha, variance, &out[i0, j0], 1, out.shape[1])
        else:
            for j in range(j0, j1, 512):
                stop = min(j + STRIP, j1)
                _tile((min(i1, stop) if symmetric else i1) - i0, stop - j, count, &x[0, i0],
                      x_stride, &y[0, j], y_stride, scaled, scales, profile, alpha, variance,
                      &out[i0, j], out.shape[1], 1)
        if symmetric:
            _mirror(i0, i1, j0, j1, &out[0, 0], out.shape[1])
            if i0 == j0:
                for i in range(i0, i1):
                    out[i, i] += noise


cdef cloned _normalise(
    Py_ssize_t n, Py_ssize_t count, const floating* features, Py_ssize_t stride,
    const floating* centre, Py_ssize_t scaled, const floating* scale, floating* columns,
    Py_ssize_t f_stride, Py_ssize_t i_stride, floating* norms,
) noexcept nogil:
    # columns[f, i] = scale[f] (features[f, i] - centre[f]), norms[i] = the sum of its squares
    cdef Py_ssize_t a, b, f, i
    cdef floating s, z
    for a in range(0, n, 64):  # points that stay in the cache, where they are transposed
        b = min(a + 64, n)
        for i in range(a, b):
            norms[i] = 0
        for f in range(count):
            s = scale[f] if f < scaled else 1
            for i in range(a, b):
                z = s * (features[f * stride + i] - centre[f])
                columns[f * f_stride + i * i_stride] = z
                norms[i] += z * z


def prepare_products(
    Py_ssize_t start, Py_ssize_t stop, const floating[:, ::1] features, const floating[::1] centre,
    const floating[::1] scale, floating[:, ::1] columns, floating[::1] norms,
):
    cdef Py_ssize_t scaled = scale.shape[0]
    with nogil:
        _normalise(stop - start, features.shape[0], &features[0, start], features.shape[1],
                   &centre[0], scaled, &scale[0] if scaled else NULL, &columns[0, start],
                   columns.shape[1], 1, &norms[start])


cdef inline inlined _finish_of(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, Py_ssize_t x_stride,
    const floating* y, Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale,
    const floating* x_norms, const floating* y_norms, int profile, double alpha,
    floating variance, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # The same as _tile from out[i, j] = the product of the two: q = |x|^2 + |y|^2 - 2 x y. Its
    # error is 1.5 (count + 3) roundings of |x|^2 + |y|^2; where q is less than 0.4 of that, or NaN,
    # the group is made anew.
    cdef Py_ssize_t i, j, w, rest, width = 256 // sizeof(floating)
    cdef floating q[64]
    cdef floating slope[64]
    cdef int64_t cancelled
    cdef floating norms
    cdef floating* o
    for i in range(m):
        j = 0
        while j < n:
            o, rest, cancelled = out + i * stride + j, min(n - j, width), 0
            if rest == width:
                for w in range(256 // sizeof(floating)):
                    norms = x_norms[i] + y_norms[j + w]
                    q[w] = norms - 2 * o[w]
                    cancelled |= not (q[w] >= <floating> 0.4 * norms)
            else:
                cancelled = 1
            if cancelled:
                _quadform(count, x + i, x_stride, y + j, y_stride, scaled, scale, q)
            _profile(profile, alpha, q, slope, slope)
            if rest == width:
                for w in range(256 // sizeof(floating)):
                    o[w] = variance * q[w]
            else:
                for w in range(rest):
                    o[w] = variance * q[w]
            j += width


cdef cloned _finish(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, Py_ssize_t x_stride,
    const floating* y, Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale,
    const floating* x_norms, const floating* y_norms, int profile, double alpha,
    floating variance, floating* out, Py_ssize_t stride,
) noexcept nogil:
    if profile == SE:
        _finish_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, x_norms, y_norms, SE,
                   alpha, variance, out, stride)
    else:
        _finish_of(m, n, count, x, x_stride, y, y_stride, scaled, scale, x_norms, y_norms, profile,
                   alpha, variance, out, stride)


def fill_products(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, ::1] x,
    const floating[:, ::1] y, const floating[::1] scale, const floating[::1] centre,
    const floating[:, ::1] columns, const floating[::1] norms, int profile, double alpha,
    floating variance, floating noise, bint symmetric, floating[:, ::1] out,
):
    cdef Py_ssize_t i, j, m, n, count = x.shape[0], scaled = scale.shape[0]
    cdef const floating* scales = &scale[0] if scaled else NULL
    cdef Py_ssize_t height = max(1, min(128, 2**20 // count))  # of 8 MB at most
    cdef floating* rows = <floating*> malloc(height * (count + 1) * sizeof(floating))
    cdef floating* x_norms
    if rows == NULL:
        raise MemoryError
    with nogil:
        x_norms = rows + height * count
        i = i0
        while i < i1:  # 128 × 512 products stay in the second cache
            m = min(height, i1 - i)
            _normalise(m, count, &x[0, i], x.shape[1], &centre[0], scaled, scales, rows, 1, count,
                       x_norms)
            for j in range(j0, j1, 512):
                n = min(512, j1 - j)
                gemm[floating](m, n, count, rows, count, &columns[0, j], columns.shape[1],
                               &out[i, j], out.shape[1])
                _finish(m, n, count, &x[0, i], x.shape[1], &y[0, j], y.shape[1], scaled, scales,
                        x_norms, &norms[j], profile, alpha, variance, &out[i, j], out.shape[1])
            i += m
        if symmetric:
            _mirror(i0, i1, j0, j1, &out[0, 0], out.shape[1])
            if i0 == j0:
                for i in range(i0, i1):
                    out[i, i] += noise
        free(rows)


def apply(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[:, ::1] y,
    const floating[::1] scale, int profile, double alpha, floating variance,
    const floating[:, ::1] v, floating[:, ::1] out,
):
    cdef Py_ssize_t i, j, m, n, columns = v.shape[1], scaled = scale.shape[0]
    cdef const floating* scales = &scale[0] if scaled else NULL
    cdef floating* tile = <floating*> malloc(ROWS * STRIP * sizeof(floating))
    if tile == NULL:
        raise MemoryError
    with nogil:
        for i in range(i0, i1, 64):
            m = min(ROWS, i1 - i)
            for j in range(0, v.shape[0], 512):
                n = min(STRIP, v.shape[0] - j)
                _tile(m, n, x.shape[0], &x[0, i], x.shape[1], &y[0, j], y.shape[1], scaled, scales,
                      profile, alpha, variance, tile, STRIP, 1)
                gemm[floating](m, columns, n, tile, STRIP, &v[j, 0], columns, &out[i, 0], columns,
                               j > 0)
        free(tile)


cdef inline inlined _pull_of(
    Py_ssize_t m, Py_ssize_t count, const floating* x, Py_ssize_t x_stride, const floating* y,
    Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale, int profile, double alpha,
    const floating* cotangent, floating* groups, double* totals,
) noexcept nogil:
    # totals[f] += sum over j < m of cotangent[j] slope[j] (x[f] - y[f, j]); then those of
    # cotangent · p and of cotangent · dp/dalpha. Each strip is added up in the cotangent's
    # precision, group by group, and the strips in double.
    cdef Py_ssize_t f, j, w, start, width = 256 // sizeof(floating)
    cdef floating c[64]
    cdef floating p[64]
    cdef floating slope[64]
    cdef floating by_alpha[64]
    cdef floating xf
    cdef double total
    cdef floating* g
    cdef const floating* yf
    for w in range(64):
        by_alpha[w] = 0
    for start in range(0, m, 512):
        for f in range((count + 2) * width):
            groups[f] = 0
        j = start
        while j < min(start + STRIP, m):
            if m - j >= width:
                for w in range(256 // sizeof(floating)):
                    c[w] = cotangent[j + w]
            else:
                for w in range(256 // sizeof(floating)):
                    c[w] = cotangent[j + w] if w < m - j else 0
            _quadform(count, x, x_stride, y + j, y_stride, scaled, scale, p)
            _profile(profile, alpha, p, slope, by_alpha)
            g = groups + count * width
            for w in range(256 // sizeof(floating)):
                g[w] += c[w] * p[w]
                g[width + w] += c[w] * by_alpha[w]
                c[w] *= slope[w]
            for f in range(count):
                xf, yf, g = x[f * x_stride], y + f * y_stride + j, groups + f * width
                for w in range(256 // sizeof(floating)):
                    g[w] += c[w] * (xf - yf[w])
            j += width
        for f in range(count + 2):
            total = 0
            for w in range(width):
                total += groups[f * width + w]
            totals[f] += total


cdef cloned _pull(
    Py_ssize_t m, Py_ssize_t count, const floating* x, Py_ssize_t x_stride, const floating* y,
    Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale, int profile, double alpha,
    const floating* cotangent, floating* groups, double* totals,
) noexcept nogil:
    if profile == SE:
        _pull_of(m, count, x, x_stride, y, y_stride, scaled, scale, SE, alpha, cotangent, groups,
                 totals)
    else:
        _pull_of(m, count, x, x_stride, y, y_stride, scaled, scale, profile, alpha, cotangent,
                 groups, totals)


def pull(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[:, ::1] y,
    const floating[::1] scale, int profile, double alpha, floating variance,
    const floating[:, ::1] cotangent, floating[:, ::1] gradient, double[:, ::1] sums,
):
    cdef Py_ssize_t i, f, count = x.shape[0], scaled = scale.shape[0]
    cdef const floating* scales = &scale[0] if scaled else NULL
    cdef double s
    cdef floating* groups = <floating*> malloc((count + 2) * 256)
    cdef double* totals = <double*> malloc((count + 2) * sizeof(double))
    if groups == NULL or totals == NULL:
        free(groups)
        free(totals)
        raise MemoryError
    with nogil:
        for i in range(i0, i1):
            for f in range(count + 2):
                totals[f] = 0
            _pull(cotangent.shape[1], count, &x[0, i], x.shape[1], &y[0, 0], y.shape[1], scaled,
                  scales, profile, alpha, &cotangent[i, 0], groups, totals)
            for f in range(count):
                s = scale[f] if f < scaled else 1
                gradient[f, i] = <floating> (2 * variance * s * s * totals[f])
            sums[0, i], sums[1, i] = totals[count], totals[count + 1]
        free(groups)
        free(totals)
