import itertools

import numpy as np

from . import SE


def prepare(start, stop, x, plain, centre, projection, features):
    """features[:, start:stop] = first x itself, if `plain` is D not 0, then its projection."""
    x, last = x[start:stop], plain + projection.shape[1]
    with np.errstate(all="ignore"):
        features[:plain, start:stop] = x.T[:plain]
        # einsum adds in one order for every row: identical rows keep identical features
        features[plain:last, start:stop] = np.einsum("nd,dr->rn", x - centre, projection)


def fill(i0, i1, j0, j1, x, y, scale, profile, variance, noise, symmetric, out):
    """out[i0:i1, j0:j1] = variance · profile(q) (+ noise on the diagonal), and its mirror."""
    with np.errstate(all="ignore"):
        step = max(1, 2**16 // (j1 - j0))  # rows whose temporaries stay in the cache
        for a in range(i0, i1, step):
            b = min(a + step, i1)
            q = np.zeros((b - a, j1 - j0), out.dtype)
            for xf, yf, s in itertools.zip_longest(x, y, scale, fillvalue=1):
                q += (s * (xf[a:b, None] - yf[None, j0:j1])) ** 2
            out[a:b, j0:j1] = variance * np.exp(-q / 2) if profile == SE else q
        if symmetric and i0 == j0:
            out[range(i0, i1), range(i0, i1)] += noise
        elif symmetric:
            out[j0:j1, i0:i1] = out[i0:i1, j0:j1].T
