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
    void hl_root(double c, double q, double* root, double* low)
    void hl_rational(
        double alpha, double part, double power, double q, double* p, double* slope,
        double* by_alpha,
    )


cdef enum:  # what the kernel's __init__.py says: _cython.pyx sees to it
    SE = 1
    MATERN12 = 2
    MATERN32 = 3
    MATERN52 = 4
    RQ = 5
    STRIP = 512
    ROWS = 128
    MANY = 128

cdef enum:
    GROUP = 256  # bytes
    LANES = GROUP // 4  # numbers at most


cdef inline void load(
    Py_ssize_t n, Py_ssize_t count, const floating* x, floating* strip,
) noexcept nogil:
    # strip[f, i] = x[i, f] for n points of `count` features, the last one again up to a whole group
    cdef Py_ssize_t a, f, i, padded = n + (-n) % (GROUP // sizeof(floating))
    for a in range(0, n, 64):
        for f in range(count):
            for i in range(a, min(a + 64, n)):
                strip[f * STRIP + i] = x[i * count + f]
    for f in range(count):
        for i in range(n, padded):
            strip[f * STRIP + i] = x[(n - 1) * count + f]


cdef inline inlined quadform(
    Py_ssize_t count, const floating* x, const floating* strip, const floating* scale, floating* q,
) noexcept nogil:
    # q[w] = sum over f of (scale[f] (x[f] - strip[f, w]))^2 for a group
    cdef Py_ssize_t f, w
    cdef floating d, s, xf
    cdef const floating* yf
    for w in range(GROUP // sizeof(floating)):
        q[w] = 0
    for f in range(count):
        xf, s, yf = x[f], scale[f], strip + f * STRIP
        for w in range(GROUP // sizeof(floating)):
            d = s * (xf - yf[w])
            q[w] += d * d


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
    # q of one pair
    cdef Py_ssize_t f, w, whole = count - count % (GROUP // sizeof(floating))
    cdef floating group[LANES]
    cdef floating d
    cdef double total = 0
    for w in range(GROUP // sizeof(floating)):
        group[w] = 0
    f = 0
    while f < whole:
        for w in range(GROUP // sizeof(floating)):
            d = scale[f + w] * (x[f + w] - y[f + w])
            group[w] += d * d
        f += GROUP // sizeof(floating)
    for f in range(whole, count):
        d = scale[f] * (x[f] - y[f])
        total += d * d
    add_up(group, &total)
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
