import numpy as np

from . import SE


def prepare(start, stop, x, centre, projection, features):
    """features[:, start:stop] = the last rows (x - centre) @ projection, the first x itself."""
    x, plain = x[start:stop], len(features) - projection.shape[1]
    with np.errstate(all="ignore"):
        features[:plain, start:stop] = x.T[:plain]
        # einsum adds in one order for every row: identical rows keep identical features
        features[plain:, start:stop] = np.einsum("nd,dr->rn", x - centre, projection)


def fill(i0, i1, j0, j1, x, y, scale, profile, variance, noise, symmetric, out):
    """out[i0:i1, j0:j1] = variance · profile(q) (+ noise on the diagonal), and its mirror."""
    with np.errstate(all="ignore"):
        q = np.zeros((i1 - i0, j1 - j0), out.dtype)
        for xf, yf, s in zip(x, y, scale, strict=True):
            q += (s * (xf[i0:i1, None] - yf[None, j0:j1])) ** 2
        if profile == SE:
            q = variance * np.exp(-q / 2)
        if symmetric and i0 == j0:
            q[np.diag_indices(i1 - i0)] += noise
        out[i0:i1, j0:j1] = q
        if symmetric:
            out[j0:j1, i0:i1] = q.T
