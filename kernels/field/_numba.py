import math

import numpy as np

from ..jit_numba import jit

COLUMNS = 1024  # columns whose phases stay in the first cache


@jit
def _exp(k, path):
    # exp(i k path)
    size, angle = math.exp(-k.imag * path), k.real * path
    return complex(size * math.cos(angle), size * math.sin(angle))


@jit
def _wave(amplitude, k, path, vector):
    # vector · amplitude · exp(i k path)
    if amplitude == 0:
        return 0j, 0j, 0j
    wave = amplitude * _exp(k, path)
    return wave * vector[0], wave * vector[1], wave * vector[2]


@jit
def _plane(z, interfaces, kz, amplitudes, vectors, far):
    # f(z)
    n, stop = 0, len(interfaces)
    while n < stop:  # n = the number of interfaces <= z
        middle = (n + stop) // 2
        if interfaces[middle] <= z:
            n = middle + 1
        else:
            stop = middle
    near = interfaces[max(n - 1, 0)]
    back = interfaces[min(n, len(interfaces) - 1)] if far else near
    a = _wave(amplitudes[n, 0], kz[n], z - near, vectors[n, 0])
    b = _wave(amplitudes[n, 1], kz[n], back - z, vectors[n, 1])
    zero = complex(z - z, z - z)  # or NaN
    return zero + a[0] + b[0], zero + a[1] + b[1], zero + a[2] + b[2]


@jit
def profile(b0, b1, z0, z1, rows, z, interfaces, kz, amplitudes, vectors, far, out):
    for b in range(b0, b1):
        i, k, a, v = rows[b, 0], rows[b, 1], rows[b, 2], rows[b, 3]
        for iz in range(z0, z1):
            f = _plane(z[iz], interfaces[i], kz[k], amplitudes[a], vectors[v], far)
            out[b, iz, 0], out[b, iz, 1], out[b, iz, 2] = f


@jit
def _outer(f, re, im, out):
    # out = (re + i im) f
    f0, f1, f2 = f
    for i in range(len(out)):
        phase = complex(re[i], im[i])
        out[i, 0] = phase * f0
        out[i, 1] = phase * f1
        out[i, 2] = phase * f2


@jit
def fill(b0, b1, z0, z1, x0, x1, rows, z, interfaces, kz, amplitudes, vectors, far, x, kx, out):
    re, im = np.empty(COLUMNS), np.empty(COLUMNS)
    for b in range(b0, b1):
        i, k, a, v, q = rows[b, 0], rows[b, 1], rows[b, 2], rows[b, 3], rows[b, 4]
        for start in range(x0, x1, COLUMNS):
            stop = min(start + COLUMNS, x1)
            for j in range(stop - start):
                phase = _exp(kx[q], x[start + j])
                re[j], im[j] = phase.real, phase.imag
            for iz in range(z0, z1):
                f = _plane(z[iz], interfaces[i], kz[k], amplitudes[a], vectors[v], far)
                _outer(f, re, im, out[b, iz, start:stop])
