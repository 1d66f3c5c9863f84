# Groups of pairs: 256 bytes of their quadratic forms, four registers. The loops over w are unrolled
# into them.
from cython cimport floating


cdef extern from "vmath.h" nogil:
    ctypedef void inlined "HL_INLINE void"
    double hl_exp(double x)
    float hl_expf(float x)
    double hl_exp_128(double x)
    double hl_exponent(double x, double* scale)

cdef extern from "ard/profiles.h" nogil:
    void HL_APART()
    void hl_root(double c, double q, double* root, double* low)
    void hl_rational(
        double alpha, double part, double power, double q, double* p, double* slope,
        double* by_alpha,
    )


cdef enum:  # what the kernel's __init__.py says: _cython.pyx sees to it
    QUADFORM = 0
    SE = 1
    MATERN12 = 2
    MATERN32 = 3
    MATERN52 = 4
    RQ = 5
    STRIP = 512
    ROWS = 128
    MANY = 128
    PROJECTED = 96
    LATE = 4
    SAMPLE = 64
    SMALL = 1024

cdef enum:
    GROUP = 256  # bytes
    LANES = GROUP // 4  # numbers at most
    PENDING = 2 * LANES


cdef inline void load(
    Py_ssize_t n, Py_ssize_t count, const floating* x, floating* strip,
) noexcept nogil:
    # n points of `count` features, a group of points after the other, in each a feature after the
    # other: strip[a count + f G + w] = x[a + w, f], the last point again up to a whole group of G.
    # So a group of many features lies in one piece, where the ways of a cache do not collide.
    cdef Py_ssize_t f, w, a = 0
    while a < n:
        for f in range(count):
            for w in range(GROUP // sizeof(floating)):
                strip[w] = x[min(a + w, n - 1) * count + f]
            strip += GROUP // sizeof(floating)
        a += GROUP // sizeof(floating)


cdef inline inlined quadform(
    Py_ssize_t count, const floating* x, const floating* strip, const floating* scale, floating* q,
) noexcept nogil:
    # q[w] = sum over f of (scale[f] (x[f] - strip[f, w]))^2 for a group; a scale of ones is NULL
    cdef Py_ssize_t f, w
    cdef floating d, s, xf
    for w in range(GROUP // sizeof(floating)):
        q[w] = 0
    if scale == NULL:
        for f in range(count):
            HL_APART()
            xf = x[f]
            for w in range(GROUP // sizeof(floating)):
                d = xf - strip[w]
                q[w] += d * d
            strip += GROUP // sizeof(floating)
    else:
        for f in range(count):
            HL_APART()
            xf, s = x[f], scale[f]
            for w in range(GROUP // sizeof(floating)):
                d = s * (xf - strip[w])
                q[w] += d * d
            strip += GROUP // sizeof(floating)


cdef inline inlined add_up(floating* group, double* total) noexcept nogil:
    # total += the sum of a group
    cdef Py_ssize_t w
    for w in range(GROUP // 2 // sizeof(floating)):
        group[w] += group[GROUP // 2 // sizeof(floating) + w]
    for w in range(GROUP // 4 // sizeof(floating)):
        group[w] += group[GROUP // 4 // sizeof(floating) + w]
    for w in range(GROUP // 4 // sizeof(floating)):
        total[0] += group[w]


cdef inline inlined distance(
    Py_ssize_t count, const floating* x, const floating* y, const floating* scale, floating* q,
) noexcept nogil:
    # q of one pair; a scale of ones is NULL
    cdef Py_ssize_t f, w, whole = count - count % (GROUP // 4 // sizeof(floating))
    cdef floating group[LANES]
    cdef floating d
    cdef double total = 0
    for w in range(GROUP // 4 // sizeof(floating)):
        group[w] = 0
    f = 0
    while f < whole:
        if scale == NULL:
            for w in range(GROUP // 4 // sizeof(floating)):
                d = x[f + w] - y[f + w]
                group[w] += d * d
        else:
            for w in range(GROUP // 4 // sizeof(floating)):
                d = scale[f + w] * (x[f + w] - y[f + w])
                group[w] += d * d
        f += GROUP // 4 // sizeof(floating)
    for f in range(whole, count):
        d = x[f] - y[f]
        if scale != NULL:
            d *= scale[f]
        total += d * d
    for w in range(GROUP // 8 // sizeof(floating)):
        group[w] += group[GROUP // 8 // sizeof(floating) + w]
    for w in range(GROUP // 8 // sizeof(floating)):
        total += group[w]
    q[0] = <floating> total


cdef inline inlined evaluate(
    int profile, double alpha, floating* p, floating* slope, floating* by_alpha,
) noexcept nogil:
    # from p = q of a group, p = profile(q), slope = dp/dq and, of the rational quadratic, dp/dalpha
    cdef Py_ssize_t w
    cdef double by_q, change, e, k, low, part, power, r
    if profile == SE:
        for w in range(GROUP // sizeof(floating)):
            if floating is float:
                p[w] = hl_expf(p[w] * -0.5)
            else:
                p[w] = hl_exp(p[w] * -0.5)
            slope[w] = p[w] * <floating> -0.5
    elif profile == MATERN12:
        for w in range(GROUP // sizeof(floating)):
            hl_root(1, p[w], &r, &low)
            k = hl_exp_128(-r) * (1 - low) * 2.0**-128
            p[w] = <floating> k
            slope[w] = <floating> (k / (-2 * r) if r > 0 else 0)
    elif profile == MATERN32:
        for w in range(GROUP // sizeof(floating)):
            hl_root(3, p[w], &r, &low)
            e = hl_exp_128(-r) * (1 - low)
            p[w] = <floating> (e * (1 + r + low) * 2.0**-128)
            slope[w] = <floating> (e * -1.5 * 2.0**-128)
    elif profile == MATERN52:
        for w in range(GROUP // sizeof(floating)):
            hl_root(5, p[w], &r, &low)
            e = hl_exp_128(-r) * (1 - low)
            p[w] = <floating> (e * (1 + r + low + (r * r + 2 * r * low) / 3) * 2.0**-128)
            slope[w] = <floating> (e * (1 + r + low) * (-5.0 / 6 * 2.0**-128))
    elif profile == RQ:
        alpha = min(alpha, 2.0**600)  # where p is exp(-q / 2), and dp/dalpha 0
        part = alpha * (2.0**512 if alpha < 1 else 1.0)
        power = hl_exponent(part, &e) - (511 if alpha < 1 else -1)
        part *= e
        for w in range(GROUP // sizeof(floating)):
            hl_rational(alpha, part, power, p[w], &k, &by_q, &change)
            p[w] = <floating> k
            if slope != by_alpha:  # else neither is wanted
                slope[w], by_alpha[w] = <floating> by_q, <floating> change
    else:
        for w in range(GROUP // sizeof(floating)):
            slope[w] = 1
