import functools
import math

import numpy as np

from . import ABSORPTION, INCIDENCE, INTENSITY, P_POLARISED, POYNTING, S_POLARISED

STACKS = 128  # in one array
PER_TURN = np.float64(0.15915494309189535), np.float64(-9.839338337591243e-18)  # 1 / 2π, two parts


def _root(square):
    """The root in the upper half plane."""
    q = np.sqrt(square)
    q = np.where(q.imag < 0, -q, q)
    return np.where(q == 0, 1e-100, q)


def _media(rows, n, thickness, k0, a, low):
    """n, q, exp(i kz d) and the shift of q² of each medium, shape (N, B)."""
    n, depth = n[rows[:, 0]].T, k0 * thickness[rows[:, 1]].T
    square = ((n - a) - low) * ((n + a) + low)
    size = np.abs(square.real) + np.abs(square.imag)
    largest = np.maximum.accumulate(size[::-1])[::-1]
    shift = 25e-12 * np.minimum(np.abs(n), 1) * largest / (1 + largest * depth**2)
    shift[[0, -1]] = 0
    shift = np.where(2 * size < shift, shift, 0)
    q = _root(square + shift)
    ends = q[[0, -1]]
    q[[0, -1]] = np.where(ends.real + ends.imag < 0, -ends, ends)
    return n, q, np.exp(1j * q * depth), shift


def _group(b, rows, n, thickness, incidence):
    """The media of stacks b, their k0, and the squares of their kx / k0."""
    k0, *parts = incidence[b].T
    a, low = parts[0] + 1j * parts[1], parts[2] + 1j * parts[3]
    return _media(rows[b], n, thickness, k0, a, low), k0, (a + low) ** 2


def _waves(n, q, phase, shift, sine_square, pol):
    """The amplitudes of E, shape (N, B, 2)."""
    square = n**2
    F, B = np.ones(n.shape, complex), np.zeros(n.shape, complex)
    B_far, ratio = B.copy(), F.copy()
    for j in range(len(n) - 2, -1, -1):
        h, behind, product = q[j], q[j + 1], (n[j] - n[j + 1]) * (n[j] + n[j + 1])
        if pol == P_POLARISED:  # h times n[j]² n[j+1]², and with the root of the smaller n²
            x, y = square[j], square[j + 1]
            first = np.abs(x) <= np.abs(y)
            root = np.where(first, h**2 - shift[j], behind**2 - shift[j + 1])
            both = sine_square * np.where(first, x, y) - root * np.where(first, y, x)
            h, behind = h * y, behind * x
            product = product * both + shift[j] * y**2 - shift[j + 1] * x**2
        else:
            product = product + (shift[j] - shift[j + 1])
        s, d = h + behind, h - behind
        small_s, small_d = 2 * np.abs(s) < np.abs(d), 2 * np.abs(d) < np.abs(s)
        larger = np.where(small_s, d, np.where(small_d, s, 1))
        s, d = np.where(small_s, product, s * larger), np.where(small_d, product, d * larger)
        F[j], B_far[j] = s * F[j + 1] + d * B[j + 1], d * F[j + 1] + s * B[j + 1]
        size = np.abs(F[j]) + np.abs(B_far[j])
        F[j] /= size
        B_far[j] *= phase[j] / size
        B[j] = B_far[j] * phase[j]
        ratio[j + 1] = 2 * h * larger * phase[j] / size
    ratio[0] = 1 / F[0]
    amplitudes = np.cumprod(ratio, axis=0)[..., None] * np.stack([F, B_far], axis=-1)
    return amplitudes * (n[0] / n)[..., None] if pol == P_POLARISED else amplitudes


def _flux(n, q, pol):
    """The flux along z of a wave E = 1 is its real part."""
    return q * np.conj(n) / n if pol == P_POLARISED else q


def _per_incident(n, q, pol):
    flux = _flux(n[0], q[0], pol).real
    return np.where(flux > 0, 1 / flux, np.nan)


@functools.lru_cache(4096)
def _sine(theta):
    """sin(theta), and what this number lacks."""
    bits = 200  # behind the point of an integer
    numerator, denominator = theta.as_integer_ratio()
    x = (abs(numerator) << bits) // denominator
    total, term, k = 0, x, 1
    while term:  # x**k / k!
        total += term if k % 4 == 1 else -term
        term = (term * x * x >> 2 * bits) // ((k + 1) * (k + 2))
        k += 2
    sine = math.sin(theta)
    lack = total - int(math.ldexp(abs(sine), bits))
    return sine, math.copysign(lack / (1 << bits), lack * theta)


def _products(x, y, rest):
    """x (y + rest) of complex x, and what these numbers lack."""
    x, y, rest = x.view(float).reshape(-1, 2), np.reshape(y, (-1, 1)), np.reshape(rest, (-1, 1))
    a, b, product = _leading(x), _leading(y), x * y
    # products of halves are exact
    low = (a * b - product) + a * (y - b) + (x - a) * b + (x - a) * (y - b) + x * rest
    return product.view(complex)[:, 0], low.view(complex)[:, 0]


def _leading(x):
    """The first 26 bits."""
    return (x.view(np.int64) & -(1 << 27)).view(np.float64)


def incidence(b0, b1, rows, n, wavelength, theta, kx, found):
    """What comes to b0:b1: k0 and the parts of kx / k0."""
    b = slice(b0, b1)
    if len(theta):
        sines = np.array([_sine(x) for x in theta[b].tolist()])
        a, low = _products(n[rows[b, 0], 0], *sines.T)
    else:
        per_k0, rest = _products(wavelength[b] + 0j, *PER_TURN)
        a, low = _products(kx[b], per_k0.real, rest.real)
    found[b].T[...] = 2 * np.pi / wavelength[b], a.real, a.imag, low.real, low.imag


def solve(b0, b1, rows, n, thickness, wavelength, theta, kx, first, outside):
    """Of b0:b1 the parts of r and t, and |r|² and the flux behind the stack and into it over the
    incident one."""
    with np.errstate(all="ignore"):
        b, found = slice(b0, b1), np.empty((len(rows), INCIDENCE))
        incidence(b0, b1, rows, n, wavelength, theta, kx, found)
        media, _, sine_square = _group(b, rows, n, thickness, found)
        n, q = media[:2]
        for p in range(outside.shape[1]):
            pol = first + p
            amplitudes = _waves(*media, sine_square, pol)
            r, t = amplitudes[0, :, 1], amplitudes[-1, :, 0]
            R, per_incident = np.abs(r) ** 2, _per_incident(n, q, pol)
            T = np.abs(t) ** 2 * _flux(n[-1], q[-1], pol).real * per_incident
            mixed = 2 * _flux(n[0], q[0], pol).imag * r.imag * per_incident
            outside[:, p, b] = r.real, r.imag, t.real, t.imag, R, T, 1 - R + mixed


def waves(b0, b1, rows, n, thickness, incidence, first, kz, amplitudes):
    """kz[b0:b1], and in each polarisation the amplitudes."""
    with np.errstate(all="ignore"):
        b = slice(b0, b1)
        media, k0, sine_square = _group(b, rows, n, thickness, incidence)
        kz[b] = (k0 * media[1]).T
        for p in range(len(amplitudes)):
            found = _waves(*media, sine_square, first + p)
            amplitudes[p, b] = found.swapaxes(0, 1)


def _form(what, n, q, k0, sine_square, pol):
    """A, B and C of each medium."""
    zero = np.zeros(n.shape)
    if what == INTENSITY:
        if pol == S_POLARISED:
            return zero + 1, zero, zero
        size = np.abs(n) ** 2
        return np.abs(sine_square) / size, np.abs(q) ** 2 / size, zero
    per_incident = _per_incident(n, q, pol)
    if what == POYNTING:
        return zero, zero, np.conj(_flux(n, q, pol)) / 2 * per_incident
    assert what == ABSORPTION
    absorbed = k0 * 2 * n.real * n.imag * per_incident
    if pol == S_POLARISED:
        return absorbed, zero, zero
    absorbed = absorbed / np.abs(n) ** 2
    return absorbed * np.abs(sine_square), absorbed * np.abs(q) ** 2, zero


def absorb(b0, b1, rows, n, thickness, incidence, first, absorbed):
    """What each layer of b0:b1 absorbs over the incident flux: the integral of A |u|² + B |w|²."""
    with np.errstate(all="ignore"):
        b = slice(b0, b1)
        media, k0, sine_square = _group(b, rows, n, thickness, incidence)
        n, q, phase, _ = media
        thickness = thickness[rows[b, 1]].T
        # |u|², |w|² = |f|² exp(-2 Im kz z) + |b|² exp(-2 Im kz (d - z))
        #              ± 2 Re(f conj(b) exp(i Re kz (2 z - d))) exp(-Im kz d)
        decay, angle = 2 * q.imag * k0 * thickness, q.real * k0 * thickness
        share = np.where(decay == 0, 1, -np.expm1(-decay) / decay)
        mixed = np.where(angle == 0, phase.real, phase.imag / angle)
        for p in range(len(absorbed)):
            forward, backward = np.moveaxis(_waves(*media, sine_square, first + p), -1, 0)
            each = share * (np.abs(forward) ** 2 + np.abs(backward) ** 2)
            between = 2 * mixed * (forward * np.conj(backward)).real
            A, B, _ = _form(ABSORPTION, n, q, k0, sine_square, first + p)
            found = thickness * (A * (each + between) + B * (each - between))
            absorbed[p, b] = found[1:-1].T


def depth(g0, g1, z0, z1, rows, n, thickness, incidence, first, z, what, weights, out):
    """The sums of the groups g0:g1 at z[z0:z1]."""
    K = rows.shape[1]
    out[:, g0:g1, z0:z1] = 0
    stacks = rows.reshape(-1, 2), n, thickness, incidence.reshape(-1, INCIDENCE), first
    sums = out.reshape(-1, len(z))  # a view
    _add(g0 * K, g1 * K, slice(z0, z1), *stacks, z, what, weights.ravel(), sums)


def add_depth(b0, b1, rows, n, thickness, incidence, first, z, what, weights, out):
    """Add the terms of b0:b1 to the sums."""
    stacks = rows, n, thickness, incidence, first
    _add(b0, b1, slice(None), *stacks, z, what, weights.ravel(), out)


def _add(b0, b1, planes, rows, n, thickness, incidence, first, z, what, weights, out):
    """Add weights · (A |u|² + B |w|² + 2 Re(C u conj(w))) of b0:b1 to out[:, planes]."""
    each = len(weights) // len(out)
    with np.errstate(all="ignore"):
        z = z[planes]
        for start in range(b0, b1, STACKS):
            b = slice(start, min(start + STACKS, b1))
            media, k0, sine_square = _group(b, rows, n, thickness, incidence)
            for p in range(len(weights) // len(rows)):
                pol, items = first + p, weights[p * len(rows) :]
                amplitudes = _waves(*media, sine_square, pol)
                for k, i in enumerate(range(b.start, b.stop)):
                    index, q = (array[:, k] for array in media[:2])
                    edges = np.cumsum(thickness[rows[i, 1], :-1])
                    u, w, m = _standing(z, edges, k0[k] * q, amplitudes[:, k])
                    A, B, C = _form(what, index, q, k0[k], sine_square[k], pol)
                    value = A[m] * np.abs(u) ** 2 + B[m] * np.abs(w) ** 2
                    value += 2 * (C[m] * u * np.conj(w)).real
                    out[(p * len(rows) + i) // each, planes] += items[i] * value


def _standing(z, edges, kz, amplitudes):
    """Sum and difference of the two waves at the planes of one stack, and the media there."""
    m = np.searchsorted(edges, z, side="right")
    paths = z - edges[np.maximum(m - 1, 0)], edges[np.minimum(m, len(edges) - 1)] - z
    waves = amplitudes[m].T * np.exp(1j * kz[m] * paths)
    # a wave of amplitude 0 is absent
    forward, backward = np.where(amplitudes[m].T == 0, 0, waves) + (z - z)  # 0, or NaN
    return forward + backward, forward - backward, m
