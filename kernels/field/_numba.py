import math

import numpy as np

from .._blas_numba import gemm
from .._jit_numba import inlined, jit
from .._waves_numba import (
    BUNCH,
    GROUP,
    PADDED,
    STRIP,
    by_layer,
    end,
    new_waves,
    phases,
    run,
    waves_at,
)
from . import COLUMNS, WAVES


@inlined
def _clear(f):
    for c in range(6):
        for i in range(PADDED):
            f[c, i] = 0


@jit
def _add_components(n, waves, amplitudes, vectors, re, im, f, total):
    # total (6, n) += (re + i im) · (forward v+ + backward v-): each component's two parts
    start = 0
    while start < n:
        stop = run(start, n, waves.layer)
        layer = waves.layer[start]
        for c in range(3):
            # an absent wave's vector may be whatever
            v = vectors[layer, 0, c] if amplitudes[layer, 0] != 0 else 0j
            w = vectors[layer, 1, c] if amplitudes[layer, 1] != 0 else 0j
            for i in range(start, end(start, stop, n)):
                f[2 * c, i] = (
                    waves.forward_re[i] * v.real - waves.forward_im[i] * v.imag
                    + waves.backward_re[i] * w.real - waves.backward_im[i] * w.imag
                )  # fmt: skip
                f[2 * c + 1, i] = (
                    waves.forward_re[i] * v.imag + waves.forward_im[i] * v.real
                    + waves.backward_re[i] * w.imag + waves.backward_im[i] * w.real
                )  # fmt: skip
        start = stop
    for c in range(0, 6, 2):
        for i in range(n):
            total[c, i] += re[i] * f[c, i] - im[i] * f[c + 1, i]
            total[c + 1, i] += re[i] * f[c + 1, i] + im[i] * f[c, i]


@jit
def _scratch():
    return new_waves(), np.empty(PADDED), np.empty(PADDED), np.empty((6, PADDED))


@jit
def _add(row, z, x, stack, scratch, total):
    # total += coherent · f(z) exp(i kx x) at up to STRIP points; no x: the profile
    interfaces, kz, amplitudes, vectors, far, kx, coherent = stack
    waves, re, im, f = scratch
    a, n, c = amplitudes[row[2]], len(z), coherent[row[5]]
    waves_at(n, z, interfaces[row[0]], kz[row[1]], a, far, waves)
    if len(x):
        phases(n, kx[row[4]], x, waves.decay, waves.angle, re, im)
        for i in range(n):
            p = re[i]
            re[i] = c.real * p - c.imag * im[i]
            im[i] = c.real * im[i] + c.imag * p
    else:
        for i in range(n):
            re[i], im[i] = c.real, c.imag
    _add_components(n, waves, a, vectors[row[3]], re, im, f, total)


@jit
def _sum_squares(rows, z, x, stack, incoherent, scratch, f, total):
    # total = the sum over beams of incoherent |E|^2, E the sum over a beam's waves
    for i in range(len(z)):
        total[i] = 0
    for m in range(rows.shape[0]):
        _clear(f)
        for k in range(rows.shape[1]):
            _add(rows[m, k], z, x, stack, scratch, f)
        weight = incoherent[rows[m, 0, 6]]
        for i in range(len(z)):
            total[i] += weight * (
                f[0, i] ** 2 + f[1, i] ** 2 + f[2, i] ** 2
                + f[3, i] ** 2 + f[4, i] ** 2 + f[5, i] ** 2
            )  # fmt: skip


@jit
def _points(p0, p1, rows, z, x, stack, incoherent, scratch, start, stop, out):
    # bunches of points in any order, taken by the layers of the first wave
    intensity = out.shape[1] == 1
    waves = rows[start:stop] if intensity else rows[:, start:stop]
    table = waves[0, 0, 0] if waves.size else 0
    layer, place = np.empty(BUNCH, np.intp), np.empty(BUNCH, np.intp)
    depth, position = np.empty(BUNCH), np.empty(min(len(x), BUNCH))
    total, f = np.empty(BUNCH + GROUP), np.empty((BUNCH // STRIP, 6, PADDED))
    for p in range(p0, p1, BUNCH):
        n = min(BUNCH, p1 - p)
        by_layer(n, z[p : p + n], stack[0][table], layer, place)
        for i in range(n):
            depth[place[i]] = z[p + i]
        if len(x):
            for i in range(n):
                position[place[i]] = x[p + i]
        for q in range(0, n, STRIP):
            stop = min(q + STRIP, n)
            places = depth[q:stop], position[q:stop], stack
            strip = f[q // STRIP]
            if intensity:
                _sum_squares(waves, *places, incoherent, scratch, strip, total[q:])
            else:
                _clear(strip)
                for k in range(waves.shape[1]):
                    _add(waves[0, k], *places, scratch, strip)
        for i in range(n):
            if intensity:
                out[p + i, 0] = total[place[i]]
            else:
                for c in range(6):
                    out[p + i, c] = f[place[i] // STRIP, c, place[i] % STRIP]


@jit
def points(
    s0, s1, b0, b1, p0, p1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, coherent,
    incoherent, start, stop, out,
):  # fmt: skip
    stack, scratch = (interfaces, kz, amplitudes, vectors, far, kx, coherent), _scratch()
    for s in range(s0, s1):
        for b in range(b0, b1):
            _points(p0, p1, rows[b], z, x, stack, incoherent, scratch, start, stop, out[s, b])


@jit
def _columns(k, x, decay, angle, re, im):
    # exp(i k x)
    for start in range(0, len(x), STRIP):
        stop = min(start + STRIP, len(x))
        phases(stop - start, k, x[start:stop], decay, angle, re[start:], im[start:])


@jit
def _outer(f0, f1, f2, f3, f4, f5, re, im, out):
    # out (n, 3) = (re + i im) (n,) · f (3,), in real numbers
    for i in range(len(out)):
        x, y = re[i], im[i]
        out[i, 0] = f0 * x - f1 * y
        out[i, 1] = f1 * x + f0 * y
        out[i, 2] = f2 * x - f3 * y
        out[i, 3] = f3 * x + f2 * y
        out[i, 4] = f4 * x - f5 * y
        out[i, 5] = f5 * x + f4 * y


@jit
def _one_wave(row, z, x, stack, scratch, out):
    # out (nz, nx, 6) = coherent · f(z) exp(i kx x)
    waves, f, none = scratch[0], np.empty((6, PADDED)), x[:0]
    re, im = np.empty(COLUMNS + GROUP), np.empty(COLUMNS + GROUP)
    for start in range(0, len(x), COLUMNS):
        stop = min(start + COLUMNS, len(x))
        _columns(stack[5][row[4]], x[start:stop], waves.decay, waves.angle, re, im)
        for i in range(0, len(z), STRIP):
            n = min(len(z) - i, STRIP)
            _clear(f)
            _add(row, z[i : i + n], none, stack, scratch, f)
            for j in range(n):
                _outer(
                    f[0, j], f[1, j], f[2, j], f[3, j], f[4, j], f[5, j], re, im,
                    out[i + j, start:stop],
                )  # fmt: skip


@jit
def _intensities(rows, z, x, stack, incoherent, scratch, out):
    # out (nz, nx) = sum over m of incoherent |f(z)|^2 · exp(-2 Im kx x), a matrix product in which
    # neighbours of the same Im kx are one
    nz, nx, beams, kx = len(z), len(x), len(rows), stack[5]
    a, b = np.empty((min(WAVES, beams), nz)), np.empty((min(WAVES, beams), nx + GROUP))
    c = np.empty((nz, nx))
    waves, f, total, im = scratch[0], np.empty((6, PADDED)), np.empty(PADDED), np.empty(nx + GROUP)
    n, more, k_im = 0, False, 0.0
    for m in range(beams):
        if n == 0 or kx[rows[m, 0, 4]].imag != k_im:
            if n == WAVES:
                gemm(nz, nx, n, a, nz, b, nx + GROUP, c, nx, more, True, False)
                n, more = 0, True
            k_im = kx[rows[m, 0, 4]].imag
            for i in range(nz):
                a[n, i] = 0
            _columns(complex(0, 2 * k_im), x, waves.decay, waves.angle, b[n], im)
            n += 1
        for start in range(0, nz, STRIP):
            stop = min(start + STRIP, nz)
            row = rows[m : m + 1]
            _sum_squares(row, z[start:stop], x[:0], stack, incoherent, scratch, f, total)
            for i in range(stop - start):
                a[n - 1, start + i] += total[i]
    gemm(nz, nx, n, a, nz, b, nx + GROUP, c, nx, more, True, False)
    for i in range(nz):
        for j in range(nx):
            out[i, j, 0] = c[i, j]


@jit
def _beam(rows, z, x, stack, scratch, f, a, b, out):
    # out (3, 3, nz, nx) = the products that make the sum over the waves, WAVES at a time, of
    # a (3, 3, waves, nz) = coherent · f(z) times b (3, waves, nx) = exp(i kx x). A product of
    # complex matrices A B is three of real ones,
    #     re = Re A Re B - Im A Im B,  im = (Re A + Im A) (Re B + Im B) - Re A Re B - Im A Im B.
    nz, nx, waves = len(z), len(x), scratch[0]
    re, im = np.empty(nx + GROUP), np.empty(nx + GROUP)
    for first in range(0, len(rows), WAVES):
        n = min(len(rows) - first, WAVES)
        finite, present = True, np.zeros(3, np.bool_)
        for k in range(n):
            row = rows[first + k]
            _columns(stack[5][row[4]], x, waves.decay, waves.angle, re, im)
            for i in range(nx):
                b[0, k, i], b[1, k, i], b[2, k, i] = re[i], im[i], re[i] + im[i]
                finite &= math.isfinite(re[i]) and math.isfinite(im[i])
            for start in range(0, nz, STRIP):
                stop = min(start + STRIP, nz)
                _clear(f)
                _add(row, z[start:stop], x[:0], stack, scratch, f)
                for c in range(3):
                    for i in range(stop - start):
                        f_re, f_im = f[2 * c, i], f[2 * c + 1, i]
                        a[0, c, k, start + i] = f_re
                        a[1, c, k, start + i] = f_im
                        a[2, c, k, start + i] = f_re + f_im
                        present[c] |= f_re != 0 or f_im != 0
        for part in range(3):
            for c in range(3):
                # a component that no wave has costs nothing, unless 0 times its phase is NaN
                if present[c] or not finite:
                    gemm(
                        nz, nx, n, a[part, c], nz, b[part], nx, out[part, c], nx, first > 0, True,
                        False,
                    )  # fmt: skip
                elif first == 0:
                    for i in range(nz):
                        for j in range(nx):
                            out[part, c, i, j] = 0


@jit
def _beams(rows, z, x, stack, incoherent, scratch, out):
    # out (nz, nx, 6) = the sum over a beam's waves, or (nz, nx) = incoherent |that|^2 over beams
    nz, nx, waves = len(z), len(x), min(WAVES, rows.shape[1])
    a, b = np.empty((3, 3, waves, nz)), np.empty((3, waves, nx))
    e, f = np.empty((3, 3, nz, nx)), np.empty((6, PADDED))
    intensity = out.shape[2] == 1
    total = np.zeros((nz, nx if intensity else 0))
    for m in range(len(rows)):
        _beam(rows[m], z, x, stack, scratch, f, a, b, e)
        weight = incoherent[rows[m, 0, 6]]
        for i in range(nz):
            for c in range(3):
                first, second, third = e[0, c, i], e[1, c, i], e[2, c, i]
                for j in range(nx):
                    re, im = first[j] - second[j], third[j] - first[j] - second[j]
                    if intensity:
                        total[i, j] += weight * (re**2 + im**2)
                    else:
                        out[i, j, 2 * c], out[i, j, 2 * c + 1] = re, im
    if intensity:
        for i in range(nz):
            for j in range(nx):
                out[i, j, 0] = total[i, j]


@jit
def grid(
    b0, b1, z0, z1, x0, x1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, coherent,
    incoherent, out,
):  # fmt: skip
    stack = interfaces, kz, amplitudes, vectors, far, kx, coherent
    scratch, depth, position = _scratch(), z[z0:z1], x[x0:x1]
    for b in range(b0, b1):
        tile = out[b, z0:z1, x0:x1]
        if rows.shape[2] > 1:
            _beams(rows[b], depth, position, stack, incoherent, scratch, tile)
        elif out.shape[3] == 1:
            _intensities(rows[b], depth, position, stack, incoherent, scratch, tile)
        else:
            _one_wave(rows[b, 0, 0], depth, position, stack, scratch, tile)
