from libc.math cimport NAN, expm1, fabs, fma, sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from optics.complex_numbers cimport conj, norm, over, scaled, square_root

from hotloops.kernels import optics as kernel


cdef extern from "waves.h" nogil:
    ctypedef void cloned "HL_CLONES void"
    ctypedef void inlined "HL_INLINE void"
    enum:
        HL_STRIP
    double hl_exponent(double x, double* scale)
    ctypedef struct waves_of_strip "hl_waves":
        Py_ssize_t* layer
        double* forward_re
        double* forward_im
        double* backward_re
        double* backward_im
    void hl_cis(Py_ssize_t n, const double* decay, const double* angle, double* re, double* im)
    Py_ssize_t hl_run(Py_ssize_t start, Py_ssize_t n, const Py_ssize_t* layer)
    void hl_waves_at(
        Py_ssize_t n, const double* z, Py_ssize_t count, const double* interfaces,
        const double* kz, const double* amplitudes, int far, waves_of_strip* waves)


cdef int INTENSITY = kernel.INTENSITY, POYNTING = kernel.POYNTING, ABSORPTION = kernel.ABSORPTION
cdef enum:
    LANES = 16  # stacks side by side: real parts of a number in each, then imaginary ones
    S_POLARISED = 0
    P_POLARISED = 1


# What comes to a stack, a row of `found` of incidence: kx / k0 = a + low.
ctypedef struct incident:
    double k0
    double complex a
    double complex low


if (
    sizeof(incident) != kernel.INCIDENCE * sizeof(double)
    or (S_POLARISED, P_POLARISED) != (kernel.S_POLARISED, kernel.P_POLARISED)
):
    raise ImportError("_cython.pyx and __init__.py have different numbers")


# A medium of a group of stacks.
ctypedef struct medium:
    double[2 * LANES] n
    double[2 * LANES] q
    double[2 * LANES] phase  # exp(i kz d)
    double[LANES] shift  # of q²


# Its waves in one polarisation, forward at the near and backward at the far interface, up to a
# factor: that of the next medium is `ratio` times as large.
ctypedef struct wave:
    double[2 * LANES] forward
    double[2 * LANES] backward
    double[2 * LANES] ratio


cdef inline double complex _at(const double* v, Py_ssize_t w) noexcept nogil:
    cdef double complex z
    z.real = v[w]
    z.imag = v[LANES + w]
    return z


cdef inline void _put(double* v, Py_ssize_t w, double complex z) noexcept nogil:
    v[w] = z.real
    v[LANES + w] = z.imag


cdef inline double complex _flux(const medium* m, Py_ssize_t w, int pol) noexcept nogil:
    # whose real part is the flux along z of a wave E = 1
    cdef double complex n = _at(m.n, w), q = _at(m.q, w)
    return over(q * conj(n), n) if pol == P_POLARISED else q


cdef inline double _per_incident(const medium* first, Py_ssize_t w, int pol) noexcept nogil:
    cdef double flux = _flux(first, w, pol).real
    return 1 / flux if flux > 0 else NAN


cdef cloned _media(
    Py_ssize_t count, Py_ssize_t media, const Py_ssize_t* rows, const double complex* n,
    const double* thickness, const incident* incidence, medium* found,
) noexcept nogil:
    # of `count` stacks, in lanes of which the last is repeated
    cdef Py_ssize_t j, lane, near, w
    cdef const double complex* n_of[LANES]
    cdef const double* thickness_of[LANES]
    cdef double[2 * LANES] a_lanes, low_lanes
    cdef double[LANES] k0
    cdef double[LANES] depth
    cdef double[LANES] largest
    cdef double[LANES] decay
    cdef double[LANES] angle
    cdef double inside, shift, size
    cdef double complex less, more, square
    cdef medium* m
    for w in range(LANES):
        lane = min(w, count - 1)
        n_of[w] = n + rows[2 * lane] * media
        thickness_of[w] = thickness + rows[2 * lane + 1] * media
        k0[w] = incidence[lane].k0
        _put(a_lanes, w, incidence[lane].a)
        _put(low_lanes, w, incidence[lane].low)
        largest[w] = 0
    for j in range(media - 1, -1, -1):
        m = &found[j]
        inside = 25e-12 if 0 < j < media - 1 else 0
        for w in range(LANES):
            _put(m.n, w, n_of[w][j])
            depth[w] = k0[w] * thickness_of[w][j]
        near = 0  # how many squares may need their shift
        for w in range(LANES):
            less = (_at(m.n, w) - _at(a_lanes, w)) - _at(low_lanes, w)
            more = (_at(m.n, w) + _at(a_lanes, w)) + _at(low_lanes, w)
            square = less * more
            size = fabs(square.real) + fabs(square.imag)
            largest[w] = size if size > largest[w] else largest[w]
            near += 2 * size < inside * largest[w]
            _put(m.q, w, square)
            m.shift[w] = 0
        if near:
            for w in range(LANES):
                size = fabs(m.q[w]) + fabs(m.q[LANES + w])
                shift = inside * min(1.0, sqrt(norm(_at(m.n, w)))) * largest[w]
                shift = shift / (1 + largest[w] * depth[w] * depth[w])
                m.shift[w] = shift if 2 * size < shift else 0
                m.q[w] += m.shift[w]
        for w in range(LANES):
            square = square_root(_at(m.q, w))
            _put(m.q, w, square)
            decay[w] = -square.imag * depth[w]
            angle[w] = square.real * depth[w]
        if inside != 0:
            hl_cis(LANES, decay, angle, m.phase, m.phase + LANES)
        else:
            for w in range(LANES):
                size = -1 if m.q[w] + m.q[LANES + w] < 0 else 1
                _put(m.q, w, scaled(_at(m.q, w), size))
                _put(m.phase, w, 1)


cdef void _group(
    Py_ssize_t count, Py_ssize_t media, const Py_ssize_t* rows, const double complex* n,
    const double* thickness, const incident* incidence, medium* found, double* sine_square,
) noexcept nogil:
    # its media, and the square of kx / k0
    cdef Py_ssize_t w
    cdef double complex a, low
    _media(count, media, rows, n, thickness, incidence, found)
    for w in range(LANES):
        a, low = incidence[min(w, count - 1)].a, incidence[min(w, count - 1)].low
        _put(sine_square, w, a * a + low * (scaled(a, 2) + low))


cdef inline inlined _cross(
    int pol, const medium* m, const medium* behind, const double* sine_square, double* forward,
    double* backward, double* through, double* far, double* ratio,
) noexcept nogil:
    # The pair (forward, backward) from behind an interface to the near side of the medium before it
    cdef Py_ssize_t w
    cdef double complex b, d, f, h, larger, other, product, root, s, x, y, z
    cdef double d_size, s_size, size
    for w in range(LANES):
        h, b = _at(m.q, w), _at(behind.q, w)
        x, y = _at(m.n, w), _at(behind.n, w)
        product = (x - y) * (x + y)
        if pol == P_POLARISED:  # h times n² of both
            x, y = x * x, y * y
            if norm(x) <= norm(y):
                root, z, other = h * h, x, y
                root.real = root.real - m.shift[w]
            else:
                root, z, other = b * b, y, x
                root.real = root.real - behind.shift[w]
            product = product * (_at(sine_square, w) * z - root * other)
            product = product + scaled(y * y, m.shift[w]) - scaled(x * x, behind.shift[w])
            h, b = h * y, b * x
        else:
            product.real = product.real + (m.shift[w] - behind.shift[w])
        s, d = h + b, h - b
        s_size, d_size = norm(s), norm(d)
        larger = d if s_size < d_size else s
        s = product if 4 * s_size < d_size else s * larger
        d = product if 4 * d_size < s_size else d * larger
        x, y = _at(forward, w), _at(backward, w)
        f, b = s * x + d * y, d * x + s * y
        # a power of 2 rounds nothing
        hl_exponent(fabs(f.real) + fabs(f.imag) + fabs(b.real) + fabs(b.imag), &size)
        x = scaled(_at(m.phase, w), size)
        b = b * x
        _put(forward, w, scaled(f, size))
        _put(far, w, b)
        _put(backward, w, b * _at(m.phase, w))
        x = scaled(h * larger * x, 2)
        _put(ratio, w, x)
        _put(through, w, _at(through, w) * x)


cdef cloned _sweep(
    Py_ssize_t media, const medium* found, const double* sine_square, int pol, double* r, double* t,
    wave* waves,
) noexcept nogil:
    # r and t of a group, and, unless that is NULL, its waves
    cdef Py_ssize_t j, w
    cdef double[2 * LANES] forward, backward, far, ratio, through
    cdef double complex f
    for w in range(LANES):
        forward[w] = through[w] = 1
        forward[LANES + w] = through[LANES + w] = backward[w] = backward[LANES + w] = 0
    for j in range(media - 2, -1, -1):
        if pol == P_POLARISED:
            _cross(1, &found[j], &found[j + 1], sine_square, forward, backward, through, far,
                   ratio)
        else:
            _cross(0, &found[j], &found[j + 1], sine_square, forward, backward, through, far,
                   ratio)
        if waves != NULL:
            for w in range(2 * LANES):
                waves[j].forward[w], waves[j].backward[w] = forward[w], far[w]
                waves[j].ratio[w] = ratio[w]
    for w in range(LANES):
        f = over(1, _at(forward, w))
        _put(r, w, _at(backward, w) * f)
        f = f * _at(through, w)
        if pol == P_POLARISED:
            f = f * over(_at(found[0].n, w), _at(found[media - 1].n, w))
        _put(t, w, f)


cdef cloned _amplitudes(
    Py_ssize_t count, Py_ssize_t media, const medium* found, const double* sine_square, int pol,
    wave* waves, double complex* amplitudes,
) noexcept nogil:
    # amplitudes (count, media, 2) of E, with room for waves
    cdef Py_ssize_t j, w
    cdef double[2 * LANES] r, t, factor, forward, backward
    cdef double complex e, f
    _sweep(media, found, sine_square, pol, r, t, waves)
    for w in range(LANES):
        _put(factor, w, over(1, _at(waves[0].forward, w)))
    for j in range(media):
        for w in range(LANES):
            f = e = _at(factor, w)
            if pol == P_POLARISED:
                e = e * over(_at(found[0].n, w), _at(found[j].n, w))
            if j < media - 1:
                _put(forward, w, e * _at(waves[j].forward, w))
                _put(backward, w, e * _at(waves[j].backward, w))
                _put(factor, w, f * _at(waves[j].ratio, w))
            else:
                _put(forward, w, e)
                _put(backward, w, 0)
        for w in range(count):
            amplitudes[2 * (w * media + j)] = _at(forward, w)
            amplitudes[2 * (w * media + j) + 1] = _at(backward, w)


cdef medium* _scratch(Py_ssize_t media, Py_ssize_t size) except? NULL:
    # room for each medium's `medium`, and `size` more bytes
    cdef medium* scratch = <medium*> malloc(media * (sizeof(medium) + size))
    if scratch == NULL:
        raise MemoryError
    return scratch


# sin(x) / x - 1 over x², in powers of x²; and what the first of these numbers lack
cdef double[13] SERIES = [
    -0.16666666666666666, 0.008333333333333333, -0.0001984126984126984, 2.7557319223985893e-06,
    -2.505210838544172e-08, 1.6059043836821613e-10, -7.647163731819816e-13,
    2.8114572543455206e-15, -8.22063524662433e-18, 1.9572941063391263e-20,
    -3.868170170630684e-23, 6.446950284384474e-26, -9.183689863795546e-29,
]
cdef double[7] SERIES_REST = [
    -9.25185853854297e-18, 1.1564823173178714e-19, -1.7209558293420705e-22,
    -1.858393274046472e-22, 1.448814070935912e-24, 1.2585294588752098e-26, -7.03872877733453e-30,
]


cdef inline inlined _sine(double x, double* sine, double* low) noexcept nogil:
    # sin(x), |x| < 1.6, and what it lacks: in each step a sum as rounded, and from the same factors
    # its rest
    cdef Py_ssize_t k
    cdef double size = fabs(x), rest = 0, z, z_rest, p, p_rest = 0, h, s
    cdef bint steep = size > 0.7853981633974483
    if steep:  # sin(x) = 1 - 2 sin²(pi/4 - x/2)
        h = (1.5707963267948966 - size) / 2
        size = h + 3.061616997868383e-17
        rest = 3.061616997868383e-17 - (size - h)
    z = size * size
    z_rest = fma(size, size, -z) + 2 * size * rest
    p = SERIES[12]
    for k in range(11, 6, -1):
        p = SERIES[k] + z * p
    for k in range(6, -1, -1):
        s = fma(z, p, SERIES[k])
        p_rest = fma(z, p, SERIES[k] - s) + (z * p_rest + z_rest * p + SERIES_REST[k])
        p = s
    h = z * p
    p_rest = fma(z, p, -h) + (z * p_rest + z_rest * p)
    s = fma(size, h, size)
    rest = fma(size, h, size - s) + (size * p_rest + rest * h + rest)
    size = s + rest
    rest = rest - (size - s)
    if steep:
        s = fma(-2 * size, size, 1)
        rest = fma(-2 * size, size, 1 - s) - 4 * size * rest
        size = s + rest
        rest = rest - (size - s)
    sine[0] = -size if x < 0 else size
    low[0] = -rest if x < 0 else rest


cdef inline void _product(
    double complex x, double y, double rest, double complex* product, double complex* low,
) noexcept nogil:
    # x (y + rest), and what it lacks
    product[0] = scaled(x, y)
    low[0].real = fma(x.real, y, -product[0].real) + x.real * rest
    low[0].imag = fma(x.imag, y, -product[0].imag) + x.imag * rest


cdef double PER_TURN = 0.15915494309189535, PER_TURN_REST = -9.839338337591243e-18  # 1 / 2π


cdef cloned _incidence(
    Py_ssize_t b, Py_ssize_t count, const Py_ssize_t* rows, Py_ssize_t media,
    const double complex* n, const double* wavelength, const double* theta,
    const double complex* kx, incident* found,
) noexcept nogil:
    # of `count` stacks from b on, from theta or, where that is NULL, from kx
    cdef Py_ssize_t w
    cdef double[LANES] y
    cdef double[LANES] rest
    cdef double complex a, low
    for w in range(LANES):
        y[w] = theta[b + min(w, count - 1)] if theta != NULL else 0
    for w in range(LANES):
        _sine(y[w], &y[w], &rest[w])
    for w in range(count):
        a = n[rows[2 * (b + w)] * media]
        if theta == NULL:
            _product(wavelength[b + w], PER_TURN, PER_TURN_REST, &a, &low)
            a, y[w], rest[w] = kx[b + w], a.real, low.real
        _product(a, y[w], rest[w], &found[w].a, &found[w].low)
        found[w].k0 = 6.283185307179586 / wavelength[b + w]


def incidence(
    Py_ssize_t b0, Py_ssize_t b1, const Py_ssize_t[:, ::1] rows, const double complex[:, ::1] n,
    const double[::1] wavelength, const double[::1] theta, const double complex[::1] kx,
    double[:, ::1] found,
):
    cdef const double* angles = &theta[0] if theta.shape[0] else NULL
    cdef const double complex* along = &kx[0] if angles == NULL else NULL
    cdef Py_ssize_t b = b0
    with nogil:
        while b < b1:
            _incidence(b, min(b1 - b, <Py_ssize_t> LANES), &rows[0, 0], n.shape[1], &n[0, 0],
                       &wavelength[0], angles, along, <incident*> &found[b, 0])
            b += LANES


def solve(
    Py_ssize_t b0, Py_ssize_t b1, const Py_ssize_t[:, ::1] rows, const double complex[:, ::1] n,
    const double[:, ::1] thickness, const double[::1] wavelength, const double[::1] theta,
    const double complex[::1] kx, int first, double[:, :, ::1] outside,
):
    cdef const double* angles = &theta[0] if theta.shape[0] else NULL
    cdef const double complex* along = &kx[0] if angles == NULL else NULL
    cdef Py_ssize_t b = b0, count, media = n.shape[1], p, w
    cdef incident[LANES] comes
    cdef double[2 * LANES] sine_square, reflected, transmitted
    cdef double complex flux, r, t
    cdef double last, per_incident
    cdef medium* found = _scratch(media, 0)
    with nogil:
        while b < b1:
            count = min(b1 - b, <Py_ssize_t> LANES)
            _incidence(b, count, &rows[0, 0], media, &n[0, 0], &wavelength[0], angles, along, comes)
            _group(count, media, &rows[b, 0], &n[0, 0], &thickness[0, 0], comes, found, sine_square)
            for p in range(outside.shape[1]):
                _sweep(media, found, sine_square, first + p, reflected, transmitted, NULL)
                for w in range(count):
                    r, t = _at(reflected, w), _at(transmitted, w)
                    flux = _flux(&found[0], w, first + p)
                    last = _flux(&found[media - 1], w, first + p).real
                    per_incident = _per_incident(&found[0], w, first + p)
                    outside[0, p, b + w], outside[1, p, b + w] = r.real, r.imag
                    outside[2, p, b + w], outside[3, p, b + w] = t.real, t.imag
                    outside[4, p, b + w] = norm(r)
                    outside[5, p, b + w] = norm(t) * last * per_incident
                    outside[6, p, b + w] = 1 - norm(r) + 2 * flux.imag * r.imag * per_incident
            b += count
    free(found)


def waves(
    Py_ssize_t b0, Py_ssize_t b1, const Py_ssize_t[:, ::1] rows, const double complex[:, ::1] n,
    const double[:, ::1] thickness, const double[:, ::1] incidence, int first,
    double complex[:, ::1] kz, double complex[:, :, :, ::1] amplitudes,
):
    cdef Py_ssize_t b = b0, count, j, media = n.shape[1], p, w
    cdef double[2 * LANES] sine_square
    cdef medium* found = _scratch(media, sizeof(wave))
    cdef wave* found_waves = <wave*> (found + media)
    with nogil:
        while b < b1:
            count = min(b1 - b, <Py_ssize_t> LANES)
            _group(count, media, &rows[b, 0], &n[0, 0], &thickness[0, 0],
                   <const incident*> &incidence[b, 0], found, sine_square)
            for w in range(count):
                for j in range(media):
                    kz[b + w, j] = scaled(_at(found[j].q, w), incidence[b + w, 0])
            for p in range(amplitudes.shape[0]):
                _amplitudes(count, media, found, sine_square, first + p, found_waves,
                            &amplitudes[p, b, 0, 0])
            b += count
    free(found)


cdef void _form(
    int what, int pol, const medium* m, Py_ssize_t w, double k0, const double* sine_square,
    double per_incident, double* form,
) noexcept nogil:
    # A, B and the parts of C in one medium
    cdef double complex n = _at(m.n, w), q = _at(m.q, w), flux
    cdef double absorbed, size = norm(n), sine_size = sqrt(norm(_at(sine_square, w)))
    cdef bint is_p = pol == P_POLARISED
    form[0] = form[1] = form[2] = form[3] = 0
    if what == INTENSITY:
        form[0] = sine_size / size if is_p else 1
        form[1] = norm(q) / size if is_p else 0
    elif what == POYNTING:
        flux = scaled(_flux(m, w, pol), 0.5 * per_incident)
        form[2], form[3] = flux.real, -flux.imag
    else:
        absorbed = k0 * (n * n).imag * per_incident
        form[0] = absorbed * sine_size / size if is_p else absorbed
        form[1] = absorbed * norm(q) / size if is_p else 0


cdef double _integral(
    const double* form, const medium* m, Py_ssize_t w, const double complex* amplitudes, double k0,
    double thickness,
) noexcept nogil:
    # of A |u|² + B |w|² over a layer, where
    # |u|², |w|² = |f|² exp(-2 Im kz z) + |b|² exp(-2 Im kz (d - z))
    #              ± 2 Re(f conj(b) exp(i Re kz (2 z - d))) exp(-Im kz d)
    cdef double complex f = amplitudes[0], b = amplitudes[1], phase = _at(m.phase, w)
    cdef double depth = k0 * thickness, decay = 2 * m.q[LANES + w] * depth, angle = m.q[w] * depth
    cdef double each = -expm1(-decay) / decay if decay != 0 else 1
    cdef double between = phase.imag / angle if angle != 0 else phase.real
    each = each * (norm(f) + norm(b))
    between = 2 * between * (f * conj(b)).real
    return thickness * (form[0] * (each + between) + form[1] * (each - between))


def absorb(
    Py_ssize_t b0, Py_ssize_t b1, const Py_ssize_t[:, ::1] rows, const double complex[:, ::1] n,
    const double[:, ::1] thickness, const double[:, ::1] incidence, int first,
    double[:, :, ::1] absorbed,
):
    cdef Py_ssize_t b = b0, count, j, media = n.shape[1], p, w
    cdef double[2 * LANES] sine_square
    cdef double[4] form
    cdef double k0, per_incident
    cdef medium* found = _scratch(media, sizeof(wave) + 2 * LANES * sizeof(double complex))
    cdef wave* found_waves = <wave*> (found + media)
    cdef double complex* amplitudes = <double complex*> (found_waves + media)
    with nogil:
        while b < b1:
            count = min(b1 - b, <Py_ssize_t> LANES)
            _group(count, media, &rows[b, 0], &n[0, 0], &thickness[0, 0],
                   <const incident*> &incidence[b, 0], found, sine_square)
            for p in range(absorbed.shape[0]):
                _amplitudes(count, media, found, sine_square, first + p, found_waves, amplitudes)
                for w in range(count):
                    k0, per_incident = incidence[b + w, 0], _per_incident(&found[0], w, first + p)
                    for j in range(1, media - 1):
                        _form(ABSORPTION, first + p, &found[j], w, k0, sine_square, per_incident,
                              form)
                        absorbed[p, b + w, j - 1] = _integral(
                            form, &found[j], w, amplitudes + 2 * (w * media + j), k0,
                            thickness[rows[b + w, 1], j],
                        )
            b += count
    free(found)


cdef cloned _strip(
    Py_ssize_t count, const waves_of_strip* strip, const double* forms, double weight, double* out,
) noexcept nogil:
    # out += weight (A |u|² + B |w|² + 2 Re(C u conj(w)))
    cdef Py_ssize_t i, start = 0, stop
    cdef double A, B, C_re, C_im, u_re, u_im, w_re, w_im, value
    cdef const double* form
    while start < count:
        stop = hl_run(start, count, strip.layer)
        form = forms + 4 * strip.layer[start]
        A, B, C_re, C_im = form[0], form[1], 2 * form[2], 2 * form[3]
        for i in range(start, stop):
            u_re = strip.forward_re[i] + strip.backward_re[i]
            u_im = strip.forward_im[i] + strip.backward_im[i]
            w_re = strip.forward_re[i] - strip.backward_re[i]
            w_im = strip.forward_im[i] - strip.backward_im[i]
            value = A * (u_re * u_re + u_im * u_im) + B * (w_re * w_re + w_im * w_im)
            value += C_re * (u_re * w_re + u_im * w_im) - C_im * (u_im * w_re - u_re * w_im)
            out[i] += weight * value
        start = stop


cdef int _add(
    Py_ssize_t b0, Py_ssize_t b1, Py_ssize_t z0, Py_ssize_t z1, Py_ssize_t stacks, Py_ssize_t pols,
    Py_ssize_t each, const Py_ssize_t* rows, const double complex[:, ::1] n,
    const double[:, ::1] thickness, const incident* incidence, int first, const double[::1] z,
    int what, const double* weights, double* out,
) except -1:
    # of b0:b1, of so many stacks, at z[z0:z1]; each row of out is the sum of so many items
    cdef Py_ssize_t b = b0, count, item, iz, j, length, media = n.shape[1], p, w
    cdef double[2 * LANES] sine_square
    cdef double k0, per_incident
    cdef waves_of_strip strip
    cdef medium* found = _scratch(
        media, sizeof(wave) + (2 * LANES + 1) * sizeof(double complex) + 5 * sizeof(double)
    )
    cdef wave* found_waves = <wave*> (found + media)
    cdef double complex* amplitudes = <double complex*> (found_waves + media)
    cdef double complex* kz = amplitudes + 2 * LANES * media
    cdef double* edges = <double*> (kz + media)
    cdef double* forms = edges + media
    with nogil:
        while b < b1:
            count = min(b1 - b, <Py_ssize_t> LANES)
            _group(count, media, rows + 2 * b, &n[0, 0], &thickness[0, 0], incidence + b, found,
                   sine_square)
            for p in range(pols):
                _amplitudes(count, media, found, sine_square, first + p, found_waves, amplitudes)
                for w in range(count):
                    item = p * stacks + b + w
                    k0, per_incident = incidence[b + w].k0, _per_incident(&found[0], w, first + p)
                    for j in range(media):
                        kz[j] = scaled(_at(found[j].q, w), k0)
                        edges[j] = thickness[rows[2 * (b + w) + 1], j] + (edges[j - 1] if j else 0)
                        _form(what, first + p, &found[j], w, k0, sine_square, per_incident,
                              forms + 4 * j)
                    iz = z0
                    while iz < z1:
                        length = min(z1 - iz, <Py_ssize_t> HL_STRIP)
                        hl_waves_at(length, &z[iz], media - 1, edges, <const double*> kz,
                                    <const double*> (amplitudes + 2 * w * media), True, &strip)
                        _strip(length, &strip, forms, weights[item],
                               out + item // each * z.shape[0] + iz)
                        iz += length
            b += count
    free(found)
    return 0


def depth(
    Py_ssize_t g0, Py_ssize_t g1, Py_ssize_t z0, Py_ssize_t z1, const Py_ssize_t[:, :, ::1] rows,
    const double complex[:, ::1] n, const double[:, ::1] thickness,
    const double[:, :, ::1] incidence, int first, const double[::1] z, int what,
    const double[:, :, ::1] weights, double[:, :, ::1] out,
):
    cdef Py_ssize_t groups = rows.shape[0], K = rows.shape[1], pols = weights.shape[0], g, s
    with nogil:
        for s in range(out.shape[0]):
            for g in range(g0, g1):
                memset(&out[s, g, z0], 0, (z1 - z0) * sizeof(double))
    _add(
        g0 * K, g1 * K, z0, z1, groups * K, pols, pols * K // out.shape[0], &rows[0, 0, 0], n,
        thickness, <const incident*> &incidence[0, 0, 0], first, z, what, &weights[0, 0, 0],
        &out[0, 0, 0],
    )


def add_depth(
    Py_ssize_t b0, Py_ssize_t b1, const Py_ssize_t[:, ::1] rows, const double complex[:, ::1] n,
    const double[:, ::1] thickness, const double[:, ::1] incidence, int first,
    const double[::1] z, int what, const double[:, ::1] weights, double[:, ::1] out,
):
    cdef Py_ssize_t stacks = rows.shape[0], pols = weights.shape[0]
    _add(
        b0, b1, 0, z.shape[0], stacks, pols, pols * stacks // out.shape[0], &rows[0, 0], n,
        thickness, <const incident*> &incidence[0, 0], first, z, what, &weights[0, 0], &out[0, 0],
    )
