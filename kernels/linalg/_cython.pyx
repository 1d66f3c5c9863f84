from cython cimport floating
from libc.math cimport INFINITY, sqrt, sqrtf
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blas cimport gemm

from hotloops.kernels import linalg as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    ctypedef void inlined "HL_INLINE void"
    double hl_exp(double x)
    float hl_expf(float x)
    double hl_expm1(double x)
    float hl_expm1f(float x)
    void HL_PREFETCH(const void* address)


cdef enum:
    LONGEST = 64  # elements of a group of floats, the most that one has
    BYTES = 4 * LONGEST  # of a group
    WIDEST = 15  # groups of columns that a softmax across takes at a time
    PIECE = 32  # groups after which a sum is added to that of the row
    CACHED = 4096  # groups that the second cache holds

cdef Py_ssize_t TILE = kernel.TILE
cdef Py_ssize_t STRIPE = kernel.STRIPE
cdef Py_ssize_t ROWS = kernel.ROWS
cdef int RELU = kernel.RELU
cdef int TANH = kernel.TANH
cdef int SIGMOID = kernel.SIGMOID
cdef int SOFTMAX = kernel.SOFTMAX


cdef cloned _root(Py_ssize_t n, floating* q) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = sqrtf(q[i]) if floating is float else sqrt(q[i])


def root(Py_ssize_t i0, Py_ssize_t i1, floating[::1] q):
    with nogil:
        _root(i1 - i0, &q[i0])


cdef inline inlined _load(
    Py_ssize_t n, const floating* x, floating fill, floating* group,
) noexcept nogil:
    # a group of x, of which there are n left, then `fill`
    cdef Py_ssize_t w
    if n >= <Py_ssize_t> (BYTES // sizeof(floating)):
        for w in range(BYTES // sizeof(floating)):
            group[w] = x[w]
    else:
        for w in range(BYTES // sizeof(floating)):
            group[w] = fill
        for w in range(n):
            group[w] = x[w]


cdef inline inlined _store(Py_ssize_t n, const floating* group, floating* out) noexcept nogil:
    cdef Py_ssize_t w
    if n >= <Py_ssize_t> (BYTES // sizeof(floating)):
        for w in range(BYTES // sizeof(floating)):
            out[w] = group[w]
    else:
        for w in range(n):
            out[w] = group[w]


cdef inline inlined _total(floating* group, double* total) noexcept nogil:
    # total += the sum of a group
    cdef Py_ssize_t w
    for w in range(BYTES // 2 // sizeof(floating)):
        group[w] += group[BYTES // 2 // sizeof(floating) + w]
    for w in range(BYTES // 4 // sizeof(floating)):
        group[w] += group[BYTES // 4 // sizeof(floating) + w]
    for w in range(BYTES // 4 // sizeof(floating)):
        total[0] += group[w]


cdef inline inlined _exp_less(floating x, floating largest, floating* e) noexcept nogil:
    # e = exp(x - largest): d + low is the difference, and low is not finite where d is not
    cdef floating d = x - largest, back, low
    back = d - x
    low = (x - (d - back)) - (largest + back)
    low = low if low == low else 0
    if floating is float:
        d = hl_expf(d)
    else:
        d = hl_exp(d)
    e[0] = d + d * low


cdef inline inlined _softmax_short(
    Py_ssize_t n, const floating* x, floating* out,
) noexcept nogil:
    # of a row of less than a group
    cdef Py_ssize_t j
    cdef floating largest = -INFINITY, total = 0
    for j in range(n):
        largest = x[j] if x[j] > largest else largest
    for j in range(n):
        _exp_less(x[j], largest, out + j)
    for j in range(n):
        total += out[j]
    total = 1 / total
    for j in range(n):
        out[j] *= total


cdef cloned _softmax(
    Py_ssize_t rows, Py_ssize_t n, const floating* x, floating* out,
) noexcept nogil:
    # of each row; out may be x
    cdef Py_ssize_t i, j, stop, w
    cdef floating group[LONGEST]
    cdef floating largest[LONGEST]
    cdef floating sums[LONGEST]
    cdef floating inverse
    cdef double total
    for i in range(rows):
        if n < <Py_ssize_t> (BYTES // sizeof(floating)):
            _softmax_short(n, x + i * n, out + i * n)
            continue
        for w in range(BYTES // sizeof(floating)):
            largest[w] = -INFINITY
        j = 0
        while j < n:
            _load(n - j, x + i * n + j, -INFINITY, group)
            for w in range(BYTES // sizeof(floating)):
                largest[w] = group[w] if group[w] > largest[w] else largest[w]
            j += BYTES // sizeof(floating)
        inverse = largest[0]
        for w in range(BYTES // sizeof(floating)):
            inverse = largest[w] if largest[w] > inverse else inverse
        for w in range(BYTES // sizeof(floating)):
            largest[w] = inverse
        total, j = 0, 0
        while j < n:
            for w in range(BYTES // sizeof(floating)):
                sums[w] = 0
            stop = min(n, j + PIECE * <Py_ssize_t> (BYTES // sizeof(floating)))
            while j < stop:
                for w in range(BYTES // 64):  # the next row comes while this one is computed
                    HL_PREFETCH(<const char*> (x + (i + 1) * n + j) + 64 * w)
                _load(n - j, x + i * n + j, -INFINITY, group)
                for w in range(BYTES // sizeof(floating)):
                    _exp_less(group[w], largest[w], group + w)
                    sums[w] += group[w]
                _store(n - j, group, out + i * n + j)
                j += BYTES // sizeof(floating)
            _total(sums, &total)
        inverse = <floating> (1 / total)
        for j in range(n):
            out[i * n + j] *= inverse


def softmax(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, floating[:, ::1] out,
):
    with nogil:
        _softmax(i1 - i0, x.shape[1], &x[i0, 0], &out[i0, 0])


cdef cloned _softmax_across(
    Py_ssize_t m, Py_ssize_t stride, Py_ssize_t n, const floating* x, floating* e,
    Py_ssize_t step, floating* out,
) noexcept nogil:
    # along m rows, for n columns, at most WIDEST groups; e holds them in between, `step` apart
    cdef Py_ssize_t i, j, w
    cdef floating group[LONGEST]
    cdef floating largest[(WIDEST + 1) * LONGEST]
    cdef floating sums[(WIDEST + 1) * LONGEST]
    cdef double totals[(WIDEST + 1) * LONGEST]
    for j in range(n + LONGEST):
        largest[j], sums[j], totals[j] = -INFINITY, 0, 0
    for i in range(m):
        j = 0
        while j < n:
            _load(n - j, x + i * stride + j, -INFINITY, group)
            for w in range(BYTES // sizeof(floating)):
                largest[j + w] = group[w] if group[w] > largest[j + w] else largest[j + w]
            _store(n - j, group, e + i * step + j)
            j += BYTES // sizeof(floating)
    for i in range(m):
        j = 0
        while j < n:
            _load(n - j, e + i * step + j, -INFINITY, group)
            for w in range(BYTES // sizeof(floating)):
                _exp_less(group[w], largest[j + w], group + w)
                sums[j + w] += group[w]
            _store(n - j, group, e + i * step + j)
            j += BYTES // sizeof(floating)
        if i % PIECE == PIECE - 1 or i == m - 1:
            for j in range(n):
                totals[j] += sums[j]
                sums[j] = 0
    for j in range(n):
        sums[j] = <floating> (1 / totals[j])
    for i in range(m):
        for j in range(n):
            out[i * stride + j] = e[i * step + j] * sums[j]


cdef floating* _scratch(Py_ssize_t size, floating like) except NULL:
    cdef floating* scratch = <floating*> malloc(max(size, 1) * sizeof(floating))
    if scratch == NULL:
        raise MemoryError
    return scratch


def softmax_across(
    Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1, const floating[:, :, ::1] x,
    floating[:, :, ::1] out,
):
    cdef Py_ssize_t i, j, m = x.shape[1], n, stride = x.shape[2]
    cdef Py_ssize_t groups = max(1, min(WIDEST, CACHED // m)), width
    cdef floating* scratch = NULL
    width = groups * (BYTES // sizeof(floating))
    if m <= CACHED:
        scratch = _scratch[floating](m * width, 0)
    with nogil:
        for i in range(i0, i1):
            j = j0
            while j < j1:
                n = min(width, j1 - j)
                if scratch == NULL:
                    _softmax_across(m, stride, n, &x[i, 0, j], &out[i, 0, j], stride, &out[i, 0, j])
                else:
                    _softmax_across(m, stride, n, &x[i, 0, j], scratch, width, &out[i, 0, j])
                j += n
    free(scratch)


cdef cloned _normalize_rows(
    Py_ssize_t rows, Py_ssize_t n, const floating* x, floating* out,
) noexcept nogil:
    cdef Py_ssize_t i, j, stop, w
    cdef floating group[LONGEST]
    cdef floating sums[LONGEST]
    cdef floating inverse
    cdef double down, least = 1e-280, length, total, up
    if floating is float:
        least = 1e-25
    for i in range(rows):
        total, j = 0, 0
        while j < n:
            for w in range(BYTES // sizeof(floating)):
                sums[w] = 0
            stop = min(n, j + PIECE * <Py_ssize_t> (BYTES // sizeof(floating)))
            while j < stop:
                _load(n - j, x + i * n + j, 0, group)
                for w in range(BYTES // sizeof(floating)):
                    sums[w] += group[w] * group[w]
                j += BYTES // sizeof(floating)
            _total(sums, &total)
        if total > least and total < INFINITY:
            inverse = <floating> (1 / sqrt(total))
            for j in range(n):
                out[i * n + j] = x[i * n + j] * inverse
        else:  # once more without overflow or underflow
            up = down = 1
            if floating is double:
                if total < 1:
                    up = 2.0**600
                else:
                    down = 2.0**-600
            total = 0
            for j in range(n):
                length = up * down * x[i * n + j]
                total += length * length
            length = sqrt(total) if total != 0 else 1
            for j in range(n):
                out[i * n + j] = <floating> (up * x[i * n + j] / length * down)


def normalize_rows(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, floating[:, ::1] out,
):
    with nogil:
        _normalize_rows(i1 - i0, x.shape[1], &x[i0, 0], &out[i0, 0])


cdef cloned _mean(
    Py_ssize_t n, Py_ssize_t d, const floating* x, double* rest, floating* mean,
) noexcept nogil:
    cdef Py_ssize_t f, i
    for f in range(d):
        rest[f] = 0
    for i in range(n):
        for f in range(d):
            rest[f] += x[i * d + f]
    for f in range(d):
        mean[f] = <floating> (rest[f] / n)
        rest[f] = 0


cdef cloned _deviations(
    Py_ssize_t n, Py_ssize_t d, const floating* x, const floating* mean, floating* tile,
    double* rest,
) noexcept nogil:
    cdef Py_ssize_t f, i
    for i in range(n):
        for f in range(d):
            tile[i * d + f] = x[i * d + f] - mean[f]
        for f in range(d):
            rest[f] += tile[i * d + f]


cdef cloned _add(
    Py_ssize_t f0, Py_ssize_t f1, Py_ssize_t d, const floating* product, double* total,
) noexcept nogil:
    # total += product (f1 - f0, f1), in rows f0 to f1
    cdef Py_ssize_t f, g
    for f in range(f0, f1):
        for g in range(f1):
            total[f * d + g] += product[(f - f0) * f1 + g]


cdef inline void _scatter(
    Py_ssize_t n, Py_ssize_t d, const floating* x, floating* scratch, double* rest, double* total,
) noexcept nogil:
    # total += the scatter of n rows, on and below the diagonal; their mean is scratch + rest / n
    cdef Py_ssize_t a, f, g, m, stop
    cdef floating* tile = scratch + d
    cdef floating* product = tile + min(TILE, n) * d
    _mean(n, d, x, rest, scratch)
    a = 0
    while a < n:
        m = min(TILE, n - a)
        _deviations(m, d, x + a * d, scratch, tile, rest)
        f = 0
        while f < d:
            stop = min(f + STRIPE, d)
            gemm(stop - f, stop, m, tile + f, d, tile, d, product, stop, False, True, False)
            _add(f, stop, d, product, total)
            f = stop
        a += m
    for f in range(d):
        for g in range(f + 1):
            total[f * d + g] -= rest[f] * rest[g] / n


def covariances(
    Py_ssize_t k0, Py_ssize_t k1, const floating[:, :, ::1] x, double freedom,
    floating[:, :, ::1] out,
):
    cdef Py_ssize_t d = x.shape[2], f, g, k, rows = min(TILE, x.shape[1])
    cdef floating* scratch = _scratch[floating](d * (1 + rows + min(STRIPE, d)), 0)
    cdef double* rest
    cdef double* total
    try:
        rest = _scratch[double](d + d * d, 0)
        total = rest + d
        with nogil:
            for k in range(k0, k1):
                for f in range(d * d):
                    total[f] = 0
                _scatter(x.shape[1], d, &x[k, 0, 0], scratch, rest, total)
                for f in range(d):
                    for g in range(f + 1):
                        out[k, f, g] = out[k, g, f] = <floating> (total[f * d + g] / freedom)
        free(rest)
    finally:
        free(scratch)


def scatter(
    Py_ssize_t t0, Py_ssize_t t1, const floating[:, ::1] x, double[:, ::1] means,
    double[:, ::1] total,
):
    cdef Py_ssize_t d = x.shape[1], f, m, t
    cdef floating* scratch = _scratch[floating](d * (1 + TILE + STRIPE), 0)
    cdef double* rest
    try:
        rest = _scratch[double](d, 0)
        with nogil:
            for t in range(t0, t1):
                m = min(TILE, x.shape[0] - t * TILE)
                _scatter(m, d, &x[t * TILE, 0], scratch, rest, &total[0, 0])
                for f in range(d):
                    means[t, f] = <double> (scratch[f] - x[0, f]) + rest[f] / m
        free(rest)
    finally:
        free(scratch)


def centre(Py_ssize_t n, double[:, ::1] means):
    cdef Py_ssize_t d = means.shape[1], f, t
    cdef double count
    cdef double* mean = _scratch[double](d, 0)
    with nogil:
        for f in range(d):
            mean[f] = 0
        for t in range(means.shape[0]):
            count = min(TILE, n - t * TILE)
            for f in range(d):
                mean[f] += count * means[t, f]
        for f in range(d):
            mean[f] /= n
        for t in range(means.shape[0]):
            count = min(TILE, n - t * TILE)
            for f in range(d):
                means[t, f] = (means[t, f] - mean[f]) * sqrt(count)
    free(mean)


def join(
    Py_ssize_t i0, Py_ssize_t i1, const double[:, ::1] total, const double[:, ::1] means,
    double freedom, floating[:, ::1] out,
):
    cdef Py_ssize_t d = means.shape[1], f, f0, f1, g
    cdef double* product = _scratch[double](STRIPE * i1, 0)
    with nogil:
        f0 = i0
        while f0 < i1:
            f1 = min(f0 + STRIPE, i1)
            gemm(
                f1 - f0, f1, means.shape[0], &means[0, f0], d, &means[0, 0], d, product, f1,
                False, True, False,
            )
            for f in range(f0, f1):
                for g in range(f + 1):
                    out[f, g] = out[g, f] = <floating> (
                        (total[f, g] + product[(f - f0) * f1 + g]) / freedom
                    )
            f0 = f1
    free(product)


cdef cloned _activate(
    Py_ssize_t m, Py_ssize_t n, const floating* bias, int activation, floating* a,
) noexcept nogil:
    # a = f(a + bias), but for the softmax
    cdef Py_ssize_t i, j
    cdef floating e, v
    for i in range(m):
        if activation == RELU:
            for j in range(n):
                v = a[i * n + j] + bias[j]
                a[i * n + j] = 0 if v < 0 else v
        elif activation == TANH:
            for j in range(n):
                v = a[i * n + j] + bias[j]
                if floating is float:
                    e = hl_expm1f(v * 2 if v < 0 else v * -2)
                else:
                    e = hl_expm1(v * 2 if v < 0 else v * -2)
                e = e / (2 + e)
                a[i * n + j] = e if v < 0 else -e
        elif activation == SIGMOID:
            for j in range(n):
                v = a[i * n + j] + bias[j]
                if floating is float:
                    e = hl_expf(v if v < 0 else -v)
                else:
                    e = hl_exp(v if v < 0 else -v)
                a[i * n + j] = (e if v < 0 else 1) / (1 + e)
        else:
            for j in range(n):
                a[i * n + j] += bias[j]


def forward(
    Py_ssize_t i0, Py_ssize_t i1, const floating[:, ::1] x, const floating[::1] parameters,
    const int64_t[::1] widths, int activation, int output_activation, floating[:, ::1] out,
):
    cdef Py_ssize_t i, k, layer, m, n, last = widths.shape[0] - 2, widest = 1
    cdef int f
    cdef const floating* p
    cdef const floating* source
    cdef floating* target
    for layer in range(1, widths.shape[0] - 1):
        widest = max(widest, <Py_ssize_t> widths[layer])
    cdef floating* scratch = _scratch[floating](2 * ROWS * widest, 0)
    with nogil:
        i = i0
        while i < i1:
            m = min(ROWS, i1 - i)
            source, p = &x[i, 0], &parameters[0]
            for layer in range(last + 1):
                k, n = widths[layer], widths[layer + 1]
                target = &out[i, 0] if layer == last else scratch + layer % 2 * ROWS * widest
                f = output_activation if layer == last else activation
                # a leading dimension is not 0
                gemm(m, n, k, source, max(k, 1), p, max(n, 1), target, max(n, 1))
                _activate(m, n, p + k * n, f, target)
                if f == SOFTMAX:
                    _softmax(m, n, <const floating*> target, target)
                source = target
                p += (k + 1) * n
            i += m
    free(scratch)
