"""The functions of waves.h for Numba: the same steps, explained there."""

import collections
import math

import numpy as np

from .jit_numba import jit
from .vmath_numba import SINCOS_LIMIT, exp, sincos

STRIP = 128
GROUP = 8
PADDED = STRIP + GROUP

Waves = collections.namedtuple(
    "Waves",
    "layer forward_re forward_im backward_re backward_im planes decay angle a_re a_im",
)


@jit
def new_waves():
    """Room for the waves of one strip; from `planes` on it is scratch."""
    return Waves(
        np.empty(STRIP, np.intp), np.empty(PADDED), np.empty(PADDED), np.empty(PADDED),
        np.empty(PADDED), np.empty(PADDED), np.empty(PADDED), np.empty(PADDED), np.empty(PADDED),
        np.empty(PADDED),
    )  # fmt: skip


@jit
def groups(start, stop):
    """The end of the groups that planes [start, stop) fill."""
    return start + (stop - start + GROUP - 1) // GROUP * GROUP


@jit
def run(start, n, layer):
    """The first plane after `start` that is in another layer, at most n."""
    stop = start + 1
    while stop < n and layer[stop] == layer[start]:
        stop += 1
    return stop


@jit
def _layers(n, z, interfaces, layer):
    lower, upper, m = 0.0, 0.0, 0
    for i in range(n):
        if not lower <= z[i] < upper:
            m, rest = 0, len(interfaces)
            while rest:
                half = (rest + 1) // 2
                m += half if interfaces[m + half - 1] <= z[i] else 0
                rest -= half
            lower = interfaces[m - 1] if m > 0 else -math.inf
            upper = interfaces[m] if m < len(interfaces) else math.inf
        layer[i] = m


@jit
def cis(n, decay, angle, re, im):
    beyond = 0
    for i in range(n):
        size = exp(decay[i])
        sine, cosine = sincos(angle[i])
        re[i] = size * cosine
        im[i] = size * sine
        beyond += not (decay[i] <= 600 and abs(angle[i]) <= SINCOS_LIMIT)
    if beyond:
        for i in range(n):
            if not (decay[i] <= 600 and abs(angle[i]) <= SINCOS_LIMIT):
                size = math.exp(decay[i])
                re[i] = size * math.cos(angle[i])
                im[i] = size * math.sin(angle[i])


@jit
def phases(n, k, path, decay, angle, re, im):
    """exp(i k path) for n <= STRIP paths, into PADDED places; decay and angle are scratch."""
    for i in range(n):
        decay[i] = -k.imag * path[i]
        angle[i] = k.real * path[i]
    for i in range(n, n + GROUP):
        decay[i] = angle[i] = 0
    cis(groups(0, n), decay, angle, re, im)


@jit
def waves_at(n, z, interfaces, kz, amplitudes, far, waves):
    """The waves at n <= STRIP planes z of one field."""
    layer, planes, decay, angle = waves.layer, waves.planes, waves.decay, waves.angle
    a_re, a_im = waves.a_re, waves.a_im
    count, padded = len(interfaces), groups(0, n)
    _layers(n, z, interfaces, layer)
    for i in range(n + GROUP):
        planes[i] = z[min(i, n - 1)]
    for backward in range(2):
        re = waves.backward_re if backward else waves.forward_re
        im = waves.backward_im if backward else waves.forward_im
        sign = -1.0 if backward else 1.0
        start = 0
        while start < n:
            m = layer[start]
            near = max(m - 1, 0)
            reference = interfaces[min(m, count - 1) if backward and far else near]
            a = amplitudes[m, backward]
            k = kz[m] if a != 0 else 0j
            stop = run(start, n, layer)
            for i in range(start, groups(start, stop)):
                path = sign * (planes[i] - reference)
                decay[i] = -k.imag * path
                angle[i] = k.real * path
                a_re[i] = a.real
                a_im[i] = a.imag
            start = stop
        cis(padded, decay, angle, re, im)
        for i in range(padded):
            x, y = re[i], im[i]
            re[i] = a_re[i] * x - a_im[i] * y
            im[i] = a_re[i] * y + a_im[i] * x
