import itertools

import numpy as np

from . import MATERN12, MATERN32, MATERN52, QUADFORM, RQ, SE


def prepare(start, stop, x, plain, centre, projection, features):
    """features[:, start:stop] = first x itself, if `plain` is D not 0, then its projection."""
    x, last = x[start:stop], plain + projection.shape[1]
    with np.errstate(all="ignore"):
        features[:plain, start:stop] = x.T[:plain]
        # einsum adds in one order for every row: identical rows keep identical features
        features[plain:last, start:stop] = np.einsum("nd,dr->rn", x - centre, projection)


def _quadform(x, y, scale):
    """q of all pairs."""
    q = np.zeros((x.shape[1], y.shape[1]), x.dtype)
    for xf, yf, s in itertools.zip_longest(x, y, scale, fillvalue=1):
        q += (s * (xf[:, None] - yf)) ** 2
    return q


def _upper(x):
    """The first 26 bits of x."""
    return (x.view(np.int64) & -(2**27)).view(np.float64)


def _exact_product(x, y):
    """x y as a sum of two."""
    product, a, b = x * y, _upper(x), _upper(y)
    return product, (a * b - product) + a * (y - b) + (x - a) * b + (x - a) * (y - b)


def _root(c, q):
    """sqrt(c q) as a sum of two, for c = 1, 3 or 5: (c - 1) q is exact."""
    q = np.minimum(q, 1e6)  # where the profiles are 0
    high = (c - 1) * q + q
    low = ((c - 1) * q - high) + q
    root = np.sqrt(high)
    square, rest = _exact_product(root, root)
    correction = (((high - square) - rest) + low) / (2 * root)
    return root, np.where(root > 0, correction, 0)


def _profile(profile, alpha, q):
    """profile(q) and its derivative, in double precision but for "se"."""
    if profile == QUADFORM:
        return q, np.ones_like(q)
    if profile == SE:
        k = np.exp(q / -2)
        return k, k / -2
    q = q.astype(np.float64)
    if profile == RQ:
        t = q / (2 * alpha)
        product, rest = _exact_product(t, np.full_like(t, 2 * alpha))
        s = 1 + t
        low = (1 - (s - (s - 1))) + (t - (s - 1)) + ((q - product) - rest) / (2 * alpha)
        k = np.where(np.isinf(q), 0, s**-alpha * np.exp(-alpha * low / s))
        return k, k / (-2 * s)
    root, low = _root({MATERN12: 1, MATERN32: 3, MATERN52: 5}[profile], q)
    half = np.exp(-root / 2)  # its square may be subnormal: nothing follows that
    if profile == MATERN12:
        k = half * (1 - low) * half
        return k, np.where(root > 0, k / (-2 * root), 0)
    if profile == MATERN32:
        return half * (1 - low) * (1 + root + low) * half, -1.5 * half * (1 - low) * half
    square = root * root / 3 + 2 * root * low / 3
    k = half * (1 - low) * (1 + root + low + square) * half
    return k, -5 / 6 * half * (1 - low) * (1 + root + low) * half


def _rows(i0, i1, columns):
    """Groups of rows whose temporaries stay in the cache."""
    step = max(1, 2**16 // columns)
    return ((a, min(a + step, i1)) for a in range(i0, i1, step))


def fill(i0, i1, j0, j1, x, y, scale, profile, alpha, variance, noise, symmetric, out):
    """out[i0:i1, j0:j1] = variance · profile(q) (+ noise on the diagonal), and its mirror."""
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, j1 - j0):
            q = _quadform(x[:, a:b], y[:, j0:j1], scale)
            out[a:b, j0:j1] = variance * _profile(profile, alpha, q)[0]
        if symmetric and i0 == j0:
            out[range(i0, i1), range(i0, i1)] += noise
        elif symmetric:
            out[j0:j1, i0:i1] = out[i0:i1, j0:j1].T


def prepare_products(start, stop, features, centre, scale, columns, norms):
    """The scaled features, and the sums of their squares."""
    with np.errstate(all="ignore"):
        z = features[:, start:stop] - centre[:, None]
        z[: len(scale)] *= scale[:, None]
        columns[:, start:stop] = z
        norms[start:stop] = (z * z).sum(axis=0)


def fill_products(i0, i1, j0, j1, x, y, scale, centre, columns, norms, profile, alpha, variance,
                  noise, symmetric, out):  # fmt: skip
    """The same as `fill`: here it is differences for any number of features."""
    fill(i0, i1, j0, j1, x, y, scale, profile, alpha, variance, noise, symmetric, out)


def apply(i0, i1, x, y, scale, profile, alpha, variance, v, out):
    """out[i0:i1] = k[i0:i1] @ v."""
    m = len(v)
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, m):
            q = _quadform(x[:, a:b], y[:, :m], scale)
            out[a:b] = (variance * _profile(profile, alpha, q)[0]).astype(out.dtype) @ v


def pull(i0, i1, x, y, scale, profile, alpha, variance, cotangent, gradient, sums):
    """For the rows i0:i1 of the cotangent c and of profile p:

    gradient[f, i] = variance · sum over j of c[i, j] p'(q[i, j]) 2 s[f]^2 (x[f, i] - y[f, j]),
    sums[0, i] = that of c p, sums[1, i] = that of c dp/dα for the rational quadratic.
    """
    m = cotangent.shape[1]
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, m):
            c, q = cotangent[a:b], _quadform(x[:, a:b], y[:, :m], scale)
            p, slope = _profile(profile, alpha, q)
            sums[0, a:b] = (c * p).sum(axis=1)
            if profile == RQ:
                t = q.astype(np.float64) / (2 * alpha)
                log = np.where(p == 0, 0, np.log1p(t) - t / (1 + t))
                sums[1, a:b] = -(c * p * log).sum(axis=1)
            weights = 2 * variance * c * slope
            for f, (xf, yf, s) in enumerate(itertools.zip_longest(x, y, scale, fillvalue=1)):
                gradient[f, a:b] = (weights * (xf[a:b, None] - yf[:m])).sum(axis=1) * s * s
