from cython cimport floating


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    double hl_exp(double x)
    float hl_expf(float x)


cdef enum:
    SE = 1


cdef inline floating exp(floating x) noexcept nogil:
    return hl_expf(x) if floating is float else hl_exp(x)


cdef cloned _project(
    Py_ssize_t n, Py_ssize_t d, Py_ssize_t r, const floating* x, const floating* centre,
    const floating* projection, floating* features, Py_ssize_t stride,
) noexcept nogil:
    # features (r, n) = ((x - centre) @ projection)^T, the sum over d in order
    cdef Py_ssize_t i, j, k
    cdef floating difference
    for i in range(n):
        for k in range(r):
            features[k * stride + i] = 0
        for j in range(d):
            difference = x[i * d + j] - centre[j]
            for k in range(r):
                features[k * stride + i] += difference * projection[j * r + k]


def prepare(
    Py_ssize_t start, Py_ssize_t stop, const floating[:, ::1] x, Py_ssize_t plain,
    const floating[::1] centre, const floating[:, ::1] projection, floating[:, ::1] features,
):
    cdef Py_ssize_t i, f, d = x.shape[1], r = projection.shape[1]
    with nogil:
        for f in range(plain):
            for i in range(start, stop):
                features[f, i] = x[i, f]
        if r:
            _project(stop - start, d, r, &x[start, 0], &centre[0], &projection[0, 0],
                     &features[plain, start], features.shape[1])


cdef cloned _tile(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t count, const floating* x, Py_ssize_t x_stride,
    const floating* y, Py_ssize_t y_stride, Py_ssize_t scaled, const floating* scale,
    int profile, floating variance, floating* out, Py_ssize_t i_stride, Py_ssize_t j_stride,
) noexcept nogil:
    # out[i, j] = variance · profile(sum over f of (scale[f] (x[f, i] - y[f, j]))^2), i < m, j < n,
    # in groups of 256 bytes of sums, four registers; what a group reads past n is padding
    cdef Py_ssize_t i, j, f, w
    cdef floating q[64]
    cdef floating d, s, xf
    cdef const floating* yf
    for i in range(m):
        j = 0
        while j < n:
            for w in range(256 // sizeof(floating)):
                q[w] = 0
            for f in range(scaled):
                xf, s, yf = x[f * x_stride + i], scale[f], y + f * y_stride + j
                for w in range(256 // sizeof(floating)):
                    d = s * (xf - yf[w])
                    q[w] += d * d
            for f in range(scaled, count):
                xf, yf = x[f * x_stride + i], y + f * y_stride + j
                for w in range(256 // sizeof(floating)):
                    d = xf - yf[w]
                    q[w] += d * d
            if profile == SE:
                for w in range(256 // sizeof(floating)):
                    q[w] = variance * exp[floating](q[w] * <floating> -0.5)
            if j_stride == 1 and n - j >= <Py_ssize_t> (256 // sizeof(floating)):
                for w in range(256 // sizeof(floating)):
                    out[i * i_stride + j + w] = q[w]
            else:
                for w in range(min(n - j, <Py_ssize_t> (256 // sizeof(floating)))):
                    out[i * i_stride + (j + w) * j_stride] = q[w]
            j += 256 // sizeof(floating)


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
    const floating[:, ::1] y, const floating[::1] scale, int profile, floating variance,
    floating noise, bint symmetric, floating[:, ::1] out,
):
    cdef Py_ssize_t i, j, stop, x_stride = x.shape[1], y_stride = y.shape[1]
    cdef Py_ssize_t count = x.shape[0], scaled = scale.shape[0]
    cdef const floating* scales = &scale[0] if scaled else NULL
    with nogil:
        if j1 - j0 < 16 and i1 - i0 > j1 - j0:  # too few columns for a group: groups of rows
            _tile(j1 - j0, i1 - i0, count, &y[0, j0], y_stride, &x[0, i0], x_stride, scaled,
                  scales, profile, variance, &out[i0, j0], 1, out.shape[1])
        else:
            for j in range(j0, j1, 512):  # columns whose features stay in the cache
                stop = min(j + 512, j1)
                _tile((min(i1, stop) if symmetric else i1) - i0, stop - j, count, &x[0, i0],
                      x_stride, &y[0, j], y_stride, scaled, scales, profile, variance,
                      &out[i0, j], out.shape[1], 1)
        if symmetric:
            _mirror(i0, i1, j0, j1, &out[0, 0], out.shape[1])
            if i0 == j0:
                for i in range(i0, i1):
                    out[i, i] += noise
