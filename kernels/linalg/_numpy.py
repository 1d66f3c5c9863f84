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


def root(i0, i1, q):
    np.sqrt(q[i0:i1], out=q[i0:i1])


def softmax(i0, i1, x, out):
    with np.errstate(all="ignore"):
        out[i0:i1] = _softmax(x[i0:i1])


def softmax_across(i0, i1, j0, j1, x, out):
    with np.errstate(all="ignore"):
        out[i0:i1, :, j0:j1] = _softmax(x[i0:i1, :, j0:j1].swapaxes(1, 2).copy()).swapaxes(1, 2)


def normalize_rows(i0, i1, x, out):
    x = x[i0:i1]
    with np.errstate(all="ignore"):
        largest = np.abs(x).max(axis=1, keepdims=True)
        power = np.frexp(np.where(np.isfinite(largest), largest, 1))[1]
        y = np.ldexp(x, -power)
        norm = np.sqrt((y * y).sum(axis=1, keepdims=True))
        out[i0:i1] = y / np.where(norm == 0, 1, norm)


def _scatter(x):
    """The scatter of rows in double precision, and their mean as a sum of two."""
    mean = x.mean(axis=0)
    deviations = (x - mean).astype(np.float64)
    rest = deviations.mean(axis=0)
    return deviations.T @ deviations - len(x) * np.outer(rest, rest), mean, rest


def covariances(k0, k1, x, freedom, out):
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            s = _scatter(x[k])[0]
            out[k] = (s + s.T) / 2 / freedom


def scatter(t0, t1, x, means, total):
    with np.errstate(all="ignore"):
        for t in range(t0, t1):
            s, mean, rest = _scatter(x[t * TILE : (t + 1) * TILE])
            means[t] = (mean - x[0]) + rest
            total += s


def centre(n, means):
    counts = np.full(len(means), TILE)
    counts[-1] = n - (len(means) - 1) * TILE
    with np.errstate(all="ignore"):
        means -= counts @ means / n
        means *= np.sqrt(counts)[:, None]


def join(i0, i1, total, means, freedom, out):
    with np.errstate(all="ignore"):
        rows = (total[i0:i1, :i1] + means[:, i0:i1].T @ means[:, :i1]) / freedom
        for f, row in enumerate(rows, i0):
            out[f, : f + 1] = out[: f + 1, f] = row[: f + 1]


def _activate(activation, x):
    if activation == RELU:
        return np.maximum(x, 0)
    if activation == TANH:
        return np.tanh(x)
    if activation == SIGMOID:
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)
    return _softmax(x) if activation == SOFTMAX else x


def forward(i0, i1, x, parameters, widths, activation, output_activation, out):
    a, used = x[i0:i1], 0
    with np.errstate(all="ignore"):
        for layer, (k, n) in enumerate(itertools.pairwise(widths)):
            w, b = parameters[used : used + k * n].reshape(k, n), parameters[used + k * n :][:n]
            last = layer == len(widths) - 2
            a = _activate(output_activation if last else activation, a @ w + b)
            used += (k + 1) * n
    out[i0:i1] = a
