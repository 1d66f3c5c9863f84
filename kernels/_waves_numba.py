"""The functions of waves.h for Numba: the same steps, explained there."""

import collections
import math

import numpy as np

from ._jit_numba import inlined, jit
from ._vmath_numba import SINCOS_LIMIT, exp, sincos

STRIP = 128
GROUP = 8
PADDED = STRIP + GROUP
BUNCH = 512

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


@inlined
def groups(start, stop):
    """The end of the groups that planes [start, stop) fill."""
    return start + (stop - start + GROUP - 1) // GROUP * GROUP


@inlined
def run(start, n, layer):
    """The first plane after `start` that is in another layer, at most n."""
    stop = start + 1
    while stop < n and layer[stop] == layer[start]:
        stop += 1
    return stop


@inlined
def end(start, stop, n):
    """Where to stop with planes [start, stop) of one layer, of n."""
    return stop if stop < n and stop - start < GROUP // 2 else groups(start, stop)


@jit
def _layers(n, z, interfaces, layer):
    lower, upper, m = 0.0, 0.0, 0
    for i in range(n):
        if not lower <= z[i] < upper:
            m, rest = 0, len(interfaces)
            while rest:
                half = (rest + 1) // 2
                m += half * (interfaces[m + half - 1] <= z[i])
                rest -= half
            lower = interfaces[m - 1] if m > 0 else -math.inf
            upper = interfaces[m] if m < len(interfaces) else math.inf
        layer[i] = m


@jit
def by_layer(n, z, interfaces, layer, place):
    """Places of n <= BUNCH points, such that those of one layer are neighbours: where they are, if
    most neighbours share a layer already, or layers are too many to be shared."""
    for i in range(n):
        place[i] = i
        layer[i] = 0
    if len(interfaces) >= BUNCH:
        return
    rest = len(interfaces)
    while rest:
        half = (rest + 1) // 2
        for i in range(n):
            layer[i] += half * (interfaces[layer[i] + half - 1] <= z[i])
        rest -= half
    changes = 0
    for i in range(1, n):
        changes += layer[i] != layer[i - 1]
    if GROUP * changes <= n:
        return
    first = np.zeros(len(interfaces) + 2, np.intp)
    for i in range(n):
        first[layer[i] + 1] += 1
    for m in range(len(interfaces)):
        first[m + 1] += first[m]
    for i in range(n):
        place[i] = first[layer[i]]
        first[layer[i]] += 1


@jit
def cis(n, decay, angle, re, im):
    beyond = 0
    for i in range(n):
        size = exp(decay[i])
        sine, cosine = sincos(angle[i])
        re[i] = size * cosine
        im[i] = size * sine
        beyond += not (abs(angle[i]) <= SINCOS_LIMIT and decay[i] <= 600)
    if beyond:
        for i in range(n):
            if not (abs(angle[i]) <= SINCOS_LIMIT and decay[i] <= 600):
                size = math.exp(decay[i])
                re[i] = size * math.cos(angle[i])
                im[i] = size * math.sin(angle[i])


@jit
def phases(n, k, path, decay, angle, re, im):
    """exp(i k path) for n <= STRIP paths, into PADDED places; decay and angle are scratch."""
    for i in range(n):
        # what hl_phases leaves out where k is real is 0 here, and NaN where a path is infinite
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
            for i in range(start, end(start, stop, n)):
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
