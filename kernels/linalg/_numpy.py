import itertools

import numpy as np

from . import RELU, SIGMOID, SOFTMAX, TANH, TILE


def _softmax(x):
    """Along the last axis."""
    largest = x.max(axis=-1, keepdims=True)
    d = x - largest
    back = d - x
    low = (x - (d - back)) - (largest + back)  # d + low = x - largest
    e = np.exp(d) * (1 + np.where(np.isnan(low), 0, low))
    return (e / e.sum(axis=-1, keepdims=True, dtype=np.float64)).astype(x.dtype)


def softmax(start, stop, x, out):
    with np.errstate(all="ignore"):
        out[start:stop] = _softmax(x[start:stop])


def softmax_across(i0, i1, j0, j1, x, out):
    with np.errstate(all="ignore"):
        out[i0:i1, :, j0:j1] = _softmax(x[i0:i1, :, j0:j1].swapaxes(1, 2).copy()).swapaxes(1, 2)


def normalize_rows(start, stop, x, out):
    x = x[start:stop]
    with np.errstate(all="ignore"):
        largest = np.abs(x).max(axis=1, keepdims=True)
        power = np.frexp(np.where(np.isfinite(largest), largest, 1))[1]
        y = np.ldexp(x, -power)
        norm = np.sqrt((y * y).sum(axis=1, keepdims=True))
        out[start:stop] = y / np.where(norm == 0, 1, norm)


def _scatter(x):
    """The scatter of rows in double precision, and their mean as a sum of two."""
    mean = x.mean(axis=0)
    deviations = (x - mean).astype(np.float64)
    rest = deviations.mean(axis=0)
    return deviations.T @ deviations - len(x) * np.outer(rest, rest), mean, rest


def scatter(start, stop, x, means, total):
    with np.errstate(all="ignore"):
        for t in range(start, stop):
            s, mean, rest = _scatter(x[t * TILE : (t + 1) * TILE])
            means[t] = (mean - x[0]) + rest
            total += s


def covariances(start, stop, x, factor, out):
    with np.errstate(all="ignore"):
        for k in range(start, stop):
            s = _scatter(x[k])[0]
            out[k] = factor * (s + s.T) / 2


def _activate(activation, x):
    if activation == RELU:
        return np.maximum(x, 0)
    if activation == TANH:
        return np.tanh(x)
    if activation == SIGMOID:
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)
    return _softmax(x) if activation == SOFTMAX else x


def forward(start, stop, x, parameters, widths, activation, output_activation, out):
    a, used = x[start:stop], 0
    with np.errstate(all="ignore"):
        for layer, (k, n) in enumerate(itertools.pairwise(widths)):
            w, b = parameters[used : used + k * n].reshape(k, n), parameters[used + k * n :][:n]
            last = layer == len(widths) - 2
            a = _activate(output_activation if last else activation, a @ w + b)
            used += (k + 1) * n
    out[start:stop] = a
