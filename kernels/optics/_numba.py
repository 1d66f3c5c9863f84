import math

import numpy as np

from .._jit_numba import inlined, jit
from .._vmath_numba import exponent, product_rest
from .._waves_numba import STRIP, cis, new_waves, run, waves_at
from . import ABSORPTION, INCIDENCE, INTENSITY, P_POLARISED, POYNTING

LANES = 32  # stacks side by side

# Numbers of a group are rows of LANES, one after another in a flat array: with offsets that are
# constants the compiler sees that they do not overlap. What the group has for each medium, real
# parts before imaginary ones: n, q, exp(i kz d), the shift of q², and in one polarisation, up to a
# factor, the waves at the near interface, the backward one at the far interface, and what the
# factor is in the next medium over that in this one.
N, Q, PHASE, SHIFT, FORWARD, BACKWARD, FAR, RATIO, ROWS = 0, 2, 4, 6, 7, 9, 11, 13, 15
# What it has besides, in another array.
OFFSET, LOW, SINE_SQUARE, REFLECTED, TRANSMITTED, COMMON = 0, 2, 4, 6, 8, 14
DECAY, ANGLE, DEPTH, LARGEST = 10, 11, 12, 13
PER_TURN, PER_TURN_REST = 0.15915494309189535, -9.839338337591243e-18  # 1 / 2π


@inlined
def _place(row, w):
    # unsigned: a negative index would count from the end, and the test for that stops vector code
    return np.uintp(row * LANES + w)


@inlined
def _get(array, row, w):
    return complex(array[_place(row, w)], array[_place(row + 1, w)])


@inlined
def _set(array, row, w, z):
    array[_place(row, w)] = z.real
    array[_place(row + 1, w)] = z.imag


@inlined
def _scaled(z, x):
    return complex(z.real * x, z.imag * x)


@inlined
def _conj(z):
    return complex(z.real, -z.imag)


@inlined
def _norm(z):
    # |z|²
    return z.real * z.real + z.imag * z.imag


@inlined
def _over(x, y):
    return _scaled(x * _conj(y), 1 / _norm(y))


@inlined
def _root(square):
    # the root in the upper half plane; of 0 a number whose square is not 0
    larger = math.sqrt(0.5 * (abs(square.real) + math.sqrt(_norm(square))))
    larger = 1e-100 if larger < 1e-100 else larger
    smaller = abs(square.imag) / (2 * larger)
    re = larger if square.real >= 0 else smaller
    im = smaller if square.real >= 0 else larger
    return complex(-re if square.imag < 0 and im > 0 else re, im)


@inlined
def _flux(n, q, pol):
    # whose real part is the flux along z of a wave E = 1
    return _over(q * _conj(n), n) if pol == P_POLARISED else q


@inlined
def _per_incident(n, q, pol):
    flux = _flux(n, q, pol).real
    return 1 / flux if flux > 0 else math.nan


@jit
def _new_group(media):
    return np.empty(media * ROWS * LANES), np.empty(COMMON * LANES)


@jit
def _media(start, count, rows, n, thickness, incidence, group, common):
    # of `count` stacks, in lanes of which the last is repeated
    media = n.shape[1]
    for w in range(LANES):
        b = start + min(w, count - 1)
        a = complex(incidence[b, 1], incidence[b, 2])
        low = complex(incidence[b, 3], incidence[b, 4])
        _set(common, OFFSET, w, a)
        _set(common, LOW, w, low)
        _set(common, SINE_SQUARE, w, a * a + low * (_scaled(a, 2) + low))
        common[_place(LARGEST, w)] = 0
    for j in range(media - 1, -1, -1):
        m = j * ROWS
        inside = 25e-12 if 0 < j < media - 1 else 0.0
        for w in range(LANES):
            b = start + min(w, count - 1)
            _set(group, m + N, w, n[rows[b, 0], j])
            common[_place(DEPTH, w)] = incidence[b, 0] * thickness[rows[b, 1], j]
        near = 0  # how many squares may need their shift
        for w in range(LANES):
            index, c, rest = _get(group, m + N, w), _get(common, OFFSET, w), _get(common, LOW, w)
            square = ((index - c) - rest) * ((index + c) + rest)
            size = abs(square.real) + abs(square.imag)
            largest = common[_place(LARGEST, w)]
            largest = size if size > largest else largest
            near += 2 * size < inside * largest
            _set(group, m + Q, w, square)
            group[_place(m + SHIFT, w)] = 0
            common[_place(LARGEST, w)] = largest
        if near:
            for w in range(LANES):
                square = _get(group, m + Q, w)
                size = abs(square.real) + abs(square.imag)
                largest, depth = common[_place(LARGEST, w)], common[_place(DEPTH, w)]
                shift = inside * min(1.0, math.sqrt(_norm(_get(group, m + N, w))))
                shift = shift * largest / (1 + largest * depth * depth)
                shift = shift if 2 * size < shift else 0.0
                group[_place(m + SHIFT, w)] = shift
                group[_place(m + Q, w)] += shift
        for w in range(LANES):
            q, depth = _root(_get(group, m + Q, w)), common[_place(DEPTH, w)]
            q = _scaled(q, -1.0 if inside == 0 and q.real + q.imag < 0 else 1.0)
            _set(group, m + Q, w, q)
            common[_place(DECAY, w)] = -q.imag * depth
            common[_place(ANGLE, w)] = q.real * depth
        start_of = (m + PHASE) * LANES
        cis(LANES, common[DECAY * LANES :], common[ANGLE * LANES :], group[start_of:],
            group[start_of + LANES :])  # fmt: skip


@inlined
def _cross(pol, j, group, common):
    # The pair (forward, backward) from behind an interface to the near side of the medium before it
    m, behind = j * ROWS, (j + 1) * ROWS
    for w in range(LANES):
        h, b = _get(group, m + Q, w), _get(group, behind + Q, w)
        x, y = _get(group, m + N, w), _get(group, behind + N, w)
        shift, shift_behind = group[_place(m + SHIFT, w)], group[_place(behind + SHIFT, w)]
        product = (x - y) * (x + y)
        if pol == P_POLARISED:  # h times n² of both
            x, y = x * x, y * y
            first = _norm(x) <= _norm(y)
            root = h * h if first else b * b
            root = complex(root.real - (shift if first else shift_behind), root.imag)
            smaller, other = x if first else y, y if first else x
            product = product * (_get(common, SINE_SQUARE, w) * smaller - root * other)
            product = product + _scaled(y * y, shift) - _scaled(x * x, shift_behind)
            h, b = h * y, b * x
        else:
            product = complex(product.real + (shift - shift_behind), product.imag)
        s, d = h + b, h - b
        s_size, d_size = _norm(s), _norm(d)
        larger = d if s_size < d_size else s
        s = product if 4 * s_size < d_size else s * larger
        d = product if 4 * d_size < s_size else d * larger
        x, y = _get(group, behind + FORWARD, w), _get(group, behind + BACKWARD, w)
        f, b = s * x + d * y, d * x + s * y
        # a power of 2 rounds nothing
        _, size = exponent(abs(f.real) + abs(f.imag) + abs(b.real) + abs(b.imag))
        phase = _get(group, m + PHASE, w)
        x = _scaled(phase, size)
        b = b * x
        _set(group, m + FORWARD, w, _scaled(f, size))
        _set(group, m + FAR, w, b)
        _set(group, m + BACKWARD, w, b * phase)
        _set(group, m + RATIO, w, _scaled(h * larger * x, 2))


@jit
def _sweep(pol, media, group, common):
    # the waves of a group, and r and t
    last = (media - 1) * ROWS
    for w in range(LANES):
        _set(group, last + FORWARD, w, 1 + 0j)
        _set(group, last + BACKWARD, w, 0j)
        _set(group, last + FAR, w, 0j)
        _set(common, TRANSMITTED, w, 1 + 0j)
    for j in range(media - 2, -1, -1):
        if pol == P_POLARISED:
            _cross(True, j, group, common)
        else:
            _cross(False, j, group, common)
        for w in range(LANES):
            ratio = _get(group, j * ROWS + RATIO, w)
            _set(common, TRANSMITTED, w, _get(common, TRANSMITTED, w) * ratio)
    for w in range(LANES):
        f = _over(1 + 0j, _get(group, FORWARD, w))
        _set(common, REFLECTED, w, _get(group, BACKWARD, w) * f)
        f = f * _get(common, TRANSMITTED, w)
        if pol == P_POLARISED:
            f = f * _over(_get(group, N, w), _get(group, last + N, w))
        _set(common, TRANSMITTED, w, f)


@jit
def _amplitudes(count, pol, media, group, amplitudes):
    # amplitudes (count, media, 2) of E
    for w in range(count):
        n = _get(group, N, w)
        factor = _over(1 + 0j, _get(group, FORWARD, w))
        for j in range(media):
            m = j * ROWS
            f = factor * _over(n, _get(group, m + N, w)) if pol == P_POLARISED else factor
            amplitudes[w, j, 0] = f * _get(group, m + FORWARD, w)
            amplitudes[w, j, 1] = f * _get(group, m + FAR, w)
            factor = factor * _get(group, m + RATIO, w)


# sin(x) / x - 1 over x², in powers of x²; and what the first of these numbers lack
SERIES = (
    -0.16666666666666666, 0.008333333333333333, -0.0001984126984126984, 2.7557319223985893e-06,
    -2.505210838544172e-08, 1.6059043836821613e-10, -7.647163731819816e-13,
    2.8114572543455206e-15, -8.22063524662433e-18, 1.9572941063391263e-20,
    -3.868170170630684e-23, 6.446950284384474e-26, -9.183689863795546e-29,
)  # fmt: skip
SERIES_REST = (
    -9.25185853854297e-18, 1.1564823173178714e-19, -1.7209558293420705e-22,
    -1.858393274046472e-22, 1.448814070935912e-24, 1.2585294588752098e-26, -7.03872877733453e-30,
)  # fmt: skip


def _exactly(function):
    # a product that is rounded in one place and not in another would not fit its rest
    return jit(function, fastmath=False, forceinline=True)


@_exactly
def _sine(x):
    # sin(x), |x| < 1.6, and what it lacks: twice as many digits
    steep = abs(x) > 0.7853981633974483  # then sin(x) = 1 - 2 sin²(pi/4 - x/2)
    h = (1.5707963267948966 - abs(x)) / 2
    turned = h + 3.061616997868383e-17
    size = turned if steep else abs(x)
    rest = 3.061616997868383e-17 - (turned - h) if steep else 0.0
    z = size * size
    z_rest = product_rest(size, size, z) + 2 * size * rest
    p, p_rest = SERIES[12], 0.0
    for k in range(11, 6, -1):
        p = SERIES[k] + z * p
    for k in range(6, -1, -1):
        h = z * p
        h_rest = product_rest(z, p, h) + (z * p_rest + z_rest * p)
        p = SERIES[k] + h
        p_rest = (h - (p - SERIES[k])) + (h_rest + SERIES_REST[k])
    h = z * p
    h_rest = product_rest(z, p, h) + (z * p_rest + z_rest * p)
    p = size * h
    p_rest = product_rest(size, h, p) + (size * h_rest + rest * h)
    s = size + p
    rest = (p - (s - size)) + (p_rest + rest)
    size = s + rest
    rest = rest - (size - s)
    h = 2 * size * size
    h_rest = 2 * product_rest(size, size, size * size) + 4 * size * rest
    s = 1 - h
    turned_rest = ((1 - s) - h) - h_rest
    turned = s + turned_rest
    size, rest = turned if steep else size, turned_rest - (turned - s) if steep else rest
    return (-size, -rest) if x < 0 else (size, rest)


@_exactly
def _product(x, y, rest):
    # x (y + rest), and what it lacks
    product = x * y
    return product, product_rest(x, y, product) + x * rest


@_exactly
def _comes(rows, n, wavelength, theta, kx, found):
    count = len(rows)
    y, rest = np.empty(count), np.empty(count)
    if len(theta):
        for b in range(count):
            y[b], rest[b] = _sine(theta[b])
    else:
        for b in range(count):
            y[b], rest[b] = _product(wavelength[b], PER_TURN, PER_TURN_REST)
    for b in range(count):
        x = n[rows[b, 0], 0] if len(theta) else kx[b]
        found[b, 0] = 2 * math.pi / wavelength[b]
        found[b, 1], found[b, 3] = _product(x.real, y[b], rest[b])
        found[b, 2], found[b, 4] = _product(x.imag, y[b], rest[b])


@jit
def incidence(b0, b1, rows, n, wavelength, theta, kx, found):
    _comes(rows[b0:b1], n, wavelength[b0:b1], theta[b0:b1], kx[b0:b1], found[b0:b1])


@jit
def solve(b0, b1, rows, n, thickness, wavelength, theta, kx, first, outside):
    media = n.shape[1]
    last = (media - 1) * ROWS
    group, common = _new_group(media)
    found = np.empty((LANES, INCIDENCE))
    for b in range(b0, b1, LANES):
        count = min(b1 - b, LANES)
        some = slice(b, b + count)
        _comes(rows[some], n, wavelength[some], theta[some], kx[some], found)
        _media(0, count, rows[some], n, thickness, found, group, common)
        for p in range(outside.shape[1]):
            pol = first + p
            _sweep(pol, media, group, common)
            for w in range(count):
                r, t = _get(common, REFLECTED, w), _get(common, TRANSMITTED, w)
                flux = _flux(_get(group, N, w), _get(group, Q, w), pol)
                behind = _flux(_get(group, last + N, w), _get(group, last + Q, w), pol).real
                per_incident = 1 / flux.real if flux.real > 0 else math.nan
                outside[0, p, b + w], outside[1, p, b + w] = r.real, r.imag
                outside[2, p, b + w], outside[3, p, b + w] = t.real, t.imag
                outside[4, p, b + w] = _norm(r)
                outside[5, p, b + w] = _norm(t) * behind * per_incident
                outside[6, p, b + w] = 1 - _norm(r) + 2 * flux.imag * r.imag * per_incident


@jit
def waves(b0, b1, rows, n, thickness, incidence, first, kz, amplitudes):
    media = n.shape[1]
    group, common = _new_group(media)
    for b in range(b0, b1, LANES):
        count = min(b1 - b, LANES)
        _media(b, count, rows, n, thickness, incidence, group, common)
        for w in range(count):
            for j in range(media):
                kz[b + w, j] = _scaled(_get(group, j * ROWS + Q, w), incidence[b + w, 0])
        for p in range(len(amplitudes)):
            _sweep(first + p, media, group, common)
            _amplitudes(count, first + p, media, group, amplitudes[p, b : b + count])


@jit
def _form(what, pol, n, q, k0, sine_square, per_incident, form):
    # A, B and the parts of C in one medium
    size, is_p = _norm(n), pol == P_POLARISED
    form[:] = 0
    if what == INTENSITY:
        form[0] = math.sqrt(_norm(sine_square)) / size if is_p else 1
        form[1] = _norm(q) / size if is_p else 0
    elif what == POYNTING:
        flux = _scaled(_flux(n, q, pol), 0.5 * per_incident)
        form[2], form[3] = flux.real, -flux.imag
    else:
        absorbed = k0 * (n * n).imag * per_incident
        form[0] = absorbed * math.sqrt(_norm(sine_square)) / size if is_p else absorbed
        form[1] = absorbed * _norm(q) / size if is_p else 0


@jit
def _integral(form, q, phase, f, b, k0, thickness):
    # of A |u|² + B |w|² over a layer, where
    # |u|², |w|² = |f|² exp(-2 Im kz z) + |b|² exp(-2 Im kz (d - z))
    #              ± 2 Re(f conj(b) exp(i Re kz (2 z - d))) exp(-Im kz d)
    depth = k0 * thickness
    decay, angle = 2 * q.imag * depth, q.real * depth
    each = -math.expm1(-decay) / decay if decay != 0 else 1.0
    between = phase.imag / angle if angle != 0 else phase.real
    each = each * (_norm(f) + _norm(b))
    between = 2 * between * (f * _conj(b)).real
    return thickness * (form[0] * (each + between) + form[1] * (each - between))


@jit
def absorb(b0, b1, rows, n, thickness, incidence, first, absorbed):
    media = n.shape[1]
    group, common = _new_group(media)
    amplitudes, form = np.empty((LANES, media, 2), np.complex128), np.empty(4)
    for b in range(b0, b1, LANES):
        count = min(b1 - b, LANES)
        _media(b, count, rows, n, thickness, incidence, group, common)
        for p in range(len(absorbed)):
            pol = first + p
            _sweep(pol, media, group, common)
            _amplitudes(count, pol, media, group, amplitudes)
            for w in range(count):
                per_incident = _per_incident(_get(group, N, w), _get(group, Q, w), pol)
                square = _get(common, SINE_SQUARE, w)
                for j in range(1, media - 1):
                    m = j * ROWS
                    index, q, phase = (
                        _get(group, m + N, w), _get(group, m + Q, w), _get(group, m + PHASE, w)
                    )  # fmt: skip
                    _form(
                        ABSORPTION, pol, index, q, incidence[b + w, 0], square, per_incident, form
                    )
                    absorbed[p, b + w, j - 1] = _integral(
                        form, q, phase, amplitudes[w, j, 0], amplitudes[w, j, 1],
                        incidence[b + w, 0], thickness[rows[b + w, 1], j],
                    )  # fmt: skip


@jit
def _strip(count, strip, forms, weight, out):
    # out += weight (A |u|² + B |w|² + 2 Re(C u conj(w)))
    start = 0
    while start < count:
        stop = run(start, count, strip.layer)
        A, B, C_re, C_im = forms[strip.layer[start]]
        for k in range(start, stop):
            i = np.uintp(k)
            f = complex(strip.forward_re[i], strip.forward_im[i])
            b = complex(strip.backward_re[i], strip.backward_im[i])
            u, w = f + b, f - b
            product = u * _conj(w)
            value = A * _norm(u) + B * _norm(w)
            value += 2 * (C_re * product.real - C_im * product.imag)
            out[i] += weight * value
        start = stop


@jit
def depth(g0, g1, z0, z1, rows, n, thickness, incidence, first, z, what, weights, out):
    K = rows.shape[1]
    out[:, g0:g1, z0:z1] = 0
    _add(
        g0 * K, g1 * K, z0, z1, rows.reshape((-1, 2)), n, thickness,
        incidence.reshape((-1, INCIDENCE)), first, z, what, weights.reshape(-1),
        out.reshape((-1, len(z))),
    )  # fmt: skip


@jit
def add_depth(b0, b1, rows, n, thickness, incidence, first, z, what, weights, out):
    _add(b0, b1, 0, len(z), rows, n, thickness, incidence, first, z, what, weights.reshape(-1), out)


@jit
def _add(b0, b1, z0, z1, rows, n, thickness, incidence, first, z, what, weights, out):
    # item p * stacks + b adds to the row of out that it is in, of equal shares
    stacks, media, each = len(rows), n.shape[1], len(weights) // len(out)
    group, common = _new_group(media)
    amplitudes, kz = np.empty((LANES, media, 2), np.complex128), np.empty(media, np.complex128)
    edges, forms, strip = np.empty(media - 1), np.empty((media, 4)), new_waves()
    for b in range(b0, b1, LANES):
        count = min(b1 - b, LANES)
        _media(b, count, rows, n, thickness, incidence, group, common)
        for p in range(len(weights) // stacks):
            pol = first + p
            _sweep(pol, media, group, common)
            _amplitudes(count, pol, media, group, amplitudes)
            for w in range(count):
                item = p * stacks + b + w
                per_incident = _per_incident(_get(group, N, w), _get(group, Q, w), pol)
                square = _get(common, SINE_SQUARE, w)
                edges[0] = 0
                for j in range(1, media - 1):
                    edges[j] = edges[j - 1] + thickness[rows[b + w, 1], j]
                for j in range(media):
                    index, q = _get(group, j * ROWS + N, w), _get(group, j * ROWS + Q, w)
                    kz[j] = _scaled(q, incidence[b + w, 0])
                    _form(what, pol, index, q, incidence[b + w, 0], square, per_incident, forms[j])
                for start in range(z0, z1, STRIP):
                    stop = min(start + STRIP, z1)
                    waves_at(stop - start, z[start:stop], edges, kz, amplitudes[w], True, strip)
                    _strip(stop - start, strip, forms, weights[item], out[item // each, start:stop])
